// Draws each text as a code host does, and leaves what came of it in the page.
"use strict";

window.ran = "";
const given = JSON.parse(document.getElementById("texts").textContent);
const result = {};

const seen = (svg) => {
  const texts = [...svg.querySelectorAll("text, foreignObject, .nodeLabel, .edgeLabel")].map((e) => e.textContent);
  return { error: window.ran, texts: [...new Set(texts)], width: svg.getBoundingClientRect().width };
};

const drawn = async (name, text) => {
  const { svg } = await mermaid.render(`drawing${Object.keys(result).length}`, text);
  const place = document.createElement("div");
  place.innerHTML = svg;
  document.body.append(place);
  result[name] = seen(place.querySelector("svg"));
  place.remove();
};

const shown = (name, text) => {
  const read = new DOMParser().parseFromString(text, "image/svg+xml");
  const error = read.querySelector("parsererror");
  const svg = document.importNode(read.documentElement, true);
  document.body.append(svg);
  result[name] = error ? { error: error.textContent, texts: [], width: 0 } : seen(svg);
  svg.remove();
};

(async () => {
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict" });
  for (const [name, text] of Object.entries(given.mermaid)) {
    try {
      await drawn(name, text);
    } catch (error) {
      result[name] = { error: String(error), texts: [], width: 0 };
    }
  }
  for (const [name, text] of Object.entries(given.svg)) shown(name, text);
  const place = document.createElement("pre");
  place.id = "result";
  place.textContent = JSON.stringify(result);
  document.body.append(place);
})();

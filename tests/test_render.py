"""Templates: values stay scalars, what is missing is named with its line, and contexts are plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

import renderer.render.engine as engine
from renderer import assets, render
from renderer.errors import Exit, Place
from renderer.registry import TARGETS
from renderer.render import TemplateFault, places_in_templates
from renderer.render.quoting import Quoting, finalizer
from tests.fields import rendered_documents
from tests.oracles import yaml_read


@pytest.fixture
def templates(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Templates of the test, by name; the environments are fresh, so that nothing of ours is cached."""
    found: dict[str, str] = {}

    def read(name: str) -> bytes:
        key = name.removeprefix("templates/")
        if key not in found:
            raise FileNotFoundError(name)
        return found[key].encode()

    monkeypatch.setattr(assets, "read", read)
    monkeypatch.setattr(engine, "built_in", engine.Engine(None))
    return found


def made(templates: dict[str, str], text: str, context: Mapping[str, Any]) -> str:
    templates["t.yaml.j2"] = text
    engine.built_in = engine.Engine(None)  # which has not read it yet; the fixture puts ours back
    return render.render("t.yaml.j2", context)


def refused(templates: dict[str, str], text: str, context: Mapping[str, Any]) -> tuple[str, str]:
    with pytest.raises(TemplateFault) as caught:
        made(templates, text, context)
    assert caught.value.exit_code is Exit.OUTPUT_INVALID
    (problem,) = caught.value.problems
    return str(problem.place), problem.message


HOSTILE = [
    "plain",
    "",
    "a\n---\nkind: ClusterRoleBinding",
    "x\n  hostNetwork: true",
    '"; ',
    "{a: b}",
    "*x",
    "&x",
    "!!t",
    "# x",
    "x # y",
    "a: b",
    "%",
    "@",
    "`",
    "\t",
    "x ",
    " x",
    "-",
    "- a",
    "?",
    "---",
    "...",
    "NO",
    "y",
    "0777",
    "1e3",
    "12e3",
    "0123456789",
    "09",
    "2001-1-1",
    "12:30",
    "1_000",
    "~",
    "null",
    "é😀\x85\u2028\ufeff\x7f",
    "{{7*7}}",
    "{% raw %}",
    "{# x #}",
    "$(A) $word ${B}",
    "<b>&amp;'",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize(
    "template",
    ["a: {{ v }}\nb: 1\n", "a: [{{ v }}, x]\nb: 1\n", "a:\n{{ [v] | block(2) }}\nb: 1\n", "a:\n  {{ v }}: x\nb: 1\n"],
    ids=["scalar", "flow", "block", "key"],
)
def test_a_value_stays_one_value(templates: dict[str, str], template: str, text: str) -> None:
    found = yaml.load(made(templates, template, {"v": text}), Loader=yaml.CSafeLoader)
    expected = {text: "x"} if "}}: x" in template else [text, "x"] if "[{{" in template else [text]
    assert found == {"a": text if template.startswith("a: {{") else expected, "b": 1}


def test_safe_text_is_a_text_as_any_other_in_every_format() -> None:
    """It would take what a format puts around it for HTML, and escape that."""
    assert finalizer(Quoting(lambda text: "'" + text + "'"))(Markup("<a>")) == "'<a>'"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_stays_one_value(text: str) -> None:
    written = finalizer(render.YAML)(text)
    assert "\n" not in written
    assert yaml.load(f"a: {written}", Loader=yaml.CSafeLoader) == {"a": text}


@pytest.mark.parametrize(
    ("value", "written"), [(1, "1"), (True, "true"), (False, "false"), (None, "null"), (1.5, "1.5"), ("1", '"1"')]
)
def test_scalars(templates: dict[str, str], value: object, written: str) -> None:
    assert made(templates, "a: {{ v }}\n", {"v": value}) == f"a: {written}\n"


def test_a_value_is_not_rendered_again(templates: dict[str, str]) -> None:
    assert made(templates, "a: {{ v }}\n", {"v": "{{7*7}}"}) == 'a: "{{7*7}}"\n'
    assert made(templates, "{{ v | block }}\n", {"v": {"{{7*7}}": "{{7*7}}"}}) == '"{{7*7}}": "{{7*7}}"\n'


def test_expressions_are_quoted_as_a_whole(templates: dict[str, str]) -> None:
    assert made(templates, "a: {{ 'v' ~ v }}\n", {"v": ": x"}) == 'a: "v: x"\n'
    assert made(templates, "a: {{ '1' ~ 2 }}\n", {}) == 'a: "12"\n'


def test_nothing_is_escaped_for_html(templates: dict[str, str]) -> None:
    assert yaml_read(made(templates, "a: {{ v }}\n", {"v": "<a href='x'>&"})) == {"a": "<a href='x'>&"}


def test_comments_cannot_end(templates: dict[str, str]) -> None:
    text = made(templates, "{{ v | comment }}\na: 1\n", {"v": "x\nkind: Role\r\n\u2028b: 2\x85c: 3"})
    assert yaml.load(text, Loader=yaml.CSafeLoader) == {"a": 1}


# ---------------------------------------------------------------------------------------------
# Mistakes in templates.


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: 1\nb: {{ nope }}\n", 2, "'nope' is undefined"),
        ("a: {{ v.nope }}\n", 1, "nope"),
        ("{% for x in nope %}\n{% endfor %}\n", 1, "'nope' is undefined"),
        ("\n\n{% if nope %}\n{% endif %}\n", 3, "'nope' is undefined"),
        ("a:\n{{ nope | block(2) }}\n", 2, "'nope' is undefined"),
        ("a:\n{{ nope | comment(2) }}\n", 2, "'nope' is undefined"),
        ("a: {{ d }}\n", 1, "block(indent)': dict"),
        ("a: 1\nb: {{ l }}\n", 2, "block(indent)': list"),
        ("a: 1\n{% if %}\n", 2, ""),
        ("a: {{ 'x' | nope }}\n", 1, "nope"),
        ("{% include 'nope.j2' %}\n", 1, "nope.j2"),
    ],
)
def test_a_mistake_is_told_with_its_line(templates: dict[str, str], text: str, line: int, word: str) -> None:
    place, message = refused(templates, text, {"v": {}, "d": {"a": 1}, "l": [1]})
    assert place == f"templates/t.yaml.j2:{line}"
    assert word in message


def test_a_mistake_in_an_included_template_is_told_there(templates: dict[str, str]) -> None:
    templates["inner.j2"] = "x: 1\ny: {{ nope }}\n"
    place, _ = refused(templates, "a:\n{% filter indent(2, true) %}\n{% include 'inner.j2' %}\n{% endfilter %}\n", {})
    assert place == "templates/inner.j2:2"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "nope.j2", ""])
def test_no_template_outside_of_the_folder(name: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        render.render(name, {})
    assert name in caught.value.problems[0].message


# ---------------------------------------------------------------------------------------------
# From a line of the text to the line of the template.

OUTER = """\
{# what it is #}
a: 1
{% if yes %}
b: 2
{% endif %}
list:
{{ items | block(2) }}
spec:
{% filter indent(2, true) %}
{% include 'inner.j2' %}
{% endfilter +%}
c: {{ v }}
{% for n in [1, 2] %}
d{{ '-' ~ n }}: x
{% endfor %}
"""
INNER = """\
{# inner #}
x: 1
{% if yes %}
y:
{{ items | block(2) }}
{% endif %}
z: 3
"""


@pytest.mark.parametrize(
    ("start", "place"),
    [
        ("a: 1", ("t.yaml.j2", 2)),
        ("b: 2", ("t.yaml.j2", 4)),
        ("list:", ("t.yaml.j2", 6)),
        ("  - one", ("t.yaml.j2", 7)),
        ("  - two", ("t.yaml.j2", 7)),
        ("  - three", ("t.yaml.j2", 7)),
        ("spec:", ("t.yaml.j2", 8)),
        ("  x: 1", ("inner.j2", 2)),
        ("  y:", ("inner.j2", 4)),
        ("    - two", ("inner.j2", 5)),
        ("  z: 3", ("inner.j2", 7)),
        ("c: v", ("t.yaml.j2", 12)),
        ("d-1: x", ("t.yaml.j2", 14)),
        ("d-2: x", ("t.yaml.j2", 14)),
    ],
)
def test_lines(templates: dict[str, str], start: str, place: tuple[str, int]) -> None:
    templates["inner.j2"] = INNER
    context = {"yes": True, "items": ["one", "two", "three"], "v": "v"}
    lines = made(templates, OUTER, context).split("\n")
    number = next(i for i, line in enumerate(lines, 1) if line.replace('"', "").startswith(start))
    assert places_in_templates("t.yaml.j2", context)(number) == Place(f"templates/{place[0]}", place[1])


def test_tags_may_go_over_several_lines(templates: dict[str, str]) -> None:
    text = "a: {{ [\n  v,\n][0]\n}}\n{% set b = [\n  2,\n] %}\nb: {{ b[0] }}\n"
    assert made(templates, text, {"v": "v"}) == "a: v\nb: 2\n"
    places = places_in_templates("t.yaml.j2", {"v": "v"})
    assert [places(line).line for line in (1, 2)] == [4, 8]


def test_a_line_behind_the_end_is_told_at_the_last_one(templates: dict[str, str]) -> None:
    made(templates, "a: 1\n", {})
    assert places_in_templates("t.yaml.j2", {})(99) == Place("templates/t.yaml.j2", 1)


@pytest.mark.parametrize(
    "tag", ["{%% set xs = [\n  1,\n  2,\n] %%}\n", "{# one\n two #}\n", "{%% for x in [\n 1] %%}\n{%% endfor %%}\n"]
)
def test_a_tag_over_several_lines_can_be_marked(templates: dict[str, str], tag: str) -> None:
    text = f"{tag.replace('%%', '%')}a: 1\n"
    made(templates, text, {})
    assert places_in_templates("t.yaml.j2", {})(1) == Place("templates/t.yaml.j2", text.count("\n"))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.slow
def test_every_line_of_every_example_has_its_line_in_a_template(target: str) -> None:
    """The marked text has the lines of the text, and a line of fixed text is found word for word."""
    for document in rendered_documents(target).documents:
        if not document.template or "# changed by" in document.text or "# added by" in document.text:
            continue
        place_of = places_in_templates(document.template, document.context)
        lines = [(number, line) for number, line in enumerate(document.text.splitlines(), 1) if line]
        for number, line in lines:
            place = place_of(number)
            assert place.line, (document.path, number)
            source = assets.read(place.file).decode().split("\n")[place.line - 1]
            if "{{" not in source:
                assert source.strip() == line.strip()


# ---------------------------------------------------------------------------------------------
# What a template may see.


def not_plain(value: object, path: str = "") -> list[str]:
    """Where something else stands than what YAML and JSON can say alike."""
    if type(value) is dict:
        parts = [(f"{path}?", key) for key in value] + [(f"{path}.{key}", inner) for key, inner in value.items()]
        return [found for place, part in parts for found in not_plain(part, place)]
    if type(value) is list:
        return [p for i, item in enumerate(value) for p in not_plain(item, f"{path}[{i}]")]
    return [] if value is None or type(value) in (str, int, float, bool) else [f"{path}: {type(value).__name__}"]


def test_not_plain_sees_deep() -> None:
    assert not_plain({"a": [{"b": (1,)}], "c": 1}) == [".a[0].b: tuple"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.slow
def test_contexts_are_plain_data(target: str) -> None:
    for document in rendered_documents(target).documents:
        assert not_plain(dict(document.context)) == [], document.template

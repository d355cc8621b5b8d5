"""Any text in any field arrives: what readers find in the manifests is what the spec says.

Read by PyYAML and by kubectl, whose reader (Go's) is that of an API server; where the kubelet expands
``$(NAME)``, what it makes of the text is compared. Compose has the same in tests/targets/compose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from renderer.errors import errors_in
from renderer.model import JSON
from renderer.targets.kubernetes.objects import OBJECTS
from renderer.variables import as_literal
from tests.kubelet import expanded
from tests.oracles import kubectl_read
from tests.specs import IMAGE, rendered, spec

#: ATTACKS rows 1 to 6, 24 and 39, and what else YAML readers disagree about.
HOSTILE = [
    "a\n---\nkind: ClusterRoleBinding",
    "a\n---\nkind: ClusterRoleBinding\n",
    "x\n  hostNetwork: true",
    "x\nhostNetwork: true\n",
    '"; ',
    "'; ",
    "{a: b}",
    "[a, b]",
    "*x",
    "&x",
    "!!t",
    "!x y",
    "# x",
    "x # y",
    "a: b",
    "a:",
    ": a",
    "%",
    "%YAML 1.1",
    "@",
    "`",
    "\t",
    "x\ty",
    "x ",
    " x",
    "x\n\n",
    "\nx",
    "\n",
    "\n\n",
    "  indented\nless",
    "x \ny",
    "\tx\ny",
    "x\r\ny",
    "\r",
    "",
    " ",
    "-",
    "- a",
    "--- a",
    "---",
    "...",
    "?",
    "? a",
    "|",
    ">",
    "|\n a",
    "<<",
    "=",
    "~",
    "null",
    "NO",
    "no",
    "y",
    "on",
    "True",
    "0777",
    "0o17",
    "0x1F",
    "1e3",
    "12e3",
    "1_000",
    "0123456789",
    "09",
    "012345678901",
    "1234567",
    "12e4567",
    "123e456",
    ".5",
    "5.",
    "+1",
    "-0",
    ".inf",
    ".NaN",
    "2001-1-1",
    "2001-12-14",
    "2001-12-14T21:59:43Z",
    "12:30",
    "12:30:45",
    "é",
    "😀",
    "a😀b",
    "\x85",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\x7f",
    "\u200b",
    "\u202e",
    "\xa0",
    "\ue000",
    "\U0010ffff",
    "\ufffe",
    "{{7*7}}",
    "{% raw %}",
    "{# x #}",
    "$word",
    "pa$word",
    "$(VAR)",
    "$$(VAR)",
    "$$",
    "$",
    "${var}",
    "$(TEXT)",
    "\\",
    "\\n",
    '\\"',
    "a" * 300,
    "word " * 100,
    "\n".join(["line"] * 50),
    "x" * 70_000,
]
#: What a spec can hold: no NUL and other controls (the reader and the schema refuse them), no lone surrogate.
CHARACTERS = st.characters(
    exclude_categories=["Cs"], exclude_characters="".join(map(chr, [*range(9), 11, 12, *range(14, 32)]))
)
TEXTS = st.text(CHARACTERS, max_size=30) | st.text(
    st.sampled_from([*":#-?*&!|>%@`'\"{}[],\n\t \r$()\\", "a", "0", "e", "N", "\x85", "\u2028", "😀"]), max_size=12
)
LABELS = st.from_regex(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", fullmatch=True).filter(str.isascii)
LABEL_VALUES = ["NO", "y", "0777", "1e3", "12e3", "09", "0123456789", "1_000", "2001-1-1", "", "null", "true"]

Case = dict[str, Any]


def case(text: str, label: str = "x") -> Case:
    """The same text in every field that takes free text."""
    return {"text": text, "label": label}


def document(number: int, of: Case) -> dict[str, JSON]:
    text = of["text"]
    short = text[:1024]  # all annotations together, and the file of all servers, have limits
    container: dict[str, JSON] = {
        "image": IMAGE,
        "command": [as_literal(short)] * 2,
        "args": [as_literal(short)],
        "env": {"TEXT": as_literal(short), "LAST": as_literal(short)},
    }
    return spec(
        f"server-{number:04}",
        {"labels": {"example.com/label": of["label"]}, "annotations": {"example.com/text": text}},
        image=IMAGE,
        transport={"type": "streamable-http"},
        description=short,
        command=[as_literal(text)] * 2,
        args=[as_literal(text)],
        env={"TEXT": as_literal(text), "LAST": as_literal(text)},
        files={"/etc/text": {"content": text}, "/etc/more": {"content": f"{text}\nend"}},
        storage=[
            {
                "name": "data",
                "size": "1Gi",
                "mountPath": "/data",
                "purpose": text[:256],
                "accessModes": ["ReadWriteMany"],
            }
        ],
        health={"command": ["/bin/sh", text], "liveness": {"command": ["/bin/sh", text]}},
        initContainers=[{"name": "before", **container}],
        sidecars=[{"name": "beside", **container}],
        autoscaling={"min": 2, "max": 3},
        disruption={"minAvailable": 1},
        expose={
            "host": f"server-{number}.example.com",
            "tls": {"secret": "tls"},
            "annotations": {"example.com/own": short},
        },
        monitoring={"port": 9090, "alerts": {"down": {}}},
        externalSecrets=[
            {"name": f"token-{number}", "store": {"name": "vault"}, "keys": [{"key": "a", "remoteKey": "b"}]}
        ],
        sandbox={
            "namespace": f"sandbox-{number}",
            "runtimeClass": {"name": f"sandbox-{number}", "handler": "runsc", "create": True},
            "quota": {"pods": 2},
            "limits": {"max": {"cpu": "1"}},
        },
    )


def kubelet(text: str) -> str:
    """What it makes of a word, with every variable that a text here could name."""
    return expanded(text, dict.fromkeys(("TEXT", "LAST", "VAR", "", "a", "0"), "EXPANDED"))


def check(objects: Sequence[dict[str, Any]], cases: Sequence[Case]) -> None:
    """Every object is there, with the text of its case at every place."""
    assert [o["kind"] for o in objects] == [kind for _ in cases for kind in KINDS]
    for number, of in enumerate(cases):
        found = objects[number * len(KINDS) : (number + 1) * len(KINDS)]
        assert list(expected_of(found)) == list(placed(of))


KINDS = [
    *("Namespace", "RuntimeClass", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    *["NetworkPolicy"] * 3,
    *("ResourceQuota", "LimitRange", "NetworkPolicy", "ExternalSecret", "ConfigMap"),
    *("PersistentVolumeClaim", "Service", "Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"),
    *("ServiceMonitor", "PrometheusRule"),
]
CONTAINERS = ["before", "mcp-server", "beside"]
#: Which stand in the place of another kind, with the same templates for all that is text.
INSTEAD = {
    *("StatefulSet", "Pod", "CiliumNetworkPolicy", "HTTPRoute", "SecurityPolicy", "BackendTrafficPolicy"),
    *("HTTPRouteFilter", "AgentgatewayBackend", "AgentgatewayPolicy"),
}


def expected_of(objects: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Place and value, as read."""
    for object_ in objects:
        kind = object_["kind"]
        yield f"{kind} label", object_["metadata"]["labels"]["example.com/label"]
        yield f"{kind} annotation", object_["metadata"]["annotations"]["example.com/text"]
    found = {object_["kind"]: object_ for object_ in objects}
    yield "own annotation", found["Ingress"]["metadata"]["annotations"]["example.com/own"]
    workload = found["Deployment"]
    yield "description", workload["metadata"]["annotations"].get("mcpctl.io/description", "")
    yield "purpose", found["PersistentVolumeClaim"]["metadata"]["annotations"]["mcpctl.io/purpose"]
    yield "files", found["ConfigMap"]["data"]
    pod = workload["spec"]["template"]
    yield "pod label", pod["metadata"]["labels"]["example.com/label"]
    yield "pod annotation", pod["metadata"]["annotations"]["example.com/text"]
    containers = {c["name"]: c for c in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]}
    for container in (containers[name] for name in CONTAINERS):
        name = container["name"]
        for field in ("command", "args"):
            yield f"{name} {field}", [kubelet(word) for word in container[field]]
        yield f"{name} env", {item["name"]: kubelet(item.get("value", "")) for item in container["env"]}
    for probe in ("readinessProbe", "livenessProbe"):
        yield probe, [kubelet(word) for word in containers["mcp-server"][probe]["exec"]["command"]]


def placed(of: Case) -> Iterator[tuple[str, Any]]:
    """Place and value, as the spec says."""
    text = of["text"]
    for kind in KINDS:
        yield f"{kind} label", of["label"]
        yield f"{kind} annotation", text
    yield "own annotation", text[:1024]
    yield "description", text[:1024]
    yield "purpose", text[:256]
    yield "files", {"text": text, "more": f"{text}\nend"}
    yield "pod label", of["label"]
    yield "pod annotation", text
    for name in CONTAINERS:
        said = text if name == "mcp-server" else text[:1024]
        yield f"{name} command", [said, said]
        yield f"{name} args", [said]
        yield f"{name} env", {"TEXT": said, "LAST": said}
    for probe in ("readinessProbe", "livenessProbe"):
        yield probe, ["/bin/sh", text]


def stream(cases: Sequence[Case]) -> tuple[str, int]:
    """The manifests of all cases, as on stdout, and how many documents the plan has."""
    output = rendered("kubernetes", *(document(number, of) for number, of in enumerate(cases)))
    assert [str(problem) for problem in errors_in(output.problems)] == []
    texts = [d.text for d in output.documents if "/" in d.path and not d.path.endswith("/sandbox-serviceaccount.yaml")]
    return "".join(f"---\n{text}" for text in texts), len(texts)


def by_pyyaml(text: str) -> list[dict[str, Any]]:
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def are_read_back(cases: Sequence[Case], *readers: Callable[[str], list[dict[str, Any]]]) -> None:
    text, count = stream(cases)
    for read in readers:
        objects = read(text)
        assert len(objects) == count == len(cases) * len(KINDS)
        check(objects, cases)


ALL = [case(text, LABEL_VALUES[i % len(LABEL_VALUES)]) for i, text in enumerate(HOSTILE)]


def test_the_kinds_are_those_of_the_table() -> None:
    assert {*KINDS, *INSTEAD} == {kind.kind for kind in OBJECTS}


def test_hostile_texts_read_by_pyyaml_and_kubectl() -> None:
    """All of them rendered once."""
    are_read_back(ALL, by_pyyaml, kubectl_read)


CASES = st.builds(case, TEXTS, LABELS)


@settings(max_examples=12)
@given(CASES)
def test_any_text_read_by_pyyaml(of: Case) -> None:
    are_read_back([of], by_pyyaml)


@settings(max_examples=1, phases=[Phase.generate])  # to shrink twenty servers would take minutes
@given(st.lists(CASES, min_size=15, max_size=25))
def test_any_text_read_by_kubectl(cases: list[Case]) -> None:
    """Many servers in one call: each starts a program."""
    are_read_back(cases, kubectl_read)


@settings(max_examples=5)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_a_text_is_read_from_a_stream_as_from_each_file(texts: list[str]) -> None:
    """What ends one document never reaches into the next."""
    output = rendered("kubernetes", *(document(n, case(text)) for n, text in enumerate(texts)))
    alone = [yaml.load(d.text, Loader=yaml.CSafeLoader) for d in output.documents]
    together = yaml.load_all("".join(f"---\n{d.text}" for d in output.documents), Loader=yaml.CSafeLoader)
    assert list(together) == alone

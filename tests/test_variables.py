"""Variables in texts of a spec: what both targets make of them, and of what looks like one."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.errors import errors_in
from renderer.model import JSON
from renderer.variables import as_literal, expanded_sizes, in_order, pieces, self_references
from tests.kubelet import expanded as by_kubelet
from tests.oracles import yaml_read
from tests.specs import HTTP, IMAGE, NPM, PYPI, rendered, rules, spec, texts

SECRET: JSON = {"secret": "mcpo", "key": "api-key"}
#: What the variables hold where the server runs; no value can end the quotes that it stands in.
VALUES = {"KEY": 'k"y $(USER) $HOME \\ `id`', "USER": "app", "URL": "https://app@example.com"}
ENV: dict[str, JSON] = {"URL": "https://$(USER)@example.com", "USER": "app", "KEY": SECRET}
WORDS = ["--key", "$(KEY)", "--url=$(URL)/x", "it's $(KEY)", "$$(KEY)", "$${KEY}", "$5 $$x $(a b)", "x$0x", "x$$0x"]
EXPECTED = [
    *("--key", VALUES["KEY"], f"--url={VALUES['URL']}/x", f"it's {VALUES['KEY']}"),
    *("$(KEY)", "${KEY}", "$5 $$x $(a b)", "x$0x", "x$$0x"),
]


def container(**fields: JSON) -> dict[str, Any]:
    deployment = yaml_read(texts("kubernetes", spec(**fields))["demo/deployment.yaml"])
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def service(**fields: JSON) -> dict[str, Any]:
    project = yaml_read(texts("compose", spec(**fields))["demo/compose.yaml"])
    found: dict[str, Any] = project["services"]["mcp-demo"]
    return found


def by_compose(text: str) -> str:
    """As compose expands what mcpctl writes: ``$$``, and variables with a message."""
    text = text.replace("${MCPO_API_KEY:?key api-key of secret mcpo}", VALUES["KEY"].replace("$", "$$"))
    return text.replace("$$", "$")


def in_a_shell(text: str) -> list[str]:
    """The words that ``sh`` makes of a command line, with the variables in its environment."""
    run = subprocess.run(["sh", "-c", f"printf '%s\\0' {text}"], env=VALUES, capture_output=True, check=True, text=True)
    return run.stdout.split("\0")[:-1]


def in_agentgateway(text: str) -> list[str]:
    """The words of its configuration, whose variables it expands once and before it reads the YAML."""
    marked = text.replace("$$", "\0")
    for name, value in VALUES.items():
        marked = marked.replace(f"${{{name}}}", value)
    (bind,) = yaml_read(marked.replace("\0", "$"))["binds"]
    (target,) = bind["listeners"][0]["routes"][0]["backends"][0]["mcp"]["targets"]
    return [target["stdio"]["cmd"], *target["stdio"]["args"]]


SERVERS: dict[str, dict[str, Any]] = {
    "none": {"image": IMAGE, "transport": HTTP, "command": ["/server"]},
    "mcp-proxy": {"package": PYPI},
    "mcp-proxy-npm": {"package": NPM},
    "supergateway": {"package": NPM, "transport": {"bridge": "supergateway"}},
    "agentgateway": {"image": IMAGE, "command": ["/server"]},
}


@pytest.mark.parametrize("target", ["kubernetes", "compose"])
@pytest.mark.parametrize("bridge", SERVERS)
def test_a_declared_variable_is_its_value_behind_every_bridge(bridge: str, target: str) -> None:
    fields = {**SERVERS[bridge], "args": WORDS, "env": ENV}
    if target == "kubernetes":
        args = [by_kubelet(word, VALUES) for word in container(**fields)["args"]]
    else:
        args = [by_compose(word) for word in service(**fields)["command"]]
    if bridge == "supergateway":
        args = in_a_shell(args[1])
    elif bridge == "agentgateway":
        args = in_agentgateway(args[1])
    assert args[-len(WORDS) :] == EXPECTED


def test_a_value_may_refer_to_others_in_any_order() -> None:
    env: dict[str, JSON] = {"A": "1$(B)", "B": "2$(C)$(C)", "C": "3", "D": "$$(A)", "K": "x$(S)", "S": SECRET}
    found = container(env=env)["env"]
    known: dict[str, str] = {}
    for entry in found:
        known[entry["name"]] = by_kubelet(entry.get("value", "s3"), known)
    assert known == {"A": "1233", "B": "233", "C": "3", "D": "$(A)", "K": "xs3", "S": "s3"}
    environment = service(env=env)["environment"]
    reference = "${MCPO_API_KEY:?key api-key of secret mcpo}"
    assert environment == {"A": "1233", "B": "233", "C": "3", "D": "$$(A)", "K": f"x{reference}", "S": reference}


def test_other_containers_have_variables_of_their_own() -> None:
    other: JSON = {"name": "side", "image": IMAGE, "args": ["$(KEY)"], "env": {"TEXT": "a$(KEY)", "KEY": SECRET}}
    found = yaml_read(texts("kubernetes", spec(sidecars=[other]))["demo/deployment.yaml"])
    side = found["spec"]["template"]["spec"]["containers"][1]
    assert side["args"] == ["$(KEY)"]
    assert [entry["name"] for entry in side["env"]] == ["KEY", "TEXT"]
    problems = rendered("kubernetes", spec(args=["$(KEY)"], sidecars=[other])).problems
    assert rules(errors_in(problems)) == ["spec/undeclared-variable"], "the server itself does not declare it"


def test_all_keys_of_a_secret_may_be_variables_in_kubernetes_alone() -> None:
    fields: dict[str, JSON] = {"envFrom": [{"secret": "keys"}], "args": ["$(KEY)"], "env": {"A": "$(KEY)"}}
    assert container(**fields)["args"] == ["$(KEY)"]
    problems = errors_in(rendered("compose", spec(**fields)).problems)
    assert [(problem.rule, problem.path) for problem in problems] == [
        ("compose/variable-of-a-file", "spec.args[0]"),
        ("compose/variable-of-a-file", "spec.env.A"),
    ]


def test_commands_of_a_shell_stay_its_own() -> None:
    script = "export A=${B:-x} C=$(date) D=$(KEY); exec /server"
    fields: dict[str, JSON] = {"command": ["/bin/sh", "-c", script], "env": {"KEY": SECRET}}
    assert container(**fields)["command"][2] == script.replace("$(date)", "$$(date)")
    assert by_compose(service(**fields)["entrypoint"][2]) == script.replace("$(KEY)", VALUES["KEY"])


def test_values_that_grow_without_end_are_refused() -> None:
    grown: dict[str, JSON] = {f"A{i}": f"$(A{i + 1})" * 8 for i in range(100)}
    problems = errors_in(rendered("compose", spec(env={**grown, "A100": "x"})).problems)
    assert set(rules(problems)) == {"spec/variable-too-long"}
    assert "spec.env.A0" in [problem.path for problem in problems]


def test_sizes_and_circles() -> None:
    assert expanded_sizes({"A": "a$(B)", "B": SECRET, "C": "$(A)"}) == {"A": 5, "B": 0, "C": 9}
    assert self_references({"A": "$(B)", "B": "$(A)", "C": "$(A)", "D": "$(D)"}) == {"A", "B", "D"}
    assert list(in_order({"A": "$(B)", "B": "$(A)", "C": "$(E)"})) == ["B", "A", "C"]


@given(st.text("$(){}A:-b ") | st.text())
def test_every_text_can_be_written_literally(text: str) -> None:
    assert list(pieces(as_literal(text), lambda _: True)) == ([(text, "")] if text else [])


@given(st.text("$(){}AB "))
def test_the_kubelet_reads_what_the_spec_says(text: str) -> None:
    values = {"A": "1", "B": "2"}
    found = rendered("kubernetes", spec(args=[text], env={"A": "1", "B": "2"}))
    if errors_in(found.problems):
        return
    deployment = yaml_read(next(d.text for d in found.documents if d.path.endswith("/deployment.yaml")))
    (word,) = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    said = "".join(values[piece.name] if piece.name else piece.text for piece in pieces(text, values.__contains__))
    assert by_kubelet(word, values) == said

"""An acceptance holds for a place, whoever finds what there; what is accepted is listed on request."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from renderer.cli import main
from renderer.errors import Severity
from renderer.pipeline import problems_of, read_inputs, render_run, runs_for
from renderer.policy.secrets import digest_of
from renderer.registry import target
from tests.policy.test_rules import TOKEN, acceptance, compose, image, run
from tests.specs import HTTP, as_stream, spec

LATEST = image("registry.example.com/demo:latest")
SIDE: Any = {"name": "side", "image": "registry.example.com/side:latest"}
TAG: Any = {"rule": "policy/image-tag", "reason": "our own reason"}


def severities(found: Any, rule: str) -> list[str]:
    return [str(problem.severity) for problem in found.problems if problem.rule == rule]


def test_without_a_place_it_holds_while_there_is_one() -> None:
    alone = run("kubernetes", {}, **LATEST, accept=[TAG])
    assert severities(alone, "policy/image-tag") == ["accepted"]
    two = run("kubernetes", {}, **LATEST, sidecars=[SIDE], accept=[TAG])
    found = [problem for problem in two.problems if problem.rule == "policy/image-tag"]
    assert [problem.severity for problem in found] == [Severity.ERROR] * 2
    assert "spec.accept[0] names no place: add path: spec.image" in found[0].hint


def test_a_place_is_one_of_several() -> None:
    found = run("kubernetes", {}, **LATEST, sidecars=[SIDE], accept=[{**TAG, "path": "spec.image"}])
    assert severities(found, "policy/image-tag") == ["accepted", "error"]


@pytest.mark.parametrize("value", ["changeme", "changeme2"])
def test_a_literal_is_accepted_by_its_value(value: str) -> None:
    accepted = {"rule": "policy/secret-literal", "path": "spec.env.DB_PASSWORD", "reason": "our own reason"}
    fields = {"env": {"DB_PASSWORD": value}}
    for digest, expected in ((digest_of("changeme"), value == "changeme"), (None, False), ("0" * 12, False)):
        accept = [{**accepted, "digest": digest} if digest else accepted]
        found = severities(run("kubernetes", {}, **fields, accept=accept), "policy/secret-literal")
        assert found == ["accepted" if expected else "error"]


def test_a_token_beside_what_is_accepted() -> None:
    fields = {"env": {"OPENAI_API_KEY": "changeme", "GITHUB_PERSONAL_ACCESS_TOKEN": TOKEN}}
    paths = {"OPENAI_API_KEY": "changeme", "GITHUB_PERSONAL_ACCESS_TOKEN": TOKEN}
    rule = {"rule": "policy/secret-literal", "reason": "our own reason"}
    accept = [{**rule, "path": f"spec.env.{name}", "digest": digest_of(value)} for name, value in paths.items()]
    found = run("kubernetes", {"secret-literal": "off"}, **fields, accept=accept).problems
    assert [(problem.path, str(problem.severity)) for problem in found if problem.rule == rule["rule"]] == [
        ("spec.env.GITHUB_PERSONAL_ACCESS_TOKEN", "error")
    ]


def test_the_digest_of_a_secret_is_printed_of_what_everybody_tries_first_alone() -> None:
    for value, printed in (("changeme", True), ("hunter2", False)):
        (problem,) = run("kubernetes", {}, env={"DB_PASSWORD": value}).problems
        assert (problem.digest in problem.hint) is printed


WARNINGS: list[tuple[str, dict[str, Any]]] = [
    ("compose", {"image": "demo:1", "transport": HTTP}),
    ("compose", {"scheduling": {"nodeSelector": {"a": "b"}}}),
    ("compose", {"storage": [{"name": "a", "size": "1Gi", "mountPath": "/data"}]}),
    ("kubernetes", {"network": {"publish": {"port": 9999}}}),
    ("kubernetes", {"expose": {"host": "mcp.example.com", "tls": {"secret": "x"}}}),
    ("kubernetes", {"network": {"egress": {"hosts": ["api.example.com:443"]}}}),
    ("kubernetes", {"image": "demo:1", "transport": {**HTTP, "port": 80}}),
    ("compose", compose({"ports": ["9999:9999"]})),
]


@pytest.mark.parametrize(("target_name", "fields"), WARNINGS)
def test_every_warning_can_be_accepted(target_name: str, fields: dict[str, Any]) -> None:
    found = list(run(target_name, {}, **fields).problems)
    assert found
    assert {problem.severity for problem in found} == {Severity.WARNING}
    accepted = run(target_name, {}, **fields, accept=[acceptance(problem) for problem in found]).problems
    assert [(problem.rule, problem.path, str(problem.severity)) for problem in accepted] == [
        (problem.rule, problem.path, "accepted") for problem in found
    ]


def test_an_error_that_is_no_policy_cannot_be_accepted() -> None:
    accept = [{"rule": "spec/autoscaling-bounds", "reason": "our own reason"}]
    found = run("kubernetes", {}, autoscaling={"min": 5, "max": 3}, accept=accept)
    assert severities(found, "spec/autoscaling-bounds") == ["error"]
    assert severities(found, "policy/accepts-nothing") == ["warning"]


def test_what_one_environment_accepts_is_an_error_in_the_other() -> None:
    def environment(name: str, **fields: Any) -> bytes:
        data = {"apiVersion": "mcpctl.io/v1alpha1", "kind": "Environment", "metadata": {"name": name}}
        return b"---\n" + json.dumps({**data, "spec": {"target": "kubernetes", **fields}}).encode() + b"\n"

    lab = environment("lab", defaults={"accept": [{**TAG, "path": "spec.image"}]})
    inputs = read_inputs(["-"], BytesIO(as_stream(spec(**LATEST)) + lab + environment("prod")))
    outputs = [render_run(each, target(each.target)) for each in runs_for(inputs, inputs.environments)]
    assert [severities(each, TAG["rule"]) for each in outputs] == [["accepted"], ["error"]]
    found = [str(problem.severity) for problem in problems_of(outputs) if problem.rule == TAG["rule"]]
    assert sorted(found) == ["accepted", "error"]


def test_a_value_of_an_environment_is_accepted_by_either_place() -> None:
    data: dict[str, Any] = {"apiVersion": "mcpctl.io/v1alpha1", "kind": "Environment", "metadata": {"name": "lab"}}
    data["spec"] = {"target": "kubernetes", "defaults": {"env": {"DB_PASSWORD": "changeme"}}}
    for path in ("spec.env.DB_PASSWORD", "spec.defaults.env.DB_PASSWORD"):
        accept: Any = [
            {"rule": "policy/secret-literal", "path": path, "digest": "057ba03d6c44", "reason": "our own reason"}
        ]
        stream = as_stream(spec(accept=accept)) + b"---\n" + json.dumps(data).encode()
        inputs = read_inputs(["-"], BytesIO(stream))
        (made,) = runs_for(inputs, inputs.environments)
        assert [str(problem.severity) for problem in made.specs.problems] == ["accepted"]


def test_they_are_listed_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "a.yaml")
    Path(file).write_bytes(as_stream(spec(**LATEST, accept=[TAG])))
    assert main(["validate", file]) == 0
    assert capsys.readouterr().err == "1 server, 0 errors, 0 warnings, 1 accepted\n"
    assert main(["validate", "--accepted", file]) == 0
    assert "accepted: spec.image: tag 'latest' moves" in (text := capsys.readouterr().err)
    assert "the reason given: our own reason [policy/image-tag]" in text
    assert main(["validate", "--accepted", "--output", "json", file]) == 0
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["severity"], problem["rule"]) == ("accepted", "policy/image-tag")
    for options, number in ((["--accepted"], 1), ([], 0)):
        assert main(["validate", *options, "--output", "sarif", file]) == 0
        results = json.loads(capsys.readouterr().out)["runs"][0]["results"]
        assert [each["suppressions"][0]["justification"] for each in results] == [
            "the reason given: our own reason"
        ] * number
    assert main(["validate", "--accepted", "--output", "github", file]) == 0
    assert capsys.readouterr().out.startswith("::notice ")

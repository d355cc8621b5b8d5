"""Secrets wherever a string is rendered, and messages that hold none."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from renderer.cli import main
from renderer.errors import Severity
from renderer.model import Source
from renderer.pipeline import read, read_inputs, runs_for
from renderer.policy import literals, secrets
from renderer.policy.secrets import MASK, digest_of, hidden, in_text
from renderer.report import REPORTERS, Report
from tests.policy.test_rules import DISORDER, TOKEN, acceptance, add, compose, run
from tests.specs import IMAGE, as_stream, spec

WORD = "S3cr3tPw9xQzLm4"
PASSWORD = "postgres://app:S3cr3tPw9xQz@db/app"
HASH = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"

#: A field, where a token in it is found.
PLACES: list[tuple[dict[str, Any], str]] = [
    ({"description": f"asks with {TOKEN}"}, "spec.description"),
    ({"env": {"A": TOKEN}}, "spec.env.A"),
    ({"env": {"A": {"secret": "gh", "key": TOKEN}}}, "spec.env.A.key"),
    ({"env": {"A": {"secret": TOKEN, "key": "token"}}}, "spec.env.A.secret"),
    ({"env": {"A": {"configMap": "gh", "key": TOKEN}}}, "spec.env.A.key"),
    ({"envFrom": [{"secret": TOKEN}]}, "spec.envFrom[0].secret"),
    ({"command": ["/server", TOKEN]}, "spec.command[1]"),
    ({"args": [f"--url=https://x.example/?t={TOKEN}"]}, "spec.args[0]"),
    ({"files": {"/a": {"content": f"one\n{TOKEN}\n"}}}, 'spec.files["/a"].content'),
    ({"health": {"path": f"/{TOKEN}"}}, "spec.health.path"),
    ({"imagePullSecrets": [TOKEN]}, "spec.imagePullSecrets[0]"),
    ({"network": {"egress": {"hosts": [f"{TOKEN}.example.com"]}}}, "spec.network.egress.hosts[0]"),
    ({"sidecars": [{"name": "a", "image": IMAGE, "args": [TOKEN]}]}, "spec.sidecars[0].args[0]"),
    (add("/spec/template/spec/containers/0/args", [TOKEN]), "spec.patches[0].json[0].value[0]"),
    (compose({"environment": {"A": TOKEN}}), "spec.patches[0].merge.environment.A"),
    ({"patches": [{"kind": "Deployment", "merge": {"metadata": {"annotations": {"a": TOKEN}}}}]},
     "spec.patches[0].merge.metadata.annotations.a"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "path"), PLACES, ids=[path for _, path in PLACES])
def test_a_token_anywhere_is_an_error_that_nothing_lowers(fields: dict[str, Any], path: str) -> None:
    accept = [{"rule": "policy/secret-literal", "reason": "our own reason"}]
    problems = run("kubernetes", {"secret-literal": "off"}, **fields, accept=accept).problems
    found = [problem for problem in problems if problem.rule == "policy/secret-literal"]
    assert [(problem.path, problem.severity) for problem in found] == [(path, Severity.ERROR)]
    report = Report("validate", problems, {})
    assert all(TOKEN not in write(report) for write in REPORTERS.values())


@pytest.mark.parametrize("place", ["labels", "annotations"])
def test_metadata(place: str) -> None:
    document: dict[str, Any] = spec()
    document["metadata"][place] = {"a": TOKEN}
    (problem,) = read(["-"], BytesIO(as_stream(document))).problems
    assert (problem.rule, problem.path) == ("policy/secret-literal", f"metadata.{place}.a")


@pytest.mark.parametrize(
    "fields",
    [
        {"files": {"/a": {"content": f"one\n{PASSWORD}\n"}}},
        {"files": {"/a": {"content": f"url = {PASSWORD}\n"}}},
        {"args": ["--header", "Authorization: Basic dXNlcjpwYXNzd29yZA=="]},
        {"args": ["--header=Authorization: Bearer abcD1234"]},
        {"args": ["root:S3cr3tPw9xQz@tcp(db:3306)/app"]},
        {"env": {"AUTHORIZATION": "Basic dXNlcjpwYXNzd29yZA=="}},
        {"env": {"A": {"secret": "gh", "key": "aB3dE6gH9jaB3dE6gH9j"}}},
        {"files": {"/a": {"content": f"[db]\npass={WORD}\n"}}},
        {"files": {"/a": {"content": f"machine a.example login u password {WORD}\n"}}},
        {"files": {"/a": {"content": '{"auths": {"ghcr.io": {"auth": "dXNlcjpTM2NyM3RQdzl4UXo="}}}'}}},
        {"files": {"/a": {"content": "//npm.example/:_auth=dXNlcjpTM2NyM3RQdzl4UXo=\n"}}},
        {"args": ["-u", f"admin:{WORD}"]},
        {"args": [f"--user=admin:{WORD}"]},
        {"command": ["sh", "-c", f"curl -u admin:{WORD} https://a.example"]},
        {"args": [f"https://{WORD}{WORD}@git.example/a.git"]},
        {"files": {"/a": {"content": f"# host:port:db:user:password\ndb:5432:*:app:{WORD}\n"}}},
        {"args": [f"db:5432:app:app:{WORD}"]},
        {"command": ["sh", "-c", f"echo db:5432:app:app:{WORD} > /tmp/.pgpass; exec server"]},
        {"files": {"/a": {"content": f"me:{HASH}\n"}}},
        {"files": {"/a": {"content": "me:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n"}}},
        {"args": [f"--users=me:{HASH}"]},
        {"args": ["--users", f"me:{HASH}"]},
        {"env": {"USERS": f"me:{HASH}"}},
        {"env": {"VENDOR_KEY": WORD}},
        {"compose": {"logging": {"driver": "gelf", "options": {"gelf-password": WORD}}}},
        {"compose": {"logging": {"driver": "splunk", "options": {"splunk-token": WORD}}}},
    ],
)
def test_passwords(fields: dict[str, Any]) -> None:
    problems = run("kubernetes", {}, **fields).problems
    assert [problem.rule for problem in problems if problem.severity == "error"] == ["policy/secret-literal"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("secret.reloader.stakater.com/reload", "github-token"),
        ("vault.hashicorp.com/agent-inject-secret-config", "internal/data/database/config"),
        ("checksum/config", DISORDER),
        ("example.com/docs", "see https://user:password@host/x for the form"),
    ],
)
def test_annotations_that_are_none(key: str, value: str) -> None:
    document: dict[str, Any] = spec()
    document["metadata"]["annotations"] = {key: value}
    assert read(["-"], BytesIO(as_stream(document))).problems == ()


def test_an_annotation_under_a_telling_name() -> None:
    document: dict[str, Any] = spec()
    document["metadata"]["annotations"] = {"example.com/password": WORD}
    (problem,) = read(["-"], BytesIO(as_stream(document))).problems
    assert problem.rule == "policy/secret-literal"


@pytest.mark.parametrize(
    "fields",
    [
        {"args": ["-u", "1000:1000"]},
        {"args": ["--user", "app:application"]},
        {
            "files": {
                "/a": {"content": "db:5432:app:app:${PASSWORD}\n*:*:*:app:<password>\nhost:port:db:user:password\n"}
            }
        },
        {"env": {"PARTITION_KEY": "userId2OrderId", "SORT_KEY": "created_at_2024"}},
        {"env": {"SENTRY_DSN": f"https://{'0123456789abcdef' * 2}@o1.ingest.sentry.io/1"}},
        {"files": {"/a": {"content": "auth: disabled-by-default\npassword required\n"}}},
        {"compose": {"logging": {"options": {"max-size": "10m", "tag": "{{.Name}}"}}}},
    ],
)
def test_what_is_no_password(fields: dict[str, Any]) -> None:
    problems = run("compose", {}, **fields).problems
    assert [problem.rule for problem in problems if "secret" in problem.rule] == []


@pytest.mark.parametrize(
    "line",
    [
        """value: "Bearer resource_metadata=\\"https://a.example.com/.well-known/oauth-protected-resource/mcp\\\"" """,
        'www-authenticate: Bearer realm="https://a.example.com"',
    ],
)
def test_what_a_server_asks_for_is_no_token(line: str) -> None:
    assert [*in_text(line)] == []


@pytest.mark.slow
def test_a_template_that_brings_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in (TOKEN, PASSWORD):
        template = tmp_path / "templates" / "kubernetes" / "serviceaccount.yaml.j2"
        template.parent.mkdir(parents=True, exist_ok=True)
        template.write_text(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {{ object_name }}\n  annotations:\n"
            f"    example.com/a: {text}\n"
        )
        (tmp_path / "a.yaml").write_bytes(as_stream(spec()))
        options = ["--templates", str(tmp_path / "templates"), str(tmp_path / "a.yaml")]
        assert main(["render", "--target", "kubernetes", *options]) in (3, 4)
        out, err = capsys.readouterr()
        assert out == ""
        assert "serviceaccount.yaml.j2:6" in err
        assert text not in err


def test_an_environment() -> None:
    document: dict[str, Any] = {
        "apiVersion": "mcpctl.io/v1alpha1",
        "kind": "Environment",
        "metadata": {"name": "prod", "annotations": {"a": TOKEN}},
        "spec": {
            "target": "kubernetes",
            "images": {"registryMirrors": {"ghcr.io": "user:hunter2@mirror.example.com/x"}},
            "defaults": {"env": {"DATABASE": PASSWORD}},
            "delivery": {"type": "argocd", "repoURL": "https://me:hunter2@git.example.com/x.git", "path": "deploy"},
        },
    }
    stream = as_stream(spec()) + b"---\n" + json.dumps(document).encode()
    inputs = read_inputs(["-"], BytesIO(stream))
    found = {problem.path for problem in inputs.leaks}
    assert found == {"metadata.annotations.a", 'spec.images.registryMirrors["ghcr.io"]', "spec.delivery.repoURL"}
    document["metadata"] = {"name": "prod"}
    document["spec"] = {"target": "kubernetes", "defaults": {"env": {"DATABASE": PASSWORD}}}
    inputs = read_inputs(["-"], BytesIO(as_stream(spec()) + b"---\n" + json.dumps(document).encode()))
    (made,) = runs_for(inputs, inputs.environments)
    rules = [(problem.rule, problem.path) for problem in made.specs.problems]
    assert rules == [("policy/secret-literal", "spec.defaults.env.DATABASE")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["render", "{}"],
        ["render", "--namespace", "{}", "a.yaml"],
        ["render", "--policy", "{}=off", "a.yaml"],
        ["render", "--target", "{}", "a.yaml"],
        ["init", "probe", "--image", "{}", "--command", "/x"],
        ["explain", "probe.{}", "a.yaml"],
        ["eject", "{}"],
        ["config", "{}"],
        ["{}"],
    ],
)
def test_what_was_typed_is_masked(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_bytes(as_stream(spec("probe")))
    for text in (f"https://me:{PASSWORD[15:27]}@x.example/y", f"user:{PASSWORD[15:27]}@ghcr.io/a/b:v1", TOKEN):
        assert main([part.format(text) for part in arguments])
        out, err = capsys.readouterr()
        assert PASSWORD[15:27] not in out + err
        assert TOKEN not in out + err


def test_an_image_with_a_password(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(as_stream(spec(image="user:hunter2@ghcr.io/a/b:v1")))
    for style in REPORTERS:
        assert main(["validate", "--output", style, str(tmp_path / "a.yaml")]) == 3
        out, err = capsys.readouterr()
        assert "hunter2" not in out + err
        assert "user:***@ghcr.io/a/b:v1" in out + err


def test_explain_hides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields: dict[str, Any] = {"env": {"DB_PASSWORD": "hunter2"}, "args": ["--password", "hunter2"]}
    found = read(["-"], BytesIO(as_stream(spec("probe", **fields)))).problems
    fields["accept"] = [acceptance(problem) for problem in found]
    (tmp_path / "a.yaml").write_bytes(as_stream(spec("probe", **fields)))
    for style in ("text", "json"):
        assert main(["explain", "probe.spec", str(tmp_path / "a.yaml"), "--output", style]) == 0
        out, _ = capsys.readouterr()
        assert "hunter2" not in out
        assert MASK in out


def test_what_is_hidden_keeps_its_shape() -> None:
    data = {
        "env": {"A": TOKEN, "B": "b"},
        "args": ["--token", "x9x9x9"],
        "files": {"/a": {"content": f"a\n{TOKEN}\nb"}},
    }
    assert hidden(data) == {
        "env": {"A": MASK, "B": "b"},
        "args": ["--token", MASK],
        "files": {"/a": {"content": f"a\n{MASK}\nb"}},
    }


def test_a_digest_can_be_made_by_hand() -> None:
    """``printf %s changeme | sha256sum | cut -c1-12``."""
    assert digest_of("changeme") == "057ba03d6c44"


def test_a_document_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    roots: list[Any] = []

    def noted(data: Any, *more: Any) -> list[secrets.Suspect]:
        roots.append(data)
        return secrets.in_data(data, *more)

    monkeypatch.setattr(literals, "in_data", noted)
    read(["-"], BytesIO(as_stream(spec("one"), spec("two"))))
    assert [data["metadata"]["name"] for data in roots] == ["one", "two"]


def test_what_takes_the_place_of_data_is_looked_through() -> None:
    source = literals.with_secrets(Source("a.yaml", 1, 1, {"env": {"TOKEN": {"secret": "a", "key": "b"}}}))
    replaced = source._replace(data={"env": {"TOKEN": TOKEN}})
    assert (literals.secrets_of(source), len(literals.secrets_of(replaced))) == ((), 1)

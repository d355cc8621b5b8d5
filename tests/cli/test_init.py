"""``mcpctl init``: the first spec holds, and no file is lost."""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from renderer.cli import main
from renderer.errors import Exit
from renderer.pipeline import read
from renderer.registry import TARGETS
from tests.cli.commands import Mcpctl, as_program
from tests.oracles import yaml_read

IMAGE = ["--image", "ghcr.io/acme/server:1.0", "--command", "/srv"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (IMAGE, {"image": "ghcr.io/acme/server:1.0", "command": ["/srv"], "transport": {"type": "stdio"}}),
        (["--npm", "@acme/server@1.2.3"], {"package": {"registry": "npm", "name": "@acme/server", "version": "1.2.3"}}),
        (["--npm", "server@1.2.3"], {"package": {"registry": "npm", "name": "server", "version": "1.2.3"}}),
        (
            ["--pypi", "acme-server[cli]==0.6.2"],
            {"package": {"registry": "pypi", "name": "acme-server[cli]", "version": "0.6.2"}},
        ),
        (
            ["--image", "a:1", "--transport", "streamable-http", "--port", "9000"],
            {"image": "a:1", "transport": {"type": "streamable-http", "port": 9000}},
        ),
        ([*IMAGE, "--arg=-v", "--arg", "NO"], {"args": ["-v", "NO"]}),
        (
            [*IMAGE, "--env", "A=b=c", "--env", "B=0777", "--secret", "TOKEN=acme:token"],
            {"env": {"A": "b=c", "B": "0777", "TOKEN": {"secret": "acme", "key": "token"}}},
        ),
    ],
    ids=" ".join,
)
def test_the_spec_holds_and_says_what_was_asked(mcpctl: Mcpctl, arguments: list[str], expected: dict[str, Any]) -> None:
    run = mcpctl("init", "demo", *arguments)
    assert (run.code, run.out) == (0, "")
    assert "demo.yaml: written; next: mcpctl render demo.yaml\n" in run.err
    specs = read(["demo.yaml"])
    assert [str(problem) for problem in specs.problems] == []
    assert specs.servers[0].name == "demo"
    assert expected.items() <= yaml_read(Path("demo.yaml").read_text())["spec"].items()
    for target in TARGETS:
        assert mcpctl("render", "demo.yaml", "--target", target).code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"transport": "streamable-http"}),
        (["--transport", "sse"], {"transport": "sse"}),
        (
            ["--env", "X-Tenant=acme", "--secret", "Authorization=crm:header"],
            {"headers": {"X-Tenant": "acme", "Authorization": {"secret": "crm", "key": "header"}}},
        ),
    ],
    ids=" ".join,
)
def test_a_remote_server_has_its_address(mcpctl: Mcpctl, arguments: list[str], expected: dict[str, Any]) -> None:
    run = mcpctl("init", "crm", "--remote", "https://crm.example.com/mcp", *arguments)
    assert (run.code, run.out) == (0, "")
    assert "crm.yaml: written; next: mcpctl validate crm.yaml\n" in run.err
    spec = yaml_read(Path("crm.yaml").read_text())["spec"]
    assert spec["remote"] == {"url": "https://crm.example.com/mcp", "transport": "streamable-http", **expected}
    assert read(["crm.yaml"]).problems == ()
    assert mcpctl("validate", "crm.yaml").code == 0


def test_the_file_says_how_to_go_on(mcpctl: Mcpctl) -> None:
    text = mcpctl("init", "demo", *IMAGE, "--out", "-").out
    assert text.startswith("# Every field: `mcpctl schema")
    assert "# secrets only ever by reference" in text
    assert list(Path().iterdir()) == []


def test_a_file_is_not_overwritten(mcpctl: Mcpctl) -> None:
    Path("demo.yaml").write_text("mine\n")
    run = mcpctl("init", "demo", *IMAGE)
    assert (run.code, Path("demo.yaml").read_text()) == (Exit.USAGE, "mine\n")
    assert "--force" in run.err
    assert mcpctl("init", "demo", *IMAGE, "--force").code == 0
    assert Path("demo.yaml").read_text() != "mine\n"


def test_a_link_that_leads_nowhere_is_a_file_too(mcpctl: Mcpctl, tmp_path: Path) -> None:
    Path("demo.yaml").symlink_to(tmp_path / "elsewhere")
    assert mcpctl("init", "demo", *IMAGE).code == Exit.USAGE
    assert not (tmp_path / "elsewhere").exists()


def test_out_names_the_file(mcpctl: Mcpctl) -> None:
    assert mcpctl("init", "demo", *IMAGE, "--out", "other.yaml").code == 0
    assert stat.S_IMODE(Path("other.yaml").stat().st_mode) & 0o111 == 0
    assert mcpctl("init", "demo", *IMAGE, "--out", "none/other.yaml").code == Exit.USAGE
    Path("folder").mkdir()
    assert mcpctl("init", "demo", *IMAGE, "--out", "folder", "--force").code == Exit.USAGE


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["demo"], Exit.USAGE, "--image, --npm, --pypi and --remote"),
        (["--project", "."], Exit.USAGE, "--project writes into the working folder and takes no NAME"),
        (["demo", *IMAGE, "--npm", "a@1.0.0"], Exit.USAGE, "exactly one"),
        (["Demo", *IMAGE], Exit.INPUT_INVALID, "mcpctl init: error: NAME: expected a DNS label"),
        (["../demo", *IMAGE], Exit.INPUT_INVALID, "error: NAME: "),
        (["demo", "--image", "a:1"], Exit.INPUT_INVALID, "mcpctl init: error: --command is missing: "),
        (["demo", "--image", "A B"], Exit.INPUT_INVALID, "error: --image: expected"),
        (["demo", "--npm", "server"], Exit.USAGE, "--npm server has no version; write --npm server@VERSION"),
        (["demo", "--npm", "@acme/server"], Exit.USAGE, "--npm @acme/server has no version; write"),
        (["demo", "--npm", "server@latest"], Exit.INPUT_INVALID, "--npm NAME@VERSION: expected"),
        (["demo", "--pypi", "server"], Exit.USAGE, "--pypi server has no exact version; write --pypi server==VERSION"),
        (["demo", "--pypi", "server@1.0"], Exit.USAGE, "write --pypi server==VERSION"),
        (["demo", "--pypi", "server>=1"], Exit.USAGE, "write --pypi server==VERSION"),
        (["demo", "--pypi", "server==1.*"], Exit.INPUT_INVALID, "--pypi NAME==VERSION: expected one exact version"),
        (["demo", *IMAGE, "--port", "0"], Exit.USAGE, "--port"),
        (["demo", *IMAGE, "--env", "A"], Exit.USAGE, "--env NAME=VALUE"),
        (["demo", *IMAGE, "--env", "1A=x"], Exit.INPUT_INVALID, "error: --env 1A: "),
        (["demo", *IMAGE, "--secret", "A=b"], Exit.USAGE, "--secret NAME=SECRET:KEY"),
        (["demo", *IMAGE, "--env", "A.B=x"], Exit.INPUT_INVALID, "error: --env A.B: "),
        (["demo", *IMAGE, "--secret", "A=b_c:d"], Exit.INPUT_INVALID, "error: --secret A: expected the name"),
        (["demo", "--remote", "ftp://a.example/mcp"], Exit.INPUT_INVALID, "error: --remote: expected"),
        (["demo", "--remote", "http://a.example/mcp"], Exit.INPUT_INVALID, "error: --remote: "),
        (
            ["demo", "--remote", "https://{t}.example/mcp"],
            Exit.INPUT_INVALID,
            "remote.variables of the file can have it",
        ),
        (["demo", "--remote", "https://a.example/mcp", "--transport", "stdio"], Exit.INPUT_INVALID, "--transport: exp"),
        (["demo", "--remote", "https://a.example/mcp", "--env", "a b=c"], Exit.INPUT_INVALID, "error: header a b: "),
        (["demo", "--remote", "https://a.example/mcp", "--port", "80"], Exit.USAGE, "a remote server has none"),
        (["demo", "--image", "a:1", "--transport", "sse", "--arg", "\x01"], Exit.INPUT_INVALID, "error: --arg: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_does_not_hold_is_not_written(mcpctl: Mcpctl, arguments: list[str], code: Exit, word: str) -> None:
    run = mcpctl("init", *arguments)
    assert (run.code, run.out) == (code, "")
    assert word in run.err
    assert "<stdin>" not in run.err
    assert list(Path().iterdir()) == []


def test_a_secret_at_the_wrong_option_is_not_repeated(mcpctl: Mcpctl) -> None:
    for option in ("--secret", "--env"):
        run = mcpctl("init", "demo", *IMAGE, option, "hunter2")
        assert run.code == Exit.USAGE
        assert "hunter2" not in run.err


def test_bytes_that_are_not_text() -> None:
    run = as_program("init", "demo", *IMAGE, "--arg", b"\xff")
    assert run.code == Exit.USAGE
    assert "Traceback" not in run.err


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, max_size=3), st.dictionaries(st.from_regex("[A-Z]{1,3}", fullmatch=True), TEXTS, max_size=3))
def test_any_words_and_values_arrive(tmp_path: Path, words: list[str], env: dict[str, str]) -> None:
    out = str(tmp_path / "any.yaml")
    values = [f"--env={name}={value}" for name, value in env.items()]
    assert main(["init", "demo", *IMAGE, *(f"--arg={word}" for word in words), *values, "--out", out, "--force"]) == 0
    (server,) = read([out]).servers
    assert (server.args, dict(server.env)) == (tuple(words), env)


# ---------------------------------------------------------------------------------------------
# What the image says of itself.

CONFIG = {
    "Entrypoint": ["/app/server"],
    "Cmd": ["stdio", "--log=no"],
    "User": "65532:65532",
    "Volumes": {"/var/lib/data": {}},
    "Healthcheck": {"Test": ["CMD", "/app/check"], "Interval": 30},
    "Env": ["PASSWORD=hunter2"],
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts programs in place of all others: each prints the answer, or fails with its text."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.fspath(folder))

    def add(name: str, answer: Any = None, error: str = "") -> None:
        file = folder / name
        # 'read' gives no line without its end.
        (folder / f"{name}.json").write_text((answer if isinstance(answer, str) else json.dumps(answer)) + "\n")
        lines = [
            f"printf '%s\\n' \"$*\" >> {tmp_path}/asked",
            f"echo {shlex.quote(error)} >&2; exit 1" if error else f'while read -r l; do echo "$l"; done < {file}.json',
        ]
        file.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        file.chmod(0o755)

    return add


def made(mcpctl: Mcpctl, *arguments: str) -> dict[str, Any]:
    run = mcpctl("init", "demo", "--image", "ghcr.io/acme/server:1.0", *arguments, "--out", "-")
    assert run.code == Exit.FINE, run.err
    assert "hunter2" not in run.out
    Path("made.yaml").write_text(run.out)
    assert [str(problem) for problem in read(["made.yaml"]).problems] == []
    spec: dict[str, Any] = yaml_read(run.out)["spec"]
    return spec


@pytest.mark.parametrize("program", ["docker", "podman", "skopeo", "crane"])
def test_the_entrypoint_of_an_image_is_asked_for(mcpctl: Mcpctl, programs: Any, tmp_path: Path, program: str) -> None:
    programs(program, {"config": CONFIG} if program in ("skopeo", "crane") else CONFIG)
    spec = made(mcpctl)
    assert (spec["command"], spec["args"]) == (["/app/server"], ["stdio", "--log=no"])
    assert spec["transport"] == {"type": "stdio"}
    assert spec["security"] == {"runAsUser": 65532}
    assert spec["storage"] == [{"name": "var-lib-data", "size": "1Gi", "mountPath": "/var/lib/data"}]
    assert "health" not in spec, "a check of the image knows nothing of the bridge"
    asked = (tmp_path / "asked").read_text()
    assert asked.endswith("ghcr.io/acme/server:1.0\n")
    assert "pull" not in asked
    assert made(mcpctl, "--arg", "http")["args"] == ["http"]


def test_an_image_that_exposes_a_port_serves_http(mcpctl: Mcpctl, programs: Any) -> None:
    programs("docker", CONFIG | {"ExposedPorts": {"9000/tcp": {}, "3000/tcp": {}, "53/udp": {}}, "User": "node"})
    spec = made(mcpctl)
    assert spec["transport"] == {"type": "streamable-http", "port": 3000}
    assert "command" not in spec
    assert spec["health"] == {"command": ["/app/check"]}
    assert "security" not in spec
    text = Path("made.yaml").read_text()
    assert "It exposes 9000 too." in text
    assert "runs as user node" in text
    assert made(mcpctl, "--transport", "stdio")["command"] == ["/app/server"]
    assert made(mcpctl, "--port", "9000")["transport"]["port"] == 9000


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no JSON",
        "[1]",
        "null",
        '{"config": 1}',
        '{"Entrypoint": "x", "Cmd": [1], "ExposedPorts": ["1"], "User": 0}',
        json.dumps({"ExposedPorts": {f"00001{'0' * 5000}": {}}}),
    ],
)
def test_what_an_odd_answer_does_not_say_is_missing(mcpctl: Mcpctl, programs: Any, answer: str) -> None:
    programs("docker", error="No such image")
    programs("skopeo", answer)
    run = mcpctl("init", "demo", "--image", "ghcr.io/acme/server:1.0")
    assert run.code == Exit.INPUT_INVALID
    assert "--command is missing" in run.err
    assert "docker pull IMAGE" in run.err


def test_why_no_program_knows_the_image_is_told(mcpctl: Mcpctl, programs: Any, tmp_path: Path) -> None:
    programs("docker", error="Error: No such image: ghcr.io/acme/server:1.0")
    programs("crane", error="Error: GET https://ghcr.io/token: DENIED")
    run = mcpctl("init", "demo", "--image", "ghcr.io/acme/server:1.0")
    assert run.code == Exit.INPUT_INVALID
    assert "docker: Error: No such image: ghcr.io/acme/server:1.0; crane: Error: GET https://ghcr.io/token" in run.err
    (tmp_path / "asked").unlink()
    assert mcpctl("init", "demo", "--image", "user:word@ghcr.io/acme/server:1.0").code == Exit.INPUT_INVALID
    assert not (tmp_path / "asked").exists(), "a password would stand in the list of processes"

"""Each check of a Docker daemon, once well, once not, with a docker that says what a test wants."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

import pytest

from renderer.doctor import Planned, diagnose
from renderer.doctor.checks import Check, Result
from renderer.orchestrators.contract import DockerConfig, OrchestratorConfig
from tests.doctor.conftest import SPEC, Seen, planned

#: Beginning of the arguments to exit code, stdout and stderr; the longest that fits counts.
Answers = Mapping[str, tuple[int, str, str]]
WELL: Answers = {
    "version --format={{json .Server}}": (0, '{"Version": "28.2.2"}\n', ""),
    "version": (0, "28.2.2\n", ""),
    "compose version": (0, "5.6.1\n", ""),
    "network ls": (0, "bridge\nmcpctl-network\n", ""),
    "image inspect": (0, "sha256:0\n", ""),
    "ps": (0, "", ""),
}
#: A shell starts in a tenth of the time of Python.
_SCRIPT = """\
#!/bin/sh
printf '%s\\t' "$@" >> {asked}
echo >> {asked}
case "$*" in
{cases}
*) echo "unknown: $*" >&2; exit 1;;
esac
"""


class Docker:
    """A program of that name, alone on the PATH but for python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked = folder / "asked"
        self.answers = dict(WELL)

    def look(self, text: str = "", **config: str | int) -> Seen:
        cases = [
            f"{quote(start)}*) printf %s {quote(out)}; printf %s {quote(err)} >&2; exit {code};;"
            for start, (code, out, err) in sorted(self.answers.items(), reverse=True)  # the longest comes first
        ]
        program = self.folder / "docker"
        program.write_text(_SCRIPT.format(asked=quote(str(self.asked)), cases="\n".join(cases)))
        program.chmod(0o755)
        given = OrchestratorConfig("docker", DockerConfig(**config))  # type: ignore[arg-type]
        seen: dict[str, Check] = {}
        for check in diagnose(given, planned(text, "compose") if text else Planned()):
            seen[check.subject] = check
        return seen


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Docker(folder)


@pytest.fixture
def taken() -> int:
    """Of the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def published(port: int) -> str:
    return f"{SPEC}  network: {{publish: {{port: {port}}}}}\n"


def test_all_is_well(docker: Docker, taken: int) -> None:
    seen = docker.look(published(taken))
    assert seen["daemon"].text == "Docker Engine 28.2.2 at unix:///var/run/docker.sock"
    assert seen["docker compose"].text.startswith("5.6.1 (docker compose;")
    assert seen["network mcpctl-network"].text == "exists"
    assert seen["image registry.example.com/mcp/demo:1.0"].result is Result.OK
    assert seen[f"port 127.0.0.1:{taken}"].text == "free, for demo"
    assert not any(check.result is Result.FAILED for check in seen.values())


def test_no_docker(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    seen = docker.look()
    assert {name for name, check in seen.items() if check.result is Result.FAILED} == {"docker compose", "daemon"}
    assert "install Docker's command line" in seen["daemon"].text


def test_no_compose(docker: Docker) -> None:
    docker.answers["compose version"] = (1, "", "docker: 'compose' is not a docker command.")
    seen = docker.look()["docker compose"]
    assert (seen.result, "not installed" in seen.text) == (Result.FAILED, True)


def test_an_old_compose(docker: Docker) -> None:
    docker.answers["compose version"] = (0, "2.20.3\n", "")
    assert "docker compose 2.20 is too old: 2.30 or newer is needed" in docker.look()["docker compose"].text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "does not answer"),
        (
            "permission denied while trying to connect to the docker API at unix:///x",
            "you may not use the Docker daemon",
        ),
    ],
)
def test_no_daemon(docker: Docker, said: str, text: str) -> None:
    docker.answers |= {"version": (1, "null\n", said), "version --format={{json .Server}}": (1, "null\n", said)}
    seen = docker.look(SPEC)
    assert seen["daemon"].result is Result.FAILED
    assert text in seen["daemon"].text
    assert list(seen)[-1] == "daemon"


@pytest.mark.parametrize("answer", ["null\n", "<html>", "", "[" * 100_000])
def test_a_daemon_that_says_nothing_of_use(docker: Docker, answer: str) -> None:
    docker.answers["version --format={{json .Server}}"] = (0, answer, "")
    assert docker.look()["daemon"].result is Result.FAILED


@pytest.mark.parametrize(("version", "result"), [("19.03.1", Result.WARNING), ("master-x", Result.UNCHECKED)])
def test_an_unusual_daemon(docker: Docker, version: str, result: Result) -> None:
    docker.answers["version --format={{json .Server}}"] = (0, json.dumps({"Version": version}), "")
    assert docker.look()["daemon"].result is result


def test_a_network_that_is_not_there_is_made(docker: Docker) -> None:
    assert docker.look(network="other")["network other"].text == "does not exist yet; the first apply creates it"


def test_networks_of_other_projects_must_be_there(docker: Docker) -> None:
    seen = docker.look(f"{SPEC}  compose: {{networks: [bridge, web]}}\n")
    assert (seen["network bridge"].result, seen["network web"].result) == (Result.OK, Result.FAILED)
    assert seen["network mcpctl-network"].result is Result.OK


def test_networks_that_cannot_be_read(docker: Docker) -> None:
    docker.answers["network ls"] = (1, "", "Error response from daemon: broken")
    assert docker.look()["network"].result is Result.UNCHECKED


def test_a_name_that_docker_does_not_take(docker: Docker) -> None:
    assert docker.look(network="--rm")["configuration"].result is Result.FAILED


def test_an_image_that_is_not_there(docker: Docker) -> None:
    docker.answers["image inspect"] = (1, "", "Error: No such image")
    seen = docker.look(SPEC)["image registry.example.com/mcp/demo:1.0"]
    assert (seen.result, seen.text) == (Result.WARNING, "not pulled yet: apply pulls it")
    assert ["image", "inspect", "--format={{.Id}}", "--", "registry.example.com/mcp/demo:1.0", ""] in [
        line.split("\t") for line in docker.asked.read_text().splitlines()
    ]


def test_a_port_that_is_taken(docker: Docker) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        what = f"port 127.0.0.1:{port}"
        assert docker.look(published(port))[what].text == "taken by another program"
        docker.answers["ps"] = (0, "grafana\n", "")
        assert docker.look(published(port))[what].text == "taken by the server grafana"
        docker.answers["ps"] = (0, "demo\n", "")
        assert docker.look(published(port))[what].result is Result.OK
        docker.answers["ps"] = (1, "", "Error response from daemon: broken")
        assert docker.look(published(port))[what].result is Result.UNCHECKED


def test_ports_of_another_machine_cannot_be_seen(docker: Docker) -> None:
    seen = docker.look(published(8080), host="docker.example.com")
    assert seen["port 127.0.0.1:8080"].result is Result.UNCHECKED
    assert seen["daemon"].text.endswith("at tcp://docker.example.com:2375")


def test_values_that_are_asked_for(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SPEC + "  env: {TOKEN: {secret: github-token, key: token}}\n"
    seen = {name: check for name, check in docker.look(text).items() if name.startswith("value of ")}
    assert [check.result for check in seen.values()] == [Result.WARNING]
    monkeypatch.setenv(next(iter(seen)).removeprefix("value of "), "hunter2")
    again = docker.look(text)[next(iter(seen))]
    assert (again.result, again.text) == (Result.OK, "is set in the environment")

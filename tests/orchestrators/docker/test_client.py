"""Which programs are called, with what, and every way in which they can fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from renderer.command import Done, ProgramMissing, run
from renderer.errors import ApplyFailed, UsageMistake, WaitTimedOut
from renderer.orchestrators.contract import DockerConfig, InstanceFilters
from renderer.orchestrators.docker import Docker
from renderer.orchestrators.docker.client import Client, known_name
from tests.orchestrators.docker.fakes import Fakes, shown


@pytest.mark.parametrize(
    ("settings", "environ", "host"),
    [
        ({}, {}, "unix:///var/run/docker.sock"),
        ({"socket_path": "/run/user/1000/docker.sock"}, {}, "unix:///run/user/1000/docker.sock"),
        ({"host": "build.example"}, {}, "tcp://build.example:2375"),
        ({"host": "build.example"}, {"DOCKER_TLS_VERIFY": "1"}, "tcp://build.example:2376"),
        ({"host": "::1", "port": 4243}, {}, "tcp://[::1]:4243"),
    ],
)
def test_the_daemon_is_where_the_settings_say(settings: dict[str, object], environ: dict[str, str], host: str) -> None:
    assert Client(DockerConfig(**settings), environ=environ).host == host  # type: ignore[arg-type]


def test_its_address_stands_in_the_environment_alone(fakes: Fakes, configured: Callable[..., Docker]) -> None:
    configured(socket_path="/tmp/other.sock").list_instances(InstanceFilters())
    assert fakes.hosts == {"unix:///tmp/other.sock"}
    assert fakes.called("other.sock") == []


@pytest.mark.parametrize("name", ["-rf", "a b", "", "a\nb", "x" * 256, "$(id)", "--help"])
def test_a_hostile_name_reaches_no_argument_list(name: str, fakes: Fakes, docker: Docker) -> None:
    for call in (docker.get_status, docker.stop_server):
        with pytest.raises(UsageMistake, match="is not a name"):
            call(name)
    with pytest.raises(UsageMistake):
        docker.delete([name], data=True, tell=print, confirm=lambda *_: True)
    assert fakes.calls == []
    with pytest.raises(UsageMistake):
        known_name(name, "docker.network")


def test_the_plugin_is_preferred_and_looked_for_once(fakes: Fakes) -> None:
    fakes.answer("docker", "compose version *", out="v2.30.0\n")
    client = Client(DockerConfig())
    assert (client.compose(), client.compose()) == (("docker", "compose"), ("docker", "compose"))
    assert len(fakes.calls) == 1


def test_without_the_plugin_the_program_is_taken(fakes: Fakes) -> None:
    assert Client(DockerConfig()).compose() == ("docker-compose",)


@pytest.mark.parametrize("version", ["1.29.2", "2.29.7", "v2.3.0"])
def test_an_old_compose_is_told_the_least_version(fakes: Fakes, version: str) -> None:
    fakes.answer("docker-compose", "version *", out=f"{version}\n")
    with pytest.raises(ApplyFailed, match=r"docker-compose \d+\.\d+ is too old: 2\.30 or newer"):
        Client(DockerConfig()).compose()


def test_without_compose_it_says_what_to_install(fakes: Fakes) -> None:
    fakes.remove("docker-compose")
    with pytest.raises(ProgramMissing, match=r"docker compose is not installed.*2\.30"):
        Client(DockerConfig()).compose()
    fakes.answer("docker-compose", "version *", out="\0\1 what?")
    with pytest.raises(ProgramMissing):
        Client(DockerConfig()).compose()


def test_without_docker_it_says_what_to_install(fakes: Fakes, docker: Docker) -> None:
    fakes.remove("docker")
    with pytest.raises(ProgramMissing, match=r"docker is not installed.*docs\.docker\.com"):
        docker.get_status("mcp-demo")


def test_what_may_not_be_run_is_told(fakes: Fakes, docker: Docker) -> None:
    (fakes.folder / "docker").write_text("no program")
    with pytest.raises(ProgramMissing, match="docker cannot be started: Exec format error"):
        docker.get_status("mcp-demo")


def test_a_daemon_that_hangs_costs_its_time_and_no_more(fakes: Fakes) -> None:
    fakes.answer("docker", "ps *", script="sleep 60")
    client = Client(DockerConfig())
    with pytest.raises(WaitTimedOut, match=r"looking: docker did not answer in time.*does the daemon at unix.*hang"):
        client.docker("looking", "ps", "-a", seconds=0.1)


def test_a_program_that_is_killed_is_no_traceback(fakes: Fakes, docker: Docker) -> None:
    fakes.answer("docker", "ps *", script="kill -9 $$")
    with pytest.raises(ApplyFailed, match="ended by signal 9; run the command again"):
        docker.get_status("mcp-demo")


@pytest.mark.parametrize("answer", [b"not an id\n", b"\x00\xff\xfe\x1b[31m\n", b"{}\n"])
def test_a_list_that_is_none(fakes: Fakes, docker: Docker, answer: bytes) -> None:
    fakes.answer("docker", "ps *", out=answer)
    with pytest.raises(ApplyFailed, match="answer is not a list of containers") as told:
        docker.get_status("mcp-demo")
    assert told.value.message.isprintable()


@pytest.mark.parametrize("answer", ["<html>", "[1]", '{"id": 1}', "[" * 100_000, "null"])
def test_an_answer_that_is_not_json(fakes: Fakes, docker: Docker, answer: str) -> None:
    fakes.containers(shown())
    fakes.answer("docker", "inspect *", out=answer)
    with pytest.raises(ApplyFailed, match=r"answer is not JSON|cannot be read"):
        docker.get_status("mcp-demo")


def test_a_huge_answer_ends_the_program(fakes: Fakes) -> None:
    fakes.answer("docker", "ps *", script="yes | head -c 3000000")
    client = Client(DockerConfig(), run=lambda *a, **k: run(*a, **{**k, "limit": 1_000_000}))
    with pytest.raises(ApplyFailed, match="wrote more than"):
        client.docker("looking", "ps", "-a")


def test_words_on_stderr_with_success_are_no_failure(fakes: Fakes, docker: Docker) -> None:
    fakes.containers(shown())
    fakes.answer("docker", "ps *", out=f"{shown()['id']}\n", err="WARNING: all is well\n")
    assert docker.get_status("mcp-demo").ready == 1


def test_a_container_that_goes_meanwhile_is_no_failure(fakes: Fakes, docker: Docker) -> None:
    fakes.containers(shown())
    fakes.answer("docker", "inspect *", err="Error: No such container: abc\n", code=1)
    with pytest.raises(ApplyFailed, match="no server runs as mcp-demo"):
        docker.get_status("mcp-demo")


def test_what_nobody_can_name_is_asked_of_the_daemon(fakes: Fakes, docker: Docker) -> None:
    fakes.answer("docker", "ps *", err="failed to update store\n", code=1)
    with pytest.raises(ApplyFailed) as well:
        docker.get_status("mcp-demo")
    assert "does not answer any more" not in well.value.message
    fakes.answer("docker", "version *", err="Cannot connect to the Docker daemon\n", code=1)
    with pytest.raises(ApplyFailed, match=r"failed to update store; the Docker daemon at .* does not answer any more"):
        docker.get_status("mcp-demo")


def test_secrets_of_inspect_are_never_asked_for(fakes: Fakes, docker: Docker) -> None:
    fakes.containers(shown())
    docker.get_status("mcp-demo")
    assert [call for call in fakes.called("inspect") if "--format=" not in call or "Env" in call] == []


def test_a_signal_is_told(fakes: Fakes) -> None:
    assert "signal 9" in Client(DockerConfig()).failed(Done(-9, "", ""), "looking").message

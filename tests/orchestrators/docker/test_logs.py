"""Log lines, and whose they are."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from renderer.errors import ApplyFailed, UsageMistake
from renderer.orchestrators.contract import LogLine, LogOptions
from renderer.orchestrators.docker import Docker
from tests.orchestrators.docker.fakes import Fakes, shown


@pytest.fixture(autouse=True)
def two(fakes: Fakes) -> None:
    fakes.containers(shown(), shown(number=2), shown("mcp-demo.prepare", "exited", id_="c" * 64))


def test_replicas_are_told_apart_and_escapes_go(fakes: Fakes, docker: Docker) -> None:
    text = "mcp-demo-1   | one | two\nmcp-demo-2   | \n\x1b[Kmcp-demo-2 exited with code 137\nmcp-demo-3   | late\n"
    fakes.answer("docker-compose", "*logs*", out=text)
    assert list(docker.get_logs("mcp-demo", LogOptions())) == [
        LogLine("mcp-demo-mcp-demo-1", "one | two"),
        LogLine("mcp-demo-mcp-demo-2", ""),
        LogLine("mcp-demo-mcp-demo-2", "mcp-demo-2 exited with code 137"),
        LogLine("mcp-demo-mcp-demo-3", "late"),
    ]


def test_options_become_arguments(fakes: Fakes, docker: Docker) -> None:
    fakes.answer("docker-compose", "*logs*")
    list(docker.get_logs("mcp-demo", LogOptions(tail=5, since="10m", timestamps=True)))
    (call,) = fakes.called(" logs ")
    assert call.endswith("--project-name=mcp-demo logs --no-color --tail=5 --since=10m --timestamps -- mcp-demo")


def test_binary_lines_are_lines(fakes: Fakes, docker: Docker) -> None:
    fakes.answer("docker-compose", "*logs*", out=b"mcp-demo-1  | \xff\x00\x1b[2J\nmcp-demo-1  | " + b"x" * 200_000)
    lines = list(docker.get_logs("mcp-demo", LogOptions()))
    assert lines[0] == LogLine("mcp-demo-mcp-demo-1", "\ufffd\0\x1b[2J")
    assert sum(len(line.text) for line in lines[1:]) == 200_000
    assert {line.replica for line in lines} == {"mcp-demo-mcp-demo-1"}


def test_rubbish_is_refused_in_words(fakes: Fakes, docker: Docker) -> None:
    fakes.answer("docker-compose", "*logs*", err='invalid value for "since": failed to parse value\n', code=1)
    with pytest.raises(ApplyFailed, match="give a duration such as 10m"):
        list(docker.get_logs("mcp-demo", LogOptions(since="rubbish")))


def test_there_is_no_log_of_before(docker: Docker) -> None:
    with pytest.raises(UsageMistake, match="one log over all restarts"):
        docker.get_logs("mcp-demo", LogOptions(previous=True))


def test_a_daemon_that_dies_is_no_end(fakes: Fakes, docker: Docker) -> None:
    fakes.answer("docker-compose", "*logs*", out="mcp-demo-1  | last\n")
    assert len(list(docker.get_logs("mcp-demo", LogOptions(follow=True)))) == 1
    fakes.answer("docker", "version *", code=1)
    lines = docker.get_logs("mcp-demo", LogOptions(follow=True))
    assert next(lines).text == "last"
    with pytest.raises(ApplyFailed, match="does not answer any more"):
        next(lines)


def test_closing_it_ends_the_program(fakes: Fakes, docker: Docker, tmp_path: Path) -> None:
    begun = f'echo "mcp-demo-1  | hello"; echo $$ >{tmp_path}/pid; exec sleep 1000'
    fakes.answer("docker-compose", "*logs*", script=begun)
    lines = docker.get_logs("mcp-demo", LogOptions(follow=True))
    assert next(lines).text == "hello"
    while not (pid := tmp_path / "pid").exists() or not pid.read_text():
        time.sleep(0.01)
    lines.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)

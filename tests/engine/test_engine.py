"""What is rendered runs: an engine starts it, and the official SDK talks to it through the published port."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine import fixtures, images
from tests.engine.client import answered, ask
from tests.engine.fixtures import ROOT, Project

ECHO: dict[str, Any] = {"image": images.ECHO, "transport": {"type": "streamable-http"}}
ECHO_TOOLS = ("add", "crash", "echo", "remember")

#: What a server sees of what compose alone has.
INSIDE = """
import os, socket, subprocess, sys
for folder in ("/run/x", "/tmp"):
    with open(f"{folder}/program", "w") as program:
        program.write(f"#!{sys.executable}\\nprint('ran {folder}')\\n")
    os.chmod(program.name, 0o755)
    try:
        subprocess.run([program.name], check=True)
    except PermissionError:
        print(f"no program runs from {folder}", flush=True)
print(open("/notes/a").read(), flush=True)
try:
    open("/notes/b", "w")
except OSError:
    print("read-only")
print(socket.gethostbyname("git.internal"))
"""


def test_a_stdio_server_behind_its_bridge_answers_and_turns_healthy(time_image: str, project: Project) -> None:
    program = {"command": ["mcp-server-time"], "args": ["--local-timezone", "Europe/Berlin"]}
    project.up(
        {"image": time_image, **program, "transport": {"type": "stdio", "bridge": "mcp-proxy"}, "access": "none"}
    )
    answer = project.answer(("get_current_time", {"timezone": "Europe/Berlin"}))
    assert answer.name == "mcp-time"
    assert answer.tools == ("convert_time", "get_current_time")
    assert json.loads(answer.results[0])["timezone"] == "Europe/Berlin"
    project.wait(lambda: project.state()["Health"]["Status"] == "healthy", "healthy")


def test_a_native_server_answers_as_nobody_in_particular(echo_image: str, project: Project) -> None:
    project.up({**ECHO, "security": {"runAsUser": 4711, "runAsGroup": 4711}})
    answer = project.answer(("echo", {"text": "é $HOME"}), ("add", {"a": 2, "b": 3}))
    assert (answer.name, answer.version, answer.tools) == ("echo", "1.2.3", ECHO_TOOLS)
    assert answer.results == ("é $HOME", "5")


def test_the_container_is_held_as_rendered(echo_image: str, project: Project) -> None:
    project.up(ECHO)
    shown = json.loads(images.docker("inspect", project.container()).stdout)[0]
    held = shown["HostConfig"]
    assert (shown["Config"]["User"], held["ReadonlyRootfs"], held["CapDrop"]) == ("1000:1000", True, ["ALL"])
    assert held["SecurityOpt"] == ["no-new-privileges:true"]
    assert project.answer().tools == ECHO_TOOLS
    # Not even its owner can write there.
    code = "open('/tried', 'w')"
    tried = project.compose("exec", "-T", "--user=0", f"mcp-{project.server}", "python3", "-c", code, check=False)
    assert "Read-only file system" in tried.stderr


def test_a_volume_is_writable_and_kept(echo_image: str, busybox_image: str, project: Project) -> None:
    project.up({**ECHO, "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}]})
    note = {"path": "/data/note", "text": "kept"}
    assert project.answer(("remember", note)).results == ("kept\n",)
    project.compose("down", "--timeout", "2")
    project.compose("up", "-d", "--pull", "never")
    assert project.answer(("remember", note)).results == ("kept\nkept\n",)
    assert project.state(".prepare")["ExitCode"] == 0


def test_without_egress_it_answers_through_its_gateway(echo_image: str, busybox_image: str, project: Project) -> None:
    project.up({**ECHO, "network": {"egress": {}}})
    assert project.answer(("add", {"a": 1, "b": 1})).results == ("2",)
    # Both networks have a default route; what counts is that packets to the other one go nowhere.
    shown = images.docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", project.container(".gateway"))
    address = json.loads(shown.stdout)["mcpctl-network"]["IPAddress"]
    code = f"import socket; socket.create_connection(({address!r}, 8080), 1)"
    tried = project.compose("exec", "-T", f"mcp-{project.server}", "python3", "-c", code, check=False)
    assert tried.returncode == 1
    assert "timed out" in tried.stderr or "unreachable" in tried.stderr


@pytest.mark.parametrize(("path", "status"), [("/health", "healthy"), ("/nowhere", "unhealthy")])
def test_a_healthcheck_tells_the_truth(echo_image: str, project: Project, path: str, status: str) -> None:
    code = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080{path}', timeout=3)"
    health = {
        "command": ["python3", "-c", code],
        "periodSeconds": 1,
        "timeoutSeconds": 3,
        "failureThreshold": 1,
        "startupSeconds": 0,
    }
    project.up({**ECHO, "health": health})
    project.answer()
    project.wait(lambda: project.state()["Health"]["Status"] == status, status)


def test_what_only_compose_has_is_so_at_run_time(echo_image: str, project: Project) -> None:
    """A build, whose HEALTHCHECK is for another start; a folder, a network, a name, memory and programs."""
    for name in ("source", "notes"):
        (project.folder / name).mkdir(mode=0o755)
    (project.folder / "notes" / "a").write_text("read me")
    (project.folder / "source" / "Dockerfile").write_text(f"FROM {echo_image}\nHEALTHCHECK CMD false\n")
    network, built = f"{project.name}-others", f"{project.name}:1.0"
    images.docker("network", "create", network)
    try:
        project.up(
            {
                **ECHO,
                "image": built,
                "command": ["mcp-echo"],
                "accept": [
                    {"rule": "policy/host-path", "reason": "a test of its own", "path": path}
                    for path in ("spec.compose.build.context", "spec.storage[0].hostPath")
                ],
                "compose": {"build": {"context": "../../source"}, "networks": [network], "labels": {"a[0]": "b"}},
                "network": {"hostAliases": {"git.internal": "10.9.8.7"}},
                "storage": [{"name": "n", "hostPath": "../../notes", "mountPath": "/notes", "readOnly": True}],
                "security": {"writablePaths": ["/tmp", {"path": "/run/x", "exec": True}, {"path": "/dev/shm"}]},
            }
        )
        assert project.answer().tools == ECHO_TOOLS
        shown = json.loads(images.docker("inspect", project.container()).stdout)[0]
        assert "Health" not in shown["State"]
        assert set(shown["NetworkSettings"]["Networks"]) == {"mcpctl-network", network}
        assert (shown["HostConfig"]["ShmSize"], shown["Config"]["Labels"]["a[0]"]) == (64 * 1024**2, "b")
        said = project.compose("exec", "-T", f"mcp-{project.server}", "python3", "-c", INSIDE, check=False).stdout
        assert said.split("\n") == ["ran /run/x", "no program runs from /tmp", "read me", "read-only", "10.9.8.7", ""]
    finally:
        project.compose("down", "--timeout", "2")
        images.docker("network", "rm", network)
        images.docker("rmi", "--force", built)


def test_a_server_that_dies_is_started_again(echo_image: str, project: Project) -> None:
    project.up(ECHO)
    project.answer()
    with pytest.raises(BaseException):  # noqa: B017, PT011  the connection ends under the call, in whatever way
        ask(project.url, ("crash", {}))
    assert project.answer().tools == ECHO_TOOLS
    assert "told to crash" in project.compose("logs").stdout


def test_a_server_that_cannot_start_says_why(echo_image: str, project: Project) -> None:
    project.up({**ECHO, "env": {"EXIT_CODE": "3"}})
    project.wait(lambda: project.state()["ExitCode"] == 3, "exit code 3")
    assert "exiting with 3" in project.compose("logs").stdout


def test_a_container_that_never_listens_runs_unanswered(busybox_image: str, project: Project) -> None:
    project.up({**ECHO, "image": busybox_image, "command": ["sleep", "1000"]})
    assert project.state()["Status"] == "running"
    with pytest.raises(AssertionError, match="does not answer"):
        answered(project.url, within=0)


def test_down_leaves_nothing(echo_image: str, busybox_image: str, project: Project) -> None:
    project.up({**ECHO, "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}], "network": {"egress": {}}})
    assert len(project.left()) >= 4, "a server, its gateway, a volume, a network"
    project.compose("down", "--volumes", "--timeout", "2")
    assert project.left() == []


def test_images_are_built_once(echo_image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_import", lambda *_: pytest.fail("built again"))
    assert images.ensure(images.ECHO) == echo_image
    assert images.ensure(images.TIME) == images.TIME


def test_without_an_engine_tests_skip_or_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    reason = fixtures.trouble()
    assert reason
    assert "docker" in reason.lower()
    monkeypatch.delenv("MCPCTL_REQUIRE_ENGINE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="starts one"):
        fixtures.refuse(reason)
    monkeypatch.setenv("MCPCTL_REQUIRE_ENGINE", "1")
    with pytest.raises(pytest.fail.Exception, match="starts one"):
        fixtures.refuse(reason)


@pytest.mark.parametrize("arguments", [[], ["start"], ["rubbish", "folder"], ["stop", ""]])
def test_the_engine_script_tells_how_it_is_used(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run([ROOT / ".ci/engine", *arguments], capture_output=True, cwd=tmp_path, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"usage: .ci/engine")


def test_the_engine_script_reuses_what_answers_and_ends_only_its_own(engine: str, tmp_path: Path) -> None:
    def run(action: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / ".ci/engine"), action, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert "MCPCTL_REQUIRE_ENGINE=1" in run("start").stdout
    assert not (tmp_path / "docker.pid").exists()
    # The number of a process that is no dockerd.
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (tmp_path / "docker.pid").write_text(str(other.pid))
        run("stop")
        assert other.poll() is None
        other.kill()
    assert fixtures.trouble() is None

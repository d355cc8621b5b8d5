"""The orchestrator with the real engine: from nothing to an answer and back, and what goes wrong on the way."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import ApplyFailed
from renderer.model import JSON
from renderer.orchestrators.contract import (
    Applied,
    ApplyOptions,
    Cause,
    DockerConfig,
    Handshake,
    InstanceFilters,
    InstanceState,
    InstanceStatus,
    LogOptions,
    Observation,
    Wait,
)
from renderer.orchestrators.docker import Docker
from renderer.orchestrators.docker.client import Client
from renderer.orchestrators.wait import Time
from tests.engine import client, images
from tests.engine.fixtures import ROOT, Project, compose_program
from tests.specs import rendered, spec

HTTP: JSON = {"type": "streamable-http"}
DATA: JSON = [{"name": "data", "size": "1Gi", "mountPath": "/data"}]
SOCKET = "unix://"


class Session:
    """The orchestrator on the engine of the tests, and one project."""

    def __init__(self, docker: Docker, project: Project) -> None:
        self.docker = docker
        self.project = project
        self.id = project.name
        self.told: list[str] = []
        self.asked: list[tuple[list[str], bool]] = []

    def confirm(self, what: Sequence[str], precious: bool) -> bool:
        self.asked.append((list(what), precious))
        return True

    def spec(self, **fields: JSON) -> dict[str, JSON]:
        more = fields.pop("network", {})
        assert isinstance(more, dict)
        network: JSON = {"publish": {"port": self.project.port}, **more}
        shown: dict[str, JSON] = {"image": images.ECHO, "transport": HTTP, "network": network}
        return spec(self.project.server, **{**shown, **fields})

    def apply(self, owner: str = "tests", docker: Docker | None = None, **fields: Any) -> Applied:
        options = {key: fields.pop(key) for key in ("prune", "dry_run") if key in fields}
        documents = rendered("compose", self.spec(**fields)).documents
        asked = ApplyOptions(owner, **options)
        return (docker or self.docker).apply(documents, asked, self.told.append, self.confirm)

    def delete(self, *, data: bool) -> Applied:
        return self.docker.delete([self.project.server], data=data, tell=self.told.append, confirm=self.confirm)

    def wait(self) -> None:
        self.docker.wait([self.id], Wait(180, self.told.append))

    def answer(self, *calls: client.Call) -> client.Answer:
        found: list[client.Answer] = []

        def ask(url: str) -> Handshake:
            found.append(client.answered(url, *calls))
            return Handshake(found[0].name, found[0].version, (found[0].protocol,), len(found[0].tools))

        self.docker.reach(self.id, ask)
        return found[0]


@pytest.fixture
def session(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    program = compose_program()
    assert program
    monkeypatch.setenv("PATH", f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    made = Session(docker_at(_socket()), project)
    yield made
    gone = made.delete(data=True)
    assert not gone.failed, gone


def _socket() -> str:
    host = os.environ.get("DOCKER_HOST", f"{SOCKET}/var/run/docker.sock")
    if not host.startswith(SOCKET):
        pytest.skip(f"these tests speak to a socket of this machine, not to {host}")
    return host.removeprefix(SOCKET)


def docker_at(path: str) -> Docker:
    """With a clock that runs three times as fast: a server has to stay alive for a while before it counts."""
    waits = Time(lambda: 3 * time.monotonic(), lambda seconds: time.sleep(min(seconds, 0.2)))
    return Docker(Client(DockerConfig(socket_path=path)), times=waits)


def outcomes(applied: Applied) -> dict[str, str]:
    return {change.subject: change.outcome for change in applied.changes}


def failure(applied: Applied) -> str:
    (message,) = (change.message for change in applied.changes if change.outcome == "failed")
    return message


def left(session: Session) -> list[str]:
    """Of the project, and of the network that all share."""
    found = images.docker("network", "ls", "-q", "--filter", "name=^mcpctl-network$").stdout.decode().split()
    return session.project.left() + found


def test_from_nothing_to_an_answer_and_back(echo_image: str, busybox_image: str, session: Session) -> None:
    service = f"service {session.id}"
    assert outcomes(session.apply(storage=DATA)) == {service: "created", f"{service}.prepare": "created"}
    session.wait()
    assert session.answer(("remember", {"path": "/data/note", "text": "kept"})).results == ("kept\n",)
    status = session.docker.get_status(session.id)
    assert (status.state, status.ready, status.image) == (InstanceState.RUNNING, 1, images.ECHO)
    assert status.endpoint == session.project.url
    # The second time nothing changes.
    assert set(outcomes(session.apply(storage=DATA)).values()) == {"unchanged"}
    # A stop keeps the data, and so does a delete without it.
    session.docker.stop_server(session.id)
    assert session.docker.get_status(session.id).state is InstanceState.STOPPED
    with pytest.raises(ApplyFailed, match="does not run"):
        session.answer()
    assert outcomes(session.apply(storage=DATA))[service] == "changed"
    volume = f"volume {session.id}_{session.id}.data"
    assert outcomes(session.delete(data=False))[volume] == "unchanged"
    session.apply(storage=DATA)
    session.wait()
    assert session.answer(("remember", {"path": "/data/note", "text": "more"})).results == ("kept\nmore\n",)
    assert outcomes(session.delete(data=True))[volume] == "removed"
    assert left(session) == []
    assert images.docker("image", "inspect", images.ECHO).returncode == 0, "images stay"
    assert session.delete(data=True) == Applied(())


def test_the_commands_do_it_too(echo_image: str, session: Session, tmp_path: Path) -> None:
    file = session.project.write({"image": images.ECHO, "transport": HTTP})

    def mcpctl(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "renderer", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=env, cwd=tmp_path)

    done = mcpctl("apply", str(file), "--timeout", "60s")
    assert done.returncode == 0, done.stderr
    assert session.project.url in done.stdout
    assert "echo 1.2.3" in done.stdout
    assert mcpctl("delete", session.project.server, "--yes").returncode == 0
    assert left(session) == []


def test_a_file_is_mounted_and_another_text_starts_it_anew(echo_image: str, session: Session) -> None:
    session.apply(files={"/etc/demo/note": {"content": "one"}})
    code = "print(open('/etc/demo/note').read())"
    read = ("exec", session.project.container(), "python3", "-c", code)
    assert images.docker(*read).stdout == b"one\n"
    assert outcomes(session.apply(files={"/etc/demo/note": {"content": "two $x"}})) == {
        f"service {session.id}": "changed"
    }
    assert images.docker(*read).stdout == b"two $x\n"
    session.delete(data=True)
    # That of before may still be mounted by a container that compose replaces.
    assert len(list(Path(os.environ["XDG_STATE_HOME"], "mcpctl/files").iterdir())) == 1


def test_without_egress_it_is_reached_through_its_gateway(
    echo_image: str, busybox_image: str, session: Session
) -> None:
    session.apply(network={"egress": {}})
    session.wait()
    assert session.answer(("add", {"a": 1, "b": 1})).results == ("2",)
    # With egress again the gateway is an orphan, and has the port.
    done = outcomes(session.apply())
    assert done == {f"service {session.id}": "changed", f"container {session.id}-{session.id}.gateway-1": "removed"}
    session.wait()
    assert session.answer().name == "echo"
    session.delete(data=True)
    assert left(session) == []


def test_replicas_are_counted_listed_and_told_apart(echo_image: str, session: Session) -> None:
    session.apply(replicas=2)
    session.wait()
    (status,) = session.docker.list_instances(InstanceFilters(servers=(session.project.server,))).instances
    assert (status.desired, status.ready) == (2, 2)
    names = {replica.name for replica in status.replicas}

    def writers() -> set[str]:
        return {line.replica for line in session.docker.get_logs(session.id, LogOptions(tail=5))}

    session.project.wait(lambda: writers() == names, "lines of both")
    assert session.answer().name == "echo"
    following = session.docker.get_logs(session.id, LogOptions(follow=True))
    assert next(following).replica in names
    following.close()  # type: ignore[attr-defined]
    # Fewer of them: compose itself takes the others away.
    session.apply(replicas=1)
    assert session.docker.get_status(session.id).desired == 1


def test_a_crash_loop_is_told_with_its_last_words(echo_image: str, busybox_image: str, session: Session) -> None:
    assert not session.apply(image=busybox_image, command=["sh", "-c", "echo exiting with 3; exit 3"]).failed
    with pytest.raises(ApplyFailed, match=r"will not start: .*exit code 3; its last lines: .*exiting with 3"):
        session.wait()
    assert session.docker.get_status(session.id).restarts >= 3
    assert not session.apply().failed
    session.wait()


def test_a_server_that_ends_after_seconds_is_a_crash_loop(echo_image: str, session: Session) -> None:
    """Docker shows it running most of the time."""
    assert not session.apply(env={"START_AFTER": "4", "EXIT_CODE": "3"}).failed

    def ask(status: InstanceStatus) -> Observation:
        return Observation(status, Cause("does not answer MCP yet"))

    with pytest.raises(ApplyFailed, match=r"will not start: .*exit code 3; its last lines: .*exiting with 3"):
        session.docker.wait([session.id], Wait(200, session.told.append, ask))
    assert any(": 1 of 1 running: " in line for line in session.told)


def test_what_compose_itself_started_is_found_and_asked_under_its_path(
    echo_image: str, session: Session, tmp_path: Path
) -> None:
    transport = {**HTTP, "path": "/tools/mcp"}  # type: ignore[dict-item]
    (document,) = rendered("compose", session.spec(transport=transport, env={"MCP_PATH": "/tools/mcp"})).documents
    (tmp_path / "compose.yaml").write_text(document.text)
    subprocess.run([compose_program() or "", "up", "--detach"], cwd=tmp_path, check=True, capture_output=True)
    session.wait()
    assert session.docker.get_status(session.id).endpoint == session.project.url.replace("/mcp", "/tools/mcp")
    session.project.wait(lambda: session.answer().name == "echo", "an answer")
    session.docker.stop_server(session.id)
    session.docker.resume_server(session.id)
    session.wait()
    session.project.wait(lambda: session.answer().name == "echo", "an answer")


def test_a_port_that_is_taken_is_named_and_the_second_run_repairs(echo_image: str, session: Session) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", session.project.port))
        taken.listen()
        refused = session.apply()
        message = failure(refused)
        assert f"port {session.project.port} of the machine is in use" in message
        assert "a program of the machine, not a container, uses it" in message
        assert outcomes(refused)[f"service {session.id}"] == "not tried"
    assert not session.apply().failed
    session.wait()
    assert session.answer().name == "echo"


def test_a_missing_image_is_named_and_nothing_is_left(session: Session) -> None:
    refused = session.apply(image="mcpctl-test/none:9")
    assert "the image mcpctl-test/none:9 cannot be pulled" in failure(refused)
    assert left(session) == []


def test_a_missing_secret_is_named_and_its_value_stays_hidden(
    echo_image: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"TOKEN": {"secret": "my-token", "key": "value"}}
    assert "needs MY_TOKEN_VALUE (key value of secret my-token)" in failure(session.apply(env=env))
    Path(".env").write_text("MY_TOKEN_VALUE='hunter2-hunter2'\n")
    done = session.apply(env=env)
    assert not done.failed
    status = session.docker.get_status(session.id)
    assert "hunter2-hunter2" not in repr((done, session.told, status))
    shown = images.docker("inspect", "--format", "{{json .Config.Env}}", session.project.container()).stdout
    assert "TOKEN=hunter2-hunter2" in json.loads(shown)


def test_a_dry_run_changes_nothing(echo_image: str, session: Session) -> None:
    for mode in ("client", "server"):
        assert outcomes(session.apply(dry_run=mode)) == {f"service {session.id}": "created"}
    assert left(session) == []
    session.apply()
    assert outcomes(session.apply(dry_run="client")) == {f"service {session.id}": "unchanged"}
    changed = {"LOG": "debug"}
    assert outcomes(session.apply(dry_run="server", env=changed)) == {f"service {session.id}": "changed"}


def test_prune_takes_what_its_owner_no_longer_has(echo_image: str, session: Session) -> None:
    session.apply()
    options = ApplyOptions("somebody else", prune=True)
    assert session.docker.apply([], options, session.told.append, session.confirm) == Applied(())
    options = ApplyOptions("tests", prune=True)
    done = outcomes(session.docker.apply([], options, session.told.append, session.confirm))
    assert done[f"container {session.project.container()}"] == "removed"
    assert session.asked == [([f"container {session.project.container()}"], False)]
    assert left(session) == []


class Wire:
    """Stands between docker and the daemon, and is cut when a request has ``at`` in it: the daemon is gone then."""

    def __init__(self, path: str, daemon: str, at: bytes) -> None:
        self.path, self._daemon, self._at = path, daemon, at
        self._open: list[socket.socket] = []
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(path)
        self._door.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._daemon)
            except OSError:
                return
            self._open += [near, far]
            for source, sink, watched in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._copy, args=(source, sink, watched), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, watched: bool) -> None:
        try:
            while data := source.recv(65536):
                if watched and self._at in data:
                    return self.cut()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return None

    def cut(self) -> None:
        Path(self.path).unlink(missing_ok=True)
        for one in [self._door, *self._open]:
            # A close alone does not wake whoever reads from it.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], Wire]]:
    made: list[Wire] = []

    def make(at: bytes) -> Wire:
        folder = tmp_path_factory.mktemp("w")
        made.append(Wire(str(folder / "s"), _socket(), at))
        return made[-1]

    yield make
    for one in made:
        one.cut()


@pytest.mark.parametrize("at", [b"/networks/create", b"/containers/create", b"/start"])
def test_a_daemon_that_dies_in_the_middle(
    echo_image: str, session: Session, wire: Callable[[bytes], Wire], at: bytes
) -> None:
    done = session.apply(docker=docker_at(wire(at).path))
    assert "the Docker daemon at unix://" in failure(done)
    assert "does not answer" in failure(done)
    assert "run the command again" in failure(done)
    # Once it is back, the same again finishes.
    assert not session.apply().failed
    session.wait()
    assert session.answer().name == "echo"


def test_following_a_log_tells_that_the_daemon_died(
    echo_image: str, session: Session, wire: Callable[[bytes], Wire]
) -> None:
    session.apply()
    session.wait()
    between = wire(b"never")
    following = docker_at(between.path).get_logs(session.id, LogOptions(follow=True))
    assert next(following).text
    between.cut()
    with pytest.raises(ApplyFailed, match="does not answer"):
        list(following)

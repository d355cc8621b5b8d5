"""``docker compose up``, by what the containers say before and after."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import ApplyFailed, UsageMistake
from renderer.model import JSON, Rendered
from renderer.orchestrators.contract import Applied, ApplyOptions, Change, DockerConfig, Handshake
from renderer.orchestrators.docker import Docker
from renderer.orchestrators.docker.apply import Application, proxy_of
from renderer.orchestrators.docker.client import Client
from renderer.orchestrators.docker.containers import HASH_LABEL
from renderer.orchestrators.docker.projects import arguments, projects, write_files
from renderer.orchestrators.wait import Time
from tests.orchestrators.docker.fakes import Fakes, shown
from tests.specs import rendered, server, spec

SECRET: dict[str, JSON] = {"env": {"TOKEN": {"secret": "my-token", "key": "value"}}}
FILE: dict[str, JSON] = {"files": {"/etc/demo/c.yaml": {"content": "a: $b"}}}
VALUE = "hunter2-hunter2"


def documents(*specs: dict[str, JSON]) -> Sequence[Rendered]:
    return rendered("compose", *(specs or (spec(),))).documents


class Session:
    """An orchestrator with what it told and asked."""

    def __init__(self, docker: Docker) -> None:
        self.docker = docker
        self.told: list[str] = []
        self.asked: list[tuple[list[str], bool]] = []
        self.answer: Callable[[bool], bool] = lambda precious: True

    def confirm(self, what: Sequence[str], precious: bool) -> bool:
        self.asked.append((list(what), precious))
        return self.answer(precious)

    def apply(self, *specs: dict[str, JSON], owner: str = "me", **options: Any) -> Applied:
        return self.docker.apply(documents(*specs), ApplyOptions(owner, **options), self.told.append, self.confirm)

    def delete(self, *servers: str, data: bool = False) -> Applied:
        return self.docker.delete(servers, data=data, tell=self.told.append, confirm=self.confirm)


@pytest.fixture
def session(docker: Docker) -> Session:
    return Session(docker)


def outcomes(applied: Applied) -> list[tuple[str, str]]:
    return [(change.subject, change.outcome) for change in applied.changes]


def failure(applied: Applied) -> str:
    (found,) = (change.message for change in applied.changes if change.outcome == "failed")
    return found


def after(fakes: Fakes, *found: dict[str, Any]) -> None:
    """What is there once compose was called."""
    for name, text in (("ps", "".join(f"{one['id']}\n" for one in found)), ("inspect", _lines(found))):
        (fakes.folder / f"after-{name}").write_text(text)
        script = f"if [ -e {fakes.folder}/up ]; then cat {fakes.folder}/after-{name}; exit 0; fi"
        before = (fakes.folder / f"before-{name}").read_text() if (fakes.folder / f"before-{name}").exists() else ""
        fakes.answer("docker", f"{name} *", out=before, script=script)


def before(fakes: Fakes, *found: dict[str, Any]) -> None:
    (fakes.folder / "before-ps").write_text("".join(f"{one['id']}\n" for one in found))
    (fakes.folder / "before-inspect").write_text(_lines(found))
    after(fakes, *found)


def _lines(found: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in found)


def up(fakes: Fakes, *, err: str = "", code: int = 0, script: str = ":") -> None:
    fakes.answer("docker-compose", "*up*", err=err, code=code, script=f"touch {fakes.folder}/up; {script}")


def test_what_was_checked_is_what_compose_gets(fakes: Fakes, session: Session) -> None:
    after(fakes, shown())
    up(fakes, script=f"cat >{fakes.folder}/stdin")
    assert outcomes(session.apply()) == [("service mcp-demo", "created")]
    assert (fakes.folder / "stdin").read_text() == documents()[0].text
    (call,) = fakes.called(" up ")
    words = call.split()
    assert words[:4] == [
        "docker-compose",
        "--progress=json",
        "--project-name=mcp-demo",
        f"--project-directory={Path.cwd()}",
    ]
    assert (words[4], words[-2:]) == ("--file=-", ["up", "--detach"])
    # Nothing is left of the stamps.
    assert not Path(words[5].removeprefix("--file=")).exists()


def test_a_defect_in_the_middle_says_what_was_applied(
    session: Session, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = Application._tried

    def broken(self: Application, project: Any) -> Any:
        if project.name == "mcp-b":
            raise TypeError("a defect")
        return tried(self, project)

    after(fakes, shown())
    up(fakes)
    monkeypatch.setattr(Application, "_tried", broken)
    with pytest.raises(TypeError) as caught:
        session.apply(spec("demo"), spec("b"), spec("c"))
    (note,) = caught.value.__notes__
    assert "of 3 projects were applied" in note
    assert note.endswith(", and mcp-b may be applied in part; run the command again to continue")


def test_stamps_are_all_that_is_added(tmp_path: Path) -> None:
    (project,) = projects(documents(spec(**FILE)), ApplyOptions("a tree/x"), "other", {"XDG_STATE_HOME": str(tmp_path)})
    owner = f"sha256-{hashlib.sha256(b'a tree/x').hexdigest()[:40]}"
    (path,) = project.files
    labels = {
        "mcpctl.io/owner": owner,
        "mcpctl.io/files": hashlib.sha256(b"a: $b").hexdigest()[:16],
    }
    assert project.override == {
        "services": {"mcp-demo": {"labels": labels}},
        "configs": {"mcp-demo.c.yaml": {"file": str(path)}},
        "networks": {"mcpctl-network": {"name": "other"}},
    }
    with arguments(project) as named:
        file = Path(named[-1].removeprefix("--file="))
        assert json.loads(file.read_text()) == project.override
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not file.exists()


def test_files_are_kept_where_nobody_else_gets(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    (project,) = projects(documents(spec(**FILE)), ApplyOptions("me"), "mcpctl-network", environ)
    write_files(project, in_tree=False)
    write_files(project, in_tree=False)
    (path,) = project.files
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("a: $b", 0o644)
    assert stat.S_IMODE((tmp_path / "mcpctl/files").stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["c.yaml"]
    # Another text is another file, so the container is made anew.
    other: dict[str, JSON] = {"files": {"/etc/demo/c.yaml": {"content": "other"}}}
    (changed,) = projects(documents(spec(**other)), ApplyOptions("me"), "mcpctl-network", environ)
    assert set(changed.files) != {path}


def test_a_tree_is_applied_from_its_own_folder(tmp_path: Path, fakes: Fakes, session: Session) -> None:
    up(fakes)
    after(fakes, shown())
    applied = session.apply(spec(**FILE), folder=str(tmp_path))
    assert "is not the file that was checked" in applied.changes[0].message
    (tmp_path / "demo/files").mkdir(parents=True)
    (tmp_path / "demo/files/c.yaml").write_text("a: $b")
    assert not session.apply(spec(**FILE), folder=str(tmp_path), env_files={"demo": "x/.env"}).failed
    (call,) = fakes.called(" up ")
    assert f"--project-directory={tmp_path}/demo " in call
    assert f"--env-file={Path.cwd()}/x/.env" in call


def test_the_second_time_nothing_changes(fakes: Fakes, session: Session) -> None:
    before(fakes, shown())
    up(fakes)
    assert session.apply().changes == (Change("service mcp-demo", "unchanged"),)


@pytest.mark.parametrize(
    ("was", "outcome"),
    [(shown(id_="f" * 64), "changed"), (shown(status="exited"), "changed"), (shown(), "unchanged")],
)
def test_outcomes_by_the_containers(fakes: Fakes, session: Session, was: dict[str, Any], outcome: str) -> None:
    before(fakes, was)
    after(fakes, shown())
    up(fakes)
    assert outcomes(session.apply()) == [("service mcp-demo", outcome)]


@pytest.mark.parametrize(
    ("labels", "words"),
    [({"mcpctl.io/owner": "you"}, "belongs to 'you', not to 'me'"), ({"mcpctl.io/managed": "no"}, "not managed")],
)
def test_what_is_not_ours_is_not_taken_over(fakes: Fakes, session: Session, labels: Any, words: str) -> None:
    before(fakes, shown(labels=labels))
    up(fakes)
    assert words in failure(session.apply())
    assert fakes.called(" up ") == []
    assert not session.apply(force_conflicts=True).failed


def test_what_the_spec_takes_over_is_made_again_by_compose(fakes: Fakes, session: Session) -> None:
    project = {"com.docker.compose.project": "tools"}
    before(fakes, shown(labels={**project, **dict.fromkeys(("mcpctl.io/managed", "mcpctl.io/owner"), "")}))
    after(fakes, shown(id_="e" * 64, labels=project))
    up(fakes)
    adopted: dict[str, JSON] = {"adopt": {"compose": {"project": "tools"}}}
    assert outcomes(session.apply(spec(**adopted))) == [("service mcp-demo", "changed")]
    assert "--project-name=tools" in fakes.called(" up ")[0]


def test_another_server_of_a_project_that_was_taken_over_is_no_orphan(fakes: Fakes, session: Session) -> None:
    before(fakes, shown(), shown("mcp-other", id_="b" * 64, labels={"mcpctl.io/server": "other"}))
    up(fakes)
    assert outcomes(session.apply()) == [("service mcp-demo", "unchanged")]
    assert fakes.called("docker rm ") == []


def test_orphans_go_only_when_they_are_ours(fakes: Fakes, session: Session) -> None:
    mine = shown("mcp-demo.gateway", id_="b" * 64)
    others = shown("web", id_="c" * 64, labels={"mcpctl.io/managed": ""})
    yours = shown("mcp-demo.old", id_="d" * 64, labels={"mcpctl.io/owner": ""})
    before(fakes, shown(), mine, others, yours)
    fakes.answer("docker", "stop *")
    fakes.answer("docker", "rm *")
    up(fakes)
    assert ("container mcp-demo-mcp-demo.gateway-1", "removed") in outcomes(session.apply())
    assert fakes.called("docker rm ") == [f"docker rm --force {mine['id']}"]
    assert sum("mcpctl does not manage it: kept" in line for line in session.told) == 2
    order = [call.split()[1] for call in fakes.calls if call.split()[1] in ("rm", "--progress=json")]
    assert order == ["rm", "--progress=json"], "an orphan may have the port that is needed"


def test_dry_runs_touch_nothing(fakes: Fakes, session: Session) -> None:
    before(fakes, shown(labels={HASH_LABEL: "h1"}), shown("mcp-demo.gateway", id_="b" * 64))
    fakes.answer("docker-compose", "*config*", out="mcp-demo h1\n")
    up(fakes)
    for mode in ("client", "server"):
        done = outcomes(session.apply(dry_run=mode))
        assert done == [("service mcp-demo", "unchanged"), ("container mcp-demo-mcp-demo.gateway-1", "removed")]
    (call,) = fakes.called(" up ")
    assert "--dry-run" in call
    assert fakes.called("docker rm") + fakes.called("docker stop") == []
    before(fakes, shown(status="exited", labels={HASH_LABEL: "h1"}))
    assert outcomes(session.apply(dry_run="client")) == [("service mcp-demo", "changed")]
    before(fakes, shown(labels={HASH_LABEL: "h1"}))
    fakes.answer("docker-compose", "*config*", out="mcp-demo h2\n")
    assert outcomes(session.apply(dry_run="client"))[0] == ("service mcp-demo", "changed")
    fakes.answer("docker-compose", "*config*", out="<html>")
    assert "not a list of services" in failure(session.apply(dry_run="client"))


def test_missing_variables_are_told_at_once_with_what_they_mean(fakes: Fakes, session: Session) -> None:
    up(fakes, err="required variable MY_TOKEN_VALUE is missing a value: key value of secret my-token\n", code=1)
    (failed, _) = session.apply(spec(**SECRET)).changes
    assert failed.message.startswith(
        "needs MY_TOKEN_VALUE (key value of secret my-token); set it in the environment, or"
    )


def _huge(path: Path) -> None:
    with path.open("w") as made:
        made.truncate(2**40)  # nothing on the disk


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("odd", [os.mkfifo, Path.mkdir, _huge])
def test_an_odd_file_of_variables_is_not_waited_for(
    fakes: Fakes, session: Session, odd: Callable[[Path], None], named: bool
) -> None:
    path = Path("s.env" if named else ".env").absolute()
    odd(path)
    with pytest.raises(ApplyFailed, match=r"env is not a regular file of at most 1 MB"):
        session.apply(spec(**SECRET), env_files={"": str(path)} if named else {})
    assert fakes.called(" up ") == []


@pytest.mark.parametrize("where", ["environment", "file"])
def test_values_of_secrets_are_nowhere(
    fakes: Fakes, session: Session, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "environment":
        monkeypatch.setenv("MY_TOKEN_VALUE", VALUE)
    else:
        Path(".env").write_text(f"MY_TOKEN_VALUE='{VALUE}'\n")
    up(fakes, err=f"service demo: invalid {VALUE} in environment\n", code=1)
    changes = session.apply(spec(**SECRET)).changes
    assert "invalid *** in environment" in changes[0].message
    assert VALUE not in repr(changes) + repr(session.told) + repr(fakes.calls)


def test_a_port_that_is_taken_names_who_has_it(fakes: Fakes, session: Session) -> None:
    up(fakes, err="Bind for 127.0.0.1:8080 failed: port is already allocated\n", code=1)
    after(fakes, shown(status="created"))
    fakes.answer("docker", "ps --filter=publish=8080 *", out="mcp-other-1\n")
    applied = session.apply()
    assert outcomes(applied) == [("project mcp-demo", "failed"), ("service mcp-demo", "not tried")]
    assert "port 8080 of the machine is in use" in applied.changes[0].message
    assert "the container mcp-other-1 uses it" in applied.changes[0].message
    fakes.answer("docker", "ps --filter=publish=8080 *")
    assert "a program of the machine, not a container, uses it" in session.apply().changes[0].message


def test_a_proxy_of_a_killed_daemon_is_named(
    fakes: Fakes, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = ["/usr/bin/docker-proxy", "-proto", "tcp", "-host-port", "8080", "-container-port", "1"]
    for number, words in (("7", ["sh"]), ("12", program)):
        (tmp_path / number).mkdir()
        (tmp_path / number / "cmdline").write_text("".join(f"{word}\0" for word in words))
    (tmp_path / "9").mkdir()  # has ended
    (tmp_path / "9/cmdline").symlink_to("gone")
    assert (proxy_of("8080", tmp_path), proxy_of("1", tmp_path), proxy_of("808", tmp_path)) == ("12", "", "")
    monkeypatch.setattr("renderer.orchestrators.docker.apply.proxy_of", lambda port: "12" * (port == "8080"))
    up(fakes, err="Bind for 127.0.0.1:8080 failed: port is already allocated\n", code=1)
    message = session.apply().changes[0].message
    assert "a docker-proxy that a killed daemon left (process 12: end it, or restart the daemon)" in message


def test_what_a_daemon_made_before_it_died_is_not_denied(fakes: Fakes, session: Session) -> None:
    gone = "Cannot connect to the Docker daemon at x. Is the docker daemon running?\n"
    script = f"if [ -e {fakes.folder}/up ]; then printf '{gone}' >&2; exit 1; fi"
    fakes.answer("docker", "ps *", script=script)
    up(fakes, err=gone, code=1)
    (change,) = session.apply().changes
    assert "what was applied is unknown" in change.message


def test_a_one_shot_that_fails_tells_its_last_lines(fakes: Fakes, session: Session) -> None:
    up(fakes, err='service "mcp-demo.prepare" didn\'t complete successfully: exit 1\n', code=1)
    after(fakes, shown("mcp-demo.prepare", "exited", state={"ExitCode": 1}))
    fakes.answer("docker", "logs *", err="chown: not permitted\n")
    assert "its last lines: chown: not permitted" in session.apply().changes[0].message


def test_one_that_fails_does_not_hold_up_others(fakes: Fakes, session: Session) -> None:
    fakes.answer("docker-compose", "*", err="no\n", code=1)
    fakes.answer("docker-compose", "version *", out="5.6.1\n")
    done = outcomes(session.apply(spec("a"), spec("b")))
    assert [one for one in done if one[1] == "failed"] == [("project mcp-a", "failed"), ("project mcp-b", "failed")]


def test_when_the_daemon_is_gone_the_rest_is_not_tried(fakes: Fakes, session: Session) -> None:
    up(fakes, err="Cannot connect to the Docker daemon at x. Is the docker daemon running?\n", code=1)
    done = session.apply(spec("a"), spec("b"))
    assert outcomes(done)[0] == ("project mcp-a", "failed")
    assert outcomes(done)[-1] == ("project mcp-b", "not tried")
    assert "start it" in done.changes[0].message
    assert len(fakes.called(" up ")) == 1


def test_a_deadline_ends_the_program_and_the_run(fakes: Fakes, session: Session) -> None:
    up(fakes, script="exec sleep 1000")
    done = session.apply(spec("a"), spec("b"), seconds=0.2)
    assert "did not answer in time" in done.changes[0].message
    assert "the same again continues" in done.changes[0].message
    assert outcomes(done)[-1] == ("project mcp-b", "not tried")


def test_ctrl_c_tells_what_stands(fakes: Fakes, session: Session) -> None:
    up(fakes, script=f"kill -INT {os.getpid()}; exec sleep 1000")
    with pytest.raises(KeyboardInterrupt):
        session.apply(spec("a"), spec("b"))
    assert session.told[-1] == (
        "interrupted in mcp-a, which may be applied in part; not tried: mcp-b; run the command again to continue"
    )


def test_start_returns_the_name_of_all_containers(fakes: Fakes, docker: Docker) -> None:
    up(fakes)
    after(fakes, shown())
    assert docker.start_server(server(), {"owner": "me"}) == "mcp-demo"
    up(fakes, err="no\n", code=1)
    with pytest.raises(
        ApplyFailed, match=r"^project mcp-demo: docker compose up of mcp-demo: no; applied: service mcp-demo$"
    ):
        docker.start_server(server(), {"owner": "me", "envFile": "x.env"})


STALE = shown("mcp-old", id_="e" * 64, labels={"com.docker.compose.project": "mcp-old", "mcpctl.io/server": "old"})


def _with_stale(fakes: Fakes) -> None:
    before(fakes, shown(), STALE)
    up(fakes)
    fakes.answer("docker", "volume ls *", out='{"Name":"mcp-old_data"}\n')
    for pattern in ("stop *", "rm *", "volume rm *", "network rm *"):
        fakes.answer("docker", pattern)


def test_prune_shows_asks_and_asks_again_for_data(fakes: Fakes, session: Session) -> None:
    _with_stale(fakes)
    session.answer = lambda precious: not precious
    done = outcomes(session.apply(prune=True))
    containers = [f"container {STALE['name'][1:]}"]
    assert session.asked == [(containers, False), (["volume mcp-old_data"], True)]
    assert done[1:] == [(containers[0], "removed"), ("volume mcp-old_data", "not tried")]
    assert fakes.called("volume rm") == []
    assert fakes.called("docker rm") == [f"docker rm --force {STALE['id']}"]


def test_prune_refused_removes_nothing(fakes: Fakes, session: Session) -> None:
    _with_stale(fakes)
    session.answer = lambda precious: False
    assert {outcome for _, outcome in outcomes(session.apply(prune=True))[1:]} == {"not tried"}
    assert len(session.asked) == 1
    session.apply(prune=True, dry_run="none", owner="me")
    assert fakes.called("docker rm") + fakes.called("volume rm") == []


def test_prune_confirmed_removes_data_too(fakes: Fakes, session: Session) -> None:
    _with_stale(fakes)
    assert outcomes(session.apply(prune=True))[-1] == ("volume mcp-old_data", "removed")
    assert fakes.called("volume rm") == ["docker volume rm mcp-old_data"]


def test_prune_needs_an_owner_and_a_run_without_failures(fakes: Fakes, session: Session) -> None:
    _with_stale(fakes)
    with pytest.raises(ApplyFailed, match="--prune needs --owner"):
        session.apply(prune=True, owner="")
    up(fakes, err="no\n", code=1)
    assert session.apply(prune=True).failed
    assert session.asked == []


def test_stop_keeps_what_holds_data(fakes: Fakes, docker: Docker) -> None:
    prepare = shown("mcp-demo.prepare", "exited", id_="b" * 64)
    fakes.containers(shown(), prepare)
    fakes.answer("docker", "stop *")
    fakes.answer("docker", "rm *")
    docker.stop_server("mcp-demo")
    assert fakes.called("docker stop") == [f"docker stop {shown()['id']}"]
    assert fakes.called("docker rm") == [f"docker rm --force {prepare['id']}"]


def test_what_was_stopped_is_started_by_its_name(fakes: Fakes, docker: Docker) -> None:
    gateway = shown("mcp-demo.gateway", "exited", id_="b" * 64)
    fakes.containers(shown(status="exited"), gateway)
    fakes.answer("docker", "start *")
    docker.resume_server("mcp-demo")
    assert fakes.called("docker start") == [f"docker start {gateway['id']} {shown()['id']}"]


def test_restart_begins_with_what_is_beside_the_server(fakes: Fakes, docker: Docker) -> None:
    gateway = shown("mcp-demo.gateway", id_="b" * 64, policy="unless-stopped")
    prepare = shown("mcp-demo.prepare", "exited", id_="c" * 64)
    fakes.containers(shown(), gateway, prepare)
    fakes.answer("docker", "restart *")
    docker.restart_server("mcp-demo")
    assert fakes.called("docker restart") == [f"docker restart {gateway['id']} {shown()['id']}"]


def test_what_is_stopped_is_not_restarted(fakes: Fakes, docker: Docker) -> None:
    fakes.containers(shown(status="exited"))
    with pytest.raises(ApplyFailed, match="mcp-demo is stopped; mcpctl start it"):
        docker.restart_server("mcp-demo")


def test_a_variable_under_the_name_in_the_container_is_told(fakes: Fakes, session: Session) -> None:
    Path(".env").write_text("TOKEN=hunter2-hunter2\n")
    up(fakes, err="required variable MY_TOKEN_VALUE is missing a value: key value of secret my-token\n", code=1)
    message = session.apply(spec(**SECRET)).changes[0].message
    assert message.startswith(
        "needs MY_TOKEN_VALUE (key value of secret my-token; TOKEN is set, and the server reads its TOKEN from "
        "MY_TOKEN_VALUE: rename it); set it in the environment, or in "
    )
    assert "hunter2" not in message


def test_stop_of_nothing(fakes: Fakes, docker: Docker) -> None:
    with pytest.raises(ApplyFailed, match="no server runs as mcp-demo"):
        docker.stop_server("mcp-demo")


@pytest.mark.parametrize("data", [False, True])
def test_delete_takes_volumes_only_when_told(fakes: Fakes, session: Session, data: bool) -> None:
    fakes.containers(shown())
    fakes.answer("docker", "volume ls *", out='{"Name":"mcp-demo_data"}\n')
    fakes.answer("docker", "network ls *", out="mcpctl-network\n")
    for pattern in ("stop *", "rm *", "volume rm *", "network rm *"):
        fakes.answer("docker", pattern)
    fakes.answer("docker", "ps --all --filter=network=*")
    done = outcomes(session.delete("demo", data=data))
    volume = "removed" if data else "unchanged"
    assert done == [
        ("container mcp-demo-mcp-demo-1", "removed"),
        ("network mcpctl-network", "removed"),
        ("volume mcp-demo_data", volume),
    ]
    assert len(fakes.called("volume rm")) == data
    assert ("--volumes" in fakes.called("docker rm")[0]) == data


REMADE = ["volume mcp-demo_mcp-demo.bridge.program", "volume mcp-demo_mcp-demo.package.cache"]


def test_what_a_start_makes_anew_is_no_data(fakes: Fakes, session: Session) -> None:
    names = ["mcp-demo_mcp-demo.data", *(what.removeprefix("volume ") for what in REMADE)]
    fakes.answer("docker", "volume ls *", out="".join(f'{{"Name":"{name}"}}\n' for name in names))
    fakes.answer("docker", "volume rm *")
    done = outcomes(session.delete("demo"))
    assert done == [*((what, "removed") for what in REMADE), ("volume mcp-demo_mcp-demo.data", "unchanged")]
    assert session.asked == [(REMADE, False)]
    session.answer = lambda precious: False
    assert {outcome for _, outcome in outcomes(session.delete("demo"))} == {"not tried"}
    assert len(fakes.called("volume rm")) == len(REMADE)


def test_a_network_that_somebody_uses_stays(fakes: Fakes, session: Session) -> None:
    fakes.containers(shown(status="exited"))
    fakes.answer("docker", "network ls *", out="mcpctl-network\n")
    fakes.answer("docker", "ps --all --filter=network=*", out="abc\n")
    fakes.answer("docker", "rm *")
    assert outcomes(session.delete("demo")) == [("container mcp-demo-mcp-demo-1", "removed")]


def test_a_network_that_is_let_go_of_late_is_tried_again(fakes: Fakes) -> None:
    paused: list[float] = []
    docker = Docker(Client(DockerConfig()), times=Time(lambda: sum(paused), paused.append))
    fakes.containers(shown(status="exited"))
    fakes.answer("docker", "network ls *", out="mcpctl-network\n")
    fakes.answer("docker", "ps --all --filter=network=*")
    fakes.answer("docker", "rm *")
    late = f"[ -e {fakes.folder}/second ] && exit 0; touch {fakes.folder}/second"
    fakes.answer("docker", "network rm *", err="network mcpctl-network has active endpoints\n", code=1, script=late)
    assert outcomes(Session(docker).delete("demo"))[-1] == ("network mcpctl-network", "removed")
    assert len(paused) == 1
    fakes.answer("docker", "network rm *", err="network mcpctl-network has active endpoints\n", code=1)
    assert "has active endpoints" in failure(Session(docker).delete("demo"))
    assert sum(paused) >= 10


def test_delete_of_nothing_is_no_change(session: Session) -> None:
    assert session.delete("demo") == Applied(())
    assert session.asked == []


def test_what_cannot_be_removed_is_told(fakes: Fakes, session: Session) -> None:
    fakes.containers(shown(status="exited"))
    fakes.answer("docker", "volume ls *", out='{"Name":"mcp-demo_data"}\n{"Name":"x.package.cache"}\n')
    fakes.answer("docker", "rm *", err="device or resource busy\n", code=1)
    done = session.delete("demo", data=True)
    assert [outcome for _, outcome in outcomes(done)] == ["failed", "not tried", "not tried"]
    assert "device or resource busy" in done.changes[0].message


@pytest.mark.parametrize(
    ("settings", "more", "words"),
    [
        ({}, {"ports": {}}, "it publishes no port"),
        ({}, {"status": "exited"}, "it does not run"),
        ({"host": "build.example"}, {}, r"published on 127.0.0.1:8080 of build.example alone"),
    ],
)
def test_why_a_server_cannot_be_reached(
    fakes: Fakes, configured: Callable[..., Docker], settings: Any, more: Any, words: str
) -> None:
    fakes.containers(shown(**more))
    with pytest.raises(ApplyFailed, match=words):
        configured(**settings).reach("mcp-demo", lambda url: pytest.fail(url))


def test_it_is_asked_where_it_can_be_reached(fakes: Fakes, docker: Docker) -> None:
    fakes.containers(shown(labels={"mcpctl.io/path": "/mcp"}))
    said = docker.reach("mcp-demo", lambda url: Handshake(url, "1", ("2025-11-25",), 2))
    assert said.server_name == "http://127.0.0.1:8080/mcp"


def test_where_names_daemon_and_network(configured: Callable[..., Docker]) -> None:
    assert configured(network="other").where() == "daemon at unix:///var/run/docker.sock, network other"
    with pytest.raises(UsageMistake, match=r"docker\.network"):
        configured(network="-x")

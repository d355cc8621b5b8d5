"""The commands of servers that run: status, list, logs, stop, delete."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from renderer.errors import ApplyFailed, Exit, WaitTimedOut
from renderer.orchestrators import mcp_check
from renderer.orchestrators.contract import (
    Change,
    Handshake,
    InstanceFilters,
    InstanceState,
    LogLine,
    LogOptions,
    Replica,
)
from tests.cli.commands import Mcpctl
from tests.cli.fake_runtime import FakeRuntime, instance

HOSTILE = "\x1b[31mred\n::error::x\u202e"


@pytest.fixture
def demo(fake: FakeRuntime) -> FakeRuntime:
    fake.instances = {"mcp-demo": instance("demo"), "mcp-other": instance("other", where="there")}
    return fake


# ---------------------------------------------------------------------------------------------
# status


def test_ready_means_that_it_answered(mcpctl: Mcpctl, demo: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    def handshake(url: str, transport: str, seconds: float) -> Handshake:
        if demo.calls[-1] == ("reach", "mcp-other"):
            raise mcp_check.Unanswered("connection refused")
        return Handshake("a", "1", ("2025-06-18",), 10_000, more=True)

    monkeypatch.setattr(mcp_check, "handshake", handshake)
    run = mcpctl("status")
    assert (run.code, run.err) == (0, "docker: the fake daemon\n")
    _, first, second = run.out.splitlines()
    assert first.split()[:5] == ["demo", "here", "ready", "1/1", "2"]
    assert first.endswith("a 1, MCP 2025-06-18, 10000+ tools")
    assert second.split()[:3] == ["other", "there", "running"]
    assert second.endswith("does not answer MCP: connection refused")


def test_status_of_some_by_server_or_by_id(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    for name in ("demo", "mcp-demo"):
        data = json.loads(mcpctl("status", name, "--output", "json").out)
        assert [one["id"] for one in data["servers"]] == ["mcp-demo"]
        assert data["servers"][0]["instances"][0]["started"] == "2026-01-31T12:00:00Z"


def test_status_without_asking(mcpctl: Mcpctl, demo: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    assert " running " in mcpctl("status", "--no-ask").out
    monkeypatch.setattr(mcp_check, "installed", lambda: "")
    run = mcpctl("status")
    assert " ready " not in run.out
    assert "pip install" in run.err
    assert not demo.named("reach")


def test_an_unknown_name_has_a_suggestion(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    for command in ("status", "stop", "logs"):
        run = mcpctl(command, "dmeo")
        assert (run.code, run.out) == (Exit.APPLY_FAILED, "")
        assert "no server is called 'dmeo' in the fake daemon; did you mean 'demo'?" in run.err
    assert "see mcpctl list" in mcpctl("status", "zzzzzz").err


def test_nothing_is_there(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    run = mcpctl("status")
    assert (run.code, run.out) == (0, "")
    assert "no servers" in run.err
    assert (mcpctl("list").out, mcpctl("list", "-o", "json").out) == ("", "[]\n")


@pytest.mark.parametrize("style", ["text", "json"])
def test_watching_tells_what_is_new_until_ctrl_c(
    mcpctl: Mcpctl, demo: FakeRuntime, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    looks = 0

    def sleep(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            demo.instances["mcp-demo"] = instance("demo", state=InstanceState.FAILED, reason="crash loop")
        if looks == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("renderer.cli.status._watch.__defaults__", (sleep,))
    run = mcpctl("status", "demo", "--watch", "-o", style)
    assert run.code == Exit.INTERRUPTED
    assert "Traceback" not in run.err
    if style == "json":
        states = [json.loads(line)["servers"][0]["state"] for line in run.out.splitlines()]
        assert states == ["ready", "failed"]
    else:
        assert run.out.count("SERVER") == 2
        assert "crash loop" in run.out


# ---------------------------------------------------------------------------------------------
# list


def test_filters_reach_the_runtime(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    more = ["--server", "demo", "--state", "running", "-l", "team=a", "-l", "tier=b=c", "--page-size", "7"]
    run = mcpctl("list", *more)
    assert run.code == 0
    filters = InstanceFilters(("demo",), (InstanceState.RUNNING,), {"team": "a", "tier": "b=c"})
    assert demo.named("list_instances") == [(filters, "", 7)]
    assert len(run.out.splitlines()) == 2
    assert not demo.named("reach")


def test_a_list_asks_the_servers_where_it_is_told_to(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    plain, asking = (json.loads(mcpctl("list", "--output", "json", *more).out) for more in ((), ("--ask",)))
    assert [server["mcp"] for server in plain] == [None, None]
    assert asking[0]["mcp"]["protocolVersions"] == ["2025-06-18"]
    assert asking[0]["state"] == "ready"


def test_thousands_come_page_by_page(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    fake.instances = {f"mcp-{i}": instance(f"{i}") for i in range(2300)}
    rows = mcpctl("list").out.splitlines()
    assert len(fake.named("list_instances")) == 5
    assert [row.split()[0] for row in rows[1:]] == [str(i) for i in range(2300)]
    # All pages under one head, in the same columns.
    assert sum("SERVER" in row for row in rows) == 1
    data = json.loads(mcpctl("list", "--output", "json").out)
    assert [one["server"] for one in data] == [str(i) for i in range(2300)]


def test_a_list_that_breaks_off_is_not_whole(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    fake.instances = {f"mcp-{i}": instance(f"{i}") for i in range(20)}
    whole = fake.list_instances

    def second_page_fails(filters: InstanceFilters, page: str = "", size: int = 500) -> object:
        if page:
            raise ApplyFailed("the daemon has gone")
        return whole(filters, page, size)

    fake.list_instances = second_page_fails  # type: ignore[assignment]
    run = mcpctl("list", "-o", "json", "--page-size", "10")
    assert run.code == Exit.APPLY_FAILED
    assert "the daemon has gone" in run.err
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(run.out)


@pytest.mark.parametrize("pair", ["team", "=a", "a=1 a=2"])
def test_labels_are_key_and_value(mcpctl: Mcpctl, fake: FakeRuntime, pair: str) -> None:
    run = mcpctl("list", *(word for part in pair.split() for word in ("-l", part)))
    assert run.code == Exit.USAGE
    assert "KEY=VALUE" in run.err


# ---------------------------------------------------------------------------------------------
# logs


def test_lines_with_their_replica(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    demo.lines = [LogLine("demo-1", "hello\tworld"), LogLine("demo-2", "x")]
    more = ["--tail", "5", "--since", "10m", "--timestamps", "--previous", "-f"]
    run = mcpctl("logs", "demo", *more)
    assert (run.code, run.out) == (0, "demo-1 | hello\tworld\ndemo-2 | x\n")
    assert demo.named("get_logs") == [("mcp-demo", LogOptions(5, True, "10m", True, True))]
    assert demo.closed
    assert mcpctl("logs", "demo", "--no-prefix").out == "hello\tworld\nx\n"
    lines = mcpctl("logs", "demo", "--output", "json").out.splitlines()
    assert json.loads(lines[0]) == {"replica": "demo-1", "text": "hello\tworld"}


def test_what_ends_the_logs_closes_them(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    demo.lines = [LogLine("demo-1", "hello")]
    for error, code in (
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (ApplyFailed("the daemon has gone"), Exit.APPLY_FAILED),
        (WaitTimedOut("no answer"), Exit.TIMED_OUT),
    ):
        demo.closed, demo.fail["following"] = False, error
        run = mcpctl("logs", "demo", "-f")
        assert (run.code, run.out, demo.closed) == (code, "demo-1 | hello\n", True)
        assert str(error) in run.err


@pytest.mark.parametrize("since", ["-10m", "soon", "10", "2026-01-31", "10m;x", "1m\n"])
def test_since_is_a_duration_or_a_time(mcpctl: Mcpctl, demo: FakeRuntime, since: str) -> None:
    run = mcpctl("logs", "demo", f"--since={since}")
    assert run.code == Exit.USAGE
    assert not demo.named("get_logs")


@pytest.mark.parametrize("since", ["10m", "1h30m", "1.5h", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+01:00"])
def test_forms_of_since(mcpctl: Mcpctl, demo: FakeRuntime, since: str) -> None:
    assert mcpctl("logs", "demo", "--since", since).code == 0
    assert demo.named("get_logs")[0][1].since == since


# ---------------------------------------------------------------------------------------------
# stop, delete


def test_stop(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    run = mcpctl("stop", "demo", "mcp-demo", "other")
    assert (run.code, demo.named("stop_server")) == (0, ["mcp-demo", "mcp-other"])
    assert "mcp-demo: stopped" in run.err
    data = json.loads(mcpctl("stop", "demo", "-o", "json").out)
    assert (data["stopped"], data["error"]) == (["mcp-demo"], "")


def test_start_takes_names_as_stop_does(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    run = mcpctl("start", "demo", "mcp-other", "good.yaml")
    assert run.code == 0, run.err
    assert demo.named("resume_server") == ["mcp-demo", "mcp-other"]
    assert [name for name, _ in demo.named("start_server")] == ["demo"]
    assert demo.named("wait")[0][0] == ("mcp-demo", "mcp-other", "mcp-demo")
    run = mcpctl("start", "demmo")
    assert run.code == Exit.APPLY_FAILED
    assert "did you mean 'demo'?; one that was never applied starts from its file" in run.err
    assert mcpctl("start", "none.yaml").code == Exit.INPUT_INVALID


def test_restart(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    run = mcpctl("restart", "demo", "mcp-demo", "other")
    assert (run.code, demo.named("restart_server")) == (0, ["mcp-demo", "mcp-other"])
    assert "mcp-demo: restarted" in run.err
    assert demo.named("wait")[0][0] == ("mcp-demo", "mcp-other")
    data = json.loads(mcpctl("restart", "demo", "--no-wait", "-o", "json").out)
    assert (data["command"], data["error"], [one["server"] for one in data["servers"]]) == ("restart", "", ["demo"])
    assert len(demo.named("wait")) == 1
    demo.fail["restart_server"] = ApplyFailed("mcp-demo is stopped; mcpctl start it")
    run = mcpctl("restart", "demo", "other")
    assert run.code == Exit.APPLY_FAILED
    assert "not tried: mcp-other" in run.err


def test_stop_that_fails_says_what_was_not_tried(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    demo.fail["stop_server"] = WaitTimedOut("mcp-demo has not ended in time")
    run = mcpctl("stop", "demo", "other", "-o", "json")
    assert run.code == Exit.TIMED_OUT
    assert "not tried: mcp-other" in run.err
    assert json.loads(run.out)["error"] == "mcp-demo has not ended in time"
    demo.fail["stop_server"] = KeyboardInterrupt()
    assert mcpctl("stop", "demo", "other").code == Exit.INTERRUPTED


def test_delete_says_what_goes_and_what_stays(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    run = mcpctl("delete", "demo", "--yes")
    assert run.code == 0
    assert run.err.index("to be removed, without data:") < run.err.index("  Container mcp-demo")
    assert run.out.splitlines() == [
        "Container mcp-demo: removed",
        "Volume data: unchanged: kept, with its data: add --delete-data",
    ]
    assert demo.named("delete") == [(("demo",), False)]
    data = json.loads(mcpctl("delete", "other", "--yes", "--delete-data", "-o", "json").out)
    assert data["changes"][0]["outcome"] == "removed"
    assert demo.named("delete")[1] == (("other",), True)


def test_delete_asks(mcpctl: Mcpctl, demo: FakeRuntime, terminal: list[str]) -> None:
    terminal += ["n", "y"]
    assert "not tried" in mcpctl("delete", "demo").out
    assert "removed" in mcpctl("delete", "demo").out


def test_delete_without_a_terminal_needs_yes(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    run = mcpctl("delete", "demo")
    assert (run.code, run.out, demo.calls) == (Exit.USAGE, "", [])
    assert "there is no terminal to ask on; add --yes" in run.err


def test_delete_of_nothing(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    run = mcpctl("delete", "dmeo", "--yes")
    assert run.code == Exit.APPLY_FAILED
    assert "mcpctl manages nothing of dmeo" in run.err
    assert mcpctl("delete", "dmeo", "--yes", "--ignore-not-found").code == 0


def test_delete_that_fails(mcpctl: Mcpctl, demo: FakeRuntime) -> None:
    demo.changes = [Change("Service a", "removed"), Change("Pod b", "failed", "held by a finalizer")]
    run = mcpctl("delete", "demo", "--yes")
    assert run.code == Exit.APPLY_FAILED
    assert "1 removed, 1 failed; fix the reason, then run the command again" in run.err


# ---------------------------------------------------------------------------------------------
# All of them.

EACH: Sequence[Sequence[str]] = (
    ["apply", "good.yaml"],
    ["start", "good.yaml"],
    ["stop", "demo"],
    ["restart", "demo"],
    ["status"],
    ["logs", "demo"],
    ["list"],
    ["delete", "demo", "--yes"],
)


@pytest.mark.parametrize("arguments", EACH, ids=" ".join)
def test_the_place_comes_first_and_a_dead_runtime_is_told(
    mcpctl: Mcpctl, demo: FakeRuntime, arguments: Sequence[str]
) -> None:
    mcpctl(*arguments)
    assert demo.calls[0][0] == "where"
    demo.calls.clear()
    demo.fail["where"] = ApplyFailed("no daemon answers at /var/run/docker.sock")
    run = mcpctl(*arguments)
    assert (run.code, run.out) == (Exit.APPLY_FAILED, "")
    assert "no daemon answers" in run.err
    assert [method for method, _ in demo.calls] == ["where"]


@pytest.mark.parametrize("arguments", [one for one in EACH if one[0] not in ("logs", "list")], ids=" ".join)
@pytest.mark.parametrize("method", ["where", "apply", "start_server", "stop_server", "list_instances", "delete"])
def test_a_failure_is_one_document_too(
    mcpctl: Mcpctl, demo: FakeRuntime, arguments: Sequence[str], method: str
) -> None:
    demo.fail[method] = ApplyFailed("no daemon answers")
    run = mcpctl(*arguments, "-o", "json")
    data = json.loads(run.out)
    assert data["command"] == arguments[0]
    assert ("no daemon answers" in data.get("error", "")) == (run.code == Exit.APPLY_FAILED)


@pytest.mark.parametrize("arguments", [*EACH, ["config"], ["doctor"]], ids=" ".join)
def test_a_broken_configuration_is_one_document_too(
    mcpctl: Mcpctl, demo: FakeRuntime, tmp_path: Path, arguments: Sequence[str]
) -> None:
    (tmp_path / "mcpctl.yaml").write_text("orchestrator: {typ: docker}")
    run = mcpctl(*arguments, "-o", "json")
    assert run.code == Exit.INPUT_INVALID
    if arguments[0] in ("logs", "list"):
        assert run.out == ""  # lines, or a list that is not whole
        return
    data = json.loads(run.out)
    assert (data["command"], data["errors"], data["problems"][0]["line"]) == (arguments[0], 1, 1)
    assert "is not valid" in data["error"]


@pytest.mark.parametrize("arguments", EACH, ids=" ".join)
@pytest.mark.parametrize("style", ["text", "json"])
def test_nothing_from_outside_reaches_a_terminal_unescaped(
    mcpctl: Mcpctl, fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], style: str
) -> None:
    replica = Replica(HOSTILE, InstanceState.RUNNING, HOSTILE, 0, HOSTILE, HOSTILE)
    parts = {"where": HOSTILE, "reason": HOSTILE, "replicas": (replica,), "endpoint": HOSTILE}
    fake.instances = {"mcp-demo": instance("demo", **parts), HOSTILE: instance(HOSTILE, **parts)}
    fake.lines = [LogLine(HOSTILE, HOSTILE), LogLine("", "::error::x")]
    fake.changes = [Change(HOSTILE, "unchanged", HOSTILE)]
    fake.where = lambda: HOSTILE  # type: ignore[method-assign]
    monkeypatch.setattr(mcp_check, "handshake", lambda *_: Handshake(HOSTILE, HOSTILE, (HOSTILE,), 1))
    for more in ([], ["--no-prefix"] if arguments[0] == "logs" else []):
        run = mcpctl(*arguments, "-o", style, *more)
        for line in (run.out + run.err).split("\n"):
            assert line.replace("\t", "").isprintable()
            assert not line.startswith("::")
    fake.fail = dict.fromkeys(("apply", "start_server", "stop_server", "get_logs", "delete"), ApplyFailed(HOSTILE))
    run = mcpctl(*arguments, "-o", style)
    assert all(line.isprintable() and not line.startswith("::") for line in (run.out + run.err).split("\n"))

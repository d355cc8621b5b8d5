"""``mcpctl apply``: what reaches the runtime, what is asked, shown and answered, and every way to fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.cli.apply import Plan, _Run
from renderer.errors import ApplyFailed, Exit, WaitTimedOut
from renderer.orchestrators import mcp_check
from renderer.orchestrators.contract import ApplyOptions, Change, Handshake, InstanceState
from renderer.orchestrators.wait import Time
from tests.cli.commands import GOOD, Mcpctl
from tests.cli.fake_runtime import FakeRuntime, instance
from tests.cli.test_ready import Clock


def options(fake: FakeRuntime) -> ApplyOptions:
    ((_, found),) = fake.named("apply")
    assert isinstance(found, ApplyOptions)
    return found


def test_from_a_spec_to_an_answer(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    run = mcpctl("apply", "good.yaml")
    assert run.code == Exit.FINE
    # The place first, then what happens.
    assert run.err.index("docker: the fake daemon") < run.err.index("1 done")
    assert "mcp-demo: answers: demo-server 1.2, MCP 2025-06-18, 3 tools" in run.err
    head, row = run.out.splitlines()
    assert head.split() == ["SERVER", "WHERE", "STATE", "READY", "RESTARTS", "AGE", "IMAGE", "ENDPOINT", "DETAILS"]
    assert row.split()[:4] == ["demo", "here", "ready", "1/1"]
    assert [document.path for document in fake.named("apply")[0][0]] == ["demo/compose.yaml"]
    assert options(fake) == ApplyOptions("", seconds=300.0)
    assert run.err.endswith("to configure a client: mcpctl export client --client NAME good.yaml --local\n")


def test_as_data(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    data = json.loads(mcpctl("apply", "good.yaml", "--output", "json").out)
    assert data["changes"] == [{"what": "Project mcp-demo", "outcome": "created", "message": ""}]
    (server,) = data["servers"]
    assert (server["state"], server["ready"]) == ("ready", True)
    said = {"name": "demo-server", "version": "1.2", "tools": 3}
    assert server["mcp"] == said | {"protocolVersion": "2025-06-18", "protocolVersions": ["2025-06-18"]}
    assert (data["where"], data["error"], data["errors"]) == ("the fake daemon", "", 0)
    assert [problem["severity"] for problem in data["problems"]] == ["warning"] * data["warnings"]


def test_options_reach_the_runtime(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    more = ["--owner", "team", "--prune", "--yes", "--force-conflicts", "--timeout", "1m30s", "--env-file", "a.env"]
    assert mcpctl("apply", "good.yaml", *more).code == 0
    expected = ApplyOptions("team", "none", True, True, 90.0, {"": "a.env"})
    assert options(fake) == expected


def test_with_an_error_in_the_specs_the_runtime_is_not_asked(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    run = mcpctl("apply", "good.yaml", "bad.yaml")
    assert (run.code, run.out, fake.calls) == (Exit.INPUT_INVALID, "", [])
    assert "replicas" in run.err
    data = json.loads(mcpctl("apply", "bad.yaml", "-o", "json").out)
    assert (data["errors"], fake.calls) == (1, [])


@pytest.mark.parametrize("kind", ["client", "server"])
def test_a_dry_run_changes_nothing_and_waits_for_nothing(mcpctl: Mcpctl, fake: FakeRuntime, kind: str) -> None:
    run = mcpctl("apply", "good.yaml", "--dry-run", kind)
    assert (run.code, run.out) == (0, "Project mcp-demo: created\n")
    assert "nothing was changed" in run.err
    assert options(fake).dry_run == kind
    assert not fake.named("wait")


def test_without_waiting(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    run = mcpctl("apply", "good.yaml", "--no-wait")
    assert run.code == 0
    assert not fake.named("wait")
    assert not fake.named("reach")
    assert " running " in run.out


def test_without_the_client_it_runs_and_is_not_ready(
    mcpctl: Mcpctl, fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_check, "installed", lambda: "")
    run = mcpctl("apply", "good.yaml")
    assert run.code == 0
    assert run.err.count("pip install 'mcpctl-renderer[mcp]'") == 1
    assert run.err.index("the MCP SDK is missing") < run.err.index("1 done"), "before anything is applied"
    assert " running " in run.out
    assert not fake.named("reach")


@pytest.mark.parametrize("option", ["--no-wait", "--dry-run=client"])
def test_who_does_not_wait_needs_no_client(
    mcpctl: Mcpctl, fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr(mcp_check, "installed", lambda: "")
    assert "SDK" not in mcpctl("apply", "good.yaml", option).err


def test_who_speaks_something_else_fails_at_once(
    mcpctl: Mcpctl, fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(url: str, transport: str, seconds: float) -> Handshake:
        raise mcp_check.Refused("it answered 401")

    monkeypatch.setattr(mcp_check, "handshake", refuse)
    clock = Clock()
    fake.times = Time(clock, clock.sleep)
    run = mcpctl("apply", "good.yaml", "-o", "json")
    assert run.code == Exit.APPLY_FAILED
    assert clock.now < 10
    assert "does not speak MCP: it answered 401" in run.err
    data = json.loads(run.out)
    assert "401" in data["error"]
    assert data["servers"][0]["state"] == "running"


def test_what_nothing_connects_to_is_not_asked(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    fake.changes = []
    fake.instances["mcp-demo"] = instance("demo", endpoint="")
    run = mcpctl("apply", "good.yaml")
    assert run.code == 0
    assert not fake.named("reach")
    assert " running " in run.out


@pytest.mark.parametrize(
    ("method", "error", "code"),
    [
        ("where", ApplyFailed("the daemon is not there"), Exit.APPLY_FAILED),
        ("apply", ApplyFailed("the daemon is not there"), Exit.APPLY_FAILED),
        ("apply", WaitTimedOut("no answer"), Exit.TIMED_OUT),
        ("wait", ApplyFailed("mcp-demo will not start: image not found"), Exit.APPLY_FAILED),
        ("wait", WaitTimedOut("not ready after 300 s"), Exit.TIMED_OUT),
        ("apply", KeyboardInterrupt(), Exit.INTERRUPTED),
        ("wait", KeyboardInterrupt(), Exit.INTERRUPTED),
        ("reach", KeyboardInterrupt(), Exit.INTERRUPTED),
    ],
)
def test_each_failure_has_its_code(
    mcpctl: Mcpctl, fake: FakeRuntime, method: str, error: BaseException, code: Exit
) -> None:
    fake.fail[method] = error
    run = mcpctl("apply", "good.yaml")
    assert (run.code, run.out) == (code, "")
    assert str(error) in run.err
    assert "Traceback" not in run.err
    waiting = isinstance(error, KeyboardInterrupt) and method != "apply"
    assert ("interrupted while waiting" in run.err) == waiting


def test_a_half_applied_set_says_what_stands(mcpctl: Mcpctl, fake: FakeRuntime) -> None:
    fake.changes = [
        Change("Namespace mcpctl", "created"),
        Change("Service mcp-demo", "failed", "forbidden\x1b[31m"),
        Change("Deployment mcp-demo", "not tried"),
    ]
    run = mcpctl("apply", "good.yaml")
    assert (run.code, run.out) == (Exit.APPLY_FAILED, "")
    reason = r"Service mcp-demo: forbidden\x1b[31m; applied: Namespace mcpctl (1 created, 1 failed, 1 not tried)"
    assert f"mcpctl: {reason}; what is applied stays: fix the reason, then run the command again\n" in run.err
    assert not fake.named("wait")


def test_pruning_asks_on_a_terminal(mcpctl: Mcpctl, fake: FakeRuntime, terminal: list[str]) -> None:
    for answer, outcome in (("y", "1 created, 1 removed"), ("n", "1 created, 1 not tried")):
        fake.stale = [("Service mcp-old", False)]
        terminal.append(answer)
        run = mcpctl("apply", "good.yaml", "--prune", "--owner", "team")
        assert run.code == 0
        assert run.err.index("Service mcp-old") < run.err.index(outcome)


def test_data_has_a_question_of_its_own(mcpctl: Mcpctl, fake: FakeRuntime, terminal: list[str]) -> None:
    fake.stale = [("PersistentVolumeClaim old", True)]
    for answer, outcome in (("y", "1 not tried"), ("delete data", "1 removed")):
        terminal.append(answer)
        run = mcpctl("apply", "good.yaml", "--prune", "--owner", "team", "--yes")
        assert outcome in run.err


@pytest.mark.parametrize(("more", "outcome"), [([], "1 not tried"), (["--delete-data"], "1 removed")])
def test_yes_alone_does_not_mean_data(mcpctl: Mcpctl, fake: FakeRuntime, more: list[str], outcome: str) -> None:
    fake.stale = [("PersistentVolumeClaim old", True)]
    run = mcpctl("apply", "good.yaml", "--prune", "--owner", "team", "--yes", *more)
    assert run.code == 0
    assert outcome in run.err
    assert ("add --delete-data" in run.err) == (not more)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["apply"], "PATHS of specs, or --tree"),
        (["apply", "good.yaml", "--tree", "x"], "PATHS of specs, or --tree"),
        (["apply", "good.yaml", "--prune"], "--owner"),
        (["apply", "good.yaml", "--prune", "--owner", "a"], "add --yes"),
        (["apply", "good.yaml", "--timeout", "soon"], "write 90s"),
        (["apply", "good.yaml", "--timeout", "0"], "more than 0"),
        (["apply", "good.yaml", "--timeout", "5m5"], "write 90s"),
        (["apply", "good.yaml", "--dry-run", "maybe"], "client"),
        (["apply", "good.yaml", "--context", "kind"], "--orchestrator kubernetes"),
        (["apply", "good.yaml", "--orchestrator", "nomad"], "kubernetes"),
        (["apply", "good.yaml", "--orchestrator", "kubernetes", "--namespace", "default"], "belongs to the cluster"),
    ],
)
def test_mistakes_are_told_before_anything_happens(
    mcpctl: Mcpctl, fake: FakeRuntime, arguments: list[str], word: str
) -> None:
    run = mcpctl(*arguments)
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert word in run.err
    assert not fake.named("apply")


# ---------------------------------------------------------------------------------------------
# A tree on disk.


@pytest.fixture
def tree(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path) -> Path:
    assert mcpctl("render", "good.yaml", "-t", "compose", "--out", "deploy").code == 0
    return tmp_path / "deploy"


def test_a_tree_is_applied_as_it_was_rendered(mcpctl: Mcpctl, fake: FakeRuntime, tree: Path) -> None:
    (tree / "compose/demo/.env").write_text("TOKEN=x\n")
    run = mcpctl("apply", "--tree", "deploy")
    assert run.code == 0
    ((documents, found),) = fake.named("apply")
    assert [document.text for document in documents] == [(tree / "compose/demo/compose.yaml").read_text()]
    assert (found.folder, dict(found.env_files)) == ("deploy/compose", {"demo": "deploy/compose/demo/.env"})
    assert "answers:" in run.err


def test_a_tree_that_is_not_as_it_was_rendered_is_refused(mcpctl: Mcpctl, fake: FakeRuntime, tree: Path) -> None:
    file = tree / "compose/demo/compose.yaml"
    file.write_text(file.read_text() + "# mine\n")
    (tree / "compose/demo/other.yaml").write_text("a: 1\n")
    run = mcpctl("apply", "--tree", "deploy")
    assert run.code == Exit.OUTPUT_INVALID
    assert "compose.yaml: error: it was edited by hand" in run.err
    assert "other.yaml: error: no record lists it" in run.err
    assert fake.named("apply") == []


def test_a_hostile_tree_with_a_fitting_record_is_checked_again(mcpctl: Mcpctl, fake: FakeRuntime, tree: Path) -> None:
    import hashlib

    file, record = tree / "compose/demo/compose.yaml", tree / "compose/demo/.mcpctl"
    for text, word in (
        (file.read_text().replace("read_only: true", "privileged: true"), "privileged"),
        (file.read_text() + "name: again\n", "name"),
        ("- a\n", "mapping"),
    ):
        kept = file.read_text(), record.read_text()
        file.write_text(text)
        record.write_text(f"# mcpctl 1\n{hashlib.sha256(text.encode()).hexdigest()}  compose.yaml\n")
        run = mcpctl("apply", "--tree", "deploy")
        assert run.code in (Exit.INPUT_INVALID, Exit.OUTPUT_INVALID)
        assert word in run.err
        assert fake.named("apply") == []
        file.write_text(kept[0])
        record.write_text(kept[1])
    # What was accepted with a reason stands in the file.
    accepted = 'labels:\n      mcpctl.io/accepted: "policy/x: a; policy/privileged: it is a test"\n'
    text = file.read_text().replace("read_only: true", "privileged: true").replace("labels:\n", accepted)
    file.write_text(text)
    record.write_text(f"# mcpctl 1\n{hashlib.sha256(text.encode()).hexdigest()}  compose.yaml\n")
    run = mcpctl("apply", "--tree", "deploy")
    assert "0 errors, 0 warnings, 1 accepted" in run.err
    assert (run.code, len(fake.named("apply"))) == (0, 1)


def test_a_tree_without_servers_waits_for_none_of_others(fake: FakeRuntime) -> None:
    """What is shared may stand there alone; as a filter, no names are all servers."""
    fake.instances["other"] = instance("other")
    plan = Plan((), (), (), None, {}, {})
    assert _Run(fake, plan, "text", ApplyOptions(""))._ids() == ()
    assert _Run(fake, plan._replace(servers=("other",)), "text", ApplyOptions(""))._ids() != ()


def test_there_is_no_tree(mcpctl: Mcpctl, fake: FakeRuntime, tree: Path) -> None:
    run = mcpctl("apply", "--tree", "nothing")
    assert run.code == Exit.OUTPUT_INVALID
    assert "no tree that mcpctl rendered" in run.err
    run = mcpctl("apply", "--tree", "deploy/compose")
    assert run.code == Exit.OUTPUT_INVALID
    assert "name the folder above it" in run.err


def test_start_starts_each_and_waits(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(GOOD.replace("demo}", "two}"))
    run = mcpctl("start", "good.yaml", "two.yaml", "--env-file", "a.env")
    assert run.code == 0
    assert [name for name, _ in fake.named("start_server")] == ["demo", "two"]
    assert fake.named("start_server")[0][1]["envFile"] == "a.env"
    assert [line.split()[2] for line in run.out.splitlines()[1:]] == ["ready", "ready"]
    data = json.loads(mcpctl("start", "good.yaml", "--no-wait", "-o", "json").out)
    assert data["servers"][0]["state"] == InstanceState.RUNNING
    assert len(fake.named("wait")) == 1


def test_start_that_fails_says_what_was_not_tried(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(GOOD.replace("demo}", "two}"))
    fake.fail["start_server"] = ApplyFailed("port 8080 is taken")
    run = mcpctl("start", "good.yaml", "two.yaml", "-o", "json")
    assert run.code == Exit.APPLY_FAILED
    assert "not tried: two" in run.err
    assert "demo could not be started: port 8080 is taken" in json.loads(run.out)["error"]
    assert mcpctl("start", "bad.yaml").code == Exit.INPUT_INVALID


#: Holds as a spec; what is rendered of it mounts a folder of the machine.
MOUNTED = GOOD + '  patches: [{target: compose, kind: service, merge: {volumes: ["/etc:/x:ro"]}}]\n'


def test_nothing_is_started_where_one_of_them_does_not_hold(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(MOUNTED.replace("demo}", "two}"))
    run = mcpctl("start", "good.yaml", "two.yaml")
    assert (run.code, fake.named("start_server")) == (Exit.INPUT_INVALID, [])
    assert "[policy/host-path]" in run.err
    # What is only told of the first is told here too, as by apply.
    assert "[compose/health-not-rendered]" in mcpctl("start", "good.yaml").err


def test_a_level_of_policy_reaches_what_start_renders(mcpctl: Mcpctl, fake: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(MOUNTED)
    assert mcpctl("start", "good.yaml", "--policy", "host-path=warning").code == Exit.FINE
    ((name, config),) = fake.named("start_server")
    assert (name, config["policy"]) == ("demo", {"policy/host-path": "warning"})


@pytest.mark.parametrize("command", ["apply", "start", "doctor"])
def test_network_policies_are_of_a_cluster(mcpctl: Mcpctl, fake: FakeRuntime, command: str) -> None:
    run = mcpctl(command, "good.yaml", "--network-policy-provider", "cilium")
    assert (run.code, fake.calls) == (Exit.USAGE, [])
    assert "is for Kubernetes" in run.err

"""From what docker says of containers to what is shown: a table of states."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.orchestrators.contract import InstanceFilters, InstanceState
from renderer.orchestrators.docker import Docker
from renderer.orchestrators.docker.status import cause_of, endpoint, observation, state_of
from tests.orchestrators.docker.fakes import Fakes, container, shown

UNHEALTHY = {"Health": {"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "refused\x1b[0m"}]}}


@pytest.mark.parametrize(
    ("status", "state", "expected", "words", "hopeless"),
    [
        ("created", {}, "pending", "has not been started", False),
        ("created", {"ExitCode": 128, "Error": "port is already allocated"}, "failed", "already allocated", True),
        ("running", {}, "running", "", False),
        ("running", {"Health": {"Status": "starting"}}, "pending", "has not passed yet", False),
        ("running", {"Health": {"Status": "healthy"}}, "running", "", False),
        ("running", UNHEALTHY, "failed", r"healthcheck fails: refused\x1b[0m", False),
        ("restarting", {"Restarting": True, "ExitCode": 3}, "failed", "ended with exit code 3", False),
        ("restarting", {"Restarting": True, "ExitCode": 137, "OOMKilled": True}, "failed", "more memory", False),
        ("restarting", {"Restarting": True, "ExitCode": 127}, "failed", "its program was not found", False),
        ("exited", {"ExitCode": 143}, "stopped", "is stopped", True),
        ("paused", {}, "stopped", "docker unpause", True),
        ("dead", {}, "failed", "docker rm", True),
        ("removing", {}, "stopped", "being removed", False),
        ("frozen", {}, "unknown", "is frozen", False),
    ],
)
def test_states_of_a_server(status: str, state: dict[str, Any], expected: str, words: str, hopeless: bool) -> None:
    one = container(status=status, state=state)
    cause = cause_of(one)
    assert state_of(one) == InstanceState(expected)
    assert words in (cause.text if cause else "")
    assert (cause is not None and cause.outlook == "hopeless") == hopeless


@pytest.mark.parametrize(
    ("status", "code", "expected", "hopeless"),
    [("exited", 0, "running", False), ("exited", 4, "failed", True), ("running", 0, "running", False)],
)
def test_a_one_shot_counts_only_where_it_failed(status: str, code: int, expected: str, hopeless: bool) -> None:
    prepare = container("mcp-demo.prepare", status, state={"ExitCode": code}, id_="b" * 64)
    both = [container(), prepare]
    instance, cause, _ = observation(both, {one.id: cause_of(one) for one in both})
    assert (instance.state, cause is not None and cause.outlook == "hopeless") == (InstanceState(expected), hopeless)
    assert len(instance.replicas) == 1
    assert state_of(prepare) is {0: InstanceState.SUCCEEDED, 4: InstanceState.FAILED}[code] or status == "running"


def test_three_restarts_are_enough() -> None:
    dying = {"Restarting": True, "ExitCode": 3}
    for restarts, hopeless in ((2, False), (3, True)):
        cause = cause_of(container(status="restarting", state=dying, restarts=restarts))
        assert cause
        assert (cause.outlook == "hopeless") is hopeless


def test_replicas_count_each() -> None:
    both = [container(), container(status="created", number=2)]
    status = observation(both, {one.id: cause_of(one) for one in both}).status
    assert (status.desired, status.ready, status.state) == (2, 1, InstanceState.PENDING)
    assert [replica.name for replica in status.replicas] == ["mcp-demo-mcp-demo-1", "mcp-demo-mcp-demo-2"]
    assert status.reason.startswith("mcp-demo-mcp-demo-2 has not been started")


@pytest.mark.parametrize(
    ("address", "host", "url"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:8080/mcp"),
        ("0.0.0.0", "", "http://127.0.0.1:8080/mcp"),
        ("0.0.0.0", "build.example", "http://build.example:8080/mcp"),
        ("::1", "", "http://[::1]:8080/mcp"),
    ],
)
def test_the_endpoint_is_the_published_port(address: str, host: str, url: str) -> None:
    ports = {"9090/tcp": None, "8080/tcp": [{"HostIp": address, "HostPort": "8080"}]}
    assert endpoint([container(ports=ports, labels={"mcpctl.io/path": "/mcp"})], host) == url


@pytest.mark.parametrize(("labels", "path"), [({}, "/mcp"), ({"mcpctl.io/path": "/x/sse"}, "/x/sse")])
def test_the_path_is_what_was_rendered(labels: dict[str, str], path: str) -> None:
    assert endpoint([container(labels=labels)]) == f"http://127.0.0.1:8080{path}"


def test_what_the_guard_must_answer_is_what_was_rendered() -> None:
    note = '{"resource": "https://mcp.example.com/mcp", "scope": "a b", "issuers": {"https://i.example": ["x"]}}'
    guard = observation([container(labels={"mcpctl.io/access": note})], {}).status.guard
    assert guard
    assert (guard.resource, guard.scope, dict(guard.issuers)) == (
        "https://mcp.example.com/mcp",
        "a b",
        {"https://i.example": ("x",)},
    )
    assert observation([container()], {}).status.guard is None


def test_what_publishes_nothing_has_no_endpoint() -> None:
    assert endpoint([container(ports={})]) == ""


def test_the_last_lines_of_what_dies_are_told(fakes: Fakes, docker: Docker) -> None:
    fakes.containers(shown(status="restarting", state={"Restarting": True, "ExitCode": 3}, restarts=2))
    fakes.answer("docker", "logs *", out="begun\n", err="no \x1b[31mdatabase\n\n")
    assert docker.get_status("mcp-demo").reason.endswith(r"its last lines: begun | no \x1b[31mdatabase")
    fakes.answer("docker", "logs *", err="gone", code=1)
    assert docker.get_status("mcp-demo").reason.endswith("exit code 3")


def test_how_a_server_that_runs_again_ended_is_asked_of_the_events(fakes: Fakes, docker: Docker) -> None:
    fakes.containers(shown(restarts=2))
    fakes.answer("docker", "events *", out="1\n7\n")
    fakes.answer("docker", "logs *", err="no database\n")
    cause = "was restarted 2 times; the last time it ended with exit code 7; its last lines: no database"
    assert docker.get_status("mcp-demo").reason == f"mcp-demo-mcp-demo-1 {cause}"
    for out, code in (("", 0), ("<none>\n", 0), ("7\n", 1)):
        fakes.answer("docker", "events *", out=out, code=code)
        assert docker.get_status("mcp-demo").reason == "mcp-demo-mcp-demo-1 was restarted 2 times"


def _listed(fakes: Fakes, docker: Docker, count: int, *more: str) -> list[dict[str, Any]]:
    labels = [
        {"com.docker.compose.project": f"mcp-s{n}", "app.kubernetes.io/name": f"mcp-s{n}", "mcpctl.io/server": f"s{n}"}
        for n in range(count)
    ]
    found = [shown(id_=f"{n:064x}", labels=each) for n, each in enumerate(labels)]
    rows = [f"{one['id']}\t" + "\t".join(one["labels"][key] for key in labels[0]) + "\n" for one in found]
    fakes.containers(*found)
    fakes.answer("docker", "ps *", out="".join([*reversed(rows), *more]))
    return found


def test_pages_hold_each_instance_once(fakes: Fakes, docker: Docker) -> None:
    _listed(fakes, docker, 7, "rubbish\n", "abcdef012345\ta b\t\t\n")
    seen: list[str] = []
    page = ""
    for _ in range(4):
        found = docker.list_instances(InstanceFilters(), page, 2)
        seen += [one.id for one in found.instances]
        page = found.next
        if not page:
            break
    assert seen == [f"mcp-s{n}" for n in range(7)]


def test_filters(fakes: Fakes, docker: Docker) -> None:
    _listed(fakes, docker, 3)
    names = [one.id for one in docker.list_instances(InstanceFilters(servers=("s1",))).instances]
    assert names == ["mcp-s1"]
    assert docker.list_instances(InstanceFilters(states=(InstanceState.FAILED,))).instances == ()
    docker.list_instances(InstanceFilters(labels={"team": "a b"}))
    assert "--filter=label=team=a b" in fakes.calls[-2] + fakes.calls[-1]


def test_nothing_is_an_empty_page(docker: Docker) -> None:
    assert docker.list_instances(InstanceFilters()) == ((), "")

"""What a patch may not take away from a service of compose."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.check.compose.hardening import hardening_faults
from renderer.errors import dotted
from renderer.model import JSON
from tests.specs import HTTP, IMAGE, rendered, rules, spec

HARD: dict[str, Any] = {"user": "1000:1000", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}


def told(name: str, **changes: Any) -> list[str]:
    service = {key: value for key, value in {**HARD, **changes}.items() if value is not None}
    return [dotted(fault.path) for fault in hardening_faults({"services": {name: service}})]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"userns_mode": "host"}, "userns_mode"),
        ({"devices": ["/dev/sda"]}, "devices"),
        ({"cap_drop": None}, "cap_drop"),
        ({"cap_drop": ["NET_RAW"]}, "cap_drop"),
        ({"cap_add": ["SYS_ADMIN"]}, "cap_add"),
        ({"cap_add": ["CHOWN"]}, "cap_add"),
        ({"user": None}, "user"),
        ({"user": "0:0"}, "user"),
        ({"user": "root"}, "user"),
        ({"security_opt": None}, "security_opt"),
        ({"security_opt": ["no-new-privileges:true", "seccomp=unconfined"]}, "security_opt"),
        ({"security_opt": ["no-new-privileges:true", "seccomp:unconfined"]}, "security_opt"),
        ({"security_opt": ["no-new-privileges:true", "label:disable"]}, "security_opt"),
    ],
)
def test_refused(changes: dict[str, Any], field: str) -> None:
    assert told("mcp-demo", **changes) == [f"services.mcp-demo.{field}"]


@pytest.mark.parametrize(
    "changes",
    [{}, {"cap_add": ["NET_BIND_SERVICE"]}, {"volumes": [{"type": "volume", "source": "a", "target": "/a"}, "a:/b"]}],
)
def test_accepted(changes: dict[str, Any]) -> None:
    assert told("mcp-demo", **changes) == []


def test_only_our_one_shots_are_root_and_may_no_more_than_they_need() -> None:
    assert told("mcp-demo.prepare", user="0:0", cap_add=["CHOWN"]) == []
    assert told("mcp-demo.prepare", user="0:0", cap_add=["SYS_ADMIN"]) == ['services["mcp-demo.prepare"].cap_add']


@pytest.mark.parametrize(
    "merge",
    [
        {"privileged": True, "volumes": ["/var/run/docker.sock:/x"]},
        {"cap_add": ["SYS_ADMIN"], "user": "0:0", "pid": "host", "cap_drop": None},
    ],
)
def test_a_patch_that_takes_it_away_is_refused_at_the_patch(merge: JSON) -> None:
    patch: JSON = {"target": "compose", "kind": "service", "merge": merge}
    found = rendered("compose", spec(image=IMAGE, transport=HTTP, health={"enabled": False}, patches=[patch])).problems
    assert set(rules(found)) & {"compose/not-restricted", "policy/privileged"}
    assert not any(problem.in_output for problem in found)

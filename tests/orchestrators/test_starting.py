"""``start_server`` of every runtime: one server, rendered as it was asked for, checked, and then applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from renderer.errors import ApplyFailed, OutputInvalid, UsageMistake
from renderer.model import JSON, Rendered
from renderer.orchestrators.contract import Applied, ApplyOptions, Change, Confirm, Orchestrator, Progress
from renderer.orchestrators.starting import start
from tests.specs import server

MOUNTED: Any = [{"target": "compose", "kind": "service", "merge": {"volumes": ["/etc:/x:ro"]}}]


class Runtime:
    """Keeps what it is given; fails where it is told to."""

    def __init__(self, target: str = "compose", outcome: Any = "created") -> None:
        self.target = target
        self.outcome = outcome
        self.given: list[tuple[Sequence[Rendered], ApplyOptions]] = []

    def apply(self, documents: Sequence[Rendered], options: ApplyOptions, tell: Progress, confirm: Confirm) -> Applied:
        assert not confirm(["anything"], False), "a start removes nothing"
        self.given.append((documents, options))
        tell("one done")
        tell("applied: one")
        return Applied((Change("one", "created"), Change("two", self.outcome, "two was refused")))


def started(runtime: Runtime, config: Mapping[str, JSON], **fields: Any) -> str:
    return start(cast(Orchestrator, runtime), server("demo", **fields), "tools", config)


def test_the_configuration_reaches_rendering_and_runtime() -> None:
    runtime = Runtime("kubernetes")
    config: dict[str, JSON] = {
        "owner": "me",
        "forceConflicts": True,
        "envFile": "a.env",
        "networkPolicyProvider": "cilium",
        "createNamespace": False,
    }
    assert started(runtime, config) == "mcp-demo"
    ((documents, options),) = runtime.given
    assert options == ApplyOptions("me", force_conflicts=True, env_files={"": "a.env"})
    assert any("kind: CiliumNetworkPolicy" in document.text for document in documents)
    assert not any("kind: Namespace" in document.text for document in documents)
    assert all("namespace: tools" in document.text for document in documents)


def test_a_level_of_policy_holds_for_what_is_rendered() -> None:
    runtime = Runtime()
    with pytest.raises(OutputInvalid) as caught:
        started(runtime, {}, patches=MOUNTED)
    assert [problem.rule for problem in caught.value.problems] == ["policy/host-path"]
    assert runtime.given == []
    assert started(runtime, {"policy": {"host-path": "warning"}}, patches=MOUNTED) == "mcp-demo"
    for wrong in ({"policy": "none"}, {"policy": {"host-pth": "off"}}, {"policy": {"host-path": "loud"}}):
        with pytest.raises(UsageMistake):
            started(runtime, cast(Mapping[str, JSON], wrong))


def test_a_failure_says_what_stands() -> None:
    with pytest.raises(ApplyFailed, match=r"^two: two was refused; applied: one$"):
        started(Runtime(outcome="failed"), {})

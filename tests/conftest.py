"""Settings that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from renderer.policy.catalogue import RULES

# The same examples in every run: a red build can be repeated, and nothing here depends on time.
settings.register_profile(
    "mcpctl", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
# For a search beyond that: MCPCTL_HYPOTHESIS=explore.
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("MCPCTL_HYPOTHESIS", "mcpctl"))

TESTS = Path(__file__).parent
#: Marks by folder or file. What needs a real engine, Envoy or a cluster, and what renders whole fleets.
MARKS = {
    "engine": ["engine"],
    "envoy": ["targets/compose/test_egress_proxy.py"],
    "fleet": ["environment/test_thousand.py"],
    "integration": ["integration"],
}
#: What takes its time: it starts kubectl or other programs by the hundred, or kills runs again and again.
SLOW = [
    *(path for paths in MARKS.values() for path in paths),
    "check/test_compose.py",
    "cli/test_diff.py",
    "cli/test_kubernetes.py",
    "cluster",
    "diff/test_markdown.py",
    "doctor",
    "orchestrators",
    "targets/compose/test_target.py",
    "test_action.py",
    "test_checks.py",
    "test_hooks.py",
    "test_round_trip.py",
    "write/test_crash.py",
    "write/test_tree.py",
]
#: In ``core``, and not in ``quick``: other processes, random values by the hundred, the MCP SDK.
NOT_QUICK = [
    *SLOW,
    "check/test_api_rules.py",
    "cli/test_environments.py",
    "cli/test_krm.py",
    "cli/test_runtime_process.py",
    "environment/test_everywhere.py",
    "orchestrators/mcp_check",
    "targets/kubernetes/test_values.py",
    "targets/compose/test_service.py",
    "test_command.py",
    "test_contracts.py",
    "test_patch.py",
    "test_pipeline.py",
    "test_yaml_writer.py",
    "yaml_reader/test_attacks.py",
    "yaml_reader/test_plain.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests by where they lie."""
    for item in items:
        path = item.path.relative_to(TESTS)
        marks = {mark for mark, paths in MARKS.items() if any(path.is_relative_to(each) for each in paths)}
        marks |= {"core"} - {"core" for each in SLOW if path.is_relative_to(each)}
        marks |= {"quick"} - {"quick" for each in NOT_QUICK if path.is_relative_to(each)}
        for mark in sorted(marks):
            item.add_marker(mark)


@pytest.fixture(autouse=True)
def _quiet_about_egress(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few specs of the tests say a word on egress, and every other would get the same warning."""
    rule = "policy/unrestricted-egress"
    if "levels" not in request.keywords:
        monkeypatch.setitem(RULES, rule, RULES[rule]._replace(level="off"))

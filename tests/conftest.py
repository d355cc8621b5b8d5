"""Settings that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests by where they lie; ``core`` is what a daily change and every other Python must pass."""
    for item in items:
        path = item.path.relative_to(TESTS)
        for mark, paths in MARKS.items():
            if any(path.is_relative_to(each) for each in paths):
                item.add_marker(mark)
        if not any(path.is_relative_to(each) for each in SLOW):
            item.add_marker("core")


def pytest_configure() -> None:
    """No mark without a test: a file that was moved needs its new name above."""
    missing = [path for path in SLOW if not (TESTS / path).exists()]
    assert missing == [], missing

"""``output/`` is what ``docs/examples`` renders to: a change of one without the other is seen here.

``mcpctl render docs/examples --target TARGET --out output`` makes it anew, for each target, and
``mcpctl render docs/examples docs/environments --out output/environments`` for each environment.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from renderer.check.pod_security import violations
from renderer.errors import errors_in
from renderer.layout import Layout, layout
from renderer.manifest import CONTAINER_FIELDS, pod_of
from renderer.pipeline import Run, read, read_inputs, render_run, runs_for
from renderer.registry import TARGETS, target
from renderer.write import Comparison, compare
from tests.fields import EXAMPLES
from tests.specs import OPTIONS

OUTPUT = Path(__file__).parent.parent / "output"
ENVIRONMENTS = EXAMPLES.parent / "environments"
NAMES = sorted(path.stem for path in ENVIRONMENTS.glob("*.yaml"))


@cache
def layouts() -> dict[str, Layout]:
    """The tree of each target, and of each environment."""
    inputs = read_inputs([str(EXAMPLES), str(ENVIRONMENTS)])
    specs = read([str(EXAMPLES)])
    runs = [(OUTPUT, Run(None, name, OPTIONS, specs)) for name in TARGETS]
    runs += [(OUTPUT / "environments", run) for run in runs_for(inputs, inputs.environments)]
    found = {}
    for out, run in runs:
        output = render_run(run, target(run.target))
        assert [str(problem) for problem in errors_in(output.problems)] == []
        found[run.name or run.target] = layout(out, run, output)
    return found


@pytest.mark.parametrize("name", [*sorted(TARGETS), *NAMES])
def test_output_is_not_stale(name: str) -> None:
    """Nor does it hold anything else."""
    folder, files, depth = layouts()[name]
    assert compare(folder, files, depth) == Comparison(())


@pytest.mark.parametrize("name", [*sorted(TARGETS), *NAMES])
def test_every_file_says_which_spec_to_edit(name: str) -> None:
    for path, text in layouts()[name].files.items():
        content_of_others = path.endswith(".md") or "/files/" in path
        assert content_of_others or re.match(r"# Made by mcpctl( from docs/e|; change the options)", text), path


def test_every_pod_of_the_output_is_restricted() -> None:
    """As the API server of that namespace sees it: init containers, sidecars and patched ones included."""
    pods = {path.parent.name: pod for path in (OUTPUT / "kubernetes").rglob("*.yaml") if (pod := pod_in(path))}
    assert {path.name for path in (OUTPUT / "kubernetes").iterdir() if path.is_dir()} == set(pods)
    assert [name for name, pod in pods.items() if violations(pod)] == []
    containers = [c["name"] for pod in pods.values() for field in CONTAINER_FIELDS for c in pod["spec"].get(field, ())]
    assert {"mcp-server", "bridge", "migrate", "cache"} <= set(containers)
    assert pods["everything"]["spec"]["hostname"] == "everything", "a patched one is among them"


def pod_in(path: Path) -> Any:
    """The pod of a workload, or its template."""
    found = pod_of(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
    return found and found[1]


def test_output_has_a_folder_for_each_target_and_environment() -> None:
    assert len(NAMES) >= 3
    assert sorted(path.name for path in OUTPUT.iterdir()) == sorted([*TARGETS, "environments"])
    assert sorted(path.name for path in (OUTPUT / "environments").iterdir()) == NAMES

"""``output/`` is what ``docs/examples`` renders to: a change of one without the other is seen here.

``mcpctl render docs/examples --target TARGET --out output`` makes it anew, for each target, and
``mcpctl render docs/examples docs/environments --out output`` for each environment.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from renderer.check.pod_security import violations
from renderer.check.shape import CONTAINER_FIELDS, pod_of
from renderer.errors import errors_in
from renderer.pipeline import place_in_tree, read, read_inputs, render, render_run, runs_for, tree
from renderer.registry import TARGETS, target
from renderer.write import RECORD, compare
from tests.fields import EXAMPLES
from tests.specs import OPTIONS

OUTPUT = Path(__file__).parent.parent / "output"
ENVIRONMENTS = EXAMPLES.parent / "environments"
NAMES = sorted(path.stem for path in ENVIRONMENTS.glob("*.yaml"))


@cache
def environments() -> dict[str, dict[str, str]]:
    """Files by path below the folder of each environment."""
    inputs = read_inputs([str(EXAMPLES), str(ENVIRONMENTS)])
    found = {}
    for run in runs_for(inputs, inputs.environments):
        output = render_run(run, target(run.target))
        assert [str(problem) for problem in errors_in(output.problems)] == []
        documents = tree(run.specs, output, target(run.target), run.options)
        found[run.name] = place_in_tree(OUTPUT, run, documents)[1]
    return found


def files(name: str) -> dict[str, str]:
    """Files by path below the folder of a target, or of an environment."""
    if name in NAMES:
        return environments()[name]
    specs = read([str(EXAMPLES)])
    output = render(specs, target(name), OPTIONS)
    assert [str(problem) for problem in errors_in(output.problems)] == []
    return {document.path: document.text for document in tree(specs, output, target(name), OPTIONS)}


@pytest.mark.parametrize("name", [*sorted(TARGETS), *NAMES])
def test_output_is_not_stale(name: str) -> None:
    assert compare(OUTPUT / name, files(name)) == []


@pytest.mark.parametrize("name", [*sorted(TARGETS), *NAMES])
def test_output_holds_nothing_else(name: str) -> None:
    folder = OUTPUT / name
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {*files(name), RECORD}


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
    assert sorted(path.name for path in OUTPUT.iterdir()) == sorted([*TARGETS, *NAMES])

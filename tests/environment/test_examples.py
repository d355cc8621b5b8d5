"""The three environments of docs/environments: each holds, and together they show every part of the schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from renderer.environment import Environment
from renderer.errors import Severity
from renderer.pipeline import read_inputs, runs_for

#: Examples heed the rule that other tests switch off.
pytestmark = pytest.mark.levels
DOCS = Path(__file__).parent.parent.parent / "docs"
FIRST_LINE = "# yaml-language-server: $schema=../../schemas/environment.schema.json"
PATHS = sorted((DOCS / "environments").glob("*.yaml"))


def environments() -> tuple[Environment, ...]:
    return read_inputs([str(DOCS / "examples"), str(DOCS / "environments")]).environments


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_begins_with_its_schema_and_what_it_shows(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == FIRST_LINE
    assert lines[1].startswith("# ")


def test_is_called_like_its_file() -> None:
    assert (
        sorted(one.name for one in environments()) == [path.stem for path in PATHS] == ["dev", "production", "staging"]
    )


def test_holds_without_errors_or_warnings_of_its_own() -> None:
    inputs = read_inputs([str(DOCS / "examples"), str(DOCS / "environments")])
    told = [problem for run in runs_for(inputs, inputs.environments) for problem in run.specs.problems]
    assert [str(p) for p in told if p.severity is not Severity.ACCEPTED] == []


def test_show_every_part_of_an_environment() -> None:
    """What a reader should find an example of."""
    given = {field for one in environments() for field in one.source.data["spec"]}  # type: ignore[union-attr]
    assert given == {
        *("description", "target", "namespace", "kubernetesVersion", "networkPolicy", "servers"),
        *("defaults", "patches", "images", "policies", "delivery"),
    }

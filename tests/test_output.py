"""``output/`` is what ``docs/examples`` renders to: a change of one without the other is seen here.

``mcpctl render docs/examples --target TARGET --out output`` makes it anew, for each target.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from renderer.errors import errors_in
from renderer.pipeline import read, render, tree
from renderer.registry import TARGETS, target
from renderer.write import RECORD, compare
from tests.fields import EXAMPLES
from tests.specs import OPTIONS

OUTPUT = Path(__file__).parent.parent / "output"


def files(name: str) -> dict[str, str]:
    specs = read([str(EXAMPLES)])
    output = render(specs, target(name), OPTIONS)
    assert [str(problem) for problem in errors_in(output.problems)] == []
    return {document.path: document.text for document in tree(specs, output, target(name), OPTIONS)}


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_output_is_not_stale(name: str) -> None:
    assert compare(OUTPUT / name, files(name)) == []


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_output_holds_nothing_else(name: str) -> None:
    folder = OUTPUT / name
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {*files(name), RECORD}


def test_output_has_a_folder_for_each_target() -> None:
    assert sorted(path.name for path in OUTPUT.iterdir()) == sorted(TARGETS)

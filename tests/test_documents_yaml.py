"""The YAML of docs/KUBERNETES_DEPLOYMENT.md: each block is a spec that renders, or stands in ``output/``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from renderer.errors import errors_in
from tests.specs import rendered

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "KUBERNETES_DEPLOYMENT.md"
FROM = "# from "


def blocks() -> Iterator[str]:
    """What stands between the fences of the document."""
    for fenced in re.finditer(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S):
        yield fenced[1]


BLOCKS = list(blocks())
SPECS = [block for block in BLOCKS if not block.startswith(FROM)]
EXCERPTS = [block for block in BLOCKS if block.startswith(FROM)]


def test_there_are_blocks_of_both_sorts() -> None:
    assert SPECS
    assert EXCERPTS
    assert len(BLOCKS) == DOCUMENT.read_text(encoding="utf-8").count("```yaml")


@pytest.mark.parametrize("block", SPECS, ids=lambda block: yaml.safe_load(block)["metadata"]["name"])
def test_a_spec_renders(block: str) -> None:
    output = rendered("kubernetes", yaml.safe_load(block))
    assert [str(problem) for problem in errors_in(output.problems)] == []
    assert output.documents


@pytest.mark.parametrize("block", EXCERPTS, ids=lambda block: block.partition("\n")[0].removeprefix(FROM))
def test_an_excerpt_stands_in_the_output(block: str) -> None:
    """Line by line, in order; lines between them may be left out."""
    first, *wanted = block.splitlines()
    assert first.startswith(f"{FROM}output/")
    assert wanted
    lines = iter((ROOT / first.removeprefix(FROM)).read_text(encoding="utf-8").splitlines())
    assert [line for line in wanted if line not in lines] == []

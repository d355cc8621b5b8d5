"""Specs that are too large for an API server: told in the spec, not as a fault of a template."""

from __future__ import annotations

import pytest

from renderer.model import JSON
from tests.specs import HTTP, IMAGE, read_specs, rules, spec


@pytest.mark.parametrize(("size", "told"), [(400_000, []), (600_000, ["spec/files-size"])])
def test_files_share_one_config_map(size: int, told: list[str]) -> None:
    files: JSON = {f"/{name}": {"content": "x" * size} for name in "ab"}
    assert rules(read_specs(spec(image=IMAGE, transport=HTTP, files=files)).problems) == told


@pytest.mark.parametrize(("count", "told"), [(2, []), (3, ["spec/annotations-size"])])
def test_annotations_are_bounded_together(count: int, told: list[str]) -> None:
    annotations: JSON = {f"example.com/{i}": "x" * 100_000 for i in range(count)}
    problems = read_specs(spec("demo", {"annotations": annotations}, image=IMAGE, transport=HTTP)).problems
    assert rules(problems) == told

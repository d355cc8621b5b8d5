"""In a real browser: Mermaid draws what we write, and nothing in a name becomes more than text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from renderer.errors import excerpt
from renderer.graph import graph_of
from renderer.graph.mermaid import as_mermaid, changed
from renderer.graph.svg import as_svg
from renderer.pipeline import Run, inputs_of, plain, read_inputs, runs
from tests.fields import EXAMPLES
from tests.graph.browser import Drawing, draw, missing
from tests.graph.test_graph import HOSTILE, hostile
from tests.specs import OPTIONS


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawing]:
    if reason := missing():
        pytest.skip(reason)
    graphs = {}
    inputs = read_inputs([str(EXAMPLES)])
    for target in ("kubernetes", "compose"):
        (run,) = runs(inputs, [], Run(None, target, OPTIONS, plain(inputs_of(()))))
        graphs[target] = [graph_of(run)]
    several = read_inputs([str(EXAMPLES), str(EXAMPLES.parent / "environments")])
    alone = Run(None, "kubernetes", OPTIONS, plain(inputs_of(())))
    graphs["environments"] = [graph_of(run) for run in runs(several, several.environments, alone)]
    graphs["hostile"], graphs["nothing"] = [hostile()], [hostile()._replace(nodes=(), edges=())]
    # Mermaid takes seconds for a fleet: one is enough.
    texts = {name: as_mermaid(each) for name, each in graphs.items() if name != "compose"}
    texts["changed"] = changed(hostile(), hostile().edges[:9], hostile().edges[9:])
    svg = {f"svg of {name}": as_svg(each) for name, each in graphs.items()}
    return draw(tmp_path_factory.mktemp("browser"), texts, svg)


def test_everything_is_drawn(drawings: dict[str, Drawing]) -> None:
    assert {name: drawing.error for name, drawing in drawings.items() if drawing.error} == {}
    assert {name for name, drawing in drawings.items() if drawing.width <= 0} == set()


@pytest.mark.parametrize("name", ["hostile", "changed", "svg of hostile"])
def test_names_are_read_as_they_are(drawings: dict[str, Drawing], name: str) -> None:
    seen = re.sub(r"\s", "", "".join(drawings[name].texts))
    for text in HOSTILE:
        assert re.sub(r"\s", "", excerpt(text)) in seen


def test_a_diagram_that_is_wrong_is_found(tmp_path: Path) -> None:
    """Else nobody knows whether the browser says so."""
    if reason := missing():
        pytest.skip(reason)
    found = draw(tmp_path, {"a": 'flowchart LR\n  n0["a"b"]\n'}, {"b": "<svg><text>a</svg>"})
    assert all(drawing.error for drawing in found.values())

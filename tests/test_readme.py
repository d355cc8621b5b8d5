"""What the README shows is what happens."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
import yaml

from renderer import pipeline
from renderer.errors import Severity
from renderer.model import Options
from renderer.registry import TARGETS, target

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_first_two_commands_are_on_the_first_screen_and_one_line_each() -> None:
    render, tests = blocks("sh")[:2]
    assert render.count("\n") == tests.count("\n") == 1
    assert "mcpctl render docs/examples" in render
    assert "pytest" in tests
    assert README[: README.index(tests)].count("\n") < 20


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_spec_renders_without_a_remark(name: str) -> None:
    (spec,) = blocks("yaml")
    assert spec.count("\n") <= 10
    read = pipeline.read(["-"], BytesIO(spec.encode()))
    output = pipeline.render(read, target(name), Options("mcpctl", "1.35"))
    assert [p for p in output.problems if p.severity is Severity.ERROR] == []
    if name == "kubernetes":
        kinds = [yaml.safe_load(d.text)["kind"] for d in output.documents]
        own = ["ServiceAccount", "NetworkPolicy", "ConfigMap", "ConfigMap", "Service", "Deployment"]
        assert kinds == ["Namespace", "ServiceAccount", "NetworkPolicy", *own]


def test_links_lead_somewhere() -> None:
    for text in [README, *(path.read_text() for path in (ROOT / "docs").glob("*.md"))]:
        folder = ROOT if text is README else ROOT / "docs"
        for link in re.findall(r"\]\(((?!https?:|#)[^)#]+)", text):
            assert (folder / link).exists(), link

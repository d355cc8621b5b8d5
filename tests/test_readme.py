"""What the README shows is what happens."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest

from renderer import pipeline
from renderer.errors import Severity
from renderer.model import Options
from renderer.registry import TARGETS, target
from tests.documents import DOCUMENTS
from tests.oracles import yaml_read

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
        kinds = [yaml_read(d.text)["kind"] for d in output.documents]
        own = ["ServiceAccount", "NetworkPolicy", "ConfigMap", "ConfigMap", "Service", "Deployment"]
        assert kinds == ["Namespace", "ServiceAccount", "NetworkPolicy", *own]


LINK = re.compile(r"\]\(((?!https?:)[^)]+)\)")


def anchors(text: str) -> set[str]:
    """Headings as code hosts name them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(path: Path) -> list[str]:
    text, found = path.read_text(encoding="utf-8"), []
    for link in LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(link)
    return found


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    assert dead_links(path) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](nothing.md) [b](page.md#nothing) [c](page.md#e-f) [d](#e-f) [e](#g) [f](.)\n\n## E `f`\n")
    assert dead_links(page) == ["nothing.md", "page.md#nothing", "#g"]


def test_the_readme_is_one_screen() -> None:
    assert README.count("\n") < 60

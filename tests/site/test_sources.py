"""The sources of the site: every document and every generated page, with links that hold there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from docs.site.sources import ROOT, contents, page_of, write_sources
from renderer import addresses, assets
from renderer.cli import COMMANDS
from renderer.rules import catalogue
from tests.documents import blocks


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    write_sources(folder)
    return folder


def test_every_document_stands_in_the_navigation() -> None:
    text = (ROOT / "docs/index.md").read_text()
    named = re.findall(r"^/(\S+)$", contents(text), re.M)
    pages = {page_of(path.relative_to(ROOT).as_posix()) for path in (ROOT / "docs").rglob("*.md")}
    missing = pages - {"index", *named}
    assert missing == set(), "link it from docs/index.md"
    assert len(named) == len(set(named)), "a page stands in the navigation once"


def test_every_command_and_rule_has_a_page(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COMMANDS:
        (block,) = blocks(site / f"commands/{name}.md")
        assert block.text.startswith(f"Usage: mcpctl {name}")
    monkeypatch.setattr(addresses, "DOCUMENTATION", "https://docs.example.com/")
    for name in catalogue():
        path = addresses.of_rule(name).removeprefix("https://docs.example.com/").replace(".html", ".md")
        assert f"\n# {name}\n\nLevel: " in (site / path).read_text()
        group = site / f"rules/{name.partition('/')[0]}.md"
        assert f"[{name}]({os.path.relpath(site / path, group.parent)})" in group.read_text()


def test_the_site_draws_no_diagram_of_a_document() -> None:
    """Code hosts draw Mermaid, the site has no program for it: a picture holds in both."""
    documents = (ROOT / "docs").rglob("*.md")
    assert [path.name for path in documents if any(block.language == "mermaid" for block in blocks(path))] == []


def test_schemas_are_in_one_place(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "DOCUMENTATION", "https://docs.example.com/")
    text = (site / "schemas.md").read_text()
    for name in assets.names("schemas"):
        assert f'href="{addresses.of_schema(name).removeprefix("https://docs.example.com/")}"' in text


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("docs/start/gitops.md", "start/gitops"),
        ("README.md", "index"),
        ("CONTRIBUTING.md", "contributing"),
        ("schemas/mcpserver.schema.json", "schemas"),
        ("renderer/pipeline.py", "files/renderer/pipeline.py"),
        ("docs/examples", "files/docs/examples"),
    ],
)
def test_each_path_has_a_page(path: str, page: str) -> None:
    assert page_of(path) == page


def links(page: Path) -> list[str]:
    text = re.sub(r"^ *```.*?^ *```$|`[^`\n]+`", "", page.read_text(), flags=re.M | re.S)
    return re.findall(r"\]\((?!https?:|#)([^)#]+)", text)


def test_links_lead_to_pages(site: Path) -> None:
    pages = [path for path in site.rglob("*.md") if not path.is_relative_to(site / "files")]
    assert [(page.name, link) for page in pages for link in links(page) if not (page.parent / link).exists()] == []
    assert (site / "files/docs/examples.md").read_text().count("kind: McpServer") > 10

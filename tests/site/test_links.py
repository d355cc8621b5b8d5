"""What the check of the built site finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.site.links import faults

CDN = "https://cdn.example.com/a.js"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="other.html#there">x</a><a href="#here" id="here">x</a><img src="picture.svg">', ""),
        ('<a href="https://example.com">x</a><a href="mailto:a@example.com">x</a><img src="data:,x">', ""),
        ('<a href="nothing.html">x</a>', "nothing.html leads nowhere"),
        ('<a href="folder/">x</a>', "folder/ leads nowhere"),
        ('<a href="other.html#gone">x</a>', "other.html#gone: the page has nothing of that name"),
        ('<a href="#gone">x</a>', "#gone: the page has nothing of that name"),
        ('<img src="gone.svg">', "gone.svg leads nowhere"),
        (f'<script src="{CDN}"></script>', f"{CDN} is loaded from another host"),
        ('<link href="//fonts.example.com/a.css">', "//fonts.example.com/a.css is loaded from another host"),
    ],
)
def test_dead_links_and_foreign_files_are_found(tmp_path: Path, html: str, expected: str) -> None:
    (tmp_path / "index.html").write_text(html)
    (tmp_path / "other.html").write_text('<h1 id="there">x</h1>')
    (tmp_path / "picture.svg").write_text("<svg/>")
    (tmp_path / "folder").mkdir()
    assert faults(tmp_path) == ([f"index.html: {expected}"] if expected else [])

"""A real browser, in which code hosts' Mermaid and our SVG are drawn: one start for all of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
#: The file mermaid.min.js of the npm package, which .ci/run fetches.
MERMAID = os.environ.get("MCPCTL_TEST_MERMAID", "")


class Drawing(NamedTuple):
    """What the browser made of one text: its error, or the texts that a reader sees."""

    error: str
    texts: list[str]
    width: float = 0


def missing() -> str:
    """Why nothing can be drawn here; empty where it can. In CI nothing may be missing."""
    reason = "" if CHROMIUM else "chromium is missing"
    reason = reason or ("" if Path(MERMAID).is_file() else "MCPCTL_TEST_MERMAID names no mermaid.min.js")
    if reason and os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI skips nothing")
    return reason


def draw(folder: Path, mermaid: dict[str, str], svg: dict[str, str]) -> dict[str, Drawing]:
    """All at once, by name."""
    texts = json.dumps({"mermaid": mermaid, "svg": svg}).replace("<", "\\u003c")
    script = Path(__file__).with_name("draw.js").read_text(encoding="utf-8")
    page = (
        f'<!doctype html><meta charset="utf-8"><body><script src="{Path(MERMAID).resolve().as_uri()}"></script>'
        f'<script type="application/json" id="texts">{texts}</script><script>{script}</script>'
    )
    (folder / "page.html").write_text(page, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000", "--dump-dom"]
    command = [CHROMIUM, *options, f"--user-data-dir={folder / 'profile'}", (folder / "page.html").as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = re.search(r'<pre id="result">(.*?)</pre>', run.stdout, re.DOTALL)
    assert found, run.stderr[-2000:]
    result: dict[str, dict[str, Any]] = json.loads(unescape(found[1]))
    return {name: Drawing(**each) for name, each in result.items()}

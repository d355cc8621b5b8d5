"""Drafts of what runs today, for tests."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

from renderer.importers.bulk import distinctly_named
from renderer.importers.draft import Choices, Draft, Outcome
from renderer.importers.formats import batches, load_foreign, recognise
from renderer.importers.spec_file import text_of
from renderer.importers.validation import adjusted

FOLDER = Path(__file__).parent / "live"
UPDATES = "MCPCTL_TEST_UPDATE_EXPECTED" in os.environ


def drafts_of(text: str, file: str = "-") -> list[Draft]:
    """Of all documents of a text, or of a file, tried for both targets."""
    sources, problems = load_foreign([file], BytesIO(text.encode()))
    assert problems == []
    by_format, unrecognised = recognise(sources)
    assert unrecognised == []
    drafts = [draft for form, batch in batches(by_format) for draft in form.read(batch, Choices(offline=True))]
    return [adjusted(draft) for draft in distinctly_named(drafts)]


def draft_of(text: str) -> Draft:
    """Of the only server."""
    (draft,) = drafts_of(text)
    assert draft.problems == (), draft.problems
    return draft


def expected(name: str, drafts: list[Draft]) -> tuple[str, str]:
    """The specs of all drafts with what was lost, and what is expected of them."""
    lost = [
        f"# lost: {'.'.join(map(str, entry.source))}: {entry.message}\n"
        for draft in drafts
        for entry in draft.entries
        if entry.outcome is Outcome.LOST and not entry.harmless
    ]
    text = "---\n".join(text_of(draft) for draft in drafts) + "".join(lost)
    path = FOLDER / "expected" / name
    if UPDATES:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return text, path.read_text()

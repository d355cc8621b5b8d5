"""The catalogue of rules: that each is explained, and that the document has the same words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from renderer import rules
from renderer.policy.catalogue import LEVELS, RULES

#: As users have them, not as other tests do.
pytestmark = pytest.mark.levels
DOCUMENT = Path(__file__).parents[1] / "docs" / "rules.md"
CATALOGUE = rules.catalogue()
EXPLAINED = rules.Explanation(
    "policy/x", "error", "a thing", "A thing:\n- here\n- there", "It hurts.", "Leave it.", "`accept`", adjustable=False
)


def test_every_policy_rule_is_in_the_catalogue_in_order() -> None:
    assert list(CATALOGUE) == sorted(CATALOGUE)
    assert RULES.keys() <= CATALOGUE.keys()


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_rule_is_explained(name: str) -> None:
    rule = CATALOGUE[name]
    assert rule.level in LEVELS
    assert min(len(text) for text in (rule.what, rule.why, rule.fix, rule.accept)) > 10
    assert rule.about[0].islower()
    assert not rule.about.endswith(".")
    assert f"rule: {name}" in rule.accept
    for _, text in rule.parts:
        assert "](" not in rules.plain(text)


def test_a_page_has_all_parts_and_lists_below_them() -> None:
    assert rules.page(EXPLAINED).splitlines() == [
        "Level: error, in every run: `--policy` cannot lower it.",
        "",
        "- **What**: A thing:",
        "  - here",
        "  - there",
        "- **Why**: It hurts.",
        "- **Fix**: Leave it.",
        "- **Accept**: `accept`",
    ]


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("see [access.md](access.md#x).", "see docs/access.md."),
        ("[`package.lock`](packages.md), or", "`package.lock` (docs/packages.md), or"),
        ("as [policy/y](#policyy) finds", "as policy/y finds"),
        ("`egress: [x]` (y)", "`egress: [x]` (y)"),
    ],
)
def test_links_become_words(markdown: str, text: str) -> None:
    assert rules.plain(markdown) == text


def test_the_document_has_the_same_words() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    head, heading, _ = text.partition("## policy/")
    if os.environ.get("MCPCTL_TEST_UPDATE_EXPECTED"):
        DOCUMENT.write_text(head + rules.sections(), encoding="utf-8")
    assert heading
    assert head + rules.sections() == text, "refresh it: MCPCTL_TEST_UPDATE_EXPECTED=1 pytest tests/test_rules.py"
    for rule in CATALOGUE.values():
        assert f"| [`{rule.id}`](#{rule.id.replace('/', '')}) | {rule.level} |" in head

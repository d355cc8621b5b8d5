"""The catalogue of rules: that each is explained, and that the document has the same words."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
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


def calls() -> Iterator[str]:
    """The ids that the program gives to problems, as far as they stand in its text."""
    for path in (Path(rules.__file__).parent).rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in ("Fault", "Problem"):
                for argument in call.args[1:3]:
                    text = argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)[2:-1]
                    if isinstance(text, str) and re.fullmatch(r"[a-z-]+/([a-z0-9-]+|\{.*\})", text):
                        yield text


def test_every_id_belongs_to_a_rule_or_to_a_group() -> None:
    found = {name.partition("/")[0] for name in calls()}
    assert found <= {*rules.GROUPS, "policy", "pod-security"}, "add the group to renderer/rules.py"
    assert len(found) > 10
    for prefix in rules.GROUPS:
        group = rules.of_group(prefix if "/" in prefix else f"{prefix}/x")
        assert group
        assert all(text[-1] in ".;`" or text.endswith("fixed") for _, text in group.parts)
    assert rules.of_group("nosuch/x") is rules.of_group("spec") is rules.of_group("spec/") is None


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

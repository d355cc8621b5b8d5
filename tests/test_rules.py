"""The catalogue of rules: that each is explained, and that the document has the same words."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest

from renderer import rules
from renderer.policy.catalogue import LEVELS, RULES
from tests.oracles import yaml_read

#: As users have them, not as other tests do.
pytestmark = pytest.mark.levels
DOCUMENT = Path(__file__).parents[1] / "docs" / "rules.md"
CATALOGUE = rules.catalogue()
EXPLAINED = rules.Explanation(
    "policy/x", "error", "a thing", "A thing:\n- here\n- there", "It hurts.", "Leave it.", "`accept`", adjustable=False
)


def test_every_rule_is_in_the_catalogue_in_order() -> None:
    assert list(CATALOGUE) == sorted(CATALOGUE)
    assert rules.policies().keys() == RULES.keys() <= CATALOGUE.keys()


def test_each_rule_is_explained() -> None:
    """In one test, as a row for each of hundreds takes a hundred times as long as what is looked at."""
    lacking = {name: [*lacks(name, rule)] for name, rule in CATALOGUE.items()}
    assert {name: what for name, what in lacking.items() if what} == {}


def lacks(name: str, rule: rules.Explanation) -> Iterator[str]:
    own = name in RULES
    if rule.level not in (LEVELS if own else ("error", "warning", rules.MIXED)):
        yield f"no such level: {rule.level}"
    if min(len(text) for text in (rule.what, rule.why, rule.fix, rule.accept)) <= 7:
        yield "a part is too short"
    if rule.about[:2].istitle() or rule.about.endswith("."):
        yield f"is no part of a sentence: {rule.about}"
    if own and f"rule: {name}" not in rule.accept:
        yield f"does not say how to accept it: {rule.accept}"
    for part, text in rule.parts:
        if "](" in rules.plain(text):
            yield f"has a link: {part}"
        if not (text[-1] in ".`;:" or own or text == rule.accept):
            yield f"has no end: {part}"


def test_what_is_lacking_is_found() -> None:
    """Of the checks above, each fires."""
    rule = EXPLAINED._replace(level="bad", about="A thing.", why="see x](y", fix="Leave it", accept="no")
    assert [*lacks("schema/type", rule)] == [
        "no such level: bad",
        "a part is too short",
        "is no part of a sentence: A thing.",
        "has no end: What",
        "has a link: Why",
        "has no end: Why",
        "has no end: Fix",
    ]
    assert "does not say how to accept it: no" in lacks(next(iter(RULES)), rule)


#: Functions that give a problem its id: the position of the id among the parameters, what stands before it, and how
#: heavy the problem is that they make (``error`` where the caller says it).
Makers = dict[str, tuple[int, str, str]]


class Called(NamedTuple):
    """A call in the text of a module, the functions around it, and the simple statement, where it is in one."""

    name: str
    call: ast.Call
    functions: tuple[ast.FunctionDef, ...]
    statement: ast.stmt | None

    def id(self, makers: Makers) -> Iterator[tuple[ast.expr, str, str]]:
        """If it is of those, the argument that is the id, what stands before it, and how heavy it is."""
        if self.name in makers:
            position, prefix, severity = makers[self.name]
            named = [keyword.value for keyword in self.call.keywords if keyword.arg == "rule"]
            for argument in [*self.call.args[position : position + 1], *named][:1]:
                yield argument, prefix, severity


@cache
def trees() -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in Path(rules.__file__).parents[1].rglob("*.py"))


def calls(tree: ast.Module) -> Iterator[Called]:
    left: list[tuple[ast.AST, tuple[ast.FunctionDef, ...], ast.stmt | None]] = [(tree, (), None)]
    while left:
        node, functions, statement = left.pop()
        if isinstance(node, ast.FunctionDef):
            functions = (*functions, node)
        elif isinstance(node, ast.Expr | ast.Return | ast.Assign | ast.AugAssign | ast.Raise):
            statement = node
        elif isinstance(node, ast.Call):
            yield Called(getattr(node.func, "attr", getattr(node.func, "id", "")), node, functions, statement)
        left += [(child, functions, statement) for child in ast.iter_child_nodes(node)]


def makers_of(called: Sequence[Called], others: Makers, counts: Callable[[str], bool]) -> Makers:
    """Fault, Problem, ``others``, and of the functions those that hand one of their parameters on as the id."""
    makers: Makers = {"Fault": (1, "", "error"), "Problem": (2, "", "error"), **others}
    while True:
        known = dict(makers)
        for each in called:
            for argument, prefix, severity in each.id(makers):
                before, _, name = ast.unparse(argument).removeprefix("f").strip("'").rpartition("/")
                for function in each.functions:
                    parameters = [argument.arg for argument in function.args.args if argument.arg != "self"]
                    if counts(function.name) and name.strip("{}") in parameters:
                        warns = "warning" if "Severity.WARNING" in ast.unparse(function) else severity
                        prefix = prefix or (f"{before}/" if before else "")
                        makers[function.name] = (parameters.index(name.strip("{}")), prefix, warns)
        if makers == known:
            return makers


@cache
def ids() -> dict[str, set[str]]:
    """The ids that the program gives to problems, as far as they stand in its text, and how heavy each can be."""
    modules = [list(calls(tree)) for tree in trees()]
    public = makers_of([each for called in modules for each in called], {}, lambda name: not name.startswith("_"))
    levels: dict[str, set[str]] = {}
    for called in modules:
        makers = makers_of(called, public, lambda name: name.startswith("_") or name == "problem")
        for each in called:
            for argument, prefix, severity in each.id(makers):
                if each.statement and isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    heavy = "warning" if "Severity.WARNING" in ast.unparse(each.statement) else severity
                    levels.setdefault(f"{prefix}{argument.value}", set()).add(heavy)
    return {name: heavy for name, heavy in levels.items() if re.fullmatch(r"[a-z-]+/[a-z0-9-]+", name)}


@cache
def constants() -> set[str]:
    """Every text of the program, and the words in it: some ids are put together."""
    return {
        word
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in (node.value.lstrip("/"), *(node.value.split() if len(node.value) < 200 else ()))
    }


PUT_TOGETHER = {
    *(f"api/{key}-key" for key in ("annotation", "label")),
    *(f"compose/undefined-{part}" for part in ("config", "model", "network", "secret", "service", "volume")),
}
KEYWORDS = jsonschema.Draft202012Validator.VALIDATORS.keys()


def test_every_id_is_explained() -> None:
    assert len(ids()) > 200
    assert ids().keys() - CATALOGUE.keys() == set(), "explain it in renderer/rules/"


def test_the_level_is_that_of_the_problem() -> None:
    others = {
        name: levels
        for name, levels in ids().items()
        if name in CATALOGUE.keys() - RULES.keys() and not levels <= set(CATALOGUE[name].level.split(" or "))
    }
    assert others == {}, "renderer/rules/"


@pytest.mark.parametrize("file", sorted(Path(rules.__file__).parent.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_texts_have_known_parts_and_a_rule_each(file: Path) -> None:
    for name, text in yaml_read(file.read_text(encoding="utf-8")).items():
        assert {"what"} <= text.keys() <= {"what", "why", "fix", "level", "accept"}, name
        assert all(isinstance(part, str) for part in text.values()), name
        group, rule = name.split("/") if "/" in name else (file.stem, name)
        assert group in (*rules.GROUPS, "policy")
        keyword = re.sub("-(.)", lambda letter: letter[1].upper(), rule)  # of JSON Schema
        known = {*constants(), *PUT_TOGETHER, *(KEYWORDS if group == "schema" else ())}
        assert {f"{group}/{rule}", rule, keyword} & known, f"nothing has the id {group}/{rule}"


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
    for rule in rules.policies().values():
        assert f"| [`{rule.id}`](#{rule.id.replace('/', '')}) | {rule.level} |" in head

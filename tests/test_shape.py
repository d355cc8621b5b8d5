"""The shape of the package: how long its modules are, how deep its imports go, and what is imported late."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "renderer"
MOST_LINES = 400
LONGEST_CHAIN = 14
MOST_LATE_IMPORTS = 12
Imports = dict[str, set[str]]


@cache
def modules() -> dict[str, Path]:
    """Every module by its dotted name."""
    named = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


def imported(node: ast.AST) -> Iterator[tuple[int, bool, str]]:
    """Line, whether it is inside of a function, and module of each import of ours, but for those of types alone."""

    def below(parent: ast.AST, late: bool) -> Iterator[tuple[int, bool, str]]:
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, ast.expr):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((child.lineno, late, each.name) for each in child.names if each.name in modules())
            elif isinstance(child, ast.ImportFrom) and child.module:
                names = {f"{child.module}.{each.name}" for each in child.names} & modules().keys() or {child.module}
                yield from ((child.lineno, late, name) for name in sorted(names) if name in modules())
            yield from below(child, late or isinstance(child, ast.FunctionDef))

    return below(node, False)


@cache
def imports() -> dict[str, list[tuple[int, bool, str]]]:
    return {name: list(imported(ast.parse(path.read_text()))) for name, path in modules().items()}


def longest_chain(edges: Imports) -> list[str]:
    """The longest chain of imports, from the top; ValueError names a circle."""
    known: dict[str, list[str]] = {}

    def chain(name: str, above: tuple[str, ...]) -> list[str]:
        if name in above:
            raise ValueError(" -> ".join([*above[above.index(name) :], name]))
        if name not in known:
            known[name] = [name, *max((chain(each, (*above, name)) for each in edges[name]), key=len, default=[])]
        return known[name]

    return max((chain(name, ()) for name in edges), key=len)


def test_modules_fit_on_some_screens() -> None:
    lines = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


@pytest.mark.slow
def test_imports_run_in_no_circle_and_not_deep() -> None:
    edges = {name: {module for _, _, module in found} - {name} for name, found in imports().items()}
    assert len(chain := longest_chain(edges)) <= LONGEST_CHAIN, chain


@pytest.mark.slow
def test_late_imports_are_few_and_say_what_they_save() -> None:
    late = [(name, line) for name, found in imports().items() for line, late, _ in found if late]
    silent = []
    for name, line in late:
        text = modules()[name].read_text().splitlines()
        if not re.search(r"#.*\d ms", "\n".join(text[max(line - 3, 0) : line])):
            silent.append(f"{name}:{line}")
    assert silent == [], "name the milliseconds that it saves in a comment"
    assert len(late) <= MOST_LATE_IMPORTS, late


def test_what_later_stands_for_is_seen_by_the_contracts_and_says_what_it_saves() -> None:
    """``x = later("renderer.x")  # 5 ms``, beside an import of the same for types: the contracts read that one."""
    for name, path in modules().items():
        text = path.read_text()
        for variable, module, comment in re.findall(r'^    (\w+) = later\("([\w.]+)"\)(.*)$', text, re.MULTILINE):
            package, _, last = module.rpartition(".")
            statement = rf"from {package} import .*\b{last}\b" if package else rf"import {last}$"
            assert re.search(rf"^    {statement}", text, re.MULTILINE), (name, module)
            assert variable in (last, f"_{last}"), (name, module)
            assert re.search(r"# .*\d ms", comment), (name, module)
            assert module in modules() or module.partition(".")[0] in sys.stdlib_module_names, (name, module)
        if not name.endswith(".later"):
            assert text.count(" later(") == len(re.findall(r"^    \w+ = later\(\"", text, re.MULTILINE)), name


def test_the_measures_are_right() -> None:
    source = "import renderer.errors\nif TYPE_CHECKING:\n    import renderer\ndef f():\n    from renderer import load\n"
    assert list(imported(ast.parse(source))) == [(1, False, "renderer.errors"), (5, True, "renderer.load")]
    assert longest_chain({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="a -> b -> a"):
        longest_chain({"a": {"b"}, "b": {"a"}})

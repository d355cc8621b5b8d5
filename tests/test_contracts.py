"""The contracts on imports (pyproject.toml) and on the rest: each is broken in every module, and seen to refuse it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import NOT_QUICK, TESTS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "renderer"
FORBIDDEN = ("jinja2", "subprocess", "multiprocessing", "concurrent", "asyncio", "pty")
#: Which module, or package, may import it.
MAY = {"jinja2": "render", "subprocess": "command"}


def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name without ``renderer.``."""
    paths = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in paths.items() if name != "__init__"}


def lint(folder: Path, change: Callable[[Path], None]) -> tuple[int, str]:
    """Exit code and words of lint-imports for a copy of the package with a change."""
    shutil.copytree(PACKAGE, folder / "renderer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    change(folder / "renderer")
    run = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", run, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "1000", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Contracts" in done.stdout, done.stderr
    return done.returncode, done.stdout


def test_the_package_keeps_the_contracts(tmp_path: Path) -> None:
    code, said = lint(tmp_path, lambda package: None)
    assert code == 0, said


@pytest.fixture(scope="module")
def of_violations(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a package in which each module imports what it may not."""

    def plant(package: Path) -> None:
        for path in package.rglob("*.py"):
            with path.open("a") as file:
                file.write("".join(f"import {name}\n" for name in FORBIDDEN))
                if path.parent != package or path.stem not in ("__init__", "__main__"):
                    file.write("import renderer.__main__\n")

    code, said = lint(tmp_path_factory.mktemp("violations"), plant)
    assert code == 1
    return said


def test_no_module_may_import_what_only_one_may(of_violations: str) -> None:
    reported = set(re.findall(r"renderer\.(\S+) -> (\w+)", of_violations))
    expected = {(name, library) for name in modules() for library in FORBIDDEN}
    may = {(name, library) for library, package in MAY.items() for name in modules() if name.split(".")[0] == package}
    assert expected - reported == may


def test_no_layer_may_import_one_above_it(of_violations: str) -> None:
    layers = {name.partition(".")[0] for name in modules()} - {"__main__"}
    refused = set(re.findall(r"renderer\.(\w+) is not allowed to import renderer\.__main__", of_violations))
    assert layers - refused == set()


def test_a_module_without_a_layer_and_a_target_that_imports_another_are_refused(tmp_path: Path) -> None:
    def plant(package: Path) -> None:
        (package / "surplus.py").touch()
        with (package / "targets/compose/__init__.py").open("a") as file:
            file.write("import renderer.targets.kubernetes\n")

    code, said = lint(tmp_path, plant)
    assert code == 1
    assert "surplus" in said
    assert "renderer.targets.compose is not allowed to import renderer.targets.kubernetes" in said


# ---------------------------------------------------------------------------------------------
# What is done without an import of its own.

#: What the call matches, the modules that may do it (the first word of their names), and a line that does it.
CALLS = {
    "starts a process": (
        r"os\.(fork|forkpty|popen|system|exec\w*|spawn\w*|posix_spawnp?)",
        {"command", "parallel"},
        "os.execvp",
    ),
    "ends the run": (r"(sys\.exit|os\._exit|os\.abort|exit|quit)", {"cli", "__main__", "parallel"}, "sys.exit"),
    "prints": (r"(print|input|sys\.std(in|out|err)(\.\w+)*|click\.(echo|secho))", {"cli"}, "print"),
    "imports by name, around the contracts": (
        r"(__import__|import_module|importlib\.import_module|exec|eval)",
        {"__main__", "cli", "registry", "orchestrators", "doctor", "render", "later"},
        "importlib.import_module",
    ),
}


@cache
def called(source: str) -> list[tuple[int, str]]:
    """Line and function of each call."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [(node.lineno, dotted(node.func)) for node in nodes]


def dotted(function: ast.expr) -> str:
    """As it stands there; of what is called in another way, the names behind it."""
    if isinstance(function, ast.Attribute):
        return f"{dotted(function.value)}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def calls(source: str, pattern: str) -> list[int]:
    """The lines that call what matches."""
    return [line for line, function in called(source) if re.fullmatch(pattern, function)]


def test_only_these_modules_do_it() -> None:
    """In one test, as all read every module."""
    for what, (pattern, may, example) in CALLS.items():
        assert calls(f"import {example.partition('.')[0]}\ndef f():\n    {example}('x')\n", pattern) == [3]
        does = {name for name, path in modules().items() if calls(path.read_text(), pattern)}
        assert {name for name in does if name.partition(".")[0] not in may} == set(), what


def test_marks_are_of_files_that_exist() -> None:
    assert [path for path in NOT_QUICK if not (TESTS / path).exists()] == []


def test_the_architecture_names_modules_that_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text().partition("## Decisions")[0]
    cells = [re.findall(r"`([a-z_/]+)`", line) for line in text.splitlines() if line.startswith("| ")]
    names = {name.removesuffix("/").replace("/", ".") for cell in cells for name in cell if "-" not in name}
    assert len(names) > 20
    assert names - modules().keys() == set()

"""What a short run does not import: most of a cold start is imports. No test measures time."""

from __future__ import annotations

import inspect
import subprocess
import sys

import click
import pytest

from renderer.__main__ import cleandoc
from renderer.cli import COMMANDS, mcpctl
from tests.cli.commands import ROOT

#: By command: packages and modules that it must leave alone.
APART = ("renderer.importers", "renderer.exporters", "renderer.diff", "renderer.doctor", "renderer.orchestrators")
HELP = (
    *(*APART, "renderer.pipeline", "renderer.policy", "renderer.render", "jsonschema_rs"),
    *("hashlib", "inspect", "signal"),
)
HELP_OF_RUNTIME = tuple(name for name in HELP if name not in ("renderer.orchestrators", "signal"))
NOT_IMPORTED = {
    "--help": (*APART, "renderer.model", "renderer.report", "renderer.credentials", "json", "inspect", "pathlib"),
    "render --help": HELP,
    "validate --help": HELP,
    **dict.fromkeys(("diff --help", "explain --help", "import --help"), HELP),
    "apply --help": (*HELP_OF_RUNTIME, "renderer.schemas", "renderer.load", "subprocess", "ssl"),
    "list --help": (*HELP_OF_RUNTIME, "renderer.schemas", "renderer.load", "subprocess", "ssl", "importlib.metadata"),
    "version --help": (*HELP, "importlib.metadata", "tomllib"),
    "render -q docs/examples/sqlite.yaml": (
        *(*APART, "renderer.graph", "renderer.pinning", "renderer.check.compose", "renderer.schemas.messages"),
        *("subprocess", "multiprocessing", "concurrent.futures", "asyncio", "rich", "detect_secrets"),
        *("shutil", "textwrap"),
    ),
}
#: That none of them needs. In a wheel a render does without Jinja, and what Jinja imports, too.
UNUSED = {"dataclasses", "email.utils", "fractions", "gettext", "locale", "platform", "shlex", "uuid", "yaml"}
SCRIPT = """
import os, sys
from renderer import __main__, later
def end(code):
    imported = [name for name, module in sys.modules.items() if not isinstance(module, later.later)]
    sys.stderr.write(f"{int(code)} {' '.join(imported)}")
    sys.stderr.flush()
    ended(code)
ended, os._exit = os._exit, end
__main__.run()
"""


@pytest.mark.parametrize("command", NOT_IMPORTED)
@pytest.mark.slow
def test_a_short_run_imports_nothing_that_it_does_not_use(command: str) -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT, *command.split()], cwd=ROOT, capture_output=True, check=True)
    code, *imported = run.stderr.decode().splitlines()[-1].split()
    assert (code, run.stdout != b"") == ("0", True)
    assert not {*NOT_IMPORTED[command], *UNUSED} & {*imported}
    assert "click" in imported


def test_texts_of_help_are_what_inspect_makes_of_them() -> None:
    group = click.Context(mcpctl)
    commands = [mcpctl, *(mcpctl.get_command(group, name) for name in COMMANDS)]
    texts = [text for command in commands if command for text in (command.callback.__doc__, command.epilog) if text]
    texts += ["", "one", "  one  ", "one\n\n    two\n\tthree\n  \n", "\n  one\n    two\n\n\n", "one\n two  "]
    assert [cleandoc(text) for text in texts] == [inspect.cleandoc(text) for text in texts]

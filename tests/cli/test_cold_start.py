"""What a short run does not import: most of a cold start is imports. No test measures time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.commands import ROOT

#: By command: packages and modules that it must leave alone. In a wheel a render does without Jinja too.
APART = ("renderer.importers", "renderer.exporters", "renderer.diff", "renderer.doctor", "renderer.orchestrators")
NOT_IMPORTED = {
    "--help": (*APART, "renderer.model", "renderer.report", "renderer.credentials", "pathlib", "jinja2", "yaml"),
    "render --help": (*APART, "renderer.pipeline", "renderer.policy", "renderer.render", "jsonschema_rs", "jinja2"),
    "validate --help": (*APART, "renderer.pipeline", "renderer.policy", "renderer.render", "jsonschema_rs", "jinja2"),
    "render -q docs/examples/sqlite.yaml": (
        *(*APART, "renderer.graph", "renderer.pinning", "renderer.check.compose", "renderer.schemas.messages"),
        *("yaml", "subprocess", "multiprocessing", "concurrent.futures", "asyncio", "rich", "detect_secrets"),
    ),
}
SCRIPT = """
import sys
from renderer.cli import main
code = main(sys.argv[1:])
sys.stderr.write(f"{int(code)} {' '.join(sys.modules)}")
"""


@pytest.mark.parametrize("command", NOT_IMPORTED)
@pytest.mark.slow
def test_a_short_run_imports_nothing_that_it_does_not_use(command: str) -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT, *command.split()], cwd=ROOT, capture_output=True, check=True)
    code, *imported = run.stderr.decode().splitlines()[-1].split()
    assert (code, run.stdout != b"") == ("0", True)
    assert not {*NOT_IMPORTED[command]} & {*imported}
    assert "click" in imported

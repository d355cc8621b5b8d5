"""``--policy`` of the commands that check."""

from __future__ import annotations

import subprocess
import sys

import pytest

from renderer.errors import Exit
from tests.cli.commands import Mcpctl

DIGEST = "policy/image-digest"


@pytest.mark.parametrize("command", ["render", "validate"])
@pytest.mark.usefixtures("specs")
def test_a_rule_is_turned_on_for_a_run(mcpctl: Mcpctl, command: str) -> None:
    assert DIGEST not in mcpctl(command, "good.yaml").err
    warned = mcpctl(command, "good.yaml", "--policy", "image-digest=warning")
    assert (warned.code, DIGEST in warned.err) == (Exit.FINE, True)
    refused = mcpctl(command, "good.yaml", "--policy", f"{DIGEST}=error")
    assert (refused.code, DIGEST in refused.err) == (Exit.INPUT_INVALID, True)
    assert not refused.out


@pytest.mark.parametrize("command", ["render", "validate"])
@pytest.mark.usefixtures("specs")
def test_a_rule_that_is_none(mcpctl: Mcpctl, command: str) -> None:
    run = mcpctl(command, "good.yaml", "--policy", "image-digst=off")
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert "did you mean 'policy/image-digest'?" in run.err


@pytest.mark.usefixtures("specs")
@pytest.mark.slow
def test_where_nothing_looks_like_a_secret_the_library_is_not_imported() -> None:
    program = (
        "import sys; from renderer.cli import main; main(['render', '-q', 'good.yaml']); "
        "sys.exit('detect_secrets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0

"""Runs the programs that are rendered into manifests, where what they do is no matter of the process."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from types import CodeType

import pytest


@cache
def _compiled(text: str) -> CodeType:
    return compile(text, "<string>", "exec")


def python(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What ``python3 -c text arguments`` does, in this process: to start one takes fifty times as long."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        warnings.simplefilter("ignore", ResourceWarning)  # its files are open to its end, as a process's are
        patch.setattr(sys, "argv", ["-c", *arguments])
        patch.setattr(sys, "orig_argv", [sys.executable, "-c", text, *arguments])
        try:
            exec(_compiled(text), {"__name__": "__main__"})
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                err.write(f"{end.code}\n")
    return subprocess.CompletedProcess([text, *arguments], code, out.getvalue(), err.getvalue())

"""Runs the command line: in this process, or as a program of its own where the process matters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from renderer.cli import main

ROOT = Path(__file__).parent.parent.parent
GOOD = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: demo}
spec:
  image: registry.example.com/mcp/demo:1.0
  transport: {type: streamable-http}
"""
ENVIRONMENT = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  target: kubernetes
  namespace: {name: tools, create: true}
"""
#: One error and no more.
BAD = GOOD.replace("spec:\n", "spec:\n  replicas: -1\n")
#: Holds, with one warning.
WARNED = GOOD.replace("streamable-http}", "streamable-http, port: 80}")
#: Holds as a spec, and what is made of it does not.
BROKEN = GOOD + '  patches: [{kind: Deployment, merge: {spec: {replicas: "many"}}}]\n'


class Run(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Mcpctl = Callable[..., Run]


def in_process(capture: pytest.CaptureFixture[bytes], *arguments: str | os.PathLike[str]) -> Run:
    """The exit code and streams of ``main``."""
    capture.readouterr()
    code = main([os.fspath(argument) for argument in arguments])
    out, err = capture.readouterr()
    return Run(int(code), out.decode(), err.decode())


def as_program(*arguments: str | bytes, stdin: Any = "", env: Mapping[str, str] | None = None, **options: Any) -> Run:
    """The same of ``python -m renderer``; ``stdin`` is text, or what subprocess takes."""
    given = {"input": stdin.encode()} if isinstance(stdin, str) else {"stdin": stdin}
    outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done = subprocess.run(
        [sys.executable, "-m", "renderer", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **(env or {})},
        timeout=60,
        check=False,
        **{**outputs, **given, **options},
    )
    return Run(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())

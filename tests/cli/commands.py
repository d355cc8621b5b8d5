"""Runs the command line: in this process, or as a program of its own where the process matters."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from renderer.cli import main
from tests.starts import mcpctl

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
    """The same of a process; ``stdin`` is text, or what subprocess takes."""
    given = {"input": stdin.encode()} if isinstance(stdin, str) else {"stdin": stdin}
    outputs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done = subprocess.run(
        [*mcpctl(), *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **(env or {})},
        timeout=60,
        check=False,
        **{**outputs, **given, **options},
    )
    return Run(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())


@contextmanager
def on_terminal(monkeypatch: pytest.MonkeyPatch, stream: str, **environ: str) -> Iterator[Callable[[], str]]:
    """With ``sys.stdout`` or ``sys.stderr`` on a terminal; what is yielded reads what was written there."""
    master, slave = os.openpty()

    def read() -> str:
        text = b""
        while select.select([master], [], [], 0)[0]:  # a terminal hands it over in pieces
            text += os.read(master, 65536)
        return text.decode().replace("\r\n", "\n")

    with monkeypatch.context() as patch, open(slave, "w", encoding="utf-8") as terminal:
        for name, value in {"TERM": "xterm", "NO_COLOR": "", "FORCE_COLOR": "", **environ}.items():
            patch.setenv(name, value)
        patch.setattr(f"sys.{stream}", terminal)
        yield read
    os.close(master)

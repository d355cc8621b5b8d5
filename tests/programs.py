"""Runs the programs that are rendered into manifests, where what they do is no matter of the process."""

from __future__ import annotations

import atexit
import io
import json
import os
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from types import CodeType
from typing import IO

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


#: Runs the programs of Node.js that its lines name, each in a thread of its own.
_THREADS = """
const { Worker } = require("worker_threads");
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { file, argv, env } = JSON.parse(line);
  const worker = new Worker(file, { argv, env, execArgv: [], stderr: true });
  let words = "", code = null, ended = false;
  const answer = () => ended && code !== null && console.log(JSON.stringify([code, words]));
  worker.stderr.on("data", (text) => { words += text; }).on("end", () => { ended = true; answer(); });
  worker.on("exit", (exit) => { code = exit; answer(); });
});
"""


@cache
def _threads() -> tuple[IO[str], IO[str]]:
    """What the process takes and answers; it ends with this one."""
    process = subprocess.Popen(["node", "-e", _THREADS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)
    assert process.stdin
    assert process.stdout
    return process.stdin, process.stdout


def node(file: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What ``node file arguments`` does, if it takes no input and prints only errors: in one process for all."""
    calls, answers = _threads()
    print(json.dumps({"file": file, "argv": arguments, "env": {**os.environ}}), file=calls, flush=True)
    code, words = json.loads(answers.readline())
    return subprocess.CompletedProcess([file, *arguments], code, "", words)

"""The blocks of the documents, and a shell that runs what they show: mcpctl in this process, the rest in bash."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
_PROMPT = "$ "
#: Programs that need a network, a runtime or a person. What stands for one sees whether the files that it is to read
#: are there, and takes what comes on stdin.
_STAND_IN = """\
#!/bin/sh
name=${0##*/}
for word in "$@"; do
  case $last in -f|-k|--filename) [ "$word" = - ] || [ -e "$word" ] || { echo "$name: no $word" >&2; exit 1; };; esac
  last=$word
done
[ "$last" = - ] && cat >/dev/null
[ "$name $1" != "docker compose" ] || [ -e compose.yaml ] || { echo "docker: no compose.yaml" >&2; exit 1; }
exit 0
"""
_STAND_INS = ("kubectl", "docker", "flux", "kind", "less", "uv", "npm", "pipx", "uvx", "pip", "pre-commit")


class Block(NamedTuple):
    """``line`` is that of the opening fence."""

    document: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


class Call(NamedTuple):
    """A line of shell, and the lines that a document shows below it; None where it shows nothing."""

    line: str
    shown: tuple[str, ...] | None


class Done(NamedTuple):
    code: int
    output: str
    errors: str


def blocks(path: Path, text: str | None = None) -> Iterator[Block]:
    """All fenced blocks of a document, without the indentation of a list."""
    text = path.read_text(encoding="utf-8") if text is None else text
    for fenced in _FENCED.finditer(text):
        indent, language, body = fenced.groups()
        lines = [line.removeprefix(indent) for line in body.splitlines()]
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
        yield Block(name, text.count("\n", 0, fenced.start()) + 1, language, "\n".join(lines) + "\n")


def calls(block: Block) -> list[Call]:
    """Of a transcript each command with what follows it; of a script its lines."""
    found: list[Call] = []
    shown: list[str] = []
    text = block.text.replace("\\\n", " ")
    if block.language == "sh":
        lines = (_without_comment(line) for line in text.splitlines())
        return [Call(line, None) for line in lines if line]
    for line in text.splitlines():
        if line.startswith(_PROMPT):
            shown = []
            found.append(Call(_without_comment(line.removeprefix(_PROMPT)), None))
        else:
            assert found, f"{block.place}: a transcript begins with '$ '"
            shown.append(line)
            found[-1] = Call(found[-1].line, tuple(shown))
    return found


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s+)# .*", "", line).strip()


def differs(shown: Sequence[str], printed: str) -> str:
    """The first shown line that was not printed in this order; empty where all were.

    '…' stands for any text, and alone in a line for any number of lines.
    """
    lines = iter(printed.splitlines())
    skipping = False
    for wanted in shown:
        if wanted.strip() == "…":
            skipping = True
            continue
        pattern = re.compile(".*".join(map(re.escape, wanted.rstrip().split("…"))))
        matched = any(pattern.fullmatch(line.rstrip()) for line in (lines if skipping else [next(lines, "")]))
        if not matched:
            return wanted
        skipping = False
    left = next(lines, None)
    return "" if skipping or left is None else f"the end; it goes on with: {left}"


class Shell:
    """Runs lines in ``folder``. ``main`` is the command line of mcpctl; ``setenv`` holds for the lines that follow."""

    def __init__(self, folder: Path, main: Callable[[Sequence[str]], Done], setenv: Callable[[str, str], None]) -> None:
        self._programs = folder.parent / "programs"
        self._main = main
        self._setenv = setenv
        self._programs.mkdir(exist_ok=True)
        for name in _STAND_INS:
            self._program(name, _STAND_IN)
        self._program("mcpctl", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m renderer "$@"\n')
        os.chdir(folder)

    def _program(self, name: str, text: str) -> None:
        path = self._programs / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, line: str) -> Done:
        if exported := re.fullmatch(r"export (\w+)=([\w./-]+)", line):
            self._setenv(exported[1], exported[2])
            return Done(0, "", "")
        if piped := re.fullmatch(r"(mcpctl [^|<>&;$`]*)([|>])(.*)", line):
            first = self.run(piped[1])
            rest = self._foreign(piped[3] if piped[2] == "|" else f"cat >{piped[3]}", first.output)
            return Done(first.code or rest.code, rest.output, first.errors + rest.errors)
        commands = self._own(line)
        if not commands:
            return self._foreign(line)
        done = Done(0, "", "")
        for command in commands:
            last = self._main(command)
            done = Done(last.code, done.output + last.output, done.errors + last.errors)
            if last.code:
                break
        return done

    def _own(self, line: str) -> list[list[str]]:
        """The words of each mcpctl of a line that holds nothing else; else none."""
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        commands: list[list[str]] = [[]]
        for word in lexer:
            if word == "&&":
                commands.append([])
            elif set(word) <= set("|&;<>()") or re.search(r"[$`]|^\w+=|^!$", word):
                return []
            else:
                commands[-1].append(os.path.expanduser(word))
        return [words[1:] for words in commands] if all(words[:1] == ["mcpctl"] for words in commands) else []

    def _foreign(self, line: str, stdin: str = "") -> Done:
        """In bash, which also says in which folder it ended."""
        folder = self._programs / ".folder"
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", f"{line}\npwd >{shlex.quote(str(folder))}"],
            env={
                **os.environ,
                "PATH": f"{self._programs}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "EDITOR": "true",
            },
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0:
            os.chdir(folder.read_text().strip())
        return Done(done.returncode, done.stdout, done.stderr)

"""Shells and other programs that start the server's: followed where they start one command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from renderer.errors import excerpt
from renderer.importers.starting import OF_MACHINE, Starting
from renderer.importers.values import Word


def script(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    what = f": '{excerpt(words[0].text, 80)}'" if words else ""
    starting.refuse(words[0] if words else first, f"{OF_MACHINE}{what}")


def shell(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``sh -c TEXT``: what is one plain command is followed; anything else needs a shell."""
    rest = list(words)
    while rest and re.fullmatch(r"-[a-z]+|--login", rest[0].text):
        option = rest.pop(0)
        starting.reading.note(option.source, None, "an option of the shell")
    if not rest:
        starting.refuse(first, "it starts a shell without a command")
        return
    text = rest[0].text.strip()
    try:
        plain = [] if re.search(r"[;&|<>`\n]|\$\(|\*", text) else shlex.split(text.removeprefix("exec "))
    except ValueError:
        plain = []
    if not plain or len(rest) > 1:
        hint = "write the command itself, without a shell"
        starting.refuse(rest[0], "it is more than one command, which a shell of that machine runs", hint)
        return
    starting.reading.note(rest[0].source, None, "the command of a shell")
    starting.start([Word(word, rest[0].source) for word in plain])


def cmd(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``cmd /c npx …`` of Windows."""
    rest = list(words)
    while rest and re.fullmatch(r"/[a-zA-Z]|-[a-zA-Z]|--", rest[0].text):
        starting.reading.note(rest.pop(0).source, None, "an option of the shell")
    if not rest:
        starting.refuse(first, "it starts a shell without a command")
    elif len(rest) == 1 and " " in rest[0].text:
        shell(starting, first, rest)
    else:
        starting.start(rest)


def env(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``env NAME=VALUE … program``."""
    rest = list(words)
    while rest and (match := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", rest[0].text, re.DOTALL)):
        starting.values.variable(match[1], match[2], rest.pop(0).source)
    if rest and not rest[0].text.startswith("-"):
        starting.start(rest)
    else:
        starting.refuse(first, "it starts no program that is known")

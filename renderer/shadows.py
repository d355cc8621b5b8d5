"""Templates of users: the files of a folder, each in place of the built-in template of the same path.

An ejected template begins with a comment that says which version of the built-in one it was made from; so it can
be told when that one has changed since.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from typing import NamedTuple

from renderer import __version__, assets
from renderer.errors import Place, Problem, Severity, excerpt

ENDING = ".j2"
#: More than all built-in templates together, and less than anybody waits for.
LARGEST_FILE = 256 << 10
MOST_FILES = 1000

#: What no run reads from here, or what no check reads back, so that nobody would know what it has become.
_FIXED: Mapping[str, str] = {
    "init/mcpserver.yaml.j2": "only 'mcpctl init' reads it",
    "kubernetes/kustomization.yaml.j2": "what it makes is not checked afterwards",
    "kubernetes/secret.yaml.example.j2": "what it makes is not checked afterwards",
}
_HEADER = re.compile(r"\{# mcpctl eject: (\S+) of mcpctl (\S+), sha256:([0-9a-f]{64}) #\}\n")


class Shadows(NamedTuple):
    """The templates of a folder: name to text. ``folder`` is shown in front of the names."""

    folder: str
    texts: Mapping[str, str]

    def place(self, name: str, line: int = 0) -> Place:
        """Where a template of the user stands."""
        return Place(f"{self.folder}/{name}", line)


def replaceable() -> list[str]:
    """The names of all built-in templates that a user's may stand for, sorted."""
    return [name for name in assets.names("templates") if name.endswith(ENDING) and name not in _FIXED]


def ejected(name: str) -> str:
    """A built-in template, to be changed: with the header that says what it was made from."""
    text = _built_in(name)
    return f"{{# mcpctl eject: {name} of mcpctl {__version__}, sha256:{_digest(text)} #}}\n{text}"


def read_folder(folder: str) -> tuple[Shadows, list[Problem]]:
    """The templates of a folder, and all Problems with its files: errors, and warnings of outdated templates.

    Hidden files, Markdown and what editors leave behind are no templates. No link is followed.
    """
    shadows = Shadows(excerpt(folder.replace(os.sep, "/").rstrip("/") or "/", 4096), texts := {})
    known = replaceable()
    problems: list[Problem] = []
    for name in _names_below(folder, shadows, problems):
        if name in known:
            text = _text_of(folder, name, shadows, problems)
            if text is not None:
                texts[name] = text
        else:
            problems.append(_problem(shadows, name, "templates/shadows-nothing", *_unknown(name, known)))
    if not texts and not problems:
        message = "the folder holds no template"
        problems.append(Problem(Place(shadows.folder), "", "templates/none", message, "start with 'mcpctl eject NAME'"))
    return shadows, problems + outdated(shadows)


def outdated(shadows: Shadows) -> list[Problem]:
    """A warning for each template whose built-in one is another than the one that it was made from."""
    problems = []
    for name, text in sorted(shadows.texts.items()):
        header = _HEADER.match(text)
        if header is None:
            message = "nothing says which built-in template this was made from, so nobody can tell when that changes"
            found = "templates/no-origin", message, f"copy the first line of 'mcpctl eject {name} --out -'"
        elif header[3] == _digest(_built_in(name)):
            continue
        else:
            message = f"the built-in template has changed since this was ejected from mcpctl {excerpt(header[2])}"
            found = (
                "templates/outdated",
                message,
                f"carry over what 'mcpctl eject {name} --out -' has, its first line too",
            )
        problems.append(_problem(shadows, name, *found, line=1, severity=Severity.WARNING))
    return problems


def _names_below(folder: str, shadows: Shadows, problems: list[Problem]) -> list[str]:
    """Names of the regular files at any depth, sorted; what is neither file nor folder is a Problem."""
    names: list[str] = []
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(os.path.join(folder, below)) as entries:
                found = sorted((e for e in entries if not _is_aside(e.name)), key=lambda e: e.name)
        except OSError as error:
            problems.append(_unreadable(shadows, below, error))
            continue
        for entry in found:
            name = f"{below}{entry.name}"
            if entry.is_symlink():
                hint = "put the file itself there"
                problems.append(_problem(shadows, name, "templates/link", "this is a link, and none is followed", hint))
            elif entry.is_dir():
                waiting.append(f"{name}/")
            else:
                names.append(name)
        if len(names) > MOST_FILES:
            message = f"the folder holds more than {MOST_FILES} files"
            problems.append(Problem(Place(shadows.folder), "", "templates/too-many", message, "name the right one"))
            return []
    return sorted(names)


def _text_of(folder: str, name: str, shadows: Shadows, problems: list[Problem]) -> str | None:
    try:
        # Not blocking, and asked only then what it is: a FIFO would wait, and a file can become a link at any time.
        handle = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                problems.append(_problem(shadows, name, "templates/not-a-file", "this is not a regular file"))
                return None
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        problems.append(_unreadable(shadows, name, error))
        return None
    if len(data) > LARGEST_FILE:
        message = f"the template has more than {LARGEST_FILE >> 10} KiB"
        problems.append(_problem(shadows, name, "templates/too-large", message))
        return None
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.append(_problem(shadows, name, "templates/encoding", "the file is not UTF-8", "save it so", line=line))
        return None


def _unknown(name: str, known: list[str]) -> tuple[str, str]:
    """What is wrong with a name, and what to do."""
    if name in _FIXED:
        return f"this template cannot be replaced: {_FIXED[name]}", "remove the file"
    from difflib import get_close_matches  # only a mistake needs it

    near = get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else "'mcpctl eject --list' has the names"
    return "no built-in template has this name, so nothing would ever read it", hint


def _unreadable(shadows: Shadows, name: str, error: OSError) -> Problem:
    reason = (error.strerror or "unknown reason").lower()
    return _problem(shadows, name.rstrip("/"), "templates/unreadable", f"it cannot be read: {reason}")


def _problem(
    shadows: Shadows,
    name: str,
    rule: str,
    message: str,
    hint: str = "",
    *,
    line: int = 0,
    severity: Severity = Severity.ERROR,
) -> Problem:
    place = shadows.place(excerpt(name, 4096), line) if name else Place(shadows.folder)
    return Problem(place, "", rule, message, hint, severity)


def _is_aside(name: str) -> bool:
    """Hidden, explained, or left behind by an editor: no template."""
    return name.startswith(".") or name.endswith(("~", ".md"))


def _built_in(name: str) -> str:
    return assets.read(f"templates/{name}").decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

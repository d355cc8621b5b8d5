"""Templates of users, each replacing the built-in template of the same path.

The header of an ejected template names its origin and hash, so that a newer built-in one is noticed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from renderer import __version__, assets
from renderer.digests import sha256
from renderer.errors import Place, Problem, Severity, excerpt
from renderer.later import pattern
from renderer.namedtuples import NamedTuple
from renderer.wording import did_you_mean, either

ENDING = ".j2"
#: Larger than all built-in templates together.
LARGEST_FILE = 256 << 10
MOST_FILES = 1000

#: Templates that cannot be replaced, with the reason.
_FIXED: Mapping[str, str] = {
    **dict.fromkeys(
        (name for name in assets.names("templates") if name.startswith("init/")), "only 'mcpctl init' reads it"
    ),
    "kubernetes/kustomization.yaml.j2": "its output is not checked",
    "kubernetes/secret.yaml.example.j2": "its output is not checked",
}
_HEADER = pattern(r"\{# mcpctl eject: (\S+) of mcpctl (\S+), sha256:([0-9a-f]{64}) #\}\n")


class UserTemplates(NamedTuple):
    """Texts by name; ``folder`` is for messages."""

    folder: str
    texts: Mapping[str, str]


def replaceable() -> list[str]:
    """Names of the built-in templates that users may replace, sorted."""
    return [name for name in assets.names("templates") if name.endswith(ENDING) and name not in _FIXED]


def name_hint(name: str) -> str:
    """The hint for a name that is not replaceable."""
    named = [each for each in replaceable() if each.rpartition("/")[2].partition(".")[0] == name]
    close = did_you_mean(name, replaceable())
    near = either([f"'{each}'" for each in named or ([close] if close else [])])
    return f"did you mean {near}?" if near else "list the names with 'mcpctl eject --list'"


def ejected(name: str) -> str:
    """A built-in template with the header of an ejected one."""
    text = _built_in(name)
    return f"{{# mcpctl eject: {name} of mcpctl {__version__}, sha256:{_digest(text)} #}}\n{text}"


def read_folder(folder: str) -> tuple[UserTemplates, list[Problem]]:
    """The templates, and Problems: errors, and warnings of outdated templates.

    Hidden files, Markdown and editor backups are skipped. Links are not followed.
    """
    reader = _Reader(folder)
    texts = {name: text for name in reader.names() if (text := reader.text(name)) is not None}
    if not texts and not reader.problems:
        reader.add("", "none", "the folder has no template", "start with 'mcpctl eject NAME'")
    for name, text in texts.items():
        header = _HEADER.match(text)
        if header is None:
            message = "the first line does not say what this was ejected from, so a newer built-in template is missed"
            hint = f"copy the first line of 'mcpctl eject {name} --out -'"
            reader.add(name, "no-origin", message, hint, line=1, severity=Severity.WARNING)
        elif header[3] != _digest(_built_in(name)):
            message = f"the built-in template has changed since this was ejected from mcpctl {excerpt(header[2])}"
            hint = f"merge the output of 'mcpctl eject {name} --out -', its first line too"
            reader.add(name, "outdated", message, hint, line=1, severity=Severity.WARNING)
    return UserTemplates(reader.label, texts), reader.problems


class _Reader:
    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.label = excerpt(folder.replace(os.sep, "/").rstrip("/") or "/", 4096)
        self.problems: list[Problem] = []
        self._known = frozenset(replaceable())

    def add(
        self, name: str, rule: str, message: str, hint: str = "", *, line: int = 0, severity: Severity = Severity.ERROR
    ) -> None:
        file = f"{self.label}/{excerpt(name, 4096)}" if name else self.label
        self.problems.append(Problem(Place(file, line), "", f"templates/{rule}", message, hint, severity))

    def names(self) -> list[str]:
        """File names at any depth, sorted."""
        names: list[str] = []
        folders = [""]
        while folders:
            below = folders.pop()
            try:
                with os.scandir(os.path.join(self.folder, below)) as entries:
                    # Skips hidden files, Markdown and editor backups.
                    templates = [e for e in entries if not e.name.startswith(".") and not e.name.endswith(("~", ".md"))]
            except OSError as error:
                self._unreadable(below.rstrip("/"), error)
                continue
            for entry in sorted(templates, key=lambda e: e.name):
                name = f"{below}{entry.name}"
                if entry.is_symlink():
                    self.add(name, "link", "symbolic links are not followed", "put the file itself there")
                elif entry.is_dir():
                    folders.append(f"{name}/")
                else:
                    names.append(name)
            if len(names) > MOST_FILES:
                self.add("", "too-many", f"the folder holds more than {MOST_FILES} files", "check the path")
                return []
        return sorted(names)

    def text(self, name: str) -> str | None:
        if name in _FIXED:
            self.add(name, "unknown-name", f"this template cannot be replaced: {_FIXED[name]}", "remove the file")
            return None
        if name not in self._known:
            self.add(name, "unknown-name", "no built-in template has this name, so it is never read", name_hint(name))
            return None
        try:
            # O_NONBLOCK as it may be a FIFO; checked after opening, as it may change before.
            handle = os.open(os.path.join(self.folder, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    self.add(name, "not-a-file", "this is not a regular file")
                    return None
                data = file.read(LARGEST_FILE + 1)
        except OSError as error:
            self._unreadable(name, error)
            return None
        if len(data) > LARGEST_FILE:
            self.add(name, "too-large", f"the template is larger than {LARGEST_FILE >> 10} KiB")
            return None
        try:
            return data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            self.add(name, "encoding", "the file is not UTF-8", "save it as UTF-8", line=line)
            return None

    def _unreadable(self, name: str, error: OSError) -> None:
        self.add(name, "unreadable", f"cannot read it: {(error.strerror or 'unknown reason').lower()}")


def _built_in(name: str) -> str:
    return assets.read(f"templates/{name}").decode()


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()

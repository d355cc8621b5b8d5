"""Following a client's command to the package or image that it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from renderer.errors import excerpt
from renderer.importers.draft import END, Choices, Reading
from renderer.importers.packages import Package, Registry, newest, parse_package
from renderer.importers.values import Values, Word
from renderer.model import JSON

#: Reads the words after a program.
Program: TypeAlias = Callable[["Starting", Word, Sequence[Word]], None]
OF_MACHINE = "it starts a program of the client's machine, which no cluster has"
_BUILD = (
    "build an image of it, or publish it as a package, and write 'docker run', 'npx' or 'uvx' there, or start a spec "
    "with 'mcpctl init NAME --image IMAGE'"
)


@dataclass
class Starting:
    """``programs`` by name, ``proxies`` by registry and package name."""

    reading: Reading
    values: Values
    #: Variables that the client sets for the command, from ``env_key``.
    env: Mapping[str, JSON]
    env_key: str
    choices: Choices
    programs: Mapping[str, Program]
    proxies: Mapping[tuple[Registry, str], Program]
    #: Further requirements (--with).
    requirements: list[Word] = field(default_factory=list)
    #: Variables that are written already or do not reach the server.
    handled: set[str] = field(default_factory=set)

    def refuse(self, word: Word, message: str, hint: str = _BUILD) -> None:
        self.reading.refuse(word.source, "import/command", message, hint)

    def start(self, words: Sequence[Word]) -> None:
        first, *rest = words
        program = re.split(r"[\\/]", first.text)[-1].lower()
        program = re.sub(r"\.(exe|cmd|bat|ps1)$", "", program)
        program = "python" if re.fullmatch(r"(python|pypy)[0-9.]*|py", program) else program
        if program not in self.programs:
            self.refuse(first, f"{OF_MACHINE}: '{excerpt(first.text, 80)}'")
            return
        self.reading.note(first.source, None, f"started by {program}")
        self.programs[program](self, first, rest)

    def package(self, word: Word, registry: Registry, text: str, program: Sequence[Word] = ()) -> None:
        """Writes the package with the named version, or else the newest."""
        package = parse_package(registry, text)
        if package is None:
            self.refuse(word, f"'{excerpt(text, 80)}' names no package of {registry}")
        elif package.git and not package.is_exact:
            message = f"{package.git} is not pinned to a commit"
            self.refuse(word, message, "append the full commit, 40 digits, to the address")
        elif package.is_exact:
            self._write_package(word, package, program)
        else:
            asked = package.version or "no version"
            version, who = ("", "--offline asks nobody") if self.choices.offline else newest(package)
            if not version:
                message = f"{package.name} has no exact version ({excerpt(asked)}), and the newest is not known: {who}"
                form = "NAME@VERSION" if package.registry == "npm" else "NAME==VERSION"
                self.refuse(word, message, f"write {form}, with an exact version")
                return
            self._write_package(word, package._replace(version=version), program)
            question = f"the client takes {asked}; {version} is the newest by {who}: is it the one that you tried?"
            self.reading.decide(word.source, ("spec", "package", "version"), version, question)

    def _write_package(self, word: Word, package: Package, program: Sequence[Word]) -> None:
        fields = {"registry": package.registry, "name": package.name, "version": package.version}
        more = {"git": package.git, "subdirectory": package.subdirectory}
        value: JSON = {**fields, **{key: text for key, text in more.items() if text}}
        self.reading.map(word.source, ("spec", "package"), value)
        for each in self.requirements:
            self.reading.map(each.source, ("spec", "package", "with", END), each.text)
        for each in program:
            self.reading.map(each.source, ("spec", "command", END), each.text)

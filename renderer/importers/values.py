"""Values in client files: variables of the machine, VS Code inputs, and secrets in plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text
from renderer.importers.packages import Word
from renderer.importers.variables import Variable, holds_secret, literal, names_secret, set_variable
from renderer.model import JSON
from renderer.policy.secrets import in_words

#: ``${NAME}``, ``${env:NAME}``, ``${input:id}``, ``${NAME:-default}``, and ``$NAME`` as the whole text.
_PIECE = re.compile(r"\$\{(?:(input|env|config|command|file):)?([^}:]+)(?::-([^}]*))?\}|^\$([A-Za-z_]\w*)$")
#: Variables of editors and of the client's machine.
_OF_MACHINE = re.compile(
    r"(workspace|file|user|relative)[A-Z]\w*|cwd|pathSeparator|/|execPath|HOME|USERPROFILE|PWD|USER"
)
_NO_SECRET = re.compile(r"true|false|yes|no|on|off|[0-9]{1,6}", re.IGNORECASE)
#: Placeholders in documentation.
_PLACEHOLDER = re.compile(
    r"<.*>|\[.*\]|\{.*\}|(your|my|insert|replace|enter|add|put|change)[-_ ].*|.*[-_ ]here|x{3,}.*|\.{3}|\*+|changeme",
    re.IGNORECASE,
)
_TELLING = re.compile(r"token|secret|passw|key|credential|auth", re.IGNORECASE)
#: Authorization schemes are not secret.
_SCHEME = re.compile(r"(Bearer|Basic|Token|ApiKey|Api-Key|Key)\s+(.+)", re.IGNORECASE)


class Input(NamedTuple):
    """What a client asks its user for; ``source`` is its declaration."""

    source: DocumentPath
    secret: bool
    about: str
    default: str | None
    choices: tuple[str, ...]


class _Reference(NamedTuple):
    kind: str
    name: str
    default: str | None

    @property
    def variable(self) -> str:
        return variable_name(self.name)


@dataclass
class Values:
    """Writes the values of one definition into its spec; secrets become references."""

    reading: Reading
    server: str
    inputs: Mapping[str, Input]
    #: Ids of the inputs that the definition refers to.
    asked: set[str] = field(default_factory=set)

    def variable(self, name: str, value: JSON, source: DocumentPath) -> None:
        text = plain_text(value)
        pieces = _pieces(text)
        if len(pieces) == 1 and isinstance(pieces[0], _Reference) and not _is_of_machine(pieces[0]):
            set_variable(self.reading, source, self._asked_for(name, pieces[0]), self.server)
        elif any(isinstance(piece, _Reference) for piece in pieces):
            self._set(name, self._with_references(pieces, source), source)
            self._ask_about_path(text, source, ("spec", "env", name))
        elif is_secret(name, text):
            set_variable(self.reading, source, Variable(name, required=True, secret=True), self.server)
        else:
            self._set(name, literal(text), source)
            self._ask_about_path(text, source, ("spec", "env", name))

    def inherited(self, name: str, source: DocumentPath) -> None:
        """A variable from the client's own environment."""
        reference = _Reference("env", name, None)
        set_variable(self.reading, source, self._asked_for(name, reference), self.server)

    def arguments(self, words: Sequence[Word]) -> None:
        """Appends to the arguments of the server."""
        secrets = {i for i, finding in in_words(tuple(text for text, _ in words)) if finding.certain}
        before = ""
        for number, (text, source) in enumerate(words):
            flag, equals, value = text.partition("=") if text.startswith("-") else ("", "", text)
            name = variable_name(flag or before or f"argument-{number + 1}")
            pieces = _pieces(text)
            if any(isinstance(piece, _Reference) for piece in pieces):
                word = self._with_references(pieces, source)
            elif (equals or not flag) and (number in secrets or ((flag or before) and is_secret(name, value))):
                set_variable(self.reading, source, Variable(name, required=True, secret=True), self.server)
                word = f"{flag}{equals}$({name})"
            else:
                word = literal(text)
            self.reading.map(source, ("spec", "args", END), word)
            self._ask_about_path(text, source, ("spec", "args"))
            before = flag if flag and not equals else ""

    def remote(self, name: str, text: str, source: DocumentPath) -> JSON:
        """A URL or header of a remote server; a secret becomes one of its variables."""
        pieces = _pieces(text)
        if any(isinstance(piece, _Reference) for piece in pieces):
            return "".join(piece if isinstance(piece, str) else self._remote(piece, source) for piece in pieces)
        scheme = _SCHEME.fullmatch(text)
        if name.lower() == "authorization" and scheme:
            return f"{scheme[1]} {self._remote(_Reference('env', 'token', None), source)}"
        if name and (name.lower() in ("authorization", "cookie") or is_secret(name, text)):
            key = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "value"
            self._tell(source, key)
            return {"secret": self.server, "key": key}
        return text

    def _remote(self, reference: _Reference, source: DocumentPath) -> str:
        """``{name}``, with a key of a Secret or a known value for it."""
        asked = self._asked_for(reference.variable, reference)
        name = re.sub(r"[^a-z0-9]+", "_", reference.name.lower()).strip("_") or "value"
        name = f"_{name}" if name[:1].isdigit() else name
        target: DocumentPath = ("spec", "remote", "variables", name)
        if asked.default is not None and not asked.secret:
            self.reading.map(source, target, asked.default, asked.words)
        else:
            self.reading.map(source, target, {"secret": self.server, "key": name.replace("_", "-").strip("-")})
            self._tell(source, name.replace("_", "-").strip("-"))
        return f"{{{name}}}"

    def _tell(self, source: DocumentPath, key: str) -> None:
        self.reading.note(source, ("spec", "remote"), f"a secret: set the key {key} of the Secret {self.server}")

    def _set(self, name: str, text: str, source: DocumentPath) -> None:
        """A text that may refer to other variables."""
        set_variable(self.reading, source, Variable(name, default=""), self.server)
        self.reading.write(("spec", "env", name), text)

    def _asked_for(self, name: str, reference: _Reference) -> Variable:
        known = self.inputs.get(reference.name) if reference.kind == "input" else None
        if known:
            self.asked.add(reference.name)
            return Variable(name, known.default, True, known.secret, known.about, known.choices)
        secret = names_secret(reference.name) or names_secret(name)
        return Variable(name, reference.default, required=True, secret=secret)

    def _with_references(self, pieces: list[str | _Reference], source: DocumentPath) -> str:
        """The text with ``$(NAME)`` for each reference, and a variable for each."""
        text = ""
        for piece in pieces:
            if isinstance(piece, str):
                text += literal(piece)
            elif _is_of_machine(piece):
                text += "/workspace" if piece.name not in ("/", "pathSeparator") else "/"
            else:
                set_variable(self.reading, source, self._asked_for(piece.variable, piece), self.server)
                text += f"$({piece.variable})"
        return text

    def _ask_about_path(self, text: str, source: DocumentPath, target: DocumentPath) -> None:
        """Asks once per field about a path that no container has."""
        path = text.partition("=")[2] if text.startswith("-") else text
        references = [piece for piece in _pieces(text) if isinstance(piece, _Reference)]
        if not is_machine_path(path) and not any(map(_is_of_machine, references)):
            return
        question = "a path of the client's machine: mount its contents by spec.storage or spec.files"
        if target in self.reading.comments:
            self.reading.leave(source, target, question)
        else:
            self.reading.decide(source, target, None, question)


def is_machine_path(text: str) -> bool:
    return bool(re.match(r"~|\.{1,2}[/\\]|[A-Za-z]:[\\/]|/(home|Users|mnt|Volumes|root|tmp)/.", text))


def is_secret(name: str, text: str) -> bool:
    if _NO_SECRET.fullmatch(text):
        return False
    placeholder = bool(_TELLING.search(name)) and bool(_PLACEHOLDER.fullmatch(text))
    return names_secret(name) or placeholder or holds_secret(Variable(name, text))


def variable_name(text: str) -> str:
    """``--api-key`` as ``API_KEY``."""
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    return f"_{name}" if name[:1].isdigit() else name or "VALUE"


def _is_of_machine(reference: _Reference) -> bool:
    return reference.kind in ("", "env") and bool(_OF_MACHINE.fullmatch(reference.name))


def _pieces(text: str) -> list[str | _Reference]:
    """Literal texts and the references between them."""
    pieces: list[str | _Reference] = []
    end = 0
    for match in _PIECE.finditer(text):
        pieces += [text[end : match.start()]] if match.start() > end else []
        kind = match[1] or ("env" if match[4] else "")
        pieces.append(_Reference(kind, match[2] or match[4], match[3]))
        end = match.end()
    return [*pieces, text[end:]] if end < len(text) or not pieces else pieces

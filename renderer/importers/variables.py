"""Environment variables of definitions: values, references to keys, or comments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import Draft, Reading, draft_of
from renderer.importers.naming import name_of
from renderer.model import JSON
from renderer.policy.secrets import in_data, in_value, in_words

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NO_NAME = "the name of a variable has letters, digits and '_', and begins with no digit"
_SECRET_NAME = re.compile(
    r"(token|secret|pass(wd|word|phrase)?|pwd|credential|bearer|authorization|cookie|connection[-_]?string|"
    r"(api|access|account|auth|encryption|private|secret|service|signing)[-_]?key|"
    r"(^|[-_.])(auth|dsn|key|pat))s?$",
    re.IGNORECASE,
)
#: About secrets, but none themselves.
_ABOUT = re.compile(r"max|limit|count|public|_per_", re.IGNORECASE)
_LONGEST_ABOUT = 300
NOT_WRITTEN = "the value looks like a secret and is not written: set the key {0} of the Secret {1} to it"


class Variable(NamedTuple):
    """``default`` None: the definition says no value."""

    name: str
    default: str | None = None
    required: bool = False
    secret: bool = False
    about: str = ""
    choices: Sequence[str] = ()
    key: str = ""

    @property
    def words(self) -> str:
        """Description and choices, for a comment."""
        choices = f"one of {', '.join(self.choices)}" if self.choices else ""
        return excerpt("; ".join(filter(None, (" ".join(self.about.split()), choices))), _LONGEST_ABOUT)


def settings_of(name: str) -> str:
    """The name of the ConfigMap for values that only a person knows."""
    return f"{name}-settings"


def set_variable(reading: Reading, source: DocumentPath, variable: Variable, server: str) -> None:
    """Writes ``spec.env``: a value, a reference if there is none or it is secret, a comment if it is optional."""
    target: DocumentPath = ("spec", "env", variable.name)
    if not NAME.fullmatch(variable.name) or len(variable.name) > 253:
        message = f"'{excerpt(variable.name)}' is not a name of an environment variable"
        hint = "a name has letters, digits and '_', and does not begin with a digit"
        reading.refuse(source, "import/variable-name", message, hint)
        return
    reading.supersede(target, source, f"{variable.name} is set again, and the last value counts")
    words = f": {variable.words}" if variable.words else ""
    key = variable.key or variable.name
    if variable.secret or holds_secret(variable):
        optional: dict[str, JSON] = {} if variable.required else {"optional": True}
        reading.comment(target, variable.words)
        left = "; the value in the definition is not written" if variable.default and not variable.secret else ""
        message = f"a secret: set the key {key} of the Secret {server}{left}{words}"
        reading.map(source, target, {"secret": server, "key": key, **optional}, message)
    elif variable.default is not None:
        reading.comment(target, variable.words)
        reading.map(source, target, literal(variable.default))
    elif variable.required:
        settings = settings_of(server)
        question = f"set the key {key} of the ConfigMap {settings}, or write the value here{words}"
        reading.decide(source, target, {"configMap": settings, "key": key}, question)
    else:
        reading.comment(target, f'optional{words}\n{variable.name}: ""')
        reading.leave(source, target, f"optional, and not set{words}")


def completed(original: str, format_name: str, reading: Reading, *others: Reading) -> Draft:
    """The Draft of a definition, without secrets among the arguments and with what is missing."""
    if reading.written(("spec",)):
        complete(reading, name_of(original))
    return draft_of(original, format_name, reading, *others)


def complete(reading: Reading, server: str) -> None:
    """Moves secrets from the arguments into variables and fills in what is missing."""
    args = reading.written(("spec", "args"))
    words = tuple(str(word) for word in args) if isinstance(args, list) else ()
    for number, _ in list(in_words(words)):
        name = f"ARG_SECRET_{number + 1}"
        option, equals, _ = words[number].partition("=")
        word = f"{option}=$({name})" if equals and option.startswith("-") else f"$({name})"
        reading.write(("spec", "args", number), word)
        reading.write(("spec", "env", name), {"secret": server, "key": name})
        message = f"looks like a secret, and is not written: set the key {name} of the Secret {server}"
        reading.assume(("spec", "args", number), message)
    reading.fill_in()


def literal(text: str) -> str:
    """Escapes references to variables."""
    return text.replace("$(", "$$(")


def holds_secret(variable: Variable) -> bool:
    """Judged by the value, or without one by the name."""
    if variable.default:
        return in_value(variable.name, variable.default) is not None
    return variable.default is None and names_secret(variable.name)


def names_secret(name: str) -> bool:
    """Whether what is called so is a secret."""
    return bool(_SECRET_NAME.search(name)) and not _ABOUT.search(name)


def is_secret(name: str, value: str) -> bool:
    return any(True for _ in in_data({"env": {name: value}}))


def is_secret_text(text: str) -> bool:
    return any(True for _ in in_data({"content": text}))

"""Inputs of server.json: values, ``{placeholders}`` with their variables, arguments, environment variables."""

from __future__ import annotations

import re

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading
from renderer.importers.variables import Variable, literal, set_variable
from renderer.model.remote import PLACEHOLDER

#: What a client or a shell would put in: ${input:key}, ${NAME}.
_ASKED = re.compile(r"\$\{(?:\w+:)?([A-Za-z_][\w.-]*)\}")
#: An argument that nobody gave a name.
_NAMELESS = "value"
#: What fields were called before there was a schema.
_BEFORE = {"registryType": "registry_name", "identifier": "name"}


def spelt(reading: Reading, path: DocumentPath, name: str) -> DocumentPath:
    """The path of the field: the first version of the schema wrote ``registry_type`` for ``registryType``."""
    older = re.sub(r"[A-Z]", lambda upper: f"_{upper[0].lower()}", name)
    for each in (name, older, _BEFORE.get(name, name)):
        if reading.get(*path, each) is not None:
            return (*path, each)
    return (*path, name)


def is_true(reading: Reading, path: DocumentPath, name: str) -> bool:
    """Whether the boolean field says yes."""
    return reading.get(*spelt(reading, path, name)) is True


def variable_of(reading: Reading, path: DocumentPath, name: str) -> Variable:
    """The Input there, as a variable of that name."""
    key = next((key for key in ("value", "default") if reading.get(*path, key) is not None), "")
    value = reading.text(*path, key) if key else None
    asked = _ASKED.fullmatch(value or "")
    name = asked[1] if asked and name == _NAMELESS else name
    example = reading.text(*path, "placeholder")
    about = "; ".join(filter(None, (reading.text(*path, "description"), f"such as {example}" if example else "")))
    choices = [reading.text(*choice) for choice, _ in reading.items(*path, "choices")]
    required, secret = asked is not None or is_true(reading, path, "isRequired"), is_true(reading, path, "isSecret")
    return Variable(name, None if asked else value, required, secret, about, choices)


def set_environment(reading: Reading, path: DocumentPath, server: str) -> None:
    """The variables of a package, those of their templates included."""
    for source, _ in reading.items(*spelt(reading, path, "environmentVariables")):
        set_input(reading, source, variable_of(reading, source, reading.text(*source, "name")), server)


def set_input(reading: Reading, source: DocumentPath, variable: Variable, server: str) -> None:
    """A variable whose value may be a template of those that stand at ``source``."""
    template = variable.default or ""
    names = [name for name in PLACEHOLDER.findall(template) if reading.get(*source, "variables", name) is not None]
    if not names:
        set_variable(reading, source, variable, server)
    elif template == f"{{{names[0]}}}":  # nothing but one variable: it is that
        inner = variable_of(reading, (*source, "variables", names[0]), variable.name)
        required, secret = inner.required or variable.required, inner.secret or variable.secret
        about = inner.about or variable.about
        set_variable(reading, source, inner._replace(required=required, secret=secret, about=about), server)
    else:
        text = _resolved(reading, source, variable._replace(secret=False), server) or ""
        reading.map(source, ("spec", "env", variable.name), text)


def set_arguments(reading: Reading, path: DocumentPath, server: str) -> None:
    """The arguments of a package, in their order."""
    for source, _ in reading.items(*spelt(reading, path, "packageArguments")):
        words = argument(reading, source, server)
        if words is None:
            about = reading.text(*source, "description")
            flag = reading.text(*source, "name") or reading.text(*spelt(reading, source, "valueHint"))
            reading.comment(("spec", "args"), f"optional: {' '.join(f'{flag}: {about}'.split())[:300]}")
            reading.leave(source, ("spec", "args"), f"optional, and not set: {about}")
            continue
        for word in words:
            reading.write(("spec", "args", END), word)
        again = "it can be repeated" if is_true(reading, source, "isRepeated") else ""
        reading.note(source, ("spec", "args"), again)


def argument(reading: Reading, path: DocumentPath, server: str | None) -> list[str] | None:
    """The words of one argument; None where it is optional and has no value.

    What only a person knows is the value of a variable of the server; without ``server`` its placeholder stays.
    """
    flag = reading.text(*path, "name")
    hint = reading.text(*spelt(reading, path, "valueHint"))
    name = flag.lstrip("-") or hint or _NAMELESS
    text = _resolved(reading, path, variable_of(reading, path, name), server)
    if reading.text(*path, "type") != "named" or not flag:
        return None if text is None else [text]
    if text is None:
        # A flag without a value is a switch, where the definition does not say that it has one.
        has_value = any(
            reading.get(*path, key) is not None for key in ("description", "format", "choices", "placeholder")
        )
        return [flag] if is_true(reading, path, "isRequired") or not has_value else None
    if not text:
        return [flag]
    return [f"{flag}={text}"] if flag.startswith("--") and not flag.endswith("=") else [flag, text]


def _resolved(reading: Reading, path: DocumentPath, variable: Variable, server: str | None) -> str | None:
    """The value with its placeholders: a default stands there, everything else is the value of a variable."""
    if variable.secret or (variable.default is None and variable.required):
        return _reference(reading, path, variable, server) if server else f"{{{variable.name}}}"
    if variable.default is None:
        return None
    parts: list[str] = []
    position = 0
    for match in PLACEHOLDER.finditer(variable.default):
        inner = (*path, "variables", match[1])
        if reading.get(*inner) is None:
            continue
        text = _resolved(reading, inner, variable_of(reading, inner, match[1])._replace(required=True), server)
        parts += [literal(variable.default[position : match.start()]), text or ""]
        position = match.end()
    text = "".join([*parts, literal(variable.default[position:])])
    if server:
        asked = Variable("", None, True)
        text = _ASKED.sub(lambda match: _reference(reading, path, asked._replace(name=match[1]), server), text)
    return text


def _reference(reading: Reading, path: DocumentPath, variable: Variable, server: str) -> str:
    """``$(NAME)`` of a variable of the server's own for it."""
    name = "ARG_" + re.sub(r"[^A-Za-z0-9]+", "_", variable.name).strip("_").upper()
    set_variable(reading, path, variable._replace(name=name, required=True), server)
    return f"$({name})"

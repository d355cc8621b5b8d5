"""Docker's MCP registry: ``server.yaml`` of one server, or the ``registry`` of a catalog."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from renderer.errors import DocumentPath, excerpt
from renderer.importers.docker_flags import set_user
from renderer.importers.draft import CATALOGUE, END, REPOSITORY, TITLE, Choices, Draft, Reading, plain_text
from renderer.importers.images import set_entrypoint, set_image
from renderer.importers.naming import name_of
from renderer.importers.permissions import allow_hosts, allow_nothing, set_host_alias, set_volume, split_volume
from renderer.importers.remotes import set_header, set_remote, set_remote_variable
from renderer.importers.variables import Variable, completed, literal, set_variable
from renderer.model import JSON, Source

_TERM = re.compile(r"\{\{(.*?)\}\}")
_PROPERTIES = ("config", "parameters", "properties")
FORMAT = "docker-registry"
REVISION = "org.opencontainers.image.revision"
_BUILT = "how Docker builds the image"
_OAUTH = "clients sign in by themselves: the server names its issuer"
_NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_KINDS = ("server", "remote", "poci")


class Unset(NamedTuple):
    """A parameter without a default."""

    path: DocumentPath
    name: str
    required: bool
    about: str
    choices: Sequence[str]


class Parameters:
    """The declared parameters: JSON Schema, of which ``default`` is the value."""

    def __init__(self, reading: Reading, server: str) -> None:
        self._reading = reading
        self._server = server
        self._used: set[DocumentPath] = set()

    def resolve(self, path: DocumentPath) -> list[str] | Unset:
        """The words that the template there yields, or its first parameter without a value."""
        text = self._reading.text(*path)
        whole = _TERM.fullmatch(text)
        if whole and "}}" not in whole[1]:
            return self._term(whole[1])
        unset: list[Unset] = []

        def substituted(term: re.Match[str]) -> str:
            value = self._term(term[1])
            if isinstance(value, Unset):
                unset.append(value)
                return ""
            return "".join(value)

        result = _TERM.sub(substituted, text)
        return unset[0] if unset else [result]

    def about(self, path: DocumentPath) -> str:
        """The description of the parameter, if the value is a single one."""
        term = _TERM.fullmatch(self._reading.text(*path, "value"))
        return self._reading.text(*self._path(term[1].partition("|")[0]), "description") if term else ""

    def with_reference(self, text: str, variable: str) -> str:
        """The argument with ``$(VARIABLE)`` for its parameter."""
        return f"$({variable})".join(literal(part) for part in _TERM.sub("\0", text).split("\0"))

    def finish(self) -> None:
        """Reports whether each declared parameter is used by a template."""
        reading = self._reading
        for name in reading.mapping(*_PROPERTIES):
            path = (*_PROPERTIES, name)
            if any(used[: len(path)] == path for used in self._used):
                reading.note(path, ("spec", "env"), "where the value of its templates stands")
            else:
                reading.lose(path, "no template of the definition uses it")
        for key in ("type", "required", "anyOf", "title", "description"):
            reading.note(("config", "parameters", key), ("spec", "env"))

    def _path(self, name: str) -> DocumentPath:
        """The path of the declaration of ``server.group.param``."""
        steps = name.strip().removeprefix(f"{self._server}.").split(".")
        return (*_PROPERTIES, *"\0properties\0".join(steps).split("\0"))

    def _term(self, term: str) -> list[str] | Unset:
        name, *filters = (part.strip() for part in term.split("|"))
        path = self._path(name)
        self._used.add(path)
        reading = self._reading
        value = reading.get(*path, "default")
        for each in filters:
            value = _filtered(value, each)
        if value is None or (value in ("", []) and not any(each.startswith("or:") for each in filters)):
            *group, key = path
            required = reading.get(*group[:-1], "required")
            choices = [plain_text(choice) for _, choice in reading.items(*path, "enum")]
            needed = isinstance(required, list) and key in required
            return Unset(path, name.partition(".")[2] or name, needed, reading.text(*path, "description"), choices)
        return [plain_text(item) for item in value] if isinstance(value, list) else [plain_text(value)]


def _filtered(value: JSON, name: str) -> JSON:
    """Filters of Docker's gateway: ``or:default``, ``first``, ``last``. Those for mounts change nothing here."""
    if name.startswith("or:") and value in (None, "", []):
        rest = name.removeprefix("or:")
        return [word for word in rest[1:-1].split(",") if word] if re.fullmatch(r"\[.*\]", rest) else rest
    if name in ("first", "last") and isinstance(value, list):
        return value[0 if name == "first" else -1] if value else ""
    return value


def recognises(data: Mapping[str, JSON]) -> bool:
    registry = data.get("registry")
    entries = list(registry.values()) if isinstance(registry, dict) else [data if "name" in data else None]
    return any(
        isinstance(entry, dict) and entry.get("type") in _KINDS and bool({"image", "remote", "tools"} & entry.keys())
        for entry in entries
    )


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    drafts = []
    for source in sources:
        registry = source.data.get("registry")
        if isinstance(registry, dict):
            names = [name for name, entry in registry.items() if isinstance(entry, dict)]
            drafts += [_read(Reading(source, ("registry", name)), name, choices) for name in names]
        else:
            drafts.append(_read(Reading(source), Reading(source).text("name"), choices))
    return drafts


def _read(reading: Reading, original: str, choices: Choices) -> Draft:
    name = name_of(original)
    reading.note(("name",), ("metadata", "name"))
    reading.note(("type",), ("spec",), reading.text("type"))
    about = ("about",) if reading.get("about") is not None else ()
    reading.carry_text((*about, "title"), ("metadata", "annotations", TITLE))
    reading.describe((*about, "description"))
    reading.carry_text(("source", "project"), ("metadata", "annotations", REPOSITORY))
    reading.carry_text(("source", "commit"), ("metadata", "annotations", REVISION))
    reading.lose_all(["branch", "directory", "dockerfile", "upstream", "buildTarget"], _BUILT, ("source",))
    reading.lose_all(["icon"], CATALOGUE, about)
    reading.lose_all(["meta", "metadata", "icon", "readme", "dynamic", "prefix", "toolsUrl", "dateAdded"], CATALOGUE)
    reading.lose_all(["oauth"], _OAUTH)
    kind = reading.text("type")
    if kind == "remote":
        _remote(reading, name)
    elif kind == "server":
        _server(reading, name, original, choices)
    else:
        message = "each of its tools starts a container of its own (type: poci), so it is not a server"
        reading.refuse(("type",), "import/no-server", message, "write a server that has these tools")
    return completed(original, FORMAT, reading)


def _within(reading: Reading, group: str, key: str) -> DocumentPath:
    """In server.yaml the field is in ``run`` or ``config``, in a catalog at the top."""
    return (group, key) if reading.get(group, key) is not None else (key,)


def _remote(reading: Reading, name: str) -> None:
    set_remote(reading, ("remote", "url"), ("remote", "transport_type"), reading.text("remote", "transport_type"))
    secrets = {reading.text(*path, "env"): path for path, _ in reading.items(*_within(reading, "config", "secrets"))}
    for header, value in reading.mapping("remote", "headers").items():
        text = value if isinstance(value, str) else ""
        set_header(reading, ("remote", "headers", header), Variable(header, _NAMED.sub(r"{\1}", text)), name)
        for variable in _NAMED.findall(text):
            source = secrets.pop(variable, ("remote", "headers", header))
            words = reading.text(*source, "description")
            set_remote_variable(reading, source, Variable(variable, None, True, True, words), name)
    for variable, source in secrets.items():
        reading.lose(source, f"no header of the remote server has {excerpt(variable)}")
    reading.lose_all(["description"], CATALOGUE, ("config",))


def _server(reading: Reading, name: str, original: str, choices: Choices) -> None:
    image = reading.text("image")
    set_image(reading, ("image",), image)
    parameters = Parameters(reading, original)
    for path, _ in reading.items(*_within(reading, "config", "secrets")):
        required = reading.get(*path, "required") is not False
        about = reading.text(*path, "description")
        set_variable(reading, path, Variable(reading.text(*path, "env"), None, required, True, about), name)
    for path, _ in reading.items(*_within(reading, "config", "env")):
        _variable(reading, path, parameters, name)
    for path, _ in reading.items(*_within(reading, "run", "command")):
        _argument(reading, path, parameters, name)
    for path, _ in reading.items(*_within(reading, "run", "volumes")):
        _volume(reading, path, parameters)
    _run(reading, parameters)
    parameters.finish()
    if text := reading.text("config", "description"):
        if reading.written(("spec", "env")) is not None:
            reading.comment(("spec", "env"), excerpt(" ".join(text.split()), 300))
        reading.note(("config", "description"), ("spec", "env"), "a comment")
    set_entrypoint(reading, image, choices)


def _variable(reading: Reading, path: DocumentPath, parameters: Parameters, name: str) -> None:
    variable = reading.text(*path, "env") or reading.text(*path, "name")
    required = reading.get(*path, "required") is True
    if reading.get(*path, "value") is None:
        set_variable(reading, path, Variable(variable, None, required), name)
        return
    value = parameters.resolve((*path, "value"))
    if isinstance(value, Unset):
        unset = Variable(variable, None, required or value.required, False, value.about, value.choices)
        set_variable(reading, path, unset, name)
    else:
        set_variable(reading, path, Variable(variable, ",".join(value), True, False, parameters.about(path)), name)


def _argument(reading: Reading, path: DocumentPath, parameters: Parameters, name: str) -> None:
    text = reading.text(*path)
    if reference := re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", text):
        reading.map(path, ("spec", "args", END), f"$({reference[1]})", "the value of that variable")
        return
    value = parameters.resolve(path)
    if not isinstance(value, Unset):
        for word in value:
            reading.write(("spec", "args", END), literal(word))
        reading.note(path, ("spec", "args"))
    elif value.required:
        variable = "ARG_" + re.sub(r"[^A-Za-z0-9]+", "_", value.name).upper().strip("_")
        set_variable(reading, value.path, Variable(variable, None, True, False, value.about, value.choices), name)
        reading.map(path, ("spec", "args", END), parameters.with_reference(text, variable))
    else:
        reading.comment(("spec", "args"), f"optional: {excerpt(text, 200)}: {value.about}")
        reading.leave(path, ("spec", "args"), f"optional, and not set: {value.about}")


def _volume(reading: Reading, path: DocumentPath, parameters: Parameters) -> None:
    text = reading.text(*path)
    value = parameters.resolve(path)
    if "{{" in text:  # what a person names on a machine of their own, whatever the default is
        folder, _, target = text.rpartition("}}:")
        place = target if folder else text
        words = f": {value.about}" if isinstance(value, Unset) and value.about else ""
        question = (
            f"a folder or file of a person's machine would be mounted at {excerpt(place, 80)}, and is not{words}; "
            "if the server needs it, write a volume under spec.storage, or files under spec.files"
        )
        reading.decide(path, ("spec", "storage"), None, question)
    else:
        set_volume(reading, path, *split_volume(text))


def _run(reading: Reading, parameters: Parameters) -> None:
    user = _within(reading, "run", "user")
    if reading.get(*user) is not None:
        value = parameters.resolve(user)
        set_user(reading, user, "".join(value) if not isinstance(value, Unset) else "of a parameter")
    hosts = [(path, reading.text(*path)) for path, _ in reading.items(*_within(reading, "run", "allowHosts"))]
    closed = _within(reading, "run", "disableNetwork")
    if reading.text(*closed).lower() in ("true", "yes", "on"):
        allow_nothing(reading, closed)
    else:
        reading.note(closed, None, "egress stays open")
    if hosts:
        allow_hosts(reading, hosts)
    for path, _ in reading.items(*_within(reading, "run", "extraHosts")):
        set_host_alias(reading, path, reading.text(*path))
    for path, _ in reading.items("run", "ports"):
        question = f"the definition publishes {excerpt(reading.text(*path))}: is it a further port of the service?"
        reading.decide(path, ("spec", "service"), None, question)
    reading.lose_all(["longLived"], "every server here is long-lived")
    reading.lose_all(["tools"], CATALOGUE)
    if needed := reading.text("requirement"):
        question = f"the server needs {excerpt(needed)}: run it, and open the way with network.egress.services"
        reading.decide(("requirement",), ("spec", "network"), None, question)

"""Docker's MCP registry: ``server.yaml`` of one server, and the ``registry`` of many in a catalog of its gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from renderer.errors import DocumentPath, excerpt
from renderer.importers.choices import Choices
from renderer.importers.docker_flags import set_user
from renderer.importers.docker_templates import Parameters, Unset
from renderer.importers.draft import (
    END,
    REPOSITORY,
    TITLE,
    Draft,
    Reading,
    annotate,
    describe,
    draft_of,
    fill_in,
    lose_all,
)
from renderer.importers.egress import allow_hosts, allow_nothing
from renderer.importers.images import set_entrypoint, set_image
from renderer.importers.naming import name_of
from renderer.importers.remotes import set_header, set_remote, set_remote_variable
from renderer.importers.variables import Variable, hide_arguments, literal, set_variable
from renderer.importers.volumes import parts, set_volume
from renderer.model import JSON, Source

FORMAT = "docker-registry"
REVISION = "org.opencontainers.image.revision"
_CATALOGUE = "data for catalogues: nothing that runs reads it"
_BUILT = "how Docker builds the image"
_OAUTH = "clients sign in by themselves: the server names its issuer"
_KINDS = ("server", "remote", "poci")


def recognises(data: Mapping[str, JSON]) -> bool:
    """One server by its type and what it runs, or a catalog of such."""
    registry = data.get("registry")
    entries = list(registry.values()) if isinstance(registry, dict) else [data if "name" in data else None]
    return any(
        isinstance(entry, dict) and entry.get("type") in _KINDS and bool({"image", "remote", "tools"} & entry.keys())
        for entry in entries
    )


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    """A Draft of each server."""
    drafts = []
    for source in sources:
        registry = source.data.get("registry")
        if not isinstance(registry, dict):
            drafts.append(_read(Reading(source), Reading(source).text("name"), choices))
            continue
        for name, entry in registry.items():
            if isinstance(entry, dict):
                drafts.append(_read(Reading(source, ("registry", name)), name, choices))
    return drafts


def _read(reading: Reading, original: str, choices: Choices) -> Draft:
    name = name_of(original)
    reading.note(("name",), ("metadata", "name"))
    reading.note(("type",), ("spec",), reading.text("type"))
    about = ("about",) if reading.get("about") is not None else ()
    annotate(reading, (*about, "title"), TITLE)
    describe(reading, (*about, "description"), reading.text(*about, "description"))
    annotate(reading, ("source", "project"), REPOSITORY)
    annotate(reading, ("source", "commit"), REVISION)
    lose_all(reading, ["branch", "directory", "dockerfile", "upstream", "buildTarget"], _BUILT, ("source",))
    lose_all(reading, ["icon"], _CATALOGUE, about)
    lose_all(reading, ["meta", "metadata", "icon", "readme", "dynamic", "prefix", "toolsUrl", "dateAdded"], _CATALOGUE)
    lose_all(reading, ["oauth"], _OAUTH)
    kind = reading.text("type")
    if kind == "remote":
        _remote(reading, name)
    elif kind == "server":
        _server(reading, name, original, choices)
    else:
        message = "each of its tools starts a container of its own (type: poci): it is no server"
        reading.refuse(("type",), "import/no-server", message, "write a server that has these tools")
    if reading.written(("spec",)):
        hide_arguments(reading, name)
        fill_in(reading)
    return draft_of(original, FORMAT, reading)


def _within(reading: Reading, group: str, key: str) -> DocumentPath:
    """Of a server.yaml within ``run`` or ``config``, in a catalog at the top."""
    return (group, key) if reading.get(group, key) is not None else (key,)


def _remote(reading: Reading, name: str) -> None:
    set_remote(reading, ("remote", "url"), ("remote", "transport_type"), reading.text("remote", "transport_type"))
    secrets = {reading.text(*path, "env"): path for path, _ in reading.items(*_within(reading, "config", "secrets"))}
    for header, value in reading.mapping("remote", "headers").items():
        text = value if isinstance(value, str) else ""
        used = re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", text)
        template = re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", r"{\1}", text)
        set_header(reading, ("remote", "headers", header), Variable(header, template), name)
        for variable in used:
            source = secrets.pop(variable, ("remote", "headers", header))
            words = reading.text(*source, "description")
            set_remote_variable(reading, source, Variable(variable, None, True, True, words), name)
    for variable, source in secrets.items():
        reading.lose(source, f"no header of the remote server has {excerpt(variable)}")
    lose_all(reading, ["description"], _CATALOGUE, ("config",))


def _server(reading: Reading, name: str, original: str, choices: Choices) -> None:
    image = reading.text("image")
    set_image(reading, ("image",), image)
    parameters = Parameters(reading, original)
    for path, _ in reading.items(*_within(reading, "config", "secrets")):
        _secret(reading, path, name)
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


def _secret(reading: Reading, path: DocumentPath, name: str) -> None:
    required = reading.get(*path, "required") is not False
    variable = Variable(reading.text(*path, "env"), None, required, True, reading.text(*path, "description"))
    set_variable(reading, path, variable, name)


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
        variable = parameters.variable(value)
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
        set_volume(reading, path, *parts(text))


def _run(reading: Reading, parameters: Parameters) -> None:
    user = _within(reading, "run", "user")
    if reading.get(*user) is not None:
        value = parameters.resolve(user)
        set_user(reading, user, "".join(value) if not isinstance(value, Unset) else "of a parameter")
    hosts = [(path, reading.text(*path)) for path, _ in reading.items(*_within(reading, "run", "allowHosts"))]
    closed = _within(reading, "run", "disableNetwork")
    if reading.text(*closed).lower() in ("true", "yes", "on"):
        allow_nothing(reading, closed)
    elif reading.get(*closed) is not None:
        reading.note(closed, None, "egress stays open")
    if hosts:
        allow_hosts(reading, hosts)
    for path, _ in reading.items(*_within(reading, "run", "extraHosts")):
        host, _, address = reading.text(*path).replace("=", ":", 1).partition(":")
        reading.map(path, ("spec", "network", "hostAliases", host.lower()), address)
    for path, _ in reading.items("run", "ports"):
        question = f"the definition publishes {excerpt(reading.text(*path))}: is it a further port of the service?"
        reading.decide(path, ("spec", "service"), None, question)
    lose_all(reading, ["longLived"], "every server here is long-lived")
    lose_all(reading, ["tools"], _CATALOGUE)
    if needed := reading.text("requirement"):
        question = f"the server needs {excerpt(needed)}: run it, and open the way with network.egress.services"
        reading.decide(("requirement",), ("spec", "network"), None, question)

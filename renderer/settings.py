"""Settings of the runtime, from defaults, file, environment variables and command line; later ones win."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from renderer import assets
from renderer.command import ACCESS_TOKEN
from renderer.errors import InputInvalid, Place, Problem, Severity, UsageMistake, dotted, errors_in, excerpt
from renderer.later import later
from renderer.model import JSON
from renderer.orchestrators.contract import DockerConfig, KubernetesConfig, OrchestratorConfig
from renderer.project import find_file, home_folder
from renderer.wording import did_you_mean

if TYPE_CHECKING:
    from renderer import load, schemas
else:
    load = later("renderer.load")  # 8 ms, which only a configuration file needs
    schemas = later("renderer.schemas")  # 6 ms, as well

ROOT = "orchestrator"
_LONGEST = 200
#: Variables of the tests, and secrets, which are no settings.
_NO_SETTINGS = ("MCPCTL_TEST_", "MCPCTL_REQUIRE_", "MCPCTL_DEBUG", ACCESS_TOKEN)
#: Exclusive ways to reach a runtime: the later source decides.
_EXCLUSIVE = (
    ("orchestrator.docker.socketPath", ("orchestrator.docker.host", "orchestrator.docker.port")),
    ("orchestrator.kubernetes.inCluster", ("orchestrator.kubernetes.kubeconfig", "orchestrator.kubernetes.context")),
)


class Field(NamedTuple):
    """One setting. ``path`` is that in the file, ``type`` the schema's; ``is_path``: names a file."""

    path: tuple[str, ...]
    type: str
    default: JSON
    description: str
    choices: tuple[str, ...] = ()
    is_path: bool = False

    @property
    def name(self) -> str:
        """``orchestrator.docker.socketPath``"""
        return ".".join(self.path)

    @property
    def section(self) -> str:
        """Its runtime; empty for the choice of the runtime."""
        return self.path[1] if len(self.path) > 2 else ""

    @property
    def variable(self) -> str:
        """``MCPCTL_DOCKER_SOCKET_PATH``; ``MCPCTL_ORCHESTRATOR_TYPE``"""
        steps = self.path[1:] if self.section else self.path
        return "_".join(["MCPCTL", *(_words(step, "_").upper() for step in steps)])

    @property
    def option(self) -> str:
        """``--docker-socket-path``; those of a cluster are named as kubectl's."""
        last = _words(self.path[-1], "-")
        if not self.section:
            return f"--{ROOT}"
        return f"--{last}" if self.section == "kubernetes" else f"--{self.section}-{last}"


class Rank(IntEnum):
    """The sources; later ones win. TOOL: the variables of docker and kubectl."""

    DEFAULT = 0
    TOOL = 1
    FILE = 2
    ENVIRONMENT = 3
    OPTION = 4


class Value(NamedTuple):
    """One setting from one source. ``origin`` is for people: ``mcpctl.yaml:3:5``, ``--context``."""

    field: Field
    value: JSON
    rank: Rank
    origin: str


class Settings(NamedTuple):
    """The configuration, its values with their origins, the file (empty: none), and warnings."""

    config: OrchestratorConfig
    values: tuple[Value, ...]
    file: str
    problems: tuple[Problem, ...]


@cache
def fields() -> tuple[Field, ...]:
    def inside(schema: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Field]:
        for name, inner in schema["properties"].items():
            here = (*path, name)
            if "properties" in inner:
                yield from inside(inner, here)
            else:
                kind, choices = inner.get("type", "string"), tuple(inner.get("enum", ()))
                default, is_path = inner.get("default"), bool(inner.get("x-path"))
                yield Field(here, kind, default, inner["description"], choices, is_path)

    return tuple(inside(assets.schema("config")["properties"][ROOT], (ROOT,)))


def load_settings(
    options: Mapping[str, JSON] | None = None,
    *,
    file: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """``options`` by name (``--context``); ``file`` None: found from ``folder`` upwards.

    InputInvalid with all Problems; UsageMistake for an option of the other runtime.
    """
    path = file or find_file(os.fspath(folder or os.getcwd()), home_folder(environ))
    problems: list[Problem] = []
    tools, of_tools = _from_tools(environ)
    values = {field.name: Value(field, field.default, Rank.DEFAULT, "default") for field in fields()}
    values |= {value.field.name: value for value in tools}
    for value in _from_file(path, problems) if path else ():
        values[value.field.name] = value
    problems += _unknown_variables(environ)
    for rank in (Rank.ENVIRONMENT, Rank.OPTION):
        for field in fields():
            origin = field.variable if rank is Rank.ENVIRONMENT else field.option
            setting = environ.get(origin) or None if rank is Rank.ENVIRONMENT else (options or {}).get(origin)
            checked = None if setting is None else _checked(field, setting, rank, origin, problems)
            values[field.name] = checked or values[field.name]
    problems += _exclusive(values)
    if values["orchestrator.type"].value == "docker":
        # Problems with DOCKER_HOST count only where no later source sets the daemon.
        daemon = [values["orchestrator.docker.socketPath"], values["orchestrator.docker.host"]]
        problems += of_tools if all(value.rank < Rank.FILE for value in daemon) else ()
    problems.sort(key=Problem.sort_key)
    if errors_in(problems):
        raise InputInvalid("the configuration is not valid; nothing was done", problems)
    _refuse_other_runtime(values)
    return Settings(_config(values), tuple(values.values()), path, tuple(problems))


def _words(name: str, separator: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", separator, name).lower()


@cache
def _schema() -> schemas.Schema:
    return schemas.Schema(assets.schema("config"))


def _from_file(path: str, problems: list[Problem]) -> Iterator[Value]:
    sources, faults = load.load([path], stdin=None)
    # A file of comments is valid.
    for problem in faults:
        of_specs = problem.rule == "yaml/not-a-mapping"
        if problem.rule != "yaml/empty":
            problems.append(problem._replace(hint="begin it with 'orchestrator:'") if of_specs else problem)
    for source in sources[1:]:
        place = Place(source.file, source.line)
        problems.append(
            Problem(place, "", "config/documents", "a second document: a configuration is one", "join them")
        )
    if not sources:
        return
    of_schema = _schema().faults(sources[0].data, "config")
    problems += [sources[0].problem(fault) for fault in of_schema]
    for field in fields() if not of_schema else ():
        node: JSON = sources[0].data
        for step in field.path:
            node = node.get(step) if isinstance(node, dict) else None
        if node is not None:
            value = _located(field, node, os.path.dirname(sources[0].file))
            yield Value(field, value, Rank.FILE, str(sources[0].place(field.path)))


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[Problem]:
    """Only warnings: a cluster sets variables such as MCPCTL_SERVICE_HOST in every pod."""
    known = [field.variable for field in fields()]
    for name in sorted(environ):
        if name.startswith("MCPCTL_") and not name.startswith(_NO_SETTINGS) and name not in known:
            near = did_you_mean(name, known)
            hint = f"did you mean '{near}'?" if near else "see mcpctl config"
            place = Place(excerpt(name, _LONGEST))
            yield Problem(place, "", "config/unknown-variable", "is not a setting", hint, Severity.WARNING)


def _checked(field: Field, value: JSON, rank: Rank, origin: str, problems: list[Problem]) -> Value | None:
    """By the schema, as if it alone stood in a file; text of a variable is read as YAML would read it."""
    if rank is Rank.ENVIRONMENT and isinstance(value, str):
        if field.type == "integer" and value.isascii() and value.isdecimal():
            value = int(value[:20])
        elif field.type == "boolean":
            value = {"true": True, "false": False, "1": True, "0": False}.get(value.lower(), value)
    data = value
    for step in reversed(field.path):
        data = {step: data}
    faults = _schema().faults(data, "config")
    # The hints are YAML's notation, which a variable does not have.
    problems += [Problem(Place(origin), dotted(fault.path), fault.rule, fault.message) for fault in faults]
    return None if faults else Value(field, _located(field, value, ""), rank, origin)


def _located(field: Field, value: JSON, folder: str) -> JSON:
    """Paths of a file count from its folder, all others from the working one."""
    is_path = field.is_path and isinstance(value, str)
    return os.path.join(folder, os.path.expanduser(str(value))) if is_path else value


def _from_tools(environ: Mapping[str, str]) -> tuple[list[Value], list[Problem]]:
    """What docker and kubectl read themselves: below our own file, which says where a project runs."""
    by_name = {field.name: field for field in fields()}
    values, problems = [], []
    if kubeconfig := environ.get("KUBECONFIG"):
        values.append(Value(by_name["orchestrator.kubernetes.kubeconfig"], kubeconfig, Rank.TOOL, "KUBECONFIG"))
    if text := environ.get("DOCKER_HOST"):
        scheme, daemon = _docker_host(text)
        for name, value in daemon.items():
            values.append(Value(by_name[f"orchestrator.docker.{name}"], value, Rank.TOOL, "DOCKER_HOST"))
        if not daemon:
            by = f", not by {excerpt(scheme)}" if scheme else ""
            message = f"mcpctl reaches a daemon by unix:// or tcp://host:port{by}"
            hint = "set orchestrator.docker.socketPath, or host and port; over ssh, forward the socket: ssh -L"
            problems.append(Problem(Place("DOCKER_HOST"), "orchestrator.docker", "config/docker-host", message, hint))
    return values, problems


def _docker_host(text: str) -> tuple[str, dict[str, JSON]]:
    """Scheme and settings of ``unix:///path`` or ``tcp://host:port``; none where it is another form.

    The text itself is never repeated: it may hold a password.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "", {}
    daemon: dict[str, JSON] = {}
    if parts.scheme == "unix" and parts.path.startswith("/"):
        daemon = {"socketPath": parts.path}
    elif parts.scheme == "tcp" and host and not parts.username and parts.path in ("", "/"):
        daemon = {"host": host, **({"port": port} if port else {})}
    fits = not _schema().faults({ROOT: {"docker": dict(daemon)}}, "config")
    return parts.scheme, daemon if fits else {}


def _exclusive(values: dict[str, Value]) -> list[Problem]:
    """Resets to the default what a later source replaces by an exclusive setting."""
    problems = []
    for name, others in _EXCLUSIVE:
        way = values[name]
        rank = way.rank if way.value else Rank.DEFAULT
        used = [values[other] for other in others if values[other].value is not None]
        other = max(used, key=lambda value: value.rank, default=None)
        if other is None or Rank.DEFAULT in (rank, other.rank):
            continue
        if rank == other.rank and rank > Rank.TOOL:
            message = f"excludes {other.field.name} ({other.origin})"
            problems.append(Problem(Place(way.origin), name, "config/both", message, "remove one of the two"))
        for replaced in others if rank > other.rank else (name,):
            field = values[replaced].field
            values[replaced] = Value(field, field.default, Rank.DEFAULT, "default")
    port, host = values["orchestrator.docker.port"], values["orchestrator.docker.host"]
    if port.rank is Rank.TOOL < host.rank:  # the port of another machine
        values[port.field.name] = port = Value(port.field, None, Rank.DEFAULT, "default")
    if port.value is not None and host.value is None and not problems:
        message = "a port without orchestrator.docker.host"
        problems.append(Problem(Place(port.origin), port.field.name, "config/port", message, "give the host too"))
    return problems


def _refuse_other_runtime(values: Mapping[str, Value]) -> None:
    """The file may configure both."""
    chosen = values["orchestrator.type"]
    for value in values.values():
        section = value.field.section
        if value.rank is Rank.OPTION and section and section != chosen.value:
            raise UsageMistake(
                f"{value.origin} is an option of {section}, and the orchestrator is {chosen.value} ({chosen.origin}); "
                f"add --orchestrator {section}, or remove {value.origin}"
            )


def _config(values: Mapping[str, Value]) -> OrchestratorConfig:
    def of(section: str, *names: str) -> list[Any]:
        several = [values[f"{ROOT}.{section}.{name}"] for name in names]
        # KUBECONFIG may be a list of files, which kubectl joins: it reads that itself.
        return [None if value.origin == "KUBECONFIG" else value.value for value in several]

    docker = DockerConfig(*of("docker", "socketPath", "host", "port", "network"))
    kubernetes = KubernetesConfig(*of("kubernetes", "namespace", "kubeconfig", "context", "inCluster"))
    return OrchestratorConfig(str(values["orchestrator.type"].value), docker, kubernetes)

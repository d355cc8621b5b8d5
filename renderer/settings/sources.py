"""The sources of settings, each read by itself: raw values with where they came from, and what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from renderer import assets
from renderer.errors import Fault, Place, Problem, Severity, dotted, excerpt
from renderer.load import load
from renderer.model import JSON, Source
from renderer.schemas import Schema
from renderer.settings.fields import Field, fields
from renderer.wording import did_you_mean

_LONGEST = 200
#: What our own tests are told by.
_NO_SETTINGS = ("MCPCTL_TEST_", "MCPCTL_REQUIRE_")


class Rank(IntEnum):
    """The sources in order: later ones win."""

    DEFAULT = 0
    TOOL = 1
    FILE = 2
    ENVIRONMENT = 3
    OPTION = 4


class Value(NamedTuple):
    """What one source says of one setting. ``origin`` is for people: ``mcpctl.yaml:3:5``, ``--context``."""

    field: Field
    value: JSON
    rank: Rank
    origin: str


class Read(NamedTuple):
    """What one source says, and the Problems with it."""

    values: tuple[Value, ...] = ()
    problems: tuple[Problem, ...] = ()


@cache
def _schema() -> Schema:
    return Schema(assets.schema("config"))


def defaults() -> Read:
    """Those of the schema; None where there is none."""
    return Read(tuple(Value(field, field.default, Rank.DEFAULT, "default") for field in fields()))


def from_file(path: str) -> Read:
    """Of a YAML or JSON file, each value with its line."""
    sources, problems = load([path], stdin=None)
    # All commented out is a configuration too.
    problems = [_for_settings(problem) for problem in problems if problem.rule != "yaml/empty"]
    for source in sources[1:]:
        message = "a second document: a configuration is one"
        problems.append(Problem(Place(source.file, source.line), "", "config/documents", message, "join the two"))
    if not sources:
        return Read((), tuple(problems))
    faults = _schema().faults(sources[0].data, "config")
    problems += [sources[0].problem(fault) for fault in faults]
    return Read(() if faults else tuple(_of_document(sources[0])), tuple(problems))


def _for_settings(problem: Problem) -> Problem:
    of_specs = problem.rule == "yaml/not-a-mapping"
    return problem._replace(hint="begin it with 'orchestrator:'") if of_specs else problem


def _of_document(source: Source) -> Iterator[Value]:
    for field in fields():
        node: JSON = source.data
        for step in field.path:
            node = node.get(step) if isinstance(node, dict) else None
        if node is not None:
            folder = os.path.dirname(source.file)
            value = _located(field, node, folder)
            yield Value(field, value, Rank.FILE, str(source.place(field.path)))


def from_environment(environ: Mapping[str, str]) -> Read:
    """``MCPCTL_…``; an empty one counts as none."""
    values, problems = [], list(_misspelt(environ))
    for field in fields():
        if text := environ.get(field.variable):
            value, faults = _checked(field, _typed(field, text), field.variable)
            problems += faults
            values += [Value(field, value, Rank.ENVIRONMENT, field.variable)] if not faults else []
    return Read(tuple(values), tuple(problems))


def _misspelt(environ: Mapping[str, str]) -> Iterator[Problem]:
    """A warning only: a cluster puts variables such as MCPCTL_SERVICE_HOST into every pod."""
    known = [field.variable for field in fields()]
    for name in sorted(environ):
        if name.startswith("MCPCTL_") and not name.startswith(_NO_SETTINGS) and name not in known:
            near = did_you_mean(name, known)
            hint = f"did you mean '{near}'?" if near else "see mcpctl config"
            place = Place(excerpt(name, _LONGEST))
            yield Problem(place, "", "config/unknown-variable", "is no setting", hint, Severity.WARNING)


def from_options(options: Mapping[str, JSON]) -> Read:
    """Option (``--context``) to value; None for those that were not given."""
    values, problems = [], []
    for field in fields():
        given = options.get(field.option)
        if given is not None:
            value, faults = _checked(field, given, field.option)
            problems += faults
            values += [Value(field, value, Rank.OPTION, field.option)] if not faults else []
    return Read(tuple(values), tuple(problems))


def _checked(field: Field, value: JSON, origin: str) -> tuple[JSON, list[Problem]]:
    """By the schema, as if it alone stood in a file."""
    data = value
    for step in reversed(field.path):
        data = {step: data}
    faults = _schema().faults(data, "config")
    return _located(field, value, ""), [_problem(fault, origin) for fault in faults]


def _problem(fault: Fault, origin: str) -> Problem:
    # What to write instead is YAML's notation, which a variable does not have.
    return Problem(Place(origin), dotted(fault.path), fault.rule, fault.message)


def _typed(field: Field, text: str) -> JSON:
    """As YAML would read it; what does not fit stays text, and the schema tells."""
    if field.type == "integer" and text.isascii() and text.isdecimal():
        return int(text[:20])
    if field.type == "boolean":
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower(), text)
    return text


def _located(field: Field, value: JSON, folder: str) -> JSON:
    """Paths of a file count from its folder, all others from the working one."""
    if not field.is_path or not isinstance(value, str):
        return value
    return os.path.join(folder, os.path.expanduser(value))


def from_tools(environ: Mapping[str, str]) -> Read:
    """What docker and kubectl read themselves: below our own file, which says where a project runs."""
    by_name = {field.name: field for field in fields()}
    values = []
    if kubeconfig := environ.get("KUBECONFIG"):
        values.append(Value(by_name["orchestrator.kubernetes.kubeconfig"], kubeconfig, Rank.TOOL, "KUBECONFIG"))
    found = _docker_host(environ.get("DOCKER_HOST", ""))
    if isinstance(found, Problem):
        return Read(tuple(values), (found,))
    for name, value in found.items():
        values.append(Value(by_name[f"orchestrator.docker.{name}"], value, Rank.TOOL, "DOCKER_HOST"))
    return Read(tuple(values))


def _docker_host(text: str) -> dict[str, JSON] | Problem:
    """``unix:///path`` or ``tcp://host:port``. The text itself is not repeated: it may hold a password."""
    if not text:
        return {}
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return _not_understood("")
    if parts.scheme == "unix" and parts.path.startswith("/"):
        found: dict[str, JSON] = {"socketPath": parts.path}
    elif parts.scheme == "tcp" and host and not parts.username and parts.path in ("", "/"):
        found = {"host": host, **({"port": port} if port else {})}
    else:
        return _not_understood(parts.scheme)
    if _schema().faults({"orchestrator": {"docker": dict(found)}}, "config"):
        return _not_understood(parts.scheme)
    return found


def _not_understood(scheme: str) -> Problem:
    message = f"mcpctl reaches a daemon by unix:// or tcp://host:port{', not by ' + excerpt(scheme) if scheme else ''}"
    hint = "set orchestrator.docker.socketPath, or host and port; over ssh, forward the socket: ssh -L"
    return Problem(Place("DOCKER_HOST"), "orchestrator.docker", "config/docker-host", message, hint)


def home_of(environ: Mapping[str, str]) -> Path | None:
    """None where there is none."""
    return Path(environ["HOME"]) if environ.get("HOME") else None

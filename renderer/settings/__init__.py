"""Settings: which runtime, and how it is reached; from file, environment and command line, later ones win."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from renderer.errors import InputInvalid, Place, Problem, UsageMistake, errors_in
from renderer.model import JSON
from renderer.orchestrator import DockerConfig, KubernetesConfig, OrchestratorConfig
from renderer.settings.discovery import find
from renderer.settings.fields import Field, fields
from renderer.settings.sources import (
    Rank,
    Read,
    Value,
    defaults,
    from_environment,
    from_file,
    from_options,
    from_tools,
    home_of,
)

__all__ = ["Field", "Rank", "Settings", "Value", "fields", "load_settings"]

#: One way to reach a runtime, and the other one: of two sources the later decides which.
_EXCLUSIVE = (
    ("orchestrator.docker.socketPath", ("orchestrator.docker.host", "orchestrator.docker.port")),
    ("orchestrator.kubernetes.inCluster", ("orchestrator.kubernetes.kubeconfig", "orchestrator.kubernetes.context")),
)


class Settings(NamedTuple):
    """The configuration, each value with its origin, the file (empty: none), and warnings."""

    config: OrchestratorConfig
    values: tuple[Value, ...]
    file: str
    problems: tuple[Problem, ...]


def load_settings(
    options: Mapping[str, JSON] | None = None,
    *,
    file: str | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Defaults of the schema, the tools' own variables, the file, ``MCPCTL_…`` variables, options.

    ``options`` by their names (``--context``); ``file`` None: found from ``folder`` upwards. InputInvalid with all
    Problems; UsageMistake where an option belongs to the other runtime.
    """
    path = file or _found(folder, environ)
    tools = from_tools(environ)
    sources = [from_file(path) if path else Read(), from_environment(environ), from_options(options or {})]
    problems = [problem for source in sources for problem in source.problems]
    values = _merged([defaults(), tools, *sources])
    exclusive = _exclusive(values)
    if values["orchestrator.type"].value == "docker":
        # What docker would make of its variable counts only where nothing of ours says more.
        daemon = [values["orchestrator.docker.socketPath"], values["orchestrator.docker.host"]]
        problems += tools.problems if all(one.rank < Rank.FILE for one in daemon) else ()
    if errors_in(problems := sorted([*problems, *exclusive], key=Problem.sort_key)):
        raise InputInvalid("the configuration does not hold; nothing was done", problems)
    _refuse_other_runtime(values)
    return Settings(_config(values), tuple(values.values()), path, tuple(problems))


def _found(folder: Path | None, environ: Mapping[str, str]) -> str:
    path = find(folder or Path.cwd(), home_of(environ))
    return os.path.relpath(path) if path else ""


def _merged(sources: Sequence[Read]) -> dict[str, Value]:
    return {value.field.name: value for source in sources for value in source.values}


def _exclusive(values: dict[str, Value]) -> list[Problem]:
    """Takes back to its default what a later source replaced by the other way."""
    problems = []
    for one, others in _EXCLUSIVE:
        way = values[one]
        rank = way.rank if way.value else Rank.DEFAULT
        other = max(
            (values[name] for name in others if values[name].value is not None), key=lambda v: v.rank, default=None
        )
        if other is None or Rank.DEFAULT in (rank, other.rank):
            continue
        if rank == other.rank and rank > Rank.TOOL:
            message = f"it excludes {other.field.name} ({other.origin})"
            problems.append(Problem(Place(way.origin), one, "config/both", message, "leave one of the two out"))
        for name in others if rank > other.rank else (one,):
            field = values[name].field
            values[name] = Value(field, field.default, Rank.DEFAULT, "default")
    port, host = values["orchestrator.docker.port"], values["orchestrator.docker.host"]
    if port.rank is Rank.TOOL < host.rank:  # the port of another machine
        values[port.field.name] = port = Value(port.field, None, Rank.DEFAULT, "default")
    if port.value is not None and host.value is None and not problems:
        message = "a port without orchestrator.docker.host"
        problems.append(Problem(Place(port.origin), port.field.name, "config/port", message, "give the host too"))
    return problems


def _refuse_other_runtime(values: Mapping[str, Value]) -> None:
    """An option that would do nothing; in the file both runtimes may stand side by side."""
    chosen = values["orchestrator.type"]
    for value in values.values():
        section = value.field.section
        if value.rank is Rank.OPTION and section and section != chosen.value:
            raise UsageMistake(
                f"{value.origin} is of {section}, and the orchestrator is {chosen.value} ({chosen.origin}); "
                f"add --orchestrator {section}, or leave {value.origin} out"
            )


def _config(values: Mapping[str, Value]) -> OrchestratorConfig:
    def of(section: str, name: str) -> Any:
        value = values[f"orchestrator.{section}.{name}"]
        # KUBECONFIG may be a list of files, which kubectl joins: it reads that itself.
        return None if value.origin == "KUBECONFIG" else value.value

    docker = DockerConfig(*(of("docker", name) for name in ("socketPath", "host", "port", "network")))
    kubernetes = KubernetesConfig(
        *(of("kubernetes", name) for name in ("namespace", "kubeconfig", "context", "inCluster"))
    )
    return OrchestratorConfig(str(values["orchestrator.type"].value), docker, kubernetes)

"""Servers that somebody else runs, where a command lists servers or would deploy them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from renderer import pipeline
from renderer.cli.options import project
from renderer.model import Server, Source
from renderer.orchestrators.contract import InstanceState, InstanceStatus
from renderer.pipeline import Specs


def count_remotes(several: Sequence[Specs]) -> dict[str, int]:
    """For the summary, where there are any."""
    number = sum(len(specs.remotes) for specs in several)
    return {"remote servers": number} if number else {}


def nothing_deployed(several: Sequence[Specs]) -> tuple[str, ...]:
    """The line of a run that deploys nothing, as all of its servers are remote."""
    names = sorted({server.name for specs in several for server in specs.remotes})
    if not names or any(specs.servers for specs in several):
        return ()
    return (f"nothing is deployed: {', '.join(names)} {'is a remote server' if len(names) == 1 else 'are remote'}",)


def remote_instances(names: Collection[str] = (), labels: Mapping[str, str] | None = None) -> list[InstanceStatus]:
    """Those of the project, as lists show servers: in each environment that has them, with the address there.

    Without a project there are none, as a runtime knows none; nor of specs with errors, which ``validate`` lists.
    """
    known = project()
    inputs = pipeline.read_inputs(known.paths) if known and known.specs else pipeline.Inputs((), (), ())
    patched = any("remote" in patch.data for environment in inputs.environments for patch in environment.patches)
    inputs = inputs._replace(sources=tuple(source for source in inputs.sources if patched or _is_remote(source)))
    if not inputs.sources:
        return []
    found = {run.name: run.specs for run in pipeline.runs_for(inputs, inputs.environments)}
    if not inputs.environments:
        found = {"": pipeline.plain(inputs)}
    return [
        _instance(server, name)
        for name, specs in found.items()
        for server in specs.remotes
        if (not names or server.name in names)
        and all(server.labels.get(key) == value for key, value in (labels or {}).items())
    ]


def _is_remote(source: Source) -> bool:
    return source.sets("spec", "remote")


def _instance(server: Server, environment: str) -> InstanceStatus:
    assert server.remote, "those alone are asked for"
    endpoint = server.remote.address
    return InstanceStatus(server.name, server.name, environment, InstanceState.REMOTE, 0, 0, endpoint=endpoint)

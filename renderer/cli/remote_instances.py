"""Servers that somebody else runs, where a command lists servers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from renderer.cli.options import project
from renderer.orchestrators.contract import InstanceState, InstanceStatus

if TYPE_CHECKING:
    pass


def remote_instances(names: Collection[str] = (), labels: Mapping[str, str] | None = None) -> list[InstanceStatus]:
    """Those of the project, as lists show servers: in each environment that has them, with the address there.

    Without a project there are none, as a runtime knows none; nor of specs with errors, which ``validate`` lists.
    """
    known = project()
    if not known or not known.specs:
        return []
    from renderer import pipeline  # 80 ms with Jinja, which only a project with specs pays

    inputs = pipeline.read_inputs(known.paths)
    patched = any("remote" in patch.data for environment in inputs.environments for patch in environment.patches)
    inputs = inputs._replace(
        sources=tuple(source for source in inputs.sources if patched or source.sets("spec", "remote"))
    )
    if not inputs.sources:
        return []
    several = {run.name: run.specs for run in pipeline.runs_for(inputs, inputs.environments)}
    if not inputs.environments:
        several = {"": pipeline.plain(inputs)}
    statuses = []
    for environment, specs in several.items():
        for server in specs.remotes:
            fits = all(server.labels.get(key) == value for key, value in (labels or {}).items())
            if server.remote and fits and (not names or server.name in names):
                address, state = server.remote.address, InstanceState.REMOTE
                statuses.append(InstanceStatus(server.name, server.name, environment, state, 0, 0, endpoint=address))
    return statuses

"""How specs change the graph, and remote servers, of which a tree has no files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from renderer import pipeline
from renderer.errors import errors_in, excerpt
from renderer.graph import DRAWN, Edge, Graph, graph_of
from renderer.model import Server
from renderer.pipeline import Inputs, Run, Specs


class GraphChange(NamedTuple):
    """Of one environment: new and removed edges. ``graph`` has the nodes of both sides.

    ``remotes`` are the changes of remote servers, as sentences.
    """

    name: str
    graph: Graph
    added: tuple[Edge, ...]
    removed: tuple[Edge, ...]
    remotes: tuple[str, ...]


def graph_changes(runs: Sequence[Run], old: Inputs | None) -> tuple[GraphChange, ...]:
    """One for each run with changes; none where the old specs are unknown or invalid."""
    if old is None or not old.sources:
        return ()
    changes = []
    for run in (run for run in runs if run.target in DRAWN):
        specs = _specs_before(run, old)
        if specs is not None and not errors_in(specs.problems):
            before = run._replace(specs=pipeline.placed(specs, run.options))
            old_graph, graph = graph_of(before), graph_of(run)
            added = tuple(edge for edge in graph.edges if edge not in set(old_graph.edges))
            removed = tuple(edge for edge in old_graph.edges if edge not in set(graph.edges))
            remotes = tuple(_remotes(specs.remotes, run.specs.remotes))
            if added or removed or remotes:
                known = {node.id for node in graph.nodes}
                nodes = (*graph.nodes, *(node for node in old_graph.nodes if node.id not in known))
                changes.append(GraphChange(run.name, graph._replace(nodes=nodes), added, removed, remotes))
    return tuple(changes)


def _specs_before(run: Run, old: Inputs) -> Specs | None:
    """None where nothing changes, or the environment is new."""
    environment = next((each for each in old.environments if each.name == run.name), None)
    if bool(environment) != bool(run.environment):
        return None
    now = run.sources or tuple(server.source for server in (*run.specs.servers, *run.specs.remotes))
    same = [source.data for source in old.sources] == [source.data for source in now]
    if same and (not environment or not run.environment or environment.source.data == run.environment.source.data):
        return None
    if environment is None:
        return pipeline.plain(old, run.specs.levels)
    return pipeline.runs_for(old, [environment], run.specs.levels)[0].specs


def _remotes(before: Sequence[Server], now: Sequence[Server]) -> Iterator[str]:
    """What clients must be configured for again: of headers and variables only that their values change."""
    old, new = ({server.name: server.remote for server in servers if server.remote} for servers in (before, now))
    for name in sorted({*old, *new}):
        old_remote, new_remote = old.get(name), new.get(name)
        if old_remote is None or new_remote is None:
            address = (new_remote or old_remote).address  # type: ignore[union-attr]
            yield f"remote server {name} is {'new' if old_remote is None else 'removed'}: {address}"
            continue
        fields = [
            ("address", old_remote.address, new_remote.address),
            ("transport", old_remote.transport, new_remote.transport),
        ]
        words = [f"{field} {excerpt(a, 120)} becomes {excerpt(b, 120)}" for field, a, b in fields if a != b]
        for header in sorted({*old_remote.headers, *new_remote.headers}):
            pieces = [remote.pieces(remote.headers.get(header, "")) for remote in (old_remote, new_remote)]
            state = (
                "is new"
                if header not in old_remote.headers
                else "is gone"
                if header not in new_remote.headers
                else "changes"
            )
            words += [f"header {header} {state}"] if pieces[0] != pieces[1] else []
        secrets = [
            [p for p in remote.pieces(remote.url) if not isinstance(p, str)] for remote in (old_remote, new_remote)
        ]
        words += ["a secret in the address changes"] if secrets[0] != secrets[1] else []
        if words:
            yield f"remote server {name}: {'; '.join(words)}"

"""Custom resources of MCP operators: ToolHive, kmcp, and the MCP Lifecycle Operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from renderer.importers.draft import Choices, Draft, Reading, draft_of
from renderer.importers.manifests.objects import leave, split_lists
from renderer.importers.operators import kmcp, sig, toolhive
from renderer.importers.operators.resource import Resource
from renderer.importers.variables import complete
from renderer.kinds import POD_TEMPLATES
from renderer.model import JSON, Source

NAME = "operator"
#: By API group and kind.
_READERS: Mapping[tuple[str, str], Callable[[Resource], None]] = {
    ("toolhive.stacklok.dev", "MCPServer"): toolhive.read_server,
    ("toolhive.stacklok.dev", "MCPRemoteProxy"): toolhive.read_proxy,
    ("kagent.dev", "MCPServer"): kmcp.read_server,
    ("mcp.x-k8s.io", "MCPServer"): sig.read_server,
}
_GROUPS = tuple({f"{group}/" for group, _ in _READERS})


def recognises(data: Mapping[str, JSON]) -> bool:
    items = data.get("items")
    objects = items if isinstance(items, list) else [data]
    return bool(objects) and all(isinstance(o, dict) and str(o.get("apiVersion")).startswith(_GROUPS) for o in objects)


def is_workload(source: Source) -> bool:
    return source.data.get("kind") in POD_TEMPLATES


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    """Resources that are no servers are reported with the first."""
    resources = [Resource(each, choices) for each in split_lists(sources)]
    servers = [each for each in resources if each.group_and_kind in _READERS]
    others = [each for each in resources if each not in servers]
    related = {(each.object.kind, each.name): each for each in others}
    for server in servers:
        server.related = related
        _READERS[server.group_and_kind](server)
        if not server.reading.problems:
            complete(server.reading, server.server)
    if not servers:
        first = others[0]
        reading = Reading(first.object.source, first.object.root)
        message = f"there is no MCPServer among the resources, only {first.object.kind} {first.name}"
        reading.refuse((), "import/no-server", message, "add the resource of the server to the files")
        return [draft_of(first.name, NAME, reading)]
    for other in others:
        leave(other.reading, other.object, "stays as it is; the spec refers to it where it has a field for that")
        servers[0].readings.append(other.reading)
    return [draft_of(each.name, NAME, *each.readings) for each in servers]

"""Resources of operators that run MCP servers: ToolHive's, kmcp's, and that of Kubernetes' SIGs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from renderer.errors import DocumentPath
from renderer.importers.choices import Choices
from renderer.importers.draft import Draft, draft_of
from renderer.importers.operators import kmcp, sig, toolhive
from renderer.importers.operators.resource import Resource
from renderer.importers.variables import complete
from renderer.kinds import POD_TEMPLATES
from renderer.model import JSON, Source

NAME = "operator"
#: Reads one resource of its kind.
_Read: TypeAlias = Callable[[Resource], None]
_READERS: Mapping[tuple[str, str], _Read] = {
    ("toolhive.stacklok.dev/", "MCPServer"): toolhive.read_server,
    ("toolhive.stacklok.dev/", "MCPRemoteProxy"): toolhive.read_proxy,
    ("kagent.dev/", "MCPServer"): kmcp.read_server,
    ("mcp.x-k8s.io/", "MCPServer"): sig.read_server,
}
_GROUPS = tuple({group for group, _ in _READERS})


def recognises(data: Mapping[str, JSON]) -> bool:
    """A resource of an operator, or a list of them as ``kubectl get`` prints it."""
    items = data.get("items")
    objects = items if isinstance(items, list) else [data]
    return bool(objects) and all(isinstance(o, dict) and str(o.get("apiVersion")).startswith(_GROUPS) for o in objects)


def is_beside(source: Source) -> bool:
    """Whether it is an object that servers of an operator may refer to, and no workload of its own."""
    return source.data.get("kind") not in POD_TEMPLATES


def read(sources: Sequence[Source], choices: Choices) -> list[Draft]:
    """A Draft for each server. What else there is goes into the first one's report."""
    resources = [Resource(source, root, data, choices) for source in sources for root, data in _objects(source)]
    servers = {id(each): read for each in resources if (read := _reader(each))}
    others = [each for each in resources if id(each) not in servers]
    named = {(each.kind, each.name): each for each in others}
    for resource in resources:
        if read_one := servers.get(id(resource)):
            resource.beside = named
            read_one(resource)
            if not resource.reading.problems:
                complete(resource.reading, resource.server)
    first = next((each for each in resources if id(each) in servers), None)
    if first is None:
        message = f"there is no MCPServer among the resources, only {others[0].kind} {others[0].name}"
        others[0].reading.refuse((), "import/no-server", message, "add the resource of the server to the files")
        return [draft_of(others[0].name, NAME, others[0].reading)]
    for other in others:
        other.leave("stays as it is; the spec refers to it where it has a field for that")
        first.readings.append(other.reading)
    return [draft_of(each.name, NAME, *each.readings) for each in resources if id(each) in servers]


def _reader(resource: Resource) -> _Read | None:
    return next((read for (group, kind), read in _READERS.items() if resource.is_of(group, kind)), None)


def _objects(source: Source) -> Iterator[tuple[DocumentPath, dict[str, JSON]]]:
    items = source.data.get("items")
    if isinstance(items, list):
        yield from ((("items", i), each) for i, each in enumerate(items) if isinstance(each, dict))
    else:
        yield (), source.data

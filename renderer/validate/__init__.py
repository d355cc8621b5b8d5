"""Stage validate: all faults of specs, against the schema, between fields and between servers."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from renderer import assets
from renderer.errors import Fault, Problem, Severity
from renderer.guard import metadata_paths
from renderer.later import later
from renderer.model import JSON, Access, PartialServer, Server, Source
from renderer.model.access import WELL_KNOWN
from renderer.schemas import Schema, deprecations
from renderer.validate import access, network, sandbox, transport, variables, workload

if TYPE_CHECKING:
    from renderer.validate import partial, remote
else:
    partial = later("renderer.validate.partial")  # 1 ms, which only a faulty spec needs
    remote = later("renderer.validate.remote")  # 1 ms, which only remote servers need

#: From a resolved Server to Faults with paths from the document's root.
#: Rules of a single target are in that target.
Rule = Callable[[Server], Iterator[Fault]]
RULES: tuple[Rule, ...] = (
    *transport.RULES,
    *network.RULES,
    *access.RULES,
    *variables.RULES,
    *workload.RULES,
    *sandbox.RULES,
)


def validate_source(source: Source) -> list[Problem]:
    """Against ``schemas/mcpserver.schema.json``.

    Of another kind of document only the kind is reported.
    """
    if source.is_foreign:
        path = ("apiVersion",) if "apiVersion" in source.data else ()
        message, hint = "not a spec (no apiVersion mcpctl.io/v1alpha1)", "write apiVersion and kind"
        if form := _importable(source.data):
            file = shlex.quote("-" if source.file == "<stdin>" else source.file)
            message, hint = f"not a spec: {form}", f"'mcpctl import {file}' makes specs of it"
        hint += ", or keep the file outside of the folder of specs"
        return [source.problem(Fault(path, "schema/not-a-spec", message, hint))]
    faults = spec_schema().faults(source.data, "schema")
    of_kind = [fault for fault in faults if fault.path in (("apiVersion",), ("kind",)) and fault.rule != "schema/type"]
    faults += deprecations(spec_schema().document, source.data)
    return [source.problem(fault) for fault in of_kind or faults]


def _importable(data: Mapping[str, JSON]) -> str:
    """What ``mcpctl import`` reads, by its first fields; empty where it reads nothing of that kind."""
    if "server.schema.json" in str(data.get("$schema")):
        return "a definition of the MCP registry"
    if "apiVersion" in data:
        if data.get("kind") in ("MCPServer", "MCPRemoteProxy"):
            return f"an {data['kind']} of an operator"
        return f"a {data['kind']} of Kubernetes" if data.get("kind") in ("Deployment", "StatefulSet", "Pod") else ""
    if data.get("type") in ("server", "remote") and {"image", "remote"} & data.keys():
        return "a definition of Docker's MCP registry"
    forms = {"mcpServers": "a client's list of MCP servers", "servers": "a client's list of MCP servers"}
    for name, form in {**forms, "services": "a compose file"}.items():
        entries = data.get(name)
        if isinstance(entries, dict) and entries and all(isinstance(entry, dict) for entry in entries.values()):
            return form
    return ""


def partial_server(source: Source, resolve: Callable[[Source], Server]) -> Server | None:
    """The server without its invalid values, to find further faults only."""
    part = partial.valid_part(source, lambda data: spec_schema().faults(data, "schema"))
    return PartialServer.of(resolve(part[0]), part[1]) if part else None


def validate_rules(server: Server) -> list[Problem]:
    """Rules between fields."""
    return list(map(server.problem, server.faults(remote.RULES if server.remote else RULES)))


@cache
def spec_schema() -> Schema:
    return Schema(assets.schema("mcpserver"))


def validate_links(servers: Sequence[Server]) -> list[Problem]:
    """Rules for servers whose ``network.egress.servers`` are resolved."""
    rules = (network.linked_urls_are_reachable,)
    return [server.problem(fault) for server in servers for fault in server.faults(rules)]


#: Names that only one server may have, with the Fault for a second one.
Names = list[tuple[str, Fault]]


def across_servers(servers: Sequence[Server]) -> list[Problem]:
    """Duplicates between servers: one Problem a line, with both places."""
    problems: list[Problem] = []
    deployed = [server for server in servers if not server.remote]
    takers = (
        *(_server_name, _object_name, _account_name, _claim_names, _ways_in, _public_address),
        *(_sandbox_names, _runtime_class_name),
    )
    for names_of in takers:
        lines = {(p.place.file, p.place.line) for p in problems}
        first: dict[str, tuple[Server, Fault]] = {}
        for server in servers if names_of is _server_name else deployed:
            for name, fault in names_of(server):
                other, others_fault = first.setdefault(name, (server, fault))
                if other is server:
                    continue  # before its place is looked for, which reads the spec once more
                problem, place = server.problem(fault), other.problem(others_fault).place
                if (problem.place.file, problem.place.line) not in lines:
                    message = f"{problem.message} (also {place})"
                    problems.append(problem._replace(message=message, related=(place,)))
    return problems


def _server_name(server: Server) -> Names:
    message = f"two servers are named '{server.name}'"
    hint = "rename one: names are unique in a run, they select the pods"
    return [(server.name, Fault(("metadata", "name"), "spec/duplicate-name", message, hint))]


def _in_namespace(server: Server, name: str) -> str:
    return f"{server.namespace or ''}/{name}"


def _object_name(server: Server) -> Names:
    path = ("spec", "resourceName") if server.sets("spec", "resourceName") else ("metadata", "name")
    message = f"the objects of two servers are named '{server.resource_name}'"
    hint = "choose another metadata.name or spec.resourceName"
    return [(_in_namespace(server, server.resource_name), Fault(path, "spec/duplicate-resource-name", message, hint))]


def _account_name(server: Server) -> Names:
    account = server.service_account
    if not account.create:
        return []
    named = server.sets("spec", "serviceAccount", "name")
    path = ("spec", "serviceAccount", "name") if named else ("metadata", "name")
    message = f"two servers create the ServiceAccount '{account.name}'"
    hint = "to share it, create it elsewhere and write 'create: false' in both"
    return [(_in_namespace(server, account.name), Fault(path, "spec/duplicate-service-account", message, hint))]


def _claim_names(server: Server) -> Names:
    if server.workload == "StatefulSet":  # its claims carry the names of its pods
        return []
    names: Names = []
    for i, volume in enumerate(server.storage):
        if volume.size is None:
            continue
        name = server.claim_name(volume)
        message = f"the PersistentVolumeClaims of two servers are named '{name}'"
        path = ("spec", "storage", i, "name")
        fault = Fault(path, "spec/duplicate-claim", message, "rename one of the volumes")
        names.append((_in_namespace(server, name), fault))
    return names


def _ways_in(server: Server) -> Names:
    """Controllers refuse the second of two equal routes, or send all requests to one."""
    expose = server.expose
    if expose is None:
        return []
    by = f"{expose.type} {expose.class_name} {expose.gateway}"
    second = server.transport.messages
    further = (*((second,) if second else ()), *(metadata_paths(server.guard) if server.guard else ()))
    paths = (*expose.paths, *(path for path in further if not expose.leads_to(path)))
    names: Names = []
    for url in (f"{host}{path.rstrip('/')}" for host in expose.hosts for path in paths):
        message = f"two servers are exposed at {url}/: one of them gets no requests"
        hint = "choose another host or path; of SSE, have the servers announce paths of their own for messages"
        if url.partition("/")[2] == WELL_KNOWN[1:]:
            hint = "put a path of the server's own in front of that of access.url: https://HOST/NAME/mcp"
        fault = Fault(("spec", "expose"), "spec/duplicate-way-in", message, hint, Severity.WARNING, at_key=True)
        names.append((f"{by} {url}", fault))
    return names


def _public_address(server: Server) -> Names:
    if not isinstance(server.access, Access) or server.access.url is None:
        return []
    message = f"two servers have the public address {server.access.url}, so a token for one is a token for the other"
    hint = "give each server an address of its own"
    fault = Fault(("spec", "access", "url"), "spec/duplicate-access-url", message, hint)
    return [(server.access.url, fault)]


def _sandbox_names(server: Server) -> Names:
    if server.sandbox is None or not server.sandbox.create:
        return []
    message = f"two servers create the sandbox namespace '{server.sandbox.namespace}'"
    hint = "choose another sandbox.namespace, or write 'create: false' in one of them"
    fault = Fault(("spec", "sandbox"), "spec/duplicate-sandbox", message, hint, at_key=True)
    return [(server.sandbox.namespace, fault)]


def _runtime_class_name(server: Server) -> Names:
    runtime_class = server.sandbox and server.sandbox.runtime_class
    if not runtime_class or not runtime_class.create:
        return []
    message = f"two servers create the RuntimeClass '{runtime_class.name}'"
    hint = "write 'create: false' in one of them"
    fault = Fault(("spec", "sandbox", "runtimeClass"), "spec/duplicate-sandbox", message, hint, at_key=True)
    return [(runtime_class.name, fault)]

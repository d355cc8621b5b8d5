"""Rules between the servers of one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from renderer.errors import Fault, Problem
from renderer.model import Server

#: What a server takes for itself alone: names, each with the Fault of a second server that takes it too.
Names = list[tuple[str, Fault]]


def across_servers(servers: Sequence[Server]) -> list[Problem]:
    """Two servers of one name, or whose objects would have one name: each told, both places named."""
    problems = _clashes(servers, _server_name)
    told = {(p.place.file, p.place.line) for p in problems}
    for names in (_object_name, _account_name, _claim_names, _sandbox_names, _runtime_class_name):
        more = [p for p in _clashes(servers, names) if (p.place.file, p.place.line) not in told]
        told |= {(p.place.file, p.place.line) for p in more}
        problems += more
    return problems


def _clashes(servers: Sequence[Server], names: Callable[[Server], Names]) -> list[Problem]:
    first: dict[str, tuple[Server, Fault]] = {}
    problems = []
    for server in servers:
        for name, fault in names(server):
            other, others_fault = first.setdefault(name, (server, fault))
            if other is not server:
                place = other.problem(others_fault).place
                problem = server.problem(fault)
                message = f"{problem.message}; the other one: {place}"
                problems.append(problem._replace(message=message, related=(place,)))
    return problems


def _server_name(server: Server) -> Names:
    message = f"two servers are called '{server.name}'"
    hint = "names are unique in a run: they select the pods"
    return [(server.name, Fault(("metadata", "name"), "spec/duplicate-name", message, hint))]


def _object_name(server: Server) -> Names:
    path = ("spec", "resourceName") if server.given("spec", "resourceName") else ("metadata", "name")
    message = f"the objects of two servers would be called '{server.resource_name}'"
    hint = "choose another metadata.name or spec.resourceName"
    return [(server.resource_name, Fault(path, "spec/duplicate-resource-name", message, hint))]


def _account_name(server: Server) -> Names:
    account = server.service_account
    if not account.create:
        return []
    given = server.given("spec", "serviceAccount", "name")
    path = ("spec", "serviceAccount", "name") if given else ("metadata", "name")
    message = f"two servers would make the ServiceAccount '{account.name}'"
    hint = "to share one, make it elsewhere and say 'create: false'"
    return [(account.name, Fault(path, "spec/duplicate-service-account", message, hint))]


def _claim_names(server: Server) -> Names:
    if server.workload == "StatefulSet":  # its claims carry the names of its pods
        return []
    found: Names = []
    for i, volume in enumerate(server.storage):
        name = f"{server.resource_name}-{volume.name}"
        message = f"the claims of two servers would be called '{name}'"
        path = ("spec", "storage", i, "name")
        found.append((name, Fault(path, "spec/duplicate-claim", message, "rename one of the volumes")))
    return found


def _sandbox_names(server: Server) -> Names:
    """A Namespace is of one server, which keeps it."""
    if server.sandbox is None or not server.sandbox.create:
        return []
    message = f"two servers would make the sandbox namespace '{server.sandbox.namespace}'"
    hint = "choose another sandbox.namespace, or say 'create: false' in one of them"
    fault = Fault(("spec", "sandbox"), "spec/duplicate-sandbox", message, hint, at_key=True)
    return [(server.sandbox.namespace, fault)]


def _runtime_class_name(server: Server) -> Names:
    """So is a RuntimeClass, which has no namespace."""
    runtime_class = server.sandbox and server.sandbox.runtime_class
    if not runtime_class or not runtime_class.create:
        return []
    message = f"two servers would make the RuntimeClass '{runtime_class.name}'"
    hint = "say 'create: false' in one of them"
    fault = Fault(("spec", "sandbox", "runtimeClass"), "spec/duplicate-sandbox", message, hint, at_key=True)
    return [(runtime_class.name, fault)]

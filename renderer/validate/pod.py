"""Rules between the fields that shape a pod: checks, further containers, nodes, starting and stopping."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from renderer.errors import DocumentPath, Fault
from renderer.model import Container, Server
from renderer.quantity import amount

Rule = Callable[[Server], Iterator[Fault]]

#: Names of containers that mcpctl renders itself.
OWN_CONTAINERS = ("mcp-server", "bridge")


def tcp_and_mcp_stand_alone(server: Server) -> Iterator[Fault]:
    """A probe has one handler; 'path' beside 'command' is told by another rule."""
    health = server.health
    ways = {"path": health.path, "command": health.command, "tcp": health.tcp, "mcp": health.mcp}
    given = [name for name, value in ways.items() if value]
    if len(given) > 1 and given[-1] in ("tcp", "mcp"):
        yield Fault(
            ("spec", "health", given[-1]),
            "spec/health-two-ways",
            f"{' and '.join(map(repr, given))} are {len(given)} ways to check, and a probe has one",
            "keep one of them",
            at_key=True,
        )


def mcp_check_can_run(server: Server) -> Iterator[Fault]:
    """The check is a program for an interpreter that must be in the container, and must not start servers."""
    if not server.health.mcp or not server.listens:
        return
    if reason := _no_mcp_check(server):
        message, hint = reason
        yield Fault(("spec", "health", "mcp"), "spec/health-mcp", message, hint, at_key=True)


def _no_mcp_check(server: Server) -> tuple[str, str] | None:
    transport = server.transport
    if server.package is None:
        missing = "an MCP check is a program for Node.js or Python, and mcpctl cannot know whether this image has one"
        return missing, "name a program of the image that asks the server as health.command, or use 'tcp' or 'path'"
    if transport.type == "stdio" and transport.bridge != "mcp-proxy":
        message = f"{transport.bridge} starts the server anew for each session, so each check would start one"
        return message, "use 'bridge: mcp-proxy', which keeps one server for all"
    if transport.type == "sse":
        return "an answer over sse comes on a second connection, which a check has not", "use 'tcp', or 'path'"
    return None


def containers_have_names(server: Server) -> Iterator[Fault]:
    """Containers of one pod, whichever list they stand in, have different names."""
    seen = set(OWN_CONTAINERS)
    for path, container in _containers(server):
        if container.name in seen:
            ours = container.name in OWN_CONTAINERS
            message = "is the name of a container of mcpctl's own" if ours else "is the name of two containers"
            yield Fault((*path, "name"), "spec/container-name", f"'{container.name}' {message}", "choose another name")
        seen.add(container.name)


def _containers(server: Server) -> Iterator[tuple[DocumentPath, Container]]:
    for field, containers in (("initContainers", server.init_containers), ("sidecars", server.sidecars)):
        for i, container in enumerate(containers):
            yield ("spec", field, i), container


def containers_mount_what_there_is(server: Server) -> Iterator[Fault]:
    """They share what the server has; they own nothing themselves."""
    places = {volume.name: volume.mount_path for volume in server.storage}
    paths = {*places.values(), *(f.path for f in server.files), *(w.path for w in server.security.writable)}
    for path, container in _containers(server):
        taken = set()
        for i, mount in enumerate(container.mounts):
            place = places.get(mount.source, mount.source)
            if place not in paths:
                known = ", ".join(sorted({*places, *paths})) or "nothing"
                message = f"the server has no volume, file or writable path '{mount.source}'"
                yield Fault((*path, "mounts", i, "source"), "spec/container-mount", message, f"there is: {known}")
            elif (mount.path or place) in taken:
                message = f"'{mount.path or place}' is mounted twice"
                yield Fault((*path, "mounts", i), "spec/container-mount-twice", message, "give each a path of its own")
            taken.add(mount.path or place)


def containers_request_within_limits(server: Server) -> Iterator[Fault]:
    """As of the server itself: the API server refuses a request above its limit."""
    for path, container in _containers(server):
        requests, limits = container.resources
        for part, wanted, most in (("cpu", requests.cpu, limits.cpu), ("memory", requests.memory, limits.memory)):
            if wanted and most and amount(wanted) > amount(most):
                message = f"the {part} request of {wanted} is above the limit of {most}"
                yield Fault((*path, "resources"), "spec/container-requests", message, "raise the limit, or the size")


def tolerations_hold_together(server: Server) -> Iterator[Fault]:
    """What the API server refuses of a toleration."""
    for i, one in enumerate(server.scheduling.tolerations):
        where = ("spec", "scheduling", "tolerations", i)
        if one.operator == "Equal" and one.key is None:
            message = "without 'key' only 'operator: Exists' is possible: it tolerates every taint"
            yield Fault(where, "spec/toleration", message, "add 'key', or 'operator: Exists'")
        if one.operator == "Exists" and one.value is not None:
            message = "with 'operator: Exists' the value does not count"
            yield Fault((*where, "value"), "spec/toleration", message, "remove 'value', or 'operator'", at_key=True)
        if one.seconds is not None and one.effect != "NoExecute":
            message = "only 'effect: NoExecute' sends pods away after a time"
            yield Fault((*where, "seconds"), "spec/toleration", message, "remove 'seconds'", at_key=True)


def rollout_is_possible(server: Server) -> Iterator[Fault]:
    """Only a Deployment has it, and some pod must be allowed to come or go."""
    if not server.given("spec", "rollout"):
        return
    where: DocumentPath = ("spec", "rollout")
    rollout = server.rollout
    if server.workload != "Deployment":
        message = f"a {server.workload} has no such choice: it replaces one pod after the other, or none"
        yield Fault(where, "spec/rollout-workload", message, "remove it, or use 'workload: Deployment'", at_key=True)
    elif any("ReadWriteMany" not in volume.access_modes for volume in server.storage):
        message = "pods that share a volume of one node cannot overlap: the old ones go before the new ones come"
        hint = "remove it, or use accessModes [ReadWriteMany]"
        yield Fault(where, "spec/rollout-recreate", message, hint, at_key=True)
    elif {rollout.max_surge, rollout.max_unavailable} <= {0, "0%"}:
        message = "no pod may be missing and none may be added, so no pod could ever be replaced"
        yield Fault(where, "spec/rollout-stands-still", message, "raise maxSurge or maxUnavailable", at_key=True)


def stop_leaves_time(server: Server) -> Iterator[Fault]:
    """The grace period begins with the preStop hook, not after it."""
    grace, wait = server.shutdown
    if wait >= grace:
        yield Fault(
            ("spec", "shutdown", "preStopSeconds"),
            "spec/shutdown-no-time",
            f"after {wait} of {grace} seconds nothing is left in which the server could stop by itself",
            "raise graceSeconds, or lower preStopSeconds",
        )


def annotations_have_an_account(server: Server) -> Iterator[Fault]:
    """An existing account is somebody else's to annotate."""
    if server.service_account.annotations and not server.service_account.create:
        yield Fault(
            ("spec", "serviceAccount", "annotations"),
            "spec/service-account-annotations",
            "the ServiceAccount exists already, and mcpctl does not change it",
            "annotate it where it is kept, or remove 'create: false'",
            at_key=True,
        )


RULES: tuple[Rule, ...] = (
    tcp_and_mcp_stand_alone,
    mcp_check_can_run,
    containers_have_names,
    containers_mount_what_there_is,
    containers_request_within_limits,
    tolerations_hold_together,
    rollout_is_possible,
    stop_leaves_time,
    annotations_have_an_account,
)

"""What compose cannot express or refuses, reported at the field of the spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from renderer.errors import DocumentPath, Fault, Problem, Severity
from renderer.launch import Launch, launch, registries_out_of_reach
from renderer.model import FieldRef, Server
from renderer.policy.documents import build_faults, mount_fault
from renderer.quantity import amount, bytes_of
from renderer.targets.compose.conflicts import same_variables
from renderer.targets.compose.egress import not_enforced, proxy_variables
from renderer.targets.compose.names import (
    NETWORK,
    has_network,
    has_proxy,
    is_isolated,
    joined,
    keeps_image_check,
    literal,
    publishes_any_port,
    service_labels,
)
from renderer.variables import expanded_in, pieces

#: The engine's minimum (its "6MB" is in powers of 1024).
LEAST_MEMORY = 6 * 1024**2
LEAST_CPU = amount("10m")
#: The default access mode.
USUAL_ACCESS = ("ReadWriteOnce",)

#: The host as seen from a container.
_MACHINE = "host.docker.internal"

Limit = Callable[[Server, Launch], Iterator[Fault]]


def limits(servers: Sequence[Server], *, one_stream: bool) -> list[Problem]:
    """Also conflicts between the servers of the project."""
    problems = same_variables(servers)
    for server in servers:
        started = launch(server)
        faults = [fault for limit in LIMITS for fault in limit(server, started)]
        faults += stream_limits(server) if one_stream else ()
        faults += [
            mount_fault(volume.host_path, ("spec", "storage", i, "hostPath"))
            for i, volume in enumerate(server.storage)
            if volume.host_path
        ]
        if server.compose.build:
            faults += build_faults(server.compose.build.context, ("spec", "compose", "build", "context"))
        problems += [server.problem(fault)._replace(owner=server.name) for fault in faults]
    return problems


def egress_is_by_name_or_nothing(server: Server, _launch: Launch) -> Iterator[Fault]:
    """Reported every time, so that nobody relies on a rule that is not enforced."""
    if server.network.egress and not_enforced(server):
        yield Fault(
            ("spec", "network", "egress"),
            "compose/egress-not-enforced",
            "not enforced: a compose network is open to everything or closed, so this server may connect to anything",
            "list host names (network.egress.hosts), which a proxy enforces, forbid all egress (egress: {}) where the "
            "server needs none, or filter on the machine",
            Severity.WARNING,
            at_key=True,
        )
    egress = server.network.egress
    for name in ("cidrs", "services") if egress and has_proxy(server) else ():
        if getattr(egress, name):
            yield _warning(
                ("spec", "network", "egress", name),
                "egress-out-of-reach",
                "cannot be reached: the only way out is the proxy for network.egress.hosts, which takes names only",
                "add the names under which they are reached to network.egress.hosts, where the server speaks to them "
                "through an HTTP proxy",
            )


def packages_come_through_the_proxy(server: Server, _launch: Launch) -> Iterator[Fault]:
    """In a cluster an address block could include the registry; here only the proxy can reach it."""
    egress = server.network.egress
    missing = registries_out_of_reach(server) if has_proxy(server) and egress and egress.cidrs else []
    if missing:
        yield Fault(
            ("spec", "network", "egress", "hosts"),
            "compose/package-without-registry",
            f"the package is downloaded through the egress proxy, which does not let it reach {' and '.join(missing)}",
            "add the missing hosts, or build the package into an image",
            at_key=True,
        )


def proxy_variables_are_ours(server: Server, _launch: Launch) -> Iterator[Fault]:
    """The spec's variable takes precedence."""
    ours = dict(proxy_variables(server))
    for name in server.env:
        if name in ours:
            yield _warning(
                ("spec", "env", name),
                "proxy-variable",
                f"replaces '{ours[name]}', and the egress proxy is the only way out",
                "remove it for compose, or set it to the proxy of this project",
            )


def variables_are_declared(server: Server, launch: Launch) -> Iterator[Fault]:
    """compose interpolates before it reads env files."""
    texts: list[tuple[DocumentPath, str]] = [
        (("spec", "env", name), text) for name, text in server.env.items() if isinstance(text, str)
    ]
    # supergateway and agentgateway expand variables in the container.
    rendered = {*launch.command, *launch.args}
    for field, words in (("command", server.command), ("args", server.args)):
        texts += [(("spec", field, i), word) for i, word in enumerate(words) if word in rendered]
    bundle = server.package.bundle if server.package else None
    texts += [
        (("spec", "package", "userConfig", key), text)
        for key, text in (bundle.settings if bundle else ())
        if f"{key}={text}" in rendered
    ]
    for path, text in texts:
        for piece in pieces(text, expanded_in(server, words=path[1] != "env")):
            if piece.name and piece.name not in server.env:
                yield Fault(
                    path,
                    "compose/variable-of-a-file",
                    f"'$({piece.name})' can only come from envFrom, which compose reads after it expands variables",
                    f"declare it in env: {piece.name}: {{secret: NAME, key: {piece.name}}}",
                )


def the_machine_has_a_name(server: Server, _launch: Launch) -> Iterator[Fault]:
    """Docker Desktop resolves it, an engine on Linux does not."""
    for name, value in server.env.items():
        if isinstance(value, str) and _MACHINE in value and _MACHINE not in server.network.host_aliases:
            yield _warning(
                ("spec", "env", name),
                "machine-name",
                f"{_MACHINE} does not resolve on Linux",
                f"add network.hostAliases: {{{_MACHINE}: host-gateway}}",
            )


def fields_are_a_pods(server: Server, _launch: Launch) -> Iterator[Fault]:
    """A container knows only its host name, and env files have no prefixes."""
    for name, value in server.env.items():
        if isinstance(value, FieldRef):
            message = f"not set: compose has no {value.field}"
            hint = "where the server needs one, give it a value by a patch of an environment for compose"
            yield _warning(("spec", "env", name), "field-not-rendered", message, hint)
    for i, source in enumerate(server.env_from):
        if source.prefix:
            message = (
                f"compose puts no prefix before keys of {source.name}: write {source.prefix}NAME=value in its file"
            )
            yield _warning(("spec", "envFrom", i, "prefix"), "env-prefix", message)


def health_needs_a_program(server: Server, launch: Launch) -> Iterator[Fault]:
    """compose checks from inside the container, with programs of the image."""
    if launch.probe is not None and not launch.check:
        own = "stays in force" if keeps_image_check(server, launch) else "is switched off, as it checks another start"
        yield Fault(
            ("spec", "health"),
            "compose/health-not-rendered",
            "no health check is rendered: compose runs it inside the container, and mcpctl cannot know what is in "
            f"this image; a HEALTHCHECK of the image {own}",
            "set health.command to a program of the image, or health.enabled to false",
            Severity.WARNING,
            at_key=True,
        )


def replicas_share_the_machine(server: Server, _launch: Launch) -> Iterator[Fault]:
    """A machine has each port once, a project each volume."""
    if publishes_any_port(server):
        yield Fault(
            ("spec", "replicas"),
            "compose/replicas-port",
            f"{server.replicas} containers cannot share one port of the machine: each gets a free one ('docker compose "
            "ps' shows it)",
            "use one replica for a fixed port",
            Severity.WARNING,
        )
    memory, package = server.resources.limits.memory, server.package
    if package and server.replicas > 1 and memory and amount(package.cache_size) > amount(memory):
        yield Fault(
            ("spec", "replicas"),
            "compose/cache-in-memory",
            f"each of {server.replicas} containers keeps what it downloads in memory: up to {package.cache_size} "
            f"(package.cacheSize) of {memory} (limits.memory)",
            "use one replica, which has a volume, or raise limits.memory",
            Severity.WARNING,
        )
    own = [i for i, v in enumerate(server.storage) if not v.host_path and "ReadWriteMany" not in v.access_modes]
    for i in own if server.replicas > 1 else ():
        yield Fault(
            ("spec", "replicas"),
            "compose/replicas-share-volume",
            f"{server.replicas} containers would share one volume, '{server.storage[i].name}' (spec.storage[{i}]): "
            "compose has no volume per replica",
            "use one replica, or accessModes [ReadWriteMany] where the server can share it",
        )


def local_volumes_are_plain(server: Server, _launch: Launch) -> Iterator[Fault]:
    """A local volume is a folder of the machine."""
    cache, bundle = ("spec", "package", "cacheSize"), ("spec", "package", "bundleSize")
    if server.sets(*cache) and server.replicas == 1:
        yield _warning(cache, "storage-size", "the size of a local volume is not enforced")
    if server.sets(*bundle):
        reason = "the size of a local volume is not enforced; what the bundle may unpack to is"
        yield _warning(bundle, "storage-size", reason)
    if sized := [i for i, volume in enumerate(server.storage) if volume.size]:
        yield _warning(
            ("spec", "storage", sized[0], "size"), "storage-size", "the size of a local volume is not enforced"
        )
    for i, volume in enumerate(server.storage):
        if volume.storage_class is not None:
            yield _warning(("spec", "storage", i, "storageClass"), "storage-class", "compose has no storage classes")
        if volume.access_modes != USUAL_ACCESS:
            yield _warning(("spec", "storage", i, "accessModes"), "access-modes", "compose has no access modes")


def file_modes_are_the_hosts(server: Server, _launch: Launch) -> Iterator[Fault]:
    """Mounts keep the mode that the file has on the machine."""
    for file in server.files:
        if file.mode & 0o111:
            yield Fault(
                ("spec", "files", file.path, "mode"),
                "compose/file-mode",
                "compose mounts a file with its mode on the machine, so a rendered file cannot be executable",
                "put the program into the image, or start it through its interpreter",
            )
        elif file.mode != 0o444:
            reason = "not rendered: compose mounts a file with its mode on the machine"
            yield _warning(("spec", "files", file.path, "mode"), "file-mode", reason)


def networks_are_of_others(server: Server, _launch: Launch) -> Iterator[Fault]:
    """Own networks are joined anyway, and a network needs another member."""
    for i, name in enumerate(server.compose.networks):
        path = ("spec", "compose", "networks", i)
        if name not in joined(server):
            hint = f"remove it: servers are on {NETWORK} unless their egress is restricted"
            yield Fault(path, "compose/own-network", f"'{name}' is a network of mcpctl itself", hint)
        elif is_isolated(server) and not has_network(server):
            message = "a stdio server without a bridge and without egress is on no network"
            yield Fault(
                path, "compose/own-network", message, "remove it, or list what it needs in network.egress.hosts"
            )


def builds_have_a_name(server: Server, _launch: Launch) -> Iterator[Fault]:
    """The image of a package is somebody else's base image."""
    if server.compose.build and server.package:
        message = "a package runs in a base image of others, which 'build' would overwrite on the machine"
        hint = "write 'image' with a name for what is built, instead of 'package'"
        yield Fault(("spec", "compose", "build"), "compose/build-without-image", message, hint, at_key=True)


def amounts_are_large_enough(server: Server, _launch: Launch) -> Iterator[Fault]:
    """The engine's minimums."""
    parts = (("requests", server.resources.requests), ("limits", server.resources.limits))
    for part, amounts in parts:
        if amounts.memory and bytes_of(amounts.memory) < LEAST_MEMORY:
            text = f"{amounts.memory} is less memory than the engine accepts"
            yield Fault(("spec", "resources", part, "memory"), "compose/memory-minimum", text, "at least 6Mi")
    cpu = server.resources.limits.cpu
    if cpu and amount(cpu) < LEAST_CPU:
        text = f"{cpu} is less CPU than the engine accepts"
        yield Fault(("spec", "resources", "limits", "cpu"), "compose/cpu-minimum", text, "at least 10m")


def annotations_become_labels(server: Server, _launch: Launch) -> Iterator[Fault]:
    """compose has labels only, and reserves some."""
    for section, texts in (("labels", server.labels), ("annotations", server.annotations)):
        for key in texts:
            if key.startswith("com.docker.compose."):
                text = "reserved: docker compose finds its containers by labels of this domain"
                where = ("metadata", section, key)
                yield Fault(where, "compose/reserved-label", text, "choose a key of your own", at_key=True)
    labels = service_labels(server)
    for key, value in server.annotations.items():
        if labels[key] != literal(value):
            text = "not rendered: compose has labels only, and this key is already a label"
            yield _warning(("metadata", "annotations", key), "annotation-hidden", text)


#: In the order in which problems of one line are reported.
LIMITS: tuple[Limit, ...] = (
    egress_is_by_name_or_nothing,
    packages_come_through_the_proxy,
    proxy_variables_are_ours,
    variables_are_declared,
    the_machine_has_a_name,
    fields_are_a_pods,
    health_needs_a_program,
    replicas_share_the_machine,
    local_volumes_are_plain,
    file_modes_are_the_hosts,
    networks_are_of_others,
    builds_have_a_name,
    amounts_are_large_enough,
    annotations_become_labels,
)


_USE_OUT = "use --out DIR, which writes the files next to the compose file"


def stream_limits(server: Server) -> Iterator[Fault]:
    """In a stream files are copied into the container."""
    copied = [file for file in server.mounted_files if isinstance(file.source, str)]
    if copied and server.security.read_only_root:
        yield _warning(
            ("spec", "files") if server.files else ("spec", "package", "lock"),
            "read-only",
            "the root file system is left writable: compose copies files of a stream into the container",
            _USE_OUT,
        )
    for file in copied:
        if not file.source:
            yield Fault(
                ("spec", "files", file.path, "content"),
                "compose/empty-file",
                "docker compose treats empty content as missing and creates a folder instead",
                _USE_OUT,
            )
        above = [w.path for w in server.security.writable if file.path.startswith(f"{w.path}/")]
        if above:
            yield Fault(
                ("spec", "files", file.path),
                "compose/file-below-tmpfs",
                f"the tmpfs '{above[0]}' is mounted over the copied file and hides it",
                f"{_USE_OUT}, or another path",
            )


def _warning(path: tuple[str | int, ...], rule: str, message: str, hint: str = "") -> Fault:
    return Fault(path, f"compose/{rule}", message, hint, Severity.WARNING, at_key=True)

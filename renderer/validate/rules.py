"""Rules between the fields of one server. Each gives its reason, and fires in a test.

A rule takes a Server (every default filled in) and yields Faults whose paths count from the root
of the spec. What holds for one target only is not here but in that target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from renderer import pins
from renderer.errors import Fault, Severity, dotted
from renderer.model import Server
from renderer.quantity import amount

Rule = Callable[[Server], Iterator[Fault]]


def bridge_needs_stdio(server: Server) -> Iterator[Fault]:
    """A bridge turns stdin and stdout into HTTP; a server that speaks HTTP has no use for one."""
    if server.transport.type != "stdio" and server.transport.bridge != "none":
        yield Fault(
            ("spec", "transport", "bridge"),
            "spec/bridge-without-stdio",
            f"a server that speaks {server.transport.type} itself needs no bridge",
            "remove 'bridge', or say 'type: stdio'",
        )


def bridged_image_needs_command(server: Server) -> Iterator[Fault]:
    """The bridge takes the place of the image's entrypoint and cannot look up what that was."""
    if server.image and server.transport.type == "stdio" and server.transport.bridge != "none" and not server.command:
        yield Fault(
            ("spec",),
            "spec/bridge-without-command",
            f"missing field 'command': the bridge ({server.transport.bridge}) is started instead of the image's "
            "own entrypoint and must be told what to run",
            "write the image's entrypoint as 'command' (docker inspect -f '{{.Config.Entrypoint}}' IMAGE), "
            "or use 'transport: {bridge: none}'",
            at_key=True,
        )


def bridge_inside_image(server: Server) -> Iterator[Fault]:
    """Only a static program can be copied into an image that nobody can see into."""
    bridge = server.transport.bridge
    if server.image and server.transport.type == "stdio" and bridge in ("mcp-proxy", "supergateway"):
        needs = "Python" if bridge == "mcp-proxy" else "Node.js"
        yield Fault(
            ("spec", "transport", "bridge"),
            "spec/bridge-inside-image",
            f"{bridge} is a {needs} program and cannot be copied into an image: "
            f"the image itself must bring the program '{bridge}'",
            "use 'bridge: agentgateway', which is copied in by an init container, if it does not",
            Severity.WARNING,
        )


def base_image_moves(server: Server) -> Iterator[Fault]:
    """Of the base images only the one with both package managers has no tag that stays."""
    package = server.package
    if package is None or package.base_image:
        return
    if pins.RUNTIME_OF_BRIDGE.get(server.transport.bridge, package.registry) != package.registry:
        yield Fault(
            ("spec", "transport", "bridge"),
            "spec/base-image-moves",
            f"{server.transport.bridge} for {package.registry} packages needs a base image with both npm and uv, "
            "and the tag of that image is rebuilt by its makers",
            "name one of your own with its digest as package.baseImage, or leave 'bridge' out",
            Severity.WARNING,
        )


def bridge_path(server: Server) -> Iterator[Fault]:
    """Bridges serve fixed paths; a Service or client pointed elsewhere would find nothing."""
    paths = pins.BRIDGE_PATHS.get(server.transport.bridge)
    if server.transport.type == "stdio" and paths and server.transport.path not in paths:
        yield Fault(
            ("spec", "transport", "path"),
            "spec/bridge-path",
            f"{server.transport.bridge} serves {' and '.join(paths)} only",
            f"write 'path: {paths[0]}', or use supergateway, whose path can be chosen",
        )


def bridge_ports(server: Server) -> Iterator[Fault]:
    """agentgateway listens on ports of its own."""
    if server.transport.bridge == "agentgateway" and server.transport.port in pins.AGENTGATEWAY_PORTS:
        yield Fault(
            ("spec", "transport", "port"),
            "spec/bridge-port",
            f"agentgateway uses port {server.transport.port} itself",
            "choose another port",
        )


def stdio_without_bridge(server: Server) -> Iterator[Fault]:
    """Nothing listens: whatever presumes a port cannot be had."""
    if server.listens:
        return
    wanted = (("transport", "port"), ("transport", "path"), ("network", "publish"), ("network", "ingress"))
    for path in (*wanted, *(("health", way) for way in ("path", "port", "tcp", "mcp")), ("expose",), ("monitoring",)):
        if server.given("spec", *path):
            yield Fault(
                ("spec", *path),
                "spec/stdio-without-bridge",
                "a stdio server without a bridge listens on no port, so it has no Service, address or HTTP check",
                "choose a bridge, or remove this field",
                at_key=True,
            )
    if server.workload == "StatefulSet":
        yield Fault(
            ("spec", "workload"),
            "spec/stdio-without-bridge",
            "a StatefulSet is governed by a Service, and a stdio server without a bridge has none",
            "use 'workload: Deployment', or choose a bridge",
        )


def replicas_of_a_pod(server: Server) -> Iterator[Fault]:
    """A Pod is one pod."""
    if server.workload == "Pod" and server.replicas != 1:
        yield Fault(
            ("spec", "replicas"),
            "spec/replicas-of-pod",
            f"a Pod is one pod, not {server.replicas}",
            "use 'workload: Deployment' or StatefulSet",
        )


def replicas_share_volume(server: Server) -> Iterator[Fault]:
    """All pods of a Deployment mount the same claim; a StatefulSet gives each its own."""
    if server.workload != "Deployment" or server.most_pods < 2:
        return
    field = ("autoscaling", "max") if server.autoscaling else ("replicas",)
    for i, volume in enumerate(server.storage):
        if not volume.shared:
            yield Fault(
                ("spec", *field),
                "spec/replicas-share-volume",
                f"{server.most_pods} pods of a Deployment would share volume '{volume.name}' (spec.storage[{i}]), "
                f"which is {', '.join(volume.access_modes)}: pods on other nodes would never start",
                "use 'workload: StatefulSet' (a volume each), accessModes [ReadWriteMany], or one replica",
            )


def mounts_are_distinct(server: Server) -> Iterator[Fault]:
    """Two mounts on one path hide each other; a file cannot lie above a folder."""
    mounts = list(_mounts(server))
    paths: dict[str, tuple[str | int, ...]] = {}
    for path, where in mounts:
        if path in paths:
            yield Fault(
                where,
                "spec/mount-twice",
                f"'{path}' is mounted twice (also by {dotted(paths[path])})",
                "give each volume, file and writable path a path of its own",
            )
        paths.setdefault(path, where)
    files = {path for path, where in mounts if where[1] == "files"}
    for path, where in mounts:
        above = [file for file in files if path.startswith(f"{file}/")]
        if above:
            message = f"'{path}' lies below '{min(above)}', which is a file"
            yield Fault(where, "spec/mount-below-file", message, "move one of them")
        for folder in (pins.BRIDGE_FOLDER, pins.CACHE_FOLDER):
            if path == folder or path.startswith(f"{folder}/"):
                hint = "choose another path"
                yield Fault(where, "spec/mount-reserved", f"'{folder}' is where mcpctl puts bridges and caches", hint)


def _mounts(server: Server) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    for i, volume in enumerate(server.storage):
        yield volume.mount_path, ("spec", "storage", i, "mountPath")
    for file in server.files:
        yield file.path, ("spec", "files", file.path)
    for i, writable in enumerate(server.security.writable):
        yield writable.path, ("spec", "security", "writablePaths", i)


#: An API server refuses a ConfigMap above 1 MiB, keys included.
MOST_FILES = 1024 * 1024
#: And annotations above 256 KiB together; ours need a little of that.
MOST_ANNOTATIONS = 250 * 1024


def files_fit_into_a_config_map(server: Server) -> Iterator[Fault]:
    """All literal files of a server share one ConfigMap."""
    size = sum(len(f.source.encode()) + len(f.path) for f in server.files if isinstance(f.source, str))
    if size > MOST_FILES:
        message = f"the files have {size:,} bytes together, more than the {MOST_FILES:,} that a ConfigMap holds"
        hint = "put the large ones into the image or into a volume"
        yield Fault(("spec", "files"), "spec/files-size", message, hint, at_key=True)


def annotations_fit(server: Server) -> Iterator[Fault]:
    """An API server bounds all annotations of an object together."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in server.annotations.items())
    if size > MOST_ANNOTATIONS:
        message = f"the annotations have {size:,} bytes together, more than {MOST_ANNOTATIONS:,}"
        yield Fault(("metadata", "annotations"), "spec/annotations-size", message, "shorten them", at_key=True)


def one_pod_means_alone(server: Server) -> Iterator[Fault]:
    """An API server refuses ReadWriteOncePod beside any other mode."""
    for i, volume in enumerate(server.storage):
        if "ReadWriteOncePod" in volume.access_modes and len(volume.access_modes) > 1:
            yield Fault(
                ("spec", "storage", i, "accessModes"),
                "spec/access-modes",
                "ReadWriteOncePod cannot stand beside other access modes",
                "keep it alone, or use ReadWriteOnce",
            )


def storage_names_are_distinct(server: Server) -> Iterator[Fault]:
    """The name of a volume becomes the name of its claim."""
    seen: set[str] = set()
    for i, volume in enumerate(server.storage):
        if volume.name in seen:
            message = f"two volumes are called '{volume.name}'"
            yield Fault(("spec", "storage", i, "name"), "spec/storage-name", message, "rename one")
        seen.add(volume.name)


def requests_within_limits(server: Server) -> Iterator[Fault]:
    """A pod that requests more than its limit is refused by the API server."""
    requests, limits = server.resources.requests, server.resources.limits
    for part, wanted, most in (("cpu", requests.cpu, limits.cpu), ("memory", requests.memory, limits.memory)):
        if wanted and most and amount(wanted) > amount(most):
            side = "requests" if server.given("spec", "resources", "requests", part) else "limits"
            yield Fault(
                ("spec", "resources", side, part),
                "spec/requests-above-limits",
                f"the request of {wanted} is above the limit of {most}",
                "raise the limit, lower the request, or choose another size",
            )


def service_account_has_a_name(server: Server) -> Iterator[Fault]:
    """An existing account can only be used by its name."""
    if not server.service_account.create and not server.given("spec", "serviceAccount", "name"):
        yield Fault(
            ("spec", "serviceAccount", "create"),
            "spec/service-account-name",
            "an existing ServiceAccount is wanted, but not which",
            "add its 'name' (every namespace has one called default)",
        )


def health_has_one_way(server: Server) -> Iterator[Fault]:
    """A probe has one handler; a bridge answers for the server behind it at a place of its own."""
    health = server.health
    if health.path and health.command:
        yield Fault(
            ("spec", "health", "command"),
            "spec/health-two-ways",
            "'path' and 'command' are two ways to check, and a probe has one",
            "remove one of them",
            at_key=True,
        )
    if health.port and not health.path and not health.tcp:
        yield Fault(
            ("spec", "health", "port"),
            "spec/health-port-without-path",
            "'port' is the port of 'path', which is missing",
            "add 'path', or remove 'port'",
        )
    if health.path and server.transport.type == "stdio" and server.listens:
        yield Fault(
            ("spec", "health", "path"),
            "spec/health-behind-bridge",
            f"a stdio server has no URL paths, and its bridge ({server.transport.bridge}) answers on its own",
            "remove 'path': the bridge's endpoint is checked without it",
        )


def privileged_ports(server: Server) -> Iterator[Fault]:
    """Ports below 1024 need a capability that 'drop: [ALL]' takes away, on many clusters."""
    if server.listens and server.transport.port < 1024:
        yield Fault(
            ("spec", "transport", "port"),
            "spec/privileged-port",
            f"port {server.transport.port} is below 1024, which a process without capabilities may not open everywhere",
            "let the server listen on 1024 or above; Service and Ingress can still offer another port",
            Severity.WARNING,
        )


#: In the order in which they are told when they stand on one line.
RULES: tuple[Rule, ...] = (
    bridge_needs_stdio,
    bridged_image_needs_command,
    bridge_inside_image,
    base_image_moves,
    bridge_path,
    bridge_ports,
    stdio_without_bridge,
    replicas_of_a_pod,
    replicas_share_volume,
    mounts_are_distinct,
    files_fit_into_a_config_map,
    annotations_fit,
    one_pod_means_alone,
    storage_names_are_distinct,
    requests_within_limits,
    service_account_has_a_name,
    health_has_one_way,
    privileged_ports,
)

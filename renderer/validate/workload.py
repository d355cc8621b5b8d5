"""Rules of replicas, volumes, resources, containers, scheduling, rollout and account."""

from __future__ import annotations

from collections.abc import Iterator

from renderer import pins
from renderer.errors import DocumentPath, Fault, Severity, dotted
from renderer.model import Container, Resources, Server
from renderer.quantity import amount
from renderer.wording import suggestion

#: API servers refuse ConfigMaps above 1 MiB; some of it is for the probe program.
MOST_FILES = 1016 * 1024
#: API servers refuse annotations above 256 KiB; some of it is for ours.
MOST_ANNOTATIONS = 250 * 1024
#: Names of containers that mcpctl renders itself.
OWN_CONTAINERS = ("mcp-server", "bridge", "bundle", "guard")

#: Kinds for patches of compose.
_KINDS_OF_COMPOSE = ("service", "network", "volume", "config", "secret")
_NOT_A_POD = "use 'workload: Deployment' or StatefulSet"


def pods_stand_alone(server: Server) -> Iterator[Fault]:
    """A Pod has no controller."""
    if server.workload != "Pod":
        return
    if server.replicas != 1:
        message = f"workload: Pod cannot have {server.replicas} replicas"
        yield Fault(("spec", "replicas"), "spec/replicas-of-pod", message, _NOT_A_POD)
    for name, cannot in (("autoscaling", "be autoscaled"), ("disruption", "have a disruption budget")):
        if getattr(server, name):
            message = f"workload: Pod cannot {cannot}"
            yield Fault(("spec", name), "spec/operations-of-pod", message, _NOT_A_POD, at_key=True)


def replicas_share_volume(server: Server) -> Iterator[Fault]:
    """Pods of a Deployment share claims; a StatefulSet's have their own, but for existing ones."""
    if server.most_pods < 2:
        return
    field = ("autoscaling", "max") if server.autoscaling else ("replicas",)
    for i, volume in enumerate(server.storage):
        if not volume.shared and (server.workload == "Deployment" or volume.existing_claim):
            yield Fault(
                ("spec", *field),
                "spec/replicas-share-volume",
                f"{server.most_pods} replicas of a {server.workload} would share volume '{volume.name}' "
                f"(spec.storage[{i}]), which is {', '.join(volume.access_modes)}: pods on other nodes could not start",
                "use one replica, or accessModes [ReadWriteMany] or [ReadOnlyMany] where the claim has them"
                if volume.existing_claim
                else "use 'workload: StatefulSet' (a volume for each pod), accessModes [ReadWriteMany], or one replica",
            )


def replicas_or_autoscaling(server: Server) -> Iterator[Fault]:
    """Apply and autoscaler would overwrite each other."""
    if server.autoscaling and server.sets("spec", "replicas"):
        yield Fault(
            ("spec", "replicas"),
            "spec/replicas-and-autoscaling",
            "replicas cannot be combined with autoscaling",
            "remove 'replicas': autoscaling.min is the initial number",
            at_key=True,
        )


def autoscaling_has_room(server: Server) -> Iterator[Fault]:
    """API servers refuse max below min; without a metric nothing scales."""
    scaling = server.autoscaling
    if scaling is None:
        return
    if scaling.least > scaling.most:
        message = f"max ({scaling.most}) is lower than min ({scaling.least})"
        yield Fault(("spec", "autoscaling", "max"), "spec/autoscaling-bounds", message, "raise max or lower min")
    if not (scaling.cpu or scaling.memory):
        message = "cpu and memory are both 0, so there is no metric to scale by"
        hint = "set cpu or memory to a percentage above 0"
        yield Fault(("spec", "autoscaling"), "spec/autoscaling-measure", message, hint, at_key=True)


def disruption_lets_nodes_drain(server: Server) -> Iterator[Fault]:
    """Kubernetes rounds percentages up."""
    disruption, pods = server.disruption, server.fewest_pods
    if disruption is None or server.workload == "Pod":
        return

    def count(amount: int | str) -> int:
        return amount if isinstance(amount, int) else -(-int(amount.rstrip("%")) * pods // 100)

    available, unavailable = disruption.min_available, disruption.max_unavailable
    if available is not None and count(available) >= pods:
        replicas = f"{pods} replica{'' if pods == 1 else 's'}{' (autoscaling.min)' if server.autoscaling else ''}"
        yield Fault(
            ("spec", "disruption", "minAvailable"),
            "spec/disruption-blocks",
            f"minAvailable {available} with {replicas} blocks every node drain",
            "use maxUnavailable or add replicas",
        )
    if unavailable is not None and count(unavailable) == 0:
        message = f"maxUnavailable {unavailable} blocks every node drain"
        yield Fault(("spec", "disruption", "maxUnavailable"), "spec/disruption-blocks", message, "allow at least 1")


_RESERVED = (pins.BRIDGE_FOLDER, pins.BUNDLE_FOLDER, pins.CACHE_FOLDER, pins.CHECK_FOLDER, pins.LOCK_FOLDER)


def mounts_are_distinct(server: Server) -> Iterator[Fault]:
    """Mounts on one path hide each other; nothing can be below a file."""
    mounts: list[tuple[str, DocumentPath]] = [
        # First, as they may be defaults: the one of two that is reported is then the one that somebody wrote.
        *((w.path, ("spec", "security", "writablePaths", i)) for i, w in enumerate(server.security.writable)),
        *((volume.mount_path, ("spec", "storage", i, "mountPath")) for i, volume in enumerate(server.storage)),
        *((file.path, ("spec", "files", file.path)) for file in server.files),
    ]
    first: dict[str, DocumentPath] = {}
    files = {file.path: file for file in sorted(server.files)}
    for path, field in mounts:
        if path in first:
            message = f"'{path}' is mounted twice (first by {dotted(first[path])})"
            hint = "give each volume, file and writable path its own path"
            if first[path][1] == "security" and len(server.security.writable) == 1:
                hint += "; security.writablePaths is [/tmp] by default"
            yield Fault(field, "spec/mount-twice", message, hint)
        first.setdefault(path, field)
        above = next((file for file in files if path.startswith(f"{file}/")), None)
        if above:
            kind = "a read-only folder" if files[above].is_folder else "a file"
            message = f"'{path}' is below '{above}', which is {kind}"
            yield Fault(field, "spec/mount-below-file", message, "move one of them")
        for folder in _RESERVED if path.startswith(_RESERVED) else ():
            if path == folder or path.startswith(f"{folder}/"):
                message = f"'{folder}' is reserved: mcpctl mounts bridges, bundles, caches, checks and locks there"
                cache = path == pins.CACHE_FOLDER and server.package
                hint = "write its size as package.cacheSize" if cache else "choose another path"
                yield Fault(field, "spec/mount-reserved", message, hint)


def sizes_fit(server: Server) -> Iterator[Fault]:
    """API servers bound ConfigMaps and annotations."""
    size = sum(len(f.source.encode()) + len(f.path) for f in server.mounted_files if isinstance(f.source, str))
    if size > MOST_FILES:
        message = f"the files have {size:,} bytes together, a ConfigMap takes at most {MOST_FILES:,}"
        hint = "move large files into the image or a volume; a package with its lock, too (docs/packages.md)"
        field = ("spec", "files") if server.files else ("spec", "package", "lock")
        yield Fault(field, "spec/files-size", message, hint, at_key=True)
    size = sum(len(key.encode()) + len(value.encode()) for key, value in server.annotations.items())
    if size > MOST_ANNOTATIONS:
        message = f"the annotations have {size:,} bytes together, an object takes at most {MOST_ANNOTATIONS:,}"
        yield Fault(("metadata", "annotations"), "spec/annotations-size", message, "shorten them", at_key=True)


def memory_folders_fit(server: Server) -> Iterator[Fault]:
    """Their contents count as the container's memory."""
    limit = server.resources.limits.memory
    for i, folder in enumerate(server.security.writable):
        if folder.in_memory and limit and amount(folder.size) >= amount(limit):
            yield Fault(
                ("spec", "security", "writablePaths", i),
                "spec/memory-folder",
                f"{folder.path} ({folder.size}) is in memory and is not smaller than the memory limit ({limit}): a "
                "server that fills it is killed",
                "raise resources.limits.memory, or lower the size",
                Severity.WARNING,
            )


def volumes_hold_together(server: Server) -> Iterator[Fault]:
    """Claims are named after volumes; ReadWriteOncePod excludes other modes."""
    names: set[str] = set()
    for i, volume in enumerate(server.storage):
        path = ("spec", "storage", i)
        if volume.name in names:
            message = f"two volumes are named '{volume.name}'"
            yield Fault((*path, "name"), "spec/storage-name", message, "rename one")
        names.add(volume.name)
        if "ReadWriteOncePod" in volume.access_modes and len(volume.access_modes) > 1:
            message = "ReadWriteOncePod cannot be combined with other access modes"
            yield Fault((*path, "accessModes"), "spec/access-modes", message, "keep it alone, or use ReadWriteOnce")


def requests_within_limits(server: Server) -> Iterator[Fault]:
    for resource, message in _above_limits(server.resources):
        side = "requests" if server.sets("spec", "resources", "requests", resource) else "limits"
        hint = "raise the limit, lower the request, or choose another size"
        yield Fault(("spec", "resources", side, resource), "spec/requests-above-limits", message, hint)
    for path, container in server.further_containers:
        for _, message in _above_limits(container.resources):
            yield Fault((*path, "resources"), "spec/container-requests", message, "raise the limit, or the size")


def _above_limits(resources: Resources) -> Iterator[tuple[str, str]]:
    names = {"cpu": "cpu", "memory": "memory", "ephemeralStorage": "ephemeral_storage"}
    for name, attribute in names.items():
        request, limit = getattr(resources.requests, attribute), getattr(resources.limits, attribute)
        if request and limit and amount(request) > amount(limit):
            yield name, f"the {name} request ({request}) is higher than the limit ({limit})"


def temporary_folders_fit(server: Server) -> Iterator[Fault]:
    """The kubelet evicts a pod whose temporary folders exceed the sum of its containers' limits."""
    containers: list[Server | Container] = [server, *server.sidecars]
    limits = [container.resources.limits.ephemeral_storage for container in containers]
    if not any(limits):
        return
    folders = {folder.path: folder.size for folder in server.security.writable}
    folders |= {pins.CACHE_FOLDER: server.package.cache_size} if server.package else {}
    bundle = server.package.bundle if server.package else None
    folders |= {pins.BUNDLE_FOLDER: bundle.size} if bundle else {}
    folders |= {pins.BRIDGE_FOLDER: pins.AGENTGATEWAY_SIZE} if server.transport.bridge == "agentgateway" else {}
    if sum(map(amount, folders.values())) > sum(amount(limit) for limit in limits if limit):
        written = " + ".join(f"{path} {size}" for path, size in folders.items())
        yield Fault(
            ("spec", "resources", "limits", "ephemeralStorage"),
            "spec/ephemeral-storage",
            f"the temporary folders ({written}) are larger than limits.ephemeralStorage "
            f"({' + '.join(filter(None, limits))}): the pod is evicted before they are full",
            "raise limits.ephemeralStorage, or lower the sizes of the folders (package.cacheSize, writablePaths)",
        )


def containers_have_names(server: Server) -> Iterator[Fault]:
    names = set(OWN_CONTAINERS)
    for path, container in server.further_containers:
        if container.name in names:
            own = container.name in OWN_CONTAINERS
            message = (
                f"'{container.name}' is reserved for mcpctl" if own else f"two containers are named '{container.name}'"
            )
            yield Fault((*path, "name"), "spec/container-name", message, "choose another name")
        names.add(container.name)


def containers_mount_what_there_is(server: Server) -> Iterator[Fault]:
    """They can only mount volumes of the server."""
    volumes = {volume.name: volume.mount_path for volume in server.storage}
    paths = {*volumes.values(), *(f.path for f in server.files), *(w.path for w in server.security.writable)}
    for path, container in server.further_containers:
        mounted = set()
        for i, mount in enumerate(container.mounts):
            source = volumes.get(mount.source, mount.source)
            if source not in paths:
                known = sorted({*volumes, *paths})
                near = suggestion(mount.source, known)
                message = f"the server has no volume, file or writable path '{mount.source}'{near}"
                hint = f"choose from {', '.join(known)}" if known else "add it to the server"
                yield Fault((*path, "mounts", i, "source"), "spec/container-mount", message, hint)
            elif (mount.path or source) in mounted:
                message = f"'{mount.path or source}' is mounted twice"
                yield Fault((*path, "mounts", i), "spec/container-mount-twice", message, "give each its own path")
            mounted.add(mount.path or source)


def tolerations_hold_together(server: Server) -> Iterator[Fault]:
    for i, toleration in enumerate(server.scheduling.tolerations):
        path: DocumentPath = ("spec", "scheduling", "tolerations", i)
        if toleration.operator == "Equal" and toleration.key is None:
            hint = "add 'key', or write 'operator: Exists' to tolerate every taint"
            yield Fault(path, "spec/toleration", "operator Equal needs 'key'", hint)
        if toleration.operator == "Exists" and toleration.value is not None:
            message = "operator Exists cannot be combined with 'value'"
            yield Fault((*path, "value"), "spec/toleration", message, "remove 'value' or 'operator'", at_key=True)
        if toleration.seconds is not None and toleration.effect != "NoExecute":
            hint = "add 'effect: NoExecute', or remove 'seconds'"
            yield Fault((*path, "seconds"), "spec/toleration", "'seconds' needs effect NoExecute", hint, at_key=True)


def rollout_is_possible(server: Server) -> Iterator[Fault]:
    """Only for Deployments, and some pod must be replaceable."""
    if not server.sets("spec", "rollout"):
        return
    rollout = server.rollout
    if server.workload != "Deployment":
        rule, message = "spec/rollout-workload", f"rollout applies to a Deployment only, not to a {server.workload}"
        hint = "remove it, or use 'workload: Deployment'"
    elif any("ReadWriteMany" not in volume.access_modes for volume in server.storage):
        rule = "spec/rollout-recreate"
        message = (
            "a Deployment whose volume only one node can mount uses strategy Recreate, which has no rollout settings"
        )
        hint = "remove it, or use accessModes [ReadWriteMany]"
    elif {rollout.max_surge, rollout.max_unavailable} <= {0, "0%"}:
        rule, hint = "spec/rollout-stands-still", "raise one of them"
        message = "maxSurge and maxUnavailable are both 0, so no pod can be replaced"
    else:
        return
    yield Fault(("spec", "rollout"), rule, message, hint, at_key=True)


def stop_leaves_time(server: Server) -> Iterator[Fault]:
    """The grace period includes the preStop hook."""
    grace, wait = server.shutdown
    if wait >= grace:
        yield Fault(
            ("spec", "shutdown", "preStopSeconds"),
            "spec/shutdown-no-time",
            f"preStopSeconds ({wait}) uses up graceSeconds ({grace}), so the server is killed without time to stop",
            "raise graceSeconds or lower preStopSeconds",
        )


def accounts_are_named(server: Server) -> Iterator[Fault]:
    """An existing account needs a name and cannot be annotated."""
    account, path = server.service_account, ("spec", "serviceAccount")
    if account.create:
        return
    if not server.sets(*path, "name"):
        message = "'create: false' needs the name of an existing ServiceAccount"
        hint = "add 'name' (every namespace has one named default)"
        yield Fault((*path, "create"), "spec/service-account-name", message, hint)
    if account.annotations:
        message = (
            "'create: false' cannot be combined with annotations: mcpctl does not change an existing ServiceAccount"
        )
        hint = "annotate it where it is defined, or remove 'create: false'"
        yield Fault((*path, "annotations"), "spec/service-account-annotations", message, hint, at_key=True)


def patches_have_their_target(server: Server) -> Iterator[Fault]:
    """Patches are for Kubernetes by default, and compose would ignore them."""
    for patch in server.patches:
        if patch.target == "kubernetes" and patch.kind in _KINDS_OF_COMPOSE:
            yield Fault(
                ("spec", "patches", patch.position, "kind"),
                "spec/patch-target",
                f"'{patch.kind}' is a kind of compose, and the patch is for kubernetes",
                "add 'target: compose'; the kinds of Kubernetes begin with a capital letter",
            )


RULES = (
    pods_stand_alone,
    patches_have_their_target,
    replicas_share_volume,
    replicas_or_autoscaling,
    autoscaling_has_room,
    disruption_lets_nodes_drain,
    mounts_are_distinct,
    sizes_fit,
    memory_folders_fit,
    volumes_hold_together,
    requests_within_limits,
    temporary_folders_fit,
    containers_have_names,
    containers_mount_what_there_is,
    tolerations_hold_together,
    rollout_is_possible,
    stop_leaves_time,
    accounts_are_named,
)

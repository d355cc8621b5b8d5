"""Policy on rendered documents: what patches and users' templates may bring."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from renderer.check import located
from renderer.errors import DocumentPath, Fault, Problem
from renderer.kinds import DEFAULT_ACCOUNT
from renderer.labels import SERVER_LABEL
from renderer.later import later
from renderer.manifest import CONTAINER_FIELDS, Json, at, entries, items, kind_of, mapping, pod_of, text
from renderer.model import Rendered
from renderer.policy.containers import image_faults, is_repository, machine_variables, source_faults, variable_faults
from renderer.policy.literals import literal_faults, token_faults
from renderer.render import has_user_templates
from renderer.wording import excerpt

if TYPE_CHECKING:
    from renderer.check.compose import hardening
    from renderer.policy import exposure, rights
else:
    hardening = later("renderer.check.compose.hardening")  # 10 ms, which only compose needs
    exposure = later("renderer.policy.exposure")  # 1 ms, which only patches and users' templates need
    rights = later("renderer.policy.rights")  # 1 ms, as well

_SOCKETS = ("docker.sock", "containerd.sock", "crio.sock", "podman.sock", "dockershim.sock")
_HOST = {"hostNetwork": "network", "hostPID": "processes", "hostIPC": "memory"}
_EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - what is looked for


def kubernetes_findings(document: Rendered, data: Any, problems: list[Problem]) -> list[Problem]:
    """Adds findings to the ``problems`` of the checks, and the owner of each."""
    if not isinstance(data, dict):
        return problems
    faults = [*_pod(data)]
    if document.changes or has_user_templates():  # all else stands in the spec, and is found there
        faults += [*_secrets(document, data), *_changed(document, _patched_object(document, data))]
    if not faults and not problems:
        return []
    owner = text(mapping(mapping(data, "metadata"), "labels"), SERVER_LABEL)
    return [problem._replace(owner=owner) for problem in (*problems, *located(document, faults))]


def compose_findings(document: Rendered, data: Any, checked: Sequence[Fault]) -> list[Problem]:
    """Adds policy and hardening to the faults ``checked``."""
    if not isinstance(data, dict):
        return located(document, checked)
    services = {key: service for key, service in mapping(data, "services").items() if isinstance(service, dict)}
    faults = [*checked, *hardening.hardening_faults(data)]
    # Host paths of the spec are reported at its fields.
    own = {
        s["resource_name"]: {*(bind["source"] for bind in s["binds"]), text(mapping(s, "build"), "context")}
        for s in document.context.get("servers", ())
    }
    for key, service in services.items():
        faults += _service(service, ("services", key), own.get(key, ()))
    faults += [*_secrets(document, data), *_changed(document, _patched_project(document, data, services))]
    owners = {key: text(mapping(service, "labels"), SERVER_LABEL) for key, service in services.items()}
    # Parts of a server are named <service>.<part>.
    names = [str(fault.path[1]).partition(".")[0] if len(fault.path) > 1 else "" for fault in faults]
    alone = next(iter(owners.values()), "") if len({*owners.values()}) == 1 else ""
    problems = zip(located(document, faults), names, strict=True)
    return [problem._replace(owner=owners.get(name, alone)) for problem, name in problems]


def _secrets(document: Rendered, data: Json, path: DocumentPath = ()) -> Iterator[Fault]:
    """Only those that patches or users' templates brought; others are found in the spec."""
    if document.changes or has_user_templates():
        for fault in literal_faults(data, path):
            patched = _is_patched(document, fault.path)
            if patched or (has_user_templates() and fault.rule == "policy/secret-literal"):
                yield fault
        for fault in token_faults(data, path):
            yield fault._replace(rule="output/secret", hint="put it into a Secret, and remove it from the template")


def _changed(document: Rendered, faults: Iterator[Fault]) -> list[Fault]:
    """Only those that patches or users' templates may have brought.

    For what the spec has too see ``judge_documents``.
    """
    if has_user_templates():
        return list(faults)
    return [fault for fault in faults if _is_patched(document, fault.path)] if document.changes else []


def _is_patched(document: Rendered, path: DocumentPath) -> bool:
    return any(path[: len(change)] == change or change[: len(path)] == path for change, _ in document.changes)


def _pod(data: Json) -> Iterator[Fault]:
    template = pod_of(data)
    if template is None:
        return
    path = (*template[0], "spec")
    pod = mapping(template[1], "spec")
    for i, volume in entries(pod, "volumes"):
        if source := text(mapping(volume, "hostPath"), "path"):
            yield mount_fault(source, (*path, "volumes", i, "hostPath"))
    for name, shared in _HOST.items():
        if pod.get(name) is True:
            yield _privileged(f"the pod shares the machine's {shared}", (*path, name))
    for field in CONTAINER_FIELDS:
        for i, container in entries(pod, field):
            yield from _container(container, (*path, field, i))


def _container(container: Json, path: DocumentPath) -> Iterator[Fault]:
    name = text(container, "name")
    if mapping(container, "securityContext").get("privileged") is True:
        message = f"container '{name}' is privileged: it has full access to the machine"
        yield _privileged(message, (*path, "securityContext", "privileged"))
    limits = mapping(mapping(container, "resources"), "limits")
    if missing := [part for part in ("cpu", "memory") if part not in limits]:
        yield _unlimited(f"container '{name}'", missing, (*path, "resources"))


_DOCKER_LIMITS = {"cpus": "cpus", "memory": "mem_limit", "pids": "pids_limit"}


def _service(service: Json, path: DocumentPath, own: Collection[str]) -> Iterator[Fault]:
    if service.get("privileged") is True:
        yield _privileged("the service is privileged: it has full access to the machine", (*path, "privileged"))
    for field in ("network_mode", "pid", "ipc"):
        if service.get(field) == "host":
            yield _privileged(f"the service shares the machine's own ({field}: host)", (*path, field))
    if (context := _context(service)) and context not in own:
        yield from build_faults(context, (*path, "build"))
    volumes = service.get("volumes")
    for i, volume in enumerate(volumes if isinstance(volumes, list) else ()):
        source = volume.partition(":")[0] if isinstance(volume, str) and ":" in volume else _bind(volume)
        # '$' may be any path, and a single letter is a Windows drive.
        outside = source.startswith(("/", "~", ".", "$", "\\")) or (isinstance(volume, str) and len(source) == 1)
        if outside and source not in own:
            yield mount_fault(source, (*path, "volumes", i))
    limits = mapping(mapping(mapping(service, "deploy"), "resources"), "limits")
    # For Docker 0 and -1 mean unlimited.
    bounds = {part: limits.get(part, service.get(old)) for part, old in _DOCKER_LIMITS.items()}
    missing = [part for part, value in bounds.items() if str(value) in ("None", "0", "-1", "0.0")]
    if missing:
        yield _unlimited("the service", missing, (*path, "deploy", "resources"))


def _pairs(value: Any) -> dict[str, str]:
    """Texts by name, of a mapping or of a list of NAME=value."""
    if isinstance(value, dict):
        return {str(name): inner if isinstance(inner, str) else "" for name, inner in value.items()}
    words = [word.partition("=") for word in value if isinstance(word, str)] if isinstance(value, list) else []
    return {name: inner for name, _, inner in words}


def _bind(volume: Any) -> str:
    """The source of a bind mount; without a leading '.' it is relative all the same."""
    if not isinstance(volume, dict) or volume.get("type") not in ("bind", "npipe"):
        return ""
    source = text(volume, "source")
    return source if source.startswith(("/", "~", ".", "$")) else f"./{source}"


def mount_fault(source: str, path: DocumentPath) -> Fault:
    """A path of the machine, in a spec or in a rendered document."""
    if source.endswith(_SOCKETS):
        message = "the socket of the container runtime is mounted: whoever can use it is root on the machine"
        hint = "give the server an API of its own that allows only what it needs"
        return Fault(path, "policy/docker-socket", message, hint)
    message = "a folder of the machine is mounted: the container reaches files of the machine"
    return Fault(path, "policy/host-path", message, "use a volume (storage: size), or accept this with the reason")


def _context(service: Json) -> str:
    build = service.get("build")
    return build if isinstance(build, str) else text(mapping(service, "build"), "context")


def build_faults(context: str, path: DocumentPath) -> Iterator[Fault]:
    """The source of an image, in a spec or in a rendered document."""
    if not is_repository(context):
        message = "the image is built from a folder of the machine: nobody else knows what runs"
        hint = "build from a repository at a commit (https://…#COMMIT:folder), or accept this with the reason"
        yield Fault(path, "policy/host-path", message, hint)


def _privileged(message: str, path: DocumentPath) -> Fault:
    hint = "remove it, or accept this with the reason, such as devices that are only found from the machine's network"
    return Fault(path, "policy/privileged", message, hint)


def _unlimited(who: str, missing: list[str], path: DocumentPath) -> Fault:
    path = (*path, "limits", missing[0]) if len(missing) == 1 else path
    message = f"{who} has no limit of {' and '.join(missing)}: it may use all that the machine has"
    return Fault(path, "policy/limits", message, "set it under resources.limits, or accept this with a reason")


def _patched_object(document: Rendered, data: Json) -> Iterator[Fault]:
    if kind_of(data) == "Ingress" and not mapping(data, "spec").get("tls"):
        message = "the Ingress has no TLS: tokens and answers are not encrypted"
        yield Fault(("spec", "tls"), "policy/ingress-tls", message, "add 'tls: {secret: …}'")
    yield from rights.document_faults(data, document.context)
    # A sandbox has one policy that restricts both directions, and one for each that allows some traffic.
    opens = str(document.context.get("policy", "")).capitalize()
    yield from exposure.open_ways(data, [opens] if opens in ("Ingress", "Egress") else ("Ingress", "Egress"))
    yield from exposure.guard_bypasses(data, document.context)
    yield from _namespace_faults(data, document.context)
    spec, replicas = mapping(document.context, "spec"), ("spec", "maxReplicas")
    own = set(mapping(document.context, "claims").values())
    yield from exposure.foreign_claims(data, own if "spec" in document.context else None)
    yield from _patched_pod(document, data)
    if kind_of(data) in ("Deployment", "StatefulSet"):
        replicas = ("spec", "replicas")
    count = at(data, *replicas)
    transport = mapping(spec, "transport")
    bridged = transport.get("type") == "stdio" and document.context.get("listens")
    sessions = transport.get("bridge") != "mcp-proxy" and transport.get("stateful") is not False
    if bridged and sessions and isinstance(count, int) and count > 1:
        message = f"each of {count} pods has sessions of its own behind its bridge"
        hint = "run one, or a server that speaks streamable-http without sessions"
        yield Fault(replicas, "policy/stateful-replicas", message, hint)


_ENFORCE = "pod-security.kubernetes.io/enforce"
_VERSION = f"{_ENFORCE}-version"


def _namespace_faults(data: Json, context: Mapping[str, Any]) -> Iterator[Fault]:
    """Restrictions of the namespace: Pod Security labels, default account, quota, LimitRange."""
    kind, about, spec = kind_of(data), mapping(data, "metadata"), mapping(data, "spec")
    level = context.get("enforce", "restricted")
    if kind == "Namespace" and mapping(about, "labels").get(_ENFORCE) != level:
        message, hint = f"the Namespace must enforce '{level}', as it was rendered", "leave the label as it is"
        yield Fault(("metadata", "labels", _ENFORCE), "pod-security/namespace", message, hint)
    version = mapping(about, "labels").get(_VERSION, "latest") if kind == "Namespace" else "latest"
    labelled = re.fullmatch(r"v1\.(\d{1,4})", str(version))
    least = int(str(context.get("kubernetes_version", "")).partition(".")[2] or 0)
    if version != "latest" and (labelled is None or int(labelled[1]) < least):
        message = f"the Namespace must enforce the checks of its own Kubernetes version, not of {excerpt(str(version))}"
        hint = "leave the label as it is: older versions check less"
        yield Fault(("metadata", "labels", _VERSION), "pod-security/namespace", message, hint)
    # The server's own pods set automountServiceAccountToken themselves.
    is_default = kind == "ServiceAccount" and text(about, "name") == DEFAULT_ACCOUNT
    if is_default and data.get("automountServiceAccountToken") is not False:
        message = "pods that name no account get a token of the Kubernetes API, and nothing in the spec needs one"
        hint = "remove it, or accept this with the reason"
        yield Fault(("automountServiceAccountToken",), "policy/service-account-token", message, hint)
    hint = "leave it as it is, or accept this with the reason"
    if kind == "ResourceQuota":
        counted = {"pods", "count/pods"} & mapping(spec, "hard").keys()
        message = "the quota does not count all pods: there may be any number of them"
        for field in ("hard", "scopes", "scopeSelector"):
            if not counted if field == "hard" else spec.get(field):
                yield Fault(("spec", field), "policy/limits", message, hint)
    if kind == "LimitRange" and not any(mapping(field, "max") for _, field in entries(spec, "limits")):
        yield Fault(("spec", "limits"), "policy/limits", "a container may use all that the machine has", hint)


def _patched_pod(document: Rendered, data: Json) -> Iterator[Fault]:
    template = pod_of(data)
    if template is None:
        return
    path, pod = (*template[0], "spec"), mapping(template[1], "spec")
    if mapping(pod, "os").get("name") == "windows":
        # Pod Security skips half of its checks for Windows pods.
        message = "os.name must not be windows: Pod Security leaves out half of its checks there"
        hint = "remove it: the image is for Linux"
        yield Fault((*path, "os", "name"), "pod-security/os", message, hint)
    for where in _tokens(pod, wanted=bool(document.context.get("mounts_token"))):
        message = "a token of the Kubernetes API is mounted, and nothing in the spec needs one"
        hint = "remove it, or accept this with the reason"
        yield Fault((*path, *where), "policy/service-account-token", message, hint)
    for field in CONTAINER_FIELDS:
        for i, container in entries(pod, field):
            if image := text(container, "image"):
                yield from image_faults(image, (*path, field, i, "image"))
            for j, entry in entries(container, "env"):
                yield from variable_faults(text(entry, "name"), (*path, field, i, "env", j), text(entry, "value"))


def _tokens(pod: Json, *, wanted: bool) -> Iterator[DocumentPath]:
    """Mounted tokens that the spec does not ask for; an absent automountServiceAccountToken means true."""
    if not wanted and pod.get("automountServiceAccountToken") is not False:
        yield ("automountServiceAccountToken",)
    for i, volume in entries(pod, "volumes"):
        for j, source in entries(mapping(volume, "projected"), "sources"):
            tokens = {"serviceAccountToken", "podCertificate"} & source.keys()
            yield from (("volumes", i, "projected", "sources", j, field) for field in sorted(tokens))


def _patched_project(document: Rendered, data: Json, services: Mapping[str, Json]) -> Iterator[Fault]:
    servers = {server["resource_name"]: server for server in document.context.get("servers", ())}
    hint = "accept policy/pod-security with the reason"
    # For a tree that was read, the variables of the spec are unknown.
    own = {str(line).removeprefix("- ").partition(":")[0] for line in document.context.get("variables", ())}
    yield from machine_variables(data, own) if servers else ()
    for key, service in services.items():
        server = servers.get(key, {})
        yield from _patched_service(service, ("services", key))
        group = at(server, "spec", "security", "fsGroup")
        if any(str(name) != str(group) for name in items(service.get("group_add"))):
            message = "the service joins a group, which may own files or sockets of the machine"
            advice = f"write security.fsGroup, or {hint}"
            yield Fault(("services", key, "group_add"), "compose/not-restricted", message, advice)
        if server.get("guard"):
            yield from exposure.service_guard_bypasses(
                service, {f"{key}.internal", *server.get("joined", ())}, ("services", key)
            )
        if server.get("isolated") or server.get("has_network"):
            yield from _ways_out(data, service, ("services", key))
    # Volumes with a name of their own may hold data of another project, unless the spec mounts them (existingClaim),
    # which is unknown for a tree that was read.
    meant = {volume.get("external") for server in servers.values() for volume in server.get("volumes", ())}
    for key, volume in mapping(data, "volumes").items() if "servers" in document.context else ():
        for field in ("external", "name"):
            if isinstance(volume, dict) and volume.get(field) and volume.get("name", key) not in meant:
                message = f"volume {excerpt(str(key))} may belong to another project"
                path = ("volumes", key, field)
                yield Fault(path, "compose/not-restricted", message, f"leave its name to compose, or {hint}")


def _ways_out(data: Json, service: Json, path: DocumentPath) -> Iterator[Fault]:
    """Networks with a way out, for a server that the spec isolates."""
    for name in service.get("networks") or ["default"]:
        if at(data, "networks", str(name), "internal") is not True and not service.get("network_mode"):
            yield exposure.open_egress((*path, "networks"))
            yield exposure.open_egress(("networks", str(name), "internal"))


def _patched_service(service: Json, path: DocumentPath) -> Iterator[Fault]:
    yield from source_faults(_context(service), (*path, "build"))
    if image := text(service, "image"):
        yield from image_faults(image, (*path, "image"))
    for i, volume in entries(service, "volumes"):
        if volume.get("type") == "image":
            yield from image_faults(text(volume, "source"), (*path, "volumes", i, "source"))
    hooks = [((field, i), hook) for field in ("post_start", "pre_stop") for i, hook in entries(service, field)]
    for where, runs in (((), service), *hooks):
        for name, value in _pairs(runs.get("environment")).items():
            yield from variable_faults(name, (*path, *where, "environment", name), value)
    for i, port in enumerate(service["ports"] if isinstance(service.get("ports"), list) else ()):
        address = text(port, "host_ip") if isinstance(port, dict) else str(port).rpartition(":")[0].rpartition(":")[0]
        if address in _EVERY_ADDRESS:
            message = "the port is open to every network of the machine, past its firewall"
            hint = "publish on 127.0.0.1, or on the one address that needs it"
            yield Fault((*path, "ports", i), "policy/published-everywhere", message, hint)

"""Pod Security Standards baseline and restricted, for each version.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/. Tested with the fixtures of the upstream
evaluator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal

from renderer.errors import DocumentPath, Fault
from renderer.manifest import CONTAINER_FIELDS, Json, entries, labels, mapping, text, texts
from renderer.namedtuples import NamedTuple
from renderer.wording import every, excerpt

Level = Literal["baseline", "restricted"]
Version = tuple[int, int]

#: The newest known version; later ones are checked by its rules.
LATEST: Version = (1, 37)

_CAPABILITIES = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir"),
    *("ephemeral", "persistentVolumeClaim", "projected", "secret"),
}
_SELINUX_TYPES: dict[str, Version] = {
    "container_t": (1, 0),
    "container_init_t": (1, 0),
    "container_kvm_t": (1, 0),
    "container_engine_t": (1, 31),
}
#: Namespaced sysctls, with the version since which they are safe.
SYSCTLS: dict[str, Version] = {
    "kernel.shm_rmid_forced": (1, 0),
    "net.ipv4.ip_local_port_range": (1, 0),
    "net.ipv4.tcp_syncookies": (1, 0),
    "net.ipv4.ping_group_range": (1, 0),
    "net.ipv4.ip_unprivileged_port_start": (1, 0),
    "net.ipv4.ip_local_reserved_ports": (1, 27),
    "net.ipv4.tcp_keepalive_time": (1, 29),
    "net.ipv4.tcp_fin_timeout": (1, 29),
    "net.ipv4.tcp_keepalive_intvl": (1, 29),
    "net.ipv4.tcp_keepalive_probes": (1, 29),
    "net.ipv4.tcp_rmem": (1, 32),
    "net.ipv4.tcp_wmem": (1, 32),
}
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_ANNOTATION = "container.seccomp.security.alpha.kubernetes.io/"
_SECCOMP_POD_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod"
_PROBES = (("livenessProbe",), ("readinessProbe",), ("startupProbe",))
_HANDLERS = (*_PROBES, ("lifecycle", "postStart"), ("lifecycle", "preStop"))


class _Part(NamedTuple):
    """A container, or the pod itself if ``field`` is empty."""

    field: str
    position: int
    body: Json
    security: Json

    @property
    def who(self) -> str:
        return f"container {excerpt(self.body.get('name', self.position))}" if self.field else "the pod"

    def path(self, *steps: str | int) -> DocumentPath:
        return ("spec", self.field, self.position, *steps) if self.field else ("spec", *steps)

    def context(self, *steps: str | int) -> DocumentPath:
        return self.path("securityContext", *steps)


class _Pod(NamedTuple):
    spec: Json
    annotations: dict[str, str]
    itself: _Part
    containers: list[_Part]
    parts: list[_Part]
    version: Version


_Findings = Iterator[tuple[DocumentPath, str]]
_Finder = Callable[[_Pod], _Findings]


class Check(NamedTuple):
    """In force from ``since`` up to, not including, ``until``.

    ``linux``: pods with ``os.name: windows`` are exempt since 1.25. ``replaces``: the baseline check that it contains.
    """

    name: str
    level: Level
    find: _Finder
    since: Version
    until: Version
    linux: bool
    replaces: str


CHECKS: list[Check] = []


def _control(
    name: str, level: Level, since: Version = (1, 0), until: Version = (9, 0), linux: bool = False, replaces: str = ""
) -> Callable[[_Finder], _Finder]:
    """Registers a Check."""

    def add(find: _Finder) -> _Finder:
        CHECKS.append(Check(name, level, find, since, until, linux, replaces))
        return find

    return add


def _part(field: str, index: int, body: Json) -> _Part:
    return _Part(field, index, body, mapping(body, "securityContext"))


@_control("host-process", "baseline")
def _host_process(pod: _Pod) -> _Findings:
    for part in pod.parts:
        if mapping(part.security, "windowsOptions").get("hostProcess") is True:
            yield part.context("windowsOptions", "hostProcess"), f"{part.who} must not be a host process"


@_control("host-namespaces", "baseline")
def _host_namespaces(pod: _Pod) -> _Findings:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(name) is True:
            yield ("spec", name), f"the pod must not set {name}"


@_control("privileged", "baseline")
def _privileged(pod: _Pod) -> _Findings:
    for part in pod.containers:
        if part.security.get("privileged") is True:
            yield part.context("privileged"), f"{part.who} must not be privileged: set privileged: false"


def _added_capabilities(pod: _Pod, allowed: set[str]) -> _Findings:
    for part in pod.containers:
        added = texts(mapping(part.security, "capabilities"), "add")
        if wrong := [excerpt(name) for name in added if name not in allowed]:
            yield part.context("capabilities", "add"), f"{part.who} must not add {every(wrong)}"


@_control("capabilities-baseline", "baseline")
def _capabilities_baseline(pod: _Pod) -> _Findings:
    return _added_capabilities(pod, _CAPABILITIES)


@_control("host-path-volumes", "baseline")
def _host_path(pod: _Pod) -> _Findings:
    for index, volume in entries(pod.spec, "volumes"):
        if volume.get("hostPath") is not None:
            name = excerpt(volume.get("name", index))
            yield ("spec", "volumes", index, "hostPath"), f"volume {name} must not be a folder of the node"


@_control("host-ports", "baseline")
def _host_ports(pod: _Pod) -> _Findings:
    for part in pod.containers:
        for index, port in entries(part.body, "ports"):
            if port.get("hostPort"):
                yield part.path("ports", index, "hostPort"), f"{part.who} must not open a port of the node"


@_control("host-probes", "baseline", since=(1, 34))
def _host_probes(pod: _Pod) -> _Findings:
    for part in pod.containers:
        for handler in (handler for handler in _HANDLERS if handler[0] in part.body):
            body = part.body
            for step in handler:
                body = mapping(body, step)
            for kind in ("httpGet", "tcpSocket"):
                if mapping(body, kind).get("host"):
                    yield part.path(*handler, kind, "host"), f"{part.who} must not name a host to ask"


@_control("apparmor-profile", "baseline")
def _apparmor(pod: _Pod) -> _Findings:
    for part in pod.parts:
        profile = mapping(part.security, "appArmorProfile")
        if profile and profile.get("type") not in ("RuntimeDefault", "Localhost"):
            message = f"{part.who} must set appArmorProfile.type to RuntimeDefault or Localhost"
            yield part.context("appArmorProfile", "type"), message
    for key, value in pod.annotations.items():
        known = value in ("", "runtime/default") or value.startswith("localhost/")
        if key.startswith(_APPARMOR_ANNOTATION) and not known:
            name = excerpt(key.removeprefix(_APPARMOR_ANNOTATION))
            yield ("metadata", "annotations", key), f"container {name} must use runtime/default or localhost/…"


@_control("selinux-options", "baseline")
def _selinux(pod: _Pod) -> _Findings:
    for part in pod.parts:
        options = mapping(part.security, "seLinuxOptions")
        kind = options.get("type")
        if kind and _SELINUX_TYPES.get(str(kind), (9, 0)) > pod.version:
            yield part.context("seLinuxOptions", "type"), f"{part.who} must leave the SELinux type as it is"
        for name in ("user", "role"):
            if options.get(name):
                yield part.context("seLinuxOptions", name), f"{part.who} must not set the SELinux {name}"


@_control("proc-mount-restricted", "restricted", since=(1, 35), replaces="proc-mount")
def _proc_mount(pod: _Pod) -> _Findings:
    for part in pod.containers:
        if part.security.get("procMount") not in (None, "Default"):
            yield part.context("procMount"), f"{part.who} must set procMount: Default"


@_control("proc-mount", "baseline")
def _proc_mount_baseline(pod: _Pod) -> _Findings:
    # Since 1.35 a pod in a user namespace of its own may unmask /proc, as nested containers need.
    own_users = pod.version >= (1, 35) and pod.spec.get("hostUsers") is False
    return iter(()) if own_users else _proc_mount(pod)


@_control("seccomp-annotations", "baseline", until=(1, 19))
def _seccomp_annotations(pod: _Pod) -> _Findings:
    named = [_SECCOMP_ANNOTATION + str(part.body.get("name")) for part in pod.containers]
    for key in (_SECCOMP_POD_ANNOTATION, *named):
        value = pod.annotations.get(key, "runtime/default")
        if value not in ("runtime/default", "docker/default") and not value.startswith("localhost/"):
            yield ("metadata", "annotations", key), f"{key} must be runtime/default or localhost/…"


def _seccomp_type(part: _Part) -> Any:
    """None if it sets no profile."""
    profile = part.security.get("seccompProfile")
    return text(profile, "type") if isinstance(profile, dict) else None


@_control("seccomp-baseline", "baseline", since=(1, 19))
def _seccomp_baseline(pod: _Pod) -> _Findings:
    for part in pod.parts:
        if _seccomp_type(part) not in (None, "RuntimeDefault", "Localhost"):
            message = f"{part.who} must set seccompProfile.type to RuntimeDefault or Localhost"
            yield part.context("seccompProfile", "type"), message


@_control("seccomp", "restricted", since=(1, 19), linux=True, replaces="seccomp-baseline")
def _seccomp_restricted(pod: _Pod) -> _Findings:
    yield from _seccomp_baseline(pod)
    if _seccomp_type(pod.itself) is None:
        for part in pod.containers:
            if _seccomp_type(part) is None:
                message = f"{part.who} must set seccompProfile.type: RuntimeDefault, or the pod for all"
                yield part.context("seccompProfile"), message


@_control("sysctls", "baseline")
def _sysctls(pod: _Pod) -> _Findings:
    for index, sysctl in entries(pod.itself.security, "sysctls"):
        if SYSCTLS.get(text(sysctl, "name"), (9, 0)) > pod.version:
            path = pod.itself.context("sysctls", index, "name")
            yield path, f"the pod must not set the sysctl {excerpt(sysctl.get('name'))}"


@_control("volume-types", "restricted", replaces="host-path-volumes")
def _volume_types(pod: _Pod) -> _Findings:
    for index, volume in entries(pod.spec, "volumes"):
        # A volume without a source is an emptyDir to the API server.
        if wrong := [kind for kind in volume if kind != "name" and kind not in _VOLUMES]:
            name = excerpt(volume.get("name", index))
            yield ("spec", "volumes", index, wrong[0]), f"volume {name} must not be of type {excerpt(wrong[0])}"


@_control("privilege-escalation", "restricted", since=(1, 8), linux=True)
def _privilege_escalation(pod: _Pod) -> _Findings:
    for part in pod.containers:
        if part.security.get("allowPrivilegeEscalation") is not False:
            yield part.context("allowPrivilegeEscalation"), f"{part.who} must set allowPrivilegeEscalation: false"


@_control("run-as-non-root", "restricted")
def _run_as_non_root(pod: _Pod) -> _Findings:
    of_pod = pod.itself.security.get("runAsNonRoot")
    for part in pod.containers:
        own = part.security.get("runAsNonRoot")
        if own is False or (own is None and of_pod is not True):
            yield part.context("runAsNonRoot"), f"{part.who} must set runAsNonRoot: true, or the pod for all"
    if of_pod is False:
        yield pod.itself.context("runAsNonRoot"), "the pod must set runAsNonRoot: true"


@_control("run-as-user", "restricted", since=(1, 23))
def _run_as_user(pod: _Pod) -> _Findings:
    for part in pod.parts:
        if part.security.get("runAsUser") == 0:
            yield part.context("runAsUser"), f"{part.who} must set runAsUser to another user than 0 (root)"


@_control("capabilities", "restricted", since=(1, 22), linux=True, replaces="capabilities-baseline")
def _capabilities_restricted(pod: _Pod) -> _Findings:
    for part in pod.containers:
        if "ALL" not in texts(mapping(part.security, "capabilities"), "drop"):
            yield part.context("capabilities", "drop"), f"{part.who} must set capabilities.drop: [ALL]"
    yield from _added_capabilities(pod, {"NET_BIND_SERVICE"})


@cache
def _checks(level: Level, version: Version, windows: bool) -> tuple[Check, ...]:
    exempt = windows and version >= (1, 25)
    in_force = [
        check
        for check in CHECKS
        if check.since <= version < check.until
        and level in (check.level, "restricted")
        and not (exempt and check.linux)
    ]
    replaced = {check.replaces for check in in_force}
    return tuple(check for check in in_force if check.name not in replaced)


def violations(pod: Json, level: Level = "restricted", version: Version = LATEST) -> list[Fault]:
    """Faults of a pod or pod template, with paths in it. Rules are ``pod-security/<check>``."""
    spec = mapping(pod, "spec")
    containers = [_part(field, i, body) for field in CONTAINER_FIELDS for i, body in entries(spec, field)]
    annotations = mapping(mapping(pod, "metadata"), "annotations")
    itself = _part("", 0, spec)
    subject = _Pod(spec, labels(annotations), itself, containers, [itself, *containers], version)
    windows = mapping(spec, "os").get("name") == "windows"
    return [
        Fault(path, f"pod-security/{check.name}", message)
        for check in _checks(level, version, windows)
        for path, message in check.find(subject)
    ]

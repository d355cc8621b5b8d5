"""Pod Security 'restricted', in the words of compose: what a patch may not take away from a service.

Source of the rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/. Compose has no
admission that would ask for them later. Privileged services, the machine's own network, processes and memory, and its
folders are told by the policy's documents.
"""

from __future__ import annotations

from collections.abc import Iterator

from renderer.errors import Fault
from renderer.manifest import Json, mapping, texts

#: Our own one-shot services are root, without a network, for the moment in which they prepare volumes.
ONE_SHOTS = (".prepare", ".bridge")
ONE_SHOT_CAPABILITIES = frozenset({"CHOWN"})
CAPABILITIES = frozenset({"NET_BIND_SERVICE"})

_ROOT = ("0", "root")
_HOST = ("uts", "userns_mode", "cgroup")
_LISTS = ("devices", "device_cgroup_rules")


def hardening_faults(doc: Json) -> list[Fault]:
    """The faults of all services, each at the field that breaks a rule."""
    services = mapping(doc, "services")
    return [
        fault for name, service in services.items() if isinstance(service, dict) for fault in _service(name, service)
    ]


def _service(name: str, service: Json) -> Iterator[Fault]:
    yield from _machine(name, service)
    yield from _identity(name, service, name.endswith(ONE_SHOTS))
    yield from _options(name, texts(service, "security_opt"))


def _machine(name: str, service: Json) -> Iterator[Fault]:
    for field in _HOST:
        if service.get(field) == "host":
            yield _fault(name, field, f"'{field}' must not be 'host'")
    for field in _LISTS:
        if service.get(field):
            yield _fault(name, field, "a service must not have devices of the machine")


def _identity(name: str, service: Json, one_shot: bool) -> Iterator[Fault]:
    if texts(service, "cap_drop") != ["ALL"]:
        yield _fault(name, "cap_drop", "all capabilities must be dropped: cap_drop: [ALL]")
    allowed = ONE_SHOT_CAPABILITIES if one_shot else CAPABILITIES
    if not allowed.issuperset(texts(service, "cap_add")):
        yield _fault(name, "cap_add", f"only {' and '.join(sorted(allowed))} may be added")
    if str(service.get("user", "0")).partition(":")[0] in _ROOT and not one_shot:
        yield _fault(name, "user", "a service must not run as root")


def _options(name: str, options: list[str]) -> Iterator[Fault]:
    if not {"no-new-privileges:true", "no-new-privileges"}.intersection(options):
        yield _fault(name, "security_opt", "no-new-privileges:true must be set")
    if any(option.endswith(("unconfined", "disable")) for option in options):
        yield _fault(name, "security_opt", "seccomp, AppArmor and SELinux must not be switched off")


def _fault(name: str, field: str, message: str) -> Fault:
    hint = "as on Kubernetes: take it out of the patch, or accept policy/pod-security with the reason"
    return Fault(("services", name, field), "compose/not-restricted", message, hint)

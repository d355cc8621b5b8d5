"""Pod Security 'restricted' for compose, key by key.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/. Compose has no admission, so every key of
the Compose Specification, at any depth, is harmless, policed or refused; unknown keys are refused. Tables are by
section: `services` for keys of a service, `services.deploy.resources` for keys below that, `*` for any name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from renderer.check.pod_security import SYSCTLS
from renderer.errors import DocumentPath, Fault
from renderer.manifest import Json, as_mapping, items, mappings, text, texts
from renderer.wording import every, excerpt

#: Our one-shot services prepare volumes as root, without a network.
ONE_SHOTS = (".prepare", ".bridge")
ONE_SHOT_CAPABILITIES = frozenset({"CHOWN"})
CAPABILITIES = frozenset({"NET_BIND_SERVICE"})

RESTRICTED = "compose/not-restricted"
_LIMITS, _HOST_PATH, _SOCKET = "policy/limits", "policy/host-path", "policy/docker-socket"
_OPTIONS = frozenset(
    f"{name}{sign}{value}"
    for name, value in (("no-new-privileges", "true"), ("seccomp", "builtin"), ("apparmor", "docker-default"))
    for sign in ":="
) | {"no-new-privileges"}

_BLOCK_DEVICES = tuple(f"device_{way}_{unit}" for way in ("read", "write") for unit in ("bps", "iops"))
_GPU = frozenset({"capabilities", "count", "device_ids", "driver"})
_GRANT = frozenset({"gid", "mode", "source", "target", "uid"})
_ROLLOUT = frozenset({"delay", "failure_action", "max_failure_ratio", "monitor", "order", "parallelism"})
#: Keys that take nothing from the machine or have other rules (images, variables, ports, mounts, limits).
# fmt: off
HARMLESS: Mapping[str, frozenset[str]] = {
    "": frozenset({"name", "services", "networks", "volumes", "configs", "secrets"}),
    "services": frozenset({
        "annotations", "attach", "blkio_config", "command", "configs", "container_name", "cpu_count", "cpu_percent",
        "cpu_period", "cpu_quota", "cpu_shares", "cpus", "cpuset", "depends_on", "deploy", "dns", "dns_opt",
        "dns_search", "domainname", "entrypoint", "environment", "expose", "extra_hosts", "healthcheck", "hostname",
        "image", "init", "labels", "links", "logging", "mac_address", "mem_limit", "mem_reservation", "mem_swappiness",
        "memswap_limit", "networks", "pids_limit", "platform", "ports", "post_start", "pre_stop", "profiles",
        "pull_policy", "pull_refresh_after", "read_only", "restart", "scale", "secrets", "shm_size", "stdin_open",
        "stop_grace_period", "stop_signal", "storage_opt", "tty", "ulimits", "working_dir",
    }),
    "networks": frozenset({
        "name", "attachable", "enable_ipv4", "enable_ipv6", "external", "internal", "ipam", "labels"
    }),
    "volumes": frozenset({"name", "external", "labels"}),
    "configs": frozenset({"name", "content", "environment", "external", "labels"}),
    "secrets": frozenset({"name", "environment", "external", "labels"}),
    **{f"{section}.external": frozenset({"name"}) for section in ("networks", "volumes", "configs", "secrets")},
    "networks.ipam": frozenset({"config"}),
    "networks.ipam.config": frozenset({"aux_addresses", "gateway", "ip_range", "subnet"}),
    "services.blkio_config": frozenset({*_BLOCK_DEVICES, "weight", "weight_device"}),
    **{f"services.blkio_config.{name}": frozenset({"path", "rate"}) for name in _BLOCK_DEVICES},
    "services.blkio_config.weight_device": frozenset({"path", "weight"}),
    "services.build": frozenset({"context", "dockerfile", "target", "args"}),
    **dict.fromkeys(("services.build.secrets", "services.configs", "services.secrets"), _GRANT),
    **dict.fromkeys(("services.build.ulimits.*", "services.ulimits.*"), frozenset({"hard", "soft"})),
    "services.depends_on.*": frozenset({"condition", "required", "restart"}),
    "services.deploy": frozenset({
        "endpoint_mode", "labels", "mode", "placement", "replicas", "resources", "restart_policy", "rollback_config",
        "update_config",
    }),
    "services.deploy.placement": frozenset({"constraints", "max_replicas_per_node", "preferences"}),
    "services.deploy.placement.preferences": frozenset({"spread"}),
    "services.deploy.resources": frozenset({"limits", "reservations"}),
    "services.deploy.resources.limits": frozenset({"cpus", "memory", "pids"}),
    "services.deploy.resources.reservations": frozenset({"cpus", "generic_resources", "memory"}),
    "services.deploy.resources.reservations.devices": _GPU,
    "services.deploy.resources.reservations.generic_resources": frozenset({"discrete_resource_spec"}),
    "services.deploy.resources.reservations.generic_resources.discrete_resource_spec": frozenset({"kind", "value"}),
    "services.deploy.restart_policy": frozenset({"condition", "delay", "max_attempts", "window"}),
    "services.deploy.rollback_config": _ROLLOUT,
    "services.deploy.update_config": _ROLLOUT,
    "services.devices": frozenset({"permissions", "source", "target"}),
    "services.env_file": frozenset({"format", "path", "required"}),
    "services.gpus": _GPU,
    "services.healthcheck": frozenset({
        "disable", "interval", "retries", "start_interval", "start_period", "test", "timeout"
    }),
    "services.logging": frozenset({"driver"}),
    "services.networks.*": frozenset({
        "aliases", "gw_priority", "interface_name", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address",
        "priority", "use_service_name_alias",
    }),
    "services.ports": frozenset({"app_protocol", "host_ip", "mode", "name", "protocol", "published", "target"}),
    "services.post_start": frozenset({"command", "environment", "working_dir"}),
    "services.pre_stop": frozenset({"command", "environment", "working_dir"}),
    "services.volumes": frozenset({
        "bind", "consistency", "image", "read_only", "source", "target", "tmpfs", "type", "volume"
    }),
    "services.volumes.bind": frozenset({"create_host_path", "recursive", "selinux"}),
    "services.volumes.image": frozenset({"subpath"}),
    "services.volumes.tmpfs": frozenset({"mode", "size"}),
    "services.volumes.volume": frozenset({"labels", "nocopy", "subpath"}),
}
# fmt: on
#: Keys that cannot be accepted, with the reason.
REFUSED: Mapping[str, Mapping[str, str]] = {
    "": {
        "include": "the files that it names are not checked",
        "jobs": "a job is no part of a server",
        "models": "a model runs outside of the server's limits",
    },
    "services": {
        "credential_spec": "it reads credentials of the machine",
        "develop": "it copies files of the machine into the container",
        "extends": "what it extends is not checked",
        "external_links": "it leads to containers of other projects",
        "models": "a model runs outside of the server's limits",
        "pre_start": "it runs a container that no rule holds",
        "provider": "it runs a program on the machine",
        "volumes_from": "it mounts what other containers have",
    },
    "configs": {"template_driver": "only Swarm has it"},
    "secrets": dict.fromkeys(("driver", "driver_opts", "template_driver"), "only Swarm has it"),
}


def hardening_faults(doc: Json) -> list[Fault]:
    return [
        fault for section in HARMLESS for path, part in _parts(doc, section) for fault in _part(section, path, part)
    ]


def _parts(doc: Json, section: str) -> list[tuple[DocumentPath, Json]]:
    """The mappings of a section; for a list its items."""
    first, *rest = section.split(".")
    parts: list[tuple[DocumentPath, Json]] = [((), doc)]
    for step in (first, "*", *rest) if first else ():
        keys = [(path, part, key) for path, part in parts for key in (part if step == "*" else {step} & part.keys())]
        values = [((*path, key), part[key]) for path, part, key in keys]
        parts = [(path, value) for path, value in values if isinstance(value, dict)]
        parts += [
            ((*path, i), item)
            for path, value in values
            for i, item in enumerate(items(value))
            if isinstance(item, dict)
        ]
    return parts


def _part(section: str, path: DocumentPath, part: Json) -> Iterator[Fault]:
    if section == "services":
        yield from _identity(path, part, str(path[-1]).endswith(ONE_SHOTS))
    policed = POLICED.get(section, {})
    for key, value in part.items():
        nothing = value in (None, "", [], {}) or value is False  # 0 may be a user
        if nothing or key in HARMLESS[section] or str(key).startswith("x-"):
            continue
        if key in policed:
            rule, judge = policed[key]
            if message := judge(value):
                yield _fault((*path, key), message, rule)
        else:
            why = REFUSED.get(section, {}).get(key, "no rule of mcpctl knows what it does")
            message = f"{excerpt(str(key))} is not allowed: {why}"
            yield Fault((*path, key), "compose/refused-key", message, "remove it")


def _identity(path: DocumentPath, service: Json, one_shot: bool) -> Iterator[Fault]:
    """What compose does not set by default."""
    if texts(service, "cap_drop") != ["ALL"]:
        yield _fault((*path, "cap_drop"), "all capabilities must be dropped: cap_drop: [ALL]")
    if _may_be_root(service.get("user", "0")) and not one_shot:
        yield _fault((*path, "user"), "a service must not run as root: write the number of a user")
    options = texts(service, "security_opt")
    if not {"no-new-privileges:true", "no-new-privileges=true", "no-new-privileges"}.intersection(options):
        yield _fault((*path, "security_opt"), "no-new-privileges:true must be set")
    allowed = ONE_SHOT_CAPABILITIES if one_shot else CAPABILITIES
    if not allowed.issuperset(texts(service, "cap_add")):
        yield _fault((*path, "cap_add"), f"only {' and '.join(sorted(allowed))} may be added")


def _may_be_root(user: Any) -> bool:
    """A name may be root in the image, and '$' can be anything."""
    number = str(user).partition(":")[0]
    return not (number.isdecimal() and int(number) > 0)


def _fault(path: DocumentPath, message: str, rule: str = RESTRICTED) -> Fault:
    accepted = "policy/pod-security" if rule == RESTRICTED else rule
    hint = f"as on Kubernetes: take it out of the patch, or accept {accepted} with the reason"
    return Fault(path, rule, message, hint)


# ---------------------------------------------------------------------------------------------
# Checks of values: each returns an error or an empty text.

_Judge = Callable[[Any], str]


def _always(message: str) -> _Judge:
    return lambda _: message


def _namespace(value: Any) -> str:
    """For 'host' there is a policy rule; 'none' and services of this file are allowed."""
    own = value in ("none", "host", "private", "shareable") or str(value).startswith("service:")
    return "" if own else "must be the service's own, or that of a service of this file"


def _options(value: Any) -> str:
    wrong = [excerpt(str(option)) for option in items(value) if option not in _OPTIONS]
    return f"{every(wrong)} may switch off seccomp, AppArmor, SELinux or no-new-privileges" if wrong else ""


def _outside(value: Any) -> str:
    """Files must be below the project's folder; '$' can be any path."""
    entries = value if isinstance(value, list) else [value]
    paths = [text(entry, "path") if isinstance(entry, dict) else str(entry) for entry in entries]
    outside = [path for path in paths if path.startswith(("/", "~", "\\")) or set("$:") & {*path} or ".." in path]
    return f"{every([excerpt(path) for path in outside])} is a file of the machine" if outside else ""


def _sysctls(value: Any) -> str:
    names = value if isinstance(value, dict) else [str(entry).partition("=")[0] for entry in items(value)]
    wrong = [excerpt(name) for name in names if name not in SYSCTLS]
    return f"{every(wrong)} must not be set" if wrong else ""


def _devices(value: Any) -> str:
    """GPUs are allowed; other devices, and those of the Container Device Interface, are not."""
    asked = mappings(value)
    gpus = all("gpu" in texts(request, "capabilities") or "capabilities" not in request for request in asked)
    drivers = {text(request, "driver") for request in asked}
    return "" if gpus and drivers <= {"", "nvidia"} else "a service must have no devices of the machine but GPUs"


def _mounts(value: Any) -> str:
    """The short form; for the long one see ``bind``."""
    words = {word for entry in items(value) if isinstance(entry, str) for word in entry.rpartition(":")[2].split(",")}
    return next(filter(None, map(_propagation, sorted(words & _SPREADING))), "")


_SPREADING = frozenset({"shared", "rshared", "slave", "rslave"})


def _propagation(value: Any) -> str:
    return "" if value in ("private", "rprivate") else "mounts must not propagate to the machine or from it"


def _log_options(value: Any) -> str:
    wrong = sorted(as_mapping(value).keys() & {"env", "env-regex"})
    return f"{every(wrong)} would write values of variables into each line of the log" if wrong else ""


def _tmpfs(value: Any) -> str:
    entries = value if isinstance(value, list) else [value]
    words = {word for entry in entries for word in str(entry).partition(":")[2].split(",")}
    return "must not be mounted with suid or dev" if words & {"suid", "dev"} else ""


def _driver_options(value: Any) -> str:
    """``type: none, o: bind`` is a folder of the machine; other local file systems are its disks."""
    options = as_mapping(value)
    kind, device = str(options.get("type", "")), str(options.get("device", ""))
    remote = kind in ("nfs", "nfs4", "cifs", "tmpfs") and not device.startswith("/") and "bind" not in str(options)
    return "" if remote else f"a volume must not be a folder or a disk of the machine ({excerpt(device or kind)})"


def _network_options(value: Any) -> str:
    wrong = [excerpt(str(name)) for name in as_mapping(value) if name != "com.docker.network.driver.mtu"]
    return f"{every(wrong)} may open the network of the machine" if wrong else ""


def _driver(*known: str) -> _Judge:
    return lambda value: "" if value in known else f"driver {excerpt(str(value))} has rights on the machine"


_GPU_OPTIONS: Mapping[str, tuple[str, _Judge]] = {
    "options": (RESTRICTED, _always("what a driver makes of its options is not known"))
}
_HOOK: Mapping[str, tuple[str, _Judge]] = {
    "privileged": (RESTRICTED, _always("a hook must not be privileged")),
    "user": (RESTRICTED, lambda value: "a hook must not run as root" if _may_be_root(value) else ""),
}
#: By key: the rule, and the check of the value.
POLICED: Mapping[str, Mapping[str, tuple[str, _Judge]]] = {
    "services": {
        # Also required: see _identity.
        **dict.fromkeys(("cap_add", "cap_drop", "user"), (RESTRICTED, _always(""))),
        "security_opt": (RESTRICTED, _options),
        # For the rest see policy/documents.py.
        "privileged": ("policy/privileged", _always("")),
        **dict.fromkeys(("network_mode", "pid", "ipc"), (RESTRICTED, _namespace)),
        # For folders of the machine see policy/documents.py.
        "volumes": (RESTRICTED, _mounts),
        **dict.fromkeys(
            ("uts", "userns_mode", "cgroup"),
            (RESTRICTED, lambda value: "must not be that of the machine ('host')" if value == "host" else ""),
        ),
        "cgroup_parent": (RESTRICTED, _always("the service must stay within its own limits")),
        "device_cgroup_rules": (RESTRICTED, _always("a service must not have devices of the machine")),
        "devices": (RESTRICTED, _always("a service must not have devices of the machine")),
        # For the context see policy/documents.py.
        "build": (RESTRICTED, _always("")),
        "gpus": (RESTRICTED, _devices),
        # The spec has a group for volumes; for others see policy/documents.py.
        "group_add": (RESTRICTED, _always("")),
        "isolation": (RESTRICTED, _always("a service must not choose its isolation")),
        "runtime": (RESTRICTED, _always("another runtime decides how the service is isolated")),
        "sysctls": (RESTRICTED, _sysctls),
        "tmpfs": (RESTRICTED, _tmpfs),
        "use_api_socket": (_SOCKET, _always("who has the socket of the container runtime is root on the machine")),
        **dict.fromkeys(("env_file", "label_file"), (_HOST_PATH, _outside)),
        **dict.fromkeys(
            ("cpu_rt_period", "cpu_rt_runtime"),
            (_LIMITS, _always("the service may use all CPUs of the machine")),
        ),
        "oom_kill_disable": (_LIMITS, _always("the service is not killed at its memory limit")),
        "oom_score_adj": (
            _LIMITS,
            lambda value: (
                ""
                if isinstance(value, int) and value >= 0
                else "the machine would kill other programs instead when memory is short"
            ),
        ),
    },
    "networks": {"driver": (RESTRICTED, _driver("bridge", "default")), "driver_opts": (RESTRICTED, _network_options)},
    "volumes": {"driver": (RESTRICTED, _driver("local")), "driver_opts": (_HOST_PATH, _driver_options)},
    "networks.ipam": {
        "driver": (RESTRICTED, _driver("default")),
        "options": (RESTRICTED, _always("a driver of addresses takes options on the machine")),
    },
    "services.build": dict.fromkeys(
        (
            *("additional_contexts", "cache_from", "cache_to", "dockerfile_inline", "entitlements", "extra_hosts"),
            *("isolation", "labels", "network", "no_cache", "no_cache_filter", "platforms", "privileged"),
            *("provenance", "pull", "sbom", "secrets", "shm_size", "ssh", "tags", "ulimits"),
        ),
        (RESTRICTED, _always("a build must have nothing of the machine but its context")),
    ),
    "services.deploy.resources.reservations": {"devices": (RESTRICTED, _devices)},
    "services.deploy.resources.reservations.devices": _GPU_OPTIONS,
    "services.gpus": _GPU_OPTIONS,
    "services.logging": {"options": (RESTRICTED, _log_options)},
    "services.networks.*": {"driver_opts": (RESTRICTED, _network_options)},
    "services.post_start": _HOOK,
    "services.pre_stop": _HOOK,
    "services.volumes.bind": {"propagation": (RESTRICTED, _propagation)},
    "configs": {"file": (_HOST_PATH, _outside)},
    "secrets": {"file": (_HOST_PATH, _outside)},
}

"""Parts of a compose file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from renderer.diff.consequences.network import ALL, ANY, Peer, Port, Way, covers, in_words
from renderer.diff.consequences.table import (
    RESOLVER_FILES,
    Consequence,
    Pair,
    Program,
    added,
    few,
    given_to_programs,
    handed_on,
    image_rules,
    loaded,
    mounted_programs,
    package_rules,
    packages,
    programs,
    unlike,
)
from renderer.diff.objects import COMPOSE, Object
from renderer.labels import REMADE_VOLUMES
from renderer.manifest import as_mapping, at, items, mappings
from renderer.merge_patch import same
from renderer.yaml_reader import read

_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$\{?([A-Za-z_][A-Za-z0-9_]*)")
#: The error text of a missing variable names its source, here a ConfigMap, whose values are no secret.
_OF_CONFIG = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*):\?key [^\s}]+ of configMap [^\s}]+\}")
_CONFIG_FILE = re.compile(r"\./env/configmaps/[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.env")
#: A source that begins like this is a path, not the name of a volume.
_PATHS = ("/", ".", "~", "$")
#: Drivers that keep logs on the machine, and options of the others that name the destination.
_LOCAL_LOGS = ("json-file", "local", "journald", "none", "etwlogs")
_ADDRESSES = ("address", "url", "endpoint", "region", "group", "project")
#: Prefixes of labels by which a proxy routes clients to a container.
_PROXIES = ("traefik.", "caddy")
#: Mounts of the machine show in the container, or those of the container in the machine.
_SPREADING = ("shared", "rshared", "slave", "rslave")
_COMPONENT = "app.kubernetes.io/component"


def compose_rules(pair: Pair, *, new: bool) -> Iterator[Consequence]:
    """``new``: the whole project is new."""
    kind, label = pair.object.kind, pair.object.label
    if kind == "service":
        yield from _service(pair, new=new)
        return
    remade = pair.object.name.endswith(REMADE_VOLUMES)
    if kind == "volume" and pair.old and (not pair.new or pair.changes) and not remade:
        yield Consequence("data-loss", f"{label} {'is another one' if pair.new else 'is no longer used'}")
    if kind == "secret" and pair.new:
        yield Consequence("secret", f"{pair.object.name}{' is another one' if pair.old else ''}")
    yield from added("hardening", f"{label}:", _weak_part(kind, pair.before), _weak_part(kind, pair.now))


def _weak_part(kind: str, part: Mapping[str, Any]) -> set[str]:
    own = part.get("driver") in (None, "local", "bridge", "default")
    weaknesses = set() if own else {f"driver {part['driver']}"}
    options = as_mapping(part.get("driver_opts"))
    if options.get("device"):
        weaknesses.add(f"is {options['device']} of the machine")
    elif options:
        weaknesses.add(f"driver options {', '.join(sorted(map(str, options)))}")
    if part.get("external") and kind != "volume":
        weaknesses.add("is one of another project")
    if kind in ("config", "secret") and str(part.get("file", "")).startswith(("/", "~", "..", "$")):
        weaknesses.add(f"is {part['file']} of the machine")
    return weaknesses


def _service(pair: Pair, *, new: bool) -> Iterator[Consequence]:
    name, before, now = pair.object.name, pair.before, pair.now
    # Variables and files of variables that are of ConfigMaps, wherever the services name them.
    texts = [text for service in (before, now) for text in _texts(service)]
    names = {name for text in texts for name in _OF_CONFIG.findall(text)}
    names -= {name for text in texts for name in _VARIABLE.findall(_OF_CONFIG.sub("", text))}
    public = names | {text for text in texts if _CONFIG_FILE.fullmatch(text)}
    if pair.old and pair.new:
        paths = [change.path for change in pair.changes if change.path]
        if keys := {str(path[0]) for path in paths if path[:2] != ("deploy", "replicas")}:
            yield Consequence("restart", f"{pair.object.label}: {few(sorted(keys))}")
        if not same(_replicas(before), _replicas(now)):
            yield Consequence("scaling", f"{pair.object.label}: replicas {_replicas(before)} → {_replicas(now)}")
        if not same(at(before, "deploy", "resources"), at(now, "deploy", "resources")):
            both = [as_mapping(at(data, "deploy", "resources")) for data in (before, now)]
            yield Consequence("resources", f"{name}: {unlike(*both)}")
        yield from added("data-loss", f"{name} no longer mounts volume", _volumes(now), _volumes(before))
        secrets = sorted({secret for secret, _ in _uses(now)} - public)
        yield from handed_on(name, str(before.get("image")), str(now.get("image")), secrets)
        yield from given_to_programs(name, _programs(before), _programs(now), secrets)
        argvs = [(_argv(data.get("entrypoint")), _argv(data.get("command"))) for data in (before, now)]
        yield from package_rules(name, *(packages(*argv) for argv in argvs))
    elif pair.new and not new:
        yield Consequence("container", f"{name}: {now.get('image')}")
    if pair.new:
        yield from image_rules(name, before.get("image"), now.get("image"))
        was = _secrets(before) - public
        yield from added("secret", f"{name}:", was, _secrets(now) - public)
        for secret, where in sorted(use for use in _uses(now) - _uses(before) if use[0] in was):
            yield Consequence("secret", f"{name}: {secret} → {where}")
        yield from (Consequence("egress", f"{name}: logs go to {key}") for key, _ in sorted(_logs(now) - _logs(before)))
        yield from added("exposure", f"{name}:", _ports(before), _ports(now))
        yield from added("dns", f"{name}:", _names(before), _names(now))
        yield from added("hardening", f"{name}:", _weak(before) if pair.old else set(), _weak(now))
        yield from added("container", name, _other_images(before), _other_images(now))


def _uses(service: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Each secret or outside variable, with the variable, file or key that gets it."""
    uses = set()
    for grant in items(service.get("secrets")):
        source, target = (grant, grant) if isinstance(grant, str) else (at(grant, "source"), at(grant, "target"))
        uses.add((str(source), f"/run/secrets/{target or source}"))
    for key, value in service.items():
        pairs = _environment(service) if key == "environment" else [(key, value)]
        uses |= {(name, where) for where, inner in pairs for text in _texts(inner) for name in _VARIABLE.findall(text)}
    return uses


def _programs(service: Mapping[str, Any]) -> set[Program]:
    test = at(service, "healthcheck", "test")
    mode, *checked = ["CMD-SHELL", test] if isinstance(test, str) else [*map(str, items(test)), ""]
    checked = ["sh", "-c", *checked] if mode == "CMD-SHELL" else checked
    started = programs(_argv(service.get("entrypoint")), _argv(service.get("command")))
    started |= programs(checked if mode.startswith("CMD") else ())
    mounts: list[tuple[object, object]] = [
        (text.split(":")[1], text.split(":")[0]) for text in map(str, items(service.get("volumes"))) if ":" in text
    ]
    mounts += [
        (mount.get("target"), mount.get("source"))
        for key in ("volumes", "configs")
        for mount in mappings(service.get(key))
    ]
    return started | loaded(_environment(service)) | mounted_programs(started, mounts)


def _environment(service: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """``NAME`` and value; a mapping, or a list of ``NAME=value``."""
    value = service.get("environment")
    if isinstance(value, dict):
        return [(str(variable), text) for variable, text in value.items()]
    return [(text.partition("=")[0], text.partition("=")[2]) for text in map(str, items(value))]


def _argv(value: Any) -> list[str]:
    """A list, or a text that compose splits as a shell does."""
    if not isinstance(value, str):
        return [str(word) for word in items(value)]
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()


def _logs(service: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Where logs go beyond the machine: the driver and each address, whose text may hold a credential."""
    logging = as_mapping(service.get("logging"))
    driver = str(logging.get("driver", "json-file"))
    options = {str(key): str(value) for key, value in as_mapping(logging.get("options")).items()}
    if driver in _LOCAL_LOGS or (driver == "syslog" and options.get("syslog-address", "unix:").startswith("unix")):
        return set()
    addresses = {(f"{driver}, {key}", value) for key, value in options.items() if key.endswith(_ADDRESSES)}
    return {(driver, ""), *addresses}


def _other_images(service: Mapping[str, Any]) -> set[str]:
    """Mounted images, and the context that one is built from."""
    volumes = mappings(service.get("volumes"))
    images = {f"mounts the image {volume.get('source')}" for volume in volumes if volume.get("type") == "image"}
    build = service.get("build")
    return images | ({f"is built from {', '.join(sorted(_texts(build)))}"} if build else set())


def _replicas(service: Mapping[str, Any]) -> Any:
    return at(service, "deploy", "replicas") or 1


def _secrets(service: Mapping[str, Any]) -> set[str]:
    """Secrets by name, outside variables, and files of variables."""
    names = {str(entry if isinstance(entry, str) else at(entry, "source")) for entry in items(service.get("secrets"))}
    names |= {name for text in _texts(service) for name in _VARIABLE.findall(text)}
    # A variable without a value takes that of compose's environment.
    environment = service.get("environment")
    if isinstance(environment, dict):
        names |= {str(name) for name, value in environment.items() if value is None}
    else:
        names |= {str(entry) for entry in items(environment) if "=" not in str(entry)}
    files = service.get("env_file")
    files = files if isinstance(files, list) else [files] if files else []
    return names | {str(entry if isinstance(entry, str) else at(entry, "path")) for entry in files}


def _ports(service: Mapping[str, Any]) -> set[str]:
    ways = set()
    for port in items(service.get("ports")):
        if isinstance(port, dict):
            published, address = port.get("published"), port.get("host_ip")
        else:
            # 127.0.0.1:80:8080/tcp is an address and a published port.
            address, _, published = str(port).rpartition(":")[0].rpartition(":")
        ways.add(f"port {published or 'of any number'} on {address or '0.0.0.0'}")  # noqa: S104 - printed, not bound
    labels = as_mapping(service.get("labels"))
    ways |= {f"label {key}: {value}" for key, value in labels.items() if str(key).startswith(_PROXIES)}
    return ways | ({"the network of the machine"} if service.get("network_mode") == "host" else set())


#: Keys of a service with rules of their own, or that weaken nothing.
# fmt: off
_KNOWN_KEYS = frozenset({
    "annotations", "attach", "blkio_config", "build", "cap_add", "cap_drop", "command", "configs", "container_name",
    "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_shares", "cpus", "cpuset", "depends_on", "deploy",
    "devices", "dns", "dns_opt", "dns_search", "domainname", "entrypoint", "env_file", "environment", "expose",
    "extra_hosts", "healthcheck", "hostname", "image", "init", "labels", "logging", "mac_address", "mem_limit",
    "mem_reservation", "mem_swappiness", "memswap_limit", "network_mode", "networks", "oom_score_adj", "pids_limit",
    "platform", "ports", "privileged", "profiles", "pull_policy", "read_only", "restart", "scale", "secrets",
    "security_opt", "shm_size", "stdin_open", "stop_grace_period", "stop_signal", "storage_opt", "tmpfs", "tty",
    "ulimits", "user", "volumes", "working_dir"
})
# fmt: on
#: Namespaces that are a service's own by default.
_NAMESPACES = ("pid", "ipc", "uts", "userns_mode", "cgroup")


def _weak(service: Mapping[str, Any]) -> set[str]:
    options = [str(option).replace("=", ":") for option in items(service.get("security_opt"))]
    user = str(service.get("user", "0")).partition(":")[0]
    pids = at(service, "deploy", "resources", "limits", "pids") or service.get("pids_limit")
    logs, size = as_mapping(service.get("logging")), at(service, "logging", "options", "max-size")
    holds = {
        "may start any number of processes": str(pids or "-1") not in ("0", "-1"),
        "keeps any amount of logs": logs.get("driver", "json-file") != "json-file"
        or str(size or "-1") not in ("0", "-1"),
        "is privileged": service.get("privileged") is not True,
        "keeps capabilities": "ALL" in [str(name).upper() for name in items(service.get("cap_drop"))],
        "may gain privileges": bool({"no-new-privileges:true", "no-new-privileges"} & set(options)),
        "may write to its root file system": service.get("read_only") is True,
        "is spared when memory is short": not str(service.get("oom_score_adj", 0)).strip().startswith("-"),
        "runs as user 0": user.isdecimal() and int(user) > 0,
    }
    weaknesses = {weak for weak, held in holds.items() if not held}
    weaknesses |= {f"has capability {name}" for name in items(service.get("cap_add"))}
    weaknesses |= {f"option {option}" for option in options if not option.startswith("no-new-privileges")}
    weaknesses |= {f"has device {entry}" for entry in items(service.get("devices"))}
    weaknesses |= {f"has group {entry}" for entry in items(service.get("group_add"))}
    weaknesses |= {
        f"{key} is that of {service[key]}" for key in _NAMESPACES if service.get(key) not in (None, "private")
    }
    mode = str(service.get("network_mode", ""))
    weaknesses |= {f"has the network of {mode}"} if mode.startswith("container:") else set()
    others = service.keys() - _KNOWN_KEYS - {*_NAMESPACES, "group_add"}
    weaknesses |= {
        f"sets {key}" for key in others if not str(key).startswith("x-") and service[key] not in (None, [], {}, False)
    }
    mounted = service.get("tmpfs")
    tmpfs = [str(entry).partition(":") for entry in (items(mounted) or [mounted])]
    weaknesses |= {f"may run programs from {path}" for path, _, options in tmpfs if "exec" in options.split(",")}
    return weaknesses | {f"mounts {path} of the machine{how}" for path, how in _binds(service)}


def _names(service: Mapping[str, Any]) -> set[str]:
    """Who resolves names for a service, and which names it answers for."""
    answers = {f"resolves {name} as {address}" for name, address in _aliases(service.get("extra_hosts"))}
    for key, words in (("dns", "asks nameserver"), ("dns_search", "searches"), ("dns_opt", "has DNS option")):
        answers |= {f"{words} {entry}" for entry in items(service.get(key)) or [service.get(key)] if entry}
    networks = as_mapping(service.get("networks"))
    names = [service.get("hostname"), service.get("domainname"), service.get("container_name")]
    names += [alias for network in networks.values() for alias in items(at(network, "aliases"))]
    # No public name ends with .server (templates/compose/service.yaml.j2).
    answers |= {f"answers for {name}" for name in names if "." in str(name) and not str(name).endswith(".server")}
    mounted = [entry.get("target") for key in ("volumes", "configs", "secrets") for entry in mappings(service.get(key))]
    mounted += [str(entry).partition(":")[2].partition(":")[0] for entry in items(service.get("volumes"))]
    return answers | {f"mounts {path}" for path in mounted if path in RESOLVER_FILES}


def _aliases(value: Any) -> Iterator[tuple[str, str]]:
    """Name and address; a mapping (addresses may be lists), or a list of ``name=address`` or ``name:address``."""
    for name, address in value.items() if isinstance(value, dict) else ():
        yield from ((str(name), str(ip)) for ip in (address if isinstance(address, list) else [address]))
    for text in map(str, items(value)):
        name, _, address = text.partition("=" if "=" in text else ":")
        yield name, address


def _binds(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Paths of the machine, and again with a suffix where they are writable."""
    for mount in items(service.get("volumes")):
        if isinstance(mount, dict) and mount.get("type") == "bind":
            path, fixed = str(mount.get("source")), mount.get("read_only") is True
        else:
            path, _, options = str(mount).partition(":") if isinstance(mount, str) else ("", "", "")
            fixed = "ro" in options.rpartition(":")[2].split(",")
        if path.startswith(_PATHS) or (isinstance(mount, dict) and mount.get("type") == "bind"):
            yield path, ""
            if not fixed:
                yield path, ", to write"
        spread = [
            at(mount, "bind", "propagation"),
            *(str(mount).rpartition(":")[2].split(",") if isinstance(mount, str) else ()),
        ]
        yield from ((path, f", with propagation {mode}") for mode in spread if mode in _SPREADING)


def _volumes(service: Mapping[str, Any]) -> set[str]:
    named = {str(volume.get("source")) for volume in mappings(service.get("volumes")) if volume.get("type") == "volume"}
    short = [str(volume).partition(":")[0] for volume in items(service.get("volumes")) if isinstance(volume, str)]
    volumes = named | {volume for volume in short if not volume.startswith(_PATHS)}
    return {volume for volume in volumes if not volume.endswith(REMADE_VOLUMES)}


# ---------------------------------------------------------------------------------------------
# Egress: a service is on a network that leads out, or has a proxy with a list of hosts.


def compose_egress(old: Iterable[Object], new: Iterable[Object]) -> Iterator[Consequence]:
    before, now = _egress(old), _egress(new)
    if now is not None:
        for way in sorted(way for way in now if not any(covers(was, way) for was in before or ())):
            yield Consequence("egress", in_words(way))


def _egress(objects: Iterable[Object]) -> set[Way] | None:
    """None without a server."""
    parts = [part for part in objects if part.group == COMPOSE]
    servers = (None, "mcp-server")
    services = [part for part in parts if part.kind == "service" and at(part.data, "labels", _COMPONENT) in servers]
    internal = {part.name for part in parts if part.kind == "network" and at(part.data, "internal") is True}
    if not services:
        return None
    others = {part.name: as_mapping(part.data) for part in parts if part.kind == "service"}
    if any(_leads_out(as_mapping(part.data), internal, others) for part in services):
        return {(ANY, ALL)}
    return {way for part in parts for text in _texts(part.data) for way in _allowed(text)}


def _leads_out(service: Mapping[str, Any], internal: set[str], others: Mapping[str, Mapping[str, Any]]) -> bool:
    mode, _, other = str(service.get("network_mode", "")).partition(":")
    if mode == "service" and other in others:
        rest = {name: data for name, data in others.items() if name != other}
        return _leads_out(others[other], internal, rest)
    if mode:
        return mode not in ("none", "service")
    networks = service.get("networks") or ["default"]
    return any(str(name) not in internal for name in networks)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _allowed(text: str) -> Iterator[Way]:
    """By a configuration of Envoy."""
    if "virtual_hosts:" not in text:
        return
    documents, _ = read(text, strict=False, marks=False)
    for host in (host for document in documents for host in _virtual_hosts(document.data)):
        if any("direct_response" not in route for route in mappings(host.get("routes"))):
            for domain in items(host.get("domains")):
                name, _, port = str(domain).rpartition(":")
                yield Peer("host", name or str(domain)), Port("TCP", port if name else "*")


def _virtual_hosts(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        yield from mappings(data.get("virtual_hosts"))
    for inner in data.values() if isinstance(data, dict) else items(data):
        yield from _virtual_hosts(inner)

"""Values that the compose templates read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer import pins
from renderer.bundle import Fetch, bundle_fetch
from renderer.context import document_values
from renderer.guard import guard_arguments
from renderer.labels import object_labels
from renderer.launch import Launch, launch
from renderer.model import JSON, Build, EnvValue, FieldRef, Server, Writable
from renderer.quantity import cpus, memory, tmpfs_size
from renderer.targets.compose.egress import not_enforced, out_of_reach, proxy, proxy_variables
from renderer.targets.compose.files import Files
from renderer.targets.compose.names import (
    NETWORK,
    Need,
    env_path,
    expanded,
    expression,
    has_gateway,
    has_network,
    has_proxy,
    is_isolated,
    joined,
    keeps_image_check,
    literal,
    once,
    origin,
    part_of,
    project_name,
    publishes_any_port,
    references,
    service_labels,
    variable,
    volume_name,
)

#: Names for ``compose/project.yaml.j2``, also listed in docs/templates.md.
NAMES: Mapping[str, str] = {
    "project": "name of the project",
    "one_stream": "whether one file holds all servers, with nothing beside it",
    "servers": "the servers, each with the names of the next list; the other templates read one as `server`",
    "joined": "networks of other projects that they join",
    "shared_network": "the network that servers share",
    "variables": "what it takes from the environment, a text each",
    "needed": "files that somebody puts beside it, a text each",
    "configs": "its entries `configs`: `key`, and `content` or `file`",
    "secrets": "its entries `secrets`: `key` and `file`",
}
#: Names of one server.
SERVER_NAMES: Mapping[str, str] = {
    "metadata": "`metadata` of the spec's document",
    "spec": "`spec`, in the names of [spec.md](spec.md)",
    "resource_name": "name of its service; its parts are called so too, with `.proxy`, `.gateway` and so on behind it",
    "labels": "labels of the service; annotations and the description are among them",
    "part_labels": "labels of the parts, by `prepare`, `bundle`, `bridge`, `gateway`, `guard`, `proxy` and `network`",
    "image": "image of the container: the spec's, or the base image of its package",
    "state": "what becomes of the server's state behind its bridge; null without one",
    "command": "its entrypoint, as compose reads it: that of the bridge where there is one; an empty list for the "
    "image's own",
    "args": "its arguments, in the same way",
    "environment": "its variables by name, as compose reads them: `$$` is a `$`, `${NAME:?…}` a reference",
    "env_files": "files with variables of a whole Secret or ConfigMap: `path`, `optional`",
    "check": "the program that checks its health; empty where there is none",
    "unchecked": "whether a check is wanted and nothing is known of what the image holds",
    "image_check": "whether the image's own HEALTHCHECK stays in force where no other is rendered",
    "listens": "false for a server that speaks stdio without a bridge",
    "endpoint": "in words, what is reached where",
    "publishes": "whether the machine publishes its port",
    "published": "its port of the machine; null for a free one",
    "isolated": "whether its own network leads nowhere",
    "has_network": "whether it has a network of its own, with the gateway or the proxy on it",
    "has_gateway": "whether a second container forwards connections to it: its guard, or a plain one",
    "guard": "the Envoy of `spec.access`: `image`, `args`, `memory`, `configs` (as below), `copies_files`; or null",
    "busybox": "image of the gateway and of what prepares volumes",
    "not_enforced": "in words, the rules of egress that nothing enforces; or empty",
    "out_of_reach": "in words, what the server reaches through its proxy; empty without one",
    "proxy": "the egress proxy: `image`, `port`, `memory`, `allowed`; or null",
    "limits": "what it never exceeds: `cpus`, `memory`; null where nothing is said",
    "reservations": "what it reserves: `memory`",
    "tmpfs": "folders in memory: `path`, `size`, `mode`, `executable`",
    "shm_size": "size of its /dev/shm, or null",
    "volumes": "its volumes: `key`, `path`, `place` (in what prepares them), `note`, `writable`, `owned` (by its "
    "user), `read_only`, `external` (name of a volume of others, or null)",
    "binds": "paths of the machine: `source`, `target`, `read_only`",
    "joined": "networks of other projects that it joins, or its gateway and proxy where its own network leads nowhere",
    "host_aliases": "lines of its /etc/hosts: addresses by name",
    "build": "how compose builds the image, as compose has it; or null",
    "prepare": "what prepares its volumes: `command`, `owns`, `removes_bridge`; or null",
    "bundle": "what fetches the MCP bundle of its package: `command`, `environment`, `memory`, `cpus`, `configs` "
    "and `secrets` (files, as below), `copies_files`, `volume`, `path`; or null",
    "bridge": "the bridge that is copied in: `image`, `args`, `path`; or null",
    "copies_files": "whether compose copies files into the container, which then cannot be read-only",
    "configs": "files with content or from a ConfigMap: `key`, `path`",
    "secrets": "files from Secrets: `key`, `path`",
}


class Part(NamedTuple):
    """What one server adds to a project.

    ``values``: for the template. ``keys``: its names in each section. ``files``: texts by path. ``variables`` and
    ``needed`` (paths) must exist before it starts.
    """

    server: Server
    values: Mapping[str, Any]
    keys: Mapping[str, tuple[str, ...]]
    configs: Mapping[str, Mapping[str, JSON]]
    secrets: Mapping[str, Mapping[str, JSON]]
    files: Mapping[str, str]
    variables: tuple[Need, ...]
    needed: tuple[Need, ...]


def project_values(parts: Sequence[Part], *, one_stream: bool) -> dict[str, Any]:
    """Plain data only."""
    return {
        "project": project_name([part.server for part in parts], one_stream=one_stream),
        "one_stream": one_stream,
        "servers": [dict(part.values) for part in parts],
        "shared_network": NETWORK,
        "joined": sorted({name for part in parts for name in joined(part.server)}),
        "variables": _lines(need for part in parts for need in part.variables),
        "needed": _lines(need for part in parts for need in part.needed),
        # Two servers may mount one key of one Secret.
        "configs": list({key: source for part in parts for key, source in part.configs.items()}.values()),
        "secrets": list({key: source for part in parts for key, source in part.secrets.items()}.values()),
    }


def _lines(needs: Iterable[Need]) -> list[JSON]:
    return [f"- {need.name}: {need.meaning}{', optional' if need.optional else ''}" for need in once(list(needs))]


def part(server: Server, *, inline: bool) -> Part:
    """``inline`` embeds the text of files in the compose file."""
    started = launch(server)
    files = Files(server, inline)
    volumes = list(_volumes(server, started))
    values = _server_values(server, started, files, volumes)
    roles = [role for role in ("prepare", "bundle", "bridge") if values[role]]
    way_in = "guard" if server.guard else "gateway"
    roles += [role for role, is_there in ((way_in, has_gateway(server)), ("proxy", has_proxy(server))) if is_there]
    shared = [] if is_isolated(server) else [NETWORK]
    own = [part_of(server, "internal")] if has_network(server) else []
    keys = {
        "services": (server.resource_name, *(part_of(server, role) for role in roles)),
        "networks": tuple(dict.fromkeys((*shared, *own, *([NETWORK] if own else ())))),
        "volumes": tuple(str(volume["key"]) for volume in volumes),
        "configs": tuple(files.configs),
        "secrets": tuple(files.secrets),
    }
    variables = tuple(Need(variable(ref), origin(ref), ref.optional) for _, ref in references(server))
    whole = [
        Need(env_path(item), f"all keys of {item.kind} {item.name}, a line NAME=value each", item.optional)
        for item in server.env_from
    ]
    return Part(server, values, keys, files.configs, files.secrets, files.texts, variables, (*whole, *files.needed))


def _server_values(server: Server, launch: Launch, files: Files, volumes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    limits, requests, fetch = server.resources.limits, server.resources.requests, bundle_fetch(server)
    reached = {key: literal(value) for key, value in server.compose.labels.items()}
    return {
        **document_values(server),
        "resource_name": server.resource_name,
        "labels": service_labels(server),
        "part_labels": {
            name: object_labels(server, component) | (reached if name in ("gateway", "guard") else {})
            for name, component in (
                *((name, name) for name in ("prepare", "bundle", "bridge", "gateway", "guard", "network")),
                ("proxy", "egress-proxy"),
            )
        },
        "image": launch.image,
        "state": pins.BRIDGE_STATE.get(server.transport.bridge),
        "command": [expanded(word, server, words=True) for word in launch.command],
        "args": [expanded(word, server, words=True) for word in launch.args],
        "environment": _environment(server, (*launch.env, *proxy_variables(server)), server.env),
        "env_files": [{"path": env_path(item), "optional": item.optional} for item in server.env_from],
        "check": list(launch.check),
        "unchecked": launch.probe is not None and not launch.check,
        "image_check": server.health.enabled and keeps_image_check(server, launch),
        "listens": server.listens,
        "endpoint": _endpoint(server),
        "publishes": server.network.publish is not None,
        "published": None if publishes_any_port(server) else server.network.publish and server.network.publish.port,
        "isolated": is_isolated(server),
        "has_network": has_network(server),
        "has_gateway": has_gateway(server),
        "guard": {
            "image": server.images.of(pins.GUARD_IMAGE),
            "args": guard_arguments(),
            "memory": memory(pins.GUARD_MEMORY[1]),
            "configs": files.guard_mounts,
            "copies_files": files.guard_is_copied,
        }
        if server.guard
        else None,
        "busybox": server.images.of(pins.BUSYBOX),
        "not_enforced": not_enforced(server),
        "out_of_reach": out_of_reach(server),
        "proxy": proxy(server),
        "limits": {"cpus": limits.cpu and cpus(limits.cpu), "memory": limits.memory and memory(limits.memory)},
        "reservations": {"memory": requests.memory and memory(requests.memory)},  # only swarm reserves CPUs
        "tmpfs": [
            {
                "path": folder.path,
                "size": tmpfs_size(folder.size),
                # World-writable and sticky, as programs expect of temporary folders.
                "mode": "1777" if folder.path in ("/tmp", "/var/tmp") else "0700",  # noqa: S108
                "executable": folder.executable,
            }
            for folder in launch.writable
            if not _has_shm(folder) and (folder.path != pins.CACHE_FOLDER or _caches_in_memory(server))
        ],
        "shm_size": next((memory(folder.size) for folder in launch.writable if _has_shm(folder)), None),
        "volumes": volumes,
        "binds": [
            {"source": literal(s.host_path), "target": s.mount_path, "read_only": s.read_only}
            for s in server.storage
            if s.host_path
        ],
        "joined": joined(server),
        "host_aliases": dict(server.network.host_aliases),
        "build": _build(server.compose.build),
        "prepare": _prepare(server, launch, volumes),
        "bundle": fetch and _bundle(fetch, server, files),
        "bridge": launch.copy
        and {"image": launch.copy.image, "args": list(launch.copy.args), "path": launch.copy.mount_path},
        "copies_files": files.are_copied,
        "configs": files.config_mounts,
        "secrets": files.secret_mounts,
    }


def _environment(server: Server, defaults: Iterable[tuple[str, str]], own: Mapping[str, EnvValue]) -> dict[str, JSON]:
    """``defaults`` apply where ``own`` has no value."""
    values: dict[str, JSON] = {name: literal(value) for name, value in defaults if name not in own}
    for name, value in own.items():
        if not isinstance(value, FieldRef):
            values[name] = expanded(value, server) if isinstance(value, str) else expression(value)
    return values


def _bundle(fetch: Fetch, server: Server, files: Files) -> dict[str, Any]:
    configs = [mount for mount in files.config_mounts if mount["path"] in fetch.files]
    return {
        "command": literal(fetch.command),
        "environment": _environment(server, proxy_variables(server), fetch.env),
        "memory": memory(pins.BUNDLE_MEMORY[1]),
        "cpus": cpus(pins.BUNDLE_CPU[1]),
        "configs": configs,
        "secrets": [mount for mount in files.secret_mounts if mount["path"] in fetch.files],
        "copies_files": bool(configs) and files.are_copied,
        "volume": part_of(server, "package.bundle"),
        "path": pins.BUNDLE_FOLDER,
    }


def _build(build: Build | None) -> dict[str, Any] | None:
    args = {name: literal(value) for name, value in build.args.items()} if build else {}
    fields = (build.context, build.dockerfile, build.target) if build else ()
    named = {k: literal(v) for k, v in zip(("context", "dockerfile", "target"), fields, strict=False) if v}
    return {**named, **({"args": args} if args else {})} or None


def _endpoint(server: Server) -> str:
    protocol, publish, path = server.transport.served, server.network.publish, server.transport.path
    path += f" (messages: {server.transport.messages})" * bool(server.transport.messages)
    if publishes_any_port(server):
        return f"MCP over {protocol} at {path}, on a free port for each replica: see `docker compose ps`"
    if publish is None:
        url = f"http://{server.resource_name}:{server.transport.port}{path}"
        return f"MCP over {protocol}: {url} on {NETWORK}; the machine does not publish it"
    address = f"[{publish.address}]" if ":" in publish.address else publish.address
    return f"MCP over {protocol}: http://{address}:{publish.port}{path}"


# ---------------------------------------------------------------------------------------------
# Volumes: storage, what npx and uvx download, a copied bridge.


def _volumes(server: Server, launch: Launch) -> Iterator[dict[str, Any]]:
    """In the order in which they are mounted."""
    for storage in server.storage:
        if not storage.host_path:
            note = f"{storage.purpose}: a volume of others" if storage.existing_claim else storage.purpose
            own = {"read_only": storage.read_only, "external": volume_name(storage, server)}
            yield _volume(server, storage.name, storage.mount_path, note) | own
    for cache in launch.writable:
        if cache.path == pins.CACHE_FOLDER and not _caches_in_memory(server):
            yield _volume(server, "package.cache", cache.path, "packages that npx and uvx downloaded")
    if server.package and server.package.bundle:
        note = "the bundle of the package, unpacked"
        yield _volume(server, "package.bundle", pins.BUNDLE_FOLDER, note, writable=False) | {"owned": True}
    if launch.copy:
        note = "the bridge, copied out of its own image"
        yield _volume(server, "bridge.program", launch.copy.mount_path, note, writable=False)


def _volume(server: Server, name: str, path: str, note: str, *, writable: bool = True) -> dict[str, Any]:
    # Outside the folders of programs in the preparing image.
    place = f"/volumes/{name}"
    return {
        "key": part_of(server, name),
        "path": path,
        "place": place,
        "note": note,
        "writable": writable,
        "owned": writable,
        "read_only": not writable,
        "external": None,
    }


def _has_shm(folder: Writable) -> bool:
    """Whether it is /dev/shm, which the engine mounts itself, always noexec."""
    return folder.in_memory and not folder.executable


def _caches_in_memory(server: Server) -> bool:
    """npx does not survive concurrent downloads into one volume."""
    return server.replicas > 1


def _prepare(server: Server, launch: Launch, volumes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A container that changes the owner of new volumes, which is root, and removes an old bridge."""
    volumes = [volume for volume in volumes if not volume["external"]]  # what is of others keeps its owner
    if not volumes:
        return None
    owned = [volume["place"] for volume in volumes if volume["owned"]]
    program = launch.copy.args[-1].rpartition("/")[2] if launch.copy else ""
    old = [f"{volume['place']}/{program}" for volume in volumes if not volume["owned"]]
    change = [f"{server.security.run_as_user}:{server.security.fs_group}", *owned]
    if owned and old:
        # Paths are parameters, so they cannot change the script.
        command = ["sh", "-ec", literal('rm -f "$0"; chown "$@"'), *old, *change]
    else:
        command = ["chown", *change] if owned else ["rm", "-f", *old]
    return {"command": command, "owns": bool(owned), "removes_bridge": bool(old)}

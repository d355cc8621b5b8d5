"""From Servers to the plain data that the compose templates read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renderer.labels import object_labels
from renderer.launch import launch
from renderer.model import JSON, Server
from renderer.targets.compose.egress import proxy
from renderer.targets.compose.names import (
    NETWORK,
    STREAM_PROJECT,
    has_gateway,
    has_network,
    has_proxy,
    part_of,
    volume_labels,
)
from renderer.targets.compose.references import FileMounts, Need, env_path, origin, references, variable
from renderer.targets.compose.service import service
from renderer.targets.compose.sidecars import COMPLETED, bridge, gateway, prepare
from renderer.targets.compose.volumes import volumes


@dataclass(frozen=True, slots=True)
class Part:
    """What one server adds to a project.

    ``context`` is for the templates, ``keys`` the names in each section that are the server's, ``beside``
    the files next to the compose file. ``variables`` and ``needed`` (paths) must be there before it
    starts.
    """

    server: Server
    context: Mapping[str, Any]
    keys: Mapping[str, tuple[str, ...]]
    beside: Mapping[str, str]
    variables: tuple[Need, ...]
    needed: tuple[Need, ...]


def part(server: Server, *, inline: bool) -> Part:
    """One server's part; ``inline`` keeps the text of its files in the compose file itself."""
    started = launch(server)
    files = FileMounts(server, inline)
    owned = volumes(server, started)
    helpers = {"prepare": prepare(server, started, owned), "bridge": bridge(server, started)}
    first: dict[str, JSON] = {helper["key"]: COMPLETED for helper in helpers.values() if helper}
    if has_proxy(server):
        first[part_of(server, "proxy")] = {"condition": "service_started"}
    context: dict[str, Any] = {
        "service": {**service(server, started, files), "depends_on": first},
        **helpers,
        "gateway": gateway(server),
        "proxy": proxy(server),
        "networks": _networks(server),
        "volumes": [{"key": v.key, "note": v.note, "labels": volume_labels(server)} for v in owned],
        "configs": files.configs,
        "secrets": files.secrets,
    }
    return Part(server, context, _keys(context), files.beside, _variables(server), _needed(server, files))


def _networks(server: Server) -> list[dict[str, Any]]:
    if not has_network(server):
        return []
    way_out = "No way out of it but through the proxy" if has_proxy(server) else "No way out of it"
    way_in = "none in but through the gateway" if has_gateway(server) else "none in"
    note = f"{way_out}, and {way_in}. The machine itself stays reachable."
    return [{"key": part_of(server, "internal"), "note": note, "labels": object_labels(server, "network")}]


def _keys(context: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    services = [context[role] for role in ("service", "prepare", "bridge", "gateway", "proxy") if context[role]]
    networks = dict.fromkeys(name for one in services for name in one.get("networks", ()))
    return {
        "services": tuple(one["key"] for one in services),
        "networks": tuple(networks),
        "volumes": tuple(volume["key"] for volume in context["volumes"]),
        "configs": tuple(context["configs"]),
        "secrets": tuple(context["secrets"]),
    }


def _variables(server: Server) -> tuple[Need, ...]:
    return tuple(Need(variable(ref), origin(ref), ref.optional) for _, ref in references(server))


def _needed(server: Server, files: FileMounts) -> tuple[Need, ...]:
    whole = [
        Need(env_path(item), f"all keys of {item.kind} {item.name}, a line NAME=value each", item.optional)
        for item in server.env_from
    ]
    return (*whole, *files.needed)


def view(parts: Sequence[Part], *, one_stream: bool) -> dict[str, Any]:
    """Everything that the template of a project reads; plain data only."""
    return {
        "project": STREAM_PROJECT if one_stream else parts[0].server.resource_name,
        "one_stream": one_stream,
        "servers": [dict(one.context) for one in parts],
        "variables": _lines(need for one in parts for need in one.variables),
        "needed": _lines(need for one in parts for need in one.needed),
        "shared_network": NETWORK if any(NETWORK in one.keys["networks"] for one in parts) else "",
        "networks": [network for one in parts for network in one.context["networks"]],
        "volumes": [volume for one in parts for volume in one.context["volumes"]],
        "configs": {key: source for one in parts for key, source in one.context["configs"].items()},
        "secrets": {key: source for one in parts for key, source in one.context["secrets"].items()},
    }


def once(needs: Iterable[Need]) -> list[Need]:
    """Each name once, in the order of the servers; what one of them cannot do without is not optional."""
    found: dict[str, Need] = {}
    for need in needs:
        if need.name not in found or found[need.name].optional:
            found[need.name] = need
    return list(found.values())


def _lines(needs: Iterable[Need]) -> list[JSON]:
    return [f"- {need.name}: {need.meaning}{', optional' if need.optional else ''}" for need in once(needs)]

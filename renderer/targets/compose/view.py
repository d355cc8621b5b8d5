"""From Servers to the plain data that the compose templates read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renderer.launch import launch
from renderer.model import JSON, Server
from renderer.targets.compose.names import NETWORK, STREAM_PROJECT, has_gateway, labels, part_of, volume_labels
from renderer.targets.compose.references import FileMounts, env_path, origin, references, variable
from renderer.targets.compose.service import service
from renderer.targets.compose.sidecars import COMPLETED, bridge, gateway, prepare
from renderer.targets.compose.volumes import volumes

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What one server adds to a project.

    ``context`` is for the templates, ``keys`` the names in each section that are the server's, ``beside``
    the files next to the compose file. ``variables`` and ``needed`` (paths) must be there before it
    starts, each with its meaning.
    """

    server: Server
    context: Mapping[str, Any]
    keys: Mapping[str, tuple[str, ...]]
    beside: Mapping[str, str]
    variables: Facts
    needed: Facts


def part(server: Server, *, inline: bool) -> Part:
    """One server's part; ``inline`` keeps the text of its files in the compose file itself."""
    started = launch(server)
    files = FileMounts(server, inline)
    owned = volumes(server, started)
    context = {
        "service": service(server, started, files),
        "prepare": prepare(server, started, owned),
        "bridge": bridge(server, started),
        "gateway": gateway(server),
        "networks": _networks(server),
        "volumes": [{"key": v.key, "note": v.note, "labels": volume_labels(server)} for v in owned],
        "configs": files.configs,
        "secrets": files.secrets,
    }
    context["service"]["depends_on"] = {context[role]["key"]: COMPLETED for role in ("prepare", "bridge") if context[role]}
    return Part(server, context, _keys(context), files.beside, _variables(server), _needed(server, files))


def _networks(server: Server) -> list[dict[str, JSON]]:
    if not has_gateway(server):
        return []
    return [{"key": part_of(server, "internal"), "labels": {**labels(server, "network")}}]


def _keys(context: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    services = [context[role] for role in ("service", "prepare", "bridge", "gateway") if context[role]]
    networks = dict.fromkeys(name for one in services for name in one.get("networks", ()))
    return {
        "services": tuple(one["key"] for one in services),
        "networks": tuple(networks),
        "volumes": tuple(volume["key"] for volume in context["volumes"]),
        "configs": tuple(context["configs"]),
        "secrets": tuple(context["secrets"]),
    }


def _variables(server: Server) -> Facts:
    return tuple(
        (variable(ref), f"{origin(ref)}{', may stay empty' if ref.optional else ''}") for _, ref in references(server)
    )


def _needed(server: Server, files: FileMounts) -> Facts:
    user = server.security.run_as_user
    whole = [
        (env_path(item), f"all keys of {item.kind} {item.name} as NAME=value{', optional' if item.optional else ''}")
        for item in server.env_from
    ]
    return (*whole, *((path, f"{meaning}, readable by user {user}") for path, meaning in files.needed))


def view(parts: Sequence[Part], *, one_stream: bool) -> dict[str, Any]:
    """Everything that the template of a project reads; plain data only."""
    return {
        "project": STREAM_PROJECT if one_stream else parts[0].server.resource_name,
        "one_stream": one_stream,
        "servers": [dict(one.context) for one in parts],
        "variables": facts(one.variables for one in parts),
        "needed": facts(one.needed for one in parts),
        "shared_network": NETWORK if any(NETWORK in one.keys["networks"] for one in parts) else "",
        "networks": [network for one in parts for network in one.context["networks"]],
        "volumes": [volume for one in parts for volume in one.context["volumes"]],
        "configs": {key: source for one in parts for key, source in one.context["configs"].items()},
        "secrets": {key: source for one in parts for key, source in one.context["secrets"].items()},
    }


def facts(lists: Iterable[Facts]) -> list[dict[str, str]]:
    """Each name once, in the order of the servers."""
    meanings = dict(pair for one in lists for pair in one)
    return [{"name": name, "meaning": meaning} for name, meaning in meanings.items()]

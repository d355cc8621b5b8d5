"""Names in a project: services, labels, variables, files.

Parts of a server are named ``<resource name>.<part>``. Resource names and storage names have no '.', so parts of
different servers never clash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from renderer.labels import ADOPT_NOTE, DESCRIPTION_ANNOTATION, accepted, notes, object_labels
from renderer.launch import Launch
from renderer.model import ConfigMapRef, EnvFrom, FieldRef, SecretRef, Server, Storage
from renderer.variables import expanded_in, pieces

Ref = SecretRef | ConfigMapRef

#: The network that all servers share; whoever is on it can connect to them.
NETWORK = "mcpctl-network"
#: Name of the project in a stream, where one file holds all servers.
STREAM_PROJECT = "mcpctl"
#: Prefixes of variables that configure docker compose itself.
_NOT_OURS = ("COMPOSE_", "DOCKER_")


def literal(text: str | Sequence[str]) -> Any:
    """Escapes ``$`` in values; compose does not interpolate keys."""
    return text.replace("$", "$$") if isinstance(text, str) else [literal(item) for item in text]


def part_of(server: Server, role: str) -> str:
    return f"{server.resource_name}.{role}"


def project_name(servers: Sequence[Server], *, one_stream: bool) -> str:
    """An adopted project, if all servers adopt the same."""
    projects = {server.adopt and server.adopt.project for server in servers}
    adopted = projects.pop() if len(projects) == 1 else None
    return adopted or (STREAM_PROJECT if one_stream else servers[0].resource_name)


def volume_name(storage: Storage, server: Server) -> str | None:
    """An existing Docker volume; None if compose creates one."""
    return storage.existing_claim or (server.adopt.volumes.get(storage.name) if server.adopt else None)


def has_proxy(server: Server) -> bool:
    """Whether egress goes through a proxy that allows the listed hosts."""
    return server.network.egress is not None and bool(server.network.egress.hosts)


def is_isolated(server: Server) -> bool:
    """Whether its network has no way out but the proxy."""
    egress = server.network.egress
    return egress is not None and (egress.forbidden or has_proxy(server))


def has_gateway(server: Server) -> bool:
    """Whether clients connect to a second container: its guard, or a forwarder into its isolated network."""
    return server.listens and (is_isolated(server) or server.guard is not None)


def has_network(server: Server) -> bool:
    """Whether it has an internal network, shared with its gateway or proxy."""
    return has_gateway(server) or has_proxy(server)


def joined(server: Server) -> list[str]:
    """External networks, without those of mcpctl."""
    return [name for name in server.compose.networks if name != NETWORK and not name.endswith(".internal")]


def publishes_any_port(server: Server) -> bool:
    """Several containers cannot share a port: each gets a free one."""
    return server.listens and server.replicas > 1 and not has_gateway(server) and server.network.publish is not None


def keeps_image_check(server: Server, launch: Launch) -> bool:
    """Whether the image's HEALTHCHECK applies: command and port are unchanged."""
    if not server.listens or launch.command or launch.args:
        return False
    # Listening addresses such as 8000, :8000, 0.0.0.0:8000 or http://+:8000; no URLs of other servers.
    address = re.compile(rf"(\w+://)?([][0-9a-f:.*+]*:)?{server.transport.port}/?")
    return not any(
        address.fullmatch(value) if isinstance(value, str) else name.upper().endswith("PORT")
        for name, value in server.env.items()
    )


def service_labels(server: Server) -> dict[str, str]:
    """Annotations become labels, as compose has none."""
    text = {DESCRIPTION_ANNOTATION: server.description} if server.description else {}
    kept = object_labels(server)
    more = {**server.annotations, **text, **accepted(server), **notes(server)}
    more = {key: value for key, value in more.items() if key not in kept}
    more |= {ADOPT_NOTE: "true"} if server.adopt else {}
    own = {} if has_gateway(server) else server.compose.labels
    return {**kept, **{key: literal(value) for key, value in {**more, **own}.items()}}


# ---------------------------------------------------------------------------------------------
# What users fill: variables, and files of the project.


class Need(NamedTuple):
    """A variable or path that users fill."""

    name: str
    meaning: str
    optional: bool = False


def once(needs: Sequence[Need]) -> list[Need]:
    """Without duplicate names; required if any of them is."""
    first: dict[str, Need] = {}
    for need in needs:
        if need.name not in first or first[need.name].optional:
            first[need.name] = need
    return list(first.values())


def references(server: Server) -> Iterator[tuple[str, Ref]]:
    """Variables that refer to Secrets or ConfigMaps."""
    for name, value in server.env.items():
        if isinstance(value, SecretRef | ConfigMapRef):
            yield name, value


def owner(ref: Ref) -> str:
    return ref.secret if isinstance(ref, SecretRef) else ref.config_map


def origin(ref: Ref) -> str:
    """In words, without characters that compose interpolates."""
    part = f"key {ref.key}" if ref.key else "a folder with all keys"
    return f"{part} of {'secret' if isinstance(ref, SecretRef) else 'configMap'} {owner(ref)}"


def variable(ref: Ref) -> str:
    """``GITHUB_TOKEN_TOKEN`` for the key token of github-token."""
    name = re.sub("[^A-Z0-9]", "_", f"{owner(ref)}_{ref.key}".upper())
    return f"MCP_{name}" if name[0].isdigit() or name.startswith(_NOT_OURS) else name


def expression(ref: Ref) -> str:
    """Interpolation that fails at the start if a required variable is missing."""
    return f"${{{variable(ref)}:-}}" if ref.optional else f"${{{variable(ref)}:?{origin(ref)}}}"


def expanded(text: str, server: Server, *, words: bool = False, above: tuple[str, ...] = ()) -> str:
    """The text for compose, with references replaced by their values but for those ``above``, which are cycles."""
    parts = []
    for piece in pieces(text, expanded_in(server, words=words)):
        value = server.env.get(piece.name) if piece.name not in above else None
        if not piece.name:
            parts.append(literal(piece.text))
        elif value is None or isinstance(value, FieldRef):
            parts.append(literal(f"$({piece.name})"))
        elif isinstance(value, str):
            parts.append(expanded(value, server, above=(*above, piece.name)))
        else:
            parts.append(expression(value))
    return "".join(parts)


def env_path(item: EnvFrom) -> str:
    """Secrets and ConfigMaps may share a name."""
    return f"./env/{item.kind.lower()}s/{item.name}.env"

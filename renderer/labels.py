"""Labels and annotations that every target renders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from urllib import parse

from renderer.model import Server
from renderer.model.access import WELL_KNOWN
from renderer.namedtuples import NamedTuple

#: The server that an object belongs to, in every target.
SERVER_LABEL = "mcpctl.io/server"
#: The path of MCP, on Services; absent for the default path.
PATH_ANNOTATION = "mcpctl.io/path"
DEFAULT_PATH = "/mcp"
#: What the guard must answer, as JSON, on Services.
ACCESS_ANNOTATION = "mcpctl.io/access"
#: The description of the server.
DESCRIPTION_ANNOTATION = "mcpctl.io/description"
#: On adopted objects, as an annotation or label: they may belong to nobody or to other manifests.
ADOPT_NOTE = "mcpctl.io/adopt"
#: Suffixes of compose volumes that a start fills again: packages, bundles, bridges. They hold no data.
#: No resource name and no storage has a '.' in its name.
REMADE_VOLUMES = (".package.bundle", ".package.cache", ".bridge.program")


class GuardNote(NamedTuple):
    """The public URL, the scopes of a 401, and issuers with the audiences of their tokens."""

    resource: str
    scope: str
    issuers: Mapping[str, tuple[str, ...]]

    @property
    def metadata(self) -> str:
        """The URL of the protected resource metadata (RFC 9728): the path follows the well-known one."""
        path = parse.urlsplit(self.resource).path
        return f"{self.resource.removesuffix(path) if path else self.resource}{WELL_KNOWN}{path}"


def object_labels(server: Server, component: str = "mcp-server") -> dict[str, str]:
    """Our labels, which select and list, then those of the spec."""
    return {
        "app.kubernetes.io/name": server.resource_name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "mcpctl",
        "app.kubernetes.io/part-of": "mcp",
        "mcpctl.io/managed": "true",
        SERVER_LABEL: server.name,
        **server.labels,
    }


def notes(server: Server) -> dict[str, str]:
    """For later commands: the path of MCP and what the guard must answer."""
    if not server.listens:
        return {}
    path = {PATH_ANNOTATION: server.transport.path} if server.transport.path != DEFAULT_PATH else {}
    access = server.guard
    if access is None or not (access.issuers and access.url):
        return path
    issuers = {issuer.url: issuer.audiences or (access.url,) for issuer in access.issuers}
    note = GuardNote(access.url, " ".join(access.require.scopes), issuers)
    return {**path, ACCESS_ANNOTATION: json.dumps(note._asdict())}


def guard_note(annotations: Mapping[str, str]) -> GuardNote | None:
    """Reads back what ``notes`` wrote; None if it is missing or malformed."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        data = json.loads(annotations[ACCESS_ANNOTATION])
        issuers = {str(url): tuple(map(str, audiences)) for url, audiences in data["issuers"].items()}
        return GuardNote(str(data["resource"]), str(data["scope"]), issuers)
    return None


def accepted(server: Server) -> dict[str, str]:
    """For reviewers: each accepted rule with reason and date."""
    if not server.accepted:
        return {}
    places = [", ".join(filter(None, (each.path, each.digest and f"digest {each.digest}"))) for each in server.accepted]
    pairs = [(each, f" ({place})" if place else "") for each, place in zip(server.accepted, places, strict=True)]
    return {"mcpctl.io/accepted": "; ".join(f"{each.rule}{where}: {each.explanation}" for each, where in pairs)}

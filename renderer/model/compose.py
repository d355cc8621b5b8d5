"""What a spec says for compose alone."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.digests import sha256
from renderer.namedtuples import NamedTuple

#: Ports of the machine of which each server gets one by its name: below those that Linux, macOS and Windows hand out
#: for connections, and below the NodePorts of Kubernetes.
PUBLISHED_PORTS = range(20000, 30000)


class Publish(NamedTuple):
    address: str
    port: int


def own_port(name: str) -> int:
    """The same for a name on every machine and in every run, whatever other servers there are."""
    digest = sha256(name.encode()).digest()
    return PUBLISHED_PORTS[int.from_bytes(digest[:8]) % len(PUBLISHED_PORTS)]


class Build(NamedTuple):
    """How compose builds the image; None where Docker decides."""

    context: str
    dockerfile: str | None
    target: str | None
    args: Mapping[str, str]


class Compose(NamedTuple):
    """What only compose has. ``networks`` are those of other projects."""

    build: Build | None
    labels: Mapping[str, str]
    networks: tuple[str, ...]

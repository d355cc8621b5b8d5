"""How a server is checked."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.namedtuples import NamedTuple


class HealthCheck(NamedTuple):
    """How a probe asks: by ``path``, ``command``, ``grpc`` (the name of a service) or ``tcp``, of which one is set."""

    path: str | None
    port: int | None
    headers: Mapping[str, str]
    https: bool
    command: tuple[str, ...]
    grpc: str | None
    tcp: bool

    @property
    def ways(self) -> tuple[str, ...]:
        """The fields that say how."""
        names = {"path": self.path, "command": self.command, "grpc": self.grpc is not None, "tcp": self.tcp}
        return tuple(name for name, value in names.items() if value)


class Health(NamedTuple):
    """``check`` is for readiness; ``liveness`` None: a failure restarts nothing."""

    enabled: bool
    check: HealthCheck
    mcp: bool
    liveness: HealthCheck | None
    period: int
    timeout: int
    failure_threshold: int
    startup: int

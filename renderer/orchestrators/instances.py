"""Instances and changes as JSON, and as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from renderer.errors import excerpt
from renderer.model import JSON
from renderer.orchestrators.contract import Applied, Change, Handshake, InstanceState, InstanceStatus

COLUMNS = ("SERVER", "WHERE", "STATE", "READY", "RESTARTS", "AGE", "IMAGE", "ENDPOINT", "DETAILS")
#: Characters of one cell: an image with its digest fits. The last one has a cause, which stands at its end.
_WIDEST, _DETAILS = 160, 1000


def row(status: InstanceStatus, now: float) -> tuple[str, ...]:
    """The cells of ``COLUMNS``, safe for a terminal. ``now`` is in seconds since 1970."""
    cells = (
        status.server,
        status.where,
        status.state.value,
        f"{status.ready}/{status.desired}",
        str(status.restarts),
        age(status, now),
        status.image,
        status.endpoint,
    )
    details = excerpt(status.reason or _answered(status.handshake), _DETAILS)
    return (*(excerpt(cell, _WIDEST) or "-" for cell in cells), details or "-")


def age(status: InstanceStatus, now: float) -> str:
    """Of the oldest replica: ``45s``, ``12m``, ``5h``, ``3d``; empty where unknown."""
    starts = []
    for replica in status.replicas:
        with suppress(ValueError, OverflowError):
            starts.append(datetime.fromisoformat(replica.started).timestamp())
    if not starts or now < min(starts):
        return ""
    passed = int(now - min(starts))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if passed >= 2 * size:
            return f"{passed // size}{unit}"
    return f"{passed}s"


def _answered(handshake: Handshake | None) -> str:
    if handshake is None:
        return ""
    tools = f"{handshake.tools}{'+' * handshake.more} tool{'' if handshake.tools == 1 else 's'}"
    name = f"{handshake.server_name} {handshake.server_version}".strip() or "a server without a name"
    return f"{name}, MCP {' and '.join(handshake.versions)}, {tools}"


def answered(status: InstanceStatus) -> str:
    """Its name, versions and tools; empty where it was not asked."""
    return excerpt(_answered(status.handshake), _WIDEST)


def as_columns(rows: Sequence[Sequence[str]], widths: Sequence[int] = ()) -> tuple[list[str], list[int]]:
    """Lines and column widths; ``widths`` are those of an earlier page, so that pages line up."""
    at_least = widths or [0] * len(COLUMNS)
    new = [max(least, *(len(cells[i]) for cells in rows)) for i, least in enumerate(at_least)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, new, strict=True)).rstrip() for cells in rows]
    return lines, new


def as_data(status: InstanceStatus) -> dict[str, JSON]:
    shake = status.handshake
    return {
        "id": status.id,
        "server": status.server,
        "where": status.where,
        "state": status.state.value,
        "ready": status.state is InstanceState.READY,
        "replicas": {"desired": status.desired, "ready": status.ready},
        "restarts": status.restarts,
        "image": status.image,
        "endpoint": status.endpoint,
        "guarded": status.guard is not None,
        "reason": status.reason,
        "instances": [{**replica._asdict(), "state": replica.state.value} for replica in status.replicas],
        "mcp": shake
        and {
            "name": shake.server_name,
            "version": shake.server_version,
            "protocolVersion": shake.versions[-1],
            "protocolVersions": list(shake.versions),
            "tools": shake.tools,
        },
    }


def changes_as_data(applied: Applied) -> list[JSON]:
    return [
        {"what": change.subject, "outcome": change.outcome, "message": change.message} for change in applied.changes
    ]


def change_line(change: Change) -> str:
    message = f": {excerpt(change.message, 1000)}" if change.message else ""
    return f"{excerpt(change.subject, 400)}: {change.outcome}{message}"


def failure_text(applied: Applied) -> str:
    """Why objects failed, and which were applied."""
    reasons = [f"{change.subject}: {change.message}" for change in applied.changes if change.outcome == "failed"]
    stands = [change.subject for change in applied.changes if change.outcome in ("created", "changed", "unchanged")]
    more = [f"and {len(reasons) - 5} more failed"] if len(reasons) > 5 else []
    text = excerpt("; ".join([*reasons[:5], *more]), 2000)
    names = f"{', '.join(stands[:10])}{', …' * (len(stands) > 10)}"
    kept = f"applied: {names}" if stands else "nothing else was applied"
    return f"{text}; {excerpt(kept, 600)}"


def tally(applied: Applied) -> str:
    """``3 created, 1 unchanged``."""
    outcomes = ("created", "changed", "unchanged", "removed", "failed", "not tried")
    counted = [(sum(change.outcome == outcome for change in applied.changes), outcome) for outcome in outcomes]
    return ", ".join(f"{number} {outcome}" for number, outcome in counted if number) or "nothing to do"

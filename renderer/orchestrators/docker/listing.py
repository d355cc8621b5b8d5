"""Instances page by page: all are named by one cheap question, and only those of the page are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

from renderer.labels import SERVER_LABEL
from renderer.orchestrators.contract import InstanceFilters, InstancePage, InstanceState, InstanceStatus
from renderer.orchestrators.docker.client import Client
from renderer.orchestrators.docker.containers import NAME_LABEL, PROJECT_LABEL, Container, inspected, ours
from renderer.orchestrators.docker.status import reason_of, status_of

#: Instances that are looked at in one call while those of some state are searched.
_AT_ONCE = 50
_LABEL = '{{{{.Label "{0}"}}}}'
_FORM = "\t".join(["{{.ID}}", *(_LABEL.format(name) for name in (PROJECT_LABEL, NAME_LABEL, SERVER_LABEL))])
_LINE = re.compile(r"([0-9a-f]{12,64})\t([\w.-]+)\t([\w.-]+)\t([\w.-]*)")
_DOING = "listing instances"

#: Project and instance.
_Key = tuple[str, str]


def page_of(client: Client, filters: InstanceFilters, page: str, size: int) -> InstancePage:
    """At most ``size``, by project and instance; ``page`` is the last of the page before."""
    known = _named(client, filters)
    after = tuple(page.split("/", 1)) if page else ("", "")
    keys = [key for key in sorted(known) if key > after]
    found = []
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        for key, status in _statuses(client, known, some):
            if status.state not in (filters.states or InstanceState):
                continue
            found.append(status)
            if len(found) == size:
                return InstancePage(tuple(found), "/".join(key) if key != keys[-1] else "")
    return InstancePage(tuple(found))


def _named(client: Client, filters: InstanceFilters) -> dict[_Key, list[str]]:
    asked = [f"--filter=label={key}={value}" for key, value in {**ours(), **filters.labels}.items()]
    out = client.docker(_DOING, "ps", "--all", "--no-trunc", *asked, f"--format={_FORM}")
    known: dict[_Key, list[str]] = {}
    # What does not look like ours was labelled by somebody else.
    for found in filter(None, map(_LINE.fullmatch, out.split("\n"))):
        container, project, instance, server = found.groups()
        if not filters.servers or server in filters.servers:
            known.setdefault((project, instance), []).append(container)
    return known


def _statuses(client: Client, known: dict[_Key, list[str]], keys: list[_Key]) -> Iterator[tuple[_Key, InstanceStatus]]:
    by_key: dict[_Key, list[Container]] = {}
    for one in inspected(client, [container for key in keys for container in known[key]], _DOING):
        by_key.setdefault((one.project, one.labels.get(NAME_LABEL, "")), []).append(one)
    for key in keys:
        if some := by_key.get(key):
            reasons = {one.id: reason_of(one) for one in some}
            yield key, status_of(some, reasons, client.config.host or "").status

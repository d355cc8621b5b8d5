"""A kubectl that only passes on what the cluster answers, without a process, which takes a tenth of a second of CPU."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from renderer import command
from renderer.command import Done
from renderer.orchestrators.kubernetes.client import Kubectl
from tests.cluster.cluster import Cluster
from tests.cluster.kinds import Json, Kind
from tests.cluster.requests import Request

_VERSION = ("version", "--client", "--output=json")
_VIEW = ("config", "view", "--minify", "--output=json")
#: Options of a list, and what they are in a query.
_QUERY = {"--selector": "labelSelector", "--field-selector": "fieldSelector"}
_OTHERS = {"--ignore-not-found", "--all-namespaces", "--show-managed-fields", "--output=json"}


class _Unknown(Exception):
    """Left to the real kubectl."""


class _Missing(Exception):
    """There is no such object."""


def run(argv: Sequence[str], *, stdin: bytes = b"", **options: Any) -> Done:
    """Takes the place of ``command.run`` where kubectl asks a cluster of the tests for objects and all goes well.

    Everything else is the real kubectl's: changes, other refusals than that an object is missing, faults. test_quick.py
    compares the two.
    """
    start = next((i for i, argument in enumerate(argv[1:], 1) if not argument.startswith("--")), 1)
    where = dict(argument.partition("=")[::2] for argument in argv[1:start])
    arguments = tuple(argv[start:])
    if argv[0] != "kubectl" or options.get("env") or not shutil.which("kubectl"):
        return command.run(argv, stdin=stdin, **options)
    if arguments == _VERSION:
        return _version()
    cluster = _cluster(where)
    asked = len(cluster.requests) if cluster else 0
    try:
        return _answered(cluster, where, arguments, stdin)
    except _Missing as missing:
        return Done(1, "", f"Error from server (NotFound): {missing}\n")
    except _Unknown:
        if cluster:
            del cluster.requests[asked:]
        return command.run(argv, stdin=stdin, **options)


def take_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every Kubectl that is made without another ``run``."""
    defaults = Kubectl.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "run", run)


@cache
def _version() -> Done:
    return command.run(["kubectl", *_VERSION], seconds=60)


def _cluster(where: Mapping[str, str]) -> Cluster | None:
    """The one that runs at the address in the kubeconfig, if nothing is wrong with it."""
    try:
        address = json.loads(_kubeconfig(where).read_text())["clusters"][0]["cluster"]["server"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    cluster = Cluster.running.get(int(address.rpartition(":")[2]))
    return cluster if where.get("--context", "test") == "test" else None


def _kubeconfig(where: Mapping[str, str]) -> Path:
    return Path(where.get("--kubeconfig") or os.environ.get("KUBECONFIG", ""))


def _answered(cluster: Cluster | None, where: Mapping[str, str], arguments: tuple[str, ...], stdin: bytes) -> Done:
    if cluster and arguments == _VIEW:
        return _printed({**json.loads(_kubeconfig(where).read_text()), "preferences": {}})
    if cluster is None or cluster.faults.active:
        raise _Unknown
    match arguments:
        case ["api-resources" | "api-versions", *_]:
            return _recorded(cluster, where, arguments)
        case ["get", raw] if raw.startswith("--raw="):
            return _printed(_asked(cluster, "GET", raw.removeprefix("--raw=")))
        case ["delete", raw, "--filename=-"] if raw.startswith("--raw="):
            return _printed(_asked(cluster, "DELETE", raw.removeprefix("--raw="), stdin))
        case ["get", "--ignore-not-found", "--output=json", "--filename=-"]:
            return _of_each(cluster, where.get("--namespace", ""), json.loads(stdin)["items"])
        case ["get", resources, *options] if "--output=json" in options:
            return _got(cluster, where.get("--namespace", ""), resources, options)
    raise _Unknown


#: What the real kubectl printed of a cluster with the same kinds.
_RECORDED: dict[tuple[tuple[str, ...], frozenset[Kind]], Done] = {}


def _recorded(cluster: Cluster, where: Mapping[str, str], arguments: tuple[str, ...]) -> Done:
    key = (arguments, frozenset(cluster.kinds))
    if key not in _RECORDED:
        options = [f"{name}={value}" for name, value in where.items()]
        _RECORDED[key] = command.run(["kubectl", *options, *arguments], seconds=60)
    return _RECORDED[key]


def _asked(cluster: Cluster, method: str, target: str, body: bytes = b"") -> Json:
    request = Request(method, target, {"user-agent": "kubectl/quick"}, body)
    cluster.requests.append(request)
    answer = cluster.answer(request)
    data: Json = json.loads(answer.body) if isinstance(answer.body, bytes) else {}
    if answer.status == 404 and data.get("details", {}).get("name"):
        raise _Missing(data["message"])
    if answer.status >= 300 or not data:
        raise _Unknown
    return data


def _object(cluster: Cluster, kind: Kind, name: str, namespace: str) -> Json | None:
    """None where it is missing; kubectl then asks whether its namespace is there."""
    try:
        return _asked(cluster, "GET", f"{_path(kind, namespace)}/{name}")
    except _Missing:
        if kind.namespaced:
            _object(cluster, _kind(cluster, "namespaces"), namespace, "")
        return None


def _of_each(cluster: Cluster, namespace: str, items: list[Json]) -> Done:
    objects = []
    for item in items:
        group = item["apiVersion"].rpartition("/")[0]
        kinds = [kind for kind in cluster.kinds if (kind.group, kind.kind) == (group, item["kind"])]
        if len(kinds) != 1:
            raise _Unknown
        meta = item["metadata"]
        objects.append(_object(cluster, kinds[0], meta["name"], meta.get("namespace") or namespace))
    return _list([data for data in objects if data], ["--ignore-not-found"])


def _got(cluster: Cluster, namespace: str, resources: str, options: list[str]) -> Done:
    query = "".join(f"&{_QUERY[name]}={quote(value)}" for name, value in _selectors(options))
    if "/" in resources:
        kind, _, name = resources.partition("/")
        stored = _object(cluster, _kind(cluster, kind), name, namespace)
        if stored is None and "--ignore-not-found" not in options:
            raise _Unknown
        return _printed(_stripped(stored, options)) if stored else Done(0, "", "")
    home = "" if "--all-namespaces" in options else namespace
    kinds = [_kind(cluster, resource) for resource in resources.split(",")]
    lists = [_asked(cluster, "GET", f"{_path(kind, home)}?limit=500{query}") for kind in kinds]
    if any(each["metadata"].get("continue") for each in lists):
        raise _Unknown
    return _list([item for each in lists for item in each["items"]], options)


def _list(items: list[Json], options: list[str]) -> Done:
    if not items and "--ignore-not-found" in options:
        return Done(0, "", "")
    items = [_stripped(item, options) for item in items]
    return _printed({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})


def _stripped(data: Json, options: list[str]) -> Json:
    if "--show-managed-fields" not in options:
        data["metadata"].pop("managedFields", None)
    return data


def _selectors(options: list[str]) -> Iterator[tuple[str, str]]:
    for option in options:
        name, _, value = option.partition("=")
        if name in _QUERY:
            yield name, value
        elif option not in _OTHERS:
            raise _Unknown


def _kind(cluster: Cluster, resource: str) -> Kind:
    kinds = [kind for kind in cluster.kinds if resource in (kind.plural, kind.resource)]
    if len(kinds) != 1 or "list" not in kinds[0].verbs:
        raise _Unknown
    return kinds[0]


def _path(kind: Kind, namespace: str) -> str:
    home = f"/namespaces/{namespace}" if kind.namespaced and namespace else ""
    return f"{kind.root}{home}/{kind.plural}"


def _printed(data: Json) -> Done:
    out = json.dumps(data)
    return Done(0, out, "", out.encode())

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
from tests.cluster.requests import APPLY, Request

_VERSION = ("version", "--client", "--output=json")
_VIEW = ("config", "view", "--minify", "--output=json")
#: Options of a list, and what they are in a query.
_QUERY = {"--selector": "labelSelector", "--field-selector": "fieldSelector"}
_ALLOWED = '--output=jsonpath={.status.allowed}{"\\n"}'
_OUTPUTS = ("--output=name", "--output=json")
_OTHERS = {"--ignore-not-found", "--all-namespaces", "--show-managed-fields", "--output=json"}


class _Unknown(Exception):
    """Left to the real kubectl."""


class _Missing(Exception):
    """There is no such object."""


def run(argv: Sequence[str], *, stdin: bytes = b"", **options: Any) -> Done:
    """Takes the place of ``command.run`` where kubectl asks a cluster of the tests, or applies, and all goes well.

    Everything else is the real kubectl's: other changes, other refusals than that an object is missing, faults.
    test_quick.py compares the two.
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
        case ["api-resources" | "api-versions", *_] | ["version", "--output=json"]:
            return _recorded(cluster, where, arguments)
        case ["get", raw] if raw.startswith("--raw="):
            return _printed(_asked(cluster, "GET", raw.removeprefix("--raw=")))
        case ["get", "--ignore-not-found", "--output=json", "--filename=-"]:
            return _of_each(cluster, where.get("--namespace", ""), json.loads(stdin)["items"])
        case ["get", resources, *options] if "--output=json" in options:
            return _got(cluster, where.get("--namespace", ""), resources, options)
    return _sent(cluster, where.get("--namespace", ""), arguments, stdin)


def _sent(cluster: Cluster, namespace: str, arguments: tuple[str, ...], stdin: bytes) -> Done:
    match arguments:
        case ["delete", raw, "--filename=-"] if raw.startswith("--raw="):
            return _printed(_asked(cluster, "DELETE", raw.removeprefix("--raw="), stdin))
        case ["create", "--validate=false", "--filename=-", output] if output == _ALLOWED:
            return _reviewed(cluster, json.loads(stdin)["items"])
        case ["apply", "--server-side", "--field-manager=mcpctl", output, *options, "--filename=-"] if (
            output in _OUTPUTS
        ):
            return _applied(cluster, namespace, json.loads(stdin), output, options)
    raise _Unknown


#: What the real kubectl printed of a cluster of the same version with the same kinds.
_RECORDED: dict[tuple[tuple[str, ...], str, frozenset[Kind]], Done] = {}


def _recorded(cluster: Cluster, where: Mapping[str, str], arguments: tuple[str, ...]) -> Done:
    key = (arguments, cluster.version, frozenset(cluster.kinds))
    if key not in _RECORDED:
        options = [f"{name}={value}" for name, value in where.items()]
        _RECORDED[key] = command.run(["kubectl", *options, *arguments], seconds=60)
    return _RECORDED[key]


def _asked(cluster: Cluster, method: str, target: str, body: bytes = b"", media_type: str = "") -> Json:
    request = Request(method, target, {"user-agent": "kubectl/quick", "content-type": media_type}, body)
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
        meta = item["metadata"]
        objects.append(_object(cluster, _kind_of(cluster, item), meta["name"], meta.get("namespace") or namespace))
    return _list([data for data in objects if data], ["--ignore-not-found"])


def _reviewed(cluster: Cluster, reviews: list[Json]) -> Done:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews?fieldManager=kubectl-create&fieldValidation=Ignore"
    answers = [_asked(cluster, "POST", path, json.dumps(review).encode(), "application/json") for review in reviews]
    return Done(0, "".join(f"{json.dumps(answer['status']['allowed'])}\n" for answer in answers), "")


def _applied(cluster: Cluster, namespace: str, document: Json, output: str, options: list[str]) -> Done:
    """First a dry run of all, as after a refusal kubectl goes on with the others."""
    if not {*options} <= {"--force-conflicts", "--dry-run=server"}:
        raise _Unknown
    items = document["items"] if document["kind"] == "List" else [document]
    kinds = [_kind_of(cluster, item) for item in items]
    force = "true" if "--force-conflicts" in options else "false"
    asked = len(cluster.requests)
    for dry in ("&dryRun=All", "" if "--dry-run=server" not in options else "&dryRun=All"):
        del cluster.requests[asked:]
        query = f"fieldManager=mcpctl&fieldValidation=Strict&force={force}{dry}"
        made = [_patched(cluster, kind, item, namespace, query) for kind, item in zip(kinds, items, strict=True)]
    if output == "--output=name":
        names = [f"{kind.kind.lower()}{kind.group and '.'}{kind.group}" for kind in kinds]
        return Done(
            0, "".join(f"{name}/{each['metadata']['name']}\n" for name, each in zip(names, made, strict=True)), ""
        )
    made = [_stripped(each, []) for each in made]
    return _printed({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": made} if len(made) > 1 else made[0])


def _patched(cluster: Cluster, kind: Kind, item: Json, namespace: str, query: str) -> Json:
    home = item["metadata"].get("namespace") or namespace
    if item["apiVersion"] != kind.api_version or (kind.namespaced and home != namespace):
        raise _Unknown
    try:
        path = f"{_path(kind, home)}/{item['metadata']['name']}?{query}"
        made = _asked(cluster, "PATCH", path, json.dumps(item).encode(), APPLY)
    except _Missing:
        raise _Unknown from None
    # What it has applied itself, without --server-side, it takes over with more requests.
    if any(each["manager"].startswith("kubectl") for each in made["metadata"]["managedFields"]):
        raise _Unknown
    return made


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


def _kind_of(cluster: Cluster, item: Json) -> Kind:
    group = item["apiVersion"].rpartition("/")[0]
    kinds = [kind for kind in cluster.kinds if (kind.group, kind.kind) == (group, item["kind"])]
    if len(kinds) != 1:
        raise _Unknown
    return kinds[0]


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

"""A kubectl that only passes on what the cluster answers, without a process, which takes a tenth of a second of CPU."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from renderer import command
from renderer.command import Background, Done
from renderer.doctor import kubernetes
from renderer.orchestrators.kubernetes.client import Kubectl
from tests.cluster.cluster import Cluster
from tests.cluster.kinds import Json, Kind
from tests.cluster.requests import APPLY, MERGE, Answer, Request

#: Templates that print the names of keys.
_KEYS = frozenset(kubernetes._KEYS.values())
_VERSION = ("version", "--client", "--output=json")
_VIEW = ("config", "view", "--minify", "--output=json")
#: Options of a list, and what they are in a query.
_QUERY = {"--selector": "labelSelector", "--field-selector": "fieldSelector"}
_ALLOWED = '--output=jsonpath={.status.allowed}{"\\n"}'
_OUTPUTS = ("--output=name", "--output=json")
_OTHERS = {"--ignore-not-found", "--all-namespaces", "--show-managed-fields", "--chunk-size=500", *_OUTPUTS}
_OF_LOGS = {"--container": "container", "--tail": "tailLines", "--limit-bytes": "limitBytes", "--previous": "previous"}


class _Unknown(Exception):
    """Left to the real kubectl."""


class _Refused(Exception):
    """What kubectl prints where there is no such object, or no right to read it."""


class _Missing(_Refused):
    """There is no such object."""


class _Forbidden(_Refused):
    """Whoever asks may not."""


class _Forwarding(Background):
    """A port-forward to a backend of the tests: the port is its own, as both are on the loopback."""

    def __init__(self, port: int, forwarded: int) -> None:
        self.over = False
        self._lines = [f"Forwarding from 127.0.0.1:{port} -> {forwarded}"]

    def lines(self, seconds: float = 0.0) -> list[str]:
        lines, self._lines = self._lines, []
        return lines

    def end(self) -> Done:
        return Done(0, "", "")


def run(argv: Sequence[str], *, stdin: bytes = b"", **options: Any) -> Done:
    """Takes the place of ``command.run`` where kubectl asks a cluster of the tests, or applies, and all goes well.

    Everything else is the real kubectl's: other changes, faults, and refusals but that an object or the right to read
    it is missing.
    test_quick.py compares the two.
    """
    where, arguments = _parts(argv)
    if argv[0] != "kubectl" or options.get("env") or not shutil.which("kubectl"):
        return command.run(argv, stdin=stdin, **options)
    if arguments == _VERSION:
        return _version()
    cluster = _cluster(where)
    asked = len(cluster.requests) if cluster else 0
    try:
        return _answered(cluster, where, arguments, stdin)
    except _Refused as refused:
        return Done(1, "", _error(refused))
    except _Unknown:
        if cluster:
            del cluster.requests[asked:]
        return command.run(argv, stdin=stdin, **options)


@contextmanager
def start(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Iterator[Background]:
    """Takes the place of ``command.background`` where a port is forwarded, and all goes well."""
    where, arguments = _parts(argv)
    forwarding = None if env else _forwarding(where, arguments)
    if forwarding:
        yield forwarding
    else:
        with command.background(argv, env=env) as running:
            yield running


def take_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every Kubectl that is made without another ``run`` or ``start``."""
    defaults = Kubectl.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "run", run)
    monkeypatch.setitem(defaults, "start", start)


def _error(refused: _Refused) -> str:
    reason = "NotFound" if isinstance(refused, _Missing) else "Forbidden"
    return f"Error from server ({reason}): {refused}\n"


def _parts(argv: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Where kubectl is to ask, and the command with what follows."""
    first = next((i for i, argument in enumerate(argv[1:], 1) if not argument.startswith("--")), 1)
    home = [argument for argument in argv[first:] if argument.startswith("--namespace=")]
    where = dict(argument.partition("=")[::2] for argument in (*argv[1:first], *home))
    return where, tuple(argument for argument in argv[first:] if argument not in home)


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
    if cluster is None or cluster.faults.elsewhere:
        raise _Unknown
    match arguments:
        case ["api-resources" | "api-versions" | "version", *_]:
            return _discovered(cluster, where, arguments)
        case ["get", raw] if raw.startswith("--raw="):
            return _printed(_asked(cluster, "GET", raw.removeprefix("--raw=")))
        case ["get", "--ignore-not-found", "--output=json", "--filename=-"]:
            return _of_each(cluster, where.get("--namespace", ""), json.loads(stdin)["items"])
        case ["get", resources, *options] if not {*_OUTPUTS, *_KEYS}.isdisjoint(options):
            return _got(cluster, where.get("--namespace", ""), resources, options)
        case ["logs", pod, *options]:
            return _logs(cluster, where.get("--namespace", ""), pod, options)
    return _sent(cluster, where.get("--namespace", ""), arguments, stdin)


def _sent(cluster: Cluster, namespace: str, arguments: tuple[str, ...], stdin: bytes) -> Done:
    match arguments:
        case ["delete", raw, "--filename=-"] if raw.startswith("--raw="):
            return _printed(_asked(cluster, "DELETE", raw.removeprefix("--raw="), stdin))
        case ["create", "--validate=false", "--filename=-", output] if output == _ALLOWED:
            return _reviewed(cluster, json.loads(stdin)["items"])
        case ["create", "--field-manager=mcpctl", "--output=name", *options, "--filename=-"]:
            return _created(cluster, namespace, json.loads(stdin), options)
        case ["patch", name, "--type=merge", manager, patch, "--output=name"] if manager.startswith("--field-manager="):
            body = stdin if patch == "--patch-file=/dev/stdin" else patch.removeprefix("--patch=").encode()
            return _merged(cluster, namespace, name, manager.partition("=")[2], body)
        case ["apply", "--server-side", "--field-manager=mcpctl", output, *options, "--filename=-"] if (
            output in _OUTPUTS
        ):
            return _applied(cluster, namespace, json.loads(stdin), output, options)
    raise _Unknown


#: What the real kubectl printed for each version of a cluster.
_RECORDED: dict[str, Done] = {}


def _discovered(cluster: Cluster, where: Mapping[str, str], arguments: tuple[str, ...]) -> Done:
    match arguments:
        case ["version", "--output=json"]:
            if cluster.version not in _RECORDED:
                options = [f"{name}={value}" for name, value in where.items()]
                _RECORDED[cluster.version] = command.run(["kubectl", *options, *arguments], seconds=60)
            return _RECORDED[cluster.version]
        case ["api-versions"]:
            return _lines(sorted({kind.api_version for kind in cluster.kinds}))
        case ["api-resources", *options, "--output=name"] if all(each.startswith("--verbs=") for each in options):
            verbs = {verb for option in options for verb in option.removeprefix("--verbs=").split(",")}
            kinds = {(kind.group, kind.resource) for kind in cluster.kinds if verbs <= {*kind.verbs}}
            return _lines(resource for _, resource in sorted(kinds))
    raise _Unknown


def _lines(lines: Iterable[str]) -> Done:
    out = "".join(f"{line}\n" for line in lines)
    return Done(0, out, "", out.encode())


def _asked(cluster: Cluster, method: str, target: str, body: bytes = b"", media_type: str = "") -> Json:
    answer = _answer(
        cluster, Request(method, target, {"user-agent": "kubectl/quick", "content-type": media_type}, body)
    )
    data: Json = json.loads(answer.body) if isinstance(answer.body, bytes) else {}
    if answer.status == 404 and data.get("details", {}).get("name"):
        raise _Missing(data["message"])
    if answer.status == 403 and method == "GET":
        raise _Forbidden(data["message"])
    if answer.status >= 300 or not data:
        raise _Unknown
    return data


def _answer(cluster: Cluster, request: Request) -> Answer:
    cluster.requests.append(request)
    if not cluster.faults.may_meet(*cluster.named(request)):
        return cluster.answer(request)
    refusal = cluster.faults.refusal(*cluster.named(request)) if request.method == "GET" else None
    if refusal is None:
        raise _Unknown
    return refusal


def _object(cluster: Cluster, kind: Kind, name: str, namespace: str) -> Json | None:
    """None where it is missing."""
    try:
        return _read(cluster, kind, name, namespace)
    except _Missing:
        return None


def _read(cluster: Cluster, kind: Kind, name: str, namespace: str) -> Json:
    """Where it is missing, kubectl asks whether its namespace is there."""
    try:
        return _asked(cluster, "GET", f"{_path(kind, namespace)}/{name}")
    except _Missing:
        if kind.namespaced:
            _read(cluster, _kind(cluster, "namespaces"), namespace, "")
        raise


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
    if not {*options} <= {"--force-conflicts", "--dry-run=server"}:
        raise _Unknown
    force = "true" if "--force-conflicts" in options else "false"
    query = f"fieldManager=mcpctl&fieldValidation=Strict&force={force}"
    kinds, made = _written(cluster, namespace, document, query, dry="--dry-run=server" in options)
    if output == "--output=name":
        return _names(kinds, made)
    made = [_stripped(each, []) for each in made]
    return _printed({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": made} if len(made) > 1 else made[0])


def _created(cluster: Cluster, namespace: str, document: Json, options: list[str]) -> Done:
    if not {*options} <= {"--dry-run=server"}:
        raise _Unknown
    query = "fieldManager=mcpctl&fieldValidation=Strict"
    return _names(*_written(cluster, namespace, document, query, dry=bool(options), create=True))


def _written(
    cluster: Cluster, namespace: str, document: Json, query: str, *, dry: bool, create: bool = False
) -> tuple[list[Kind], list[Json]]:
    """First a dry run of all, as after a refusal kubectl goes on with the others."""
    items = document["items"] if document["kind"] == "List" else [document]
    kinds = [_kind_of(cluster, item) for item in items]
    asked = len(cluster.requests)
    write = _posted if create else _patched
    for suffix in ("&dryRun=All", "&dryRun=All" if dry else ""):
        del cluster.requests[asked:]
        made = [write(cluster, kind, item, namespace, query + suffix) for kind, item in zip(kinds, items, strict=True)]
    return kinds, made


def _posted(cluster: Cluster, kind: Kind, item: Json, namespace: str, query: str) -> Json:
    home = _home(kind, item, namespace)
    meta = {**item["metadata"], **({"namespace": home} if kind.namespaced else {})}
    body = json.dumps({**item, "metadata": meta}).encode()
    return _asked(cluster, "POST", f"{_path(kind, home)}?{query}", body, "application/json")


def _home(kind: Kind, item: Json, namespace: str) -> str:
    home: str = item["metadata"].get("namespace") or namespace
    if item["apiVersion"] != kind.api_version or (kind.namespaced and home != namespace):
        raise _Unknown
    return home


def _merged(cluster: Cluster, namespace: str, name: str, manager: str, body: bytes) -> Done:
    resource, _, name = name.partition("/")
    kind = _kind(cluster, resource)
    path = f"{_path(kind, namespace)}/{name}"
    try:
        _asked(cluster, "GET", path)
        return _names([kind], [_asked(cluster, "PATCH", f"{path}?fieldManager={quote(manager)}", body, MERGE)])
    except _Missing:
        raise _Unknown from None


def _logs(cluster: Cluster, namespace: str, pod: str, options: list[str]) -> Done:
    """Which the kubelet refuses in many ways: those are the real one's."""
    query = {}
    for option in options:
        name, _, value = option.partition("=")
        if name not in _OF_LOGS:
            raise _Unknown
        query[_OF_LOGS[name]] = value or "true"
    path = f"{_path(_kind(cluster, 'pods'), namespace)}/{pod}"
    answer = Answer(404, b"")
    if _object(cluster, _kind(cluster, "pods"), pod, namespace):
        answer = _answer(cluster, Request("GET", f"{path}/log?{urlencode(sorted(query.items()))}", {}, b""))
    if answer.status != 200 or not isinstance(answer.body, bytes):
        raise _Unknown
    return Done(0, answer.body.decode("utf-8", "replace"), "", answer.body)


def _forwarding(where: Mapping[str, str], arguments: tuple[str, ...]) -> _Forwarding | None:
    """None where the real kubectl is to say what is wrong, or to do something else."""
    cluster = _cluster(where)
    match arguments:
        case ["port-forward", "--address=127.0.0.1", pod, port] if cluster and not cluster.faults.elsewhere:
            name, asked = pod.removeprefix("pods/"), len(cluster.requests)
        case _:
            return None
    path = f"{_path(_kind(cluster, 'pods'), where['--namespace'])}/{name}"
    request = Request("POST", f"{path}/portforward", {"user-agent": "kubectl/quick"}, b"")
    try:
        containers = _asked(cluster, "GET", path)["spec"]["containers"]
        ports = {
            each.get("name"): each["containerPort"] for container in containers for each in container.get("ports", ())
        }
        number = ports[port[1:]] if port[1:] in ports else int(port[1:])
        backend = cluster.backends.get((name, number)) or cluster.backends["*", number]
        if cluster.faults.may_meet(*cluster.named(request)):
            raise _Unknown
    except (_Refused, _Unknown, LookupError, ValueError):
        del cluster.requests[asked:]
        return None
    cluster.requests.append(request)
    return _Forwarding(backend[1], number)


def _patched(cluster: Cluster, kind: Kind, item: Json, namespace: str, query: str) -> Json:
    home = _home(kind, item, namespace)
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
    if "/" in resources:
        return _got_one(cluster, namespace, resources, options)
    query = "".join(f"&{_QUERY[name]}={quote(value)}" for name, value in _selectors(options))
    home = "" if "--all-namespaces" in options else namespace
    kinds = [_kind(cluster, resource) for resource in resources.split(",")]
    items: list[tuple[Kind, Json]] = []
    refused: list[_Refused] = []
    for kind in kinds:
        try:
            part = _asked(cluster, "GET", f"{_path(kind, home)}?limit=500{query}")
        except _Forbidden as forbidden:
            refused.append(forbidden)
            continue
        if part["metadata"].get("continue"):
            raise _Unknown
        items += [(kind, item) for item in part["items"]]
    if len(refused) > 1:
        raise _Unknown
    if "--output=name" in options:
        done = _names([kind for kind, _ in items], [item for _, item in items])
    else:
        done = _list([item for _, item in items], options)
    return done._replace(code=len(refused), err="".join(map(_error, refused)))


def _got_one(cluster: Cluster, namespace: str, resource: str, options: list[str]) -> Done:
    if options[0] not in _KEYS and [*_selectors(options)]:
        raise _Unknown
    plural, _, name = resource.partition("/")
    kind = _kind(cluster, plural)
    try:
        stored = _read(cluster, kind, name, namespace)
    except _Missing:
        if "--ignore-not-found" in options:
            return Done(0, "", "")
        raise
    if options[0] in _KEYS:
        return _keys(stored, options[0])
    return _names([kind], [stored]) if "--output=name" in options else _printed(_stripped(stored, options))


def _keys(data: Json, output: str) -> Done:
    """The names of the keys, for Secrets after their type."""
    keys = [key for field in ("data", "binaryData") if f".{field}" in output for key in sorted(data.get(field, ()))]
    out = "\n".join([data["type"] if ".type" in output else "", *keys])
    return Done(0, out, "", out.encode())


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


def _names(kinds: Sequence[Kind], objects: Sequence[Json]) -> Done:
    names = [f"{kind.kind.lower()}{kind.group and '.'}{kind.group}" for kind in kinds]
    lines = [f"{name}/{each['metadata']['name']}\n" for name, each in zip(names, objects, strict=True)]
    return Done(0, "".join(lines), "")


def _printed(data: Json) -> Done:
    out = json.dumps(data)
    return Done(0, out, "", out.encode())

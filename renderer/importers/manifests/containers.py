"""Containers, the server's and others: command, variables, resources, probes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text, with_values
from renderer.importers.manifests.objects import Object, mapping, texts
from renderer.importers.variables import NAME, NO_NAME, NOT_WRITTEN, is_secret
from renderer.manifest import at, mappings
from renderer.model import JSON

_REFERENCE = re.compile(r"(?<!\$)((?:\$\$)*)\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_HEALTH: DocumentPath = ("spec", "health")
_COUNTS = (("periodSeconds", 10), ("timeoutSeconds", 1), ("failureThreshold", 3))
_AMOUNTS = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "ephemeralStorage"}


class Known(NamedTuple):
    """Facts about one workload, and the ConfigMaps and claims imported with it.

    ``is_replicated``: more than one pod runs, so mounted volumes must be shareable.
    """

    server: str
    resource_name: str
    config_maps: Mapping[str, Object]
    claims: Mapping[str, Object]
    is_replicated: bool


def read_words(reading: Reading, container: DocumentPath, target: DocumentPath) -> None:
    for key in ("command", "args"):
        words = [plain_text(word) for _, word in reading.items(*container, key)]
        if words:
            reading.map((*container, key), (*target, key), [_literal(reading, container, target, w) for w in words])


def _literal(reading: Reading, container: DocumentPath, target: DocumentPath, text: str) -> str:
    """Escapes references to variables that the container does not have.

    If the name may be a key of an ``envFrom`` source, it becomes a variable.
    """
    names = {plain_text(each.get("name")) for each in mappings(reading.get(*container, "env"))}
    for _, name in _REFERENCE.findall(text):
        source = next((item for each in mappings(reading.get(*container, "envFrom")) if (item := _whole(each))), None)
        if name not in names and source and NAME.fullmatch(name):
            names.add(name)
            question = f"whether it is the key {name} there: a word of the container is made of it"
            reading.decide((*container, "envFrom"), (*target, "env", name), {**source, "key": name}, question)
    return _REFERENCE.sub(lambda match: match[0] if match[2] in names else match[0].replace("$(", "$$("), text)


def _whole(env_from: Mapping[str, JSON]) -> dict[str, JSON]:
    """The Secret or ConfigMap of an ``envFrom`` entry; empty with a prefix."""
    for key, kind in (("secretRef", "secret"), ("configMapRef", "configMap")):
        if name := plain_text(mapping(env_from, key).get("name")):
            return {} if env_from.get("prefix") else {kind: name}
    return {}


def read_env(reading: Reading, container: DocumentPath, target: DocumentPath, known: Known) -> None:
    """``env`` and ``envFrom``; values of imported ConfigMaps are copied into the spec."""
    for path, _ in reading.items(*container, "envFrom"):
        _env_from(reading, path, target, known)
    for path, _ in reading.items(*container, "env"):
        name = reading.text(*path, "name")
        if not NAME.fullmatch(name):
            reading.lose(path, NO_NAME)
            continue
        _variable(reading, path, (*target, "env", name), known)


def _variable(reading: Reading, path: DocumentPath, target: DocumentPath, known: Known) -> None:
    source = reading.mapping(*path, "valueFrom")
    if not source:
        value = reading.text(*path, "value")
        if not _hide(reading, path, target, value, known):
            reading.map(path, target, _literal(reading, path[:-2], target[:-2], value))
        return
    key, fields = next(iter(source.items()))
    optional = with_values({"optional": at(fields, "optional") is True})
    named, entry = plain_text(at(fields, "name")), plain_text(at(fields, "key"))
    if key == "secretKeyRef":
        reading.map(path, target, {"secret": named, "key": entry, **optional})
    elif key == "configMapKeyRef":
        content = data_of(known, named).get(entry)
        if content is None:
            reading.map(path, target, {"configMap": named, "key": entry, **optional})
        elif not _hide(reading, path, target, content, known):
            reading.map(path, target, content, f"the value that ConfigMap {named} has")
    elif key in ("fieldRef", "resourceFieldRef"):
        reading.map(path, target, {"field": plain_text(at(fields, "fieldPath") or at(fields, "resource"))})
    else:
        reading.lose(path, f"a variable cannot be read from {key}")


def _hide(reading: Reading, path: DocumentPath, target: DocumentPath, value: str, known: Known) -> bool:
    """Writes a reference to a Secret if the value looks like a secret, and returns whether it does."""
    name = str(target[-1])
    secret = is_secret(name, value)
    if secret:
        reading.decide(path, target, {"secret": known.server, "key": name}, NOT_WRITTEN.format(name, known.server))
    return secret


def _env_from(reading: Reading, path: DocumentPath, target: DocumentPath, known: Known) -> None:
    for key, kind in (("secretRef", "secret"), ("configMapRef", "configMap")):
        name, prefix = reading.text(*path, key, "name"), reading.text(*path, "prefix")
        values = data_of(known, name) if kind == "configMap" else {}
        for entry, value in values.items():
            variable: DocumentPath = (*target, "env", f"{prefix}{entry}")
            if not NAME.fullmatch(f"{prefix}{entry}"):
                reading.leave(path, target, f"the key {entry} of ConfigMap {name} is no name of a variable")
            elif not _hide(reading, path, variable, value, known):
                reading.map(path, variable, value, f"the values of ConfigMap {name}")
        if name and not values:
            optional = reading.get(*path, key, "optional") is True
            whole = with_values({kind: name, "prefix": prefix, "optional": optional})
            reading.map(path, (*target, "envFrom", END), whole)


def data_of(known: Known, config_map: str) -> dict[str, str]:
    """``data`` of an imported ConfigMap; empty if it is not imported or has binaryData."""
    each = known.config_maps.get(config_map)
    return texts(mapping(each.data, "data")) if each and not each.data.get("binaryData") else {}


def read_resources(reading: Reading, container: DocumentPath, target: DocumentPath) -> None:
    """Requests and limits. Without a CPU limit none is set."""
    requests, limits = (_amounts(reading, container, target, kind) for kind in ("requests", "limits"))
    if not (requests or limits):
        return
    for name, value in limits.items():
        if name not in requests:
            reading.default((*target, "resources", "requests", name), value, "the limit, as Kubernetes assumes")
    if "cpu" not in limits:
        reading.default((*target, "resources", "limits", "cpu"), None, "the container has no limit of CPU")


def _amounts(reading: Reading, container: DocumentPath, target: DocumentPath, kind: str) -> dict[str, str]:
    path, amounts = (*container, "resources", kind), dict[str, str]()
    for name, value in reading.mapping(*path).items():
        if name in _AMOUNTS:
            amounts[_AMOUNTS[name]] = plain_text(value)
            reading.map((*path, name), (*target, "resources", kind, _AMOUNTS[name]), plain_text(value))
        elif name == "nvidia.com/gpu" and len(target) == 1 and plain_text(value).isdigit():
            reading.map((*path, name), ("spec", "gpu", "count"), int(plain_text(value)))
        else:
            reading.lose((*path, name), "a spec has no field for it")
    return amounts


# ---------------------------------------------------------------------------------------------
# Probes.


def read_probes(reading: Reading, container: DocumentPath, port: int, ports: dict[str, int]) -> None:
    """The readiness probe, else the liveness probe, makes ``health``; a liveness probe besides makes
    ``health.liveness``.
    """
    readiness, liveness, startup = ((*container, f"{name}Probe") for name in ("readiness", "liveness", "startup"))
    first = readiness if reading.mapping(*readiness) else liveness
    if reading.mapping(*first):
        _way(reading, first, _HEALTH, port, ports)
        for key, usual in _COUNTS:
            if isinstance(value := reading.get(*first, key), int) and value != usual:
                reading.map((*first, key), (*_HEALTH, key), value)
            else:
                reading.note((*first, key), (*_HEALTH, key))
        reading.note((*first, "successThreshold"), None)
    if first != liveness and reading.mapping(*liveness):
        _way(reading, liveness, (*_HEALTH, "liveness"), port, ports)
        for key, _ in _COUNTS:
            reading.note((*liveness, key), (*_HEALTH, key), "as for readiness, with twice the patience")
        reading.note((*liveness, "successThreshold"), None)
    _startup(reading, startup, [readiness, liveness])
    if reading.mapping(*startup):
        reading.note(startup, (*_HEALTH, "startupSeconds"))


def _way(reading: Reading, probe: DocumentPath, target: DocumentPath, port: int, ports: dict[str, int]) -> None:
    if reading.mapping(*probe, "httpGet"):
        http = (*probe, "httpGet")
        reading.map((*http, "path"), (*target, "path"), reading.text(*http, "path") or "/")
        _port(reading, http, target, port, ports)
        if reading.text(*http, "scheme") == "HTTPS":
            reading.write((*target, "scheme"), "HTTPS")
        reading.note((*http, "scheme"), (*target, "scheme"))
        for header, _ in reading.items(*http, "httpHeaders"):
            name = reading.text(*header, "name")
            reading.map(header, (*target, "headers", name), reading.text(*header, "value"))
        reading.lose_each({"host": "a probe asks the pod itself"}, http)
    elif reading.mapping(*probe, "exec"):
        command: JSON = [reading.text(*word) for word, _ in reading.items(*probe, "exec", "command")]
        reading.map((*probe, "exec", "command"), (*target, "command"), command)
    elif reading.mapping(*probe, "grpc"):
        service = reading.text(*probe, "grpc", "service")
        reading.map((*probe, "grpc", "service"), (*target, "grpc"), {"service": service} if service else {})
        _port(reading, (*probe, "grpc"), target, port, ports)
    elif reading.mapping(*probe, "tcpSocket"):
        reading.map((*probe, "tcpSocket"), (*target, "tcp"), True)


def _port(reading: Reading, way: DocumentPath, target: DocumentPath, port: int, ports: dict[str, int]) -> None:
    text = reading.text(*way, "port")
    number = ports.get(text) or (int(text) if text.isdigit() else port)
    if number == port:
        reading.note((*way, "port"), ("spec", "transport", "port"))
    else:
        reading.map((*way, "port"), (*target, "port"), number)


def _startup(reading: Reading, startup: DocumentPath, others: list[DocumentPath]) -> None:
    """What a startup probe allows, or the initial delays of the others."""

    def number(probe: DocumentPath, key: str, usual: int) -> int:
        value = reading.get(*probe, key)
        return value if isinstance(value, int) else usual

    target = (*_HEALTH, "startupSeconds")
    if reading.mapping(*startup):
        attempts = number(startup, "periodSeconds", 10) * number(startup, "failureThreshold", 3)
        seconds = number(startup, "initialDelaySeconds", 0) + attempts
        reading.map((*startup, "failureThreshold"), target, seconds, "the time that the startup probe allows")
        for probe in others:
            reading.note((*probe, "initialDelaySeconds"), target, "asked once the start is over")
        return
    delays = {probe: number(probe, "initialDelaySeconds", 0) for probe in others}
    longest = max(delays, key=lambda probe: delays[probe])
    for probe, seconds in delays.items():
        if probe == longest and seconds > 30:
            reading.map((*probe, "initialDelaySeconds"), target, seconds + 30, "the delay, and time to answer")
        elif reading.mapping(*probe):
            reading.note((*probe, "initialDelaySeconds"), target, "asked until it answers, without a delay")

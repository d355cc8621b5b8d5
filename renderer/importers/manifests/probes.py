"""Probes of a container as ``spec.health``."""

from __future__ import annotations

from renderer.errors import DocumentPath
from renderer.importers.draft import Reading
from renderer.model import JSON

_HEALTH: DocumentPath = ("spec", "health")
_COUNTS = (("periodSeconds", 10), ("timeoutSeconds", 1), ("failureThreshold", 3))


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
            reading.map((*http, "scheme"), (*target, "scheme"), "HTTPS")
        else:
            reading.note((*http, "scheme"), (*target, "scheme"))
        for header, _ in reading.items(*http, "httpHeaders"):
            name = reading.text(*header, "name")
            reading.map(header, (*target, "headers", name), reading.text(*header, "value"))
        if reading.text(*http, "host"):
            reading.lose((*http, "host"), "a probe asks the pod itself")
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

"""Egress rules from lists of hosts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import END, Reading
from renderer.manifest import items
from renderer.model import JSON

_HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PARTS = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?([^/:?#]+)(?::([0-9]{1,5}))?(?:[/?#].*)?", re.IGNORECASE)
_SCHEME_PORTS = {"http": "80", "https": "443"}
#: Names of the host; in a cluster it is another one.
_THE_MACHINE = ("localhost", "host.docker.internal", "host.containers.internal", "gateway.docker.internal", "127.0.0.1")
EGRESS = ("spec", "network", "egress")
HOSTS = (*EGRESS, "hosts")


def allow_hosts(reading: Reading, hosts: Sequence[tuple[DocumentPath, str]], ports: Sequence[int] = ()) -> None:
    """Allows these hosts alone; those without a port at ``ports``, or at every port."""
    if all(host.strip() != "*" for _, host in hosts) and reading.written(EGRESS) is None:
        reading.write(EGRESS, {})  # where none of them can be said, nothing is open
    for source, host in hosts:
        _allow(reading, source, host.strip(), ports)


def allow_nothing(reading: Reading, source: DocumentPath) -> None:
    reading.map(source, EGRESS, {}, "it connects to nothing")


def _allow(reading: Reading, source: DocumentPath, text: str, ports: Sequence[int]) -> None:
    match = _PARTS.fullmatch(text)
    host, port = (match[1].lower(), match[2] or "") if match else (text, "")
    port = port or _SCHEME_PORTS.get(text.lower().partition("://")[0] if "://" in text else "", "")
    names = [host[1:], f"*{host}"] if host.startswith(".") else [host]
    if host in _THE_MACHINE:
        why = f"{host} is the machine that runs the definition: name the host or service instead"
        reading.decide(source, (*EGRESS, "services"), None, why)
    elif host == "*" and not port:
        reading.note(source, None, "every host: egress stays open")
    elif network := _network(text) or _network(host):
        open_ports = [int(port)] if port else [*ports]
        block: JSON = {"cidr": network, "ports": [*open_ports]} if open_ports else network
        reading.map(source, (*EGRESS, "cidrs", END), block)
    elif all(_HOST.fullmatch(name) and len(name) < 250 for name in names):
        for name in names:
            hosts = [f"{name}:{port}"] if port else [f"{name}:{each}" for each in ports] or [name]
            for wanted in hosts:
                if wanted not in items(reading.written(HOSTS)):
                    reading.write((*HOSTS, END), wanted)
        reading.note(source, HOSTS, "a leading dot is the domain and its subdomains" if len(names) > 1 else "")
    else:
        reading.lose(source, f"'{excerpt(text, 80)}' is not a host name")


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return ""

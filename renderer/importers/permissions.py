"""What a definition lets its server reach: hosts become egress, volumes storage; folders of the machine stay out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import END, Reading, with_values
from renderer.importers.naming import digest
from renderer.manifest import items
from renderer.model import JSON

_HOST = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PARTS = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?([^/:?#]+)(?::([0-9]{1,5}))?(?:[/?#].*)?", re.IGNORECASE)
_SCHEME_PORTS = {"http": "80", "https": "443"}
#: Names of the host; in a cluster it is another one.
_THE_MACHINE = ("localhost", "host.docker.internal", "host.containers.internal", "gateway.docker.internal", "127.0.0.1")
EGRESS = ("spec", "network", "egress")
HOSTS = (*EGRESS, "hosts")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PATH = re.compile(r"(/[^/\x00-\x1f:$,]+)+")
#: Mounting one of these gives away the machine.
_DANGEROUS = re.compile(r"/|/(var/)?run(/.*)?|.*\.sock|/(etc|root|proc|sys|dev|boot|var|usr|lib|bin|home)(/?)")
#: Of volumes, which have none where Docker runs them.
SIZE = "1Gi"
STORAGE = ("spec", "storage")


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


def set_host_alias(reading: Reading, source: DocumentPath, text: str) -> None:
    """``name:address`` or ``name=address``."""
    name, _, address = text.replace("=", ":", 1).partition(":")
    if address == "host-gateway":
        reading.lose(source, f"{excerpt(name)}: a pod has no machine of its own: name the service instead")
    else:
        reading.map(source, ("spec", "network", "hostAliases", name.lower()), address)


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return ""


def set_volume(reading: Reading, source: DocumentPath, volume: str, target: str, read_only: bool = False) -> None:
    """A named or anonymous volume becomes storage; for a folder of the machine see ``leave_folder``."""
    target = target.rstrip("/") if target != "/" else target
    if not _PATH.fullmatch(target) or "/../" in f"{target}/" or "/./" in f"{target}/":
        reading.lose(source, f"'{excerpt(target, 80)}' is not a mount path")
    elif not volume or (_NAME.fullmatch(volume) and "/" not in volume and not volume.startswith(".")):
        name = volume_name(volume or target)
        fields = with_values({"name": name, "size": SIZE, "mountPath": target, "readOnly": read_only})
        reading.decide(source, (*STORAGE, END), fields, "how large the volume is")
    else:
        leave_folder(reading, source, volume, target)


def leave_folder(reading: Reading, source: DocumentPath, folder: str, target: str) -> None:
    """Reports that the folder is not mounted, and what to do if its data is needed."""
    if _DANGEROUS.fullmatch(folder):
        reading.lose(source, f"{excerpt(folder, 80)} of the machine gives access to the machine, so it is not mounted")
        return
    instead = "if it needs the data, write a volume under spec.storage, or files under spec.files"
    mounted = f"{excerpt(folder, 80)} of a person's machine would be mounted at {excerpt(target, 80)}"
    question = f"{mounted}, and is not: {instead}"
    reading.decide(source, STORAGE, None, question)


def set_writable(reading: Reading, source: DocumentPath, path: str, size: str = "", message: str = "") -> None:
    """A folder in the container that the server may write to."""
    value: JSON = {"path": path, "size": size} if size else path
    reading.map(source, ("spec", "security", "writablePaths", END), value, message)


def split_volume(text: str) -> tuple[str, str, bool]:
    """Splits ``source:target:ro``; the source may be empty, or begin with a drive: ``C:\\\\x``."""
    words = text.split(":")
    if re.match(r"[A-Za-z]:[\\\\/]", text) and len(words) > 2:
        words = [":".join(words[:2]), *words[2:]]
    if len(words) == 1:
        return "", words[0], False
    return words[0], words[1], words[2:3] == ["readonly"] or any("ro" in word.split(",") for word in words[2:])


def volume_name(original: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", original.lower()).strip("-")
    if not name:
        return f"volume-{digest(original)}"
    return name if len(name) <= 40 else f"{name[:31].rstrip('-')}-{digest(original)}"

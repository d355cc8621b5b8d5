"""The checks of a Docker daemon: programs, the way there, network, ports, images, values that are asked for."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from renderer.doctor import Patient
from renderer.doctor.checks import Check, Result, failed, looked, ok, troubled, unchecked, warning
from renderer.errors import ApplyFailed, UsageMistake, WaitTimedOut, excerpt
from renderer.labels import SERVER_LABEL
from renderer.model import Rendered
from renderer.orchestrator import OrchestratorConfig
from renderer.orchestrators.docker.client import OLDEST, Client
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: The oldest engine that was run.
ENGINE = (20, 10)
#: ``${NAME:?…}``: compose refuses to start without it.
_REQUIRED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):\?")


def checks(config: OrchestratorConfig, patient: Patient) -> Iterator[Check]:
    """As far as they make sense: without a daemon only what needs none."""
    try:
        client = Client(config.docker)
    except UsageMistake as error:
        yield troubled("configuration", error, Result.FAILED)
        return
    yield from looked("docker compose", lambda: [_compose(client)], result=Result.FAILED)
    yield from _values(patient.documents, client.environ)
    try:
        version = _version(client)
    except (ApplyFailed, WaitTimedOut) as error:
        yield troubled("daemon", error, Result.FAILED)
        return
    yield _daemon(version, client.host)
    yield from looked("network", lambda: [_network(client)])
    services = list(_services(patient.documents))
    for name in sorted({str(service["image"]) for service in services if service.get("image")}):
        yield _image(client, name)
    for server, address, port in _ports(services):
        yield _port(client, server, address, port)


def _compose(client: Client) -> Check:
    program = client.compose()
    done = client.tried(*program, "version", "--short", doing="asking compose for its version")
    least = ".".join(map(str, OLDEST))
    return ok("docker compose", f"{excerpt(done.out.strip(), 30)} ({' '.join(program)}; {least} or newer is needed)")


def _version(client: Client) -> str:
    text = client.docker("asking the daemon for its version", "version", "--format={{json .Server}}")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ApplyFailed(f"what docker says of its daemon cannot be read ({excerpt(text.strip(), 60)})")
    return str(found.get("Version", ""))


def _daemon(version: str, host: str) -> Check:
    found = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    text = f"Docker Engine {excerpt(version, 40)} at {excerpt(host, 200)}"
    if not found:
        return unchecked("daemon", f"{text}: a version of an unknown form")
    if (int(found[1]), int(found[2])) < ENGINE:
        return warning("daemon", f"{text}: nobody has tried one so old", f"use {'.'.join(map(str, ENGINE))} or newer")
    return ok("daemon", text)


def _network(client: Client) -> Check:
    what = f"network {client.network}"
    names = client.docker("reading the networks", "network", "ls", "--format={{.Name}}").split()
    return ok(what, "is there" if client.network in names else "not there yet; it is made by the first apply")


def _image(client: Client, name: str) -> Check:
    what = f"image {excerpt(name, 200)}"
    try:
        done = client.tried("docker", "image", "inspect", "--format={{.Id}}", "--", name, doing="looking for an image")
    except (ApplyFailed, WaitTimedOut) as error:
        return troubled(what, error, Result.UNCHECKED)
    if done.code == 0:
        return ok(what, "is there")
    return warning(what, "not there: it is pulled by the apply", "pull it before, if the registry asks for a login")


def _values(documents: Sequence[Rendered], environ: Mapping[str, str]) -> Iterator[Check]:
    """Names only; a file given with --env-file is not known here."""
    names = sorted({name for document in documents for name in _REQUIRED.findall(document.text)})
    for name in names:
        if environ.get(name):
            yield ok(f"value of {name}", "is set in the environment")
        else:
            yield warning(f"value of {name}", "is not set in the environment", "set it, or give a file: --env-file")


def _services(documents: Sequence[Rendered]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        if not document.path.endswith("compose.yaml"):
            continue
        found, _ = read(document.text, strict=False, limits=OUTPUT_LIMITS, marks=False)
        data: Any = found[0].data if found else {}
        yield from (one for one in (data.get("services") or {}).values() if isinstance(one, dict))


def _ports(services: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Server, address and port of what is published with a fixed number."""
    for service in services:
        labels = service.get("labels") or {}
        for port in service.get("ports") or []:
            if isinstance(port, dict) and str(port.get("published", "")).isdecimal():
                yield str(labels.get(SERVER_LABEL, "")), str(port.get("host_ip") or "0.0.0.0"), int(port["published"])  # noqa: S104


def _port(client: Client, server: str, address: str, port: int) -> Check:
    what = f"port {address}:{port}"
    if not client.host.startswith("unix://"):
        return unchecked(what, "the daemon is on another machine, whose ports cannot be seen from here")
    if _is_free(address, port):
        return ok(what, f"free, for {server}")
    try:
        label = f'--format={{{{.Label "{SERVER_LABEL}"}}}}'
        owners = client.docker("looking who publishes a port", "ps", f"--filter=publish={port}", label).split()
    except (ApplyFailed, WaitTimedOut) as error:
        return troubled(what, error, Result.UNCHECKED)
    if server and server in owners:
        return ok(what, f"published by {server} itself, which runs")
    by = f"by the server {excerpt(owners[0], 63)}" if owners else "by another program"
    return failed(what, f"taken {by}", "stop that, or give another port with network.publish.port")


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.strip("[]"), port))
        except PermissionError:
            return True  # a low port, which the daemon may bind
        except OSError:
            return False
    return True

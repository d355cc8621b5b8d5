"""Checks of a Docker daemon: programs, connection, network, ports, images, values of secrets."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from renderer import command
from renderer.doctor import Planned
from renderer.doctor.checks import ERRORS, Check, Result, attempt, failed, from_error, ok, unchecked, warning
from renderer.errors import ApplyFailed, UsageMistake, excerpt
from renderer.labels import SERVER_LABEL
from renderer.orchestrators.contract import OrchestratorConfig
from renderer.orchestrators.docker.client import OLDEST, Client
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: The oldest engine that was tried.
ENGINE = (20, 10)
#: ``${NAME:?…}``: compose refuses to start without it.
_REQUIRED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):\?")


def checks(config: OrchestratorConfig, planned: Planned) -> Iterator[Check]:
    """Without a daemon only those that need none."""
    try:
        client = Client(config.docker)
    except UsageMistake as error:
        yield from_error("configuration", error, Result.FAILED)
        return
    yield from attempt("docker compose", lambda: [_compose(client)], result=Result.FAILED)
    for name in sorted({name for document in planned.documents for name in _REQUIRED.findall(document.text)}):
        is_set, advice = client.environ.get(name), "set it, or give a file: --env-file"
        subject, unset = f"value of {name}", "is not set in the environment"
        yield ok(subject, "is set in the environment") if is_set else warning(subject, unset, advice)
    reached = list(attempt("daemon", lambda: [_daemon(client)], result=Result.FAILED))
    yield from reached
    if reached[0].result is Result.FAILED:
        return
    texts = [document.text for document in planned.documents if document.path.endswith("compose.yaml")]
    documents = [read(text, strict=False, limits=OUTPUT_LIMITS, marks=False)[0] for text in texts]
    projects: list[Any] = [sources[0].data for sources in documents if sources]
    services = [service for project in projects for service in (project.get("services") or {}).values()]
    yield from attempt("network", lambda: _networks(client, projects))
    pulled = {str(service["image"]) for service in services if service.get("image") and not service.get("build")}
    for image in sorted(pulled):
        yield _image(client, image)
    for service in services:
        for port in service.get("ports") or ():
            if isinstance(port, dict) and str(port.get("published", "")).isdecimal():
                address = str(port.get("host_ip") or "0.0.0.0")  # noqa: S104 - compose's default
                server = str((service.get("labels") or {}).get(SERVER_LABEL, ""))
                yield _port(client, server, address, port["published"])


def _compose(client: Client) -> Check:
    program = client.compose()
    done = client.tried(*program, "version", "--short", doing="asking compose for its version")
    least = ".".join(map(str, OLDEST))
    return ok("docker compose", f"{excerpt(done.out.strip(), 30)} ({' '.join(program)}; {least} or newer is needed)")


def _daemon(client: Client) -> Check:
    doing = "asking the daemon for its version"
    answer = client.docker(doing, "version", "--format={{json .Server}}")
    try:
        version = command.parsed(answer, {"Version!": str}, doing, "docker")["Version"]
    except ApplyFailed as error:
        return failed("daemon", error.message, "check that docker is Docker's command line")
    numbers = re.match(r"(\d{1,4})\.(\d{1,4})", str(version))
    text = f"Docker Engine {excerpt(str(version), 40)} at {excerpt(client.host, 200)}"
    least = ".".join(map(str, ENGINE))
    if not numbers:
        return unchecked("daemon", f"{text}: the version has an unknown form", f"use {least} or newer")
    if (int(numbers[1]), int(numbers[2])) < ENGINE:
        return warning("daemon", f"{text} is older than any that was tried", f"use {least} or newer")
    return ok("daemon", text)


def _networks(client: Client, projects: Sequence[Any]) -> Iterator[Check]:
    names = client.docker("reading the networks", "network", "ls", "--format={{.Name}}").split()
    state = "exists" if client.network in names else "does not exist yet; the first apply creates it"
    yield ok(f"network {client.network}", state)
    networks = [network for project in projects for network in (project.get("networks") or {}).items()]
    for name in sorted({name for name, network in networks if network.get("external")}):
        advice = "start the project that makes it, or `docker network create` it"
        yield ok(f"network {name}", "exists") if name in names else failed(f"network {name}", "does not exist", advice)


def _image(client: Client, name: str) -> Check:
    subject = f"image {excerpt(name, 200)}"
    try:
        done = client.tried("docker", "image", "inspect", "--format={{.Id}}", "--", name, doing="looking for an image")
    except ERRORS as error:
        return from_error(subject, error, Result.UNCHECKED)
    if done.code == 0:
        return ok(subject, "exists")
    return warning(subject, "not pulled yet: apply pulls it", "pull it before, if the registry asks for a login")


def _port(client: Client, server: str, address: str, published: Any) -> Check:
    port, subject = int(published), f"port {address}:{published}"
    if not client.host.startswith("unix://"):
        return unchecked(subject, "the daemon is on another machine", "check there that the port is free")
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.strip("[]"), port))
            return ok(subject, f"free, for {server}")
        except PermissionError:
            return ok(subject, f"a low port, which the daemon may bind for {server}")
        except OSError:
            pass
    try:
        label = f'--format={{{{.Label "{SERVER_LABEL}"}}}}'
        owners = client.docker("asking who publishes a port", "ps", f"--filter=publish={port}", label).split()
    except ERRORS as error:
        return from_error(subject, error, Result.UNCHECKED)
    if server and server in owners:
        return ok(subject, f"published by {server} itself, which runs")
    by = f"the server {excerpt(owners[0], 63)}" if owners else "another program"
    return failed(subject, f"taken by {by}", "stop that, or give another port with network.publish.port")

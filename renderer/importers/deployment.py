"""Deployment data that publishers put under ``_meta`` of a server.json."""

from __future__ import annotations

import re
from collections.abc import Mapping

from renderer.errors import DocumentPath
from renderer.importers.draft import CATALOGUE, Reading
from renderer.importers.toolhive_registry import apply_extension
from renderer.model import JSON

PUBLISHER = "io.modelcontextprotocol.registry/publisher-provided"
OFFICIAL = "io.modelcontextprotocol.registry/official"
#: The namespace of what ``mcpctl export server-json`` writes.
OWN = "io.mcpctl"
TOOLHIVE = "io.github.stacklok"
_AT_ONCE = "nothing waits for a fixed time: health.startupSeconds is how long a start may take"
#: Fields that are valid wherever the server runs: no rights, no folders, no acceptances.
CARRIED = (
    *("autoscaling", "disruption", "gpu", "health", "network", "replicas", "resources", "rollout", "scheduling"),
    *("security", "shutdown", "size", "storage", "transport", "workingDir", "workload"),
)
#: Fields of a package that registries do not have.
OF_PACKAGE = ("runtime", "bundleSize", "userConfig", "cacheSize")
_NOT_OURS = "a definition of somebody else does not decide it: write it into the spec"


def carried(spec: Mapping[str, JSON]) -> dict[str, JSON]:
    """The fields that are valid wherever the server runs."""
    parts = {key: value for key, value in spec.items() if key in CARRIED}
    if isinstance(network := parts.pop("network", None), dict) and "egress" in network:
        parts["network"] = {"egress": network["egress"]}  # who may connect is decided where it runs
    if isinstance(storage := parts.pop("storage", None), list):
        volumes: list[JSON] = [each for each in storage if isinstance(each, dict) and "size" in each]
        parts |= {"storage": volumes} if volumes else {}
    if isinstance(package := spec.get("package"), dict):
        own: dict[str, JSON] = {key: package[key] for key in OF_PACKAGE if key in package}
        parts |= {"package": own} if own else {}
    return parts


def read_meta(reading: Reading, server: str, runs: str) -> None:
    """Reads ``_meta`` of every publisher for the package or remote ``runs`` (its identifier or URL)."""
    for name in reading.mapping("_meta"):
        if name == PUBLISHER:
            for inner in reading.mapping("_meta", name):
                _of_publisher(reading, ("_meta", name, inner), inner, server, runs)
        else:
            _of_publisher(reading, ("_meta", name), name, server, runs)


def _of_publisher(reading: Reading, path: DocumentPath, name: str, server: str, runs: str) -> None:
    values = reading.mapping(*path)
    if name == OFFICIAL:
        _official(reading, path)
    elif name == TOOLHIVE:
        for key in values:
            if key == runs:
                apply_extension(reading, (*path, key), server)
            else:
                reading.lose((*path, key), "of another package or remote", harmless=True)
    elif name == OWN:
        _own(reading, (*path, "spec"))
    elif {"container", "deployment", "resources", "scaling"} & values.keys():
        _deployment(reading, path)
    elif "serverType" in values:
        reading.lose_all(list(values), CATALOGUE, path)


def _official(reading: Reading, path: DocumentPath) -> None:
    if (status := reading.text(*path, "status")) in ("deprecated", "deleted"):
        reading.decide((*path, "status"), ("metadata",), None, f"the definition is {status}: is there a successor?")
        reading.lose_all([key for key in reading.mapping(*path) if key != "status"], CATALOGUE, path)
    else:
        reading.lose(path, CATALOGUE, harmless=True)


def _own(reading: Reading, path: DocumentPath) -> None:
    spec = reading.mapping(*path)
    parts = carried(spec)
    package = parts.pop("package", None)
    for key, value in package.items() if isinstance(package, dict) else ():
        reading.map((*path, "package", key), ("spec", "package", key), value)
    for key, value in parts.items():
        reading.map((*path, key), ("spec", key), value, "" if value == spec[key] else f"a part of it: {_NOT_OURS}")
    for key in sorted(spec.keys() - parts.keys() - {"package"}):
        reading.lose((*path, key), _NOT_OURS)


def _deployment(reading: Reading, path: DocumentPath) -> None:
    """NimbleTools' data."""
    runtime = reading.text(*path, "runtime").partition(":")[0]
    bundle = reading.written(("spec", "package", "registry")) == "mcpb"
    if bundle and runtime in ("node", "python", "binary", "uv"):
        reading.map((*path, "runtime"), ("spec", "package", "runtime"), runtime)
    elif runtime:
        reading.lose((*path, "runtime"), "mcpctl's own base image runs it: package.baseImage", harmless=True)
    _served(reading, (*path, "deployment"))
    _health(reading, (*path, "container", "healthCheck"))
    reading.lose_all(["startupProbe"], _AT_ONCE, (*path, "container"))
    for kind in ("requests", "limits"):
        for amount in ("cpu", "memory"):
            reading.carry_text((*path, "resources", kind, amount), ("spec", "resources", kind, amount))
    if reading.get(*path, "scaling", "enabled") is False:
        reading.lose((*path, "scaling"), "it is off", harmless=True)
    else:
        for key, target in (("minReplicas", "min"), ("maxReplicas", "max"), ("targetCPUUtilizationPercentage", "cpu")):
            reading.carry((*path, "scaling", key), ("spec", "autoscaling", target))
        if reading.get(*path, "scaling", "enabled") is not None:
            reading.note((*path, "scaling", "enabled"), ("spec", "autoscaling"))
    reading.lose_all(["status", "repository", "capabilities", "display", "skill", "serverType"], CATALOGUE, path)


def _served(reading: Reading, path: DocumentPath) -> None:
    http = reading.written(("spec", "transport", "type")) != "stdio"
    port, served = reading.get(*path, "port"), reading.text(*path, "mcpPath")
    if http and isinstance(port, int):
        reading.map((*path, "port"), ("spec", "transport", "port"), port)
    elif port is not None:
        reading.lose((*path, "port"), "the server speaks stdio: a bridge listens", harmless=True)
    if http and served:
        reading.map((*path, "mcpPath"), ("spec", "transport", "path"), served)
    elif served:
        reading.lose((*path, "mcpPath"), "the server speaks stdio: a bridge listens", harmless=True)
    if reading.get(*path, "protocol") is not None:
        reading.note((*path, "protocol"), ("spec", "transport", "type"))


def _health(reading: Reading, path: DocumentPath) -> None:
    reading.carry((*path, "enabled"), ("spec", "health", "enabled"))
    bridged = reading.written(("spec", "transport", "type")) == "stdio"
    for key, target in (
        ("path", "path"),
        ("port", "port"),
        ("interval", "periodSeconds"),
        ("timeout", "timeoutSeconds"),
    ):
        value = reading.get(*path, key)
        if value is None:
            continue
        if bridged and key in ("path", "port"):
            reading.lose((*path, key), "the server speaks stdio: its bridge is asked", harmless=True)
        elif key == "port" and value == reading.written(("spec", "transport", "port")):
            reading.note((*path, key), ("spec", "health", "port"), "that of the transport")
        else:
            number = re.fullmatch(r"([0-9]{1,4})s?", reading.text(*path, key))
            seconds: JSON = int(number[1]) if number and key != "path" else value
            reading.map((*path, key), ("spec", "health", target), seconds)
    reading.lose_all(["initialDelaySeconds"], _AT_ONCE, path)

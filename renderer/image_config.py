"""Configurations of images, from docker, podman, skopeo or crane. Nothing is pulled."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from renderer.command import ProgramMissing, run
from renderer.errors import ApplyFailed, WaitTimedOut, excerpt

#: Programs with local images first; the others read from the registry.
_PROGRAMS = (
    ("docker", ("image", "inspect", "--format", "{{json .Config}}", "--"), ""),
    ("podman", ("image", "inspect", "--format", "{{json .Config}}", "--"), ""),
    ("skopeo", ("inspect", "--config", "--"), "docker://"),
    ("crane", ("config", "--"), ""),
)
_SECONDS = 60.0
_SHELL = ("/bin/sh", "-c")


class ImageConfig(NamedTuple):
    """``program``: the one that answered. ``user``: as in USER."""

    program: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    ports: tuple[int, ...] = ()
    health: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


def image_config(image: str) -> tuple[ImageConfig | None, list[str]]:
    """The first answer; or None, and the reason of each installed program."""
    reasons = []
    for program, arguments, scheme in _PROGRAMS:
        try:
            done = run([program, *arguments, f"{scheme}{image}"], seconds=_SECONDS)
        except ProgramMissing:
            continue
        except (ApplyFailed, WaitTimedOut) as failure:
            reasons.append(f"{program}: {failure.message}")
            continue
        lines = [line for line in done.err.splitlines() if line.strip()]
        if done.code:
            reasons.append(f"{program}: {excerpt(lines[-1], 200) if lines else f'exit code {done.code}'}")
        elif config := _parsed(program, done.out):
            return config, []
        else:
            reasons.append(f"{program}: its answer is not the configuration of an image")
    return None, reasons


def _parsed(program: str, text: str) -> ImageConfig | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    # Registries return the OCI image configuration, which wraps it.
    config = data.get("config") if isinstance(data, dict) and "config" in data else data
    if not isinstance(config, dict):
        return None
    health = config.get("Healthcheck")
    test = _texts(health.get("Test") if isinstance(health, dict) else None)
    user = config.get("User")
    exposed, volumes = (
        value if isinstance(value := config.get(key), dict) else {} for key in ("ExposedPorts", "Volumes")
    )
    ports = [port for port, _, kind in (name.partition("/") for name in exposed) if kind in ("", "tcp")]
    ports = [port for port in ports if len(port) < 6 and port.isascii() and port.isdigit() and 1 <= int(port) <= 65535]
    return ImageConfig(
        program,
        _texts(config.get("Entrypoint")),
        _texts(config.get("Cmd")),
        user if isinstance(user, str) else "",
        tuple(sorted(map(int, ports))),
        test[1:] if test[:1] == ("CMD",) else (*_SHELL, *test[1:2]) if test[:1] == ("CMD-SHELL",) else (),
        tuple(sorted(volumes)),
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else ()

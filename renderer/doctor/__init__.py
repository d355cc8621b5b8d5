"""Checks what an apply needs: programs, the daemon or cluster, rights, and what the specs need there."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

from renderer.doctor import issuers
from renderer.doctor.checks import Check, failed, ok, warning
from renderer.model import Options, Rendered, Server
from renderer.orchestrators.contract import OrchestratorConfig
from renderer.orchestrators.mcp_check import EXTRA, installed

#: As in pyproject.toml.
PYTHON = (3, 11)
SDK = (2, 3)


class Planned(NamedTuple):
    """What is to be applied, as apply renders it; may be empty."""

    servers: tuple[Server, ...] = ()
    documents: tuple[Rendered, ...] = ()
    options: Options | None = None


def diagnose(config: OrchestratorConfig, planned: Planned) -> Iterator[Check]:
    """Changes nothing."""
    yield python(sys.version_info[:2])
    yield sdk(installed())
    yield from issuers.checks(planned.servers)
    yield from import_module(f"renderer.doctor.{config.type}").checks(config, planned)


def python(version: tuple[int, int]) -> Check:
    text, needed = platform.python_version(), ".".join(map(str, PYTHON))
    return ok("Python", text) if version >= PYTHON else failed("Python", f"{text} is too old", f"use {needed} or newer")


def sdk(version: str) -> Check:
    """'' is no SDK."""
    advice = f"pip install '{EXTRA}'"
    if not version:
        return warning("MCP SDK", "not installed: servers are not asked over MCP, and stay 'running'", advice)
    numbers = tuple(int(number) for number in version.split(".")[:2] if number.isdecimal())
    fits = SDK <= numbers < (SDK[0] + 1,)
    return ok("MCP SDK", version) if fits else warning("MCP SDK", f"{version} is not a version that fits", advice)

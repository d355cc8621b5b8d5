"""``mcpctl start`` and ``mcpctl restart``: servers one by one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from renderer.cli.follow import options_for, plain_specs
from renderer.cli.options import (
    network_policy_provider_option,
    policy_option,
    provider_has_a_cluster,
    version_options,
)
from renderer.cli.ready import emit_json, statuses_of, until_ready
from renderer.cli.runs import count_remotes, nothing_deployed
from renderer.cli.runtime import (
    env_file_option,
    fail_fast_option,
    has_client,
    identify,
    orchestrator_of,
    output_option,
    progress,
    runtime_options,
    timeout_option,
    wait_option,
)
from renderer.cli.streams import print_report, specs_in
from renderer.cli.tables import show
from renderer.errors import ApplyFailed, Exit, McpctlError, WaitTimedOut, exit_code
from renderer.later import later
from renderer.model import JSON, Server
from renderer.orchestrators import create_orchestrator
from renderer.orchestrators.contract import InstanceStatus, Orchestrator
from renderer.registry import target
from renderer.report import Report
from renderer.settings import Settings

if TYPE_CHECKING:
    from renderer import pipeline
else:
    pipeline = later("renderer.pipeline")  # 80 ms, which help does not need


@click.command(
    epilog="""\b
Examples:
  mcpctl start time.yaml
  mcpctl start time
  mcpctl start --orchestrator kubernetes --context kind-dev time.yaml --no-wait
"""
)
@click.argument("targets", nargs=-1, required=True, metavar="TARGETS...")
@env_file_option
@wait_option
@timeout_option
@fail_fast_option
@version_options
@network_policy_provider_option
@policy_option
@output_option
@runtime_options
def start(
    targets: tuple[str, ...],
    settings: Settings,
    style: str,
    wait: bool,
    timeout: float,
    env_file: str | None,
    fail_fast: bool,
    **more: Any,
) -> int:
    """Start servers that were stopped, or the servers of specs, and wait until they answer.

    TARGETS are names of servers that are there, or files, folders or - for stdin. Nothing is ever removed: mcpctl apply
    does the same for a whole tree.
    """
    names = [name for name in targets if not _is_path(name)]
    paths = tuple(path for path in targets if _is_path(path))
    servers: tuple[Server, ...] = ()
    if paths:
        specs = plain_specs(paths, more["levels"], specs_in(paths))
        # Each is rendered again when it is started. Here all are, so that no error comes after the first start.
        wanted = create_orchestrator(settings.config).target
        provider_has_a_cluster({wanted})
        options = options_for(settings, more)
        problems = pipeline.render(specs, target(wanted), options).problems
        servers = pipeline.placed(specs, options).servers
        code = exit_code(problems)
        if code or style == "text":
            counts = {"servers": len(servers), **count_remotes([specs])}
            print_report(Report("start", problems, counts, nothing_deployed([specs])), style, quiet=False, stdout=True)
        if code:
            return code
    orchestrator = orchestrator_of(settings)
    config: dict[str, JSON] = {
        "kubernetesVersion": more["kubernetes_version"],
        "networkPolicyProvider": more["network_policy_provider"],
        "createNamespace": more["create_namespace"],
        "policy": dict(more["levels"]),
        **({"envFile": env_file} if env_file else {}),
    }
    starts = [(name, partial(_resume, orchestrator, name)) for name in names]
    starts += [(server.name, partial(_start, orchestrator, server, config)) for server in servers]
    transports = {server.name: server.transport.type for server in servers}
    return _started(orchestrator, starts, transports, timeout if wait else 0.0, style, fail_fast)


@click.command(
    epilog="""\b
Examples:
  mcpctl restart time
  mcpctl restart --orchestrator kubernetes --context kind-dev time github --timeout 10m
"""
)
@click.argument("names", nargs=-1, required=True, metavar="NAMES...")
@wait_option
@timeout_option
@fail_fast_option
@output_option
@runtime_options
def restart(names: tuple[str, ...], settings: Settings, style: str, wait: bool, timeout: float, fail_fast: bool) -> int:
    """Restart servers, and wait until they answer: to read a Secret that has changed.

    NAMES are those of servers, or instance ids. In a cluster new pods replace the old ones without an interruption.
    """
    orchestrator = orchestrator_of(settings)
    ids = list(dict.fromkeys(identify(orchestrator, name) for name in names))
    restarts = [(instance, partial(_restart, orchestrator, instance)) for instance in ids]
    return _started(orchestrator, restarts, {}, timeout if wait else 0.0, style, fail_fast, command="restart")


def _restart(orchestrator: Orchestrator, instance: str) -> str:
    orchestrator.restart_server(instance)
    progress(f"{instance}: restarted")
    return instance


def _is_path(text: str) -> bool:
    """'-', an existing file, or what looks like a path."""
    return text == "-" or text.endswith((".yaml", ".yml", ".json")) or os.sep in text or os.path.exists(text)


def _started(
    orchestrator: Orchestrator,
    starts: Sequence[tuple[str, Callable[[], str]]],
    transports: Mapping[str, str],
    seconds: float,
    style: str,
    fail_fast: bool,
    command: str = "start",
) -> int:
    ids: list[str] = []
    statuses: tuple[InstanceStatus, ...] = ()
    facts: dict[str, JSON] = {"orchestrator": orchestrator.name, "where": orchestrator.where()}
    if seconds:
        has_client()
    try:
        for _, begin in starts:
            ids.append(begin())
        if seconds:
            statuses = until_ready(orchestrator, ids, transports, seconds, fail_fast)
        else:
            statuses = statuses_of(orchestrator, ids)
    except (McpctlError, KeyboardInterrupt) as error:
        if left := [name for name, _ in starts[len(ids) + 1 :]]:
            progress(f"not tried: {', '.join(left)}")
        if style == "json" and isinstance(error, McpctlError):
            emit_json(command, facts, statuses_of(orchestrator, ids), error.message)
        raise
    if style == "json":
        emit_json(command, facts, statuses)
    else:
        show(statuses, time.time())
    return Exit.FINE


def _resume(orchestrator: Orchestrator, name: str) -> str:
    try:
        instance = identify(orchestrator, name)
    except ApplyFailed as error:
        raise ApplyFailed(f"{error.message}; one that was never applied starts from its file") from None
    orchestrator.resume_server(instance)
    progress(f"{name}: started as {instance}")
    return instance


def _start(orchestrator: Orchestrator, server: Server, config: dict[str, JSON]) -> str:
    try:
        instance = orchestrator.start_server(server, config)
    except McpctlError as error:
        if not isinstance(error, WaitTimedOut) and not error.problems:
            raise ApplyFailed(f"{server.name} could not be started: {error.message}") from error
        raise
    progress(f"{server.name}: started as {instance}")
    return instance

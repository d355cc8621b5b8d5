"""``mcpctl start``: servers of specs, one by one, each with its instance id."""

from __future__ import annotations

import time
from typing import Any

import click

from renderer import pipeline
from renderer.cli.follow import options_for, plain_specs
from renderer.cli.options import (
    network_policy_provider_option,
    paths_argument,
    policy_option,
    provider_has_a_cluster,
    version_options,
)
from renderer.cli.ready import emit_json, show, statuses_of, until_ready
from renderer.cli.runtime import (
    env_file_option,
    fail_fast_option,
    orchestrator_of,
    output_option,
    progress,
    runtime_options,
    timeout_option,
    wait_option,
)
from renderer.cli.streams import specs_in, tell
from renderer.errors import ApplyFailed, Exit, McpctlError, WaitTimedOut, exit_code
from renderer.model import JSON, Server
from renderer.orchestrators import create_orchestrator
from renderer.orchestrators.contract import InstanceStatus, Orchestrator
from renderer.registry import target
from renderer.report import Report
from renderer.settings import Settings


@click.command(
    epilog="""\b
Examples:
  mcpctl start time.yaml
  mcpctl start --orchestrator kubernetes --context kind-dev time.yaml --no-wait
"""
)
@paths_argument
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
    paths: tuple[str, ...],
    settings: Settings,
    style: str,
    wait: bool,
    timeout: float,
    env_file: str | None,
    fail_fast: bool,
    **more: Any,
) -> int:
    """Start the servers of specs, also those that were stopped, and wait until they answer.

    PATHS are files, folders or - for stdin. Nothing is ever removed: mcpctl apply does the same for a whole tree.
    """
    specs = plain_specs(paths, more["levels"], specs_in(paths))
    # Each is rendered once more when it is started: here all are, so that no fault comes after the first has started.
    wanted = create_orchestrator(settings.config).target
    provider_has_a_cluster({wanted})
    problems = pipeline.render(specs, target(wanted), options_for(settings, more)).problems
    code = exit_code(problems)
    if code or style == "text":
        tell(Report("start", problems, {"servers": len(specs.servers)}), style, quiet=False, stdout=True)
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
    return _started(orchestrator, specs.servers, config, timeout if wait else 0.0, style, fail_fast)


def _started(
    orchestrator: Orchestrator,
    servers: tuple[Server, ...],
    config: dict[str, JSON],
    seconds: float,
    style: str,
    fail_fast: bool,
) -> int:
    ids: list[str] = []
    statuses: tuple[InstanceStatus, ...] = ()
    facts: dict[str, JSON] = {"orchestrator": orchestrator.name, "where": orchestrator.where()}
    try:
        for server in servers:
            ids.append(_start(orchestrator, server, config, servers[len(ids) + 1 :]))
        statuses = statuses_of(orchestrator, ids)
        if seconds:
            transports = {server.name: server.transport.type for server in servers}
            statuses = until_ready(orchestrator, ids, transports, seconds, fail_fast)
    except McpctlError as error:
        if style == "json":
            emit_json("start", facts, statuses, error.message)
        raise
    if style == "json":
        emit_json("start", facts, statuses)
    else:
        show(statuses, time.time())
    return Exit.FINE


def _start(orchestrator: Orchestrator, server: Server, config: dict[str, JSON], rest: tuple[Server, ...]) -> str:
    try:
        started = orchestrator.start_server(server, config)
    except (McpctlError, KeyboardInterrupt) as error:
        if rest:
            progress(f"not tried: {', '.join(one.name for one in rest)}")
        if isinstance(error, McpctlError) and not isinstance(error, WaitTimedOut) and not error.problems:
            raise ApplyFailed(f"{server.name} could not be started: {error.message}") from error
        raise
    progress(f"{server.name}: started as {started}")
    return started

"""``mcpctl doctor``: what stands in the way of an apply."""

from __future__ import annotations

from typing import Any

import click

from renderer import pipeline
from renderer.cli.options import (
    network_policy_provider_option,
    optional_paths_argument,
    render_options,
    version_options,
)
from renderer.cli.render import exit_code
from renderer.cli.runtime import output_option, progress, runtime_options
from renderer.cli.streams import emit, specs_in, tell
from renderer.doctor import Check, Patient, diagnose, has_failed
from renderer.doctor.shown import as_json, as_lines, summary
from renderer.errors import Exit
from renderer.registry import target
from renderer.report import Report
from renderer.settings import Settings


@click.command(
    epilog="""\b
Examples:
  mcpctl doctor
  mcpctl doctor specs/
  mcpctl doctor --orchestrator kubernetes --context kind-dev --namespace mcp specs/ --output json
""",
)
@optional_paths_argument
@version_options
@network_policy_provider_option
@runtime_options
@output_option
def doctor(paths: tuple[str, ...], settings: Settings, style: str, **rendering: Any) -> int:
    """Check what an apply needs: programs, the daemon or cluster, permissions, and what the specs ask for.

    PATHS are files, folders or - for stdin; without them, what needs no spec is checked. Nothing is changed, and no
    value of a secret is read. Exit code 5 where something has failed.
    """
    patient, code = _patient(paths, settings, rendering)
    if code:
        return code
    checks: list[Check] = []
    for check in diagnose(settings.config, patient):
        checks.append(check)
        if style == "text":
            emit(as_lines(check))
    if style == "json":
        emit(as_json(checks, settings.config.type))
    progress(summary(checks))
    return Exit.APPLY_FAILED if has_failed(checks) else Exit.FINE


def _patient(paths: tuple[str, ...], settings: Settings, rendering: dict[str, Any]) -> tuple[Patient, Exit]:
    """Rendered as an apply would; its problems told."""
    from renderer.orchestrators import create_orchestrator

    options = render_options(
        settings.config.kubernetes.namespace,
        rendering["kubernetes_version"],
        rendering["create_namespace"],
        rendering["network_policy_provider"],
        one_stream=False,
    )
    if not paths:
        return Patient(options=options), Exit.FINE
    output_of = target(create_orchestrator(settings.config).target)
    specs = pipeline.read(paths, specs_in(paths))
    output = pipeline.render(specs, output_of, options)
    tell(Report("doctor", output.problems, {"servers": len(specs.servers)}), "text", quiet=False, stdout=False)
    return Patient(specs.servers, output.documents, options), exit_code(output.problems)

"""``mcpctl doctor``: checks what an apply needs."""

from __future__ import annotations

from typing import Any

import click

from renderer.cli.follow import options_for, specs_for
from renderer.cli.options import (
    network_policy_provider_option,
    optional_paths_argument,
    version_options,
)
from renderer.cli.runs import environment_option, rendered
from renderer.cli.runtime import output_option, progress, runtime_options
from renderer.cli.streams import emit, print_report
from renderer.doctor import Planned, diagnose
from renderer.doctor.checks import Check, Result, as_json, as_lines, summary
from renderer.errors import Exit, exit_code
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
@environment_option
@version_options
@network_policy_provider_option
@runtime_options
@output_option
def doctor(paths: tuple[str, ...], settings: Settings, style: str, **rendering: Any) -> int:
    """Check what an apply needs: programs, the daemon or cluster, permissions, and what the specs ask for.

    PATHS are files, folders or - for stdin; without them, what needs no spec is checked. Nothing is changed, and no
    value of a secret is read. Exit code 5 where something has failed.
    """
    planned = Planned(options=options_for(settings, rendering))
    if paths:  # rendered as an apply would
        run, settings = specs_for(paths, rendering["environments"], settings, rendering, {})
        output, counts = rendered(run, run.target), {"servers": len(run.specs.servers)}
        print_report(Report("doctor", output.problems, counts), "text", quiet=False, stdout=False)
        if code := exit_code(output.problems):
            return code
        planned = Planned(run.specs.servers, output.documents, run.options)
    checks: list[Check] = []
    for check in diagnose(settings.config, planned):
        checks.append(check)
        if style == "text":
            emit(as_lines(check))
    if style == "json":
        emit(as_json(checks, settings.config.type))
    progress(summary(checks))
    return Exit.APPLY_FAILED if any(check.result is Result.FAILED for check in checks) else Exit.FINE

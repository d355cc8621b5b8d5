"""``mcpctl validate``: every fault of the specs, and of what they would render to."""

from __future__ import annotations

import click

from renderer import pipeline
from renderer.cli.options import (
    output_option,
    paths_argument,
    policy_option,
    provider_has_a_cluster,
    quiet_option,
    render_options,
    target_options,
)
from renderer.cli.render import exit_code
from renderer.cli.streams import specs_in, tell
from renderer.errors import Problem
from renderer.model import NetworkPolicyProvider
from renderer.policy import Levels
from renderer.registry import TARGETS, target
from renderer.report import Report


@click.command(
    epilog="""\b
Examples:
  mcpctl validate specs/
  mcpctl validate --target kubernetes --target compose github.yaml
  cat github.yaml | mcpctl validate --output sarif -
""",
)
@paths_argument
@click.option(
    "--target",
    "-t",
    "targets",
    type=click.Choice(sorted(TARGETS)),
    multiple=True,
    help="Also render for this target and check the result; may be repeated.",
)
@target_options
@policy_option
@output_option
@quiet_option
def validate(
    paths: tuple[str, ...],
    targets: tuple[str, ...],
    namespace: str,
    kubernetes_version: str,
    network_policy_provider: NetworkPolicyProvider,
    create_namespace: bool,
    levels: Levels,
    style: str,
    quiet: bool,
) -> int:
    """Tell every fault of the specs at once, each with its place and what to do.

    PATHS are files, folders or - for stdin. Nothing is written. The report goes to stderr as text,
    to stdout as JSON or SARIF.
    """
    provider_has_a_cluster(targets)
    provider = network_policy_provider
    options = render_options(namespace, kubernetes_version, create_namespace, provider, one_stream=False)
    specs = pipeline.read(paths, specs_in(paths), levels)
    problems: dict[Problem, None] = dict.fromkeys(specs.problems)
    counts = {"servers": len(specs.servers)}
    for name in sorted(set(targets)):
        result = pipeline.render(specs, target(name), options)
        problems |= dict.fromkeys(result.problems)
        counts[f"{name} documents"] = len(result.documents)
    found = sorted(problems, key=Problem.sort_key)
    tell(Report("validate", found, counts), style, quiet=quiet, stdout=True)
    return exit_code(found)

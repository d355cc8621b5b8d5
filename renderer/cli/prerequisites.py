"""``mcpctl prerequisites``: what a cluster must hold before the manifests are applied."""

from __future__ import annotations

from typing import Any

import click

from renderer.cli.options import (
    namespace_option,
    network_policy_provider_option,
    paths_argument,
    quiet_option,
    render_options,
    text_or_json,
)
from renderer.cli.runs import environment_option, run_alone, runs_of
from renderer.cli.streams import emit, print_report
from renderer.delivery import delivery_prerequisites, prerequisites_data, prerequisites_text
from renderer.errors import exit_code
from renderer.model import JSON
from renderer.prerequisites import as_json, as_markdown
from renderer.report import Report


@click.command(
    epilog="""\b
Examples:
  mcpctl prerequisites specs/
  mcpctl prerequisites specs/ environments/ --environment production
  mcpctl prerequisites --output json github.yaml | jq -r '.prerequisites[].name'
""",
)
@paths_argument
@namespace_option
@network_policy_provider_option
@environment_option
@text_or_json("A list to tick off, in Markdown, or the same as data.")
@quiet_option
def prerequisites(
    paths: tuple[str, ...],
    environments: tuple[str, ...],
    style: str,
    quiet: bool,
    **rendering: Any,
) -> int:
    """List what must exist before the manifests are applied: Secrets with their keys, classes, controllers.

    PATHS are files, folders or - for stdin. The list goes to stdout, problems with the specs to stderr;
    with any error there is no list.
    """
    options = render_options({**rendering, "create_namespace": False})
    (run,) = runs_of(paths, environments, run_alone("kubernetes", options, {}), several=False)
    specs, place = run.specs, (run.options.namespace, run.options.network_policy_provider)
    code = exit_code(specs.problems)
    if not code:
        # What the delivery of the environment needs by itself.
        own = [run.environment] if run.environment and delivery_prerequisites(run.environment.delivery) else []
        texts = [*(as_markdown(server, *place) for server in specs.servers), *map(prerequisites_text, own)]
        data: list[JSON] = [prerequisites_data(environment) for environment in own]
        emit("\n".join(texts) if style == "text" else as_json(specs.servers, *place, data))
    print_report(
        Report("prerequisites", specs.problems, {"servers": len(specs.servers)}), "text", quiet=quiet, stdout=False
    )
    return code

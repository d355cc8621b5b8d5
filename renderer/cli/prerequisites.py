"""``mcpctl prerequisites``: what a cluster must hold before the manifests of the specs can work."""

from __future__ import annotations

import click

from renderer import pipeline
from renderer.cli.options import namespace_option, network_policy_provider_option, paths_argument, quiet_option
from renderer.cli.render import exit_code
from renderer.cli.streams import emit, specs_in, tell
from renderer.model import NetworkPolicyProvider
from renderer.prerequisites import as_json, as_markdown
from renderer.report import Report


@click.command(
    epilog="""\b
Examples:
  mcpctl prerequisites specs/
  mcpctl prerequisites --output json github.yaml | jq -r '.prerequisites[].name'
""",
)
@paths_argument
@namespace_option
@network_policy_provider_option
@click.option(
    "--output",
    "-o",
    "style",
    type=click.Choice(["json", "text"]),
    default="text",
    show_default=True,
    help="A list to tick off, in Markdown, or the same as data.",
)
@quiet_option
def prerequisites(
    paths: tuple[str, ...], namespace: str, network_policy_provider: NetworkPolicyProvider, style: str, quiet: bool
) -> int:
    """List what must exist before the manifests are applied: Secrets with their keys, classes, controllers.

    PATHS are files, folders or - for stdin. The list goes to stdout, problems with the specs to stderr;
    with any error there is no list.
    """
    specs = pipeline.read(paths, specs_in(paths))
    code = exit_code(specs.problems)
    if not code:
        texts = [as_markdown(server, namespace, network_policy_provider) for server in specs.servers]
        emit("\n".join(texts) if style == "text" else as_json(specs.servers, namespace, network_policy_provider))
    tell(Report("prerequisites", specs.problems, {"servers": len(specs.servers)}), "text", quiet=quiet, stdout=False)
    return code

"""``mcpctl render``: specs in, manifests or a compose file out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
from renderer.cli.streams import emit, specs_in, tell
from renderer.errors import Exit, OutputTreeFault, Problem, errors_in
from renderer.model import NetworkPolicyProvider, Rendered
from renderer.policy import Levels
from renderer.registry import TARGETS, target
from renderer.report import Report


@click.command(
    epilog="""\b
Examples:
  mcpctl render github.yaml | kubectl apply -f -
  mcpctl render --target compose github.yaml | docker compose -f - up -d
  mcpctl render specs/ --out deploy/
  mcpctl render specs/ --out deploy/ --check
""",
)
@paths_argument
@click.option(
    "--target",
    "-t",
    "target_name",
    type=click.Choice(sorted(TARGETS)),
    default="kubernetes",
    show_default=True,
    help="; ".join(f"{name}: {summary}" for name, summary in sorted(TARGETS.items())) + ".",
)
@target_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a tree of files, DIR/<target>/<server>/<object>.yaml, instead of a stream to stdout.",
    metavar="DIR",
)
@click.option("--check", is_flag=True, help="With --out: write nothing, tell which files differ, exit 1 if any.")
@click.option("--force", is_flag=True, help="With --out: overwrite files that were edited by hand or are not ours.")
@click.option("--prune-data", is_flag=True, help="With --out: also remove stale files of volumes and namespaces.")
@policy_option
@output_option
@quiet_option
def render(
    paths: tuple[str, ...],
    target_name: str,
    namespace: str,
    kubernetes_version: str,
    network_policy_provider: NetworkPolicyProvider,
    create_namespace: bool,
    out: Path | None,
    check: bool,
    force: bool,
    levels: Levels,
    prune_data: bool,
    style: str,
    quiet: bool,
) -> int:
    """Render specs into checked manifests or a compose file.

    PATHS are files, folders or - for stdin. Manifests go to stdout, or with --out into a tree;
    problems go to stderr. With any error nothing is written.
    """
    if out is None and (check or force or prune_data):
        raise click.UsageError("--check, --force and --prune-data go with --out DIR")
    provider_has_a_cluster([target_name])
    provider = network_policy_provider
    options = render_options(namespace, kubernetes_version, create_namespace, provider, one_stream=out is None)
    specs = pipeline.read(paths, specs_in(paths), levels)
    result = pipeline.render(specs, target(target_name), options)
    counts = {"servers": len(specs.servers), "documents": len(result.documents)}
    lines: list[str] = []
    problems = list(result.problems)
    code = exit_code(problems)
    if not code:
        documents = pipeline.tree(specs, result, target(target_name), options) if out else result.documents
        try:
            code = _deliver(documents, out and out / target_name, check, (force, prune_data), lines, counts)
        except OutputTreeFault as fault:  # told in the style that was asked for, like every other Problem
            problems += fault.problems
            lines.append(f"mcpctl: {fault.message}")
            code = fault.exit_code
    if quiet and code is Exit.FINE:
        lines.clear()
    tell(Report("render", problems, counts, lines), style, quiet=quiet, stdout=out is not None)
    return code


def exit_code(problems: Sequence[Problem]) -> Exit:
    """Input invalid where an error stands in a spec; output invalid where errors are all in templates."""
    errors = errors_in(problems)
    if not errors:
        return Exit.FINE
    return Exit.OUTPUT_INVALID if all(problem.in_output for problem in errors) else Exit.INPUT_INVALID


def _deliver(
    documents: Sequence[Rendered],
    folder: Path | None,
    check: bool,
    allowed: tuple[bool, bool],
    lines: list[str],
    counts: dict[str, int],
) -> Exit:
    """To stdout, or into the tree, or compared with the tree; ``lines`` and ``counts`` are the report's."""
    if folder is None:
        emit(as_stream([document.text for document in documents if document.template]))
        return Exit.FINE
    from renderer import write  # a stream needs none of it

    files = {document.path: document.text for document in documents}
    if check:
        differences = write.compare(folder, files)
        lines += [f"{folder / d.path}: {d.why}: {write.REASONS[d.why]}" for d in differences]
        counts["differences"] = len(differences)
        return Exit.DIFFERENT if differences else Exit.FINE
    done = write.write(folder, files, force=allowed[0], prune_data=allowed[1])
    lines += [f"{folder / path}: written" for path in done.written]
    lines += [f"{folder / path}: removed, nothing renders it any more" for path in done.removed]
    counts |= {"written": len(done.written), "removed": len(done.removed), "unchanged": done.unchanged}
    return Exit.FINE


def as_stream(texts: Sequence[str]) -> str:
    """Documents as one YAML stream; one alone needs no separator."""
    return texts[0] if len(texts) == 1 else "".join(f"---\n{text}" for text in texts)

"""``mcpctl diff``: what a change of specs does to the tree, with consequences."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from renderer.cli.options import (
    FOLDER,
    format_option,
    kustomization_option,
    paths_argument,
    policy_option,
    project,
    quiet_option,
    render_options,
    target_option,
    target_options,
)
from renderer.cli.runs import environment_option, rendered, run_alone, runs_of, templates_option, with_templates
from renderer.cli.streams import colored, emit, print_report, working
from renderer.errors import Exit, UsageMistake, exit_code
from renderer.later import later
from renderer.project import same_paths
from renderer.report import Report

if TYPE_CHECKING:
    from renderer import layout, pipeline
    from renderer.diff import compare, git, markdown
    from renderer.diff import text as _text
    from renderer.policy import Levels
else:
    pipeline = later("renderer.pipeline")  # 80 ms, which help does not need
    layout = later("renderer.layout")  # 2 ms, as well
    compare = later("renderer.diff.compare")  # 10 ms, as well
    git = later("renderer.diff.git")  # 5 ms, which only --base needs
    markdown = later("renderer.diff.markdown")  # 5 ms, which few runs need
    _text = later("renderer.diff.text")  # 25 ms, as well

#: Of a line by its beginning.
_COLORS = ((r"(?! )", 1), (r"    \+ ", 32), (r"    - ", 31), (r"    @ ", 36))


@click.command(
    epilog="""\b
Examples:
  mcpctl diff specs/ --out deploy/
  mcpctl diff specs/ --out deploy/ --base origin/main
  mcpctl diff specs/ environments/ --out deploy/ --base origin/main --format markdown
  mcpctl diff specs/ environments/ --out deploy/ --environments
  mcpctl diff specs/ --out deploy/ --base "$(git merge-base origin/main HEAD)" --format json
""",
)
@paths_argument
@click.option(
    "--out",
    type=FOLDER,
    metavar="DIR",
    help="Tree to compare with, as 'mcpctl render --out DIR' wrote it.",
)
@click.option(
    "--base",
    metavar="REV",
    help="Compare with the tree of this git revision, and read its specs too: changes that come from a new version "
    "of mcpctl are then listed apart from changes of specs.",
)
@click.option(
    "--environments",
    "matrix",
    is_flag=True,
    help="Also list the fields that differ between environments, as a table.",
)
@format_option(
    ("json", "markdown", "text"), "Format: text for a terminal, markdown for a pull request, json for programs."
)
@target_option
@target_options
@environment_option
@kustomization_option
@templates_option
@policy_option
@quiet_option
def diff(
    paths: tuple[str, ...],
    out: Path | None,
    base: str | None,
    matrix: bool,
    style: str,
    target_name: str,
    environments: tuple[str, ...],
    kustomization: bool,
    templates: str | None,
    levels: Levels,
    quiet: bool,
    **rendering: Any,
) -> int:
    """Show what a change of specs does to a tree: what changes, why, and with which consequences.

    PATHS are files, folders or - for stdin. The differences go to stdout, problems to stderr; nothing is written. The
    exit code is 1 if anything differs, even a comment. No secret is shown.
    """
    known = project()
    out = out or (Path(known.out) if known and known.out else None)
    if out is None:
        raise click.UsageError("--out DIR is missing: name the tree that 'mcpctl render --out DIR' wrote")
    options = render_options(rendering)
    revision = None if base is None else git.revision(base, out)
    alone = run_alone(target_name, options._replace(kustomization=kustomization), levels)
    runs = runs_of(paths, environments, alone, several=True)
    runs[0] = runs[0]._replace(specs=with_templates(runs[0].specs, templates))
    if matrix and sum(run.environment is not None for run in runs) < 2:
        raise UsageMistake("--environments compares environments: name several, or add their files to PATHS")
    outputs = [rendered(run, run.target) for run in runs]
    problems = pipeline.problems_of(outputs)
    if code := exit_code(problems):
        print_report(Report("diff", problems, {}), "text", quiet=quiet, stdout=False)
        return code
    base_specs = compare.at_base(revision, paths, runs, out, known) if revision else None
    root = Path(known.file).parent if known and known.out and same_paths([os.fspath(out)], [known.out]) else None
    # As in render: a part of the input covers nothing else, and what other specs describe is not removed.
    in_project = known is not None and bool(known.specs)
    part = "-" in paths or (known is not None and in_project and not same_paths(paths, known.paths))
    elsewhere = None if in_project or part else layout.Elsewhere(out, paths)

    def is_left(*document: Any) -> bool:
        return part or bool(elsewhere and elsewhere.file(*document))

    with working(f"comparing with {out}"):
        comparison = compare.compare(runs, outputs, out, base_specs, every=not environments, root=root, is_left=is_left)
    if matrix:
        comparison = compare.with_matrix(comparison, runs)
    as_text = {"json": _text.as_json, "text": _text.as_text}.get(style) or markdown.as_markdown
    text = as_text(comparison)
    # New lines green, removed ones red, paths cyan, headlines bold, as in git.
    for start, color in _COLORS if style == "text" and colored(sys.stdout) else ():
        text = re.sub(rf"^{start}.+$", f"\x1b[{color}m\\g<0>\x1b[0m", text, flags=re.MULTILINE)
    emit(text)
    return Exit.DIFFERENT if _text.different(comparison) else Exit.FINE

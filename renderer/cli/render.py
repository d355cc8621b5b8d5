"""``mcpctl render``: specs in, manifests or a compose file out."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from renderer.cli.options import (
    FOLDER,
    output_option,
    paths_argument,
    policy_option,
    project,
    provider_has_a_cluster,
    quiet_option,
    render_options,
    target_option,
    target_options,
    tree_options,
    watch_option,
)
from renderer.cli.runs import (
    count_remotes,
    environment_option,
    locked_option,
    nothing_deployed,
    rendered,
    run_alone,
    runs_of,
    templates_option,
    with_locked,
    with_templates,
)
from renderer.cli.streams import again_if, as_stream, emit, print_report
from renderer.errors import Exit, errors_in, exit_code
from renderer.later import later
from renderer.project import Project, same_paths
from renderer.report import Report

if TYPE_CHECKING:
    from renderer import pipeline
    from renderer.pipeline import Output, Run
    from renderer.policy import Levels
else:
    pipeline = later("renderer.pipeline")  # 80 ms, which help does not need


@click.command(
    epilog="""\b
Examples:
  mcpctl render github.yaml | kubectl apply -f -
  mcpctl render --target compose github.yaml | docker compose -f - up -d
  mcpctl render specs/ --out deploy/
  mcpctl render specs/ --out deploy/ --check
  mcpctl render specs/ --out deploy/ --check --output github
  mcpctl render specs/ --out deploy/ --prune
  mcpctl render specs/ environments/ --out deploy/
  mcpctl render specs/ environments/ --environment production | kubectl apply -f -
  mcpctl render specs/ --templates templates
  mcpctl render specs/ --out deploy/ --watch
  mcpctl render specs/ --locked
""",
)
@paths_argument
@target_option
@target_options
@environment_option
@click.option(
    "--out",
    type=FOLDER,
    help="Write a tree of files, DIR/<target>/<server>/<object>.yaml, instead of a stream to stdout; with "
    "environments DIR/<environment>/<target>/….",
    metavar="DIR",
)
@tree_options
@templates_option
@policy_option
@output_option
@quiet_option
@watch_option
@locked_option
@click.option("--verbose", "-v", is_flag=True, help="With --out, print a line for each file written or removed.")
def render(
    paths: tuple[str, ...],
    target_name: str,
    environments: tuple[str, ...],
    out: pathlib.Path | None,
    check: bool,
    force: bool,
    levels: Levels,
    prune: bool,
    prune_data: bool,
    kustomization: bool,
    allow_empty: bool,
    templates: str | None,
    style: str,
    quiet: bool,
    verbose: bool,
    watch: bool,
    locked: bool,
    **rendering: Any,
) -> int:
    """Render specs into checked manifests or a compose file.

    PATHS are files, folders or - for stdin. Manifests go to stdout, or with --out into a tree;
    problems go to stderr. With any error nothing is written.
    """
    known = project()
    typed = click.get_current_context().meta["paths typed"]
    # Standard input may be a part of anything.
    whole = not environments and "-" not in paths and (not known or not known.specs or same_paths(paths, known.paths))
    out = pathlib.Path(known.out) if known and known.out and out is None and not typed else out
    out = None if out is not None and os.fspath(out) == "-" else out
    again_if(watch, paths, out)
    if known and known.prune and known.specs and whole and out is not None and not check:
        prune = True
    allowed = (force, prune, prune_data, allow_empty)
    # A project says what its whole input is; elsewhere the sources named in the trees do.
    named = known is not None and out is not None and bool(known.out) and same_paths([os.fspath(out)], [known.out])
    root = pathlib.Path(known.file).parent if known and named and whole else None
    paths_outside = () if known and known.specs else paths
    trees = None
    if out is not None:
        from renderer.cli.tree import Allowed, Trees  # 10 ms, and a stream needs none of it

        trees = Trees(out, check, Allowed(*allowed), whole=whole, paths=paths_outside, quiet=quiet, root=root)
    elif check or kustomization or any(allowed):
        flags = "--check, --force, --prune, --prune-data, --kustomization and --allow-empty"
        raise click.UsageError(f"{flags} go with --out DIR")
    options = render_options(rendering, one_stream=out is None)
    alone = run_alone(target_name, options._replace(kustomization=kustomization), levels)
    runs = with_locked(runs_of(paths, environments, alone, several=out is not None), locked)
    _refuse_another_tree(out, known, runs)
    provider_has_a_cluster({run.target for run in runs})
    runs[0] = runs[0]._replace(specs=with_templates(runs[0].specs, templates))
    runs = runs if trees is None else [trees.without_servers(run) for run in runs]
    results = [rendered(run, run.target) for run in runs]
    problems = pipeline.problems_of(results)
    lines = () if errors_in(problems) else nothing_deployed([run.specs for run in runs])
    report = Report("render", problems, count(runs, results), lines)
    code = exit_code(problems)
    if not code and trees is None:
        emit(as_stream([document.text for document in results[0].documents if document.template]))
    elif not code and trees is not None:
        code, report = trees.carry_out(runs, results, report)
    if quiet and code is Exit.FINE:
        report = report._replace(lines=())
    if style != "json" and (quiet or not verbose):
        report = report._replace(files=())
    print_report(report, style, quiet=quiet, stdout=out is not None)
    return code


def _refuse_another_tree(out: pathlib.Path | None, known: Project | None, runs: Sequence[Run]) -> None:
    """A tree without environments among those of environments would be left over for the next run of the project."""
    # What cannot be read may be an environment: that is reported first.
    faulty = errors_in(runs[0].specs.problems)
    if not out or not known or not known.environments or runs[0].environment or faulty:
        return
    if known.out and same_paths([os.fspath(out)], [known.out]):
        raise click.UsageError(
            f"{out} is the tree of the project's environments, and PATHS name none of them: "
            f"add {' '.join(known.environments)}, or write to another --out"
        )


def count(runs: Sequence[Run], results: Sequence[Output]) -> dict[str, int]:
    counts = {"environments": sum(run.environment is not None for run in runs)} if runs[0].environment else {}
    servers, documents = (len(run.specs.servers) for run in runs), (len(result.documents) for result in results)
    remotes = count_remotes([run.specs for run in runs])
    return {**counts, "servers": sum(servers), **remotes, "documents": sum(documents)}

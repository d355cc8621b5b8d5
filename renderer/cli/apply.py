"""``mcpctl apply``: specs, or a tree of rendered files, applied to the runtime; then waits."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from renderer.cli.follow import follow, options_for, specs_for
from renderer.cli.options import (
    network_policy_provider_option,
    optional_paths_argument,
    policy_option,
    project,
    provider_has_a_cluster,
    version_options,
)
from renderer.cli.ready import emit_json, failure, statuses_of, until_ready
from renderer.cli.runs import count_remotes, environment_option, locked_option, nothing_deployed, rendered, with_locked
from renderer.cli.runtime import (
    confirm_with,
    env_file_option,
    fail_fast_option,
    has_client,
    instances_of,
    output_option,
    progress,
    refuse_unasked,
    runtime_options,
    show_place,
    timeout_option,
    wait_option,
    yes_option,
)
from renderer.cli.streams import emit, print_report
from renderer.cli.tables import show
from renderer.errors import Exit, McpctlError, Problem, exit_code
from renderer.later import later
from renderer.model import Rendered
from renderer.orchestrators import create_orchestrator
from renderer.orchestrators.contract import Applied, ApplyOptions, InstanceFilters, InstanceStatus, Orchestrator
from renderer.orchestrators.instances import change_line, changes_as_data, failure_text, tally
from renderer.registry import target
from renderer.report import Report, as_data
from renderer.settings import Settings

if TYPE_CHECKING:
    from renderer import tree as _tree
    from renderer.pipeline import Run
else:
    _tree = later("renderer.tree")  # 30 ms, which only --tree needs

DryRun = Literal["none", "client", "server"]


class Plan(NamedTuple):
    """What to apply. ``ids`` None: the servers are looked up by name after the apply."""

    documents: tuple[Rendered, ...]
    problems: tuple[Problem, ...]
    servers: tuple[str, ...]
    ids: tuple[str, ...] | None
    transports: Mapping[str, str]
    env_files: Mapping[str, str]
    folder: str = ""
    #: Besides the configured one.
    namespaces: tuple[str, ...] = ()
    #: For the summary: the number of remote servers, and the line where there are no others.
    remotes: Mapping[str, int] = {}
    lines: tuple[str, ...] = ()
    #: The command that configures a client; unknown for a tree.
    export: str = ""


@click.command(
    epilog="""\b
Examples:
  mcpctl apply github.yaml
  mcpctl apply --orchestrator kubernetes --context kind-dev --namespace mcp specs/ --timeout 10m
  mcpctl apply specs/ environments/ --environment production --context prod
  mcpctl apply --tree deploy/ --owner team-a --prune
  mcpctl apply specs/ --dry-run=server --output json
""",
)
@optional_paths_argument
@click.option(
    "--tree",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Apply the files that mcpctl render --out DIR wrote, as they are, instead of specs. Refused where one of them "
    "is not as it was rendered.",
)
@click.option(
    "--dry-run",
    type=click.Choice(["none", "client", "server"]),
    default="none",
    show_default=True,
    help="Change nothing: compare on this machine, or let the runtime itself judge what it would do.",
)
@click.option("--force-conflicts", is_flag=True, help="Take over fields, and objects, that others manage.")
@click.option(
    "--adopt-namespace",
    is_flag=True,
    help="Manage a namespace that was there before: its labels, policies and quotas; and remove it by 'mcpctl delete'.",
)
@click.option("--prune", is_flag=True, help="Remove what --owner applied before and does not render now.")
@click.option("--owner", default="", metavar="NAME", help="Owner of the objects, for --prune: a team or a repository.")
@env_file_option
@wait_option
@timeout_option
@fail_fast_option
@yes_option
@environment_option
@locked_option
@version_options
@network_policy_provider_option
@policy_option
@output_option
@runtime_options
def apply(
    paths: tuple[str, ...],
    settings: Settings,
    tree: Path | None,
    owner: str,
    prune: bool,
    yes: bool,
    delete_data: bool,
    style: str,
    dry_run: DryRun,
    force_conflicts: bool,
    adopt_namespace: bool,
    env_file: str | None,
    timeout: float,
    **more: Any,
) -> int:
    """Render, check and apply specs, then wait until every server answers MCP.

    PATHS are files, folders or - for stdin; without any those of the project. With any error in them nothing is
    applied. Where it is applied is shown first. MCP is spoken by the extra 'mcp' (pip install 'mcpctl-renderer[mcp]');
    without it the wait ends when the servers run. Exit codes: 5 something was refused or cannot start, 6 the time was
    over, 130 interrupted.
    """
    known = None if paths or tree else project()
    paths = known.paths if known else paths
    if bool(paths) == bool(tree):
        raise click.UsageError("give PATHS of specs, or --tree DIR")
    if tree and more["locked"]:
        raise click.UsageError("--locked is for specs: a tree was rendered already, with or without it")
    if prune and not owner:
        raise click.UsageError("--prune removes what --owner NAME applied before: say whose objects these are")
    if prune and dry_run == "none":
        refuse_unasked(yes, "--prune")
    with_env = {"": env_file} if env_file else {}
    orchestrator, plan, code = _planned(paths, tree, settings, style, with_env, more)
    if code:
        return code
    env_files = plan.env_files
    options = ApplyOptions(owner, dry_run, force_conflicts, prune, timeout, env_files, plan.folder, adopt_namespace)
    options = options._replace(namespaces=plan.namespaces)
    run = _Run(orchestrator, plan, style, options)
    if plan.lines and not prune:
        return run.nothing()
    return run.all(confirm_with(yes, delete_data), wait=more["wait"], fail_fast=more["fail_fast"])


def _planned(
    paths: Sequence[str],
    tree: Path | None,
    settings: Settings,
    style: str,
    env_files: Mapping[str, str],
    more: Mapping[str, Any],
) -> tuple[Orchestrator, Plan, Exit]:
    """With errors the runtime is not called."""
    if tree:
        plan, settings = _of_tree(tree, settings, env_files, more)
    else:
        plan, settings = _of_specs(paths, settings, env_files, more)
    code = exit_code(plan.problems)
    counts = {"servers": len(plan.servers), **plan.remotes, "documents": len(plan.documents)}
    if code or style == "text":
        print_report(Report("apply", plan.problems, counts, plan.lines), style, quiet=False, stdout=True)
    orchestrator = create_orchestrator(settings.config)
    if not code:
        show_place(orchestrator)
    return orchestrator, plan, code


def _of_specs(
    paths: Sequence[str], settings: Settings, env_files: Mapping[str, str], more: Mapping[str, Any]
) -> tuple[Plan, Settings]:
    run, settings = specs_for(paths, more["environments"], settings, more, more["levels"])
    (run,) = with_locked([run], more["locked"])
    servers = run.specs.servers
    output = rendered(run, run.target)
    names = tuple(server.name for server in servers)
    places = tuple(server.namespace if run.target == "kubernetes" else None for server in servers)
    ids = tuple(f"{p}/{s.resource_name}" if p else s.resource_name for p, s in zip(places, servers, strict=True))
    others = tuple(sorted({name for server in servers for name in server.other_namespaces}))
    transports = {server.name: server.transport.type for server in servers}
    plan = Plan(output.documents, output.problems, names, ids, transports, env_files, "", others)
    remotes, lines = count_remotes([run.specs]), nothing_deployed([run.specs])
    return plan._replace(remotes=remotes, lines=lines, export=_export(paths, run)), settings


def _export(paths: Sequence[str], run: Run) -> str:
    """Without an environment, for clients on this machine; empty for specs from stdin."""
    if "-" in paths:
        return ""
    words = ["mcpctl", "export", "client", "--client", "NAME", *paths]
    if run.environment:
        words += ["--environment", run.name]
    elif run.target == "kubernetes":
        words += ["--local", "--target", "kubernetes", "--namespace", run.options.namespace]
    else:
        words += ["--local"]
    return shlex.join(words)


def _of_tree(
    folder: Path, settings: Settings, env_files: Mapping[str, str], more: Mapping[str, Any]
) -> tuple[Plan, Settings]:
    if more["environments"]:
        raise click.UsageError("--environment is for specs: with --tree, name the folder of the environment")
    files = _tree.kept(folder, create_orchestrator(settings.config).target, options_for(settings, more))
    provider_has_a_cluster({files.target})
    if files.record:
        settings = follow(settings, files.target, files.options.namespace, files.record)
    tree = _tree.read_tree(files, target(files.target), more["levels"])
    env_files = {**tree.env_files, **env_files}
    # A tree of another namespace altogether is applied with that one alone.
    home, others = settings.config.kubernetes.namespace, _tree.namespaces_in(files.texts)
    besides = tuple(name for name in others if name != home) if files.record or home in others else ()
    plan = Plan(tree.documents, tree.problems, tree.servers, None, {}, env_files, str(files.folder), besides)
    return plan, settings


class _Run(NamedTuple):
    orchestrator: Orchestrator
    plan: Plan
    style: str
    options: ApplyOptions

    def all(self, confirm: Any, *, wait: bool, fail_fast: bool) -> int:
        """Applies, waits, prints; in JSON also after a failure."""
        applied, statuses, ids = Applied(()), tuple[InstanceStatus, ...](), tuple[str, ...]()
        if wait and self.options.dry_run == "none":
            has_client()
        try:
            applied = self.orchestrator.apply(self.plan.documents, self.options, progress, confirm)
            self._report(applied)
            ids = self._ids() if self.options.dry_run == "none" else ()
            if wait and ids:
                seconds, transports = self.options.seconds, self.plan.transports
                statuses = until_ready(self.orchestrator, ids, transports, seconds, fail_fast)
            else:
                statuses = statuses_of(self.orchestrator, ids)
        except McpctlError as error:
            if self.style == "json":
                statuses = statuses_of(self.orchestrator, ids)
                self._emit_json(applied, statuses, error.message)
            raise
        if self.style == "json":
            self._emit_json(applied, statuses)
        elif self.options.dry_run != "none":
            emit("".join(f"{change_line(change)}\n" for change in applied.changes))
        else:
            show(statuses, time.time())
            if self.plan.export and statuses:
                progress(f"to configure a client: {self.plan.export}")
        return Exit.FINE

    def nothing(self) -> int:
        if self.style == "json":
            self._emit_json(Applied(()), ())
        return Exit.FINE

    def _report(self, applied: Applied) -> None:
        """Counts, and objects that were kept; raises after a failure."""
        dry = " (dry run: nothing was changed)" if self.options.dry_run != "none" else ""
        if applied.failed:
            raise failure(f"{failure_text(applied)} ({tally(applied)}){dry}")
        for change in applied.changes:
            if change.outcome == "not tried":
                progress(change_line(change))
        progress(f"{tally(applied)}{dry}")

    def _ids(self) -> tuple[str, ...]:
        if self.plan.ids is not None:
            return self.plan.ids
        if not self.plan.servers:  # as a filter, no names are all servers
            return ()
        filters = InstanceFilters(servers=self.plan.servers)
        return tuple(status.id for status in instances_of(self.orchestrator, filters))

    def _emit_json(self, applied: Applied, statuses: Sequence[InstanceStatus], error: str = "") -> None:
        report = as_data(Report("apply", self.plan.problems, {}))
        facts: dict[str, object] = {
            "orchestrator": self.orchestrator.name,
            "where": self.orchestrator.where(),
            "dryRun": self.options.dry_run,
            "changes": changes_as_data(applied),
            **{name: report[name] for name in ("errors", "warnings", "problems")},
        }
        emit_json("apply", facts, statuses, error)

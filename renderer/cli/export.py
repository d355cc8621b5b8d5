"""``mcpctl export``: files of clients, and resources of operators."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click

from renderer.cli.options import namespace_option, paths_argument, quiet_option, render_options, text_or_json
from renderer.cli.outcomes import as_lines, facts
from renderer.cli.runs import environment_option, run_alone, runs_of
from renderer.cli.streams import emit, emit_data, print_report, say
from renderer.errors import Exit, UsageMistake, errors_in, excerpt
from renderer.exporters.client import CLIENTS, configuration
from renderer.exporters.endpoints import endpoint_of
from renderer.exporters.formats import FORMATS, Export, Format
from renderer.importers.draft import Entry, Outcome
from renderer.model import JSON, Server
from renderer.pipeline import Run
from renderer.registry import TARGETS
from renderer.report import Report
from renderer.wording import suggestion
from renderer.yaml_writer import block

strict_option = click.option("--strict", is_flag=True, help="Exit with 3 where something of the specs cannot be said.")
output_option = text_or_json("The documents alone, with the report on stderr; or both as data.")


class _Forms(click.Group):
    """As the commands of mcpctl itself: with whole summaries, and with what there is for an unknown name."""

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands[name].get_short_help_str(400)) for name in sorted(self.commands)])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in self.commands:
            hint = suggestion(cmd_name, self.commands) or f"; there is: {', '.join(sorted(self.commands))}"
            raise click.UsageError(f"no export is called {excerpt(cmd_name)!r}{hint}", ctx)
        return self.commands[cmd_name]


@click.group(
    "export",
    cls=_Forms,
    invoke_without_command=True,
    epilog="""\b
Examples:
  mcpctl export client --client cursor specs/ --local > .cursor/mcp.json
  mcpctl export toolhive specs/ | kubectl apply -f -
""",
)
@click.pass_context
def export(context: click.Context) -> None:
    """Write what others read of servers: the files of clients, and the resources of operators."""
    if context.invoked_subcommand is None:
        emit(f"{context.get_help()}\n")


@export.command(
    "client",
    epilog=f"""\b
Clients: {", ".join(CLIENTS)}
Examples:
  mcpctl export client --client vscode specs/ --local > .vscode/mcp.json
  mcpctl export client --client cursor specs/ environments/ --environment production > .cursor/mcp.json
""",
)
@paths_argument
@click.option("--client", "name", type=click.Choice(list(CLIENTS)), required=True, help="Who reads the file.")
@click.option(
    "--local",
    is_flag=True,
    help="For clients on this machine: the port that compose publishes, or that of a kubectl port-forward.",
)
@click.option(
    "--target",
    "-t",
    "target_name",
    type=click.Choice(sorted(TARGETS)),
    help="Where the servers run, unless an environment says it.  [default: kubernetes; with --local compose]",
)
@namespace_option
@environment_option
@strict_option
@output_option
@quiet_option
def client(
    paths: tuple[str, ...],
    name: str,
    local: bool,
    target_name: str | None,
    namespace: str,
    environments: tuple[str, ...],
    strict: bool,
    style: str,
    quiet: bool,
) -> int:
    """Write a client's configuration of the servers: where each is, never the value of a secret.

    PATHS are files, folders or - for stdin. The file goes to stdout, to be merged into the client's own; where each
    server is reached, what has to be set, and which servers no client can reach go to stderr.
    """
    run = _run(paths, target_name or ("compose" if local else "kubernetes"), namespace, environments, quiet)
    if isinstance(run, Exit):
        return run
    servers = [(server, endpoint_of(server, run.target, run.options, local=local)) for server in _servers(run)]
    written = configuration(name, servers)
    if style == "json":
        _emit_json("export client", written.entries, file=CLIENTS[name].file, text=written.text)
    else:
        emit(written.text)
        _report(written.entries, quiet)
    return _code(written.entries, strict)


def _add(name: str, form: Format) -> None:
    @export.command(
        name,
        help=f"Write {form.about}, with a report of what it cannot say.",
        short_help=form.about,
        epilog=f"\b\nExamples:\n  mcpctl export {name} specs/",
    )
    @paths_argument
    @namespace_option
    @environment_option
    @strict_option
    @output_option
    @quiet_option
    def command(
        paths: tuple[str, ...],
        namespace: str,
        environments: tuple[str, ...],
        strict: bool,
        style: str,
        quiet: bool,
    ) -> int:
        run = _run(paths, "kubernetes", namespace, environments, quiet)
        if isinstance(run, Exit):
            return run
        if run.target != "kubernetes":
            raise UsageMistake(f"environment {run.name} is for {run.target}, and {name} is for a cluster")
        # Imported only when used.
        make: Export = import_module(f"renderer.exporters.{form.module}").export
        exported = [make(server, run.options) for server in _servers(run)]
        entries = [entry for each in exported for entry in each.entries]
        documents: list[Any] = [document for each in exported for document in each.documents]
        if style == "json":
            _emit_json(f"export {name}", entries, documents=documents)
        else:
            emit("".join(map(_TEXTS[form.style], documents)))
            _report(entries, quiet)
        return _code(entries, strict)


for _name, _form in FORMATS.items():
    _add(_name, _form)


def _run(paths: Sequence[str], target: str, namespace: str, environments: Sequence[str], quiet: bool) -> Run | Exit:
    """The specs in one environment, or as they are; the exit code where they have errors."""
    options = render_options({"namespace": namespace, "create_namespace": False})
    (run,) = runs_of(paths, environments, run_alone(target, options, {}), several=False)
    if errors_in(run.specs.problems):
        print_report(Report("export", run.specs.problems, {}), "text", quiet=quiet, stdout=False)
        return Exit.INPUT_INVALID
    return run


def _servers(run: Run) -> list[Server]:
    return sorted((*run.specs.servers, *run.specs.remotes), key=lambda server: server.name)


#: By the style of a form: one document.
_TEXTS: dict[str, Callable[[Any], str]] = {
    "yaml": lambda document: f"---\n{block(document, 0)}\n",
    "json": lambda document: f"{json.dumps(document, indent=2, ensure_ascii=False)}\n",
}


def _emit_json(command: str, entries: Sequence[Entry], **more: JSON) -> None:
    emit_data({"command": command, **more, "fields": [facts(entry) for entry in entries]})


def _report(entries: Sequence[Entry], quiet: bool) -> None:
    """Decisions and losses; all entries unless ``quiet``."""
    kept = [entry for entry in entries if not quiet or entry.outcome in (Outcome.DECISION, Outcome.LOST)]
    say("".join(f"{line}\n" for line in as_lines(kept)))


def _code(entries: Sequence[Entry], strict: bool) -> Exit:
    lost = any(entry.outcome is Outcome.LOST and not entry.harmless for entry in entries)
    return Exit.INPUT_INVALID if strict and lost else Exit.FINE

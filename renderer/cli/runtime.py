"""Shared by the commands of running servers: settings as options, questions, durations, the MCP check."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from types import FrameType
from typing import Any, TypeVar

import click

from renderer.cli.options import project, text_or_json
from renderer.cli.streams import ReaderLeft, delivered, emit_data, print_report, say
from renderer.command import ACCESS_TOKEN
from renderer.errors import ApplyFailed, McpctlError, UsageMistake, WaitTimedOut, excerpt, noting
from renderer.orchestrators import create_orchestrator, mcp_check
from renderer.orchestrators.contract import (
    Confirm,
    Handshake,
    InstanceFilters,
    InstancePage,
    InstanceState,
    InstanceStatus,
    Orchestrator,
)
from renderer.report import LONGEST, Report, as_data
from renderer.settings import Field, Settings, fields, load_settings
from renderer.wording import did_you_mean

Command = TypeVar("Command", bound=Callable[..., Any])
#: Seconds for one MCP handshake.
HANDSHAKE_SECONDS = 10.0
#: What is typed before data is removed.
DATA_WORD = "delete data"
_UNITS = {"s": 1, "m": 60, "h": 3600}
#: Commands that change what runs, and the note of a defect in them: each change has been printed.
_CHANGING = ("apply", "start", "stop", "restart", "delete")
_NOTE = "the changes made before it are listed above"
#: Commands whose JSON is a stream or a list: an incomplete one shows that the run failed.
_STREAMS = ("logs", "list")
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def duration(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """``90s``, ``5m``, ``1h30m``, or seconds alone; in seconds."""
    parts = re.findall(r"(\d{1,6})([smh])", value)
    if re.fullmatch(r"\d{1,6}", value):
        parts = [(value, "s")]
    elif not parts or "".join(map("".join, parts)) != value:
        raise click.BadParameter(f"{excerpt(value)!r} is not a duration; write 90s, 5m or 1h30m")
    seconds = float(sum(int(number) * _UNITS[unit] for number, unit in parts))
    if not seconds:
        raise click.BadParameter("must be more than 0")
    return seconds


timeout_option = click.option(
    "--timeout",
    metavar="DURATION",
    callback=duration,
    default="5m",
    show_default=True,
    help="How long to wait until every server answers: 90s, 5m, 1h30m.",
)


def runtime_options(command: Command) -> Command:
    """An option for each setting, and --config; the command gets ``settings``."""

    @wraps(command)
    def with_settings(*arguments: Any, **options: Any) -> Any:
        file = options.pop("config_file")
        typed = {field.option: options.pop(_parameter(field)) for field in fields()}
        try:
            with ended_whole():
                settings = load_settings(typed, file=file)
                if settings.problems:
                    print_report(Report("", settings.problems, {}), "text", quiet=False, stdout=False)
                changing = click.get_current_context().info_name in _CHANGING
                with noting(lambda: _NOTE) if changing else nullcontext():
                    return command(*arguments, settings=settings, **options)
        except McpctlError as error:
            if options.get("style") == "json":
                _emit_failure(error)
            raise

    wrapped: Any = with_settings
    for field in reversed(fields()):
        wrapped = _option(field)(wrapped)
    text = "Configuration file.  [default: mcpctl.yaml, .yml or .json, found upwards from here]"
    made: Command = click.option("--config", "config_file", metavar="FILE", help=text)(wrapped)
    return made


def _emit_failure(error: McpctlError) -> None:
    """For programs, which read one document; not for streams, or after data was written."""
    name = click.get_current_context().info_name or ""
    if name in _STREAMS or delivered():
        return
    with suppress(ReaderLeft):  # the exit code remains
        emit_data({**as_data(Report(name, error.problems, {})), "error": error.message})


def _parameter(field: Field) -> str:
    return "setting_" + "_".join(field.path[1:]).lower()


def _option(field: Field) -> Callable[[Any], Any]:
    names = [_parameter(field), field.option]
    if field.option == "--namespace":
        names.append("-n")
    if field.type == "boolean":
        names[1] = f"{field.option}/--no-{field.option.removeprefix('--')}"
    kind: Any = {"integer": int, "boolean": bool}.get(field.type, str)
    kind = click.Choice(field.choices) if field.choices else kind
    metavar = field.path[-1].upper() if field.type == "string" and not field.choices else None
    text = f"{field.description}  [{field.variable}]"
    return click.option(*names, type=kind, default=None, help=text, metavar=metavar)


output_option = text_or_json("Format: text for a terminal, json for programs.")
env_file_option = click.option(
    "--env-file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="For docker: values of secrets, one NAME=value per line, added to the environment.",
)
wait_option = click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until every server answers.")
fail_fast_option = click.option(
    "--fail-fast", is_flag=True, help="Also stop waiting where another has to act: for a node, a Secret, quota."
)


def yes_option(command: Command) -> Command:
    data = "Also remove volumes with their data, and whole namespaces and definitions of custom resources."
    yes = "Do not ask before something is removed. Data needs --delete-data as well."
    command = click.option("--delete-data", is_flag=True, help=f"{data} Asks once more unless --yes is given.")(command)
    return click.option("--yes", "-y", is_flag=True, help=yes)(command)


def orchestrator_of(settings: Settings) -> Orchestrator:
    """The runtime of the settings; prints where it runs before anything else happens."""
    orchestrator = create_orchestrator(settings.config)
    show_place(orchestrator)
    return orchestrator


def show_place(orchestrator: Orchestrator) -> None:
    progress(f"{orchestrator.name}: {orchestrator.where()}")


def progress(line: str) -> None:
    text = excerpt(line, LONGEST)
    say(f"{' ' if text.startswith('::') else ''}{text}\n")


def on_terminal() -> bool:
    streams = (sys.stdin, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def refuse_unasked(yes: bool, command: str) -> None:
    """Before anything happens, where no user can answer."""
    if not yes and not on_terminal():
        raise UsageMistake(f"{command} asks before it removes anything, and there is no terminal to ask on; add --yes")


def confirm_with(yes: bool, delete_data: bool) -> Confirm:
    """Lists what would be removed, and asks. Data, namespaces and definitions have a question of their own."""

    def confirm(objects: Sequence[str], data: bool) -> bool:
        progress(f"to be removed, {'with all data in it' if data else 'without data'}:")
        for name in objects:
            progress(f"  {name}")
        if yes and (delete_data or not data):
            return True
        if not on_terminal():
            options = "--delete-data and --yes" if data else "--yes"
            progress(f"kept: there is no terminal to ask on; add {options}")
            return False
        if not data:
            return click.confirm("Remove them?", err=True)
        typed = click.prompt(f"This cannot be undone. Type '{DATA_WORD}' to remove them", default="", err=True)
        return bool(typed.strip() == DATA_WORD)

    return confirm


def instances_of(orchestrator: Orchestrator, filters: InstanceFilters) -> Iterator[InstanceStatus]:
    page = InstancePage(())
    while True:
        page = orchestrator.list_instances(filters, page.next)
        yield from page.instances
        if not page.next:
            return


def remote_instances(names: Collection[str] = (), labels: Mapping[str, str] | None = None) -> list[InstanceStatus]:
    """Remote servers of the project, for lists: in each environment that has them, with the address there.

    None without a project, or for specs with errors, which ``validate`` lists.
    """
    known = project()
    if not known or not known.specs:
        return []
    from renderer import pipeline  # 80 ms with Jinja, which only a project with specs pays

    inputs = pipeline.read_inputs(known.paths)
    patched = any("remote" in patch.data for environment in inputs.environments for patch in environment.patches)
    inputs = inputs._replace(
        sources=tuple(source for source in inputs.sources if patched or source.sets("spec", "remote"))
    )
    if not inputs.sources:
        return []
    several = {run.name: run.specs for run in pipeline.runs_for(inputs, inputs.environments)}
    if not inputs.environments:
        several = {"": pipeline.plain(inputs)}
    statuses = []
    for environment, specs in several.items():
        for server in specs.remotes:
            fits = all(server.labels.get(key) == value for key, value in (labels or {}).items())
            if server.remote and fits and (not names or server.name in names):
                address, state = server.remote.address, InstanceState.REMOTE
                statuses.append(InstanceStatus(server.name, server.name, environment, state, 0, 0, endpoint=address))
    return statuses


def identify(orchestrator: Orchestrator, name: str) -> str:
    """The instance id for the name of a server, or for an id. ApplyFailed with a suggestion for any other."""
    named = [status.id for status in instances_of(orchestrator, InstanceFilters(servers=(name,)))]
    if named:
        return named[0]
    known: dict[str, str] = {}
    for status in instances_of(orchestrator, InstanceFilters()):
        known |= {status.id: status.id, status.server: status.id}
    if name in known:
        return known[name]
    near = did_you_mean(name, sorted(known))
    hint = f"did you mean '{excerpt(near)}'?" if near else "see mcpctl list"
    raise ApplyFailed(f"no server is called '{excerpt(name)}' in {orchestrator.where()}; {hint}")


def has_client() -> bool:
    """Whether the MCP SDK is installed; prints advice where it is missing."""
    if mcp_check.installed():
        return True
    text = "the MCP SDK is missing, so servers are not asked over MCP and the best state is 'running'"
    progress(f"{text}; pip install '{mcp_check.EXTRA}'")
    return False


def with_answer(orchestrator: Orchestrator, status: InstanceStatus) -> InstanceStatus:
    """READY where it answers MCP; else unchanged, with the reason."""
    if status.state is not InstanceState.RUNNING or not status.endpoint:
        return status
    try:
        return ask(orchestrator, status, {})
    except (ApplyFailed, WaitTimedOut) as error:
        words = [status.reason] if status.reason else []
        return status._replace(reason="; ".join([*words, f"does not answer MCP: {error.message}"]))


def ask(orchestrator: Orchestrator, status: InstanceStatus, transports: Mapping[str, str]) -> InstanceStatus:
    """READY, with its answer; unchanged where its guard is in order and no token gets past it.

    Raises as the handshake, and as the check of a guard.
    """
    transport, guard = transports.get(status.server, ""), status.guard

    def handshake(url: str) -> Handshake:
        # No runtime says what a server speaks; a path of SSE ends so by convention.
        sse = transport == "sse" or (not transport and url.rstrip("/").endswith("/sse"))
        if guard is None:
            return mcp_check.handshake(url, "sse" if sse else "streamable-http", HANDSHAKE_SECONDS)
        mcp_check.check_guard(url, guard, HANDSHAKE_SECONDS)
        if kept := mcp_check.unfit(token, guard, url, time.time()) if token else "is not set":
            raise mcp_check.Guarded(f"the guard asks for a token, as it should; {ACCESS_TOKEN} {kept}")
        mcp_check.check_token(url, token, HANDSHAKE_SECONDS)
        return mcp_check.handshake(url, "streamable-http", HANDSHAKE_SECONDS, token)

    token = os.environ.get(ACCESS_TOKEN, "").strip()
    try:
        answer = orchestrator.reach(status.id, handshake)
    except mcp_check.Guarded as stopped:
        if guard is None:
            raise
        return status._replace(reason=stopped.message)
    return status._replace(state=InstanceState.READY, reason="", handshake=answer)


class Ended(KeyboardInterrupt):
    """The argument is the number of the signal."""


@contextmanager
def ended_whole() -> Iterator[None]:
    """A signal, as of a closed terminal or a supervisor, ends a run as Ctrl-C does.

    The programs that we started are in groups of their own: only this process ends them, so it must not die first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        # What nohup ignores stays ignored.
        if handler is signal.SIG_DFL:
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    raise Ended(number)

"""What the commands of a running server share: settings as options, questions, durations, the check of life."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import wraps
from types import FrameType
from typing import Any, TypeVar

import click

from renderer.cli.options import text_or_json
from renderer.cli.streams import ReaderLeft, delivered, emit_data, say, tell
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
from renderer.report import LONGEST, Report, as_json
from renderer.settings import Field, Settings, fields, load_settings
from renderer.wording import did_you_mean

Command = TypeVar("Command", bound=Callable[..., Any])
#: Seconds for one MCP handshake.
HANDSHAKE_SECONDS = 10.0
#: What is typed before data is removed.
DATA_WORD = "delete data"
_UNITS = {"s": 1, "m": 60, "h": 3600}
#: Commands that change what runs, and what is known of that when they end by a defect: each change has its line.
_CHANGING = ("apply", "start", "stop", "restart", "delete")
_TOLD = "the changes made before it are listed above"
#: Commands whose JSON has no end, or ends as a list: where it is not whole, the run failed.
_STREAMS = ("logs", "list")
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def duration(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """``90s``, ``5m``, ``1h30m``, or seconds alone; as seconds."""
    parts = re.findall(r"(\d{1,6})([smh])", value)
    if re.fullmatch(r"\d{1,6}", value):
        parts = [(value, "s")]
    elif not parts or "".join(map("".join, parts)) != value:
        raise click.BadParameter(f"{excerpt(value)!r} is no duration; write 90s, 5m or 1h30m")
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
                    tell(Report("", settings.problems, {}), "text", quiet=False, stdout=False)
                changing = click.get_current_context().info_name in _CHANGING
                with noting(lambda: _TOLD) if changing else nullcontext():
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
    """For programs, which read one document; what has begun already ends as it is, and streams of lines have none."""
    name = click.get_current_context().info_name or ""
    if name in _STREAMS or delivered():
        return
    report = json.loads(as_json(Report(name, error.problems, {})))
    with suppress(ReaderLeft):  # the exit code still tells
        emit_data({**report, "error": error.message})


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
    """Both answers beforehand."""
    data = "Also remove volumes with their data, and whole namespaces and definitions of custom resources."
    yes = "Do not ask before something is removed. Data needs --delete-data as well."
    command = click.option("--delete-data", is_flag=True, help=f"{data} Asks once more unless --yes is given.")(command)
    return click.option("--yes", "-y", is_flag=True, help=yes)(command)


def orchestrator_of(settings: Settings) -> Orchestrator:
    """The runtime that the settings name; shown with its place before anything else happens."""
    orchestrator = create_orchestrator(settings.config)
    show_place(orchestrator)
    return orchestrator


def show_place(orchestrator: Orchestrator) -> None:
    """Before anything changes."""
    progress(f"{orchestrator.name}: {orchestrator.where()}")


def progress(line: str) -> None:
    """One line for people, to stderr."""
    text = excerpt(line, LONGEST)
    say(f"{' ' if text.startswith('::') else ''}{text}\n")


def on_terminal() -> bool:
    """Whether somebody can be asked."""
    streams = (sys.stdin, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def refuse_unasked(yes: bool, command: str) -> None:
    """Before anything happens: a question that nobody would hear."""
    if not yes and not on_terminal():
        raise UsageMistake(f"{command} asks before it removes anything, and there is no terminal to ask on; add --yes")


def confirm_with(yes: bool, delete_data: bool) -> Confirm:
    """Shows what would be removed, and asks. Data, namespaces and definitions have a question of their own."""

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
    """Page after page."""
    page = InstancePage(())
    while True:
        page = orchestrator.list_instances(filters, page.next)
        yield from page.instances
        if not page.next:
            return


def identify(orchestrator: Orchestrator, name: str) -> str:
    """The instance id for the name of a server, or for an id itself. ApplyFailed with a suggestion for any other."""
    named = [status.id for status in instances_of(orchestrator, InstanceFilters(servers=(name,)))]
    if named:
        return named[0]
    known: dict[str, str] = {}
    for status in instances_of(orchestrator, InstanceFilters()):
        known |= {status.id: status.id, status.server: status.id}
    if name in known:
        return known[name]
    near = did_you_mean(name, sorted(known))
    hint = f"did you mean '{excerpt(near)}'?" if near else "mcpctl list shows what is there"
    raise ApplyFailed(f"no server is called '{excerpt(name)}' in {orchestrator.where()}; {hint}")


def no_client() -> str:
    """What to do where the MCP client is missing."""
    return (
        "the MCP SDK is missing, so servers are not asked over MCP and the best state is 'running'; "
        f"pip install '{mcp_check.EXTRA}'"
    )


def asked(orchestrator: Orchestrator, status: InstanceStatus, transports: Mapping[str, str]) -> InstanceStatus:
    """READY with what it said where it answers MCP; else as it is, with the reason."""
    if not answers_expected(status):
        return status
    try:
        return ask(orchestrator, status, transports)
    except (ApplyFailed, WaitTimedOut) as error:
        words = [status.reason] if status.reason else []
        return status._replace(reason="; ".join([*words, f"does not answer MCP: {error.message}"]))


def answers_expected(status: InstanceStatus) -> bool:
    """Whether it runs, and something can connect to it."""
    return status.state is InstanceState.RUNNING and bool(status.endpoint)


def ask(orchestrator: Orchestrator, status: InstanceStatus, transports: Mapping[str, str]) -> InstanceStatus:
    """READY, with what it said; as it is where its guard is in order and no token takes us past it.

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
    """By a signal: its number is the argument."""


@contextmanager
def ended_whole() -> Iterator[None]:
    """What ends a run from outside, a closed terminal or a supervisor, ends it as Ctrl-C does.

    Programs that we started are in groups of their own: nobody but us ends them, so we must live to do it.
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

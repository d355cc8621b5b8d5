"""The command line. Only here does a run end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from renderer import __version__
from renderer.cli.streams import ReaderLeft, Watch, choose_color, colored, say
from renderer.errors import Exit, McpctlError, excerpt
from renderer.later import later, patterns_later

if TYPE_CHECKING:
    from renderer import report
else:
    report = later("renderer.report")  # 4 ms, which help does not need

#: In the order of a first use, each with its summary, so that help imports none of them. Each is in the module of its
#: name.
COMMANDS = {
    "init": "Write a first spec of server NAME: valid, with comments on what to add; or the files of a project.",
    "validate": "Check specs: list every problem at once, with file, line and what to do.",
    "render": "Render specs into checked manifests or a compose file.",
    "diff": "Show what a change of specs does to a tree: what changes, why, and with which consequences.",
    "explain": "Print the values of SERVER, or of one field: where each value comes from, and what it replaces.",
    "pin": "Write digests of images and locks of packages into specs, and into environments the digests "
    "of mcpctl's images.",
    "graph": "Draw who reaches what: clients, ways in, servers, what they may call, and what enforces it.",
    "eject": "Copy built-in templates, to edit them and pass the folder to --templates.",
    "krm": "Read a KRM ResourceList on stdin, render the specs in it, and write one with the manifests added.",
    "import": "Make specs of FILES: server.json and other definitions, recognised by their content.",
    "export": "Write what others read of servers: the files of clients, and the resources of operators.",
    "prerequisites": "List what must exist before the manifests are applied: Secrets with their keys, "
    "classes, controllers.",
    "doctor": "Check what an apply needs: programs, the daemon or cluster, permissions, and what the specs ask for.",
    "apply": "Render, check and apply specs, then wait until every server answers MCP.",
    "start": "Start servers that were stopped, or the servers of specs, and wait until they answer.",
    "stop": "End servers gracefully, and wait until they are gone.",
    "restart": "Restart servers, and wait until they answer: to read a Secret that has changed.",
    "status": "Show servers: 'ready' means that it answered MCP, 'running' that the runtime says so.",
    "logs": "Show what a server writes.",
    "list": "List the servers that mcpctl manages, as the runtime sees them; --ask adds what each says over MCP.",
    "delete": "Remove all objects of servers that mcpctl made.",
    "config": "Show every setting and its source: option, environment variable, file and line, or default.",
    "schema": "Explain a field of a spec: what it does, its type, default and an example; or print a whole schema.",
    "rule": "Explain a rule: what it finds, why, how to fix or accept it; without ID list the rules of policy.",
    "completion": "Print a script that completes commands, options, files and names of specs on TAB.",
    "help": "Print the help of a command; without COMMAND the list of commands.",
    "version": "Print the versions of mcpctl, Python, libraries and schemas.",
}
#: Commands in another module: 'list' would hide Python's own here, 'import' is a keyword.
_MODULES = {
    "import": ("import_", "import_"),
    "list": ("listing", "listing"),
    "restart": ("start", "restart"),
    "help": ("version", "help_"),
}


#: Options of mcpctl itself, which each command takes too: behind it or in front of it.
_COMMON = (
    click.Option(
        ["--color"],
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        callback=lambda _context, _parameter, choice: choose_color(choice),
        help="When to use colour: auto is on a terminal, without NO_COLOR; FORCE_COLOR means always.  [default: auto]",
    ),
    click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        help="Print the traceback of a defect of mcpctl (or MCPCTL_DEBUG=1).",
    ),
)


class Commands(click.Group):
    """Imports a command when it runs, with all that it needs."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """With whole summaries: click cuts them at the width of a line."""
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """UsageError with a suggestion for an unknown name."""
        if cmd_name not in COMMANDS:
            from difflib import get_close_matches  # 2 ms, and only a mistake needs it

            close = get_close_matches(cmd_name, COMMANDS, 1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; there is: {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command is called {excerpt(cmd_name)!r}{hint}", ctx)
        module, name = _MODULES.get(cmd_name, (cmd_name, cmd_name))
        with patterns_later():
            command: click.Command = getattr(import_module(f"renderer.cli.{module}"), name)
        command.params += [option for option in _COMMON if option not in command.params]
        return command


@click.group(
    cls=Commands,
    params=list(_COMMON),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine, 1 differences found, 2 usage, 3 spec or configuration invalid, 4 output invalid, "
    "5 apply failed, 6 waiting timed out, 70 defect of mcpctl, 130 interrupted.",
)
@click.version_option(__version__, prog_name="mcpctl")
@click.pass_context
def mcpctl(context: click.Context) -> None:
    """Render specs of MCP servers into Kubernetes manifests or compose files, checked and reviewable; apply them.

    \b
    Examples:
      mcpctl render docs/examples | kubectl apply -f -
      mcpctl apply github.yaml
    """
    # Versions of click differ in what a group without a command does; kubectl prints its help and succeeds.
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code. A traceback is printed only on request."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    choose_color("auto")
    if "_MCPCTL_COMPLETE" in os.environ:
        import_module("renderer.cli.candidates").complete(mcpctl, typed)
        return Exit.FINE
    try:
        return _run(typed)
    except (KeyboardInterrupt, click.exceptions.Abort) as end:
        # A signal in place of Ctrl-C has a number, which a shell reports as 128 + number.
        # click wraps the interrupt; 8.1.0 hides that it is the cause.
        cause = end.__context__ if isinstance(end, click.exceptions.Abort) else end
        number = next(iter(cause.args), None) if isinstance(cause, KeyboardInterrupt) else None
        return 128 + number if isinstance(number, int) else Exit.INTERRUPTED
    except ReaderLeft:
        return Exit.FINE


def _run(typed: Sequence[str]) -> int:
    """The exit code; interrupts are raised."""
    try:
        return int(mcpctl.main(args=[*typed], prog_name="mcpctl", standalone_mode=False, obj=typed) or Exit.FINE)
    except Watch as asked:
        once = [word for word in typed if word != "--watch"]
        return int(import_module("renderer.cli.watch").again(lambda: _run(once), asked.out))
    except click.exceptions.Abort:
        raise
    except click.ClickException as mistake:
        # As click would, but fit for a terminal: its text quotes what was typed.
        context = getattr(mistake, "ctx", None)
        usage = f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n\n" if context else ""
        # click lists choices on lines of their own, which would be printed as '\\n'.
        text = " ".join(mistake.format_message().split())
        say(f"{usage}Error: {excerpt(text, report.LONGEST)}\n")
        return Exit.USAGE
    except McpctlError as error:
        problems = report.as_text(report.Report("", error.problems, {}), color=colored(sys.stderr), quiet=True)
        say(f"{problems}mcpctl: {excerpt(error.message, report.LONGEST)}\n")
        return error.exit_code
    except ReaderLeft:
        raise
    except Exception as defect:
        if "--debug" in typed or os.environ.get("MCPCTL_DEBUG"):
            from traceback import format_exception  # 3 ms, and only a defect needs it

            say("".join(format_exception(defect)))
        return _defect(defect)


def _defect(defect: Exception) -> int:
    frame = defect.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_name}:{frame.tb_lineno}" if frame else "unknown place"
    done = "".join(f"{excerpt(note, report.LONGEST)}; " for note in getattr(defect, "__notes__", ()))
    # Not the exception's own text: it may hold what a user wrote, a secret among it.
    say(
        f"mcpctl {__version__}: a defect of mcpctl itself ({type(defect).__name__} in {where}); {done}"
        f"please report it with the command line, the traceback that --debug prints and, if you may, the spec\n"
    )
    return Exit.DEFECT

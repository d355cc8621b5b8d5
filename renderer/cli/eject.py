"""``mcpctl eject``: copies built-in templates, and lists outdated copies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from renderer.cli.editor import write_file
from renderer.cli.options import output_option, quiet_option
from renderer.cli.streams import emit, print_report
from renderer.errors import Exit, UsageMistake, errors_in, excerpt
from renderer.report import LONGEST, Report
from renderer.user_templates import ejected, name_hint, read_folder, replaceable


@click.command(
    epilog="""\b
Examples:
  mcpctl eject kubernetes/service.yaml.j2
  mcpctl render specs/ --templates templates
  mcpctl eject kubernetes/service.yaml.j2 --out - | diff templates/kubernetes/service.yaml.j2 -
  mcpctl eject --list
  mcpctl eject --check templates
""",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--out",
    default="templates",
    show_default=True,
    metavar="DIR",
    help="Folder to copy into, or - for stdout.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--list", "list_names", is_flag=True, help="Print the names of all templates that can be replaced.")
@click.option(
    "--check",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="List templates in DIR that are older than the built-in ones they replace; exit 1 if any.",
)
@output_option
@quiet_option
def eject(
    names: tuple[str, ...], out: str, force: bool, list_names: bool, check: str | None, style: str, quiet: bool
) -> int:
    """Copy built-in templates, to edit them and pass the folder to --templates.

    The first line of each copy says which built-in template it was made from; leave it there.
    """
    if bool(names) + list_names + (check is not None) != 1:
        raise click.UsageError("give names of templates, or one of --list and --check DIR")
    if list_names:
        emit("".join(f"{name}\n" for name in replaceable()))
        return Exit.FINE
    if check is not None:
        # Errors end as invalid input, warnings (each is an outdated template) as a difference.
        templates, problems = read_folder(check)
        print_report(Report("eject", problems, {"templates": len(templates.texts)}), style, quiet=quiet, stdout=True)
        if errors_in(problems):
            return Exit.INPUT_INVALID
        return Exit.DIFFERENT if problems else Exit.FINE
    known = replaceable()
    for name in names:
        if name not in known:
            raise click.UsageError(f"no template that can be replaced is called {excerpt(name)!r}; {name_hint(name)}")
    if out == "-":
        emit("".join(map(ejected, names)))
        return Exit.FINE
    return _copy({Path(out, name): ejected(name) for name in names}, force, style, quiet)


def _copy(texts: Mapping[Path, str], force: bool, style: str, quiet: bool) -> Exit:
    existing = [_printable(path) for path in texts if os.path.lexists(path)]
    if existing and not force:
        raise UsageMistake(f"{', '.join(existing)}: exists; choose another --out, or overwrite it with --force")
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageMistake(f"{_printable(path)} cannot be written: {error.strerror}") from None
        write_file(os.fspath(path), text, force=force)
    lines = [f"{_printable(path)}: written" for path in texts]
    print_report(
        Report("eject", (), {"templates": len(texts)}, [] if quiet else lines), style, quiet=quiet, stdout=True
    )
    return Exit.FINE


def _printable(path: Path) -> str:
    return excerpt(os.fspath(path), LONGEST)

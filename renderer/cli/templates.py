"""``--templates DIR``: templates of the user in place of built-in ones, for the commands that render."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from renderer.errors import Problem, errors_in
from renderer.pipeline import Specs

Command = TypeVar("Command", bound=Callable[..., Any])


def templates_option(command: Command) -> Command:
    """Whose templates are rendered."""
    return click.option(
        "--templates",
        type=click.Path(exists=True, file_okay=False),
        metavar="DIR",
        help="Templates of your own, each in place of the built-in one of the same path; see 'mcpctl eject'.",
    )(command)


def with_templates(specs: Specs, folder: str | None) -> Specs:
    """The specs, with all that is wrong with the templates; these are in force until the command ends."""
    if folder is None:
        return specs
    from renderer.render import shadowing  # few runs have any
    from renderer.shadows import read_folder

    shadows, problems = read_folder(folder)
    if not errors_in(problems):
        problems += click.get_current_context().with_resource(shadowing(shadows))
    return specs._replace(problems=tuple(sorted([*specs.problems, *problems], key=Problem.sort_key)))

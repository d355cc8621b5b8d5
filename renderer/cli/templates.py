"""``--templates DIR``: templates of the user in place of built-in ones, for the commands that render."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from renderer.errors import Problem, errors_in
from renderer.later import later
from renderer.registry import TARGETS, target

if TYPE_CHECKING:
    from renderer import render, user_templates
    from renderer.pipeline import Specs
else:
    render = later("renderer.render")  # 10 ms, which help does not need
    user_templates = later("renderer.user_templates")  # 4 ms, which only --templates needs

templates_option = click.option(
    "--templates",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Templates of your own, each in place of the built-in one of the same path; see 'mcpctl eject'.",
)


def with_templates(specs: Specs, folder: str | None) -> Specs:
    """The specs, with the Problems of the templates, which are in force until the command ends."""
    if folder is None:
        return specs
    templates, problems = user_templates.read_folder(folder)
    if not errors_in(problems):
        quotings = {name: target(name).quoting for name in TARGETS}
        problems += click.get_current_context().with_resource(render.user_templates_in_force(templates, quotings))
    return specs._replace(problems=tuple(sorted([*specs.problems, *problems], key=Problem.sort_key)))

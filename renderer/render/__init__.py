"""Plain data and a template in, text out. The only package that knows Jinja.

Every ``{{ expression }}`` passes through the quoting of its target, so no value can change the structure of the
document around it. Of a nested value only a filter of the quoting makes text; anything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from renderer.errors import Place, Problem
from renderer.later import later
from renderer.render.compiled import runtime_of
from renderer.render.quoting import YAML, Context, Quoting, TemplateFault

if TYPE_CHECKING:
    from renderer.render import engine
    from renderer.user_templates import UserTemplates
else:
    engine = later("renderer.render.engine")  # 28 ms: Jinja, which templates that were compiled before do without

__all__ = [
    "YAML",
    "Context",
    "Quoting",
    "TemplateFault",
    "has_user_templates",
    "places_in_templates",
    "render",
    "user_templates_in_force",
]

#: Jinja with the templates of a user, where there are some.
_users: engine.Engine | None = None
#: In which each template was rendered: it is of one target.
_quotings: dict[str, Quoting] = {}


@contextmanager
def user_templates_in_force(templates: UserTemplates, quotings: Mapping[str, Quoting]) -> Iterator[list[Problem]]:
    """Templates of a user stand for the built-in ones until the end of the block; yields their syntax errors.

    ``quotings`` are those of the targets by name, which is the folder of their templates; YAML for all others.
    """
    global _users
    before, _users = _users, engine.Engine(templates)
    try:
        yield _users.syntax_errors(quotings)
    finally:
        _users = before


def has_user_templates() -> bool:
    """Whether templates of a user are in force: then nobody knows what a document is before it was parsed."""
    return _users is not None


def render(template: str, context: Context, quoting: Quoting = YAML) -> str:
    """The text that ``templates/<template>``, or the user's of that name, makes of plain data."""
    _quotings[template] = quoting
    if _users is not None:
        return _users.render(template, context, quoting)
    text = runtime_of(quoting).render(template, context)
    return engine.built_in.render(template, context, quoting) if text is None else text


def places_in_templates(template: str, context: Context) -> Callable[[int], Place]:
    """Tells which line of which template made a line (from 1) of the rendered text.

    Found by rendering once more with every line of the sources marked by its own number: slow, and
    so used only where there are faults to explain, once for all of a document.
    """
    return (_users or engine.built_in).places(template, context, _quotings.get(template, YAML))

"""Jinja: plain data and a template in, text out. The only package that knows Jinja.

Every ``{{ expression }}`` passes through one ``finalize``, which writes it as one YAML scalar, so
no value can change the structure of the document around it. Nested values go through the ``block``
filter, prose goes through ``comment``; anything else is refused. Templates of users are rendered by
``shadowed``, in a process of their own, from ``shadowing`` on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2

from renderer import assets
from renderer.errors import OutputInvalid, Place, Problem
from renderer.yaml_writer import block, comment, scalar

if TYPE_CHECKING:
    from renderer.render.shadowed import Shadowed
    from renderer.shadows import Shadows

#: What a template may see: plain data, nothing with methods that reach outside.
Context = Mapping[str, Any]
#: Source, the name under which a traceback tells it, and no way in which it could change.
_Loaded = tuple[str, str, None]


class Yaml(str):
    """Text that is YAML already, made by one of the filters."""

    __slots__ = ()


class TemplateFault(OutputInvalid):
    """A template asks for what is not there; the one Problem has its file and line."""


#: Who renders instead of us, while templates of a user are in force.
_shadowed: Shadowed | None = None


@contextmanager
def shadowing(shadows: Shadows) -> Iterator[list[Problem]]:
    """Templates of a user stand for the built-in ones until the end of the block; yields what is wrong with them."""
    global _shadowed
    from renderer.render.shadowed import Shadowed  # few runs have any

    _shadowed = Shadowed(shadows)
    try:
        yield _shadowed.faults()
    finally:
        _shadowed.close()
        _shadowed = None


def is_shadowed() -> bool:
    """Whether templates of a user are in force: then nobody knows what a document is before it was parsed."""
    return _shadowed is not None


def render(template: str, context: Context) -> str:
    """The text that ``templates/<template>``, or the user's of that name, makes of plain data."""
    if _shadowed is not None:
        return _shadowed.render(template, context)
    try:
        return _environment().get_template(template).render(context)
    except jinja2.TemplateError as error:
        problem = Problem(
            _blame(error, template), "", "template/fault", error.message or type(error).__name__, in_output=True
        )
        raise TemplateFault("a template could not be rendered", [problem]) from error


def places_in_templates(template: str, context: Context) -> Callable[[int], Place]:
    """Tells which line of which template made a line (from 1) of the rendered text.

    Found by rendering once more with every line of the sources marked by its own number: slow, and
    so used only where there are faults to explain, once for all of a document.
    """
    marked = _marked(template, context).split("\n")

    def place(line: int) -> Place:
        for text in marked[max(line - 1, 0) :]:
            if found := _MARK.search(text):
                return Place(_file(found[1]), int(found[2]))
        return Place(_file(template))

    return place


def _marked(template: str, context: Context) -> str:
    if _shadowed is not None:
        return _shadowed.marked(template, context)
    return _marked_environment().get_template(template).render(context)


def _file(name: str) -> str:
    return _shadowed.file(name) if _shadowed is not None else f"templates/{name}"


def finalize(value: Any) -> str:
    """One value as one YAML scalar; what a filter has made is text already."""
    if type(value) is Yaml:
        return value
    if isinstance(value, (jinja2.Undefined, dict, list, tuple)):
        # str() of an Undefined raises what names the variable; a nested value has no one-line form.
        raise jinja2.TemplateRuntimeError(f"a nested value needs '| block(indent)': {_nested(value)}")
    return scalar(value)


def _nested(value: Any) -> str:
    return str(value) if isinstance(value, jinja2.Undefined) else type(value).__name__


def options() -> dict[str, Any]:
    """How every environment is set up."""
    return {
        "undefined": jinja2.StrictUndefined,
        "finalize": finalize,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "keep_trailing_newline": True,
        "autoescape": False,
        "auto_reload": False,
        "cache_size": -1,
    }


def with_filters(environment: jinja2.Environment) -> jinja2.Environment:
    """The environment with what writes nested values and prose."""
    environment.filters["block"] = lambda value, indent=0: Yaml(block(value, indent))
    environment.filters["comment"] = lambda text, indent=0: Yaml(comment(text, indent))
    return environment


def _source(name: str) -> str:
    return assets.read(f"templates/{name}").decode()


def _load(name: str) -> _Loaded | None:
    try:
        return _source(name), f"templates/{name}", None
    except FileNotFoundError:
        return None


@cache
def _environment() -> jinja2.Environment:
    return with_filters(jinja2.Environment(loader=jinja2.FunctionLoader(_load), **options()))  # noqa: S701 - YAML


_MARK = re.compile("\0([^\0]*)\0([0-9]+)\0")


def _load_marked(name: str) -> str:
    return marked_source(_source(name), name)


def marked_source(source: str, name: str) -> str:
    """The source of a template with its name and number on every line."""
    # A line that ends in a tag makes no text of its own, and a mark would keep its line end alive.
    lines = enumerate(source.split("\n"), 1)
    return "\n".join(text if not text or text.endswith(("%}", "#}")) else f"{text}\0{name}\0{n}\0" for n, text in lines)


@cache
def _marked_environment() -> jinja2.Environment:
    return with_filters(jinja2.Environment(loader=jinja2.FunctionLoader(_load_marked), **options()))  # noqa: S701 - YAML


def _blame(error: jinja2.TemplateError, template: str) -> Place:
    """The innermost line of a template in the traceback, where Jinja puts lines of templates."""
    place, frame = Place(f"templates/{template}"), error.__traceback__
    while frame is not None:
        if "__jinja_exception__" in frame.tb_frame.f_globals:
            place = Place(frame.tb_frame.f_code.co_filename, frame.tb_lineno)
        frame = frame.tb_next
    if isinstance(error, jinja2.TemplateSyntaxError):
        return Place(error.filename or place.file, error.lineno)
    return place

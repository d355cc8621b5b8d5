"""Jinja: plain data and a template in, text out. The only module that knows Jinja.

Every ``{{ expression }}`` passes through one ``finalize``, which writes it as one YAML scalar, so
no value can change the structure of the document around it. Nested values go through the ``block``
filter, prose goes through ``comment``; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2

from renderer import assets
from renderer.errors import Place
from renderer.yaml_writer import block, comment, scalar

#: What a template may see: plain data, nothing with methods that reach outside.
Context = Mapping[str, Any]


class Yaml(str):
    """Text that is YAML already, made by one of the filters."""

    __slots__ = ()


class TemplateFault(Exception):
    """A template asks for what is not there. ``place`` is its file and line."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


def render(template: str, context: Context) -> str:
    """The text that ``templates/<template>`` makes of plain data."""
    try:
        return _environment().get_template(template).render(context)
    except jinja2.TemplateError as error:
        raise TemplateFault(_blame(error, template), str(error.message)) from error


def line_in_template(template: str, context: Context, line: int) -> Place:
    """Which line of which template made ``line`` (from 1) of the rendered text.

    Found by rendering once more with every line of the sources marked by its own number: slow, and
    so used only where there is a fault to explain.
    """
    marked = _marked_environment().get_template(template).render(context).split("\n")
    for text in marked[max(line - 1, 0) :]:
        if found := _MARK.search(text):
            return Place(f"templates/{found[1]}", int(found[2]))
    return Place(f"templates/{template}")


def _finalize(value: Any) -> str:
    if type(value) is Yaml:
        return value
    if isinstance(value, (jinja2.Undefined, dict, list, tuple)):
        # str() of an Undefined raises what names the variable; a nested value has no one-line form.
        raise jinja2.TemplateRuntimeError(f"a nested value needs '| block(indent)': {_nested(value)}")
    return scalar(value)


def _nested(value: Any) -> str:
    return str(value) if isinstance(value, jinja2.Undefined) else type(value).__name__


def _options() -> dict[str, Any]:
    return {
        "undefined": jinja2.StrictUndefined,
        "finalize": _finalize,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "keep_trailing_newline": True,
        "autoescape": False,
        "auto_reload": False,
        "cache_size": -1,
    }


def _with_filters(environment: jinja2.Environment) -> jinja2.Environment:
    environment.filters["block"] = lambda value, indent=0: Yaml(block(value, indent))
    environment.filters["comment"] = lambda text, indent=0: Yaml(comment(text, indent))
    return environment


def _source(name: str) -> str:
    return assets.read(f"templates/{name}").decode()


def _load(name: str) -> str | None:
    try:
        return _source(name)
    except FileNotFoundError:
        return None


@cache
def _environment() -> jinja2.Environment:
    return _with_filters(jinja2.Environment(loader=jinja2.FunctionLoader(_load), **_options()))  # noqa: S701 - YAML


_MARK = re.compile("\0([^\0]*)\0([0-9]+)\0")


def _load_marked(name: str) -> str | None:
    source = _load(name)
    if source is None:
        return None
    # A line that ends in a tag makes no text of its own, and a mark would keep its line end alive.
    lines = enumerate(source.split("\n"), 1)
    return "\n".join(
        text if not text or text.endswith(("%}", "#}")) else f"{text}\0{name}\0{n}\0" for n, text in lines
    )


@cache
def _marked_environment() -> jinja2.Environment:
    return _with_filters(jinja2.Environment(loader=jinja2.FunctionLoader(_load_marked), **_options()))  # noqa: S701 - YAML


def _blame(error: jinja2.TemplateError, template: str) -> Place:
    """The innermost frame of a template in the traceback (Jinja rewrites them to template lines)."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return Place(f"templates/{error.name or template}", error.lineno)
    place, frame = Place(f"templates/{template}"), error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_globals.get("__jinja_template__") is not None:
            name = frame.tb_frame.f_globals["__jinja_template__"].name
            place = Place(f"templates/{name}", frame.tb_lineno)
        frame = frame.tb_next
    return place

"""Jinja: plain data and a template in, text out. The only module that knows Jinja.

Every ``{{ expression }}`` passes through one ``finalize``, which writes it as one YAML scalar, so
no value can change the structure of the document around it. Nested values go through the ``block``
filter, prose goes through ``comment``; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jinja2

from renderer import assets
from renderer.errors import OutputInvalid, Place, Problem
from renderer.yaml_writer import block, comment, scalar

#: What a template may see: plain data, nothing with methods that reach outside.
Context = Mapping[str, Any]
#: Source, the name under which a traceback tells it, and no way in which it could change.
_Loaded = tuple[str, str, None]


class Yaml(str):
    """Text that is YAML already, made by one of the filters."""

    __slots__ = ()


class TemplateFault(OutputInvalid):
    """A template asks for what is not there; the one Problem has its file and line."""


def render(template: str, context: Context) -> str:
    """The text that ``templates/<template>`` makes of plain data."""
    try:
        return _environment().get_template(template).render(context)
    except jinja2.TemplateError as error:
        problem = Problem(_blame(error, template), "", "template/fault", error.message or type(error).__name__)
        raise TemplateFault("a template could not be rendered", [problem]) from error


def places_in_templates(template: str, context: Context) -> Callable[[int], Place]:
    """Tells which line of which template made a line (from 1) of the rendered text.

    Found by rendering once more with every line of the sources marked by its own number: slow, and
    so used only where there are faults to explain, once for all of a document.
    """
    marked = _marked_environment().get_template(template).render(context).split("\n")

    def place(line: int) -> Place:
        for text in marked[max(line - 1, 0) :]:
            if found := _MARK.search(text):
                return Place(f"templates/{found[1]}", int(found[2]))
        return Place(f"templates/{template}")

    return place


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


def _load(name: str) -> _Loaded | None:
    try:
        return _source(name), f"templates/{name}", None
    except FileNotFoundError:
        return None


@cache
def _environment() -> jinja2.Environment:
    return _with_filters(jinja2.Environment(loader=jinja2.FunctionLoader(_load), **_options()))  # noqa: S701 - YAML


_MARK = re.compile("\0([^\0]*)\0([0-9]+)\0")


def _load_marked(name: str) -> str:
    source = _source(name)
    # A line that ends in a tag makes no text of its own, and a mark would keep its line end alive.
    lines = enumerate(source.split("\n"), 1)
    return "\n".join(text if not text or text.endswith(("%}", "#}")) else f"{text}\0{name}\0{n}\0" for n, text in lines)


@cache
def _marked_environment() -> jinja2.Environment:
    return _with_filters(jinja2.Environment(loader=jinja2.FunctionLoader(_load_marked), **_options()))  # noqa: S701 - YAML


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

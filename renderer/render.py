"""Jinja: plain data and a template in, text out. The only module that knows Jinja.

Every ``{{ expression }}`` passes through one ``finalize``, which writes it as one YAML scalar, so no value can change
the structure of the document around it. Nested values go through the ``block`` filter, prose goes through
``comment``; anything else is refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import jinja2
import jinja2.sandbox

from renderer import assets
from renderer.errors import OutputInvalid, Place, Problem, excerpt
from renderer.shadows import Shadows
from renderer.yaml_writer import block, comment, scalar

#: What a template may read: plain data, nothing with methods that reach outside.
Context = Mapping[str, Any]

#: What differs from run to run, and what would make rendered text do so.
_RANDOM_FILTERS = ("random",)
_RANDOM_GLOBALS = ("lipsum", "cycler", "joiner")
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-f]+>")
_MARK = re.compile("\0([^\0]*)\0([0-9]+)\0")
_LONGEST_MESSAGE = 1000


class Yaml(str):
    """Text that is YAML already, made by one of the filters."""

    __slots__ = ()


class TemplateFault(OutputInvalid):
    """A template asks for what is not there; the one Problem has its file and line."""


@contextmanager
def shadowing(shadows: Shadows) -> Iterator[list[Problem]]:
    """Templates of a user stand for the built-in ones until the end of the block; yields their syntax errors."""
    global _engine
    built_in, _engine = _engine, _Engine(shadows)
    try:
        yield _engine.syntax_errors()
    finally:
        _engine = built_in


def is_shadowed() -> bool:
    """Whether templates of a user are in force: then nobody knows what a document is before it was parsed."""
    return _engine.users is not None


def render(template: str, context: Context) -> str:
    """The text that ``templates/<template>``, or the user's of that name, makes of plain data."""
    try:
        return _engine.plain.get_template(template).render(context)
    except _engine.faults as error:
        raise _engine.fault(error, template, context) from error


def places_in_templates(template: str, context: Context) -> Callable[[int], Place]:
    """Tells which line of which template made a line (from 1) of the rendered text.

    Found by rendering once more with every line of the sources marked by its own number: slow, and
    so used only where there are faults to explain, once for all of a document.
    """
    marked = _engine.marked.get_template(template).render(context).split("\n")

    def place(line: int) -> Place:
        for text in marked[max(line - 1, 0) :]:
            if mark := _MARK.search(text):
                return Place(_engine.file(mark[1]), int(mark[2]))
        return Place(_engine.file(template))

    return place


class _Engine:
    """Jinja with the built-in templates, or with those of a user in their place, then in Jinja's sandbox."""

    def __init__(self, users: Shadows | None) -> None:
        self.users = users
        #: In a built-in template anything but these is a defect of ours.
        self.faults: type[Exception] = jinja2.TemplateError if users is None else Exception

    @cached_property
    def plain(self) -> jinja2.Environment:
        return self._environment(self._source)

    @cached_property
    def marked(self) -> jinja2.Environment:
        return self._environment(lambda name: _with_marks(self._source(name), name))

    def file(self, name: str) -> str:
        """The file of a template, as it is shown."""
        return f"{self.users.folder if self.users and name in self.users.texts else 'templates'}/{name}"

    def syntax_errors(self) -> list[Problem]:
        """Of all the user's templates at once."""
        problems: list[Problem] = []
        for name in sorted(self.users.texts if self.users else ()):
            try:
                self.plain.get_template(name)
            except Exception as error:
                problems += self.fault(error, name, {}).problems
        return problems

    def fault(self, error: Exception, template: str, context: Context) -> TemplateFault:
        """What a template ended with, at its innermost line that is known."""
        place, frame = Place(self.file(template)), error.__traceback__
        while frame is not None:
            # Jinja puts lines of templates into the traceback, though not always: then its own are translated here.
            names = frame.tb_frame.f_globals
            if "__jinja_exception__" in names:
                place = Place(frame.tb_frame.f_code.co_filename, frame.tb_lineno)
            elif isinstance(own := names.get("__jinja_template__"), jinja2.Template):
                place = Place(own.filename or place.file, own.get_corresponding_lineno(frame.tb_lineno))
            frame = frame.tb_next
        if isinstance(error, jinja2.TemplateSyntaxError):
            place = Place(error.filename or place.file, error.lineno)
        message = excerpt(_message(error, context), _LONGEST_MESSAGE)
        problem = Problem(place, "", "template/fault", message, in_output=True)
        return TemplateFault("a template could not be rendered", [problem])

    def _source(self, name: str) -> str:
        text = self.users.texts.get(name) if self.users else None
        # Built-in ones are found by their names alone, which never lead out of their folder.
        return assets.read(f"templates/{name}").decode() if text is None else text

    def _environment(self, source: Callable[[str], str]) -> jinja2.Environment:
        def load(name: str) -> tuple[str, str, None] | None:
            try:
                return source(name), self.file(name), None
            except FileNotFoundError:
                return None

        kind = jinja2.sandbox.ImmutableSandboxedEnvironment if self.users else jinja2.Environment
        environment = kind(
            loader=jinja2.FunctionLoader(load),
            undefined=_Undefined,
            finalize=finalize,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
            auto_reload=False,
            cache_size=-1,
        )
        environment.filters["block"] = lambda value, indent=0: Yaml(block(value, indent))
        environment.filters["comment"] = lambda text, indent=0: Yaml(comment(text, indent))
        for name in _RANDOM_FILTERS:
            del environment.filters[name]
        for name in _RANDOM_GLOBALS:
            del environment.globals[name]
        return environment


class _Undefined(jinja2.StrictUndefined):
    """Any use is an error; of a mapping it lists the names that are there."""

    @property
    def _undefined_message(self) -> str:
        owner, name = self._undefined_obj, self._undefined_name
        if self._undefined_hint or not isinstance(owner, dict) or not isinstance(name, str):
            return super()._undefined_message
        there = ", ".join(map(str, owner)) or "nothing"
        return f"there is no {name!r} here{_did_you_mean(name, owner)}; there is: {there}"


def _did_you_mean(name: str, names: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, [key for key in names if isinstance(key, str)], 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _message(error: Exception, context: Context) -> str:
    if isinstance(error, jinja2.TemplateNotFound):
        return f"there is no template {excerpt(str(error.name))!r}; templates are found by name only"
    if isinstance(error, RecursionError):
        return "it calls itself without an end, or is nested too deeply"
    message = str(error)
    if isinstance(error, jinja2.UndefinedError) and (name := re.fullmatch("'(.*)' is undefined", message)):
        there = ", ".join(sorted(context)) or "nothing"
        return f"{message}{_did_you_mean(name[1], context)}; a template may read: {there}"
    return message or type(error).__name__


def finalize(value: Any) -> str:
    """One value as one YAML scalar; what a filter has made is text already."""
    if type(value) is Yaml:
        return value
    if isinstance(value, (jinja2.Undefined, dict, list, tuple)):
        # str() of an Undefined raises what names the variable; a nested value has no one-line form.
        kind = str(value) if isinstance(value, jinja2.Undefined) else type(value).__name__
        raise jinja2.TemplateRuntimeError(f"a nested value needs '| block(indent)': {kind}")
    text = scalar(value)
    if " at 0x" in text and _ADDRESS.search(text):
        raise jinja2.TemplateRuntimeError("this is no value but an object of the program; did you mean '| list'?")
    return text


def _with_marks(source: str, name: str) -> str:
    """The source of a template with its name and number on every line."""
    # A line that ends in a tag makes no text of its own, and a mark would keep its line end alive.
    lines = enumerate(source.split("\n"), 1)
    return "\n".join(text if not text or text.endswith(("%}", "#}")) else f"{text}\0{name}\0{n}\0" for n, text in lines)


_engine = _Engine(None)

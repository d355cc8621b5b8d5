"""Jinja: renders templates of users, and built-in ones that were not compiled before or that end in a fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import jinja2

from renderer import assets, growth
from renderer.errors import Place, Problem, excerpt
from renderer.later import pattern
from renderer.render.generator import Generator
from renderer.render.quoting import YAML, Context, Quoting, TemplateFault, filters, finalizer
from renderer.render.sandbox import Environment, Sandbox, bounded, counted
from renderer.user_templates import UserTemplates
from renderer.wording import suggestion

#: What differs from run to run, and what would make rendered text do so.
_RANDOM_FILTERS = ("random",)
_RANDOM_GLOBALS = ("lipsum", "cycler", "joiner")
_MARK = pattern("\0([^\0]*)\0([0-9]+)\0")
_LONGEST_MESSAGE = 1000


def _joined(template: jinja2.Template, context: Context) -> str:
    """The text of a template of a user, which is given up at the line where it becomes too long."""
    pieces, left = list[str](), growth.MOST_TEXT
    making = template.generate(context)
    for piece in making:
        left -= len(piece)
        if left < 0:
            making.throw(growth.TooLarge())  # type: ignore[attr-defined]
        pieces.append(piece)
    return "".join(pieces)


class Engine:
    """Jinja with the built-in templates, or with those of a user in their place, then in Jinja's sandbox."""

    def __init__(self, users: UserTemplates | None) -> None:
        self.users = users
        #: In a built-in template anything but these is a defect of ours.
        self.faults: type[Exception] = jinja2.TemplateError if users is None else Exception
        self._environments: dict[tuple[Quoting, bool], jinja2.Environment] = {}

    def render(self, template: str, context: Context, quoting: Quoting) -> str:
        """The text that a template makes of plain data."""
        try:
            made = self._template(template, quoting)
            return made.render(context) if self.users is None else _joined(made, context)
        except self.faults as error:
            raise self.fault(error, template, context) from error

    def places(self, template: str, context: Context, quoting: Quoting) -> Callable[[int], Place]:
        """Tells which line of which template made a line (from 1) of the rendered text."""
        marked = self._template(template, quoting, marked=True).render(context).split("\n")

        def place(line: int) -> Place:
            start = max(line - 1, 0)
            # A line without a mark belongs to the next that has one; behind the last, where a text breaks off, to that.
            for text in (*marked[start:], *reversed(marked[:start])):
                if mark := _MARK.search(text):
                    return Place(self.file(mark[1]), int(mark[2]))
            return Place(self.file(template))

        return place

    def python_of(self, template: str, quoting: Quoting) -> str:
        """What ``runtime`` makes the text of a template with."""
        environment = self._environment(quoting, marked=False)
        environment.code_generator_class = Generator
        return environment.compile(self._source(template), template, self.file(template), raw=True)

    def _template(self, name: str, quoting: Quoting, *, marked: bool = False) -> jinja2.Template:
        growth.begin_document()
        environment = self._environments.get((quoting, marked))
        if environment is None:
            environment = self._environments[quoting, marked] = self._environment(quoting, marked=marked)
        return environment.get_template(name)

    def file(self, name: str) -> str:
        """The file of a template, as it is shown."""
        return f"{self.users.folder if self.users and name in self.users.texts else 'templates'}/{name}"

    def syntax_errors(self, quotings: Mapping[str, Quoting]) -> list[Problem]:
        """Of all the user's templates at once."""
        problems: list[Problem] = []
        for name in sorted(self.users.texts if self.users else ()):
            try:
                self._template(name, quotings.get(name.partition("/")[0], YAML))
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

    def _environment(self, quoting: Quoting, *, marked: bool) -> jinja2.Environment:
        def load(name: str) -> tuple[str, str, None] | None:
            try:
                source = self._source(name)
            except FileNotFoundError:
                return None
            return _with_marks(source, name) if marked else source, self.file(name), None

        environment = (Sandbox if self.users else Environment)(
            loader=jinja2.FunctionLoader(load),
            undefined=_Undefined,
            finalize=_finalizer(quoting),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
            auto_reload=False,
            cache_size=-1,
        )
        environment.filters |= filters(quoting)
        if self.users:
            environment.filters = {name: bounded(name, function) for name, function in environment.filters.items()}
            environment.tests = {name: counted(test) for name, test in environment.tests.items()}
            environment.filters |= {
                "~": lambda values: growth.within("".join(map(str, values))),
                "~each": growth.each,
                "~within": growth.within,
            }
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
        return f"there is no {name!r} here{suggestion(name, owner)}; there is: {there}"


def _message(error: Exception, context: Context) -> str:
    if isinstance(error, jinja2.TemplateNotFound):
        return f"there is no template {excerpt(str(error.name))!r}; templates are found by name only"
    if isinstance(error, RecursionError):
        return "it calls itself without an end, or is nested too deeply"
    message = str(error)
    if isinstance(error, jinja2.UndefinedError) and (name := re.fullmatch("'(.*)' is undefined", message)):
        there = ", ".join(sorted(context)) or "nothing"
        return f"{message}{suggestion(name[1], context)}; a template may read: {there}"
    return message or type(error).__name__


def _finalizer(quoting: Quoting) -> Callable[[Any], str]:
    finalize = finalizer(quoting)

    def finalized(value: Any) -> str:
        try:
            # str() of an Undefined raises what names the variable, but for that of an 'if' without 'else'.
            return finalize([str(value)] if isinstance(value, jinja2.Undefined) else value)
        except ValueError as error:
            raise jinja2.TemplateRuntimeError(str(error)) from error

    return finalized


def _with_marks(source: str, name: str) -> str:
    """The source of a template with its name and number on every line."""
    lines, open_tag = [], False
    for number, text in enumerate(source.split("\n"), 1):
        rest = text.rpartition("%}")[2].rpartition("#}")[2].rpartition("}}")[2]
        open_tag = any(tag in rest for tag in ("{%", "{#", "{{")) or (open_tag and rest == text)
        # Inside of a tag a mark is no text; behind one at the end of a line it would keep the line end alive.
        marked = text and not open_tag and not text.endswith(("%}", "#}"))
        lines.append(f"{text}\0{name}\0{number}\0" if marked else text)
    return "\n".join(lines)


#: The one of the built-in templates.
built_in = Engine(None)

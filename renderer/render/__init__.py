"""Jinja: plain data and a template in, text out. The only module that knows Jinja.

Every ``{{ expression }}`` passes through the quoting of its target, so no value can change the structure of the
document around it. Of a nested value only a filter of the quoting makes text; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jinja2

from renderer import assets, growth
from renderer.errors import OutputInvalid, Place, Problem, excerpt
from renderer.later import pattern
from renderer.render.compiled import compiled_template, key
from renderer.render.sandbox import Environment, Sandbox, bounded, counted
from renderer.user_templates import UserTemplates
from renderer.wording import suggestion
from renderer.yaml_writer import block, comment, scalar, text_value

#: What a template may read: plain data, nothing with methods that reach outside.
Context = Mapping[str, Any]

#: What differs from run to run, and what would make rendered text do so.
_RANDOM_FILTERS = ("random",)
_RANDOM_GLOBALS = ("lipsum", "cycler", "joiner")
_ADDRESS = pattern(r"<[^<>]* at 0x[0-9a-f]+>")
_MARK = pattern("\0([^\0]*)\0([0-9]+)\0")
_LONGEST_MESSAGE = 1000


class Written(str):
    """Text in the target's format already, made by one of the quoting's filters."""

    __slots__ = ()


@dataclass(frozen=True, eq=False)
class Quoting:
    """How a target's format takes values: ``scalar`` writes one, ``writers`` are filters that make finished text.

    ``values`` are filters that make another value, which is written afterwards. ``scalar`` raises ValueError for what
    the format cannot say.
    """

    scalar: Callable[[Any], str]
    writers: Mapping[str, Callable[..., str]] = field(default_factory=dict)
    values: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    #: Under which its templates may have been compiled before.
    name: str = ""


#: One value as one scalar; ``block`` writes nested values, ``text`` a value of maybe several lines, ``comment`` prose.
YAML = Quoting(
    scalar,
    {
        "block": lambda value, indent=0: block(value, indent),
        "comment": lambda text, indent=0: comment(text, indent),
        "text": text_value,
    },
    {"literal": lambda value: value},  # for templates that several targets include: here nothing is expanded
    name="yaml",
)


class TemplateFault(OutputInvalid):
    """A template asks for what is not there; the one Problem has its file and line."""


@contextmanager
def user_templates_in_force(templates: UserTemplates, quotings: Mapping[str, Quoting]) -> Iterator[list[Problem]]:
    """Templates of a user stand for the built-in ones until the end of the block; yields their syntax errors.

    ``quotings`` are those of the targets by name, which is the folder of their templates; YAML for all others.
    """
    global _engine
    built_in, _engine = _engine, _Engine(templates)
    try:
        yield _engine.syntax_errors(quotings)
    finally:
        _engine = built_in


def has_user_templates() -> bool:
    """Whether templates of a user are in force: then nobody knows what a document is before it was parsed."""
    return _engine.users is not None


def render(template: str, context: Context, quoting: Quoting = YAML) -> str:
    """The text that ``templates/<template>``, or the user's of that name, makes of plain data."""
    try:
        made = _engine.template(template, quoting)
        return made.render(context) if _engine.users is None else _joined(made, context)
    except _engine.faults as error:
        if _engine.compiled_before:
            return _from_source(template, context, quoting)
        raise _engine.fault(error, template, context) from error


def _from_source(template: str, context: Context, quoting: Quoting) -> str:
    """The same without what was compiled before, whose faults have no lines of templates."""
    global _engine
    before, _engine = _engine, _Engine(None, compiled_before=False)
    try:
        return render(template, context, quoting)
    finally:
        _engine = before


def python_of(template: str, quoting: Quoting) -> tuple[str, str]:
    """The key of a built-in template, and the Python that Jinja makes of it."""
    source = assets.read(f"templates/{template}").decode()
    environment = _engine._environment(quoting, marked=False)
    python = environment.compile(source, template, _engine.file(template), raw=True)
    return key(quoting.name, template, source, jinja2.__version__), python


def places_in_templates(template: str, context: Context) -> Callable[[int], Place]:
    """Tells which line of which template made a line (from 1) of the rendered text.

    Found by rendering once more with every line of the sources marked by its own number: slow, and
    so used only where there are faults to explain, once for all of a document.
    """
    marked = _engine.template(template, marked=True).render(context).split("\n")

    def place(line: int) -> Place:
        start = max(line - 1, 0)
        # A line without a mark belongs to the next that has one; behind the last, where a text breaks off, to that one.
        for text in (*marked[start:], *reversed(marked[:start])):
            if mark := _MARK.search(text):
                return Place(_engine.file(mark[1]), int(mark[2]))
        return Place(_engine.file(template))

    return place


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


class _Engine:
    """Jinja with the built-in templates, or with those of a user in their place, then in Jinja's sandbox."""

    def __init__(self, users: UserTemplates | None, *, compiled_before: bool = True) -> None:
        self.users = users
        self.compiled_before = compiled_before and users is None
        #: In a built-in template anything but these is a defect of ours.
        self.faults: type[Exception] = jinja2.TemplateError if users is None else Exception
        self._quotings: dict[str, Quoting] = {}
        self._environments: dict[tuple[Quoting, bool], jinja2.Environment] = {}

    def template(self, name: str, quoting: Quoting | None = None, *, marked: bool = False) -> jinja2.Template:
        """With marks in the quoting in which it was rendered: a template is of one target."""
        growth.begin_document()
        if quoting is None:
            quoting = self._quotings.get(name, YAML)
        environment = self._environments.get((quoting, marked))
        if environment is None:
            environment = self._environments[quoting, marked] = self._environment(quoting, marked=marked)
        self._quotings[name] = quoting
        return environment.get_template(name)

    def file(self, name: str) -> str:
        """The file of a template, as it is shown."""
        return f"{self.users.folder if self.users and name in self.users.texts else 'templates'}/{name}"

    def syntax_errors(self, quotings: Mapping[str, Quoting]) -> list[Problem]:
        """Of all the user's templates at once."""
        problems: list[Problem] = []
        for name in sorted(self.users.texts if self.users else ()):
            try:
                self.template(name, quotings.get(name.partition("/")[0], YAML))
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

        fresh = marked or not self.compiled_before
        environment = (Sandbox if self.users else Environment)(
            loader=jinja2.FunctionLoader(load) if fresh else _Loader(load, quoting.name),
            undefined=_Undefined,
            finalize=_finalizer(quoting),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
            auto_reload=False,
            cache_size=-1,
        )
        environment.filters |= quoting.values
        for name, write in quoting.writers.items():
            environment.filters[name] = _writer(write)
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


class _Loader(jinja2.FunctionLoader):
    """Takes what was compiled while the wheel was built, where it is of this very text and of this Jinja."""

    def __init__(self, load: Callable[[str], tuple[str, str, None] | None], quoting: str) -> None:
        super().__init__(load)
        self._quoting = quoting

    def load(self, environment: jinja2.Environment, name: str, globals: Any = None) -> jinja2.Template:  # noqa: A002
        source, file, _ = self.get_source(environment, name)
        namespace = compiled_template(self._quoting, name, source, jinja2.__version__)
        if namespace is None:
            return super().load(environment, name, globals)
        made = {**namespace(environment), "__file__": file}
        return environment.template_class.from_module_dict(environment, made, globals or {})


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


def _writer(write: Callable[..., str]) -> Callable[..., Written]:
    return lambda *values, **named: Written(write(*values, **named))


def _finalizer(quoting: Quoting) -> Callable[[Any], str]:
    """Writes the value of an expression; what a writer has made is text already."""
    write = quoting.scalar
    nested = (
        "a nested value needs '| block(indent)'" if "block" in quoting.writers else "a nested value has no form here"
    )

    def finalize(value: Any) -> str:
        kind = type(value)
        if kind is Written:
            return value  # type: ignore[no-any-return]
        if kind is not str and isinstance(value, (jinja2.Undefined, dict, list, tuple)):
            # str() of an Undefined raises what names the variable; a nested value has no one-line form.
            name = str(value) if isinstance(value, jinja2.Undefined) else kind.__name__
            raise jinja2.TemplateRuntimeError(f"{nested}: {name}")
        try:
            text = write(value)
        except ValueError as error:
            raise jinja2.TemplateRuntimeError(str(error)) from error
        if " at 0x" in text and _ADDRESS.search(text):
            raise jinja2.TemplateRuntimeError("this is no value but an object of the program; did you mean '| list'?")
        return text

    return finalize


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


_engine = _Engine(None)

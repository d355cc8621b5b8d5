"""Templates of users: Jinja's sandbox, in a child process with limits, with plain data and no file in reach.

The sources of all templates are texts before the child begins: a name that is none of theirs leads nowhere,
whatever stands on the disk. The built-in templates around those of the user are rendered there too.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import jinja2
import jinja2.sandbox

from renderer import assets
from renderer.confined import Confined, Ended, Limits, TooLong
from renderer.errors import Place, Problem, excerpt
from renderer.render import Context, TemplateFault, finalize, marked_source, options, with_filters
from renderer.shadows import Shadows

#: What differs from run to run, and what would make rendered text do so.
_RANDOM_FILTERS = ("random",)
_RANDOM_GLOBALS = ("lipsum", "cycler", "joiner")
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-f]+>")

#: Template, line (0: unknown), what is wrong.
_Fault = tuple[str, int, str]


class Shadowed:
    """Renders with the templates of a user until it is closed. The same answers as ``render``."""

    def __init__(self, shadows: Shadows, limits: Limits = Limits()) -> None:  # noqa: B008 - a value
        self._shadows = shadows
        sources = {name: assets.read(f"templates/{name}").decode() for name in assets.names("templates")}
        self._child = Confined(_Engine({**sources, **shadows.texts}, limits).answer, limits)

    def faults(self) -> list[Problem]:
        """What is wrong with the user's templates before anything is rendered: all of it at once."""
        problems = []
        for name in sorted(self._shadows.texts):
            try:
                self._ask("compile", name, {})
            except TemplateFault as fault:
                problems += fault.problems
        return problems

    def render(self, template: str, context: Context) -> str:
        """The text; TemplateFault with the line of the template otherwise."""
        return self._ask("render", template, context)

    def marked(self, template: str, context: Context) -> str:
        """The text with a mark on each line that tells its origin."""
        return self._ask("marked", template, context)

    def file(self, name: str) -> str:
        """The file of a template, as it is shown."""
        return f"{self._shadows.folder if name in self._shadows.texts else 'templates'}/{name}"

    def close(self) -> None:
        """Ends the child."""
        self._child.close()

    def _ask(self, what: str, template: str, context: Context) -> str:
        try:
            # marshal refuses whatever is no plain data, and what it writes is read by the child alone.
            answer = self._child.ask(marshal.dumps((what, template, dict(context))))
        except Ended as ended:
            raise self._fault((template, 0, str(ended))) from ended
        # Never trusted: what a template could make of the child, it could make of its answers.
        text, fault = json.loads(answer)
        if fault:
            raise self._fault((str(fault[0]), int(fault[1]), str(fault[2])))
        return str(text)

    def _fault(self, fault: _Fault) -> TemplateFault:
        name, line, message = fault
        problem = Problem(Place(self.file(name), line), "", "template/fault", excerpt(message, 500), in_output=True)
        return TemplateFault("a template could not be rendered", [problem])


class _Engine:
    """What the child does."""

    def __init__(self, sources: Mapping[str, str], limits: Limits) -> None:
        self._sources = sources
        self._limits = limits
        _warm_up()

    def answer(self, request: bytes) -> bytes:
        what, template, context = marshal.loads(request)  # noqa: S302 - ours, see _ask
        try:
            text, fault = self._do(what, template, context), None
        except Exception as error:
            text, fault = None, self._fault(error, template)
        return json.dumps([text, fault]).encode()

    def _do(self, what: str, template: str, context: Context) -> str:
        environment = self._marked if what == "marked" else self._plain
        loaded = environment.get_template(template)
        text = "" if what == "compile" else loaded.render(context)
        # JSON may take several bytes for a character.
        if len(text) > (most := self._limits.answer // 8):
            raise OverflowError(f"it made more than {most:,} characters")
        return text

    @cached_property
    def _plain(self) -> jinja2.Environment:
        return _environment(lambda name: self._sources[name])

    @cached_property
    def _marked(self) -> jinja2.Environment:
        return _environment(lambda name: marked_source(self._sources[name], name))

    def _fault(self, error: Exception, template: str) -> _Fault:
        name, line = _blame(error, template)
        if isinstance(error, TooLong):
            return name, line, f"it took more than {self._limits.seconds:g} s of processor time"
        if isinstance(error, MemoryError):
            return name, line, f"it needs more than {self._limits.memory >> 20} MiB of memory"
        if isinstance(error, RecursionError):
            return name, line, "it calls itself without an end, or is nested too deeply"
        if isinstance(error, jinja2.TemplateNotFound):
            return name, line, f"there is no template {excerpt(str(error.name))!r}; templates are found by name only"
        return name, line, str(error)[:2000] or type(error).__name__


def _warm_up() -> None:
    """Makes Python import what it imports only on first use: afterwards no file can be opened."""
    for text in ("{{ 'a' | string }}", "{{ 1 // 0 }}"):
        with suppress(ZeroDivisionError):
            _environment({"t": text}.__getitem__).get_template("t").render()


def _environment(source: Callable[[str], str]) -> jinja2.Environment:
    def load(name: str) -> tuple[str, str, None] | None:
        try:
            return source(name), name, None
        except KeyError:
            return None

    loader = jinja2.FunctionLoader(load)
    settings = {**options(), "finalize": _finalize}
    environment = with_filters(jinja2.sandbox.ImmutableSandboxedEnvironment(loader=loader, **settings))
    for name in _RANDOM_FILTERS:
        del environment.filters[name]
    for name in _RANDOM_GLOBALS:
        del environment.globals[name]
    return environment


def _finalize(value: Any) -> str:
    written = finalize(value)
    if " at 0x" in written and _ADDRESS.search(written):
        raise jinja2.TemplateRuntimeError("this is no value but an object of the program; did you mean '| list'?")
    return written


def _blame(error: BaseException, template: str) -> tuple[str, int]:
    """The innermost line of a template in the traceback; (template, 0) where there is none."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return error.name or template, error.lineno
    found, frame = (template, 0), error.__traceback__
    while frame is not None:
        # Jinja puts lines of templates into the traceback, though not always: then its own are translated here.
        known = frame.tb_frame.f_globals
        if "__jinja_exception__" in known:
            found = frame.tb_frame.f_code.co_filename, frame.tb_lineno
        elif isinstance(own := known.get("__jinja_template__"), jinja2.Template):
            found = own.name or template, own.get_corresponding_lineno(frame.tb_lineno)
        frame = frame.tb_next
    return found

"""Runs built-in templates that were compiled before, without Jinja, whose import is an eighth of a cold start.

It has what their Python asks of Jinja. Whatever it does not know, and any fault, ends in an exception: then Jinja
renders the template from its source (``renderer.render.engine``), and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, NoReturn

missing = object()


class TemplateRuntimeError(Exception):
    """Of a template that goes on without Jinja."""


class Undefined:
    """What an ``if`` without ``else`` leaves: it is false, and cannot be used."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """As Jinja makes it, with what a message would say."""

    def _refuse(self, *_: Any) -> NoReturn:
        raise TemplateRuntimeError("undefined")

    def __bool__(self) -> bool:
        return False

    __iter__ = __len__ = __eq__ = __ne__ = __contains__ = __hash__ = __str__ = _refuse


class _Absent(Undefined):
    """What is not there: it can be asked whether it is defined, and used for nothing else."""

    __bool__ = Undefined._refuse


class LoopContext:
    """Pairs of an item and of what ``loop`` is meanwhile."""

    def __init__(self, items: Iterable[Any], undefined: type[Undefined]) -> None:
        del undefined
        self._items = items
        self.index, self.first = 0, True

    def __iter__(self) -> Iterator[tuple[Any, LoopContext]]:
        for number, item in enumerate(self._items, 1):
            self.index, self.first = number, number == 1
            yield item, self


def str_join(pieces: Iterable[Any]) -> str:
    """What ``~`` makes."""
    return "".join(map(str, pieces))


def identity(value: Any) -> Any:
    """In the place of what escapes HTML."""
    return value


#: The names of this module that a compiled template is given.
NAMES = ("LoopContext", "TemplateRuntimeError", "Undefined", "identity", "missing", "str_join")
_GLOBALS: Mapping[str, Any] = {"dict": dict, "range": range}


class _Context:
    """The variables of a template: those from outside, and its own."""

    __slots__ = ("_outer", "exported_vars", "vars")

    class eval_ctx:  # noqa: N801 - named as Jinja does
        autoescape = False

    def __init__(self, outer: Mapping[str, Any]) -> None:
        self._outer = outer
        self.vars: dict[str, Any] = {}
        self.exported_vars: set[str] = set()

    def resolve_or_missing(self, name: str) -> Any:
        return self.vars[name] if name in self.vars else self._outer.get(name, missing)

    def get_all(self) -> Mapping[str, Any]:
        return {**self._outer, **self.vars} if self.vars else self._outer

    @staticmethod
    def call(
        function: Callable[..., Any], *values: Any, _loop_vars: Any = None, _block_vars: Any = None, **named: Any
    ) -> Any:
        del _loop_vars, _block_vars
        return function(*values, **named)


class _Template:
    __slots__ = ("root_render_func",)

    def __init__(self, root: Callable[[_Context], Iterator[str]]) -> None:
        self.root_render_func = root

    @staticmethod
    def new_context(outer: Mapping[str, Any], shared: bool, own: Mapping[str, Any]) -> _Context:
        """Of a template that another one includes."""
        del shared
        return _Context({**outer, **{name: value for name, value in own.items() if value is not missing}})

    def _get_default_module(self, context: Any) -> Mapping[str, Any]:
        """The variables of a template that another one imports."""
        del context
        own = _Context(_GLOBALS)
        for _ in self.root_render_func(own):
            pass
        return {name: own.vars[name] for name in own.exported_vars}


class Runtime:
    """What compiled templates know as their environment. ``find`` gives the Python of a template by its name."""

    undefined = _Absent
    concat = staticmethod("".join)
    tests: Mapping[str, Callable[[Any], bool]] = {
        "defined": lambda value: not isinstance(value, Undefined),
        "none": lambda value: value is None,
        "string": lambda value: isinstance(value, str),
    }

    def __init__(
        self,
        find: Callable[[str], Callable[[Any], dict[str, Any]] | None],
        finalize: Callable[[Any], str],
        filters: Mapping[str, Callable[..., Any]],
    ) -> None:
        self._find = find
        self._templates: dict[str, _Template] = {}
        self.finalize = finalize
        self.filters = {**_FILTERS, **filters}

    def render(self, name: str, context: Mapping[str, Any]) -> str | None:
        """The text of a template; None where Jinja has to decide: it was not compiled, or there is a fault."""
        try:
            return "".join(self.get_template(name).root_render_func(_Context({**_GLOBALS, **context})))
        except Exception:
            return None

    def get_template(self, name: str, parent: str = "") -> _Template:
        """Of a template that is rendered, or included by ``parent``."""
        del parent
        if name not in self._templates:
            compiled = self._find(name)
            if compiled is None:
                raise TemplateRuntimeError(f"{name} was not compiled before")
            self._templates[name] = _Template(compiled(self)["root"])
        return self._templates[name]

    @staticmethod
    def getattr(owner: Any, name: str) -> Any:
        """``owner.name``: of a mapping its entry first, as ``items`` is a field like any other."""
        if type(owner) is dict:
            return owner[name] if name in owner else getattr(owner, name, None) or _Absent()
        return getattr(owner, name)

    @staticmethod
    def getitem(owner: Any, key: Any) -> Any:
        return owner[key]


def _of(attribute: str) -> Callable[[Any], Any]:
    """An item at an index, or an entry of a mapping."""
    return itemgetter(int(attribute) if attribute.isdecimal() else attribute)


def _numbers(values: Iterable[Any], key: Callable[[Any], Any] = identity) -> list[Any]:
    """What can be compared as it is: of texts Jinja ignores the case."""
    items = list(values)
    if not all(type(key(item)) is int for item in items):
        raise TemplateRuntimeError("texts are compared by Jinja")
    return items


def _batches(values: Iterable[Any], size: int) -> list[list[Any]]:
    items = list(values)
    return [items[i : i + size] for i in range(0, len(items), size)]


def _indented(text: str, width: int, first: bool = False) -> str:
    """With blanks in front of all lines that have something; of the first, where that is asked for, in any case."""
    begin, *others = f"{text}\n".splitlines()
    blanks = " " * width
    return "\n".join([blanks * first + begin, *(blanks + line if line else line for line in others)])


def _groups(values: Iterable[Any], key: Callable[[Any], Any]) -> list[tuple[Any, list[Any]]]:
    return [(number, list(items)) for number, items in groupby(sorted(_numbers(values, key), key=key), key)]


def _filtered(keep: bool) -> Callable[..., list[Any]]:
    def those(context: Any, values: Iterable[Any], attribute: str) -> list[Any]:
        del context
        value = _of(attribute)
        return [item for item in values if bool(value(item)) is keep]

    return those


#: As Jinja's of these names, which get what they ask for first.
_FILTERS: Mapping[str, Callable[..., Any]] = {
    "batch": _batches,
    "default": lambda value, instead: instead if isinstance(value, Undefined) else value,
    "format": lambda text, *values: text % values,
    "groupby": lambda _, values, attribute: _groups(values, _of(attribute)),
    "indent": _indented,
    "items": lambda mapping: mapping.items(),
    "join": lambda _, values, separator: separator.join(map(str, values)),
    "length": len,
    "list": lambda _, values: list(values),
    "map": lambda _, values, attribute: [_of(attribute)(item) for item in values],
    "rejectattr": _filtered(False),
    "selectattr": _filtered(True),
    "sort": lambda _, values: sorted(_numbers(values)),
    "string": str,
    "unique": lambda _, values: list(dict.fromkeys(_numbers(values))),
}

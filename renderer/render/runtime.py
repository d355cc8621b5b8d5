"""Runs built-in templates that were compiled before, without Jinja, whose import is an eighth of a cold start.

It has what their Python asks of Jinja. Whatever it does not know, and any fault, ends in an exception: then Jinja
renders the template from its source (``renderer.render.engine``), and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import getitem, itemgetter
from typing import Any, NoReturn

missing = object()
concat = "".join


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


class Absent(Undefined):
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


def method(owner: Any, name: str) -> Any:
    """What ``owner.name(…)`` calls: of a mapping an entry first, as ``items`` is a field like any other."""
    return owner[name] if type(owner) is dict and name in owner else getattr(owner, name)


def call(function: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """A method of a value, or one of the few functions that templates have."""
    return function(*values, **named)


class Context(dict[str, Any]):
    """The variables that a template is given."""

    class eval_ctx:  # noqa: N801 - named as Jinja does
        autoescape = False

    def __missing__(self, name: str) -> Any:
        return _GLOBALS.get(name, _ABSENT)


def inner(context: Context, variables: Mapping[str, Any]) -> Context:
    """Of a template that is included where these variables may be set."""
    own = Context(context)
    for name, value in variables.items():
        if value is not missing:
            own[name] = value
    return own


#: The names of this module that a compiled template is given.
NAMES = (
    *("Absent as undefined", "LoopContext", "TemplateRuntimeError", "Undefined as cond_expr_undefined"),
    *("call", "concat", "identity", "inner", "method", "missing", "str_join"),
)
_GLOBALS: Mapping[str, Any] = {"dict": dict, "range": range}
_ABSENT = Absent()

#: Adds the text of a template to a list, and returns the variables that it sets.
Root = Callable[[Context, list[str]], Mapping[str, Any]]


class _Roots(dict[str, Root]):
    """By the name of a template, made when one is first rendered or included."""

    def __init__(self, find: Callable[[str], Callable[[Any], Root] | None], environment: Runtime) -> None:
        super().__init__()
        self._find, self._environment = find, environment

    def __missing__(self, name: str) -> Root:
        compiled = self._find(name)
        if compiled is None:
            raise TemplateRuntimeError(f"{name} was not compiled before")
        self[name] = root = compiled(self._environment)
        return root


class Runtime:
    """What compiled templates know as their environment. ``find`` gives the Python of a template by its name."""

    tests: Mapping[str, Callable[[Any], bool]] = {
        "defined": lambda value: not isinstance(value, Undefined),
        "none": lambda value: value is None,
        "string": lambda value: isinstance(value, str),
    }
    getitem = staticmethod(getitem)

    def __init__(
        self,
        find: Callable[[str], Callable[[Any], Root] | None],
        finalize: Callable[[Any], str],
        filters: Mapping[str, Callable[..., Any]],
    ) -> None:
        self.roots = _Roots(find, self)
        self._variables: dict[str, Mapping[str, Any]] = {}
        self.finalize = finalize
        self.filters = {**_FILTERS, **filters}

    def render(self, name: str, context: Mapping[str, Any]) -> str | None:
        """The text of a template; None where Jinja has to decide: it was not compiled, or there is a fault."""
        pieces: list[str] = []
        try:
            self.roots[name](Context(context), pieces)
            return "".join(pieces)
        except Exception:
            return None

    def variables(self, name: str) -> Mapping[str, Any]:
        """Of a template that another one imports: it is given none, so they are always the same."""
        if name not in self._variables:
            variables = self.roots[name](Context(), [])
            self._variables[name] = {name: value for name, value in variables.items() if value is not missing}
        return self._variables[name]


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


#: Of texts with these, and of lines that have nothing, Jinja makes something else than of the others.
_LINE_ENDS = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def _indented(text: str, width: int, first: bool = False) -> str:
    """With blanks in front of all lines that have something; of the first, where that is asked for, in any case."""
    blanks = " " * width
    if "\n\n" in text or any(end in text for end in _LINE_ENDS):
        begin, *others = f"{text}\n".splitlines()
        return "\n".join([blanks * first + begin, *(blanks + line if line else line for line in others)])
    lines = text.removesuffix("\n")
    return blanks * first + lines.replace("\n", f"\n{blanks}") + text[len(lines) :]


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

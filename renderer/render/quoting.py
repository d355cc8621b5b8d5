"""How a format takes values: one mechanism for all that a template prints, so that no value changes the structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from renderer.errors import OutputInvalid
from renderer.later import pattern
from renderer.yaml_writer import Texts, block, comment, scalar, text_value

_ADDRESS = pattern(r"<[^<>]* at 0x[0-9a-f]+>")

#: What a template may read: plain data, nothing with methods that reach outside.
Context = Mapping[str, Any]


class TemplateFault(OutputInvalid):
    """A template asks for what is not there; the one Problem has its file and line."""


class Written(str):
    """Text in the target's format already, made by one of the quoting's filters."""

    __slots__ = ()


class Quoting:
    """How a target's format takes values: ``scalar`` writes one, ``writers`` are filters that make finished text.

    ``values`` are filters that make another value, which is written afterwards. ``scalar`` raises ValueError for what
    the format cannot say. ``name`` is that under which its templates may have been compiled before.
    """

    def __init__(
        self,
        scalar: Callable[[Any], str],
        writers: Mapping[str, Callable[..., str]] | None = None,
        values: Mapping[str, Callable[..., Any]] | None = None,
        name: str = "",
    ) -> None:
        self.scalar = scalar
        self.writers = writers or {}
        self.values = values or {}
        self.name = name


#: One value as one scalar; ``block`` writes nested values, ``text`` a value of maybe several lines, ``comment`` prose.
YAML = Quoting(
    scalar,
    {
        "block": block,
        "comment": lambda text, indent=0: comment(text, indent),
        "text": text_value,
    },
    {"literal": lambda value: value},  # for templates that several targets include: here nothing is expanded
    name="yaml",
)


def filters(quoting: Quoting) -> dict[str, Callable[..., Any]]:
    """What templates of the format may use besides Jinja's own."""
    return {**quoting.values, **{name: _writer(write) for name, write in quoting.writers.items()}}


def _writer(write: Callable[..., str]) -> Callable[..., Written]:
    return lambda *values, **named: Written(write(*values, **named))


def finalizer(quoting: Quoting) -> Callable[[Any], str]:
    """Writes the value of an expression; what a writer has made is text already. ValueError for what has no form."""
    write = quoting.scalar
    nested = (
        "a nested value needs '| block(indent)'" if "block" in quoting.writers else "a nested value has no form here"
    )

    def checked(value: Any) -> str:
        text = write(value)
        if " at 0x" in text and _ADDRESS.search(text):
            raise ValueError("this is no value but an object of the program; did you mean '| list'?")
        return text

    texts = Texts(checked)

    def finalize(value: Any) -> str:
        kind = type(value)
        if kind is str:
            return texts[value]
        if kind is Written:
            return value  # type: ignore[no-any-return]
        if isinstance(value, str):  # Jinja's 'safe' text, which takes what is put around it for HTML
            return texts[str(value)]
        if isinstance(value, dict | list | tuple):
            raise ValueError(f"{nested}: {kind.__name__}")
        return checked(value)

    return finalize

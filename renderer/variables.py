"""References in a spec's text: ``$(NAME)`` is a variable declared in ``env``, as for the kubelet.

A preceding dollar escapes: ``$$(NAME)`` and ``$${NAME}`` are literal, minus one dollar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from renderer.later import pattern
from renderer.model import Container, Server
from renderer.namedtuples import NamedTuple

#: ``name``: of ``$(NAME)``. ``braced``: of compose (``${NAME}``, ``${name:-default}``) and mcp.json
#: (``${env:NAME}``, ``${input:name}``), which nothing expands. Other dollars are plain text.
VARIABLE = pattern(
    r"(?P<dollars>\$+)(?:\((?P<name>[A-Za-z_][A-Za-z0-9_]*)\)"
    r"|(?=\{)\{(?P<braced>[A-Z_][A-Z0-9_]*(?=\})|\w+(?=:?[-?+])|(?:env|input):[\w-]+(?=\})))"
)
_SHELLS = frozenset({"sh", "ash", "bash", "dash", "zsh", "busybox"})


Value = TypeVar("Value")


class Piece(NamedTuple):
    """Literal text, or with ``name`` a reference."""

    text: str
    name: str = ""


def runs_shell(words: Sequence[str]) -> bool:
    """Whether a shell interprets the words: it expands ``${NAME}`` and runs ``$(command)``."""
    return any(word.rpartition("/")[2] in _SHELLS for word in words)


def words_of(container: Server | Container) -> tuple[str, ...]:
    return (*container.command, *container.args)


def names_in(text: str) -> Iterator[str]:
    """Names of the variables that the text refers to."""
    if "$(" not in text:  # most texts: so the pattern is not tried at all
        return iter(())
    return (match["name"] for match in VARIABLE.finditer(text) if match["name"] and len(match["dollars"]) == 1)


def expanded_in(container: Server | Container, *, words: bool = False) -> Callable[[str], bool]:
    """A predicate: which names have a value in a container's environment, or in its ``words``.

    With ``envFrom`` every name may, as its keys are unknown. In a shell an undeclared ``$(date)`` is a command.
    """
    unknown = bool(container.env_from)
    unknown = unknown and not (words and runs_shell(words_of(container)))
    return lambda name: unknown or name in container.env


def pieces(text: str, is_variable: Callable[[str], bool]) -> Iterator[Piece]:
    """Splits the text into literals and references."""
    literal, start = "", 0
    for match in VARIABLE.finditer(text) if "$" in text else ():
        literal, start, escaped = literal + text[start : match.start()], match.end(), len(match["dollars"]) > 1
        if match["name"] and not escaped and is_variable(match["name"]):
            yield from [Piece(literal)] if literal else ()
            yield Piece("", match["name"])
            literal = ""
        else:
            literal += match[0][1:] if escaped else match[0]
    yield from [Piece(literal + text[start:])] if literal or start < len(text) else ()


def as_literal(text: str) -> str:
    """Escapes references."""
    return VARIABLE.sub(lambda match: f"${match[0]}", text) if "$" in text else text


def in_order(env: Mapping[str, Value]) -> dict[str, Value]:
    """Variables after those they refer to: the kubelet expands earlier ones only."""
    references, ordered = _references(env), dict[str, Value]()
    if not any(references.values()):
        return dict(env)

    def add(name: str, above: tuple[str, ...]) -> None:
        if name not in ordered and name not in above:
            for other in references[name]:
                add(other, (*above, name))
            ordered[name] = env[name]

    for name in env:
        add(name, ())
    return ordered


def self_references(env: Mapping[str, Value]) -> set[str]:
    """Variables that refer to themselves, directly or through others."""
    references, names = _references(env), set[str]()
    for name in env:
        reached, waiting = set[str](), [name]
        while waiting:
            new = {*references[waiting.pop()]} - reached
            reached |= new
            waiting += new
        names |= {name} & reached
    return names


def expanded_sizes(env: Mapping[str, Value]) -> dict[str, int]:
    """Lengths in characters after expansion; assumes no cycles."""
    references, sizes = _references(env), dict[str, int]()
    for name, value in in_order(env).items():
        own = len(value) if isinstance(value, str) else 0
        sizes[name] = own + sum(sizes.get(other, 0) for other in references[name])
    return sizes


def _references(env: Mapping[str, Value]) -> dict[str, list[str]]:
    texts = {name: value if isinstance(value, str) else "" for name, value in env.items()}
    return {name: [other for other in names_in(text) if other in env] for name, text in texts.items()}

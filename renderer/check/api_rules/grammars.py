"""Grammars of names and quantities that an API server enforces.

Sources: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and …/labels/.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import Any, Concatenate, ParamSpec

from renderer.errors import DocumentPath, Fault
from renderer.later import pattern
from renderer.manifest import Json, mapping
from renderer.quantity import nano
from renderer.wording import either, excerpt, suggestion


def refused(path: DocumentPath, rule: str, message: str, hint: str = "", *, at_key: bool = False) -> Fault:
    return Fault(path, f"api/{rule}", message, hint, at_key=at_key)


_P = ParamSpec("_P")
_Judge = Callable[Concatenate[Json, DocumentPath, _P], list[Fault]]
#: The marshal version without references, so that equal values have equal bytes.
_WITHOUT_REFERENCES = 2
_MOST_PARTS = 1_000


def once_if_valid(judge: _Judge[_P]) -> _Judge[_P]:
    """Checks equal parts without faults only once: many recur in all servers.

    The result may depend on the part and plain arguments alone; the path only locates it.
    """
    sound: set[bytes] = set()

    def faults_of(part: Json, path: DocumentPath, /, *more: _P.args, **named: _P.kwargs) -> list[Fault]:
        looked_at: Any = part, more, named
        content = marshal.dumps(looked_at, _WITHOUT_REFERENCES)
        if content in sound:
            return []
        if not (faults := judge(part, path, *more, **named)):
            if len(sound) >= _MOST_PARTS:
                sound.clear()  # what recurs is soon there again
            sound.add(content)
        return faults

    return faults_of


_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789-"
_MIXED = f"{_LOWER}ABCDEFGHIJKLMNOPQRSTUVWXYZ_."


def _is_simple(text: str) -> bool:
    """A word of lower case letters and digits, or several with '-' between: of every grammar."""
    return not text.strip(_LOWER) and text[:1].isalpha() and text[-1:] != "-" and "--" not in text


def _is_dotted(text: str) -> bool:
    return all(map(_is_simple, text.split(".")))


def _is_mixed(text: str) -> bool:
    return not text.strip(_MIXED) and text[:1].isalpha() and text[-1:].isalnum() and ".." not in text


class Grammar:
    """A pattern, the maximum length, and the pattern in words.

    ``is_usual`` says of most texts that they are of it before the pattern is compiled. Compared by identity, as a cheap
    cache key.
    """

    __slots__ = ("is_usual", "longest", "pattern", "words")

    def __init__(
        self, pattern: re.Pattern[str], longest: int, words: str, is_usual: Callable[[str], bool] = _is_simple
    ) -> None:
        self.pattern = pattern
        self.longest = longest
        self.words = words
        self.is_usual = is_usual


_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_LABEL_WORDS = "lower case letters, digits and '-', a letter or digit at both ends"
_QUALIFIED = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_QUALIFIED_WORDS = "letters, digits, '-', '_' and '.', a letter or digit at both ends"

DNS_LABEL = Grammar(pattern(_LABEL), 63, _LABEL_WORDS)
DNS_SUBDOMAIN = Grammar(
    pattern(rf"{_LABEL}(?:\.{_LABEL})*"), 253, f"{_LABEL_WORDS}, in parts joined by '.'", _is_dotted
)
SERVICE_NAME = Grammar(pattern(r"[a-z](?:[-a-z0-9]*[a-z0-9])?"), 63, f"{_LABEL_WORDS}, beginning with a letter")
# Label values of the pods hold the name and a suffix of 11 characters.
STATEFUL_SET_NAME = Grammar(DNS_LABEL.pattern, 52, _LABEL_WORDS)
PATH_SEGMENT = Grammar(pattern(r"(?!\.{1,2}\Z)[^/%]+"), 253, "any characters but '/' and '%'")
PORT_NAME = Grammar(
    pattern(r"(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"),
    15,
    f"{_LABEL_WORDS}, at least one letter",
)
LABEL_VALUE = Grammar(pattern(rf"(?:{_QUALIFIED})?"), 63, _QUALIFIED_WORDS, _is_mixed)
QUALIFIED_NAME = Grammar(pattern(_QUALIFIED), 63, _QUALIFIED_WORDS, _is_mixed)
DATA_KEY = Grammar(pattern(r"(?!\.\.)(?!\.\Z)[-._a-zA-Z0-9]+"), 253, "letters, digits, '-', '_' and '.'", _is_mixed)
ENV_NAME = Grammar(
    pattern(r"[-._a-zA-Z][-._a-zA-Z0-9]*"), 32_768, "letters, digits, '-', '_' and '.', not a digit first", _is_mixed
)


@lru_cache(maxsize=8192)
def grammar_error(grammar: Grammar, text: str) -> str:
    """The error as the rest of a sentence, or empty."""
    if len(text) > grammar.longest:
        return f"has {len(text)} characters, more than {grammar.longest}"
    if grammar.is_usual(text) or grammar.pattern.fullmatch(text):
        return ""
    return f"must be of {grammar.words}" if text else "must not be empty"


@lru_cache(maxsize=8192)
def key_error(key: str) -> str:
    """For the key of a label or annotation (``[prefix/]name``), or empty."""
    prefix, slash, name = key.rpartition("/")
    wrong_prefix = grammar_error(DNS_SUBDOMAIN, prefix) if slash else ""
    return f"its prefix {wrong_prefix}" if wrong_prefix else grammar_error(QUALIFIED_NAME, name)


def name_fault(grammar: Grammar, value: Any, path: DocumentPath, rule: str, noun: str) -> list[Fault]:
    """At most one Fault; values that are no text are left to the schema."""
    wrong = grammar_error(grammar, value) if isinstance(value, str) else ""
    return [refused(path, rule, f"{noun} {excerpt(value)} {wrong}")] if wrong else []


def choice_fault(value: Any, allowed: Collection[str], path: DocumentPath) -> list[Fault]:
    """At most one Fault, for enumerations that the schema lacks."""
    if not isinstance(value, str) or value in allowed:
        return []
    options = list(allowed)
    listed = either([excerpt(option) for option in options])
    message = f"{excerpt(value)} is not known; it must be {listed}{suggestion(value, options)}"
    return [refused(path, "unknown-value", message)]


def range_fault(value: Any, low: int, high: int | None, path: DocumentPath, rule: str) -> list[Fault]:
    """At most one Fault; ``high`` None: no maximum."""
    if not isinstance(value, int) or isinstance(value, bool):
        return []
    if value >= low and (high is None or value <= high):
        return []
    bounds = f"at least {low}" if high is None else f"from {low} to {high}"
    return [refused(path, rule, f"must be {bounds}, is {excerpt(value)}")]


def port_fault(value: Any, path: DocumentPath) -> list[Fault]:
    """At most one Fault: neither a port number nor a port name."""
    named = name_fault(PORT_NAME, value, path, "port-name", "port name")
    return named or range_fault(value, 1, 65_535, path, "port-range")


def repeated(names: Iterable[tuple[DocumentPath, Any]], rule: str, noun: str) -> list[Fault]:
    """``names``: pairs of path and name."""
    seen: set[Any] = set()
    faults = []
    for path, name in names:
        if name in seen:
            words = "/".join(map(str, name)) if isinstance(name, tuple) else excerpt(name)
            faults.append(refused(path, rule, f"{noun} {words} is there twice"))
        seen.add(name)
    return faults


# ---------------------------------------------------------------------------------------------
# Quantities.

#: Python refuses to print integers with thousands of digits.
_MOST_BITS = 64

HINT = "write a number with a suffix, such as 500m, 1 or 1.5 of cpu, 128Mi or 2Gi of memory"


def _size(value: Any) -> int | None:
    """In units of 10^-9; None if it is no quantity."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return None
    return nano(str(value)) if isinstance(value, str | int | float) else None


def quantity_faults(value: Any, path: DocumentPath, *, least: int = 0) -> list[Fault]:
    """At most one Fault; ``least`` in units of 10^-9."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return []
    size = _size(value)
    if size is None:
        return [refused(path, "quantity", f"{excerpt(value)} is not a quantity", HINT)]
    if size < least:
        bound = "more than 0" if least else "0 or more"
        return [refused(path, "quantity-range", f"must be {bound}, is {excerpt(value)}")]
    return []


def resource_faults(resources: Json, path: DocumentPath) -> list[Fault]:
    """Quantities, and requests above their limits."""
    requests, limits = mapping(resources, "requests"), mapping(resources, "limits")
    faults = []
    for name, values in (("requests", requests), ("limits", limits)):
        for key, value in values.items():
            faults += quantity_faults(value, (*path, name, key))
    for key, value in requests.items():
        most = limits.get(key)
        asked, allowed = _size(value), _size(most)
        if asked is not None and allowed is not None and asked > allowed:
            message = f"requests {excerpt(value)} of {excerpt(key)}, more than the limit {excerpt(most)}"
            faults.append(refused((*path, "requests", key), "request-above-limit", message))
    return faults

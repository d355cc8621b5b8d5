"""From the bytes of a file to text that every YAML reader divides into the same lines and characters."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from renderer.errors import Fault
from renderer.later import pattern
from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer.model import JSON, Marks


# Named tuples, not dataclasses: each frozen dataclass costs a millisecond of every start.
class Limits(NamedTuple):
    """Bounds that hold before anything is built, against hostile files.

    ``max_bytes`` of one file, ``max_depth`` of nesting, ``max_nodes`` of one document and ``max_total`` of
    all (keys, values, ends of collections), ``max_documents`` in a file, ``max_faults`` before reading stops.
    ``aliases``: they and merge keys are written out, and count as what they stand for.
    """

    max_bytes: int = 2_000_000
    max_depth: int = 64
    max_nodes: int = 20_000
    max_total: int = 400_000
    max_documents: int = 4_000
    max_faults: int = 100
    aliases: bool = False


#: For what people write. 2 MB are more than a thousand servers in one file.
SPEC_LIMITS = Limits()
#: For what we rendered ourselves, or what a runtime's own tool printed.
OUTPUT_LIMITS = Limits(max_bytes=64_000_000, max_nodes=500_000, max_total=10_000_000, max_documents=200_000)


#: A fault with its line and column, both from 1.
Finding: TypeAlias = tuple[int, int, Fault]


class Document(NamedTuple):
    """One document. ``line`` (from 1) is where it starts; ``marks`` is None when they were not asked for."""

    data: JSON
    marked: Marks | Callable[[], Marks] | None
    line: int

    @property
    def marks(self) -> Marks | None:
        """Where its values stand, which takes another reading the first time: few documents have faults."""
        return self.marked() if callable(self.marked) else self.marked


class RefusalError(Exception):
    """Ends the reading of a file; ``line`` and ``column`` count from 1."""

    def __init__(self, line: int, column: int, fault: Fault) -> None:
        super().__init__(fault.message)
        self.line = line
        self.column = column
        self.fault = fault


class Text(NamedTuple):
    """UTF-8 without surprises. ``narrowed``: per line the columns after which two characters were saved."""

    data: bytes
    narrowed: dict[int, list[int]]

    def column(self, line: int, column: int) -> int:
        """The column in the file as the user sees it, given the column in ``data``; both count from 1."""
        starts = self.narrowed.get(line)
        return column + 2 * bisect_left(starts, column) if starts else column


_ASCII_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_WITHOUT_CONTROLS = bytes.maketrans(_ASCII_CONTROLS, b"?" * len(_ASCII_CONTROLS))
# U+0085, U+2028 and U+2029 end a line in YAML 1.1 and are ordinary characters in 1.2.
_UNWANTED = pattern("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]|(?<!\\A)\ufeff")
#: Characters that no value may carry, not even by an escape.
UNCARRIED = pattern("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_LONE_CR = pattern(rb"\r(?!\n)")
#: What git leaves where two branches changed the same lines.
_CONFLICT = pattern(rb"^(<{7}|={7}|>{7}|\|{7})( .*)?\r?$", re.MULTILINE)
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def prepared(data: bytes | str, limits: Limits) -> Text:
    """The text for libyaml. Raises RefusalError for what is too large, not UTF-8, or has invisible characters."""
    raw = data if isinstance(data, bytes) else _encoded(data)
    if len(raw) > limits.max_bytes:
        raise RefusalError(1, 1, too_large(len(raw), limits))
    if raw.startswith(_WIDE_BOMS) or b"\0" in raw[:4]:
        hint = "save it as UTF-8"
        raise RefusalError(1, 1, Fault((), "yaml/encoding", "the text is UTF-16 or binary, not UTF-8", hint))
    _refuse_unwanted(raw)
    if line := conflict_line(raw):
        message = "the file has the conflict markers of a merge"
        raise RefusalError(line, 1, Fault((), "yaml/conflict-markers", message, "resolve the conflict first"))
    if b"\r" in raw and (lone := _LONE_CR.search(raw)):
        hint = 'end lines with a line feed, or write "\\r" in double quotes'
        fault = Fault((), "yaml/character", "a carriage return without a line feed", hint)
        raise RefusalError(*_place(raw, lone.start()), fault)
    return _with_joined_surrogates(raw)


def conflict_line(content: bytes) -> int:
    """The line, from 1, of the first conflict marker that git left; 0 where there is no conflict."""
    if b"<<<<<<<" not in content or len({match[1] for match in _CONFLICT.finditer(content)}) < 2:
        return 0
    first = _CONFLICT.search(content)
    return content.count(b"\n", 0, first.start()) + 1 if first else 0


def too_large(size: int, limits: Limits) -> Fault:
    """The fault of a file over the limit."""
    message = f"the file has {size:,} bytes, more than the {limits.max_bytes:,} that are read"
    return Fault((), "yaml/too-large", message, "split it into several files")


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        at = text[: error.start].encode()
        raise RefusalError(*_place(at, len(at)), control_character((), text[error.start], "remove it")) from None


def _refuse_unwanted(raw: bytes) -> None:
    if raw.isascii() and raw.translate(_WITHOUT_CONTROLS) == raw:
        return  # by far the most files, at a fifth of the cost of the search below
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        message = f"the byte 0x{raw[error.start]:02x} is not UTF-8"
        fault = Fault((), "yaml/encoding", message, "save the file as UTF-8")
        raise RefusalError(*_place(raw, error.start), fault) from None
    if match := _UNWANTED.search(text):
        at = text[: match.start()].encode()
        raise RefusalError(*_place(at, len(at)), control_character((), match[0], "remove it"))


def control_character(path: tuple[str | int, ...], char: str, hint: str) -> Fault:
    """The fault of a character that no reader should be asked to carry."""
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        return Fault(path, "yaml/character", f"half of a surrogate pair (U+{code:04X}) is not a character", hint)
    if code > 0x7F and not 0xFFFE <= code <= 0xFFFF:
        hint += f', or write "\\u{code:04x}" in double quotes'
    return Fault(path, "yaml/character", f"the invisible character U+{code:04X} is not allowed here", hint)


def _place(raw: bytes, at: int) -> tuple[int, int]:
    """Line and column, from 1, of the byte at ``at``; what precedes it is valid UTF-8."""
    start = raw.rfind(b"\n", 0, at) + 1
    return raw.count(b"\n", 0, at) + 1, len(raw[start:at].decode().removeprefix("\ufeff")) + 1


_PAIR = pattern(rb"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)")
_MOST_PAIRS = 10_000  # each costs some microseconds; beyond that the escapes are told as a fault
_MAY_HOLD_PAIR = pattern(rb"\\u[dD][89abAB]")


def _with_joined_surrogates(raw: bytes) -> Text:
    """JSON writes a character beyond the BMP as two escapes, which YAML does not know: make it one.

    Only in what is JSON as a whole, where each backslash stands inside a double-quoted string.
    """
    begins_as_json = raw[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    if not begins_as_json or not 0 < len(_MAY_HOLD_PAIR.findall(raw)) <= _MOST_PAIRS:
        return Text(raw, {})
    try:
        json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return Text(raw, {})
    narrowed: dict[int, list[int]] = {}
    line, column, last = 1, 1, 0
    for match in _PAIR.finditer(raw):
        if match[1]:
            before = raw[last : match.start()]
            line += before.count(b"\n")
            tail = before[before.rfind(b"\n") + 1 :].decode()
            column = len(tail) + (1 if b"\n" in before else column)
            narrowed.setdefault(line, []).append(column)
            column, last = column + len("\\U0001f600"), match.end()
    return Text(_PAIR.sub(_joined, raw), narrowed)


def _joined(match: re.Match[bytes]) -> bytes:
    if not match[1]:
        return match[0]
    high, low = int(match[1], 16) - 0xD800, int(match[2], 16) - 0xDC00
    return b"\\U%08x" % (0x10000 + (high << 10) + low)

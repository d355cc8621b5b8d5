"""What libyaml complains about, said so that the writer of the file knows what to do."""

from __future__ import annotations

from typing import Final

import yaml

from renderer.errors import Fault, excerpt
from renderer.namedtuples import NamedTuple


class _Case(NamedTuple):
    """What we say when libyaml's context and problem contain these words; "" fits all."""

    context: str
    problem: str
    message: str
    hint: str
    at_start: bool = False  # point at where the construct began, not at where it broke


_TAB: Final = ("a tab cannot be used for indentation", "use spaces")
_DIRECTIVE: Final = ("directives (lines that begin with '%') are not allowed", "remove the line")
_UNCLOSED: Final = ("this quoted text is never closed", "add the quote")
_TABLE: Final = (
    _Case("", "found a tab character", *_TAB),
    _Case("scanning an alias", "", "'*' begins an alias here", "put text that begins with '*' in quotes"),
    _Case("scanning an anchor", "", "'&' begins an anchor here", "put text that begins with '&' in quotes"),
    _Case(" a tag", "", "'!' begins a tag here", "put text that begins with '!' in quotes"),
    _Case("", "undefined tag handle", "'!' begins a tag here", "put text that begins with '!' in quotes"),
    _Case("directive", "", *_DIRECTIVE),
    _Case("", "incompatible yaml document", *_DIRECTIVE),
    _Case("", "%yaml directive", *_DIRECTIVE),
    _Case("", "mapping values are not allowed",
          "a ': ' is not allowed here",
          "put the value in quotes, or check the indentation and the line before"),
    _Case("scanning a simple key", "", "a ':' is missing after this key, or it is indented wrongly",
          "write 'key: value', and text of several lines in quotes or after '|'", at_start=True),
    _Case("quoted scalar", "unexpected end of stream", *_UNCLOSED, at_start=True),
    _Case("quoted scalar", "unexpected document indicator", *_UNCLOSED, at_start=True),
    _Case("quoted scalar", "unknown escape",
          "unknown escape in double quotes", "write \\\\ for a backslash, or use single quotes"),
    _Case("quoted scalar", "hexdecimal",
          "the escape needs hexadecimal digits", "write \\xNN, \\uNNNN or \\UNNNNNNNN"),
    _Case("quoted scalar", "invalid unicode",
          "the escape is not a character", "write a character beyond U+FFFF as \\UNNNNNNNN"),
    _Case("flow node", "", "a value is expected here", "close each '[' and '{', and put signs in quotes"),
    _Case("block scalar", "", "the text after '|' or '>' is not indented or not introduced correctly",
          "indent all its lines alike, with spaces"),
    _Case("flow sequence", "", "this '[' is not closed where it should be",
          "separate items with ',' and close with ']'", at_start=True),
    _Case("flow mapping", "", "this '{' is not closed where it should be",
          "separate entries with ',' and close with '}'", at_start=True),
    _Case("block mapping", "expected key",
          "a key is expected here", "check the indentation, and quotes that end too early"),
    _Case("block collection", "", "a list item ('- ') is expected here", "check the indentation"),
    _Case("", "block sequence entries are not allowed",
          "a list item ('- ') cannot stand here", "begin it on a line of its own"),
    _Case("", "mapping keys are not allowed",
          "'? ' cannot stand here", "write 'key: value' on a line of its own"),
    _Case("", "expected <document start>",
          "text after the end of the document", "separate documents with a line '---'"),
    _Case("", "expected node content",
          "a value is expected here", "put text that begins with a sign in quotes"),
)  # fmt: skip


def syntax_fault(error: Exception, data: bytes) -> tuple[int, int, Fault]:
    """Line and column (from 1) and the fault of an exception of libyaml or of PyYAML."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return 1, 1, Fault((), "yaml/syntax", "this is not YAML", excerpt(str(error), 100))
    mark = error.problem_mark or error.context_mark
    context, problem = (error.context or "").lower(), (error.problem or "").lower()
    if mark and "cannot start any token" in problem:
        line = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")[mark.line :][:1]
        char = b"".join(line).decode()[mark.column : mark.column + 1]
        words = _TAB if char == "\t" else (f"a plain value cannot begin with '{excerpt(char)}'", "put it in quotes")
        return mark.line + 1, mark.column + 1, Fault((), "yaml/syntax", *words)
    for case in _TABLE:
        if case.context in context and case.problem in problem:
            begun = error.context_mark if case.at_start else None
            return *_numbers(begun or mark), Fault((), "yaml/syntax", case.message, case.hint)
    return *_numbers(mark), Fault((), "yaml/syntax", f"this is not YAML: {excerpt(problem, 100)}")


def _numbers(mark: yaml.Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)

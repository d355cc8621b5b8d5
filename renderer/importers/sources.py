"""Loading foreign documents: leniently, within bounds."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import BinaryIO

from renderer.errors import Problem, errors_in
from renderer.load import load
from renderer.model import Source
from renderer.yaml_reader import Limits

#: A registry of thousands of servers is one file.
LIMITS = Limits(max_bytes=32_000_000, max_nodes=1_000_000, max_total=2_000_000, aliases=True)
#: Rules for specs only: other readers have other rules.
_IN_SPECS = ("yaml/ambiguous",)
_STRING = rb'"(?:[^"\\]|\\.)*+"'
_COMMENT = rb"//[^\n]*+|/\*(?s:.*?)\*/"
_TOKENS = re.compile(rb"%s|%s|,(?=(?:\s|%s)*+[}\]])" % (_STRING, _COMMENT, _COMMENT))
#: JSON escapes a character above U+FFFF as a surrogate pair, YAML as one escape.
_SURROGATES = re.compile(rb"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


def load_foreign(paths: Sequence[str], stdin: BinaryIO | None) -> tuple[list[Source], list[Problem]]:
    """Documents of files without errors. Ambiguous scalars stay text."""
    sources, problems = load(paths, stdin=stdin, limits=LIMITS, strict=False, prepare=as_yaml)
    hint = "write each definition into a document or a file of its own"
    problems = [
        problem._replace(hint=hint) if problem.rule == "yaml/not-a-mapping" else problem
        for problem in problems
        if problem.rule not in _IN_SPECS
    ]
    faulty = {problem.place.file for problem in errors_in(problems)}
    return [source for source in sources if source.file not in faulty], problems


def as_yaml(data: bytes) -> bytes:
    """JSON with comments and trailing commas as YAML; anything else unchanged."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"[", b"/"):
        return data
    plain = _TOKENS.sub(lambda match: match[0] if match[0][:1] == b'"' else re.sub(rb"[^\r\n]", b" ", match[0]), data)
    try:
        json.loads(plain.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):  # YAML, or a mistake that the reader finds by its place
        return data
    return _SURROGATES.sub(_character, plain)


def _character(match: re.Match[bytes]) -> bytes:
    high, low = int(match[2], 16), int(match[3], 16)
    return match[1] + b"\\U%08x" % (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))

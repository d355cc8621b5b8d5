"""JSON as editors take it: comments and a comma behind the last item become spaces, so that places stay."""

from __future__ import annotations

import json
import re

_STRING = rb'"(?:[^"\\]|\\.)*+"'
_COMMENT = rb"//[^\n]*+|/\*(?s:.*?)\*/"
_TOKENS = re.compile(rb"%s|%s|,(?=(?:\s|%s)*+[}\]])" % (_STRING, _COMMENT, _COMMENT))
#: Two escapes that JSON writes for a character beyond U+FFFF, which YAML writes as one.
_SURROGATES = re.compile(rb"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


def as_yaml(data: bytes) -> bytes:
    """What a reader of YAML reads alike; unchanged where it is no such JSON."""
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

"""Literals that look like secrets, by detect-secrets. No value of them is ever told, only what kind it looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import islice
from textwrap import dedent
from typing import Any, NamedTuple

#: Worth the library's import (200 ms): a telling name, a password in a URL, a token, a key.
_TELLING = re.compile(
    r"pass|pwd|secret|token|key|credential|contrase|bearer|://[^/\s:@]{0,200}:[^/\s@]{1,200}@|eyJ|-----BEGIN",
    re.IGNORECASE,
)
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
#: Stands for a value that somebody else puts in, or is none: ${NAME}, $NAME, <token>, {{ token }}, a path, true.
_PLACEHOLDER = re.compile(
    r"\$[{(]|(?-i:\$[A-Z_][A-Z0-9_]*$)|<[^>]*>$|\{\{|/[\w./-]*$|(true|false|null|none)$", re.IGNORECASE
)
#: What servers of one's own, which ask for no key, are documented with: Ollama, LM Studio, vLLM, llama.cpp.
_DUMMY = re.compile(
    r"ollama|lm-?studio|vllm|llama(\.?cpp)?|local|empty|unused|dummy|fake|placeholder|example|n/?a|x{3,}|"
    r"(sk-)?(no|not)[-_ ]?(api[-_ ]?)?(key|token|needed|required|used|set)([-_ ]?(needed|required))?|"
    r"(sk-)?(your|my)[-_ ](api[-_ ]|access[-_ ]|secret[-_ ])?(key|token|secret|password)([-_ ]here)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[\d.]*$")
#: Under these names a number is no number of something: PASSWORD, and not MAX_TOKENS.
_PASSWORD = re.compile(r"pass|pwd|secret|contrase", re.IGNORECASE)
#: Names of what is about a secret and is none: TOKEN_URL, SECRET_NAME, KEY_ID, TOKENIZER, KEYSPACE, SECRETS_BACKEND.
_ABOUT = re.compile(
    r"(name|file|path|dir|url|uri|id|type|header|prefix|endpoint|ttl|limit|size|mode|izer|space|env|less|provider|"
    r"backend|source|policy|store|manager|strategy|encoding|format|algorithm|length|count|expiry|timeout|minute|"
    r"scopes?|audience|issuer|permissions?|roles?|claims?|names|ids|urls|paths|types)$",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"""\s{0,200}["']?([\w.-]{1,200})["']?\s{0,9}[:=]\s{0,9}(\S.*)""")
#: A name with its value inside a longer text: a header, JSON, a connection string, a query, a shell's assignment.
_PAIR = re.compile(
    r"""(?<![\w.-])([\w.-]{2,200})\\?["']?\s{0,9}[:=]\s{0,9}\\?["']?(?!//|bearer\s)([^\s"';,&\\]{4,})"""
    r"""|bearer\s{1,9}([\w.~+/=-]{8,})""",
    re.IGNORECASE,
)
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@]{0,200}:([^/\s@]{1,200})@")
#: Of a longer line the rest is not looked at: the library's patterns take more than linear time.
_LONGEST = 4096
#: Of one line no more named values are shown to the library, which takes 0.3 ms for each.
_MOST_PAIRS = 16
_NO_SECRETS = ("IPPublicDetector",)
_ENTROPY = ("Base64HighEntropyString", "HexHighEntropyString")


class Finding(NamedTuple):
    """``kind`` in the library's words; ``certain`` when it has a form or a name, not only disorder."""

    kind: str
    certain: bool


def in_value(name: str, value: str) -> Finding | None:
    """What a value that stands under a name looks like."""
    name = "" if _ABOUT.search(name) else name
    if not _worth_a_look(name, value):
        return None
    begin = value.find("-----BEGIN")  # the library wants to see the next line too
    key = [value[begin : begin + _LONGEST]] if begin >= 0 else []
    unsure = None
    for line in [*key, *value.splitlines()]:
        found = _in_line(name, line[:_LONGEST])
        if found and found.certain:
            return found
        unsure = unsure or found
    return unsure


def _in_line(name: str, line: str) -> Finding | None:
    """The line as a whole, then what is named inside it: the surest is told."""
    found = _looked_at(name, line)
    if (found and found.certain) or not _TELLING.search(line):
        return found
    url = _PASSWORD_IN_URL.search(line)
    if url and not _stands_for_another("password", url[1]):
        return _looked_at("password", url[1]) or found
    named = ((pair[1] or "token", pair[2] or pair[3]) for pair in _PAIR.finditer(line))
    telling = (pair for pair in named if _TELLING.search(pair[0]) and not _ABOUT.search(pair[0]))
    own = (pair for pair in telling if not _stands_for_another(*pair))
    inside = (_looked_at(*pair) for pair in islice(own, _MOST_PAIRS))
    return next((one for one in inside if one and one.certain), found)


def in_text(text: str) -> Iterator[tuple[int, Finding]]:
    """The lines of a file, from 1, that hold something."""
    begin = text.find("-----BEGIN")
    if begin >= 0 and (found := in_value("", dedent(text[text.rfind("\n", 0, begin) + 1 :]))):
        yield text.count("\n", 0, begin) + 1, found
    for number, line in enumerate(text.splitlines(), 1):
        entry = _ENTRY.match(line[:_LONGEST])
        name, value = entry.groups() if entry else ("", line)
        if found := in_value(name, value.strip(" \t\"',")):
            yield number, found


def in_words(words: tuple[str, ...]) -> Iterator[tuple[int, Finding]]:
    """The words of a command: ``--token=x`` and ``--token x`` name their value."""
    before = ""
    for i, word in enumerate(words):
        flag, equals, value = word.partition("=") if word.startswith("-") else (before, "=", word)
        if equals and (found := in_value(flag.lstrip("-"), value)):
            yield i, found
        before = word if word.startswith("-") and "=" not in word else ""


def _worth_a_look(name: str, value: str) -> bool:
    if len(value) < 4 or _stands_for_another(name, value):
        return False
    return bool(_TELLING.search(name) or _TELLING.search(value)) or any(_mixed(word) for word in _LONG.findall(value))


def _stands_for_another(name: str, value: str) -> bool:
    """Whether a value is none of its own; a number or a dummy may well be a password."""
    if _PLACEHOLDER.match(value):
        return True
    return not _PASSWORD.search(name) and bool(_NUMBER.match(value) or _DUMMY.fullmatch(value))


def _mixed(word: str) -> bool:
    """Letters and digits: neither a word nor a number."""
    return not word.isalpha() and any(c.isdigit() for c in word) and any(c.isalpha() for c in word)


@lru_cache(maxsize=4096)
def _looked_at(name: str, value: str) -> Finding | None:
    # The library reads lines of programs: strings count as such in quotes.
    # Its patterns take minutes for a thousand spaces in a row.
    text = "\n".join(" ".join(part.split()) for part in value.replace('"', "").splitlines())
    line = f'{name or "value"} = "{text}"'
    for certain, plugin in _plugins():
        found = plugin.analyze_line(filename="literal", line=line, line_number=1)
        if found:
            return Finding(next(iter(found)).type, certain)
    return None


@cache
def _plugins() -> tuple[tuple[bool, Any], ...]:
    """Those with a form first: of several findings the surest is told."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class  # 170 ms

    classes = [c for c in get_mapping_from_secret_type_to_class().values() if c.__name__ not in _NO_SECRETS]
    found = [(c.__name__ not in _ENTROPY, c()) for c in classes]
    order = {"KeywordDetector": 1, **dict.fromkeys(_ENTROPY, 2)}
    return tuple(sorted(found, key=lambda item: (order.get(type(item[1]).__name__, 0), type(item[1]).__name__)))

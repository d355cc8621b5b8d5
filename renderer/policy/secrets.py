"""Secrets in plain data: credentials by form wherever they stand, literals by name or disorder (detect-secrets).

Findings never hold the value, only its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import islice
from typing import Any

from renderer.credentials import credentials_in, masked, runs
from renderer.digests import sha256
from renderer.errors import DocumentPath
from renderer.later import pattern
from renderer.namedtuples import NamedTuple

#: Worth the library's import (200 ms), in whatever case: a telling name, a token, a key. Texts, as compiling a pattern
#: of as many words takes longer than all that a short run looks at.
_TELLING = ("pass", "pwd", "secret", "token", "key", "credential", "contrase", "bearer", "eyj", "-----begin")
#: As well: a password in a URL.
_WITH_PASSWORD = pattern(r"://[^/\s:@]{0,200}:[^/\s@]{1,200}@")
#: Blanks in place of all that base64 has not.
_NOT_BASE64 = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) in "+/_=-")}
_SHORTEST_BASE64 = 20
#: Stands for a value that somebody else puts in, or is none: ${NAME}, $NAME, <token>, {{ token }}, a path, true.
_PLACEHOLDER = pattern(
    r"\$[{(]|(?-i:\$[A-Z_][A-Z0-9_]*$)|<[^>]*>$|\{\{|/[\w./-]*$|(true|false|null|none)$|your[-_][\w -]+$|"
    r"(?-i:[\w/+]*EXAMPLE(KEY)?$)",
    re.IGNORECASE,
)
#: What servers of one's own, which ask for no key, are documented with: Ollama, LM Studio, vLLM, llama.cpp.
_DUMMY = pattern(
    r"ollama|lm-?studio|vllm|llama(\.?cpp)?|local|empty|unused|dummy|fake|placeholder|example|n/?a|x{3,}|"
    r"(sk-)?(no|not)[-_ ]?(api[-_ ]?)?(key|token|needed|required|used|set)([-_ ]?(needed|required))?|"
    r"(sk-)?(your|my)[-_ ][\w .-]*|[\w .-]+[-_ ]here|[\w.-]*x{4,}[x-]*|[\w.-]*(\*{3,}|\.{3,})",
    re.IGNORECASE,
)
#: Passwords of examples, in prose.
_IN_PROSE = pattern(r"(my|your|db)?[-_]?(password|passwd|pass|pwd|pw|secret|token)", re.IGNORECASE)
#: What everybody tries first; the digest of another password would help to guess it.
_COMMON = pattern(
    r"(change|replace)[-_ ]?(me|it|this)|(my|your|the)?[-_ ]?(password|passwd|secret|token|key|api[-_]?key)\d{0,4}|"
    r"(dummy|fake|test|default|example|placeholder|none|unused|anything|xxx+|todo|foo|bar|dev|local)[-_ \w]{0,30}|"
    r"admin|root|guest|postgres|mysql|redis|user|ollama|minioadmin|[0-9]{1,8}|.*[-_](here|needed|required)",
    re.IGNORECASE,
)
#: What documents write for a password in an address: PASSWORD, DB_PASS.
_CAPITALS = pattern(r"[A-Z_]{2,}|\*+")
_NUMBER = pattern(r"[\d.]*$")
#: Under these names a number is no number of something: PASSWORD, and not MAX_TOKENS.
_PASSWORD = pattern(r"pass|pwd|secret|contrase", re.IGNORECASE)
#: Names of what is about a secret and is none: TOKEN_URL, SECRET_NAME, KEY_ID, TOKENIZER, KEYSPACE, SECRETS_BACKEND.
_ABOUT = (
    *("name", "file", "path", "dir", "url", "uri", "id", "type", "header", "prefix", "endpoint", "ttl", "limit"),
    *("size", "mode", "izer", "space", "env", "less", "provider", "backend", "source", "policy", "store", "manager"),
    *("strategy", "encoding", "format", "algorithm", "length", "count", "expiry", "timeout", "minute", "scope"),
    *("audience", "issuer", "permission", "role", "claim"),
    *("scopes", "permissions", "roles", "claims", "names", "ids", "urls", "paths", "types"),
)
_ENTRY = pattern(r"""\s{0,200}["']?([\w.-]{1,200})["']?\s{0,9}[:=](?!//)\s{0,9}(\S.*)""")
#: A name with its value inside a longer text: a header, JSON, a connection string, a query, a shell's assignment.
#: ``Bearer realm="…"`` is what a server asks for, no token.
_PAIR = pattern(
    r"""(?<![\w.-])([\w.-]{2,200})\\?["']?\s{0,9}[:=]\s{0,9}\\?["']?(?!//|bearer\s)([^\s"';,&\\]{4,})"""
    r"""|bearer\s{1,9}(?!\w{1,40}=\\?")([\w.~+/=-]{8,})""",
    re.IGNORECASE,
)
#: Of a longer line the rest is not looked at: the library's patterns take more than linear time.
_LONGEST = 4096
#: Of one line no more named values are shown to the library, which takes 0.3 ms for each.
_MOST_PAIRS = 16
_NO_SECRETS = ("IPPublicDetector",)
_ENTROPY = ("Base64HighEntropyString", "HexHighEntropyString")


#: Below these stand literals: disorder alone may make a secret. Elsewhere there are digests and checksums.
LITERALS = frozenset(
    {"env", "environment", "args", "command", "entrypoint", "test", "data", "binaryData", "content", "remote"}
)
#: Below these a telling name counts as well. Anywhere else it tells nothing: secretName and key are about secrets.
_NAMED = LITERALS | {"annotations", "labels", "headers", "options", "stringData", "variables"}
#: What says where a value is, and is none.
_REFERRING = frozenset({"valueFrom", "envFrom", "externalSecrets"})
#: What changes whether a path is one of literals.
_DECISIVE = LITERALS | _REFERRING
#: Where the name of a Secret, of a ConfigMap, or of a key in one belongs.
REFERENCES = frozenset({"secret", "key", "secretName", "configMap"})
#: What compose takes as one string too.
_COMMANDS = ("command", "entrypoint", "test")
_PIECES = pattern(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_STEP = pattern(r"\[(.*)\]")
#: Of a label or an annotation the end counts: secret.reloader.stakater.com/reload is none of a secret.
_TELLING_END = (
    "pass",
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "credentials",
    "authorization",
)
#: Stands in the place of a value that looks like a secret.
MASK = "(hidden: looks like a secret)"


class Finding(NamedTuple):
    """``kind`` in the library's words; ``certain`` when it has a form or a name, not only disorder.

    ``known`` where the form is that of one issuer's tokens, or of a private key.
    """

    kind: str
    certain: bool
    known: bool = False


class Suspect(NamedTuple):
    """A Finding in plain data: the path of the string, the line in it (from 1) where it has several, and its digest."""

    path: DocumentPath
    line: int
    finding: Finding
    digest: str
    #: Whether the text is known to everybody: what others write in the place of a secret, or begin with.
    common: bool = False


def _suspect(path: DocumentPath, line: int, finding: Finding, text: str) -> Suspect:
    return Suspect(path, line, finding, digest_of(text), common=bool(_COMMON.fullmatch(text)))


def digest_of(text: str) -> str:
    """By which an acceptance knows a literal: ``printf %s TEXT | sha256sum | cut -c1-12``."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def in_data(value: Any, path: DocumentPath = (), *, below: bool = False) -> list[Suspect]:
    """Of every string in nested data, keys as well. ``below``: the path begins inside of literals."""
    suspects: list[Suspect] = []
    if isinstance(value, str):
        _look_at_text(value, path, _name(path), _is_literal(path, below), suspects)
    else:
        _look_into(value, path, below, _is_literal(path, below), suspects)
    return suspects


# The walk is most of the time, as hardly one text in a thousand is a secret: so it has no generators, and asks what
# follows from a path (``literal`` is what ``_is_literal`` says of it) only where that may change.


def _look_into(value: Any, path: DocumentPath, below: bool, literal: bool, suspects: list[Suspect]) -> None:
    if isinstance(value, dict):
        _look_into_mapping(value, path, below, literal, suspects)
    elif isinstance(value, list):
        texts = tuple(item if isinstance(item, str) else "" for item in value)
        words = {i: finding for i, finding in in_words(texts) if finding.certain or literal}
        for i, item in enumerate(value):
            if i in words:
                suspects.append(_suspect((*path, i), 0, words[i], item))
            elif isinstance(item, str):
                _look_at_text(item, (*path, i), "", literal, suspects)
            else:
                _look_into(item, (*path, i), below, literal, suspects)


def _look_into_mapping(
    value: Mapping[str, Any], path: DocumentPath, below: bool, literal: bool, suspects: list[Suspect]
) -> None:
    has_names = bool(path) and path[-1] in _NAMED
    for key, inner in value.items():
        here = (*path, key)
        inside = _is_literal(here, below) if key in _DECISIVE else literal
        if (finding := by_form(key)) and finding.known:
            suspects.append(_suspect(here, 0, finding, key))
        elif key == "value" and ("op" in value or "name" in value):
            _look_at_pair(value, path, below, suspects)
        elif isinstance(inner, str):
            _look_at_text(inner, here, _name(here) if has_names or key == "value" else "", inside, suspects)
        else:
            _look_into(inner, here, below, inside, suspects)


def _look_at_pair(pair: Mapping[str, Any], path: DocumentPath, below: bool, suspects: list[Suspect]) -> None:
    """Of a variable as Kubernetes writes it, ``{name, value}``, or of an operation of JSON Patch."""
    pointer = tuple(str(pair.get("path", "")).split("/")) if "op" in pair else ()
    strict = not pointer or below or not LITERALS.isdisjoint(pointer)
    if isinstance(text := pair["value"], str):
        name = _name(pointer) if pointer else str(pair["name"])
        _look_at_named(name, text, (*path, "value"), strict, suspects)
    else:
        suspects += in_data(text, (*path, "value"), below=strict)


def _look_at_text(text: str, path: DocumentPath, name: str, literal: bool, suspects: list[Suspect]) -> None:
    last = path[-1] if path else ""
    if last in REFERENCES and not name:
        disorder = Finding("High Entropy String", certain=True) if _is_disordered(text) else None
        if reference := by_form(text) or disorder:
            suspects.append(_suspect(path, 0, reference, text))
    elif last in _COMMANDS and (words := [finding for _, finding in in_words(tuple(text.split()))]):
        finding = max(words, key=lambda finding: (finding.known, finding.certain))
        suspects.append(_suspect(path, 0, finding, text))
    elif literal or name:
        _look_at_named(name, text, path, literal, suspects)
    else:
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            if prose := by_form(line, prose=True):
                suspects.append(_suspect(path, number * (len(lines) > 1), prose, line.strip()))


def _look_at_named(name: str, text: str, path: DocumentPath, strict: bool, suspects: list[Suspect]) -> None:
    if "\n" in text.strip() or path[-1:] == ("content",):
        lines = text.split("\n")
        for line, finding in in_text(text):
            if strict or finding.certain:
                suspects.append(_suspect(path, line, finding, lines[line - 1].strip()))
    elif (whole := in_value(name, text)) and (strict or whole.certain):
        suspects.append(_suspect(path, 0, whole, text))


def _is_literal(path: DocumentPath, below: bool) -> bool:
    return below or (_REFERRING.isdisjoint(path) and not LITERALS.isdisjoint(path))


def _name(path: DocumentPath) -> str:
    """The name that the value stands under: of a variable where it is the value of one (``[TOKEN]``, ``value``)."""
    if len(path) < 2 or not isinstance(path[-1], str):
        return ""
    if path[-1] == "value":
        match = _STEP.fullmatch(str(path[-2]))
        return match[1] if match else ""
    if path[-2] in ("annotations", "labels"):
        return path[-1].rpartition("/")[2] if path[-1].casefold().endswith(_TELLING_END) else ""
    return path[-1].strip("[]") if path[-2] in _NAMED else ""


def _is_disordered(text: str, least: int = 16) -> bool:
    """No name: letters of both cases and digits, mixed as nobody would name a thing."""
    return len(text) >= least and _mixed(text) and len(_PIECES.findall(text)) * 2.5 > len(text)


def hidden(value: Any, path: DocumentPath = (), *, below: bool = False) -> Any:
    """The data with ``MASK`` in the place of each string, or each line of one, in which something was found."""
    places: dict[DocumentPath, set[int]] = {}
    for literal in in_data(value, path, below=below):
        places.setdefault(literal.path, set()).add(literal.line)
    return _hidden(value, path, places) if places else value


def _hidden(value: Any, path: DocumentPath, places: Mapping[DocumentPath, set[int]]) -> Any:
    if isinstance(value, list):
        return [_hidden(item, (*path, i), places) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {masked(key): _hidden(inner, (*path, key), places) for key, inner in value.items()}
    lines = places.get(path, ())
    if not lines or 0 in lines:
        return MASK if lines else value
    return "\n".join(MASK if i in lines else line for i, line in enumerate(value.split("\n"), 1))


@lru_cache(maxsize=4096)
def in_value(name: str, value: str) -> Finding | None:
    """What a value that stands under a name looks like."""
    finding = by_form(f"{name}: {value}" if name.lower() == "authorization" else value)
    if finding and finding.known:
        return finding
    name = "" if _is_about(name) else name
    if not _worth_a_look(name, value):
        return finding
    unsure = None
    for line in value.splitlines():
        closer = finding or _in_line(name, line[:_LONGEST])
        if closer and closer.certain:
            return closer
        unsure = unsure or closer
    return unsure


@lru_cache(maxsize=4096)  # keys, and what servers have in common, are the most of a fleet
def by_form(text: str, *, prose: bool = False) -> Finding | None:
    """Of a text under no name, anywhere: a known form first. In prose an address may be an example."""
    unsure = None
    for kind, value, known in (credential[2:] for credential in credentials_in(text)):
        if known:
            return Finding(kind, certain=True, known=True)
        example = _CAPITALS.fullmatch(value) or (prose and _IN_PROSE.fullmatch(value))
        if not example and not _stands_for_another("password", value):
            unsure = unsure or Finding(kind, certain=True)
    return unsure


def _in_line(name: str, line: str) -> Finding | None:
    """The line as a whole, then what is named inside it: the surest is reported."""
    finding = _looked_at(name, line)
    if (finding and finding.certain) or not _is_telling(line):
        return finding
    named = ((pair[1] or "token", pair[2] or pair[3]) for pair in _PAIR.finditer(line))
    telling = (pair for pair in named if _is_telling(pair[0]) and not _is_about(pair[0]))
    own = (pair for pair in telling if not _stands_for_another(*pair))
    inside = (_looked_at(*pair) for pair in islice(own, _MOST_PAIRS))
    return next((inner for inner in inside if inner and inner.certain), finding)


def in_text(text: str) -> Iterator[tuple[int, Finding]]:
    """The lines of a file, from 1, that hold something; of a private key all of them."""
    keys: dict[int, str] = {}
    if "-----BEGIN" in text:
        for start, end, kind, *_ in (match for match in credentials_in(text) if "\n" in match.value):
            keys |= dict.fromkeys(range(text.count("\n", 0, start) + 1, text.count("\n", 0, end) + 2), kind)
    for number, line in enumerate(text.split("\n"), 1):
        entry = _ENTRY.match(line[:_LONGEST])
        name, value = entry.groups() if entry else ("", line)
        if number in keys:
            yield number, Finding(keys[number], certain=True, known=True)
        elif finding := by_form(line) or in_value(name, value.strip(" \t\"',\r")):
            yield number, finding


def in_words(words: tuple[str, ...]) -> Iterator[tuple[int, Finding]]:
    """The words of a command: ``--token=x`` and ``--token x`` name their value."""
    before = ""
    for i, word in enumerate(words):
        flag, equals, value = word.partition("=") if word.startswith("-") else (before, "=", word)
        finding = in_value(flag.lstrip("-"), value) if equals else by_form(word)
        if finding is None and flag and equals:
            finding = by_form(f"{before} {word}")
        if finding:
            yield i, finding
        before = word if word.startswith("-") and "=" not in word else ""


def _is_telling(text: str) -> bool:
    folded = text.casefold()
    return any(word in folded for word in _TELLING) or ("@" in text and bool(_WITH_PASSWORD.search(text)))


def _is_about(name: str) -> bool:
    return name.casefold().endswith(_ABOUT)


def _worth_a_look(name: str, value: str) -> bool:
    if len(value) < 4:
        return False
    telling = _is_telling(name) or _is_telling(value) or any(map(_mixed, runs(value, _NOT_BASE64, _SHORTEST_BASE64)))
    return bool(telling) and not _stands_for_another(name, value)


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
    line = f'{_in_full(name, text) or "value"} = "{text}"'
    for certain, plugin in _plugins():
        secrets = plugin.analyze_line(filename="literal", line=line, line_number=1)
        if secrets:
            return Finding(next(iter(secrets)).type, certain)
    return None


def _in_full(name: str, value: str) -> str:
    """The name as the library knows it; of OPENAI_KEY the value decides, as there are keys of many things."""
    if name.lower() in ("pass", "pw"):
        return "password"
    return "api_key" if name.lower().endswith("_key") and _is_disordered(value, 12) else name


@cache
def _plugins() -> tuple[tuple[bool, Any], ...]:
    """Those with a form first: of several findings the surest is told."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class  # 170 ms

    classes = [c for c in get_mapping_from_secret_type_to_class().values() if c.__name__ not in _NO_SECRETS]
    plugins = [(c.__name__ not in _ENTROPY, c()) for c in classes]
    order = {"KeywordDetector": 1, **dict.fromkeys(_ENTROPY, 2)}
    return tuple(sorted(plugins, key=lambda item: (order.get(type(item[1]).__name__, 0), type(item[1]).__name__)))

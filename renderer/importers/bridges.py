"""Command lines of bridges: supergateway and mcp-proxy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple

from renderer.errors import excerpt
from renderer.importers.draft import port_number
from renderer.importers.packages import BARE, unshelled

#: Options of bridges that are read here or set by mcpctl.
_OWN = frozenset(
    {
        *("--stdio", "--port", "--sse-port", "--host", "--sse-host", "--outputTransport", "--streamableHttpPath"),
        *("--ssePath", "--messagePath", "--stateless", "--stateful", "--healthEndpoint", "--transport", "--debug"),
        *("--pass-environment", "--no-pass-environment", "--logLevel", "--log-level", "--protocolVersion"),
    }
)
#: Options of mcp-proxy without a value.
_SWITCHES = ("--pass-environment", "--stateless", "--debug", "--no-pass-environment")


class Wrapped(NamedTuple):
    """What a bridge starts. ``port`` 0 and ``path`` empty: it does not say them."""

    bridge: Literal["supergateway", "mcp-proxy"]
    inner: tuple[str, ...]
    port: int = 0
    path: str = ""
    sse: bool = False
    #: Options that no field expresses.
    others: tuple[str, ...] = ()

    @property
    def loss(self) -> str:
        return f"options of {self.bridge} that no field has: {', '.join(self.others)}" if self.others else ""


def wrapped(words: Sequence[str], image: str = "") -> Wrapped | None:
    """Parses a command line, its program included; None if it is no bridge.

    Images of supergateway start it without naming it.
    """
    if "supergateway" in image and "supergateway" not in words:
        words = ["supergateway", *words]
    words = unshelled(words)
    for number, word in enumerate(words):
        name = re.sub(r"(@|==)[^/]*$", "", word.rpartition("/")[2])
        if name == "supergateway" or (number == 0 and "--stdio" in words):
            return _supergateway(words[number:])
        if name == "mcp-proxy":
            return _mcp_proxy(words[number + 1 :])
    return None


def _supergateway(words: Sequence[str]) -> Wrapped | None:
    options = _options(words)
    try:
        inner = tuple(shlex.split(options.get("--stdio", "")))
    except ValueError:
        return None
    if not options.get("--stdio"):
        return None
    http = options.get("--outputTransport") == "streamableHttp"
    path = options.get("--streamableHttpPath" if http else "--ssePath", "")
    return Wrapped("supergateway", inner, port_number(options.get("--port", "8000")), path, not http, _others(options))


def _mcp_proxy(words: Sequence[str]) -> Wrapped | None:
    """The command follows ``--`` or the options; with a URL it is a client."""
    if "--" in words:
        end = list(words).index("--")
        start = end + 1
    else:
        before = ["", *words]
        valued = [name.startswith("-") and "=" not in name and name not in _SWITCHES for name in before]
        plain = (i for i, word in enumerate(words) if not word.startswith("-") and not valued[i])
        start = end = next(plain, len(words))
    options, inner = _options(words[:end]), words[start:]
    if not inner or "://" in inner[0]:
        return None
    port = options.get("--port") or options.get("--sse-port") or ""
    return Wrapped("mcp-proxy", tuple(inner), port_number(port), others=_others(options))


def _options(words: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            options[name] = value if equals else following
    return options


def _others(options: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(excerpt(name) for name in options if name not in _OWN and name not in BARE)

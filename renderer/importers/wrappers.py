"""Command lines of bridges (supergateway, mcp-proxy) and of package runners."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple

from renderer.errors import excerpt
from renderer.importers.packages import Registry, parse_package
from renderer.model import JSON

#: Options of bridges that are read here or set by mcpctl.
_OWN = frozenset(
    {
        *("--stdio", "--port", "--sse-port", "--host", "--sse-host", "--outputTransport", "--streamableHttpPath"),
        *("--ssePath", "--messagePath", "--stateless", "--stateful", "--healthEndpoint", "--transport", "--debug"),
        *("--pass-environment", "--no-pass-environment", "--logLevel", "--log-level", "--protocolVersion"),
    }
)
#: Options of npx and uvx without a value.
_BARE = ("-y", "--yes", "-q", "--quiet", "--silent", "--no-progress", "--isolated")


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


def wrapped(words: Sequence[str]) -> Wrapped | None:
    """Parses a command line, its program included; None if it is no bridge."""
    words = _unshelled(words)
    for number, word in enumerate(words):
        name = re.sub(r"(@|==)[^/]*$", "", word.rpartition("/")[2])
        if name == "supergateway" or (number == 0 and "--stdio" in words):
            return _supergateway(words[number:])
        if name == "mcp-proxy":
            return _mcp_proxy(words[number + 1 :])
    return None


def wrapped_command(image: str, words: Sequence[str]) -> Wrapped | None:
    """Images of supergateway start it without naming it."""
    is_gateway = "supergateway" in image and "supergateway" not in words
    return wrapped(["supergateway", *words] if is_gateway else words)


def _unshelled(words: Sequence[str]) -> list[str]:
    """The words of ``sh -c 'exec program …'``; a real script stays one word."""
    if len(words) >= 3 and words[0].rpartition("/")[2] in ("sh", "bash", "ash") and words[1] in ("-c", "-ec", "-lc"):
        try:
            inner = shlex.split(words[2])
        except ValueError:
            return list(words)
        if not set("|&;<>`\n") & set(words[2]):
            return inner[1:] if inner[:1] == ["exec"] else inner
    return list(words)


def _options(words: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            options[name] = value if equals else following
    return options


def _supergateway(words: Sequence[str]) -> Wrapped | None:
    options = _options(words)
    if not options.get("--stdio"):
        return None
    try:
        inner = tuple(shlex.split(options["--stdio"]))
    except ValueError:
        return None
    http = options.get("--outputTransport") == "streamableHttp"
    path = options.get("--streamableHttpPath" if http else "--ssePath", "")
    return Wrapped("supergateway", inner, _port(options.get("--port", "8000")), path, not http, _others(options))


def _mcp_proxy(words: Sequence[str]) -> Wrapped | None:
    """The command follows ``--`` or the options; with a URL it is a client."""
    if "--" in words:
        cut = list(words).index("--")
        options, inner = _options(words[:cut]), list(words[cut + 1 :])
    else:
        start = next((i for i, w in enumerate(words) if not w.startswith("-") and not _is_value(words, i)), len(words))
        options, inner = _options(words[:start]), list(words[start:])
    if not inner or "://" in inner[0]:
        return None
    port = options.get("--port") or options.get("--sse-port") or ""
    return Wrapped("mcp-proxy", tuple(inner), _port(port), others=_others(options))


def _others(options: Collection[str]) -> tuple[str, ...]:
    return tuple(excerpt(name) for name in options if name not in _OWN and name not in _BARE)


def _is_value(words: Sequence[str], number: int) -> bool:
    """Whether the word is the value of the option before it."""
    before = words[number - 1] if number else ""
    flags = ("--pass-environment", "--stateless", "--debug", "--no-pass-environment")
    return before.startswith("-") and "=" not in before and before not in flags


def _port(text: str) -> int:
    return int(text) if text.isdigit() and 0 < int(text) < 65536 else 0


class Started(NamedTuple):
    """A package and its arguments; ``version`` is empty unless exact."""

    registry: Registry
    name: str
    version: str
    args: tuple[str, ...]
    program: str = ""

    @property
    def package(self) -> dict[str, JSON]:
        return {"registry": self.registry, "name": self.name, "version": self.version}


def started(words: Sequence[str]) -> Started | None:
    """Parses ``npx -y @scope/name@1.2.3 args`` and ``uvx name==1.2.3 args``; None for other programs."""
    words = _unshelled(words)
    program = words[0].rpartition("/")[2] if words else ""
    registry: Registry = "npm" if program in ("npx", "pnpx") else "pypi"
    rest = list(words[1:])
    if program == "uv" and rest[:2] == ["tool", "run"]:
        program, rest = "uvx", rest[2:]
    if program not in ("npx", "pnpx", "uvx"):
        return None
    source = ""
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in ("--from", "-p", "--package") and rest:
            source = rest.pop(0)
        elif option not in _BARE:
            return None
    if not rest:
        return None
    package = parse_package(registry, source or rest[0])
    if package is None or package.git:
        return None
    version = package.version if package.is_exact else ""
    return Started(registry, package.name, version, tuple(rest[1:]), rest[0] if source else "")

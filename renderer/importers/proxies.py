"""Shells and proxies that start or reach the actual server."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from renderer.errors import excerpt
from renderer.importers.remotes import set_address
from renderer.importers.starting import OF_MACHINE, Starting
from renderer.importers.values import Word


def script(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    name = f": '{excerpt(words[0].text, 80)}'" if words else ""
    starting.refuse(words[0] if words else first, f"{OF_MACHINE}{name}")


def shell(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``sh -c TEXT``: a single plain command is followed, anything else refused."""
    rest = list(words)
    while rest and re.fullmatch(r"-[a-z]+|--login", rest[0].text):
        option = rest.pop(0)
        starting.reading.note(option.source, None, "an option of the shell")
    if not rest:
        starting.refuse(first, "it starts a shell without a command")
        return
    text = rest[0].text.strip()
    try:
        plain = [] if re.search(r"[;&|<>`\n]|\$\(|\*", text) else shlex.split(text.removeprefix("exec "))
    except ValueError:
        plain = []
    if not plain or len(rest) > 1:
        hint = "write the command itself, without a shell"
        starting.refuse(rest[0], "it is more than one command for a shell", hint)
        return
    starting.reading.note(rest[0].source, None, "the command of a shell")
    starting.start([Word(word, rest[0].source) for word in plain])


def cmd(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``cmd /c npx …`` of Windows."""
    rest = list(words)
    while rest and re.fullmatch(r"/[a-zA-Z]|-[a-zA-Z]|--", rest[0].text):
        starting.reading.note(rest.pop(0).source, None, "an option of the shell")
    if not rest:
        starting.refuse(first, "it starts a shell without a command")
    elif len(rest) == 1 and " " in rest[0].text:
        shell(starting, first, rest)
    else:
        starting.start(rest)


def env(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``env NAME=VALUE … program``."""
    rest = list(words)
    while rest and (match := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", rest[0].text, re.DOTALL)):
        starting.values.variable(match[1], match[2], rest.pop(0).source)
    if rest and not rest[0].text.startswith("-"):
        starting.start(rest)
    else:
        starting.refuse(first, "it starts no program that is known")


def mcp_remote(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """mcp-remote and similar: the server is remote."""
    url = next((word for word in words if re.match(r"https?://", word.text)), None)
    if url is None:
        starting.refuse(first, "it names no address", "write the address of the server")
        return
    headers: dict[str, Word] = {}
    transport, before = "", ""
    for word in words:
        option, before = before, word.text if word.text.startswith("-") else ""
        if word is url:
            continue
        if option in ("--header", "-H", "--headers"):
            name, _, value = word.text.partition(":")
            headers[name.strip()] = Word(_own_environment(starting, value.strip()), word.source)
        elif option == "--transport":
            transport = "sse" if word.text.startswith("sse") else "streamable-http"
            starting.reading.note(word.source, ("spec", "remote", "transport"))
        elif word.text.startswith("--header") or word.text == "--transport":
            starting.reading.note(word.source, None, f"names what follows: {word.text}")
        else:
            starting.reading.lose(word.source, "an option of the proxy, which no client needs", harmless=True)
    starting.handled |= starting.env.keys()
    for name in starting.env:
        starting.reading.note((starting.env_key, name), ("spec", "remote"), "a variable of the proxy")
    set_address(starting.reading, starting.values, url, transport, headers)


def _own_environment(starting: Starting, text: str) -> str:
    """Replaces ``${NAME}`` as mcp-remote does, from the variables that the client sets for it."""

    def value(match: re.Match[str]) -> str:
        known = starting.env.get(match[1])
        return known if isinstance(known, str) and "${" in known else match[0]

    whole = re.fullmatch(r"\$\{(\w+)\}", text)
    known = starting.env.get(whole[1]) if whole else None
    if isinstance(known, str) and (scheme := re.match(r"(Bearer|Basic|Token)\s+", known)):
        return f"{scheme[0]}{known[scheme.end() :] if '${' in known else '${TOKEN}'}"
    return re.sub(r"\$\{(\w+)\}", value, text)


def supergateway(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """Serves a program, or reaches a URL."""
    for word in words[:-1]:
        if word.text in ("--sse", "--streamableHttp", "--streamable-http"):
            kind = "sse-only" if word.text == "--sse" else "http-only"
            more = [Word("--transport", word.source), Word(kind, word.source)]
            mcp_remote(starting, first, [*more, *(each for each in words if each is not word)])
            return
    inner = next((words[i + 1] for i, word in enumerate(words[:-1]) if word.text == "--stdio"), None)
    if inner is None:
        starting.refuse(first, "it names no program", "write the server's own command")
        return
    for word in words:
        starting.reading.note(word.source, None, "a proxy, of which mcpctl brings its own")
    shell(starting, first, [inner])


def mcp_proxy(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """PyPI's mcp-proxy: a client if there is a URL, else it serves the program after its options."""
    if any(re.match(r"https?://", word.text) for word in words):
        sse = not any("streamable" in word.text for word in words)
        more = [Word("--transport", first.source), Word("sse-only", first.source)] if sse else []
        mcp_remote(starting, first, [*more, *(word for word in words if "streamable" not in word.text)])
        return
    texts = [word.text for word in words]
    start = (
        texts.index("--") + 1
        if "--" in texts
        else next((i for i, t in enumerate(texts) if t in starting.programs), len(words))
    )
    for word in words[:start]:
        starting.reading.note(word.source, None, "an option of the proxy")
    if start < len(words):
        starting.start(words[start:])
    else:
        starting.refuse(first, "it names no program", "write the server's own command")

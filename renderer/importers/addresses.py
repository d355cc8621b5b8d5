"""Servers that somebody else runs, as clients name them: an address and headers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from renderer.errors import excerpt
from renderer.importers.draft import Reading
from renderer.importers.remotes import REMOTE
from renderer.importers.values import Values, Word, is_secret

#: What clients call the transports.
TRANSPORTS: Mapping[str, str] = {
    **dict.fromkeys(("http", "streamable-http", "streamable_http", "streamableHttp", "streamable"), "streamable-http"),
    "sse": "sse",
}


def set_address(reading: Reading, values: Values, url: Word, transport: str, headers: Mapping[str, Word]) -> None:
    """Writes ``spec.remote``; ``transport`` is empty where nothing says it. Tokens become references."""
    scheme, _, rest = url.text.partition("://")
    if scheme.lower() not in ("http", "https"):
        message = f"the address has the scheme '{excerpt(scheme, 20)}', and MCP is spoken over http and https"
        reading.refuse(url.source, "import/remote", message, "write an address such as https://mcp.example.com/mcp")
        return
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        message = "the address holds a user or a password, which everybody who sees it would know"
        reading.refuse(url.source, "import/remote", message, "write them as a header: Authorization")
        return
    address = re.sub(r"([?&])([^=&#]+)=([^&#]*)", _without_secret, url.text.partition("#")[0])
    reading.map(url.source, (*REMOTE, "url"), values.remote("", address, url.source))
    if not transport and re.search(r"/sse/?$", address.partition("?")[0]):
        reading.default((*REMOTE, "transport"), "sse", "the address ends with /sse")
    elif transport == "sse":
        reading.default((*REMOTE, "transport"), transport, "as the client is told")
    for name, word in headers.items():
        reading.map(word.source, (*REMOTE, "headers", name), values.remote(name, word.text, word.source))


def _without_secret(match: re.Match[str]) -> str:
    mark, name, value = match.groups()
    secret = is_secret(name, value) and "${" not in value
    return f"{mark}{name}=${{env:{name}}}" if secret else match[0]

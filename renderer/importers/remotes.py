"""Remote servers: their URL, transport and headers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import Reading
from renderer.importers.packages import Word
from renderer.importers.values import Values, is_secret
from renderer.importers.variables import Variable, holds_secret
from renderer.model import JSON
from renderer.model.remote import PLACEHOLDER

REMOTE = ("spec", "remote")
#: What clients call the transports.
TRANSPORTS: Mapping[str, str] = {
    **dict.fromkeys(("http", "streamable-http", "streamable_http", "streamableHttp", "streamable"), "streamable-http"),
    "sse": "sse",
}


def set_remote(reading: Reading, url: DocumentPath, transport: DocumentPath, kind: str) -> None:
    if kind not in ("", "sse", "streamable-http", "http"):
        reading.refuse(transport, "import/transport", f"'{excerpt(kind)}' is not a transport of a remote server")
    if not reading.text(*url):
        example = "write an address such as https://mcp.example.com/mcp"
        reading.refuse(url, "import/remote", "the remote server has no URL", example)
    reading.map(url, (*REMOTE, "url"), reading.text(*url))
    if kind == "sse":
        reading.map(transport, (*REMOTE, "transport"), kind)
    elif kind:
        reading.note(transport, (*REMOTE, "transport"), "the default")


def set_header(reading: Reading, source: DocumentPath, header: Variable, server: str) -> None:
    """A text, or a key of a Secret if it is secret or required without a value."""
    target = (*REMOTE, "headers", header.name)
    is_needed = header.required and header.default is None
    if header.default is not None and PLACEHOLDER.search(header.default):
        reading.map(source, target, header.default)
    elif header.secret or header.name.lower() == "authorization" or holds_secret(header) or is_needed:
        _secret(reading, source, target, header, server)
    elif header.default is not None:
        reading.map(source, target, header.default)
    else:
        reading.comment(target, f'optional: {header.words}\n{header.name}: ""')
        reading.leave(source, target, f"optional, and not sent: {header.words}")


def set_remote_variable(reading: Reading, source: DocumentPath, variable: Variable, server: str) -> None:
    """The value of a placeholder; in the host of the URL it cannot be a secret."""
    target = (*REMOTE, "variables", variable.name)
    host = str(reading.written((*REMOTE, "url")) or "").partition("://")[2].partition("/")[0]
    if variable.default is not None and not variable.secret:
        reading.comment(target, variable.words)
        reading.map(source, target, variable.default)
    elif f"{{{variable.name}}}" in host:
        value = variable.choices[0] if variable.choices else variable.name.lower().replace("_", "-")
        reading.decide(source, target, value, f"which value: {variable.words or 'the definition has none'}")
    else:
        _secret(reading, source, target, variable, server)


def _secret(reading: Reading, source: DocumentPath, target: DocumentPath, variable: Variable, server: str) -> None:
    reference: JSON = {"secret": server, "key": variable.name}
    reading.comment(target, variable.words)
    reading.map(source, target, reference, f"set the key {variable.name} of the Secret {server}, which clients send")


def set_address(reading: Reading, values: Values, url: Word, transport: str, headers: Mapping[str, Word]) -> None:
    """Writes ``spec.remote`` (``transport`` empty: unknown). Tokens become references to a Secret."""
    scheme, _, rest = url.text.partition("://")
    if scheme.lower() not in ("http", "https"):
        message = f"the address has the scheme '{excerpt(scheme, 20)}', and MCP is spoken over http and https"
        reading.refuse(url.source, "import/remote", message, "write an address such as https://mcp.example.com/mcp")
        return
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        message = "the URL contains a user or a password, which everybody who sees it can read"
        reading.refuse(url.source, "import/remote", message, "write them as a header: Authorization")
        return
    address = re.sub(r"([?&])([^=&#]+)=([^&#]*)", _without_secret, url.text.partition("#")[0])
    reading.map(url.source, (*REMOTE, "url"), values.remote("", address, url.source))
    if not transport and re.search(r"/sse/?$", address.partition("?")[0]):
        reading.default((*REMOTE, "transport"), "sse", "the address ends with /sse")
    elif transport == "sse":
        reading.default((*REMOTE, "transport"), transport, "as the client is configured")
    for name, word in headers.items():
        reading.map(word.source, (*REMOTE, "headers", name), values.remote(name, word.text, word.source))


def _without_secret(match: re.Match[str]) -> str:
    mark, name, value = match.groups()
    secret = is_secret(name, value) and "${" not in value
    return f"{mark}{name}=${{env:{name}}}" if secret else match[0]

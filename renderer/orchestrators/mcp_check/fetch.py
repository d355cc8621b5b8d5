"""One HTTP request without the SDK: bounded in time and size, without proxies."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from renderer.errors import excerpt
from renderer.later import later
from renderer.model import JSON
from renderer.orchestrators.mcp_check.errors import Unanswered, without_tls

if TYPE_CHECKING:
    from http import client
else:
    client = later("http.client")  # 8 ms, which only asking a server needs

#: Bytes of an answer that are read: metadata and key sets have a few thousand.
BYTES = 1024 * 1024
_MOVED = (301, 302, 307, 308)


class Answer(NamedTuple):
    """``url`` is that after redirects. The names of headers are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> Mapping[str, JSON]:
        """The JSON object in the body; empty where there is none."""
        with suppress(ValueError, RecursionError):
            data = json.loads(self.body)
            return data if isinstance(data, dict) else {}
        return {}


def fetch(
    url: str,
    seconds: float,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    redirects: int = 0,
) -> Answer:
    """Any status. Only GET follows redirects, at most ``redirects`` of them and within the scheme.

    Raises Unanswered without an answer: its text has the host, and neither query nor credentials.
    """
    parts = urlsplit(url)
    secure, where = parts.scheme == "https", excerpt(parts.hostname or "that address", 200)
    make = client.HTTPSConnection if secure else client.HTTPConnection
    try:
        connection = make(parts.hostname or "", parts.port, timeout=seconds)
    except (ValueError, client.InvalidURL):
        raise Unanswered(f"{where}: not a valid address") from None
    # The time-out of a socket is that of one read: this one ends an answer that comes drop by drop.
    end = threading.Timer(seconds, _end, [connection])
    end.daemon = True
    end.start()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body, {"accept-encoding": "identity", **(headers or {})})
        response = connection.getresponse()
        content = response.read(BYTES + 1)
        if not end.is_alive():  # which reads as the end of an answer without a length
            raise TimeoutError
        names = {name.lower(): value for name, value in response.getheaders()}
    except (OSError, client.HTTPException, ValueError) as error:
        raise Unanswered(f"{where}: {_why(error, seconds, late=not end.is_alive())}") from None
    finally:
        end.cancel()
        connection.close()
    if len(content) > BYTES:
        raise Unanswered(f"{where}: its answer is longer than {BYTES // 1024} KiB")
    if redirects and method == "GET" and response.status in _MOVED and "location" in names:
        other = urljoin(url, names["location"])
        if urlsplit(other).scheme == parts.scheme:
            return fetch(other, seconds, headers=headers, redirects=redirects - 1)
    return Answer(url, response.status, names, content)


def _end(connection: client.HTTPConnection) -> None:
    with suppress(OSError):
        if connection.sock:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _why(error: Exception, seconds: float, *, late: bool) -> str:
    if isinstance(error, ssl.SSLError):
        return without_tls(error)
    if late or isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(error, socket.gaierror):
        return "no host has that name"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    if isinstance(error, OSError) and not isinstance(error, client.RemoteDisconnected):
        return f"no connection: {excerpt(error.strerror or str(error), 120)}"
    return "it does not speak HTTP, or ended the connection"

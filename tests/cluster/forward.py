"""``kubectl port-forward``: each connection to the forwarded port goes to a backend that the test names.

Spoken is as much of SPDY/3.1 as kubectl needs. Since 1.31 it tries websockets first and falls back; Debian 12, which
the continuous integration may run on, has 1.20.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import zlib
from io import BufferedIOBase

Backends = dict[tuple[str, int], tuple[str, int]]
_ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    b"X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n"
)
_CONTROL, _VERSION, _FIN = 0x8000, 3, 1
_DATA, _SYN_STREAM, _SYN_REPLY, _RESET, _PING = 0, 1, 2, 3, 6
#: The dictionary that headers are compressed with (SPDY/3, section 2.6.10.1): words, each after its length, and a tail.
_WORDS = """
options, head, post, put, delete, trace, accept, accept-charset, accept-encoding, accept-language,
accept-ranges, age, allow, authorization, cache-control, connection, content-base, content-encoding,
content-language, content-length, content-location, content-md5, content-range, content-type, date, etag,
expect, expires, from, host, if-match, if-modified-since, if-none-match, if-range, if-unmodified-since,
last-modified, location, max-forwards, pragma, proxy-authenticate, proxy-authorization, range, referer,
retry-after, server, te, trailer, transfer-encoding, upgrade, user-agent, vary, via, warning,
www-authenticate, method, get, status, 200 OK, version, HTTP/1.1, url, public, set-cookie, keep-alive, origin
"""
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authori"
    "tative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not "
    "Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug S"
    "ept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,imag"
    "e/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,"
    "sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
_DICTIONARY = b"".join(
    struct.pack(">I", len(word)) + word.encode() for word in _WORDS.strip().replace("\n", " ").split(", ")
)
_DICTIONARY += _TAIL.encode()


def serve(reader: BufferedIOBase, connection: socket.socket, pod: str, backends: Backends) -> None:
    """Speak SPDY on a connection that asked for it, until it ends."""
    connection.sendall(_ACCEPTED)
    forwarding = _Forwarding(reader, connection, pod, backends)
    with contextlib.suppress(OSError):
        forwarding.run()
    for backend in forwarding.open.values():
        _end(backend)


class _Forwarding:
    """Two streams for each forwarded connection: its data, and what went wrong."""

    def __init__(self, reader: BufferedIOBase, connection: socket.socket, pod: str, backends: Backends) -> None:
        self._reader, self._connection = reader, connection
        self._pod, self._backends = pod, backends
        self._lock = threading.Lock()
        self._inflate = zlib.decompressobj(zdict=_DICTIONARY)
        self._deflate = zlib.compressobj(zdict=_DICTIONARY)
        self._errors: dict[str, int] = {}
        self.open: dict[int, socket.socket] = {}

    def run(self) -> None:
        while len(head := self._reader.read(8)) == 8:
            first, sort, rest = struct.unpack(">HHI", head)
            flags, payload = rest >> 24, self._reader.read(rest & 0xFFFFFF)
            if not first & _CONTROL:
                self._pass_on(_DATA, first << 16 | sort, payload, final=bool(flags & _FIN))
            elif sort == _SYN_STREAM:
                self._begin(_number(payload), self._headers(payload[10:]))
            elif sort == _PING:
                self._write(head + payload)
            else:
                self._pass_on(sort, _number(payload), b"", final=False)

    def _begin(self, stream: int, headers: dict[str, str]) -> None:
        with self._lock:
            block = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            reply = struct.pack(">I", stream) + block
            self._connection.sendall(struct.pack(">HHI", _CONTROL | _VERSION, _SYN_REPLY, len(reply)) + reply)
        if headers["streamtype"] == "error":
            self._errors[headers["requestid"]] = stream
            return
        error, port = self._errors.pop(headers["requestid"]), int(headers["port"])
        address = self._backends.get((self._pod, port)) or self._backends.get(("*", port))
        try:
            if address is None:
                raise ConnectionRefusedError("connection refused")
            backend = socket.create_connection(address)
        except OSError as problem:
            text = f"an error occurred forwarding {port} -> {port}: connect to 127.0.0.1:{port}: {problem}"
            self._send(error, text.encode(), final=True)
            self._send(stream, b"", final=True)
            return
        self.open[stream] = backend
        threading.Thread(target=self._pump, args=(stream, error, backend), daemon=True).start()

    def _pass_on(self, sort: int, stream: int, data: bytes, *, final: bool) -> None:
        backend = self.open.get(stream)
        with contextlib.suppress(OSError):
            if backend and sort == _RESET:
                _end(backend)
            elif backend:
                backend.sendall(data)
                if final:
                    backend.shutdown(socket.SHUT_WR)

    def _pump(self, stream: int, error: int, backend: socket.socket) -> None:
        """What the backend says, until it has said all, or kubectl has gone and its connection is closed."""
        with contextlib.suppress(OSError, ValueError), backend:
            while data := backend.recv(65536):
                self._send(stream, data)
            self._send(stream, b"", final=True)
            self._send(error, b"", final=True)

    def _send(self, stream: int, data: bytes, *, final: bool = False) -> None:
        self._write(struct.pack(">II", stream, (_FIN if final else 0) << 24 | len(data)) + data)

    def _write(self, data: bytes) -> None:
        with self._lock:
            self._connection.sendall(data)

    def _headers(self, block: bytes) -> dict[str, str]:
        data, texts, place = self._inflate.decompress(block), [], 4
        while place < len(data):
            size = _number(data[place:])
            texts.append(data[place + 4 : place + 4 + size].decode())
            place += 4 + size
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _number(data: bytes) -> int:
    return int(struct.unpack(">I", data[:4])[0] & 0x7FFFFFFF)


def _end(backend: socket.socket) -> None:
    with contextlib.suppress(OSError):
        backend.shutdown(socket.SHUT_RDWR)

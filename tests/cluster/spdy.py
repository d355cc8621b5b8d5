"""As much of SPDY/3.1 as kubectl speaks to carry several streams over one connection."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from typing import NamedTuple

from tests.cluster.spdy_dictionary import DICTIONARY

_CONTROL = 0x8000
_VERSION = 3
SYN_STREAM, SYN_REPLY, RESET, PING = 1, 2, 3, 6
_FIN = 1


class Frame(NamedTuple):
    """``sort`` 0 is data; ``headers`` are those of a new stream."""

    sort: int
    stream: int
    data: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012
    final: bool = False


class Session:
    """One connection; reads in one thread, writes from any."""

    def __init__(self, reader: BufferedIOBase, writer: BufferedIOBase) -> None:
        self._reader = reader
        self._writer = writer
        self._lock = threading.Lock()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def frames(self) -> Iterator[Frame]:
        """Until the other side ends the connection; pings are answered by the way."""
        while len(head := self._reader.read(8)) == 8:
            first, second, rest = struct.unpack(">HHI", head)
            flags, payload = rest >> 24, self._reader.read(rest & 0xFFFFFF)
            final = bool(flags & _FIN)
            if not first & _CONTROL:
                yield Frame(0, first << 16 | second, payload, final=final)
            elif second == SYN_STREAM:
                yield Frame(second, _number(payload), headers=self._headers(payload[10:]), final=final)
            elif second == PING:
                self._write(head + payload)
            else:
                yield Frame(second, _number(payload))

    def reply(self, stream: int) -> None:
        """Accept a stream, with no headers."""
        with self._lock:
            block = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            self._send(_control(SYN_REPLY, struct.pack(">I", stream) + block))

    def send(self, stream: int, data: bytes, *, final: bool = False) -> None:
        self._write(struct.pack(">II", stream, (_FIN if final else 0) << 24 | len(data)) + data)

    def _write(self, data: bytes) -> None:
        with self._lock:
            self._send(data)

    def _send(self, data: bytes) -> None:
        self._writer.write(data)
        self._writer.flush()

    def _headers(self, block: bytes) -> dict[str, str]:
        data = self._inflate.decompress(block)
        texts, place = [], 4
        while place < len(data):
            size = _number(data[place:])
            texts.append(data[place + 4 : place + 4 + size].decode())
            place += 4 + size
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _control(sort: int, payload: bytes) -> bytes:
    return struct.pack(">HHI", _CONTROL | _VERSION, sort, len(payload)) + payload


def _number(data: bytes) -> int:
    return int(struct.unpack(">I", data[:4])[0] & 0x7FFFFFFF)

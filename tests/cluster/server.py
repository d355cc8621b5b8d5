"""The server: HTTP on the loopback, records of requests, faults, and connections that end when the server ends."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any, Protocol

from tests.cluster.answers import Answer, Request
from tests.cluster.faults import Effect, Faults

#: Speaks on a connection until it ends; the reader holds what has come already.
Tunnel = Callable[[BufferedIOBase, socket.socket], None]


class Application(Protocol):
    """What the server serves."""

    faults: Faults
    requests: list[Request]
    #: Tracebacks of defects in the cluster itself.
    defects: list[str]

    def named(self, request: Request) -> tuple[str, str, str, str]:
        """Verb, resource, name and namespace."""

    def answer(self, request: Request) -> Answer: ...

    def tunnel(self, request: Request) -> Tunnel | None:
        """What takes over the connection of a request that asks for another protocol."""


class Server(ThreadingHTTPServer):
    """Ends all connections when it stops."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, application: Application, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.application = application
        self.connections: set[socket.socket] = set()
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.application.defects.append(traceback.format_exc())


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    # A small answer must not wait for the acknowledgement of the last one.
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Tests look at the requests instead."""

    def handle(self) -> None:
        # Who leaves in the middle is no defect.
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def _handle(self) -> None:
        request = self._read()
        application = self.server.application
        application.requests.append(request)
        effects = application.faults.effects(*application.named(request))
        answer = self._faulty(effects)
        tunnel = None if answer else application.tunnel(request)
        if tunnel:
            tunnel(self.rfile, self.connection)
            self.close_connection = True
        if self.close_connection:
            return
        answer = answer or application.answer(request)
        warnings = tuple(("Warning", f'299 - "{_quoted(effect.warning)}"') for effect in effects if effect.warning)
        self._send(answer, warnings, cut=any(effect.cut for effect in effects))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _read(self) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self.rfile.read(int(headers.get("content-length", 0)))
        return Request(self.command, self.path, headers, body)

    def _chunk(self) -> bytes:
        data = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return data

    def _faulty(self, effects: list[Effect]) -> Answer | None:
        """The answer that a fault gives, if it gives one."""
        for effect in effects:
            time.sleep(effect.delay)
            if effect.hang:
                self.server.application.faults.wait()
            if effect.stop:
                self.server.stop()
            if effect.stop or effect.drop:
                self.close_connection = True
                return Answer(500, b"")
            if effect.answer:
                return effect.answer
        return None

    def _send(self, answer: Answer, warnings: tuple[tuple[str, str], ...], *, cut: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        for name, value in [*answer.headers, *warnings]:
            self.send_header(name, value)
        if isinstance(answer.body, bytes):
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._stream(answer.body, cut=cut)
        self.close_connection = self.close_connection or cut
        self.wfile.flush()

    def _stream(self, pieces: Iterator[bytes], *, cut: bool) -> None:
        self.wfile.flush()
        for piece in pieces:
            if self.server.stopping.is_set() or (not piece and self._left()):
                self.close_connection = True
                return
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
                if cut:
                    return
        self.wfile.write(b"0\r\n\r\n")

    def _left(self) -> bool:
        """Whether the client has closed its end."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')

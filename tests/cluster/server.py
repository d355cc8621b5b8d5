"""The server: HTTP on the loopback, records of requests, faults, and connections that end when the server ends."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any

from tests.cluster.faults import Rule
from tests.cluster.requests import Answer, Request

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

#: Speaks on a connection until it ends; the reader holds what has come already.
Tunnel = Callable[[BufferedIOBase, socket.socket], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, application: Cluster, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.application = application
        self.connections: set[socket.socket] = set()
        self.stopping = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

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
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("transfer-encoding") == "chunked":  # a delete --raw
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self.rfile.read(int(headers.get("content-length", 0)))
        if self.server.stopping.is_set():  # on a connection that is closed after another
            self.close_connection = True
            return
        request = Request(self.command, self.path, headers, body)
        application = self.server.application
        application.requests.append(request)
        rules = application.faults.met(*application.named(request))
        answer = self._faulty(rules)
        tunnel = None if answer else application.tunnel(request)
        if tunnel:
            tunnel(self.rfile, self.connection)
            self.close_connection = True
        if not self.close_connection:
            self._send(answer or application.answer(request), rules)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

    def _chunk(self) -> bytes:
        data = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return data

    def _faulty(self, rules: list[Rule]) -> Answer | None:
        """The answer that a fault gives, if it gives one."""
        for rule in rules:
            if rule.fault == "hang":
                self.server.application.faults.released.wait()
            if rule.fault == "stop":
                self.server.stop()
            if rule.fault in ("stop", "drop"):
                self.close_connection = True
                return Answer(500, b"")
        return next((rule.answer for rule in rules if rule.answer), None)

    def _send(self, answer: Answer, rules: list[Rule]) -> None:
        cut = any(rule.fault == "cut" for rule in rules)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        for rule in rules:
            if rule.fault == "warn":
                quoted = rule.text.replace("\\", "\\\\").replace('"', '\\"')
                self.send_header("Warning", f'299 - "{quoted}"')
        if isinstance(answer.body, bytes):
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._stream(answer.body)
        self.close_connection = self.close_connection or cut
        self.wfile.flush()

    def _stream(self, pieces: Iterator[bytes]) -> None:
        self.wfile.flush()
        for piece in pieces:
            if self.server.stopping.is_set() or (not piece and self._left()):
                self.close_connection = True
                return
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _left(self) -> bool:
        """Whether the client has closed its end."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

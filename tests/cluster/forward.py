"""``kubectl port-forward``: each connection to the forwarded port goes to a backend that the test names."""

from __future__ import annotations

import contextlib
import socket
import threading
from io import BufferedIOBase

from tests.cluster.spdy import RESET, SYN_STREAM, Frame, Session

Backends = dict[tuple[str, int], tuple[str, int]]
_ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    b"X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n"
)


def serve(reader: BufferedIOBase, connection: socket.socket, pod: str, backends: Backends) -> None:
    """Speak SPDY on a connection that asked for it, until it ends."""
    connection.sendall(_ACCEPTED)
    with connection.makefile("wb") as writer, contextlib.suppress(OSError):
        forwarding = _Forwarding(Session(reader, writer), pod, backends)
        try:
            forwarding.run()
        finally:
            forwarding.close()


class _Forwarding:
    """Two streams for each forwarded connection: its data, and what went wrong."""

    def __init__(self, session: Session, pod: str, backends: Backends) -> None:
        self._session = session
        self._pod = pod
        self._backends = backends
        self._errors: dict[str, int] = {}
        self._open: dict[int, socket.socket] = {}

    def run(self) -> None:
        for frame in self._session.frames():
            if frame.sort == SYN_STREAM:
                self._session.reply(frame.stream)
                self._begin(frame)
            elif frame.stream in self._open:
                self._pass_on(frame, self._open[frame.stream])

    def close(self) -> None:
        for backend in self._open.values():
            _end(backend)

    def _begin(self, frame: Frame) -> None:
        headers = frame.headers
        if headers["streamtype"] == "error":
            self._errors[headers["requestid"]] = frame.stream
            return
        error, port = self._errors.pop(headers["requestid"]), int(headers["port"])
        try:
            backend = socket.create_connection(self._backend(port), timeout=10)
        except OSError as problem:
            text = f"an error occurred forwarding {port} -> {port}: connect to 127.0.0.1:{port}: {problem}"
            self._session.send(error, text.encode(), final=True)
            self._session.send(frame.stream, b"", final=True)
            return
        backend.settimeout(None)
        self._open[frame.stream] = backend
        threading.Thread(target=self._pump, args=(frame.stream, error, backend), daemon=True).start()

    def _backend(self, port: int) -> tuple[str, int]:
        for known in ((self._pod, port), ("*", port)):
            if known in self._backends:
                return self._backends[known]
        raise ConnectionRefusedError("connection refused")

    def _pass_on(self, frame: Frame, backend: socket.socket) -> None:
        with contextlib.suppress(OSError):
            backend.sendall(frame.data)
            if frame.sort == RESET:
                _end(backend)
            elif frame.final:
                backend.shutdown(socket.SHUT_WR)

    def _pump(self, stream: int, error: int, backend: socket.socket) -> None:
        """What the backend says, until it has said all, or kubectl has gone and its connection is closed."""
        with contextlib.suppress(OSError, ValueError), backend:
            while data := backend.recv(65536):
                self._session.send(stream, data)
            self._session.send(stream, b"", final=True)
            self._session.send(error, b"", final=True)


def _end(backend: socket.socket) -> None:
    with contextlib.suppress(OSError):
        backend.shutdown(socket.SHUT_RDWR)

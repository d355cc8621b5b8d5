"""The rendered configuration in the real proxy: what it lets through, and what it refuses."""

from __future__ import annotations

import http.server
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from renderer import pins
from tests.oracles import envoy, yaml_read
from tests.specs import spec, texts

Ask = Callable[[str], bytes]


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Nothing: stderr is the tests'."""


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    """A site on this machine; its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def other_site(site: int) -> Iterator[int]:
    """One that is not on the list."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello) as server:
        assert server.server_port != site
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def ask(site: int) -> Iterator[Ask]:
    """Sends the head of a request to the proxy of a server that may reach the site; the status line of the answer."""
    with _proxy(site) as asked:
        yield asked


@contextmanager
def _proxy(site: int, *changes: tuple[str, str]) -> Iterator[Ask]:
    """The proxy, its configuration with ``changes`` of its text."""
    program = envoy()
    document = spec(
        health={"enabled": False}, network={"egress": {"hosts": [f"localhost:{site}", f"*.localhost:{site}"]}}
    )
    project = yaml_read(texts("compose", document)["demo/compose.yaml"])
    *arguments, config = project["services"]["mcp-demo.proxy"]["command"]
    port = _free_port()
    for old, new in [(f"port_value: {pins.EGRESS_PROXY_PORT}", f"port_value: {port}"), *changes]:
        assert old in config
        config = config.replace(old, new)
    proxy = subprocess.Popen([program, *arguments, config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port, proxy)
        yield lambda head: _status(port, head)
    finally:
        proxy.terminate()
        proxy.wait(30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _wait(port: int, proxy: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert proxy.poll() is None, "the proxy refuses its configuration"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the proxy does not listen")


def _status(port: int, head: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        return connection.recv(4096).split(b"\r\n")[0].split(b" ", 1)[1]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("name", ["localhost", "a.localhost", "LOCALHOST"])
def test_an_allowed_name_is_connected(ask: Ask, site: int, name: str, version: str) -> None:
    """Python up to 3.11 asks in HTTP/1.0."""
    assert ask(f"CONNECT {name}:{site} HTTP/{version}\nHost: {name}:{site}").startswith(b"200")


def test_an_allowed_name_is_asked_in_plain(ask: Ask, site: int) -> None:
    assert ask(f"GET http://localhost:{site}/ HTTP/1.1\nHost: localhost:{site}") == b"200 OK"


@pytest.mark.parametrize("name", ["127.0.0.1", "[::1]", "evil.example", "localhost.evil.example", "localhost."])
def test_another_name_or_address_is_refused(ask: Ask, site: int, name: str) -> None:
    """Also where the header says otherwise."""
    assert ask(f"CONNECT {name}:{site} HTTP/1.1\nHost: localhost:{site}") == b"403 Forbidden"
    assert ask(f"GET http://{name}:{site}/ HTTP/1.1\nHost: localhost:{site}") == b"403 Forbidden"


def test_another_port_is_refused(ask: Ask, other_site: int) -> None:
    assert ask(f"CONNECT localhost:{other_site} HTTP/1.1\nHost: localhost:{other_site}") == b"403 Forbidden"
    assert ask(f"GET http://localhost:{other_site}/ HTTP/1.1\nHost: localhost") == b"403 Forbidden"


@pytest.mark.parametrize(
    "trick", ["127.0.0.1:{}.localhost", "[::1].localhost", "x@a.localhost", "127.0.0.1#.localhost"]
)
def test_a_name_that_only_ends_like_an_allowed_one_is_refused(ask: Ask, site: int, other_site: int, trick: str) -> None:
    name = trick.format(other_site)
    assert ask(f"CONNECT {name}:{site} HTTP/1.1\nHost: {name}:{site}").startswith(b"40")


def test_an_allowed_name_leads_to_no_metadata_of_the_cloud(site: int) -> None:
    """No name on loopback stands for such an address: here loopback is one."""
    own = ('address_prefix: "169.254.0.0", prefix_len: 16', 'address_prefix: "127.0.0.0", prefix_len: 8')
    with _proxy(site, own) as asked:
        assert asked(f"CONNECT localhost:{site} HTTP/1.1\nHost: localhost:{site}") == b"403 Forbidden"
        assert asked(f"GET http://localhost:{site}/ HTTP/1.1\nHost: localhost:{site}") == b"403 Forbidden"

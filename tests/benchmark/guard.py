"""What the guard costs: ``python -m tests.benchmark.guard [--calls N] [--streams N]``; figures, no verdict.

A call of a tool straight to a server that answers at once, and the same through the guard with a token and rules on
tools; then what the guard holds in memory, alone and with open streams. All of it shares this machine.
"""

from __future__ import annotations

import argparse
import http.client
import re
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

from tests.guard.parts import MODERN, Issuer, Upstream, UpstreamHandler, access, guarding, issuing, request, serving
from tests.guard.test_operation import Streaming


def main() -> None:
    """One guard for the calls, one for the streams."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--streams", type=int, default=200)
    options = parser.parse_args()
    go = threading.Event()
    with issuing(Issuer()) as issuer, tempfile.TemporaryDirectory() as folder:
        with serving(UpstreamHandler, Upstream()) as port, guarding(access(issuer), port, Path(folder)) as guard:
            guard.has_keys_of(issuer)
            token = issuer.token()
            for name, where, path in (("direct", port, "/mcp"), ("through the guard", guard.port, "/tools/mcp")):
                times = [1000 * one for one in calls(where, path, token, options.calls)]
                cuts = statistics.quantiles(times, n=100)
                print(f"{name:24} p50 {statistics.median(times):6.2f} ms   p99 {cuts[98]:6.2f} ms")
            print(f"{'memory':24} {resident(guard.process):.0f} MiB")
        with (
            serving(Streaming, {"go": go}) as port,
            guarding(access(issuer), port, Path(folder)) as guard,
            ExitStack() as open_,
        ):
            guard.has_keys_of(issuer)
            for _ in range(options.streams):
                open_.enter_context(closing(ask(guard.port, "/tools/mcp", issuer.token())))
            print(f"{f'with {options.streams} open streams':24} {resident(guard.process):.0f} MiB")
            go.set()


def calls(port: int, path: str, token: str, count: int) -> list[float]:
    """Seconds of each, one after the other on one connection, after some that warm up."""
    times = []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        for _ in range(count + 50):
            start = time.perf_counter()
            ask(port, path, token, connection).read()
            times.append(time.perf_counter() - start)
    return times[50:]


def ask(
    port: int, path: str, token: str, connection: http.client.HTTPConnection | None = None
) -> http.client.HTTPResponse:
    """tools/call of the era of today."""
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    headers |= {"accept": "application/json, text/event-stream", "mcp-protocol-version": MODERN}
    headers |= {"mcp-method": "tools/call", "mcp-name": "get_issue"}
    connection.request("POST", path, request("tools/call", name="get_issue", arguments={}), headers)
    return connection.getresponse()


def resident(process: int) -> float:
    """MiB of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()

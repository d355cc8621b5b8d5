"""Port, transport and published address of a compose service."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from renderer.errors import DocumentPath
from renderer.importers.bridges import Wrapped
from renderer.importers.compose.values import filled, pairs
from renderer.importers.draft import Reading, plain_text
from renderer.importers.manifests.servers import AS_PACKAGE, ATTACHED, set_path
from renderer.importers.packages import started
from renderer.model import JSON

_SSE = re.compile(r"^sse$|[=/]sse/?$", re.IGNORECASE)
#: Variables that name the port at which a server listens.
_PORTS = ("PORT", "MCP_PORT", "FASTMCP_PORT", "SERVER_PORT", "HTTP_PORT")


def read_ports(reading: Reading, wrapper: Wrapped | None, command: Sequence[str]) -> int:
    """Returns the container's port; 0 if it is unknown."""
    published: list[int] = []
    for path, item in reading.items("ports"):
        if (ports := _port_of(item)) is None:
            reading.lose(path, "only a single TCP port can be published")
        elif published:
            reading.lose(path, "one port is published, that of MCP")
        else:
            target, address, port = ports
            published.append(target)
            reading.map(path, ("spec", "transport", "port"), target)
            where: dict[str, JSON] = {"address": address} | ({"port": int(port)} if port.isdigit() else {})
            reading.map(path, ("spec", "network", "publish"), where)
    if published:
        return published[0]
    # Exposed ports, then options, then variables.
    guesses = [plain_text(item) for _, item in reading.items("expose")]
    guesses += [word.partition("=")[2] for word in command if word.startswith("--port=")]
    guesses += [following for word, following in pairwise(command) if word == "--port"]
    variables = pairs(reading.get("environment"))
    guesses += [filled(value or "") or "" for name, value in variables.items() if name.upper() in _PORTS]
    guessed = next((int(text) for text in guesses if text.isdigit() and 0 < int(text) < 65536), 0)
    number = guessed or (wrapper.port if wrapper else 0)
    if number:
        reading.default(("spec", "transport", "port"), number, "what the service says of its port")
        reading.default(("spec", "network", "publish"), False, "the machine does not publish it")
    return number


def _port_of(item: JSON) -> tuple[int, str, str] | None:
    """Container port, host address and host port, of both forms; None if not a single TCP port."""
    if isinstance(item, dict):
        address, published, target = (plain_text(item.get(key)) for key in ("host_ip", "published", "target"))
        protocol = plain_text(item.get("protocol")) or "tcp"
    else:
        text, _, protocol = (filled(plain_text(item)) or "").partition("/")
        bracketed = re.fullmatch(r"\[([^]]+)\]:(.*)", text)
        numbers = (bracketed[2] if bracketed else text).split(":")
        address = bracketed[1] if bracketed else numbers.pop(0) if len(numbers) == 3 else ""
        published, target = numbers[0] if len(numbers) > 1 else "", numbers[-1]
    if protocol not in ("", "tcp") or not target.isdigit() or not (published.isdigit() or not published):
        return None
    return int(target), address or "0.0.0.0", published.lstrip("0")  # noqa: S104 - as Docker publishes by default


def read_transport(reading: Reading, port: int, wrapper: Wrapped | None, command: Sequence[str]) -> None:
    target: DocumentPath = ("spec", "transport")
    direct = started(wrapper.inner if wrapper else command)
    if wrapper and wrapper.loss and (direct or wrapper.bridge == "mcp-proxy"):
        reading.lose(("command",), wrapper.loss)
    if direct:
        bridge = wrapper.bridge if wrapper else "supergateway" if direct.package.registry == "npm" else "mcp-proxy"
        reading.default((*target, "type"), "stdio", f"{bridge} makes it reachable")
        reading.default((*target, "bridge"), bridge, "what makes it reachable")
        return
    if wrapper and wrapper.bridge == "mcp-proxy":
        reading.default((*target, "type"), "stdio", "mcp-proxy makes it reachable")
        reading.default((*target, "bridge"), "mcp-proxy", "of the image")
        return
    if not port:
        reading.decide((), target, {"type": "stdio", "bridge": "none"}, ATTACHED)
        return
    values = [filled(value or "") or "" for value in pairs(reading.get("environment")).values()]
    sse = wrapper.sse if wrapper else any(_SSE.search(text) for text in [*command, *values])
    kind = "sse" if sse else "streamable-http"
    reading.default((*target, "type"), kind, "what listens on a port speaks HTTP")
    if wrapper:
        reading.leave(("command",), target, AS_PACKAGE)
    set_path(reading, wrapper.path if wrapper else "", "what its words say", sse=sse)

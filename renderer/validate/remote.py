"""Rules of remote servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from renderer.errors import DocumentPath, Fault
from renderer.later import pattern
from renderer.model import PLACEHOLDER, Remote, SecretRef, Server
from renderer.validate.network import ip_address

#: Fields of a remote server; all others are about workloads.
_FIELDS = ("remote", "description", "accept")
_PATH: DocumentPath = ("spec", "remote")
_NAME = pattern(r"([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\.?", re.IGNORECASE)


def nothing_is_deployed(server: Server) -> Iterator[Fault]:
    spec = server.source.data["spec"]
    assert isinstance(spec, dict), "the schema says so"
    for field in spec:
        if field not in _FIELDS:
            message = f"'{field}' has no meaning for a remote server: nothing is deployed for it"
            hint = f"remove it (an environment: {field}: null), or write image or package in place of remote"
            yield Fault(("spec", field), "spec/remote-without-workload", message, hint, at_key=True)


def variables_are_there(server: Server) -> Iterator[Fault]:
    """Each {NAME} has a variable, and each variable is used."""
    remote = _remote(server)
    texts: dict[DocumentPath, str] = {(*_PATH, "url"): remote.url}
    texts |= {(*_PATH, "headers", name): text for name, text in remote.headers.items() if isinstance(text, str)}
    used = set()
    for path, text in texts.items():
        for name in dict.fromkeys(PLACEHOLDER.findall(text)):
            used.add(name)
            if name not in remote.variables:
                message = f"{{{name}}} stands for a variable, and remote.variables has no '{name}'"
                hint = f"add it: variables: {{{name}: VALUE}}, or of a secret {{{name}: {{secret: NAME, key: KEY}}}}"
                yield Fault(path, "spec/remote-variable", message, hint)
    for name in remote.variables:
        if name not in used:
            message = f"nothing uses the variable '{name}'"
            hint = f"write {{{name}}} in the url or a header, or remove it"
            yield Fault((*_PATH, "variables", name), "spec/remote-variable", message, hint, at_key=True)


def address_is_whole(server: Server) -> Iterator[Fault]:
    """Host and port with the variables filled in."""
    remote, path = _remote(server), (*_PATH, "url")
    origin = "/".join(remote.url.split("/", 3)[:3]).partition("?")[0]
    names = PLACEHOLDER.findall(origin)
    secret = next((name for name in names if isinstance(remote.variables.get(name), SecretRef)), None)
    if secret:
        message = f"{{{secret}}} is a secret, and stands in the host of the address, which others must know"
        yield Fault(path, "spec/remote-url", message, "write the host, and a secret in the path, the query or a header")
    elif all(name in remote.variables for name in names):
        try:
            port, host = remote.port, remote.host
        except ValueError:
            port, host = 0, "x"
        is_name = len(host) <= 253 and _NAME.fullmatch(host) and not host.rstrip(".").rpartition(".")[2].isdigit()
        if not (is_name or ip_address(host)):
            hint = "write a host name or an IP address, or correct the variables in it"
            yield Fault(path, "spec/remote-url", "the address has no host that can be looked up", hint)
        if not 1 <= port <= 65535:
            yield Fault(path, "spec/remote-url", "the port of the address is out of range", "write 1 to 65535")


def headers_are_different(server: Server) -> Iterator[Fault]:
    """Header names are case-insensitive."""
    first: dict[str, str] = {}
    for name in _remote(server).headers:
        other = first.setdefault(name.lower(), name)
        if other != name:
            message = f"'{name}' and '{other}' are one header: names of headers do not differ by case"
            yield Fault((*_PATH, "headers", name), "spec/remote-header", message, "remove one of them", at_key=True)


def _remote(server: Server) -> Remote:
    assert server.remote, "the rules are those of remote servers"
    return server.remote


RULES = (nothing_is_deployed, variables_are_there, address_is_whole, headers_are_different)

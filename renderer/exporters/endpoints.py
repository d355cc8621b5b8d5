"""The URL by which a client reaches a server: public, in the cluster, or a local port."""

from __future__ import annotations

from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.model import Access, Options, Server, own_port
from renderer.targets.compose.names import publishes_any_port

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound
_OPEN_A_WAY = "--local writes a port of this machine"


class Endpoint(NamedTuple):
    """``url`` is empty if no client can connect; ``note`` says why, or who can.

    ``path``: the field that decides it. ``command`` opens the connection and must keep running.
    """

    url: str
    path: DocumentPath
    note: str = ""
    command: str = ""


def endpoint_of(server: Server, target: str, options: Options, *, local: bool) -> Endpoint:
    """A local port if ``local``; else the exposed URL, else that of the Service."""
    if server.remote:
        return Endpoint(server.remote.address, ("spec", "remote", "url"))
    if not server.listens:
        why = "it speaks stdio without a bridge, so no client can connect; choose another transport.bridge than none"
        return Endpoint("", ("spec", "transport"), why)
    if target == "compose":
        publish, path = server.network.publish, ("spec", "network", "publish")
        if publishes_any_port(server):
            return Endpoint("", path, "each replica gets a free port of its own, which 'docker compose ps' shows")
        if publish is None:
            return Endpoint("", path, "compose publishes no port of it on this machine; remove 'publish: false'")
        if guarded := _guarded_address(server):
            return guarded
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(publish.address, publish.address)  # noqa: S104
        host = f"[{address}]" if ":" in address else address
        note = "" if publish.address in _EVERYWHERE else "clients on this machine"
        return Endpoint(f"http://{host}:{publish.port}{server.transport.path}", path, note)
    if local:
        return _forwarded(server, options)
    address = f"{server.object_name('Service')}.{options.namespace_of(server)}.svc:{server.service.port}"
    note = f"only pods of the cluster reach it; {_OPEN_A_WAY}"
    return _exposed(server) or Endpoint(f"http://{address}{server.transport.path}", ("spec", "service"), note)


def _guarded_address(server: Server) -> Endpoint | None:
    """Tokens are issued for one URL; under another clients reject the metadata."""
    access = server.access
    if isinstance(access, Access) and access.url and access.issuers:
        return Endpoint(access.url, ("spec", "access", "url"))
    return None


def _exposed(server: Server) -> Endpoint | None:
    """None if nothing routes to it from outside the cluster."""
    access, expose = server.access, server.expose
    if isinstance(access, Access) and access.url:
        return Endpoint(access.url, ("spec", "access", "url"))
    host = next((host for host in expose.hosts if "*" not in host), "") if expose else ""
    if not expose or not host:
        return None
    cut = expose.paths[0].rstrip("/") if expose.strip_prefix else ""
    if not cut and not expose.leads_to(server.transport.path):
        return None
    notes = ["the listener of the Gateway decides between https and http"] if expose.type == "HTTPRoute" else []
    notes += ["Flux replaces ${…} in the host: write the name of the environment"] if "$" in host else []
    plain = not expose.tls if expose.type == "Ingress" else expose.gateway and expose.gateway.section == "http"
    url = f"{'http' if plain else 'https'}://{host}{cut}{server.transport.path}"
    return Endpoint(url, ("spec", "expose"), "; ".join(notes))


def _forwarded(server: Server, options: Options) -> Endpoint:
    publish, namespace = server.network.publish, options.namespace_of(server)
    port = publish.port if publish else own_port(server.name)
    way = f"{port}:{server.service.port}"
    command = f"kubectl port-forward --namespace {namespace} service/{server.object_name('Service')} {way}"
    note = "clients on this machine, while the port-forward runs"
    if guarded := _guarded_address(server):
        note += f"; its tokens are for {guarded.url}, and clients that compare the address refuse this one"
    return Endpoint(f"http://127.0.0.1:{port}{server.transport.path}", ("spec", "service"), note, command)

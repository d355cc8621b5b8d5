"""Checks of token issuers: metadata and keys, as seen from this machine; guards fetch keys from elsewhere."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from renderer.doctor.checks import ERRORS, Check, failed, ok, unchecked, warning
from renderer.errors import excerpt
from renderer.manifest import items, mappings
from renderer.model import Access, Issuer, Server
from renderer.orchestrators.mcp_check.fetch import Answer, fetch

#: Seconds for one request.
SECONDS = 10.0
#: Redirects that are followed for metadata; Envoy follows none for keys.
_REDIRECTS = 3
#: RFC 8414, and OpenID Connect Discovery; the path of the issuer follows, or comes before the last one.
_WELL_KNOWN = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


def checks(servers: Sequence[Server], host: str = "") -> Iterator[Check]:
    """Two for each issuer; ``host`` is the name of this machine."""
    accesses = [server.access for server in servers if isinstance(server.access, Access)]
    origin = f"from this machine ({excerpt(host or socket.gethostname(), 60)}), without a proxy"
    for issuer in dict.fromkeys(issuer for access in accesses for issuer in access.issuers):
        document, check = _metadata(issuer, origin)
        yield check
        if isinstance(issuer.jwks, str):
            yield _keys(issuer, issuer.jwks, document, origin)


def _metadata(issuer: Issuer, origin: str) -> tuple[Answer | None, Check]:
    parts, subject = urlsplit(issuer.url), f"issuer {excerpt(issuer.url, 80)}"
    path, host = parts.path.rstrip("/"), f"{parts.scheme}://{parts.netloc}"
    addresses = dict.fromkeys([*(f"{host}{known}{path}" for known in _WELL_KNOWN), f"{host}{path}{_WELL_KNOWN[1]}"])
    seen: list[str] = []
    for address in addresses:
        try:
            answer = fetch(address, SECONDS, redirects=_REDIRECTS)
        except ERRORS as error:
            advice = "look from where its clients run: they read its metadata, the guard does not"
            return None, unchecked(subject, f"{error.message} ({origin})", advice)
        document = answer.document()
        if answer.status != 200 or "issuer" not in document:
            without = " without an issuer" * (answer.status == 200)
            seen.append(f"HTTP {answer.status}{without} at {urlsplit(address).path}")
        elif document["issuer"] != issuer.url:
            text = f"calls itself {excerpt(str(document['issuer']), 200)} at {urlsplit(address).path} ({origin})"
            return answer, failed(
                subject, text, "write access.issuers[].url exactly like that: tokens carry it as 'iss'"
            )
        elif "S256" not in items(document.get("code_challenge_methods_supported")):
            text = f"its metadata at {urlsplit(address).path} has no PKCE with S256 ({origin})"
            return answer, warning(
                subject, text, "MCP clients refuse it: have it list code_challenge_methods_supported"
            )
        else:
            return answer, ok(subject, f"its metadata is at {urlsplit(address).path} ({origin})")
    return None, failed(subject, f"has no metadata: {', '.join(seen)} ({origin})", "check access.issuers[].url")


def _keys(issuer: Issuer, jwks: str, metadata: Answer | None, origin: str) -> Check:
    subject = f"keys of {excerpt(issuer.url, 80)}"
    try:
        answer = fetch(jwks, SECONDS)
    except ERRORS as error:
        advice = "the guard must reach it from where it runs: mcpctl apply and status say whether it does"
        return unchecked(subject, f"{error.message} ({origin})", advice)
    if 300 <= answer.status < 400:
        target = excerpt(answer.headers.get("location", "another address"), 200)
        advice = "write that address: Envoy follows no redirect"
        return failed(subject, f"{excerpt(jwks, 200)} redirects to {target} ({origin})", advice)
    keys = answer.document().get("keys")
    if answer.status != 200 or not isinstance(keys, list):
        text = f"HTTP {answer.status}{' without keys' * (answer.status == 200)} at {excerpt(jwks, 200)} ({origin})"
        return failed(subject, text, "write the jwks_uri of its metadata")
    kinds = ("RSA", "EC", "OKP")
    signing = [key for key in mappings(keys) if key.get("kty") in kinds and key.get("use", "sig") == "sig"]
    if not signing:
        text = f"none of {len(keys)} keys at {excerpt(jwks, 200)} is for signatures ({origin})"
        return failed(subject, text, "write the jwks_uri of its metadata")
    named = metadata.document().get("jwks_uri") if metadata else None
    if named not in (None, jwks):
        text = f"{len(signing)} keys; its metadata names another address: {excerpt(str(named), 200)} ({origin})"
        return warning(subject, text, "write that one, unless the guard reaches only this one")
    return ok(subject, f"{len(signing)} keys ({origin}); the guard fetches them from where it runs")

"""Whether the guard protects a server, asked without credentials: 401, challenge, metadata, keys. Needs no SDK."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from renderer.errors import excerpt
from renderer.labels import GuardNote
from renderer.model import JSON
from renderer.orchestrators.mcp_check.errors import Refused, Unanswered
from renderer.orchestrators.mcp_check.fetch import Answer, fetch

_MODERN = "2026-07-28"
_META: Mapping[str, JSON] = {
    "io.modelcontextprotocol/protocolVersion": _MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "mcpctl", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_QUESTION = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": _META}}).encode()
_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": _MODERN,
    "mcp-method": "server/discover",
}
_FIELD = re.compile(r'([a-z_]+)="([^"]*)"')
_JWT = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
#: Seconds for which the forged token would hold.
_FORGED = 300


def check_guard(url: str, guard: GuardNote, seconds: float) -> None:
    """Asks ``url`` without a token, reads the metadata, and sends a forged token of each issuer.

    Raises Refused where no guard answers, or not as rendered, Unanswered where it cannot get the keys of an issuer, or
    nothing answers.
    """
    where = f"the guard at {excerpt(url, 200)}"
    answer = _ask(url, seconds)
    if answer.status < 300:
        raise Refused(
            f"{where} does not protect the server: expected HTTP 401 without a token, got {answer.status}; check that "
            "the port leads to the guard"
        )
    if answer.status >= 500:
        raise Unanswered(f"{where} answers HTTP {answer.status} without a token, expected 401: it is not ready")
    if answer.status != 401:
        raise Refused(f"{where} answers HTTP {answer.status} without a token, expected 401: check path and port")
    metadata, challenge = guard.metadata, _challenge(answer)
    if not challenge:
        text = "answers 401 without 'WWW-Authenticate: Bearer': clients do not learn where to get a token"
        raise Refused(f"{where} {text}")
    for name, value in {"resource_metadata": metadata, "scope": guard.scope}.items():
        if challenge.get(name, "") != value:
            seen = excerpt(challenge.get(name, ""), 200) or "none"
            raise Refused(
                f"{where} names another {name} in its 401: expected {value or 'none'}, got {seen}; it runs with "
                "another configuration than was rendered"
            )
    _check_metadata(where, f"{url.removesuffix(urlsplit(url).path)}{urlsplit(metadata).path}", guard, seconds)
    for issuer, audiences in guard.issuers.items():
        _check_keys(where, url, issuer, audiences, seconds)


def check_token(url: str, token: str, seconds: float) -> None:
    """Refused with the guard's reason where it refuses the token, which is in no message."""
    answer, where = _ask(url, seconds, token), f"the guard at {excerpt(url, 200)}"
    error = excerpt(_challenge(answer).get("error", ""), 60)
    if answer.status == 401:
        hint = "it has expired, or is not for this server, or its key is not the issuer's"
        raise Refused(f"{where} refuses the token (401{f' {error}' if error else ''}): {hint}")
    if answer.status == 403:
        scope = excerpt(_challenge(answer).get("scope", ""), 200)
        need = f"it needs the scopes '{scope}'" if error == "insufficient_scope" else "its subject lacks a group"
        raise Refused(f"{where} refuses the token (403{f' {error}' if error else ''}): {need}")
    if answer.status in (429, 502, 503, 504):
        raise Unanswered(f"{where} answers HTTP {answer.status} to the token: {_STATUS[answer.status]}")


_STATUS = {
    429: "the subject has no requests left",
    502: "the server behind it does not answer",
    503: "it cannot fetch the issuer's keys (JWKS), or the server behind it does not answer",
    504: "the server behind it does not answer in time",
}


def unfit(token: str, guard: GuardNote, url: str, now: float) -> str:
    """Why a token must not be sent: others could read it, or it is for another server. '' where it fits."""
    claims = _claims(token)
    if claims is None:
        return "is not a signed JWT"
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    if not any(audience in named for audience in guard.issuers.get(str(claims.get("iss")), ())):
        return "is of another issuer, or for another server (iss, aud)"
    expiry = claims.get("exp")
    if not isinstance(expiry, int | float) or expiry <= now:
        return "has expired"
    if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in ("127.0.0.1", "::1", "localhost"):
        return f"would cross the network unencrypted, to {excerpt(url, 200)}"
    return ""


def _ask(url: str, seconds: float, token: str = "") -> Answer:
    headers = {**_HEADERS, "authorization": f"Bearer {token}"} if token else _HEADERS
    return fetch(url, seconds, method="POST", headers=headers, body=_QUESTION)


def _challenge(answer: Answer) -> Mapping[str, str]:
    scheme, _, fields = answer.headers.get("www-authenticate", "").partition(" ")
    return dict(_FIELD.findall(fields)) if scheme.lower() == "bearer" else {}


def _check_metadata(where: str, address: str, guard: GuardNote, seconds: float) -> None:
    answer = fetch(address, seconds)
    path = urlsplit(address).path
    if answer.status != 200:
        raise Refused(f"{where} answers HTTP {answer.status} at {path}, expected 200 with the metadata (RFC 9728)")
    document = answer.document()
    resource = excerpt(str(document.get("resource")), 200)
    if document.get("resource") != guard.resource:
        raise Refused(f"the metadata of {where} names another resource: expected {guard.resource}, got {resource}")
    servers = document.get("authorization_servers")
    servers = servers if isinstance(servers, list) else []
    if sorted(map(str, servers)) != sorted(guard.issuers):
        seen = excerpt(", ".join(map(str, servers)), 300) or "none"
        raise Refused(f"the metadata of {where} names other issuers: expected {', '.join(guard.issuers)}, got {seen}")


def _check_keys(where: str, url: str, issuer: str, audiences: Sequence[str], seconds: float) -> None:
    """With an unsigned token: it makes the guard look for the key, and must be refused."""
    now = int(time.time())
    claims = {"iss": issuer, "aud": list(audiences), "sub": "mcpctl", "iat": now, "exp": now + _FORGED}
    parts = [{"alg": "RS256", "typ": "JWT", "kid": "mcpctl-forged"}, claims, None]
    texts = [json.dumps(part).encode() if part else bytes(256) for part in parts]
    forged = ".".join(base64.urlsafe_b64encode(text).decode().rstrip("=") for text in texts)
    answer = _ask(url, seconds, forged)
    if answer.status == 503:
        raise Unanswered(f"{where} answers HTTP 503: it cannot fetch the keys (JWKS) of {excerpt(issuer, 200)}")
    if answer.status < 300:
        text = f"lets in a forged token of {excerpt(issuer, 200)} (HTTP {answer.status}): it checks no signature"
        raise Refused(f"{where} {text}")


def _claims(token: str) -> Mapping[str, JSON] | None:
    if not (parts := _JWT.fullmatch(token)):
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None

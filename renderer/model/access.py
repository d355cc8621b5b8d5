"""Who may call a server, and what: the fields of ``spec.access``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer.model.fields import ConfigMapRef

#: Where clients ask for the metadata of RFC 9728; the path of the server's own stands behind it.
WELL_KNOWN = "/.well-known/oauth-protected-resource"
#: What enforces access in front of a server, where it is not Envoy beside it.
ENVOY, AGENT = "envoy-gateway", "agentgateway"


class Issuer(NamedTuple):
    """Whose tokens are taken. ``jwks`` is the address of its keys, or the ConfigMap that has them."""

    url: str
    jwks: str | ConfigMapRef | None
    audiences: tuple[str, ...]


class Rights(NamedTuple):
    """What a token must have: every one of the scopes, and one of the groups."""

    scopes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def include(self, other: Rights) -> bool:
        """Whether whoever has these has the others too."""
        groups = not other.groups or (bool(self.groups) and set(self.groups) <= set(other.groups))
        return groups and set(self.scopes) >= set(other.scopes)


class ToolRule(NamedTuple):
    """Tools by name, or by its beginning and ``*``, and what a token needs for them beyond ``Access.require``."""

    allow: tuple[str, ...]
    rights: Rights


class RateLimit(NamedTuple):
    """``per`` is a duration such as ``1m``."""

    per_subject: int
    per: str


class Access(NamedTuple):
    """Without issuers nobody needs a token, and only web pages of foreign origins are refused."""

    url: str | None = None
    issuers: tuple[Issuer, ...] = ()
    require: Rights = Rights()
    #: Empty: every tool. Else a tool that no rule allows is refused.
    tools: tuple[ToolRule, ...] = ()
    rate_limit: RateLimit | None = None
    origins: tuple[str, ...] = ()
    log: bool = True
    forwards_token: bool = False
    #: ``envoy``: beside the server. The others are gateways, which a team runs in front of it.
    enforced_by: Literal["envoy", "envoy-gateway", "agentgateway"] = "envoy"

"""Who may call a server, by the configuration of its Envoy: what a change opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.diff.consequences.table import Consequence, Pair
from renderer.diff.objects import COMPOSE, TEXT, Object
from renderer.guard import CONFIG, FOLDER, covers
from renderer.kinds import WORKLOADS
from renderer.manifest import as_mapping, at, containers, items, mappings, pod_spec
from renderer.merge_patch import same
from renderer.yaml_reader import Limits, read

_LIMITS = Limits(max_bytes=1_000_000, max_nodes=100_000, max_total=100_000)
_WAYS_IN = ("Ingress", "HTTPRoute")
#: What a gateway asks for in place of a guard. Its rules are not read: any change may let more in.
_POLICIES = ("SecurityPolicy", "AgentgatewayPolicy")


class _Tools(NamedTuple):
    """A rule on tools: names or prefixes with ``*``, and what a token needs."""

    names: frozenset[str]
    scopes: frozenset[str]
    groups: frozenset[str]


class _Rules(NamedTuple):
    """The rules of the guard. ``issuers`` to audiences and the source of keys; ``rate`` in requests a second."""

    issuers: Mapping[str, tuple[frozenset[str], str]]
    forwards: bool
    scopes: frozenset[str]
    groups: frozenset[str]
    tools: tuple[_Tools, ...]
    origins: frozenset[str]
    rate: tuple[int, str] | None


def guard_rules(pairs: Sequence[Pair], before: Sequence[Object], now: Sequence[Object]) -> Iterator[Consequence]:
    if not any(each.kind in WORKLOADS or (each.group, each.kind) == (COMPOSE, "service") for each in now):
        return
    old, new = _configuration(before), _configuration(now)
    is_asked = any(each.kind in _POLICIES for each in now)
    yield from _gateway_rules(pairs, before, now)
    if _has_guard(before) and not _has_guard(now) and not is_asked:
        lost = "no token is needed any more" if old is None or old.issuers else "pages of every origin may call it"
        yield Consequence("access", f"the guard is removed: {lost}")
    elif old and new and old != new:
        yield from (Consequence("access", words) for words in _wider(old, new))
    # An unchanged file is not among the objects: the guard did not change then.
    if not is_asked and (not _has_guard(now) or (new and not new.issuers)):
        for each in (pair.new for pair in pairs if pair.new and not pair.old and pair.new.kind in _WAYS_IN):
            yield Consequence("access", f"{each.label}: everyone who reaches it may call every tool, without a token")


def _gateway_rules(pairs: Sequence[Pair], before: Sequence[Object], now: Sequence[Object]) -> Iterator[Consequence]:
    was_asked, is_asked = (any(each.kind in _POLICIES for each in objects) for objects in (before, now))
    if is_asked and _has_guard(before) and not _has_guard(now):
        yield Consequence("access", "the guard is removed; calls that bypass the gateway need no token")
    if was_asked and not is_asked and not _has_guard(now):
        yield Consequence("access", "the policy of the gateway is removed: no token is needed any more")
    for pair in pairs:
        changed = pair.old and pair.new and not same(pair.before.get("spec"), pair.now.get("spec"))
        if changed and pair.object.kind in (*_POLICIES, "BackendTrafficPolicy"):
            yield Consequence("access", f"{pair.object.label}: the policy of the gateway changes, and may allow more")


def _has_guard(objects: Sequence[Object]) -> bool:
    return any(f"{FOLDER}/{CONFIG}" in map(str, words) for each in objects for words in _arguments(each))


def _arguments(part: Object) -> Iterator[Sequence[Any]]:
    if part.group == COMPOSE:
        yield items(at(part.data, "command")) if part.kind == "service" else ()
    elif part.kind in WORKLOADS:
        yield from (items(each.get("args")) for each in containers(pod_spec(part.kind, part.data)).values())


def _configuration(objects: Sequence[Object]) -> _Rules | None:
    for part in objects:
        text = at(part.data, "data", CONFIG) if part.kind == "ConfigMap" else at(part.data, "content")
        if part.kind == TEXT and f"/files/{CONFIG}" in f"/{part.name}":
            text = part.data
        if isinstance(text, str) and "http_connection_manager" in text:
            documents, _ = read(text.replace("$$", "$"), strict=False, limits=_LIMITS, marks=False)
            configurations = [document.data for document in documents if isinstance(document.data, dict)]
            listener = _first(at(configurations[0], "static_resources", "listeners")) if configurations else {}
            manager = as_mapping(_first(_first(listener.get("filter_chains")).get("filters")).get("typed_config"))
            if listener.get("name") == "guard":
                return _rules({str(each.get("name")): each for each in mappings(manager.get("http_filters"))})
    return None


def _first(value: Any) -> Mapping[str, Any]:
    return next(iter(mappings(value)), {})


def _rules(filters: Mapping[str, Mapping[str, Any]]) -> _Rules:
    def config(name: str) -> Mapping[str, Any]:
        return as_mapping(filters.get(name, {}).get("typed_config"))

    def policy(name: str, called: str) -> Mapping[str, Any]:
        return as_mapping(at(config(name), "rules", "policies", called))

    providers = [as_mapping(each) for each in as_mapping(config("token").get("providers")).values()]
    bucket = as_mapping(_first(config("rate").get("descriptors")).get("token_bucket"))
    tools = []
    for name, each in as_mapping(at(config("tools"), "rules", "policies")).items():
        if str(name) != "protocol":
            matches = [as_mapping(value.get("string_match")) for value in _matched(each, "params", "name")]
            names = frozenset(str(match.get("exact") or f"{match.get('prefix')}*") for match in matches)
            tools.append(_Tools(names or frozenset(["*"]), _claims(each, "scope"), _claims(each, "groups")))
    return _Rules(
        issuers={
            str(each.get("issuer")): (
                frozenset(map(str, items(each.get("audiences")))),
                str(at(each, "remote_jwks", "http_uri", "uri") or at(each, "local_jwks", "filename")),
            )
            for each in providers
        },
        forwards=any(each.get("forward") is True for each in providers),
        scopes=_claims(policy("scopes", "every-call"), "scope"),
        groups=_claims(policy("groups", "every-call"), "groups"),
        tools=tuple(tools),
        origins=frozenset(
            str(exact)
            for each in _mappings_in(policy("origin", "foreign-origin"))
            if (exact := at(each, "not_rule", "header", "string_match", "exact"))
        ),
        rate=(int(bucket["max_tokens"]), str(bucket.get("fill_interval")))
        if isinstance(bucket.get("max_tokens"), int)
        else None,
    )


def _mappings_in(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _mappings_in(inner)


def _matched(policy: Any, *path: str) -> Iterator[Mapping[str, Any]]:
    for each in _mappings_in(policy):
        matcher = as_mapping(each.get("metadata_matcher"))
        if [at(step, "key") for step in items(matcher.get("path"))] == list(path):
            yield as_mapping(matcher.get("value"))


def _claims(policy: Any, claim: str) -> frozenset[str]:
    values = (at(value, "list_match", "one_of", "string_match", "exact") for value in _matched(policy, "jwt", claim))
    return frozenset(str(value) for value in values if value)


def _wider(old: _Rules, new: _Rules) -> Iterator[str]:
    if old.issuers and not new.issuers:
        yield "no token is needed any more"
    elif old.issuers:
        yield from _trusted(old, new)
    if new.forwards and not old.forwards:
        yield "the server gets the callers' tokens"
    for scope in sorted(old.scopes - new.scopes) if new.issuers else ():
        yield f"scope {scope} is not needed any more"
    if old.groups and new.issuers:
        yield from (f"group {group} may call it" for group in sorted(new.groups - old.groups))
        if not new.groups:
            yield "no group is needed any more"
    yield from _more_tools(old.tools, new.tools)
    yield from (f"pages of {origin} may call it" for origin in sorted(new.origins - old.origins))
    if old.rate and old.rate != new.rate:
        yield f"{_rate(new.rate)} for each subject instead of {_rate(old.rate)}"


def _trusted(old: _Rules, new: _Rules) -> Iterator[str]:
    for issuer, (audiences, keys) in new.issuers.items():
        before = old.issuers.get(issuer)
        if before is None:
            yield f"issuer {issuer} is trusted"
            continue
        yield from (f"tokens of {issuer} for {audience} are accepted" for audience in sorted(audiences - before[0]))
        if keys != before[1]:
            yield f"keys of {issuer} come from {keys}"


def _more_tools(old: Sequence[_Tools], new: Sequence[_Tools]) -> Iterator[str]:
    if old and not new:
        yield "every tool may be called"
    for rule in new if old else ():
        for name in sorted(rule.names):
            known = [other for other in old if any(covers(pattern, name) for pattern in other.names)]
            as_much = [
                other
                for other in known
                if rule.scopes >= other.scopes and (not other.groups or (rule.groups and rule.groups <= other.groups))
            ]
            if not as_much:
                yield f"tool {name} may be called{' for less' if known else ''}"


def _rate(rate: tuple[int, str] | None) -> str:
    return f"{rate[0]} requests in {rate[1]}" if rate else "no limit"

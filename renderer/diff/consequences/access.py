"""Rights and secrets: RBAC, accounts, references to secrets, ways in from outside."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import product
from typing import Any

from renderer.diff.consequences.table import (
    HARMLESS,
    Consequence,
    Pair,
    Program,
    added,
    few,
    given_to_programs,
    handed_on,
    loaded,
    mounted_programs,
    package_rules,
    packages,
    programs,
)
from renderer.manifest import as_mapping, at, containers, items, mappings, pod_spec
from renderer.merge_patch import same
from renderer.pins import GUARD_PORT

Right = tuple[str, ...]
#: As the kubelet expands it: any text in the brackets; an even number of dollars before is an escape.
_REFERENCE = re.compile(r"(?<!\$)(?:\$\$)*\$\(([^)]+)\)")


def access_rules(pair: Pair, shared: Collection[str] = ()) -> Iterator[Consequence]:
    """Of one object; ``shared`` are the annotations that its server's workload gets too."""
    if pair.new:
        yield from _rights(pair)
        yield from _bindings(pair)
        yield from _tokens(pair, shared)
        yield from _secrets(pair)
        kind, label = pair.object.kind, f"{pair.object.label}:"
        yield from added("exposure", label, _ways_in(kind, pair.before), _ways_in(kind, pair.now))
        yield from _guards(pair, shared)
        if pair.old:
            # Another target of an existing name: another Service behind a host, other pods or ports.
            before, now = (_targets(pair.object.kind, data) for data in (pair.before, pair.now))
            for way in sorted(before.keys() & now.keys()):
                if new := sorted(now[way] - before[way]):
                    yield Consequence("exposure", f"{pair.object.label}: {way} leads to {', '.join(new)}")
        if kind == "Service":
            yield from added("removal", f"{label} port", _ports(pair.now), _ports(pair.before))


def _ports(service: Mapping[str, Any]) -> set[str]:
    return {str(port.get("port")) for port in mappings(at(service, "spec", "ports"))}


# ---------------------------------------------------------------------------------------------
# RBAC.


def _rights(pair: Pair) -> Iterator[Consequence]:
    if pair.object.kind in ("Role", "ClusterRole"):
        before, now = rights(pair.before), rights(pair.now)
        new = sorted(right for right in now if not any(_covers(old, right) for old in before))
        if new:
            yield Consequence("rbac", f"{pair.object.label}: {few([*map(_right, new)])}")
        rule = pair.now.get("aggregationRule")
        if rule and not same(pair.before.get("aggregationRule"), rule):
            yield Consequence("rbac", f"{pair.object.label}: has the rights of other roles by their labels")


def rights(role: Mapping[str, Any]) -> set[Right]:
    """Every single right of a role: verb, group and resource and name, or verb and URL."""
    granted: set[Right] = set()
    for rule in mappings(role.get("rules")):
        verbs, groups, resources = (_texts(rule.get(name)) for name in ("verbs", "apiGroups", "resources"))
        names = _texts(rule.get("resourceNames")) or ["*"]
        granted.update(product(verbs, groups, resources, names))
        granted.update(product(verbs, _texts(rule.get("nonResourceURLs"))))
    return granted


def _texts(value: Any) -> list[str]:
    return [str(item) for item in items(value)]


def _covers(old: Right, new: Right) -> bool:
    # 'pods/*' and '/healthz/*' include all below.
    return len(old) == len(new) and all(
        was in ("*", now) or (was.endswith("/*") and now.startswith(was[:-1]))
        for was, now in zip(old, new, strict=True)
    )


def _right(right: Right) -> str:
    verb, *rest = right
    if len(rest) == 1:
        return f"{verb} {rest[0]}"
    group, resource, name = rest
    return f"{verb} {resource}{f'.{group}' if group else ''}{'' if name == '*' else f' {name}'}"


def _bindings(pair: Pair) -> Iterator[Consequence]:
    if pair.object.kind in ("RoleBinding", "ClusterRoleBinding"):
        before, now = (
            {
                (str(s.get("kind")), str(s.get("namespace", "")), str(s.get("name")))
                for s in mappings(data.get("subjects"))
            }
            for data in (pair.before, pair.now)
        )
        rebound = not same(at(pair.before, "roleRef"), at(pair.now, "roleRef"))
        for kind, _, name in sorted(now if rebound else now - before):
            yield Consequence("rbac", f"{pair.object.label}: {kind} {name} gets {at(pair.now, 'roleRef', 'name')}")


def _tokens(pair: Pair, shared: Collection[str]) -> Iterator[Consequence]:
    kind = pair.object.kind
    spec, before = pod_spec(kind, pair.now), pod_spec(kind, pair.before)
    name = "automountServiceAccountToken"
    if spec and spec.get(name) is not False and (not pair.old or before.get(name) is False):
        yield Consequence("rbac", f"{pair.object.name}: pods get a token of the Kubernetes API")
    if _mounts_token(spec) and not _mounts_token(before):
        yield Consequence("rbac", f"{pair.object.name}: pods mount a token of their ServiceAccount")
    accounts = [pods.get("serviceAccountName", pods.get("serviceAccount", "default")) for pods in (before, spec)]
    if before and spec and not same(*accounts):
        yield Consequence("rbac", f"{pair.object.name}: pods run as ServiceAccount {accounts[1]}")
    if kind == "ServiceAccount":
        if pair.now.get(name) is not False and (not pair.old or pair.before.get(name) is False):
            yield Consequence("rbac", f"{pair.object.label}: its pods get a token of the Kubernetes API")
        was, now = (as_mapping(at(data, "metadata", "annotations")) for data in (pair.before, pair.now))
        for key in sorted(now.keys() - {key for key in was if was[key] == now.get(key)}):
            if not _is_harmless(key, shared):
                yield Consequence("rbac", f"{pair.object.label}: annotation {key} may give it another identity")


def _mounts_token(spec: Mapping[str, Any]) -> bool:
    sources = [
        source for volume in mappings(spec.get("volumes")) for source in mappings(at(volume, "projected", "sources"))
    ]
    return any("serviceAccountToken" in source for source in sources)


# ---------------------------------------------------------------------------------------------
# Secrets.


def _secrets(pair: Pair) -> Iterator[Consequence]:
    name = pair.object.name
    known = secrets_of(pair.before)
    yield from added("secret", f"{name}:", known, secrets_of(pair.now))
    before, pods = (pod_spec(pair.object.kind, data) for data in (pair.before, pair.now))
    old_uses, uses = _uses(before), _uses(pods)
    for secret, where in sorted(use for use in uses - old_uses if use[0] in known):
        yield Consequence("secret", f"{name}: {secret} → {where}")
    old, new = containers(before), containers(pods)
    for container in sorted(old.keys() & new.keys()):
        secrets = sorted({secret for secret, where in uses if where.partition(" ")[0] == container})
        label, was, now_ = f"{name}/{container}", old[container], new[container]
        yield from handed_on(label, str(was.get("image")), str(now_.get("image")), secrets)
        yield from given_to_programs(label, _programs(was), _programs(now_), secrets)
        argvs = [(items(each.get("command")), items(each.get("args"))) for each in (was, now_)]
        yield from package_rules(label, *(packages(*argv) for argv in argvs))


def _programs(container: Mapping[str, Any]) -> set[Program]:
    """Of the container itself, its hooks and probes: all of them see its variables and files."""
    places = [("lifecycle", "postStart"), ("lifecycle", "preStop")]
    commands = [items(at(container, *place, "exec", "command")) for place in places]
    commands += [
        items(at(container, f"{probe}Probe", "exec", "command")) for probe in ("liveness", "readiness", "startup")
    ]
    started = programs(items(container.get("command")), items(container.get("args")))
    variables = [(str(entry.get("name")), entry.get("value", "")) for entry in mappings(container.get("env"))]
    started = started.union(*map(programs, commands))
    mounts = [
        (entry.get("mountPath"), "/".join(filter(None, map(str, (entry.get("name"), entry.get("subPath", ""))))))
        for entry in mappings(container.get("volumeMounts"))
    ]
    return started | loaded(variables) | mounted_programs(started, mounts)


def _uses(spec: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Each Secret of a pod with the container and the variable or folder that gets it."""
    volumes = {str(volume.get("name")): secrets_of(volume) for volume in mappings(spec.get("volumes"))}
    uses: set[tuple[str, str]] = set()
    for name, container in containers(spec).items():
        words = " ".join(map(str, (*items(container.get("command")), *items(container.get("args")))))
        variables = _Variables(container)
        for variable, secrets in variables.secrets.items():
            uses |= {(secret, f"{name} as {variable}") for secret in secrets}
        uses |= {(secret, f"{name} as an argument") for secret in variables.secrets_in(words)}
        for source in mappings(container.get("envFrom")):
            uses |= {(secret, f"{name} as {source.get('prefix', '')}*") for secret in secrets_of(source)}
        for mount in mappings(container.get("volumeMounts")):
            secrets = volumes.get(str(mount.get("name")), set())
            uses |= {(secret, f"{name} at {mount.get('mountPath')}") for secret in secrets}
    return uses


class _Variables:
    """The Secrets in each variable of a container: its own, and those of variables that it refers to."""

    def __init__(self, container: Mapping[str, Any]) -> None:
        sources = mappings(container.get("envFrom"))
        self._whole = [(str(source.get("prefix", "")), secrets_of(source)) for source in sources]
        self.secrets: dict[str, set[str]] = {}
        # In order: the kubelet expands only variables before this one.
        for variable in mappings(container.get("env")):
            secrets = secrets_of(variable) | self.secrets_in(str(variable.get("value", "")))
            self.secrets[str(variable.get("name"))] = secrets

    def secrets_in(self, text: str) -> set[str]:
        """The keys of a whole Secret are unknown: any undeclared name may be one of them."""
        names: set[str] = set()
        for name in _REFERENCE.findall(text):
            unknown = [secrets for prefix, secrets in self._whole if name.startswith(prefix)]
            names |= self.secrets[name] if name in self.secrets else set().union(*unknown)
        return names


def secrets_of(data: Any) -> set[str]:
    """Every Secret that an object refers to, with the key where one is named."""
    names: set[str] = set()
    if isinstance(data, dict):
        for key, value in data.items():
            names |= _referred(key, value) or secrets_of(value)
    elif isinstance(data, list):
        names = {name for item in data for name in secrets_of(item)}
    return names


def _referred(key: str, value: Any) -> set[str]:
    if key == "secretKeyRef" and isinstance(value, dict):
        return {f"{value.get('name')}/{value.get('key')}"}
    if key in ("secretRef", "nodePublishSecretRef", "authSecretRef") and isinstance(value, dict):
        return {str(value.get("name"))}
    if key == "imagePullSecrets":
        return {str(at(item, "name")) for item in items(value)}
    if key in ("remoteRef", "extract") and isinstance(value, dict) and isinstance(value.get("key"), str):
        return {f"{value['key']}{f'/{inner}' if (inner := value.get('property')) else ''} of the store"}
    if key == "secretStoreRef" and isinstance(value, dict):
        return {f"store {value.get('name')}"}
    if key == "secret" and isinstance(value, dict) and ("secretName" in value or "name" in value):
        return {str(value.get("secretName", value.get("name")))}
    if key == "secretName" and isinstance(value, str):
        return {value}
    return set()


# ---------------------------------------------------------------------------------------------
# Exposure.


#: Annotations of ExternalDNS: names that lead there.
_PUBLISHES = ("external-dns.alpha.kubernetes.io/hostname", "external-dns.alpha.kubernetes.io/internal-hostname")
#: How nginx passes on what it lets in.
_PASSED_ON = tuple(
    f"nginx.ingress.kubernetes.io/{name}"
    for name in (
        *("proxy-body-size", "proxy-buffer", "proxy-connect-timeout", "proxy-http-version", "proxy-read-timeout"),
        *("proxy-request-buffering", "proxy-send-timeout", "upstream-hash-by"),
    )
)
#: Words in the domains of programs that act on annotations of Ingresses and accounts.
_ACTING = re.compile(
    "kubernetes|k8s|ingress|gateway|proxy|nginx|traefik|contour|kong|istio|linkerd|cilium|amazonaws|aws|gke|google|gcp"
    "|azure|alibaba|oracle|ibm|tencent|digitalocean|hetzner|openshift|cloudflare|tailscale|ngrok|identity|oauth|vault"
    "|hashicorp|spiffe|teleport|okta|konghq|haproxy|dns|cert"
)


def _is_harmless(key: str, shared: Collection[str]) -> bool:
    """Known as such; or on all objects, and so for people, unless a known program would act on it."""
    return key.startswith((*HARMLESS, *_PASSED_ON)) or (key in shared and not _ACTING.search(key.partition("/")[0]))


def _guards(pair: Pair, shared: Collection[str]) -> Iterator[Consequence]:
    """Annotations of controllers: who may call, with what credentials, from where."""
    balancer = pair.object.kind == "Service" and at(pair.now, "spec", "type") == "LoadBalancer"
    if not pair.old or not (balancer or pair.object.kind in ("Ingress", "Gateway", "HTTPRoute", "Service")):
        return
    was, now = (as_mapping(at(data, "metadata", "annotations")) for data in (pair.before, pair.now))
    for key in sorted(str(key) for key in {*was, *now} if was.get(key) != now.get(key)):
        if key.startswith(_PUBLISHES) and key in now:
            yield Consequence("exposure", f"{pair.object.label}: annotation {key} publishes {now[key]}")
        elif "/" in key and not _is_harmless(key, shared) and (balancer or pair.object.kind != "Service"):
            yield Consequence("exposure", f"{pair.object.label}: annotation {key} may let others in")


def _targets(kind: str, data: Mapping[str, Any]) -> dict[str, set[str]]:
    spec, targets = as_mapping(data.get("spec")), dict[str, set[str]]()
    if kind == "Service":
        selector = ",".join(sorted(f"{key}={value}" for key, value in as_mapping(spec.get("selector")).items()))
        targets["every port"] = {f"pods {selector}"}
        for port in mappings(spec.get("ports")):
            # The guard checks every call: a port that leads to it is no wider way.
            target = port.get("targetPort", port.get("port"))
            targets[f"port {port.get('port')}"] = {f"port {target}"} if target != GUARD_PORT else set()
    elif kind == "Ingress":
        default = [("everything else", spec["defaultBackend"])] if spec.get("defaultBackend") else []
        paths = [
            (f"{rule.get('host', '*')}{path.get('path', '/')}", path.get("backend"))
            for rule in mappings(spec.get("rules"))
            for path in mappings(at(rule, "http", "paths"))
        ]
        for way, backend in (*default, *paths):
            service, port = at(backend, "service"), as_mapping(at(backend, "service", "port"))
            name = at(service, "name") or at(backend, "resource", "name")
            targets.setdefault(way, set()).add(f"{name}, port {port.get('name', port.get('number'))}")
    elif kind.endswith("Route"):
        for rule in mappings(spec.get("rules")):
            matches = mappings(rule.get("matches")) or [{}]
            backends = {
                "/".join(filter(None, (str(ref.get("namespace") or ""), str(ref.get("name")))))
                for ref in mappings(rule.get("backendRefs"))
            }
            for match in matches:
                targets.setdefault(str(at(match, "path", "value") or "/"), set()).update(backends)
    return targets


def _ways_in(kind: str, data: Mapping[str, Any]) -> set[str]:
    if kind == "Ingress":
        return _of_ingress(data)
    if kind in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"):
        return _of_route(data)
    if kind == "Service":
        return _of_service(data)
    if kind == "Gateway":
        listeners = mappings(at(data, "spec", "listeners"))
        return {f"listens on {listener.get('hostname', '*')}:{listener.get('port')}" for listener in listeners}
    ports = [
        port for container in containers(pod_spec(kind, data)).values() for port in mappings(container.get("ports"))
    ]
    return {f"port {port['hostPort']} of the node" for port in ports if port.get("hostPort")}


def _of_ingress(data: Mapping[str, Any]) -> set[str]:
    spec = as_mapping(data.get("spec"))
    secured = {str(host) for tls in mappings(spec.get("tls")) for host in items(tls.get("hosts"))}
    ways = {"everything else"} if spec.get("defaultBackend") else set()
    ways.add(f"by class {spec.get('ingressClassName', 'of the cluster')}")
    for rule in mappings(spec.get("rules")):
        host = str(rule.get("host", "*"))
        paths = mappings(at(rule, "http", "paths")) or [{}]
        ways |= {f"{host}{path.get('path', '/')}" for path in paths}
        below = [path for path in paths if path.get("pathType") == "Prefix"]
        ways |= {f"{host}{path.get('path', '/')} and what is below" for path in below}
        ways |= {f"{host} without TLS"} - {f"{name} without TLS" for name in secured}
    return ways


def _of_route(data: Mapping[str, Any]) -> set[str]:
    spec = as_mapping(data.get("spec"))
    gateways = [f"{at(parent, 'namespace') or ''}/{at(parent, 'name')}" for parent in items(spec.get("parentRefs"))]
    paths = [
        str(at(match, "path", "value") or "/")
        for rule in mappings(spec.get("rules"))
        for match in mappings(rule.get("matches")) or [{}]
    ]
    hosts = _texts(spec.get("hostnames")) or ["*"]
    places = {f"{host}{path}" for host, path in product(hosts, paths or ["/"])}
    return places | {f"by Gateway {gateway.lstrip('/')}" for gateway in gateways}


def _of_service(data: Mapping[str, Any]) -> set[str]:
    spec = as_mapping(data.get("spec"))
    kind, ways = spec.get("type"), {f"address {address}" for address in _texts(spec.get("externalIPs"))}
    if kind in ("LoadBalancer", "NodePort"):
        ranges = _texts(spec.get("loadBalancerSourceRanges")) or ["everywhere"]
        ways |= {f"port {port} as {kind} from {source}" for port, source in product(_ports(data), ranges)}
    return ways

"""Policy on specs. A check yields Faults with paths from the document's root."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from renderer.errors import DocumentPath, Fault
from renderer.later import later
from renderer.model import Access, Container, SecretRef, Server
from renderer.policy.containers import image_faults, source_faults, variable_faults
from renderer.policy.literals import secrets_of
from renderer.variables import expanded_in, pieces

if TYPE_CHECKING:
    from renderer.policy import rights as _rights
else:
    _rights = later("renderer.policy.rights")  # 1 ms, which few specs need

Check = Callable[[Server], Iterator[Fault]]

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - what is looked for


def images(server: Server) -> Iterator[Fault]:
    """Images of bridges are pinned by mcpctl."""
    if server.image:
        path: DocumentPath = ("spec", "image") if server.sets("spec", "image") else ("spec", "package", "version")
        yield from image_faults(server.image, path)
    if server.package and server.package.base_image:
        yield from image_faults(server.package.base_image, ("spec", "package", "baseImage"))
    if server.compose.build:
        yield from source_faults(server.compose.build.context, ("spec", "compose", "build", "context"))
    for where, container in server.further_containers:
        yield from image_faults(container.image, (*where, "image"))


def literals(server: Server) -> Iterator[Fault]:
    """Secrets in any text, and names of variables."""
    yield from (fault for fault in secrets_of(server.source) if fault.digest)
    containers: list[tuple[DocumentPath, Server | Container]] = [(("spec",), server), *server.further_containers]
    for path, container in containers:
        for name, value in container.env.items():
            yield from variable_faults(name, (*path, "env", name), value if isinstance(value, str) else "")


def arguments(server: Server) -> Iterator[Fault]:
    """Arguments are visible in process lists, unlike variables."""
    containers: list[tuple[DocumentPath, Server | Container]] = [(("spec",), server), *server.further_containers]
    for path, container in containers:
        for field, words in (("command", container.command), ("args", container.args)):
            for i, word in enumerate(words):
                if "$(" not in word:
                    continue
                names = [piece.name for piece in pieces(word, expanded_in(container, words=True)) if piece.name]
                secrets = list(dict.fromkeys(secret for name in names for secret in _secrets_in(name, container, ())))
                if secrets:
                    yield Fault(
                        (*path, field, i),
                        "policy/secret-argument",
                        f"{' and '.join(secrets)} becomes an argument of the process: whoever may list processes or "
                        "inspect containers sees it",
                        "let the program read the variable or a file, or accept this where it takes an argument only",
                    )


def _secrets_in(name: str, container: Server | Container, above: tuple[str, ...]) -> Iterator[str]:
    """Keys of Secrets in a variable, also through other variables."""
    value = container.env.get(name)
    if isinstance(value, SecretRef):
        yield f"key {value.key} of Secret {value.secret}"
    elif isinstance(value, str):
        others = [piece.name for piece in pieces(value, expanded_in(container)) if piece.name]
        for other in others if name not in above else ():
            yield from _secrets_in(other, container, (*above, name))
    elif value is None:
        yield from (f"a key of Secret {source.name}" for source in container.env_from if source.kind == "secret")


def egress(server: Server) -> Iterator[Fault]:
    if server.network.egress is None:
        yield Fault(
            ("spec", "network"),
            "policy/unrestricted-egress",
            "the server may connect to every address, in compose to cloud metadata (169.254.169.254) too",
            "list what it needs under network.egress; 'egress: {}' is nothing at all",
            at_key=True,
        )


def locks(server: Server) -> Iterator[Fault]:
    """Without a lock dependencies are resolved at each start."""
    package = server.package
    if package and package.lock is None and package.bundle is None:
        own = "npx" if package.registry == "npm" else "uvx"
        lock = "a package-lock.json" if package.registry == "npm" else "a uv.lock"
        bound = "" if package.registry == "npm" else ", or bound the ones that break it with package.with"
        yield Fault(
            ("spec", "package"),
            "policy/unlocked-package",
            f"the dependencies of {package.name} are not locked: {own} takes their newest releases at each start, and "
            "one of them may keep the server from starting",
            f"name {lock} as package.lock{bound}, or run an image that has the package installed (docs/packages.md)",
            at_key=True,
        )


def replicas(server: Server) -> Iterator[Fault]:
    """Sessions are in the memory of one pod."""
    sessions = server.transport.keeps_sessions
    if not server.listens or sessions is False or server.most_pods < 2 or server.workload == "Pod":
        return  # of a Pod, another rule tells it
    where = "its bridge keeps" if server.transport.type == "stdio" else "the server keeps"
    message = (
        f"{where} sessions in memory, and with {server.most_pods} pods a client that reaches another one has lost its "
        "session; clients behind one gateway all reach the same pod"
    )
    hint = "run one pod, or write transport: {stateful: false} where no client needs a session (MCP 2026-07-28)"
    if sessions is None:
        unknown = "it matters whether the server keeps sessions, and the spec does not say so"
        message = f"with {server.most_pods} pods {unknown}"
        hint = "write transport: {stateful: false} where it keeps none, or true: clients then come back to the same pod"
    field = "autoscaling" if server.autoscaling else "replicas"
    yield Fault(("spec", field), "policy/stateful-replicas", message, hint, at_key=True)


def tls(server: Server) -> Iterator[Fault]:
    if server.expose and server.expose.type == "Ingress" and not server.expose.tls:
        yield Fault(
            ("spec", "expose"),
            "policy/ingress-tls",
            "the Ingress has no TLS: tokens and answers are not encrypted",
            "add 'tls: {secret: …}', or 'tls: {}' for the controller's own certificate",
            at_key=True,
        )


def access(server: Server) -> Iterator[Fault]:
    asked = isinstance(server.access, Access) and server.access.issuers
    if server.expose and server.access != "none" and not asked:
        hosts = " and ".join(server.expose.hosts)
        yield Fault(
            ("spec", "expose"),
            "policy/exposed-without-access",
            f"whoever reaches {hosts} may call every tool, with the credentials of the server",
            "say whose tokens are taken under spec.access (url, issuers), or write access: none where everybody may or "
            "something in front asks for tokens",
            at_key=True,
        )


def token(server: Server) -> Iterator[Fault]:
    """A token without rights still grants what every account may do."""
    if server.service_account.automount and not server.service_account.has_rights and server.sandbox is None:
        yield Fault(
            ("spec", "serviceAccount", "automountToken"),
            "policy/service-account-token",
            "a token of the Kubernetes API is mounted, and nothing in the spec needs one",
            "remove 'automountToken', or accept this with the reason",
            at_key=True,
        )


def rights(server: Server) -> Iterator[Fault]:
    account, path = server.service_account, ("spec", "serviceAccount")
    for field, rules, is_wide in (("rules", account.rules, False), ("clusterRules", account.cluster_rules, True)):
        for i, rule in enumerate(rules):
            yield from _rights.rule_fault(rule, (*path, field, i), is_wide=is_wide)
    for i, role in enumerate(account.cluster_roles):
        yield from _rights.role_fault(role, (*path, "clusterRoles", i), is_wide=True)
    if account.cluster_rules or account.cluster_roles or server.sandbox:
        yield from _rights.label_faults(server.labels, ("metadata", "labels"))
    for i, rights in enumerate(account.elsewhere):
        for j, rule in enumerate(rights.rules):
            yield from _rights.rule_fault(rule, (*path, "namespaces", i, "rules", j), is_wide=False)
        for j, role in enumerate(rights.cluster_roles):
            yield from _rights.role_fault(role, (*path, "namespaces", i, "clusterRoles", j), is_wide=False)


def snippets(server: Server) -> Iterator[Fault]:
    if server.expose and server.expose.type == "Ingress":
        yield from _rights.snippet_faults(server.annotations, ("metadata", "annotations"))
        yield from _rights.snippet_faults(server.expose.annotations, ("spec", "expose", "annotations"))


def published(server: Server) -> Iterator[Fault]:
    """Docker opens published ports in the machine's firewall, and Services have no TLS."""
    service = server.service
    if service.type != "ClusterIP" and not service.source_ranges:
        where = "the cluster's nodes" if service.type == "NodePort" else "its load balancer"
        yield Fault(
            ("spec", "service", "type"),
            "policy/published-everywhere",
            f"the Service is open to every network that reaches {where}, without TLS",
            "use 'expose', or a LoadBalancer with sourceRanges, or accept this with the reason",
        )
    if server.network.publish and server.network.publish.address in _EVERY_ADDRESS:
        yield Fault(
            ("spec", "network", "publish", "address"),
            "policy/published-everywhere",
            "the port is open to every network of the machine, past its firewall",
            "publish on 127.0.0.1, or on the one address that needs it",
        )


def remote_http(server: Server) -> Iterator[Fault]:
    """Loopback and cluster-internal hosts are exempt."""
    remote = server.remote
    if remote and remote.scheme == "http" and not _is_near(remote.host):
        yield Fault(
            ("spec", "remote", "url"),
            "policy/remote-http",
            "the address begins with http: headers, tokens and answers are not encrypted",
            "write https, or accept this with the reason where nobody else reaches the network between",
        )


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host or host.endswith((".svc", ".svc.cluster.local", ".localhost"))


#: Checks of single values.
VALUE_CHECKS: tuple[Check, ...] = (images, literals)
REMOTE_CHECKS: tuple[Check, ...] = (remote_http,)
CHECKS: tuple[Check, ...] = (arguments, egress, locks, replicas, tls, access, token, rights, snippets, published)

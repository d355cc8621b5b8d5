"""RBAC rules that grant more than they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from renderer.errors import DocumentPath, Fault
from renderer.later import pattern
from renderer.manifest import Json, entries, kind_of, mapping, text, texts
from renderer.model import AccessRule
from renderer.wording import excerpt

_AGGREGATED = "rbac.authorization.k8s.io/aggregate-to-"
#: ingress-nginx, NGINX, HAProxy.
_SNIPPET = pattern(r"-snippets?$|/config-[a-z]+$")
_WIDENING = ("bind", "escalate", "impersonate")
#: Subresources that run programs in pods or impersonate accounts.
_INSIDE = ("exec", "attach", "portforward", "proxy", "ephemeralcontainers", "token", "*")
_STARTS = frozenset(
    {
        *("pods", "deployments", "statefulsets", "daemonsets", "replicasets", "replicationcontrollers"),
        *("jobs", "cronjobs"),
    }
)
_WRITES = frozenset({"create", "update", "patch"})
#: Default ClusterRoles with access to Secrets and pods.
_WIDE_ROLES = {"cluster-admin": "every right", "admin": "Secrets, exec and roles", "edit": "Secrets and exec"}


def rule_fault(rule: AccessRule, path: DocumentPath, *, is_wide: bool) -> Iterator[Fault]:
    """``is_wide``: of a ClusterRole."""
    if excess := _excess(rule):
        yield _fault(f"the rule grants {excess}", path, "name verbs, resources and resourceNames", is_wide=is_wide)


def role_fault(role: str, path: DocumentPath, *, is_wide: bool) -> Iterator[Fault]:
    """A reference to a well-known ClusterRole."""
    if rights := _WIDE_ROLES.get(role):
        hint = "use 'view', or rules that name what the server needs"
        yield _fault(f"ClusterRole '{role}' grants {rights}", path, hint, is_wide=is_wide)


def label_faults(labels: Mapping[str, Any], path: DocumentPath) -> Iterator[Fault]:
    """Labels that aggregate rules into other ClusterRoles."""
    for key, value in labels.items():
        if key.startswith(_AGGREGATED) and value == "true":
            role = key.removeprefix(_AGGREGATED)
            message = f"the label gives the rights of the server to everybody who has '{role}'"
            yield _fault(message, (*path, key), "remove it", is_wide=True)


def snippet_faults(annotations: Mapping[str, Any], path: DocumentPath) -> Iterator[Fault]:
    """Ingress snippets configure the shared controller."""
    for key in annotations:
        if _SNIPPET.search(key):
            message = "the snippet runs in the ingress controller, which reads Secrets and requests of others"
            yield _fault(message, (*path, key), "use an annotation for what it does", is_wide=True)


def document_faults(data: Json, context: Mapping[str, Any]) -> Iterator[Fault]:
    """``context``: the values of the template."""
    kind, about = kind_of(data), mapping(data, "metadata")
    is_wide = kind.startswith("Cluster")
    if kind in ("Role", "ClusterRole"):
        yield from _rules(data, is_wide=is_wide)
    if kind == "ClusterRole":
        yield from label_faults(mapping(about, "labels"), ("metadata", "labels"))
        if data.get("aggregationRule"):
            message = "it gives the rules of other ClusterRoles"
            yield _fault(message, ("aggregationRule",), "name the rules", is_wide=True)
    elif kind in ("RoleBinding", "ClusterRoleBinding"):
        yield from role_fault(text(mapping(data, "roleRef"), "name"), ("roleRef", "name"), is_wide=is_wide)
        account = ("ServiceAccount", context.get("service_account"), context.get("server_namespace"))
        for i, subject in entries(data, "subjects") if account[1] else ():
            if (subject.get("kind"), subject.get("name"), subject.get("namespace")) != account:
                who = excerpt(f"{text(subject, 'kind')} {text(subject, 'name')}")
                message = f"the binding gives rights of the server to {who}"
                yield _fault(message, ("subjects", i), "bind the server's own account", is_wide=is_wide)
    elif kind == "Ingress":
        yield from snippet_faults(mapping(about, "annotations"), ("metadata", "annotations"))


def _rules(role: Json, *, is_wide: bool) -> Iterator[Fault]:
    # A server may run programs in pods of its own sandbox.
    is_sandbox = text(mapping(mapping(role, "metadata"), "labels"), "app.kubernetes.io/component") == "sandbox"
    own = ("pods", "pods/exec") if is_sandbox and not is_wide else ()
    for i, rule in entries(role, "rules"):
        groups, resources, names, verbs, urls = (
            tuple(texts(rule, name)) for name in ("apiGroups", "resources", "resourceNames", "verbs", "nonResourceURLs")
        )
        words = AccessRule(groups, tuple(resource for resource in resources if resource not in own), names, verbs, urls)
        yield from rule_fault(words, ("rules", i), is_wide=is_wide)


def _fault(message: str, path: DocumentPath, hint: str, *, is_wide: bool) -> Fault:
    if is_wide:
        return Fault(path, "policy/cluster-wide-rights", f"{message}, in every namespace", hint)
    return Fault(path, "policy/wide-rights", f"{message}, in the whole namespace", hint)


def _excess(rule: AccessRule) -> str:
    """What the rule grants beyond its words, or empty."""
    for words, kind in ((rule.verbs, "verb"), (rule.resources, "resource"), (rule.api_groups, "API group")):
        if "*" in words:
            return f"every {kind} ('*')"
    if verb := next((verb for verb in rule.verbs if verb in _WIDENING), ""):
        return f"rights that it does not name (verb '{verb}')"
    if "*" in rule.urls or "/*" in rule.urls:
        return "every path of the API server ('*')"
    if rule.resource_names:
        return ""
    if "secrets" in rule.resources:
        return "the Secrets"
    inside = [resource for resource in rule.resources if resource.partition("/")[2] in _INSIDE]
    if inside:
        return f"access to other pods and accounts ({inside[0]})"
    started = [] if _WRITES.isdisjoint(rule.verbs) else [plural for plural in rule.resources if plural in _STARTS]
    return f"every Secret and ServiceAccount to pods that the server starts ({started[0]})" if started else ""

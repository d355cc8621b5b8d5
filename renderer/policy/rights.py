"""Rights in the Kubernetes API that amount to more than they name."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.errors import DocumentPath, Fault
from renderer.model import AccessRule

_WIDENING = ("bind", "escalate", "impersonate")
#: Subresources through which one runs programs in pods, or speaks as another account.
_INSIDE = ("exec", "attach", "portforward", "proxy", "ephemeralcontainers", "token", "*")
_STARTS = frozenset(
    {
        *("pods", "deployments", "statefulsets", "daemonsets", "replicasets", "replicationcontrollers"),
        *("jobs", "cronjobs"),
    }
)
_WRITES = frozenset({"create", "update", "patch"})
#: The ClusterRoles of every cluster that open Secrets and pods.
_WIDE_ROLES = {"cluster-admin": "every right", "admin": "Secrets, exec and roles", "edit": "Secrets and exec"}


def rule_fault(rule: AccessRule, path: DocumentPath, *, is_wide: bool) -> Iterator[Fault]:
    """Of one rule of a Role, or of a ClusterRole (``is_wide``)."""
    if excess := _excess(rule):
        yield _fault(f"the rule gives {excess}", path, "name verbs, resources and resourceNames", is_wide=is_wide)


def role_fault(role: str, path: DocumentPath, *, is_wide: bool) -> Iterator[Fault]:
    """Of a ClusterRole that is bound, by its name."""
    if rights := _WIDE_ROLES.get(role):
        hint = "use 'view', or rules that name what the server needs"
        yield _fault(f"ClusterRole '{role}' gives {rights}", path, hint, is_wide=is_wide)


def _fault(message: str, path: DocumentPath, hint: str, *, is_wide: bool) -> Fault:
    if is_wide:
        return Fault(path, "policy/cluster-wide-rights", f"{message}, in every namespace", hint)
    return Fault(path, "policy/wide-rights", f"{message}, in the whole namespace", hint)


def _excess(rule: AccessRule) -> str:
    """What it gives beyond its words; empty where nothing."""
    for words, what in ((rule.verbs, "verb"), (rule.resources, "resource"), (rule.api_groups, "API group")):
        if "*" in words:
            return f"every {what} ('*')"
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

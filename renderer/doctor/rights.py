"""What we may do in a cluster, by ``kubectl auth can-i``: for every kind that would be applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from renderer.doctor.checks import Check, Result, failed, ok, troubled, warning
from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.objects import TYPES, Object

#: For an apply; for what comes after it.
_APPLY = ("get", "create", "patch")
_REMOVE = ("list", "delete")
#: What is asked where there are no specs.
_USUAL = ("ServiceAccount", "ConfigMap", "NetworkPolicy", "Service", "Deployment")
#: Verb, resource, subresource, and the command that needs it.
_WATCH = (
    ("list", "pods", "", "mcpctl status"),
    ("list", "events", "", "reasons in mcpctl status"),
    ("get", "pods", "log", "mcpctl logs"),
    ("create", "pods", "portforward", "asking the servers themselves"),
)


def checks(kubectl: Kubectl, found: Sequence[Object]) -> Iterator[Check]:
    """One check a kind and namespace; a single one where everything is allowed."""
    try:
        if _may(kubectl, "*", "*", all_namespaces=True):
            yield ok("permissions", "everything is allowed in the whole cluster")
            return
        for kind, namespace in _wanted(kubectl, found):
            yield _of_kind(kubectl, kind, namespace)
        yield from _of_life(kubectl)
    except (ApplyFailed, WaitTimedOut) as error:
        yield troubled("permissions", error, Result.UNCHECKED)


def _wanted(kubectl: Kubectl, found: Sequence[Object]) -> list[tuple[str, str]]:
    given = [(one.kind, one.namespace) for one in found if one.kind in TYPES]
    return list(dict.fromkeys(given or [(kind, kubectl.namespace) for kind in _USUAL]))


def _of_kind(kubectl: Kubectl, kind: str, namespace: str) -> Check:
    what = f"permissions for {kind}" + (f" in {namespace}" if namespace not in ("", kubectl.namespace) else "")
    resource = TYPES[kind].resource
    no = [verb for verb in (*_APPLY, *_REMOVE) if not _may(kubectl, verb, resource, namespace)]
    if needed := [verb for verb in no if verb in _APPLY]:
        return failed(what, f"may not {', '.join(needed)} {resource}", "ask for the right, or use another context")
    if no:
        advice = "ask for the right before you need mcpctl delete or --prune"
        return warning(what, f"may not {', '.join(no)} {resource}", advice)
    return ok(what, ", ".join((*_APPLY, *_REMOVE)))


def _of_life(kubectl: Kubectl) -> Iterator[Check]:
    no = [
        f"{verb} {resource}{'/' * bool(sub)}{sub} ({use})"
        for verb, resource, sub, use in _WATCH
        if not _may(kubectl, verb, resource, subresource=sub)
    ]
    if no:
        yield warning("permissions to watch", f"may not {', '.join(no)}", "ask for the right; the rest works without")
    else:
        yield ok("permissions to watch", "status, logs, port-forward")


def _may(
    kubectl: Kubectl,
    verb: str,
    resource: str,
    namespace: str = "",
    *,
    subresource: str = "",
    all_namespaces: bool = False,
) -> bool:
    """Exit code 1 is an answer too."""
    sub = [f"--subresource={subresource}"] if subresource else []
    wide = ["--all-namespaces"] if all_namespaces else []
    try:
        done = kubectl.call("asking what we may do", "auth", "can-i", verb, resource, *sub, *wide, namespace=namespace)
    except ApplyFailed as error:
        if getattr(error, "said", None) in ("", "no"):
            return False
        raise
    return done.out.strip().startswith("yes")

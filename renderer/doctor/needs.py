"""What the specs need of a cluster beyond what is applied: the list of prerequisites, looked up one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from renderer.doctor import Patient, components
from renderer.doctor.checks import Check, Result, failed, looked, ok, troubled, warning
from renderer.errors import ApplyFailed, WaitTimedOut, excerpt
from renderer.orchestrators.kubernetes.client import Kubectl, known_name
from renderer.orchestrators.kubernetes.faults import Refused
from renderer.prerequisites import COMPONENT, Prerequisite, prerequisites

#: Kind to resource; all that a prerequisite may be.
RESOURCES: Mapping[str, str] = {
    "ClusterSecretStore": "clustersecretstores.external-secrets.io",
    "ConfigMap": "configmaps",
    "CustomResourceDefinition": "customresourcedefinitions.apiextensions.k8s.io",
    "Gateway": "gateways.gateway.networking.k8s.io",
    "IngressClass": "ingressclasses.networking.k8s.io",
    "Namespace": "namespaces",
    "PriorityClass": "priorityclasses.scheduling.k8s.io",
    "RuntimeClass": "runtimeclasses.node.k8s.io",
    "Secret": "secrets",
    "SecretStore": "secretstores.external-secrets.io",
    "ServiceAccount": "serviceaccounts",
    "StorageClass": "storageclasses.storage.k8s.io",
}
#: Names of keys, and nothing else, leave kubectl: values are not even read by us.
_KEYS = "--output=go-template={{.type}}{{range $key, $_ := .data}}\n{{$key}}{{end}}"
_CONFIG_KEYS = "--output=go-template=" + "".join(
    f"{{{{range $key, $_ := .{part}}}}}\n{{{{$key}}}}{{{{end}}}}" for part in ("data", "binaryData")
)


def checks(kubectl: Kubectl, patient: Patient, served: set[str]) -> Iterator[Check]:
    """One check a prerequisite, each once for all servers."""
    provider = patient.options.network_policy_provider if patient.options else "kubernetes"
    seen = set()
    for server in patient.servers:
        for one in prerequisites(server, provider):
            if (key := one._replace(reasons=())) in seen:
                continue
            seen.add(key)
            yield from _check(kubectl, one, server.name, served)


def _check(kubectl: Kubectl, one: Prerequisite, server: str, served: set[str]) -> Iterator[Check]:
    if one.kind == COMPONENT:
        yield from looked(one.name, lambda: [components.check(kubectl, one.name, served)])
        return
    what = f"{one.kind} {excerpt(one.name, 253)}"
    why = f"for spec.{one.reasons[0]} of {server}"
    try:
        look = _LOOKS.get(one.kind, _is_there)
        yield look(kubectl, one, what, why)
    except Refused as error:
        yield _missing(one, what, why) if error.kind in _ABSENT else troubled(what, error, Result.UNCHECKED)
    except (ApplyFailed, WaitTimedOut) as error:
        yield troubled(what, error, Result.UNCHECKED)


_ABSENT = {"not found", "no namespace", "no kind"}


def _missing(one: Prerequisite, what: str, why: str) -> Check:
    if one.optional:
        return warning(what, f"is not there ({why}, optional)", "create it, if the server is to have it")
    advice = f"with {_words(one)}" if one.keys else ""
    return failed(what, f"is not there ({why})", f"create it before the apply{' ' * bool(advice)}{advice}")


def _words(one: Prerequisite) -> str:
    keys = ", ".join(excerpt(key, 100) for key in one.keys)
    return f"the key{'s' * (len(one.keys) > 1)} {keys}" + (f", of type {one.type}" if one.type else "")


def _is_there(kubectl: Kubectl, one: Prerequisite, what: str, why: str) -> Check:
    _get(kubectl, one, "--output=name")
    return ok(what, f"is there ({why})")


def _has_keys(kubectl: Kubectl, one: Prerequisite, what: str, why: str) -> Check:
    template = _KEYS if one.kind == "Secret" else _CONFIG_KEYS
    kind, *found = _get(kubectl, one, template).split("\n")
    lacks = [key for key in one.keys if key not in found and key not in one.optional_keys]
    if lacks:
        names = ", ".join(excerpt(key, 100) for key in lacks)
        text = f"has no key {names} ({why}); it has {', '.join(excerpt(key, 60) for key in found[:20]) or 'none'}"
        return failed(what, text, "add it, or name another key in the spec")
    if one.type and kind != one.type:
        return failed(what, f"is of type {excerpt(kind, 100)}, not {one.type} ({why})", "create it with that type")
    return ok(what, f"is there{', with ' * bool(one.keys)}{', '.join(one.keys)} ({why})")


_LOOKS: Mapping[str, Callable[[Kubectl, Prerequisite, str, str], Check]] = {
    "ConfigMap": _has_keys,
    "Secret": _has_keys,
}


def _get(kubectl: Kubectl, one: Prerequisite, output: str) -> str:
    name = known_name(one.name, one.kind)
    asked = ("get", f"{RESOURCES[one.kind]}/{name}", output)
    return kubectl.call(f"reading {one.kind} {name}", *asked, namespace=one.namespace, secret=one.kind == "Secret").out

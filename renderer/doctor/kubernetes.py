"""Checks of a cluster: kubectl, connection, versions, namespace, rights, kinds, and prerequisites of the specs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from renderer.doctor import Planned
from renderer.doctor.checks import ERRORS, Check, Result, attempt, failed, from_error, ok, unchecked, warning
from renderer.errors import ApplyFailed, excerpt
from renderer.kinds import KINDS
from renderer.manifest import annotations_of, at
from renderer.orchestrators.contract import OrchestratorConfig
from renderer.orchestrators.failures import Refused
from renderer.orchestrators.kubernetes.client import Kubectl, as_object, known_name
from renderer.orchestrators.kubernetes.objects import (
    CREATED,
    Object,
    effects_of_adoption,
    governs,
    objects,
    others_in,
    subject_of,
)
from renderer.orchestrators.kubernetes.rights import APPLY, READ, REMOVE
from renderer.pins import KUBERNETES_VERSION
from renderer.prerequisites import COMPONENT, Prerequisite, prerequisites

#: Minor versions that kubectl may be away from the API server.
SKEW = 1
#: Kinds to check without specs.
_USUAL = ("ServiceAccount", "ConfigMap", "NetworkPolicy", "Service", "Deployment")
_ABSENT = ("not found", "no namespace", "no kind")
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
#: Only the names of keys leave kubectl, no values.
_KEYS = {
    "Secret": "--output=go-template={{.type}}{{range $key, $_ := .data}}\n{{$key}}{{end}}",
    "ConfigMap": "--output=go-template={{range $key, $_ := .data}}\n{{$key}}{{end}}"
    "{{range $key, $_ := .binaryData}}\n{{$key}}{{end}}",
}


def checks(config: OrchestratorConfig, planned: Planned) -> Iterator[Check]:
    """None in the cluster where it does not answer."""
    subject = "kubectl"
    try:
        kubectl = Kubectl(config.kubernetes)
        yield ok("context", str(kubectl.place))
        subject = "cluster"
        answer = kubectl.read("asking the API server for its version", "version", "--output=json")
    except ERRORS as error:
        yield from_error(subject, error, Result.FAILED)
        return
    yield from _versions(answer, planned.options.kubernetes_version if planned.options else KUBERNETES_VERSION)
    others = tuple(dict.fromkeys(server.namespace for server in planned.servers if server.namespace))
    besides = {name for server in planned.servers for name in server.other_namespaces}
    rendered = objects(planned.documents, kubectl.namespace, besides) if planned.documents else []
    # Of the servers, and of their sandboxes.
    for name in dict.fromkeys([kubectl.namespace, *(each.namespace for each in rendered if each.namespace)]):
        yield from attempt(f"namespace {name}", partial(_namespace, kubectl, name, rendered))
    yield from attempt("permissions", lambda: _rights(kubectl, rendered, others))
    served: set[str] = set()
    try:
        served = {*kubectl.kinds("asking for the kinds that are served").out.split()}
        served |= {*kubectl.call("asking for the API versions", "api-versions").out.split()}
        yield from _kinds(served, rendered)
    except ERRORS as error:
        yield from_error("kinds", error, Result.UNCHECKED)
    provider = planned.options.network_policy_provider if planned.options else "kubernetes"
    needed: list[tuple[Prerequisite, str]] = []
    for server in planned.servers:
        for need in prerequisites(server, provider):
            if need.scope == "namespace":  # that of its server, where it is another one than the configured
                need = need._replace(namespace=need.namespace or server.namespace or "")
            needed.append((need, server.name))
    # Each once, for the first server that needs it.
    for need, name in {need._replace(reasons=()): (need, name) for need, name in reversed(needed)}.values():
        yield _prerequisite(kubectl, need, name, served)


def _versions(answer: Mapping[str, Any], wanted: str) -> Iterator[Check]:
    client_minor, server_minor = (
        re.match(r"[0-9]{1,4}", str(at(answer, key, "minor"))) for key in ("clientVersion", "serverVersion")
    )
    if not (client_minor and server_minor):
        yield unchecked("versions", "kubectl names them in an unknown form", "check that kubectl is kubectl")
        return
    client, server, rendered = int(client_minor[0]), int(server_minor[0]), int(wanted.partition(".")[2])
    if abs(client - server) > SKEW:
        advice = f"use kubectl 1.{max(0, server - SKEW)} to 1.{server + SKEW}"
        yield warning("kubectl", f"1.{client} is too far from the API server's 1.{server}", advice)
    else:
        yield ok("kubectl", f"1.{client}")
    text = f"API server 1.{server}"
    if server == rendered:
        yield ok("versions", f"{text}, as rendered for")
    else:
        text += f" is {'older' if server < rendered else 'newer'} than {wanted}, which the manifests are checked for"
        yield warning("versions", text, f"render for it: --kubernetes-version 1.{server}")


def _namespace(kubectl: Kubectl, name: str, rendered: Sequence[Object]) -> Iterator[Check]:
    subject = f"namespace {name}"
    made = any(each.identity == ("Namespace", "", name) for each in rendered)
    try:
        doing = "reading the namespace"
        live = as_object(kubectl.read(doing, "get", f"namespaces/{name}", "--output=json"), doing)
    except Refused as error:
        if error.kind not in ("not found", "no namespace"):
            raise
        advice = "create it, or let it be rendered (--create-namespace)"
        yield (
            ok(subject, "does not exist yet; apply creates it") if made else warning(subject, "does not exist", advice)
        )
        return
    if live["metadata"].get("deletionTimestamp"):
        yield failed(subject, "is being deleted", "wait until it is deleted, or use another one")
        return
    if CREATED in annotations_of(live):
        yield ok(subject, "exists")
        return
    others = others_in(kubectl, name)
    pods = ", ".join(excerpt(str(pod["metadata"]["name"]), 63) for pod in others[:5]) + ", …" * (len(others) > 5)
    if others:
        text = f"mcpctl did not create it, and {len(others)} pods in it are of others ({pods})"
        yield warning(subject, text, "use another namespace, unless it is meant for MCP servers too")
    else:
        yield ok(subject, "exists")
    if made and (effects := effects_of_adoption(live, others, rendered)):
        text = f"apply does not change the namespace; --adopt-namespace {'; '.join(effects)}"
        yield ok(f"others in {name}", text)
    sandboxing = [subject_of(each.data, name) for each in rendered if each.namespace == name and governs(each)]
    if name != kubectl.namespace and sandboxing:
        text = f"mcpctl did not create it: apply adds {', '.join(sandboxing)}, which apply to every pod in it, only "
        text += "with --adopt-namespace"
        yield warning(f"sandbox in {name}", text, "choose a namespace for sandbox.namespace that nobody else uses")


def _rights(kubectl: Kubectl, rendered: Sequence[Object], others: Sequence[str]) -> Iterator[Check]:
    """One check for each kind and namespace; a single one where everything is allowed."""
    if _may(kubectl, [("*", "*.*", "")])[0]:
        yield ok("permissions", "everything is allowed in the whole cluster")
        return
    kinds = [(o.kind, o.namespace) for o in rendered if o.kind in KINDS] or [(k, kubectl.namespace) for k in _USUAL]
    kinds, verbs = list(dict.fromkeys(kinds)), (*APPLY, *REMOVE)
    asked = [(verb, KINDS[kind].resource, namespace) for kind, namespace in kinds for verb in verbs]
    watched = [(right, namespace) for namespace in (kubectl.namespace, *others) for right in READ]
    asked += [(right.verb, right.resource, namespace) for right, namespace in watched]
    allowed = dict(zip(asked, _may(kubectl, asked), strict=True))
    for kind, namespace in kinds:
        subject = f"permissions for {kind}" + (f" in {namespace}" if namespace not in ("", kubectl.namespace) else "")
        resource = KINDS[kind].resource
        missing = [verb for verb in verbs if not allowed[verb, resource, namespace]]
        if needed := [verb for verb in missing if verb in APPLY]:
            yield failed(
                subject, f"may not {', '.join(needed)} {resource}", "ask for the right, or use another context"
            )
        elif missing:
            advice = "ask for the right before you need mcpctl delete or --prune"
            yield warning(subject, f"may not {', '.join(missing)} {resource}", advice)
        else:
            yield ok(subject, ", ".join(verbs))
    denied = [(r, namespace) for r, namespace in watched if not allowed[r.verb, r.resource, namespace]]
    if denied:
        rights = ", ".join(f"{r.verb} {r.resource}{f' in {n}' * (n in others)} ({r.use})" for r, n in denied)
        yield failed("permissions to watch", f"may not {rights}", "ask for the right; apply cannot wait without it")
    else:
        yield ok("permissions to watch", "status, logs, port-forward")


def _may(kubectl: Kubectl, asked: Sequence[tuple[str, str, str]]) -> list[bool]:
    """Whether each verb is allowed on its resource (``pods/log``, ``deployments.apps``), by one kubectl."""
    reviews = []
    for verb, resource, namespace in asked:
        plural, _, subresource = resource.partition("/")
        plural, _, group = plural.partition(".")
        where = {"verb": verb, "group": group, "resource": plural, "namespace": namespace, "subresource": subresource}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        reviews.append({**review, "spec": {"resourceAttributes": {k: v for k, v in where.items() if v}}})
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews}).encode()
    out = '--output=jsonpath={.status.allowed}{"\\n"}'
    doing = "asking for the rights of this user"
    answers = kubectl.call(doing, "create", "--validate=false", "--filename=-", out, stdin=stdin).out.split()
    if len(answers) != len(asked):
        raise ApplyFailed(f"{doing}: {len(answers)} answers to {len(asked)} questions")
    return [answer == "true" for answer in answers]


def _kinds(served: set[str], rendered: Sequence[Object]) -> Iterator[Check]:
    versions = sorted({str(o.data["apiVersion"]) for o in rendered})
    missing = [version for version in versions if version not in served]
    for version in missing:
        kinds = ", ".join(sorted({o.kind for o in rendered if o.data["apiVersion"] == version}))
        text = f"the cluster does not serve {excerpt(version, 100)} ({kinds})"
        yield failed(f"kind {kinds}", text, "install what defines it, or leave out the fields that need it")
    if versions and not missing:
        yield ok("kinds", f"all {len({o.kind for o in rendered})} kinds are served")


def _prerequisite(kubectl: Kubectl, need: Prerequisite, server: str, served: set[str]) -> Check:
    subject = need.name if need.kind == COMPONENT else f"{need.kind} {excerpt(need.name, 253)}"
    why = f"for spec.{need.reasons[0]} of {server}"
    try:
        return _component(kubectl, subject, served) if need.kind == COMPONENT else _object(kubectl, need, subject, why)
    except Refused as error:
        if error.kind not in _ABSENT:
            return from_error(subject, error, Result.UNCHECKED)
        if need.optional:
            return warning(subject, f"does not exist ({why}, optional)", "create it, if the server is to have it")
        keys = f" with the key{'s' * (len(need.keys) > 1)} {', '.join(excerpt(key, 100) for key in need.keys)}"
        kind = f", of type {need.type}" if need.type else ""
        return failed(
            subject, f"does not exist ({why})", f"create it before the apply{keys + kind if need.keys else ''}"
        )
    except ERRORS as error:
        return from_error(subject, error, Result.UNCHECKED)


def _object(kubectl: Kubectl, need: Prerequisite, subject: str, why: str) -> Check:
    name = f"{KINDS[need.kind].resource}/{known_name(need.name, need.kind)}"
    output, is_secret = _KEYS.get(need.kind, "--output=name"), need.kind == "Secret"
    out = kubectl.call(f"reading {subject}", "get", name, output, namespace=need.namespace, secret=is_secret).out
    kind, *keys = out.split("\n")
    if missing := [key for key in need.keys if key not in keys and key not in need.optional_keys]:
        text = f"has no key {', '.join(excerpt(key, 100) for key in missing)} ({why}); it has "
        text += ", ".join(excerpt(key, 60) for key in keys[:20]) or "none"
        return failed(subject, text, "add it, or name another key in the spec")
    if need.type and kind != need.type:
        return failed(subject, f"is of type {excerpt(kind, 100)}, not {need.type} ({why})", "create it with that type")
    return ok(subject, f"exists{', with ' * bool(need.keys)}{', '.join(need.keys)} ({why})")


def _component(kubectl: Kubectl, subject: str, served: set[str]) -> Check:
    """Anything that neither an API nor a class shows is not guessed."""
    for beginning, resource, counts, result, advice in _LISTED:
        if subject.startswith(beginning):
            items = kubectl.items(f"reading {resource}", "get", resource, "--output=json")
            names = [excerpt(str(item["metadata"]["name"]), 63) for item in items if counts(item)]
            return ok(subject, ", ".join(names[:5])) if names else Check(subject, result, "there is none", advice)
    for beginning, api, result, effect in _SERVED:
        if subject.startswith(beginning) and api in served:
            return ok(subject, f"its API {api} is served; whether its controller runs is not known")
        if subject.startswith(beginning) and served:
            others = sorted(name for name in served if name.startswith(api.partition("/")[0]) and "/" in name)
            text = f"its API {api} is not served{', only ' * bool(others)}{excerpt(', '.join(others), 100)}: {effect}"
            return Check(subject, result, text, "install it, in the version that is named")
    return unchecked(subject, "no object in the cluster shows it", "ask who runs the cluster")


#: Prefix of a component's name, resource to list, filter, and the result and advice where none is left.
_LISTED: tuple[tuple[str, str, Callable[[dict[str, Any]], bool], Result, str], ...] = (
    (
        "a default StorageClass",
        KINDS["StorageClass"].resource,
        lambda storage_class: any(annotations_of(storage_class).get(key) == "true" for key in _DEFAULT),
        Result.FAILED,
        "make a StorageClass the default, or name one with storage.storageClass",
    ),
    ("an ingress controller", KINDS["IngressClass"].resource, bool, Result.WARNING, "install an ingress controller"),
    (
        "nodes with NVIDIA GPUs",
        "nodes",
        lambda node: str(at(node, "status", "allocatable", "nvidia.com/gpu") or 0) != "0",
        Result.FAILED,
        "add such nodes, and the device plugin",
    ),
)
#: Prefix of a component's name, the API that it serves, and the effect without it.
_SERVED = (
    ("the metrics server", "metrics.k8s.io/v1beta1", Result.WARNING, "the autoscaler leaves the number of pods alone"),
    ("the External Secrets Operator", "external-secrets.io/v1", Result.FAILED, "no Secret is made"),
    ("Envoy Gateway", "gateway.envoyproxy.io/v1alpha1", Result.FAILED, "no token is checked"),
    ("agentgateway", "agentgateway.dev/v1alpha1", Result.FAILED, "no token is checked"),
)
LOOKED_FOR = (*(row[0] for row in _LISTED), *(row[0] for row in _SERVED))
#: Prefixes of components that no object in a cluster shows.
UNSEEN = (
    "a network plugin (CNI)",
    "Cilium as the network plugin",
    "a controller of the Gateway API",
    "nodes whose container runtime has the handler",
)

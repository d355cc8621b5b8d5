"""API rules of workloads, autoscalers, disruption budgets and what holds data. Messages never contain values."""

from __future__ import annotations

import base64

from renderer.check.api_rules.containers import pod_faults
from renderer.check.api_rules.grammars import (
    DATA_KEY,
    DNS_SUBDOMAIN,
    choice_fault,
    grammar_error,
    name_fault,
    once_if_valid,
    quantity_faults,
    range_fault,
    refused,
    repeated,
)
from renderer.check.api_rules.metadata import SELECTING, matches, metadata_faults, selector_faults
from renderer.errors import DocumentPath, Fault
from renderer.manifest import Json, entries, labels, mapping, pod_of, text, texts
from renderer.wording import excerpt

_STRATEGY_FIELDS = {"Deployment": "strategy", "StatefulSet": "updateStrategy", "DaemonSet": "updateStrategy"}
_STRATEGIES = {
    "Deployment": ("Recreate", "RollingUpdate"),
    "StatefulSet": ("RollingUpdate", "OnDelete"),
    "DaemonSet": ("RollingUpdate", "OnDelete"),
}
_NUMBERS = ("replicas", "revisionHistoryLimit", "minReadySeconds", "progressDeadlineSeconds")
_AT_LEAST_ONCE = ("Job", "CronJob")


def workload_faults(doc: Json) -> list[Fault]:
    """Of any object that is or has a pod."""
    path, pod = pod_of(doc) or ((), None)
    if pod is None:
        return []
    claims = tuple(
        text(mapping(c, "metadata"), "name") for _, c in entries(mapping(doc, "spec"), "volumeClaimTemplates")
    )
    faults = pod_faults(pod, path, claims)
    if path:
        faults += metadata_faults(mapping(pod, "metadata"), (*path, "metadata"))
    kind = text(doc, "kind")
    if kind in SELECTING:
        spec = mapping(doc, "spec")
        faults += _selector_faults(spec, mapping(pod, "metadata"))
        if text(mapping(pod, "spec"), "restartPolicy") not in ("", "Always"):
            message = f"must be 'Always' in a {kind}"
            faults.append(refused((*path, "spec", "restartPolicy"), "restart-policy", message))
        for name in _NUMBERS:
            faults += range_fault(spec.get(name), 0, 2**31 - 1, ("spec", name), "number-range")
        if kind in _STRATEGIES:
            faults += _strategy_faults(spec, kind)
        faults += _stateful_faults(spec) if kind == "StatefulSet" else []
    if kind in _AT_LEAST_ONCE and mapping(pod, "spec").get("restartPolicy") not in ("OnFailure", "Never"):
        where = (*path, "spec", "restartPolicy")
        faults.append(refused(where, "restart-policy", f"must be 'OnFailure' or 'Never' in a {kind}"))
    return faults


def _selector_faults(spec: Json, about: Json) -> list[Fault]:
    selector, where = mapping(spec, "selector"), ("spec", "selector")
    faults = selector_faults(selector, where)
    own = labels(mapping(about, "labels"))
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        hint = "give matchLabels, the same as the template has"
        faults.append(refused(where, "selector", "selector must not be empty", hint))
    elif not matches(selector, own):
        wrong = [k for k, v in mapping(selector, "matchLabels").items() if own.get(k) != v]
        named = f": {', '.join(excerpt(k) for k in wrong)}" if wrong else ""
        message = f"selector does not match the labels of the template{named}"
        faults.append(refused(where, "selector", message, "give spec.template.metadata.labels the same labels"))
    return faults


def _strategy_faults(spec: Json, kind: str) -> list[Fault]:
    field = _STRATEGY_FIELDS[kind]
    strategy, where = mapping(spec, field), ("spec", field)
    faults = choice_fault(strategy.get("type"), _STRATEGIES[kind], (*where, "type"))
    if "rollingUpdate" not in strategy:
        return faults
    if text(strategy, "type") not in ("", "RollingUpdate"):
        message = f"rollingUpdate goes with type RollingUpdate, not with {excerpt(strategy['type'])}"
        faults.append(refused((*where, "rollingUpdate"), "strategy", message, "remove rollingUpdate"))
    rolling = mapping(strategy, "rollingUpdate")
    if kind == "Deployment" and _is_zero(rolling.get("maxUnavailable")) and _is_zero(rolling.get("maxSurge")):
        message = "maxSurge and maxUnavailable must not both be 0: no pod can be replaced"
        faults.append(refused((*where, "rollingUpdate"), "strategy", message))
    return faults


def _is_zero(value: object) -> bool:
    return value in (0, "0", "0%") and value is not False


def _stateful_faults(spec: Json) -> list[Fault]:
    allowed = ("OrderedReady", "Parallel")
    faults = choice_fault(spec.get("podManagementPolicy"), allowed, ("spec", "podManagementPolicy"))
    names = []
    for index, claim in entries(spec, "volumeClaimTemplates"):
        where = ("spec", "volumeClaimTemplates", index)
        faults += claim_faults(claim, where)
        names.append(((*where, "metadata", "name"), text(mapping(claim, "metadata"), "name")))
    return faults + repeated(names, "duplicate-volume", "volume claim template")


def autoscaler_faults(doc: Json) -> list[Fault]:
    spec = mapping(doc, "spec")
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
    faults = range_fault(least, 1, None, ("spec", "minReplicas"), "scale-bounds")
    if isinstance(least, int) and isinstance(most, int) and most < max(least, 1):
        message = f"maxReplicas {excerpt(most)} must not be below minReplicas {excerpt(least)}"
        faults.append(refused(("spec", "maxReplicas"), "scale-bounds", message))
    return faults


def budget_faults(doc: Json) -> list[Fault]:
    spec = mapping(doc, "spec")
    faults = selector_faults(mapping(spec, "selector"), ("spec", "selector"))
    bounds = [name for name in ("minAvailable", "maxUnavailable") if name in spec]
    if len(bounds) == 2:
        faults.append(refused(("spec",), "budget", "minAvailable and maxUnavailable exclude one another"))
    return faults


_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_DATA_FIELDS = {"ConfigMap": ("data", "binaryData"), "Secret": ("data", "stringData")}
_ENCODED_FIELDS = {("ConfigMap", "binaryData"), ("Secret", "data")}
#: Most bytes of the values of a ConfigMap or Secret together.
_DATA_BYTES = 1024 * 1024
_NEEDED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/basic-auth": (),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def data_faults(doc: Json) -> list[Fault]:
    """Keys and size."""
    kind = text(doc, "kind")
    faults, size, first = [], 0, ""
    for field in _DATA_FIELDS[kind]:
        for key, value in mapping(doc, field).items():
            faults += _key_faults(doc, key, field, first)
            if isinstance(value, str):
                faults += _encoding_faults(value, (field, key)) if (kind, field) in _ENCODED_FIELDS else []
                size += len(value) if value.isascii() else len(value.encode(errors="replace"))
        first = field
    if size > _DATA_BYTES:
        message = f"the values have {size} bytes together, more than {_DATA_BYTES}"
        faults.append(refused(("data",), "data-size", message, "split it, or put it on a volume"))
    if kind == "Secret":
        keys, secret_type = {**mapping(doc, "data"), **mapping(doc, "stringData")}, text(doc, "type")
        for key in _NEEDED_KEYS.get(secret_type, ()):
            if key not in keys:
                message = f"a Secret of type {excerpt(secret_type)} needs the key {excerpt(key)}"
                faults.append(refused(("data",), "secret-keys", message))
    return faults


def _key_faults(doc: Json, key: str, field: str, before: str) -> list[Fault]:
    if wrong := grammar_error(DATA_KEY, key):
        return [refused((field, key), "data-key", f"key {excerpt(key)} {wrong}", at_key=True)]
    # In a Secret, stringData overwrites data.
    if field == "binaryData" and key in mapping(doc, before):
        message = f"key {excerpt(key)} is in {before} as well"
        return [refused((field, key), "data-key", message, "remove one of the two", at_key=True)]
    return []


def _encoding_faults(value: str, path: DocumentPath) -> list[Fault]:
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        return [refused(path, "base64", "the value is not base64", "encode it, or put it under stringData")]
    return []


def claim_faults(claim: Json, path: DocumentPath = ()) -> list[Fault]:
    """Of a PersistentVolumeClaim or a template of one."""
    return _claimed_faults(mapping(claim, "spec"), (*path, "spec"))


@once_if_valid
def _claimed_faults(spec: Json, where: DocumentPath) -> list[Fault]:
    modes = texts(spec, "accessModes")
    faults = [] if modes else [refused((*where, "accessModes"), "access-modes", "must name an access mode")]
    for index, mode in enumerate(modes):
        faults += choice_fault(mode, _ACCESS_MODES, (*where, "accessModes", index))
    faults += choice_fault(spec.get("volumeMode"), ("Filesystem", "Block"), (*where, "volumeMode"))
    if spec.get("storageClassName"):
        name = spec["storageClassName"]
        faults += name_fault(DNS_SUBDOMAIN, name, (*where, "storageClassName"), "name", "storage class")
    requests, place = mapping(mapping(spec, "resources"), "requests"), (*where, "resources", "requests")
    if requests.get("storage") is None:
        faults.append(refused(place, "storage-request", "must request storage", "add storage: 1Gi"))
    faults += quantity_faults(requests.get("storage"), (*place, "storage"), least=1)
    return faults + selector_faults(mapping(spec, "selector"), (*where, "selector"))

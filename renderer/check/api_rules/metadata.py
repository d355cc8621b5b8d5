"""API rules of metadata and selectors."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.check.api_rules.grammars import (
    DNS_LABEL,
    DNS_SUBDOMAIN,
    LABEL_VALUE,
    PATH_SEGMENT,
    SERVICE_NAME,
    STATEFUL_SET_NAME,
    Grammar,
    choice_fault,
    grammar_error,
    key_error,
    name_fault,
    once_if_valid,
    refused,
)
from renderer.errors import DocumentPath, Fault
from renderer.manifest import Json, entries, kind_of, labels, mapping, text, texts
from renderer.wording import excerpt

#: Kinds whose names are no DNS subdomains.
_NAME_GRAMMARS: dict[str, Grammar] = {
    "Namespace": DNS_LABEL,
    "Service": SERVICE_NAME,
    "StatefulSet": STATEFUL_SET_NAME,
    "CronJob": STATEFUL_SET_NAME,
    "Role": PATH_SEGMENT,
    "RoleBinding": PATH_SEGMENT,
    "ClusterRole": PATH_SEGMENT,
    "ClusterRoleBinding": PATH_SEGMENT,
}

_IDENTITY = (("apiVersion",), ("kind",), ("metadata", "name"))

#: Most bytes of all annotations of an object together, keys included.
_ANNOTATIONS_BYTES = 262_144

_MODES = tuple(f"pod-security.kubernetes.io/{mode}" for mode in ("enforce", "audit", "warn"))
_LEVELS = ("privileged", "baseline", "restricted")


def identity_faults(doc: Json) -> list[Fault]:
    """apiVersion, kind, name, namespace, and the rest of metadata."""
    about, kind = mapping(doc, "metadata"), kind_of(doc)
    name = text(about, "name")
    faults = [
        refused(path, "missing-identity", f"{'.'.join(path)} must be given, as text")
        for path, value in zip(_IDENTITY, (text(doc, "apiVersion"), text(doc, "kind"), name), strict=True)
        if not value
    ]
    if name:
        faults += name_fault(_NAME_GRAMMARS.get(kind, DNS_SUBDOMAIN), name, ("metadata", "name"), "name", "name")
    faults += name_fault(DNS_LABEL, about.get("namespace"), ("metadata", "namespace"), "name", "namespace")
    faults += metadata_faults(about, ("metadata",))
    # For an unknown level an API server only warns, and enforces nothing.
    for mode in _MODES if kind == "Namespace" else ():
        faults += choice_fault(mapping(about, "labels").get(mode), _LEVELS, ("metadata", "labels", mode))
    return faults


def metadata_faults(about: Json, path: DocumentPath) -> list[Fault]:
    """Labels and annotations of an object or pod template."""
    faults = label_faults(mapping(about, "labels"), (*path, "labels"))
    if "annotations" not in about:
        return faults
    annotations = labels(mapping(about, "annotations"))
    where = (*path, "annotations")
    for key in annotations:
        if wrong := key_error(key):
            faults.append(_bad_key(key, wrong, where, "annotation"))
    # Counting characters first avoids encoding, which would cost more than the rest of the check.
    size = sum(len(key) + len(value) for key, value in annotations.items())
    if size * 4 > _ANNOTATIONS_BYTES and _bytes(annotations) > _ANNOTATIONS_BYTES:
        message = f"annotations have {_bytes(annotations)} bytes, more than {_ANNOTATIONS_BYTES}"
        faults.append(refused(where, "annotations-size", message, "move what is large into a ConfigMap"))
    return faults


def _bytes(annotations: dict[str, str]) -> int:
    return sum(len(k.encode(errors="replace")) + len(v.encode(errors="replace")) for k, v in annotations.items())


@once_if_valid
def label_faults(labels: Json, path: DocumentPath) -> list[Fault]:
    """Also for ``matchLabels`` and ``nodeSelector``."""
    faults = []
    for key, value in labels.items():
        if wrong := key_error(key):
            faults.append(_bad_key(key, wrong, path, "label"))
        if isinstance(value, str) and (wrong := grammar_error(LABEL_VALUE, value)):
            message = f"value {excerpt(value)} of label {excerpt(key)} {wrong}"
            faults.append(refused((*path, key), "label-value", message))
    return faults


def _bad_key(key: str, wrong: str, path: DocumentPath, noun: str) -> Fault:
    return refused((*path, key), f"{noun}-key", f"{noun} key {excerpt(key)}: {wrong}", at_key=True)


# ---------------------------------------------------------------------------------------------
# Selectors.

#: Kinds that own pods by ``spec.selector``.
SELECTING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
_WITH_VALUES = ("In", "NotIn")
_WITHOUT_VALUES = ("Exists", "DoesNotExist")
_LABEL_OPERATORS = (*_WITH_VALUES, *_WITHOUT_VALUES)
#: Node affinity also compares numbers.
NODE_OPERATORS = (*_LABEL_OPERATORS, "Gt", "Lt")


def selector_faults(selector: Json, path: DocumentPath) -> list[Fault]:
    faults = label_faults(mapping(selector, "matchLabels"), (*path, "matchLabels"))
    return faults + expression_faults(selector, path)


def expression_faults(selector: Json, path: DocumentPath, operators: tuple[str, ...] = _LABEL_OPERATORS) -> list[Fault]:
    """``matchExpressions`` below ``path``."""
    faults = []
    for index, expression in entries(selector, "matchExpressions"):
        where = (*path, "matchExpressions", index)
        operator, values = text(expression, "operator"), texts(expression, "values")
        if wrong := key_error(text(expression, "key")):
            faults.append(refused((*where, "key"), "label-key", f"label key: {wrong}"))
        faults += choice_fault(operator, operators, (*where, "operator"))
        if operator in _WITH_VALUES and not values:
            faults.append(refused(where, "selector-values", f"operator {operator} needs values"))
        if operator in _WITHOUT_VALUES and values:
            message = f"operator {excerpt(operator)} must have no values"
            faults.append(refused((*where, "values"), "selector-values", message))
    return faults


def matches(selector: Json, labels: Mapping[str, str]) -> bool:
    """An empty selector matches nothing."""
    wanted = mapping(selector, "matchLabels")
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    expressions = [expression for _, expression in entries(selector, "matchExpressions")]
    for expression in expressions:
        value, values = labels.get(text(expression, "key")), texts(expression, "values")
        holds = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds.get(text(expression, "operator")):
            return False
    return bool(wanted or expressions)


def label_pairs(selector: Json) -> dict[str, str]:
    return labels(mapping(selector, "matchLabels"))

"""What the server fills in when an object is written, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.cluster.fields import MISSING, lookup
from tests.cluster.kinds import Json, Kind
from tests.cluster.requests import Refused

_CONTAINER = {"imagePullPolicy": "IfNotPresent", "ports": [{"protocol": "TCP"}]}
_POD = {
    "spec": {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "initContainers": [_CONTAINER],
        "containers": [_CONTAINER],
    }
}
#: Nobody owns what is filled in. A list has what each of its items gets.
_DEFAULTS: dict[str, Json] = {
    "Deployment": {"spec": {"replicas": 1, "strategy": {"type": "RollingUpdate"}, "template": _POD}},
    "Namespace": {"status": {"phase": "Active"}},
    "PersistentVolumeClaim": {"spec": {"volumeMode": "Filesystem"}, "status": {"phase": "Pending"}},
    "Pod": {**_POD, "status": {"phase": "Pending"}},
    "Secret": {"type": "Opaque"},
    "Service": {"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.10", "ports": [{"protocol": "TCP"}]}},
    "StatefulSet": {"spec": {"replicas": 1, "updateStrategy": {"type": "RollingUpdate"}, "template": _POD}},
}
_IMMUTABLE = {
    "ClusterRoleBinding": ["roleRef"],
    "Deployment": ["spec.selector"],
    "PersistentVolumeClaim": ["spec.accessModes", "spec.storageClassName", "spec.volumeMode"],
    "RoleBinding": ["roleRef"],
    "RuntimeClass": ["handler"],
    "StatefulSet": ["spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"],
}
_NO_UPDATE = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
    "forbidden"
)
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_DNS_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"(?=.{{1,253}}$){_DNS_LABEL}(\.{_DNS_LABEL})*"
_NAMES = {
    "Namespace": (_DNS_LABEL, "a lowercase RFC 1123 label"),
    "Service": (r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", "a DNS-1035 label"),
    **dict.fromkeys(
        ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"], (r"[^/%]{1,253}", "a path segment without / or %")
    ),
}
_QUALIFIED = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
#: Where a field is wrong, its value, and why.
_Fault = tuple[str, object, str]


def fill(kind: Kind, data: Json, live: Json) -> None:
    if kind.kind == "Service" and live:  # keeps its address, whatever is written
        data["spec"].setdefault("clusterIP", live["spec"]["clusterIP"])
    _fill(data, _DEFAULTS.get(kind.kind, {}) if kind.builtin else {})
    if kind.kind == "Namespace":
        _fill(data, {"metadata": {"labels": {"kubernetes.io/metadata.name": data["metadata"]["name"]}}})


def _fill(data: Json, defaults: Json) -> None:
    for name, value in defaults.items():
        if isinstance(value, list):
            for item in data.get(name) or []:
                _fill(item, value[0])
        elif isinstance(value, dict):
            _fill(data.setdefault(name, {}), value)
        else:
            data.setdefault(name, value)


def refuse_invalid(kind: Kind, live: Json, new: Json) -> None:
    """Raises Refused for all faults at once."""
    faults = [*_name(kind, new), *_labels(new), *(_changes(kind, live, new) if live else ())]
    if kind.kind in ("Deployment", "StatefulSet"):
        faults += _selector(new["spec"])
    causes = [
        {"reason": "FieldValueInvalid", "message": f"Invalid value: {json.dumps(value)}: {why}", "field": field}
        for field, value, why in faults
    ]
    if kind.kind == "StatefulSet" and any(field in _IMMUTABLE[kind.kind] for field, *_ in faults):
        causes = [{"reason": "FieldValueForbidden", "message": _NO_UPDATE, "field": "spec"}]
    if causes:
        name = new["metadata"]["name"]
        text = ", ".join(f"{cause['field']}: {cause['message']}" for cause in causes)
        message = f'{kind.kind}.{kind.group} "{name}" is invalid: {text if len(causes) == 1 else f"[{text}]"}'
        raise Refused(422, "Invalid", message, name=name, group=kind.group, kind=kind.kind, causes=causes)


def _name(kind: Kind, new: Json) -> Iterator[_Fault]:
    pattern, what = _NAMES.get(kind.kind, (_SUBDOMAIN, "a lowercase RFC 1123 subdomain"))
    if not re.fullmatch(pattern, new["metadata"]["name"]):
        yield "metadata.name", new["metadata"]["name"], f"{what} is expected"


def _labels(new: Json) -> Iterator[_Fault]:
    template: Any = lookup(new, ("f:spec", "f:template"))
    for path, owner in (("metadata", new), ("spec.template.metadata", template)):
        labels = (owner.get("metadata", {}).get("labels") or {}) if isinstance(owner, dict) else {}
        for key, value in labels.items():
            prefix, slash, name = key.rpartition("/")
            if not re.fullmatch(_QUALIFIED, name) or (slash and not re.fullmatch(_SUBDOMAIN, prefix)):
                yield f"{path}.labels", key, "name part must consist of alphanumeric characters, '-', '_' or '.'"
            if not (isinstance(value, str) and re.fullmatch(f"({_QUALIFIED})?", value)):
                yield f"{path}.labels", value, "a valid label has at most 63 letters, digits, '-', '_' or '.'"


def _selector(spec: Json) -> Iterator[_Fault]:
    wanted = spec["selector"].get("matchLabels") or {}
    labels = spec["template"].get("metadata", {}).get("labels") or {}
    if not wanted.items() <= labels.items():
        yield "spec.template.metadata.labels", labels, "`selector` does not match template `labels`"


def _changes(kind: Kind, live: Json, new: Json) -> Iterator[_Fault]:
    for field in _IMMUTABLE.get(kind.kind, ()):
        path = tuple(f"f:{name}" for name in field.split("."))
        before, after = lookup(live, path), lookup(new, path)
        if before is not MISSING and before != after:
            yield field, None if after is MISSING else after, "field is immutable"

"""What the server fills in when an object is written, and what it refuses."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Mapping

from tests.cluster.answers import Refused
from tests.cluster.fields import MISSING, lookup
from tests.cluster.kinds import Json, Kind

_IMMUTABLE: dict[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("spec", "selector"),),
    "StatefulSet": (("spec", "selector"), ("spec", "serviceName"), ("spec", "volumeClaimTemplates")),
    "PersistentVolumeClaim": (("spec", "accessModes"), ("spec", "storageClassName"), ("spec", "volumeMode")),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "RuntimeClass": (("handler",),),
}


def filled(kind: Kind, data: Json) -> Json:
    """With defaults; nobody owns these fields."""
    data = copy.deepcopy(data)
    fill = _FILL.get(kind.kind) if kind.builtin else None
    if fill:
        fill(data)
    return data


def _workload(data: Json) -> None:
    spec = data["spec"]
    for name, value in {"replicas": 1, "revisionHistoryLimit": 10}.items():
        spec.setdefault(name, value)
    if data["kind"] == "Deployment":
        spec.setdefault("progressDeadlineSeconds", 600)
        spec.setdefault("strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}})
    else:
        spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    _pod_spec(spec["template"]["spec"])


def _pod_spec(spec: Json) -> None:
    for name, value in {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "x"}.items():
        spec.setdefault(name, value)
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        container.setdefault("imagePullPolicy", "IfNotPresent")
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        for port in container.get("ports", []):
            port.setdefault("protocol", "TCP")


def _pod(data: Json) -> None:
    _pod_spec(data["spec"])
    data.setdefault("status", {"phase": "Pending"})


def _service(data: Json) -> None:
    data["spec"].setdefault("type", "ClusterIP")
    data["spec"].setdefault("clusterIP", "10.96.0.10")
    for port in data["spec"].get("ports", []):
        port.setdefault("protocol", "TCP")


def _namespace(data: Json) -> None:
    data["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = data["metadata"]["name"]
    data.setdefault("spec", {"finalizers": ["kubernetes"]})
    data.setdefault("status", {"phase": "Active"})


def _claim(data: Json) -> None:
    data["spec"].setdefault("volumeMode", "Filesystem")
    data.setdefault("status", {"phase": "Pending"})


def _secret(data: Json) -> None:
    data.setdefault("type", "Opaque")
    for name, text in data.pop("stringData", {}).items():
        data.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


def _definition(data: Json) -> None:
    conditions = [{"type": name, "status": "True"} for name in ("NamesAccepted", "Established")]
    data.setdefault("status", {"conditions": conditions, "acceptedNames": data["spec"]["names"]})


_FILL: dict[str, Callable[[Json], None]] = {
    "CustomResourceDefinition": _definition,
    "Deployment": _workload,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _workload,
}


def refuse_immutable(kind: Kind, live: Json, new: Json) -> None:
    """Raises for a change that Kubernetes takes only on a new object."""
    for names in _IMMUTABLE.get(kind.kind, ()):
        path = tuple(f"f:{name}" for name in names)
        if lookup(live, path) != lookup(new, path) and lookup(live, path) is not MISSING:
            raise _invalid(kind, new, {".".join(names): (lookup(new, path), "field is immutable")})


#: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAMES = {
    "Namespace": (_LABEL, 63, "a lowercase RFC 1123 label"),
    "Service": (r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", 63, "a DNS-1035 label"),
    **dict.fromkeys(
        ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"], (r"[^/%]+", 253, "a path segment without / or %")
    ),
}
_SUBDOMAIN = (rf"{_LABEL}(\.{_LABEL})*", 253, "a lowercase RFC 1123 subdomain")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def refuse_invalid(kind: Kind, new: Json) -> None:
    """Raises for names, labels and selectors that no API server takes, all at once."""
    faults: dict[str, tuple[object, str]] = {}
    meta = new["metadata"]
    spec: Json = new["spec"] if kind.builtin and isinstance(new.get("spec"), dict) else {}
    pattern, longest, what = _NAMES.get(kind.kind, _SUBDOMAIN)
    if len(meta["name"]) > longest or not re.fullmatch(pattern, meta["name"]):
        faults["metadata.name"] = (meta["name"], f"{what} of at most {longest} characters is expected")
    template = spec.get("template", {})
    labels = {"metadata.labels": meta, "spec.template.metadata.labels": template.get("metadata", {})}
    for path, owner in labels.items():
        for value in (owner.get("labels") or {}).values():
            if not (isinstance(value, str) and _LABEL_VALUE.fullmatch(value)):
                faults[path] = (value, "a valid label has at most 63 letters, digits, '-', '_' or '.'")
    if template and kind.kind in ("Deployment", "StatefulSet"):
        wanted, given = spec["selector"].get("matchLabels", {}), template.get("metadata", {}).get("labels") or {}
        if not wanted.items() <= given.items():
            faults["spec.template.metadata.labels"] = (given, "`selector` does not match template `labels`")
    if faults:
        raise _invalid(kind, new, faults)


def _invalid(kind: Kind, new: Json, faults: Mapping[str, tuple[object, str]]) -> Refused:
    """HTTP 422; ``faults``: what each field has, and what is wrong with it."""
    name = new["metadata"]["name"]
    causes = [
        {"reason": "FieldValueInvalid", "message": f"Invalid value: {json.dumps(value)}: {told}", "field": field}
        for field, (value, told) in faults.items()
    ]
    told = ", ".join(f"{cause['field']}: {cause['message']}" for cause in causes)
    message = f'{kind.kind}.{kind.group} "{name}" is invalid: {told if len(causes) == 1 else f"[{told}]"}'
    return Refused(422, "Invalid", message, {"name": name, "group": kind.group, "kind": kind.kind, "causes": causes})

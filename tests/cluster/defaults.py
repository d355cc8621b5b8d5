"""What the server fills in when an object is written, and which changes it refuses."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable

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
            field, name = ".".join(names), live["metadata"]["name"]
            told = f"Invalid value: {json.dumps(lookup(new, path))}: field is immutable"
            message = f'{kind.kind}.{kind.group} "{name}" is invalid: {field}: {told}'
            cause = {"reason": "FieldValueInvalid", "message": told, "field": field}
            details = {"name": name, "group": kind.group, "kind": kind.kind, "causes": [cause]}
            raise Refused(422, "Invalid", message, details)

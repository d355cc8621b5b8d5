"""API rules of containers, pods and pod templates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from renderer.check.api_rules.grammars import (
    DNS_LABEL,
    DNS_SUBDOMAIN,
    ENV_NAME,
    choice_fault,
    name_fault,
    once_if_valid,
    port_fault,
    quantity_faults,
    range_fault,
    refused,
    repeated,
    resource_faults,
)
from renderer.check.api_rules.metadata import NODE_OPERATORS, expression_faults, label_faults, selector_faults
from renderer.errors import DocumentPath, Fault
from renderer.manifest import CONTAINER_FIELDS, Json, entries, mapping, text
from renderer.wording import did_you_mean, either, excerpt

PROTOCOLS = ("TCP", "UDP", "SCTP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_TERMINATION_MESSAGES = ("File", "FallbackToLogsOnError")
_SCHEMES = ("HTTP", "HTTPS")
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_LIFECYCLE_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_VALUE_SOURCES = ("configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef")
_PROBE_NUMBERS = {
    "initialDelaySeconds": 0,
    "periodSeconds": 1,
    "timeoutSeconds": 1,
    "failureThreshold": 1,
    "successThreshold": 1,
    "terminationGracePeriodSeconds": 1,
}
# Their successThreshold must be 1.
_SUCCEED_ONCE = ("startupProbe", "livenessProbe")


@once_if_valid
def container_faults(container: Json, path: DocumentPath, volumes: Sequence[str]) -> list[Fault]:
    """``volumes``: names that mounts may use."""
    faults = name_fault(DNS_LABEL, container.get("name"), (*path, "name"), "name", "container name")
    image = container.get("image")
    if image in (None, ""):
        faults.append(refused((*path, "image"), "image", "an image must be given"))
    elif isinstance(image, str) and image.split() != [image]:
        message = f"image {excerpt(image)} must not contain blanks or line breaks"
        faults.append(refused((*path, "image"), "image", message))
    faults += choice_fault(container.get("imagePullPolicy"), _PULL_POLICIES, (*path, "imagePullPolicy"))
    messages = container.get("terminationMessagePolicy")
    faults += choice_fault(messages, _TERMINATION_MESSAGES, (*path, "terminationMessagePolicy"))
    faults += resource_faults(mapping(container, "resources"), (*path, "resources"))
    if "ports" in container:
        faults += _port_faults(container, (*path, "ports"))
    faults += _env_faults(container, path)
    if "volumeMounts" in container:
        faults += _mount_faults(container, (*path, "volumeMounts"), volumes)
    return faults + _handler_faults(container, path)


def port_names(container: Json) -> list[str]:
    return [name for _, port in entries(container, "ports") if (name := text(port, "name"))]


def _port_faults(container: Json, path: DocumentPath) -> list[Fault]:
    faults, names, numbers = [], [], []
    for index, port in entries(container, "ports"):
        where = (*path, index)
        faults += range_fault(port.get("containerPort"), 1, 65_535, (*where, "containerPort"), "port-range")
        faults += range_fault(port.get("hostPort"), 0, 65_535, (*where, "hostPort"), "port-range")
        faults += choice_fault(port.get("protocol"), PROTOCOLS, (*where, "protocol"))
        if name := text(port, "name"):
            faults += port_fault(name, (*where, "name"))
            names.append(((*where, "name"), name))
        number = port.get("containerPort"), text(port, "protocol") or "TCP"
        if isinstance(number[0], int):
            numbers.append(((*where, "containerPort"), number))
    faults += repeated(names, "duplicate-port-name", "port name")
    return faults + repeated(numbers, "duplicate-port", "port")


def _env_faults(container: Json, path: DocumentPath) -> list[Fault]:
    faults, names = [], []
    for index, variable in entries(container, "env"):
        where = (*path, "env", index)
        if "name" in variable:
            faults += name_fault(ENV_NAME, variable["name"], (*where, "name"), "env-name", "variable name")
            names.append(((*where, "name"), text(variable, "name")))
        if "valueFrom" in variable and variable.get("value"):
            message = f"variable {excerpt(variable.get('name'))} has both value and valueFrom"
            faults.append(refused(where, "env-source", message, "keep one of the two"))
        elif "valueFrom" in variable:
            sources = mapping(variable, "valueFrom")
            faults += one_of_faults(sources, _VALUE_SOURCES, (*where, "valueFrom"), "env-source")
    faults += repeated(names, "duplicate-env", "variable")
    for index, source in entries(container, "envFrom"):
        where = (*path, "envFrom", index)
        faults += one_of_faults(source, ("configMapRef", "secretRef"), where, "env-source")
        if source.get("prefix"):
            faults += name_fault(ENV_NAME, source["prefix"], (*where, "prefix"), "env-name", "prefix")
    return faults


def one_of_faults(parent: Json, allowed: tuple[str, ...], path: DocumentPath, rule: str) -> list[Fault]:
    """At most one Fault, unless exactly one of the fields is present."""
    present = [name for name in allowed if name in parent]
    if len(present) == 1:
        return []
    so_far = f"there are {either(present).replace(' or ', ' and ')}" if present else "there is none"
    return [refused(path, rule, f"needs exactly one of {either(allowed)}; {so_far}")]


def _mount_faults(container: Json, path: DocumentPath, volumes: Collection[str]) -> list[Fault]:
    faults, places = [], []
    for index, mount in entries(container, "volumeMounts"):
        where = (*path, index)
        name = mount.get("name")
        if isinstance(name, str) and name not in volumes:
            near = did_you_mean(name, sorted({*volumes}))
            hint = f"did you mean {excerpt(near)}?" if near else "add it to the volumes of the pod"
            message = f"no volume of the pod is called {excerpt(name)}"
            faults.append(refused((*where, "name"), "unknown-volume", message, hint))
        if isinstance(place := mount.get("mountPath"), str):
            if not place or ":" in place:
                wrong = f"{excerpt(place)} must not contain ':'" if place else "must not be empty"
                faults.append(refused((*where, "mountPath"), "mount-path", f"mount path {wrong}"))
            places.append(((*where, "mountPath"), place))
        faults += inside_faults(mount.get("subPath"), (*where, "subPath"), "sub-path")
    return faults + repeated(places, "duplicate-mount-path", "mount path")


def inside_faults(relative: Any, path: DocumentPath, rule: str) -> list[Fault]:
    """At most one Fault, if the path leaves its folder."""
    if isinstance(relative, str) and (relative.startswith("/") or ".." in relative.split("/")):
        message = f"path {excerpt(relative)} must be relative and without '..'"
        return [refused(path, rule, message)]
    return []


def _handler_faults(container: Json, path: DocumentPath) -> list[Fault]:
    faults: list[Fault] = []
    for name in (name for name in _PROBES if name in container):
        probe, where = mapping(container, name), (*path, name)
        faults += one_of_faults(probe, _PROBE_HANDLERS, where, "handler")
        for number, least in _PROBE_NUMBERS.items():
            if number in probe:
                most = 1 if number == "successThreshold" and name in _SUCCEED_ONCE else None
                faults += range_fault(probe[number], least, most, (*where, number), "probe-number")
        faults += range_fault(mapping(probe, "grpc").get("port"), 1, 65_535, (*where, "grpc", "port"), "port-range")
        faults += _target_faults(container, probe, where)
    lifecycle = mapping(container, "lifecycle")
    for name in ("postStart", "preStop"):
        if name in lifecycle:
            event = (*path, "lifecycle", name)
            faults += one_of_faults(mapping(lifecycle, name), _LIFECYCLE_HANDLERS, event, "handler")
            faults += _target_faults(container, mapping(lifecycle, name), event)
    return faults


def _target_faults(container: Json, handler: Json, path: DocumentPath) -> list[Fault]:
    """The port of a handler is a number in range or a port name of the container."""
    faults: list[Fault] = []
    for kind in ("httpGet", "tcpSocket"):
        if kind not in handler:
            continue
        target = mapping(handler, kind)
        port, where = target.get("port"), (*path, kind, "port")
        faults += port_fault(port, where)
        if isinstance(port, str) and port not in (declared := port_names(container)):
            listed = either([excerpt(name) for name in declared])
            hint = f"its ports are {listed}" if declared else "it declares no named port"
            faults.append(refused(where, "unknown-port", f"the container has no port called {excerpt(port)}", hint))
        faults += choice_fault(target.get("scheme"), _SCHEMES, (*path, kind, "scheme"))
    return faults


_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_TOLERATION_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_HIGHEST_ID = 2**31 - 1
_HIGHEST_MODE = 0o777
#: The field with the object name, by kind of volume.
_VOLUME_NAMES = {"configMap": "name", "secret": "secretName", "persistentVolumeClaim": "claimName"}


def pod_faults(pod: Json, path: DocumentPath, claims: tuple[str, ...] = ()) -> list[Fault]:
    """``claims``: volumes from a StatefulSet's volumeClaimTemplates."""
    spec, where = mapping(pod, "spec"), (*path, "spec")
    volumes = [*(text(volume, "name") for _, volume in entries(spec, "volumes")), *claims]
    faults = [] if spec.get("containers") else [refused(where, "containers", "must have at least one container")]
    if spec.get("ephemeralContainers"):
        message = "only a running pod gets ephemeral containers"
        faults.append(refused((*where, "ephemeralContainers"), "ephemeral-containers", message, "use a sidecar"))
    names = []
    for field in CONTAINER_FIELDS:
        for index, container in entries(spec, field):
            place = (*where, field, index)
            faults += container_faults(container, place, volumes)
            names.append(((*place, "name"), text(container, "name")))
    faults += repeated(names, "duplicate-container", "container name")
    faults += _volume_faults(spec, (*where, "volumes"))
    return faults + _own_faults(spec, where) + _placement_faults(spec, where)


def _own_faults(spec: Json, path: DocumentPath) -> list[Fault]:
    faults = choice_fault(spec.get("restartPolicy"), _RESTART_POLICIES, (*path, "restartPolicy"))
    faults += choice_fault(spec.get("dnsPolicy"), _DNS_POLICIES, (*path, "dnsPolicy"))
    if spec.get("dnsPolicy") == "None" and not mapping(spec, "dnsConfig").get("nameservers"):
        hint = "add dnsConfig.nameservers"
        faults.append(refused((*path, "dnsPolicy"), "dns", "dnsPolicy None needs name servers", hint))
    for name, least in (("terminationGracePeriodSeconds", 0), ("activeDeadlineSeconds", 1)):
        faults += range_fault(spec.get(name), least, None, (*path, name), "number-range")
    security, where = mapping(spec, "securityContext"), (*path, "securityContext")
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        faults += range_fault(security.get(name), 0, _HIGHEST_ID, (*where, name), "number-range")
    account, where = spec.get("serviceAccountName"), (*path, "serviceAccountName")
    return faults + name_fault(DNS_SUBDOMAIN, account, where, "name", "service account")


def _volume_faults(spec: Json, path: DocumentPath) -> list[Fault]:
    faults, names = [], []
    for index, volume in entries(spec, "volumes"):
        where = (*path, index)
        faults += name_fault(DNS_LABEL, volume.get("name"), (*where, "name"), "name", "volume name")
        names.append(((*where, "name"), text(volume, "name")))
        sources = [key for key in volume if key != "name"]
        if len(sources) > 1:
            message = f"volume {excerpt(volume.get('name'))} has {len(sources)} sources"
            faults.append(refused(where, "volume-source", message, "keep one of them"))
        for source in sources:
            faults += _source_faults(source, mapping(volume, source), (*where, source))
    return faults + repeated(names, "duplicate-volume", "volume name")


def _source_faults(kind: str, source: Json, path: DocumentPath) -> list[Fault]:
    faults = []
    if "sizeLimit" in source:
        faults += quantity_faults(source["sizeLimit"], (*path, "sizeLimit"))
    if kind in _VOLUME_NAMES:
        name = _VOLUME_NAMES[kind]
        faults += name_fault(DNS_SUBDOMAIN, source.get(name), (*path, name), "name", "name")
    faults += range_fault(source.get("defaultMode"), 0, _HIGHEST_MODE, (*path, "defaultMode"), "file-mode")
    for index, item in entries(source, "items"):
        where = (*path, "items", index)
        faults += inside_faults(item.get("path"), (*where, "path"), "item-path")
        faults += range_fault(item.get("mode"), 0, _HIGHEST_MODE, (*where, "mode"), "file-mode")
    return faults


def _placement_faults(spec: Json, path: DocumentPath) -> list[Fault]:
    faults = label_faults(mapping(spec, "nodeSelector"), (*path, "nodeSelector"))
    for index, toleration in entries(spec, "tolerations"):
        place = (*path, "tolerations", index)
        faults += choice_fault(toleration.get("operator"), ("Exists", "Equal"), (*place, "operator"))
        faults += choice_fault(toleration.get("effect"), _TOLERATION_EFFECTS, (*place, "effect"))
        if toleration.get("operator") == "Exists" and toleration.get("value"):
            message = "operator Exists must have no value"
            faults.append(refused((*place, "value"), "selector-values", message))
    for index, spread in entries(spec, "topologySpreadConstraints"):
        where = (*path, "topologySpreadConstraints", index)
        allowed = ("DoNotSchedule", "ScheduleAnyway")
        faults += choice_fault(spread.get("whenUnsatisfiable"), allowed, (*where, "whenUnsatisfiable"))
        faults += range_fault(spread.get("maxSkew"), 1, None, (*where, "maxSkew"), "number-range")
        faults += selector_faults(mapping(spread, "labelSelector"), (*where, "labelSelector"))
    if "affinity" in spec:
        faults += _affinity_faults(mapping(spec, "affinity"), (*path, "affinity"))
    return faults


def _affinity_faults(affinity: Any, path: DocumentPath) -> list[Fault]:
    """Expressions at any depth; node affinity has two more operators."""
    faults: list[Fault] = []
    for key, value in affinity.items() if isinstance(affinity, dict) else enumerate(affinity):
        if not isinstance(value, dict | list):
            continue
        if isinstance(value, dict) and "matchExpressions" in value:
            operators = {"operators": NODE_OPERATORS} if "nodeAffinity" in path else {}
            faults += expression_faults(value, (*path, key), **operators)
        faults += _affinity_faults(value, (*path, key))
    return faults

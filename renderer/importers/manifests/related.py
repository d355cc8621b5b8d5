"""Autoscaler, disruption budget, ExternalSecret, ServiceAccount and RBAC of a server."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text, with_values
from renderer.importers.images import accept
from renderer.importers.manifests.objects import Gathering, Object, mapping, read_annotations
from renderer.manifest import as_mapping, at, mappings
from renderer.model import JSON

_RULE = ("apiGroups", "resources", "resourceNames", "verbs", "nonResourceURLs")
_ACCOUNT: DocumentPath = ("spec", "serviceAccount")


def read_autoscaler(each: Object, into: Gathering) -> None:
    """Targets of CPU and memory in percent; replaces ``replicas``."""
    reading = into.adopt(each)
    reading.spec.pop("replicas", None)
    reading.note(("spec", "scaleTargetRef"), ("spec", "workload"))
    target: DocumentPath = ("spec", "autoscaling")
    reading.map(("spec", "minReplicas"), (*target, "min"), reading.get("spec", "minReplicas") or 1)
    reading.map(("spec", "maxReplicas"), (*target, "max"), reading.get("spec", "maxReplicas"))
    measured = {"cpu": 0, "memory": 0}
    if isinstance(percent := reading.get("spec", "targetCPUUtilizationPercentage"), int):
        measured["cpu"] = percent
        reading.note(("spec", "targetCPUUtilizationPercentage"), (*target, "cpu"))
    for path, item in reading.items("spec", "metrics"):
        resource = mapping(item, "resource")
        percent = at(resource, "target", "averageUtilization") or resource.get("targetAverageUtilization")
        name = plain_text(resource.get("name"))
        if name in measured and isinstance(percent, int):
            measured[name] = percent
            reading.note(path, (*target, name))
        else:
            reading.lose(path, "it scales by the share of CPU and memory that the pods request")
    for name, percent in measured.items():
        reading.default((*target, name), percent, "as measured before" if percent else "not measured before")
    for direction in ("scaleUp", "scaleDown"):
        _behaviour(reading, ("spec", "behavior", direction), (*target, direction))


def _behaviour(reading: Reading, path: DocumentPath, target: DocumentPath) -> None:
    reading.carry((*path, "stabilizationWindowSeconds"), (*target, "stabilizationSeconds"))
    for number, (policy, item) in enumerate(reading.items(*path, "policies")):
        fields = as_mapping(item)
        if number == 0 and fields.get("type") == "Pods":
            reading.map((*policy, "value"), (*target, "pods"), fields.get("value"))
            reading.map((*policy, "periodSeconds"), (*target, "periodSeconds"), fields.get("periodSeconds"))
            reading.note((*policy, "type"), (*target, "pods"))
        else:
            reading.lose(policy, "one policy by a number of pods")
    if reading.text(*path, "selectPolicy"):
        reading.lose((*path, "selectPolicy"), "one policy by a number of pods", harmless=True)


def read_disruption(each: Object, into: Gathering) -> None:
    reading = into.adopt(each)
    reading.note(("spec", "selector"), ("spec", "adopt", "selector"))
    for key in ("minAvailable", "maxUnavailable"):
        reading.carry(("spec", key), ("spec", "disruption", key))
    reading.note(("spec", "unhealthyPodEvictionPolicy"), ("spec", "disruption"))


def read_external_secret(each: Object, into: Gathering) -> None:
    """Takes over single keys alone."""
    target = mapping(each.spec, "target")
    name = plain_text(target.get("name")) or each.name
    plain = set(target) <= {"name", "creationPolicy", "deletionPolicy"} and not each.spec.get("dataFrom")
    if name != each.name or not mappings(each.spec.get("data")) or not plain:
        into.leave(each, "it has more than single keys, and stays as it is, outside of mcpctl")
        return
    reading = into.add(each)
    keys: list[JSON] = []
    for path, item in reading.items("spec", "data"):
        remote = mapping(item, "remoteRef")
        key, remote_key = plain_text(at(item, "secretKey")), plain_text(remote.get("key"))
        keys.append(with_values({"key": key, "remoteKey": remote_key, "property": remote.get("property")}))
        reading.note(path, ("spec", "externalSecrets"))
    store = {key: value for key, value in reading.mapping("spec", "secretStoreRef").items() if key in ("name", "kind")}
    interval = reading.text("spec", "refreshInterval")
    value = with_values({"name": name, "store": store, "keys": keys, "refreshInterval": interval})
    reading.map(("spec",), ("spec", "externalSecrets", END), value)
    reading.note(("metadata",), ("spec", "externalSecrets"))


# ---------------------------------------------------------------------------------------------
# The account and its rights.


def read_account(name: str, account: Object | None, into: Gathering, pod: DocumentPath) -> None:
    """Created by the spec if it is imported, else referred to."""
    source = (*pod, "serviceAccountName")
    if name in ("", "default"):
        into.first.note(source, _ACCOUNT, "an account of its own, without rights, instead of that of the namespace")
    else:
        into.first.map(source, (*_ACCOUNT, "name"), name)
        if account is None:
            into.first.default((*_ACCOUNT, "create"), False, f"the ServiceAccount {name} is there, and stays as it is")
    into.first.note((*pod, "serviceAccount"), (*_ACCOUNT, "name"))
    if account is not None:
        reading = into.add(account)
        reading.note(("metadata", "name"), (*_ACCOUNT, "name"))
        reading.note(("metadata", "namespace"), ("spec", "namespace"))
        read_annotations(reading, ("metadata", "annotations"), (*_ACCOUNT, "annotations"))
        reading.lose_all([key for key in ("secrets", "imagePullSecrets") if reading.get(key)], "stays as it is")
        reading.note(("automountServiceAccountToken",), (*_ACCOUNT, "automountToken"))
    # Whether the pods get a token of the Kubernetes API.
    source, target = (*pod, "automountServiceAccountToken"), (*_ACCOUNT, "automountToken")
    mounts = into.first.get(*source)
    if isinstance(mounts, bool):
        into.first.map(source, target, mounts)
        if mounts:
            accept(into.first, "policy/service-account-token", "spec.serviceAccount.automountToken")
    elif name not in ("", "default"):  # else it is an account of its own, which has no rights
        into.first.leave((), target, "true, if it uses the Kubernetes API with rights of elsewhere")


def read_rights(account: str, near: Sequence[Object], into: Gathering) -> None:
    """Rules of imported roles, names of other ClusterRoles."""
    roles = {(each.kind, each.name): each for each in near if each.kind in ("Role", "ClusterRole")}
    for binding in (each for each in near if account in _subjects(each)):
        reference = mapping(binding.data, "roleRef")
        kind, role = plain_text(reference.get("kind")), plain_text(reference.get("name"))
        wide = binding.kind == "ClusterRoleBinding"
        own = roles.get((kind, role))
        if not wide and (own is None or kind == "ClusterRole"):
            why = "a spec binds rules of its own, or a ClusterRole in the whole cluster"
            into.leave(binding, f"it stays as it is: {why}")
            continue
        if own is None:
            reading = into.add(binding)
            reading.map(("roleRef",), (*_ACCOUNT, "clusterRoles", END), role)
            reading.note(("metadata", "name"), _ACCOUNT, "a binding of mcpctl's own: delete this one afterwards")
            accept(reading, "policy/wide-rights", "spec.serviceAccount.clusterRoles")
        else:
            target = (*_ACCOUNT, "clusterRules" if wide else "rules")
            own_name = "" if wide else into.resource_name
            reading, rules = into.adopt(binding, own_name), into.adopt(own, own_name)
            for path, item in rules.items("rules"):
                rule = {key: value for key, value in as_mapping(item).items() if key in _RULE and value}
                rules.map(path, (*target, END), rule)
            reading.note(("roleRef",), target)
        reading.note(("subjects",), (*_ACCOUNT, "name"))


def _subjects(binding: Object) -> list[str]:
    """ServiceAccounts of a binding; empty for other objects."""
    subjects = binding.data.get("subjects") if binding.kind in ("RoleBinding", "ClusterRoleBinding") else None
    return [plain_text(each.get("name")) for each in mappings(subjects) if each.get("kind") == "ServiceAccount"]

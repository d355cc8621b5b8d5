"""Every field of a pod, as the newest schema of Kubernetes has it, through the door of a patch: harmless or found."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from renderer.assets import kubernetes_versions
from renderer.check.kubernetes_schema import definition
from renderer.errors import errors_in
from renderer.model import JSON
from renderer.policy.catalogue import RULES
from tests.specs import OPTIONS, rendered, rules, spec

VERSION = list(kubernetes_versions())[-1]
REFERENCE = "api/unknown-reference"
TOKEN = "policy/service-account-token"
#: As the restricted standard has it; what a namespace of others allows may be accepted.
LOOSE = OPTIONS._replace(kubernetes_version=VERSION, create_namespace=False)
EXEC: JSON = {"exec": {"command": ["x", "--password", "hunter2"]}}
HOST: JSON = {"httpGet": {"port": 1, "host": "10.0.0.1"}}
SIDE: dict[str, JSON] = {"name": "side", "image": "registry.example.com/side:1.0"}


def volume(kind: str, **source: JSON) -> JSON:
    return {"name": "x", kind: source}


#: What a patch may set without a word: a value for each.
HARMLESS: dict[str, JSON] = {
    "metadata.creationTimestamp": "2026-01-01T00:00:00Z",
    "metadata.deletionGracePeriodSeconds": 1,
    "metadata.deletionTimestamp": "2026-01-01T00:00:00Z",
    "metadata.generation": 1,
    "metadata.managedFields": [{"manager": "a"}],
    "metadata.name": "a",
    "metadata.namespace": "a",
    "metadata.resourceVersion": "1",
    "metadata.selfLink": "a",
    "metadata.generateName": "a",
    "metadata.uid": "a",
    "spec.activeDeadlineSeconds": 60,
    "spec.affinity": {"podAntiAffinity": {}},
    "spec.dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "spec.dnsPolicy": "Default",
    "spec.enableServiceLinks": True,
    "spec.evictionResponders": [],
    "spec.hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
    "spec.hostUsers": False,
    "spec.hostname": "a",
    "spec.hostnameOverride": "a",
    "spec.nodeName": "a",
    "spec.nodeSelector": {"a": "b"},
    "spec.overhead": {"cpu": "1"},
    "spec.preemptionPolicy": "Never",
    "spec.priority": 1,
    "spec.priorityClassName": "a",
    "spec.readinessGates": [{"conditionType": "a"}],
    "spec.resourceClaims": [{"name": "a", "resourceClaimName": "a"}],
    "spec.resources": {"limits": {"cpu": "1"}},
    "spec.restartPolicy": "Always",
    "spec.runtimeClassName": "gvisor",
    "spec.schedulerName": "a",
    "spec.schedulingGates": [{"name": "a"}],
    "spec.schedulingGroup": {},
    "spec.setHostnameAsFQDN": True,
    "spec.shareProcessNamespace": True,
    "spec.subdomain": "a",
    "spec.terminationGracePeriodSeconds": 60,
    "spec.tolerations": [{"operator": "Exists"}],
    "spec.topologySpreadConstraints": [],
    "spec.securityContext.fsGroup": 7,
    "spec.securityContext.fsGroupChangePolicy": "Always",
    "spec.securityContext.runAsGroup": 7,
    "spec.securityContext.seLinuxChangePolicy": "Recursive",
    "spec.securityContext.supplementalGroups": [7],
    "spec.securityContext.supplementalGroupsPolicy": "Strict",
    "spec.volumes[].csi": volume("csi", driver="a"),
    "spec.volumes[].downwardAPI": volume("downwardAPI", items=[]),
    "spec.volumes[].emptyDir": volume("emptyDir"),
    "spec.volumes[].ephemeral": volume("ephemeral"),
    "spec.volumes[].name": {"name": "x"},
    "spec.volumes[].projected.defaultMode": volume("projected", defaultMode=292, sources=[]),
    "spec.volumes[].projected.defaultUser": volume("projected", defaultUser=7, sources=[]),
    "spec.volumes[].projected.sources[].clusterTrustBundle": None,
    "spec.volumes[].projected.sources[].downwardAPI": None,
    "spec.containers[].imagePullPolicy": "Always",
    "spec.containers[].name": "a",
    "spec.containers[].resizePolicy": [],
    "spec.containers[].restartPolicy": None,
    "spec.containers[].restartPolicyRules": [],
    "spec.containers[].stdin": True,
    "spec.containers[].stdinOnce": True,
    "spec.containers[].terminationMessagePath": "/tmp/a",
    "spec.containers[].terminationMessagePolicy": "File",
    "spec.containers[].tty": True,
    "spec.containers[].volumeDevices": [],
    "spec.containers[].volumeMounts": [],
    "spec.containers[].workingDir": "/",
    "spec.containers[].ports[].containerPort": [{"containerPort": 1, "name": "mcp"}],
    "spec.containers[].ports[].hostIP": [{"containerPort": 1, "name": "mcp", "hostIP": "127.0.0.1"}],
    "spec.containers[].ports[].name": None,
    "spec.containers[].ports[].protocol": None,
    "spec.containers[].resources.claims": None,
    "spec.containers[].resources.requests": {"requests": {"cpu": "1m"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    "spec.containers[].securityContext.readOnlyRootFilesystem": None,
    "spec.containers[].securityContext.runAsGroup": None,
    "spec.containers[].env[].valueFrom.fieldRef": None,
    "spec.containers[].env[].valueFrom.fileKeyRef": None,
    "spec.containers[].env[].valueFrom.resourceFieldRef": None,
    "spec.containers[].envFrom[].prefix": None,
    "spec.containers[].lifecycle.stopSignal": None,
}
#: What is found, or refused: the rule, and values that show it.
FOUND: dict[str, tuple[str, list[JSON]]] = {
    "metadata.annotations": (
        "pod-security/apparmor-profile",
        [{"container.apparmor.security.beta.kubernetes.io/mcp-server": "unconfined"}],
    ),
    "metadata.finalizers": ("output/identity", [["example.com/a"]]),
    "metadata.labels": ("output/identity", [{"mcpctl.io/server": "other"}, {}]),
    "metadata.ownerReferences": (
        "output/identity",
        [[{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "a"}]],
    ),
    "spec.automountServiceAccountToken": (TOKEN, [True, None]),
    "spec.ephemeralContainers": ("api/ephemeral-containers", [[SIDE]]),
    "spec.hostIPC": ("policy/privileged", [True]),
    "spec.hostNetwork": ("policy/privileged", [True]),
    "spec.hostPID": ("policy/privileged", [True]),
    "spec.imagePullSecrets": (REFERENCE, [[{"name": "other"}]]),
    "spec.os": ("pod-security/os", [{"name": "windows"}]),
    "spec.serviceAccount": (REFERENCE, ["other"]),
    "spec.serviceAccountName": (REFERENCE, ["other"]),
    "spec.securityContext.appArmorProfile": ("pod-security/apparmor-profile", [{"type": "Unconfined"}]),
    "spec.securityContext.runAsNonRoot": ("pod-security/run-as-non-root", [False]),
    "spec.securityContext.runAsUser": ("pod-security/run-as-user", [0]),
    "spec.securityContext.seLinuxOptions": ("pod-security/selinux-options", [{"type": "spc_t"}, {"user": "a"}]),
    "spec.securityContext.seccompProfile": ("pod-security/seccomp", [{"type": "Unconfined"}, None]),
    "spec.securityContext.sysctls": ("pod-security/sysctls", [[{"name": "kernel.msgmax", "value": "1"}]]),
    "spec.securityContext.windowsOptions": ("pod-security/host-process", [{"hostProcess": True}]),
    "spec.volumes[].configMap": (REFERENCE, [volume("configMap", name="other")]),
    "spec.volumes[].hostPath": ("policy/host-path", [volume("hostPath", path="/etc")]),
    "spec.volumes[].persistentVolumeClaim": (REFERENCE, [volume("persistentVolumeClaim", claimName="other")]),
    "spec.volumes[].projected.sources[].configMap": (
        REFERENCE,
        [volume("projected", sources=[{"configMap": {"name": "other"}}])],
    ),
    "spec.volumes[].projected.sources[].podCertificate": (
        TOKEN,
        [volume("projected", sources=[{"podCertificate": {"signerName": "a.b/c", "keyType": "ED25519"}}])],
    ),
    "spec.volumes[].projected.sources[].secret": (
        REFERENCE,
        [volume("projected", sources=[{"secret": {"name": "other"}}])],
    ),
    "spec.volumes[].projected.sources[].serviceAccountToken": (
        TOKEN,
        [volume("projected", sources=[{"serviceAccountToken": {"path": "token"}}])],
    ),
    "spec.volumes[].secret": (REFERENCE, [volume("secret", secretName="other")]),
    "spec.initContainers": ("pod-security/run-as-user", [[{**SIDE, "securityContext": {"runAsUser": 0}}]]),
    "spec.containers[].args": ("policy/secret-literal", [["--password", "hunter2"]]),
    "spec.containers[].command": ("policy/secret-literal", [["x", "--password=hunter2"]]),
    "spec.containers[].image": ("policy/image-tag", ["registry.example.com/demo:latest", "demo"]),
    "spec.containers[].env[].name": (
        "policy/loader-variable",
        [
            [{"name": "LD_AUDIT", "value": "/x.so"}],
            [{"name": "NODE_OPTIONS", "value": "--require=/tmp/x.js"}],
            [{"name": "NODE_OPTIONS", "value": "--max-old-space-size=1 -r /tmp/x.js"}],
            [{"name": "JAVA_TOOL_OPTIONS", "value": "-javaagent:/tmp/x.jar"}],
            [{"name": "RUBYOPT", "value": "-r/tmp/x"}],
            [{"name": "PERL5OPT", "value": "-Mx"}],
            [{"name": "DOTNET_STARTUP_HOOKS", "value": "/tmp/x.dll"}],
            [{"name": "BASH_FUNC_ls%%", "value": "() { :; }"}],
        ],
    ),
    "spec.containers[].env[].value": ("policy/secret-literal", [[{"name": "DB_PASSWORD", "value": "hunter2"}]]),
    "spec.containers[].env[].valueFrom.configMapKeyRef": (
        REFERENCE,
        [[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "other", "key": "k"}}}]],
    ),
    "spec.containers[].env[].valueFrom.secretKeyRef": (
        REFERENCE,
        [[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "other", "key": "k"}}}]],
    ),
    "spec.containers[].envFrom[].configMapRef": (REFERENCE, [[{"configMapRef": {"name": "other"}}]]),
    "spec.containers[].envFrom[].secretRef": (REFERENCE, [[{"secretRef": {"name": "other"}}]]),
    "spec.containers[].lifecycle.postStart": ("pod-security/host-probes", [{"postStart": HOST}]),
    "spec.containers[].lifecycle.preStop": ("pod-security/host-probes", [{"preStop": HOST}]),
    "spec.containers[].livenessProbe": ("pod-security/host-probes", [HOST]),
    "spec.containers[].readinessProbe": ("pod-security/host-probes", [HOST]),
    "spec.containers[].startupProbe": ("pod-security/host-probes", [HOST]),
    "spec.containers[].ports[].hostPort": ("pod-security/host-ports", [[{"containerPort": 1, "hostPort": 1}]]),
    "spec.containers[].resources.limits": ("policy/limits", [{"limits": {"cpu": "1"}}, None]),
    "spec.containers[].securityContext.allowPrivilegeEscalation": ("pod-security/privilege-escalation", [True, None]),
    "spec.containers[].securityContext.appArmorProfile": ("pod-security/apparmor-profile", [{"type": "Unconfined"}]),
    "spec.containers[].securityContext.capabilities": ("pod-security/capabilities", [{"add": ["SYS_ADMIN"]}, None]),
    "spec.containers[].securityContext.privileged": ("policy/privileged", [True]),
    "spec.containers[].securityContext.procMount": ("pod-security/proc-mount-restricted", ["Unmasked"]),
    "spec.containers[].securityContext.runAsNonRoot": ("pod-security/run-as-non-root", [False]),
    "spec.containers[].securityContext.runAsUser": ("pod-security/run-as-user", [0]),
    "spec.containers[].securityContext.seLinuxOptions": ("pod-security/selinux-options", [{"type": "spc_t"}]),
    "spec.containers[].securityContext.seccompProfile": ("pod-security/seccomp", [{"type": "Unconfined"}]),
    "spec.containers[].securityContext.windowsOptions": ("pod-security/host-process", [{"hostProcess": True}]),
}
#: Kinds of volumes that reach beyond the pod.
BEYOND = (
    *("awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "fc", "flexVolume", "flocker"),
    *("gcePersistentDisk", "gitRepo", "glusterfs", "image", "iscsi", "nfs", "photonPersistentDisk"),
    *("portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume"),
)
FOUND |= {f"spec.volumes[].{kind}": ("pod-security/volume-types", [volume(kind, a=1)]) for kind in BEYOND}


@cache
def fields(name: str) -> dict[str, tuple[bool, str]]:
    """Of a definition: its fields, each with whether it is a list and what definition it holds."""
    found = {}
    known = definition(VERSION, name)
    assert known is not None
    for field, schema in known.schema.get("properties", {}).items():
        inner = schema.get("items", schema)
        found[field] = ("items" in schema, inner.get("$ref", "").rpartition("/")[2])
    return found


def walk(name: str, above: str = "") -> Iterator[str]:
    """The patterns of all fields, down to what has a class."""
    for field, (is_list, inner) in fields(name).items():
        pattern = f"{above}{field}"
        whole = pattern in HARMLESS or pattern in FOUND
        if whole or not inner:
            yield pattern
        else:
            yield from walk(inner, f"{pattern}[]." if is_list else f"{pattern}.")


def test_every_field_has_a_class_and_no_class_is_of_no_field() -> None:
    assert sorted(walk("io.k8s.api.core.v1.PodTemplateSpec")) == sorted({**HARMLESS, **FOUND})


def patched(pattern: str, value: JSON) -> Any:
    """What a patch of the Deployment brings: at the field, or with a list's item that has it; None takes it away."""
    head, _, rest = pattern.partition("[].")
    path = f"/spec/template/{head.replace('.', '/')}"
    if head == "spec.volumes":
        path += "/-"
    elif rest:
        path += f"/0/{rest.partition('[]')[0].replace('.', '/')}"
        whole = ("resources", "lifecycle")
        path = next((path.partition(name)[0] + name for name in whole if f"/{name}/" in path), path)
    operation: JSON = {"op": "remove", "path": path} if value is None else {"op": "add", "path": path, "value": value}
    patch: JSON = {"kind": "Deployment", "json": [operation]}
    problems = rendered("kubernetes", spec(patches=[patch]), options=LOOSE).problems
    assert not any(rule.startswith("spec/patch") for rule in rules(problems)), (path, problems)
    return problems


@pytest.mark.parametrize("pattern", FOUND)
def test_what_is_found_through_a_patch(pattern: str) -> None:
    rule, values = FOUND[pattern]
    for value in values:
        assert rule in rules(patched(pattern, value)), value


@pytest.mark.parametrize("pattern", [pattern for pattern, value in HARMLESS.items() if value is not None])
def test_what_is_harmless_passes_the_policy(pattern: str) -> None:
    problems = patched(pattern, HARMLESS[pattern])
    found = rules(errors_in(problems))
    assert [rule for rule in found if rule in RULES or rule.startswith(("pod-security/", "output/"))] == []
    assert TOKEN not in rules(problems)


def test_variables_with_options_that_load_nothing() -> None:
    for name, value in [("NODE_OPTIONS", "--max-old-space-size=512 --no-warnings"), ("JAVA_TOOL_OPTIONS", "-Xmx1g")]:
        found = patched("spec.containers[].env[].name", [{"name": name, "value": value}])
        assert rules(found) == []
        assert rules(rendered("kubernetes", spec(env={name: value})).problems) == []
    loads = rendered("kubernetes", spec(env={"NODE_OPTIONS": "--import=/tmp/x.mjs"})).problems
    assert rules(loads) == ["policy/loader-variable"]

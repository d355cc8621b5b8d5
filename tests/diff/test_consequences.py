# ruff: noqa: E501 - a case is a row
"""Every consequence fires for what has it, a row each; nothing fires for what only looks different."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import pytest

from renderer import yaml_writer
from renderer.diff.causes import Before, Now
from renderer.diff.consequences import CONSEQUENCES, Consequence
from renderer.diff.entries import Entry, Sides, entries
from renderer.diff.trees import Tree
from renderer.errors import errors_in
from tests.fields import documents
from tests.specs import read_specs, rendered, spec, texts

HARD = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
IMAGE = "r.example.com/a@sha256:" + "0" * 64
ANY = "0.0.0.0/0"
OF = "k8s:io.cilium.k8s.namespace.labels."


def kind(name: str, version: str = "v1", /, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": name, "metadata": {"name": "x", "namespace": "n"}, **rest}


def locked(version: str) -> dict[str, Any]:
    entry = f'[[package]]\nname = "anyio"\nversion = "{version}"\n'
    return kind("ConfigMap", data={"uv.lock": f"version = 1\n\n{entry}"})


def pod(container: dict[str, Any] | None = None, /, **rest: Any) -> dict[str, Any]:
    one = {"name": "c", "image": IMAGE, "securityContext": HARD, **(container or {})}
    return {"containers": [one], "automountServiceAccountToken": False, **rest}


def deployment(container: dict[str, Any] | None = None, /, labels: Any = None, **rest: Any) -> dict[str, Any]:
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}}
    return kind("Deployment", "apps/v1", spec={**spec, "template": {"metadata": {}, "spec": pod(container)}, **rest})


def stateful(*claims: dict[str, Any], **rest: Any) -> dict[str, Any]:
    template = {"spec": pod()}
    return kind("StatefulSet", "apps/v1", spec={"template": template, "volumeClaimTemplates": list(claims), **rest})


def claim(name: str = "data", size: str = "1Gi") -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"resources": {"requests": {"storage": size}}}}


def pvc(size: str = "1Gi", **rest: Any) -> dict[str, Any]:
    return kind("PersistentVolumeClaim", spec={"resources": {"requests": {"storage": size}}, **rest})


def policy(*egress: Any, ingress: Sequence[Any] = (), types: Sequence[str] = ("Egress",)) -> dict[str, Any]:
    rules = {"egress": list(egress), "ingress": list(ingress), "policyTypes": list(types)}
    return kind("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": {"matchLabels": {"a": "b"}}, **rules})


NOTES = {
    "HOSTS": "mcpctl.io/egress-hosts-not-enforced",
    "ACCEPTED": "mcpctl.io/accepted",
    "PATH": "mcpctl.io/path",
    "DESCRIPTION": "mcpctl.io/description",
}


def noted(document: dict[str, Any], **notes: str) -> dict[str, Any]:
    """With annotations of ours."""
    annotations = {NOTES[name]: text for name, text in notes.items()}
    return {**document, "metadata": {**document["metadata"], "annotations": annotations}}


def block(cidr: str, port: int | None = None, *excepted: str, last: int | None = None, word: str = "to") -> Any:
    ports = {"ports": [{"port": port, **({"endPort": last} if last else {})}]} if port else {}
    return {word: [{"ipBlock": {"cidr": cidr, **({"except": list(excepted)} if excepted else {})}}], **ports}


def cilium(**egress: Any) -> dict[str, Any]:
    return kind(
        "CiliumNetworkPolicy",
        "cilium.io/v2",
        spec={"endpointSelector": {"matchLabels": {"a": "b"}}, "egress": [egress]},
    )


def role(*rules: tuple[str, str, str]) -> dict[str, Any]:
    each = [{"apiGroups": [g], "resources": r.split(","), "verbs": v.split(",")} for g, r, v in rules]
    return kind("Role", "rbac.authorization.k8s.io/v1", rules=each)


def binding(to: str = "r", *subjects: str) -> dict[str, Any]:
    who = [{"kind": "ServiceAccount", "name": name} for name in subjects]
    return kind("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef={"name": to}, subjects=who)


def ingress(host: str = "a.example.com", **rest: Any) -> dict[str, Any]:
    paths = {"paths": [{"path": "/mcp"}]}
    return kind("Ingress", "networking.k8s.io/v1", spec={"rules": [{"host": host, "http": paths}], **rest})


def service(**spec: Any) -> dict[str, Any]:
    return kind("Service", spec={"ports": [{"port": 80}], **spec})


def compose(one: dict[str, Any] | None = None, /, **rest: Any) -> dict[str, Any]:
    hard = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "read_only": True, "user": "1000"}
    hard |= {"deploy": {"resources": {"limits": {"pids": 9}}}, "logging": {"options": {"max-size": "1m"}}}
    whole = {"image": IMAGE, "network_mode": "none", **hard, **(one or {})}
    return {"name": "p", "services": {"s": {key: value for key, value in whole.items() if value is not None}}, **rest}


def envoy(*domains: str) -> dict[str, Any]:
    hosts = [{"name": "allowed", "domains": list(domains), "routes": [{"route": {}}]}]
    hosts.append({"name": "refused", "domains": ["*"], "routes": [{"direct_response": {}}]})
    # As Envoy's configuration stands in a compose file: text.
    content = "virtual_hosts: " + json.dumps(hosts)
    server = {"network_mode": None, "networks": ["inside"]}
    return compose(server, networks={"inside": {"internal": True}}, configs={"envoy": {"content": content}})


def beside(container: dict[str, Any] | None = None, /, **another: Any) -> dict[str, Any]:
    """A pod with a second container."""
    spec = pod(container)
    return {**spec, "containers": [*spec["containers"], {"securityContext": HARD, **another}]}


def token(name: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": "gh", "key": "token"}}}


def mounts(*paths: str) -> dict[str, Any]:
    mounted = [{"name": "v", "mountPath": path} for path in paths]
    spec = pod({"volumeMounts": mounted}, volumes=[{"name": "v", "secret": {"secretName": "s"}}])
    return deployment(template={"metadata": {}, "spec": spec})


def claimed(name: str, *, read_only: bool = False) -> dict[str, Any]:
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": name}}
    mounted = {"volumeMounts": [{"name": "v", "mountPath": "/d", "readOnly": read_only}]}
    return deployment(template={"metadata": {}, "spec": pod(mounted, volumes=[volume])})


def injected(key: str) -> dict[str, Any]:
    return deployment(template={"metadata": {"annotations": {key: "true"}}, "spec": pod()})


def folder(size: str) -> dict[str, Any]:
    mounted = {"volumeMounts": [{"name": "v", "mountPath": "/d"}]}
    spec = pod(mounted, volumes=[{"name": "v", "emptyDir": {"sizeLimit": size}}])
    return deployment(template={"metadata": {}, "spec": spec})


#: Keys of a compose service that take away something of what holds it in.
WEAKER: list[tuple[str, Any]] = [
    ("use_api_socket", True),
    ("user", "00"),
    ("user", "root:1000"),
    ("user", "somebody"),
    ("volumes_from", ["container:x"]),
    ("group_add", ["docker"]),
    ("uts", "host"),
    ("pid", "service:other"),
    ("ipc", "container:x"),
    ("network_mode", "container:x"),
    ("cgroup_parent", "/x"),
    ("device_cgroup_rules", ["a *:* rwm"]),
    ("security_opt", ["no-new-privileges:true", "label:disable"]),
    ("sysctls", {"kernel.x": 1}),
    ("provider", {"type": "x"}),
    ("volumes", ["v:/d:rshared"]),
    (
        "volumes",
        [{"type": "bind", "source": "/d", "target": "/d", "read_only": True, "bind": {"propagation": "slave"}}],
    ),
    ("runtime", "other"),
    ("tmpfs", ["/x:mode=0700,exec"]),
    ("tmpfs", "/x:exec"),
    ("what_nobody_knows_yet", "x"),
    ("deploy", {"resources": {"limits": {"pids": -1}}}),
    ("deploy", {"resources": {"limits": {"memory": "1G"}}}),
    ("logging", {"driver": "json-file", "options": {"max-size": "-1"}}),
    ("logging", {"options": {"max-file": "3"}}),
]


#: Who answers for names instead of the DNS of the cluster, or of Docker.
RESOLVED: list[tuple[str, Any]] = [
    ("dnsPolicy", "Default"),
    ("dnsConfig", {"nameservers": ["192.0.2.1"]}),
    ("dnsConfig", {"searches": ["example.com"]}),
    ("dnsConfig", {"options": [{"name": "inet6"}]}),
]
COMPOSE_RESOLVED: list[tuple[str, Any]] = [
    ("dns", "192.0.2.1"),
    ("dns", ["192.0.2.1"]),
    ("dns_search", "example.com"),
    ("dns_opt", ["ndots:9"]),
    ("extra_hosts", ["github.com:10.0.0.1"]),
    ("extra_hosts", {"github.com": "10.0.0.1"}),
    ("hostname", "github.com"),
    ("domainname", "example.com"),
    ("container_name", "github.com"),
    ("networks", {"n": {"aliases": ["github.com"]}}),
    ("volumes", ["h:/etc/hosts:ro"]),
    ("configs", [{"source": "h", "target": "/etc/resolv.conf"}]),
]
#: By what pods get to nodes that are not for them, or push others away.
NODES: list[tuple[str, Any]] = [
    ("tolerations", [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]),
    ("tolerations", [{"operator": "Exists"}]),
    ("tolerations", [{"key": "dedicated", "operator": "Exists"}]),
    ("nodeName", "n1"),
    ("nodeSelector", {"node-role.kubernetes.io/control-plane": ""}),
    (
        "affinity",
        {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "node-role.kubernetes.io/master", "operator": "Exists"}]}
                    ]
                }
            }
        },
    ),
    (
        "affinity",
        {
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]},
                    }
                ]
            }
        },
    ),
    ("priorityClassName", "system-node-critical"),
    ("priority", 2000001000),
]
#: Programs that a container with a secret runs.
PROGRAMS: list[tuple[str, Any, Any]] = [
    ("command", ["/server"], ["/other"]),
    ("command", ["sh", "-c", "exec server"], ["sh", "-c", "exec other"]),
    ("command", ["sh", "-c", "ssh a@192.0.2.1"], ["sh", "-c", "ssh a@192.0.2.2"]),
    ("command", ["npx", "-y", "a@1.0.0"], ["npx", "-y", "b@1.0.0"]),
    ("command", ["uvx", "mcp-proxy", "--", "uvx", "a"], ["uvx", "mcp-proxy", "--", "uvx", "b"]),
    ("args", ["--stdio", "npx -y a"], ["--stdio", "npx -y b"]),
    ("args", ["stdio"], ["/bin/sh", "-c", "x"]),
    ("lifecycle", {}, {"postStart": {"exec": {"command": ["/x"]}}}),
    ("lifecycle", {"preStop": {"exec": {"command": ["/x"]}}}, {"preStop": {"exec": {"command": ["/y"]}}}),
    ("livenessProbe", {}, {"exec": {"command": ["sh", "-c", "x"]}}),
]
#: Variables by which programs run other code, find it elsewhere, or connect through somebody.
LOADERS = ["LD_PRELOAD", "NODE_OPTIONS", "PYTHONPATH", "PATH", "PIP_INDEX_URL", "npm_config_registry", "https_proxy"]
COMPOSE_PROGRAMS: list[tuple[str, Any, Any]] = [
    ("entrypoint", None, ["/x"]),
    ("entrypoint", "/x", "/y"),
    ("command", ["npx", "a"], ["npx", "b"]),
    ("command", "npx a", "npx b"),
    ("healthcheck", {}, {"test": "curl x"}),
    ("healthcheck", {"test": ["CMD", "/x"]}, {"test": ["CMD", "/y"]}),
    ("healthcheck", {"test": ["CMD-SHELL", "x"]}, {"test": ["CMD-SHELL", "y"]}),
]
#: The same program in other words.
SAME_PROGRAM: list[tuple[str, Any, Any]] = [
    ("command", ["/server", "--port=1"], ["/server", "--port=2"]),
    ("command", ["npx", "-y", "@a/b@1.0.0"], ["npx", "-y", "@a/b@1.1.0"]),
    ("args", ["stdio"], ["http", "--verbose"]),
    ("lifecycle", {}, {"preStop": {"exec": {"command": ["sleep", "5"]}}}),
    (
        "livenessProbe",
        {"exec": {"command": ["node", "-e", "fetch('http://127.0.0.1:80/a')"]}},
        {"exec": {"command": ["node", "-e", "fetch('http://127.0.0.1:81/b')"]}},
    ),
]
LOGS: list[Any] = [
    {"driver": "gelf", "options": {"gelf-address": "udp://192.0.2.1:12201"}},
    {"driver": "syslog", "options": {"syslog-address": "tcp://192.0.2.1:514"}},
    {"driver": "awslogs"},
]
KEPT_LOGS: list[Any] = [
    {"driver": "local", "options": {"max-size": "10m"}},
    {"driver": "syslog", "options": {"syslog-address": "unixgram:///dev/log"}},
    {"options": {"max-size": "9m", "max-file": "3"}},
]
FROM_ENV = {"environment": {"A": "${T:?x}"}}
MOUNTED: list[dict[str, Any]] = [
    {"volumes": ["v:/app/x:ro"]},
    {"volumes": [{"type": "volume", "source": "v", "target": "/app", "read_only": True}]},
    {"configs": [{"source": "c", "target": "/app/x"}]},
]
WHOLE = [{"secretRef": {"name": "gh"}}]


class Case(NamedTuple):
    """What must be among the consequences, and what must not."""

    name: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    fires: str


CASES = [
    Case("template", deployment(), deployment({"args": ["x"]}), "restart"),
    Case("pod label", deployment(), deployment(template={"metadata": {"labels": {"a": "c"}}, "spec": pod()}), "restart"),
    Case("compose argument", compose(), compose({"command": ["x"]}), "restart"),
    Case("selector", deployment(), deployment(selector={"matchLabels": {"a": "c"}}), "replacement"),
    Case("namespace", deployment(), deployment() | {"metadata": {"name": "x", "namespace": "other"}}, "replacement"),
    Case("claim templates", stateful(claim()), stateful(claim(size="2Gi")), "replacement"),
    Case("service name", stateful(serviceName="a"), stateful(serviceName="b"), "replacement"),
    Case("cluster address", service(clusterIP="10.0.0.1"), service(clusterIP="10.0.0.2"), "replacement"),
    Case("job", kind("Job", "batch/v1", spec={"template": {"spec": pod()}}), kind("Job", "batch/v1", spec={"template": {"spec": pod({"args": ["x"]})}}), "replacement"),
    Case("storage class", pvc(storageClassName="a"), pvc(storageClassName="b"), "replacement"),
    Case("role of a binding", binding("a", "s"), binding("b", "s"), "replacement"),
    Case("immutable config", kind("ConfigMap", immutable=True, data={"a": "b"}), kind("ConfigMap", immutable=True, data={"a": "c"}), "replacement"),
    Case("immutable secret", kind("Secret", immutable=True, data={"a": "b"}), kind("Secret", immutable=True, data={"a": "c"}), "replacement"),
    Case("pod spec", kind("Pod", spec=pod()), kind("Pod", spec=pod(dnsPolicy="None")), "replacement"),
    Case("runtime class", kind("RuntimeClass", "node.k8s.io/v1", handler="a"), kind("RuntimeClass", "node.k8s.io/v1", handler="b"), "replacement"),
    Case("volume gone", pvc(), None, "data-loss"),
    Case("volume shrunk", pvc("2Gi"), pvc("1Gi"), "data-loss"),
    Case("namespace gone", kind("Namespace"), None, "data-loss"),
    Case("claim renamed", stateful(claim("a")), stateful(claim("b")), "data-loss"),
    Case("claims deleted", stateful(claim()), stateful(claim(), persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"}), "data-loss"),
    Case("compose volume gone", compose(volumes={"v": None}), compose(), "data-loss"),
    Case("compose mount gone", compose({"volumes": ["v:/data"]}), compose({"volumes": []}), "data-loss"),
    Case("host that a NetworkPolicy cannot enforce", noted(policy(), HOSTS="a:443"), noted(policy(), HOSTS="a:443,b:443"), "unenforced"),
    Case("such a host that goes", noted(policy(), HOSTS="a:443"), policy(), "unenforced"),
    Case("accepted finding", deployment(), noted(deployment(), ACCEPTED="policy/limits: it is small; too"), "accepted"),
    Case("one more accepted finding", noted(deployment(), ACCEPTED="policy/limits: a; b"), noted(deployment(), ACCEPTED="policy/limits: a; b; policy/image-tag (spec.image): c"), "accepted"),
    Case("accepted finding of compose", compose(), compose({"labels": {"mcpctl.io/accepted": "policy/limits: a"}}), "accepted"),
    Case("path that clients call", noted(service(), PATH="/mcp"), noted(service(), PATH="/other"), "update"),
    Case("new port", policy(block(ANY, 443)), policy(block(ANY, 443), block(ANY, 80)), "egress"),
    Case("wider block", policy(block("10.1.0.0/16")), policy(block("10.0.0.0/8")), "egress"),
    Case("exception gone", policy(block(ANY, 443, "10.0.0.0/8")), policy(block(ANY, 443)), "egress"),
    Case("wider range", policy(block(ANY, 80, last=90)), policy(block(ANY, 80, last=91)), "egress"),
    Case("everything", policy(block(ANY, 443)), policy({}), "egress"),
    Case("direction free", policy(types=["Egress"]), policy(types=["Ingress"]), "ingress-or-egress"),
    Case("new host", cilium(toFQDNs=[{"matchName": "a"}]), cilium(toFQDNs=[{"matchName": "a"}, {"matchName": "b"}]), "egress"),
    Case("namespaces by labels", cilium(toEndpoints=[{"matchLabels": {"a": "b", f"{OF}c": "d"}}]), cilium(toEndpoints=[{"matchLabels": {"a": "b", f"{OF}c": "e"}}]), "egress"),
    Case("all namespaces", cilium(toEndpoints=[{"matchLabels": {"a": "b"}}]), cilium(toEndpoints=[{"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}]}]), "egress"),
    Case("all entities", cilium(toFQDNs=[{"matchName": "a"}]), cilium(toEntities=["all"]), "egress"),
    Case("proxy host", envoy("a.example.com:443"), envoy("a.example.com:443", "b.example.com:443"), "egress"),
    Case("proxy left out", envoy("a.example.com:443"), compose({"network_mode": None}), "egress"),
    Case("new client", policy(ingress=[block("10.0.0.1/32", word="from")], types=["Ingress"]), policy(ingress=[block("10.0.0.0/24", word="from")], types=["Ingress"]), "ingress"),
    Case("new secret", deployment(), deployment({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}), "secret"),
    Case("new key", deployment({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}), deployment({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "l"}}}]}), "secret"),
    Case("pull secret", deployment(), deployment(template={"metadata": {}, "spec": pod(imagePullSecrets=[{"name": "s"}])}), "secret"),
    Case("secret volume", deployment(), deployment(template={"metadata": {}, "spec": pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}])}), "secret"),
    Case("compose variable", compose({"environment": {}}), compose({"environment": {"A": "${TOKEN:?key}"}}), "secret"),
    Case("more verbs", role(("", "pods", "get")), role(("", "pods", "get,list")), "rbac"),
    Case("wildcard", role(("", "pods", "get")), role(("", "*", "get")), "rbac"),
    Case("new subject", binding("r", "a"), binding("r", "a", "b"), "rbac"),
    Case("token", deployment(), deployment(template={"metadata": {}, "spec": pod(automountServiceAccountToken=True)}), "rbac"),
    Case("identity", kind("ServiceAccount"), {**kind("ServiceAccount"), "metadata": {"name": "x", "namespace": "n", "annotations": {"eks.amazonaws.com/role-arn": "a"}}}, "rbac"),
    Case("new host name", ingress(), ingress("b.example.com"), "exposure"),
    Case("tls gone", ingress(tls=[{"hosts": ["a.example.com"]}]), ingress(), "exposure"),
    Case("load balancer", service(), service(type="LoadBalancer"), "exposure"),
    Case("node port", service(), service(type="NodePort"), "exposure"),
    Case("host port", deployment(), deployment({"ports": [{"containerPort": 80, "hostPort": 80}]}), "exposure"),
    Case("route", kind("HTTPRoute", "gateway.networking.k8s.io/v1", spec={"hostnames": ["a"]}), kind("HTTPRoute", "gateway.networking.k8s.io/v1", spec={"hostnames": ["a", "b"]}), "exposure"),
    Case("published everywhere", compose({"ports": ["127.0.0.1:80:80"]}), compose({"ports": ["80:80"]}), "exposure"),
    Case("published everywhere, long", compose(), compose({"ports": [{"target": 80, "published": "80"}]}), "exposure"),
    Case("tag", deployment(), deployment({"image": "a:1"}), "no-digest"),
    Case("compose tag", compose(), compose({"image": "a:1"}), "no-digest"),
    Case("other digest", deployment(), deployment({"image": IMAGE.replace("0", "1")}), "image"),
    Case("privileged", deployment(), deployment({"securityContext": {**HARD, "privileged": True}}), "hardening"),
    Case("writable root", deployment(), deployment({"securityContext": {**HARD, "readOnlyRootFilesystem": False}}), "hardening"),
    Case("capability", deployment(), deployment({"securityContext": {**HARD, "capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}}), "hardening"),
    Case("host network", deployment(), deployment(template={"metadata": {}, "spec": pod(hostNetwork=True)}), "hardening"),
    Case("host path", deployment(), deployment(template={"metadata": {}, "spec": pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}])}), "hardening"),
    Case("no sandbox", deployment(template={"metadata": {}, "spec": pod(runtimeClassName="gvisor")}), deployment(), "hardening"),
    Case("compose capability", compose(), compose({"cap_add": ["NET_RAW"]}), "hardening"),
    Case("compose root", compose(), compose({"user": "0"}), "hardening"),
    Case("replicas", deployment(), deployment(replicas=2), "scaling"),
    Case("autoscaler", None, kind("HorizontalPodAutoscaler", "autoscaling/v2", spec={}), "scaling"),
    Case("compose replicas", compose(), compose({"deploy": {"replicas": 2}}), "scaling"),
    Case("limits", deployment(), deployment({"resources": {"limits": {"cpu": 1}}}), "resources"),
    Case("quota", kind("ResourceQuota", spec={"hard": {"pods": 1}}), kind("ResourceQuota", spec={"hard": {"pods": 2}}), "resources"),
    Case("object gone", service(), None, "removal"),
    Case("object comes", None, service(), "addition"),
    Case("sidecar", deployment(), deployment(template={"metadata": {}, "spec": beside(name="x", image=IMAGE)}), "container"),
    Case("init container", deployment(), deployment(template={"metadata": {}, "spec": pod(initContainers=[{"name": "i", "image": IMAGE, "securityContext": HARD}])}), "container"),
    Case("image volume", deployment(), deployment(template={"metadata": {}, "spec": pod(volumes=[{"name": "v", "image": {"reference": IMAGE}}])}), "container"),
    Case("workload beside", None, deployment(), "container"),
    Case("compose service", compose(), {**compose(), "services": {**compose()["services"], "x": {"image": IMAGE}}}, "container"),
    Case("compose image volume", compose(), compose({"volumes": [{"type": "image", "source": IMAGE, "target": "/x"}]}), "container"),
    Case("second variable", deployment({"env": [token("A")]}), deployment({"env": [token("A"), token("B")]}), "secret"),
    Case("secret as an argument", deployment({"env": [token("A")]}), deployment({"env": [token("A")], "args": ["--key=$(A)"]}), "secret"),
    Case("secret to a sidecar", deployment({"env": [token("A")]}), deployment(template={"metadata": {}, "spec": beside({"env": [token("A")]}, name="x", image=IMAGE, env=[token("A")])}), "secret"),
    Case("secret at a second path", mounts("/a"), mounts("/a", "/b"), "secret"),
    Case("secret to another image", deployment({"env": [token("A")]}), deployment({"env": [token("A")], "image": "other.example.com/" + IMAGE}), "secret"),
    Case("compose second variable", compose({"environment": {"A": "${T:?x}"}}), compose({"environment": {"A": "${T:?x}", "B": "${T:?x}"}}), "secret"),
    Case("compose secret to another image", compose({"environment": {"A": "${T:?x}"}}), compose({"environment": {"A": "${T:?x}"}, "image": "other.example.com/" + IMAGE}), "secret"),
    Case("compose secret as a second file", compose({"secrets": ["s"]}, secrets={"s": {"environment": "S"}}), compose({"secrets": ["s", {"source": "s", "target": "t"}]}, secrets={"s": {"environment": "S"}}), "secret"),
    Case("account by its old name", deployment(), deployment(template={"metadata": {}, "spec": pod(serviceAccount="admin")}), "rbac"),
    Case("projected token", deployment(), deployment(template={"metadata": {}, "spec": pod(volumes=[{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}])}), "rbac"),
    Case("network file system", deployment(), deployment(template={"metadata": {}, "spec": pod(volumes=[{"name": "v", "nfs": {"server": "a", "path": "/"}}])}), "hardening"),
    Case("driver of the node", deployment(), deployment(template={"metadata": {}, "spec": pod(volumes=[{"name": "v", "csi": {"driver": "hostpath.csi.k8s.io"}}])}), "hardening"),
    Case("raw device", deployment(), deployment({"volumeDevices": [{"name": "v", "devicePath": "/dev/sda"}]}), "hardening"),
    Case("further group", deployment(), deployment(template={"metadata": {}, "spec": pod(securityContext={"supplementalGroups": [0]})}), "hardening"),
    Case("SELinux type", deployment(), deployment({"securityContext": {**HARD, "seLinuxOptions": {"type": "spc_t"}}}), "hardening"),
    Case("folder behind a volume", compose({"volumes": ["v:/d"]}, volumes={"v": {}}), compose({"volumes": ["v:/d"]}, volumes={"v": {"driver_opts": {"type": "none", "o": "bind", "device": "/"}}}), "hardening"),
    Case("new volume with a folder behind", compose(), compose({"volumes": ["v:/d"]}, volumes={"v": {"driver_opts": {"type": "none", "o": "bind", "device": "/"}}}), "hardening"),
    Case("driver of a volume", compose(), compose(volumes={"v": {"driver": "sshfs"}}), "hardening"),
    Case("file of the machine", compose(), compose(configs={"c": {"file": "/etc/shadow"}}), "hardening"),
    Case("network of the machine by its driver", compose(), compose(networks={"n": {"driver": "macvlan"}}), "hardening"),
    Case("volume of another project", compose(), compose({"volumes": ["v:/d"]}, volumes={"v": {"external": True}}), "data"),
    Case("a mount may write", compose({"volumes": ["v:/d:ro"]}, volumes={"v": {"external": True}}), compose({"volumes": ["v:/d"]}, volumes={"v": {"external": True}}), "data"),
    Case("claim of others", deployment(), claimed("theirs"), "data"),
    Case("claim of others to write", claimed("theirs", read_only=True), claimed("theirs"), "data"),
    Case("injected", deployment(), injected("sidecar.istio.io/inject"), "container"),
    Case("name of a Service", service(), service() | {"metadata": {"name": "x", "namespace": "n", "annotations": {"external-dns.alpha.kubernetes.io/hostname": "a.example.com"}}}, "exposure"),
    Case("temporary folder", folder("1Gi"), folder("2Gi"), "resources"),
    Case("limit range", kind("LimitRange", spec={"limits": [{"type": "Pod", "max": {"cpu": 1}}]}), kind("LimitRange", spec={"limits": [{"type": "Pod", "max": {"cpu": 2}}]}), "resources"),
    *(Case(f"compose {key}", compose(), compose({key: value}), "hardening") for key, value in WEAKER),
    Case("guard goes", deployment({"args": ["--config-path", "/etc/guard/guard.yaml"]}), deployment(), "access"),
    Case("compose proxy", compose(), compose({"labels": {"traefik.enable": "true"}}), "exposure"),
    Case("alias", deployment(), deployment(template={"metadata": {"labels": {"a": "b"}}, "spec": pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["github.com"]}])}), "dns"),
    *(Case(f"resolved by {field}", deployment(), deployment(template={"metadata": {}, "spec": pod(**{field: value})}), "dns") for field, value in RESOLVED),
    Case("mounted hosts", mounts("/a"), mounts("/a", "/etc/hosts"), "dns"),
    Case("external name", service(), service(type="ExternalName", externalName="a.example.com"), "dns"),
    *(Case(f"compose {key}", compose(), compose({key: value}), "dns") for key, value in COMPOSE_RESOLVED),
    Case("variable of a secret", deployment({"env": [token("T")]}), deployment({"env": [token("T"), {"name": "U", "value": "Bearer $(T)"}]}), "secret"),
    Case("variable of a variable of a secret", deployment({"env": [token("T"), {"name": "U", "value": "$(T)"}]}), deployment({"env": [token("T"), {"name": "U", "value": "$(T)"}, {"name": "V", "value": "$$$(U)"}]}), "secret"),
    Case("argument of a variable of a secret", deployment({"env": [token("T"), {"name": "U", "value": "$(T)"}]}), deployment({"env": [token("T"), {"name": "U", "value": "$(T)"}], "args": ["$(U)"]}), "secret"),
    Case("variable of a whole secret", deployment({"envFrom": WHOLE}), deployment({"envFrom": WHOLE, "env": [{"name": "U", "value": "$(T)"}]}), "secret"),
    Case("compose variable of a secret", compose({"environment": {"T": "${GH:?x}"}}), compose({"environment": {"T": "${GH:?x}", "U": "Bearer ${GH:?x}"}}), "secret"),
    *(Case(f"node by {field}", deployment(), deployment(template={"metadata": {}, "spec": pod(**{field: value})}), "hardening") for field, value in NODES),
    Case("ephemeral volume", deployment(), deployment(template={"metadata": {}, "spec": pod(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}])}), "hardening"),
    Case("mounts that spread", mounts("/a"), deployment(template={"metadata": {}, "spec": pod({"volumeMounts": [{"name": "v", "mountPath": "/a", "mountPropagation": "HostToContainer"}]}, volumes=[{"name": "v", "secret": {"secretName": "s"}}])}), "hardening"),
    *(Case(f"secret to another program by {field}", deployment({"env": [token("A")], field: old}), deployment({"env": [token("A")], field: new}), "secret") for field, old, new in PROGRAMS),
    *(Case(f"secret to what {name} loads", deployment({"env": [token("A")]}), deployment({"env": [token("A"), {"name": name, "value": "/tmp/x"}]}), "secret") for name in LOADERS),
    *(Case(f"secret to a program that is mounted at {path}", deployment({"env": [token("A")], "command": ["/app/x"]}), deployment({"env": [token("A")], "command": ["/app/x"], "volumeMounts": [{"name": "v", "mountPath": path}]}), "secret") for path in ("/app/x", "/app", "/app/")),
    *(Case(f"compose secret to a program that is mounted {number}", compose({**FROM_ENV, "command": ["/app/x"]}), compose({**FROM_ENV, "command": ["/app/x"], **mount}), "secret") for number, mount in enumerate(MOUNTED)),
    *(Case(f"compose secret to what {name} loads", compose({"environment": {"A": "${A}"}}), compose({"environment": {"A": "${A}", name: "/tmp/x"}}), "secret") for name in LOADERS),
    *(Case(f"compose secret to what {name} of a list loads", compose({"environment": ["A=${A}"]}), compose({"environment": ["A=${A}", f"{name}=/tmp/x"]}), "secret") for name in LOADERS[:1]),
    *(Case(f"compose secret to another program by {key}", compose({**FROM_ENV, key: old}), compose({**FROM_ENV, key: new}), "secret") for key, old, new in COMPOSE_PROGRAMS),
    *(Case(f"logs by {logs['driver']}", compose(), compose({"logging": logs}), "egress") for logs in LOGS),
    Case("logs to another address", compose({"logging": LOGS[0]}), compose({"logging": {**LOGS[0], "options": {"gelf-address": "udp://192.0.2.2:1"}}}), "egress"),
    Case("compose build", compose(), compose({"build": {"context": "../src"}}), "container"),
    Case("compose build from a folder", compose({"build": "."}), compose({"build": ".."}), "container"),
    Case("kustomization", None, None, "files"),
    Case("delivery", None, None, "delivery"),
    Case("source", None, None, "source"),
    Case("labels", None, None, "labels"),
    Case("lock", locked("4.1"), locked("4.2"), "packages"),
    Case("no lock", locked("4.1"), kind("ConfigMap", data={"other": "x"}), "packages"),
    Case("in place", service(), service(sessionAffinity="ClientIP"), "update"),
    Case("ingress annotation", ingress(), {**ingress(), "metadata": {"name": "x", "namespace": "n", "annotations": {"a": "b"}}}, "update"),
    Case("label", service(), {**service(), "metadata": {"name": "x", "namespace": "n", "labels": {"a": "b"}}}, "cosmetic"),
]  # fmt: skip


def text(data: Any) -> str | None:
    return json.dumps(data, indent=1)


def run(old: dict[str, str | None], new: dict[str, str], name: str = "t") -> list[Entry]:
    """As the command compares; paths are below one server."""
    before = {f"one/{path}": value for path, value in old.items()}
    now = {f"one/{path}": value for path, value in new.items()}
    unlike = {path: value for path, value in before.items() if now.get(path) != value}
    tree = Tree(unlike, frozenset(path for path in now if path not in before), there=True)
    return entries(Sides(name, tree, now, {}, Before(), Now({})))


def names(old: dict[str, Any] | None, new: dict[str, Any] | None) -> list[str]:
    # Another object stands beside: a server that comes, or goes, as a whole is another matter.
    other = {"other.yaml": text(kind("ConfigMap") | {"metadata": {"name": "other"}}) or ""}
    before: dict[str, str | None] = {**other, **({"x.yaml": text(old)} if old else {})}
    now = {**other, **({"x.yaml": text(new) or ""} if new else {})}
    (entry,) = run(before, now)
    return [one.name for one in entry.consequences]


@pytest.mark.parametrize("case", [case for case in CASES if case.old or case.new], ids=lambda case: case.name)
def test_a_consequence_fires(case: Case) -> None:
    found = names(case.old, case.new)
    assert set(case.fires.split("-or-")) & set(found), found


def test_every_consequence_has_fired() -> None:
    assert {case.fires for case in CASES} >= set(CONSEQUENCES)


def test_layout_is_cosmetic() -> None:
    for case in CASES:
        if case.old and case.new:
            now = {"x.yaml": "# a comment\n" + json.dumps(case.old, sort_keys=True)}
            (entry,) = run({"x.yaml": text(case.old)}, now)
            assert (entry.consequences, entry.fields) == ((Consequence("cosmetic"),), ()), case.name


def test_equal_trees_have_no_difference() -> None:
    for case in CASES:
        whole = {"x.yaml": text(case.new or case.old) or ""}
        assert run({**whole}, whole) == [], case.name


GRAVE = {name for name, row in CONSEQUENCES.items() if row.grave}
#: Narrower, or the same in other words: of these nothing grave is told.
HARMLESS = [
    ("other hosts that nothing enforces", noted(policy(), HOSTS="a:443"), noted(policy(), HOSTS="b:443")),
    ("finding that is accepted no more", noted(deployment(), ACCEPTED="policy/limits: a"), deployment()),
    ("description", noted(deployment(), DESCRIPTION="a"), noted(deployment(), DESCRIPTION="b")),
    ("fewer ports", policy(block(ANY, 443), block(ANY, 80)), policy(block(ANY, 443))),
    ("pods of namespaces by labels", cilium(toEndpoints=[{"matchLabels": {f"{OF}c": "d"}}]), cilium(toEndpoints=[{"matchLabels": {"a": "b", f"{OF}c": "d"}}])),
    ("other order", policy(block(ANY, 443), block(ANY, 80)), policy(block(ANY, 80), block(ANY, 443))),
    ("narrower block", policy(block("10.0.0.0/8")), policy(block("10.1.0.0/16"))),
    ("exception added", policy(block(ANY, 443)), policy(block(ANY, 443, "10.0.0.0/8"))),
    ("exception outside", policy(block(ANY, 443, "10.0.0.0/8")), policy(block("192.0.2.0/24", 443))),
    ("inside a range", policy(block(ANY, 80, last=90)), policy(block(ANY, 81, last=89))),
    ("rules joined", role(("", "pods", "get"), ("", "pods", "list")), role(("", "pods", "list,get"))),
    ("below a wildcard", role(("*", "*", "*")), role(("apps", "deployments", "get"))),
    ("volume grows", pvc("1Gi"), pvc("2048Mi")),
    ("subject gone", binding("r", "a", "b"), binding("r", "a")),
    ("private port", compose({"ports": ["80:80"]}), compose({"ports": []})),
    ("fewer hosts", envoy("a.example.com:443", "b.example.com:443"), envoy("a.example.com:443")),
    ("another version of the image that has a secret", deployment({"env": [token("A")], "image": IMAGE}), deployment({"env": [token("A")], "image": IMAGE.replace("0", "1")})),
    ("a secret in fewer variables", deployment({"env": [token("A"), token("B")]}), deployment({"env": [token("A")]})),
    ("the same mounts in another order", mounts("/a", "/b"), mounts("/b", "/a")),
    ("a sidecar goes", deployment(template={"metadata": {}, "spec": beside(name="x", image=IMAGE)}), deployment()),
    ("closed volumes", deployment(), deployment(template={"metadata": {}, "spec": pod(volumes=[{"name": "v", "emptyDir": {}}, {"name": "c", "configMap": {"name": "x"}}])})),
    ("argument", compose(), compose({"command": ["x"], "working_dir": "/x", "healthcheck": {"test": "x"}})),
    ("another user of its own", compose(), compose({"user": "1001"})),
    ("another size of a volume's options", compose(volumes={"v": {"labels": {"a": "b"}}}), compose(volumes={"v": {"labels": {"a": "b"}}}, configs={"c": {"content": "x"}})),
    ("literal dollars", deployment({"env": [token("T")]}), deployment({"env": [token("T"), {"name": "U", "value": "$$(T)"}]})),
    ("a variable of a plain one", deployment({"env": [token("T"), {"name": "P", "value": "x"}]}), deployment({"env": [token("T"), {"name": "P", "value": "x"}, {"name": "U", "value": "$(P)"}]})),
    ("the DNS of the cluster", deployment(template={"metadata": {}, "spec": pod(dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.1"]})}), deployment(template={"metadata": {}, "spec": pod(dnsPolicy="ClusterFirst", dnsConfig={"options": [{"name": "ndots", "value": "1"}]})})),
    ("fewer compose names", compose({"dns": ["192.0.2.1"], "extra_hosts": ["a:10.0.0.1"], "networks": {"n": {}}}), compose({"hostname": "a", "networks": {"n": {"aliases": ["a.server"]}}})),
    *((f"the same program by {field}", deployment({"env": [token("A")], field: old}), deployment({"env": [token("A")], field: new})) for field, old, new in SAME_PROGRAM),
    *((f"{name} without a secret", deployment(), deployment({"env": [{"name": name, "value": "/tmp/x"}]})) for name in LOADERS),
    ("a mount beside the program", deployment({"env": [token("A")], "command": ["/app/x"]}), deployment({"env": [token("A")], "command": ["/app/x"], "volumeMounts": [{"name": "v", "mountPath": "/app/xy"}, {"name": "v", "mountPath": "/data"}]})),
    ("own proxy of compose", compose({"environment": {"A": "${A}"}}), compose({"environment": {"A": "${A}", "HTTPS_PROXY": "http://mcp-a.proxy:3128"}})),
    ("another variable", deployment({"env": [token("A")]}), deployment({"env": [token("A"), {"name": "LOG_LEVEL", "value": "debug"}]})),
    *((f"another program without a secret by {field}", deployment({field: old}), deployment({field: new})) for field, old, new in PROGRAMS),
    ("compose arguments of the same program", compose({**FROM_ENV, "command": "npx a 1", "healthcheck": {"test": ["NONE"]}}), compose({**FROM_ENV, "command": "npx a 2", "healthcheck": {"disable": True}})),
    *(("logs that stay", compose(), compose({"logging": logs})) for logs in KEPT_LOGS),
    ("nodes by labels of their own", deployment(), deployment(template={"metadata": {}, "spec": pod(nodeSelector={"pool": "a"}, priorityClassName="high", tolerations=[{"key": "pool", "value": "a"}, {"key": "nvidia.com/gpu", "operator": "Exists"}], affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"}]}]}}})})),
    *(("reloader", one, {**one, "metadata": {**one["metadata"], "annotations": {"reloader.stakater.com/auto": "true"}}}) for one in (deployment(), service(type="LoadBalancer"), ingress(), kind("ServiceAccount"), kind("ConfigMap"))),
    ("from host blocks to names", policy(block(ANY, 443)), cilium(toFQDNs=[{"matchName": "a"}], toPorts=[{"ports": [{"port": "443", "protocol": "TCP"}]}])),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [row[1:] for row in HARMLESS], ids=[row[0] for row in HARMLESS])
def test_what_is_narrower_is_not_grave(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert [name for name in names(old, new) if name in GRAVE] == []


def test_labels_by_which_others_know_pods() -> None:
    """A policy and a Service of another server in the tree."""
    named = {"metadata": {"name": "other", "namespace": "n"}}
    proxies = {"podSelector": {"matchLabels": {"component": "local-proxy"}}}
    opened = kind("NetworkPolicy", "networking.k8s.io/v1", spec={"ingress": [{"from": [proxies]}]}) | named
    sent = service(selector={"app": "other"}) | named
    theirs = {"two/policy.yaml": text(opened) or "", "two/service.yaml": yaml_writer.block(sent, 0)}

    def led(**labels: str) -> set[Consequence]:
        before, now = deployment(), deployment(template={"metadata": {"labels": labels}, "spec": pod()})
        tree = Tree({"one/x.yaml": text(before)}, there=True)
        rendered = {**theirs, "one/x.yaml": text(now) or ""}
        (entry,) = entries(Sides("t", tree, rendered, {}, Before(), Now({})))
        return {one for one in entry.consequences if one.name == "labels"}

    assert led(component="local-proxy") == {
        Consequence("labels", "x: may reach the pods of other by component=local-proxy")
    }
    assert led(app="other") == {Consequence("labels", "x: gets what is sent to Service other by app=other")}
    assert led(app="mine", component="mcp-server") == set()


@pytest.mark.parametrize(
    ("peer", "reaches"),
    [
        ({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "elsewhere"}}, False),
        ({"matchLabels": {f"{OF}team": "a"}}, False),
        ({"matchExpressions": [{"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}]}, False),
        ({"matchLabels": {"k8s:component": "c", "k8s:io.kubernetes.pod.namespace": "elsewhere"}}, False),
        ({"matchLabels": {"k8s:component": "c", "k8s:io.kubernetes.pod.namespace": "n"}}, True),
        ({"matchLabels": {"component": "c", f"{OF}team": "a"}}, True),
        ({"matchLabels": {"component": "c"}}, True),
        ({"podSelector": {"matchLabels": {"component": "c"}}, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}}, False),
        ({"podSelector": {"matchLabels": {"component": "c"}}, "namespaceSelector": {}}, True),
    ],
)  # fmt: skip
def test_pods_of_another_namespace_are_not_meant(peer: dict[str, Any], reaches: bool) -> None:
    """Of a server that comes, by a policy of another one."""
    if "podSelector" in peer:
        opened = policy(ingress=[{"from": [peer]}], types=["Ingress"])
    else:
        opened = kind("CiliumNetworkPolicy", "cilium.io/v2", spec={"ingress": [{"fromEndpoints": [peer]}]})
    now = deployment(template={"metadata": {"labels": {"component": "c"}}, "spec": pod()})
    other = text(opened | {"metadata": {"name": "other", "namespace": "n"}}) or ""
    rendered = {"two/policy.yaml": other, "one/x.yaml": text(now) or ""}
    (entry,) = entries(Sides("t", Tree({}, frozenset(["one/x.yaml"]), there=True), rendered, {}, Before(), Now({})))
    assert ("labels" in [one.name for one in entry.consequences]) is reaches


def delivered(version: str, name: str = "Kustomization", **spec: Any) -> str:
    return text({"apiVersion": version, "kind": name, "metadata": {"name": "x"}, "spec": spec}) or ""


def led(before: dict[str, str | None], now: dict[str, str]) -> list[Consequence]:
    """Of the files that all servers share."""
    unlike = {path: value for path, value in before.items() if now.get(path) != value}
    tree = Tree(unlike, frozenset(path for path in now if path not in before), there=True)
    (entry,) = entries(Sides("t", tree, now, {}, Before(), Now({}), 1))
    return list(entry.consequences)


ARGO, FLUX, GIT = "argoproj.io/v1alpha1", "kustomize.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1"


@pytest.mark.parametrize(
    ("version", "name", "old", "new", "says"),
    [
        (ARGO, "Application", {"source": {"repoURL": "a"}}, {"source": {"repoURL": "b"}}, "spec.source.repoURL a → b"),
        (ARGO, "Application", {"source": {"path": "a"}}, {"source": {"path": "b"}}, "spec.source.path a → b"),
        (ARGO, "Application", {"destination": {"namespace": "a"}}, {"destination": {"server": "b"}}, "spec.destination.server not set → b"),
        (ARGO, "Application", {"syncPolicy": {"automated": {"prune": False}}}, {"syncPolicy": {"automated": {"prune": True}}}, "spec.syncPolicy.automated.prune false → true"),
        (ARGO, "ApplicationSet", {"template": {"spec": {"source": {"targetRevision": "main"}}}}, {"template": {"spec": {"source": {"targetRevision": "x"}}}}, "spec.template.spec.source.targetRevision main → x"),
        (ARGO, "ApplicationSet", {"generators": [{"list": {"elements": [{"name": "a"}]}}]}, {"generators": [{"clusters": {}}]}, None),
        (FLUX, "Kustomization", {"sourceRef": {"name": "a"}}, {"sourceRef": {"name": "b"}}, "spec.sourceRef.name a → b"),
        (FLUX, "Kustomization", {}, {"suspend": True}, "spec.suspend not set → true"),
        (FLUX, "Kustomization", {"prune": True}, {"prune": False}, "spec.prune true → false"),
        (FLUX, "Kustomization", {}, {"targetNamespace": "b"}, "spec.targetNamespace not set → b"),
        (GIT, "GitRepository", {"url": "a"}, {"url": "b"}, "spec.url a → b"),
        (GIT, "GitRepository", {"ref": {"branch": "a"}}, {"ref": {"branch": "b"}}, "spec.ref.branch a → b"),
        (GIT, "OCIRepository", {"verify": {"provider": "cosign"}}, {}, None),
    ],
)  # fmt: skip
def test_another_source_or_destination_of_what_is_delivered_is_grave(
    version: str, name: str, old: dict[str, Any], new: dict[str, Any], says: str | None
) -> None:
    path = f"delivery/{name.lower()}-x.yaml"
    consequences = led({path: delivered(version, name, **old)}, {path: delivered(version, name, **new)})
    assert {one.name for one in consequences} == {"source"}
    assert CONSEQUENCES["source"].grave
    assert says is None or f"{name} x: {says}" in [one.detail for one in consequences]


@pytest.mark.parametrize(
    ("version", "name", "old", "new", "says"),
    [
        (FLUX, "Kustomization", {"interval": "1m"}, {"interval": "2m"}, "spec.interval 1m → 2m"),
        (ARGO, "Application", {}, {"ignoreDifferences": []}, "spec.ignoreDifferences not set → []"),
        (ARGO, "ApplicationSet", {"template": {"spec": {"syncPolicy": {}}}}, {"template": {"spec": {"syncPolicy": {"syncOptions": ["a"]}}}}, None),
    ],
)  # fmt: skip
def test_when_the_same_is_delivered_is_not_grave(
    version: str, name: str, old: dict[str, Any], new: dict[str, Any], says: str | None
) -> None:
    path = f"delivery/{name.lower()}-x.yaml"
    (one,) = led({path: delivered(version, name, **old)}, {path: delivered(version, name, **new)})
    assert one.name == "delivery"
    assert says is None or one.detail == f"{name} x: {says}"


def test_another_object_of_the_same_delivery_is_named() -> None:
    old = {"delivery/application.yaml": delivered(ARGO, "Application")}
    new = {"delivery/applicationset.yaml": delivered(ARGO, "ApplicationSet")}
    assert led({**old}, new) == [
        Consequence("source", "Application x is removed"),
        Consequence("source", "ApplicationSet x is new"),
    ]


def test_a_switch_of_delivery_is_one_line() -> None:
    argo = {"delivery/application.yaml": delivered("argoproj.io/v1alpha1", "Application")}
    flux = {"delivery/kustomization.yaml": delivered("kustomize.toolkit.fluxcd.io/v1")}
    assert led({**argo}, flux) == [Consequence("delivery", "by Argo CD before, by Flux now")]
    listing = {"kubernetes/kustomization.yaml": "resources: [a.yaml]\n"}
    assert led({**listing}, argo) == [Consequence("delivery", "by kustomize before, by Argo CD now")]
    of_server = {**listing, "kubernetes/one/kustomization.yaml": "resources: [b.yaml]\n"}
    assert led({}, of_server) == [Consequence("delivery", "by nobody before, by kustomize now")]
    assert led({**of_server}, flux) == [Consequence("delivery", "by kustomize before, by Flux now")]
    assert led({**listing}, {"kubernetes/kustomization.yaml": "resources: [a.yaml, b.yaml]\n"}) == [
        Consequence("files")
    ]


def test_what_governs_our_namespace_narrows_when_it_comes_and_frees_when_it_goes() -> None:
    labels = {path: value for path, value in texts("kubernetes", spec()).items() if "/" not in path}
    shared = {f"kubernetes/{path}": value for path, value in labels.items()}
    space = {"kubernetes/namespace.yaml": shared["kubernetes/namespace.yaml"]}
    assert {one.name for one in led({**space}, shared)} == {"addition"}
    assert set(led({**shared}, space)) == {
        Consequence("egress", "everything, every port"),
        Consequence("ingress", "everything, every port"),
        Consequence("rbac", "ServiceAccount default: pods that name no account get a token of the Kubernetes API"),
        Consequence("removal", "ServiceAccount default"),
        Consequence("removal", "NetworkPolicy mcpctl-default-deny"),
    }
    # With the whole Namespace goes what it held.
    gone = led({**shared}, {"kubernetes/other.yaml": text(kind("ConfigMap")) or ""})
    assert {one.name for one in gone} == {"data-loss", "removal", "addition"}


def test_a_new_server_is_new_and_its_objects_are_not_changed() -> None:
    (entry,) = run({}, {"d.yaml": text(deployment()) or "", "s.yaml": text(service()) or "", "A.md": "x"})
    assert (entry.state, entry.others) == ("new", ("one/A.md",))
    assert [one.name for one in entry.consequences] == ["egress", "ingress", "addition"]


def test_a_policy_that_goes_frees_the_pods() -> None:
    before = {"p.yaml": text(policy(block(ANY, 443))), "d.yaml": text(deployment())}
    (entry,) = run(before, {"d.yaml": before["d.yaml"] or ""})
    assert Consequence("egress", "everything, every port") in entry.consequences


def test_statements_of_comments() -> None:
    def led(old: str | None, new: str) -> list[str]:
        after = f"\n{text(service())}"
        (entry,) = run({} if old is None else {"x.yaml": old + after}, {"x.yaml": new + after})
        return [one.detail for one in entry.consequences if one.name == "unenforced"]

    wrapped = "# NOT ENFORCED: egress only to 10.0.0.0/8,\n# service b. A compose network is open or closed."
    assert led("", wrapped) == ["10.0.0.0/8 is new (not enforced)", "service b is new (not enforced)"]
    assert led(None, wrapped) == ["10.0.0.0/8 is new (not enforced)", "service b is new (not enforced)"]
    assert led(wrapped, wrapped.replace("b. A", "b, service c. A")) == ["service c is new (not enforced)"]
    assert led("# All OUT OF REACH: a, b.", "# OUT OF REACH: a.") == ["b is removed (out of reach)"]
    assert led("# NOT RENDERED: a wait of 5 seconds, at most.", "# NOT RENDERED: a wait of 6 seconds, at most.") == [
        "'a wait of 5 seconds, at most' is removed (not rendered)",
        "'a wait of 6 seconds, at most' is new (not rendered)",
    ]
    assert led("# Some words: a.", "# Other words: b.") == []
    assert led(None, "# NOT RENDERED: a wait.") == []


def test_a_label_that_a_monitor_selects_counts() -> None:
    monitor = kind("ServiceMonitor", "monitoring.coreos.com/v1", spec={"selector": {"matchLabels": {"a": "b"}}})
    labelled = {**service(), "metadata": {"name": "x", "namespace": "n", "labels": {"a": "c"}}}
    files = {"m.yaml": text(monitor) or ""}
    (entry,) = run({**files, "s.yaml": text(service())}, {**files, "s.yaml": text(labelled) or ""})
    assert [one.name for one in entry.consequences] == ["update"]


def test_documents_for_people_are_cosmetic() -> None:
    (entry,) = run({"A.md": "a", "x.yaml": text(service())}, {"A.md": "b", "x.yaml": text(service()) or ""})
    assert entry.consequences == (Consequence("cosmetic"),)


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "a: [",
        "- 1\n",
        "kind: 1\n",
        "spec: {template: [1]}\nkind: Deployment\napiVersion: v1\n",
        None,
        "kind: Pod\napiVersion: v1\nspec: {containers: [1, {name: [x]}], volumes: x}\n",
        "services: {a: 1, b: {ports: 3}}\nvolumes: [1]\n",
    ],
)
def test_old_files_may_hold_anything(junk: str | None) -> None:
    (entry,) = run(
        {"x.yaml": junk, "o.yaml": text(service())},
        {"x.yaml": text(deployment()) or "", "o.yaml": text(service()) or ""},
    )
    assert entry.files == ("one/x.yaml",)
    assert entry.consequences


@cache
def is_rendered(name: str) -> bool:
    """Of the examples: whether it is for Kubernetes, and holds from another folder."""
    document = next(each for each in documents() if each["metadata"]["name"] == name)  # type: ignore[index, call-overload]
    return not read_specs(document).remotes and not errors_in(rendered("kubernetes", document).problems)


@pytest.mark.parametrize("document", documents(), ids=lambda document: document["metadata"]["name"])
@pytest.mark.parametrize("workload", ["Deployment", "StatefulSet"])
def test_words_for_people_replace_nothing(document: dict[str, Any], workload: str) -> None:
    name, spec = document["metadata"]["name"], {**document["spec"], "workload": workload}
    if "rollout" in spec and workload == "StatefulSet":
        spec.pop("rollout")
    if spec.get("transport", {}).get("bridge") == "none":
        return  # without a Service
    if not is_rendered(name):
        return
    spec["patches"] = []
    volumes = spec.get("storage") or [{"name": "data", "size": "1Gi", "mountPath": "/data"}]
    spec |= {"storage": volumes} if workload == "StatefulSet" else {}
    before = {**document, "spec": spec}
    labels, notes = ({**document["metadata"].get(field, {}), "more": "x"} for field in ("labels", "annotations"))
    metadata = {**document["metadata"], "labels": labels, "annotations": notes}
    other = [{**volume, "purpose": "another"} for volume in spec.get("storage", ())]
    now = {**document, "metadata": metadata, "spec": {**spec, "storage": other, "description": "Another"}}
    (entry,) = run(dict(texts("kubernetes", before)), texts("kubernetes", now), name)
    assert {one.name for one in entry.consequences}.isdisjoint({"replacement", "data-loss"})

"""The table of Kubernetes objects: kind, template, when, in the order in which they are applied.

Adding an object is a line here, a template and its golden file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from renderer.model import JSON, Server

Values = Mapping[str, JSON]


class Instance(NamedTuple):
    """One object to render: name, own annotations, and the name of its file without ending."""

    name: str
    stem: str
    annotations: Mapping[str, str]
    extra: Values


class ObjectType(NamedTuple):
    """One line of the table: ``instances`` yields what of this kind a server needs."""

    kind: str
    template: str
    instances: Callable[[Server, Mapping[str, Any]], Iterator[Instance]]


def _service_account(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.service_account.create:
        yield _one(server.service_account.name, "serviceaccount", view)


def _config_map(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if view["config_data"]:
        yield _one(f"{server.resource_name}-files", "configmap", view)


def _claims(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.workload != "StatefulSet":
        for volume in view["storage"]:
            stem = f"persistentvolumeclaim-{volume['name']}"
            yield Instance(volume["claim"], stem, volume["annotations"], {"volume": volume})


def _network_policy(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    hosts = view["hosts_not_enforced"]
    # A tool that reads the object must learn the same as a person who reads its comment.
    own = {"mcpctl.io/egress-hosts-not-enforced": ",".join(hosts)} if hosts else {}
    annotations = {**view["annotations"], **own}
    yield Instance(f"{server.resource_name}-netpol", "networkpolicy", annotations, {})


def _service(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
    if server.listens:
        yield _one(server.resource_name, "service", view)


def _workload(kind: str) -> Callable[[Server, Mapping[str, Any]], Iterator[Instance]]:
    def instances(server: Server, view: Mapping[str, Any]) -> Iterator[Instance]:
        if server.workload == kind:
            text = {"mcpctl.io/description": server.description} if server.description else {}
            # A Pod is its own pod: what a template would carry, it carries itself.
            base = view["pod_annotations"] if kind == "Pod" else view["annotations"]
            yield Instance(server.resource_name, kind.lower(), {**base, **text}, {})

    return instances


def _one(name: str, stem: str, view: Mapping[str, Any]) -> Instance:
    return Instance(name, stem, view["annotations"], {})


#: A NetworkPolicy stands before the workload, so that its first packet already meets it.
OBJECTS: tuple[ObjectType, ...] = (
    ObjectType("ServiceAccount", "kubernetes/serviceaccount.yaml.j2", _service_account),
    ObjectType("NetworkPolicy", "kubernetes/networkpolicy.yaml.j2", _network_policy),
    ObjectType("ConfigMap", "kubernetes/configmap.yaml.j2", _config_map),
    ObjectType("PersistentVolumeClaim", "kubernetes/persistentvolumeclaim.yaml.j2", _claims),
    ObjectType("Service", "kubernetes/service.yaml.j2", _service),
    ObjectType("Deployment", "kubernetes/deployment.yaml.j2", _workload("Deployment")),
    ObjectType("StatefulSet", "kubernetes/statefulset.yaml.j2", _workload("StatefulSet")),
    ObjectType("Pod", "kubernetes/pod.yaml.j2", _workload("Pod")),
)

"""The rendered pod of a server, for operators that add their own bridge, Service and policies."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from renderer import pipeline
from renderer.errors import Defect, errors_in
from renderer.manifest import as_mapping, mappings, pod_spec
from renderer.model import JSON, Options, Server
from renderer.registry import target
from renderer.resolve import resolve
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: Fields that do not affect the pod itself.
_AROUND = ("expose", "monitoring", "autoscaling", "disruption", "patches", "sandbox", "service", "workload", "replicas")
#: Kinds that pods refer to and operators do not create.
_COMPANIONS = frozenset({"ConfigMap", "PersistentVolumeClaim", "ExternalSecret"})
_RIGHTS = frozenset({"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


class Pod(NamedTuple):
    """``spec`` has no containers; ``container`` is the server's. ``companions`` are objects that both refer to."""

    spec: dict[str, Any]
    container: dict[str, Any]
    sidecars: list[dict[str, Any]]
    companions: tuple[Mapping[str, JSON], ...]
    #: Whether the server needs an account of its own.
    has_account: bool

    @property
    def literals(self) -> dict[str, str]:
        return {
            env["name"]: env.get("value", "") for env in mappings(self.container.get("env")) if "valueFrom" not in env
        }

    @property
    def references(self) -> list[dict[str, Any]]:
        return [env for env in mappings(self.container.get("env")) if "valueFrom" in env]


def pod_of(server: Server, options: Options, bridge: str = "none") -> Pod:
    """Rendered without a guard; ``bridge`` is that of a stdio server."""
    data = deepcopy(server.source.data)
    spec = as_mapping(data["spec"])
    for field in _AROUND:
        spec.pop(field, None)
    spec["access"] = "none"
    network = as_mapping(spec.pop("network", None))
    spec["network"] = {key: network[key] for key in ("hostAliases",) if key in network}
    if server.transport.type == "stdio":
        spec["transport"] = {**as_mapping(spec.get("transport")), "type": "stdio", "bridge": bridge}
    if server.transport.type == "stdio" and bridge == "none":
        spec.pop("health", None)
    bare = resolve(server.source._replace(data=data))._replace(images=server.images, namespace=server.namespace)
    output = pipeline.render(pipeline.Specs((bare,), ()), target("kubernetes"), options)
    if errors := errors_in(output.problems):
        raise Defect(f"the pod of {server.name} cannot be rendered alone: {errors[0].message}")
    read_again = [read(each.text, strict=False, limits=OUTPUT_LIMITS, marks=False)[0] for each in output.documents]
    manifests = [as_mapping(document.data) for documents in read_again for document in documents]
    spec = next(pod_spec("Deployment", each) for each in manifests if each["kind"] == "Deployment")
    container = next(each for each in mappings(spec["containers"]) if each["name"] == "mcp-server")
    sidecars = [each for each in mappings(spec.pop("containers")) if each is not container]
    account = server.service_account
    has_account = not account.create or account.has_rights or bool(account.annotations) or server.mounts_token
    kinds = _COMPANIONS | _RIGHTS if has_account else _COMPANIONS
    companions = tuple(each for each in manifests if each["kind"] in kinds)
    return Pod(spec, container, sidecars, companions, has_account)

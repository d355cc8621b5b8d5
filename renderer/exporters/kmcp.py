"""kmcp's MCPServer, kagent.dev/v1alpha1. The operator copies a bridge into the pod of a stdio server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from renderer.errors import DocumentPath
from renderer.exporters.exported import (
    COMMON,
    Exported,
    Fates,
    Lost,
    document,
    entries_of,
    entry,
    lost,
    network_entry,
    refused,
    without_empty,
)
from renderer.exporters.pod import Pod, pod_of
from renderer.importers.draft import Entry, Outcome
from renderer.manifest import at, mappings
from renderer.model import Options, Server

API_VERSION = "kagent.dev/v1alpha1"
_DEPLOYMENT = "spec.deployment"
_REMOTE = "kmcp runs servers and knows no remote ones; kagent has RemoteMCPServer for them"

_FATES: Fates = {
    **COMMON,
    "image": f"{_DEPLOYMENT}.image",
    "package": f"{_DEPLOYMENT}.cmd",
    "remote": Lost(_REMOTE),
    "command": f"{_DEPLOYMENT}.cmd",
    "args": f"{_DEPLOYMENT}.args",
    "workingDir": Lost("the resource has no working directory: the image's counts"),
    "transport.type": "spec.transportType",
    "transport.port": f"{_DEPLOYMENT}.port",
    "transport.path": "spec.httpTransport.path",
    "transport.stateful": Lost("kmcp's Service sends a client to any of the pods"),
    "env": f"{_DEPLOYMENT}.env",
    "envFrom": f"{_DEPLOYMENT}.secretRefs",
    "files": f"{_DEPLOYMENT}.volumes",
    "resources": f"{_DEPLOYMENT}.resources",
    "replicas": f"{_DEPLOYMENT}.replicas",
    "service.port": Lost("kmcp's Service has the port of the server"),
    "storage": f"{_DEPLOYMENT}.volumes",
    "security": f"{_DEPLOYMENT}.securityContext",
    "scheduling.nodeSelector": f"{_DEPLOYMENT}.nodeSelector",
    "scheduling.tolerations": f"{_DEPLOYMENT}.tolerations",
    "scheduling.antiAffinity": f"{_DEPLOYMENT}.affinity",
    "scheduling.topologySpread": Lost("the resource has no topologySpreadConstraints"),
    "scheduling.priorityClassName": Lost("the resource has no priorityClassName"),
    "gpu": f"{_DEPLOYMENT}.resources",
    "imagePullPolicy": f"{_DEPLOYMENT}.imagePullPolicy",
    "imagePullSecrets": f"{_DEPLOYMENT}.imagePullSecrets",
    "sidecars": f"{_DEPLOYMENT}.sidecars",
    "serviceAccount": f"{_DEPLOYMENT}.serviceAccountName",
}


def export(server: Server, options: Options) -> Exported:
    if server.remote:
        return refused(server, ("spec", "remote"), _REMOTE)
    if server.transport.type == "sse":
        return refused(server, ("spec", "transport"), "kmcp runs servers of stdio and streamable HTTP, and none of SSE")
    pod = pod_of(server, options)
    # kmcp exposes all keys of a Secret as variables of the same name.
    named = [at(env, "valueFrom", "secretKeyRef", "name") for env in pod.references]
    whole = [at(source, "secretRef", "name") for source in mappings(pod.container.get("envFrom"))]
    words = [*pod.container.get("command", []), *pod.container.get("args", [])]
    has_command = bool(pod.container.get("command"))
    stdio = server.transport.type == "stdio"
    http = {"targetPort": server.transport.port, "path": server.transport.path}
    deployment: dict[str, Any] = {
        "image": pod.container["image"],
        "imagePullPolicy": pod.container.get("imagePullPolicy"),
        "port": server.transport.port,
        "cmd": words[0] if has_command else None,
        "args": words[1:] if has_command else words,
        "env": pod.literals,
        "secretRefs": [{"name": str(name)} for name in dict.fromkeys((*named, *whole)) if name],
        "volumes": pod.spec.get("volumes"),
        "volumeMounts": pod.container.get("volumeMounts"),
        "resources": pod.container.get("resources"),
        "securityContext": pod.container.get("securityContext"),
        "podSecurityContext": pod.spec.get("securityContext"),
        "serviceAccountName": server.service_account.name if pod.has_account else None,
        **{key: pod.spec.get(key) for key in ("nodeSelector", "tolerations", "affinity", "imagePullSecrets")},
        "sidecars": pod.sidecars,
        "labels": dict(server.labels),
        "replicas": None if server.autoscaling else server.replicas,
    }
    spec: dict[str, Any] = {
        "transportType": "stdio" if stdio else "http",
        **({"stdioTransport": {}} if stdio else {"httpTransport": http}),
        "deployment": without_empty(deployment),
    }
    resource = document(API_VERSION, "MCPServer", server, options, spec)
    entries = (*entries_of(server, _FATES), *_losses(server, pod), *network_entry(server))
    return Exported(server, (*pod.companions, resource), entries)


def _losses(server: Server, pod: Pod) -> Iterator[Entry]:
    """What kmcp passes on differently, and defaults that it does not share."""
    for env in pod.references:
        path: DocumentPath = ("spec", "env", env["name"])
        secret = at(env, "valueFrom", "secretKeyRef")
        if secret is None:
            yield lost(server, path, "kmcp takes values and whole Secrets alone")
        elif secret["key"] != env["name"]:
            question = f"kmcp names variables as the keys of the Secret {secret['name']}: add a key {env['name']} to it"
            yield entry(server, path, Outcome.DECISION, f"{_DEPLOYMENT}.secretRefs", question)
    for source in mappings(pod.container.get("envFrom")):
        if "secretRef" not in source or source.get("prefix"):
            yield lost(server, ("spec", "envFrom"), "kmcp takes whole Secrets alone, and no prefix")
    words = [*pod.container.get("command", []), *pod.container.get("args", [])]
    if server.transport.type == "stdio" and any("$(" in word for word in words):
        why = "kmcp's bridge hands arguments on as they are: $(NAME) in them is not replaced"
        yield lost(server, ("spec", "args"), why)
    if not server.mounts_token:
        why = "the resource cannot say that no token of the Kubernetes API is mounted"
        yield lost(server, ("spec", "serviceAccount"), why)

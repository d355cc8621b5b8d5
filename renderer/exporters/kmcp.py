"""kmcp's operator: MCPServer of kagent.dev/v1alpha1. It copies a bridge into the pod of a stdio server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from renderer.errors import DocumentPath
from renderer.exporters.exported import COMMON, Exported, Fates, Lost, entries_of, entry, metadata_of, network_entry
from renderer.exporters.pod import Pod, pod_of
from renderer.importers.draft import Entry, Outcome
from renderer.manifest import at, mappings
from renderer.model import JSON, Options, Server

API_VERSION = "kagent.dev/v1alpha1"
_DEPLOYMENT = "spec.deployment"

_FATES: Fates = {
    **COMMON,
    "image": f"{_DEPLOYMENT}.image",
    "package": f"{_DEPLOYMENT}.cmd",
    "remote": Lost("kmcp runs servers and knows no remote ones; kagent has RemoteMCPServer for them"),
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
    """An MCPServer and what it refers to."""
    if reason := _why_not(server):
        return Exported(server, (), (entry(server, *reason),))
    pod = pod_of(server, options)
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
        "secretRefs": [{"name": name} for name in _whole_secrets(pod)],
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
        "deployment": {key: value for key, value in deployment.items() if value},
    }
    document: dict[str, JSON] = {
        "apiVersion": API_VERSION,
        "kind": "MCPServer",
        "metadata": metadata_of(server, options),
        "spec": spec,
    }
    entries = (*entries_of(server, _FATES), *_losses(server, pod), *network_entry(server))
    return Exported(server, (*pod.companions, document), entries)


def _why_not(server: Server) -> tuple[DocumentPath, Outcome, str, str] | None:
    """The field, and why no MCPServer can run the server."""
    lost = _FATES["remote"]
    if server.remote and isinstance(lost, Lost):
        return ("spec", "remote"), Outcome.LOST, "", lost.why
    if server.transport.type == "sse":
        return (
            ("spec", "transport"),
            Outcome.LOST,
            "",
            "kmcp runs servers of stdio and streamable HTTP, and none of SSE",
        )
    return None


def _whole_secrets(pod: Pod) -> list[str]:
    """kmcp puts every key of a Secret into the environment, under its own name."""
    named = [str(at(env, "valueFrom", "secretKeyRef", "name") or "") for env in pod.references]
    whole = [str(at(source, "secretRef", "name") or "") for source in mappings(pod.container.get("envFrom"))]
    return list(dict.fromkeys(name for name in (*named, *whole) if name))


def _losses(server: Server, pod: Pod) -> Iterator[Entry]:
    """Variables and arguments that arrive in another way, and defaults of mcpctl's that kmcp does not share."""
    for env in pod.references:
        path: DocumentPath = ("spec", "env", env["name"])
        secret = at(env, "valueFrom", "secretKeyRef")
        if secret is None:
            yield entry(server, path, Outcome.LOST, message="kmcp takes values and whole Secrets alone")
        elif secret["key"] != env["name"]:
            question = f"kmcp names variables as the keys of the Secret {secret['name']}: add a key {env['name']} to it"
            yield entry(server, path, Outcome.DECISION, f"{_DEPLOYMENT}.secretRefs", question)
    for source in mappings(pod.container.get("envFrom")):
        if "secretRef" not in source or source.get("prefix"):
            why = "kmcp takes whole Secrets alone, and no prefix"
            yield entry(server, ("spec", "envFrom"), Outcome.LOST, message=why)
    words = [*pod.container.get("command", []), *pod.container.get("args", [])]
    if server.transport.type == "stdio" and any("$(" in word for word in words):
        why = "kmcp's bridge hands arguments on as they are: $(NAME) in them is not replaced"
        yield entry(server, ("spec", "args"), Outcome.LOST, message=why)
    if not server.mounts_token:
        why = "the resource cannot say that no token of the Kubernetes API is mounted"
        yield entry(server, ("spec", "serviceAccount"), Outcome.LOST, message=why)

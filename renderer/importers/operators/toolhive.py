"""ToolHive's MCPServer and MCPRemoteProxy, v1alpha1 and v1beta1."""

from __future__ import annotations

from renderer.errors import DocumentPath
from renderer.importers.draft import Reading, plain_text, with_values
from renderer.importers.images import set_image
from renderer.importers.manifests.containers import read_env, read_probes, read_resources, read_words
from renderer.importers.manifests.pods import pre_stop, read_pod, read_security
from renderer.importers.manifests.volumes import read_volumes
from renderer.importers.operators.resource import Resource
from renderer.importers.permissions import allow_nothing, leave_folder
from renderer.importers.remotes import REMOTE
from renderer.model import JSON

_SPEC: DocumentPath = ("spec",)
_POD: DocumentPath = ("spec", "podTemplateSpec", "spec")
_LOST = {
    "oidcConfig": "write spec.access: without it everybody who reaches the server may call it",
    "authzConfig": "policies in Cedar: write spec.access.tools with scopes and groups",
    "authzConfigRef": "policies in Cedar: write spec.access.tools with scopes and groups",
    "authServerRef": "no field of a spec logs clients in: name the issuer of the tokens under spec.access.issuers",
    "externalAuthConfigRef": "no field of a spec exchanges tokens",
    "webhookConfigRef": "no field of a spec has webhooks",
    "telemetryConfigRef": "write spec.monitoring, or variables of OpenTelemetry under spec.env",
    "telemetry": "write spec.monitoring, or variables of OpenTelemetry under spec.env",
    "toolConfigRef": "write the tools that may be called under spec.access.tools",
    "tools": "write the tools that may be called under spec.access.tools",
    "sessionStorage": "no field of a spec keeps sessions in Redis",
    "rateLimiting": "write spec.access.rateLimit",
    "groupRef": "a spec belongs to no group: write a label",
    "endpointPrefix": "write spec.expose.path",
    "resourceOverrides": "labels and annotations of the proxy, which a spec does not have",
}


def read_server(resource: Resource) -> None:
    reading = resource.reading
    resource.read_metadata()
    image = reading.text("spec", "image")
    set_image(reading, ("spec", "image"), image)
    kind = reading.text("spec", "transport") or "stdio"
    _ports(reading, kind)
    read_words(reading, _SPEC, _SPEC)
    read_env(reading, _SPEC, _SPEC, resource.known)
    for path, _ in reading.items("spec", "secrets"):
        name = reading.text(*path, "targetEnvName") or reading.text(*path, "key")
        reference: JSON = {"secret": reading.text(*path, "name"), "key": reading.text(*path, "key")}
        reading.map(path, ("spec", "env", name), reference)
    for path, _ in reading.items("spec", "volumes"):
        leave_folder(reading, path, reading.text(*path, "hostPath"), reading.text(*path, "mountPath"))
    read_resources(reading, _SPEC, _SPEC)
    resource.read_account(("spec", "serviceAccount"))
    _permissions(reading)
    _template(resource)
    reading.carry(("spec", "backendReplicas"), ("spec", "replicas"))
    reading.lose_all(["replicas"], "replicas of ToolHive's proxy, which there is none of", _SPEC)
    affinity = reading.text("spec", "sessionAffinity")
    if affinity == "None":
        reading.map(("spec", "sessionAffinity"), ("spec", "transport", "stateful"), False)
    elif affinity:
        reading.note(("spec", "sessionAffinity"), None, "the default")
    _access(resource)
    proxy: DocumentPath = ("spec", "resourceOverrides", "proxyDeployment")
    reading.carry_names((*proxy, "imagePullSecrets"), ("spec", "imagePullSecrets"))
    reading.lose_each(_LOST, _SPEC)
    resource.start(image, kind == "stdio")


def _ports(reading: Reading, kind: str) -> None:
    port = next((key for key in ("mcpPort", "targetPort") if reading.get("spec", key) is not None), "")
    proxy = next((key for key in ("proxyPort", "port") if reading.get("spec", key) is not None), "")
    reading.map(("spec", "transport"), ("spec", "transport", "type"), kind)
    if reading.text("spec", "proxyMode") == "sse" and kind == "stdio":
        reading.lose(("spec", "proxyMode"), "clients spoke SSE: give them the new address, at /mcp")
    else:
        reading.note(("spec", "proxyMode"), None, "the default")
    if port and kind != "stdio":
        reading.map(("spec", port), ("spec", "transport", "port"), reading.get("spec", port))
    elif port:
        reading.note(("spec", port), None, "a stdio server has no port")
    elif kind != "stdio":
        reading.decide((), ("spec", "transport", "port"), 8080, "the port that the server listens on; 8080 is a guess")
    if proxy:
        reading.map(("spec", proxy), ("spec", "service", "port"), reading.get("spec", proxy))
    reading.lose_all(["trustProxyHeaders"], "no proxy rewrites addresses", _SPEC)


def _permissions(reading: Reading) -> None:
    path: DocumentPath = ("spec", "permissionProfile")
    name = reading.text(*path, "name")
    if not name:
        return
    if reading.text(*path, "type") == "configmap":
        reading.lose(path, f"the profile is in the ConfigMap {name}: write its hosts under spec.network.egress")
    elif name == "none":
        allow_nothing(reading, path)
    else:
        reading.note(path, ("spec", "network"), "what it connects to is open, as it was")


def _template(resource: Resource) -> None:
    """The pod template: the container 'mcp' and the pod's own fields."""
    reading = resource.reading
    containers = list(reading.items(*_POD, "containers"))
    if not reading.mapping(*_POD):
        return
    read_pod(reading, _POD, "Deployment")
    reading.note((*_POD, "automountServiceAccountToken"), None, "no token is mounted")
    reading.note((*_POD, "enableServiceLinks"), None, "as every server")
    for path, _ in containers:
        if reading.text(*path, "name") == "mcp":
            _container(resource, path)
        else:
            reading.lose(path, "a further container: write it under spec.sidecars")
    for path, _ in reading.items(*_POD, "initContainers"):
        reading.lose(path, "write it under spec.initContainers")


def _container(resource: Resource, path: DocumentPath) -> None:
    reading = resource.reading
    reading.note((*path, "name"), None, "the server's")
    read_words(reading, path, _SPEC)
    read_env(reading, path, _SPEC, resource.known)
    read_resources(reading, path, _SPEC)
    if reading.mapping(*path, "securityContext") or reading.mapping(*_POD, "securityContext"):
        read_security(reading, _POD, path)
    read_volumes(reading, _POD, path, resource.known)
    if reading.text("spec", "transport") not in ("", "stdio"):
        port = reading.written(("spec", "transport", "port"))
        number = port if isinstance(port, int) else 8080
        read_probes(reading, path, number, {"mcp": number})
    pre_stop(reading, path)
    reading.note((*path, "ports"), ("spec", "transport", "port"))
    for key in ("workingDir", "imagePullPolicy"):
        reading.carry_text((*path, key), ("spec", key))


def _access(resource: Resource) -> None:
    """The issuer of the MCPOIDCConfig that the server refers to."""
    reading, path = resource.reading, ("spec", "oidcConfigRef")
    config = resource.related.get(("MCPOIDCConfig", reading.text(*path, "name")))
    url = reading.text(*path, "resourceUrl")
    if config is None or not config.reading.text("spec", "inline", "issuer") or not url:
        reading.lose_each({"audit": "requests are logged by the guard: write spec.access"}, _SPEC)
        if reading.mapping(*path):
            advice = "write spec.access, or everybody may call the server"
            reading.lose(path, f"the issuer, or the public address, is not here: {advice}")
        return
    inline = config.reading.mapping("spec", "inline")
    issuer = with_values({"url": plain_text(inline["issuer"]), "jwks": plain_text(inline.get("jwksUrl"))})
    if (audience := reading.text(*path, "audience")) != url:
        issuer["audiences"] = [audience]
    reading.map(path, ("spec", "access"), {"url": url, "issuers": [issuer]})
    if scopes := [reading.text(*scope) for scope, _ in reading.items(*path, "scopes")]:
        reading.write(("spec", "access", "require"), {"scopes": list(scopes)})
    reading.note(("spec", "audit"), ("spec", "access", "log"))


def read_proxy(resource: Resource) -> None:
    """A remote server: clients call it without the proxy."""
    reading = resource.reading
    resource.read_metadata()
    reading.map(("spec", "remoteUrl"), (*REMOTE, "url"), reading.text("spec", "remoteUrl"))
    reading.carry_text(("spec", "transport"), (*REMOTE, "transport"))
    forward: DocumentPath = ("spec", "headerForward")
    for name, value in reading.mapping(*forward, "addPlaintextHeaders").items():
        reading.map((*forward, "addPlaintextHeaders", name), (*REMOTE, "headers", name), value)
    for path, _ in reading.items(*forward, "addHeadersFromSecret"):
        reference: JSON = {
            key: reading.text(*path, "valueSecretRef", own) for key, own in (("secret", "name"), ("key", "key"))
        }
        reading.map(path, (*REMOTE, "headers", reading.text(*path, "headerName")), reference)
    proxy = "clients reach the server itself, and no proxy is rendered"
    rest = [key for key in reading.mapping("spec") if key not in ("remoteUrl", "transport", "headerForward")]
    reading.lose_each({key: _LOST.get(key, proxy) for key in rest}, _SPEC)

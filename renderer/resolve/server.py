"""From filled-in data to the frozen Server: the one place where dicts end."""

from __future__ import annotations

from typing import Any

from renderer.model import (
    Amounts,
    ConfigMapRef,
    Egress,
    EgressCidr,
    EgressHost,
    EgressService,
    EnvFrom,
    File,
    Health,
    Network,
    Package,
    Patch,
    Peer,
    Publish,
    Resources,
    SecretRef,
    Security,
    Server,
    ServiceAccount,
    Source,
    Storage,
    Transport,
    Writable,
)

#: Port of an egress host that names none: MCP servers talk HTTPS to the APIs they wrap.
HTTPS = 443
#: Room of a writable path that names no size (the schema says so in its description too).
WRITABLE_SIZE = "64Mi"


def make_server(source: Source, data: dict[str, Any]) -> Server:
    """``data`` is the Source's with defaults filled in, valid against the schema."""
    metadata, spec = data["metadata"], data["spec"]
    resource_name = spec.get("resourceName") or f"mcp-{metadata['name']}"
    transport = Transport(**spec["transport"])
    return Server(
        source=source,
        name=metadata["name"],
        resource_name=resource_name,
        labels=metadata["labels"],
        annotations=metadata["annotations"],
        description=spec["description"],
        image=spec.get("image") or _oci_image(spec.get("package")),
        package=_package(spec.get("package")),
        command=tuple(spec["command"]),
        args=tuple(spec["args"]),
        transport=transport,
        env={name: _reference(value) for name, value in spec["env"].items()},
        env_from=tuple(_env_from(item) for item in spec["envFrom"]),
        files=tuple(_file(path, item) for path, item in spec["files"].items()),
        resources=Resources(*(_amounts(spec["resources"][part]) for part in ("requests", "limits"))),
        replicas=spec["replicas"],
        storage=tuple(_storage(item) for item in spec["storage"]),
        network=_network(spec["network"], transport),
        health=_health(spec["health"]),
        security=_security(spec["security"]),
        workload=spec["workload"],
        service_account=_service_account(spec["serviceAccount"], resource_name),
        patches=tuple(_patch(i, item) for i, item in enumerate(spec["patches"])),
    )


def _oci_image(package: dict[str, Any] | None) -> str | None:
    """An oci package is an image: name:tag, or name@digest."""
    if package is None or package["registry"] != "oci":
        return None
    joint = "@" if package["version"].startswith("sha256:") else ":"
    return f"{package['name']}{joint}{package['version']}"


def _package(package: dict[str, Any] | None) -> Package | None:
    if package is None or package["registry"] == "oci":
        return None
    return Package(package["registry"], package["name"], package["version"], package.get("baseImage"))


def _reference(value: Any) -> str | SecretRef | ConfigMapRef:
    if isinstance(value, str):
        return value
    optional = value.get("optional", False)
    if "secret" in value:
        return SecretRef(value["secret"], value["key"], optional)
    return ConfigMapRef(value["configMap"], value["key"], optional)


def _env_from(item: dict[str, Any]) -> EnvFrom:
    kind: Any = "secret" if "secret" in item else "configMap"
    return EnvFrom(kind, item[kind], item["optional"])


def _file(path: str, item: dict[str, Any]) -> File:
    source = item["content"] if "content" in item else _reference(item)
    return File(path, source, int(item["mode"], 8))


def _amounts(amounts: dict[str, str]) -> Amounts:
    return Amounts(amounts.get("cpu"), amounts.get("memory"))


def _storage(item: dict[str, Any]) -> Storage:
    return Storage(
        name=item["name"],
        size=item["size"],
        mount_path=item["mountPath"],
        storage_class=item.get("storageClass"),
        access_modes=tuple(item["accessModes"]),
        purpose=item["purpose"],
    )


def _network(network: dict[str, Any], transport: Transport) -> Network:
    publish = network["publish"]
    peers = network["ingress"]["from"]
    return Network(
        egress=_egress(network.get("egress")),
        ingress=tuple(Peer(p.get("podLabels"), p.get("namespace"), p.get("cidr")) for p in peers),
        publish=Publish(publish["address"], publish.get("port", transport.port)),
    )


def _egress(egress: dict[str, Any] | None) -> Egress | None:
    if egress is None:
        return None
    return Egress(
        hosts=tuple(_host(text) for text in egress["hosts"]),
        cidrs=tuple(_cidr(item) for item in egress["cidrs"]),
        services=tuple(_service(item) for item in egress["services"]),
    )


def _host(text: str) -> EgressHost:
    name, _, port = text.partition(":")
    return EgressHost(name, int(port) if port else HTTPS)


def _cidr(item: Any) -> EgressCidr:
    if isinstance(item, str):
        return EgressCidr(item, (), ())
    return EgressCidr(item["cidr"], tuple(item["except"]), tuple(item["ports"]))


def _service(item: dict[str, Any]) -> EgressService:
    labels = item["podLabels"] or {"app.kubernetes.io/name": item["name"]}
    return EgressService(item["name"], item.get("namespace"), labels, tuple(item["ports"]))


def _health(health: dict[str, Any]) -> Health:
    return Health(
        enabled=health["enabled"],
        path=health.get("path"),
        port=health.get("port"),
        command=tuple(health.get("command", ())),
        period=health["periodSeconds"],
        timeout=health["timeoutSeconds"],
        failure_threshold=health["failureThreshold"],
        startup=health["startupSeconds"],
    )


def _security(security: dict[str, Any]) -> Security:
    return Security(
        run_as_user=security["runAsUser"],
        run_as_group=security["runAsGroup"],
        fs_group=security["fsGroup"],
        read_only_root=security["readOnlyRootFilesystem"],
        writable=tuple(_writable(item) for item in security["writablePaths"]),
    )


def _writable(item: Any) -> Writable:
    if isinstance(item, str):
        return Writable(item, WRITABLE_SIZE)
    return Writable(item["path"], item["size"])


def _service_account(account: dict[str, Any], resource_name: str) -> ServiceAccount:
    fallback = resource_name if account["create"] else "default"
    return ServiceAccount(account["create"], account.get("name", fallback))


def _patch(index: int, item: dict[str, Any]) -> Patch:
    return Patch(index, item["target"], item["kind"], item.get("name"), item["merge"])

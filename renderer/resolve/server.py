"""From filled-in data to the frozen Server: the one place where dicts end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from renderer.images import with_version
from renderer.later import later
from renderer.model import (
    Acceptance,
    Access,
    Alert,
    Autoscaling,
    Build,
    Compose,
    ConfigMapRef,
    Container,
    Disruption,
    Egress,
    EgressCidr,
    EgressHost,
    EgressService,
    EnvFrom,
    EnvValue,
    Expose,
    FieldRef,
    File,
    Gateway,
    Gpu,
    Health,
    HealthCheck,
    Issuer,
    Monitoring,
    Mount,
    Network,
    Patch,
    Peer,
    Publish,
    RateLimit,
    Remote,
    Resources,
    Rights,
    Rollout,
    ScalingStep,
    SecretRef,
    Security,
    Server,
    Shutdown,
    Source,
    Storage,
    ToolRule,
    Transport,
    Writable,
    own_port,
)
from renderer.resolve.cluster import (
    make_adopt,
    make_amounts,
    make_external_secret,
    make_sandbox,
    make_scheduling,
    make_service,
    make_service_account,
)

if TYPE_CHECKING:
    from renderer.resolve import package as _package
else:
    _package = later("renderer.resolve.package")  # 1 ms, which an image does without

#: Port of an egress host that names none: MCP servers talk HTTPS to the APIs they wrap.
HTTPS = 443
#: Room of a writable path that names no size (the schema says so in its description too).
WRITABLE_SIZE = "64Mi"


def make_server(source: Source, data: dict[str, Any]) -> Server:
    """``data`` is the Source's with defaults filled in, valid against the schema."""
    metadata, spec = data["metadata"], data["spec"]
    resource_name = spec.get("resourceName") or f"mcp-{metadata['name']}"
    remote = _remote(spec.get("remote"))
    item = {**spec["transport"], **({"type": remote.transport, "bridge": "none"} if remote else {})}
    transport = Transport(
        item["type"], item["bridge"], item["port"], item["path"], item.get("messagesPath"), item.get("stateful")
    )
    package = spec.get("package")
    if package and package["registry"] == "oci":  # is an image: name:tag, or name@digest
        spec = {**spec, "image": with_version(package["name"], package["version"])}
        package = None
    return Server(
        source=source,
        data=data,
        name=metadata["name"],
        namespace=spec.get("namespace"),
        resource_name=resource_name,
        labels=metadata["labels"],
        annotations=metadata["annotations"],
        kind_annotations=spec["annotations"],
        description=spec["description"],
        image=spec.get("image"),
        package=_package.make_package(source, package) if package else None,
        remote=remote,
        command=tuple(spec["command"]),
        args=tuple(spec["args"]),
        working_dir=spec.get("workingDir"),
        transport=transport,
        env={name: _variable(value) for name, value in spec["env"].items()},
        env_from=_env_from(spec["envFrom"]),
        files=tuple(
            File(path, item["content"] if "content" in item else _reference(item), int(item["mode"], 8))
            for path, item in spec["files"].items()
        ),
        resources=_resources(spec["resources"]),
        replicas=spec["replicas"],
        autoscaling=_autoscaling(spec.get("autoscaling")),
        disruption=Disruption(_pod_count(bounds.get("minAvailable")), _pod_count(bounds.get("maxUnavailable")))
        if (bounds := spec.get("disruption")) is not None
        else None,
        service=make_service(spec["service"], transport),
        access=_access(spec.get("access")),
        expose=_expose(spec.get("expose")),
        monitoring=_monitoring(spec.get("monitoring")),
        storage=tuple(
            Storage(
                name=item["name"],
                size=item.get("size"),
                host_path=item.get("hostPath"),
                mount_path=item["mountPath"],
                read_only=item["readOnly"],
                storage_class=item.get("storageClass"),
                access_modes=tuple(item["accessModes"]),
                purpose=item["purpose"],
                existing_claim=item.get("existingClaim"),
            )
            for item in spec["storage"]
        ),
        network=_network(spec["network"], metadata["name"]),
        health=_health(spec["health"]),
        security=_security(spec["security"]),
        workload=spec["workload"],
        service_account=make_service_account(spec["serviceAccount"], resource_name),
        scheduling=make_scheduling(spec["scheduling"]),
        gpu=Gpu(spec["gpu"].get("product"), spec["gpu"]["count"]) if "gpu" in spec else None,
        runtime_class=spec.get("runtimeClass"),
        image_pull_policy=spec.get("imagePullPolicy"),
        image_pull_secrets=tuple(spec["imagePullSecrets"]),
        rollout=Rollout(spec["rollout"]["maxSurge"], spec["rollout"]["maxUnavailable"]),
        shutdown=Shutdown(spec["shutdown"]["graceSeconds"], spec["shutdown"]["preStopSeconds"]),
        sidecars=tuple(_container(item) for item in spec["sidecars"]),
        init_containers=tuple(_container(item) for item in spec["initContainers"]),
        patches=tuple(
            Patch(i, p["target"], p["kind"], p.get("name"), p.get("merge", {}), tuple(p.get("json", ())))
            for i, p in enumerate(spec["patches"])
        ),
        accepted=tuple(
            Acceptance(a["rule"], a["reason"], a.get("until"), a.get("path"), a.get("digest")) for a in spec["accept"]
        ),
        sandbox=make_sandbox(spec.get("sandbox")),
        external_secrets=tuple(make_external_secret(item) for item in spec["externalSecrets"]),
        compose=_compose(spec["compose"]),
        adopt=make_adopt(spec.get("adopt")),
    )


def _remote(item: dict[str, Any] | None) -> Remote | None:
    if item is None:
        return None
    headers, variables = (
        {name: value if isinstance(value, str) else SecretRef(**value) for name, value in item[field].items()}
        for field in ("headers", "variables")
    )
    return Remote(item["url"], item["transport"], headers, variables)


def _variable(value: Any) -> EnvValue:
    return FieldRef(value["field"]) if isinstance(value, dict) and "field" in value else _reference(value)


def _env_from(items: list[dict[str, Any]]) -> tuple[EnvFrom, ...]:
    return tuple(
        EnvFrom(
            "secret" if "secret" in item else "configMap",
            item.get("secret") or item["configMap"],
            item["optional"],
            item.get("prefix", ""),
        )
        for item in items
    )


def _reference(value: Any) -> str | SecretRef | ConfigMapRef:
    if isinstance(value, str):
        return value
    optional = value.get("optional", False)
    if "secret" in value:
        return SecretRef(value["secret"], value.get("key", ""), optional)
    return ConfigMapRef(value["configMap"], value.get("key", ""), optional)


def _resources(resources: dict[str, Any]) -> Resources:
    return Resources(make_amounts(resources["requests"]), make_amounts(resources["limits"]))


def _network(network: dict[str, Any], name: str) -> Network:
    publish = network["publish"]
    peers = network["ingress"]["from"]
    return Network(
        egress=_egress(network.get("egress")),
        ingress=tuple(_peer(peer) for peer in peers),
        host_aliases=network["hostAliases"],
        publish=Publish(publish["address"], publish.get("port") or own_port(name)) if publish else None,
    )


def _egress(egress: dict[str, Any] | None) -> Egress | None:
    if egress is None:
        return None
    hosts = (text.partition(":") for text in egress["hosts"])
    cidrs: Iterator[dict[str, Any]] = (
        {"cidr": i, "except": (), "ports": (), "udpPorts": ()} if isinstance(i, str) else i for i in egress["cidrs"]
    )
    return Egress(
        hosts=tuple(EgressHost(name, int(port) if port else HTTPS) for name, _, port in hosts),
        cidrs=tuple(EgressCidr(i["cidr"], tuple(i["except"]), tuple(i["ports"]), tuple(i["udpPorts"])) for i in cidrs),
        services=tuple(
            EgressService(
                item["name"],
                item.get("namespace"),
                item["podLabels"] or {"app.kubernetes.io/name": item["name"]},
                tuple(item["ports"]),
                item.get("namespaceLabels"),
                tuple(item["udpPorts"]),
            )
            for item in egress["services"]
        ),
        servers=tuple(egress["servers"]),
    )


def _health(health: dict[str, Any]) -> Health:
    return Health(
        enabled=health["enabled"],
        check=_check(health),
        mcp=health["mcp"],
        liveness=_check(health["liveness"]) if health["liveness"]["enabled"] else None,
        period=health["periodSeconds"],
        timeout=health["timeoutSeconds"],
        failure_threshold=health["failureThreshold"],
        startup=health["startupSeconds"],
    )


def _check(check: dict[str, Any]) -> HealthCheck:
    grpc = check["grpc"]["service"] if "grpc" in check else None
    command, https = tuple(check.get("command", ())), check["scheme"] == "HTTPS"
    return HealthCheck(check.get("path"), check.get("port"), check["headers"], https, command, grpc, check["tcp"])


def _security(security: dict[str, Any]) -> Security:
    return Security(
        run_as_user=security["runAsUser"],
        run_as_group=security["runAsGroup"],
        fs_group=security["fsGroup"],
        read_only_root=security["readOnlyRootFilesystem"],
        writable=tuple(
            Writable(i, WRITABLE_SIZE) if isinstance(i, str) else Writable(i["path"], i["size"], i.get("exec"))
            for i in security["writablePaths"]
        ),
    )


def _container(item: dict[str, Any]) -> Container:
    return Container(
        name=item["name"],
        image=item["image"],
        command=tuple(item["command"]),
        args=tuple(item["args"]),
        env={name: _variable(value) for name, value in item["env"].items()},
        resources=_resources(item["resources"]),
        mounts=tuple(Mount(m["source"], m.get("path"), m["readOnly"]) for m in item["mounts"]),
        env_from=_env_from(item["envFrom"]),
    )


def _autoscaling(item: dict[str, Any] | None) -> Autoscaling | None:
    if item is None:
        return None
    steps = (item["scaleUp"], item["scaleDown"])
    up, down = (ScalingStep(step["pods"], step["periodSeconds"], step["stabilizationSeconds"]) for step in steps)
    return Autoscaling(item["min"], item["max"], item["cpu"], item["memory"], up, down)


def _pod_count(count: float | str | None) -> int | str | None:
    """To JSON Schema 2.0 is an integer, to Kubernetes it is none."""
    return int(count) if isinstance(count, float) else count


def _expose(item: dict[str, Any] | None) -> Expose | None:
    if item is None:
        return None
    gateway = item.get("gateway")
    return Expose(
        type=item["type"],
        hosts=tuple(item.get("hosts") or [item["host"]]),
        paths=tuple(item.get("paths") or [item.get("path", "/")]),
        strip_prefix=item["stripPrefix"],
        class_name=item.get("className"),
        annotations=item["annotations"],
        tls="tls" in item,
        tls_secret=item.get("tls", {}).get("secret"),
        gateway=gateway and Gateway(gateway["name"], gateway.get("namespace"), gateway.get("sectionName")),
        peers=_peers(item.get("from")),
    )


def _access(item: Any) -> Access | Literal["none"] | None:
    if not isinstance(item, dict):
        return "none" if item else None
    limit = item.get("rateLimit")
    return Access(
        url=item.get("url"),
        issuers=tuple(
            Issuer(i["url"], i.get("jwks") or _keys(i.get("jwksFrom")), tuple(i["audiences"])) for i in item["issuers"]
        ),
        require=_rights(item["require"]),
        tools=tuple(ToolRule(tuple(rule["allow"]), _rights(rule)) for rule in item["tools"]),
        rate_limit=limit and RateLimit(limit["perSubject"], limit["per"]),
        origins=tuple(item["origins"]),
        log=item["log"],
        forwards_token=item["token"] == "forward",  # noqa: S105 - no password
        enforced_by=item["enforcedBy"],
    )


def _keys(item: dict[str, Any] | None) -> ConfigMapRef | None:
    return ConfigMapRef(item["configMap"], item["key"]) if item else None


def _rights(item: dict[str, Any]) -> Rights:
    return Rights(tuple(item["scopes"]), tuple(item["groups"]))


def _monitoring(item: dict[str, Any] | None) -> Monitoring | None:
    if item is None:
        return None
    return Monitoring(
        port=item["port"],
        path=item["path"],
        scrape=item["scrape"],
        interval=item.get("interval"),
        labels=item["labels"],
        peers=_peers(item.get("from")),
        alerts=tuple(
            Alert(kind, alert["for"], alert.get("metric", ""), alert.get("threshold", 0), alert.get("quantile", 0))
            for kind, alert in item["alerts"].items()
        ),
    )


def _peers(items: list[dict[str, Any]] | None) -> tuple[Peer, ...] | None:
    return None if items is None else tuple(_peer(item) for item in items)


def _peer(item: dict[str, Any]) -> Peer:
    return Peer(item.get("podLabels"), item.get("namespace"), item.get("cidr"), item.get("namespaceLabels"))


def _compose(item: dict[str, Any]) -> Compose:
    build = item.get("build")
    return Compose(
        build=build and Build(build["context"], build.get("dockerfile"), build.get("target"), build["args"]),
        labels=item["labels"],
        networks=tuple(item["networks"]),
    )

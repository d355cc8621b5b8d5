"""What a server is to its cluster, from filled-in data."""

from __future__ import annotations

from typing import Any

from renderer.model import (
    AccessRule,
    Adopt,
    Amounts,
    ExternalSecret,
    NamespaceRights,
    RemoteKey,
    RuntimeClass,
    Sandbox,
    Scheduling,
    Service,
    ServiceAccount,
    ServicePort,
    Toleration,
    TopologySpread,
    Transport,
)


def make_service_account(account: dict[str, Any], resource_name: str) -> ServiceAccount:
    fallback = resource_name if account["create"] else "default"
    rules, cluster_rules = (_access_rules(account[field]) for field in ("rules", "clusterRules"))
    elsewhere = tuple(
        NamespaceRights(item["name"], _access_rules(item["rules"]), tuple(item["clusterRoles"]))
        for item in account["namespaces"]
    )
    has_rights = bool(rules or cluster_rules or account["clusterRoles"] or elsewhere)
    return ServiceAccount(
        create=account["create"],
        name=account.get("name", fallback),
        annotations=account["annotations"],
        automount=account.get("automountToken", has_rights),
        rules=rules,
        cluster_rules=cluster_rules,
        cluster_roles=tuple(account["clusterRoles"]),
        elsewhere=elsewhere,
    )


def _access_rules(items: list[dict[str, Any]]) -> tuple[AccessRule, ...]:
    fields = ("apiGroups", "resources", "resourceNames", "verbs", "nonResourceURLs")
    return tuple(AccessRule(*(tuple(item.get(field, ())) for field in fields)) for item in items)


def make_scheduling(scheduling: dict[str, Any]) -> Scheduling:
    return Scheduling(
        node_selector=scheduling["nodeSelector"],
        tolerations=tuple(
            Toleration(item.get("key"), item["operator"], item.get("value"), item.get("effect"), item.get("seconds"))
            for item in scheduling["tolerations"]
        ),
        anti_affinity=scheduling["antiAffinity"],
        topology_spread=tuple(
            TopologySpread(item["topologyKey"], item["maxSkew"], item["whenUnsatisfiable"])
            for item in scheduling["topologySpread"]
        ),
        priority_class=scheduling.get("priorityClassName"),
    )


def make_service(item: dict[str, Any], transport: Transport) -> Service:
    return Service(
        type=item["type"],
        port=item.get("port", transport.port),
        node_port=item.get("nodePort"),
        source_ranges=tuple(item["sourceRanges"]),
        app_protocol=item["appProtocol"],
        annotations=item["annotations"],
        ports=tuple(
            ServicePort(port["name"], port["port"], port.get("targetPort", port["port"]), port.get("appProtocol"))
            for port in item["ports"]
        ),
    )


def make_amounts(amounts: dict[str, Any]) -> Amounts:
    return Amounts(amounts.get("cpu"), amounts.get("memory"), amounts.get("ephemeralStorage"))


def make_sandbox(sandbox: dict[str, Any] | None) -> Sandbox | None:
    if sandbox is None:
        return None
    quota, limits, egress = sandbox["quota"], sandbox["limits"], sandbox["egress"]
    runtime = sandbox.get("runtimeClass")
    return Sandbox(
        namespace=sandbox["namespace"],
        create=sandbox["create"],
        runtime_class=runtime and RuntimeClass(runtime["name"], runtime["handler"], runtime["create"]),
        pods=quota["pods"],
        requests=make_amounts(quota["requests"]),
        limits=make_amounts(quota["limits"]),
        least=make_amounts(limits.get("min", {})),
        default_request=make_amounts(limits["defaultRequest"]),
        default=make_amounts(limits["default"]),
        most=make_amounts(limits["max"]),
        pod_most=make_amounts(limits.get("podMax", {})),
        ports=tuple(egress["ports"]),
        cidrs=tuple(egress["cidrs"]),
    )


def make_external_secret(item: dict[str, Any]) -> ExternalSecret:
    return ExternalSecret(
        name=item["name"],
        store=item["store"]["name"],
        store_kind=item["store"]["kind"],
        refresh=item["refreshInterval"],
        keys=tuple(RemoteKey(k["key"], k["remoteKey"], k.get("property")) for k in item["keys"]),
        template=item.get("template", {}),
        type=item.get("type"),
    )


def make_adopt(item: dict[str, Any] | None) -> Adopt | None:
    if item is None:
        return None
    compose = item["compose"]
    return Adopt(
        selector=item.get("selector", {}),
        names=item["names"],
        claims=item["claims"],
        service_name=item.get("serviceName"),
        claim_labels=item["claimLabels"],
        project=compose.get("project"),
        container_name=compose.get("containerName"),
        volumes=compose["volumes"],
    )

"""The service of a server itself, as plain data for its template."""

from __future__ import annotations

from typing import Any

from renderer.launch import Launch
from renderer.model import JSON, Server
from renderer.targets.compose.amounts import cpus, memory
from renderer.targets.compose.egress import not_enforced, out_of_reach, proxy_variables
from renderer.targets.compose.names import NETWORK, has_gateway, has_network, is_isolated, part_of, service_labels
from renderer.targets.compose.references import FileMounts, env_file, expression, literal
from renderer.targets.compose.volumes import tmpfs, volumes


def service(server: Server, launch: Launch, files: FileMounts) -> dict[str, Any]:
    """Everything that the template of a service reads."""
    return {
        "key": server.resource_name,
        "image": launch.image,
        "entrypoint": [literal(text) for text in launch.command],
        "command": [literal(text) for text in launch.args],
        "stdin": launch.stdin,
        "replicas": server.replicas,
        "grace": f"{server.shutdown.grace}s",
        "resources": _resources(server),
        "environment": _environment(server, launch),
        "env_file": [env_file(item) for item in server.env_from],
        "healthcheck": _healthcheck(server, launch),
        "health_disabled": not server.health.enabled,
        "health_unknown": launch.probe is not None and not launch.check,
        "mounts": [volume.mount() for volume in volumes(server, launch)],
        "configs": files.config_grants,
        "secrets": files.secret_grants,
        "labels": service_labels(server),
        **_security(server, launch, files),
        **_network(server),
    }


def _security(server: Server, launch: Launch, files: FileMounts) -> dict[str, Any]:
    security = server.security
    return {
        "user": f"{security.run_as_user}:{security.run_as_group}",
        "groups": [str(security.fs_group)] if security.fs_group != security.run_as_group else [],
        "read_only": security.read_only_root and not files.copied,
        "read_only_lost": security.read_only_root and files.copied,
        "tmpfs": tmpfs(server, launch),
    }


def _network(server: Server) -> dict[str, Any]:
    return {
        "ports": [] if has_gateway(server) else ports(server, fixed=not publishes_any_port(server)),
        "endpoint": endpoint(server),
        "networks": _networks(server),
        "not_enforced": not_enforced(server),
        "out_of_reach": out_of_reach(server),
    }


def publishes_any_port(server: Server) -> bool:
    """Whether several containers would need one port of the machine: each then gets a free one."""
    return server.listens and server.replicas > 1 and not has_gateway(server)


def ports(server: Server, *, fixed: bool) -> list[dict[str, JSON]]:
    """The published port, if the server listens; a free one unless ``fixed``."""
    if not server.listens:
        return []
    publish = server.network.publish
    port: dict[str, JSON] = {"published": str(publish.port)} if fixed else {}
    return [{"target": server.transport.port, **port, "host_ip": publish.address, "protocol": "tcp"}]


def endpoint(server: Server) -> str:
    """In words, what is reached where."""
    protocol = server.transport.served
    publish, path = server.network.publish, server.transport.path
    if publishes_any_port(server):
        return f"MCP over {protocol} at {path}, on a free port for each replica: see `docker compose ps`"
    address = f"[{publish.address}]" if ":" in publish.address else publish.address
    return f"MCP over {protocol}: http://{address}:{publish.port}{path}"


def _networks(server: Server) -> dict[str, JSON]:
    """Empty where the server is on no network at all."""
    if not is_isolated(server):
        return {NETWORK: {}}
    return {part_of(server, "internal"): {"aliases": [part_of(server, "server")]}} if has_network(server) else {}


def _environment(server: Server, launch: Launch) -> dict[str, JSON]:
    defaults = (*launch.env, *proxy_variables(server))
    own = {name: literal(value) for name, value in defaults if name not in server.env}
    given = {name: literal(v) if isinstance(v, str) else expression(v) for name, v in server.env.items()}
    return {**own, **given}


def _resources(server: Server) -> dict[str, JSON]:
    limits, requests = server.resources.limits, server.resources.requests
    parts: dict[str, dict[str, JSON]] = {
        "limits": {"cpus": limits.cpu and cpus(limits.cpu), "memory": limits.memory and memory(limits.memory)},
        # Only swarm reserves CPUs.
        "reservations": {"memory": requests.memory and memory(requests.memory)},
    }
    given: dict[str, dict[str, JSON]] = {
        part: {name: value for name, value in values.items() if value} for part, values in parts.items()
    }
    if server.gpu:
        given["reservations"]["devices"] = [{"driver": "nvidia", "count": server.gpu.number, "capabilities": ["gpu"]}]
    return {**given}


def _healthcheck(server: Server, launch: Launch) -> dict[str, JSON] | None:
    if not launch.check:
        return None
    health = server.health
    return {
        "test": ["CMD", *(literal(text) for text in launch.check)],
        "interval": f"{health.period}s",
        "timeout": f"{health.timeout}s",
        "retries": health.failure_threshold,
        "start_period": f"{health.startup}s",
    }

"""Rules of transport, bridge, ports and health checks."""

from __future__ import annotations

from collections.abc import Iterator

from renderer import pins
from renderer.errors import DocumentPath, Fault, Severity
from renderer.launch import runtime_for_checks
from renderer.model import HealthCheck, Server
from renderer.quantity import bytes_of


def bridge_needs_stdio(server: Server) -> Iterator[Fault]:
    if server.transport.type != "stdio" and server.transport.bridge != "none":
        yield Fault(
            ("spec", "transport", "bridge"),
            "spec/bridge-without-stdio",
            f"a bridge is for stdio servers, and transport.type is {server.transport.type}",
            "remove 'bridge', or write 'type: stdio'",
        )


def bridged_image_needs_command(server: Server) -> Iterator[Fault]:
    """The bridge replaces the entrypoint, which is unknown."""
    if not server.image or server.transport.type != "stdio" or server.transport.bridge == "none" or server.command:
        return
    message = f"missing field 'command': the bridge ({server.transport.bridge}) replaces the image's entrypoint"
    if not server.sets("spec", "transport", "type"):
        http = "if the image serves HTTP: transport: {type: streamable-http, port: …}"
        message = f"{http}; if it serves stdio: {message}"
    yield Fault(
        ("spec",),
        "spec/bridge-without-command",
        message,
        "write the entrypoint as 'command' ('mcpctl init NAME --image IMAGE' looks it up), "
        "or use 'transport: {bridge: none}'",
        at_key=True,
    )


def bridge_inside_image(server: Server) -> Iterator[Fault]:
    """Only a static program can be copied into an unknown image."""
    bridge = server.transport.bridge
    if server.image and server.transport.type == "stdio" and bridge in pins.RUNTIME_OF_BRIDGE:
        language = "Python" if bridge == "mcp-proxy" else "Node.js"
        program = bridge.removesuffix("-npm")
        yield Fault(
            ("spec", "transport", "bridge"),
            "spec/bridge-inside-image",
            f"{bridge} is a {language} program and cannot be copied into an image: the image must contain '{program}'",
            "if it does not, use 'bridge: agentgateway', which an init container copies in",
            Severity.WARNING,
        )


def bridge_memory(server: Server) -> Iterator[Fault]:
    """Measured with an npm server: 499 MiB for five sessions, 590 for five concurrent requests of MCP 2026-07-28."""
    limit = server.resources.limits.memory
    is_npm = server.package is not None and server.package.runtime == "npm"
    if server.transport.bridge == "supergateway" and is_npm and limit and bytes_of(limit) < 1024**3:
        yield Fault(
            ("spec", "transport", "bridge"),
            "spec/bridge-memory",
            "supergateway starts a server for each session, and five of an npm package take 500 MiB: the limit is "
            f"{limit}",
            "raise resources.limits.memory to 1Gi or more, or use mcp-proxy-npm, which starts one",
            Severity.WARNING,
        )


def base_image_moves(server: Server) -> Iterator[Fault]:
    """Only the base image with both package managers lacks a fixed tag."""
    package = server.package
    if package is None or package.base_image:
        return
    if package.bundle and package.bundle.runtime == "any":
        yield Fault(
            ("spec", "package"),
            "spec/base-image-moves",
            "a bundle for runtime any needs a base image with Node.js and Python, and the tag of that image is "
            "rebuilt upstream",
            "write 'server.type' of its manifest.json as package.runtime, or set package.baseImage to an image with a "
            "digest",
            Severity.WARNING,
            at_key=True,
        )
    elif pins.RUNTIME_OF_BRIDGE.get(server.transport.bridge, package.runtime) != package.runtime:
        yield Fault(
            ("spec", "transport", "bridge"),
            "spec/base-image-moves",
            f"{server.transport.bridge} with {package.runtime} packages needs a base image with npm and uv, "
            "and the tag of that image is rebuilt upstream",
            "set package.baseImage to an image with a digest, or remove 'bridge'",
            Severity.WARNING,
        )


def lock_is_usable(server: Server) -> Iterator[Fault]:
    package = server.package
    if package is None or package.lock is None:
        return
    yield from package.lock.faults
    if package.registry == "npm" and not (package.lock.faults or package.lock.program or server.command):
        message = f"{package.name} has no program, or several, and none with its own name"
        hint = "write the program's name as 'command'; in the lock it stands under 'bin' of the package"
        yield Fault(("spec", "package", "lock"), "spec/lock", message, hint)


def bridge_path(server: Server) -> Iterator[Fault]:
    """Bridges serve fixed paths."""
    paths = pins.BRIDGE_PATHS.get(server.transport.bridge)
    if server.transport.type == "stdio" and paths and server.transport.path not in paths:
        yield Fault(
            ("spec", "transport", "path"),
            "spec/bridge-path",
            f"{server.transport.bridge} serves only {' and '.join(paths)}",
            f"write 'path: {paths[0]}', or use mcp-proxy-npm, which serves any path",
        )


def bridge_ports(server: Server) -> Iterator[Fault]:
    port = server.transport.port
    if server.transport.bridge == "agentgateway" and port in pins.AGENTGATEWAY_PORTS:
        message = f"port {port} is used by agentgateway itself"
        yield Fault(("spec", "transport", "port"), "spec/bridge-port", message, "choose another port")


def stdio_without_bridge(server: Server) -> Iterator[Fault]:
    """Nothing listens, so no field may need a port."""
    if server.listens:
        return
    ways = ("path", "port", "grpc", "tcp")
    endpoint = (("transport", way) for way in ("port", "path", "messagesPath"))
    fields = (*endpoint, ("network", "publish"), ("network", "ingress"))
    checks = (("health", "mcp"), *(("health", way) for way in ways), *(("health", "liveness", way) for way in ways))
    for path in (*fields, *checks, ("service",), ("expose",), ("monitoring",), ("access",)):
        if server.sets("spec", *path):
            yield Fault(
                ("spec", *path),
                "spec/stdio-without-bridge",
                "a stdio server without a bridge has no port, so it has no Service, address or HTTP check",
                "choose a bridge, or remove this field",
                at_key=True,
            )
    if server.workload == "StatefulSet":
        yield Fault(
            ("spec", "workload"),
            "spec/stdio-without-bridge",
            "a StatefulSet needs a Service, and a stdio server without a bridge has none",
            "use 'workload: Deployment', or choose a bridge",
        )


def ways_in_lead_to_mcp(server: Server) -> Iterator[Fault]:
    """Controllers forward paths unchanged."""
    expose, path = server.expose, server.transport.path
    # A guard and agentgateway map the public path to the server's.
    access = server.guard or server.gateway_access
    if expose is None or (access and access.enforced_by != "envoy-gateway"):
        return
    field: DocumentPath = ("spec", "expose", "paths" if server.sets("spec", "expose", "paths") else "path")
    here, is_alone = ", ".join(expose.paths), [exposed.rstrip("/") for exposed in expose.paths] == [path.rstrip("/")]
    if expose.strip_prefix:
        if expose.type == "Ingress" and expose.class_name != "nginx" and not expose.annotations:
            message = f"no annotation has the controller of class {expose.class_name or '(default)'} cut '{here}' off"
            hint = "name its middleware under expose.annotations, or use className nginx or an HTTPRoute"
            yield Fault(("spec", "expose", "stripPrefix"), "spec/expose-strip", message, hint)
    elif not expose.leads_to(path):
        message = f"nothing below {here} reaches the MCP path {path}: the prefix is not cut off"
        own = f"{expose.paths[0].rstrip('/')}{path}"
        hint = f"write transport.path: {own}, if the server can serve that, or stripPrefix: true"
        yield Fault(field, "spec/expose-path", message, hint)
    elif server.transport.served == "sse" and not server.transport.messages and is_alone:
        message = f"SSE clients also send to a second path, /messages/ in many servers; {here} does not lead there"
        hint = "write transport.messagesPath as the server announces it, or path: /"
        yield Fault(field, "spec/expose-sse", message, hint, Severity.WARNING)


def messages_path(server: Server) -> Iterator[Fault]:
    """Only SSE has a second path; that of a bridge is fixed."""
    transport, field = server.transport, ("spec", "transport", "messagesPath")
    if not server.sets(*field) or not server.listens:
        return
    if transport.served != "sse":
        message = f"only sse has a second path: clients of {transport.served} send to transport.path"
        yield Fault(field, "spec/messages-path", message, "remove it", at_key=True)
    elif transport.type == "stdio":
        message = f"{transport.bridge} has one of its own, which is known"
        yield Fault(field, "spec/messages-path", message, "remove it", at_key=True)


def privileged_ports(server: Server) -> Iterator[Fault]:
    """They need a capability that 'drop: [ALL]' removes, on many clusters."""
    if server.listens and server.transport.port < 1024:
        yield Fault(
            ("spec", "transport", "port"),
            "spec/privileged-port",
            f"port {server.transport.port} is below 1024, and the container has no capability to bind it",
            "let the server listen on 1024 or above; service.port, and network.publish.port in compose, can be any",
            Severity.WARNING,
        )


def service_is_possible(server: Server) -> Iterator[Fault]:
    """Duplicate ports, and fields of another Service type."""
    service, monitoring, path = server.service, server.monitoring, ("spec", "service")
    for field, types in (("nodePort", ("NodePort", "LoadBalancer")), ("sourceRanges", ("LoadBalancer",))):
        if server.sets(*path, field) and service.type not in types:
            message = f"a Service of type {service.type} has no '{field}'"
            hint = f"write type: {types[0]}, or remove it"
            yield Fault((*path, field), "spec/service-type", message, hint, at_key=True)
    names, numbers = {"mcp", "metrics"}, {service.port: "mcp"}
    if monitoring and monitoring.port != server.transport.port:
        if monitoring.port == service.port:
            message = f"port {service.port} of the Service is that of the metrics (monitoring.port)"
            yield Fault((*path, "port"), "spec/service-port", message, "choose another port")
        numbers.setdefault(monitoring.port, "metrics")
    for i, port in enumerate(service.ports):
        if port.name in names:
            message = f"the port name '{port.name}' is taken"
            yield Fault((*path, "ports", i, "name"), "spec/service-port", message, "choose another name")
        if port.port in numbers:
            message = f"port {port.port} of the Service is that of '{numbers[port.port]}'"
            yield Fault((*path, "ports", i, "port"), "spec/service-port", message, "choose another port")
        names.add(port.name)
        numbers.setdefault(port.port, port.name)


def health_has_one_handler(server: Server) -> Iterator[Fault]:
    """A probe has one handler; bridges have their own endpoint."""
    health = server.health
    ways = (*health.check.ways, "mcp") if health.mcp else health.check.ways
    yield from _one_handler(("spec", "health"), health.check, ways, server)
    if health.liveness:
        yield from _one_handler(("spec", "health", "liveness"), health.liveness, health.liveness.ways, server)


def _one_handler(where: DocumentPath, check: HealthCheck, ways: tuple[str, ...], server: Server) -> Iterator[Fault]:
    if len(ways) > 1:
        message = f"{' and '.join(map(repr, ways))} cannot be combined: a probe has one handler"
        yield Fault((*where, ways[-1]), "spec/health-two-ways", message, "keep one of them", at_key=True)
    if check.port and not {"path", "grpc", "tcp"} & {*ways}:
        hint = "add one of them, or remove 'port'"
        yield Fault((*where, "port"), "spec/health-port-without-path", "'port' needs 'path', 'grpc' or 'tcp'", hint)
    for field, value in (("headers", check.headers), ("scheme", check.https)):
        if value and not check.path:
            message, hint = f"'{field}' needs 'path'", f"add it, or remove '{field}'"
            yield Fault((*where, field), "spec/health-without-path", message, hint, at_key=True)
    for way in ("path", "grpc"):
        if way in ways and server.transport.type == "stdio" and server.listens:
            yield Fault(
                (*where, way),
                "spec/health-behind-bridge",
                "a stdio server has no URL paths" if way == "path" else "a stdio server has no port",
                f"remove '{way}': the endpoint of its bridge ({server.transport.bridge}) is checked",
            )


def mcp_check_can_run(server: Server) -> Iterator[Fault]:
    """The check needs an interpreter in the container and must not start servers."""
    if not server.health.mcp or not server.listens:
        return
    transport = server.transport
    if runtime_for_checks(server) is None:
        message = "an MCP check needs Node.js or Python, and mcpctl cannot know whether this image has one"
        hint = "set health.command to a program of the image that asks the server, or use 'tcp' or 'path'"
    elif transport.type == "stdio" and transport.bridge not in pins.ONE_PROCESS:
        message = f"{transport.bridge} starts a server process for each session, so for each check too"
        hint = f"use {' or '.join(pins.ONE_PROCESS)}, which keep one process for all sessions"
    elif transport.type == "sse":
        message = "a server that speaks sse answers on a second connection, which a check does not open"
        hint = "use 'tcp' or 'path'"
    else:
        return
    yield Fault(("spec", "health", "mcp"), "spec/health-mcp", message, hint, at_key=True)


def sse_is_deprecated(server: Server) -> Iterator[Fault]:
    if server.transport.served == "sse":
        field = "type" if server.transport.type == "sse" else "path"
        yield Fault(
            ("spec", "transport", field),
            "spec/deprecated-sse",
            "HTTP+SSE is deprecated since MCP 2026-07-28, and new clients do not speak it"
            + ("; no guard speaks it either, so web pages of every origin reach the bridge" if field == "path" else ""),
            "use its successor, type: streamable-http, as soon as the server can"
            if field == "type"
            else "use another path, such as /mcp: the bridge serves its successor streamable-http there",
            Severity.WARNING,
        )


def stateless_bridge(server: Server) -> Iterator[Fault]:
    bridge = server.transport.bridge
    if server.transport.stateful and bridge in pins.ONE_PROCESS:
        yield Fault(
            ("spec", "transport", "stateful"),
            "spec/stateless-bridge",
            f"{bridge} is started with --stateless and keeps no sessions",
            "leave stateful out, or choose another bridge",
        )


RULES = (
    sse_is_deprecated,
    stateless_bridge,
    bridge_needs_stdio,
    bridged_image_needs_command,
    bridge_inside_image,
    base_image_moves,
    bridge_memory,
    lock_is_usable,
    bridge_path,
    bridge_ports,
    stdio_without_bridge,
    ways_in_lead_to_mcp,
    messages_path,
    privileged_ports,
    service_is_possible,
    health_has_one_handler,
    mcp_check_can_run,
)

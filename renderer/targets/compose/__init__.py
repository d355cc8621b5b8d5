"""Compose files: a project for each server in a tree, one project for all in a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from renderer.check import parsed
from renderer.check.compose import faults
from renderer.errors import DocumentPath, Fault, Problem
from renderer.labels import SERVER_LABEL
from renderer.manifest import Json, as_mapping
from renderer.model import Options, Rendered, Server
from renderer.patch import apply, no_match
from renderer.policy.documents import compose_findings
from renderer.render import YAML, Quoting, render
from renderer.target import Ignored
from renderer.targets.compose.conflicts import same_ports
from renderer.targets.compose.limits import limits
from renderer.targets.compose.names import literal, once
from renderer.targets.compose.values import Part, part, project_values
from renderer.wording import excerpt

_TEMPLATE = "compose/project.yaml.j2"
#: Sections of the file by the kind in a patch.
SECTIONS = {
    "service": "services",
    "network": "networks",
    "volume": "volumes",
    "config": "configs",
    "secret": "secrets",
}


class Compose:
    name = "compose"
    quoting = Quoting(YAML.scalar, YAML.writers, {"literal": literal}, name="compose")
    ignored: Mapping[str, Ignored] = {
        "spec.adopt.selector": Ignored("compose has no labels that select"),
        "spec.adopt.names": Ignored("compose has services only, which resourceName names"),
        "spec.adopt.claims": Ignored("compose has Docker volumes: adopt.compose.volumes"),
        "spec.adopt.serviceName": Ignored("compose has no StatefulSets"),
        "spec.adopt.claimLabels": Ignored("compose has no StatefulSets"),
        "spec.health.liveness": Ignored("docker compose restarts no container because of a check"),
        "spec.annotations": Ignored("compose has one service: use metadata.annotations or compose.labels"),
        "spec.namespace": Ignored("compose has no namespaces"),
        "spec.workload": Ignored("compose has services only"),
        "spec.serviceAccount": Ignored("containers of compose have no identity in a cluster"),
        "spec.scheduling": Ignored("compose runs everything on one machine"),
        "spec.gpu.product": Ignored("compose asks for any GPU of the machine"),
        "spec.runtimeClass": Ignored("RuntimeClasses are a cluster's: Docker's own runtime isolates the containers"),
        "spec.imagePullSecrets": Ignored("images are pulled with what docker login has left on the machine"),
        "spec.rollout": Ignored("docker compose stops a container before it starts the next"),
        "spec.shutdown.preStopSeconds": Ignored("compose stops a container at once"),
        "spec.initContainers": Ignored("compose gets the server alone: prepare what they prepare yourself"),
        "spec.sidecars": Ignored("compose gets the server alone, without what they offer"),
        "spec.network.ingress": Ignored(
            "every container on mcpctl-network may connect, and every client of the published port"
        ),
        "spec.autoscaling": Ignored("docker compose does not follow the load: one container runs"),
        "spec.disruption": Ignored("docker compose drains no nodes"),
        "spec.expose": Ignored("docker compose publishes the machine's port (network.publish) and has no Ingress"),
        "spec.service": Ignored(
            "compose has no Services: clients use the container's ports, of a guarded server the port of MCP alone, or "
            "network.publish"
        ),
        "spec.monitoring": Ignored(
            "compose has no Prometheus Operator; every container on the server's own networks can read the metrics: "
            "mcpctl-network, behind a guard compose.networks, with restricted egress none"
        ),
        "spec.sandbox": Ignored("compose has no second namespace, no quota and no API that starts pods"),
        "spec.externalSecrets": Ignored("the operator runs in a cluster; compose reads secrets from .env"),
        "spec.resources.requests.cpu": Ignored("docker compose reserves no CPU"),
        "spec.resources.requests.ephemeralStorage": Ignored("docker compose reserves no disk"),
        "spec.resources.limits.ephemeralStorage": Ignored("docker compose does not limit disk"),
    }

    def groups(self, servers: Sequence[Server], *, one_stream: bool) -> list[tuple[Server, ...]]:
        if one_stream:
            return [tuple(servers)] if servers else []
        return [(server,) for server in servers]

    def conflicts(self, servers: Sequence[Server], _options: Options) -> list[Problem]:
        """Projects share the ports of the machine."""
        return same_ports(servers)

    def shared(self, _options: Options) -> list[Rendered]:
        """The first project creates the shared network."""
        return []

    def build(self, group: Sequence[Server], options: Options) -> tuple[list[Rendered], list[Problem]]:
        """The compose file of a project, and in a tree the files that it reads."""
        parts = [part(server, inline=options.one_stream) for server in group]
        context = project_values(parts, one_stream=options.one_stream)
        folder = "" if options.one_stream else f"{group[0].name}/"
        subject = "all servers" if options.one_stream else f"server {group[0].name}"
        identity = (context["project"], *(key for each in parts for key in each.keys["services"]))
        text = render(_TEMPLATE, context, self.quoting)
        document = Rendered(f"{folder}compose.yaml", text, _TEMPLATE, context, subject, identity)
        document, unmatched = _patched(document, parts)
        problems = [*unmatched, *limits(group, one_stream=options.one_stream)]
        # Without its gateway a server would be open to everybody who reaches its port.
        for server in (server for server in group if server.gateway_access):
            message = "gateways enforce access by objects of a cluster, which compose does not have"
            hint = "write enforcedBy: envoy, or name the gateway in the Environment of the cluster (defaults.access)"
            fault = Fault(("spec", "access", "enforcedBy"), "compose/gateway", message, hint)
            problems.append(server.problem(fault)._replace(owner=server.name))
        return [document, *([] if options.one_stream else _texts(parts[0], folder, subject))], problems

    def tree_files(
        self, _servers: Sequence[Server], _documents: Sequence[Rendered], _options: Options, _names: Sequence[str]
    ) -> list[Rendered]:
        """``build`` returns them already."""
        return []

    def from_tree(self, paths: Sequence[str]) -> tuple[list[str], list[str]]:
        """One compose file in each server's folder, which reads the other files."""
        documents = sorted(path for path in paths if path.count("/") == 1 and path.endswith("/compose.yaml"))
        return documents, sorted({*paths} - {*documents})

    def enforces_pod_security(self, _options: Options) -> bool:
        return False

    def check(self, documents: Sequence[Rendered], _options: Options) -> list[Problem]:
        """The Compose Specification and the rules of docker compose, for each project alone."""
        problems = []
        # Without a template: a file next to a compose file.
        for document in (d for d in documents if d.template):
            data, unreadable = parsed(document)
            checked = [] if unreadable else [*_identity_faults(document, data), *faults(data)]
            problems += unreadable or compose_findings(document, data, checked)
        return problems


TARGET = Compose()


def _patched(document: Rendered, parts: Sequence[Part]) -> tuple[Rendered, list[Problem]]:
    """A patch that matches nothing is a Problem."""
    problems = []
    for server, keys in ((each.server, each.keys) for each in parts):
        for patch in (patch for patch in server.patches if patch.target == "compose"):
            # Without a name: the server's own service, or all objects of another kind.
            there = keys.get(SECTIONS.get(patch.kind, ""), ())
            unnamed = there[:1] if patch.kind == "service" else there
            matches = unnamed if patch.name is None else [key for key in there if key == patch.name]
            for key in matches:
                document, unfit = apply(document, patch, server, (SECTIONS[patch.kind], key))
                problems += [server.problem(fault) for fault in unfit]
            if not matches:
                known = {kind: keys[section] for kind, section in SECTIONS.items() if keys[section]}
                problems.append(server.problem(no_match(patch, known)))
    return document, problems


def _identity_faults(document: Rendered, data: Json) -> Iterator[Fault]:
    """Names and labels that patches or users' templates may not change."""
    if not document.context:  # of a tree that was read
        return
    project, *services = document.identity
    if data.get("name") != project:
        yield _moved(("name",), f"the project must be called {excerpt(project)}")
    present = as_mapping(data.get("services"))
    for key in sorted({*services} ^ present.keys()):
        how = "is missing" if key in services else "is not one of mcpctl's"
        yield _moved(("services", key), f"service {excerpt(key)} {how}")
    owners = {server["resource_name"]: server["metadata"]["name"] for server in document.context["servers"]}
    for key in sorted({*services} & present.keys()):
        # Parts are named <resource name>.<part>; resource names have no dot.
        wanted = {SERVER_LABEL: owners[key.partition(".")[0]], "mcpctl.io/managed": "true"}
        labels = as_mapping(as_mapping(present[key]).get("labels"))
        for name, value in wanted.items():
            if labels.get(name) != value and (name in labels or document.changes):
                yield _moved(("services", key, "labels", name), f"label {name} must stay {excerpt(value)}")


def _moved(path: DocumentPath, message: str) -> Fault:
    hint = "patches and templates change what is in a service; names are fields of the spec"
    return Fault(path, "output/identity", f"{message}: it identifies the service and its server", hint)


def _texts(part: Part, folder: str, subject: str) -> list[Rendered]:
    """Not documents: ``template`` is empty and nothing parses them."""
    texts = dict(part.files)
    if part.variables:
        lines = ["# Copy to .env and put in the real values. Never commit that file."]
        for need in once(part.variables):
            # In single quotes compose does not interpolate '$'.
            value = ("# Optional: ", "''") if need.optional else ("# ", "'replace-me'")
            lines += ["", f"{value[0]}{need.meaning}", f"{need.name}={value[1]}"]
        texts[".env.example"] = "\n".join(lines) + "\n"
    return [Rendered(f"{folder}{path}", text, "", {}, subject) for path, text in texts.items()]

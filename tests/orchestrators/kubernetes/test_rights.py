"""What the orchestrator asks of an API server, the table of rights, and the Role in the documents: all three agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from renderer.kinds import KINDS
from renderer.orchestrators.contract import InstanceFilters, LogOptions, Wait
from renderer.orchestrators.kubernetes import Kubernetes
from renderer.orchestrators.kubernetes.rights import APPLY, READ, REMOVE
from tests.cluster import Cluster
from tests.oracles import yaml_read_all
from tests.orchestrators.kubernetes.conftest import OWNED, Clock, Told, ready, rendered

DOCUMENT = Path(__file__).parents[3] / "docs" / "KUBERNETES_DEPLOYMENT.md"


def role() -> dict[str, set[str]]:
    """Resource (``deployments.apps``, ``pods/log``) to its verbs."""
    blocks = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    block = next(text for text in blocks if "kind: Role\n" in text)
    allowed: dict[str, set[str]] = {}
    for rule in next(yaml_read_all(block))["rules"]:
        for resource in rule["resources"]:
            plural, slash, subresource = resource.partition("/")
            group = f".{rule['apiGroups'][0]}" if rule["apiGroups"][0] else ""
            allowed.setdefault(f"{plural}{group}{slash}{subresource}", set()).update(rule["verbs"])
    return allowed


def test_the_role_of_the_documents_has_every_right() -> None:
    allowed = role()
    for right in READ:
        assert right.verb in allowed[right.resource], right
    for resource, verbs in allowed.items():
        reads = {right.verb for right in READ if right.resource == resource}
        if resource in {kind.resource for kind in KINDS.values() if kind.rendered}:
            assert {*APPLY, *REMOVE} <= verbs, resource
        else:
            assert verbs <= {*reads, "get", "list", "watch"}, resource


_ROUTE = re.compile(r"/(?:api/v1|apis/([^/]+)/[^/]+)/(?:namespaces/[^/]+/)?([^/]+)(?:/([^/]+))?(?:/([^/]+))?")


def asked(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Verb and resource of every request for objects."""
    for request in cluster.requests:
        route = _ROUTE.fullmatch(request.path)
        if not route or route[2] == "namespaces":
            continue
        group, plural, name, subresource = route.groups()
        resource = f"{plural}{f'.{group}' if group else ''}{f'/{subresource}' if subresource else ''}"
        reads = "get" if name else "list"
        yield {"GET": reads, "POST": "create", "PATCH": "patch", "DELETE": "delete"}[request.method], resource


def test_nothing_is_asked_without_a_right_for_it(
    orchestrator: Kubernetes, cluster: Cluster, told: Told, clock: Clock
) -> None:
    orchestrator.apply(rendered("time"), OWNED, told.append, told.confirm)
    ready(cluster, "mcp-time", "CrashLoopBackOff")
    orchestrator.get_status("mcp-time")
    ready(cluster, "mcp-time")
    orchestrator.wait(["mcp-time"], Wait(5, told.append))
    assert orchestrator.list_instances(InstanceFilters()).instances
    orchestrator.restart_server("mcp-time")
    list(orchestrator.get_logs("mcp-time", LogOptions()))
    clock.then = [lambda: ready(cluster, "mcp-time")]
    orchestrator.stop_server("mcp-time")
    needed = {*asked(cluster)}
    orchestrator.delete(["time"], data=True, tell=told.append, confirm=told.confirm)
    # A kind that may not be listed is left out of a delete, which says so.
    needed |= {(verb, resource) for verb, resource in asked(cluster) if verb == "delete"}
    assert {("patch", "deployments.apps"), ("list", "pods"), ("list", "events"), ("delete", "services")} <= needed
    allowed = role()
    assert not {(verb, resource) for verb, resource in needed if verb not in allowed.get(resource, ())}

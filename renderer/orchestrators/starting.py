"""``start_server`` of every runtime: renders, checks and applies one server."""

from __future__ import annotations

from collections.abc import Mapping

from renderer import pipeline
from renderer.errors import ApplyFailed, OutputInvalid, UsageMistake, errors_in
from renderer.model import JSON, Options, Server
from renderer.orchestrators.contract import ApplyOptions, Orchestrator
from renderer.orchestrators.instances import failure_text
from renderer.pins import KUBERNETES_VERSION
from renderer.policy import parse_levels
from renderer.registry import target


def start(orchestrator: Orchestrator, server: Server, namespace: str, config: Mapping[str, JSON]) -> str:
    create = config.get("createNamespace")
    options = Options(
        namespace,
        str(config.get("kubernetesVersion", KUBERNETES_VERSION)),
        create_namespace=None if create is None else bool(create),
        network_policy_provider=config.get("networkPolicyProvider", "kubernetes"),  # type: ignore[arg-type]
    )
    policy = config.get("policy", {})
    if not isinstance(policy, dict):
        raise UsageMistake("policy: write a mapping, rule to level")
    specs = pipeline.Specs((server,), (), parse_levels(f"{rule}={level}" for rule, level in policy.items()))
    output = pipeline.render(specs, target(orchestrator.target), pipeline.inhabited(specs, options))
    if faults := errors_in(output.problems):
        raise OutputInvalid("nothing was applied: the rendered output is invalid", faults)
    place = server.namespace if orchestrator.target == "kubernetes" and server.namespace != namespace else None
    env_file = str(config.get("envFile") or "")
    applying = ApplyOptions(
        str(config.get("owner", "")),
        force_conflicts=bool(config.get("forceConflicts", False)),
        env_files={"": env_file} if env_file else {},
        namespaces=server.other_namespaces,
    )
    applied = orchestrator.apply(output.documents, applying, lambda _: None, lambda _, __: False)
    if applied.failed:
        raise ApplyFailed(failure_text(applied))
    return f"{place}/{server.resource_name}" if place else server.resource_name

"""The runtimes by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from renderer.errors import UsageMistake, excerpt
from renderer.orchestrators.contract import Orchestrator, OrchestratorConfig

#: Name to one line of help. The module of the same name here has ``create``, which takes the OrchestratorConfig.
ORCHESTRATORS: Mapping[str, str] = {
    "docker": "docker compose, on this machine or another",
    "kubernetes": "kubectl, in the namespace of a cluster",
}


def create_orchestrator(config: OrchestratorConfig) -> Orchestrator:
    """UsageMistake for a name that is not in ORCHESTRATORS."""
    if config.type not in ORCHESTRATORS:
        known = ", ".join(ORCHESTRATORS)
        raise UsageMistake(f"unknown orchestrator '{excerpt(config.type)}'; known: {known}")
    orchestrator: Orchestrator = import_module(f"renderer.orchestrators.{config.type}").create(config)
    return orchestrator

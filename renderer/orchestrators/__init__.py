"""The runtimes by name: the one list that options, settings, documents and tests read."""

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
    """The runtime that the configuration names; UsageMistake with the known ones for any other."""
    if config.type not in ORCHESTRATORS:
        known = ", ".join(ORCHESTRATORS)
        raise UsageMistake(f"no orchestrator is called '{excerpt(config.type)}'; there is: {known}")
    orchestrator: Orchestrator = import_module(f"renderer.orchestrators.{config.type}").create(config)
    return orchestrator

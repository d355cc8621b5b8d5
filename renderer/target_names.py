"""Targets by name. On a low layer, as the schemas of specs and environments list them."""

from __future__ import annotations

from collections.abc import Mapping

#: By name: a line of help. ``renderer.targets.<name>`` has the ``TARGET``.
TARGETS: Mapping[str, str] = {
    "compose": "a compose file, for docker compose",
    "kubernetes": "Kubernetes manifests, for kubectl and GitOps trees",
}

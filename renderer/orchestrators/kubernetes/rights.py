"""The rights that this orchestrator needs in a cluster: doctor checks them, and the documents list them."""

from __future__ import annotations

from typing import NamedTuple

#: For each kind that is rendered: to apply it; and to remove it, by ``delete`` and ``--prune``.
APPLY = ("get", "create", "patch")
REMOVE = ("list", "delete")


class Right(NamedTuple):
    """One verb on a resource (``pods/log``) of the configured namespace, and the commands that need it."""

    verb: str
    resource: str
    use: str


_STATE = (
    *("deployments.apps", "statefulsets.apps", "replicasets.apps", "pods", "services", "persistentvolumeclaims"),
    "horizontalpodautoscalers.autoscaling",
)
#: In addition to those on the kinds that are rendered.
READ = (
    *(Right("list", resource, "apply, status") for resource in _STATE),
    Right("list", "events", "reasons in apply and status"),
    Right("get", "pods/log", "logs"),
    Right("create", "pods/portforward", "asking the servers over MCP"),
)

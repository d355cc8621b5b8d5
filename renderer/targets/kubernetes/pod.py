"""What a pod asks of the cluster: nodes, GPUs, a runtime, an identity, time to stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from renderer import pins
from renderer.errors import Fault, Severity
from renderer.model import JSON, Options, Scheduling, Server, Toleration

Json = dict[str, JSON]

#: The first version whose API server takes the ``sleep`` action by default (1.29 knows it as alpha).
SLEEP_ACTION = (1, 30)
#: What the NVIDIA device plugin and its feature discovery call things.
GPU = "nvidia.com/gpu"
GPU_PRODUCT = "nvidia.com/gpu.product"
#: With 'preferred' the rule is the only one of its kind, so any weight means the same.
_WEIGHT = 100


def pod_view(server: Server, selector: dict[str, str], options: Options) -> dict[str, Any]:
    """What the pod's spec reads besides its containers; ``selector`` is that of the server's pods."""
    scheduling, wait = server.scheduling, pre_stop(server, options)
    return {
        "automount_token": server.service_account.automount or server.sandbox is not None,
        "pull_secrets": [{"name": name} for name in server.image_pull_secrets],
        "runtime_class": server.runtime_class,
        "priority_class": scheduling.priority_class,
        "node_selector": dict(scheduling.node_selector),
        "tolerations": [*(_toleration(one) for one in scheduling.tolerations), *_gpu_toleration(server)],
        "affinity": _affinity(server, selector),
        "topology_spread": _topology_spread(scheduling, selector),
        "grace": server.shutdown.grace,
        "pre_stop": wait,
        "pre_stop_lost": 0 if wait else server.shutdown.pre_stop,
        "rollout": {"max_surge": server.rollout.max_surge, "max_unavailable": server.rollout.max_unavailable},
    }


def can_sleep(options: Options) -> bool:
    """Whether the cluster itself can wait before it stops a container."""
    major, minor = options.kubernetes_version.split(".")
    return (int(major), int(minor)) >= SLEEP_ACTION


def pre_stop(server: Server, options: Options) -> Json | None:
    """How the container waits before it is told to stop; None where it does not, and where nothing can.

    Of a package's image it is known which interpreter it has, of any other image nothing.
    """
    seconds = server.shutdown.pre_stop
    if not seconds:
        return None
    if can_sleep(options):
        return {"sleep": {"seconds": seconds}}
    if server.package is None:
        return None
    return {"exec": {"command": list(pins.wait_command(server.package.registry, seconds))}}


def gpu_resources(server: Server) -> Json:
    """The GPUs as a resource; requests and limits are always the same."""
    return {GPU: server.gpu.number} if server.gpu else {}


def _toleration(toleration: Toleration) -> Json:
    fields: Json = {
        "key": toleration.key,
        "operator": toleration.operator,
        "value": toleration.value,
        "effect": toleration.effect,
        "tolerationSeconds": toleration.seconds,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _gpu_toleration(server: Server) -> list[Json]:
    # Nodes with GPUs are tainted, to keep those away who need none.
    return [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}] if server.gpu else []


def _affinity(server: Server, selector: dict[str, str]) -> Json:
    return {**_node_affinity(server), **_anti_affinity(server.scheduling, selector)}


def _node_affinity(server: Server) -> Json:
    if server.gpu is None or server.gpu.product is None:
        return {}
    expression: Json = {"key": GPU_PRODUCT, "operator": "In", "values": [server.gpu.product]}
    terms: JSON = [{"matchExpressions": [expression]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def _anti_affinity(scheduling: Scheduling, selector: dict[str, str]) -> Json:
    if scheduling.anti_affinity == "none":
        return {}
    term: Json = {"labelSelector": {"matchLabels": dict(selector)}, "topologyKey": "kubernetes.io/hostname"}
    if scheduling.anti_affinity == "required":
        return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    preferred: JSON = [{"weight": _WEIGHT, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def _topology_spread(scheduling: Scheduling, selector: dict[str, str]) -> list[Json]:
    return [
        {
            "maxSkew": spread.max_skew,
            "topologyKey": spread.topology_key,
            "whenUnsatisfiable": spread.when_unsatisfiable,
            "labelSelector": {"matchLabels": dict(selector)},
        }
        for spread in scheduling.topology_spread
    ]


def pod_limits(server: Server, options: Options) -> Iterator[Fault]:
    """What the chosen version of Kubernetes cannot do."""
    if server.shutdown.pre_stop and pre_stop(server, options) is None:
        yield Fault(
            ("spec", "shutdown", "preStopSeconds"),
            "kubernetes/pre-stop-not-rendered",
            f"not rendered for Kubernetes {options.kubernetes_version}: it waits by itself from 1.30 on, and before "
            "that only a program of the image could, which mcpctl cannot know",
            "render for 1.30 or later, or let the server finish its requests after SIGTERM",
            Severity.WARNING,
        )

"""Rules about scaling, disruption, the way in and metrics. Each gives its reason, and fires in a test."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.errors import Fault
from renderer.model import Server
from renderer.validate.network import address_block
from renderer.validate.rules import Rule


def replicas_beside_autoscaling(server: Server) -> Iterator[Fault]:
    """Each apply would set the number back, and the autoscaler would change it again."""
    if server.autoscaling and server.given("spec", "replicas"):
        yield Fault(
            ("spec", "replicas"),
            "spec/replicas-and-autoscaling",
            "'replicas' and 'autoscaling' would both decide how many pods there are",
            "remove 'replicas': autoscaling.min is the number to begin with",
            at_key=True,
        )


def autoscaling_has_room(server: Server) -> Iterator[Fault]:
    """An API server refuses fewer at most than at least; without a measure nothing would ever happen."""
    scaling = server.autoscaling
    if scaling is None:
        return
    if scaling.least > scaling.most:
        yield Fault(
            ("spec", "autoscaling", "max"),
            "spec/autoscaling-bounds",
            f"at most {scaling.most} pods are fewer than at least {scaling.least}",
            "raise 'max', or lower 'min'",
        )
    if not (scaling.cpu or scaling.memory):
        yield Fault(
            ("spec", "autoscaling"),
            "spec/autoscaling-measure",
            "neither CPU nor memory decides how many pods there are",
            "give 'cpu' or 'memory' a percentage above 0",
            at_key=True,
        )


def operations_of_a_pod(server: Server) -> Iterator[Fault]:
    """A Pod has no owner that could make more of it, or another one after a drain."""
    if server.workload != "Pod":
        return
    for name in ("autoscaling", "disruption"):
        if getattr(server, name):
            yield Fault(
                ("spec", name),
                "spec/operations-of-pod",
                f"a Pod is one pod, which nothing starts anew, so '{name}' means nothing",
                "use 'workload: Deployment' or StatefulSet",
                at_key=True,
            )


def disruption_lets_nodes_drain(server: Server) -> Iterator[Fault]:
    """A budget that never lets one pod go blocks every upgrade of a node."""
    disruption, pods = server.disruption, server.fewest_pods
    if disruption is None or server.workload == "Pod":
        return
    kept, gone = disruption.min_available, disruption.max_unavailable
    if kept is not None and _count(kept, pods) >= pods:
        yield Fault(
            ("spec", "disruption", "minAvailable"),
            "spec/disruption-blocks",
            f"{kept} of {pods} {'pod' if pods == 1 else 'pods'} must always be there, so that none may ever go: nodes "
            "could not be drained",
            "keep fewer, or run more pods (replicas, autoscaling.min)",
        )
    if gone is not None and _count(gone, pods) == 0:
        yield Fault(
            ("spec", "disruption", "maxUnavailable"),
            "spec/disruption-blocks",
            "no pod may ever go: nodes could not be drained",
            "allow 1 at least",
        )


def _count(amount: int | str, pods: int) -> int:
    """Kubernetes rounds percentages of a budget up."""
    return amount if isinstance(amount, int) else -(-int(amount.rstrip("%")) * pods // 100)


def peers_are_blocks(server: Server) -> Iterator[Fault]:
    """An address block has no host bits."""
    for name, peers in (
        ("expose", server.expose.peers if server.expose else None),
        ("monitoring", server.monitoring.peers if server.monitoring else None),
    ):
        for i, peer in enumerate(peers or ()):
            if peer.cidr:
                yield from address_block(peer.cidr, ("spec", name, "from", i, "cidr"))[1]


#: In the order in which they are told when they stand on one line.
RULES: tuple[Rule, ...] = (
    replicas_beside_autoscaling,
    autoscaling_has_room,
    operations_of_a_pod,
    disruption_lets_nodes_drain,
    peers_are_blocks,
)

"""What keeps a server running and reachable: scaling, disruption, the way in, metrics."""

from __future__ import annotations

from typing import Any

from renderer.model import (
    Alert,
    Autoscaling,
    Disruption,
    Expose,
    Gateway,
    Monitoring,
    Peer,
    ScalingStep,
)


def make_autoscaling(item: dict[str, Any] | None) -> Autoscaling | None:
    """From ``spec.autoscaling``."""
    if item is None:
        return None
    steps = (_step(item[name]) for name in ("scaleUp", "scaleDown"))
    return Autoscaling(item["min"], item["max"], item["cpu"], item["memory"], *steps)


def _step(item: dict[str, int]) -> ScalingStep:
    return ScalingStep(item["pods"], item["periodSeconds"], item["stabilizationSeconds"])


def make_disruption(item: dict[str, Any] | None) -> Disruption | None:
    """From ``spec.disruption``."""
    if item is None:
        return None
    return Disruption(_pod_count(item.get("minAvailable")), _pod_count(item.get("maxUnavailable")))


def _pod_count(count: float | str | None) -> int | str | None:
    """To JSON Schema 2.0 is an integer, to Kubernetes it is none."""
    return int(count) if isinstance(count, float) else count


def make_expose(item: dict[str, Any] | None) -> Expose | None:
    """From ``spec.expose``."""
    if item is None:
        return None
    return Expose(
        type=item["type"],
        host=item["host"],
        path=item["path"],
        class_name=item.get("className"),
        annotations=item["annotations"],
        tls_secret=item["tls"]["secret"] if "tls" in item else None,
        gateway=_gateway(item.get("gateway")),
        peers=_peers(item.get("from")),
    )


def _gateway(item: dict[str, str] | None) -> Gateway | None:
    return None if item is None else Gateway(item["name"], item.get("namespace"), item.get("sectionName"))


def make_monitoring(item: dict[str, Any] | None) -> Monitoring | None:
    """From ``spec.monitoring``."""
    if item is None:
        return None
    return Monitoring(
        port=item["port"],
        path=item["path"],
        scrape=item["scrape"],
        interval=item.get("interval"),
        labels=item["labels"],
        peers=_peers(item.get("from")),
        alerts=tuple(_alert(kind, alert) for kind, alert in item["alerts"].items()),
    )


def _alert(kind: Any, item: dict[str, Any]) -> Alert:
    return Alert(kind, item["for"], item.get("metric", ""), item.get("threshold", 0), item.get("quantile", 0))


def _peers(items: list[dict[str, Any]] | None) -> tuple[Peer, ...] | None:
    return None if items is None else tuple(make_peer(item) for item in items)


def make_peer(item: dict[str, Any]) -> Peer:
    """Who may connect, from any list of peers."""
    return Peer(item.get("podLabels"), item.get("namespace"), item.get("cidr"))

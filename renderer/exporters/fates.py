"""What becomes of the fields of a spec in the resources of operators, where it is the same for all of them."""

from __future__ import annotations

from renderer.exporters.exported import Fates, Lost

_POLICY = Lost("the operator makes no NetworkPolicy: write one that selects its pods, or their connections are open")
_COMPOSE = Lost("only compose has it", harmless=True)
_ACCEPTED = Lost("mcpctl's policy judges what mcpctl renders, and not the operator's objects", harmless=True)
_ROUTE = Lost("the operator leads no host name to the server: write an Ingress or HTTPRoute to its Service")
_ONE_WORKLOAD = Lost("the operator decides how its pods are replaced")

#: Empty: part of what carries the server as a whole, or said by the document that holds it.
COMMON: Fates = {
    "description": "metadata.annotations",
    "annotations": Lost("only mcpctl's own objects can be annotated by kind"),
    "resourceName": Lost("the operator names its objects after the resource", harmless=True),
    "namespace": "metadata.namespace",
    "size": "",
    "patches": Lost("they patch objects that mcpctl renders, and the operator makes its own"),
    "sandbox": Lost("the operator makes no second namespace; 'mcpctl render' does"),
    "workload": Lost("the operator decides the kind of the workload"),
    "rollout": _ONE_WORKLOAD,
    "disruption": Lost("the operator makes no PodDisruptionBudget: write one for its pods"),
    "autoscaling": Lost("the operator makes no HorizontalPodAutoscaler: write one for its workload"),
    "expose": _ROUTE,
    "monitoring": Lost("the operator makes no ServiceMonitor or PrometheusRule for the server: write them"),
    "network.egress": _POLICY,
    "network.ingress": _POLICY,
    "network.publish": _COMPOSE,
    "network.hostAliases": Lost("the resource has no hostAliases"),
    "compose": _COMPOSE,
    "accept": _ACCEPTED,
    "adopt": Lost("the operator makes objects of its own, with its own names"),
    "externalSecrets": "ExternalSecret",
    "access": Lost(
        "anybody who reaches the operator's Service may call the server: the resource has no rules for that"
    ),
    "transport.bridge": Lost("the operator brings its own bridge"),
    "transport.messagesPath": Lost("the resource has no second path"),
    "service.type": Lost("the operator's Service is of type ClusterIP"),
    "service.nodePort": Lost("the operator's Service is of type ClusterIP"),
    "service.sourceRanges": Lost("the operator's Service is of type ClusterIP"),
    "service.appProtocol": Lost("the resource does not say it"),
    "service.annotations": Lost("the resource does not say it"),
    "service.ports": Lost("the operator's Service has one port"),
    "health": Lost("the resource has no probes"),
    "runtimeClass": Lost("the resource has no runtimeClassName"),
    "initContainers": Lost("the resource has no further init containers"),
    "sidecars": Lost("the resource has no further containers"),
    "shutdown": Lost("the resource has no grace period"),
    "scheduling": Lost("the resource does not say where its pods run"),
    "gpu": Lost("the resource has no limits but CPU and memory, and no node selector"),
}

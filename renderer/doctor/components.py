"""What runs in a cluster and has no object of its own. Best effort, and honest where it cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from renderer.doctor.checks import Check, failed, ok, unchecked, warning
from renderer.errors import excerpt
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.objects import annotations_of

#: DaemonSets of network plugins that enforce NetworkPolicies, and of those that do not.
ENFORCING = ("antrea-agent", "azure-npm", "calico-node", "canal", "cilium", "kube-router", "ovnkube-node", "weave-net")
NOT_ENFORCING = ("kube-flannel-ds", "kube-flannel")
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def check(kubectl: Kubectl, name: str, served: set[str]) -> Check:
    """The component of that name in the list of prerequisites."""
    for beginning, look in LOOKS.items():
        if name.startswith(beginning):
            return look(kubectl, name, served)
    return unchecked(name, "nothing in the cluster tells of it")


def _storage(kubectl: Kubectl, what: str, served: set[str]) -> Check:
    del served
    found = kubectl.items("reading the storage classes", "get", "storageclasses.storage.k8s.io", "--output=json")
    default = [_name(one) for one in found if any(annotations_of(one).get(key) == "true" for key in _DEFAULT)]
    if default:
        return ok(what, f"{default[0]} is")
    return failed(what, "there is none", "make a StorageClass the default, or name one with storage.storageClass")


def _policies(kubectl: Kubectl, what: str, served: set[str]) -> Check:
    del served
    names = _daemons(kubectl)
    if known := [name for name in names if name.startswith(ENFORCING)]:
        return ok(what, f"{known[0]} runs, which does")
    if known := [name for name in names if name.startswith(NOT_ENFORCING)]:
        text = f"{known[0]} runs, which does not: NetworkPolicies are accepted, and nothing is kept apart"
        return warning(what, text, "install one that does, such as Cilium or Calico")
    text = f"none is known among the DaemonSets ({', '.join(excerpt(name, 40) for name in names[:8]) or 'none'})"
    return unchecked(what, text, "ask who runs the cluster: some enforce without a DaemonSet, newer kindnet does too")


def _cilium(kubectl: Kubectl, what: str, served: set[str]) -> Check:
    del served
    if any(name.startswith("cilium") for name in _daemons(kubectl)):
        return ok(what, "its DaemonSet runs")
    return failed(what, "no DaemonSet of Cilium is there", "install Cilium, or use another --network-policy-provider")


def _daemons(kubectl: Kubectl) -> list[str]:
    path = r"--output=jsonpath={range .items[*]}{.metadata.name}{'\n'}{end}"
    asked = ("get", "daemonsets.apps", "--all-namespaces", path)
    return sorted(kubectl.call("reading the DaemonSets", *asked).out.split())


def _ingress(kubectl: Kubectl, what: str, served: set[str]) -> Check:
    del served
    found = kubectl.items("reading the ingress classes", "get", "ingressclasses.networking.k8s.io", "--output=json")
    if not found:
        return warning(what, "there is no IngressClass, so hardly a controller", "install an ingress controller")
    told = ", ".join(f"{_name(one)} ({excerpt(str(one.get('spec', {}).get('controller')), 60)})" for one in found[:5])
    return ok(what, f"there are classes: {told}; whether their controllers run is not told by them")


def _metrics(kubectl: Kubectl, what: str, served: set[str]) -> Check:
    del kubectl
    if any(name.startswith("metrics.k8s.io/") for name in served):
        return ok(what, "its API is served")
    text = "its API is not served: the autoscaler has nothing to go by, and leaves the number of pods as it is"
    return warning(what, text, "install metrics-server")


def _gpus(kubectl: Kubectl, what: str, served: set[str]) -> Check:
    del served
    found = kubectl.items("reading the nodes", "get", "nodes", "--output=json")
    counts = [str((one.get("status", {}).get("allocatable") or {}).get("nvidia.com/gpu", "0")) for one in found]
    having = sum(count.isdecimal() and int(count) > 0 for count in counts)
    if having:
        return ok(what, f"{having} of {len(found)} nodes have GPUs")
    return failed(what, f"none of {len(found)} nodes has a GPU to give", "add such nodes, and the device plugin")


def _external_secrets(kubectl: Kubectl, what: str, served: set[str]) -> Check:
    del kubectl
    if "external-secrets.io/v1" in served:
        return ok(what, "its API external-secrets.io/v1 is served; whether its controller runs is not told by that")
    if not served:
        return unchecked(what, "which APIs are served could not be asked")
    older = sorted(name for name in served if name.startswith("external-secrets.io/"))
    text = f"only {excerpt(', '.join(older), 100)} is served" if older else "its API is not served"
    return failed(what, text, "install it in version 0.16 or later: no Secret comes without it")


#: Beginning of the name to its look. A test holds it against renderer/prerequisites.py.
LOOKS: Mapping[str, Callable[[Kubectl, str, set[str]], Check]] = {
    "a default StorageClass": _storage,
    "a network plugin (CNI)": _policies,
    "Cilium": _cilium,
    "an ingress controller": _ingress,
    "the External Secrets Operator": _external_secrets,
    "the metrics server": _metrics,
    "nodes with NVIDIA GPUs": _gpus,
}
#: What nobody can see from outside.
UNSEEN: Sequence[str] = ("a controller of the Gateway API", "nodes whose container runtime has the handler")


def _name(data: Mapping[str, Any]) -> str:
    return excerpt(str(data.get("metadata", {}).get("name")), 63)

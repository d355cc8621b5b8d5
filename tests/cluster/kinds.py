"""The kinds that the cluster knows: a table of built-in ones, and what CustomResourceDefinitions add."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind as discovery tells of it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    builtin: bool = True
    #: Reviews are answered and never stored.
    stored: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """Where the group and version are served."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    @property
    def resource(self) -> str:
        """As messages name it: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


#: One a line: group/version, kind, plural, scope (N: in a namespace, C: of the cluster), short names, subresources.
_TABLE = """
v1                              Namespace                namespaces                C ns     status,finalize
v1                              Node                     nodes                     C no     status
v1                              PersistentVolume         persistentvolumes         C pv     status
v1                              Pod                      pods                      N po     status,log,portforward
v1                              Service                  services                  N svc    status
v1                              Endpoints                endpoints                 N ep     -
v1                              ServiceAccount           serviceaccounts           N sa     -
v1                              ConfigMap                configmaps                N cm     -
v1                              Secret                   secrets                   N -      -
v1                              PersistentVolumeClaim    persistentvolumeclaims    N pvc    status
v1                              ResourceQuota            resourcequotas            N quota  status
v1                              LimitRange               limitranges               N limits -
v1                              Event                    events                    N ev     -
apps/v1                         Deployment               deployments               N deploy status,scale
apps/v1                         StatefulSet              statefulsets              N sts    status,scale
apps/v1                         DaemonSet                daemonsets                N ds     status
apps/v1                         ReplicaSet               replicasets               N rs     status,scale
autoscaling/v2                  HorizontalPodAutoscaler  horizontalpodautoscalers  N hpa    status
policy/v1                       PodDisruptionBudget      poddisruptionbudgets      N pdb    status
networking.k8s.io/v1            NetworkPolicy            networkpolicies           N netpol -
networking.k8s.io/v1            Ingress                  ingresses                 N ing    status
networking.k8s.io/v1            IngressClass             ingressclasses            C -      -
rbac.authorization.k8s.io/v1    Role                     roles                     N -      -
rbac.authorization.k8s.io/v1    RoleBinding              rolebindings              N -      -
rbac.authorization.k8s.io/v1    ClusterRole              clusterroles              C -      -
rbac.authorization.k8s.io/v1    ClusterRoleBinding       clusterrolebindings       C -      -
node.k8s.io/v1                  RuntimeClass             runtimeclasses            C -      -
storage.k8s.io/v1               StorageClass             storageclasses            C sc     -
scheduling.k8s.io/v1            PriorityClass            priorityclasses           C pc     -
apiextensions.k8s.io/v1         CustomResourceDefinition customresourcedefinitions C crd    status
authorization.k8s.io/v1         SelfSubjectAccessReview  selfsubjectaccessreviews  C -      -
authorization.k8s.io/v1         SelfSubjectRulesReview   selfsubjectrulesreviews   C -      -
authentication.k8s.io/v1        SelfSubjectReview        selfsubjectreviews        C -      -
"""


def _words(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))


def _row(line: str) -> Kind:
    api_version, kind, plural, scope, short, subresources = line.split()
    group, _, version = api_version.rpartition("/")
    stored = not kind.startswith("SelfSubject")
    return Kind(group, version, kind, plural, scope == "N", _words(short), _words(subresources), stored=stored)


BUILTIN = tuple(_row(line) for line in _TABLE.strip().splitlines())
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Kinds:
    """What is served now."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        for kind in BUILTIN:
            self.add(kind)

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._kinds.values()))

    def add(self, kind: Kind) -> None:
        self._kinds[kind.group, kind.version, kind.plural] = kind

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def named(self, kind: str, group: str | None = None) -> Kind:
        """By kind or plural name, for tests; KeyError if it is not served."""
        for known in self:
            if kind in (known.kind, known.plural) and group in (None, known.group):
                return known
        raise KeyError(kind)

    def define(self, crd: Json) -> None:
        """What a CustomResourceDefinition serves."""
        self.forget(crd)
        for kind in _of_crd(crd):
            self.add(kind)

    def forget(self, crd: Json) -> list[Kind]:
        """No longer serve it; returns what was served."""
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        gone = [kind for kind in self if (kind.group, kind.plural) == (group, plural)]
        for kind in gone:
            del self._kinds[kind.group, kind.version, kind.plural]
        return gone


def _of_crd(crd: Json) -> Iterator[Kind]:
    spec, names = crd["spec"], crd["spec"]["names"]
    for version in spec["versions"]:
        if version.get("served", True):
            yield Kind(
                group=spec["group"],
                version=version["name"],
                kind=names["kind"],
                plural=names["plural"],
                namespaced=spec["scope"] == "Namespaced",
                short=tuple(names.get("shortNames", ())),
                subresources=tuple(sorted(version.get("subresources", {}))),
                builtin=False,
            )


def definition(group: str, kind: str, plural: str, version: str = "v1", *, scope: str = "Namespaced") -> Json:
    """A CustomResourceDefinition that takes any fields."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "scope": scope,
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


#: Of the custom kinds that mcpctl renders.
DEFINITIONS = (
    definition("monitoring.coreos.com", "ServiceMonitor", "servicemonitors"),
    definition("monitoring.coreos.com", "PrometheusRule", "prometheusrules"),
    definition("cilium.io", "CiliumNetworkPolicy", "ciliumnetworkpolicies", "v2"),
    definition("gateway.networking.k8s.io", "HTTPRoute", "httproutes"),
    definition("external-secrets.io", "ExternalSecret", "externalsecrets"),
)

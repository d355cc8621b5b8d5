"""What a run is told beside the specs, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from renderer.errors import DocumentPath, Place

#: Who enforces network rules in a cluster: what is rendered depends on what that one understands.
NetworkPolicyProvider: TypeAlias = Literal["kubernetes", "cilium", "none"]

#: A level of the Pod Security Standards that a Namespace asks for.
PodSecurityLevel: TypeAlias = Literal["restricted", "baseline"]


class NamespaceRules(NamedTuple):
    """What holds in the namespace. ``version`` None is that of the cluster; ``quota`` and ``limits`` as rendered."""

    enforce: PodSecurityLevel = "restricted"
    warn: PodSecurityLevel = "restricted"
    version: str | None = None
    quota: Mapping[str, str] | None = None
    limits: Mapping[str, Mapping[str, str]] | None = None


class Options(NamedTuple):
    """What a run is told beside the specs. ``kubernetes_version`` is ``major.minor``."""

    namespace: str
    kubernetes_version: str
    create_namespace: bool = True
    one_stream: bool = False
    network_policy_provider: NetworkPolicyProvider = "kubernetes"
    namespace_rules: NamespaceRules = NamespaceRules()
    #: Whether objects say in which order Argo CD applies them.
    sync_waves: bool = False


class Rendered(NamedTuple):
    """One YAML document: its path below the target's folder and its text.

    ``template`` and ``context`` are kept to find the template's line for a fault in the text;
    ``subject`` says in words for whom it was made (``server github``); ``identity`` is what no two
    documents of a run may share (kind, name and namespace of a Kubernetes object); ``changes`` are the paths that
    patches changed, each with the place of the patch: a fault there is the patch's.
    """

    path: str
    text: str
    template: str
    context: Mapping[str, Any]
    subject: str
    identity: tuple[str, ...] = ()
    changes: tuple[tuple[DocumentPath, Place], ...] = ()

"""What a change can lead to, and what the rules are given: pairs of objects, of which nothing is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from renderer.images import parse
from renderer.manifest import as_mapping

if TYPE_CHECKING:
    from renderer.diff.objects import Change, Object

Name = Literal[
    "data-loss",
    "replacement",
    "egress",
    "ingress",
    "exposure",
    "rbac",
    "hardening",
    "container",
    "secret",
    "dns",
    "labels",
    "no-digest",
    "image",
    "restart",
    "scaling",
    "resources",
    "addition",
    "removal",
    "update",
    "delivery",
    "files",
    "cosmetic",
]


class Kind(NamedTuple):
    """A row of the table: what is said, when it fires, and whether it asks for a second look."""

    words: str
    fires: str
    grave: bool = False


#: In the order in which a reviewer wants them. docs/diff.md has this table, which a test holds equal.
CONSEQUENCES: Mapping[Name, Kind] = {
    "data-loss": Kind(
        "data may be lost",
        "a volume, claim or Namespace goes or shrinks; a claim of a StatefulSet has another name; pods use a claim, or "
        "compose a volume, no more",
        grave=True,
    ),
    "replacement": Kind(
        "must be replaced",
        "a field changes that an API server refuses to change: selectors, claim templates, `clusterIP`, "
        "a Job's template, `roleRef`, a Pod's spec, what is `immutable`",
        grave=True,
    ),
    "egress": Kind("new or wider egress", "pods reach more than before", grave=True),
    "ingress": Kind("wider ingress", "pods are reached by more than before", grave=True),
    "exposure": Kind(
        "exposed to more",
        "a new host or path, no TLS any more, another class of an Ingress, `LoadBalancer`, `NodePort`, "
        "a port of a node, a port that compose publishes elsewhere, labels of a proxy such as Traefik; "
        "an annotation by which a controller decides who may call",
        grave=True,
    ),
    "rbac": Kind(
        "wider rights",
        "a right, a subject, a token of the API, an annotation of a ServiceAccount that may give it an identity; pods "
        "run as another ServiceAccount",
        grave=True,
    ),
    "hardening": Kind(
        "weaker hardening",
        "a pod, container, service or namespace loses a protection; a folder, device, group or socket of the machine, "
        "however it comes; programs that run from a writable folder of compose; a key of a "
        "compose service that is not known to be harmless",
        grave=True,
    ),
    "container": Kind(
        "new container or image",
        "another container, init container, service or mounted image than before",
        grave=True,
    ),
    "secret": Kind(
        "secret given to more",
        "a Secret, key, entry of an external store or variable is referred to for the first time, or from one more "
        "variable, file or container; a container that has one gets another image (not only another version)",
        grave=True,
    ),
    "dns": Kind(
        "names resolved elsewhere",
        "another nameserver, search domain or `dnsPolicy`; an address for a name (`hostAliases`, `extra_hosts`, "
        "`ExternalName`, a mounted `/etc/hosts`); a compose service that answers for a name with a dot",
        grave=True,
    ),
    "labels": Kind(
        "taken for another's pods",
        "labels of pods by which the policy or Service of another server in the tree selects them",
        grave=True,
    ),
    "no-digest": Kind("image without a digest", "a new image has no digest", grave=True),
    "image": Kind("other image", "an image is another one"),
    "restart": Kind("restarts pods", "a pod template, or a compose service, is another one"),
    "scaling": Kind("changes scaling", "replicas, autoscalers and budgets"),
    "resources": Kind("other resources", "requests, limits and quotas"),
    "addition": Kind("adds objects", "an object comes; for a new server all of its objects"),
    "removal": Kind("removes objects", "an object, or a port of a Service, goes"),
    "update": Kind("changes objects in place", "an object changes and none of the above says how"),
    "delivery": Kind("changes delivery", "what Argo CD or Flux get, or which of them delivers"),
    "files": Kind("other files", "only `kustomization.yaml` and the like change"),
    "cosmetic": Kind(
        "cosmetic only",
        "comments, layout, files for people; labels and annotations that nothing selects or acts on. One with the "
        "domain of another program (`argocd.argoproj.io/…`) is never cosmetic, nor is a label in compose, which makes "
        "another container",
    ),
}


class Consequence(NamedTuple):
    """One thing that a change leads to; ``detail`` says of what, in a few words, and may quote values."""

    name: Name
    detail: str = ""


class Pair(NamedTuple):
    """One object before and now; None where it is not there."""

    old: Object | None
    new: Object | None
    changes: tuple[Change, ...]

    @property
    def object(self) -> Object:
        """The new one, or else the old one."""
        found = self.new or self.old
        assert found
        return found

    @property
    def before(self) -> dict[str, Any]:
        """The old data, empty where there is none."""
        return as_mapping(self.old.data) if self.old else {}

    @property
    def now(self) -> dict[str, Any]:
        """The new data, empty where there is none."""
        return as_mapping(self.new.data) if self.new else {}


#: What the resolver of a container reads.
RESOLVER_FILES = ("/etc", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/resolv.conf")
#: Annotations and labels that are known to give nobody anything: of ours, for people, and of programs that only
#: restart, order or note.
HARMLESS = (
    "mcpctl.io/",
    "app.kubernetes.io/",
    "kubernetes.io/description",
    "kubectl.kubernetes.io/last-applied-configuration",
    "helm.sh/",
    "meta.helm.sh/",
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "config.kubernetes.io/",
    "internal.config.kubernetes.io/",
    "reloader.stakater.com/",
    "secret.reloader.stakater.com/",
    "configmap.reloader.stakater.com/",
    "prometheus.io/",
    "checksum/",
)


def image_rules(name: str, before: object, now: object) -> Iterator[Consequence]:
    """Of one container's image; one that was there before is not told again."""
    if before == now or not isinstance(now, str):
        return
    if before is not None:
        yield Consequence("image", f"{name}: {before} → {now}")
    if "@sha256:" not in now:
        yield Consequence("no-digest", f"{name}: {now}")


def handed_on(name: str, before: str, now: str, secrets: Sequence[str]) -> Iterator[Consequence]:
    """Secrets of a container that another image gets; another version of the same one is no news."""
    if secrets and parse(before).name != parse(now).name:
        more = f" and {len(secrets) - 3} more" if len(secrets) > 3 else ""
        yield Consequence("secret", f"{name}: {', '.join(secrets[:3])}{more} → image {parse(now).name}")

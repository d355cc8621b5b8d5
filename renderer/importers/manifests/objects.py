"""Kubernetes objects as written or as a cluster returns them, and their relations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.draft import Reading, plain_text
from renderer.kinds import KINDS
from renderer.manifest import as_mapping, at
from renderer.model import JSON, Source
from renderer.model.source import API_GROUP

#: Created by controllers.
_MADE = ("ReplicaSet", "ControllerRevision", "Endpoints", "EndpointSlice", "Event")
#: For objects that are not taken over.
STAYS = "it stays as it is, outside of mcpctl"
_KEPT = "the API server's own: it stays as it is"
_OF_TOOLS = "of the tool that installed it"
SERVERS_OWN = (
    *("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "ownerReferences"),
    *("finalizers", "deletionGracePeriodSeconds", "deletionTimestamp"),
)
#: Prefixes of annotations and labels of installers and controllers.
_TOOLS = (
    *("kubectl.kubernetes.io/", "deployment.kubernetes.io/", "meta.helm.sh/", "helm.sh/", "argocd.argoproj.io/"),
    *("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "pv.kubernetes.io/", "volume.kubernetes.io/"),
    *("volume.beta.kubernetes.io/", "autoscaling.alpha.kubernetes.io/", "field.cattle.io/", "objectset.rio.cattle.io/"),
)
#: Labels that change with a release or a pod.
_LABELS = (
    *("pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name", "heritage", "release"),
    *("apps.kubernetes.io/pod-index", "chart", "app.kubernetes.io/version"),
)
#: Those that mcpctl sets itself.
_OURS = tuple(f"app.kubernetes.io/{name}" for name in ("name", "component", "managed-by", "part-of"))


class Object(NamedTuple):
    """``root``: () or the item of a List."""

    source: Source
    root: DocumentPath
    data: Mapping[str, JSON]

    @property
    def kind(self) -> str:
        return plain_text(self.data.get("kind"))

    @property
    def name(self) -> str:
        return plain_text(mapping(self.data, "metadata").get("name"))

    @property
    def namespace(self) -> str:
        return plain_text(mapping(self.data, "metadata").get("namespace"))

    @property
    def labels(self) -> dict[str, str]:
        return texts(mapping(self.data, "metadata").get("labels"))

    @property
    def spec(self) -> Mapping[str, JSON]:
        return mapping(self.data, "spec")

    @property
    def words(self) -> str:
        return f"{self.kind} {self.name}"


class Gathering:
    """A workload and its objects, all read into one spec."""

    def __init__(self, workload: Object) -> None:
        self.readings: list[Reading] = []
        self.taken: list[Object] = []
        self.first = self.add(workload)

    def add(self, each: Object) -> Reading:
        """A Reading of the object, with server-managed fields reported."""
        reading = Reading(each.source, each.root, self.readings[0] if self.readings else None)
        for key in ("apiVersion", "kind"):
            if key in each.data:
                reading.note((key,), None)
        reading.lose_all(["status"], _KEPT)
        reading.lose_all(SERVERS_OWN, _KEPT, ("metadata",))
        if self.readings:
            reading.lose_all(["labels"], "every object of a server has the labels of the spec", ("metadata",))
        self.readings.append(reading)
        self.taken.append(each)
        return reading

    def leave(self, each: Object, why: str) -> None:
        """Reports that the object is not taken over."""
        reading = self.add(each)
        for key in each.data:
            if key not in ("apiVersion", "kind", "status"):
                reading.lose((key,), f"{each.words}: {why}", harmless=True)


def mapping(data: Any, *path: str) -> dict[str, Any]:
    """The mapping there; empty for anything else."""
    return as_mapping(at(data, *path))


def texts(value: JSON) -> dict[str, str]:
    return {key: plain_text(item) for key, item in as_mapping(value).items()}


def split_lists(sources: Sequence[Source]) -> Iterator[Object]:
    """All objects; the items of a List one by one."""
    for source in sources:
        listed = source.data.get("items")
        if str(source.data.get("kind", "List")).endswith("List") and isinstance(listed, list):
            pairs = enumerate(listed)
            yield from (Object(source, ("items", number), item) for number, item in pairs if isinstance(item, dict))
        else:
            yield Object(source, (), source.data)


def objects_of(sources: Sequence[Source]) -> list[Object]:
    """All objects, those in Lists too, without what controllers create."""
    objects = list(split_lists(sources))
    owned = [each for each in objects if each.kind == "Pod" and at(each.data, "metadata", "ownerReferences")]
    return [each for each in objects if each.kind not in _MADE and each not in owned]


def recognises(data: Mapping[str, JSON]) -> bool:
    kind, version = data.get("kind"), data.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str) or version.startswith(API_GROUP):
        return False
    return isinstance(data.get("metadata"), dict) or (kind.endswith("List") and isinstance(data.get("items"), list))


def without_servers_own(data: Mapping[str, JSON]) -> dict[str, Any]:
    """A copy without what API servers and installers add."""
    about = {key: value for key, value in mapping(data, "metadata").items() if key not in SERVERS_OWN}
    for key in ("annotations", "labels"):
        if isinstance(values := about.get(key), dict):
            about[key] = {name: value for name, value in values.items() if not name.startswith(_TOOLS)}
    return {**{key: value for key, value in data.items() if key != "status"}, "metadata": about}


def template_path(workload: Object) -> DocumentPath:
    """The path of the pod template."""
    return KINDS[workload.kind].pod_template or ()


def pod_labels(workload: Object) -> dict[str, str]:
    return texts(mapping(workload.data, *map(str, template_path(workload)), "metadata").get("labels"))


def pod_spec(workload: Object) -> Mapping[str, JSON]:
    return mapping(workload.data, *map(str, template_path(workload)), "spec")


def selects(selector: JSON, labels: Mapping[str, str]) -> bool:
    """Whether a selector matches the labels.

    One with matchExpressions counts as matching nothing.
    """
    wanted = as_mapping(selector)
    if wanted.get("matchExpressions"):
        return False
    pairs = texts(mapping(wanted, "matchLabels") if {"matchLabels", "matchExpressions"} & wanted.keys() else wanted)
    return bool(pairs) and pairs.items() <= labels.items()


def same_place(first: Object, other: Object) -> bool:
    """Whether they may be in one namespace; an object without one may be in any."""
    return not first.namespace or not other.namespace or first.namespace == other.namespace


def read_labels(reading: Reading, path: DocumentPath, kept: Iterable[str] = ()) -> None:
    """Labels others may select by; those of tools and of mcpctl are dropped."""
    for key, value in reading.mapping(*path).items():
        if key in kept:
            reading.note((*path, key), ("spec", "adopt", "selector", key))
        elif key in _OURS or key.startswith("mcpctl.io/"):
            reading.lose((*path, key), "mcpctl sets this label itself", harmless=True)
        elif key in _LABELS or key.startswith(_TOOLS):
            reading.lose((*path, key), _OF_TOOLS, harmless=True)
        else:
            reading.map((*path, key), ("metadata", "labels", key), plain_text(value))


def read_annotations(reading: Reading, path: DocumentPath, target: DocumentPath) -> None:
    """Annotations but those of tools."""
    for key, value in reading.mapping(*path).items():
        if key.startswith((*_TOOLS, "mcpctl.io/")):
            reading.lose((*path, key), _OF_TOOLS, harmless=True)
        else:
            reading.map((*path, key), (*target, key), plain_text(value))


def name_object(reading: Reading, each: Object, resource_name: str) -> None:
    """Names that differ from ours are written to ``adopt.names``."""
    if each.name == resource_name:
        reading.note(("metadata", "name"), ("spec", "resourceName"))
    else:
        reading.map(("metadata", "name"), ("spec", "adopt", "names", each.kind), each.name)
    if each.namespace:
        reading.note(("metadata", "namespace"), ("spec", "namespace"))


def lose_defaults(reading: Reading, path: DocumentPath, defaults: Mapping[str, JSON]) -> None:
    """Fields with the API server's default value."""
    for key, value in defaults.items():
        if reading.get(*path, key) == value and value is not None:
            reading.lose((*path, key), "the default of Kubernetes", harmless=True)

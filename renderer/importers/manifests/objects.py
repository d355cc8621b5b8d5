"""Objects of Kubernetes as they were written or as a cluster shows them, and what belongs to what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.draft import Reading, plain_text
from renderer.kinds import KINDS
from renderer.manifest import as_mapping, at
from renderer.model import JSON, Source
from renderer.model.source import API_GROUP

#: What a cluster makes by itself of a workload or Service.
_MADE = ("ReplicaSet", "ControllerRevision", "Endpoints", "EndpointSlice", "Event")
#: What is said of an object that a spec leaves alone.
STAYS = "it stays as it is, outside of mcpctl"
_KEPT = "the API server's own: it stays as it is"
_OF_TOOLS = "of the tool that installed it"
SERVERS_OWN = (
    *("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "ownerReferences"),
    *("finalizers", "deletionGracePeriodSeconds", "deletionTimestamp"),
)
#: Prefixes of annotations and labels that installers and controllers keep their books in.
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
    """One object: ``root`` is where it stands in its source, () or an item of a List."""

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
        """As people call it."""
        return f"{self.kind} {self.name}"


class ObjectReading(Reading):
    """Of an object: what it does not say has no part in anything."""

    def note(self, source: DocumentPath, target: DocumentPath | None, message: str = "") -> None:
        if not source or self.get(*source) is not None:
            super().note(source, target, message)


class Gathering:
    """One workload with the objects that belong to it: all that is read of them goes into one spec."""

    def __init__(self, workload: Object) -> None:
        self.readings: list[Reading] = []
        self.taken: list[Object] = []
        self.first = self.add(workload)

    def add(self, each: Object) -> Reading:
        """A Reading of the object, with what a cluster keeps of it told already."""
        reading = ObjectReading(each.source, each.root, self.readings[0] if self.readings else None)
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
        """The object stays as it is."""
        reading = self.add(each)
        for key in each.data:
            if key not in ("apiVersion", "kind", "status"):
                reading.lose((key,), f"{each.words}: {why}", harmless=True)


def mapping(data: Any, *path: str) -> dict[str, Any]:
    """The mapping there; empty for everything else."""
    return as_mapping(at(data, *path))


def texts(value: JSON) -> dict[str, str]:
    """Labels and their like."""
    return {key: plain_text(item) for key, item in as_mapping(value).items()}


def objects_of(sources: Sequence[Source]) -> list[Object]:
    """All objects, those of Lists one by one, without what a cluster makes by itself."""
    objects: list[Object] = []
    for source in sources:
        listed = source.data.get("items")
        if str(source.data.get("kind", "")).endswith("List") and isinstance(listed, list):
            pairs = enumerate(listed)
            objects += [Object(source, ("items", number), item) for number, item in pairs if isinstance(item, dict)]
        else:
            objects.append(Object(source, (), source.data))
    owned = [each for each in objects if each.kind == "Pod" and at(each.data, "metadata", "ownerReferences")]
    return [each for each in objects if each.kind not in _MADE and each not in owned]


def recognises(data: Mapping[str, JSON]) -> bool:
    """An object of any kind but our own, or a List of objects."""
    kind, version = data.get("kind"), data.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str) or version.startswith(API_GROUP):
        return False
    return isinstance(data.get("metadata"), dict) or (kind.endswith("List") and isinstance(data.get("items"), list))


def without_servers_own(data: Mapping[str, JSON]) -> dict[str, Any]:
    """A copy without what an API server and installers keep in it."""
    about = {key: value for key, value in mapping(data, "metadata").items() if key not in SERVERS_OWN}
    for key in ("annotations", "labels"):
        if isinstance(values := about.get(key), dict):
            about[key] = {name: value for name, value in values.items() if not name.startswith(_TOOLS)}
    return {**{key: value for key, value in data.items() if key != "status"}, "metadata": about}


def template_path(workload: Object) -> DocumentPath:
    """Where the pods' metadata and spec stand."""
    return KINDS[workload.kind].pod_template or ()


def pod_labels(workload: Object) -> dict[str, str]:
    return texts(mapping(workload.data, *map(str, template_path(workload)), "metadata").get("labels"))


def pod_spec(workload: Object) -> Mapping[str, JSON]:
    return mapping(workload.data, *map(str, template_path(workload)), "spec")


def selects(selector: JSON, labels: Mapping[str, str]) -> bool:
    """Whether a selector (a map, or with matchLabels and matchExpressions) selects what has the labels.

    Expressions are no proof: with one it selects nothing for sure.
    """
    wanted = as_mapping(selector)
    if wanted.get("matchExpressions"):
        return False
    pairs = texts(mapping(wanted, "matchLabels") if {"matchLabels", "matchExpressions"} & wanted.keys() else wanted)
    return bool(pairs) and pairs.items() <= labels.items()


def same_place(first: Object, other: Object) -> bool:
    """Whether they may be in one namespace: an object without one lies where it is applied."""
    return not first.namespace or not other.namespace or first.namespace == other.namespace


def read_labels(reading: Reading, path: DocumentPath, kept: Iterable[str] = ()) -> None:
    """Labels that somebody else may select by; those of tools and of mcpctl itself are not kept."""
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
    """Annotations, but for those of tools."""
    for key, value in reading.mapping(*path).items():
        if key.startswith((*_TOOLS, "mcpctl.io/")):
            reading.lose((*path, key), _OF_TOOLS, harmless=True)
        else:
            reading.map((*path, key), (*target, key), plain_text(value))


def name_object(reading: Reading, each: Object, resource_name: str) -> None:
    """Its name and namespace: what is called differently than the workload is named under ``adopt``."""
    if each.name == resource_name:
        reading.note(("metadata", "name"), ("spec", "resourceName"))
    else:
        reading.map(("metadata", "name"), ("spec", "adopt", "names", each.kind), each.name)
    if each.namespace:
        reading.note(("metadata", "namespace"), ("spec", "namespace"))


def settled_by_server(reading: Reading, path: DocumentPath, defaults: Mapping[str, JSON]) -> None:
    """Fields with the value that an API server fills in: nobody has said them."""
    for key, value in defaults.items():
        if reading.get(*path, key) == value and value is not None:
            reading.lose((*path, key), "the default of Kubernetes", harmless=True)

"""Kubernetes objects as written or as a cluster returns them, and their relations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.draft import Reading, plain_text, port_number
from renderer.importers.naming import name_of
from renderer.kinds import KINDS
from renderer.manifest import as_mapping, at
from renderer.model import JSON, Source
from renderer.model.source import API_GROUP

#: What a spec takes as resourceName.
OBJECT_NAME = re.compile(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?")
#: Created by controllers.
_MADE = ("ReplicaSet", "ControllerRevision", "Endpoints", "EndpointSlice", "Event")
#: For objects that are not taken over.
STAYS = "it stays as it is, outside of mcpctl"
_KEPT = "the API server's own: it stays as it is"
_OF_TOOLS = "of the tool that installed it"
_SERVERS_OWN = (
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


def reading_of(each: Object, into: Reading | None = None) -> Reading:
    """A Reading with the fields reported that every object has and that the API server keeps."""
    reading = Reading(each.source, each.root, into)
    for key in ("apiVersion", "kind"):
        reading.note((key,), None)
    reading.lose_all(["status"], _KEPT)
    reading.lose_all(_SERVERS_OWN, _KEPT, ("metadata",))
    return reading


def leave(reading: Reading, each: Object, why: str) -> None:
    """Reports that the object is not taken over."""
    for key in each.data:
        if key not in ("apiVersion", "kind", "status"):
            reading.lose((key,), f"{each.words}: {why}", harmless=True)


class Gathering:
    """A workload and its objects, all read into one spec.

    ``port``: that of MCP in the container, 0 if it has none. ``ports``: all of the container by name.
    """

    def __init__(self, workload: Object, port: int, ports: Mapping[str, int]) -> None:
        self.port = port
        self.ports = ports
        is_name = OBJECT_NAME.fullmatch(workload.name)
        self.resource_name = workload.name if is_name else f"mcp-{name_of(workload.name)}"
        self.first = reading_of(workload)
        self.readings = [self.first]
        self.taken = [workload]

    def add(self, each: Object) -> Reading:
        reading = reading_of(each, self.first)
        reading.lose_all(["labels"], "every object of a server has the labels of the spec", ("metadata",))
        self.readings.append(reading)
        self.taken.append(each)
        return reading

    def adopt(self, each: Object, own_name: str | None = None) -> Reading:
        """Adds an object; its name is kept where it is not ``own_name``, which is the server's unless given."""
        reading = self.add(each)
        if each.name == (self.resource_name if own_name is None else own_name):
            reading.note(("metadata", "name"), ("spec", "resourceName"))
        else:
            reading.map(("metadata", "name"), ("spec", "adopt", "names", each.kind), each.name)
        if each.namespace:
            reading.note(("metadata", "namespace"), ("spec", "namespace"))
        return reading

    def leave(self, each: Object, why: str) -> None:
        leave(self.add(each), each, why)

    def target_port(self, port: Mapping[str, JSON]) -> int:
        """The container port of a Service's port; 0 for an unknown name."""
        text = plain_text(port.get("targetPort")) or plain_text(port.get("port"))
        return self.ports.get(text) or port_number(text)


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
    about = {key: value for key, value in mapping(data, "metadata").items() if key not in _SERVERS_OWN}
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
    """Annotations but those of tools and those that are reported already."""
    for key, value in reading.mapping(*path).items():
        if reading.has_entry((*path, key)):
            continue
        if key.startswith((*_TOOLS, "mcpctl.io/")):
            reading.lose((*path, key), _OF_TOOLS, harmless=True)
        else:
            reading.map((*path, key), (*target, key), plain_text(value))


def lose_defaults(reading: Reading, path: DocumentPath, defaults: Mapping[str, JSON]) -> None:
    """Fields with the API server's default value."""
    for key, value in defaults.items():
        if reading.get(*path, key) == value and value is not None:
            reading.lose((*path, key), "the default of Kubernetes", harmless=True)

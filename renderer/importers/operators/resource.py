"""What custom resources of all operators have in common."""

from __future__ import annotations

from collections.abc import Mapping

from renderer import pins
from renderer.errors import DocumentPath
from renderer.importers.bridges import wrapped
from renderer.importers.draft import Choices, Reading, plain_text
from renderer.importers.images import set_entrypoint
from renderer.importers.manifests.containers import Known
from renderer.importers.manifests.objects import Object, read_annotations, read_labels, reading_of
from renderer.importers.naming import name_of
from renderer.importers.packages import Started, started
from renderer.labels import DESCRIPTION_ANNOTATION
from renderer.manifest import as_mapping, at, items
from renderer.model import JSON


class Resource:
    """``related``: other resources by kind and name. ``readings``: all that make one spec."""

    def __init__(self, object_: Object, choices: Choices) -> None:
        self.object = object_
        self.choices = choices
        self.reading = reading_of(object_)
        self.readings: list[Reading] = [self.reading]
        self.related: Mapping[tuple[str, str], Resource] = {}
        self.name = object_.name or "server"
        self.server = name_of(self.name)
        self.known = Known(self.server, self.server, {}, {}, is_replicated=False)

    @property
    def group_and_kind(self) -> tuple[str, str]:
        return self.reading.text("apiVersion").partition("/")[0], self.object.kind

    def read_metadata(self) -> None:
        """The namespace is not taken over: it is that of the run."""
        reading = self.reading
        reading.note(("metadata", "name"), ("metadata", "name"))
        if namespace := reading.text("metadata", "namespace"):
            why = f"the namespace is that of the environment, or of --namespace; here it was {namespace}"
            reading.lose(("metadata", "namespace"), why, harmless=True)
        read_labels(reading, ("metadata", "labels"))
        reading.carry_text(("metadata", "annotations", DESCRIPTION_ANNOTATION), ("spec", "description"))
        read_annotations(reading, ("metadata", "annotations"), ("metadata", "annotations"))

    def read_account(self, path: DocumentPath) -> None:
        if name := self.reading.text(*path):
            self.reading.map(path, ("spec", "serviceAccount"), {"create": False, "name": name})

    def read_ids(self, path: DocumentPath, container: DocumentPath) -> None:
        """The operator's pod security context; the container's has precedence."""
        reading, ids = self.reading, ("runAsUser", "runAsGroup", "fsGroup")
        for key, value in reading.mapping(*path).items():
            target: DocumentPath = ("spec", "security", key)
            if key in ids and value != 0 and reading.get(*container, "securityContext", key) is None:
                # Replaces the assumed value.
                reading.comments.pop(target, None)
                reading.entries = [each for each in reading.entries if each.target != target]
                reading.map((*path, key), target, value)
            elif key in (*ids, "runAsNonRoot", "seccompProfile", "fsGroupChangePolicy"):
                reading.note((*path, key), ("spec", "security"), "as every server, or as its container says")
            else:
                reading.lose((*path, key), "Pod Security 'restricted' always holds", harmless=value in ([], {}))

    def start(self, image: str, stdio: bool) -> None:
        """The package that the command runs, or the image's own command."""
        reading = self.reading
        words = [plain_text(word) for key in ("command", "args") for word in items(reading.written(("spec", key)))]
        bridge = wrapped(words)
        start = started(bridge.inner if bridge else words)
        taken = self._take_folders()
        if start:
            if bridge and bridge.loss:
                reading.lose(("spec",), bridge.loss)
            self._set_package(start, image, bridge is not None)
        elif taken:
            message = "it keeps a package in a folder that mcpctl mounts by itself, and names no exact version of it"
            reading.refuse((), "import/package", message, "write the package into a spec: 'mcpctl init NAME --npm'")
        elif stdio and reading.written(("spec", "command")) is None:
            set_entrypoint(reading, image, self.choices)
        if reading.written(("spec", "transport", "bridge")) == "none":
            reading.spec.pop("service", None)

    def _set_package(self, start: Started, image: str, bridged: bool) -> None:
        reading, spec = self.reading, self.reading.spec
        own = image in (*pins.BASE_IMAGES.values(), *pins.BASE_IMAGES_WITH_GIT.values(), "")
        for key in ("image", "command", "args", "accept", *(("health", "transport") if bridged else ())):
            spec.pop(key, None)
        base: dict[str, JSON] = {} if own else {"baseImage": image}
        reading.default(("spec", "package"), {**start.package.fields, **base}, "by the command")
        if start.program:
            reading.write(("spec", "command"), [start.program])
        if start.args:
            reading.write(("spec", "args"), list(start.args))
        caches = {"HOME": pins.CACHE_FOLDER, **pins.CACHE_ENV["npm"], **pins.CACHE_ENV["pypi"]}
        if "env" in spec:
            spec["env"] = {name: value for name, value in spec["env"].items() if caches.get(name) != value}

    def _take_folders(self) -> bool:
        """Removes the folders that mcpctl mounts itself; returns whether one was a package cache or lock."""
        spec = self.reading.spec
        paths, files = items(at(spec, "security", "writablePaths")), as_mapping(spec.get("files"))
        if paths:
            spec["security"]["writablePaths"] = [each for each in paths if not _is_own(_path_of(each))]
        if files:
            spec["files"] = {path: value for path, value in files.items() if not _is_own(path)}
        if any(_is_own(word) for word in items(at(spec, "health", "command"))):
            spec.pop("health")
        locks = any(path.startswith(f"{pins.LOCK_FOLDER}/") for path in files)
        return locks or any(_path_of(each) == pins.CACHE_FOLDER for each in paths)


def _path_of(writable: JSON) -> str:
    return plain_text(writable.get("path") if isinstance(writable, dict) else writable)


def _is_own(path: JSON) -> bool:
    own = (pins.CACHE_FOLDER, pins.CHECK_FOLDER, pins.LOCK_FOLDER, pins.BRIDGE_FOLDER)
    return f"{plain_text(path)}/".startswith(tuple(f"{folder}/" for folder in own))

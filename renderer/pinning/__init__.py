"""Writes image digests and package locks into specs and environments; with ``update`` newer versions too."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from renderer.environment import Environment, built_in_images, images_in
from renderer.errors import DocumentPath, Fault, Place, Problem
from renderer.images import parse, split
from renderer.locks import paths, read_lock
from renderer.model import JSON, Server, Source
from renderer.namedtuples import NamedTuple
from renderer.pinning.edits import CannotEdit, edited
from renderer.pinning.packages import LOCK_FOLDER_FILES, LOCK_NAMES, is_newer, newest_version, written_lock
from renderer.pinning.registries import NoAnswer, digest_of, newest_tag, tags_of
from renderer.policy.containers import is_pinned_source

_HINT = "run 'mcpctl pin'"


class Change(NamedTuple):
    """``before`` is empty for an added value."""

    place: Place
    path: str
    before: str
    after: str


class Pinned(NamedTuple):
    """``texts``: new contents of changed files by path. ``problems``: what could not be pinned."""

    changes: Sequence[Change]
    problems: Sequence[Problem]
    texts: Mapping[str, str]


def pin(
    sources: Sequence[Source],
    environments: Sequence[tuple[Environment, Sequence[Server]]],
    read: Callable[[str], str | None],
    *,
    update: bool = False,
) -> Pinned:
    """``sources``: specs as loaded. ``environments``: each with its servers. ``read`` returns a file's text or None."""
    pinning = _Pinning(read, update)
    for source in sources:
        for path, image in images_in(source.data):
            pinning.pin_image(source, path, image)
        spec: Any = source.data["spec"]
        package = spec.get("package", {})
        if package.get("registry") in LOCK_NAMES:
            pinning.pin_package(source, package)
    for environment, servers in environments:
        for merge in environment.merges:
            for path, image in images_in({"spec": dict(merge.data)}):
                pinning.pin_image(environment.source, (*merge.path, *path[1:]), image)
        for image in sorted({*built_in_images(environment, servers)}):
            pinning.pin_built_in(environment, image)
    return Pinned(pinning.changes, pinning.problems, pinning.texts)


class _Pinning:
    def __init__(self, read: Callable[[str], str | None], update: bool) -> None:
        self.changes: list[Change] = []
        self.problems: list[Problem] = []
        self.texts: dict[str, str] = {}
        self._read = read
        self._update = update
        self._known: dict[str, str | NoAnswer] = {}

    def pin_image(self, source: Source, path: DocumentPath, image: str) -> None:
        name, version = split(image)
        if pinned := self._version(source, path, name, version):
            if path[-1] == "package":  # of an image, in two fields
                before = version.removeprefix(":").removeprefix("@")
                self._edit(source, (*path, "version"), before, pinned.removeprefix(":").removeprefix("@"))
            else:
                self._edit(source, path, image, f"{name}{pinned}")

    def pin_built_in(self, environment: Environment, image: str) -> None:
        """One of mcpctl's own images, under ``images.pins`` of the environment."""
        reference = parse(image)
        spec: Any = environment.source.data["spec"]
        pins = spec.get("images", {}).get("pins", {})
        written = next((name for name in pins if parse(name).name == reference.name), reference.name)
        pinned = str(pins.get(written, ""))
        # The environment's version, else the one that mcpctl was made for.
        version = f"@{pinned}" if pinned.startswith("sha256:") else f":{pinned}" if pinned else reference.version
        mirror = environment.images.mirrors.get(reference.registry, reference.registry)
        path: DocumentPath = ("spec", "images", "pins", written)
        # Newer versions are for newer mcpctl: only the digest is looked up.
        if with_digest := self._version(environment.source, path, f"{mirror}/{reference.path}", version, newer=False):
            self._edit(environment.source, path, pinned, with_digest.removeprefix(":"))

    def pin_package(self, source: Source, package: Mapping[str, Any]) -> None:
        path: DocumentPath = ("spec", "package")
        version = after = str(package["version"])
        try:
            if self._update and not package.get("git"):
                newest = self._once(newest_version, package["registry"], str(package["name"]).partition("[")[0])
                after = newest if is_newer(newest, version) else version
            if "lock" in package and after == version and not read_lock(source, package).faults:
                return
            if package.get("git") and package["registry"] == "npm":
                raise NoAnswer("npm fetches what a lock has of a repository by ssh: install it into an image")
            self._write_lock(source, package, after)
        except NoAnswer as reason:
            self._fail(source, path, f"the package is not pinned: {reason}")
            return
        if after != version:
            self._edit(source, (*path, "version"), version, after)

    def _write_lock(self, source: Source, package: Mapping[str, Any], version: str) -> None:
        """Writes the lock and its path into the spec; ``with`` moves into the lock."""
        registry, path = package["registry"], ("spec", "package")
        metadata: Any = source.data["metadata"]
        folder = f"locks/{metadata['name']}"
        relative = package.get("lock", f"{folder}/{LOCK_NAMES[registry]}")
        renamed: Any = {name: value for name, value in package.items() if name != "with"}
        renamed |= {"version": version, "lock": relative}
        spec: Any = source.data["spec"]
        changed = source._replace(data={**source.data, "spec": {**spec, "package": renamed}})
        lock = paths(changed)[0]
        files = {name: posixpath.join(posixpath.dirname(lock), name) for name in LOCK_FOLDER_FILES[registry]}
        there = {name: text for name, path in files.items() if (text := self._read(path)) is not None}
        written = {files[name]: text for name, text in written_lock(package, version, there).items()}
        if faults := read_lock(changed._replace(beside={**changed.beside, **written}), renamed).faults:
            raise NoAnswer(f"{faults[0].message}; {faults[0].hint}")
        self.texts |= written
        if "lock" not in package:
            self._edit(source, (*path, "lock"), "", relative)
        if "with" in package:
            self._edit(source, (*path, "with"), ", ".join(package["with"]), None)

    def _version(
        self, source: Source, path: DocumentPath, name: str, version: str, *, newer: bool = True
    ) -> str | None:
        """Tag and digest; None if unchanged or unknown."""
        tag, at, _ = version.removeprefix(":").partition("@")
        if (at and not self._update) or (at and not tag):  # a digest alone says which image, and of no other
            return None
        after = tag
        if self._update and newer and tag:
            try:
                after = newest_tag(tag, self._once(tags_of, name))
            except NoAnswer as reason:
                self._fail(source, path, f"newer tags are not known: {reason}")
        try:
            digest = self._once(digest_of, f"{name}:{after}" if after else name)
        except NoAnswer as reason:
            self._fail(source, path, f"the image is not pinned: {reason}")
            return None
        pinned = f"{':' if after else ''}{after}@{digest}"
        return None if pinned == version else pinned

    def _once(self, ask: Callable[..., Any], *names: str) -> Any:
        """Caches answers and failures for the run."""
        key = " ".join((ask.__name__, *names))
        if key not in self._known:
            try:
                self._known[key] = ask(*names)
            except NoAnswer as reason:
                self._known[key] = reason
        answer = self._known[key]
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    def _edit(self, source: Source, path: DocumentPath, before: str, after: str | None) -> None:
        text = self.texts.get(source.file) or self._read(source.file)
        place = source.place(path)
        value: JSON = after
        try:
            if text is None:
                raise CannotEdit
            self.texts[source.file] = edited(text, source.document, path, value)
        except CannotEdit:
            self._fail(source, path, f"the file cannot be changed here: write '{after or 'nothing'}' yourself")
            return
        problem = source.problem(Fault(path, "", ""))
        self.changes.append(Change(place, problem.path, before, after or ""))

    def _fail(self, source: Source, path: DocumentPath, message: str) -> None:
        self.problems.append(source.problem(Fault(path, "pin/not-pinned", message)))


def unpinned(servers: Iterable[Server], environment: Environment | None) -> list[Problem]:
    """The problems that ``--locked`` reports. Bundles and git commits are pinned by nature.

    Digests of mcpctl's own images (bridge, base image, guard) are checked in environments only.
    """
    servers = [server for server in servers if not server.remote]
    problems = [server.problem(fault)._replace(owner=server.name) for server in servers for fault in _faults(server)]
    images = built_in_images(environment, servers) if environment else ()
    for name in dict.fromkeys(parse(image).name for image in images):
        if environment and "sha256:" not in environment.images.pins.get(name, ""):
            message = f"{name}, an image of mcpctl's own, has no digest in this environment"
            hint = f"{_HINT} with the environment among PATHS"
            fault = Fault(("spec", "images", "pins"), "locked/image", message, hint)
            problems.append(environment.source.problem(fault))
    return problems


def _faults(server: Server) -> Iterator[Fault]:
    build = server.compose.build
    if build and not is_pinned_source(build.context):
        message = "the image is built from a folder or a branch, which says nothing of what is in it"
        hint = "build it elsewhere, and name its digest; or build from a commit: https://…#COMMIT"
        yield Fault(("spec", "compose", "build", "context"), "locked/image", message, hint)
    for path, image in _images(server):
        if "@sha256:" not in image and not build:
            message = "the image has no digest: its registry decides what the tag means"
            yield Fault(path, "locked/image", message, f"{_HINT}, or append @sha256:…")
    package = server.package
    if package and package.lock is None and package.bundle is None:
        message = f"the dependencies of {package.name} are not locked"
        hint = f"{_HINT}, which writes package.lock; or run an image that has the package installed"
        if package.git and package.registry == "npm":
            hint = "run an image that has it installed (docs/packages.md): npm cannot lock a package of a repository"
        yield Fault(("spec", "package"), "locked/package", message, hint, at_key=True)


def _images(server: Server) -> Iterator[tuple[DocumentPath, str]]:
    if server.image:
        yield ("spec", "image") if server.sets("spec", "image") else ("spec", "package", "version"), server.image
    if server.package and server.package.base_image:
        yield ("spec", "package", "baseImage"), server.package.base_image
    yield from (((*path, "image"), container.image) for path, container in server.further_containers)

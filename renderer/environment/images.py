"""Mirrors and pins of an environment, applied to the images in specs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from renderer import pins
from renderer.environment.merge import at, placed
from renderer.environment.values import Environment, Layer
from renderer.errors import DocumentPath, Fault, Problem
from renderer.images import AS_WRITTEN, parse, split, with_version
from renderer.launch import launch
from renderer.wording import did_you_mean

if TYPE_CHECKING:
    from renderer.model import JSON, Server

_PINS: DocumentPath = ("spec", "images", "pins")
_MIRRORS: DocumentPath = ("spec", "images", "registryMirrors")
#: Of the helper services in compose.
_OF_COMPOSE = (pins.BUSYBOX, pins.EGRESS_PROXY_IMAGE)


def replaced(environment: Environment, layer: Layer) -> Layer:
    data: Any = layer.data
    marks = layer.marks
    for path, image in list(images_in(layer.data)):
        name = environment.images.of(image)
        if name == image:
            continue
        # The place in the environment: of the pin, or else of the mirror.
        there, reference = environment.source.marks, parse(image)
        assert there, "environments are loaded with marks"
        pinned = {parse(written).name: written for written in _pins_as_written(environment)}
        pin = pinned.get(reference.name)
        mark = at(there, (*_PINS, pin) if pin is not None else (*_MIRRORS, reference.registry))
        if path[-1] == "package":
            folder, version = split(name)
            version = version.removeprefix(":").removeprefix("@")  # as the spec of a package has it
            data, marks = placed(data, marks, (*path, "name"), folder, mark)
            data, marks = placed(data, marks, (*path, "version"), version, mark)
        else:
            data, marks = placed(data, marks, path, name, mark)
    if data is layer.data:
        return layer
    return Layer("environment image", data, marks, environment.source.place(("spec", "images"), at_key=True))


def images_in(data: JSON) -> Iterator[tuple[DocumentPath, str]]:
    """Every image of a spec, valid or not. A package of the registry oci is one, in two fields."""
    package: DocumentPath = ("spec", "package")
    name, version = _text(data, (*package, "name")), _text(data, (*package, "version"))
    if name and version and _text(data, (*package, "registry")) == "oci":
        yield package, with_version(name, version)
    paths: list[DocumentPath] = [("spec", "image"), (*package, "baseImage")]
    for field in ("initContainers", "sidecars"):
        containers = _value(data, ("spec", field))
        paths += [("spec", field, i, "image") for i in range(len(containers) if isinstance(containers, list) else 0)]
    yield from ((path, image) for path in paths if (image := _text(data, path)))


def _text(data: JSON, path: DocumentPath) -> str:
    value = _value(data, path)
    return value if isinstance(value, str) else ""


def _value(data: Any, path: DocumentPath) -> Any:
    for step in path:
        known = isinstance(data, list) if isinstance(step, int) else isinstance(data, dict) and step in data
        data = data[step] if known else None
    return data


def _pins_as_written(environment: Environment) -> Iterable[str]:
    document: Any = environment.source.data
    return list(document.get("spec", {}).get("images", {}).get("pins", {}))


def unmet_images(environment: Environment, named: Iterable[str], servers: Sequence[Server]) -> Iterator[Problem]:
    """Pins and mirrors that match no image of the environment; ``named`` are those in the specs."""
    images = environment.images
    if not (images.pins or images.mirrors):
        return
    met = {parse(image) for image in (*named, *built_in_images(environment, servers))}
    names, registries = {image.name for image in met}, {image.registry for image in met}
    for name in _pins_as_written(environment):
        if parse(name).name not in names:
            yield _unmet(environment, (*_PINS, name), f"is called '{parse(name).name}'", parse(name).name, names)
    for name in images.mirrors:
        if name not in registries:
            yield _unmet(environment, (*_MIRRORS, name), f"comes from '{name}'", name, registries)


def built_in_images(environment: Environment, servers: Sequence[Server]) -> Iterator[str]:
    """Images of mcpctl's own, before mirrors and pins."""
    for server in servers:
        started = launch(server._replace(images=AS_WRITTEN))
        if server.package and not server.package.base_image:
            yield started.image
        if started.copy:
            yield started.copy.image
        if server.guard:
            yield pins.GUARD_IMAGE
    if environment.target == "compose" and servers:
        yield from _OF_COMPOSE


def _unmet(environment: Environment, path: DocumentPath, words: str, name: str, known: Iterable[str]) -> Problem:
    near = did_you_mean(name, known)
    hint = f"did you mean '{near}'?" if near else f"there is: {', '.join(sorted(known)) or 'none'}"
    message = f"no image of this environment {words}"
    return environment.source.problem(Fault(path, "environment/image-without-match", message, hint, at_key=True))

"""Mirrors and pins of an environment, applied to the images that a spec names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from renderer import pins
from renderer.environment.overlay import at, placed
from renderer.environment.values import Environment, Layer
from renderer.errors import DocumentPath, Fault
from renderer.images import AS_WRITTEN, parse
from renderer.launch import launch
from renderer.model import Marks, Server

_PINS: DocumentPath = ("spec", "images", "pins")
_MIRRORS: DocumentPath = ("spec", "images", "registryMirrors")
#: Of the services that compose needs beside a server.
_OF_COMPOSE = (pins.BUSYBOX, pins.EGRESS_PROXY_IMAGE)


def replaced(environment: Environment, layer: Layer) -> Layer:
    """The document with every image that the spec names as it is called in the environment."""
    data: Any = layer.data
    marks = layer.marks
    for path, image in list(_images(layer.data)):
        name = environment.images.of(image)
        if name == image:
            continue
        mark = _mark(environment, image)
        if path[-1] == "package":
            folder, version = _package(name)
            data, marks = placed(data, marks, (*path, "name"), folder, mark)
            data, marks = placed(data, marks, (*path, "version"), version, mark)
        else:
            data, marks = placed(data, marks, path, name, mark)
    return layer if data is layer.data else Layer("environment image", data, marks)


def _images(data: Any) -> Iterator[tuple[DocumentPath, str]]:
    """Every image of a spec. A package of the registry oci is one, in two fields."""
    spec = data["spec"]
    package = spec.get("package", {})
    if "image" in spec:
        yield ("spec", "image"), spec["image"]
    if package.get("registry") == "oci":
        joint = "@" if package["version"].startswith("sha256:") else ":"
        yield ("spec", "package"), f"{package['name']}{joint}{package['version']}"
    if "baseImage" in package:
        yield ("spec", "package", "baseImage"), package["baseImage"]
    for field in ("initContainers", "sidecars"):
        for i, container in enumerate(spec.get(field, ())):
            yield ("spec", field, i, "image"), container["image"]


def _package(image: str) -> tuple[str, str]:
    """Name and version, as the spec of a package has them; of tag and digest the digest says more."""
    name, at_sign, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return f"{folder}{slash}{last}", digest if at_sign else tag


def _mark(environment: Environment, image: str) -> Marks:
    """Where the environment says it: the pin, which says more, or else the mirror."""
    marks = environment.source.marks
    assert marks, "environments are loaded with marks"
    reference = parse(image)
    names = {parse(name).name: name for name in _pins_as_written(environment)}
    if reference.name in names:
        return at(marks, (*_PINS, names[reference.name]))
    return at(marks, (*_MIRRORS, reference.registry))


def _pins_as_written(environment: Environment) -> Iterable[str]:
    document: Any = environment.source.data
    return list(document.get("spec", {}).get("images", {}).get("pins", {}))


def image_faults(environment: Environment, layers: Sequence[Layer], servers: Sequence[Server]) -> list[Fault]:
    """Pins and mirrors that no image of the environment meets; ``layers`` are the documents before them."""
    images = environment.images
    if not (images.pins or images.mirrors):
        return []
    found = {parse(image) for layer in layers for _, image in _images(layer.data)}
    found |= {parse(image) for image in _built_in(environment, servers)}
    names, registries = {one.name for one in found}, {one.registry for one in found}
    faults = [
        _unmet((*_PINS, name), "no image of this environment is called", parse(name).name, names)
        for name in _pins_as_written(environment)
        if parse(name).name not in names
    ]
    faults += [
        _unmet((*_MIRRORS, name), "no image of this environment comes from", name, registries)
        for name in images.mirrors
        if name not in registries
    ]
    return faults


def _built_in(environment: Environment, servers: Sequence[Server]) -> Iterator[str]:
    """Images of mcpctl's own, as they would be without the environment."""
    for server in servers:
        started = launch(server._replace(images=AS_WRITTEN))
        if server.package and not server.package.base_image:
            yield started.image
        if started.copy:
            yield started.copy.image
    if environment.target == "compose" and servers:
        yield from _OF_COMPOSE


def _unmet(path: DocumentPath, message: str, name: str, known: Iterable[str]) -> Fault:
    from renderer.schemas.wording import did_you_mean  # only a mistake needs it

    near = did_you_mean(name, known)
    hint = f"did you mean '{near}'?" if near else f"there is: {', '.join(sorted(known)) or 'none'}"
    return Fault(path, "environment/image-without-match", f"{message} '{name}'", hint, at_key=True)

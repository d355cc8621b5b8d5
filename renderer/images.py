"""References to images, and what an environment puts in their place: another registry, one exact version.

The same for every image: those of specs, and those that mcpctl pins itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from renderer.namedtuples import NamedTuple

#: The registry of an image that names none, and the folder of its own images there.
DOCKER_HUB, _LIBRARY = "docker.io", "library"
_DIGEST = "sha256:"


class Reference(NamedTuple):
    """An image in full: ``registry/path``, and ``:tag``, ``@digest`` or both as ``version`` (empty for none)."""

    registry: str
    path: str
    version: str

    @property
    def name(self) -> str:
        """Without tag and digest, always with the registry: how two references are compared."""
        return f"{self.registry}/{self.path}"


def split(image: str) -> tuple[str, str]:
    """Name as it is written, and ``:tag``, ``@digest`` or both."""
    name, at, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    return f"{folder}{slash}{last}", f"{colon}{tag}{at}{digest}"


def with_version(name: str, version: str) -> str:
    """The image of a name and a tag, a digest, or ``tag@digest``."""
    return f"{name}{'@' if version.startswith(_DIGEST) else ':'}{version}"


def parse(image: str) -> Reference:
    """The reference with what it leaves unsaid: ``redis:7`` is ``docker.io/library/redis:7``."""
    name, version = split(image)
    registry, _, rest = name.partition("/")
    if not (rest and ("." in registry or ":" in registry or registry == "localhost")):
        registry, rest = DOCKER_HUB, name
    if registry == DOCKER_HUB and "/" not in rest:
        rest = f"{_LIBRARY}/{rest}"
    return Reference(registry, rest, version)


class Images(NamedTuple):
    """What takes the place of images: registries by ``mirrors``, versions by ``pins`` (by full name)."""

    mirrors: Mapping[str, str]
    pins: Mapping[str, str]

    def of(self, image: str) -> str:
        """The image that runs; unchanged where nothing is said of it. A pin goes by the name before the mirror."""
        if not (self.mirrors or self.pins):
            return image
        reference = parse(image)
        pin, mirror = self.pins.get(reference.name), self.mirrors.get(reference.registry)
        if pin is None and mirror is None:
            return image
        version = reference.version if pin is None else (f"@{pin}" if pin.startswith(_DIGEST) else f":{pin}")
        return f"{mirror or reference.registry}/{reference.path}{version}"


#: Every image is what it says.
AS_WRITTEN = Images({}, {})

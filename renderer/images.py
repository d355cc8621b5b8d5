"""Image references, and their replacement by mirrors and pins of an environment."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.namedtuples import NamedTuple

#: The default registry, and the namespace of its official images.
DOCKER_HUB, _LIBRARY = "docker.io", "library"
_DIGEST = "sha256:"


class Reference(NamedTuple):
    """``registry/path``; ``version`` is ``:tag``, ``@digest``, both or empty."""

    registry: str
    path: str
    version: str

    @property
    def name(self) -> str:
        """For comparisons: with the registry, without tag and digest."""
        return f"{self.registry}/{self.path}"


def split(image: str) -> tuple[str, str]:
    """The name as written, and ``:tag``, ``@digest`` or both."""
    name, at, digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    return f"{folder}{slash}{last}", f"{colon}{tag}{at}{digest}"


def with_version(name: str, version: str) -> str:
    """``version``: a tag, a digest or ``tag@digest``."""
    return f"{name}{'@' if version.startswith(_DIGEST) else ':'}{version}"


def parse(image: str) -> Reference:
    """Completes the reference: ``redis:7`` is ``docker.io/library/redis:7``."""
    name, version = split(image)
    registry, _, rest = name.partition("/")
    if not (rest and ("." in registry or ":" in registry or registry == "localhost")):
        registry, rest = DOCKER_HUB, name
    if registry == DOCKER_HUB and "/" not in rest:
        rest = f"{_LIBRARY}/{rest}"
    return Reference(registry, rest, version)


class Images(NamedTuple):
    """Replacements: registries by ``mirrors``, versions by ``pins`` (keys are full names)."""

    mirrors: Mapping[str, str]
    pins: Mapping[str, str]

    def of(self, image: str) -> str:
        """The image that runs. Pins use the name before mirroring."""
        if not (self.mirrors or self.pins):
            return image
        reference = parse(image)
        pin, mirror = self.pins.get(reference.name), self.mirrors.get(reference.registry)
        if pin is None and mirror is None:
            return image
        version = reference.version if pin is None else (f"@{pin}" if pin.startswith(_DIGEST) else f":{pin}")
        return f"{mirror or reference.registry}/{reference.path}{version}"


AS_WRITTEN = Images({}, {})

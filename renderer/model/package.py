"""Packages: by name in a registry, with their lock, or as a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer.errors import Fault
    from renderer.model.fields import File


class Lock(NamedTuple):
    """A lock file of the repository: ``files`` are mounted, ``hosts`` are those that it names for downloads.

    ``program`` is that of an npm package, empty where it has several or none; ``faults`` say why it cannot be used.
    """

    files: tuple[File, ...] = ()
    hosts: tuple[str, ...] = ()
    program: str = ""
    faults: tuple[Fault, ...] = ()


class Bundle(NamedTuple):
    """An MCP bundle (MCPB): a zip file that brings a server, and says in its manifest.json how it is started.

    ``settings`` are values of its ``user_config``, in order; of one key there may be several.
    """

    url: str
    sha256: str
    runtime: Literal["any", "node", "python", "uv", "binary"]
    size: str
    settings: tuple[tuple[str, str], ...] = ()


class Package(NamedTuple):
    """A package at one exact version, run in a base image. (An oci package is an image.)

    ``git`` is the repository from which it is built, ``version`` then a commit. ``requirements`` are those of its own
    environment. A ``bundle`` has its URL as name and its hash as version.
    """

    registry: Literal["npm", "pypi", "mcpb"]
    name: str
    version: str
    base_image: str | None
    cache_size: str
    git: str | None = None
    subdirectory: str | None = None
    requirements: tuple[str, ...] = ()
    lock: Lock | None = None
    bundle: Bundle | None = None

    @property
    def runtime(self) -> Literal["npm", "pypi"]:
        """The registry whose programs its base image surely has: npm's come with Node.js, pypi's with Python."""
        if self.registry == "mcpb":
            return "npm" if self.bundle and self.bundle.runtime == "node" else "pypi"
        return self.registry

"""What is not pinned: images without a digest, packages whose dependencies nobody has fixed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from renderer.environment import Environment, built_in_images
from renderer.errors import DocumentPath, Fault, Problem
from renderer.images import parse
from renderer.model import Server
from renderer.policy.images import is_pinned_source

#: What all of them say to do.
_HINT = "run 'mcpctl pin'"


def unpinned(servers: Iterable[Server], environment: Environment | None) -> list[Problem]:
    """What ``--locked`` refuses of the servers of one run. Bundles and git commits are pinned by what they are.

    An environment is where images of mcpctl's own (bridge, base image, guard) have their digests; without one they are
    as this version of mcpctl has them.
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
    for field, containers in (("initContainers", server.init_containers), ("sidecars", server.sidecars)):
        yield from ((("spec", field, i, "image"), container.image) for i, container in enumerate(containers))

"""What an image reference pins: nothing, a tag, or a digest."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.errors import DocumentPath, Fault
from renderer.later import pattern

#: Tags that move by convention.
MOVING = frozenset(
    {"latest", "main", "master", "edge", "nightly", "stable", "dev", "develop", "canary", "next", "rolling", "head"}
)


#: Git build contexts of Docker, and the commit in one.
_REPOSITORY = pattern(r"(https?|git|ssh)://|git@|github\.com/")
_COMMIT = pattern(r"#[0-9a-f]{40}(:|$)")


def is_repository(context: str) -> bool:
    """Whether the build context is a git repository."""
    return bool(_REPOSITORY.match(context))


def is_pinned_source(context: str) -> bool:
    """Whether the build context names a commit."""
    return is_repository(context) and bool(_COMMIT.search(context))


def source_faults(context: str, path: DocumentPath) -> Iterator[Fault]:
    if is_repository(context) and not is_pinned_source(context):
        message = "the image is built from a branch or tag that moves: the next start may run another program"
        yield Fault(path, "policy/image-tag", message, "name the commit: https://…#COMMIT:folder")


def image_faults(image: str, path: DocumentPath) -> Iterator[Fault]:
    name, at, _ = image.partition("@")
    if at:
        return
    tag = name.rpartition("/")[2].partition(":")[2]
    if not tag or tag.lower() in MOVING:
        reason = f"tag '{tag}' moves" if tag else "no tag means 'latest'"
        message = f"{reason}: the next start may run another program than the one reviewed"
        yield Fault(path, "policy/image-tag", message, "write the tag of a release, or better a digest")
    message = "the image has no digest: its registry decides what the tag means"
    yield Fault(path, "policy/image-digest", message, "append @sha256:…")

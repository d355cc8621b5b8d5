"""What a reference to an image promises: a tag that moves, one that stays, or a digest."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.errors import DocumentPath, Fault
from renderer.later import pattern

#: Tags that their makers move, by custom.
MOVING = frozenset(
    {"latest", "main", "master", "edge", "nightly", "stable", "dev", "develop", "canary", "next", "rolling", "head"}
)


#: Of a git repository, as Docker takes it for a build; and its commit.
_REPOSITORY = pattern(r"(https?|git|ssh)://|git@|github\.com/")
_COMMIT = pattern(r"#[0-9a-f]{40}(:|$)")


def is_repository(context: str) -> bool:
    """Whether an image is built from what others can have too."""
    return bool(_REPOSITORY.match(context))


def is_pinned_source(context: str) -> bool:
    """Whether it names the commit that is built."""
    return is_repository(context) and bool(_COMMIT.search(context))


def source_faults(context: str, path: DocumentPath) -> Iterator[Fault]:
    """A commit says which source it is."""
    if is_repository(context) and not is_pinned_source(context):
        message = "the image is built from a branch or tag that moves: the next start may run another program"
        yield Fault(path, "policy/image-tag", message, "name the commit: https://…#COMMIT:folder")


def image_faults(image: str, path: DocumentPath) -> Iterator[Fault]:
    """A digest says which image it is; a tag says who is trusted not to move it."""
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

"""Images and entrypoints of definitions."""

from __future__ import annotations

import re

from renderer.errors import DocumentPath, excerpt
from renderer.image_config import image_config
from renderer.importers.draft import END, Choices, Reading, with_values
from renderer.policy.containers import MOVING

_IMAGE = re.compile(
    r"(([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)+|localhost)(:[0-9]{1,5})?/"
    r"|[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?:[0-9]{1,5}/)?[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)"
    r"[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?"
)
#: The reason for accepting findings in running workloads.
TODAY = "it is so in the installation that is taken over"
_MOVES = "the definition names no version of the image; 'mcpctl pin' writes its digest"


def set_image(reading: Reading, source: DocumentPath, image: str) -> None:
    """Writes the image. A moving tag is kept and accepted, and a person asked for the version."""
    image = image.removeprefix("docker://").removeprefix("https://")
    if len(image) > 512 or not _IMAGE.fullmatch(image):
        message = f"'{excerpt(image, 80)}' is not an image reference"
        reading.refuse(source, "import/image", message, "expected registry/name:tag or registry/name@sha256:…")
        return
    name, digest, _ = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if digest or (tag and tag.lower() not in MOVING):
        reading.map(source, ("spec", "image"), image)
        return
    reading.decide(source, ("spec", "image"), image, "which version: a tag of a release, or the digest by 'mcpctl pin'")
    accept(reading, "policy/image-tag", "spec.image", _MOVES)


def accept(reading: Reading, rule: str, path: str, reason: str = TODAY) -> None:
    """Adds an entry of ``spec.accept``, which the report lists."""
    reading.default(("spec", "accept", END), with_values({"rule": rule, "path": path, "reason": reason}), reason)


def set_entrypoint(reading: Reading, image: str, choices: Choices) -> None:
    """The command of an image that speaks stdio: a bridge must know what to start."""
    if reading.written(("spec", "command")):
        return
    config, reasons = (None, []) if choices.offline else image_config(image)
    own = reading.written(("spec", "args"))
    # Arguments replace those of the image.
    words = [*config.entrypoint, *([] if own else config.command)] if config else []
    if config and words:
        reading.default(("spec", "command"), list(words[:1]), f"the image's entrypoint, by {config.program}")
        if words[1:]:
            reading.write(("spec", "args"), [*words[1:], *(own if isinstance(own, list) else [])])
        return
    question = (
        "the image speaks stdio, and its entrypoint is not known, so no bridge can start it. Look it up with "
        f"'docker image inspect --format \"{{{{json .Config}}}}\" {image}' or 'crane config {image}', write it as "
        "spec.command and spec.args, and remove 'bridge: none'"
    )
    why = f" ({'; '.join(reasons)})" if reasons else ""
    reading.decide((), ("spec", "transport"), {"type": "stdio", "bridge": "none"}, question + excerpt(why, 300))

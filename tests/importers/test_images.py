"""Images of definitions: versions that move, and entrypoints that are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.image_config import ImageConfig
from renderer.importers import images
from renderer.importers.draft import Choices, Reading
from renderer.importers.images import set_entrypoint, set_image
from tests.importers.readings import source_of

DIGEST = "sha256:" + "0" * 64
FIXED = (
    "ghcr.io/acme/notes:1.2.3",
    f"acme/notes@{DIGEST}",
    f"localhost:5000/notes:1@{DIGEST}",
    "docker://acme/notes:1",
)
MOVING = ("acme/notes", "acme/notes:latest", "ghcr.io/acme/notes:main", "localhost:5000/notes")
REFUSED = ("", "Acme/Notes:1", "acme/notes:1 --privileged", "../notes:1", "acme/notes@sha256:12", "a" * 600)


def read_of(image: str) -> Reading:
    reading = Reading(source_of({"image": image}))
    set_image(reading, ("image",), image)
    return reading


@pytest.mark.parametrize("image", FIXED)
def test_a_version_that_stays_is_kept(image: str) -> None:
    assert read_of(image).document == {"spec": {"image": image.removeprefix("docker://")}}


@pytest.mark.parametrize("image", MOVING)
def test_a_version_that_moves_is_kept_accepted_and_told(image: str) -> None:
    reading = read_of(image)
    spec: Any = reading.document["spec"]
    assert spec["image"] == image
    assert [(each["rule"], each["path"]) for each in spec["accept"]] == [("policy/image-tag", "spec.image")]
    assert "mcpctl pin" in reading.comments["spec", "image"]


@pytest.mark.parametrize("image", REFUSED)
def test_what_is_no_image_is_refused(image: str) -> None:
    (problem,) = read_of(image).problems
    assert problem.rule == "import/image"


ENTRYPOINTS: dict[str, tuple[ImageConfig | None, dict[str, Any], dict[str, Any]]] = {
    "its own": (ImageConfig("docker", ("/srv",), ("stdio",)), {}, {"command": ["/srv"], "args": ["stdio"]}),
    "arguments in the place of its own": (
        ImageConfig("docker", ("/srv", "-q"), ("stdio",)),
        {"args": ["serve"]},
        {"command": ["/srv"], "args": ["-q", "serve"]},
    ),
    "a command alone": (ImageConfig("crane", (), ("node", "x.js")), {}, {"command": ["node"], "args": ["x.js"]}),
    "known already": (ImageConfig("docker", ("/srv",)), {"command": ["/other"]}, {"command": ["/other"]}),
    "nobody knows it": (None, {}, {"transport": {"type": "stdio", "bridge": "none"}}),
    "it has none": (ImageConfig("docker"), {}, {"transport": {"type": "stdio", "bridge": "none"}}),
}


@pytest.mark.parametrize(("config", "spec", "expected"), ENTRYPOINTS.values(), ids=ENTRYPOINTS)
def test_the_entrypoint_is_what_a_bridge_starts(
    monkeypatch: pytest.MonkeyPatch, config: ImageConfig | None, spec: dict[str, Any], expected: dict[str, Any]
) -> None:
    monkeypatch.setattr(images, "image_config", lambda _image: (config, ["docker: no such image"]))
    reading = Reading(source_of({"image": "x"}))
    reading.document["spec"] = dict(spec)
    set_entrypoint(reading, "acme/notes:1", Choices())
    assert reading.document["spec"] == {**spec, **expected}
    if "transport" in expected:
        assert "crane config acme/notes:1" in reading.comments["spec", "transport"]


def test_nobody_is_asked_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "image_config", lambda image: pytest.fail(f"asked for {image}"))
    reading = Reading(source_of({"image": "x"}))
    reading.document["spec"] = {}
    set_entrypoint(reading, "acme/notes:1", Choices(offline=True))
    assert reading.document["spec"] == {"transport": {"type": "stdio", "bridge": "none"}}

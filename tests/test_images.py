"""References to images, and what mirrors and pins make of them."""

from __future__ import annotations

import pytest

from renderer.images import AS_WRITTEN, Images, parse

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("redis", ("docker.io", "library/redis", "")),
        ("redis:7", ("docker.io", "library/redis", ":7")),
        ("grafana/mcp:1", ("docker.io", "grafana/mcp", ":1")),
        ("docker.io/redis:7", ("docker.io", "library/redis", ":7")),
        ("ghcr.io/a/b:1", ("ghcr.io", "a/b", ":1")),
        ("localhost/a:1", ("localhost", "a", ":1")),
        ("registry.example.com:5000/a", ("registry.example.com:5000", "a", "")),
        (f"ghcr.io/a/b:1@{DIGEST}", ("ghcr.io", "a/b", f":1@{DIGEST}")),
        (f"ghcr.io/a/b@{DIGEST}", ("ghcr.io", "a/b", f"@{DIGEST}")),
    ],
)
def test_parse(image: str, expected: tuple[str, str, str]) -> None:
    assert parse(image) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("ghcr.io/a/b:1", "mirror.example.com/ghcr/a/b:1"),
        ("redis:7", "docker.io/library/redis:8"),
        ("redis", "docker.io/library/redis:8"),
        ("ghcr.io/c/d:1", f"mirror.example.com/ghcr/c/d@{DIGEST}"),
        (f"ghcr.io/c/d:1@sha256:{'b' * 64}", f"mirror.example.com/ghcr/c/d@{DIGEST}"),
        ("quay.io/e/f:1", f"quay.io/e/f:2@{DIGEST}"),
        ("quay.io/other:1", "quay.io/other:1"),
        ("busybox", "busybox"),
    ],
)
def test_replacement(image: str, expected: str) -> None:
    pins = {"docker.io/library/redis": "8", "ghcr.io/c/d": DIGEST, "quay.io/e/f": f"2@{DIGEST}"}
    assert Images({"ghcr.io": "mirror.example.com/ghcr"}, pins).of(image) == expected
    assert AS_WRITTEN.of(image) == image

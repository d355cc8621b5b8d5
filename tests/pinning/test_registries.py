"""Digests and tags, from programs that answer as the real ones do, and from some that do not."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from renderer.pinning.registries import NoAnswer, digest_of, newest_tag, tags_of

DIGEST = "sha256:" + "ab" * 32
INDEX = json.dumps({"schemaVersion": 2, "manifests": [{"digest": DIGEST}]}, indent=1)
BUILDX = "docker: unknown command: docker buildx\n\nRun 'docker --help' for more information"
LOG = 'time="2026-11-29T16:08:47Z" level=fatal msg="Error parsing image name \\"docker://a/b:1\\": manifest unknown"'

Answer = tuple[str, str, int]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, for programs that print what they are told."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(folder: Path, answers: Mapping[str, Answer]) -> None:
    for name, (out, err, code) in answers.items():
        program = folder / name
        write = f"sys.stdout.write({out!r}); sys.stderr.write({err!r}); sys.exit({code})"
        record = f"open({str(folder / 'asked')!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10))"
        program.write_text(f"#!{sys.executable} -IS\nimport sys\n{record}\n{write}\n", encoding="utf-8")
        program.chmod(0o755)


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("answers", "expected", "arguments"),
    [
        ({"crane": (f"{DIGEST}\n", "", 0)}, DIGEST, ["digest a/b:1"]),
        (
            {"skopeo": (INDEX, "", 0)},
            f"sha256:{hashlib.sha256(INDEX.encode()).hexdigest()}",
            ["inspect --raw docker://a/b:1"],
        ),
        (
            {"docker": (json.dumps({"schemaVersion": 2, "digest": DIGEST, "size": 1}), "", 0)},
            DIGEST,
            ["buildx imagetools inspect --format {{json .Manifest}} a/b:1"],
        ),
        (
            {"crane": ("", "Error: MANIFEST_UNKNOWN", 1), "docker": (json.dumps({"digest": DIGEST}), "", 0)},
            DIGEST,
            ["digest a/b:1", "buildx imagetools inspect --format {{json .Manifest}} a/b:1"],
        ),
    ],
    ids=["crane", "skopeo", "docker", "the next one"],
)
def test_a_digest(tools: Path, answers: Mapping[str, Answer], expected: str, arguments: list[str]) -> None:
    install(tools, answers)
    assert digest_of("a/b:1") == expected
    assert asked(tools) == arguments


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, "install crane, skopeo or docker buildx: none of them is on the PATH"),
        ({"docker": ("", BUILDX, 1)}, "install crane, skopeo or docker buildx: none of them is on the PATH"),
        ({"skopeo": ("", f"{LOG}\n", 1)}, 'skopeo: Error parsing image name "docker://a/b:1": manifest unknown'),
        ({"crane": ("", "", 7)}, "crane: exit code 7"),
        ({"crane": ("sha256:abc\x1b[31m", "", 0)}, "crane: its answer cannot be read: sha256:abc\\x1b[31m"),
        ({"crane": (f"{DIGEST}\n{DIGEST}", "", 0)}, "crane: its answer cannot be read: "),
        ({"skopeo": ("<html>", "", 0)}, "skopeo: its answer cannot be read: <html>"),
        ({"skopeo": ('{"schemaVersion": 1}', "", 0)}, "skopeo: its answer cannot be read: "),
        ({"docker": ("[" * 100_000, "", 0)}, "docker: its answer cannot be read: "),
        ({"docker": ('{"digest": ["x"]}', "", 0)}, "docker: its answer cannot be read: "),
        ({"crane": ("x" * 9_000_000, "", 0)}, "crane: crane wrote more than 8 MiB"),
    ],
)
def test_why_there_is_no_digest(tools: Path, answers: Mapping[str, Answer], expected: str) -> None:
    install(tools, answers)
    with pytest.raises(NoAnswer) as failure:
        digest_of("a/b:1")
    assert str(failure.value).startswith(expected)


def test_tags(tools: Path) -> None:
    install(tools, {"crane": ("v1\nlatest\n bad tag\n", "", 0)})
    assert tags_of("a/b") == ["v1", "latest"]
    (tools / "crane").unlink()
    install(tools, {"skopeo": (json.dumps({"Repository": "a/b", "Tags": ["v1", 2, "../x"]}), "", 0)})
    assert tags_of("a/b") == ["v1"]
    assert asked(tools) == ["ls a/b", "list-tags docker://a/b"]
    (tools / "skopeo").unlink()
    install(tools, {"docker": ("", "", 0)})  # which cannot list them
    with pytest.raises(NoAnswer):
        tags_of("a/b")


@pytest.mark.parametrize(
    ("tag", "tags", "expected"),
    [
        ("v1.2.0", ["v1.10.0", "v1.9.0", "1.11.0", "v1.11", "v2.0.0-rc.1", "latest"], "v1.10.0"),
        ("1.37.0-musl", ["1.38.0", "1.38.1-musl", "1.39.0-glibc"], "1.38.1-musl"),
        ("distroless-v1.40.0", ["v1.41.0", "distroless-v1.41.2", "contrib-distroless-v1.42.0"], "distroless-v1.41.2"),
        ("0.9.9-python3.12-slim", ["0.10.0-python3.12-slim", "0.11.0-python3.13-slim"], "0.10.0-python3.12-slim"),
        ("7", ["8", "8.1"], "8"),
        ("latest", ["v1"], "latest"),
        ("v2.0.0", ["v1.0.0"], "v2.0.0"),
        ("3f2a9c1", ["4f2a9c1"], "3f2a9c1"),
    ],
)
def test_the_newest_tag_of_the_same_form(tag: str, tags: list[str], expected: str) -> None:
    assert newest_tag(tag, tags) == expected

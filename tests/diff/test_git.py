"""Files of a revision: read byte for byte, whatever is among them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from renderer import command
from renderer.command import Done
from renderer.diff import git
from renderer.diff.git import blob_of, contents, inside, listing, revision
from renderer.errors import UsageMistake


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for path, content in {
        "a/text": "é\n".encode(),
        "a/empty": b"",
        "a/replaced": "\ufffd\n".encode(),
        "a/latin": b"\xe9" * 3,
        "a/cut": b"\xf0\x9f\x98",
        "a/no newline": b"x\r\ny",
        "b": b"x",
        "large": b"x" * (git.LARGEST + 1),
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "a/link").symlink_to("/etc/passwd")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        names = ["-c", "user.name=x", "-c", "user.email=x"]
        subprocess.run(["git", "-C", tmp_path, *names, *arguments], check=True, timeout=60)
    return tmp_path


def test_contents(repository: Path) -> None:
    found = revision("HEAD", repository / "not" / "there")
    files = listing(found, "")
    texts = contents(found, files)
    assert "a/link" not in texts
    for path in ("a/text", "a/empty", "a/replaced", "a/no newline", "b"):
        assert (texts[path] or "").encode() == (repository / path).read_bytes()
        assert files[path] == blob_of((repository / path).read_bytes(), files[path])
    assert texts["a/latin"] is None
    assert texts["large"] is None


def test_files_are_read_in_portions_of_two_calls_each(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = revision("HEAD", repository)
    files = listing(found, "")
    whole = contents(found, files)
    calls: list[str] = []

    def noted(argv: list[str], **more: Any) -> Done:
        calls.append(argv[-1])
        return command.run(argv, **more)

    monkeypatch.setattr(git, "run", noted)
    assert contents(found, files) == whole
    assert calls == ["--batch-check", "--batch"]
    monkeypatch.setattr(git, "_AT_ONCE", 2)
    assert contents(found, files) == whole


def test_a_partial_clone_is_never_completed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    clone = tmp_path_factory.mktemp("clone")
    git_in(repository, "config", "uploadpack.allowFilter", "true")
    git_in(clone, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repository}", ".")
    missing = objects_missing(clone)
    assert missing
    found = revision("HEAD", clone)
    with pytest.raises(UsageMistake, match="partial and lacks files of HEAD"):
        contents(found, listing(found, "a"))
    assert objects_missing(clone) == missing
    git_in(clone, "archive", "-o", os.devnull, "HEAD")  # as the message says
    assert contents(found, listing(found, "b")) == {"b": "x"}


def git_in(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", folder, *arguments], check=True, timeout=60, capture_output=True, text=True)
    return done.stdout


def objects_missing(clone: Path) -> int:
    return git_in(clone, "rev-list", "--objects", "--all", "--missing=print").count("?")


def test_places(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "a")
    found = revision("HEAD", Path("."))
    assert inside(found, "text") == "a/text"
    assert inside(found, ".") == "a"
    assert inside(found, "..") == ""
    assert inside(found, "../..") is None
    assert set(listing(found, "b")) == {"b"}


def test_in_a_hook(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setenv("GIT_DIR", ".git")
    assert revision("HEAD", Path("a")).commit == revision("HEAD", Path(".")).commit

"""Files of a revision: read byte for byte, whatever is among them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from renderer.diff import git
from renderer.diff.git import blob_of, contents, inside, listing, revision


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
        assert files[path].blob == blob_of((repository / path).read_bytes(), files[path].blob)
    assert texts["a/latin"] is None
    assert texts["large"] is None


def test_what_is_no_text_costs_a_bounded_number_of_calls(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "_MOST_CALLS", 1)
    found = revision("HEAD", repository)
    assert set(contents(found, listing(found, "a")).values()) == {None}


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

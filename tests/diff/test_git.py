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


def test_files_are_listed_once_and_read_in_portions(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = noted(monkeypatch)
    found = revision("HEAD", repository)
    files = listing(found, "")
    whole = contents(found, files)
    assert calls == ["HEAD^{commit}", "--", "--batch"]
    calls.clear()
    assert listing(found, "a") == {path: blob for path, blob in files.items() if path.startswith("a/")}
    assert listing(found, "b") == {"b": files["b"]}
    assert listing(found, "a/t") == {}
    assert calls == []
    assert contents(found._replace(sizes={}), files) == whole
    assert calls == ["--batch-check", "--batch"]
    monkeypatch.setattr(git, "_AT_ONCE", 2)
    assert contents(found, files) == whole
    assert len(calls) > 4


def test_several_folders_are_listed_at_once(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = listing(revision("HEAD", repository), "")
    found = revision("HEAD", repository)
    calls = noted(monkeypatch)
    git.list_folders(found, ["a", "b", "not/there"])
    assert {**listing(found, "a"), **listing(found, "b")} == {p: blob for p, blob in whole.items() if p != "large"}
    assert listing(found, "not/there") == {}
    assert calls == ["not/there"]
    assert listing(found, "large") == {"large": whole["large"]}
    assert calls == ["not/there", "large"]


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


AUTHOR = ("-c", "user.name=x", "-c", "user.email=x")


def committed(folder: Path, branch: str) -> None:
    git_in(folder, "checkout", "-q", "-B", branch)
    git_in(folder, *AUTHOR, "commit", "-q", "--allow-empty", "-m", branch)


def in_a_merge(folder: Path, *how: str) -> None:
    for branch in ("two", "three"):
        git_in(folder, "checkout", "-q", "--detach", "one")
        committed(folder, branch)
    git_in(folder, *AUTHOR, "merge", "-q", "--no-ff", *how, "two")


def empty(folder: Path) -> None:
    git_in(folder, "init", "-q")
    for name in ("HEAD", "MERGE_HEAD"):
        (folder / name).write_text("a file of that name is no commit\n")


def with_a_commit(folder: Path) -> None:
    empty(folder)
    committed(folder, "one")


def merging(folder: Path) -> None:
    with_a_commit(folder)
    in_a_merge(folder, "--no-commit")


def merged(folder: Path) -> None:
    with_a_commit(folder)
    in_a_merge(folder, "-m", "both")


def in_a_worktree(folder: Path) -> None:
    (folder / "main").mkdir()
    with_a_commit(folder / "main")
    git_in(folder / "main", "worktree", "add", "-q", "../tree")
    in_a_merge(folder / "tree", "--no-commit")


@pytest.mark.parametrize(
    ("made", "below", "names"),
    [
        (lambda folder: None, "", None),
        (lambda folder: git_in(folder, "init", "-q", "--bare"), "", None),
        (empty, "", None),
        (with_a_commit, "", None),
        (merging, "", ("HEAD", "MERGE_HEAD")),
        (merging, "not/there", ("HEAD", "MERGE_HEAD")),
        (merged, "", ("HEAD^1", "HEAD^2")),
        (in_a_worktree, "tree", ("HEAD", "MERGE_HEAD")),
        (in_a_worktree, "main", None),
    ],
    ids=["nothing", "bare", "empty", "a commit", "merging", "merging, below", "merged", "a worktree", "beside one"],
)
def test_a_merge_is_asked_for_in_one_call(
    made: Any, below: str, names: tuple[str, str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path)
    calls = noted(monkeypatch)
    sides = git.merge_of(tmp_path / below)
    assert len(calls) == 1
    assert (sides and tuple(side.name for side in sides)) == names
    for side in sides or ():
        assert side == revision(side.name, tmp_path / below)


def test_a_revision_is_asked_for_in_one_call(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = noted(monkeypatch)
    assert revision("HEAD", repository / "a").top == str(repository)
    assert len(calls) == 1


def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The last argument of each call of git from now on."""
    calls: list[str] = []

    def run(argv: list[str], **more: Any) -> Done:
        calls.append(argv[-1])
        return command.run(argv, **more)

    monkeypatch.setattr(git, "run", run)
    return calls


def test_in_a_hook(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setenv("GIT_DIR", ".git")
    assert revision("HEAD", Path("a")).commit == revision("HEAD", Path(".")).commit


#: Settings that name a program, each of which would leave a file behind; {} is that program.
PROGRAMS = [
    *(f"alias.{name} !{{}}" for name in ("rev-parse", "ls-tree", "ls-files", "cat-file", "fetch")),
    *(
        f"core.{name} {{}}"
        for name in ("fsmonitor", "pager", "sshCommand", "gitProxy", "askPass", "alternateRefsCommand")
    ),
    *(f"pager.{name} {{}}" for name in ("rev-parse", "ls-tree", "ls-files", "cat-file")),
    *(f"diff.{name} {{}}" for name in ("external", "x.textconv", "x.command")),
    *(f"filter.x.{name} {{}}" for name in ("smudge", "clean", "process")),
    "credential.helper !{}",
    "gpg.program {}",
    "uploadpack.packObjectsHook {}",
    "remote.origin.uploadpack {}",
]
HOOKS = (
    "post-index-change",
    "reference-transaction",
    "fsmonitor-watchman",
    "post-checkout",
    "pre-auto-gc",
    "post-rewrite",
)


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("file://{repository}", {}),
        ("{repository}", {}),
        ("ext::{program}", {"protocol.ext.allow": "always"}),
        ("ssh://example.invalid/x", {}),
        ("git://127.0.0.1:9/x", {}),
        ("https://127.0.0.1:9/x", {}),
        ("x", {"remote.origin.vcs": "canary"}),
        ("gone://x", {"url.{repository}.insteadOf": "gone://x", "protocol.allow": "always"}),
    ],
    ids=lambda value: str(value)[:12],
)
def test_no_setting_of_a_repository_fetches_or_runs_anything(
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    more: dict[str, str],
) -> None:
    """The newest commit is that of a merge, so all questions that are asked of git are asked here."""
    for arguments in (
        ["checkout", "-qb", "other"],
        ["commit", "-q", "--allow-empty", "-m", "other"],
        ["checkout", "-q", "-"],
        ["commit", "-q", "--allow-empty", "-m", "ours"],
        ["merge", "-q", "--no-ff", "-m", "both", "other"],
    ):
        git_in(repository, "-c", "user.name=x", "-c", "user.email=x", *arguments)
    git_in(repository, "config", "uploadpack.allowFilter", "true")
    top = tmp_path_factory.mktemp("partial")
    clone, program, canary = top / "clone", top / "git-remote-canary", top / "canary"
    git_in(top, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repository}", "clone")
    git_in(clone, "reset", "-q")
    program.write_text(f'#!/bin/sh\necho "$0 $*" >>{canary}\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{top}:{os.environ['PATH']}")
    missing = objects_missing(clone)
    (clone / ".git/info/attributes").write_text("* diff=x filter=x\n")
    hooks = [clone / ".git/hooks" / name for name in HOOKS]
    for hook in hooks:
        hook.parent.mkdir(exist_ok=True)
        hook.symlink_to(program)
    names = {"repository": repository, "program": program}
    settings = dict(setting.format(program).split(" ", 1) for setting in PROGRAMS)
    settings |= {"remote.origin.url": url.format(**names), "remote.origin.promisor": "true"}
    settings |= {name.format(**names): value for name, value in more.items()}
    with (clone / ".git/config").open("a") as file:
        for name, value in settings.items():
            section, _, rest = name.partition(".")
            middle, _, key = rest.rpartition(".")
            head = f'{section} "{middle}"' if middle else section
            file.write(f'[{head}]\n\t{key} = "{value}"\n')

    found = revision("HEAD", clone)
    sides = git.merge_of(clone)
    assert sides
    assert listing(found, "a") == git.result_of(sides[0], "a")
    git.result_of(sides[0]._replace(name="HEAD"), "a")
    with pytest.raises(UsageMistake, match="partial and lacks files of HEAD"):
        contents(found, listing(found, "a"))
    assert not canary.exists(), canary.read_text()
    (clone / ".git/config").write_text("[core]\n\trepositoryformatversion = 0\n")
    assert objects_missing(clone) == missing

"""Files of a git revision: read through git itself, which is asked and never told to change anything."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from renderer.command import Done, ProgramMissing, run
from renderer.errors import ApplyFailed, UsageMistake, WaitTimedOut, excerpt

#: Bytes of one file beyond which it is not compared, and of what is asked for at once.
LARGEST = 2_000_000
_AT_ONCE = 16 << 20
#: Seconds that git has for one answer.
_SECONDS = 60.0
_ENV = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    # A partial clone lacks objects, which git fetches when it misses one. Before 2.45 only a protocol can be refused.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
}
_FILES = ("100644", "100755")


class Revision(NamedTuple):
    """One commit of the repository whose work tree is at ``top``; ``name`` is what the user called it.

    ``listed`` and ``sizes`` are what git has said of it: the files of folders, and the size of each content.
    """

    top: str
    commit: str
    name: str
    listed: dict[str, dict[str, str]]
    sizes: dict[str, int]


def _revision(top: str, commit: str, name: str) -> Revision:
    return Revision(top, commit, name, {}, {})


def revision(name: str, folder: Path) -> Revision:
    """The commit of that name in the repository that ``folder`` (which need not be there) lies in."""
    if not name or not name.isprintable():
        raise UsageMistake("--base is not the name of a git revision")
    # After --end-of-options nothing is an option, whatever it begins with.
    asked = ["rev-parse", "--show-toplevel", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    done = _git(asked, _nearest(folder))
    top, _, commit = done.out.rstrip("\n").rpartition("\n") if not done.code else (done.out.rstrip("\n"), "", "")
    if not top:
        raise UsageMistake(f"--base needs a git repository, and {excerpt(str(folder), 200)} is in none: {_why(done)}")
    if not commit.isalnum():  # ^name is what to leave out, and no commit
        advice = "fetch it (git fetch origin), or see 'git log' for what there is"
        if _git(["rev-parse", "--is-shallow-repository"], Path(top)).out.strip() == "true":
            how = "fetch it (git fetch --depth=1 origin REVISION), or clone with the whole history"
            advice = f"this clone is shallow: {how}"
        raise UsageMistake(f"--base: {excerpt(name, 100)} names no commit here; {advice}")
    return _revision(top, commit, name)


def merge_of(folder: Path) -> tuple[Revision, Revision] | None:
    """Both sides of the merge that is under way, or that the newest commit is."""
    # In one question: the newest commit and its parents, the top, and, while a merge is under way, the other side.
    done = _git(["rev-parse", "--revs-only", "HEAD", "HEAD^@", "--show-toplevel", "MERGE_HEAD"], _nearest(folder))
    lines = done.out.split("\n")[:-1]
    commits = list(takewhile(str.isalnum, lines))
    if done.code or not commits:
        return None
    top, *merging = lines[len(commits) :]
    if merging:
        return _revision(top, commits[0], "HEAD"), _revision(top, merging[0], "MERGE_HEAD")
    if len(commits) > 2:
        return _revision(top, commits[1], "HEAD^1"), _revision(top, commits[2], "HEAD^2")
    return None


def result_of(side: Revision, folder: str) -> dict[str, str]:
    """What git made of a merge that has this side, as ``listing``; without what conflicts."""
    if side.name != "HEAD":
        return listing(_revision(side.top, "HEAD", "HEAD"), folder)
    lines = _read(side, ["ls-files", "--stage", "-z", "--full-name", "--", os.path.join(side.top, folder)])
    files = {}
    for line in lines.decode("utf-8", "replace").split("\0"):
        facts, _, path = line.partition("\t")
        if facts.endswith(" 0"):
            files[path] = facts.split()[1]
    return files


def inside(revision: Revision, path: str) -> str | None:
    """The path as git knows it, empty for the top itself; None where it lies outside of the repository."""
    real = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
    relative = os.path.relpath(os.path.normpath(real), os.path.realpath(revision.top)).replace(os.sep, "/")
    if relative == ".." or relative.startswith("../"):
        return None
    return "" if relative == "." else relative


def listing(revision: Revision, folder: str) -> dict[str, str]:
    """The regular files at or below a path of the repository, by that whole path, with the hash of their content.

    Links and submodules are left out.
    """
    known = next((files for above, files in revision.listed.items() if _is_below(folder, above)), None)
    if known is None:
        list_folders(revision, [folder])
        return revision.listed[folder]
    return {path: blob for path, blob in known.items() if _is_below(path, folder)}


def list_folders(revision: Revision, folders: Sequence[str]) -> None:
    """Asks in one question for what ``listing`` is to be asked of."""
    arguments = ["-r", "-z", "--full-tree", revision.commit, "--", *(folders if all(folders) else ())]
    try:
        lines = _read(revision, ["ls-tree", "-l", *arguments])
    except UsageMistake:  # a partial clone has not the sizes of files that it lacks
        lines = _read(revision, ["ls-tree", *arguments])
    files = {}
    for line in lines.decode("utf-8", "replace").split("\0"):
        facts, _, path = line.partition("\t")
        mode, _, blob, *size = facts.split() or ("", "", "")
        if mode in _FILES:
            files[path] = blob
            revision.sizes.update({blob: int(size[0])} if size else {})
    for folder in folders:
        revision.listed[folder] = {path: blob for path, blob in files.items() if _is_below(path, folder)}


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def contents(revision: Revision, files: Mapping[str, str]) -> dict[str, str | None]:
    """The text of each file; None where it is no UTF-8, or too large. Only what is wanted is read."""
    texts: dict[str, str | None] = {}
    for blobs in _portions(revision, sorted(set(files.values()))):
        data, at = _read(revision, ["cat-file", "--batch"], blobs), 0
        while at < len(data):
            end = data.index(b"\n", at)
            blob, _, size = data[at:end].decode().split()
            content = data[end + 1 : end + 1 + int(size)]
            at = end + len(content) + 2
            with suppress(UnicodeDecodeError):
                texts[blob] = content.decode()
    return {path: texts.get(blob) for path, blob in files.items()}


def _portions(revision: Revision, wanted: Sequence[str]) -> Iterator[list[str]]:
    """The blobs that are not too large, in portions of bounded size."""
    portion: list[str] = []
    total = 0
    unknown = [blob for blob in wanted if blob not in revision.sizes]
    for line in _read(revision, ["cat-file", "--batch-check"], unknown).decode().splitlines() if unknown else ():
        blob, kind, *size = line.split()
        if kind == "missing":
            raise UsageMistake(_partial(revision))
        revision.sizes[blob] = int(size[0])
    for blob in (blob for blob in wanted if revision.sizes[blob] <= LARGEST):
        if portion and total + revision.sizes[blob] > _AT_ONCE:
            yield portion
            portion, total = [], 0
        portion.append(blob)
        total += revision.sizes[blob]
    if portion:
        yield portion


def _read(revision: Revision, arguments: Sequence[str], names: Sequence[str] = ()) -> bytes:
    done = _git(arguments, revision, "".join(f"{name}\n" for name in names).encode())
    if done.code and "promisor" in done.err:
        raise UsageMistake(_partial(revision))
    if done.code:
        raise UsageMistake(f"git cannot read {excerpt(revision.name, 100)}: {_why(done)}")
    return done.raw


def _partial(revision: Revision) -> str:
    name = excerpt(revision.name, 100)
    return (
        f"--base: this clone is partial and lacks files of {name}, and mcpctl fetches nothing; "
        f"fetch them (git archive {name} >{os.devnull}), or clone without --filter"
    )


def blob_of(text: bytes, like: str) -> str:
    """What git would call a file of that content, in a repository with names like that one."""
    head = b"blob %d\0" % len(text)
    # Not for security: it is git's own name for the content, as the repository has it.
    digest = hashlib.sha256(head) if len(like) == 64 else hashlib.sha1(head, usedforsecurity=False)
    digest.update(text)
    return digest.hexdigest()


def _git(arguments: Sequence[str], where: Path | Revision, stdin: bytes = b"") -> Done:
    folder = where.top if isinstance(where, Revision) else os.fspath(where)
    # In a hook git says itself where the repository is, as seen from the folder in which it runs us.
    place = [] if "GIT_DIR" in os.environ else ["-C", folder]
    try:
        # A monitor of the file system is a program that the repository's settings name.
        program = ["git", "-c", "core.fsmonitor=false", *place]
        return run([*program, *arguments], seconds=_SECONDS, stdin=stdin, env=_ENV)
    except ProgramMissing as missing:
        raise UsageMistake(f"{missing.message}: --base reads a revision through it") from None
    except (ApplyFailed, WaitTimedOut) as failed:
        raise UsageMistake(failed.message) from None


def _why(done: Done) -> str:
    lines = done.err.strip().splitlines()
    return excerpt(lines[0].removeprefix("fatal: "), 300) if lines else f"it ended with {done.code}"


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    here = Path(os.path.realpath(folder))
    return next(parent for parent in (here, *here.parents) if parent.is_dir())

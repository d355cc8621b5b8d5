"""Files of a git revision: read through git itself, which is asked and never told to change anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from renderer.command import Done, ProgramMissing, run
from renderer.errors import ApplyFailed, UsageMistake, WaitTimedOut, excerpt

#: Bytes of one file beyond which it is not compared, and of what is asked for at once.
LARGEST = 2_000_000
_AT_ONCE = 16 << 20
#: Files that are no text are found by halving; so many calls of git, and then the rest is not compared.
_MOST_CALLS = 200
#: Seconds that git has for one answer.
_SECONDS = 60.0
_ENV = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1"}
_FILES = ("100644", "100755")


class Entry(NamedTuple):
    """One file of a revision: the hash of its content, which is git's name for it, and its size."""

    blob: str
    size: int


class Revision(NamedTuple):
    """One commit of the repository whose work tree is at ``top``; ``name`` is what the user called it."""

    top: str
    commit: str
    name: str


def revision(name: str, folder: Path) -> Revision:
    """The commit of that name in the repository that ``folder`` (which need not be there) lies in."""
    if not name or not name.isprintable():
        raise UsageMistake("--base is not the name of a git revision")
    top = _line(_git(["rev-parse", "--show-toplevel"], _nearest(folder)))
    if top is None:
        done = _git(["rev-parse", "--show-toplevel"], _nearest(folder))
        raise UsageMistake(f"--base needs a git repository, and {excerpt(str(folder), 200)} is in none: {_why(done)}")
    # After --end-of-options nothing is an option, whatever it begins with.
    asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    commit = _line(_git(asked, Path(top)))
    if commit is None or not commit.isalnum():  # ^name is what to leave out, and no commit
        shallow = _line(_git(["rev-parse", "--is-shallow-repository"], Path(top))) == "true"
        raise UsageMistake(f"--base: {excerpt(name, 100)} names no commit here; {_advice(shallow)}")
    return Revision(top, commit, name)


def _advice(shallow: bool) -> str:
    if shallow:
        return "this clone is shallow: fetch it (git fetch --depth=1 origin REVISION), or clone with the whole history"
    return "fetch it (git fetch origin), or see 'git log' for what there is"


def inside(found: Revision, path: str) -> str | None:
    """The path as git knows it, empty for the top itself; None where it lies outside of the repository."""
    real = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
    relative = os.path.relpath(os.path.normpath(real), os.path.realpath(found.top)).replace(os.sep, "/")
    if relative == ".." or relative.startswith("../"):
        return None
    return "" if relative == "." else relative


def listing(found: Revision, folder: str) -> dict[str, Entry]:
    """The regular files at or below a path of the repository, by that whole path; links and modules are left out."""
    done = _git(["ls-tree", "-r", "-z", "-l", "--full-tree", found.commit, "--", *([folder] if folder else [])], found)
    if done.code:
        raise UsageMistake(f"git cannot read {excerpt(found.name, 100)}: {_why(done)}")
    files = {}
    for line in done.out.split("\0"):
        facts, _, path = line.partition("\t")
        mode, _, rest = facts.partition(" ")
        if mode in _FILES:
            _, blob, size = rest.split()
            files[path] = Entry(blob, int(size) if size.isdecimal() else LARGEST + 1)
    return files


def contents(found: Revision, files: Mapping[str, Entry]) -> dict[str, str | None]:
    """The text of each file; None where it is none, or too large. Only what is wanted is read."""
    texts: dict[str, str | None] = {entry.blob: None for entry in files.values()}
    wanted = sorted({entry for entry in files.values() if entry.size <= LARGEST})
    calls = _MOST_CALLS
    waiting = list(_portions(wanted))[::-1]
    while waiting and calls:
        calls -= 1
        portion = waiting.pop()
        read = _read(found, portion)
        if read is not None:
            texts |= read
        elif len(portion) > 1:
            half = len(portion) // 2
            waiting += [portion[half:], portion[:half]]
    return {path: texts[entry.blob] for path, entry in files.items()}


def _portions(wanted: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    start = size = 0
    for i, entry in enumerate(wanted):
        if size + entry.size > _AT_ONCE:
            yield wanted[start:i]
            start, size = i, 0
        size += entry.size
    if wanted[start:]:
        yield wanted[start:]


def _read(found: Revision, portion: Sequence[Entry]) -> dict[str, str] | None:
    """All texts of the portion; None where one of them is no UTF-8, so that where it ends is not known."""
    asked = "".join(f"{entry.blob}\n" for entry in portion).encode()
    done = _git(["cat-file", "--batch"], found, asked)
    if done.code:
        raise UsageMistake(f"git cannot read {excerpt(found.name, 100)}: {_why(done)}")
    data = done.out.encode("utf-8", "surrogatepass")
    texts, at = {}, 0
    for entry in portion:
        head = f"{entry.blob} blob {entry.size}\n".encode()
        end = at + len(head) + entry.size
        if data[at : at + len(head)] != head or data[end : end + 1] != b"\n":
            return None
        texts[entry.blob] = data[at + len(head) : end].decode("utf-8", "surrogatepass")
        at = end + 1
    return texts if at == len(data) else None


def blob_of(text: bytes, like: str) -> str:
    """What git would call a file of that content, in a repository with names like that one."""
    import hashlib

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
        return run(["git", *place, *arguments], seconds=_SECONDS, stdin=stdin, env=_ENV)
    except ProgramMissing as missing:
        raise UsageMistake(f"{missing.message}: --base reads a revision through it") from None
    except (ApplyFailed, WaitTimedOut) as failed:
        raise UsageMistake(failed.message) from None


def _line(done: Done) -> str | None:
    return done.out.rstrip("\n") if not done.code and done.out.strip() else None


def _why(done: Done) -> str:
    said = done.err.strip().splitlines()
    return excerpt(said[0].removeprefix("fatal: "), 300) if said else f"it ended with {done.code}"


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    here = Path(os.path.realpath(folder))
    return next(parent for parent in (here, *here.parents) if parent.is_dir())

"""Single files and folders below a tree: read without following a link, written so that none is ever half there."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from renderer.errors import OutputTreeFault, Place, Problem

#: Ending of a file that is being written; what a killed run leaves is removed by the next.
UNFINISHED = ".mcpctl-tmp"

#: Passes paths on, one after the other.
Watched = Callable[[Sequence[Path]], Iterable[Path]]


@contextmanager
def told(folder: Path, message: str, hint: str) -> Iterator[None]:
    """An error of the file system ends the run as a fault of the tree, at the file that it names."""
    try:
        yield
    except OSError as error:
        place = Place(os.fsdecode(error.filename) if error.filename else os.fspath(folder))
        rule = "tree/not-written" if hint else "tree/not-read"
        problem = Problem(place, "", rule, error.strerror or str(error), hint)
        raise OutputTreeFault(message, [problem]) from error


def digest(content: bytes) -> str:
    """SHA-256, as the record has it."""
    return hashlib.sha256(content).hexdigest()


#: Stands for what is not read; no text that is rendered begins so.
LINK = b"\0a symbolic link"
_NO_FILE = b"\0not a regular file"
_TOO_LARGE = b"\0larger than any of ours"
#: Bytes. Nobody's disk image is read to be told that it is not ours.
_LARGEST = 64_000_000


def content_of(path: str) -> bytes | None:
    """What stands there; None where nothing does. What is no regular file, or too large, is not read."""
    try:
        # No link is followed, and a FIFO that nobody writes to is not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        return LINK if os.path.islink(path) else _NO_FILE
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return _NO_FILE
        if status.st_size > _LARGEST:
            return _TOO_LARGE
        # One read, as the size is known.
        content = os.read(descriptor, status.st_size + 1)
        while more := len(content) > status.st_size and os.read(descriptor, 1 << 20):
            content += more
        return content
    finally:
        os.close(descriptor)


def write_unfinished(folder: Path, files: Mapping[str, str], watched: Watched = iter) -> None:
    """All files under temporary names, synced, for the caller to rename; after an error none of them is left.

    ``watched`` passes the files on as they are synced, which takes most of the time of a run.
    """
    targets = [folder / path for path in files]
    try:
        for target, text in zip(targets, files.values(), strict=True):
            make_folder(target.parent)
            _write_new(temporary(target), text)
        # Written first and synced afterwards: the disk takes them together.
        for target in watched(targets):
            descriptor = os.open(temporary(target), os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        for parent in {target.parent for target in targets}:
            sync_names(parent)
    except BaseException:
        for target in targets:
            with suppress(FileNotFoundError, NotADirectoryError):
                temporary(target).unlink()
        raise


def temporary(target: Path) -> Path:
    """Where a file stands until it is whole."""
    return target.with_name(f".{target.name}{UNFINISHED}")


def make_folder(folder: Path) -> None:
    """With the folders above it, and with a mode that does not depend on umask."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def _write_new(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # of a run that was killed
    # O_EXCL: whatever appears there in the meantime is not followed. The mode does not depend on umask.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o644)
        file.write(text.encode())


def sync_names(folder: Path) -> None:
    """Makes the names in a folder outlive a power cut: of a rename, fsync of the file says nothing."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have no such call
            raise
    finally:
        os.close(descriptor)


def remove_empty(root: Path, folder: Path) -> None:
    """The folder and those above it, up to the root, as far as nothing is in them."""
    while folder != root:
        if folder.is_dir():
            if any(folder.iterdir()):
                return
            folder.rmdir()
        folder = folder.parent


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One run at a time in a tree; the lock is on the folder itself and leaves nothing behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        problem = Problem(Place(os.fspath(folder)), "", "tree/locked", "another mcpctl is writing here", "try again")
        raise OutputTreeFault("nothing was written", [problem]) from error
    try:
        yield
    finally:
        os.close(descriptor)

"""Folders that are held open: files below are reached by descriptors, never through a link, and none is half there."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from renderer.errors import OutputTreeFault, Place, Problem, noting
from renderer.later import later
from renderer.parallel import Result, Watched, each

if TYPE_CHECKING:
    import ctypes
else:
    ctypes = later("ctypes")  # 5 ms, which only a large tree needs

#: Ending of a file that is being written; what a killed run leaves is removed by the next.
UNFINISHED = ".mcpctl-tmp"

#: A folder, and the names of files in it.
InFolder: TypeAlias = tuple[str, list[str]]

#: Stands for what is not read; no text that is rendered begins so.
_NOT_READ = b"\0no regular file, or larger than any of ours"
#: Bytes. Nobody's disk image is read to be told that it is not ours.
_LARGEST = 64_000_000
# A FIFO that nobody writes to is not waited for.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# O_EXCL: whatever appears there in the meantime is not followed.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: From so many on, all that waits for the disk is written before any is asked for: that is not ours alone.
_MANY = 256
#: From so many on, files are worth the processes of all cores (measured: 9 ms for a second one, and 25 µs a file).
_FOR_ALL_CORES = 2000
_ABSENT = (FileNotFoundError, NotADirectoryError)


@contextmanager
def tree_faults(folder: Path, message: str, rule: str = "tree/not-written") -> Iterator[None]:
    """An error of the file system ends the run as a fault of the tree, at the file that it names.

    A defect of ours carries the message too: what stands is the same.
    """
    try:
        with noting(lambda: message):
            yield
    except OSError as error:
        place = Place(os.fsdecode(error.filename) if error.filename else os.fspath(folder))
        hint = "check its permissions and the free space of the disk"
        problem = Problem(place, "", rule, error.strerror or str(error), hint)
        if error.errno == errno.ELOOP:
            problem = _link_problem(place)
        raise OutputTreeFault(message, [problem]) from error


def _link_problem(place: Place) -> Problem:
    """A link below the tree would lead a write, or a removal, to somewhere else."""
    return Problem(place, "", "tree/link", "this is a symbolic link", "remove it: none is followed here")


def digest(content: bytes) -> str:
    """SHA-256, as the record has it."""
    return hashlib.sha256(content).hexdigest()


def temporary(path: str) -> str:
    """Where a file stands until it is whole."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}.{name}{UNFINISHED}"


class Folder:
    """A folder that is held open, and what is below it, by relative paths. Each step is opened in the one before it.

    So a folder that is swapped for a link meanwhile leads nowhere. ``links`` and ``obstacles`` (no folder, or no file)
    are what was in the way of what was read. Without a descriptor the folder is not there, nor anything below it.
    """

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self.links: set[str] = set()
        self.obstacles: set[str] = set()
        self._made: list[str] = []
        # The way to the folder that was used last. Not all of them: there are more servers than descriptors.
        self._way = [] if descriptor is None else [("", descriptor)]

    def close(self) -> None:
        while self._way:
            os.close(self._way.pop()[1])

    def below(self, path: str, *, make: bool = False) -> Folder:
        """A folder in this one, which is closed by itself and can be locked by itself."""
        try:
            return Folder(self.path / path, os.open(".", _READ | os.O_DIRECTORY, dir_fd=self._at(path, make=make)))
        except _ABSENT:
            if make:
                raise
            return Folder(self.path / path, None)

    def lock(self) -> None:
        """One run at a time; the lock is on the folder itself and leaves nothing behind."""
        try:
            fcntl.flock(self._at(""), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            place = Place(os.fspath(self.path))
            problem = Problem(place, "", "tree/locked", "another mcpctl is writing here", "try again")
            raise OutputTreeFault("nothing was written", [problem]) from error

    def _at(self, path: str, *, make: bool = False) -> int:
        """The descriptor of a folder. One of _ABSENT where there is none, or a link or a file instead."""
        if self._way and self._way[-1][0] == path:  # thousands of files, folder by folder
            return self._way[-1][1]
        while self._way and not f"{path}/".startswith(f"{self._way[-1][0]}/") and self._way[-1][0]:
            os.close(self._way.pop()[1])
        if not self._way:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(self.path))
        step, descriptor = self._way[-1]
        for name in filter(None, path[len(step) :].split("/")):
            step = f"{step}/{name}" if step else name
            descriptor = self._step(step, name, descriptor, make=make)
            self._way.append((step, descriptor))
        return descriptor

    def _step(self, path: str, name: str, above: int, *, make: bool) -> int:
        with _Located(self, path):
            try:
                with suppress(*((FileNotFoundError,) if make else ())):
                    return os.open(name, _READ | os.O_DIRECTORY, dir_fd=above)
                os.mkdir(name, 0o755, dir_fd=above)
                self._made.append(path)
                return os.open(name, _READ | os.O_DIRECTORY, dir_fd=above)
            except NotADirectoryError:
                mode = os.stat(name, dir_fd=above, follow_symlinks=False).st_mode
                if not stat.S_ISLNK(mode) and not stat.S_ISDIR(mode):  # a folder now: it was a link a moment ago
                    self.obstacles.add(path)
                    raise
                self.links.add(path)
                raise NotADirectoryError(errno.ELOOP, os.strerror(errno.ELOOP)) from None

    def read(self, path: str) -> bytes | None:
        """What stands there; None where nothing does. What is no regular file, or too large, is not read."""
        folder, _, name = path.rpartition("/")
        try:
            descriptor = os.open(name, _READ, dir_fd=self._at(folder))
        except _ABSENT:
            return None
        except OSError as error:
            error.filename = f"{self.path}/{path}"
            if error.errno not in (errno.ELOOP, errno.ENXIO):
                raise
            (self.links if error.errno == errno.ELOOP else self.obstacles).add(path)
            return _NOT_READ
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                self.obstacles.add(path)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                return _NOT_READ
            # One read, as the size is known.
            content = os.read(descriptor, status.st_size + 1)
            while more := len(content) > status.st_size and os.read(descriptor, 1 << 20):
                content += more
            return content
        finally:
            os.close(descriptor)

    def contents(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """What stands at each of the paths, folder by folder: in one that is not there nothing is asked for."""
        for folder, names in groupby(sorted(paths), lambda path: path.rpartition("/")[0]):
            try:
                there = self._at(folder) >= 0
            except _ABSENT:
                there = False
            yield from ((path, self.read(path) if there else None) for path in names)

    def refuse_links(self, outcome: str = "nothing was written") -> None:
        """Those that were in the way of what was read."""
        if self.links:
            problems = [_link_problem(Place(os.fspath(self.path / path))) for path in sorted(self.links)]
            raise OutputTreeFault(f"{outcome}: the output tree contains symbolic links", problems)

    def entries(self, path: str) -> list[tuple[str, bool]]:
        """What is in a folder, sorted by name, and whether it is a folder; a link is none."""
        try:
            with os.scandir(self._at(path)) as entries:
                return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        except _ABSENT:
            return []

    def walk(self, path: str = "") -> Iterator[str]:
        """The paths of all that is no folder."""
        for name, is_folder in self.entries(path):
            step = f"{path}/{name}" if path else name
            if is_folder:
                yield from self.walk(step)
            else:
                yield step

    def write(self, files: Mapping[str, str], watched: Watched = iter) -> None:
        """All files under their temporary names, synced. Their modes are those of the umask."""
        folders = _by_folder(files)
        # By this process, which takes away what it made if the run fails.
        for folder, _ in folders:
            self._at(folder, make=True)
        _each(partial(self._write_in, files), folders, watched)
        # Written first and synced afterwards: the disk takes them together.
        self._sync(folders)

    def _write_in(self, files: Mapping[str, str], in_folder: InFolder) -> None:
        folder, names = in_folder
        place = self._at(folder)
        with _Located(self, folder) as located:
            for name in names:
                located.name, unfinished = name, temporary(name)
                try:
                    descriptor = os.open(unfinished, _NEW, 0o644, dir_fd=place)
                except FileExistsError:  # of a run, or of a process of this one, that was killed
                    os.unlink(unfinished, dir_fd=place)
                    descriptor = os.open(unfinished, _NEW, 0o644, dir_fd=place)
                try:
                    content = files[f"{folder}/{name}" if folder else name].encode()
                    while content:
                        content = content[os.write(descriptor, content) :]
                finally:
                    os.close(descriptor)

    def sync_names(self, paths: Iterable[str]) -> None:
        """Makes the names in their folders outlive a power cut: of a rename, fsync of the file says nothing."""
        self._sync([(folder, []) for folder, _ in _by_folder(paths)])

    def _sync(self, folders: Sequence[InFolder]) -> None:
        """Files under their temporary names, and their folders, which need not be there."""
        if sum(len(names) + 1 for _, names in folders) < _MANY or not self._sync_all():
            _each(self._sync_in, folders)

    def _sync_in(self, in_folder: InFolder) -> None:
        folder, names = in_folder
        with suppress(*(() if names else (FileNotFoundError,))), _Located(self, folder) as located:
            place = self._at(folder)
            for name in names:
                located.name = name
                descriptor = os.open(temporary(name), _READ, dir_fd=place)
                try:
                    _fsync(descriptor)
                finally:
                    os.close(descriptor)
            located.name = ""
            _fsync(place)

    def _sync_all(self) -> bool:
        """Writes what waits for the disk, also of others; whether that is known to be on it.

        Linux reports failures since 5.8, but not those below a file system without a disk of its own (an overlay,
        FUSE): there each file is synced as well, which then waits for little. In memory nothing waits.
        """
        root = self._at("")
        device = os.fstat(root).st_dev
        if not os.major(device) and _is_memory(device):
            return True
        try:
            failed = ctypes.CDLL(None).syncfs(root)
        except (ImportError, AttributeError, OSError):
            return False
        version = re.match(r"(\d+)\.(\d+)", os.uname().release)
        tells = version is not None and (int(version[1]), int(version[2])) >= (5, 8)
        return not failed and tells and os.major(device) > 0

    def put_in_place(self, paths: Iterable[str]) -> None:
        """The files that were written take the places of those before them."""
        for error in filter(None, _each(self._put_in_place, _by_folder(paths))):
            raise error

    def _put_in_place(self, in_folder: InFolder) -> OSError | None:
        """The error is returned, as a second try would not find what was put in place before it."""
        folder, names = in_folder
        try:
            place = self._at(folder)
            with _Located(self, folder) as located:
                for name in names:
                    located.name = name
                    os.replace(temporary(name), name, src_dir_fd=place, dst_dir_fd=place)
        except OSError as error:
            return error
        return None

    def same(self, path: str, other: str) -> bool:
        """Whether both names are of one file."""
        statuses = []
        for folder, _, name in (path.rpartition("/"), other.rpartition("/")):
            with suppress(*_ABSENT):
                statuses.append(os.stat(name, dir_fd=self._at(folder), follow_symlinks=False))
        return len(statuses) == 2 and os.path.samestat(*statuses)

    def remove(self, path: str) -> None:
        """A file that need not be there."""
        folder, _, name = path.rpartition("/")
        with suppress(FileNotFoundError):
            place = self._at(folder)
            with _Located(self, path):
                os.unlink(name, dir_fd=place)

    def remove_empty(self, path: str) -> None:
        """The folder and those above it, as far as nothing is in them."""
        while path:
            above, _, name = path.rpartition("/")
            try:
                os.rmdir(name, dir_fd=self._at(above))
            except OSError as error:
                if error.errno != errno.ENOENT:
                    return
            path = above

    def remove_made(self) -> None:
        """Takes away the folders that were made here, newest first, where nothing is in them."""
        while self._made:
            self.remove_empty(self._made.pop())


class _Located:
    """Errors have the whole path, for those who read them. (A generator as a context takes as long as some calls.)

    ``name`` is that of the file in the folder at ``path`` that is worked on.
    """

    def __init__(self, folder: Folder, path: str) -> None:
        self._folder, self._path, self.name = folder, path, ""

    def __enter__(self) -> _Located:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError):
            error.filename = "/".join(filter(None, (os.fspath(self._folder.path), self._path, self.name)))


def _is_memory(device: int) -> bool:
    with suppress(OSError), open("/proc/self/mountinfo", "rb") as mounts:
        of_device = b" %d:%d " % (os.major(device), os.minor(device))
        return any(of_device in mount and b" - tmpfs " in mount for mount in mounts)
    return False


def _fsync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no such call for folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _each(work: Callable[[InFolder], Result], folders: Sequence[InFolder], watched: Watched = iter) -> list[Result]:
    """What is done in each folder, on every core where that is worth its processes."""
    if sum(len(names) for _, names in folders) < _FOR_ALL_CORES:
        return [work(in_folder) for in_folder in watched(folders)]
    return each(work, folders, watched=watched)


def _by_folder(paths: Iterable[str]) -> list[InFolder]:
    """By the paths of the folders, sorted."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(name)
    return sorted(folders.items())


@contextmanager
def nearest(path: Path) -> Iterator[Folder]:
    """The folder that the user named, or the nearest above it that is there; up to there, links are followed."""
    while not os.path.isdir(path) and path != path.parent:
        path = path.parent
    with closing(Folder(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))) as folder:
        yield folder


@contextmanager
def opened(folder: Path) -> Iterator[Folder]:
    """A tree to be read. The folder above it is the user's word; the tree itself may not be a link."""
    with nearest(folder.parent) as above, closing(above.below(f"{folder.relative_to(above.path)}")) as tree:
        tree.links |= {""} if above.links else set()
        yield tree

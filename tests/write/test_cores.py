"""Written by several processes: the same tree, the same faults, and the same promises when one of them is killed."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from renderer import parallel
from renderer.errors import OutputTreeFault
from renderer.write import UNFINISHED, compare, disk
from tests.write import write
from tests.write.killed import PRUNE, killed_at

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

BEFORE = {"shared.yaml": "one\n", **{f"s{n}/{name}.yaml": f"{n} {name}\n" for n in range(5) for name in "ac"}}
AFTER = {"shared.yaml": "two\n", **{f"s{n}/{name}.yaml": f"{n} {name} new\n" for n in range(2, 8) for name in "ad"}}


@pytest.fixture(autouse=True)
def forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were started; two work from the first file on."""
    started: list[int] = []
    fork = os.fork

    def noted() -> int:
        """Goes on when the worker has come to what fails there, or has ended: so there is work left for it."""
        reading, writing = os.pipe()
        started.append(child := fork())
        if child:
            os.close(writing)
            os.read(reading, 1)
        else:
            _comes.append(writing)
        os.close(reading)
        return child

    monkeypatch.setattr(os, "fork", noted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(parallel, "FEWEST", 2)
    monkeypatch.setattr(parallel, "_AT_ONCE", 1)
    monkeypatch.setattr(disk, "_FOR_ALL_CORES", 1)
    return started


#: In a worker, the pipe that is closed when it comes to what fails.
_comes: list[int] = []


def content(folder: Path) -> dict[str, bytes]:
    return {f"{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_workers(call: Any, fails: Callable[[], None], after: int = 0) -> Any:
    """The call, before which ``fails`` is called in every process but this one, but for so many calls."""
    here, calls = os.getpid(), list[Any]()

    def replaced(*args: Any, **how: Any) -> Any:
        if os.getpid() != here:
            calls.append(args)
            if len(calls) > after:
                while _comes:
                    os.close(_comes.pop())
                fails()
        return call(*args, **how)

    return replaced


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_tree_is_that_of_one_core(tmp_path: Path, forks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "several", BEFORE)
    write(tmp_path / "several", AFTER, allowed=PRUNE)
    assert len(forks) >= 4, "to write, and to put in place"
    monkeypatch.setattr(disk, "_FOR_ALL_CORES", 10**9)
    forks.clear()
    write(tmp_path / "one", AFTER)
    assert forks == []
    assert content(tmp_path / "several") == content(tmp_path / "one")


@pytest.mark.parametrize("name", ["write", "fsync"])
@pytest.mark.parametrize("fails", [kill, refuse])
def test_what_a_worker_fails_to_write_is_written_here(
    name: str, fails: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, name, in_workers(getattr(os, name), fails))
    write(tmp_path / "tree", AFTER)
    assert compare(tmp_path / "tree", AFTER).differences == ()


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    call = os.write

    def full(descriptor: int, data: bytes) -> int:
        written.append(descriptor)
        if len(written) > 2:  # the numbers of the items go to a pipe
            refuse()
        return call(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputTreeFault, match=r"^nothing was written") as raised:
        write(tmp_path / "tree", AFTER)
    assert [problem.message for problem in raised.value.problems] == [os.strerror(errno.ENOSPC)]
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize("fails", [kill, refuse])
def test_what_a_worker_fails_to_put_in_place_is_put_there_by_the_next_run(
    fails: Callable[[], None], tmp_path: Path
) -> None:
    write(tmp_path / "tree", BEFORE)
    with pytest.MonkeyPatch.context() as patch:
        # When one file of a folder is in place.
        patch.setattr(os, "replace", in_workers(os.replace, fails, after=1))
        with pytest.raises(OutputTreeFault, match="is incomplete, and the next run completes it") as raised:
            write(tmp_path / "tree", AFTER, allowed=PRUNE)
    assert raised.value.problems[0].place.file.startswith(f"{tmp_path}/tree/s")
    assert raised.value.problems[0].message == os.strerror(errno.ENOSPC) or fails is kill
    assert {difference.why for difference in compare(tmp_path / "tree", AFTER).differences} <= {
        "missing",
        "outdated",
        "stale",
    }
    write(tmp_path / "tree", AFTER, allowed=PRUNE)
    assert compare(tmp_path / "tree", AFTER).differences == ()


def test_killed_at_every_change(tmp_path: Path) -> None:
    """The run, or the other process where that comes first to so many changes: each file is old or new, and the next
    run repairs.
    """
    write(tmp_path / "before", BEFORE)
    unfinished = 0
    for number in range(0, 200, 4):
        tree = shutil.copytree(tmp_path / "before", tmp_path / str(number))
        killed = killed_at(tree, AFTER, number)
        lock = os.open(tree, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other process has it until it ends
        os.close(lock)
        unfinished += any(path.endswith(UNFINISHED) for path in content(tree))
        for path, text in content(tree).items():
            if path.endswith(".yaml"):
                assert text.decode() in (BEFORE.get(path), AFTER.get(path))
        write(tree, AFTER, allowed=PRUNE)
        assert compare(tree, AFTER).differences == ()
        assert not [path for path in content(tree) if path.endswith(UNFINISHED)]
        if not killed:
            break
    assert unfinished > 5

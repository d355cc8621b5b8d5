"""Killed by SIGKILL at every change of the disk: no torn file, nothing of others gone, and the next run repairs."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from renderer.write import RECORD, UNFINISHED, Allowed, compare
from tests.write import write
from tests.write.killed import PRUNE, killed_at, left_by_kills

# Workers of pytest-xdist have threads; the children here only write files and end.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

#: Before, after, and after that: servers that stay, change, come and go.
BEFORE = {
    "shared.yaml": "one\n",
    **{f"s{n}/{name}.yaml": f"{n} {name}\n" * 50 for n in range(4) for name in ("a", "c")},
}
AFTER = {
    "shared.yaml": "two\n",
    **{f"s{n}/{name}.yaml": f"{n} {name} new\n" * 60 for n in range(2, 6) for name in ("a", "d")},
}
LATER = {"shared.yaml": "three\n", **{f"s{n}/a.yaml": f"{n} later\n" for n in range(3, 5)}}
FOREIGN = {"README.md": "mine\n", "s0/notes.txt": "mine\n", "s5/.hidden": "mine\n"}


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync is a moment to be killed at; what the disk does then is no matter here, and takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree that every run starts with: it is copied, which is faster than to write and sync it each time."""
    folder = tmp_path_factory.mktemp("before") / "tree"
    write(folder, BEFORE)
    for path, text in FOREIGN.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture(scope="module")
def killed(before: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What a run from BEFORE to AFTER leaves that is killed, for each change of the disk; to be copied, not changed."""
    root = tmp_path_factory.mktemp("killed")
    shutil.copytree(before, root / "tree")
    left = left_by_kills(root / "tree", AFTER, root / "left")
    assert content(root / "tree").items() >= AFTER.items()
    assert len(left) >= 67, "by three runs that is more than 200"
    return left


def copies(trees: Iterable[Path], root: Path) -> Iterator[Path]:
    for tree in trees:
        yield shutil.copytree(tree, root / tree.name)


def is_whole(folder: Path, *trees: Mapping[str, str]) -> None:
    """Every file is one of those, nothing is torn, and what is foreign is there."""
    found = content(folder)
    for path, text in found.items():
        if not path.endswith((RECORD, UNFINISHED)):
            assert text in [tree[path] for tree in (*trees, FOREIGN) if path in tree], path
    assert {path: found.get(path) for path in FOREIGN} == FOREIGN


# The same run again after a kill at every change, the others after every third, from another one on.
@pytest.mark.parametrize(
    ("then", "some"),
    [(AFTER, slice(None)), (BEFORE, slice(0, None, 3)), (LATER, slice(1, None, 3))],
    ids=["the same", "back", "another"],
)
def test_killed_at_every_change(killed: list[Path], tmp_path: Path, then: dict[str, str], some: slice) -> None:
    write(tmp_path / "fresh", then)
    fresh = content(tmp_path / "fresh")
    for folder in copies(killed[some], tmp_path):
        is_whole(folder, BEFORE, AFTER)
        # Nothing of ours is taken for a stranger's: the half of the files that are new already is known.
        assert {d.why for d in compare(folder, then).differences if d.path not in FOREIGN} <= {
            "missing",
            "outdated",
            "stale",
        }
        write(folder, then, allowed=PRUNE)
        assert content(folder) == {**fresh, **FOREIGN}
        assert {d.path for d in compare(folder, then).differences} == FOREIGN.keys()


def test_killed_again_and_again(before: Path, tmp_path: Path) -> None:
    """Runs towards different trees, each killed at a moment drawn by a fixed seed, never repaired in between."""
    draw = random.Random(5)
    trees = [BEFORE, AFTER, LATER]
    tree = tmp_path / "tree"
    shutil.copytree(before, tree)
    count = sum(killed_at(tree, draw.choice(trees), draw.randrange(70)) for _ in range(25))
    assert count > 6
    is_whole(tree, *trees)
    write(tree, AFTER, allowed=PRUNE)
    left = content(tree)
    assert {path: text for path, text in left.items() if not path.endswith(RECORD)} == {**AFTER, **FOREIGN}


def test_a_check_tells_what_a_killed_run_left(killed: list[Path]) -> None:
    """Some files new, some old, the record still of the run before: each is told by its content."""
    mixed = 0
    for folder in killed[::3]:
        found = content(folder)
        expected = {path for path, text in AFTER.items() if found.get(path) != text}
        expected |= {path for path in BEFORE if path not in AFTER and path in found}
        differences = [d for d in compare(folder, AFTER).differences if not d.path.endswith(RECORD)]
        assert {d.path for d in differences} - FOREIGN.keys() == expected
        mixed += any(d.unfinished for d in differences)
    assert mixed > 5


def test_a_hand_edit_after_a_killed_run_is_still_one(killed: list[Path], tmp_path: Path) -> None:
    for folder in copies(killed[::3], tmp_path):
        target = folder / "s3/a.yaml"
        target.write_text("mine\n")
        (difference,) = (d for d in compare(folder, AFTER).differences if d.path == "s3/a.yaml")
        assert difference.why == "edited"


SERVERS = [f"s{n}" for n in range(6)]
#: A run over another server.
PART = {"shared.yaml": "two\n", "z/a.yaml": "z\n"}


def of_server(name: str, files: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in files.items() if path.startswith(f"{name}/") and path not in FOREIGN}


def test_each_server_is_old_or_new_after_a_run_over_another(killed: list[Path], tmp_path: Path) -> None:
    """Until then the check names each whose files are of both, or whose record is."""
    sides = set()
    for folder in copies(killed[::2], tmp_path):
        found = content(folder)
        named = {d.path.partition("/")[0] for d in compare(folder, AFTER).differences if d.unfinished}
        for name in SERVERS:
            there = {path: text for path, text in of_server(name, found).items() if not path.endswith(UNFINISHED)}
            files = {path: text for path, text in there.items() if not path.endswith(RECORD)}
            mixed = files not in (of_server(name, BEFORE), of_server(name, AFTER))
            assert name in named or not mixed
        write(folder, PART)
        found = content(folder)
        assert not [path for path in found if path.endswith(UNFINISHED)]
        files = {path: text for path, text in found.items() if not path.endswith(RECORD)}
        for name in SERVERS:
            assert of_server(name, files) in (of_server(name, BEFORE), of_server(name, AFTER))
        side = [tree for tree in (BEFORE, AFTER) if all(of_server(n, files) == of_server(n, tree) for n in SERVERS)]
        assert side, "all of them, as they were of one run"
        assert {d.path for d in compare(folder, {**side[0], **PART}).differences} == FOREIGN.keys()
        sides.add(side[0]["shared.yaml"])
    assert sides == {"one\n", "two\n"}


def test_a_killed_run_that_was_completing_another(killed: list[Path], tmp_path: Path) -> None:
    """Killed at changes of the run that completes, and of the one after it: each server is old or new."""
    for tree in copies(killed[::23], tmp_path):
        for folder in left_by_kills(tree, PART, tmp_path / f"{tree.name}-left", 7, Allowed()):
            write(folder, PART)
            files = content(folder)
            for name in SERVERS:
                there = {path: text for path, text in of_server(name, files).items() if not path.endswith(RECORD)}
                assert there in (of_server(name, BEFORE), of_server(name, AFTER))
            assert not [path for path in files if path.endswith(UNFINISHED)]


def test_a_server_that_somebody_changed_after_a_killed_run_is_left_as_it_is(killed: list[Path], tmp_path: Path) -> None:
    for folder in copies(killed[::3], tmp_path):
        target = folder / "s3/a.yaml"
        target.write_text("mine\n")
        found = of_server("s3", content(folder))
        write(folder, PART)
        assert {path: text for path, text in of_server("s3", content(folder)).items() if path in found} == found
        assert target.read_text() == "mine\n"
        (difference,) = (d for d in compare(folder, AFTER).differences if d.path == "s3/a.yaml")
        assert difference.why == "edited"
        write(folder, AFTER, allowed=PRUNE._replace(force=True))
        assert {d.path for d in compare(folder, AFTER).differences} == FOREIGN.keys()

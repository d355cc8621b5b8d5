"""The tree of files: what is ours is kept in step, what is not is left alone, and no fault leaves a mix."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from renderer import write as stage
from renderer.errors import Exit, OutputTreeFault
from renderer.write import (
    OLD_RECORD,
    REASONS,
    RECORD,
    UNFINISHED,
    Allowed,
    Comparison,
    Difference,
    Wanted,
    Why,
    compare,
    disk,
    parsed_records,
)
from tests.write import write
from tests.write.killed import PRUNE, killed_at, left_by_kills

# Workers of pytest-xdist have threads; the children here only write files and end.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

FILES = {"namespace.yaml": "a: 1\n", "one/service.yaml": "b: 1\n", "one/deployment.yaml": "c: 1\n"}
MORE = {**FILES, "two/service.yaml": "d: 1\n"}
OTHER = {"namespace.yaml": "a: 2\n", "two/service.yaml": "d: 2\n"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    write(folder, FILES)
    return folder


def content(folder: Path) -> dict[str, str]:
    """Path to text of everything that is there, the records left out; links are not followed."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != RECORD
    }


def differences(folder: Path, files: Mapping[str, str]) -> list[Difference]:
    return list(compare(folder, files).differences)


def folders(folder: Path) -> list[str]:
    """Those that git would keep."""
    made = (path for path in folder.rglob("*") if path.is_dir() and any(path.iterdir()))
    return sorted(path.relative_to(folder).as_posix() for path in made)


def recorded(folder: Path) -> list[str]:
    """The files that the records name, each with the digest of what is there."""
    records = {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob(RECORD))}
    digests = parsed_records(records)
    for path, hashes in digests.items():
        assert hashes == (hashlib.sha256((folder / path).read_bytes()).hexdigest(),)
    return sorted(digests)


def fault(call: Callable[[], object]) -> OutputTreeFault:
    with pytest.raises(OutputTreeFault) as caught:
        call()
    assert caught.value.exit_code is Exit.OUTPUT_INVALID
    assert caught.value.problems
    return caught.value


def rules(error: OutputTreeFault) -> list[str]:
    return [problem.rule for problem in error.problems]


# ---------------------------------------------------------------------------------------------
# In step.


def test_a_new_tree(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "tree"
    done = write(folder, FILES)
    assert (done.written, done.removed, done.unchanged) == (tuple(sorted(FILES)), (), 0)
    assert content(folder) == FILES
    assert recorded(folder) == sorted(FILES)
    assert differences(folder, FILES) == []


def test_nothing_is_written_twice(tree: Path) -> None:
    before = {path: path.stat() for path in tree.rglob("*")}
    for path in before:
        os.utime(path, (1, 1))
    done = write(tree, FILES)
    assert (done.written, done.removed, done.unchanged) == ((), (), len(FILES))
    assert {path.stat().st_mtime for path in tree.rglob("*") if path.is_file()} == {1}
    assert {path: path.stat().st_ino for path in tree.rglob("*")} == {p: s.st_ino for p, s in before.items()}


def test_only_what_changed_is_written(tree: Path) -> None:
    for path in tree.rglob("*"):
        os.utime(path, (1, 1))
    done = write(tree, {**FILES, "one/service.yaml": "b: 2\n"})
    assert (done.written, done.removed, done.unchanged) == (("one/service.yaml",), (), 2)
    assert (tree / "namespace.yaml").stat().st_mtime == 1
    assert (tree / "one/service.yaml").read_text() == "b: 2\n"


def test_another_server_is_left_alone(tree: Path) -> None:
    done = write(tree, OTHER)
    assert (done.removed, done.others) == ((), ("one",))
    assert content(tree) == {**FILES, **OTHER}
    assert compare(tree, OTHER, whole=False) == Comparison((), ("one",))
    assert {d.why for d in differences(tree, OTHER)} == {"stale"}


def test_stale_files_of_a_server_go_with_it(tree: Path) -> None:
    done = write(tree, {"namespace.yaml": "a: 1\n", "one/service.yaml": "b: 1\n"})
    assert (done.removed, done.others) == (("one/deployment.yaml",), ())
    assert recorded(tree) == ["namespace.yaml", "one/service.yaml"]


def test_stale_servers_go_with_their_folders(tree: Path) -> None:
    done = write(tree, {"namespace.yaml": "a: 1\n"}, allowed=PRUNE)
    assert done.removed == ("one/deployment.yaml", "one/service.yaml")
    assert folders(tree) == []
    assert recorded(tree) == ["namespace.yaml"]


def test_a_folder_with_somebody_elses_file_stays(tree: Path) -> None:
    (tree / "one/README").write_text("mine\n")
    write(tree, {"namespace.yaml": "a: 1\n"}, allowed=PRUNE)
    assert content(tree) == {"namespace.yaml": "a: 1\n", "one/README": "mine\n"}


def test_line_ends_are_written_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, {"a": "x\r\ny\n"})
    assert (tmp_path / "a").read_bytes() == b"x\r\ny\n"


@pytest.mark.parametrize(
    ("change", "path", "why"),
    [
        (lambda tree: None, None, None),
        (lambda tree: (tree / "one/service.yaml").unlink(), "one/service.yaml", "missing"),
        (lambda tree: (tree / "one/service.yaml").write_text("mine\n"), "one/service.yaml", "edited"),
        (lambda tree: write(tree, {**FILES, "one/service.yaml": "old\n"}), "one/service.yaml", "outdated"),
        (lambda tree: write(tree, {**FILES, "two/x.yaml": "x\n"}), "two/x.yaml", "stale"),
        (lambda tree: (tree / RECORD).unlink(), RECORD, "missing"),
        (lambda tree: (tree / "one" / RECORD).unlink(), f"one/{RECORD}", "missing"),
    ],
    ids=["same", "missing", "edited", "outdated", "stale", "no record", "no record of a server"],
)
def test_compare_says_why(tree: Path, change: Callable[[Path], object], path: str | None, why: Any) -> None:
    change(tree)
    assert differences(tree, FILES) == ([Difference(path, why)] if path else [])


def test_compare_tells_foreign_from_edited_by_the_record(tree: Path) -> None:
    (tree / "one/service.yaml").write_text("mine\n")
    (tree / "one" / RECORD).unlink()
    assert differences(tree, FILES) == [Difference("one/service.yaml", "foreign")]


def test_compare_is_sorted_and_writes_nothing(tmp_path: Path) -> None:
    assert [d.path for d in differences(tmp_path / "tree", FILES)] == sorted(FILES)
    assert list(tmp_path.iterdir()) == []


def test_every_reason_is_explained() -> None:
    assert set(REASONS) == set(get_args(Why))


# ---------------------------------------------------------------------------------------------
# What is not ours.


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        (FILES, "tree/edited"),
        ({**FILES, "namespace.yaml": "a: 2\n"}, "tree/edited"),
        ({**FILES, "x.yaml": "new\n"}, "tree/foreign"),
    ],
)
def test_edited_and_foreign_files_are_refused_and_nothing_else_is_written(
    tree: Path, files: dict[str, str], rule: str
) -> None:
    if rule == "tree/edited":
        (tree / "one/service.yaml").write_text("mine\n")
    (tree / "x.yaml").write_text("mine\n")
    before = content(tree)
    error = fault(lambda: write(tree, files))
    assert rules(error) == [rule]
    assert error.problems[0].place.file.startswith(str(tree))
    assert "--force" in error.problems[0].hint
    assert content(tree) == before


@pytest.mark.parametrize("files", [FILES, OTHER, {}], ids=["same", "other", "none"])
def test_force_overwrites_what_was_edited_stale_or_not(tree: Path, files: dict[str, str]) -> None:
    (tree / "one/service.yaml").write_text("mine\n")
    write(tree, files, allowed=PRUNE._replace(force=True))
    assert content(tree) == files


def test_all_strangers_are_told_at_once(tree: Path) -> None:
    for path in FILES:
        (tree / path).write_text("mine\n")
    assert rules(fault(lambda: write(tree, FILES))) == ["tree/edited"] * 3


def test_foreign_files_that_nothing_renders_are_untouched(tree: Path) -> None:
    (tree / "kustomization.yaml").write_text("mine\n")
    write(tree, OTHER, allowed=PRUNE)
    assert content(tree) == {**OTHER, "kustomization.yaml": "mine\n"}
    assert differences(tree, OTHER) == [Difference("kustomization.yaml", "stranger", counts=False)]


def test_a_stranger_counts_where_somebody_would_apply_it(tree: Path) -> None:
    for path in ("evil.yaml", "one/evil.yaml", "notes.txt", "two/evil.yaml"):
        (tree / path).parent.mkdir(exist_ok=True)
        (tree / path).write_text("mine\n")
    found = compare(tree, FILES, applies=lambda path: path.endswith(".yaml")).differences
    assert [(d.path, d.why) for d in found if d.counts] == [
        (path, "stranger") for path in ("evil.yaml", "one/evil.yaml", "two/evil.yaml")
    ]
    assert [d.path for d in found if not d.counts] == ["notes.txt"]


def test_a_foreign_file_of_the_same_content_becomes_ours(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x\n")
    assert write(tmp_path, {"a": "x\n"}).unchanged == 1
    assert write(tmp_path, {}, allowed=PRUNE).removed == ("a",)


def _file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)


def _folder_in_the_way(tree: Path) -> None:
    _file(tree / "one/service.yaml")
    (tree / "one/service.yaml").mkdir()


def _fifo_in_the_way(tree: Path) -> None:
    _file(tree / "one/service.yaml")
    os.mkfifo(tree / "one/service.yaml")


@pytest.mark.parametrize("place", [_folder_in_the_way, _fifo_in_the_way])
def test_what_is_no_file_is_not_ours(tree: Path, place: Callable[[Path], None]) -> None:
    place(tree)
    assert rules(fault(lambda: write(tree, FILES))) == ["tree/edited"]
    assert Difference("one/service.yaml", "edited") in differences(tree, FILES)


def test_a_folder_is_not_overwritten_even_by_force(tree: Path) -> None:
    _folder_in_the_way(tree)
    assert rules(fault(lambda: write(tree, FILES, allowed=Allowed(force=True)))) == ["tree/obstacle"]
    assert not list(tree.rglob(f"*{UNFINISHED}"))


def test_a_file_where_a_folder_belongs(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("mine\n")
    assert sorted(d.why for d in differences(tmp_path, FILES)) == ["missing"] * 3 + ["stranger"]
    assert set(rules(fault(lambda: write(tmp_path, FILES)))) == {"tree/obstacle"}
    assert content(tmp_path) == {"one": "mine\n"}


def test_the_tree_itself_may_not_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "tree").write_text("mine\n")
    assert rules(fault(lambda: write(tmp_path / "tree", FILES))) == ["tree/not-written"]
    assert [d.why for d in differences(tmp_path / "tree", FILES)] == ["missing"] * 3


# ---------------------------------------------------------------------------------------------
# Links: nothing outside changes, whether force is given or not.


def _link_file(tree: Path, outside: Path) -> None:
    _file(tree / "one/service.yaml")
    (tree / "one/service.yaml").symlink_to(outside / "service.yaml")


def _link_folder(tree: Path, outside: Path) -> None:
    for path in (tree / "one").iterdir():
        path.unlink()
    (tree / "one").rmdir()
    (tree / "one").symlink_to(outside)


def _link_nowhere(tree: Path, outside: Path) -> None:
    _file(tree / "one/service.yaml")
    (tree / "one/service.yaml").symlink_to(outside / "nothing")


def _link_record(tree: Path, outside: Path) -> None:
    (tree / RECORD).rename(outside / "record")
    (tree / RECORD).symlink_to(outside / "record")


@pytest.mark.parametrize("files", [FILES, OTHER, {}], ids=["same", "other", "none"])
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("link", [_link_file, _link_folder, _link_nowhere, _link_record])
def test_links_are_refused(
    tree: Path, tmp_path: Path, link: Callable[[Path, Path], None], force: bool, files: dict[str, str]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    # What a record and a link together could be meant to have removed.
    (outside / "service.yaml").write_text(FILES["one/service.yaml"])
    link(tree, outside)
    before, within = content(outside), content(tree)
    if link is _link_folder and files != FILES:
        # What stands behind a link is not even read, so nothing there is known as ours.
        assert Difference("one", "stranger", counts=False) in differences(tree, files)
        write(tree, files, allowed=PRUNE._replace(force=force))
        assert (tree / "one").is_symlink()
        assert content(outside) == before
        return
    assert rules(fault(lambda: write(tree, files, allowed=PRUNE._replace(force=force)))) == ["tree/link"]
    assert rules(fault(lambda: compare(tree, files))) == ["tree/link"]
    assert content(outside) == before
    assert content(tree) == within


def test_a_link_far_above_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a").symlink_to(tmp_path / "outside")
    assert rules(fault(lambda: write(tmp_path / "tree", {"a/b/c.yaml": "x\n"}))) == ["tree/link"]
    assert list((tmp_path / "outside").iterdir()) == []


def test_only_what_the_user_named_may_be_a_link(tmp_path: Path) -> None:
    """``--out DIR`` is the user's own word; ``DIR/<target>`` is ours, and a link there came with a checkout."""
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    write(tmp_path / "out" / "kubernetes", FILES)
    assert content(tmp_path / "real" / "kubernetes") == FILES
    for call in (write, compare):
        assert rules(fault(lambda call=call: call(tmp_path / "out", FILES))) == ["tree/link"]  # type: ignore[misc]
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["kubernetes"]


@pytest.mark.parametrize("call", [write, compare])
def test_a_record_that_is_a_pipe_is_not_waited_for(tree: Path, call: Callable[[Path, dict[str, str]], object]) -> None:
    (tree / RECORD).unlink()
    os.mkfifo(tree / RECORD)
    assert rules(fault(lambda: call(tree, FILES))) == ["tree/record"]


def test_an_unfinished_file_that_is_a_link_is_not_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine\n")
    (tree / f".namespace.yaml{UNFINISHED}").symlink_to(tmp_path / "precious")
    write(tree, OTHER, allowed=PRUNE)
    assert (tmp_path / "precious").read_text() == "mine\n"
    assert content(tree) == OTHER


class Swapper:
    """Swaps a folder for a link to another before the n-th call of ``os`` that names something, and back ``after``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, outside: Path, first: int, after: int) -> None:
        self.folder, self.outside, self.aside = folder, outside, folder.parent.parent / "aside"
        self.left, self.after, self.linked = first, after, False
        for name in ("open", "replace", "unlink", "mkdir", "rmdir", "stat", "scandir", "fsync"):
            monkeypatch.setattr(os, name, self._counting(getattr(os, name)))

    def _counting(self, call: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if self.left == 0:
                with suppress(FileNotFoundError):
                    os.rename(self.folder, self.aside)
                    os.symlink(self.outside, self.folder)
                    self.linked = True
            elif self.left == -self.after:
                self.back()
            self.left -= 1
            return call(*args, **kwargs)

        return counted

    def back(self) -> None:
        if self.linked:
            os.remove(self.folder)
            os.rename(self.aside, self.folder)
            self.linked = False


def state_of(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Of everything below, what no change leaves as it was."""
    found = {path: os.lstat(path) for path in folder.rglob("*")}
    return {path: (status.st_ino, status.st_mtime_ns, status.st_ctime_ns) for path, status in found.items()}


@pytest.fixture
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.usefixtures("_no_sync")
# Each folder for a call and for the rest of the run; and for a few calls the folder that is gone afterwards.
@pytest.mark.parametrize(
    ("swapped", "after"),
    [("tree", 1), ("tree", 1000), ("tree/k", 1), ("tree/k", 1000), ("tree/k/one", 4), ("tree/k/two", 1000)],
)
def test_a_folder_swapped_for_a_link_at_any_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str, after: int
) -> None:
    """Whenever it comes and for how long, nothing outside is written, removed or renamed, and the next run repairs."""
    before, now = ({f"k/{path}": text for path, text in files.items()} for files in ({**FILES, **MORE}, OTHER))
    seen: set[str] = set()
    write(tmp_path / "outside", before, depth=1)
    outside = tmp_path / "outside" / Path(swapped).relative_to("tree")
    state = state_of(tmp_path / "outside")
    for first in range(1000):
        top = tmp_path / str(first)
        write(top / "tree", before, depth=1)
        with monkeypatch.context() as patch:
            swapper = Swapper(patch, top / swapped, outside, first, after)
            try:
                write(top / "tree", now, depth=1, allowed=PRUNE)
            except OutputTreeFault as error:
                seen.update(rules(error))
        swapper.back()
        assert state_of(tmp_path / "outside") == state
        write(top / "tree", now, depth=1, allowed=PRUNE)
        assert content(top / "tree") == now
        if swapper.left > 0:
            break
    assert first > 50, "calls were seen"
    assert "tree/link" in seen
    # Foreign: the record stood behind the link, and what it names did not any more.
    assert seen <= {"tree/link", "tree/not-written", "tree/foreign"}


# ---------------------------------------------------------------------------------------------
# The record.

DIGEST = "0" * 64
HEADER = "# mcpctl 1: x\n"


@pytest.mark.parametrize("record", [RECORD, f"one/{RECORD}"])
@pytest.mark.parametrize(
    "text",
    [
        "not a record",
        "{}",
        f"{DIGEST}  a.yaml\n",
        f"{HEADER}{DIGEST} a.yaml\n",
        f"{HEADER}{DIGEST[:-1]}  a.yaml\n",
        f"{HEADER}{DIGEST}  a.yaml\nx\n",
        f"{HEADER}{DIGEST}  a\xff".encode("latin-1"),
        *(
            f"{HEADER}{DIGEST}  {path}\n"
            for path in ("../x", "a/../../x", "/etc/passwd", "..", ".", "", "a//b", "a/./b", "a\0b", RECORD)
        ),
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_a_damaged_or_hostile_record_is_refused(tree: Path, text: str | bytes, record: str) -> None:
    (tree / record).write_bytes(text if isinstance(text, bytes) else text.encode())
    for call in (
        lambda: write(tree, OTHER),
        lambda: write(tree, OTHER, allowed=Allowed(force=True)),
        lambda: compare(tree, FILES),
    ):
        assert rules(fault(call)) == ["tree/record"]
    assert content(tree) == FILES


def test_a_record_of_a_newer_version_is_refused(tree: Path) -> None:
    (tree / RECORD).write_text("# mcpctl 2: something else\n")
    assert rules(fault(lambda: write(tree, FILES))) == ["tree/record-newer"]
    assert rules(fault(lambda: compare(tree, FILES))) == ["tree/record-newer"]


def test_a_record_that_names_what_is_not_there(tree: Path) -> None:
    with (tree / RECORD).open("a") as record:
        record.write(f"{DIGEST}  gone.yaml\n{DIGEST}  gone/a.yaml\n")
    assert differences(tree, FILES) == [Difference(RECORD, "outdated")]
    assert write(tree, FILES).removed == ()
    assert recorded(tree) == sorted(FILES)


def test_a_record_that_names_what_somebody_else_wrote(tree: Path) -> None:
    (tree / "mine.yaml").write_text("mine\n")
    with (tree / RECORD).open("a") as record:
        record.write(f"{DIGEST}  mine.yaml\n")
    assert rules(fault(lambda: write(tree, FILES))) == ["tree/edited"]
    assert (tree / "mine.yaml").exists()


def test_sha256sum_reads_a_record(tree: Path) -> None:
    command = ["sha256sum", "--check", "--strict", RECORD]
    for folder in (tree, tree / "one"):
        assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def test_a_record_names_no_other_server(tree: Path) -> None:
    """So that branches which change different servers merge."""
    before = (tree / RECORD).read_text(), (tree / "one" / RECORD).read_text()
    write(tree, {**FILES, "two/service.yaml": "d: 1\n"})
    assert before == ((tree / RECORD).read_text(), (tree / "one" / RECORD).read_text())


# ---------------------------------------------------------------------------------------------
# What git does to a tree.

CONFLICT = "<<<<<<< HEAD\n{}=======\n{}>>>>>>> other\n"


@pytest.mark.parametrize("path", ["one/service.yaml", "namespace.yaml"])
def test_conflict_markers_are_recognised_and_written_over(tree: Path, path: str) -> None:
    (tree / path).write_text(CONFLICT.format("b: 2\n", "b: 3\n"))
    assert differences(tree, FILES) == [Difference(path, "conflict")]
    write(tree, FILES)
    assert content(tree) == FILES


@pytest.mark.parametrize("style", [CONFLICT, CONFLICT.replace("=======", "||||||| base\nx  y\n=======")])
def test_of_a_record_in_conflict_both_sides_count(tree: Path, style: str) -> None:
    record = tree / "one" / RECORD
    head, *lines = record.read_text().splitlines(keepends=True)
    style = style.replace("x  y", f"{DIGEST}  service.yaml")
    record.write_text(head + style.format("".join(lines), f"{DIGEST}  service.yaml\n"))
    assert differences(tree, FILES) == [Difference(f"one/{RECORD}", "conflict")]
    assert write(tree, {**FILES, "one/service.yaml": "b: 9\n"}).written == ("one/service.yaml",)
    assert differences(tree, {**FILES, "one/service.yaml": "b: 9\n"}) == []


def test_line_ends_of_a_checkout_are_no_edit(tree: Path) -> None:
    files = {**FILES, "kustomization.yaml": "# Made by mcpctl\nresources: [one]\n"}  # it has no digest in a record
    write(tree, files)
    for path in [*map(Path, files), Path(RECORD), Path("one") / RECORD]:
        (tree / path).write_bytes((tree / path).read_bytes().replace(b"\n", b"\r\n"))
    assert differences(tree, files) == [Difference(path, "line-ends", counts=False) for path in sorted(files)]
    assert {d.why for d in differences(tree, {**files, "namespace.yaml": "a: 2\n"})} == {"line-ends", "outdated"}
    assert write(tree, files).written == tuple(sorted(files))
    assert content(tree) == files


def test_the_list_of_servers_is_ours_without_a_hash(tree: Path) -> None:
    """It changes with every server, so a record that named its hash would be changed by all of them."""
    files = {**FILES, "kustomization.yaml": "# Made by mcpctl\nresources: [one]\n"}
    write(tree, files)
    assert "kustomization" not in (tree / RECORD).read_text()
    (tree / "kustomization.yaml").write_text("# Made by mcpctl\n" + CONFLICT.format("- one\n", "- two\n"))
    assert differences(tree, files) == [Difference("kustomization.yaml", "conflict")]
    write(tree, files)
    assert content(tree) == files
    assert write(tree, FILES).removed == ("kustomization.yaml",)


# ---------------------------------------------------------------------------------------------
# Trees of earlier versions: one record for all, in JSON.


def old_tree(folder: Path, files: Mapping[str, str], version: int = 2) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}
    data = {"files": digests} if version == 1 else {"format": 2, "tool": "0.1.0", "files": digests}
    (folder / OLD_RECORD).write_text(json.dumps(data, indent=1) + "\n")


@pytest.mark.parametrize("version", [1, 2])
def test_a_tree_of_an_earlier_version_is_upgraded(tmp_path: Path, version: int) -> None:
    old_tree(tmp_path, {**MORE, "one/old.yaml": "x: 1\n"}, version)
    (tmp_path / "one/mine.txt").write_text("mine\n")
    (tmp_path / "one/service.yaml").write_text("edited\n")
    why = {d.path: d.why for d in differences(tmp_path, FILES)}
    assert why == {
        OLD_RECORD: "outdated",
        "one/mine.txt": "stranger",
        "one/old.yaml": "stale",
        "one/service.yaml": "edited",
        "two/service.yaml": "stale",
    }
    assert rules(fault(lambda: write(tmp_path, FILES))) == ["tree/edited"]
    done = write(tmp_path, FILES, allowed=Allowed(force=True))
    assert (done.removed, done.others) == (("one/old.yaml",), ("two",))
    assert not (tmp_path / OLD_RECORD).exists()
    assert content(tmp_path) == {**MORE, "one/mine.txt": "mine\n"}
    assert recorded(tmp_path) == sorted(MORE)


def test_a_record_of_an_earlier_version_in_conflict(tmp_path: Path) -> None:
    old_tree(tmp_path, FILES)
    first, *lines = (tmp_path / OLD_RECORD).read_text().splitlines(keepends=True)
    (tmp_path / OLD_RECORD).write_text(first + CONFLICT.format("".join(lines), "".join(lines)))
    write(tmp_path, FILES)
    assert recorded(tmp_path) == sorted(FILES)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"files": []}', "[" * 100_000])
def test_a_damaged_record_of_an_earlier_version_is_refused(tmp_path: Path, text: str) -> None:
    old_tree(tmp_path, FILES)
    (tmp_path / OLD_RECORD).write_text(text)
    assert rules(fault(lambda: write(tmp_path, FILES))) == ["tree/record"]


# ---------------------------------------------------------------------------------------------
# Modes.


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_umask(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "tree"
    write(folder, FILES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o644}
    made = [folder.parent, folder, *(path for path in folder.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o755}


def test_modes_of_folders_that_exist_stay(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir(mode=0o700)
    write(tmp_path, FILES)
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o700


# ---------------------------------------------------------------------------------------------
# Two runs, a full disk, a tree that cannot be written.


def test_a_second_run_does_not_mix(tree: Path) -> None:
    lock = os.open(tree, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert rules(fault(lambda: write(tree, OTHER))) == ["tree/locked"]
        assert content(tree) == FILES
    finally:
        os.close(lock)
    write(tree, OTHER, allowed=PRUNE)
    assert content(tree) == OTHER


def test_the_lock_is_released_after_a_fault(tree: Path) -> None:
    (tree / "namespace.yaml").write_text("mine\n")
    for _ in range(2):
        assert rules(fault(lambda: write(tree, FILES))) == ["tree/edited"]


CALLS = ("open", "replace", "fsync", "mkdir", "fchmod", "unlink")
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO)


class Failing:
    """Replaces calls of ``os`` by ones of which the n-th and all later ones fail, where they would write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, first: int, number: int) -> None:
        self.left, self.number = first, number
        for name in CALLS:
            monkeypatch.setattr(os, name, self._failing(getattr(os, name), name))

    def _failing(self, call: Any, name: str) -> Any:
        def replaced(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & os.O_WRONLY:
                return call(*args, **kwargs)
            self.left -= 1
            if self.left < 0:
                raise OSError(self.number, os.strerror(self.number), args[0] if isinstance(args[0], str) else None)
            return call(*args, **kwargs)

        return replaced


@pytest.mark.parametrize("number", ERRORS, ids=lambda n: errno.errorcode[n])
def test_a_disk_that_does_not_take_it(tmp_path: Path, number: int) -> None:
    """At each call that writes, for good: it is told, and when the disk works again the next run mends it."""
    for first in range(200):
        folder = tmp_path / str(first)
        write(folder, FILES)
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, first, number)
            if failing_write(folder):
                assert failing.left >= 0
                break
        write(folder, OTHER, allowed=PRUNE)
        mended(folder, OTHER)
    assert first > 10, "calls were seen"


def failing_write(folder: Path) -> bool:
    """Whether it succeeded; otherwise the fault says why."""
    told: list[str] = []
    try:
        write(folder, OTHER, allowed=PRUNE)
    except OutputTreeFault as error:
        told = [f"{problem.rule} {problem.message}" for problem in error.problems]
    assert not told or told[0] in {f"tree/not-written {os.strerror(number)}" for number in ERRORS}
    return not told


@pytest.mark.usefixtures("_no_sync")
@pytest.mark.parametrize(("kind", "step"), [(errno.ENOSPC, 1), (errno.EACCES, 7)], ids=["ENOSPC", "EACCES"])
def test_a_disk_that_does_not_take_the_next_of_several_trees(tmp_path: Path, kind: int, step: int) -> None:
    """At each call, for good: nothing is written, or it is told which trees are, and which one is not whole."""
    seen: set[int] = set()
    for first in range(0, 200, step):
        names = [str(tmp_path / f"{first}/{name}") for name in "abc"]
        trees = [Wanted(Path(name), OTHER, allowed=PRUNE) for name in names]
        for name in names:
            write(Path(name), FILES)
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, first, kind)
            try:
                stage.write(trees)
                assert failing.left >= 0
                break
            except OutputTreeFault as fault:
                message = fault.message
        whole = [name for name in names if files_of(Path(name)) == OTHER]
        untouched = [name for name in names if files_of(Path(name)) == FILES]
        if message == "nothing was written":
            assert untouched == names
        else:
            (incomplete,) = (name for name in names if message.startswith(f"{name} is incomplete"))
            number = names.index(incomplete)
            assert message.endswith(
                f"; written: {', '.join(names[:number])}" if number else "the next run completes it"
            )
            assert set(names[:number]) <= set(whole)
            assert set(names[number + 1 :]) <= set(untouched)
            seen.add(number)
        stage.write(trees)
        for name in names:
            mended(Path(name), OTHER)
    assert seen == {0, 1, 2}, "each of them was the one"


def files_of(folder: Path) -> dict[str, str]:
    return {path: text for path, text in content(folder).items() if not path.endswith(UNFINISHED)}


def mended(folder: Path, files: Mapping[str, str]) -> None:
    assert content(folder) == files
    assert recorded(folder) == sorted(files)
    assert differences(folder, files) == []
    assert folders(folder) == sorted({str(Path(path).parent) for path in files} - {"."})


def test_a_tree_that_needs_no_change_may_be_read_only(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Failing(monkeypatch, 0, errno.EROFS)
    assert write(tree, FILES).unchanged == len(FILES)


def test_a_tree_that_cannot_be_read_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str, *_: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "open", refused)
    assert rules(fault(lambda: compare(tree, FILES))) == ["tree/not-read"]
    assert rules(fault(lambda: write(tree, FILES))) == ["tree/not-written"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tree: Path) -> None:
    (tree / "one").chmod(0o555)
    try:
        assert rules(fault(lambda: write(tree, {**FILES, "one/service.yaml": "b: 2\n"}))) == ["tree/not-written"]
    finally:
        (tree / "one").chmod(0o755)
    assert content(tree) == FILES


# ---------------------------------------------------------------------------------------------
# Killed: no 'finally' runs.


@pytest.mark.parametrize("next_files", [OTHER, FILES, MORE, {}], ids=["same", "back", "more", "none"])
def test_the_next_run_repairs_a_tree_of_a_killed_one(tree: Path, tmp_path: Path, next_files: dict[str, str]) -> None:
    """At each change: every file is wholly old or wholly new, and no run takes one of ours for a stranger's."""
    left = left_by_kills(tree, OTHER, tmp_path / "left")
    assert len(left) > 10, "changes were seen"
    for folder in left:
        for path, text in content(folder).items():
            if not path.endswith(UNFINISHED):
                assert text in (FILES.get(path), OTHER.get(path))
        assert not [d for d in differences(folder, next_files) if d.why in ("edited", "foreign", "stranger")]
        write(folder, next_files, allowed=PRUNE)
        mended(folder, next_files)


def test_what_a_killed_run_left_of_a_shared_file_goes_though_no_journal_names_it(tree: Path) -> None:
    (tree / f".namespace.yaml{UNFINISHED}").write_text("a: 2\n")
    assert write(tree, FILES).unchanged == len(FILES)
    mended(tree, FILES)


def test_a_server_that_is_new_is_asked_for_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    call = os.open

    def noted(path: str, flags: int, *more: Any, **how: Any) -> int:
        opened.append(path)
        return call(path, flags, *more, **how)

    monkeypatch.setattr(os, "open", noted)
    assert [d.why for d in compare(tmp_path, MORE).differences] == ["missing"] * 4
    assert not {"deployment.yaml", "service.yaml"}.intersection(opened)


def test_killed_twice(tree: Path, tmp_path: Path) -> None:
    """A run that was to repair is killed as well."""
    assert killed_at(tree, OTHER, 12)
    left = left_by_kills(tree, MORE, tmp_path / "left")
    assert len(left) > 10
    for folder in left:
        write(folder, OTHER, allowed=PRUNE)
        mended(folder, OTHER)


def test_killed_in_a_new_tree(tmp_path: Path) -> None:
    for n in range(0, 200, 3):
        folder = tmp_path / str(n)
        killed = killed_at(folder, FILES, n)
        write(folder, OTHER, allowed=PRUNE)
        mended(folder, OTHER)
        if not killed:
            break
    assert n > 10


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: PersistentVolumeClaim\n",
        "apiVersion: v1\nkind: Namespace\n",
        "kind: CustomResourceDefinition\n",
        "kind: StatefulSet\nspec:\n  volumeClaimTemplates:\n    - x\n",
    ],
)
def test_what_holds_data_leaves_the_tree_only_when_asked_for(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"a/data.yaml": text, "a/service.yaml": "kind: Service\n"})
    error = fault(lambda: write(tmp_path, {"b.yaml": "x\n"}, allowed=PRUNE))
    assert rules(error) == ["tree/data-loss"]
    assert sorted(content(tmp_path)) == ["a/data.yaml", "a/service.yaml"]
    forced = PRUNE._replace(force=True)
    assert rules(fault(lambda: write(tmp_path, {"b.yaml": "x\n"}, allowed=forced))) == ["tree/data-loss"]
    assert write(tmp_path, {"b.yaml": "x\n"}, allowed=PRUNE._replace(prune_data=True)).removed == (
        "a/data.yaml",
        "a/service.yaml",
    )


def test_what_holds_no_data_leaves_without_asking(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "kind: StatefulSet\nspec:\n  replicas: 1\n"})
    assert write(tmp_path, {"b.yaml": "x\n"}).removed == ("a.yaml",)


def test_in_memory_many_files_are_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_is_memory", lambda _: True)
    monkeypatch.setattr(os, "major", lambda _: 0)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    write(tmp_path / "tree", {f"s{n}/0.yaml": f"{n}\n" for n in range(300)})
    assert len(synced) <= 3, "of one file, the journal of the tree, and its folder it is asked"


def test_what_is_memory(tmp_path: Path) -> None:
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    types = {line.split()[2]: line.partition(" - ")[2].split()[0] for line in mounts}
    for number, kind in types.items():
        assert disk._is_memory(os.makedev(*map(int, number.split(":")))) == (kind == "tmpfs")
    assert "tmpfs" in types.values()
    assert len({*types.values()}) > 1


@pytest.mark.parametrize(
    ("syncfs", "release", "device", "tells"),
    [
        (0, "5.8.0-generic", 8, True),
        (0, "6.12-rc1", 8, True),
        (0, "5.4.0-100", 8, False),
        (0, "4.19", 8, False),
        (0, "strange", 8, False),
        (0, "6.1.0", 0, False),
        (-1, "6.1.0", 8, False),
        (None, "6.1.0", 8, False),
    ],
    ids=["it tells", "it tells, in a test version", "5.4", "4.19", "no version", "no disk", "it fails", "no call"],
)
def test_many_files_are_synced_together_and_each_is_asked_for_where_that_may_not_tell(
    syncfs: int | None, release: str, device: int, tells: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"s{n}/0.yaml": f"{n}\n" for n in range(300)}
    steps: list[object] = []
    monkeypatch.setattr(disk, "_is_memory", lambda _: False)

    def called(_: int) -> int | None:
        steps.append("all")
        return syncfs

    library = SimpleNamespace() if syncfs is None else SimpleNamespace(syncfs=called)
    monkeypatch.setattr(disk, "ctypes", SimpleNamespace(CDLL=lambda _: library))
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release))
    monkeypatch.setattr(os, "major", lambda _: device)
    monkeypatch.setattr(os, "fsync", lambda descriptor: steps.append(os.fstat(descriptor).st_ino))
    write(tmp_path / "tree", files)
    if tells:
        # Of one file, the journal of the tree, it is asked.
        assert steps.count("all") == 3
        assert {*steps} == {"all", (tmp_path / "tree").stat().st_ino, (tmp_path / "tree" / RECORD).stat().st_ino}
    else:
        assert {path.stat().st_ino for path in (tmp_path / "tree").rglob("*")} <= {*steps}
    assert (steps[0] == "all") == (syncfs is not None)
    assert steps.count("all") < 8
    steps.clear()
    write(tmp_path / "tree", files | {"s0/0.yaml": "changed\n"})
    assert steps
    assert "all" not in steps

    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    refused = fault(lambda: write(tmp_path / "other", files))
    assert [problem.message for problem in refused.problems] == [os.strerror(errno.EIO)]
    assert refused.problems[0].place.file.endswith("other/.mcpctl" if tells else "/s0/.mcpctl")
    assert not (tmp_path / "other").exists()

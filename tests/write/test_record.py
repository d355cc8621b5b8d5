"""The record: its form, that of older versions, and what no version of ours has written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import OutputTreeFault
from renderer.write import FORMAT, RECORD, Allowed, Origin, compare, write

FILES = {"kustomization.yaml": "all\n", "one/a.yaml": "1\n"}
ORIGIN = Origin("1.0", "t", "e", {"namespace": "x"}, {"one": "1"})


def recorded(tree: Path) -> Any:
    return json.loads((tree / RECORD).read_bytes())


def fault(tree: Path, origin: Origin = ORIGIN, allowed: Allowed = Allowed()) -> list[str]:  # noqa: B008
    with pytest.raises(OutputTreeFault) as caught:
        write(tree, FILES, origin, None, allowed)
    return [problem.rule for problem in caught.value.problems]


def test_form(tmp_path: Path) -> None:
    write(tmp_path, FILES, ORIGIN)
    data = recorded(tmp_path)
    assert list(data) == ["format", "tool", "templates", "environment", "options", "specs", "files"]
    assert (data["format"], data["specs"], list(data["files"])) == (FORMAT, {"one": "1"}, sorted(FILES))


def test_a_record_of_format_1_is_read_and_upgraded(tmp_path: Path) -> None:
    write(tmp_path, FILES, ORIGIN)
    (tmp_path / RECORD).write_text(json.dumps({"files": recorded(tmp_path)["files"]}))
    (difference,) = compare(tmp_path, {**FILES, "one/a.yaml": "2\n"}, ORIGIN)
    assert (difference.why, [cause.name for cause in difference.causes]) == ("outdated", ["unknown"])
    assert compare(tmp_path, FILES, ORIGIN) == []
    assert write(tmp_path, FILES, ORIGIN).written == ()
    assert recorded(tmp_path)["format"] == FORMAT
    assert recorded(tmp_path)["specs"] == {"one": "1"}


@pytest.mark.parametrize("allowed", [Allowed(), Allowed(force=True)])
def test_a_record_of_a_newer_mcpctl_is_refused(tmp_path: Path, allowed: Allowed) -> None:
    write(tmp_path, FILES, ORIGIN)
    text = json.dumps({"format": FORMAT + 1, "tool": "9.0\x1b[31m", "files": 3})
    (tmp_path / RECORD).write_text(text)
    assert fault(tmp_path, ORIGIN, allowed) == ["tree/record-newer"]
    with pytest.raises(OutputTreeFault, match="newer") as caught:
        compare(tmp_path, FILES)
    assert "9.0\\x1b" in caught.value.problems[0].message
    assert (tmp_path / RECORD).read_text() == text


@pytest.mark.parametrize(
    "change",
    [
        {"format": "2"},
        {"format": True},
        {"format": 0},
        {"format": None},
        {"tool": 1},
        {"templates": []},
        {"environment": None},
        {"options": []},
        {"specs": []},
        {"specs": {"one": 1}},
    ],
    ids=str,
)
def test_what_no_version_has_written(tmp_path: Path, change: dict[str, Any]) -> None:
    write(tmp_path, FILES, ORIGIN)
    (tmp_path / RECORD).write_text(json.dumps({**recorded(tmp_path), **change}))
    assert fault(tmp_path) == ["tree/record"]


def test_a_new_origin_is_written_though_no_file_changes(tmp_path: Path) -> None:
    write(tmp_path, FILES, ORIGIN)
    assert write(tmp_path, FILES, ORIGIN._replace(tool="1.1")).written == ()
    assert recorded(tmp_path)["tool"] == "1.1"
    assert compare(tmp_path, FILES, ORIGIN) == []


def test_a_tree_is_emptied_only_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path, FILES, ORIGIN)
    files = {"kustomization.yaml": "none\n"}
    with pytest.raises(OutputTreeFault) as caught:
        write(tmp_path, files, ORIGIN._replace(specs={}), None, Allowed(force=True, prune_data=True))
    assert [problem.rule for problem in caught.value.problems] == ["tree/would-empty"]
    assert (tmp_path / "one/a.yaml").exists()
    done = write(tmp_path, files, ORIGIN._replace(specs={}), None, Allowed(allow_empty=True))
    assert done.removed == ("one/a.yaml",)


@pytest.mark.parametrize("names", [("one/A.yaml", "one/a.yaml"), ("a/\u00e9", "a/e\u0301"), ("Straße", "STRASSE")])
def test_names_that_are_one_on_some_disks(tmp_path: Path, names: tuple[str, str]) -> None:
    with pytest.raises(OutputTreeFault) as caught:
        write(tmp_path / "tree", dict.fromkeys(names, "x\n"))
    assert [problem.rule for problem in caught.value.problems] == ["tree/same-name"]
    assert [path.name for path in (tmp_path / "tree").iterdir()] == []


def test_a_name_in_other_letters_does_not_take_the_new_file_away(tmp_path: Path) -> None:
    """On a disk that does not tell large from small letters both names lead to one file, as these links do."""
    write(tmp_path, {"one/A.yaml": "1\n"})
    (tmp_path / "one/a.yaml").hardlink_to(tmp_path / "one/A.yaml")
    write(tmp_path, {"one/a.yaml": "1\n"})
    assert (tmp_path / "one/a.yaml").read_text() == "1\n"
    assert list(recorded(tmp_path)["files"]) == ["one/a.yaml"]

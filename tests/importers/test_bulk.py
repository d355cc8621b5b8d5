"""Specs in a folder: run twice it changes nothing, and what a person wrote stays."""

from __future__ import annotations

from pathlib import Path

from renderer.errors import Place
from renderer.importers.bulk import State, distinctly_named, store
from renderer.importers.draft import Draft, Entry, Outcome
from renderer.importers.spec_file import text_of


def draft(original: str, image: str = "registry.example.com/demo:1.0", file: str = "a.json") -> Draft:
    document = {
        "apiVersion": "mcpctl.io/v1alpha1",
        "kind": "McpServer",
        "metadata": {"name": "demo"},
        "spec": {
            "image": image,
            "env": {"A": {"secret": "demo", "key": "A"}, "B": {"configMap": "demo-settings", "key": "B"}, "C": "demo"},
        },
    }
    return Draft("demo", original, "test", Place(file, 1, 1), document, {}, ())  # type: ignore[arg-type]


def states(drafts: list[Draft], folder: Path, force: bool = False) -> list[State]:
    return [written.state for written in store(drafts, folder, force)]


def test_what_is_called_after_a_server_is_renamed_with_it() -> None:
    first, second = distinctly_named([draft("demo"), draft("de/mo"), draft("Demo")])[1:]
    assert {first.original, second.original} == {"Demo", "demo"} or first.name == "demo"
    renamed = next(each for each in (first, second) if each.original == "Demo")
    assert renamed.name.startswith("demo-")
    assert renamed.document["metadata"] == {"name": renamed.name}
    assert renamed.document["spec"] == {
        "image": "registry.example.com/demo:1.0",
        "env": {
            "A": {"secret": renamed.name, "key": "A"},
            "B": {"configMap": f"{renamed.name}-settings", "key": "B"},
            "C": "demo",
        },
    }


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    assert states([draft("demo")], folder) == [State.NEW]
    before = (folder / "demo.yaml").stat()
    assert states([draft("demo")], folder) == [State.UNCHANGED]
    assert (folder / "demo.yaml").stat() == before
    assert [path.name for path in folder.iterdir()] == ["demo.yaml"], "nothing is left beside it"


def test_a_definition_that_changed_updates_its_spec(tmp_path: Path) -> None:
    store([draft("demo")], tmp_path, force=False)
    changed = draft("demo", image="registry.example.com/demo:2.0")
    assert states([changed], tmp_path) == [State.UPDATED]
    assert (tmp_path / "demo.yaml").read_text() == text_of(changed)


def test_what_a_person_wrote_stays_unless_forced(tmp_path: Path) -> None:
    store([draft("demo")], tmp_path, force=False)
    edited = (tmp_path / "demo.yaml").read_text().replace("1.0", "1.1")
    (tmp_path / "demo.yaml").write_text(edited)
    changed = draft("demo", image="registry.example.com/demo:2.0")
    assert states([changed], tmp_path) == [State.EDITED]
    assert (tmp_path / "demo.yaml").read_text() == edited
    (tmp_path / "demo.yaml").write_text("mine: true\n")
    assert states([changed], tmp_path) == [State.FOREIGN]
    assert states([changed], tmp_path, force=True) == [State.UPDATED]


def test_line_ends_of_a_checkout_are_no_edit(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_bytes(text_of(draft("demo")).replace("\n", "\r\n").encode())
    assert states([draft("demo")], tmp_path) == [State.UNCHANGED]


def test_what_is_said_of_a_renamed_server_has_its_new_name() -> None:
    text = "set the key A of the ConfigMap demo-settings, or of the Secret demo; not of the Secret demo-b"
    entry = Entry(Place("a.json", 1, 1), (), Outcome.DECISION, None, text)
    drafts = [draft(name)._replace(comments={("spec",): text}, entries=(entry,)) for name in ("demo", "Demo")]
    renamed = next(each for each in distinctly_named(drafts) if each.original == "Demo")
    expected = (
        f"set the key A of the ConfigMap {renamed.name}-settings, or of the Secret {renamed.name}; "
        "not of the Secret demo-b"
    )
    assert (renamed.comments[("spec",)], renamed.entries[0].message) == (expected, expected)

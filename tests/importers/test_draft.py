"""What is said of the fields of a source, and that nothing is dropped in silence."""

from __future__ import annotations

import pytest

from renderer.errors import dotted
from renderer.importers.draft import END, Outcome, Reading, draft_of, put
from renderer.model import JSON
from tests.importers.readings import source_of


def test_what_nobody_read_is_lost_and_told_with_its_place() -> None:
    reading = Reading(
        source_of("name: demo\nimage: i\nextra:\n  a: 1\n  b: [2]\nmixed:\n  known: x\n  other: y\nnone: null\n")
    )
    reading.map(("image",), ("spec", "image"), "i")
    reading.note(("name",), ("metadata", "name"))
    reading.note(("mixed", "known"), None)
    draft = draft_of("demo", "test", reading)
    lost = {dotted(entry.source): entry.place.line for entry in draft.losses}
    assert lost == {"extra": 3, "mixed.other": 8}
    assert draft.document["spec"] == {"image": "i"}


def test_each_outcome_is_an_entry() -> None:
    reading = Reading(
        source_of({"servers": {"a": {"image": "i", "user": "root", "icon": "x", "env": ["A"]}}}), ("servers", "a")
    )
    reading.map(("image",), ("spec", "image"), "i")
    reading.default(("spec", "size"), "small", "the smallest")
    reading.decide(("env", 0), ("spec", "env", "A"), "1", "which?")
    reading.lose(("user",), "nothing runs as root")
    reading.lose(("icon",), "for catalogues", harmless=True)
    draft = draft_of("a", "test", reading)
    assert [(str(entry.outcome), dotted(entry.source), dotted(entry.target or ())) for entry in draft.entries] == [
        ("mapped", "servers.a.image", "spec.image"),
        ("defaulted", "", "spec.size"),
        ("decision", "servers.a.env[0]", "spec.env.A"),
        ("not-expressible", "servers.a.user", ""),
        ("not-expressible", "servers.a.icon", ""),
    ]
    assert [dotted(entry.source) for entry in draft.losses] == ["servers.a.user"]
    assert draft.comments == {("spec", "env", "A"): "decide: which?"}
    assert [entry.outcome for entry in draft.of(Outcome.DECISION)] == [Outcome.DECISION]


def test_fields_that_the_source_does_not_have_are_not_in_its_report() -> None:
    reading = Reading(source_of({"env": {"A": None}, "args": ["a"]}))
    for source in (
        ("image",),
        ("env", "A"),
        ("env", "B"),
        ("args", 0),
        ("args", "x"),
        ("args", 1),
        ("none", "of", "it"),
    ):
        reading.map(source, ("spec", "image"), "i")
        reading.lose(source, "no field")
    assert [(dotted(entry.source), str(entry.outcome)) for entry in reading.entries] == [
        ("env.A", "mapped"),
        ("env.A", "not-expressible"),
        ("args[0]", "mapped"),
        ("args[0]", "not-expressible"),
    ]
    assert reading.spec == {"image": "i"}


@pytest.mark.parametrize(
    ("status", "outcomes"), [("deprecated", ["decision"]), ("Deleted", ["decision"]), ("active", [])]
)
def test_a_withdrawn_definition_is_a_decision(status: str, outcomes: list[str]) -> None:
    reading = Reading(source_of({"status": status}))
    assert reading.is_withdrawn(("status",)) is bool(outcomes)
    assert [str(entry.outcome) for entry in reading.entries] == outcomes


def test_several_sources_make_one_spec() -> None:
    first = Reading(source_of({"a": 1}))
    second = Reading(source_of({"b": 2, "c": 3}), into=first)
    first.map(("a",), ("spec", "replicas"), 1)
    second.map(("b",), ("spec", "port"), 2)
    draft = draft_of("x", "test", first, second)
    assert draft.document["spec"] == {"replicas": 1, "port": 2}
    assert [dotted(entry.source) for entry in draft.losses] == ["c"]


def test_a_draft_says_what_it_was() -> None:
    reading = Reading(source_of({"a": 1}))
    reading.map(("a",), ("metadata", "annotations", "example.com/a"), "1")
    assert draft_of("io.github.A/b", "server.json", reading).document["metadata"] == {
        "name": "io-github-a-b",
        "annotations": {
            "mcpctl.io/imported-name": "io.github.A/b",
            "mcpctl.io/imported-from": "server.json",
            "example.com/a": "1",
        },
    }


def test_values_are_put_at_their_path() -> None:
    document: dict[str, JSON] = {}
    assert put(document, ("spec", "args", END), "a") == ("spec", "args", 0)
    assert put(document, ("spec", "args", END), "b") == ("spec", "args", 1)
    assert put(document, ("spec", "args", 0), "c") == ("spec", "args", 0)
    assert put(document, ("spec", "storage", 5, "name"), "d") == ("spec", "storage", 0, "name")
    assert document == {"spec": {"args": ["c", "b"], "storage": [{"name": "d"}]}}
    with pytest.raises(TypeError, match="leads through a list"):
        put(document, ("spec", "args", "x"), "y")


def test_what_no_definition_says_is_filled_in_and_told() -> None:
    reading = Reading(source_of({"image": "i"}))
    reading.map(("image",), ("spec", "image"), "i")
    reading.fill_in()
    assert reading.document == {"spec": {"image": "i", "size": "small"}}
    assert [dotted(entry.target or ()) for entry in reading.entries if not entry.source] == [
        "spec.size",
        "spec.network.egress",
    ]
    remote = Reading(source_of({"url": "u"}))
    remote.map(("url",), ("spec", "remote", "url"), "u")
    remote.fill_in()
    assert remote.document == {"spec": {"remote": {"url": "u"}}}


def test_what_holds_nothing_is_no_loss() -> None:
    reading = Reading(source_of({"config": {"secrets": [], "env": {"a": None}}, "run": {"user": "x"}, "name": "demo"}))
    reading.note(("name",), None)
    assert [entry.source for entry in reading.finish()] == [("name",), ("run",)]

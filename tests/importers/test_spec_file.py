"""Specs as text: comments, quoting, order, and whether somebody edited them."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.errors import Place
from renderer.importers.draft import Draft
from renderer.importers.spec_file import is_imported, is_unedited, text_of
from renderer.load import load
from renderer.model import JSON


def draft(spec: dict[str, JSON], comments: dict[tuple[str | int, ...], str] | None = None) -> Draft:
    document: dict[str, JSON] = {
        "apiVersion": "mcpctl.io/v1alpha1",
        "kind": "McpServer",
        "metadata": {"name": "demo"},
        "spec": spec,
    }
    return Draft("demo", "Demo", "test", Place("demo.json", 1, 1), document, comments or {}, ())


SPEC: dict[str, JSON] = {
    "env": {"A": "1", "B": {"secret": "demo", "key": "B"}},
    "args": ["--flag", "two words", "- dash"],
    "image": "registry.example.com/demo:1.0",
    "files": {"/etc/a": {"content": "first\nsecond\n"}},
    "storage": [
        {"name": "data", "size": "1Gi", "mountPath": "/data"},
        {"name": "more", "size": "1Gi", "mountPath": "/m"},
    ],
    "accept": [],
}
EXPECTED = """\
# decide: which version
image: registry.example.com/demo:1.0
args: [--flag, two words, "- dash"]
env:
  A: "1"
  # the token
  B: {secret: demo, key: B}
  # optional: a proxy
  # PROXY: ""
files:
  /etc/a:
    content: |
      first
      second
storage:
  - {name: data, size: 1Gi, mountPath: /data}
  # the second
  - {name: more, size: 1Gi, mountPath: /m}
accept: []
# network:
#   egress:
#     decide: which hosts
"""


def test_a_spec_reads_as_if_a_person_had_written_it() -> None:
    comments: dict[tuple[str | int, ...], str] = {
        ("spec", "image"): "decide: which version",
        ("spec", "env", "B"): "the token",
        ("spec", "env", "PROXY"): 'optional: a proxy\nPROXY: ""',
        ("spec", "storage", 1): "the second",
        ("spec", "network", "egress", "hosts"): "decide: which hosts",
    }
    text = text_of(draft(SPEC, comments), "x.json")
    head, _, body = text.partition("spec:\n")
    assert head.startswith("# yaml-language-server: $schema=x.json\n# Imported")
    assert "# Imported by mcpctl from test: Demo (content " in head
    assert "# It needs the Secret demo with B.\n" in head
    assert "".join(line[2:] for line in body.splitlines(keepends=True)) == EXPECTED


def test_an_edited_spec_is_told_from_what_an_import_wrote() -> None:
    text = text_of(draft(SPEC))
    assert is_unedited(text)
    assert is_unedited(text_of(draft(SPEC), "x.json"))
    assert is_imported(text)
    for edited in (text.replace("1Gi", "2Gi"), text + "# mine\n", "# mine\n" + text, text.replace("test: Demo", "x")):
        assert is_unedited(edited) is (edited == text.replace("test: Demo", "x"))
        assert is_imported(edited)
    assert not is_imported("apiVersion: mcpctl.io/v1alpha1\n")


VALUES = st.recursive(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
    | st.sampled_from(["a\nb", "no", "1e3", "# x", "a: b", "\ta\n"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab #:-", min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES, st.text(max_size=60))
@pytest.mark.slow
def test_any_value_and_comment_comes_back_as_it_was(value: JSON, comment: str) -> None:
    spec: dict[str, JSON] = {"env": {"A": value, "B": [value, {"x": value}]}}
    comments: dict[tuple[str | int, ...], str] = {
        ("spec", "env", "A"): comment,
        ("spec", "env", "B", 1): comment,
        ("spec", "env", "C"): comment,
        ("spec", "x", "y"): comment,
    }
    sources, problems = load(["-"], stdin=BytesIO(text_of(draft(spec, comments)).encode()))
    assert problems == []
    assert sources[0].data["spec"] == spec


def test_what_no_yaml_can_say_is_no_spec() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        text_of(draft({"env": {"A": "\ud800"}}))


def test_the_head_names_secrets_of_which_every_key_is_read() -> None:
    spec: dict[str, JSON] = {"env": {"B": {"secret": "demo", "key": "B"}}, "envFrom": [{"secret": "all"}]}
    assert "# It needs the Secret all with all its keys.\n# It needs the Secret demo with B.\n" in text_of(draft(spec))

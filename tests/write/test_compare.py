"""Why a file differs: each cause alone, several at once, and none that is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from renderer.model import JSON, NamespaceRules, Options
from renderer.write import CAUSES, REASONS, RECORD, Origin, compare, digest_of_spec, explained, origin_of_run, write

FILES = {"kustomization.yaml": "all\n", "one/a.yaml": "1\n", "two/a.yaml": "2\n"}
ORIGIN = Origin("1.0", "t", "e", {"namespace": "x", "rules": {"a": 1}}, {"one": "1", "two": "2"})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write(tmp_path / "tree", FILES, ORIGIN)
    return tmp_path / "tree"


def causes(tree: Path, origin: Origin, path: str = "one/a.yaml") -> list[str]:
    differences = {d.path: d for d in compare(tree, {**FILES, path: "new\n"}, origin)}
    return [cause.name for cause in differences[path].causes]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"specs": {"one": "new", "two": "2"}}, ["spec"]),
        ({"specs": {"one": "1", "two": "new"}}, ["unknown"]),
        ({"environment": "new"}, ["environment"]),
        ({"options": {"namespace": "y", "rules": {"a": 1}}}, ["options"]),
        ({"options": {"namespace": "x", "rules": {"a": 2}}}, ["options"]),
        ({"templates": "new"}, ["templates"]),
        ({"tool": "1.1"}, ["tool"]),
        ({"specs": {"one": "new"}, "environment": "new", "templates": "new"}, ["spec", "environment", "templates"]),
        ({}, ["unknown"]),
    ],
)
def test_each_cause(tree: Path, change: dict[str, Any], names: list[str]) -> None:
    assert causes(tree, ORIGIN._replace(**change)) == names


def test_an_edited_file_has_causes_too(tree: Path) -> None:
    (tree / "one/a.yaml").write_text("mine\n")
    (difference,) = compare(tree, FILES, ORIGIN._replace(tool="1.1"))
    assert (difference.why, [cause.name for cause in difference.causes]) == ("edited", ["tool"])


def test_a_file_that_somebody_removed(tree: Path) -> None:
    (tree / "one/a.yaml").unlink()
    (difference,) = compare(tree, FILES, ORIGIN)
    assert (difference.why, [cause.name for cause in difference.causes]) == ("missing", ["removed"])


@pytest.mark.parametrize("environment", ["", "kubernetes/"])
def test_a_server_that_came_and_one_that_went(tmp_path: Path, environment: str) -> None:
    """With an environment the target's folder stands in front of the servers'."""
    before = {f"{environment}{path}": text for path, text in FILES.items()}
    write(tmp_path / "tree", before, ORIGIN._replace(prefix=environment))
    files = {"kustomization.yaml": "less\n", "one/a.yaml": "1\n", "three/a.yaml": "3\n"}
    now = ORIGIN._replace(specs={"one": "1", "three": "3"}, prefix=environment)
    found = compare(tmp_path / "tree", {f"{environment}{path}": text for path, text in files.items()}, now)
    assert [(d.path.removeprefix(environment), d.why, d.server, d.causes[0].words) for d in found] == [
        ("kustomization.yaml", "outdated", "", "specs are new: three, and specs are gone: two"),
        ("three/a.yaml", "missing", "three", "the spec of three is new"),
        ("two/a.yaml", "stale", "two", "the spec of two is gone"),
    ]


def test_words(tree: Path) -> None:
    now = ORIGIN._replace(options={"namespace": "y", "rules": 2}, tool="2.0")
    (difference,) = compare(tree, {**FILES, "one/a.yaml": "new\n"}, now)
    assert explained(difference) == (
        f"{REASONS['outdated']}; the options changed: namespace was x, is y, rules; mcpctl was 1.0, and is 2.0"
    )


def test_a_foreign_file_and_a_new_tree_have_no_causes(tree: Path, tmp_path: Path) -> None:
    (tree / "three.yaml").write_text("mine\n")
    assert [d.causes for d in compare(tree, {**FILES, "three.yaml": "x\n"}, ORIGIN._replace(tool="2"))] == [()]
    assert {d.causes for d in compare(tmp_path / "none", FILES, ORIGIN)} == {()}


def test_a_record_cannot_hide_what_is_in_a_file(tree: Path) -> None:
    """Somebody edits a file and its hash in the record, both by hand."""
    (tree / "one/a.yaml").write_text("mine\n")
    data = json.loads((tree / RECORD).read_bytes())
    data["files"]["one/a.yaml"] = digest_of_text("mine\n")
    (tree / RECORD).write_text(json.dumps(data))
    (difference,) = compare(tree, FILES, ORIGIN)
    assert (difference.path, difference.why) == ("one/a.yaml", "outdated")
    assert [cause.name for cause in difference.causes] == ["unknown"]


def digest_of_text(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def test_every_cause_has_words_and_fires() -> None:
    assert set(CAUSES) == {
        "spec", "environment", "options", "templates", "tool", "removed", "unfinished", "unknown",
    }  # fmt: skip


def test_what_a_spec_says_counts_and_not_how_it_is_written() -> None:
    assert digest_of_spec({"a": 1, "b": [True, None]}) == digest_of_spec({"b": [True, None], "a": 1})
    values: list[JSON] = [1, "1", True, 1.5, "\ud83d"]
    assert len({digest_of_spec({"a": value}) for value in values}) == len(values)


OPTIONS = Options("mcpctl", "1.35")


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS._replace(namespace="x"),
        OPTIONS._replace(kubernetes_version="1.34"),
        OPTIONS._replace(network_policy_provider="cilium"),
        OPTIONS._replace(create_namespace=False),
        OPTIONS._replace(namespace_rules=NamespaceRules(enforce="baseline")),
    ],
)
def test_every_option_is_in_the_origin(options: Options) -> None:
    assert origin_of_run("kubernetes", (), options).options != origin_of_run("kubernetes", (), OPTIONS).options


def test_options_are_all_named() -> None:
    assert set(origin_of_run("kubernetes", (), OPTIONS).options) == set(Options._fields) - {"one_stream"}


def test_the_origin_is_of_the_target_and_of_the_users_templates() -> None:
    own = {"kubernetes/service.yaml.j2": "x"}
    runs = [origin_of_run(target, (), OPTIONS, templates=t) for target in ("kubernetes", "compose") for t in ({}, own)]
    digests = [run.templates for run in runs]
    assert len(set(digests)) == 3
    assert digests[2] == digests[3], "a template of Kubernetes says nothing of compose"

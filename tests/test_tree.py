"""A tree read back from disk: what is not as its record says is named, file by file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer import pipeline, write
from renderer.errors import OutputTreeFault, Severity
from renderer.model import Options
from renderer.registry import TARGETS, target
from renderer.tree import kept, read_tree
from tests.write import write as write_tree

ROOT = Path(__file__).parent.parent
OPTIONS = Options("mcpctl", "1.35")


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_was_rendered_comes_back_in_order_and_without_a_fault(name: str, tmp_path: Path) -> None:
    specs = pipeline.read([str(ROOT / "docs/examples/panda.yaml"), str(ROOT / "docs/examples/everything.yaml")])
    output = pipeline.render(specs, target(name), OPTIONS)
    rendered = pipeline.tree(specs, output, target(name), OPTIONS)
    write_tree(tmp_path / name, {document.path: document.text for document in rendered})
    found = read_tree(kept(tmp_path, name, OPTIONS), target(name), {})
    assert {p.severity for p in found.problems} <= {Severity.WARNING, Severity.ACCEPTED}
    assert sorted(found.servers) == sorted(server.name for server in specs.servers)
    made = {document.path: document.text for document in output.documents}
    assert {document.path: document.text for document in found.documents} == made
    if name == "kubernetes":
        for server in found.servers:
            order = [
                [d.path for d in ds if d.path.startswith(f"{server}/")] for ds in (output.documents, found.documents)
            ]
            kinds = [[kind_of(path) for path in paths] for paths in order]
            assert kinds[0] == kinds[1]
        assert found.documents[0].path == "namespace.yaml"


def kind_of(path: str) -> str:
    """Of a file's name; among those of one kind the order does not matter."""
    words = path.rpartition("/")[2].removesuffix(".yaml").removeprefix("sandbox-").split("-")
    return words[0]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    texts = {"namespace.yaml": "kind: Namespace\n", "a/service.yaml": "kind: Service\n"}
    write_tree(tmp_path / "kubernetes", texts)
    return tmp_path / "kubernetes"


def damaged(tree: Path) -> list[tuple[str, str]]:
    with pytest.raises(OutputTreeFault) as caught:
        write.recorded(tree)
    return [(os.path.relpath(problem.place.file, tree), problem.rule) for problem in caught.value.problems]


def _edit(tree: Path) -> None:
    (tree / "a/service.yaml").write_text("kind: Secret\n")


def _link(tree: Path) -> None:
    (tree / "a/service.yaml").rename(tree.parent / "elsewhere")
    (tree / "a/service.yaml").symlink_to(tree.parent / "elsewhere")


def _fifo(tree: Path) -> None:
    (tree / "a/service.yaml").unlink()
    os.mkfifo(tree / "a/service.yaml")


def _huge(file: Path) -> None:
    with file.open("r+b") as made:
        made.truncate(2**40)  # no more on the disk than before


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda tree: _huge(tree / "namespace.yaml"), [("namespace.yaml", "tree/edited")]),
        (lambda tree: _huge(tree / ".mcpctl"), [(".mcpctl", "tree/record")]),
        (_edit, [("a/service.yaml", "tree/edited")]),
        (lambda tree: (tree / "namespace.yaml").unlink(), [("namespace.yaml", "tree/missing")]),
        (lambda tree: (tree / "a/x.yaml").write_text(""), [("a/x.yaml", "tree/foreign")]),
        (lambda tree: (tree / "b").symlink_to("/"), [("b", "tree/foreign")]),
        (_link, [("a/service.yaml", "tree/link")]),
        (_fifo, [("a/service.yaml", "tree/edited")]),
        (lambda tree: (tree / ".mcpctl").unlink(), [("namespace.yaml", "tree/foreign")]),
        (lambda tree: (tree / "a/.mcpctl").unlink(), [("a/service.yaml", "tree/foreign")]),
        (lambda tree: (tree / ".mcpctl").write_text("{"), [(".mcpctl", "tree/record")]),
    ],
)
def test_each_damage_is_named(tree: Path, damage: Callable[[Path], object], expected: list[tuple[str, str]]) -> None:
    assert list(write.recorded(tree)) == ["a/service.yaml", "namespace.yaml"]
    damage(tree)
    assert damaged(tree) == expected


def test_all_damages_at_once(tree: Path) -> None:
    _edit(tree)
    (tree / "b.yaml").write_text("")
    (tree / "namespace.yaml").unlink()
    assert len(damaged(tree)) == 3


def test_what_a_killed_run_left_is_refused(tree: Path) -> None:
    (tree / "a" / f"..mcpctl{write.UNFINISHED}").write_text(f"# mcpctl 1\n{'0' * 64}  new.yaml\n")
    assert damaged(tree) == [("a/new.yaml", "tree/unfinished")]


def test_the_values_of_secrets_beside_compose_are_no_strangers(tree: Path) -> None:
    (tree / "a/.env").write_text("A=1\n")
    assert "a/.env" not in write.recorded(tree)

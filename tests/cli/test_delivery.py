"""``spec.delivery`` on the command line: what is in the tree, what is taken out of it, what must be there first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.errors import Exit
from tests.cli.commands import GOOD, Mcpctl
from tests.oracles import kustomized

HEAD = "apiVersion: mcpctl.io/v1alpha1\nkind: Environment\nmetadata: {name: prod}\nspec:\n  namespace: {name: prod}\n"
TYPES = {
    "none": "{type: none}",
    "kustomize": "{type: kustomize}",
    "argocd": "{type: argocd, repoURL: 'https://git.example.com/deploy.git', path: tree/prod/kubernetes}",
    "flux": "{type: flux, path: tree/prod/kubernetes}",
}
OBJECTS = {
    "none": set(),
    "kustomize": set(),
    "argocd": {"application.yaml", "PREREQUISITES.md"},
    "flux": {"flux.yaml", "PREREQUISITES.md"},
}


@pytest.fixture(autouse=True)
def _inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    monkeypatch.chdir(tmp_path)
    Path("specs/demo.yaml").write_text(GOOD)


def deliver(kind: str) -> None:
    Path("specs/prod.yaml").write_text(f"{HEAD}  delivery: {TYPES[kind]}\n")


def below(folder: str) -> set[str]:
    root = Path("tree") / folder
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", TYPES)
def test_the_tree_has_what_delivers_it_and_holds(kind: str, mcpctl: Mcpctl) -> None:
    deliver(kind)
    assert mcpctl("render", "specs", "--out", "tree").code == Exit.FINE
    assert below("prod/delivery") >= OBJECTS[kind]
    assert bool(OBJECTS[kind]) is bool(below("prod/delivery"))
    assert mcpctl("render", "specs", "--out", "tree", "--check").code == Exit.FINE


@pytest.mark.parametrize(("before", "kind"), [("flux", "none"), ("flux", "argocd"), ("argocd", "kustomize")])
def test_what_delivered_before_is_taken_out(before: str, kind: str, mcpctl: Mcpctl) -> None:
    deliver(before)
    assert mcpctl("render", "specs", "--out", "tree").code == Exit.FINE
    deliver(kind)
    assert mcpctl("render", "specs", "--out", "tree", "--check").code == Exit.DIFFERENT
    assert mcpctl("render", "specs", "--out", "tree").code == Exit.FINE
    assert below("prod/delivery") == OBJECTS[kind]


@pytest.mark.parametrize("kind", ["argocd", "flux"])
def test_what_delivers_names_no_server(kind: str, mcpctl: Mcpctl) -> None:
    """Branches that change different servers would conflict there."""
    deliver(kind)
    assert mcpctl("render", "specs", "--out", "tree").code == Exit.FINE
    before = {path: (Path("tree/prod/delivery") / path).read_bytes() for path in below("prod/delivery")}
    Path("specs/other.yaml").write_text(GOOD.replace("demo", "other"))
    assert mcpctl("render", "specs", "--out", "tree").code == Exit.FINE
    assert before == {path: (Path("tree/prod/delivery") / path).read_bytes() for path in below("prod/delivery")}


def test_kustomize_builds_what_is_rendered(mcpctl: Mcpctl) -> None:
    deliver("kustomize")
    run = mcpctl("render", "specs", "--out", "tree")
    assert run.code == Exit.FINE
    assert "1 environment" in run.err + run.out
    assert not Path("tree/kubernetes").exists()
    built = {
        (one["kind"], one["metadata"].get("namespace")) for one in kustomized(Path("tree/prod/kubernetes").resolve())
    }
    assert ("Deployment", "prod") in built
    assert len(built) == len([path for path in below("prod/kubernetes") if path.endswith(".yaml")]) - 2


def test_kustomization_files_without_an_environment(mcpctl: Mcpctl) -> None:
    assert mcpctl("render", "specs", "--out", "tree").code == Exit.FINE
    assert not any("kustomization" in path for path in below("kubernetes"))
    assert mcpctl("render", "specs", "--out", "tree", "--kustomization").code == Exit.FINE
    assert below("kubernetes") >= {"kustomization.yaml", "demo/kustomization.yaml"}
    assert mcpctl("render", "specs", "--kustomization").code == Exit.USAGE


@pytest.mark.parametrize("kind", ["kustomize", "argocd", "flux"])
def test_a_stream_is_the_manifests_alone(kind: str, mcpctl: Mcpctl) -> None:
    deliver("none")
    manifests = mcpctl("render", "specs").out
    deliver(kind)
    assert mcpctl("render", "specs").out == manifests


def test_prerequisites_of_the_delivery(mcpctl: Mcpctl) -> None:
    deliver("argocd")
    text = mcpctl("prerequisites", "specs").out
    assert "# What the delivery of environment prod needs before it is applied\n" in text
    assert "- [ ] CustomResourceDefinition `applications.argoproj.io`: for `spec.delivery`\n" in text
    data = json.loads(mcpctl("prerequisites", "specs", "--output", "json").out)
    assert [one.get("server") or one["environment"] for one in data] == ["demo", "prod"]


@pytest.mark.parametrize("kind", ["none", "kustomize"])
def test_no_prerequisites_where_nothing_is_needed(kind: str, mcpctl: Mcpctl) -> None:
    deliver(kind)
    assert "delivery" not in mcpctl("prerequisites", "specs").out
    assert json.loads(mcpctl("prerequisites", "specs", "--output", "json").out)["server"] == "demo"


def test_templates_of_a_user_are_read_back(mcpctl: Mcpctl) -> None:
    deliver("argocd")
    Path("own/delivery").mkdir(parents=True)
    own = Path("own/delivery/application.yaml.j2")
    assert mcpctl("eject", "delivery/application.yaml.j2", "--out", "own").code == Exit.FINE
    own.write_text(own.read_text().replace("kind: Application", "kind: Aplication"))
    run = mcpctl("render", "specs", "--out", "tree", "--templates", "own")
    assert run.code == Exit.OUTPUT_INVALID
    assert "kubernetes/unknown-kind" in run.err + run.out
    assert not Path("tree").exists()

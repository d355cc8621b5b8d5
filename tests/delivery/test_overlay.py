"""``delivery: {type: kustomize}``: the real kubectl builds base and overlay to what the environment renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from renderer.cli.environments import place_in_tree
from renderer.delivery import BASE
from renderer.delivery.overlay import Overlay, differences, overlay, overlay_faults
from renderer.errors import errors_in
from renderer.model import JSON
from renderer.pipeline import Run, base_of, read_inputs, render_run, runs_for, tree
from renderer.registry import target
from tests.fields import EXAMPLES
from tests.oracles import kustomized

HEAD = "apiVersion: mcpctl.io/v1alpha1\nkind: Environment\nmetadata: {name: %s}\nspec:\n  delivery: {type: kustomize}\n"
#: One that differs in everything, one in nearly nothing, and one with few servers.
ENVIRONMENTS = {
    "production": """
  namespace: {name: mcp-production, quota: {pods: 60}, limitRange: {default: {memory: 256Mi}}}
  networkPolicy: {provider: cilium}
  defaults: {size: large, scheduling: {nodeSelector: {pool: production}}}
  patches:
    - {select: {glob: "*"}, merge: {imagePullSecrets: [registry]}}
    - select: {name: time}
      merge:
        args: ["NO", "a: b", "$(HOME)", "a\\n---\\nkind: ClusterRoleBinding", "{{7*7}}", "\\U0001F600"]
        env: {X_Y: "0777", PATCH: "$patch: delete", INDENTED: "x\\n  hostNetwork: true", LAST: "x "}
  images: {registryMirrors: {ghcr.io: registry.example.com/ghcr}}
""",
    "small": "  namespace: {name: mcp-small, create: false}\n  servers: {include: [{name: panda}, {name: memory}]}\n",
    "same": "  description: as the specs have it\n",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("environments")
    for name, text in ENVIRONMENTS.items():
        (folder / f"{name}.yaml").write_text(HEAD % name + text, encoding="utf-8")
    inputs = read_inputs([str(EXAMPLES), str(folder)])
    found = runs_for(inputs, inputs.environments)
    base = base_of(found)
    assert base
    return [*found, base]


@pytest.fixture(scope="module")
def out(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree as ``render --out`` writes it."""
    root = tmp_path_factory.mktemp("out")
    for run in runs:
        output = render_run(run, target("kubernetes"))
        assert [str(problem) for problem in errors_in(output.problems)] == []
        folder, files = place_in_tree(root, run, tree(run.specs, output, target("kubernetes"), run.options))
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    return root


def key(data: dict[str, Any]) -> tuple[str, str, str]:
    return data["kind"], data["metadata"].get("namespace", ""), data["metadata"]["name"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_kubectl_builds_what_the_environment_renders(name: str, out: Path, runs: list[Run]) -> None:
    run = next(run for run in runs if run.name == name)
    documents = render_run(run, target("kubernetes")).documents
    rendered = [yaml.load(document.text, yaml.CSafeLoader) for document in documents]
    built = kustomized(out / name / "delivery")
    assert sorted(built, key=key) == sorted(rendered, key=key)


def test_the_base_is_the_tree_of_a_run_without_environments(out: Path) -> None:
    assert (out / "kubernetes" / "time" / "deployment.yaml").read_text(encoding="utf-8") == (
        EXAMPLES.parent.parent / "output" / "kubernetes" / "time" / "deployment.yaml"
    ).read_text(encoding="utf-8")


def test_an_environment_that_differs_in_nothing_has_no_patch(out: Path) -> None:
    found = {path.relative_to(out / "same" / "delivery").as_posix() for path in (out / "same").rglob("delivery/**/*")}
    assert found == {"kustomization.yaml", "namespace.added.yaml"}


def test_what_is_too_much_is_deleted_and_what_is_new_is_a_whole_file(out: Path) -> None:
    folder = out / "production" / "delivery" / "time"
    deletion = yaml.safe_load((folder / "networkpolicy.delete.yaml").read_text(encoding="utf-8"))
    assert deletion["$patch"] == "delete"
    assert (folder / "ciliumnetworkpolicy.added.yaml").read_bytes() == (
        out / "production" / "kubernetes" / "time" / "ciliumnetworkpolicy.yaml"
    ).read_bytes()


@pytest.mark.parametrize(
    ("before", "after", "operations"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": True}, [{"op": "replace", "path": "/a", "value": True}]),
        ({"a/b~c": "x"}, {"a/b~c": "y"}, [{"op": "replace", "path": "/a~1b~0c", "value": "y"}]),
        ({"a": {}}, {}, [{"op": "remove", "path": "/a"}]),
        ({}, {"a": {"b": 1}}, [{"op": "add", "path": "/a", "value": {"b": 1}}]),
        ([{"x": 1}, 2], [{"x": 3}, 2], [{"op": "replace", "path": "/0/x", "value": 3}]),
        ([1], [1, 2], [{"op": "replace", "path": "", "value": [1, 2]}]),
        ({"a": {"b": 1}}, {"a": "b"}, [{"op": "replace", "path": "/a", "value": "b"}]),
    ],
)
def test_differences(before: JSON, after: JSON, operations: list[JSON]) -> None:
    assert differences(before, after) == operations


@pytest.fixture
def made(runs: list[Run]) -> Overlay:
    run = runs[0]
    assert run.environment
    assert run.name == "production"
    names = {"time"}
    servers = [server for server in run.bases if server.name in names]
    base = target("kubernetes").build(servers, BASE)[0]
    documents = target("kubernetes").build([s for s in run.specs.servers if s.name in names], run.options)[0]
    return overlay(run.environment, base, documents)


def test_an_overlay_that_holds_has_no_faults(made: Overlay) -> None:
    assert overlay_faults(made) == []


@pytest.mark.parametrize(
    ("text", "other"),
    [("op: replace", "op: remove"), ("mcp-production", "elsewhere"), ("path: /metadata/namespace", "path: /no/such")],
)
def test_a_patch_that_makes_something_else_is_told(made: Overlay, text: str, other: str) -> None:
    files = [one._replace(text=one.text.replace(text, other)) if "patch" in one.path else one for one in made.files]
    assert {problem.rule for problem in overlay_faults(made._replace(files=files))} == {"delivery/overlay"}


def test_a_deletion_that_is_missing_is_told(made: Overlay) -> None:
    first, *rest = made.files
    kept = yaml.safe_load(first.text)
    kept["patches"] = [one for one in kept["patches"] if "delete" not in one["path"]]
    files = [first._replace(text=yaml.safe_dump(kept)), *rest]
    assert [problem.rule for problem in overlay_faults(made._replace(files=files))] == ["delivery/overlay"]


def test_a_list_that_is_no_kustomization_is_told(made: Overlay) -> None:
    first, *rest = made.files
    files = [first._replace(text=first.text.replace("resources:", "resource:")), *rest]
    problems = overlay_faults(made._replace(files=files))
    assert {problem.rule for problem in problems} >= {"kubernetes/unknown-field"}
    assert problems[0].place.file == "templates/delivery/kustomization.yaml.j2"

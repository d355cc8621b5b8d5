"""What Argo CD and Flux are told: ``cases/NAME.yaml`` (an environment and its servers), and beside each the objects.

A new case is a new file. After a change of templates write all anew, and read the difference:

    MCPCTL_TEST_UPDATE_EXPECTED=1 python -m pytest tests/delivery
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from renderer import assets
from renderer.delivery import FOLDER, OBJECTS, delivery_prerequisites
from renderer.environment.delivery import Delivery, Kustomize
from renderer.errors import errors_in
from renderer.kinds import KINDS
from renderer.model import Rendered
from renderer.pipeline import Output, Run, read_inputs, render_run, runs_for, tree
from renderer.registry import TARGETS, target
from renderer.targets.kubernetes.namespace import WAVE
from renderer.yaml_reader import OUTPUT_LIMITS, read
from tests.oracles import kubectl_read

FILES = Path(__file__).parent / "cases"
CASES = sorted(path for path in FILES.glob("*.yaml") if not path.name.endswith(".expected.yaml"))
UPDATE = os.environ.get("MCPCTL_TEST_UPDATE_EXPECTED", "") not in ("", "0")


def rendered(case: Path) -> tuple[Run, Output]:
    inputs = read_inputs([str(case)])
    assert errors_in(inputs.problems) == []
    (run,) = runs_for(inputs, inputs.environments)
    output = render_run(run, target("kubernetes"))
    assert [str(problem) for problem in errors_in(output.problems)] == []
    return run, output


def objects(output: Output) -> list[Rendered]:
    return [document for document in output.delivery if document.template]


def data(document: Rendered) -> Any:
    (found,), faults = read(document.text, strict=False, limits=OUTPUT_LIMITS)
    assert faults == []
    return found.data


def all_objects() -> dict[str, list[Rendered]]:
    return {case.stem: objects(rendered(case)[1]) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_golden(case: Path) -> None:
    text = "".join(f"---\n{document.text}" for document in objects(rendered(case)[1]))
    expected = case.with_name(f"{case.stem}.expected.yaml")
    if UPDATE:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_kubectl_reads_the_same(case: Path) -> None:
    found = objects(rendered(case)[1])
    assert kubectl_read("".join(f"---\n{document.text}" for document in found)) == [data(one) for one in found]


def test_every_kind_is_in_a_case_and_has_a_schema() -> None:
    made = {data(one)["kind"] for found in all_objects().values() for one in found}
    assert made == {kind.kind for kind in OBJECTS}
    names = set(assets.names("schemas"))
    assert {f"output/{kind.kind.lower()}" for kind in OBJECTS} <= names


def test_every_template_is_of_an_object() -> None:
    found = {name for name in assets.names("templates") if name.startswith("delivery/")}
    parts = {"delivery/application-spec.yaml.j2"}
    assert found == {kind.template for kind in OBJECTS} | parts


def test_no_file_is_taken_for_one_of_kustomize() -> None:
    """Flux, Argo CD and ``kubectl apply -k`` read a file of this name as a list."""
    assert "kustomization.yaml" not in {kind.file for kind in OBJECTS}


def test_what_delivers_is_not_where_it_looks() -> None:
    assert "delivery" not in TARGETS
    run, output = rendered(FILES / "flux-defaults.yaml")
    paths = [one.path for one in tree(run.specs, output, target("kubernetes"), run.options)]
    assert [path for path in paths if path.startswith("../")] == [f"{FOLDER}flux.yaml", f"{FOLDER}PREREQUISITES.md"]


def test_a_stream_has_nothing_of_it() -> None:
    _, output = rendered(FILES / "argocd-list.yaml")
    assert not [document for document in output.documents if "argoproj" in document.text]


@pytest.mark.parametrize("kind", ["StatefulSet", "ExternalSecret", "HTTPRoute"])
def test_what_a_cluster_fills_in_is_ignored_everywhere(kind: str) -> None:
    for case in ("argocd-filled-in", "argocd-manual"):
        spec = data(rendered(FILES / f"{case}.yaml")[1].delivery[0])["spec"]
        assert [rule for rule in spec["ignoreDifferences"] if rule["kind"] == kind]
        assert not [rule for rule in spec["ignoreDifferences"] if "name" in rule]


# ---------------------------------------------------------------------------------------------
# Waves.


def test_a_claim_waits_for_nothing_that_waits_for_it() -> None:
    """With a StorageClass that binds late it is healthy only when the pod is there."""
    assert {KINDS[kind].wave for kind in ("PersistentVolumeClaim", "Deployment", "StatefulSet", "Pod")} == {0}


@pytest.mark.parametrize("asked", [True, False])
def test_waves_where_the_environment_asks(asked: bool, tmp_path: Path) -> None:
    text = (FILES / "argocd-filled-in.yaml").read_text(encoding="utf-8")
    case = tmp_path / "case.yaml"
    case.write_text(re.sub("(?m)^    type: argocd$", f"\\g<0>\n    syncWaves: {str(asked).lower()}", text))
    documents = rendered(case)[1].documents
    objects = map(data, documents)
    waves = {each["kind"]: each["metadata"].get("annotations", {}).get(WAVE) for each in objects}
    expected = {kind: str(KINDS[kind].wave) if asked and KINDS[kind].wave else None for kind in waves}
    assert waves == expected
    assert {"Namespace", "Deployment", "HorizontalPodAutoscaler", "HTTPRoute", "ExternalSecret"} < set(waves)


# ---------------------------------------------------------------------------------------------
# What must be there first.


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_definitions_of_all_objects_are_prerequisites(case: Path) -> None:
    run, output = rendered(case)
    assert run.environment
    crds = {one.name for one in delivery_prerequisites(run.environment.delivery) if "Definition" in one.kind}
    kinds = {data(one)["apiVersion"].partition("/")[0] for one in objects(output)}
    assert {name.partition(".")[2] for name in crds} >= kinds
    for one in objects(output):
        kind = data(one)["kind"].lower().removesuffix("y")
        assert [name for name in crds if name.startswith(kind)]


def test_kustomize_and_nothing_need_nothing() -> None:
    nothing: list[Delivery | None] = [Kustomize(), None]
    assert [delivery_prerequisites(one) for one in nothing] == [(), ()]

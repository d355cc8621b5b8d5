"""What stands beside the manifests of a tree: prerequisites, Secrets without values, lists for kustomize."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from renderer.model import JSON, Options
from renderer.pipeline import Output, render, tree
from renderer.registry import TARGETS, target
from tests.fields import examples
from tests.oracles import kustomize, yaml_read, yaml_read_all
from tests.specs import OPTIONS, read_specs, spec
from tests.write import write

SECRETS: dict[str, JSON] = {
    "env": {
        "A": {"secret": "one", "key": "a"},
        "B": {"secret": "one", "key": "y", "optional": True},
        "C": {"configMap": "c", "key": "k"},
    },
    "envFrom": [{"secret": "whole", "optional": True}],
    "expose": {"host": "a.example", "tls": {"secret": "tls"}},
}


SHARED = ["namespace.yaml", "serviceaccount.yaml", "networkpolicy.yaml"]
LISTED = OPTIONS._replace(kustomization=True)


def files(*documents: JSON, options: Options = OPTIONS) -> dict[str, str]:
    specs = read_specs(*documents)
    output = render(specs, target("kubernetes"), options)
    return {document.path: document.text for document in tree(specs, output, target("kubernetes"), options)}


def test_a_stream_has_none_of_it() -> None:
    output = render(read_specs(spec(**SECRETS)), target("kubernetes"), OPTIONS._replace(one_stream=True))
    assert all(document.template for document in output.documents)


def test_every_server_has_its_prerequisites() -> None:
    found = files(spec("one", **SECRETS), spec("two"))
    for name in ("one", "two"):
        assert f"What server {name} needs" in found[f"{name}/PREREQUISITES.md"]


def test_secrets_with_their_keys_and_never_a_value() -> None:
    text = files(spec(**SECRETS))["demo/secret.yaml.example"]
    secrets: list[Any] = [document for document in yaml_read_all(text) if document]
    assert [(s["apiVersion"], s["kind"], s["metadata"]["name"], s["type"]) for s in secrets] == [
        ("v1", "Secret", "one", "Opaque"),
        ("v1", "Secret", "whole", "Opaque"),
        ("v1", "Secret", "tls", "kubernetes.io/tls"),
    ]
    assert [s["stringData"] for s in secrets] == [{"a": "", "y": ""}, {}, {"tls.crt": "", "tls.key": ""}]
    assert {s["metadata"]["namespace"] for s in secrets} == {OPTIONS.namespace}
    assert '  "y": "" # optional\n' in text
    assert "# The server starts without it.\n" in text


def test_no_example_of_secrets_where_there_are_none() -> None:
    keys: JSON = [{"key": "a", "remoteKey": "x"}]
    made: JSON = [{"name": "one", "store": {"name": "vault"}, "keys": keys}]
    for found in (files(spec()), files(spec(env={"A": {"secret": "one", "key": "a"}}, externalSecrets=made))):
        assert "demo/secret.yaml.example" not in found


def test_what_looks_like_a_manifest_is_one() -> None:
    """kubectl, Argo CD and Flux take these endings of a plain folder."""
    output = render(read_specs(spec(**SECRETS)), target("kubernetes"), OPTIONS)
    manifests = {document.path for document in output.documents if document.template}
    assert {path for path in files(spec(**SECRETS)) if path.endswith((".yaml", ".yml", ".json"))} == manifests


def test_kustomize_lists_what_is_rendered_in_order() -> None:
    found = files(spec("one"), spec("two", sandbox={}), options=LISTED)
    assert yaml_read(found["kustomization.yaml"]) == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [*SHARED, "one", "two"],
    }
    one, two = (yaml_read(found[f"{name}/kustomization.yaml"])["resources"] for name in ("one", "two"))
    assert one == ["serviceaccount.yaml", "networkpolicy.yaml", "service.yaml", "deployment.yaml"]
    assert two[0] == "sandbox-namespace.yaml"
    listed = {*SHARED, *(f"one/{name}" for name in one), *(f"two/{name}" for name in two)}
    assert listed == {path for path in found if path.endswith(".yaml") and "kustomization" not in path}


def test_nothing_beside_nothing() -> None:
    empty = read_specs()
    assert tree(empty, Output((), ()), target("kubernetes"), LISTED) == ()


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_paths_are_distinct(name: str) -> None:
    specs = examples()
    found = tree(specs, render(specs, target(name), OPTIONS), target(name), OPTIONS)
    paths = [document.path for document in found]
    assert len(set(paths)) == len(paths)


def test_kustomize_builds_every_folder(tmp_path: Path) -> None:
    specs = examples()
    output = render(specs, target("kubernetes"), LISTED)
    write(tmp_path, {d.path: d.text for d in tree(specs, output, target("kubernetes"), LISTED)})
    built = kustomize(tmp_path)
    assert sorted(built) == sorted((d.identity[0], d.identity[1]) for d in output.documents)
    assert kustomize(tmp_path / "panda")

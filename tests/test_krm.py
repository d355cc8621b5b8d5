"""KRM: what a function is given and answers; items kept, replaced, added; results that say where."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import InputInvalid
from renderer.krm import Answer, ResourceList, answer, as_yaml, read_list
from tests.oracles import yaml_read
from tests.specs import OPTIONS, spec

OWN = ["ServiceAccount", "NetworkPolicy", "Service", "Deployment"]
KINDS = ["Namespace", "ServiceAccount", "NetworkPolicy", *OWN]
PATH, INDEX = "config.kubernetes.io/path", "config.kubernetes.io/index"
OTHER: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}


def item(name: str = "demo", path: str = "tools/demo.yaml", **fields: Any) -> dict[str, Any]:
    return spec(name, {"annotations": {PATH: path, INDEX: "2", f"internal.{PATH}": path}}, **fields)


def run(*items: dict[str, Any], config: dict[str, Any] | None = None) -> Answer:
    return answer(ResourceList([*items], config), OPTIONS)


def kinds(found: Answer) -> list[str]:
    return [each["kind"] for each in found.items]


def test_what_is_rendered_stands_behind_what_was_given() -> None:
    found = run(OTHER, item())
    assert kinds(found) == ["ConfigMap", "McpServer", *KINDS]
    assert found.items[0] == OTHER
    assert found.results == []


def test_the_spec_itself_is_never_for_a_cluster() -> None:
    given = item()
    annotations = run(given).items[0]["metadata"]["annotations"]
    assert annotations == {**given["metadata"]["annotations"], "config.kubernetes.io/local-config": "true"}


def test_new_files_lie_beside_the_spec() -> None:
    annotations = run(item()).items[-1]["metadata"]["annotations"]
    origin = {PATH: "tools/demo/deployment.yaml", INDEX: "0"}
    assert annotations == {**origin, **{f"internal.{key}": value for key, value in origin.items()}}


def test_each_server_lies_beside_its_own_spec() -> None:
    found = run(item("one", "a/one.yaml"), item("two", "b/c/two.yaml"))
    paths = [each["metadata"]["annotations"][PATH] for each in found.items[2:]]
    assert paths[:3] == ["a/namespace.yaml", "a/serviceaccount.yaml", "a/networkpolicy.yaml"]
    assert {path.rpartition("/")[0] for path in paths[3:]} == {"a/one", "b/c/two"}


def test_annotations_of_the_orchestrator_are_not_rendered() -> None:
    given = item()
    given["metadata"]["annotations"]["example.com/owner"] = "me"
    annotations = run(given).items[-1]["metadata"]["annotations"]
    assert annotations["example.com/owner"] == "me"
    assert annotations[PATH] == "tools/demo/deployment.yaml"


def test_as_function_config() -> None:
    found = run(OTHER, config=spec())
    assert kinds(found) == ["ConfigMap", *KINDS]
    assert found.items[-1]["metadata"]["annotations"][PATH] == "demo/deployment.yaml"


def test_a_second_call_changes_nothing() -> None:
    first = run(OTHER, item())
    assert run(*first.items) == first


def test_what_an_earlier_call_made_is_replaced_where_it_is() -> None:
    first = run(item(), OTHER).items
    moved = [first[-1], *first[:-1]]
    moved[0]["metadata"]["annotations"][PATH] = "elsewhere.yaml"
    moved[0]["spec"] = {}
    found = run(*moved)
    assert kinds(found) == ["Deployment", "McpServer", "ConfigMap", *KINDS[:-1]]
    assert found.items[0]["spec"]["replicas"] == 1
    assert found.items[0]["metadata"]["annotations"][PATH] == "elsewhere.yaml"


def test_what_mcpctl_did_not_make_is_not_replaced() -> None:
    foreign = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mcp-demo", "namespace": OPTIONS.namespace}}
    found = run(item(), foreign)
    assert kinds(found) == ["McpServer", "Service"]
    assert [(p.rule, p.in_output) for p in found.problems] == [("krm/foreign", True)]
    assert found.results[0]["severity"] == "error"


def test_an_error_leaves_the_items_as_they_came() -> None:
    bad = item(replicsa=1)
    found = run(bad, OTHER)
    assert found.items == [bad, OTHER]
    assert found.results[0] == {
        "message": "unknown field; did you mean 'replicas'?",
        "severity": "error",
        "tags": {"rule": "schema/unknown-field"},
        "resourceRef": {"apiVersion": "mcpctl.io/v1alpha1", "kind": "McpServer", "name": "demo"},
        "file": {"path": "tools/demo.yaml", "index": 2},
        "field": {"path": "spec.replicsa"},
    }
    assert [str(p.place) for p in found.problems] == ["tools/demo.yaml"]


def test_a_result_is_about_the_spec_that_it_came_from() -> None:
    found = run(item("one", "one.yaml"), item("two", "two.yaml", replicas=-1), item("three", "three.yaml"))
    assert [(r["resourceRef"]["name"], r["file"]["path"]) for r in found.results] == [("two", "two.yaml")]  # type: ignore[index,call-overload]


def test_a_warning_is_a_result_beside_what_is_rendered() -> None:
    found = run(item(transport={"type": "streamable-http", "port": 80}))
    assert kinds(found) == ["McpServer", *KINDS]
    assert [result["severity"] for result in found.results] == ["warning"]


def test_no_spec_is_told() -> None:
    found = run(OTHER)
    assert found.items == [OTHER]
    assert [result["tags"] for result in found.results] == [{"rule": "krm/nothing"}]


@pytest.mark.parametrize(
    "metadata", [None, [], "x", {"name": "demo", "annotations": []}, {"annotations": {PATH: 1}}, {}]
)
def test_odd_metadata_is_a_fault_of_the_spec(metadata: Any) -> None:
    odd = {**spec(), "metadata": metadata}
    assert "error" in [result["severity"] for result in run(odd).results]
    assert run({**OTHER, "metadata": metadata}, spec()).results == []


def test_round_trip() -> None:
    found = run(OTHER, item())
    text = as_yaml(found, {"kind": "ConfigMap"})
    data = yaml_read(text)
    assert list(data) == ["apiVersion", "kind", "functionConfig", "items"]
    assert read_list(text.encode()).items == found.items == data["items"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a: [",
        "kind: ResourceList",
        "{apiVersion: config.kubernetes.io/v1, kind: ResourceList, items: {}}",
        "{apiVersion: config.kubernetes.io/v1, kind: ResourceList, items: [1]}",
        "{apiVersion: config.kubernetes.io/v1, kind: ResourceList, functionConfig: 1}",
        "{apiVersion: config.kubernetes.io/v1, kind: ResourceList}\n---\na: 1",
        "a: &x [*x]",
    ],
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        read_list(text.encode())
    assert all(problem.place.file == "<stdin>" for problem in caught.value.problems)
    assert caught.value.problems


def test_an_empty_list_is_one() -> None:
    assert read_list(b"{apiVersion: config.kubernetes.io/v1, kind: ResourceList, items: null}") == ResourceList(
        [], None
    )


# ---------------------------------------------------------------------------------------------
# Environments.


def environment(name: str = "prod", **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "mcpctl.io/v1alpha1",
        "kind": "Environment",
        "metadata": {"name": name, "annotations": {PATH: f"environments/{name}.yaml"}},
        "spec": {"target": "kubernetes", "namespace": {"name": f"mcp-{name}"}, **fields},
    }


def namespaces(found: Answer) -> set[str]:
    return {each["metadata"]["namespace"] for each in found.items if each["kind"] == "Deployment"}


def test_an_environment_holds_instead_of_the_options() -> None:
    found = run(environment(), item())
    assert found.results == []
    assert kinds(found)[:2] == ["Environment", "McpServer"]
    assert found.items[0]["metadata"]["annotations"]["config.kubernetes.io/local-config"] == "true"
    assert namespaces(found) == {"mcp-prod"}


def test_one_of_several_environments_has_to_be_chosen() -> None:
    items = [environment("prod"), environment("stage"), item()]
    found = run(*items)
    assert [result["tags"] for result in found.results] == [{"rule": "krm/environment"}]
    assert "prod, stage" in found.problems[0].message
    assert namespaces(answer(ResourceList(items), OPTIONS, "stage")) == {"mcp-stage"}
    assert answer(ResourceList(items), OPTIONS, "nope").results[0]["severity"] == "error"


def test_an_environment_for_something_else_is_told() -> None:
    assert [r["tags"] for r in run(environment(target="compose"), item()).results] == [{"rule": "krm/environment"}]


def test_a_fault_of_an_environment_is_told_at_its_file() -> None:
    found = run(item(), environment(nope=1))
    assert [(r["file"], r["severity"]) for r in found.results] == [
        ({"path": "environments/prod.yaml", "index": 0}, "error")
    ]

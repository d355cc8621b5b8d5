"""The target as a whole: no field is dropped, and every version's schemas hold."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.assets import kubernetes_versions
from renderer.errors import errors_in
from renderer.model import JSON, Source
from renderer.pipeline import render
from renderer.resolve import resolve
from renderer.targets.kubernetes import TARGET
from renderer.validate import validate_rules
from tests.fields import (
    IN_EXAMPLES,
    NOT_RENDERED,
    changes,
    declared,
    documents_of_fields,
    examples,
    linked,
    remote_fields,
)
from tests.oracles import yaml_read
from tests.specs import OPTIONS, rendered, spec, texts

#: Fields without an effect of their own in a rendering, with the reason. Nothing else may be added here lightly.
WITHOUT_EFFECT = {
    **NOT_RENDERED,
    **remote_fields(),
    "spec.storage[].hostPath": "refused with the reason",
    "spec.security.writablePaths[].exec": "temporary storage is never noexec; where that is wanted, a warning says so",
}


def built(data: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Path and text of each object of a document; nothing where the rules between its fields do not hold."""
    server = resolve(Source(IN_EXAMPLES, 1, 1, data))
    if server.remote or errors_in(validate_rules(server)):
        return ()
    documents, _ = TARGET.build([linked(server)], OPTIONS)
    return tuple((document.path, document.text) for document in documents)


def without_effect(field: str) -> bool:
    ignored = any(field == path or field.startswith((f"{path}.", f"{path}[")) for path in TARGET.ignored)
    return ignored or field in WITHOUT_EFFECT


@pytest.fixture(scope="module")
def effective() -> set[str]:
    """The fields of which a change changes what is rendered, in at least one example."""
    fields: set[str] = set()
    for document, below in documents_of_fields():
        before = built(document)
        done = fields.copy()
        for field, _, changed in changes(document, done, below):
            if built(changed) not in ((), before):
                fields.add(field)
            if field in fields or without_effect(field):
                done.add(field)  # one change of a field that should have no effect is enough in a document
    return fields


def test_every_field_of_the_schema_is_rendered_or_ignored_with_a_reason(effective: set[str]) -> None:
    assert [field for field in declared() if field not in effective and not without_effect(field)] == []


def test_what_is_ignored_has_no_effect(effective: set[str]) -> None:
    assert [field for field in sorted(effective) if without_effect(field)] == []


def test_ignored_fields_exist_and_have_a_reason() -> None:
    for path, ignored in TARGET.ignored.items():
        assert any(field == path or field.startswith((f"{path}.", f"{path}[")) for field in declared())
        assert len(ignored.reason) > 20


def test_ignored_fields_are_told_where_they_stand() -> None:
    output = rendered("kubernetes", spec(network={"publish": {"port": 1234}}))
    (problem,) = output.problems
    assert (problem.rule, problem.path) == ("kubernetes/not-rendered", "spec.network.publish")
    assert problem.place.line == 2
    assert TARGET.ignored["spec.network.publish"].reason in problem.message


def test_aliases_are_grouped_by_address() -> None:
    aliases: JSON = {"a": "10.0.0.5", "b": "10.0.0.6", "c.d": "10.0.0.5"}
    pod = yaml_read(texts("kubernetes", spec(network={"hostAliases": aliases}))["demo/deployment.yaml"])["spec"]
    assert pod["template"]["spec"]["hostAliases"] == [
        {"ip": "10.0.0.5", "hostnames": ["a", "c.d"]},
        {"ip": "10.0.0.6", "hostnames": ["b"]},
    ]


def test_the_machine_of_a_pod_has_no_name() -> None:
    (problem,) = rendered("kubernetes", spec(network={"hostAliases": {"host": "host-gateway"}})).problems
    assert (problem.rule, problem.path) == ("kubernetes/host-gateway", "spec.network.hostAliases.host")


def test_folders_of_the_machine_are_refused() -> None:
    folder: JSON = {"name": "notes", "hostPath": "/notes", "mountPath": "/notes"}
    for workload in ("Deployment", "StatefulSet", "Pod"):
        output = rendered("kubernetes", spec(storage=[folder], workload=workload))
        (problem,) = output.problems
        assert (problem.rule, problem.path) == ("kubernetes/host-path", "spec.storage[0].hostPath")
        assert "restricted" in problem.message


def test_noexec_is_told_where_it_is_wanted() -> None:
    paths: JSON = ["/tmp", {"path": "/a"}, {"path": "/b", "exec": True}, {"path": "/c", "exec": False}]
    (problem,) = rendered("kubernetes", spec(security={"writablePaths": paths})).problems
    assert (problem.rule, problem.path) == ("kubernetes/exec-not-forbidden", "spec.security.writablePaths[3].exec")


@pytest.mark.parametrize("version", kubernetes_versions())
def test_all_examples_hold_for_every_bundled_version(version: str) -> None:
    output = render(examples(), TARGET, OPTIONS._replace(kubernetes_version=version))
    assert errors_in(output.problems) == []
    assert len(output.documents) > 50


def test_paths_are_distinct_and_stay_below_the_folder() -> None:
    output = render(examples(), TARGET, OPTIONS)
    paths = [document.path for document in output.documents]
    assert len({path.lower() for path in paths}) == len(paths)
    assert not [path for path in paths if path.startswith("/") or ".." in path]


def test_identities_are_distinct() -> None:
    output = render(examples(), TARGET, OPTIONS)
    identities = [document.identity for document in output.documents]
    assert len(set(identities)) == len(identities)


def test_a_patch_that_matches_nothing_is_told() -> None:
    output = rendered("kubernetes", spec(patches=[{"kind": "Deploymnt", "merge": {"a": 1}}]))
    assert [problem.rule for problem in output.problems] == ["spec/patch-without-match"]
    assert "Deployment" in output.problems[0].hint


def test_a_patch_below_restricted_is_refused() -> None:
    merge: JSON = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    output = rendered("kubernetes", spec(patches=[{"kind": "Deployment", "merge": merge}]))
    problems = errors_in(output.problems)
    assert [(problem.rule, problem.path) for problem in problems] == [
        ("policy/privileged", "spec.template.spec.hostNetwork")
    ]


def test_each_server_is_a_group_of_its_own() -> None:
    servers = examples().servers
    for one_stream in (True, False):
        assert TARGET.groups(servers, one_stream=one_stream) == [(server,) for server in servers]

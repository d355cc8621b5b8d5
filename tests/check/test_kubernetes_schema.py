import builtins
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from renderer import assets
from renderer.assets import kubernetes_versions
from renderer.check import kubernetes_schema
from renderer.check.kubernetes_schema import custom_schema, definition, schema_faults
from renderer.errors import UsageMistake
from tests.check import pool
from tests.check.objects import (
    GONE,
    autoscaler,
    budget,
    cilium_policy,
    deployment,
    every_object,
    ingress,
    monitor,
    route,
    rule,
    secret,
    spoilt,
    stateful_set,
)

NEWEST = [*kubernetes_versions()][-1]
_POD = ("spec", "template", "spec")
_C = (*_POD, "containers", 0)

# path that is set in a Deployment, value, then path, rule and message of the only Fault
_REFUSED = [
    ((*_C, "workingDr"), "/srv", None, "unknown-field", "unknown field; did you mean 'workingDir'?"),
    (("metadata", "Annotations"), {}, None, "unknown-field", "unknown field; did you mean 'annotations'?"),
    (("spec", "replicas"), "3", None, "type", "expected an integer, got string"),
    (("metadata", "labels", "x"), 1, None, "type", "expected a string, got integer"),
    (("spec", "selector"), GONE, ("spec",), "missing-field", "missing field 'selector'"),
    ((*_POD, "volumes", 0, "emptyDir"), None, None, "null", "expected a mapping, got null"),
    ((*_C, "resources", "limits", "cpu"), None, None, "null", "expected a string, or a number, got null"),
    ((*_C, "resources", "limits", "cpu"), [1], None, "type", "expected a string, or a number, got a list"),
    (
        (*_C, "livenessProbe", "tcpSocket", "port"),
        {},
        None,
        "type",
        "expected a string, or an integer, got a mapping",
    ),
    (
        ("kind",),
        "Deploymnt",
        None,
        "unknown-kind",
        "Kubernetes {} has no kind 'Deploymnt' in apiVersion 'apps/v1'",
    ),
    (("kind",), 1, None, "unknown-kind", "kind must be given, as text"),
]

_HINTS = [
    ("apps/v1", "deployment", "1.34", "did you mean 'Deployment'?"),
    ("extensions/v1beta1", "Deployment", "1.34", "write apiVersion: apps/v1"),
    (
        "autoscaling/v2beta2",
        "HorizontalPodAutoscaler",
        "1.34",
        "write apiVersion: autoscaling/v1 or autoscaling/v2",
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1beta1",
        "FlowSchema",
        "1.34",
        "write apiVersion: flowcontrol.apiserver.k8s.io/v1",
    ),
    ("resource.k8s.io/v1", "DeviceClass", "1.25", "it exists in Kubernetes 1.34 to {newest}"),
    ("example.com/v1", "Widget", "1.34", "a custom resource has no schema here"),
    ("monitoring.coreos.com/v1beta1", "ServiceMonitor", "1.34", "write apiVersion: monitoring.coreos.com/v1"),
]


@pytest.mark.parametrize("version", kubernetes_versions())
def test_what_mcpctl_renders_is_valid_in_every_version(version: Any) -> None:
    operations = [autoscaler(), budget(), ingress(), route(), monitor(), rule()]
    for doc in [*every_object(), stateful_set(), secret(), *operations]:
        assert schema_faults(doc, version) == []


@pytest.mark.parametrize(("path", "value", "where", "rule", "message"), _REFUSED)
def test_refuses(path: Any, value: Any, where: Any, rule: Any, message: Any) -> None:
    version = NEWEST
    faults = schema_faults(spoilt(deployment(), *path, value=value), version)
    told = [(f.path, f.rule, f.message) for f in faults]
    assert told == [(where or path, f"kubernetes/{rule}", message.format(version))]


def test_tells_all_faults_sorted_by_path() -> None:
    doc = spoilt(spoilt(deployment(), "spec", "replicas", value="x"), *_C, "nme", value="y")
    assert [f.path for f in schema_faults(doc, "1.30")] == [("spec", "replicas"), (*_C, "nme")]


@pytest.mark.parametrize(("api_version", "kind", "version", "hint"), _HINTS)
def test_unknown_kinds_are_told_where_they_are(api_version: Any, kind: Any, version: Any, hint: Any) -> None:
    [fault] = schema_faults({"apiVersion": api_version, "kind": kind}, version)
    assert (fault.rule, fault.hint) == ("kubernetes/unknown-kind", hint.format(newest=NEWEST))


_NAMED = ("spec", "egress", 0, "toFQDNs", 0)
_CUSTOM = [
    (monitor, ("spec", "endpoints", 0, "prt"), "x", None, "unknown-field"),
    (monitor, ("spec", "endpoints", 0, "interval"), "30 seconds", None, "pattern"),
    (monitor, ("spec", "endpoints", 0, "path"), None, None, "null"),
    (monitor, ("spec", "endpoints"), [], None, "min-items"),
    (monitor, ("metadata", "labels", "x"), 1, None, "type"),
    (monitor, ("spec", "selector"), GONE, ("spec",), "missing-field"),
    (rule, ("spec", "groups", 0, "rules", 0, "for"), "1 minute", None, "pattern"),
    (rule, ("spec", "groups", 0, "rules", 0, "expr"), GONE, ("spec", "groups", 0, "rules", 0), "missing-field"),
    (rule, ("spec", "groups", 0, "rules", 0, "alert"), GONE, ("spec", "groups", 0, "rules", 0), "missing-field"),
    (cilium_policy, ("spec", "ingress"), [], None, "min-items"),
    (cilium_policy, ("spec", "egress"), GONE, ("spec",), "missing-field"),
    (cilium_policy, ("spec", "egress", 0, "toPorts", 0, "ports", 0, "port"), 443, None, "type"),
    (cilium_policy, ("spec", "egress", 0, "toFQDNs", 0, "matchName"), "https://x", None, "pattern"),
    (cilium_policy, ("spec", "egress", 0, "toFQDNs", 0, "matchPattern"), "*", _NAMED, "max-properties"),
    (cilium_policy, ("spec", "egress", 1, "toCIDRs"), ["10.0.0.0/8"], None, "unknown-field"),
    (cilium_policy, ("spec", "egress", 1, "toCIDRSet", 0, "cidr"), "10.0.0.0", None, "pattern"),
    (cilium_policy, ("spec", "ingress", 0, "fromEndpoints", 0), {}, None, "missing-field"),
    (route, ("spec", "hostnames", 0), "https://x", None, "pattern"),
    (route, ("spec", "rules", 0, "timeouts", "request"), "0", None, "pattern"),
    (route, ("spec", "rules", 0, "backendRefs", 0, "port"), "mcp", None, "type"),
    (route, ("spec", "parentRefs"), GONE, ("spec",), "missing-field"),
    (route, ("spec", "rules", 0, "matches"), [{"path": {"type": "Prefix", "value": "/"}}], None, "enum"),
]


@pytest.mark.parametrize(("make", "path", "value", "where", "name"), _CUSTOM)
def test_custom_resources_have_strict_schemas_too(make: Any, path: Any, value: Any, where: Any, name: Any) -> None:
    faults = schema_faults(spoilt(make(), *path, value=value), "1.30")
    assert [fault.rule for fault in faults] == [f"kubernetes/{name}"]
    told = faults[0].path
    assert told == (where or path) or told[: len(path)] == path


def test_each_schema_of_a_custom_resource_is_found_by_what_it_says_of_itself() -> None:
    found = 0
    for name in (n for n in assets.names("schemas") if n.startswith("output/")):
        for entry in assets.schema(name).get("x-kubernetes-group-version-kind", ()):
            assert name == f"output/{entry['kind'].lower()}"
            assert custom_schema(f"{entry['group']}/{entry['version']}", entry["kind"]) is not None
            found += 1
    assert found >= 3


def test_a_value_is_never_told() -> None:
    doc = spoilt(secret(), "data", "k", value=["hunter2"])
    doc["stringData"] = {"p": 12345678}
    faults = schema_faults(doc, NEWEST)
    assert len(faults) == 2
    assert "hunter2" not in str(faults)
    assert "12345678" not in str(faults)


def test_versions_are_sorted_as_numbers() -> None:
    assert next(iter(kubernetes_versions())) == "1.25"
    assert list(kubernetes_versions()) == sorted(kubernetes_versions(), key=lambda v: int(v.split(".")[1]))


@pytest.mark.parametrize("version", ["1.3", "1.99", "../../x", "", "v1.34", "1.34.0"])
def test_versions_that_are_not_bundled_are_refused(version: Any) -> None:
    with pytest.raises(UsageMistake, match=r"choose one of 1\.25, "):
        schema_faults(deployment(), version)


@pytest.mark.slow
def test_the_pool_is_what_the_script_makes_of_kubernetes_validate() -> None:
    assert pool.POOL.read_text() == "\n".join(pool.lines()) + "\n"


@pytest.mark.parametrize("version", kubernetes_versions())
def test_the_pool_has_every_definition_of_each_version(version: str) -> None:
    expected = pool.definitions(version)
    names = {name for known in kubernetes_schema._names_of_kinds().values() for name in known}
    there = {name: found for name in names if (found := definition(version, name))}
    assert there.keys() == expected.keys()
    assert {name: found.schema for name, found in there.items()} == {n: pool.lean(d) for n, d in expected.items()}
    served = {n: sorted(pool.api_versions(n, d)) for n, d in expected.items()}
    assert {name: sorted(found.api_versions) for name, found in there.items()} == served


def test_versions_are_those_of_kubernetes_validate() -> None:
    assert list(kubernetes_versions()) == list(pool.sources())


@pytest.mark.parametrize("kind", ["../../x", "/etc/passwd", "..", "a/b", ".", ""])
def test_a_kind_never_opens_a_file(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    schema_faults(deployment(), "1.34")

    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError("a file was opened")

    # The hint may look into other versions, whose names do not depend on the kind.
    monkeypatch.setattr(kubernetes_schema, "_kind_hint", lambda *_: "")
    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    [fault] = schema_faults({"apiVersion": "v1", "kind": kind}, "1.34")
    assert fault.rule == "kubernetes/unknown-kind"


_DOUBTFUL = [
    *[(doc, ()) for doc in every_object()],
    *[(spoilt(deployment(), *row[0], value=row[1]), row[0]) for row in _REFUSED[:9]],
    (spoilt(deployment(), *_C, "ports", 0, "containerPort", value=1.5), ()),
    (spoilt(deployment(), *_C, "ports", 0, "containerPort", value=8080.0), ()),
    (spoilt(deployment(), *_C, "resources", "limits", "cpu", value=1), ()),
    (spoilt(deployment(), *_C, "command", value="sh"), ()),
]


@pytest.mark.parametrize(("doc", "_path"), _DOUBTFUL)
def test_agrees_with_the_reference_evaluator(doc: Any, _path: Any) -> None:
    """python-jsonschema on the files as they are, null being refused by a walk of its own."""
    document = json.loads(pool.sources()["1.34"].read_text())
    names = [n for n, d in document["$defs"].items() if _is(d, doc)]
    schema = {**document, "$ref": f"#/$defs/{names[0]}"}
    expected = jsonschema.Draft202012Validator(schema).is_valid(doc) and not _has_null(doc)
    assert (schema_faults(doc, "1.34") == []) is expected


def _is(definition: Any, doc: Any) -> Any:
    group, _, version = doc["apiVersion"].rpartition("/")
    wanted = {"group": group, "version": version, "kind": doc["kind"]}
    return wanted in definition.get("x-kubernetes-group-version-kind", [])


def _has_null(value: Any) -> Any:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_has_null, parts))

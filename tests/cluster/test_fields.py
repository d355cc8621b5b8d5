"""Fields as server-side apply counts them, without a server."""

from __future__ import annotations

import pytest

from tests.cluster.apply import Conflict, Writer, applied, updated
from tests.cluster.fields import Shape, from_fields_v1, lookup, owned, remove, spelled, to_fields_v1
from tests.cluster.kinds import Json

BUILTIN, CUSTOM = Shape(builtin=True), Shape(builtin=False)
POD: Json = {
    "metadata": {"name": "x", "labels": {"a": "b"}, "finalizers": ["x/y"]},
    "spec": {
        "nodeSelector": {"k": "v"},
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "containers": [{"name": "app", "args": ["1", "2"], "ports": [{"containerPort": 80}]}],
    },
}


def writer(name: str, shape: Shape = BUILTIN) -> Writer:
    return Writer(name, "v1", shape, "2026-01-01T00:00:00Z")


def test_fields_of_a_pod() -> None:
    assert sorted(spelled(path) for path in owned(POD, BUILTIN)) == [
        ".metadata.finalizers[=" + '"x/y"]',
        ".metadata.labels.a",
        '.spec.containers[name="app"]',
        '.spec.containers[name="app"].args',
        '.spec.containers[name="app"].name',
        '.spec.containers[name="app"].ports[containerPort=80,protocol="TCP"]',
        '.spec.containers[name="app"].ports[containerPort=80,protocol="TCP"].containerPort',
        ".spec.nodeSelector",
        '.spec.volumes[name="tmp"]',
        '.spec.volumes[name="tmp"].emptyDir',
        '.spec.volumes[name="tmp"].name',
    ]


def test_lists_of_custom_kinds_are_whole() -> None:
    assert {spelled(path) for path in owned({"spec": {"containers": [{"name": "x"}]}}, CUSTOM)} == {".spec.containers"}


def test_fields_v1_there_and_back() -> None:
    fields = owned(POD, BUILTIN)
    assert from_fields_v1(to_fields_v1(fields)) == fields


def test_every_field_is_found_and_can_go() -> None:
    for path in owned(POD, BUILTIN):
        assert lookup(POD, path) is not None
    data: Json = {"spec": {"a": {"b": {"c": 1}}, "d": 2}}
    remove(data, ("f:spec", "f:a", "f:b", "f:c"))
    assert data == {"spec": {"d": 2}}


def test_a_volume_that_is_left_out_goes_whole() -> None:
    live = applied({}, POD, writer("one"), force=False)
    fewer = {**POD, "spec": {**POD["spec"], "volumes": []}}
    assert applied(live, fewer, writer("one"), force=False)["spec"]["volumes"] == []
    none = {**POD, "spec": {name: value for name, value in POD["spec"].items() if name != "volumes"}}
    assert "volumes" not in applied(live, none, writer("one"), force=False)["spec"]


def test_an_update_takes_the_fields_that_it_changes() -> None:
    live = applied({}, {"data": {"a": "1", "b": "2"}}, writer("one"), force=False)
    live = updated(live, {**live, "data": {"a": "9", "b": "2"}}, writer("editor"))
    with pytest.raises(Conflict, match=r'conflict with "editor" using v1 at .*: \.data\.a'):
        applied(live, {"data": {"a": "1"}}, writer("one"), force=False)
    forced = applied(live, {"data": {"a": "1"}}, writer("one"), force=True)
    assert forced["data"] == {"a": "1"}
    assert [entry["manager"] for entry in forced["metadata"]["managedFields"]] == ["one"]


def test_the_same_apply_again_changes_nothing() -> None:
    live = applied({}, POD, writer("one"), force=False)
    assert applied(live, POD, writer("one"), force=False) == live


def test_a_map_that_one_leaves_out_stays_for_what_another_has_in_it() -> None:
    live = applied({}, {"data": {}}, writer("one"), force=False)
    live = applied(live, {"data": {"a": "1"}}, writer("two"), force=False)
    assert applied(live, {}, writer("one"), force=False)["data"] == {"a": "1"}

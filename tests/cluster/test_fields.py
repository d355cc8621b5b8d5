"""Fields as server-side apply counts them, without a server."""

from __future__ import annotations

import pytest

from tests.cluster.apply import Manager, applied, updated
from tests.cluster.fields import from_fields_v1, lookup, owned, remove, spelled, to_fields_v1
from tests.cluster.kinds import Json
from tests.cluster.requests import Refused

POD: Json = {
    "metadata": {"name": "x", "labels": {"a": "b"}},
    "spec": {
        "nodeSelector": {"k": "v"},
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "containers": [{"name": "app", "args": ["1", "2"], "ports": [{"containerPort": 80}]}],
    },
}


def apply(live: Json, given: Json, name: str = "one", *, force: bool = False) -> Json:
    return applied(live, given, Manager(name, "Apply", "v1"), builtin=True, force=force)


def test_fields_of_a_pod() -> None:
    fields = owned(POD, builtin=True)
    assert sorted(map(spelled, fields)) == [
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
    assert from_fields_v1(to_fields_v1(fields)) == fields
    assert all(lookup(POD, path) is not None for path in fields)


def test_lists_of_custom_kinds_are_whole() -> None:
    fields = owned({"spec": {"containers": [{"name": "x"}]}}, builtin=False)
    assert set(map(spelled, fields)) == {".spec.containers"}


def test_what_a_removed_field_empties_goes_too() -> None:
    data: Json = {"spec": {"a": {"b": {"c": 1}}, "d": 2}}
    remove(data, ("f:spec", "f:a", "f:b", "f:c"))
    assert data == {"spec": {"d": 2}}


def test_a_volume_that_is_left_out_goes_whole() -> None:
    live = apply({}, POD)
    assert apply(live, POD) == live
    assert apply(live, {**POD, "spec": {**POD["spec"], "volumes": []}})["spec"]["volumes"] == []
    none = {name: value for name, value in POD["spec"].items() if name != "volumes"}
    assert "volumes" not in apply(live, {**POD, "spec": none})["spec"]


def test_an_update_takes_the_fields_that_it_changes() -> None:
    live = apply({}, {"data": {"a": "1", "b": "2"}})
    live = updated(live, {**live, "data": {"a": "9", "b": "2"}}, Manager("editor", "Update", "v1"), builtin=True)
    with pytest.raises(Refused, match=r'conflict with "editor" using v1 at .*: \.data\.a'):
        apply(live, {"data": {"a": "1"}})
    forced = apply(live, {"data": {"a": "1"}}, force=True)
    assert forced["data"] == {"a": "1"}
    assert [entry["manager"] for entry in forced["metadata"]["managedFields"]] == ["one"]


def test_a_map_that_one_leaves_out_stays_for_what_another_has_in_it() -> None:
    live = apply(apply({}, {"data": {}}), {"data": {"a": "1"}}, "two")
    assert apply(live, {})["data"] == {"a": "1"}

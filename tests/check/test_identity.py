"""Which object a document is, and whose, is no business of patches and templates."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer import assets, render
from renderer.errors import errors_in
from renderer.kinds import KINDS
from renderer.model import JSON
from renderer.targets.kubernetes.objects import OBJECTS
from renderer.user_templates import UserTemplates
from tests.oracles import yaml_read
from tests.specs import NPM, rendered, rules, spec

#: Everything that a patch could meet.
FIELDS: dict[str, Any] = {
    "package": NPM,
    "transport": {"type": "stdio"},
    "files": {"/etc/a": {"content": "a"}},
    "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}],
    "sandbox": {"namespace": "boxes"},
    "serviceAccount": {"automountToken": True},
}
CLUSTER_ADMIN: JSON = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "automountServiceAccountToken": None,
    "subjects": [{"kind": "ServiceAccount", "name": "mcp-demo", "namespace": "mcpctl"}],
    "roleRef": {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"},
}


def told(kind: str, *, fields: dict[str, Any] | None = None, **patch: JSON) -> list[tuple[str, str]]:
    """Rule and path of every error that a patch brings; nothing of it is a template's fault."""
    output = rendered("kubernetes", spec(**FIELDS | (fields or {}), patches=[{"kind": kind, **patch}]))
    problems = errors_in(output.problems)
    assert not any(problem.in_output for problem in problems)
    assert {problem.place.line for problem in problems} <= {2}
    return sorted((problem.rule, problem.path) for problem in problems)


def test_the_table_has_the_versions_of_the_templates() -> None:
    for kind in OBJECTS:
        assert f"apiVersion: {KINDS[kind.kind].api_version}\n" in assets.read(f"templates/{kind.template}").decode()


@pytest.mark.parametrize(
    ("kind", "merge", "paths"),
    [
        ("ServiceAccount", CLUSTER_ADMIN, ["apiVersion", "kind"]),
        ("Deployment", {"metadata": {"namespace": "kube-system"}}, ["metadata.namespace"]),
        ("Deployment", {"metadata": {"namespace": None}}, ["metadata.namespace"]),
        ("Role", {"metadata": {"namespace": "kube-system"}}, ["metadata.namespace"]),
        ("ClusterRole", {"metadata": {"namespace": "kube-system"}}, ["metadata.namespace"]),
        ("ConfigMap", {"metadata": {"name": "other"}}, ["metadata.name"]),
        ("ServiceAccount", {"metadata": {"name": "other"}}, ["metadata.name"]),
        ("PersistentVolumeClaim", {"metadata": {"name": "other"}}, ["metadata.name"]),
        ("Role", {"metadata": {"name": "other"}}, ["metadata.name"]),
        ("Service", {"metadata": {"name": "other"}}, ["metadata.name"]),
        ("Deployment", {"metadata": {"name": None, "generateName": "a-"}}, ["metadata.generateName", "metadata.name"]),
        ("ConfigMap", {"kind": "List", "items": []}, ["kind"]),
        ("ConfigMap", {"kind": "Secret"}, ["kind"]),
        ("Deployment", {"apiVersion": "apps/v1beta1"}, ["apiVersion"]),
        ("Deployment", {"kind": ["Deployment"]}, ["kind"]),
        ("Service", {"metadata": {"labels": {"mcpctl.io/server": "other"}}}, ['metadata.labels["mcpctl.io/server"]']),
        ("Service", {"metadata": {"labels": {"mcpctl.io/managed": None}}}, ['metadata.labels["mcpctl.io/managed"]']),
        (
            "Deployment",
            {"spec": {"template": {"metadata": {"labels": {"mcpctl.io/managed": "false"}}}}},
            ['spec.template.metadata.labels["mcpctl.io/managed"]'],
        ),
    ],
    ids=str,
)
def test_a_merge_patch_makes_no_other_object(kind: str, merge: JSON, paths: list[str]) -> None:
    """And what refers to the object is not told besides."""
    beside = ("kubernetes/unknown-kind", "policy/cluster-wide-rights")
    # The sandbox has an account too, which the same patch meets.
    found = dict.fromkeys((rule, path) for rule, path in told(kind, merge=merge) if rule not in beside)
    assert sorted(found) == [("output/identity", path) for path in paths]


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ({"op": "replace", "path": "/kind", "value": "Role"}, "kind"),
        ({"op": "remove", "path": "/metadata/namespace"}, "metadata.namespace"),
        ({"op": "move", "from": "/metadata/name", "path": "/metadata/generateName"}, "metadata.generateName"),
        ({"op": "copy", "from": "/kind", "path": "/metadata/name"}, "metadata.name"),
        ({"op": "remove", "path": "/metadata"}, "metadata.name"),
        ({"op": "replace", "path": "/metadata", "value": "text"}, "metadata.name"),
    ],
    ids=str,
)
def test_nor_does_a_json_patch(operation: JSON, path: str) -> None:
    assert ("output/identity", path) in told("Service", json=[operation])


def test_two_patches_that_undo_one_another_change_nothing() -> None:
    patches: JSON = [{"kind": "Service", "merge": {"metadata": {"name": name}}} for name in ("other", "mcp-demo")]
    assert rules(errors_in(rendered("kubernetes", spec(patches=patches)).problems)) == []


SERVICE = "kubernetes/service.yaml.j2"
TEMPLATE = """\
apiVersion: v1
kind: Service
metadata: {name: {{ object_name }}, namespace: {{ namespace }}}
spec: {selector: {mcpctl.io/server: demo}, ports: [{port: 80, targetPort: mcp}]}
"""


def test_a_template_of_a_user_may_make_the_object() -> None:
    assert of_template("kubernetes", SERVICE, TEMPLATE) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("apiVersion: v1", "apiVersion: v2"), 1),
        (("kind: Service", "kind: ConfigMap"), 2),
        (("{{ object_name }}", "other"), 3),
        (("{{ namespace }}", "kube-system"), 3),
        ((", namespace: {{ namespace }}", ""), 3),
        ((", namespace", ", labels: {mcpctl.io/server: other}, namespace"), 3),
    ],
)
def test_a_template_makes_the_object_that_it_stands_for(change: tuple[str, str], line: int) -> None:
    faults = of_template("kubernetes", SERVICE, TEMPLATE.replace(*change))
    assert ("output/identity", f"own/{SERVICE}:{line}") in faults
    assert {rule for rule, _ in faults} <= {"output/identity", "kubernetes/unknown-kind"}


def of_template(target: str, name: str, text: str) -> list[tuple[str, str]]:
    """Rule and place of every error that a template of a user brings."""
    with render.user_templates_in_force(UserTemplates("own", {name: text}), {}):
        problems = errors_in(rendered(target, spec()).problems)
    return [(problem.rule, str(problem.place)) for problem in problems]


# ---------------------------------------------------------------------------------------------
# Compose: the project, its services, and whose they are.


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (("name: {{ project }}", "name: other"), "name"),
        (("services:\n", "services:\n  more: {image: busybox:1}\n"), "services.more"),
        (("services:\n", "services: {more: {image: busybox:1}}\nx-a:\n"), "services.mcp-demo"),
    ],
)
def test_a_compose_template_makes_the_services_that_it_stands_for(change: tuple[str, str], path: str) -> None:
    text = assets.read("templates/compose/project.yaml.j2").decode()
    assert change[0] in text
    own = UserTemplates("own", {"compose/project.yaml.j2": text.replace(*change, 1)})
    with render.user_templates_in_force(own, {}):
        problems = errors_in(rendered("compose", spec()).problems)
    assert path in [problem.path for problem in problems if problem.rule == "output/identity" and problem.in_output]


@pytest.mark.parametrize("labels", [None, {"mcpctl.io/server": "other"}, {"mcpctl.io/managed": None}], ids=str)
def test_a_service_stays_its_servers(labels: JSON) -> None:
    patch: JSON = {"target": "compose", "kind": "service", "merge": {"labels": labels}}
    found = errors_in(rendered("compose", spec(patches=[patch])).problems)
    assert set(rules(found)) == {"output/identity"}
    assert {problem.place.line for problem in found} == {2}


# ---------------------------------------------------------------------------------------------
# Whatever a patch says.

WORDS = (
    *("apiVersion", "kind", "metadata", "name", "namespace", "generateName", "labels", "items", "spec", "template"),
    *("services", "networks", "volumes", "mcpctl.io/server", "mcp-demo", "mcp-demo.more", "uid", "annotations"),
)
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    ["ClusterRole", "List", "v1", "apps/v1", "other", "mcp-demo", "kube-system", "", None, 1, [], {}]
)
NAMES = st.sampled_from(["other", "mcp-demo", "kube-system"])
LABELS = st.dictionaries(st.sampled_from(["mcpctl.io/server", "mcpctl.io/managed", "team"]), NAMES, max_size=2)
#: What each by itself is a sound object.
SOUND = st.one_of(
    st.fixed_dictionaries({"metadata": st.dictionaries(st.sampled_from(["name", "namespace"]), NAMES, min_size=1)}),
    st.fixed_dictionaries({"metadata": st.fixed_dictionaries({"labels": LABELS})}),
    st.fixed_dictionaries(
        {
            "spec": st.fixed_dictionaries(
                {"template": st.fixed_dictionaries({"metadata": NAMES.map(lambda name: {"name": name})})}
            )
        }
    ),
    st.just({"kind": "ConfigMap", "apiVersion": "v1", "spec": None}),
    st.fixed_dictionaries({"labels": LABELS}),
)
MERGES = SOUND | st.dictionaries(
    st.sampled_from(WORDS),
    st.recursive(
        VALUES, lambda inner: st.dictionaries(st.sampled_from(WORDS), inner, max_size=3) | st.lists(inner, max_size=2)
    ),
    min_size=1,
    max_size=3,
)
POINTERS = st.lists(st.sampled_from([*WORDS, "-", "0"]), min_size=1, max_size=3).map(
    lambda steps: "".join(f"/{step.replace('/', '~1')}" for step in steps)
)
OPERATIONS = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(["add", "replace"]), "path": POINTERS, "value": VALUES | MERGES}),
    st.fixed_dictionaries({"op": st.just("remove"), "path": POINTERS}),
    st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "from": POINTERS, "path": POINTERS}),
)
BODIES = st.fixed_dictionaries({"merge": MERGES}) | st.fixed_dictionaries(
    {"json": st.lists(OPERATIONS, min_size=1, max_size=3)}
)
KINDS_OF = {
    "kubernetes": ["ServiceAccount", "Role", "ClusterRole", "NetworkPolicy", "ConfigMap", "Service", "Deployment"],
    "compose": ["service", "network", "volume", "config"],
}


def identities(target: str, patches: Any) -> set[tuple[Any, ...]] | None:
    """What is rendered, and whose it is; None where the patches are refused."""
    output = rendered(target, spec(**FIELDS if target == "kubernetes" else {}, patches=patches))
    if errors_in(output.problems):
        return None
    found = [yaml_read(document.text) for document in output.documents if document.template]
    if target == "compose":
        keys = ("services", "networks", "volumes", "configs", "secrets")
        return {("name", document["name"]) for document in found} | {
            (section, name) for document in found for section in keys for name in document.get(section) or ()
        }
    return {(o["apiVersion"], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in found}


@pytest.mark.parametrize("target", KINDS_OF)
@settings(max_examples=25)
@given(data=st.data())
def test_no_patch_makes_the_identities_grow_or_move(target: str, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS_OF[target]))
    patches = [{"target": target, "kind": kind, **body} for body in data.draw(st.lists(BODIES, min_size=1, max_size=2))]
    found = identities(target, patches)
    assert found is None or found == identities(target, [])

"""One row a kind: complete, in the order of application, and known nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

from renderer import assets
from renderer.check.kubernetes_schema import schema_faults
from renderer.kinds import KINDS, POD_TEMPLATES, in_order
from renderer.pins import KUBERNETES_VERSION
from renderer.targets.kubernetes.objects import OBJECTS

PACKAGE = Path(__file__).parent.parent / "renderer"
#: Tables that map kinds to what no row can hold: functions, and sentences.
ALLOWED = {
    "kinds.py": "the rows",
    "targets/kubernetes/objects.py": "what decides when an object is rendered",
    "check/api_rules/__init__.py": "the functions that judge a kind",
    "check/api_rules/metadata.py": "the grammars of names, and which kinds select pods",
    "check/api_rules/references.py": "which field of a kind refers to what",
    "doctor/kubernetes.py": "what is asked where nothing is rendered yet",
    "model/__init__.py": "names of the values of a spec",
    "check/api_rules/workloads.py": "the grammar of update strategies",
    "delivery/objects.py": "fields that a cluster fills in, as jq paths",
    "orchestrators/kubernetes/client.py": "the shape of what is read of a kind",
    "orchestrators/kubernetes/listing.py": "the addresses of pages",
    "diff/renames.py": "which step of a path names an object of what kind",
    "importers/manifests/servers.py": "what may be a server among the objects of others",
    "exporters/pod.py": "what the resources of operators cannot carry",
    "diff/consequences/__init__.py": "words by which a file is recognised before it is parsed",
}


def test_what_is_rendered_has_a_row_and_a_template() -> None:
    rendered = {kind.kind for kind in OBJECTS}
    assert rendered == {name for name, kind in KINDS.items() if kind.rendered}
    assert {kind.template for kind in OBJECTS} <= {f"{name}" for name in assets.names("templates")}


def test_a_custom_kind_has_a_schema_of_ours_and_no_other() -> None:
    ours = set(assets.names("schemas"))
    for name, kind in KINDS.items():
        if kind.rendered:
            assert (f"output/{name.lower()}" in ours) is kind.custom, name


def test_pods_come_after_what_they_need() -> None:
    order = sorted(KINDS, key=in_order)
    assert order.index("Namespace") == 0
    for before in (
        "ServiceAccount",
        "NetworkPolicy",
        "ConfigMap",
        "PersistentVolumeClaim",
        "ExternalSecret",
        "Service",
    ):
        assert order.index(before) < order.index("Deployment") < order.index("HorizontalPodAutoscaler")
    assert in_order("Unheard") > max(map(in_order, KINDS))


def test_the_paths_of_pod_templates_hold_pods() -> None:
    """As the schemas of Kubernetes have them: a pod without containers is a fault there."""
    versions = {"Job": "batch/v1", "CronJob": "batch/v1", "Pod": "v1", "ReplicationController": "v1"}
    for name, path in POD_TEMPLATES.items():
        inner: object = {"metadata": {}, "spec": {"containers": "none"}}
        for step in reversed(path):
            inner = {step: inner}
        document = {
            "apiVersion": versions.get(name, "apps/v1"),
            "kind": name,
            **(inner if isinstance(inner, dict) else {}),
        }
        paths = [fault.path for fault in schema_faults(document, KUBERNETES_VERSION)]
        assert (*path, "spec", "containers") in paths, name


def tables() -> dict[str, list[str]]:
    """Files to the kinds that stand as keys or members in their module-level tables, two or more in one table."""
    found: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            value = getattr(node, "value", None)
            if not isinstance(node, ast.Assign | ast.AnnAssign) or value is None:
                continue
            constants = {inner.value for inner in ast.walk(value) if isinstance(inner, ast.Constant)}
            kinds = sorted(name for name in KINDS if name in constants)
            if len(kinds) > 2:
                found.setdefault(file.relative_to(PACKAGE).as_posix(), []).extend(kinds)
    return found


def test_no_other_table_repeats_the_kinds() -> None:
    assert tables().keys() <= ALLOWED.keys(), {file: kinds for file, kinds in tables().items() if file not in ALLOWED}


def test_what_is_allowed_is_there() -> None:
    assert all((PACKAGE / file).is_file() for file in ALLOWED)

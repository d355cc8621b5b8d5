"""What is served, told to clients: discovery, plain and aggregated, and as much OpenAPI as kubectl asks for."""

from __future__ import annotations

import hashlib
from itertools import groupby

from tests.cluster.kinds import VERBS, Json, Kind, Kinds

#: kubectl up to 1.29 asks for v2beta1.
AGGREGATED = ("v2", "v2beta1")
#: kubectl asks for it, as protobuf, about kinds that it does not find elsewhere; it says no more than "swagger: 2.0".
OPENAPI_V2 = b"\x0a\x032.0"
OPENAPI_V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}


def version(number: str) -> Json:
    """For /version; ``number`` is like 1.35."""
    major, minor = number.split(".")
    return {"major": major, "minor": minor, "gitVersion": f"v{number}.0", "platform": "linux/amd64"}


def aggregated_version(accept: str) -> str:
    """The version of aggregated discovery that an Accept header asks for, '' for none."""
    if "as=APIGroupDiscoveryList" not in accept:
        return ""
    return next((known for known in AGGREGATED if f"v={known};" in accept), "")


def aggregated(kinds: Kinds, *, core: bool, api: str) -> Json:
    """All resources of all groups in one answer."""
    groups = _groups([kind for kind in kinds if (kind.group == "") == core])
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{api}",
        "metadata": {},
        "items": [_aggregated_group(name, versions) for name, versions in groups.items()],
    }


def _aggregated_group(name: str, versions: dict[str, list[Kind]]) -> Json:
    found = [
        {"version": version, "freshness": "Current", "resources": [_aggregated_resource(kind) for kind in kinds]}
        for version, kinds in versions.items()
    ]
    return {"metadata": {"name": name or None}, "versions": found}


def _aggregated_resource(kind: Kind) -> Json:
    return {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.kind.lower(),
        "verbs": list(_verbs(kind)),
        "shortNames": list(kind.short),
        "subresources": [
            {"subresource": sub, "responseKind": _sub_kind(kind, sub), "verbs": list(_sub_verbs(sub))}
            for sub in kind.subresources
        ],
    }


def _verbs(kind: Kind) -> tuple[str, ...]:
    return VERBS if kind.stored else ("create",)


def _sub_verbs(sub: str) -> tuple[str, ...]:
    return {"log": ("get",), "portforward": ("create", "get")}.get(sub, ("get", "patch", "update"))


def _sub_kind(kind: Kind, sub: str) -> Json:
    return _SCALE if sub == "scale" else {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _groups(kinds: list[Kind]) -> dict[str, dict[str, list[Kind]]]:
    found: dict[str, dict[str, list[Kind]]] = {}
    for kind in kinds:
        found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    return found


def core_versions() -> Json:
    return {"kind": "APIVersions", "versions": ["v1"]}


def group_list(kinds: Kinds) -> Json:
    groups = _groups([kind for kind in kinds if kind.group])
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*item) for item in groups.items()]}


def _group(name: str, versions: dict[str, list[Kind]]) -> Json:
    found = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": found, "preferredVersion": found[0]}


def resource_list(kinds: Kinds, group: str, version: str) -> Json | None:
    """The resources of one group and version; None if it is not served."""
    found = [kind for kind in kinds if (kind.group, kind.version) == (group, version)]
    if not found:
        return None
    resources = [resource for kind in found for resource in _resources(kind)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": resources,
    }


def _resources(kind: Kind) -> list[Json]:
    shared = {"namespaced": kind.namespaced}
    main = {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "kind": kind.kind,
        "verbs": list(_verbs(kind)),
        "shortNames": list(kind.short),
    }
    subs = [
        {"name": f"{kind.plural}/{sub}", "singularName": "", "verbs": list(_sub_verbs(sub)), **_sub_kind(kind, sub)}
        for sub in kind.subresources
    ]
    return [{**entry, **shared} for entry in [main, *subs]]


def openapi_index(kinds: Kinds) -> Json:
    """For /openapi/v3. The hash makes clients ask again when a definition was added."""
    paths = {}
    for root, found in groupby(sorted(kinds, key=lambda kind: kind.root), key=lambda kind: kind.root):
        names = ",".join(sorted(kind.plural for kind in found))
        stamp = hashlib.sha256(names.encode()).hexdigest()[:16]
        paths[root.removeprefix("/")] = {"serverRelativeURL": f"/openapi/v3{root}?hash={stamp}"}
    return {"paths": paths}


def openapi(kinds: Kinds, root: str) -> Json | None:
    """The document of one group and version: no schemas, just what lets kubectl leave validation to the server."""
    found = [kind for kind in kinds if kind.root == root]
    if not found:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "test"},
        "paths": {_path(kind): {"patch": _patch_operation(kind)} for kind in found},
        "components": {"schemas": {}},
    }


def _path(kind: Kind) -> str:
    where = "/namespaces/{namespace}" if kind.namespaced else ""
    return f"{kind.root}{where}/{kind.plural}/{{name}}"


def _patch_operation(kind: Kind) -> Json:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    return {
        "parameters": parameters,
        "responses": {},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
    }

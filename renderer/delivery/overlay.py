"""kustomize: the environment as an overlay on a base that was rendered from the specs without any environment.

The base is the tree that a run without environments writes; of it only the folders of the environment's servers are
taken. What differs becomes JSON patches, what is missing there whole resources, what is too much ``$patch: delete``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.check.documents import located, parsed
from renderer.check.kubernetes_schema import schema_faults
from renderer.delivery.objects import FOLDER
from renderer.environment.values import Environment
from renderer.errors import Fault, Problem
from renderer.model import JSON, Options, Rendered
from renderer.pins import KUBERNETES_VERSION
from renderer.render import render

KUSTOMIZATION = "delivery/kustomization.yaml.j2"
PATCH = "delivery/patch.yaml.j2"
DELETION = "delivery/deletion.yaml.j2"
#: From the overlay to the folder of all trees, and down to the one without an environment.
_UP = "../../kubernetes"
#: Of the base: what a run without environments has.
BASE = Options("mcpctl", KUBERNETES_VERSION)
_Key = tuple[str, str, str, str]


class _Object(NamedTuple):
    document: Rendered
    data: dict[str, Any]

    @property
    def target(self) -> dict[str, JSON]:
        """As kustomize selects it: names are regular expressions there."""
        group, _, version = self.data["apiVersion"].rpartition("/")
        metadata = self.data["metadata"]
        parts = {
            "group": group,
            "version": version,
            "kind": self.data["kind"],
            "name": metadata["name"].replace(".", r"\."),
            "namespace": metadata.get("namespace", ""),
        }
        return {name: value for name, value in parts.items() if value}


class Overlay(NamedTuple):
    """The files, and both sides of them by what they are."""

    files: list[Rendered]
    before: Mapping[_Key, _Object]
    after: Mapping[_Key, _Object]


def overlay(environment: Environment, base: Sequence[Rendered], documents: Sequence[Rendered]) -> Overlay:
    """The files of the overlay that turns ``base`` into ``documents``."""
    before, after = _objects(base, BASE), _objects(documents, environment.options)
    patches: list[tuple[Rendered, dict[str, JSON]]] = []
    for key, there in before.items():
        here = after.get(key)
        if here is None:
            patches.append((_deletion(environment, there), there.target))
        elif operations := differences(there.data, here.data):
            patches.append((_patch(environment, there, operations), there.target))
    resources = [_copy(here.document) for key, here in after.items() if key not in before]
    folders = dict.fromkeys(f"{_UP}/{one.document.path.partition('/')[0]}" for one in before.values())
    context = {
        "resources": [*(_below(one) for one in resources), *folders],
        "patches": [{"path": _below(one), "target": target} for one, target in patches],
    }
    listed = _rendered(environment, "kustomization.yaml", KUSTOMIZATION, context)
    return Overlay([listed, *resources, *(one for one, _ in patches)], before, after)


def overlay_faults(made: Overlay) -> list[Problem]:
    """Whether kustomize will build what was rendered: the files are read back, and the patches carried out."""
    read = {_below(one): parsed(one) for one in made.files if one.template}
    problems = [problem for _, unreadable in read.values() for problem in unreadable]
    listed = made.files[0]
    if not problems:
        problems = located(listed, _list_faults(read[_below(listed)][0]))
    if problems:
        return problems
    patches = {_hashable(one["target"]): one["path"] for one in read[_below(listed)][0].get("patches", ())}
    for key, there in made.before.items():
        path = patches.get(_hashable(there.target))
        here = made.after.get(key)
        if differences(_built(there.data, read[path][0] if path in read else []), here.data if here else None):
            message = f"base and overlay do not make the {there.data['kind']} that is rendered"
            problems += located(listed, [Fault((), "delivery/overlay", message)])
    return problems


def _list_faults(data: Any) -> list[Fault]:
    if isinstance(data, dict):
        return schema_faults(data, BASE.kubernetes_version)
    return [Fault((), "delivery/overlay", "this is no Kustomization")]


def _built(data: dict[str, Any], patch: Any) -> JSON:
    """As kustomize builds it; None is an object that is deleted, and nothing is one that cannot be patched."""
    import jsonpatch  # few runs have an overlay

    if isinstance(patch, dict):
        return None
    try:
        built: JSON = jsonpatch.apply_patch(data, patch or [])
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        return {}
    return built


def _hashable(target: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    return frozenset(target.items())


def differences(before: JSON, after: JSON, path: tuple[str | int, ...] = ()) -> list[dict[str, JSON]]:
    """JSON Patch operations from one to the other, in the order of keys; lists of another length as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        return list(_of_mappings(before, after, path))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [one for i, (old, new) in pairs for one in differences(old, new, (*path, i))]
    # Python takes True and 1 for equal, and YAML does not.
    if before == after and type(before) is type(after):
        return []
    return [{"op": "replace", "path": _pointer(path), "value": after}]


def _of_mappings(
    before: Mapping[str, JSON], after: Mapping[str, JSON], path: tuple[str | int, ...]
) -> Iterator[dict[str, JSON]]:
    for name, value in before.items():
        if name in after:
            yield from differences(value, after[name], (*path, name))
        else:
            yield {"op": "remove", "path": _pointer((*path, name))}
    for name, value in after.items():
        if name not in before:
            yield {"op": "add", "path": _pointer((*path, name)), "value": value}


def _pointer(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def _objects(documents: Sequence[Rendered], options: Options) -> dict[_Key, _Object]:
    """By what they are, the servers' own namespace without its name: it is another one in the base."""
    found: dict[_Key, _Object] = {}
    for document in documents:
        data: Any = parsed(document)[0]
        metadata = data["metadata"]
        namespace = metadata.get("namespace", "")
        own = ":own" if namespace == options.namespace else namespace
        found[(data["apiVersion"], data["kind"], metadata["name"], own)] = _Object(document, data)
    return found


def _patch(environment: Environment, there: _Object, operations: list[dict[str, JSON]]) -> Rendered:
    return _rendered(environment, _renamed(there, "patch"), PATCH, {"operations": operations})


def _deletion(environment: Environment, there: _Object) -> Rendered:
    metadata = there.data["metadata"]
    context = {
        "api_version": there.data["apiVersion"],
        "kind": there.data["kind"],
        "name": metadata["name"],
        "namespace": metadata.get("namespace"),
    }
    return _rendered(environment, _renamed(there, "delete"), DELETION, context)


def _renamed(there: _Object, word: str) -> str:
    return f"{there.document.path.removesuffix('.yaml')}.{word}.yaml"


def _rendered(environment: Environment, path: str, template: str, context: Mapping[str, Any]) -> Rendered:
    subject = f"delivery of environment {environment.name}"
    return Rendered(f"{FOLDER}{path}", render(template, context), template, context, subject)


def _copy(document: Rendered) -> Rendered:
    """Checked where it was rendered."""
    return document._replace(path=f"{FOLDER}{document.path.removesuffix('.yaml')}.added.yaml", template="")


def _below(document: Rendered) -> str:
    return document.path.removeprefix(FOLDER)

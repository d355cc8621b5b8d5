"""``mcpctl import --compare``: differences between what runs and what its new spec renders to."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

from renderer import pipeline
from renderer.diff import masks
from renderer.diff.consequences import CONSEQUENCES, Consequence, Pair, consequences
from renderer.diff.objects import ABSENT, COMPOSE, Change, Object, changes, objects_in
from renderer.importers.compose import FORMAT as COMPOSE_FILES
from renderer.importers.draft import Draft
from renderer.importers.manifests import FORMAT as MANIFESTS
from renderer.importers.manifests.objects import objects_of, without_servers_own
from renderer.importers.manifests.servers import main_container
from renderer.importers.spec_file import text_of
from renderer.kinds import POD_TEMPLATES, TEMPLATED
from renderer.manifest import as_mapping, at
from renderer.model import JSON, NAMESPACE, Options, Source
from renderer.pins import KUBERNETES_VERSION
from renderer.registry import target
from renderer.yaml_writer import block

#: By format that describes what runs: its target.
TARGETS: Mapping[str, str] = {MANIFESTS: "kubernetes", COMPOSE_FILES: "compose"}
#: The server's container in what is rendered.
_SERVER = "mcp-server"
#: Defaults of an API server, by the last step of the path.
_DEFAULTS: Mapping[str, Sequence[JSON]] = {
    "protocol": ["TCP"],
    "dnsPolicy": ["ClusterFirst"],
    "restartPolicy": ["Always"],
    "schedulerName": ["default-scheduler"],
    "terminationMessagePath": ["/dev/termination-log"],
    "terminationMessagePolicy": ["File"],
    "successThreshold": [1],
    "scheme": ["HTTP"],
    "sessionAffinity": ["None"],
    "internalTrafficPolicy": ["Cluster"],
    "ipFamilyPolicy": ["SingleStack"],
    "volumeMode": ["Filesystem"],
    "defaultMode": [420],
    "type": ["ClusterIP", "RollingUpdate"],
    "podManagementPolicy": ["OrderedReady"],
    "securityContext": [{}],
    "resources": [{}],
    "replicas": [1],
    "terminationGracePeriodSeconds": [30],
    "timeoutSeconds": [1],
    "periodSeconds": [10],
    "failureThreshold": [3],
    "pathType": ["Prefix"],
}
_LABELS = tuple(f"app.kubernetes.io/{name}" for name in ("name", "component", "managed-by", "part-of"))
_SERVERS_OWN = ("clusterIP", "clusterIPs", "ipFamilies", "volumeName", "nodePort", "imagePullPolicy", "serviceAccount")


class Compared(NamedTuple):
    server: str
    pairs: tuple[Pair, ...]
    consequences: tuple[Consequence, ...]


def compared(draft: Draft, sources: Sequence[Source]) -> Compared | None:
    """None for formats that describe nothing that runs, and for refused drafts; ``sources`` are all documents."""
    name = TARGETS.get(draft.format)
    if name is None or draft.problems:
        return None
    own = draft.document["spec"]
    namespace = own.get("namespace") if isinstance(own, dict) else None
    options = Options(str(namespace or NAMESPACE), KUBERNETES_VERSION, create_namespace=False)
    specs = pipeline.read(["-"], BytesIO(text_of(draft).encode()))
    documents = pipeline.render(specs, target(name), options).documents
    new = [each for document in documents if document.template for each in objects_in(document.path, document.text)]
    old = _manifests(sources, draft) if name == "kubernetes" else _services(sources, draft, new)
    pairs = tuple(_pairs(old, new))
    there = [pair for pair in pairs if pair.changes or not (pair.old and pair.new)]
    added = [pair.new for pair in pairs if pair.new and pair not in there]
    effects = tuple(dict.fromkeys(consequences(there, added, list)))
    return Compared(draft.name, pairs, effects)


def _manifests(sources: Sequence[Source], draft: Draft) -> list[Object]:
    """As written, without the fields of the API server."""
    used = {(entry.place.file, entry.source[:2] if entry.source[:1] == ("items",) else ()) for entry in draft.entries}
    documents = []
    for each in objects_of(sources):
        if (each.source.file, each.root) in used or (each.source.file, ()) in used:
            data = without_servers_own(each.data)
            if each.kind in POD_TEMPLATES and each.name == draft.original:
                # The server's container under the name that it gets: its fields are compared one by one.
                data, number = copy.deepcopy(data), main_container(each)
                listed = at(data, *(TEMPLATED.get(each.kind) or ()), "spec", "containers")
                if isinstance(listed, list) and number < len(listed):
                    listed[number]["name"] = _SERVER
            group = str(each.data.get("apiVersion", "")).rpartition("/")[0]
            documents.append(Object(group, each.kind, each.namespace, each.name, data, each.source.file))
    return documents


def _services(sources: Sequence[Source], draft: Draft, new: Sequence[Object]) -> list[Object]:
    """The service of the compose file, under the project's name as rendered."""
    project = next((each.name for each in new if each.kind == "project"), "")
    source = next((each for each in sources if each.file == draft.place.file), None)
    services = source.data.get("services") if source else None
    own = services.get(draft.original) if isinstance(services, dict) else None
    text = block({"name": project, "services": {draft.original: own}}, 0)
    return [each for each in objects_in("compose.yaml", text) if each.kind == "service"]


def _pairs(old: Sequence[Object], new: Sequence[Object]) -> Iterator[Pair]:
    """By kind and name; old objects without a new one are left out."""
    before = {(each.kind, each.name): each for each in old}
    for each in sorted(new, key=lambda each: (each.kind, each.name)):
        known = before.get((each.kind, each.name))
        if known is None:
            yield Pair(None, each, ())
        else:
            # Labels are compared one by one, even where the old object has none.
            metadata = {"labels": {}, "annotations": {}, **as_mapping(known.data.get("metadata"))}
            old_data = {**known.data, "metadata": metadata} if known.group != COMPOSE else known.data
            differing = changes(old_data, each.data)
            yield Pair(known, each, tuple(change for change in differing if not _is_servers(change)))


def _is_servers(change: Change) -> bool:
    """Whether only an API server sets it: a default, or what it allocates."""
    last = change.path[-1] if change.path else ""
    if change.path[:1] in (("apiVersion",), ("status",)) or change.path == ("metadata", "namespace"):
        return True
    if change.new is ABSENT:
        return last in _SERVERS_OWN or change.old in _DEFAULTS.get(last, ()) or change.old in ({}, [], None)
    return change.old is ABSENT and change.new in _DEFAULTS.get(last, ())


# ---------------------------------------------------------------------------------------------
# Text and JSON.


def as_text(results: Sequence[Compared]) -> str:
    return "".join(f"{line}\n" for each in results for line in _lines(each))


def _lines(result: Compared) -> Iterator[str]:
    yield f"{result.server}: what differs from what runs"
    for pair in result.pairs:
        label = pair.object.label if pair.object.group != COMPOSE else f"{pair.object.kind} {pair.object.name}"
        amount = len(pair.changes)
        state = "new" if pair.old is None else f"{amount} field{'s' * (amount != 1)}" if amount else "the same"
        yield f"  {label}: {state}"
        ours = [change for change in pair.changes if _is_ours(change)]
        if ours and pair.old:
            yield f"    + labels and annotations of mcpctl ({len(ours)})"
        for change in pair.changes:
            if _is_ours(change):
                continue
            old, new = masks.one_line_each(pair.object.kind, change.path, change.old, change.new)
            sign = "+" if old is None else "-" if new is None else "~"
            values = f"{old} -> {new}" if old is not None and new is not None else old if new is None else new
            yield f"    {sign} {change.where}: {values}"
    names = dict.fromkeys(consequence.name for consequence in result.consequences)
    for name in names:
        texts = [consequence.detail for consequence in result.consequences if consequence.name == name]
        yield f"  {CONSEQUENCES[name].words}:"
        yield from (f"    {text}" for text in texts)


def as_data(results: Sequence[Compared]) -> JSON:
    servers: list[JSON] = []
    for result in results:
        objects: list[JSON] = []
        for pair in result.pairs:
            fields: list[JSON] = []
            for change in pair.changes:
                old, new = masks.one_line_each(pair.object.kind, change.path, change.old, change.new)
                fields.append({"path": change.where, "old": old, "new": new})
            state = "new" if pair.old is None else "changed" if fields else "same"
            objects.append({"kind": pair.object.kind, "name": pair.object.name, "state": state, "fields": fields})
        consequences: list[JSON] = [{"name": each.name, "detail": each.detail} for each in result.consequences]
        servers.append({"server": result.server, "objects": objects, "consequences": consequences})
    return servers


def _is_ours(change: Change) -> bool:
    """Whether it is a label or annotation that mcpctl puts on its objects."""
    if not {"labels", "annotations"} & {*change.path[-2:]}:
        return False
    names = change.new.keys() if isinstance(change.new, dict) and change.old is ABSENT else [change.path[-1]]
    return bool(names) and all(name.startswith("mcpctl.io/") or name in _LABELS for name in names)

"""Objects to apply: read from what was rendered, in order, and stamped with their owner."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from renderer.check.pod_security import violations
from renderer.errors import ApplyFailed, Defect, excerpt
from renderer.kinds import DEFAULT_ACCOUNT, KINDS, WORKLOADS, in_order
from renderer.labels import SERVER_LABEL
from renderer.manifest import Identity, annotations_of, identity, labels_of
from renderer.model import Rendered
from renderer.orchestrators.contract import OWNER_LABEL, owner_value
from renderer.orchestrators.kubernetes.client import Data, Kubectl
from renderer.quantity import nano
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: The configured namespace of the apply: what lies elsewhere (a sandbox, a ClusterRole) belongs to it too.
HOME_LABEL = "mcpctl.io/home"
_ENFORCE = "pod-security.kubernetes.io/enforce"
#: When the workload was first applied. The first stamp stays.
CREATED = "mcpctl.io/created-at"
#: How many pods a workload had when it was stopped.
REPLICAS = "mcpctl.io/replicas"


class Object(NamedTuple):
    data: Data
    identity: Identity

    @property
    def kind(self) -> str:
        return self.identity[0]

    @property
    def namespace(self) -> str:
        return self.identity[1]


def subject_of(data: Data, home: str) -> str:
    """``Deployment mcp-demo``; with the namespace where that is not ``home``."""
    meta = data.get("metadata", {})
    namespace = meta.get("namespace", "")
    elsewhere = f" in namespace {excerpt(namespace, 63)}" if namespace not in ("", home) else ""
    return f"{excerpt(str(data.get('kind')), 63)} {excerpt(str(meta.get('name')), 253)}{elsewhere}"


def objects(documents: Sequence[Rendered], home: str, others: Collection[str] = ()) -> list[Object]:
    """In the order of application; ``others`` are other namespaces that servers of the run lie in.

    ApplyFailed for an object of any other namespace.
    """
    rendered = []
    for document in documents:
        # The reader of the checks: what is applied is, to the scalar, what was checked.
        read_back, faults = read(document.text, strict=False, limits=OUTPUT_LIMITS, marks=False)
        if faults or len(read_back) != 1 or not isinstance(read_back[0].data, dict):
            raise Defect(f"{excerpt(document.path, 200)} was rendered and checked, and cannot be read back")
        rendered.append(Object(read_back[0].data, identity(read_back[0].data)))
    strays = []
    for each in rendered:
        # In a namespace of servers, of the whole cluster, or in a sandbox, which has a namespace of its own.
        is_wide = each.kind in KINDS and not KINDS[each.kind].namespaced
        is_sandbox = labels_of(each.data).get("app.kubernetes.io/component") == "sandbox"
        if not (is_wide or is_sandbox or each.namespace in {home, *others}):
            strays.append(each)
    if strays:
        named = ", ".join(subject_of(each.data, home) for each in strays[:5])
        raise ApplyFailed(
            f"nothing was applied: {len(strays)} of {len(rendered)} objects are for another namespace than {home}, "
            f"which is configured ({named}); render them for {home}, or configure kubernetes.namespace"
        )
    return sorted(rendered, key=lambda each: in_order(each.kind))


def claims_to_grow(data: Data, live: Data) -> str:
    """How to grow the volumes of a StatefulSet to the sizes in ``data``; empty where none is to grow."""
    name, namespace, wanted = live["metadata"]["name"], live["metadata"]["namespace"], _claim_sizes(data)
    grown = {
        volume: (size, wanted[volume])
        for volume, size in _claim_sizes(live).items()
        if (nano(wanted.get(volume, "")) or 0) > (nano(size) or 0)
    }
    if not grown:
        return ""
    changes = " and ".join(f"{volume} from {old} to {new}" for volume, (old, new) in grown.items())
    patches = [
        f"kubectl patch pvc {volume}-{name}-{pod} -n {namespace} -p "
        f'\'{{"spec":{{"resources":{{"requests":{{"storage":"{new}"}}}}}}}}\''
        for volume, (_, new) in grown.items()
        for pod in range(int(live["spec"].get("replicas", 1)))
    ]
    orphan = f"kubectl delete statefulset {name} -n {namespace} --cascade=orphan"
    return (
        f"a StatefulSet cannot grow its volumes in place ({changes}): grow the claims, whose StorageClass must have "
        "allowVolumeExpansion, remove the StatefulSet alone, and run the command again: "
        + "; ".join([*patches, orphan])
    )


def _claim_sizes(stateful_set: Data) -> dict[str, str]:
    templates = stateful_set["spec"].get("volumeClaimTemplates") or []
    return {each["metadata"]["name"]: str(each["spec"]["resources"]["requests"]["storage"]) for each in templates}


def others_in(kubectl: Kubectl, namespace: str) -> list[Data]:
    args = ["get", "pods", f"--selector=!{SERVER_LABEL}", "--output=json"]
    return kubectl.items(f"reading the pods of others in {namespace}", *args, namespace=namespace)


def effects_of_adoption(live: Data, pods: Sequence[Data], rendered: Sequence[Object]) -> list[str]:
    """What managing an existing namespace changes for all in it; ``pods`` are those of others."""
    name, has = str(live["metadata"]["name"]), labels_of(live)
    made = next((each for each in rendered if each.identity == ("Namespace", "", name)), None)
    wanted = labels_of(made.data) if made else {}
    effects = [f"sets the label {key} to {excerpt(wanted[key], 40)}" for key in wanted if has.get(key) != wanted[key]]
    effects += [
        f"{verb} {subject_of(each.data, name)}, which applies to every pod in it"
        for each in rendered
        if each.namespace == name and governs(each)
        for verb in ("sets" if is_default_account(each.identity) else "adds",)
    ]
    level = wanted.get(_ENFORCE)
    if (level == "baseline" or level == "restricted") and has.get(_ENFORCE) != level:
        refused = [excerpt(str(pod["metadata"]["name"]), 63) for pod in pods if violations(pod, level)]  # type: ignore[arg-type]
        if refused:
            names = ", ".join(refused[:5]) + ", …" * (len(refused) > 5)
            effects.append(f"refuses {len(refused)} of {len(pods)} pods of others at their next start ({names})")
    return effects


def governs(each: Object) -> bool:
    """Whether it applies to the whole namespace: quota, limits, default deny, the default ServiceAccount."""
    everywhere = each.kind == "NetworkPolicy" and not each.data["spec"].get("podSelector")
    return each.kind in ("ResourceQuota", "LimitRange") or everywhere or is_default_account(each.identity)


def is_default_account(identity: Identity) -> bool:
    """Whether a controller makes it in every namespace: it is changed, and never created or removed."""
    return (identity[0], identity[2]) == ("ServiceAccount", DEFAULT_ACCOUNT)


def stamped(each: Object, live: Data | None, owner: str, home: str, now: str) -> Data:
    """With its owner, and the time of creation. A shared Namespace gets no stamp.

    An empty ``owner`` keeps the present one.
    """
    if SERVER_LABEL not in labels_of(each.data):
        return each.data
    before, stamps = labels_of(live or {}), annotations_of(live or {})
    labels = {OWNER_LABEL: owner_value(owner) or before.get(OWNER_LABEL, ""), HOME_LABEL: home}
    notes = {CREATED: stamps.get(CREATED, now)} if each.kind in WORKLOADS else {}
    return marked(each.data, labels, notes)


def marked(data: Data, labels: Mapping[str, str], notes: Mapping[str, str]) -> Data:
    """Leaves out empty ones."""
    added, noted = ({key: value for key, value in values.items() if value} for values in (labels, notes))
    meta: dict[str, Any] = {**data["metadata"], "labels": {**labels_of(data), **added}}
    if noted:
        meta["annotations"] = {**annotations_of(data), **noted}
    return {**data, "metadata": meta}


def compared(data: Data, live: Data | None) -> Literal["created", "unchanged", "changed"]:
    """What applying it would do, as far as this machine can tell."""
    if live is None:
        return "created"
    return "unchanged" if _within(data, live) else "changed"


def _within(wanted: Any, live: Any) -> bool:
    """Whether ``live`` has all that is wanted, apart from what the API server added."""
    if isinstance(wanted, dict):
        there = isinstance(live, dict) and wanted.keys() <= live.keys()
        return there and all(_within(value, live[key]) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(live, list) and len(live) == len(wanted)
        return same and all(map(_within, wanted, live))
    return bool(wanted == live)

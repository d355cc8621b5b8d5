"""Server-side apply, one object after the other, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from renderer.errors import ApplyFailed, McpctlError, WaitTimedOut, excerpt
from renderer.orchestrators.contract import ApplyOptions, Change, Progress
from renderer.orchestrators.kubernetes.client import Data, Kubectl
from renderer.orchestrators.kubernetes.faults import HOPELESS, SHOWN, Conflict, Refused, conflicts, warnings
from renderer.orchestrators.kubernetes.objects import (
    MANAGED_LABEL,
    OWNER_LABEL,
    Identity,
    Object,
    identity,
    labels_of,
    owner_value,
    stamped,
    words,
)

#: Who we are in ``managedFields``.
MANAGER = "mcpctl"
#: Kept by the API server; they change without anybody's doing.
_SERVERS_OWN = ("resourceVersion", "managedFields", "generation", "creationTimestamp", "uid", "selfLink")


class Application:
    """One run over all objects. It goes on until one fails: what comes after it may need it."""

    def __init__(self, kubectl: Kubectl, options: ApplyOptions, tell: Progress, now: str) -> None:
        self._kubectl = kubectl
        self._options = options
        self._tell = tell
        self._now = now
        self._home = kubectl.namespace
        #: What a dry run has not made: nothing can be tried in there.
        self._absent: set[str] = set()

    def run(self, objects: Sequence[Object]) -> list[Change]:
        """Each object's outcome, in order. Raises only what ends a whole run (Ctrl-C), after telling what stands."""
        changes: list[Change] = []
        try:
            live = self._live(objects)
            for one in objects:
                changes.append(self._tried(one, live.get(one.identity)))
                self._tell(_line(changes[-1], len(changes), len(objects)))
                if changes[-1].outcome == "failed":
                    break
        except McpctlError as error:
            changes.append(Change(words(objects[0].data, self._home), "failed", error.message))
        except KeyboardInterrupt:
            done, count = len(changes), len(objects)
            self._tell(f"interrupted: {done} of {count} objects were applied; run the same again to go on")
            raise
        rest = objects[len(changes) :]
        return changes + [Change(words(one.data, self._home), "not tried") for one in rest]

    def _tried(self, one: Object, live: Data | None) -> Change:
        what = words(one.data, self._home)
        if one.namespace in self._absent:
            return Change(what, "not tried", "its namespace does not exist yet, and a dry run does not create it")
        try:
            self._refuse_foreign(one, live)
            data = stamped(one, live, self._options.owner, self._home, self._now)
            if self._options.dry_run == "client":
                return Change(what, _compared(data, live), "compared on this machine; the server was not asked")
            after = self._applied(data, what)
        except (ApplyFailed, WaitTimedOut) as error:
            return Change(what, "failed", error.message)
        if one.kind == "Namespace" and live is None and self._options.dry_run == "server":
            self._absent.add(one.identity[2])
        if live is None:
            return Change(what, "created")
        adopted = "was there before, and is managed by mcpctl now" if MANAGED_LABEL not in labels_of(live) else ""
        return Change(what, "unchanged" if _content(after) == _content(live) else "changed", adopted)

    def _refuse_foreign(self, one: Object, live: Data | None) -> None:
        """What another tree or project applied is not taken over in silence: its prune and ours would fight."""
        mine, theirs = owner_value(self._options.owner), labels_of(live or {}).get(OWNER_LABEL, "")
        if mine and theirs not in ("", mine) and not self._options.force_conflicts:
            raise ApplyFailed(
                f"{words(one.data, self._home)} belongs to '{excerpt(theirs, 63)}' ({OWNER_LABEL}), not to '{mine}': "
                f"apply it from there, or take it over with --force-conflicts"
            )

    def _applied(self, data: Data, what: str) -> Data:
        try:
            return self._send(data, what, force=self._options.force_conflicts)
        except Refused as refused:
            found = conflicts(refused.said) if refused.kind == "conflict" else []
            if not found:
                raise
            # A stop or a start scaled it in our own name: nobody else loses anything.
            if all(conflict.manager == MANAGER for conflict in found):
                return self._send(data, what, force=True)
            raise Refused(_told(what, found), kind="conflict", said=refused.said) from None

    def _send(self, data: Data, what: str, *, force: bool) -> Data:
        extra = ["--force-conflicts"] if force else []
        extra += ["--dry-run=server"] if self._options.dry_run == "server" else []
        done = self._kubectl.call(
            f"applying {what}",
            *("apply", "--server-side", f"--field-manager={MANAGER}", "--output=json", *extra, "--filename=-"),
            stdin=json.dumps(data).encode(),
            namespace=data["metadata"].get("namespace", ""),
            secret=data["kind"] == "Secret",
        )
        for warning in warnings(done.err):
            self._tell(f"warning: {what}: {warning}")
        try:
            return dict(json.loads(done.out))
        except (ValueError, TypeError):
            shown = excerpt(done.out.strip() or done.err.strip(), 80)
            raise ApplyFailed(f"applying {what}: kubectl's answer is not JSON ({shown})") from None

    def _live(self, objects: Sequence[Object]) -> dict[Identity, Data]:
        """The objects as they are now; those that are not there are missing."""
        found: list[Data] = []
        for namespace in dict.fromkeys(one.namespace for one in objects):
            there = [one for one in objects if one.namespace == namespace]
            try:
                found += self._read(there, namespace)
            except Refused as refused:
                if refused.kind in HOPELESS:
                    raise
                # One kind that the cluster does not know hides all others: each alone.
                found += self._one_by_one(there, namespace)
        return {identity(data): data for data in found}

    def _one_by_one(self, objects: Sequence[Object], namespace: str) -> Iterator[Data]:
        for one in objects:
            try:
                yield from self._read([one], namespace)
            except Refused as refused:
                if refused.kind not in ("no kind", "forbidden"):
                    raise

    def _read(self, objects: Sequence[Object], namespace: str) -> list[Data]:
        asked = ["get", "--ignore-not-found", "--output=json", "--filename=-"]
        stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": [_named(one.data) for one in objects]})
        return self._kubectl.items("reading what is there", *asked, stdin=stdin.encode(), namespace=namespace)


def _named(data: Data) -> Data:
    """As much of it as names it."""
    meta = {key: data["metadata"][key] for key in ("name", "namespace") if key in data["metadata"]}
    return {"apiVersion": data["apiVersion"], "kind": data["kind"], "metadata": meta}


def _told(what: str, found: Sequence[Conflict]) -> str:
    fields = "; ".join(f"{excerpt(one.field, 200)} is managed by '{excerpt(one.manager, 63)}'" for one in found)
    return (
        f"applying {what}: {len(found)} conflict{'s' * (len(found) > 1)}: {excerpt(fields, SHOWN)} - leave these "
        f"fields out of the spec, let the other manager give them up, or take them over with --force-conflicts"
    )


def _line(change: Change, number: int, count: int) -> str:
    return f"{number}/{count} {change.what}: {change.outcome}" + (f" ({change.message})" if change.message else "")


def _content(data: Data) -> Data:
    """What somebody wrote into it."""
    meta = {key: value for key, value in data.get("metadata", {}).items() if key not in _SERVERS_OWN}
    return {**{key: value for key, value in data.items() if key != "status"}, "metadata": meta}


def _compared(data: Data, live: Data | None) -> Any:
    if live is None:
        return "created"
    return "unchanged" if _within(data, live) else "changed"


def _within(given: Any, live: Any) -> bool:
    """Whether all that is given stands there already, beside what the API server added."""
    if isinstance(given, dict):
        return isinstance(live, dict) and all(key in live and _within(value, live[key]) for key, value in given.items())
    if isinstance(given, list):
        same = isinstance(live, list) and len(live) == len(given)
        return same and all(_within(one, other) for one, other in zip(given, live, strict=True))
    return bool(given == live)

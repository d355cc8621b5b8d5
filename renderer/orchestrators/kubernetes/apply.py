"""Server-side apply: one call of kubectl for the objects of one stage, and the outcome of each object.

kubectl goes on after a refusal, and its output names what was applied. What is missing there is sent again alone, so
that each refusal has its own message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from renderer.errors import ApplyFailed, McpctlError, WaitTimedOut, excerpt, noting
from renderer.kinds import in_order
from renderer.labels import SERVER_LABEL
from renderer.manifest import Identity, annotations_of, identity, labels_of
from renderer.orchestrators.contract import MANAGED_LABEL, OWNER_LABEL, ApplyOptions, Change, Progress, owner_value
from renderer.orchestrators.failures import Refused
from renderer.orchestrators.kubernetes.adoption import is_taken_over, take_over
from renderer.orchestrators.kubernetes.client import Data, Kubectl, as_object
from renderer.orchestrators.kubernetes.failures import HOPELESS, conflict_text, conflicts, warnings
from renderer.orchestrators.kubernetes.objects import (
    CREATED,
    Object,
    claims_to_grow,
    compared,
    effects_of_adoption,
    governs,
    marked,
    others_in,
    stamped,
    subject_of,
)

#: Our name in ``managedFields``.
MANAGER = "mcpctl"
#: Managers that applied the same objects, from ``mcpctl render``: on managed objects mcpctl takes over their fields.
_KUBECTL_APPLY = ("kubectl", "kubectl-client-side-apply")
#: Written by the API server.
_SERVERS_OWN = ("resourceVersion", "managedFields", "generation", "creationTimestamp", "uid", "selfLink")


class Application:
    """One run over all objects. After a refusal the later stages leave out its server.

    The other servers go on; a refused object that servers share ends the run.
    """

    def __init__(self, kubectl: Kubectl, options: ApplyOptions, tell: Progress, now: str) -> None:
        self._kubectl = kubectl
        self._options = options
        self._tell = tell
        self._now = now
        self._home = kubectl.namespace
        self._live: dict[Identity, Data] = {}
        self._changes: dict[Identity, Change] = {}
        #: Objects as they are, or with a dry run as they would be, after they were applied.
        self._answers: dict[Identity, Data] = {}
        self._refused_servers: set[str] = set()
        #: Namespaces that a dry run has not created; and of each known namespace whether it is somebody else's.
        self._absent: set[str] = set()
        self._foreign: dict[str, bool] = {}
        self._over = False
        self._objects: Sequence[Object] = ()

    def run(self, objects: Sequence[Object]) -> list[Change]:
        """Each object's outcome, in order. Raises only what ends a whole run (Ctrl-C), after printing what was
        applied.
        """
        done: list[Object] = []
        self._objects = objects
        try:
            with noting(lambda: self._standing(done)):
                self._live = self._read_all(objects)
                for _, stage in groupby(objects, key=lambda each: in_order(each.kind)[0]):
                    tried = [each for each in stage if not (self._over or _server(each) in self._refused_servers)]
                    done += self._apply_stage(tried)
                    if tried:
                        self._tell(f"{len(done)}/{len(objects)} objects applied")
                self._compare(done)
        except McpctlError as error:
            first = next((each for each in objects if each.identity not in self._changes), objects[0])
            self._fail(first, error.message)
        except KeyboardInterrupt:
            self._tell(
                f"interrupted: {len(done)} of {len(objects)} objects were applied; run the command again to continue"
            )
            raise
        for each in objects:
            self._changes.setdefault(each.identity, Change(subject_of(each.data, self._home), "not tried"))
        changes = [self._changes[each.identity] for each in objects]
        for number, change in enumerate(changes, 1):
            # Refusals are printed at the end of the run.
            message = f" ({change.message})" if change.message and change.outcome != "failed" else ""
            self._tell(f"{number}/{len(changes)} {change.subject}: {change.outcome}{message}")
        return changes

    def _standing(self, done: Sequence[Object]) -> str:
        known = [each for each in self._objects if each in done or each.identity in self._answers]
        names = ", ".join(subject_of(each.data, self._home) for each in known)
        again = "; run the command again to continue" if known else ""
        return f"{len(known)} of {len(self._objects)} objects were applied{f' ({names})' if names else ''}{again}"

    def _say(self, each: Object, outcome: Any, message: str = "") -> None:
        self._changes[each.identity] = Change(subject_of(each.data, self._home), outcome, message)

    def _fail(self, each: Object, message: str) -> None:
        self._say(each, "failed", message)
        server = _server(each)
        self._refused_servers |= {server} if server else set()
        self._over = self._over or not server

    def _apply_stage(self, stage: Sequence[Object]) -> list[Object]:
        """The objects that were applied; the outcome of the others is known then."""
        ready = [(each, data) for each in stage for data in self._prepared(each)]
        done: list[Object] = []

        def namespace(pair: tuple[Object, Data]) -> str:
            return pair[0].namespace or self._home

        for _, pairs in groupby(sorted(ready, key=namespace), key=namespace):
            some = list(pairs)
            names = self._send_all([data for _, data in some])
            done += [each for each, data in some if _name(data) in names]
            for each, data in some:
                if _name(data) in names:
                    continue
                if self._over:
                    break
                done += [each] if self._send_alone(each, data) else []
        return done

    def _prepared(self, each: Object) -> Iterator[Data]:
        """What is sent for the object; nothing where it is refused or already handled here."""
        live = self._live.get(each.identity)
        mine, theirs = owner_value(self._options.owner), labels_of(live or {}).get(OWNER_LABEL, "")
        if each.namespace in self._absent:
            self._say(each, "not tried", "its namespace does not exist yet, and a dry run does not create it")
        elif each.kind == "Namespace":
            yield from self._namespace(each, live)
        elif governs(each) and MANAGED_LABEL not in labels_of(live or {}) and self._is_foreign(each.namespace):
            text = f"it would apply to everything in {each.namespace}, which mcpctl did not create"
            if _server(each):  # its pods must not run without the walls of their sandbox
                advice = "use a sandbox.namespace that nobody else uses, or add --adopt-namespace"
                self._fail(each, f"{subject_of(each.data, self._home)}: {text}: {advice}")
            else:
                self._say(each, "not tried", text)
        elif mine and theirs not in ("", mine) and not self._options.force_conflicts:
            # What another tree or project applied is not taken over in silence: its prune and ours would fight.
            self._fail(
                each,
                f"{subject_of(each.data, self._home)} belongs to '{excerpt(theirs, 63)}' ({OWNER_LABEL}), not to "
                f"'{mine}': apply it from there, or take it over with --force-conflicts",
            )
        else:
            yield from self._stamped(each, live)

    def _stamped(self, each: Object, live: Data | None) -> Iterator[Data]:
        data = stamped(each, live, self._options.owner, self._home, self._now)
        if self._options.dry_run == "client":
            self._say(each, compared(data, live), "compared on this machine; the server was not asked")
        elif is_taken_over(each, live) and self._options.dry_run == "none":
            subject = subject_of(each.data, self._home)
            try:
                others = take_over(self._kubectl, each, subject, MANAGER)
            except (ApplyFailed, WaitTimedOut) as error:
                self._fail(each, error.message)
                return
            self._tell(f"taking over {subject}{f' from {others}' if others else ''}")
            yield data
        else:
            yield data

    def _namespace(self, each: Object, live: Data | None) -> Iterator[Data]:
        """One that mcpctl did not create is used and never changed; a rendered label proves nothing."""
        name = each.identity[2]
        ours = live is not None and CREATED in annotations_of(live)
        self._foreign[name] = live is not None and not ours
        if self._is_foreign(name):
            text = "was there before: used as it is, and never changed or deleted; --adopt-namespace "
            effects = self._adoption(name, live) if live and self._options.dry_run != "none" else ()
            self._say(each, "unchanged", text + ("; ".join(effects) or "makes it ours"))
            return
        if live is not None and not ours and (effects := self._adoption(name, live)):
            self._tell(f"adopting {subject_of(each.data, self._home)}: {'; '.join(effects)}")
        data = marked(each.data, {}, {CREATED: annotations_of(live or {}).get(CREATED, self._now)})
        if self._options.dry_run == "client":
            self._say(each, compared(data, live), "compared on this machine; the server was not asked")
        elif live is not None:
            yield data
        else:
            self._create(each, data)

    def _is_foreign(self, name: str) -> bool:
        """Whether mcpctl does not manage the namespace; reads one that is not rendered, once."""
        if name not in self._foreign:
            args = ["get", f"namespaces/{name}", "--ignore-not-found", "--output=json"]
            try:
                there = self._kubectl.items(f"reading the namespace {name}", *args)
            except Refused as refused:
                if refused.kind != "forbidden":
                    raise
                self._foreign[name] = True
            else:
                self._foreign[name] = any(CREATED not in annotations_of(live) for live in there)
        return self._foreign[name] and not self._options.adopt_namespace

    def _adoption(self, name: str, live: Data) -> Sequence[str]:
        try:
            others = others_in(self._kubectl, name)
        except Refused:  # doctor reports who may not list pods; apply does not need it
            others = []
        return effects_of_adoption(live, others, self._objects)

    def _create(self, each: Object, data: Data) -> None:
        """Not applied: whoever creates it at the same time keeps it."""
        args = ["create", f"--field-manager={MANAGER}", "--output=name", *self._dry(), "--filename=-"]
        doing = f"creating {subject_of(data, self._home)}"
        try:
            done = self._kubectl.call(doing, *args, stdin=json.dumps(data).encode())
            if _name(data) not in done.out.split():
                answer = excerpt(done.out.strip() or done.err.strip(), 80)
                raise ApplyFailed(f"{doing}: kubectl's answer is not the name of the object ({answer})")
        except (ApplyFailed, WaitTimedOut) as error:
            self._fail(each, error.message)
            return
        if self._options.dry_run == "server":
            self._absent.add(each.identity[2])
        self._say(each, "created")

    def _dry(self) -> list[str]:
        return ["--dry-run=server"] if self._options.dry_run == "server" else []

    def _send_all(self, documents: Sequence[Data]) -> frozenset[str]:
        """The names of what was applied. A dry run prints whole objects, and nothing where one is refused."""
        if len(documents) < 2:
            return frozenset()  # sent alone, its refusal has a message
        output = "json" if self._options.dry_run == "server" else "name"
        done = self._kubectl.attempt(
            *self._apply_arguments(output, force=self._options.force_conflicts),
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}).encode(),
            namespace=documents[0]["metadata"].get("namespace", ""),
        )
        if output == "name":
            names = frozenset(done.out.split())
        else:
            items = [] if done.code else list(_items(done.out))
            self._answers |= {identity(item): item for item in items}
            names = frozenset(map(_name, items))
        if len(names) == len(documents):
            self._warn("", done.err)  # else each object is sent again, and warns again
        return names

    def _apply_arguments(self, output: str, *, force: bool) -> list[str]:
        args = ["apply", "--server-side", f"--field-manager={MANAGER}", f"--output={output}"]
        return [*args, *(["--force-conflicts"] if force else []), *self._dry(), "--filename=-"]

    def _warn(self, subject: str, output: str) -> None:
        for warning in warnings(output):
            self._tell(f"warning: {subject}: {warning}" if subject else f"warning: {warning}")

    def _send_alone(self, each: Object, data: Data) -> bool:
        """Whether it was applied; if not, its message is in the changes."""
        subject = subject_of(data, self._home)
        try:
            self._answers[each.identity] = self._forced_where_ours(each, data, subject)
        except (ApplyFailed, WaitTimedOut) as error:
            kind = error.kind if isinstance(error, Refused) else ""
            self._over = self._over or kind in HOPELESS
            grow = claims_to_grow(data, self._live[each.identity]) if kind == "stateful set" else ""
            self._fail(each, f"applying {subject}: {grow}" if grow else error.message)
            return False
        return True

    def _forced_where_ours(self, each: Object, data: Data, subject: str) -> Data:
        try:
            return self._send(data, subject, force=self._options.force_conflicts)
        except Refused as refused:
            conflicting = conflicts(refused.output) if refused.kind == "conflict" else []
            if not conflicting:
                raise
            live = self._live.get(each.identity)
            ours = MANAGED_LABEL in labels_of(live or {})
            # A stop or a start scaled it under our own name, or the same manifests were piped into kubectl: nobody else
            # loses anything. A scale by hand is respected.
            own = {MANAGER, *(_KUBECTL_APPLY if ours else ())}
            others = [c for c in conflicting if c.manager not in own or (c.subresource and c.manager != MANAGER)]
            if is_taken_over(each, live) or not others:
                return self._send(data, subject, force=True)
            raise Refused(conflict_text(subject, conflicting), kind="conflict", output=refused.output) from None

    def _send(self, data: Data, subject: str, *, force: bool) -> Data:
        done = self._kubectl.call(
            f"applying {subject}",
            *self._apply_arguments("json", force=force),
            stdin=json.dumps(data).encode(),
            namespace=data["metadata"].get("namespace", ""),
            secret=data["kind"] == "Secret",
        )
        self._warn(subject, done.err)
        objects = list(_items(done.out))
        if not objects:
            answer = excerpt(done.out.strip() or done.err.strip(), 80)
            raise ApplyFailed(f"applying {subject}: kubectl's answer is not JSON ({answer})")
        return objects[0]

    def _compare(self, done: Sequence[Object]) -> None:
        """By the content before and after, as a controller may have written a status in between."""
        unknown = [each for each in done if each.identity not in self._answers]
        if unknown and self._options.dry_run == "none":
            self._answers |= self._read_all(unknown)
        for each in done:
            live, after = self._live.get(each.identity), self._answers.get(each.identity)
            if live is None:
                self._say(each, "created")
                continue
            adopted = MANAGED_LABEL not in labels_of(live)
            same = after is not None and _content(after) == _content(live)
            text = "was there before, and is managed by mcpctl now" if adopted else ""
            self._say(each, "unchanged" if same else "changed", text)

    def _read_all(self, objects: Sequence[Object]) -> dict[Identity, Data]:
        """The objects as they are now; those that do not exist are missing."""
        live: list[Data] = []
        for namespace in dict.fromkeys(each.namespace or self._home for each in objects):
            there = [each for each in objects if (each.namespace or self._home) == namespace]
            try:
                live += self._read(there, namespace)
            except Refused as refused:
                if refused.kind in HOPELESS:
                    raise
                # One kind that the cluster does not serve, or that may not be read, hides all others.
                for kind in dict.fromkeys(each.kind for each in there):
                    live += self._read_kind([each for each in there if each.kind == kind], namespace)
        return {identity(data): data for data in live}

    def _read_kind(self, objects: Sequence[Object], namespace: str) -> list[Data]:
        try:
            return self._read(objects, namespace)
        except Refused as refused:
            if refused.kind not in ("no kind", "forbidden"):
                raise
            return []

    def _read(self, objects: Sequence[Object], namespace: str) -> list[Data]:
        args = ["get", "--ignore-not-found", "--output=json", "--filename=-"]
        items = []
        for each in objects:
            meta = {key: value for key, value in each.data["metadata"].items() if key in ("name", "namespace")}
            items.append({"apiVersion": each.data["apiVersion"], "kind": each.kind, "metadata": meta})
        stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
        return self._kubectl.items("reading the objects", *args, stdin=stdin, namespace=namespace)


def _server(each: Object) -> str:
    """Empty for what servers share."""
    return labels_of(each.data).get(SERVER_LABEL, "")


def _name(data: Data) -> str:
    """As ``--output=name`` prints it."""
    group = data["apiVersion"].rpartition("/")[0]
    return f"{data['kind'].lower()}{'.' if group else ''}{group}/{data['metadata']['name']}"


def _items(text: str) -> Iterator[Data]:
    """The objects that kubectl printed; none where that is no valid JSON: they are read again."""
    try:
        data = json.loads(text)
        yield from [as_object(item, "") for item in data.get("items", [data])]
    except (ValueError, RecursionError, TypeError, AttributeError, ApplyFailed):
        return


def _content(data: Data) -> Data:
    """Without fields that only the API server writes."""
    meta = {key: value for key, value in data.get("metadata", {}).items() if key not in _SERVERS_OWN}
    return {**{key: value for key, value in data.items() if key != "status"}, "metadata": meta}

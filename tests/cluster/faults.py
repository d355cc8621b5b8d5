"""What can go wrong, on demand: rules that say for which requests, and what happens instead."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.cluster.answers import Answer, Refused, of_json
from tests.cluster.kinds import Json


@dataclass(frozen=True)
class Where:
    """The requests that a rule is for; patterns as in file names.

    Outside of resources (/version, discovery) the verb is ``get`` and the resource is the path. An apply is the verb
    ``apply``, and a rule for ``patch`` is for it too. The first ``skip`` such requests pass, then ``times`` are met.
    """

    verb: str = "*"
    resource: str = "*"
    name: str = "*"
    namespace: str = "*"
    skip: int = 0
    times: int | None = None

    def fits(self, verb: str, resource: str, name: str, namespace: str) -> bool:
        verbs = {verb, "patch"} if verb == "apply" else {verb}
        return any(fnmatchcase(known, self.verb) for known in verbs) and all(
            fnmatchcase(found, wanted)
            for found, wanted in ((resource, self.resource), (name, self.name), (namespace, self.namespace))
        )


@dataclass(frozen=True)
class Effect:
    """What happens; the parts that are given are all done, in the order of this list."""

    delay: float = 0
    #: Nothing more until ``Faults.release``.
    hang: bool = False
    #: The server ends, as it were killed.
    stop: bool = False
    #: The connection ends without an answer.
    drop: bool = False
    answer: Answer | None = None
    #: The connection ends in the middle of the answer.
    cut: bool = False
    warning: str = ""
    forbids: bool = False


class Faults:
    """The rules in force. All take the fields of Where."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[tuple[Where, Effect]] = []
        self._met: dict[int, int] = {}
        self._released = threading.Event()

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self._met.clear()

    def add(self, effect: Effect, **where: str | int) -> None:
        with self._lock:
            self._rules.append((Where(**where), effect))  # type: ignore[arg-type]

    def effects(self, verb: str, resource: str, name: str, namespace: str) -> list[Effect]:
        """Of one request; counts it."""
        with self._lock:
            return [
                effect
                for index, (where, effect) in enumerate(self._rules)
                if where.fits(verb, resource, name, namespace) and self._due(index, where)
            ]

    def _due(self, index: int, where: Where) -> bool:
        met = self._met[index] = self._met.get(index, 0) + 1
        return met > where.skip and (where.times is None or met <= where.skip + where.times)

    def allowed(self, attributes: Json) -> bool:
        """For ``kubectl auth can-i``: what no rule of ``forbid`` denies."""
        resource: str = attributes.get("resource") or attributes.get("path", "")
        if attributes.get("subresource"):
            resource += f"/{attributes['subresource']}"
        verb, name, home = (str(attributes.get(part, "")) for part in ("verb", "name", "namespace"))
        with self._lock:
            return not any(effect.forbids and where.fits(verb, resource, name, home) for where, effect in self._rules)

    def wait(self) -> None:
        self._released.wait()

    def release(self) -> None:
        """Let what hangs go on; nothing hangs from then on."""
        self._released.set()

    # --- the faults by name ---

    def delay(self, seconds: float, **where: str | int) -> None:
        self.add(Effect(delay=seconds), **where)

    def hang(self, **where: str | int) -> None:
        self.add(Effect(hang=True), **where)

    def stop(self, **where: str | int) -> None:
        """The server is gone at the (skip + 1)th request. ``Cluster.start`` brings it back; without ``times=1`` it goes
        again."""
        self.add(Effect(stop=True), **where)

    def drop(self, **where: str | int) -> None:
        self.add(Effect(drop=True), **where)

    def cut(self, **where: str | int) -> None:
        self.add(Effect(cut=True), **where)

    def reply(self, code: int, reason: str, message: str, **where: str | int) -> None:
        self.add(Effect(answer=status(code, reason, message)), **where)

    def unauthorized(self, **where: str | int) -> None:
        self.reply(401, "Unauthorized", "Unauthorized", **where)

    def forbid(self, **where: str | int) -> None:
        """403, and ``can-i`` says no."""
        verb, resource = where.get("verb", "*"), where.get("resource", "*")
        message = f'{resource} is forbidden: User "tester" cannot {verb} resource "{resource}"'
        self.add(Effect(answer=status(403, "Forbidden", message), forbids=True), **where)

    def conflict(self, **where: str | int) -> None:
        self.reply(409, "Conflict", "the object has been modified; please apply your changes to the latest", **where)

    def broken(self, **where: str | int) -> None:
        self.reply(500, "InternalError", "Internal error occurred: etcdserver: no leader", **where)

    def quota(self, resource: str, **where: str | int) -> None:
        """New objects of the resource are over the quota."""
        message = (
            f'{resource} "any" is forbidden: exceeded quota: mcp, requested: count/{resource}=1, '
            f"used: count/{resource}=2, limited: count/{resource}=2"
        )
        for verb in ("apply", "create"):
            self.reply(403, "Forbidden", message, verb=verb, resource=resource, **where)

    def garbled(self, **where: str | int) -> None:
        """An answer that is no JSON, though it says so."""
        self.add(Effect(answer=Answer(200, b"<html>\x00\xff not JSON")), **where)

    def huge(self, size: int, **where: str | int) -> None:
        """An answer with a ConfigMap of ``size`` bytes."""
        data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "huge"}, "data": {"x": "x" * size}}
        self.add(Effect(answer=of_json(data)), **where)

    def warn(self, text: str, **where: str | int) -> None:
        """A Warning header, as Pod Security sends: ``would violate PodSecurity "restricted:latest": …``."""
        self.add(Effect(warning=text), **where)


def status(code: int, reason: str, message: str) -> Answer:
    return of_json(Refused(code, reason, message).status, code)

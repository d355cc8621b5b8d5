"""What can go wrong, on demand: the table of faults, and rules that say which requests meet one."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.cluster.kinds import Json
from tests.cluster.requests import Answer, Refused

_ANSWERS = {
    "broken": (500, "InternalError", "Internal error occurred: etcdserver: no leader"),
    "forbidden": (403, "Forbidden", '{resource} is forbidden: User "tester" cannot {verb} resource "{resource}"'),
    "modified": (409, "Conflict", "the object has been modified; please apply your changes to the latest"),
    "quota": (403, "Forbidden", '{resource} "any" is forbidden: exceeded quota: mcp, used: 2, limited: 2'),
    "limit-range": (
        403,
        "Forbidden",
        '{resource} "any" is forbidden: [maximum cpu usage per Container is 50m, but limit is 500m, maximum memory '
        "usage per Container is 16Mi, but limit is 512Mi]",
    ),
    "pod-security": (
        403,
        "Forbidden",
        '{resource} "any" is forbidden: violates PodSecurity "restricted:v1.35": allowPrivilegeEscalation != false '
        '(container "mcp-server" must set securityContext.allowPrivilegeEscalation=false)',
    ),
    "resize": (
        403,
        "Forbidden",
        '{resource} "any" is forbidden: Only bound persistent volume claims can be expanded',
    ),
    "unauthorized": (401, "Unauthorized", "Unauthorized"),
}
#: The answers above, and: ``answer`` a body that the test gives, ``cut`` an answer that ends in its middle, ``drop`` a
#: connection that ends without one, ``garbled`` one that is not the JSON it says it is, ``hang`` none until the cluster
#: stops, ``stop`` the end of the server as if it were killed (``Cluster.start`` brings it back), ``warn`` a header
#: Warning.
NAMES = frozenset(_ANSWERS) | {"answer", "cut", "drop", "garbled", "hang", "stop", "warn"}


@dataclass
class Rule:
    """Which requests meet a fault: patterns as in file names, after ``skip`` of them.

    Outside of resources (/version, discovery) the verb is ``get`` and the resource is the path. An apply is the verb
    ``apply``, and a rule for ``patch`` is for it too.
    """

    fault: str
    text: str = ""
    verb: str = "*"
    resource: str = "*"
    name: str = "*"
    namespace: str = "*"
    skip: int = 0

    def fits(self, verb: str, *rest: str) -> bool:
        verbs = {verb, "patch"} if verb == "apply" else {verb}
        wanted = (self.resource, self.name, self.namespace)
        return any(fnmatchcase(each, self.verb) for each in verbs) and all(map(fnmatchcase, rest, wanted))

    @property
    def answer(self) -> Answer | None:
        if self.fault in _ANSWERS:
            code, reason, message = _ANSWERS[self.fault]
            return Refused(code, reason, message.format(verb=self.verb, resource=self.resource)).answer
        bodies = {"answer": self.text.encode(), "garbled": b"<html>\x00\xff not JSON"}
        return Answer(200, bodies[self.fault]) if self.fault in bodies else None


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.released = threading.Event()

    def add(self, fault: str, text: str = "", *, skip: int = 0, **where: str) -> None:
        """One of NAMES, for the requests that fit verb, resource, name and namespace."""
        assert fault in NAMES
        with self._lock:
            self._rules.append(Rule(fault, text, skip=skip, **where))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def met(self, verb: str, resource: str, name: str, namespace: str) -> list[Rule]:
        """By one request; counts it."""
        with self._lock:
            fitting = [rule for rule in self._rules if rule.fits(verb, resource, name, namespace)]
            due = [rule for rule in fitting if rule.skip == 0]
            for rule in fitting:
                rule.skip = max(0, rule.skip - 1)
            return due

    def may_meet(self, verb: str, resource: str, name: str, namespace: str) -> bool:
        """Whether such a request may meet one, now or later; counts nothing."""
        with self._lock:
            return any(rule.fits(verb, resource, name, namespace) for rule in self._rules)

    def refusal(self, verb: str, resource: str, name: str, namespace: str) -> Answer | None:
        """The answer to such a request where it is that a right is missing, now and always."""
        with self._lock:
            rules = [rule for rule in self._rules if rule.fits(verb, resource, name, namespace)]
        return rules[0].answer if all(rule.fault == "forbidden" and not rule.skip for rule in rules) else None

    @property
    def elsewhere(self) -> bool:
        """Whether requests outside of resources may meet one: /version and discovery."""
        with self._lock:
            rules = list(self._rules)
        return any(rule.resource.startswith("/") or rule.fits("get", "/api", "", "") for rule in rules)

    def allowed(self, attributes: Json) -> bool:
        """For reviews of access: what no rule forbids."""
        resource = "/".join(filter(None, (attributes.get("resource"), attributes.get("subresource"))))
        verb, name, home = (attributes.get(part, "") for part in ("verb", "name", "namespace"))
        with self._lock:
            return not any(rule.fault == "forbidden" and rule.fits(verb, resource, name, home) for rule in self._rules)

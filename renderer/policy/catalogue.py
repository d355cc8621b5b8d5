"""The table of policy rules. What each means, why, and how to mend or accept it: ``docs/rules.md``.

A new rule is a row here, its section there, its id in the schema's ``spec.accept[].rule``, and the check
that yields it, in ``spec.py`` or ``documents.py``. Tests hold the four together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Level = Literal["error", "warning", "off"]
#: As ``--policy RULE=LEVEL`` takes them.
LEVELS: tuple[Level, ...] = ("error", "warning", "off")


class Rule(NamedTuple):
    """``about`` in a few words what is found; ``targets`` in whose output: none where the spec tells everything.

    ``admission``: the Namespace that is rendered refuses it as well, so accepting it there would only
    delay the error. ``waived_only``: no run can lower it, only a spec with its reason.
    """

    level: Level
    about: str
    targets: tuple[str, ...] = ()
    admission: bool = False
    waived_only: bool = False


_BOTH = ("kubernetes", "compose")

RULES: Mapping[str, Rule] = {
    "policy/cluster-wide-rights": Rule("error", "rights in the whole cluster beyond those that are named"),
    "policy/data-of-others": Rule("error", "a claim that is, takes or copies data of others", ("kubernetes",)),
    "policy/docker-socket": Rule("error", "the socket of the container runtime mounted", _BOTH, admission=True),
    "policy/exposed-without-access": Rule("error", "a server open to everybody outside of the cluster"),
    "policy/guard-passed": Rule("error", "a way to a server past its guard, or a guard that a patch changes", _BOTH),
    "policy/high-entropy": Rule("warning", "a literal as disordered as a key"),
    "policy/host-path": Rule("error", "a folder of the machine mounted", _BOTH, admission=True),
    "policy/image-digest": Rule("off", "an image without a digest"),
    "policy/image-tag": Rule("error", "an image without a tag, or with one that moves"),
    "policy/ingress-tls": Rule("warning", "an Ingress without TLS"),
    "policy/limits": Rule("warning", "a container without a limit of CPU or memory", _BOTH),
    "policy/loader-variable": Rule("error", "a variable that decides which programs or libraries run"),
    "policy/pod-security": Rule(
        "error", "a pod or service below Pod Security 'restricted'", _BOTH, admission=True, waived_only=True
    ),
    "policy/privileged": Rule(
        "error", "a privileged container, or the machine's own network, processes or memory", _BOTH, admission=True
    ),
    "policy/published-everywhere": Rule("warning", "a port open to every network of the machine, or of the cluster"),
    "policy/secret-argument": Rule("warning", "a secret among the arguments of a process"),
    "policy/secret-literal": Rule("error", "a secret in clear"),
    "policy/service-account-token": Rule("warning", "a token of the Kubernetes API that nothing needs"),
    "policy/stateful-replicas": Rule("warning", "several pods of a server that keeps sessions"),
    "policy/unlocked-package": Rule("warning", "a package without a lock: each start takes the newest dependencies"),
    "policy/unrestricted-egress": Rule("warning", "a server that may connect to every address"),
    "policy/wide-rights": Rule("error", "rights in a namespace beyond those that are named"),
}

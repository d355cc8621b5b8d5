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
    """``targets`` in whose output it may be found; empty where the spec alone tells everything."""

    level: Level
    targets: tuple[str, ...] = ()


_BOTH = ("kubernetes", "compose")

RULES: Mapping[str, Rule] = {
    "policy/cluster-wide-rights": Rule("error", ("kubernetes",)),
    "policy/docker-socket": Rule("error", _BOTH),
    "policy/high-entropy": Rule("warning"),
    "policy/host-path": Rule("error", _BOTH),
    "policy/image-digest": Rule("off"),
    "policy/image-tag": Rule("warning"),
    "policy/ingress-tls": Rule("warning"),
    "policy/limits": Rule("warning", _BOTH),
    "policy/loader-variable": Rule("error"),
    "policy/privileged": Rule("error", _BOTH),
    "policy/published-everywhere": Rule("warning"),
    "policy/secret-literal": Rule("error"),
    "policy/service-account-token": Rule("warning"),
    "policy/stateful-replicas": Rule("warning"),
    "policy/unrestricted-egress": Rule("off"),
}

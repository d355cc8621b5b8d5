"""Stage 2, validate: every fault of a spec at once, against the schema and across fields."""

from __future__ import annotations

from functools import cache

from renderer import assets
from renderer.errors import Problem
from renderer.model import Server, Source
from renderer.schemas import Schema
from renderer.validate.across import across_servers
from renderer.validate.network import NETWORK_RULES as _NETWORK_RULES
from renderer.validate.operations import RULES as _OPERATIONS_RULES
from renderer.validate.pod import RULES as _POD_RULES
from renderer.validate.rules import RULES as _RULES
from renderer.validate.sandbox import RULES as _SANDBOX_RULES

__all__ = ["RULES", "across_servers", "validate_rules", "validate_source"]

#: In the order in which they are told when they stand on one line.
RULES = (*_RULES, *_NETWORK_RULES, *_POD_RULES, *_OPERATIONS_RULES, *_SANDBOX_RULES)


def validate_source(source: Source) -> list[Problem]:
    """The faults of one document against ``schemas/mcpserver.schema.json``.

    Of another kind of document only that is told: all its other fields would be unknown too.
    """
    faults = _schema().faults(source.data, "schema")
    of_kind = [fault for fault in faults if fault.path in (("apiVersion",), ("kind",)) and fault.rule != "schema/type"]
    return [source.problem(fault) for fault in of_kind or faults]


def validate_rules(server: Server) -> list[Problem]:
    """The faults of one server between its fields: what no schema can say, each with its reason."""
    return [server.problem(fault) for rule in RULES for fault in rule(server)]


@cache
def _schema() -> Schema:
    return Schema(assets.schema("mcpserver"))

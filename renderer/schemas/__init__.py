"""JSON Schemas, compiled once, whose errors become Faults in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from renderer.errors import Fault


class Schema:
    """A compiled schema.

    ``document`` is the schema itself. ``resources`` are further schemas by the URI under which ``$ref``
    names them; nothing is ever fetched. ``show_values`` says whether messages may quote what the document holds:
    never where the schema marks a place ``x-secret``, and nowhere at all when it is false.

    Annotations that the messages use: ``x-expected`` (what a pattern or a ``not`` asks for, in words), ``x-unit``
    and ``x-too-low`` (of a number), ``x-secret``, ``x-instead`` (hints for unknown fields), and ``title`` of the
    branches of a choice.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        resources: Mapping[str, Mapping[str, Any]] | None = None,
        show_values: bool = True,
    ) -> None:
        self.document = document
        self.resources = resources or {}
        self.show_values = show_values
        registry = jsonschema_rs.Registry([(u, dict(d)) for u, d in self.resources.items()])
        self._validator = jsonschema_rs.validator_for(
            dict(document), registry=registry, validate_formats=False, offline=True
        )

    def is_valid(self, instance: Any) -> bool:
        """Whether nothing is wrong: microseconds, so ask this first."""
        return self._validator.is_valid(instance)

    def faults(self, instance: Any, rule_prefix: str) -> list[Fault]:
        """Everything that is wrong, sorted by path; rules are ``<rule_prefix>/unknown-field`` and so on."""
        if self.is_valid(instance):
            return []
        from renderer.schemas.messages import Messages  # 3 ms, which only a document with faults pays

        messages = Messages(self.document, self.resources, rule_prefix, self.show_values)
        return messages.faults(self._validator.iter_errors(instance))

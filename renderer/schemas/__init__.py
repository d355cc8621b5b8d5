"""JSON Schemas, compiled once, whose errors are told in plain words as Faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from renderer.errors import Fault


class Schema:
    """A compiled schema.

    ``document`` is the schema itself. ``resources`` are further schemas by the URI under which ``$ref``
    names them; nothing is ever fetched. ``formats`` makes ``format`` a rule instead of a remark.
    ``show_values`` says whether messages may quote what was given: never where the schema marks a
    place ``x-secret``, and nowhere at all when it is false.

    Annotations that the messages use: ``x-expected`` (what a pattern, a format or a ``not`` wants, in
    words), ``x-unit`` (of a number), ``x-secret``, and ``title`` of the branches of a choice.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        resources: Mapping[str, Mapping[str, Any]] | None = None,
        formats: bool = False,
        show_values: bool = True,
    ) -> None:
        self.document = document
        self.resources = resources or {}
        self.show_values = show_values
        registry = jsonschema_rs.Registry([(u, dict(d)) for u, d in self.resources.items()])
        self._validator = jsonschema_rs.validator_for(
            dict(document), registry=registry, validate_formats=formats, offline=True
        )

    def is_valid(self, instance: Any) -> bool:
        """Whether nothing is wrong: microseconds, so ask this first."""
        return self._validator.is_valid(instance)

    def faults(self, instance: Any, rule_prefix: str) -> list[Fault]:
        """Everything that is wrong, sorted by path; rules are ``<rule_prefix>/unknown-field`` and so on."""
        if self.is_valid(instance):
            return []
        from renderer.schemas.messages import Teller  # only a faulty document pays for the words

        teller = Teller(self.document, self.resources, rule_prefix, self.show_values)
        return teller.tell(self._validator.iter_errors(instance))

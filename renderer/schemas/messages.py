"""Errors of the schema evaluator, told as Faults: one row of a table for every keyword."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema_rs import ValidationError

from renderer.errors import DocumentPath, Fault
from renderer.schemas.branches import nearest_branch, only_missing, required_of, wanted, wrong_discriminator
from renderer.schemas.sites import Atlas, Node, Site
from renderer.schemas.wording import either, every, excerpt, suggestion, type_word, type_words

#: More allowed values than this are not listed.
_LISTED_VALUES = 12

_FORMATS = {
    "date-time": "a date and time such as 2026-01-31T12:00:00Z",
    "date": "a date such as 2026-01-31",
    "uri": "an absolute URI such as https://example.com/",
    "email": "an e-mail address",
    "hostname": "a host name",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "regex": "a regular expression",
    "uuid": "a UUID",
}

_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "minLength": "at least",
    "maxLength": "at most",
    "minItems": "at least",
    "maxItems": "at most",
    "minProperties": "at least",
    "maxProperties": "at most",
}

_COUNTED = {"Length": "character", "Items": "item", "Properties": "field"}


def sort_key(path: DocumentPath) -> tuple[tuple[bool, int, str], ...]:
    """Orders paths as people read them: ``[2]`` before ``[10]``."""
    return tuple((isinstance(s, int), s if isinstance(s, int) else 0, str(s)) for s in path)


@dataclass(frozen=True, slots=True)
class _Case:
    """One error with what the schema says about its place."""

    error: ValidationError
    site: Site
    path: DocumentPath
    quiet: bool

    @property
    def kind(self) -> Any:
        """The keyword that failed, with what belongs to it (the evaluator has a class for each)."""
        return self.error.kind

    @property
    def value(self) -> Any:
        return self.error.instance

    def got(self) -> str:
        """``, got integer 8080``; without the value where it must not be shown."""
        value = self.value
        if self.quiet or value is None or isinstance(value, dict | list):
            return f", got {type_word(value)}"
        shown = excerpt(value)
        return f", got {shown}" if isinstance(value, bool) else f", got {type_word(value)} {shown}"


class Teller:
    """Turns the errors of one schema into Faults with the rule ids ``<prefix>/<rule>``."""

    def __init__(self, document: Node, resources: Mapping[str, Node], prefix: str, show_values: bool = True) -> None:
        self.atlas = Atlas(document, resources)
        self.prefix = prefix
        self.show_values = show_values

    def tell(self, errors: Iterable[ValidationError]) -> list[Fault]:
        """All Faults, each once, sorted by path."""
        found = {(f.path, f.message): f for error in errors for f in self._faults(error)}
        return sorted(found.values(), key=lambda f: (sort_key(f.path), f.rule, f.message))

    def _case(self, error: ValidationError) -> _Case:
        site = self.atlas.site(error.evaluation_path)
        quiet = site.secret or not self.show_values
        return _Case(error, site, tuple(error.instance_path), quiet)

    def _faults(self, error: ValidationError) -> Iterator[Fault]:
        case = self._case(error)
        return _TELLERS.get(error.kind.name, Teller._other)(self, case)

    def _fault(self, case: _Case, rule: str, message: str, hint: str = "") -> Fault:
        return Fault(case.path, f"{self.prefix}/{rule}", message, hint)

    def _unknown_fields(self, case: _Case) -> Iterator[Fault]:
        known = [n for n in self.atlas.properties(case.site) if n not in case.value]
        # Words that other tools use for the same: what to write here instead, in the schema's own words.
        instead: Mapping[str, str] = case.site.annotation("x-instead") or {}
        for name in case.kind.unexpected:
            hint = instead.get(name.lower(), "")
            message = "unknown field" + ("" if hint else suggestion(name, known))
            yield Fault((*case.path, name), f"{self.prefix}/unknown-field", message, hint, at_key=True)

    def _missing_field(self, case: _Case) -> Iterator[Fault]:
        name, given = case.kind.property, case.value
        needs = case.site.node.get(str(case.error.evaluation_path[-1]))
        triggers = [t for t in needs if t in given and name in needs[t]] if isinstance(needs, dict) else []
        because = f", which {every([excerpt(t) for t in triggers])} cannot do without" if triggers else ""
        message = f"missing field {excerpt(name)}{because}"
        yield Fault(case.path, f"{self.prefix}/missing-field", message, at_key=True)

    def _type(self, case: _Case) -> Iterator[Fault]:
        types, value = case.kind.types, case.value
        if value is None:
            yield self._null(case, type_words(types))
            return
        expected = case.site.annotation("x-expected") if "string" not in types else None
        message = f"expected {expected or type_words(types)}{case.got()}"
        yield self._fault(case, "type", message, _type_hint(types, value, case.quiet))

    def _null(self, case: _Case, expected: str) -> Fault:
        message = f"expected {expected}, got nothing (null)"
        return self._fault(case, "null", message, "give it a value or leave the field out")

    def _enum(self, case: _Case, choice: Sequence[Any] = ()) -> Iterator[Fault]:
        kind = case.kind
        options = choice or (kind.options if kind.name == "enum" else [kind.expected_value])
        listed = [excerpt(o) for o in options[:_LISTED_VALUES] if o is not None]
        more = " or one of the others" if len(options) > _LISTED_VALUES else ""
        value = case.value
        tell = isinstance(value, str) and not case.quiet and len(options) > 1
        near = suggestion(value, options) if tell else ""
        yield self._fault(case, "enum" if choice else kind.name, f"expected {either(listed)}{more}{case.got()}{near}")

    def _text_form(self, case: _Case) -> Iterator[Fault]:
        kind, site = case.kind, case.site
        by_pattern = kind.name == "pattern"
        form = f"text that matches {kind.pattern}" if by_pattern else _FORMATS.get(kind.format, kind.format)
        yield self._fault(case, kind.name, f"expected {site.annotation('x-expected') or form}{case.got()}")

    def _bound(self, case: _Case) -> Iterator[Fault]:
        kind, value = case.kind, case.value
        limit = kind.limit
        counted = next((word for end, word in _COUNTED.items() if kind.name.endswith(end)), "")
        if counted and limit == 1 and kind.name.startswith("min"):
            message = "must not be empty"
        elif counted:
            message = f"must have {_BOUNDS[kind.name]} {_number(limit, counted)}, has {len(value)}"
        else:
            unit = case.site.annotation("x-unit")
            message = f"must be {_BOUNDS[kind.name]} {limit}{f' {unit}' if unit else ''}{case.got()}"
        yield self._fault(case, _kebab(kind.name), message)

    def _multiple(self, case: _Case) -> Iterator[Fault]:
        factor = case.kind.multiple_of
        yield self._fault(case, "multiple-of", f"must be a multiple of {factor}{case.got()}")

    def _repeated(self, case: _Case) -> Iterator[Fault]:
        items = case.value
        first, again = next((i, j) for j in range(len(items)) for i in range(j) if items[i] == items[j])
        message = f"repeats item {first + 1} of the list"
        yield Fault((*case.path, again), f"{self.prefix}/unique-items", message, "remove one of the two")

    def _not(self, case: _Case) -> Iterator[Fault]:
        names = required_of(case.kind.schema)
        # What is wanted instead stands in the refused schema itself, or beside it.
        refused = case.kind.schema
        own = refused.get("x-expected") if isinstance(refused, dict) else None
        expected = own or case.site.annotation("x-expected")
        if expected:
            message = f"expected {expected}"
        elif names:
            quoted = every([excerpt(n) for n in names])
            message = f"field {quoted} is not allowed here" if len(names) == 1 else f"{quoted} exclude each other"
        else:
            message = "this value is not allowed here"
        yield self._fault(case, "not", message)

    def _field_name(self, case: _Case) -> Iterator[Fault]:
        inner: ValidationError = case.kind.error
        name = str(inner.instance)
        at_name = _Case(inner, case.site, (*case.path, name), quiet=False)
        for fault in _TELLERS.get(inner.kind.name, Teller._other)(self, at_name):
            message = f"bad field name: {fault.message}"
            yield Fault(fault.path, f"{self.prefix}/field-name", message, at_key=True)

    def _contains(self, case: _Case) -> Iterator[Fault]:
        expected = case.site.annotation("x-expected") or "another item"
        yield self._fault(case, "contains", f"the list lacks {expected}")

    def _forbidden(self, case: _Case) -> Iterator[Fault]:
        yield Fault(case.path, f"{self.prefix}/unknown-field", "is not allowed here", at_key=True)

    def _choice(self, case: _Case) -> Iterator[Fault]:
        """No branch of a choice fits: tell what is wrong with the one that was most likely meant."""
        context: list[list[ValidationError]] = case.kind.context
        missing = only_missing(context)
        if missing:
            message = f"missing one of the fields {either([excerpt(n) for n in missing])}"
            yield Fault(case.path, f"{self.prefix}/missing-field", message, at_key=True)
        elif (found := wrong_discriminator(context)) is not None:
            yield from self._enum(self._case(found[0]), found[1])
        elif (branch := nearest_branch(context, self.atlas)) is not None:
            for error in branch:
                yield from self._faults(error)
        else:
            yield self._no_branch(case)

    def _no_branch(self, case: _Case) -> Fault:
        branches = case.site.node.get(case.kind.name, ())
        sites = [self.atlas.site([*case.error.evaluation_path, i]) for i in range(len(branches))]
        forms = dict.fromkeys(word for s in sites if (word := wanted(self.atlas, s.node, s.base)))
        expected = ", or ".join(forms) if any(" " in form for form in forms) else either(list(forms))
        if case.value is None:
            return self._null(case, expected)
        shy = _Case(case.error, case.site, case.path, case.quiet or any(s.secret for s in sites))
        types = [t for branch in case.kind.context for e in branch for t in getattr(e.kind, "types", ())]
        hint = _type_hint(types, case.value, shy.quiet)
        return self._fault(shy, "type", f"expected {expected}{shy.got()}", hint)

    def _several(self, case: _Case) -> Iterator[Fault]:
        """More than one branch of a ``oneOf`` fits."""
        branches = case.site.node.get("oneOf", ())
        fitting = [b for b, e in zip(branches, case.kind.context, strict=False) if not e]
        names = [name for branch in fitting for name in required_of(branch)]
        expected = case.site.annotation("x-expected")
        if expected:
            message = f"expected {expected}"
        elif len(names) == len(fitting):
            message = f"only one of the fields {every([excerpt(n) for n in names])} may be given"
        else:
            message = "fits more than one of the allowed forms; only one may be given"
        yield self._fault(case, "one-of", message)

    def _one_of(self, case: _Case) -> Iterator[Fault]:
        return self._choice(case) if all(case.kind.context) else self._several(case)

    def _other(self, case: _Case) -> Iterator[Fault]:
        expected = case.site.annotation("x-expected") or f"what '{case.kind.name}' of the schema asks for"
        yield self._fault(case, _kebab(case.kind.name), f"expected {expected}")


_TELLERS: dict[str, Callable[[Teller, _Case], Iterator[Fault]]] = {
    "additionalProperties": Teller._unknown_fields,
    "unevaluatedProperties": Teller._unknown_fields,
    "required": Teller._missing_field,
    "type": Teller._type,
    "enum": Teller._enum,
    "const": Teller._enum,
    "pattern": Teller._text_form,
    "format": Teller._text_form,
    "multipleOf": Teller._multiple,
    "uniqueItems": Teller._repeated,
    "contains": Teller._contains,
    "not": Teller._not,
    "propertyNames": Teller._field_name,
    "falseSchema": Teller._forbidden,
    "anyOf": Teller._choice,
    "oneOf": Teller._one_of,
    **dict.fromkeys(_BOUNDS, Teller._bound),
}


def _type_hint(types: list[str], value: Any, quiet: bool) -> str:
    """What to write instead, where a change of notation is all it takes."""
    shown = excerpt(value).strip("'")
    if "string" in types and isinstance(value, bool | int | float):
        return "write it in quotes" if quiet else f'write "{shown}" in quotes'
    if isinstance(value, str) and _reads_as(types, value):
        return "write it without quotes" if quiet else f"write {shown} without quotes"
    if "array" in types and not isinstance(value, dict):
        return "write a list, each item on a line of its own after '- '"
    return ""


def _reads_as(types: list[str], text: str) -> bool:
    if "integer" in types or "number" in types:
        return text.isascii() and text.isdecimal()
    return "boolean" in types and text in ("true", "false")


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name)

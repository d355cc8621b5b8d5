"""The errors of a schema in plain words, as Faults: one row of a table for every keyword."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema_rs import ValidationError

from renderer.errors import DocumentPath, Fault
from renderer.schemas.subschemas import Finder, Node, Subschemas
from renderer.wording import did_you_mean, either, every, excerpt, in_decimals, suggestion, type_word, type_words

#: More allowed values, and more fields, than this are not listed.
_LISTED_VALUES, _LISTED_FIELDS = 12, 16

#: The words for each bound, and what it counts.
_BOUNDS = {
    "minimum": ("at least", ""),
    "maximum": ("at most", ""),
    "exclusiveMinimum": ("more than", ""),
    "exclusiveMaximum": ("less than", ""),
    "minLength": ("at least", "character"),
    "maxLength": ("at most", "character"),
    "minItems": ("at least", "item"),
    "maxItems": ("at most", "item"),
    "minProperties": ("at least", "field"),
    "maxProperties": ("at most", "field"),
}

Branch = list[ValidationError]


def sort_key(path: DocumentPath) -> tuple[tuple[bool, int, str], ...]:
    """Orders paths as people read them: ``[2]`` before ``[10]``."""
    return tuple((isinstance(s, int), s if isinstance(s, int) else 0, str(s)) for s in path)


@dataclass(frozen=True, slots=True)
class _Case:
    """One error with what the schema says about its value. ``quiet``: the value must not be quoted."""

    error: ValidationError
    schemas: Subschemas
    path: DocumentPath
    quiet: bool

    @property
    def kind(self) -> Any:
        """The keyword that failed, with what belongs to it (the evaluator has a class for each)."""
        return self.error.kind

    @property
    def value(self) -> Any:
        return self.error.instance

    @property
    def expected(self) -> str | None:
        """What the schema itself says it expects, in words."""
        text: str | None = self.schemas.annotation("x-expected")
        return text

    def got(self) -> str:
        """``, got integer 8080``; without the value where it must not be quoted."""
        value = self.value
        if self.quiet or value is None or isinstance(value, dict | list):
            return f", got {type_word(value)}"
        return f", got {excerpt(value)}" if isinstance(value, bool) else f", got {type_word(value)} {excerpt(value)}"


class Messages:
    """Turns the errors of one schema into Faults with the rule ids ``<prefix>/<rule>``."""

    def __init__(self, document: Node, resources: Mapping[str, Node], prefix: str, show_values: bool) -> None:
        self.finder = Finder(document, resources)
        self.prefix = prefix
        self.show_values = show_values

    def faults(self, errors: Iterable[ValidationError]) -> list[Fault]:
        """All Faults, each once, sorted by path."""
        unique = {(f.path, f.message): f for error in _telling(errors) for f in self._of(self._case(error))}
        return sorted(unique.values(), key=lambda f: (sort_key(f.path), f.rule, f.message))

    def _case(self, error: ValidationError) -> _Case:
        schemas = self.finder.subschemas(error.evaluation_path)
        return _Case(error, schemas, tuple(error.instance_path), schemas.secret or not self.show_values)

    def _of(self, case: _Case) -> Iterator[Fault]:
        return _MESSAGES.get(case.kind.name, Messages._other)(self, case)

    def _fault(self, case: _Case, rule: str, message: str, hint: str = "", *, at_key: bool = False) -> Fault:
        return Fault(case.path, f"{self.prefix}/{rule}", message, hint, at_key=at_key)

    def _unknown_fields(self, case: _Case) -> Iterator[Fault]:
        forms = [set(self.finder.fields_of(each, case.schemas.base)) for each in _branches(case.schemas.nodes)]
        all_known = self.finder.properties(case.schemas)
        known = [name for name in all_known if name not in case.value]
        for name in case.kind.unexpected:
            rule, path = f"{self.prefix}/unknown-field", (*case.path, name)
            if rivals := _rivals(name, case.value, forms):
                message = f"{excerpt(name)} cannot be combined with {every([excerpt(rival) for rival in rivals])}"
                yield Fault(path, rule, message, "keep one or the other", at_key=True)
                continue
            near, hint = self._meant(case, name)
            if not (hint or near):
                hint = _listed([other for other in known if not _rivals(other, case.value, forms)])
            yield Fault(path, rule, f"unknown field{near}", hint, at_key=True)

    def _meant(self, case: _Case, name: str) -> tuple[str, str]:
        """The field of nearly that name, or the hint for a word that other tools use for the same."""
        instead = {word.lower(): hint for word, hint in (case.schemas.annotation("x-instead") or {}).items()}
        fields = self.finder.properties(case.schemas)
        if hint := instead.get(name.lower(), ""):
            return "", hint
        return suggestion(name, [field for field in fields if field not in case.value]) or suggestion(name, fields), ""

    def _missing_field(self, case: _Case) -> Iterator[Fault]:
        name, needs = case.kind.property, case.schemas.innermost.get(str(case.error.evaluation_path[-1]))
        fields = self.finder.properties(case.schemas)
        meant = ("".join(self._meant(case, other)) for other in case.value if other not in fields)
        if any(words.startswith("write {") or re.search(rf"\b{re.escape(name)}\b", words) for words in meant):
            return  # it stands there under another name, whose message says so
        triggers = [t for t in needs if t in case.value and name in needs[t]] if isinstance(needs, dict) else []
        verb = "requires" if len(triggers) == 1 else "require"
        because = f", which {every([excerpt(t) for t in triggers])} {verb}" if triggers else ""
        yield self._fault(case, "missing-field", f"missing field {excerpt(name)}{because}", at_key=True)

    def _type(self, case: _Case) -> Iterator[Fault]:
        types = case.kind.types
        unit = case.schemas.annotation("x-unit") if types == ["integer"] else None
        words = f"a whole number of {unit}" if unit else type_words(types)
        expected = (case.expected if types != ["string"] else None) or words
        if case.value is None:
            yield self._null(case, expected)
            return
        hint = _type_hint(types, case.value, case.quiet)
        if types == ["object"]:
            hint = _example(case.schemas) or _listed(self.finder.properties(case.schemas)) or hint
        yield self._fault(case, "type", f"expected {expected}{case.got()}", hint)

    def _null(self, case: _Case, expected: str) -> Fault:
        return self._fault(case, "null", f"expected {expected}, got null", "add a value or remove the field")

    def _enum(self, case: _Case, choice: Sequence[Any] = ()) -> Iterator[Fault]:
        kind, value = case.kind, case.value
        options = choice or (kind.options if kind.name == "enum" else [kind.expected_value])
        listed = [excerpt(o) for o in options[:_LISTED_VALUES] if o is not None]
        more = f" or {len(options) - _LISTED_VALUES} other values" if len(options) > _LISTED_VALUES else ""
        words = case.expected or (f"{', '.join(listed)}{more}" if more else either(listed))
        near = suggestion(value, options) if isinstance(value, str) and not case.quiet and len(options) > 1 else ""
        yield self._fault(case, "enum" if choice else kind.name, f"expected {words}{case.got()}{near}")

    def _pattern(self, case: _Case) -> Iterator[Fault]:
        expected = case.expected or f"a string that matches {case.kind.pattern}"
        yield self._fault(case, "pattern", f"expected {expected}{case.got()}")

    def _bound(self, case: _Case) -> Iterator[Fault]:
        name, limit = case.kind.name, case.kind.limit
        words, counted = _BOUNDS[name]
        if counted and limit == 1 and name.startswith("min"):
            message = "must not be empty"
        elif counted:
            message = f"must have {words} {limit} {counted}{'' if limit == 1 else 's'}, has {len(case.value)}"
        else:
            unit = case.schemas.annotation("x-unit") or ""
            unit = f" {unit.removesuffix('s') if limit == 1 else unit}" if unit else ""
            message = f"must be {words} {limit}{unit}{case.got()}"
        hint = case.schemas.annotation("x-too-low") or "" if name.startswith("min") else ""
        yield self._fault(case, _kebab(name), message, hint)

    def _repeated(self, case: _Case) -> Iterator[Fault]:
        items = case.value
        first, again = next((i, j) for j in range(len(items)) for i in range(j) if items[i] == items[j])
        message = f"repeats item {first + 1} of the list"
        yield Fault((*case.path, again), f"{self.prefix}/unique-items", message, "remove one of them")

    def _not(self, case: _Case) -> Iterator[Fault]:
        names = [excerpt(name) for name in _only_required(case.kind.schema)]
        # What is expected instead stands in the refused schema itself, or in the one around it.
        refused = case.kind.schema if isinstance(case.kind.schema, dict) else {}
        if expected := refused.get("x-expected") or case.expected:
            message = f"expected {expected}"
        elif names:
            message = (
                f"field {names[0]} is not allowed here" if len(names) == 1 else f"{every(names)} cannot be combined"
            )
        else:
            message = "this value is not allowed here"
        yield self._fault(case, "not", message)

    def _field_name(self, case: _Case) -> Iterator[Fault]:
        inner: ValidationError = case.kind.error
        at_name = _Case(inner, case.schemas, (*case.path, str(inner.instance)), quiet=False)
        for fault in self._of(at_name):
            yield self._fault(at_name, "field-name", f"bad field name: {fault.message}", at_key=True)

    def _forbidden(self, case: _Case) -> Iterator[Fault]:
        yield self._fault(case, "unknown-field", "is not allowed here", at_key=True)

    def _other(self, case: _Case) -> Iterator[Fault]:
        name = case.kind.name
        expected = f"{case.expected}{case.got()}" if case.expected else f"what the schema asks for by {name!r}"
        yield self._fault(case, _kebab(name), f"expected {expected}")

    def _choice(self, case: _Case) -> Iterator[Fault]:
        """No branch of a choice fits: what is wrong with the one that was most likely meant."""
        branches: list[Branch] = case.kind.context
        if missing := _only_missing(branches):
            message = f"missing one of the fields {either([excerpt(name) for name in missing])}"
            yield self._fault(case, "missing-field", message, at_key=True)
        elif discriminator := _wrong_discriminator(branches):
            yield from self._enum(self._case(discriminator[0]), discriminator[1])
        elif branch := self._nearest(branches):
            for error in branch:
                yield from self._of(self._case(error))
        else:
            yield self._no_branch(case)

    def _one_of(self, case: _Case) -> Iterator[Fault]:
        if all(case.kind.context):
            yield from self._choice(case)
            return
        # More than one branch fits.
        branches = zip(case.schemas.innermost.get("oneOf", ()), case.kind.context, strict=False)
        required = [_only_required(branch) for branch, errors in branches if not errors]
        if case.expected:
            message = f"expected {case.expected}"
        elif all(required):
            names = every([excerpt(name) for names in required for name in names])
            message = f"{names} cannot be combined; keep one of them"
        else:
            message = "matches more than one of the allowed forms; keep one of them"
        yield self._fault(case, "one-of", message)

    def _nearest(self, branches: Sequence[Branch]) -> Branch | None:
        """The errors of the branch that needs the least change; None when the value has the type of no branch.

        A wrong discriminator (``type: {const: …}``) weighs most, then the faults, then how early they come.
        """
        depth = min((len(e.instance_path) for branch in branches for e in branch), default=0)

        def cost(branch: Branch) -> tuple[int, float, int]:
            # All branches may have their faults in fields only: then the depth is that of the fields already.
            at_field = [e for e in branch if len(e.instance_path) <= depth + 1]
            discriminators = sum(e.kind.name in ("const", "enum") for e in at_field)
            deepest = max((len(e.instance_path) for e in branch), default=0)
            return discriminators, sum(self._weight(e) for e in branch), -deepest

        def fits(branch: Branch) -> bool:
            return not any(e.kind.name == "type" and len(e.instance_path) == depth for e in branch)

        return min(filter(fits, branches), key=cost, default=None)

    def _weight(self, error: ValidationError) -> float:
        """An unknown field counts half when the branch knows one of nearly that name."""
        if error.kind.name not in ("additionalProperties", "unevaluatedProperties"):
            return 1.0
        known = self.finder.properties(self.finder.subschemas(error.evaluation_path))
        unexpected: list[str] = getattr(error.kind, "unexpected", [])
        return sum(0.5 if did_you_mean(name, known) else 1.0 for name in unexpected)

    def _no_branch(self, case: _Case) -> Fault:
        number = len(case.schemas.innermost.get(case.kind.name, ()))
        schemas = [self.finder.subschemas([*case.error.evaluation_path, i]) for i in range(number)]
        words = list(dict.fromkeys(word for s in schemas if (word := self._branch_words(s))))
        expected = ", or ".join(words) if any(" " in word for word in words) else either(words)
        if case.value is None:
            return self._null(case, expected)
        quiet = case.quiet or any(s.secret for s in schemas)
        types = [t for branch in case.kind.context for e in branch for t in getattr(e.kind, "types", ())]
        got = _Case(case.error, case.schemas, case.path, quiet).got()
        return self._fault(case, "type", f"expected {expected}{got}", _type_hint(types, case.value, quiet))

    def _branch_words(self, branch: Subschemas) -> str:
        """Its title, else its values, else its type and what it requires (``a mapping with 'a' and 'b'``)."""
        nodes = list(self.finder.unfolded(branch.innermost, branch.base))

        def first(keyword: str) -> Any:
            return next((node[keyword] for node in nodes if keyword in node), None)

        if (title := first("title")) is not None:
            return str(title)
        if values := first("enum") or [node["const"] for node in nodes if "const" in node]:
            return either([excerpt(value) for value in values if value is not None])
        types = first("type") or []
        words = type_words([types] if isinstance(types, str) else types) if types else ""
        required = [excerpt(name) for name in first("required") or ()]
        return f"{words} with {every(required)}" if required and words == "a mapping" else words


_MESSAGES: dict[str, Callable[[Messages, _Case], Iterator[Fault]]] = {
    "additionalProperties": Messages._unknown_fields,
    "unevaluatedProperties": Messages._unknown_fields,
    "required": Messages._missing_field,
    "type": Messages._type,
    "enum": Messages._enum,
    "const": Messages._enum,
    "pattern": Messages._pattern,
    "uniqueItems": Messages._repeated,
    "not": Messages._not,
    "propertyNames": Messages._field_name,
    "falseSchema": Messages._forbidden,
    "anyOf": Messages._choice,
    "oneOf": Messages._one_of,
    **dict.fromkeys(_BOUNDS, Messages._bound),
}


def _telling(errors: Iterable[ValidationError]) -> list[ValidationError]:
    """Without what another one at the same place says already: the higher of two bounds, the form of empty text."""
    listed = sorted(errors, key=lambda error: getattr(error.kind, "limit", 0) if error.kind.name == "maxLength" else 0)
    first = {(*error.instance_path, error.kind.name): error for error in reversed(listed)}
    return [
        error
        for error in listed
        if not (error.kind.name == "pattern" and (*error.instance_path, "minLength") in first)
        and not (error.kind.name in ("minimum", "maximum") and (*error.instance_path, "type") in first)
        and not (error.kind.name == "maxLength" and first[*error.instance_path, "maxLength"] is not error)
    ]


def _branches(nodes: Iterable[Node]) -> list[Node]:
    return [branch for node in nodes for keyword in ("anyOf", "oneOf") for branch in node.get(keyword, ())]


def _rivals(name: str, value: Mapping[str, Any], forms: Sequence[Collection[str]]) -> list[str]:
    """The fields beside ``name`` of other forms than its own, where one of several forms is to be chosen.

    Sorted: older versions of the evaluator do not keep the order of the document.
    """
    of_name = [form for form in forms if name in form]
    others = [other for other in value if any(other in form for form in forms)] if of_name else []
    return sorted(other for other in others if not any(other in form for form in of_name))


def _example(schemas: Subschemas) -> str:
    """A mapping as it is written, where the schema has a short one."""
    example = next(iter(schemas.annotation("examples") or ()), None)
    if not isinstance(example, dict) or any(isinstance(value, dict | list) for value in example.values()):
        return ""
    texts = {k: v if isinstance(v, str) and re.match("[A-Za-z/]", v) else json.dumps(v) for k, v in example.items()}
    return f"for example {{{', '.join(f'{name}: {text}' for name, text in texts.items())}}}"


def _listed(names: Sequence[str]) -> str:
    """Where they are few enough to be read."""
    return f"there is: {', '.join(names)}" if 0 < len(names) <= _LISTED_FIELDS else ""


def _only_required(schema: object) -> list[str]:
    """The fields that a schema requires, when requiring them is all it does; otherwise none."""
    if isinstance(schema, dict) and set(schema) <= {"required", "type", "title", "description"}:
        return [str(name) for name in schema.get("required", ())]
    return []


def _only_missing(branches: Sequence[Branch]) -> list[str]:
    """The field that each branch lacks, when every branch lacks one field and has no other fault."""
    if not all(len(branch) == 1 and branch[0].kind.name == "required" for branch in branches):
        return []
    if len({tuple(branch[0].instance_path) for branch in branches}) > 1:
        return []
    names = dict.fromkeys(branch[0].kind.property for branch in branches)  # type: ignore[attr-defined]
    return list(names) if len(names) == len(branches) else []


def _wrong_discriminator(branches: Sequence[Branch]) -> tuple[ValidationError, list[Any]] | None:
    """Where one field tells the branches apart and holds the word of none: its error, and the words of all."""
    constants = [[e for e in branch if e.kind.name == "const"] for branch in branches]
    if not all(constants) or len({tuple(errors[0].instance_path) for errors in constants}) > 1:
        return None
    return constants[0][0], [errors[0].kind.expected_value for errors in constants]  # type: ignore[attr-defined]


def _type_hint(types: list[str], value: Any, quiet: bool) -> str:
    """What to write instead, where a change of notation is all it takes."""
    numbers = {"integer", "number"} & set(types)
    if "string" in types and not numbers and isinstance(value, bool | int | float):
        return "write it in quotes" if quiet else f'write "{excerpt(value)}" in quotes'
    if isinstance(value, str):
        plain = in_decimals(value) if numbers else ""
        if "boolean" in types and value in ("true", "false"):
            plain = value
        if plain:
            return "write it without quotes" if quiet else f"write {excerpt(plain)[1:-1]}"
    if types == ["array"] or ("array" in types and not isinstance(value, dict)):
        return "write a list, each item on its own line after '- '"
    if types == ["object"] and isinstance(value, list) and value:
        return "write NAME: VALUE, each on its own line without '- '"
    return ""


def _kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name)

"""Every field of a schema with type, default, bounds and example: as a reference in Markdown, and one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renderer.schemas import DEPRECATED, deprecation_words
from renderer.yaml_writer import scalar

Node = Mapping[str, Any]

#: Lower bound, upper bound and what they count, by JSON Schema's keywords.
_BOUNDS = (
    ("minimum", "maximum", "", ""),
    ("minLength", "maxLength", "character", "characters"),
    ("minItems", "maxItems", "item", "items"),
    ("minProperties", "maxProperties", "entry", "entries"),
)
_STEP = re.compile(r'\["([^"]*)"\]|\[[0-9]*\]|([^.\[\]]+)')
_TYPES = {"boolean": "true or false", "object": "a mapping", "array": "a list"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the spec. ``form`` names the form of its mapping, where that has several.

    ``conditions`` are what holds for it only with a certain value of another field, as text.
    """

    path: str
    form: str
    node: Node
    required: bool
    conditions: tuple[str, ...]


def markdown(schema: Node) -> str:
    """The reference as one Markdown document. The schema's definitions must not be recursive."""
    reference = _Reference(schema)
    by_path: dict[str, list[Field]] = {}
    for field in reference.fields(schema, "", ""):
        by_path.setdefault(field.path, []).append(field)
    title = schema["title"]
    article, argument = ("an Environment", " environment") if title == "Environment" else ("a spec", "")
    parts = [
        f"# {title}",
        _prose(schema["description"]),
        f"Every field of {article}, made from its schema by `mcpctl schema{argument} --format markdown`. `<…>` in a "
        "path stands for a name of your own, `[]` for each item of a list. Unknown fields are refused.",
        "## At a glance",
        reference.overview(by_path),
        "## Fields",
        *reference.sections(by_path),
    ]
    return "\n\n".join(parts) + "\n"


def fields(schema: Node) -> list[Field]:
    """All fields of a schema, parents first; one of several forms stands there once for each."""
    return list(_Reference(schema).fields(schema, "", ""))


def facts(schema: Node, field: Field) -> list[str]:
    """Type, bounds, default and conditions of a field, each as ``type: string``."""
    return [fact.replace("`", "") for fact in _Reference(schema).facts(field)]


def short_type(schema: Node, field: Field) -> str:
    """Its type in a word or two, with its default or that it is required."""
    kind = _Reference(schema).short_type(field.node).replace("` `", "`, `").replace("`", "")
    default = f", default {_code(field.node['default'])[1:-1]}" if "default" in field.node else ""
    return f"{kind}, required" if field.required else kind + default


def steps_of(path: str) -> list[str]:
    """``spec.files["/a.b"].mode`` as its names; items of lists, with or without their number, have none."""
    return [quoted or plain for quoted, plain in _STEP.findall(path) if quoted or plain]


def find(known: Sequence[Field], path: str) -> list[Field]:
    """The forms of one field, by its path or by what follows ``spec.`` in it; of a name in a mapping its mapping."""
    typed = steps_of(path)
    for steps in (typed, ["spec", *typed]) if typed else ():
        fitting = [field for field in known if _fits(steps_of(field.path), steps)]
        if not fitting:  # a name of the user's own, of which the schema says no more
            fitting = [f for f in known if _fits(steps_of(f.path), steps[:-1]) and "additionalProperties" in f.node]
            fitting = [field for field in fitting if field.node["additionalProperties"]]
        if fitting:
            named = min(field.path.count("<") for field in fitting)
            return [field for field in fitting if field.path.count("<") == named]
    return []


def _fits(steps: Sequence[str], typed: Sequence[str]) -> bool:
    return len(steps) == len(typed) and all(a == b or a[0] == "<" for a, b in zip(steps, typed, strict=True))


def below(known: Sequence[Field], path: str) -> list[Field]:
    """The fields directly below one: each path once, names of the user's own left out between."""
    depth = len(steps_of(path))
    inner: dict[str, Field] = {}
    for field in known:
        steps = steps_of(field.path)
        own = [step for step in steps[depth:] if step[0] != "<"]
        if len(own) == 1 and steps[-1] == own[0] and steps[:depth] == steps_of(path):
            inner.setdefault(field.path, field)
    return list(inner.values())


class _Reference:
    def __init__(self, schema: Node) -> None:
        self._definitions: Node = schema.get("$defs", {})
        self._deprecated: Node = schema.get(DEPRECATED, {})

    def fields(self, node: Node, path: str, form: str) -> Iterator[Field]:
        """All fields below ``node``, in the schema's order, parents first."""
        node = self._resolved(node)
        for name, inner in node.get("properties", {}).items():
            field_path = f"{path}.{name}" if path else name
            required = name in node.get("required", ())
            yield Field(field_path, form, self._resolved(inner), required, tuple(_conditions(node, name)))
            yield from self.fields(inner, field_path, "")
        if isinstance(node.get("additionalProperties"), dict):
            key = "path" if path.endswith("files") else "name"
            yield from self.fields(node["additionalProperties"], f"{path}.<{key}>", "")
        if "items" in node:
            yield from self.fields(node["items"], f"{path}[]", "")
        for branch in node.get("oneOf", ()):
            yield from self.fields(branch, path, branch["title"])

    def overview(self, by_path: Mapping[str, Sequence[Field]]) -> str:
        """Field, type and default as a table: one row a path."""
        rows = ["| field | type | default |", "|---|---|---|"]
        for path, (first, *_) in by_path.items():
            default = _code(first.node["default"]) if "default" in first.node else ""
            rows.append(f"| `{path}` | {self.short_type(first.node)} | {'*required*' if first.required else default} |")
        return "\n".join(rows)

    def short_type(self, node: Node) -> str:
        """The type in a word or two; choices in full."""
        node = self._resolved(node)
        if "const" in node or "enum" in node:
            return " ".join(_code(value) for value in node.get("enum", [node.get("const")]))
        if "oneOf" in node and "type" not in node:
            return " or ".join(dict.fromkeys(self.short_type(branch) for branch in node["oneOf"]))
        return _word(node).removeprefix("a ")

    def sections(self, by_path: Mapping[str, Sequence[Field]]) -> Iterator[str]:
        """A section for each path; one for each form where they differ."""
        for path, fields in by_path.items():
            bodies = dict.fromkeys(self._body(field) for field in fields)
            if len(bodies) == 1:
                yield f"### `{path}`\n\n{next(iter(bodies))}"
                continue
            for field in fields:
                yield f"### `{path}` in {field.form}\n\n{self._body(field)}"

    def _body(self, field: Field) -> str:
        facts = [*self.facts(field), *(f"example: {_code(example)}" for example in field.node.get("examples", ())[:1])]
        return f"{_prose(field.node['description'])}\n\n" + "\n".join(f"- {fact}" for fact in facts)

    def facts(self, field: Field) -> list[str]:
        """What is known of it but for description and example, in Markdown."""
        node = field.node
        facts = [f"type: {self._type(node)}", *self._bounds(node)]
        facts += ["required"] if field.required else []
        facts += [f"default: {_code(node['default'])}"] if "default" in node else []
        facts += field.conditions
        return [*facts, deprecation_words(self._deprecated[field.path])] if field.path in self._deprecated else facts

    def _type(self, node: Node) -> str:
        """What may stand there, in words."""
        node = self._resolved(node)
        if "const" in node:
            return f"always {_code(node['const'])}"
        if "enum" in node:
            return f"one of {', '.join(_code(value) for value in node['enum'])}"
        if "oneOf" in node:
            return ", or ".join(dict.fromkeys(branch["title"] for branch in node["oneOf"]))
        if node.get("type") == "array":
            return f"a list; each item: {self._type(node['items'])}"
        if isinstance(node.get("additionalProperties"), dict):
            return f"a mapping; each value: {self._type(node['additionalProperties'])}"
        return str(node.get("x-expected") or _word(node))

    def _bounds(self, node: Node) -> Iterator[str]:
        for lower, upper, singular, plural in _BOUNDS:
            least, most = node.get(lower), node.get(upper)
            if least is None and most is None:
                continue
            text = f"at most {most}" if least is None else f"at least {least}" if most is None else f"{least} to {most}"
            counted = singular if (most or least) == 1 else plural
            yield " ".join(filter(None, ["bounds:", text, counted or node.get("x-unit")]))
        if node.get("uniqueItems"):
            yield "bounds: no item twice"
        if "pattern" in node and "x-expected" not in node:
            yield f"pattern: `{node['pattern']}`"
        # What the names in a mapping must look like, and which are taken.
        names = self._resolved(node.get("propertyNames", {}))
        yield from (f"names: {rule['x-expected']}" for rule in (names, names.get("not", {})) if "x-expected" in rule)

    def _resolved(self, node: Node) -> Node:
        """The node with what its reference says; what the node says itself wins."""
        while "$ref" in node:
            definition: Node = self._definitions[node["$ref"].removeprefix("#/$defs/")]
            merged = {**definition, **{name: value for name, value in node.items() if name != "$ref"}}
            if "propertyNames" in definition:  # the one keyword of which both hold
                merged["propertyNames"] = {**definition["propertyNames"], **merged["propertyNames"]}
            node = merged
        return node


def _conditions(node: Node, name: str) -> Iterator[str]:
    """What the schema says of a field that depends on the value of another: ``with registry npm: …``."""
    for rule in node.get("allOf", ()):
        for other, test in rule.get("if", {}).get("properties", {}).items():
            if "const" not in test:
                continue
            cases = ((rule["then"], _code(test["const"])), (rule.get("else", {}), ""))
            for branch, value in cases:
                when = f"with {other} {value}" if value else f"with another {other}"
                field = branch.get("properties", {}).get(name, {})
                if "x-expected" in field:
                    yield f"{when}: {field['x-expected']}"
                if "default" in field:
                    yield f"{when}: default {_code(field['default'])}"


def _word(node: Node) -> str:
    """The type; a schema without one allows every value."""
    kinds = node.get("type", "any value")
    return " or ".join(_TYPES.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _prose(text: str) -> str:
    """Text of the schema, in which ``mcp-<name>`` and ``*.`` are meant literally."""
    return text.replace("<", "\\<").replace("*", "\\*")


def _code(value: object) -> str:
    """A value as it is written in a spec: YAML's flow style is JSON's, with bare words."""
    return f"`{scalar(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"

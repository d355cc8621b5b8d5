"""The reference of a spec in Markdown, from its schema alone: every field with type, default, bounds, example."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]

_MADE_BY = (
    "Every field of a spec, made from its schema by `mcpctl schema --format markdown`. `<…>` in a path stands for "
    "a name of your own, `[]` for each item of a list. Unknown fields are refused."
)
#: The first words for another kind of document.
_OF_A_SPEC, _OF_ANOTHER = (
    "a spec, made from its schema by `mcpctl schema",
    "an {0}, made from its schema by `mcpctl schema {1}",
)
#: Lower bound, upper bound and what they count, by JSON Schema's keywords.
_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", "character"),
    ("minItems", "maxItems", "item"),
    ("minProperties", "maxProperties", "entry"),
)
_PLURALS = {"character": "characters", "item": "items", "entry": "entries"}
_TYPES = {"string": "text", "boolean": "true or false", "object": "a mapping", "array": "a list", "null": "nothing"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the spec. ``form`` names the form of its mapping, where that has several.

    ``conditions`` are what holds for it only beside a certain value of another field, as text.
    """

    path: str
    form: str
    node: Node
    required: bool
    conditions: tuple[str, ...]


def markdown(schema: Node) -> str:
    """The reference as one Markdown document. The schema's definitions must not be recursive."""
    reference = _Reference(schema)
    fields = list(reference.fields(schema, "", ""))
    parts = [
        f"# {schema['title']}",
        _prose(schema["description"]),
        _made_by(schema["title"]),
        "## At a glance",
        reference.overview(fields),
    ]
    parts += ["## Fields", *reference.sections(fields)]
    return "\n\n".join(parts) + "\n"


def _made_by(title: str) -> str:
    return (
        _MADE_BY if title != "Environment" else _MADE_BY.replace(_OF_A_SPEC, _OF_ANOTHER.format(title, title.lower()))
    )


class _Reference:
    def __init__(self, schema: Node) -> None:
        self._definitions: Node = schema.get("$defs", {})

    def fields(self, node: Node, path: str, form: str) -> Iterator[Field]:
        """All fields below ``node``, in the schema's order, parents first."""
        node = self._resolved(node)
        for name, inner in node.get("properties", {}).items():
            here = f"{path}.{name}" if path else name
            required = name in node.get("required", ())
            yield Field(here, form, self._resolved(inner), required, tuple(_conditions(node, name)))
            yield from self.fields(inner, here, "")
        if isinstance(node.get("additionalProperties"), dict):
            yield from self.fields(node["additionalProperties"], f"{path}.<{_key(path)}>", "")
        if "items" in node:
            yield from self.fields(node["items"], f"{path}[]", "")
        for branch in node.get("oneOf", ()):
            yield from self.fields(branch, path, branch["title"])

    def overview(self, fields: Sequence[Field]) -> str:
        """Field, type and default as a table: one row a path."""
        rows = ["| field | type | default |", "|---|---|---|"]
        for path, group in _by_path(fields).items():
            first = group[0]
            default = _code(first.node["default"]) if "default" in first.node else ""
            rows.append(f"| `{path}` | {self._sketch(first.node)} | {'*required*' if first.required else default} |")
        return "\n".join(rows)

    def _sketch(self, node: Node) -> str:
        """The type in a word or two; choices in full."""
        node = self._resolved(node)
        if "const" in node or "enum" in node:
            return " ".join(_code(value) for value in node.get("enum", [node.get("const")]))
        if "oneOf" in node and "type" not in node:
            return " or ".join(dict.fromkeys(self._sketch(branch) for branch in node["oneOf"]))
        return _word(node).removeprefix("a ")

    def sections(self, fields: Sequence[Field]) -> Iterator[str]:
        """A section for each path; one for each form where they differ."""
        for path, group in _by_path(fields).items():
            bodies = dict.fromkeys(self._body(field) for field in group)
            if len(bodies) == 1:
                yield f"### `{path}`\n\n{next(iter(bodies))}"
                continue
            for field in group:
                yield f"### `{path}` in {field.form}\n\n{self._body(field)}"

    def _body(self, field: Field) -> str:
        node = field.node
        facts = [f"type: {self._type(node)}", *self._bounds(node)]
        facts += ["required"] if field.required else []
        facts += [f"default: {_code(node['default'])}"] if "default" in node else []
        facts += field.conditions
        facts += [f"example: {_code(example)}" for example in node.get("examples", ())[:1]]
        return f"{_prose(node['description'])}\n\n" + "\n".join(f"- {fact}" for fact in facts)

    def _type(self, node: Node) -> str:
        """What may stand there, in words."""
        node = self._resolved(node)
        if "const" in node:
            return f"always {_code(node['const'])}"
        if "enum" in node:
            return f"one of {', '.join(_code(value) for value in node['enum'])}"
        if "oneOf" in node:
            return _either([branch["title"] for branch in node["oneOf"]])
        if node.get("type") == "array":
            return f"a list; each item: {self._type(node['items'])}"
        if isinstance(node.get("additionalProperties"), dict):
            return f"a mapping; each value: {self._type(node['additionalProperties'])}"
        return str(node.get("x-expected") or _word(node))

    def _bounds(self, node: Node) -> Iterator[str]:
        for least, most, counted in _BOUNDS:
            text = _range(node.get(least), node.get(most), counted)
            if text:
                unit = f" {node['x-unit']}" if "x-unit" in node else ""
                yield f"bounds: {text}{unit}"
        if node.get("uniqueItems"):
            yield "bounds: no item twice"
        if "pattern" in node and "x-expected" not in node:
            yield f"pattern: `{node['pattern']}`"
        yield from self._key_bounds(node)

    def _key_bounds(self, node: Node) -> Iterator[str]:
        """What the names in a mapping must look like, and which are taken."""
        names = self._resolved(node.get("propertyNames", {}))
        for rule in (names, names.get("not", {})):
            if "x-expected" in rule:
                yield f"names: {rule['x-expected']}"

    def _resolved(self, node: Node) -> Node:
        """The node with what its reference says; what stands beside the reference wins."""
        while "$ref" in node:
            definition: Node = self._definitions[node["$ref"].removeprefix("#/$defs/")]
            merged = {**definition, **{name: value for name, value in node.items() if name != "$ref"}}
            if "propertyNames" in definition:  # the one word where both hold and both have something to tell
                merged["propertyNames"] = {**definition["propertyNames"], **merged["propertyNames"]}
            node = merged
        return node


def _conditions(node: Node, name: str) -> Iterator[str]:
    """What the schema says of a field beside one value of its neighbour: ``with registry npm: …``."""
    for rule in node.get("allOf", ()):
        given = [
            (field, test["const"])
            for field, test in rule.get("if", {}).get("properties", {}).items()
            if "const" in test
        ]
        for field, value in given:
            yield from _condition(rule["then"], name, f"with {field} {_code(value)}")
            yield from _condition(rule.get("else", {}), name, f"with another {field}")


def _condition(node: Node, name: str, when: str) -> Iterator[str]:
    rule = node.get("properties", {}).get(name, {})
    if "x-expected" in rule:
        yield f"{when}: {rule['x-expected']}"
    if "default" in rule:
        yield f"{when}: default {_code(rule['default'])}"


def _by_path(fields: Sequence[Field]) -> dict[str, list[Field]]:
    groups: dict[str, list[Field]] = {}
    for field in fields:
        groups.setdefault(field.path, []).append(field)
    return groups


def _word(node: Node) -> str:
    """The type; a schema without one allows every value."""
    kind = node.get("type", "any value")
    return _TYPES.get(kind, str(kind))


def _prose(text: str) -> str:
    """Text of the schema, in which ``mcp-<name>`` and ``*.`` are meant literally."""
    return text.replace("<", "\\<").replace("*", "\\*")


def _key(path: str) -> str:
    """What a key of the mapping is: files are named by their path, everything else by a name."""
    return "path" if path.endswith("files") else "name"


def _range(least: int | None, most: int | None, counted: str) -> str:
    """``1 to 65535``, ``at most 64 items``; empty where there is no bound."""
    if least is None and most is None:
        return ""
    if least is None:
        return f"at most {_number(most or 0, counted)}"
    if most is None:
        return f"at least {_number(least, counted)}"
    return f"{least} to {_number(most, counted)}"


def _number(count: int, counted: str) -> str:
    word = counted if count == 1 else _PLURALS.get(counted, counted)
    return f"{count} {word}".rstrip()


def _either(forms: Sequence[str]) -> str:
    return ", or ".join(dict.fromkeys(forms))


def _code(value: object) -> str:
    """A value as it is written in a spec: YAML's flow style is JSON's, with bare words."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return f"`{text}`".replace("\n", "\\n")

"""A Draft as the YAML file of a spec, and whether such a file was edited."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence

from renderer import assets
from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import Draft
from renderer.model import JSON
from renderer.yaml_writer import block, comment, scalar, text_value

_MODELINE = "# yaml-language-server: $schema="
_ORIGIN = re.compile(
    r"(?:# yaml-language-server: [^\n]*\n)?# Imported by mcpctl from [^\n]* \(content ([0-9a-f]{16})\)\.\n"
)
_WIDTH = 100
_DIGITS = 16


def text_of(draft: Draft, schema: str = "") -> str:
    """The spec with comments, fields in schema order. Its head names the origin and a digest of the body.

    ``schema``: the URL of the JSON Schema for editors.
    """
    spec = draft.document["spec"]
    properties = assets.schema("mcpserver")["$defs"]["spec"]["properties"]
    order = {field: number for number, field in enumerate(properties)}
    assert isinstance(spec, dict)
    document = {**draft.document, "spec": {key: spec[key] for key in sorted(spec, key=lambda key: order.get(key, 999))}}
    body = "\n".join([*_needs(spec), *_mapping(document, (), draft.comments)]) + "\n"
    origin = excerpt(f"{draft.format}: {draft.original}", 200)
    modeline = f"{_MODELINE}{schema}\n" if schema else ""
    return f"{modeline}# Imported by mcpctl from {origin} (content {_digest(body)}).\n{body}"


def _needs(spec: JSON) -> Iterator[str]:
    """A comment for each Secret and ConfigMap that must exist, with its keys."""
    keys: dict[str, dict[str, None]] = {}

    def walk(node: JSON, whole: bool = False) -> None:
        if isinstance(node, dict):
            for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
                if isinstance(node.get(field), str) and (whole or isinstance(node.get("key"), str)):
                    named = keys.setdefault(f"{kind} {node[field]}", {})
                    named["all its keys" if whole else str(node["key"])] = None
            for source in items if isinstance(items := node.get("envFrom"), list) else ():
                walk(source, whole=True)
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            walk(child)

    walk(spec)
    for name, names in sorted(keys.items()):
        yield comment(f"It needs the {name} with {', '.join(names)}.", 0, _WIDTH)


def is_unedited(text: str) -> bool:
    """Whether the body still has the digest in the head."""
    head = _ORIGIN.match(text)
    return bool(head and head[1] == _digest(text[head.end() :]))


def is_imported(text: str) -> bool:
    """Whether an import wrote it, edited since or not."""
    return bool(_ORIGIN.search(text))


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:_DIGITS]


def _mapping(values: Mapping[str, JSON], path: DocumentPath, comments: Mapping[DocumentPath, str]) -> Iterator[str]:
    indent = " " * 2 * len(path)
    for key, value in values.items():
        yield from _comment((*path, key), len(indent), comments)
        yield from _entry(f"{indent}{scalar(key)}:", value, (*path, key), comments)
    yield from _about_missing(values, path, comments)


def _entry(start: str, value: JSON, path: DocumentPath, comments: Mapping[DocumentPath, str]) -> Iterator[str]:
    inside = any(commented[: len(path)] == path and len(commented) > len(path) for commented in comments)
    flow = None if inside else _flow(value, len(path))
    if flow is not None and len(start) + len(flow) < _WIDTH:
        yield f"{start} {flow}"
    elif isinstance(value, dict) and (value or inside):
        if value:
            yield start
            yield from _mapping(value, path, comments)
        else:
            yield f"{start} {{}}"
            yield from _about_missing(value, path, comments)
    elif isinstance(value, list) and value:
        yield start
        yield from _sequence(value, path, comments)
    else:
        yield f"{start} {text_value(value, 2 * len(path)) if isinstance(value, str) else block(value, 0)}"


def _sequence(items: Sequence[JSON], path: DocumentPath, comments: Mapping[DocumentPath, str]) -> Iterator[str]:
    indent = " " * 2 * len(path)
    for number, item in enumerate(items):
        own = (*path, number)
        yield from _comment(own, len(indent), comments)
        flow = _flow(item, len(own))
        inside = any(commented[: len(own)] == own and commented != own for commented in comments)
        if flow is not None and not inside and len(indent) + len(flow) < _WIDTH:
            yield f"{indent}- {flow}"
        elif isinstance(item, dict) and item:
            first, *rest = _mapping(item, own, comments)
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from rest
        else:
            yield block([item], len(indent))


def _flow(value: JSON, depth: int) -> str | None:
    """Flow style for scalars, lists of scalars, and small mappings of depth 3 or more; else None."""
    if isinstance(value, list):
        parts = [_flow(item, depth + 1) for item in value]
        if any(part is None for part in parts) or any(isinstance(item, dict | list) for item in value):
            return None
        return f"[{', '.join(part for part in parts if part is not None)}]"
    if isinstance(value, dict):
        if value and depth < 3:
            return None
        if any(isinstance(item, dict | list) or (isinstance(item, str) and "\n" in item) for item in value.values()):
            return None
        return f"{{{', '.join(f'{scalar(key)}: {_flow(item, depth)}' for key, item in value.items())}}}"
    return None if isinstance(value, str) and "\n" in value else scalar(value)


def _comment(path: DocumentPath, indent: int, comments: Mapping[DocumentPath, str]) -> Iterator[str]:
    if path in comments:
        yield comment(comments[path], indent, _WIDTH)


def _about_missing(
    values: Mapping[str, JSON], path: DocumentPath, comments: Mapping[DocumentPath, str]
) -> Iterator[str]:
    """Comments on absent fields, at the end of their parent."""
    held: set[str] = set()
    for commented, text in comments.items():
        if commented[: len(path)] != path or len(commented) <= len(path) or commented[len(path)] in values:
            continue
        missing = commented[len(path) : -1]
        for depth, step in enumerate(missing):
            # Commented out too, and once, so that removing '# ' gives a spec.
            if f"{depth} {step}" not in held:
                held.add(f"{depth} {step}")
                yield _indented_comment(f"{step}:", 2 * len(path), 2 * depth)
        yield _indented_comment(text, 2 * len(path), 2 * len(missing))


def _indented_comment(text: str, indent: int, inner: int) -> str:
    """A comment whose lines are indented after the '#'."""
    lines = comment(text, indent, _WIDTH - inner).split("\n")
    return "\n".join(f"{line[:indent]}# {' ' * inner}{line[indent + 2 :]}".rstrip() for line in lines)

"""Where the values of a server come from: its spec, the schema, an environment; and where environments differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer import assets
from renderer.environment import Environment, Layer, layers
from renderer.errors import DocumentPath, Place, UsageMistake, dotted, excerpt
from renderer.model import JSON, Server, Source
from renderer.policy.secrets import hidden
from renderer.resolve import with_defaults
from renderer.wording import suggestion
from renderer.yaml_writer import scalar

#: Stands for what is not there: None would be a value.
_NOTHING: Any = object()
_DEFAULT = "schema default"
_STEP = re.compile(r'\.?([A-Za-z0-9_$/-]+)|\[([0-9]+)\]|\["([^"]*)"\]')
#: Longest value in a line of text; JSON has it in full.
_LONGEST = 200


class Step(NamedTuple):
    """One value that a field has had: ``origin`` and, unless it is the schema's, the place."""

    value: JSON
    origin: str
    place: Place | None
    #: Whether the field is not set from here on: a patch removed it, and there is no default.
    absent: bool = False


class Explained(NamedTuple):
    """One field: what it has been, the last being what holds; empty where nothing ever said anything."""

    path: DocumentPath
    steps: tuple[Step, ...]
    description: str


class Difference(NamedTuple):
    """One field of a server (of the environment itself: ``server`` is empty) that is not the same everywhere.

    ``values`` are by environment; None where the field, or the server, is not there.
    """

    server: str
    path: str
    values: Mapping[str, JSON]


def split(field: str) -> tuple[str, DocumentPath]:
    """``github.env.TOKEN`` is a server's name and a path; below ``spec`` unless it begins with a field beside it."""
    name, _, rest = field.partition(".")
    path: list[str | int] = []
    while rest:
        step = _STEP.match(rest)
        if not step:
            advice = 'write env.NAME, storage[0].size, files["/a.b"]'
            raise UsageMistake(f"'{excerpt(rest)}' is no path of a field: {advice}")
        path.append(int(step[2]) if step[2] else step[1] or step[3])
        rest = rest[step.end() :]
    is_top = path and path[0] in assets.schema("mcpserver")["properties"]
    return name, tuple(path) if is_top or not path else ("spec", *path)


def explain(source: Source, path: DocumentPath, environment: Environment | None = None) -> list[Explained]:
    """Every field at and below ``path`` of a valid document; UsageMistake where the schema knows no such field."""
    stack = layers(environment, source) if environment else [Layer("spec", source.data, source.marks)]
    data = with_defaults(stack[-1].data)
    for length in range(1, len(path) + 1):
        here = path[:length]
        if schema_nodes(here) or _at(data, here) is not _NOTHING:
            continue
        known = [name for node in schema_nodes(here[:-1]) for name in node.get("properties", ())]
        near = suggestion(str(here[-1]), known) or (f"; there is: {', '.join(dict.fromkeys(known))}" if known else "")
        raise UsageMistake(f"a spec has no field '{excerpt(dotted(here), 100)}'{near}")
    ends = with_defaults(stack[0].data), with_defaults(stack[-1].data)
    paths = list(leaves(_at(ends[1], path), path)) or [path]
    return [Explained(leaf, tuple(_steps(source, stack, ends, leaf)), _description(leaf)) for leaf in paths]


def _steps(source: Source, stack: Sequence[Layer], ends: tuple[JSON, JSON], path: DocumentPath) -> Iterator[Step]:
    """What the field has been, each time that it changed."""
    last: Any = _NOTHING
    default = _at(ends[0], path)
    if _at(stack[0].data, path) is _NOTHING and default is not _NOTHING:
        yield Step(hidden(default, path), _DEFAULT, None)
    for layer in stack:
        value = _at(layer.data, path)
        if value == last if value is not _NOTHING and last is not _NOTHING else value is last:
            continue
        last = value
        place = source._replace(data=layer.data, marked=layer.marks).place(path, at_key=True)
        if value is _NOTHING:
            yield Step(None, f"removed by {layer.origin}", place, absent=True)
        else:
            yield Step(hidden(value, path), layer.origin, place)
    final = _at(ends[1], path)
    if last is _NOTHING and final is not _NOTHING and _at(stack[0].data, path) is not _NOTHING:
        yield Step(hidden(final, path), _DEFAULT, None)


def _at(data: JSON, path: DocumentPath) -> Any:
    node: Any = data
    for step in path:
        fits = isinstance(node, dict) if isinstance(step, str) else isinstance(node, list)
        if not fits or (step not in node if isinstance(step, str) else step >= len(node)):
            return _NOTHING
        node = node[step]
    return node


def leaves(value: Any, path: DocumentPath) -> Iterator[DocumentPath]:
    """Fields that hold no further fields; a list of plain values is one."""
    if value is _NOTHING:
        return
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for i, inner in enumerate(value):
            yield from leaves(inner, (*path, i))
    else:
        yield path


# ---------------------------------------------------------------------------------------------
# What the schema knows.


def schema_nodes(path: DocumentPath) -> list[Mapping[str, Any]]:
    """Every subschema that may hold at the path."""
    forms = _forms(assets.schema("mcpserver"))
    for step in path:
        forms = [form for node in forms for inner in _inside(node, step) for form in _forms(inner)]
    return forms


def _forms(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The node, what it refers to, and its alternatives."""
    forms = [node]
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        forms += _forms(assets.schema("mcpserver")["$defs"][name])
    for word in ("oneOf", "allOf"):
        forms += [form for branch in node.get(word, ()) for form in _forms(branch)]
    return forms


def _inside(node: Mapping[str, Any], step: str | int) -> Iterator[Mapping[str, Any]]:
    if isinstance(step, int):
        inner = node.get("items")
    else:
        inner = node.get("properties", {}).get(step, node.get("additionalProperties"))
    if isinstance(inner, dict):
        yield inner
    elif inner is True:
        yield {}


def _description(path: DocumentPath) -> str:
    """Of the field, or of the mapping that it is a name in, which also says in which forms it may be written."""
    inner = [each for node in schema_nodes(path[:-1]) for each in _inside(node, path[-1])] if path else []
    nodes = [form for node in inner for form in ([node] if "oneOf" in node else _forms(node))]
    texts = [str(node["description"]) for node in nodes if "description" in node]
    return texts[0] if texts else _description(path[:-1]) if path else ""


# ---------------------------------------------------------------------------------------------
# Between environments.


def differences(
    environments: Sequence[Environment], servers: Mapping[str, Sequence[Server]], path: DocumentPath = ()
) -> list[Difference]:
    """Every field at or below ``path`` that differs; ``servers`` are by environment. First the environments' own."""
    names = [environment.name for environment in environments]
    rows = [] if path else list(_rows("", names, {each.name: _facts(each) for each in environments}))
    by_name: dict[str, dict[str, dict[DocumentPath, JSON]]] = {}
    for environment, listed in servers.items():
        for server in listed:
            data = with_defaults(server.source.data)
            fields = {leaf: _at(data, leaf) for leaf in leaves(_at(data, path), path)}
            by_name.setdefault(server.name, {})[environment] = fields
    for name, values in sorted(by_name.items()):
        rows += _rows(name, names, values)
    return rows


def _rows(server: str, names: Sequence[str], values: Mapping[str, Mapping[DocumentPath, JSON]]) -> Iterator[Difference]:
    missing: Mapping[DocumentPath, JSON] = {}
    if server and len(values) < len(names):
        yield Difference(server, "", {name: name in values for name in names})
        names = [name for name in names if name in values]
    for path in dict.fromkeys(path for name in names for path in values.get(name, missing)):
        row = {name: values[name].get(path) for name in names}
        if any(value != row[names[0]] for value in row.values()):
            yield Difference(server, dotted(path), {name: hidden(value, path) for name, value in row.items()})


def _facts(environment: Environment) -> dict[DocumentPath, JSON]:
    options = environment.options
    return {
        ("target",): environment.target,
        ("namespace", "name"): options.namespace,
        ("namespace", "create"): options.owns_namespace,
        ("namespace", "podSecurity", "enforce"): options.namespace_rules.enforce,
        ("kubernetesVersion",): options.kubernetes_version,
        ("networkPolicy", "provider"): options.network_policy_provider,
        ("networkPolicy", "dns"): [f"{each.cidr or each.namespace}:{each.port}" for each in options.dns],
        ("networkPolicy", "apiServer"): [f"{each.cidr}:{each.port}" for each in options.api_server],
    }


# ---------------------------------------------------------------------------------------------
# As text and as data.


def as_text(environments: Sequence[tuple[str, Sequence[Explained]]]) -> str:
    """A line a field, below it what the value took the place of; once for all environments where it is the same."""
    fields: dict[str, dict[str, list[str]]] = {}
    for name, explained in environments:
        for field in explained:
            *before, last = field.steps or (Step(None, "", None, absent=True),)
            lines = [f"{_value(last)}  # {_origin(last, field)}"]
            lines += [f"    instead of {_value(step)}  # {_origin(step, field)}" for step in reversed(before)]
            path = excerpt(dotted(field.path), _LONGEST)
            fields.setdefault(path, {}).setdefault("\n".join(lines), []).append(name)
    text = ""
    for path, values in fields.items():
        everywhere = len(values) == 1 and len(next(iter(values.values()))) == len(environments)
        for value, names in values.items():
            where = "" if everywhere else f" ({', '.join(names)})"
            text += f"{path}{where}: {value}\n"
    return text


def _value(step: Step) -> str:
    return "not set" if step.absent else _written(step.value)


def _written(value: JSON) -> str:
    """As it is written in a spec: text that would be read as something else stands in quotes."""
    return excerpt(scalar(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _LONGEST)


def _origin(step: Step, field: Explained) -> str:
    if step.place:
        return f"{excerpt(str(step.place), 4096)}, {step.origin}"
    return f"{step.origin}: {field.description}" if step.origin else field.description


def as_json(name: str, environments: Sequence[tuple[str, Sequence[Explained]]]) -> str:
    """The same for programs; of several environments each under its name."""
    listed = [{"environment": each, "fields": [field_data(field) for field in fields]} for each, fields in environments]
    data = {"server": name, **(listed[0] if len(listed) == 1 else {"environments": listed})}
    return json.dumps(data, indent=2) + "\n"


def field_data(field: Explained) -> dict[str, object]:
    *before, last = field.steps or (Step(None, "", None, absent=True),)
    overridden = [_step(step) for step in reversed(before)]
    return {"path": dotted(field.path), **_step(last), "description": field.description, "insteadOf": overridden}


def _step(step: Step) -> dict[str, object]:
    place = step.place and {"file": step.place.file, "line": step.place.line, "column": step.place.column}
    return {"value": step.value, "set": not step.absent, "origin": step.origin, "place": place}


def matrix(names: Sequence[str], rows: Sequence[Difference]) -> str:
    """The differences as a Markdown table: a row a field, a column an environment."""
    lines = [f"| server | field | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}"]
    for row in rows:
        values = ["" if row.values.get(name) is None else _written(row.values.get(name)) for name in names]
        cells = [value and "`" + value.replace("|", "\\|").replace("`", "'") + "`" for value in values]
        lines.append(f"| {row.server or '*environment*'} | {row.path or '*is there*'} | {' | '.join(cells)} |")
    return "".join(f"{line}\n" for line in lines)


def matrix_json(names: Sequence[str], rows: Sequence[Difference]) -> str:
    """The same for programs."""
    listed = [{"server": row.server, "path": row.path, "values": dict(row.values)} for row in rows]
    return json.dumps({"environments": list(names), "differences": listed}, indent=2) + "\n"

"""The origin of a line of a rendered file: the template's line, and the fields that affect it.

A field affects a line where another value of it makes another line. That is tried, field by field, and so holds for
every object and template.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from renderer.delivery import deliver
from renderer.environment import Environment, make_environments, name_of
from renderer.errors import DocumentPath, Place, UsageMistake, dotted, excerpt
from renderer.explain import Explained, as_text, explain, field_data, leaves, schema_nodes
from renderer.images import AS_WRITTEN
from renderer.layout import folder_of, path_in_tree
from renderer.model import JSON, Answerer, Marks, Options, Rendered, Server, Source
from renderer.pipeline import Output, Run, placed, tree
from renderer.policy.secrets import MASK, in_data
from renderer.registry import target
from renderer.render import places_in_templates
from renderer.resolve import link, place_links, resolve, with_defaults
from renderer.write import OLD_RECORD, RECORD
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: The port at the end of api.example.com:8443.
_PORT = re.compile(r"(?<=:)[0-9]{1,5}$")


class Line(NamedTuple):
    """One line of a rendered file. ``settings`` are options or fields of the environment, by place."""

    text: str
    environment: str
    template: Place
    fields: tuple[Explained, ...]
    settings: tuple[tuple[str, Place | None], ...]
    patches: tuple[Place, ...]


def explain_line(file: str, number: int, runs: Sequence[Run], outputs: Sequence[Output]) -> Line:
    """Line ``number`` (from 1) of a file that one of the runs renders; UsageMistake where none does."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UsageMistake(
            f"{excerpt(file, 200)} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if not 0 < number <= len(lines):
        raise UsageMistake(f"{excerpt(file, 200)} has {len(lines)} lines")
    run, document = _document(file, runs, outputs)
    line = _nearest(lines[number - 1], number, document.text.splitlines())
    if line is None and number == 1:
        raise UsageMistake(f"line 1 of {excerpt(file, 200)} is the head: what made the file, and which spec to edit")
    if line is None:
        raise UsageMistake(
            f"line {number} of {excerpt(file, 200)} is not what the specs render to now: "
            "it was edited by hand, or the tree is outdated; run 'mcpctl render'"
        )
    documents, _ = read(document.text, strict=False, limits=OUTPUT_LIMITS)
    path = _path_at(documents[0].marks, line) if documents and documents[0].marks else None
    owner = next((server for server in run.specs.servers if document.subject.endswith(f" {server.name}")), None)
    spot = _Spot(document, path, line)
    fields = tuple(_fields(run, owner, spot)) if owner else ()
    patches = [
        place
        for changed, place in document.changes
        if path and (changed[: len(path)] == path or path[: len(changed)] == changed)
    ]
    data = documents[0].data if documents else None
    secret = any(literal.path == path for literal in in_data(data))
    return Line(
        MASK if secret else document.text.splitlines()[line - 1].strip(),
        run.name,
        places_in_templates(document.template, document.context or _context(run, document))(line),
        fields,
        tuple(_settings(run, owner, spot)),
        tuple(dict.fromkeys(patches)),
    )


def _context(run: Run, document: Rendered) -> Mapping[str, Any]:
    """The values of its template, which large runs do not keep: the document is built again."""
    made, specs = target(run.target), placed(run.specs, run.options)
    groups = made.groups(specs.servers, one_stream=run.options.one_stream)
    owners = [group for group in groups if any(document.subject.endswith(f" {server.name}") for server in group)]
    built = [*made.shared(run.options), *(each for group in owners for each in made.build(group, run.options)[0])]
    return next(each.context for each in built if each.path == document.path)


def _document(file: str, runs: Sequence[Run], outputs: Sequence[Output]) -> tuple[Run, Rendered]:
    full, name = os.path.normpath(file).replace(os.sep, "/"), excerpt(file, 200)
    for run, output in zip(runs, outputs, strict=True):
        for document in tree(run.specs, output, target(run.target), run.options):
            path = folder_of(Path(), run) / path_in_tree(document, run)
            if f"/{full}".endswith(f"/{path.as_posix()}"):
                if document.template:
                    return run, document
                owner = next((each for each in run.specs.servers if document.subject == f"server {each.name}"), None)
                specs = f"the specs of {document.subject}"
                spec = f"the spec of server {owner.name}, {excerpt(owner.source.file, 200)}" if owner else specs
                raise UsageMistake(f"{name} has no template: mcpctl makes it from {spec}")
    if os.path.basename(full) in (RECORD, OLD_RECORD):
        raise UsageMistake(f"{name} is the record of mcpctl: the files that it wrote there, with their SHA-256")
    raise UsageMistake(f"nothing in PATHS is rendered to {name}: add its specs, and its environment, to PATHS")


def _nearest(text: str, number: int, lines: Sequence[str]) -> int | None:
    """The rendered line with the same text, or else the same key, nearest to that number (a file may have a head)."""
    same = [i for i, line in enumerate(lines, 1) if line == text]
    key, colon, _ = text.partition(":")
    alike = same or [i for i, line in enumerate(lines, 1) if colon and line.partition(":")[0] == key]
    return min(alike, key=lambda i: abs(i - number), default=None)


def _path_at(marks: Marks | None, line: int, path: DocumentPath = ()) -> DocumentPath | None:
    """The path of the last value that begins on that line; of a text over several lines the one before it."""
    if marks is None or min(marks.key_line, marks.line) > line:
        return None
    children = marks.children or {}
    pairs: list[tuple[str | int, Marks]] = list(children.items() if isinstance(children, dict) else enumerate(children))
    for step, child in reversed(pairs):
        if (inner := _path_at(child, line, (*path, step))) is not None:
            return inner
    return path


# ---------------------------------------------------------------------------------------------
# Trying other values.


class _Spot(NamedTuple):
    """A line of a rendered document, and the path of its value; None in a file that is not YAML."""

    document: Rendered
    path: DocumentPath | None
    line: int

    def value(self, changed: Rendered | None = None) -> object:
        """The value at the path, with its key; of a comment, or of a file that is not YAML, the line.

        With ``changed``, the same file of other settings: the value there.
        """
        lines = self.document.text.splitlines()
        text = lines[self.line - 1].strip() if self.line <= len(lines) else ""
        if self.path is None or text.startswith("#"):
            there = changed is None or text in map(str.strip, changed.text.splitlines())
            return text if there else None
        before = _data(self.document.text)
        value = _data(changed.text) if changed else before
        for step in self.path:
            if isinstance(value, list) and isinstance(step, int):
                item = before[step]
                # Items in front of it move an item, and do not affect it.
                place = value.index(item) if item in value else step
                before, value = item, value[place] if place < len(value) else None
            else:
                before, value = before[step], value.get(step) if isinstance(value, dict) else None
        return sorted(value) if isinstance(value, dict) else len(value) if isinstance(value, list) else value

    def built(self, name: str, server: Server, options: Options) -> object:
        """The value with other settings; unchanged where the same file is not made."""
        documents = [*target(name).build([server], options)[0], *target(name).shared(options)]
        same = [other for other in documents if other.template == self.document.template]
        other = next((other for other in same if other.path == self.document.path), same[0] if same else self.document)
        value = self.value(other)
        text = self.document.text.splitlines()[self.line - 1].strip()
        # With another name the same line may have moved.
        moved = value is None and text in map(str.strip, other.text.splitlines())
        return self.value() if moved or other.text == self.document.text else value


def _fields(run: Run, server: Server, spot: _Spot) -> Iterator[Explained]:
    before = spot.value()
    filled: Any = with_defaults(server.source.data)
    written = next((source for source in run.sources if name_of(source) == server.name), server.source)
    for field in leaves(filled, ()):
        if field[0] in ("apiVersion", "kind") or field[:2] in (("spec", "accept"), ("spec", "patches")):
            continue  # they decide what is rendered at all; what a patch changes is known
        others = _others(filled, field)
        if any(_with_data(run, server.source, other, spot) != before for other in others):
            yield from explain(written, field, run.environment)


def _others(filled: JSON, path: DocumentPath) -> Iterator[JSON]:
    """Likely values first."""
    value: Any = filled
    for step in path:
        value = value[step]
    items = enumerate(value) if isinstance(value, list) else ()
    single = [[*value[:i], other, *value[i + 1 :]] for i, item in items for other in _other(item, ())]
    for other in single or _other(value, path):
        yield _with(filled, path, other)


def _other(value: Any, path: DocumentPath) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1]
    if isinstance(value, str):
        choices = [choice for node in schema_nodes(path) for choice in node.get("enum", ())] if path else []
        numbers = [f"{value[: n.start()]}{int(n[0]) + 1}{value[n.end() :]}" for n in _PORT.finditer(value)]
        return [choice for choice in choices if choice != value] or [f"{value}x", f"1{value}", *numbers]
    return [["x"]] if value == [] else [{"x": "x"}] if value == {} else []


def _with(data: Any, path: DocumentPath, value: JSON) -> Any:
    if not path:
        return value
    copy: Any = list(data) if isinstance(data, list) else dict(data)
    copy[path[0]] = _with(data[path[0]], path[1:], value)
    return copy


def _with_data(run: Run, source: Source, data: JSON, spot: _Spot) -> object:
    """The value with other data; unchanged where that cannot be rendered."""
    try:
        server = resolve(source._replace(data=data))  # type: ignore[arg-type]
        others = (other for other in (*run.specs.servers, *run.specs.remotes) if other.name != server.name)
        server = place_links(link((server, *others), complete=False)[0][0], run.options)
        images = run.environment.images if run.environment else AS_WRITTEN
        return spot.built(run.target, server._replace(images=images), run.options)
    except Exception:
        return spot.value()


@lru_cache(maxsize=8)  # the rendered text is compared with each of the others
def _data(text: str) -> Any:
    documents, _ = read(text, strict=False, limits=OUTPUT_LIMITS, marks=False)
    return documents[0].data if documents else None


def _settings(run: Run, server: Server | None, spot: _Spot) -> Iterator[tuple[str, Place | None]]:
    """Options, or in their place fields of the environment, that affect the line."""
    before = spot.value()
    options, environment = run.options, run.environment
    if not server and environment:
        yield from _of_environment(environment, spot)
    tried: Mapping[DocumentPath, Options] = {
        ("spec", "namespace", "name"): options._replace(namespace=f"{options.namespace}x"),
        ("spec", "kubernetesVersion"): options._replace(kubernetes_version="1.30"),
        ("spec", "networkPolicy", "provider"): options._replace(network_policy_provider="none"),
        ("spec", "networkPolicy", "dns"): options._replace(dns=()),
        ("spec", "networkPolicy", "apiServer"): options._replace(api_server=(Answerer(443, cidr="192.0.2.1/32"),)),
        ("spec", "namespace", "podSecurity", "enforce"): options._replace(
            namespace_rules=options.namespace_rules._replace(
                enforce="baseline" if options.namespace_rules.enforce == "restricted" else "restricted"
            )
        ),
    }
    for field, other in tried.items():
        if server:
            built = spot.built(run.target, server, other)
        else:
            shared = [new for new in target(run.target).shared(other) if new.template == spot.document.template]
            built = spot.value(shared[0] if shared else spot.document)
        if built != before and (server or not _place(environment, field)):
            yield dotted(field), _place(environment, field)
    if environment and server and server.images != AS_WRITTEN:
        plain = server._replace(images=AS_WRITTEN)
        if spot.built(run.target, plain, options) != before:
            yield "spec.images", _place(environment, ("spec", "images"))


def _of_environment(environment: Environment, spot: _Spot) -> Iterator[tuple[str, Place | None]]:
    """Fields of the environment that affect what all servers share, or the delivery."""
    source, before = environment.source, spot.value()
    if environment.name in str(before).split("-"):  # with another name its document may be invalid
        yield "metadata.name", source.place(("metadata", "name"), at_key=True)
    for field in leaves(source.data, ()):
        if field[0] == "spec" and any(
            _shared_by(source, other, spot) not in (before, None) for other in _others(source.data, field)
        ):
            yield dotted(field), source.place(field, at_key=True)


def _shared_by(source: Source, data: Any, spot: _Spot) -> object:
    """With another document of the environment; None where that is invalid, or makes no such file."""
    made, _ = make_environments([source._replace(data=data)])
    if not made:
        return None
    documents = [*target(made[0].target).shared(made[0].options), *(deliver(made[0])[0] if made[0].delivery else ())]
    others = [other for other in documents if other.template == spot.document.template]
    return spot.value(others[0]) if others else None


def _place(environment: Environment | None, field: DocumentPath) -> Place | None:
    is_set = environment and environment.sets(*map(str, field))
    return environment.source.place(field, at_key=True) if environment and is_set else None


# ---------------------------------------------------------------------------------------------
# As text and as data.


def line_as_text(file: str, number: int, line: Line) -> str:
    where = f" (environment {line.environment})" if line.environment else ""
    text = f"{excerpt(file, 4096)}:{number}{where}: {excerpt(line.text, 200)}\n    template {line.template}\n"
    for place in line.patches:
        text += f"    patch at {excerpt(str(place), 4096)}\n"
    for name, setting in line.settings:
        text += f"    {name}: {excerpt(str(setting), 4096) if setting else 'an option, or its default'}\n"
    return text + "".join(f"    {row}\n" for row in as_text([("", line.fields)]).splitlines())


def line_as_json(file: str, number: int, line: Line) -> str:
    data = {
        "file": file,
        "line": number,
        "text": line.text,
        "environment": line.environment,
        "template": line.template._asdict(),
        "patches": [place._asdict() for place in line.patches],
        "settings": [{"name": name, "place": place and place._asdict()} for name, place in line.settings],
        "fields": [field_data(field) for field in line.fields],
    }
    return json.dumps(data, indent=2) + "\n"

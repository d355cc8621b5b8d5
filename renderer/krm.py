"""Rendering as a KRM function: a ResourceList in, the same with the rendered objects out.

https://github.com/kubernetes-sigs/kustomize/blob/master/cmd/config/docs/api-conventions/functions-spec.md
"""

from __future__ import annotations

import posixpath
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any, NamedTuple

from renderer import pipeline
from renderer.credentials import masked
from renderer.errors import InputInvalid, Place, Problem, Severity, errors_in, excerpt
from renderer.manifest import as_mapping, at
from renderer.model import JSON, Options
from renderer.registry import target
from renderer.yaml_reader import OUTPUT_LIMITS, read
from renderer.yaml_writer import block

API_VERSION = "config.kubernetes.io/v1"
SPEC_API = "mcpctl.io/v1alpha1"
KINDS = ("McpServer", "Environment")
#: Annotations of orchestrators, which are not copied into what is rendered.
_STAMPED = ("config.kubernetes.io/", "internal.config.kubernetes.io/")
_INTERNAL = (*_STAMPED, "config.k8s.io/", "internal.kpt.dev/")
_LOCAL = "config.kubernetes.io/local-config"
_MANAGED = "mcpctl.io/managed"
_STDIN = "<stdin>"

Item = dict[str, Any]


class ResourceList(NamedTuple):
    items: list[Item]
    config: Item | None = None


class Answer(NamedTuple):
    """``results``: the Problems in the form of KRM."""

    items: list[Item]
    problems: list[Problem]
    results: list[dict[str, JSON]]


def read_list(text: bytes) -> ResourceList:
    """InputInvalid where it is not one ResourceList."""
    resources = read_items(text, _STDIN)
    kinds = [(resource.get("apiVersion"), resource.get("kind")) for resource in resources]
    if kinds != [(API_VERSION, "ResourceList")]:
        raise _not_a_list(f"expected one ResourceList of {API_VERSION}")
    items, config = resources[0].get("items"), resources[0].get("functionConfig")
    items = [] if items is None else items
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _not_a_list("items must be a list of resources")
    if config is not None and not isinstance(config, dict):
        raise _not_a_list("functionConfig must be a resource")
    return ResourceList(items, config)


def read_items(text: bytes, file: str) -> list[Item]:
    """The resources of a YAML stream; InputInvalid where a document is none."""
    documents, findings = read(text, strict=False, limits=OUTPUT_LIMITS)
    problems = [Problem(Place(file, line, column), "", *fault[1:4]) for line, column, fault in findings]
    problems += [
        Problem(Place(file, document.line), "", "krm/input", "a resource must be a mapping")
        for document in documents
        if document.data is not None and not isinstance(document.data, dict)
    ]
    if problems:
        raise InputInvalid("the input is not a stream of resources", problems)
    return [document.data for document in documents if isinstance(document.data, dict)]


def is_spec(item: Mapping[str, Any]) -> bool:
    return item.get("apiVersion") == SPEC_API and item.get("kind") in KINDS


def answer(resources: ResourceList, options: Options, environment: str = "") -> Answer:
    """The items, and in place or behind them what the specs among them (and in functionConfig) render to.

    An Environment among them replaces ``options``; of several the one called ``environment``. With an error the items
    are returned unchanged.
    """
    specs = [item for item in resources.items if is_spec(item)]
    sources = [resources.config, *specs] if resources.config and is_spec(resources.config) else specs
    if not sources:
        hint = "give a McpServer as an item or as the functionConfig"
        message = "there is no spec, so nothing is rendered"
        nothing = Problem(Place(_STDIN), "", "krm/nothing", message, hint, Severity.WARNING)
        return Answer(resources.items, [nothing], [_result(nothing, [], [])])
    stream, starts = _stream(sources)
    output = _rendered(pipeline.read_inputs(["-"], BytesIO(stream)), options, environment)
    problems = [problem for problem in output.problems if problem.severity is not Severity.ACCEPTED]
    items = resources.items
    if not errors_in(problems):
        # The folder of each server's spec, by its name; of all, under the empty name, the first one's.
        folders: dict[str, str] = {}
        for source in sources:
            folder = posixpath.dirname(_annotation(source, "path"))
            folders.setdefault("", folder)
            if source["kind"] == "McpServer":
                folders[source["metadata"]["name"]] = folder
        rendered = []
        for document in output.documents:
            folder = folders.get(document.path.split("/")[0], folders[""])
            made = read(document.text, strict=False, limits=OUTPUT_LIMITS, marks=False)[0][0].data
            rendered.append((as_mapping(made), posixpath.join(folder, document.path)))
        items, clashes = _merged(resources.items, rendered)
        problems += clashes
    results = [_result(problem, sources, starts) for problem in problems]
    placed = [_at_its_item(problem, sources, starts) for problem in problems]
    return Answer(resources.items if errors_in(problems) else items, placed, results)


def _rendered(inputs: pipeline.Inputs, options: Options, environment: str) -> pipeline.Output:
    chosen = [each for each in inputs.environments if environment in ("", each.name)]
    alone = pipeline.Run(None, "kubernetes", options, pipeline.Specs((), ()))
    if not (inputs.environments or environment) or errors_in(inputs.problems):
        chosen = []
    elif len(chosen) != 1 or chosen[0].target != alone.target:
        names = ", ".join(sorted(each.name for each in inputs.environments)) or "none"
        message = f"one environment with the target kubernetes is rendered here, and there is: {names}"
        hint = "name the right one in the functionConfig, as data.environment"
        return pipeline.Output((), (Problem(Place(_STDIN), "", "krm/environment", message, hint),))
    (run,) = pipeline.runs(inputs, chosen, alone)
    return pipeline.render_run(run, target(run.target))


def as_yaml(result: Answer, config: Item | None) -> str:
    data: dict[str, JSON] = {"apiVersion": API_VERSION, "kind": "ResourceList"}
    data |= {"functionConfig": config} if config is not None else {}
    data |= {"items": [*result.items]}
    data |= {"results": [*result.results]} if result.results else {}
    return block(data, 0) + "\n"


def _not_a_list(message: str) -> InputInvalid:
    hint = "call 'mcpctl krm' as a function of kustomize or kpt, or give a file as CONFIG"
    problem = Problem(Place(_STDIN), "", "krm/input", message, hint)
    return InputInvalid("standard input is not a ResourceList", [problem])


def _stream(sources: Sequence[Item]) -> tuple[bytes, list[int]]:
    """The specs as one file, and the line on which each begins."""
    text, starts, line = [], [], 1
    for source in sources:
        metadata = as_mapping(source.get("metadata"))
        if isinstance(annotations := metadata.get("annotations"), dict):
            own = {key: value for key, value in annotations.items() if not key.startswith(_INTERNAL)}
            others = {key: value for key, value in metadata.items() if key != "annotations"}
            source = {**source, "metadata": {**others, "annotations": own} if own else others}
        written = f"---\n{block(source, 0)}\n"
        text.append(written)
        starts.append(line)
        line += written.count("\n")
    return "".join(text).encode(), starts


def _annotation(item: Mapping[str, Any], name: str) -> str:
    annotations = as_mapping(at(item, "metadata", "annotations"))
    value = annotations.get(f"internal.config.kubernetes.io/{name}") or annotations.get(f"config.kubernetes.io/{name}")
    return value if isinstance(value, str) else ""


def _merged(items: Sequence[Item], rendered: Iterable[tuple[Item, str]]) -> tuple[list[Item], list[Problem]]:
    """Rendered objects replace those of an earlier call, new ones follow; specs are marked as local."""
    merged = [_with_annotations(item, {_LOCAL: "true"}) if is_spec(item) else item for item in items]
    places = {_identity(item): index for index, item in enumerate(merged)}
    problems = []
    for made, path in rendered:
        index = places.get(_identity(made))
        if index is None:
            origin = {"path": path, "index": "0"}
            annotations = {f"{prefix}{name}": value for prefix in _STAMPED for name, value in origin.items()}
            merged.append(_with_annotations(made, annotations))
        elif at(merged[index], "metadata", "labels", _MANAGED) == "true":
            there = as_mapping(merged[index]["metadata"].get("annotations"))
            internals = {key: value for key, value in there.items() if key.startswith(_INTERNAL)}
            merged[index] = _with_annotations(made, internals)
        else:
            item = merged[index]
            place = Place(_annotation(item, "path") or _STDIN)
            message = f"{item['kind']} {item['metadata'].get('name')} exists already, and mcpctl does not manage it"
            hint = "rename the server, or remove the other"
            problems.append(Problem(place, "", "krm/foreign", message, hint, in_output=True))
    return merged, problems


def _with_annotations(item: Item, annotations: Mapping[str, JSON]) -> Item:
    metadata = item["metadata"]
    return {**item, "metadata": {**metadata, "annotations": {**as_mapping(metadata.get("annotations")), **annotations}}}


def _identity(item: Item) -> tuple[str, ...]:
    known = as_mapping(item.get("metadata"))
    group = str(item.get("apiVersion")).rpartition("/")[0]
    return group, str(item.get("kind")), str(known.get("namespace") or ""), str(known.get("name"))


def _at_its_item(problem: Problem, sources: Sequence[Item], starts: Sequence[int]) -> Problem:
    """With the item's own file, or else its kind and name, in place of a line of the stream."""
    if problem.place.file != _STDIN or not problem.place.line:
        return problem
    source = sources[bisect_right(starts, problem.place.line) - 1]
    name = excerpt(str(at(source, "metadata", "name")))
    file = excerpt(_annotation(source, "path"), 4096) or f"{source['kind']}/{name}"
    return problem._replace(place=Place(file), related=())


def _result(problem: Problem, sources: Sequence[Item], starts: Sequence[int]) -> dict[str, JSON]:
    text = masked(f"{problem.message}; {problem.hint}" if problem.hint else problem.message)
    result: dict[str, JSON] = {"message": text, "severity": str(problem.severity), "tags": {"rule": problem.rule}}
    place = problem.place
    if place.file == _STDIN and place.line and starts:
        source = sources[bisect_right(starts, place.line) - 1]
        # Which resource a result is about, and which file it came from.
        name = at(source, "metadata", "name")
        result["resourceRef"] = {"apiVersion": SPEC_API, "kind": source["kind"], "name": str(name or "")}
        if path := _annotation(source, "path"):
            index = _annotation(source, "index")
            result["file"] = {"path": path, "index": int(index) if index.isdecimal() and len(index) < 9 else 0}
    elif place.file != _STDIN:
        result["file"] = {"path": place.file}
    if problem.path:
        result["field"] = {"path": problem.path}
    return result

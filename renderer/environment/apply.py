"""An environment applied to the specs: merged documents, validated again, and every Problem where it was caused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.environment.overlay import at, filled, idle_nulls, leaves, merged
from renderer.environment.places import places
from renderer.environment.replace import image_faults, replaced
from renderer.environment.select import members, no_match, selects
from renderer.environment.values import Environment, Layer, Merge
from renderer.errors import DocumentPath, Fault, Place, Problem, Severity, dotted, errors_in
from renderer.model import JSON, Marks, Server, Source
from renderer.resolve import resolve
from renderer.validate import validate_rules, validate_source


class Applied(NamedTuple):
    """The servers of an environment that hold, and all Problems that it brings."""

    servers: tuple[Server, ...]
    problems: tuple[Problem, ...]


def layers(environment: Environment, source: Source, effects: Effects | None = None) -> list[Layer]:
    """The valid document as written, then after each change that the environment makes, in order.

    ``effects`` learns what each merge does.
    """
    found = [Layer("spec", source.data, source.marks)]
    for merge in environment.merges:
        if merge.select is None or selects(merge.select, source):
            changed = _changed(environment, found[-1], merge)
            differs = changed.data != found[-1].data
            if effects is not None:
                effects.note(merge, found[-1], differs)
            found += [changed] if differs else []
    last = replaced(environment, found[-1]) if _sound(found) else found[-1]
    return found if last is found[-1] else [*found, last]


class Effects:
    """Over all servers of an environment: which patches change something, and which of their nulls remove nothing."""

    def __init__(self) -> None:
        self.changing: set[DocumentPath] = set()
        self.idle: dict[DocumentPath, set[DocumentPath]] = {}

    def note(self, merge: Merge, before: Layer, differs: bool) -> None:
        """One server, as the patch finds it."""
        if differs:
            self.changing.add(merge.path)
        if merge.select and self.idle.get(merge.path) != set():
            nulls = set(idle_nulls(before.data["spec"], dict(merge.data)))
            self.idle[merge.path] = self.idle.get(merge.path, nulls) & nulls


def _sound(found: Sequence[Layer]) -> bool:
    """Images are looked for only where everything is in its place."""
    last = found[-1]
    return len(found) == 1 or not errors_in(validate_source(Source("", 1, 1, last.data)))


def _changed(environment: Environment, layer: Layer, merge: Merge) -> Layer:
    marks = environment.source.marks
    assert marks, "environments are loaded with marks"
    patch: JSON = {"spec": dict(merge.data)}
    over = _under_spec(at(marks, merge.path))
    if merge.select is None:
        data, found = filled(layer.data, layer.marks, patch, over)
        return Layer("environment default", _document(data), found)
    data, found = merged(layer.data, layer.marks, patch, over)
    return Layer("environment patch", _document(data), found)


def _document(data: JSON) -> dict[str, JSON]:
    assert isinstance(data, dict), "a mapping stays one"
    return data


def _under_spec(marks: Marks) -> Marks:
    return marks._replace(children={"spec": marks})


def apply(
    environment: Environment, sources: Sequence[Source], bases: Mapping[int, Server], broken: bool = False
) -> Applied:
    """The environment's servers. ``sources`` are valid documents, ``bases`` what each resolves to by its ``id``.

    With ``broken`` some documents of the input are not valid, and nobody can say that a selector matches none.
    """
    chosen = members(environment, sources)
    effects = Effects()
    stacks = [layers(environment, source, effects) for source in chosen]
    servers: list[Server] = []
    problems: list[Problem] = []
    for source, stack in zip(chosen, stacks, strict=True):
        server, found = _server(environment, source, stack, bases[id(source)])
        servers += [server] if server else []
        problems += found
    if not broken:
        faults = [*_unmatched(environment, chosen, sources), *_idle(environment, effects), *_nobody(chosen)]
        if len(servers) == len(chosen):  # else nobody knows which images there are
            faults += image_faults(environment, [_before_images(stack) for stack in stacks], servers)
        problems += [environment.source.problem(fault) for fault in faults]
    return Applied(tuple(servers), tuple(problems))


def _before_images(stack: Sequence[Layer]) -> Layer:
    return stack[-2] if stack[-1].origin == "environment image" else stack[-1]


def _server(
    environment: Environment, source: Source, stack: Sequence[Layer], base: Server
) -> tuple[Server | None, list[Problem]]:
    if len(stack) == 1:
        return base._replace(images=environment.images), validate_rules(base)
    last = stack[-1]
    overlaid = source._replace(data=last.data, marks=last.marks)
    told = _Teller(environment, source, stack)
    problems = validate_source(overlaid)
    if errors_in(problems):
        return None, [told.caused(problem) for problem in problems]
    server = resolve(overlaid)._replace(images=environment.images)
    problems = validate_rules(server)
    if not problems:
        return server, []
    before = {(p.rule, p.path) for p in validate_rules(base)}
    return server, [p if (p.rule, p.path) in before else told.caused(p) for p in problems]


class _Teller:
    """Tells Problems that only the environment brings: at what it says, with the spec as related place."""

    def __init__(self, environment: Environment, source: Source, stack: Sequence[Layer]) -> None:
        self._environment = environment
        self._source = source
        self._stack = stack
        self._own = places(environment)

    def caused(self, problem: Problem) -> Problem:
        """The Problem at the place of its cause."""
        if problem.place in self._own:
            return problem._replace(related=(*problem.related, self._source.place(("metadata", "name"))))
        near = self._nearest(problem)
        if near is None:
            places = list(dict.fromkeys(change.place for change in self._changes()))
            words = f"{problem.message} (with environment {self._environment.name}, which says more in {places[0]})"
            return problem._replace(message=words, related=(*problem.related, *places))
        words = f"{problem.message} (with environment {self._environment.name})"
        return problem._replace(message=words, place=near, related=(*problem.related, problem.place))

    def _changes(self) -> Iterator[_Change]:
        last = self._stack[-1]
        merged_source = self._source._replace(data=last.data, marks=last.marks)
        for path, removed in _differences(self._stack[0].data, last.data):
            yield _Change(dotted(path), merged_source.place(path, at_key=True), removed)

    def _nearest(self, problem: Problem) -> Place | None:
        """The change that is at, above or below the path, the last of several; of what is missing, what removed it."""
        changes = list(self._changes())
        found = [change for change in changes if _related(change.path, problem.path)]
        if problem.rule.endswith("/missing-field"):
            removed = [change for change in changes if change.removed]
            named = [change for change in removed if f"'{change.path.rpartition('.')[2]}'" in problem.message]
            found = named or found or removed  # a patch may remove more than what is missed
        return found[-1].place if found else None


class _Change(NamedTuple):
    """One field that is not as in the spec, and where the environment says so."""

    path: str
    place: Place
    removed: bool


def _related(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short not in ("", "spec") and (long == short or long.startswith((f"{short}.", f"{short}[")))


def _differences(before: Any, after: Any, path: DocumentPath = ()) -> Iterator[tuple[DocumentPath, bool]]:
    """Every path at which two documents differ, and whether the second has nothing there."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            if key not in after:
                yield (*path, key), True
            elif before.get(key) != after[key]:
                yield from _differences(before.get(key), after[key], (*path, key))
    elif before != after:
        yield path, False


# ---------------------------------------------------------------------------------------------
# What does nothing.


def _unmatched(environment: Environment, chosen: Sequence[Source], everywhere: Sequence[Source]) -> Iterator[Fault]:
    for selector in (*(environment.include or ()), *environment.exclude):
        if not any(selects(selector, source) for source in everywhere):
            yield no_match(selector, everywhere, ())
    for patch in environment.patches:
        if patch.select and not any(selects(patch.select, source) for source in chosen):
            yield no_match(patch.select, chosen, everywhere)


def _nobody(chosen: Sequence[Source]) -> Iterator[Fault]:
    if not chosen:
        message = "no server of the input belongs to this environment"
        hint = "name files or folders with specs, or select other servers (spec.servers)"
        yield Fault(("metadata", "name"), "environment/no-servers", message, hint)


def _idle(environment: Environment, effects: Effects) -> Iterator[Fault]:
    """Merge patches that change no server, and nulls that remove nothing from any."""
    if environment.defaults:
        nulls = [path for path in leaves(dict(environment.defaults.data)) if _value(environment.defaults, path) is None]
        yield from (_idle_null(environment.defaults, path) for path in nulls)
    for patch in environment.patches:
        if patch.path not in effects.idle:
            continue  # it selects nobody, which is told
        if patch.path not in effects.changing:
            message = "it changes nothing: every server that it selects says the same already"
            yield Fault(patch.path, "environment/patch-without-effect", message, "remove it", Severity.WARNING, True)
        else:
            yield from (_idle_null(patch, path) for path in sorted(effects.idle[patch.path], key=dotted))


def _value(merge: Merge, path: DocumentPath) -> Any:
    node: Any = merge.data
    for step in path:
        node = node[step]
    return node


def _idle_null(merge: Merge, path: DocumentPath) -> Fault:
    message = "null removes nothing here: no spec says anything at this place"
    if merge.select is None:
        message = "null removes nothing here: 'defaults' only add what specs do not say"
    full = (*merge.path, *path)
    return Fault(
        full, "environment/null-without-effect", message, "remove it, or remove by a patch", Severity.WARNING, True
    )

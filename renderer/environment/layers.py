"""Specs changed by an environment: merged documents, whose marks keep the place of each value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from renderer.environment.images import images_in, replaced
from renderer.environment.merge import at, filled, idle_nulls, merged
from renderer.environment.selectors import members, no_match, selects
from renderer.environment.values import Environment, Layer, Merge, Origin
from renderer.errors import DocumentPath, Fault, Problem, Severity, dotted
from renderer.model import JSON, Overlay, Source
from renderer.namedtuples import NamedTuple


class Merged(NamedTuple):
    """The environment's servers as documents, the same objects where nothing changes.

    ``written`` are these documents unchanged, ``images`` the images in them before mirrors and pins.
    """

    sources: tuple[Source, ...]
    written: tuple[Source, ...]
    images: frozenset[str]
    problems: tuple[Problem, ...]


def merge(environment: Environment, sources: Sequence[Source], *, complete: bool) -> Merged:
    """Problems of selectors only where the input is ``complete``."""
    chosen = members(environment, sources)
    effects = Effects()
    stacks = [layers(environment, source, effects) for source in chosen]
    # Images are the last layer, where there is one of them.
    before = [stack[-2] if stack[-1].origin == "environment image" else stack[-1] for stack in stacks]
    images = frozenset(image for layer in before for _, image in images_in(layer.data))
    faults = [*_unmatched(environment, chosen, sources), *_idle(environment, effects)]
    if not chosen:
        message = "no server of the input belongs to this environment"
        hint = "name files or folders with specs, or select other servers (spec.servers)"
        faults.append(Fault(("metadata", "name"), "environment/no-servers", message, hint))
    return Merged(
        tuple(_overlaid(environment, source, stack) for source, stack in zip(chosen, stacks, strict=True)),
        tuple(chosen),
        images,
        tuple(map(environment.source.problem, faults if complete else ())),
    )


def layers(environment: Environment, source: Source, effects: Effects | None = None) -> list[Layer]:
    """The document as written, then after each change of the environment, in order; notes ``effects``."""
    stack = [Layer("spec", source.data, source.marks)]
    # The defaults are those of workloads.
    merges = environment.patches if _is_remote(environment, source) else environment.merges
    for change in merges:
        if change.select is None or selects(change.select, source):
            marks = environment.source.marks
            assert marks, "environments are loaded with marks"
            before, over = stack[-1], at(marks, change.path)
            combine = filled if change.select is None else merged
            patch: JSON = {"spec": dict(change.data)}
            data, places = combine(before.data, before.marks, patch, over._replace(children={"spec": over}))
            assert isinstance(data, dict), "a mapping stays one"
            origin: Origin = "environment default" if change.select is None else "environment patch"
            if effects is not None:
                effects.note(change, before, data != before.data)
            if data != before.data:
                stack.append(Layer(origin, data, places, environment.source.place(change.path)))
    last = replaced(environment, stack[-1])
    return stack if last is stack[-1] else [*stack, last]


def _is_remote(environment: Environment, source: Source) -> bool:
    spec = source.data.get("spec")
    remote = isinstance(spec, dict) and "remote" in spec
    for patch in environment.patches:
        if "remote" in patch.data and patch.select and selects(patch.select, source):
            remote = patch.data["remote"] is not None
    return remote


class Effects:
    """Of all servers of an environment: which patches change something, and which of their nulls remove nothing."""

    def __init__(self) -> None:
        self.changing: set[DocumentPath] = set()
        self.idle: dict[DocumentPath, set[DocumentPath]] = {}

    def note(self, change: Merge, before: Layer, differs: bool) -> None:
        if differs:
            self.changing.add(change.path)
        if change.select and self.idle.get(change.path) != set():
            nulls = set(idle_nulls(before.data.get("spec"), dict(change.data)))
            self.idle[change.path] = self.idle.get(change.path, nulls) & nulls


def _overlaid(environment: Environment, source: Source, stack: Sequence[Layer]) -> Source:
    places = tuple(layer.place for layer in stack if layer.place)
    if not places:
        return source
    return source._replace(data=stack[-1].data, marked=stack[-1].marks, overlay=Overlay(environment.name, places))


# ---------------------------------------------------------------------------------------------
# Selectors and patches without effect.


def _unmatched(environment: Environment, chosen: Sequence[Source], everywhere: Sequence[Source]) -> Iterator[Fault]:
    for selector in (*(environment.include or ()), *environment.exclude):
        if not any(selects(selector, source) for source in everywhere):
            yield no_match(selector, everywhere, ())
    for patch in environment.patches:
        if patch.select and not any(selects(patch.select, source) for source in chosen):
            yield no_match(patch.select, chosen, everywhere)


def _idle(environment: Environment, effects: Effects) -> Iterator[Fault]:
    """Patches that change no server, and nulls that remove nothing from any."""
    if environment.defaults:
        yield from (_idle_null(environment.defaults, path) for path in idle_nulls({}, dict(environment.defaults.data)))
    for patch in environment.patches:
        if patch.path not in effects.idle:
            continue  # it selects no server, which is a fault of its own
        if patch.path not in effects.changing:
            message = "the patch changes nothing: every server that it selects has these values already"
            yield Fault(patch.path, "environment/patch-without-effect", message, "remove it", Severity.WARNING, True)
        else:
            yield from (_idle_null(patch, path) for path in sorted(effects.idle[patch.path], key=dotted))


def _idle_null(change: Merge, path: DocumentPath) -> Fault:
    message = "null removes nothing: no spec sets this field"
    if change.select is None:
        message = "null removes nothing: 'defaults' only set fields that specs leave out"
    full = (*change.path, *path)
    return Fault(
        full, "environment/null-without-effect", message, "remove it, or remove by a patch", Severity.WARNING, True
    )

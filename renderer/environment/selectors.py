"""The servers that a selector matches, and the message where it matches none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from renderer.errors import Fault
from renderer.wording import did_you_mean

if TYPE_CHECKING:
    from renderer.environment.values import Environment, Selector
    from renderer.model import Source

#: Names of servers in one message.
_LISTED = 12


def name_of(source: Source) -> str:
    """Empty where an invalid document has none."""
    metadata = source.data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def labels_of(source: Source) -> Mapping[str, object]:
    metadata = source.data.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return labels if isinstance(labels, dict) else {}


def selects(selector: Selector, source: Source) -> bool:
    name, labels = name_of(source), labels_of(source)
    return (
        selector.name in (None, name)
        and (selector.glob is None or fnmatchcase(name, selector.glob))
        and all(labels.get(key) == value for key, value in (selector.labels or {}).items())
    )


def members(environment: Environment, sources: Sequence[Source]) -> list[Source]:
    """In the order of the input."""
    chosen = [s for s in sources if environment.include is None or _any(environment.include, s)]
    return [s for s in chosen if not _any(environment.exclude, s)]


def _any(selectors: Iterable[Selector], source: Source) -> bool:
    return any(selects(selector, source) for selector in selectors)


def no_match(selector: Selector, there: Sequence[Source], everywhere: Sequence[Source]) -> Fault:
    """The Fault of a selector that matches none of ``there``, with a suggestion."""
    if any(selects(selector, source) for source in everywhere):
        hint = "the server is in the input, but not in this environment: see spec.servers"
    else:
        hint = _suggestion(selector, there)
    words = [f"is called '{selector.name}'"] if selector.name is not None else []
    words += [f"has a name that fits '{selector.glob}'"] if selector.glob is not None else []
    pairs = ", ".join(f"{key}: {value}" for key, value in (selector.labels or {}).items())
    words += [f"has the labels {{{pairs}}}"] if pairs else []
    return Fault(selector.path, "environment/selects-nothing", f"no server {' and '.join(words)}", hint)


def _suggestion(selector: Selector, there: Sequence[Source]) -> str:
    names = sorted(filter(None, map(name_of, there)))
    pairs = sorted({f"{key}: {value}" for source in there for key, value in labels_of(source).items()})
    wanted = [f"{key}: {value}" for key, value in (selector.labels or {}).items()]
    near = [did_you_mean(selector.name, names)] if selector.name is not None else []
    near += [did_you_mean(pair, pairs) for pair in wanted if pair not in pairs]
    likely = next(filter(None, near), "")
    if likely:
        return f"did you mean '{likely}'?"
    known, noun = (pairs, "labels") if wanted and selector.name is None else (names, "servers")
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"{noun} of the input: {', '.join(known[:_LISTED])}{more}" if known else f"the input has no {noun}"

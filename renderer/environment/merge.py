"""Merge patches of documents together with their marks, so that values of an environment keep its places."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.errors import DocumentPath
from renderer.model import JSON, Marks, nearest


def stamped(marks: Marks, file: str, path: DocumentPath = ()) -> Marks:
    """With file and path in each mark, before they are mixed with those of another file."""
    inner = marks.children
    if isinstance(inner, dict):
        inner = {key: stamped(child, file, (*path, key)) for key, child in inner.items()}
    elif isinstance(inner, list):
        inner = [stamped(child, file, (*path, i)) for i, child in enumerate(inner)]
    return marks._replace(children=inner, file=file, path=path)


def at(marks: Marks, path: DocumentPath) -> Marks:
    """The marks of an existing path."""
    return nearest(marks, path)[0]


def merged(data: JSON, marks: Marks | None, patch: JSON, over: Marks) -> tuple[JSON, Marks]:
    """RFC 7396: mappings merge, null removes, everything else replaces.

    What was removed keeps the mark of the null: the place of a fault about its absence.
    """
    if not isinstance(patch, dict):
        return patch, over
    result, children = _copies(data, marks)
    for key, value in patch.items():
        mark = _child(over, key)
        if value is not None:
            inner = children.get(key) if key in result else None
            result[key], children[key] = merged(result.get(key), inner, value, mark)
        elif key in result:
            del result[key]
            children[key] = mark._replace(removed=True)
    return result, (marks if isinstance(data, dict) and marks else over)._replace(children=children)


def filled(data: JSON, marks: Marks | None, defaults: JSON, over: Marks) -> tuple[JSON, Marks]:
    """With ``defaults`` where the data has no value: mappings field by field, everything else as a whole."""
    if not isinstance(defaults, dict) or not isinstance(data, dict):
        return data, marks or over
    result, children = _copies(data, marks)
    for key, value in defaults.items():
        if value is None:
            continue
        if key in result:
            result[key], children[key] = filled(result[key], children.get(key), value, _child(over, key))
        else:
            result[key], children[key] = merged(None, None, value, _child(over, key))
    return result, (marks or over)._replace(children=children)


def placed(data: JSON, marks: Marks | None, path: DocumentPath, value: JSON, mark: Marks) -> tuple[JSON, Marks]:
    """With ``value`` at ``path``, which exists."""
    if not path:
        return value, mark
    step, rest = path[0], path[1:]
    if isinstance(data, list) and isinstance(step, int):
        items, places = list(data), list(marks.children) if marks and isinstance(marks.children, list) else []
        inner = places[step] if places else None
        items[step], place = placed(items[step], inner, rest, value, mark)
        if places:
            places[step] = place
        return items, (marks or mark)._replace(children=places or None)
    result, children = _copies(data, marks)
    result[str(step)], children[str(step)] = placed(result[str(step)], children.get(str(step)), rest, value, mark)
    return result, (marks or mark)._replace(children=children)


def idle_nulls(data: JSON, patch: JSON, path: DocumentPath = ()) -> Iterator[DocumentPath]:
    """Paths of nulls that remove nothing."""
    if not isinstance(patch, dict):
        return
    known = data if isinstance(data, dict) else {}
    for key, value in patch.items():
        if value is None:
            if key not in known:
                yield (*path, key)
        else:
            yield from idle_nulls(known.get(key), value, (*path, key))


def _copies(data: JSON, marks: Marks | None) -> tuple[dict[str, JSON], dict[str, Marks]]:
    if not isinstance(data, dict):
        return {}, {}
    return dict(data), dict(marks.children) if marks and isinstance(marks.children, dict) else {}


def _child(marks: Marks, key: str) -> Marks:
    return marks.children[key] if isinstance(marks.children, dict) else marks

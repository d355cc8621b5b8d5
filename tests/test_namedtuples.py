"""Named tuples are as typing and collections have them."""

from __future__ import annotations

import pickle
from typing import Any
from typing import NamedTuple as Typed

import pytest

from renderer.namedtuples import NamedTuple


class Point(NamedTuple):
    """A place."""

    x: int
    y: int = 2
    name: str = ""

    @property
    def total(self) -> int:
        return self.x + self.y


class Empty(NamedTuple):
    """Of no fields."""


class Other(NamedTuple):
    a: int
    b: int
    c: int = 0

    def __str__(self) -> str:
        return "other"


class TypedPoint(Typed):
    """A place."""

    x: int
    y: int = 2
    name: str = ""

    @property
    def total(self) -> int:
        return self.x + self.y


def seen(kind: Any) -> list[object]:
    point = kind(1, name="n")
    match point:
        case (_, 2, _) if isinstance(point, kind):
            matched = point.x
    return [
        *(tuple(point), point.x, point.y, point.name, point.total, matched, hash(point)),
        *(point._replace(y=5), point._asdict(), repr(point).replace("Typed", ""), str(kind(7)).replace("Typed", "")),
        *(kind._fields, kind._field_defaults, kind.__match_args__, kind.__doc__, kind._make([1, 2, 3]), kind.__slots__),
        *(pickle.loads(pickle.dumps(point)) == point, sorted(kind.__annotations__), kind.__module__),
    ]


def test_they_do_what_those_of_typing_do() -> None:
    assert seen(Point) == seen(TypedPoint)
    assert (Empty(), repr(Empty()), str(Other(1, 2))) == ((), "Empty()", "other")
    assert (Other(1, 2).c, Point(1).name, Point.__qualname__, Other.__name__) == (0, "", "Point", "Other")


@pytest.mark.parametrize("kind", [Point, TypedPoint])
def test_wrong_fields_are_refused_by_name(kind: Any) -> None:
    for values, names in (((), {}), ((1, 2, 3, 4), {}), ((1,), {"z": 1}), ((1,), {"x": 1})):
        with pytest.raises(TypeError, match=rf"{kind.__name__}.__new__\(\)|__new__\(\)"):
            kind(*values, **names)
    with pytest.raises((TypeError, ValueError), match="'z'"):
        kind(1)._replace(z=1)
    with pytest.raises(TypeError, match="3"):
        kind._make([1])
    with pytest.raises(AttributeError):
        kind(1).x = 2

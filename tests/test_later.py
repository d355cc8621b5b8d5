"""What stands for a module until something of it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from renderer.later import instead, later, postpone

#: Of the library, imported by nothing else.
NAME = "this"


@pytest.fixture(autouse=True)
def unknown_module() -> Iterator[None]:
    sys.modules.pop(NAME, None)
    yield
    sys.modules.pop(NAME, None)


def test_a_postponed_module_is_read_when_something_of_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    postpone(NAME)
    import this

    assert (capsys.readouterr().out, isinstance(this, later)) == ("", True)
    assert "Zen" not in this.s
    assert capsys.readouterr().out.startswith("The Zen of Python")
    assert isinstance(sys.modules[NAME], ModuleType)
    with pytest.raises(AttributeError):
        _ = this.nothing  # type: ignore[attr-defined]


def test_names_of_a_postponed_module_are_its_own() -> None:
    postpone(NAME)
    from this import s

    assert isinstance(sys.modules[NAME], ModuleType)
    assert s.startswith("Gur Mra bs Clguba")


def test_contents_stand_for_a_module_inside_of_the_block_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with instead(NAME, s="text"):
        import this as inside
        from this import s
    assert (s, inside.s, capsys.readouterr().out, NAME in sys.modules) == ("text", "text", "", False)
    assert (inside.d["A"], inside.s) == ("N", "text")
    assert isinstance(sys.modules[NAME], ModuleType)


def test_what_was_imported_before_stays() -> None:
    import this

    postpone(NAME)
    with instead(NAME, s="text"):
        assert sys.modules[NAME] is this
    assert (sys.modules[NAME], this.s == "text") == (this, False)

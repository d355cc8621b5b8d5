"""What stands for a module until something of it is asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from renderer import later as later_module
from renderer.later import instead, later, patterns_later, postpone

ROOT = Path(__file__).parent.parent

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


def test_a_pattern_is_compiled_when_a_text_is_held_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def compile_(text: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append(text)
        return before(text, flags)

    before = later_module._compile
    monkeypatch.setattr(later_module, "_compile", compile_)
    with patterns_later():
        word = re.compile("[a-z]+")
        match = word.fullmatch  # as a module keeps it
    assert (re.compile, compiled) == (before, [])
    assert (match("a1"), bool(match("abc")), word.pattern, word.sub("x", "abc")) == (None, True, "[a-z]+", "x")
    assert set(compiled) == {"[a-z]+"}
    assert not isinstance(word, re.Pattern)
    assert isinstance(re.compile("[a-z]+"), re.Pattern)


def test_the_import_of_pyyaml_compiles_no_pattern() -> None:
    """The reader of positions takes 10 ms more with them."""
    script = """
import re
from renderer.later import later
made, compiler = [], re._compiler.compile
re._compiler.compile = lambda *arguments: made.append(arguments[0]) or compiler(*arguments)
later("renderer.yaml_reader.events").read_precisely
print(len(made))
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(run.stdout) <= 1

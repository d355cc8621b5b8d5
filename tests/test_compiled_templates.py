"""What is compiled while the wheel is built makes the same text and faults, and is used only while it is true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2
import pytest

from renderer import assets, pipeline, render
from renderer.errors import Problem
from renderer.model import Options
from renderer.registry import TARGETS, target
from renderer.render import TemplateFault, compiled, python_of
from tests.cli.commands import ROOT

OPTIONS = Options("mcpctl", "1.35")


@pytest.fixture(scope="module")
def modules() -> dict[str, dict[str, Any]]:
    """As hatch_build.py makes them."""
    quotings = {name: target(name).quoting for name in TARGETS}
    made: dict[str, dict[str, Any]] = {}
    for folder in (*TARGETS, "guard"):
        several = [render.YAML, *([quotings[folder]] if folder in quotings else quotings.values())]
        names = [name for name in assets.names("templates") if name.startswith(f"{folder}/") and name.endswith(".j2")]
        namespace: dict[str, Any] = {}
        text = compiled.module_text(dict(python_of(name, quoting) for quoting in several for name in names))
        exec(text, namespace)
        made[folder] = namespace["TEMPLATES"]
    return made


@pytest.fixture
def compiled_before(modules: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, all templates of targets are those compiled before."""

    def use() -> None:
        monkeypatch.setattr(compiled, "_templates", modules.get)
        monkeypatch.setattr(render, "_engine", render._Engine(None))

    return use


def no_compiler(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("a template is compiled")


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_text(compiled_before: Callable[[], None], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    specs = pipeline.read([str(ROOT / "docs" / "examples")])
    expected = [document.text for document in pipeline.render(specs, target(name), OPTIONS).documents]
    compiled_before()
    monkeypatch.setattr(jinja2.Environment, "compile", no_compiler)
    assert [document.text for document in pipeline.render(specs, target(name), OPTIONS).documents] == expected
    assert len(expected) > 10


def test_the_same_fault_at_the_same_line(compiled_before: Callable[[], None]) -> None:
    quoting = target("kubernetes").quoting

    def problem() -> Problem:
        with pytest.raises(TemplateFault) as fault:
            render.render("kubernetes/service.yaml.j2", {}, quoting)
        return fault.value.problems[0]

    expected = problem()
    assert expected.place.line
    compiled_before()
    assert problem() == expected


def test_of_another_text_or_another_jinja_nothing_is_used(
    compiled_before: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled_before()
    source = assets.read("templates/kubernetes/service.yaml.j2").decode()
    known = ("kubernetes", "kubernetes/service.yaml.j2", source, jinja2.__version__)
    assert compiled.compiled_template(*known) is not None
    for i in range(4):
        assert compiled.compiled_template(*(value + "x" * (i == n) for n, value in enumerate(known))) is None


def test_a_checkout_has_none() -> None:
    assert compiled.compiled_template("kubernetes", "kubernetes/service.yaml.j2", "", jinja2.__version__) is None

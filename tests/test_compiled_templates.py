"""What is compiled while the wheel is built makes the same text and faults, and is used only while it is true."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import renderer.render.engine as engine
from renderer import assets, pipeline, render
from renderer.errors import Problem
from renderer.model import Options
from renderer.registry import TARGETS, target
from renderer.render import TemplateFault, compiled, runtime
from renderer.render.quoting import filters, finalizer
from tests.cli.commands import ROOT
from tests.starts import compiled_modules, mcpctl

OPTIONS = Options("mcpctl", "1.35")


@pytest.fixture(scope="module")
def modules() -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for folder, text in compiled_modules().items():
        namespace: dict[str, Any] = {}
        exec(text, namespace)
        made[folder] = namespace["TEMPLATES"]
    return made


@pytest.fixture
def compiled_before(
    modules: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], None]]:
    """From when it is called, all templates of targets are those compiled before."""

    def use() -> None:
        monkeypatch.setattr(compiled, "_templates", modules.get)
        compiled.runtime_of.cache_clear()

    yield use
    compiled.runtime_of.cache_clear()


def no_jinja(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("a template is rendered by Jinja")


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_text(compiled_before: Callable[[], None], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    specs = pipeline.read([str(ROOT / "docs" / "examples")])
    expected = [document.text for document in pipeline.render(specs, target(name), OPTIONS).documents]
    compiled_before()
    monkeypatch.setattr(engine.Engine, "render", no_jinja)
    assert [document.text for document in pipeline.render(specs, target(name), OPTIONS).documents] == expected
    assert len(expected) > 10


def test_a_start_of_the_tests_uses_them() -> None:
    """Where the module is not what it expects, it would be as slow as without, and nobody would see it."""
    probe = "; print(renderer.render.compiled.compiled_template('kubernetes', 'kubernetes/service.yaml.j2'))"
    start = mcpctl()[-1].partition("; from")[0] + "; import renderer.render.compiled" + probe
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith("<function _")


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


def test_of_another_text_nothing_is_used(compiled_before: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    name = "kubernetes/service.yaml.j2"
    compiled_before()
    assert compiled.compiled_template("kubernetes", name) is not None
    assert compiled.compiled_template("another", name) is None
    read = assets.read
    monkeypatch.setattr(assets, "read", lambda path: read(path) + b"x")
    assert compiled.compiled_template("kubernetes", name) is None


def test_all_that_a_template_uses_is_known(compiled_before: Callable[[], None]) -> None:
    """Else Jinja renders each document of that kind, which nobody would see."""
    compiled_before()
    quotings = {"guard": render.YAML, **{name: target(name).quoting for name in TARGETS}}
    names = [name for name in assets.names("templates") if name.endswith(".j2") and name.partition("/")[0] in quotings]
    roots = [compiled.runtime_of(quotings[name.partition("/")[0]]).roots[name] for name in names]
    assert len(roots) > 50


def test_a_checkout_has_none() -> None:
    assert compiled.compiled_template("kubernetes", "kubernetes/service.yaml.j2") is None


#: What Jinja and ours may understand differently: both make the same of it, or Jinja alone does.
SAMPLES = {
    "{{ a.items }} {{ a.keys() | list | length }}": False,
    "{{ a.nothing }}": True,
    "{{ nothing }}": True,
    "{{ nothing is defined }} {{ a is defined }}": False,
    "{{ a.nothing is defined }}": True,
    "{{ a.keys }}": True,
    "{{ nothing | default(1) }} {{ a.items | default(2) }}": False,
    "{{ nothing.more is defined }}": True,
    "{% for x in numbers %}{{ x }}{{ ',' if not loop.last }}{% endfor %}": True,
    "{% for x in numbers if x > 1 %}{{ loop.index }}{{ loop.first }}{{ x }}{% else %}none{% endfor %}": False,
    "{% for x in numbers %}{% set y = x %}{{ y }}{% endfor %}{{ y is defined }}": False,
    "{{ numbers | sort | join(',') }} {{ numbers | unique | join }}": True,
    "{{ numbers | unique | list | join(';') }} {{ (numbers | batch(2) | list)[1][0] }}": False,
    "{{ words | sort | join(',') }}": True,
    "{{ words | join('-') }} {{ words | map('upper') | join }}": True,
    "{% for n, group in rows | groupby('n') %}{{ n }}{{ group | map(attribute='t') | join('+') }}{% endfor %}": False,
    "{% for key, group in rows | groupby('t') %}{{ key }}{% endfor %}": True,
    "{{ rows | selectattr('t') | list | length }} {{ rows | rejectattr('t', 'eq', 'b') | list | length }}": True,
    "{{ rows | selectattr('t') | list | length }} {{ rows | rejectattr('n') | list | length }}": False,
    "{{ rows | selectattr('absent') | list | length }}": True,
    "{{ 'a%s' | format(1) ~ [1, 2][1] ~ ('x' if false) }}": True,
    "{% set x = 1 if false %}{{ 'a' if x else 'b' }}{{ x is defined }}": False,
    "{% set x = 1 if false %}{{ x }}": True,
    "{{ 1 if nothing }}": True,
    "{{ dict(a, z=1).z }}{{ 'A'.lower() }}{{ none is none }}{{ a.items is string }}": False,
    "{{ words }}": True,
    "{{ words | block(2) }}": False,
    "{{ text | indent(2) }}{{ '' | indent(3) }}{{ 'a' | indent(1) }}": False,
    "{% filter indent(2, true) %}{{ '' }}\na\n\n b{% endfilter %}{{ text | indent(2, true) }}": False,
    "{{ text | indent(2, blank=true) }}": True,
    "{% for t in ends %}{{ t | indent(2) ~ '|' ~ t | indent(2, true) }}{% endfor %}": False,
    "{% set x %}{{ a.items }}!{% endset %}{{ x }}": False,
    "{% macro m(v) %}{{ v }}{% endmacro %}{{ m(1) }}": True,
    "{{ range(3) | list | length }}": False,
    # What an include sees of variables, and keeps of its own.
    "{% set x = 5 %}{% include 'part' %}{{ x }}": False,
    "{% include 'part' %}": True,
    "{% include 'part' %}{% set x = 5 %}": True,
    "{% if a %}{% set x = 5 %}{% endif %}{% include 'part' %}{{ x }}": False,
    "{% for x in numbers %}{% include 'part' %}{% endfor %}{{ x is defined }}": False,
    "{% with x = 5 %}{% filter indent(2) %}{% include 'part' %}{% endfilter %}{% endwith %}{{ x is defined }}": False,
    "{% set x = 5 %}{% with a = none %}{% include 'part' %}{% endwith %}{% include 'part' %}": False,
    "{% import 'values' as v %}{{ v.one }}{{ v.numbers[0] }}{{ one is defined }}": False,
    "{% import 'values' as v %}{{ v.absent }}": True,
    "{% import 'values' as v with context %}{{ v.one }}": True,
    "{% include 'values' without context %}": True,
    "{% include 'absent' ignore missing %}": True,
    "{% include ['absent', 'values'] %}": True,
    "{% block b %}{{ a.items }}{% endblock %}": True,
}
#: What samples include and import.
PARTS = {
    "part": "{{ x }}{{ a is none }}\n{% set x = 7 %}{{ x }}",
    "values": "{% set one = 1 %}{% set numbers = [one, 2] %}{% if false %}{% set absent = 3 %}{% endif %}",
}


@pytest.mark.parametrize("text", SAMPLES)
def test_ours_makes_the_same_as_jinja_or_leaves_it_to_jinja(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    context = {
        "a": {"items": 5, "x": None},
        "numbers": [3, 1, 2, 1],
        "words": ["b", "A"],
        "text": "a\n\n b\n",
        "ends": [
            "",
            "\n",
            "a",
            "a\nb",
            "\n a\nb\n",
            *(f"a{end}b\n" for end in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
        ],
        "rows": [{"n": 2, "t": "b"}, {"n": 1, "t": "a"}, {"n": 1, "t": ""}],
    }
    texts = {**PARTS, "t": text}

    def read(path: str) -> bytes:
        if (name := path.removeprefix("templates/")) not in texts:
            raise FileNotFoundError(name)
        return texts[name].encode()

    monkeypatch.setattr(assets, "read", read)
    jinja = engine.Engine(None)
    namespace: dict[str, Any] = {}
    exec(compiled.module_text({name: jinja.python_of(name, render.YAML) for name in texts}), namespace)
    find = namespace["TEMPLATES"].get
    ours = runtime.Runtime(find, finalizer(render.YAML), filters(render.YAML)).render("t", context)
    assert (ours is None) is SAMPLES[text]
    if ours is not None:
        assert ours == jinja.render("t", context, render.YAML)

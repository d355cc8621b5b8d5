"""Templates of users: the same result where they are the same, and no way out of the sandbox."""

from __future__ import annotations

import marshal
import re
import resource
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from renderer import assets, growth, pipeline, render
from renderer.delivery.objects import OBJECTS as DELIVERY
from renderer.errors import Place, errors_in
from renderer.model import NamespaceRules
from renderer.registry import TARGETS
from renderer.registry import target as target_of
from renderer.render import TemplateFault
from renderer.targets.kubernetes.namespace import namespace_objects
from renderer.targets.kubernetes.objects import OBJECTS
from renderer.user_templates import UserTemplates, ejected, replaceable
from renderer.yaml_reader import OUTPUT_LIMITS
from tests.fields import rendered_documents
from tests.oracles import yaml_read
from tests.specs import OPTIONS, rendered, spec

NAME = "kubernetes/service.yaml.j2"
QUOTINGS = {name: target_of(name).quoting for name in TARGETS}
#: Everything that a namespace can have.
WITH_RULES = OPTIONS._replace(namespace_rules=NamespaceRules(quota={"pods": "1"}, limits={"max": {"cpu": "1"}}))


def fault_of(text: str, context: Mapping[str, Any] | None = None) -> str:
    """``line: message`` of what a template of the user ends with."""
    with render.user_templates_in_force(UserTemplates("own", {NAME: text}), {}), pytest.raises(TemplateFault) as caught:
        render.render(NAME, context or {})
    (problem,) = caught.value.problems
    assert problem.in_output
    assert problem.place.file == f"own/{NAME}"
    return f"{problem.place.line}: {problem.message}"


def made(text: str, context: Mapping[str, Any]) -> str:
    with render.user_templates_in_force(UserTemplates("own", {NAME: text}), {}):
        return render.render(NAME, context)


@pytest.mark.parametrize("target", TARGETS)
def test_unchanged_templates_make_the_same_bytes(target: str) -> None:
    """All of them, through the sandbox, on every example."""
    expected = rendered_documents(target)
    own = UserTemplates("own", {name: ejected(name) for name in replaceable()})
    with render.user_templates_in_force(own, QUOTINGS) as faults:
        found = rendered_documents.__wrapped__(target)
    assert faults == []
    assert [(d.path, d.text) for d in found.documents] == [(d.path, d.text) for d in expected.documents]
    assert found.problems == expected.problems


def test_built_in_templates_include_those_of_the_user() -> None:
    own = UserTemplates("own", {"kubernetes/metadata.yaml.j2": "metadata: {name: {{ object_name }}, namespace: x}\n"})
    with render.user_templates_in_force(own, QUOTINGS):
        text = render.render(NAME, {**dict(rendered("kubernetes", spec()).documents[3].context)})
    assert "metadata: {name: mcp-demo, namespace: x}\n" in text


def test_all_that_can_be_replaced_is_checked_afterwards() -> None:
    """Each is a template of documents that are parsed back, or is included by one of those."""
    checked = {kind.template for kind in OBJECTS} | {d.template for d in namespace_objects(WITH_RULES)}
    checked |= {kind.template for kind in DELIVERY}
    checked |= {document.template for target in TARGETS for document in rendered_documents(target).documents}
    checked.add("guard/envoy.yaml.j2")  # the text of a ConfigMap or a config: only Envoy reads it
    waiting = sorted(checked - {""})
    while waiting:
        source = assets.read(f"templates/{waiting.pop()}").decode()
        named = re.findall(r"\{%-? (?:include|import|extends|from) '([^']+)'", source)
        # A name that ends with '/' is put together: any template in that folder.
        found = {n for n in assets.names("templates") for m in named if n == m or (m[-1] == "/" and n.startswith(m))}
        found -= checked
        checked |= found
        waiting += found
    assert set(replaceable()) - checked == set()


# ---------------------------------------------------------------------------------------------
# Walls.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n{% for a in range(10000000000) %}{% endfor %}", "2: Range too big."),
        ("\n{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "2: it calls itself without an end"),
        (f"{{% include '{NAME}' %}}", "1: it calls itself without an end"),
        ("a: {{ " + "(" * 3000 + "1" + ")" * 3000 + " }}\n", "0: it calls itself without an end, or is nested too"),
    ],
    ids=["range", "macro", "include", "nesting"],
)
def test_what_has_no_end_is_stopped(text: str, expected: str) -> None:
    assert fault_of(text).startswith(expected)


#: The steps of one such loop, or of making the text, are within the bound: what is done in the loop has to count.
LOOP, END = "{% for i in range(9999) %}", "{% endfor %}"
BIG = "{% set big = 'a' * 9999000 %}"
LOOPS, FILTERS = 30_000, 500_000


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (f"{LOOP}{LOOP}{END}{END}", LOOPS),
        (f"{LOOP}{LOOP}{{% set x = i %}}{END}{END}", LOOPS),
        (f"{LOOP}{{% for j in range(9999) if j < 0 %}}{END}{END}", LOOPS),
        ("{% for i in [1] recursive %}{% if loop.depth < 9 %}{{ loop(range(9999)) }}{% endif %}{% endfor %}", LOOPS),
        ("{% macro m(n) %}{% if n %}{% set x = [m(n - 1), m(n - 1)] %}{% endif %}{% endmacro %}{{ m(60) }}", LOOPS),
        (f"{LOOP}{{% set x = range(9999) | sum %}}{END}", FILTERS),
        (f"{LOOP}{{% set x = range(9999) | map('upper') | list %}}{END}", FILTERS),
        (f"{LOOP}{{% set x = range(9999) | map('string') | select('eq', 'x') | list %}}{END}", FILTERS),
        (f"{BIG}{LOOP}{{% if 'b' in big %}}{{% endif %}}{END}", FILTERS),
        (f"{BIG}{LOOP}{{% if 'b' is in big %}}{{% endif %}}{END}", FILTERS),
        (f"{BIG}{{% set x = range(9999) | map('string') | select('in', big) | list %}}", FILTERS),
        (f"{BIG}{LOOP}{{% set x = big.count('b') %}}{END}", FILTERS),
        (f"{BIG}{LOOP}{{% set x = big | upper %}}{END}", FILTERS),
    ],
)
def test_steps_have_bounds(text: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "MOST_STEPS", most)
    assert fault_of(f"a: 1\n{text}\n").startswith(f"2: this takes more than {most:,} steps: loop over less")


def test_a_loop_that_prints_nothing_ends() -> None:
    text = f"\n{LOOP}{{% set x = range(99999) | length %}}{END}"
    assert fault_of(text).startswith("2: this takes more than 5,000,000 steps")


def test_includes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may include itself twice, down to a depth that no recursion forbids."""
    monkeypatch.setattr(growth, "MOST_STEPS", 1000)
    twice = f"{{% include '{NAME}' %}}" * 2
    text = f"\n{{% with n = n - 1 %}}{{% if n %}}{twice}{{% endif %}}{{% endwith %}}\n"
    assert "this takes more than 1,000 steps" in fault_of(text, {"n": 30})


def test_each_document_has_steps_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "MOST_STEPS", 1000)
    text = "{% for i in range(600) %}{% if loop.last %}{{ loop.length }}{% endif %}{% endfor %}"
    with render.user_templates_in_force(UserTemplates("own", {NAME: text}), {}):
        assert [render.render(NAME, {}) for _ in range(3)] == ["600"] * 3


LARGE = "this makes a text or list of more than 64 MB"
WIDE = "a width is at most 10000"
N = "1000000000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{{{{ 'a' * {N} }}}}", LARGE),
        (f"{{{{ {N} * 'a' }}}}", LARGE),
        (f"{{{{ [1] * {N} }}}}", LARGE),
        (f"{{{{ 'a' | list * {N} }}}}", LARGE),
        ("{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", LARGE),
        ("{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", LARGE),
        ("{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", LARGE),
        (
            "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = '%s%s' % (ns.x, ns.x) %}{% endfor %}",
            LARGE,
        ),
        (f"{LOOP}{LOOP}{'a line of text ' * 500}\n{END}{END}", LARGE),
        ("{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{{ m(m(m('aaaaaaaaa' * 4000000))) }}", LARGE),
        (f"{{{{ '%{N}d' | format(1) }}}}", WIDE),
        (f"{{{{ '%{N}d' % 1 }}}}", WIDE),
        (f"{{{{ '%.{N}f' % 1 }}}}", WIDE),
        (f"{{{{ '%*d' % ({N}, 1) }}}}", WIDE),
        (f"{{{{ '%*d' | format({N}, 1) }}}}", WIDE),
        (f"{{{{ '{{:{N}}}'.format(1) }}}}", WIDE),
        (f"{{{{ '{{:{{}}}}'.format(1, {N}) }}}}", WIDE),
        (f"{{{{ '{{a:{{b}}}}'.format_map({{'a': 1, 'b': {N}}}) }}}}", WIDE),
        (f"{{{{ 'a' | center({N}) }}}}", WIDE),
        (f"{{{{ 'a' | center(width={N}) }}}}", WIDE),
        (f"{{{{ 'a' | indent({N}, first=true) }}}}", WIDE),
        (f"{{{{ ['a'] | map('center', {N}) | list }}}}", WIDE),
        (f"{{{{ {{'a': {{'b': 1}}}} | tojson({N}) }}}}", WIDE),
        (f"{{{{ {{'a': 'b'}} | block({N}) }}}}", WIDE),
        (f"{{{{ [1] | batch({N}, 'a') | list }}}}", WIDE),
        *((f"{{{{ 'a'.{name}({N}) }}}}", WIDE) for name in ("center", "ljust", "rjust", "zfill")),
        (f"{{{{ '\t'.expandtabs({N}) }}}}", WIDE),
        (f"{{{{ ('a' | attr('center'))({N}) }}}}", WIDE),
        (f"{{{{ (1).to_bytes({N}, 'big') }}}}", WIDE),
        ("{{ range(99999) | join('a' * 9999) }}", LARGE),
        ("{{ ('a' * 9999).join(range(9999) | map('string')) }}", LARGE),
        ("{{ ('a' * 9999) | replace('a', 'b' * 9999) }}", LARGE),
        ("{{ ('a' * 9999).replace('a', 'b' * 9999) }}", LARGE),
        ("{{ ('a' * 9999).translate({97: 'b' * 9999}) }}", LARGE),
        ("{{ 9 ** (9 ** 9) }}", "a number has at most 10000 bits"),
        (
            "{% set ns = namespace(x=9) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
            "a number has",
        ),
    ],
)
def test_a_text_has_bounds(text: str, expected: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fault_of(f"a: 1\n{text}\n").startswith(f"2: {expected}")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # KiB


def test_what_is_within_bounds_is_made() -> None:
    assert OUTPUT_LIMITS.max_bytes == growth.MOST_TEXT
    text = (
        "{{ 'a' ~ 1 ~ none ~ true }} {{ 'a' * 3 }} {{ 'n%03d' % 3 }} {{ [1, 2] | join('-') }} {{ 7 * 6 }} {{ 2 ** 9 }}"
    )
    assert made(text, {}) == 'a1NoneTrue aaa n003 "1-2" 42 512'
    text = "{{ 'x' if x is defined else 1073741824 }} {{ 'n{:->3}'.format(1) }} {{ 'a-b'.replace('-', '_') }}"
    assert made(text, {}) == "1073741824 n--1 a_b"
    assert made("{{ '_'.join(['a', 'b']) }} {{ x | default(1073741824) }}", {}) == "a_b 1073741824"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ '' | attr('__class__') }}",
        "{{ [''] | map(attribute='__class__') | first }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{a.__class__}'.format_map({'a': 1}) }}",
        "{{ range.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
        "{{ ({}).__class__.__base__ }}",
        "{{ (1 | string).format.__self__.__class__ }}",
    ],
)
def test_nothing_leads_out_of_the_sandbox(text: str) -> None:
    message = fault_of(f"a: 1\n{text}\n")
    assert message.startswith("2: access to attribute '")
    assert message.endswith("is unsafe.")


@pytest.mark.parametrize("text", ["{% set _ = v.update({'a': 1}) %}", "{% set _ = v.l.append(1) %}"])
def test_values_cannot_be_changed(text: str) -> None:
    assert "is unsafe" in fault_of(text, {"v": {"l": []}})


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "kubernetes/../../x", "a.j2", "link.j2", ""])
@pytest.mark.parametrize("form", ["{% include NAME %}", "{% import NAME as x %}", "{% extends NAME %}"])
def test_no_file_is_reached_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str) -> None:
    (tmp_path / "a.j2").write_text("a: 1\n")
    (tmp_path / "link.j2").symlink_to("/etc/passwd")
    monkeypatch.chdir(tmp_path)
    assert fault_of("\n" + form.replace("NAME", repr(name))).startswith(f"2: there is no template {name!r}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: {{ nope }}\n", "2: 'nope' is undefined; a template may read: names, v"),
        ("a: {{ name }}\n", "1: 'name' is undefined; did you mean 'names'?; a template may read: names, v"),
        ("a: {{ v.nope }}\n", "1: there is no 'nope' here; there is: nothing"),
        ("a: {{ names.frist }}\n", "1: there is no 'frist' here; did you mean 'first'?; there is: first, last"),
        ("{% for x in nope %}{% endfor %}", "1: 'nope' is undefined"),
        ("a: {{ v }}\n", "1: a nested value needs '| block(indent)': dict"),
        ("a: 1\n{% if %}\n", "2: Expected an expression"),
        ("a: 1\nb: {{ 1 // 0 }}\n", "2: integer division or modulo by zero"),
        ("a: 1\nb: {{ 1 + 'a' }}\n", "2: unsupported operand"),
        ("a: {{ lipsum() }}\n", "1: 'lipsum' is undefined"),
        ("a: {{ [1, 2] | random }}\n", "1: No filter named 'random'."),
        ("a: {{ ([1] | map('string')) ~ '' }}\n", "1: this is no value but an object of the program"),
    ],
)
def test_mistakes_are_told_with_their_line(text: str, expected: str) -> None:
    assert fault_of(text, {"v": {}, "names": {"first": 1, "last": 2}}).startswith(expected)


def test_all_templates_that_cannot_be_read_are_told_at_once() -> None:
    own = UserTemplates(
        "own", {NAME: "a: 1\n{% if %}", "kubernetes/pod.yaml.j2": "{{ a | nope }}", "compose/proxy.yaml.j2": ""}
    )
    with render.user_templates_in_force(own, QUOTINGS) as faults:
        assert [p.place for p in faults] == [Place("own/kubernetes/pod.yaml.j2", 1), Place(f"own/{NAME}", 2)]


# ---------------------------------------------------------------------------------------------
# Values.


@pytest.mark.parametrize(
    "text", ["a: x\nkind: Role", "{{ 7 * 7 }}", "# x", "NO", "é😀\u2028", "'<\"&\\", "-\n<b>\n- &"]
)
@pytest.mark.parametrize(
    "form",
    [
        *("{{ v }}", "{{ v | safe }}", "{{ v | safe | text(2) }}", "{{ v | safe | block }}"),
        *("{{ (v ~ '') | safe | string }}", "{% autoescape false %}{{ v }}{% endautoescape %}"),
    ],
)
def test_a_value_stays_one_value(text: str, form: str) -> None:
    assert yaml_read(made(f"a: {form}\n", {"v": text})) == {"a": text}


@pytest.mark.parametrize("text", ["<b>a</b>", "a"])
def test_filters_that_import_when_they_are_called_work(text: str) -> None:
    assert made("a: {{ v | striptags }}\nb: {{ v | wordwrap }}\nc: {{ v | urlencode }}\n", {"v": text})[:5] == "a: a\n"


@pytest.mark.parametrize("target", TARGETS)
def test_only_plain_data_gets_in(target: str) -> None:
    """Nothing with methods that reach outside: marshal takes plain data alone."""
    for document in rendered_documents(target).documents:
        marshal.dumps(dict(document.context))


# ---------------------------------------------------------------------------------------------
# The run around them.


@pytest.fixture
def breaks() -> Iterator[None]:
    """A Service whose port is no number, on line 4 of the user's template."""
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: {{ object_name }}, namespace: {{ namespace }}}\n"
    with render.user_templates_in_force(UserTemplates("own", {NAME: f"{text}spec: {{ports: [{{port: x}}]}}\n"}), {}):
        yield


@pytest.mark.usefixtures("breaks")
def test_what_they_make_is_checked_and_faults_stand_in_the_users_file() -> None:
    places = {str(p.place) for p in rendered("kubernetes", spec()).problems if p.in_output}
    assert places == {f"own/{NAME}:4"}


@pytest.mark.usefixtures("breaks")
def test_one_process_sees_all_that_they_make() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "FEWEST", 1)
        patch.setattr(pipeline, "_built", None)
        assert rendered("kubernetes", spec()).problems


@pytest.mark.parametrize(
    "text",
    ["a: {{ nope }}\n", "kind: A\n---\nkind: B\n", "a: [\n", "kind: ClusterRole\n", "", "hello\n", "[]\n", "3\n"],
)
def test_nothing_that_does_not_hold_is_delivered(text: str) -> None:
    with render.user_templates_in_force(UserTemplates("own", {NAME: text}), {}):
        output = rendered("kubernetes", spec())
    assert any(p.place.file == f"own/{NAME}" and p.in_output for p in output.problems)


@pytest.mark.parametrize("patch", [{"merge": {"a": 1}}, {"json": [{"op": "add", "path": "/a", "value": 1}]}], ids=str)
@pytest.mark.parametrize("text", ["hello\n", "- a\n", "a: 1\n---\nb: 2\n", "a: [\n"])
def test_a_patch_of_what_is_no_mapping_leaves_the_fault_to_the_template(text: str, patch: dict[str, Any]) -> None:
    with render.user_templates_in_force(UserTemplates("own", {NAME: text}), QUOTINGS):
        output = rendered("kubernetes", spec(patches=[{"kind": "Service", **patch}]))
    assert [str(p.place) for p in output.problems if p.in_output] == [f"own/{NAME}:1"]


@pytest.mark.parametrize(
    "text", ["hello\n", "name: a\nservices: hello\n", "services: [a]\n", "services: {mcp-demo: a}\n"]
)
@pytest.mark.parametrize("patch", [{"merge": {"a": 1}}, {"json": [{"op": "add", "path": "/a", "value": 1}]}], ids=str)
def test_a_patch_of_a_service_that_is_no_mapping_is_no_defect(text: str, patch: dict[str, Any]) -> None:
    with render.user_templates_in_force(UserTemplates("own", {"compose/project.yaml.j2": text}), QUOTINGS):
        output = rendered("compose", spec(patches=[{"target": "compose", "kind": "service", **patch}]))
    assert errors_in(output.problems)


def test_a_patch_of_a_text_on_one_line_writes_it_again() -> None:
    """As JSON is: there is no line for each key."""
    own = "{apiVersion: v1, kind: Service, metadata: {name: {{ object_name }}}, spec: {ports: [{port: 1}]} }\n"
    patch: dict[str, Any] = {
        "kind": "Service",
        "merge": {"spec": {"type": "NodePort"}, "metadata": {"labels": {"a": "b"}}},
    }
    with render.user_templates_in_force(UserTemplates("own", {NAME: own}), QUOTINGS):
        output = rendered("kubernetes", spec(patches=[patch]))
    text = next(d.text for d in output.documents if d.path.endswith("/service.yaml"))
    assert text.startswith("# changed by spec.patches[0] of server demo\napiVersion: v1\n")
    assert "  type: NodePort\n" in text


def test_the_built_in_templates_are_back_afterwards() -> None:
    before = rendered("kubernetes", spec()).documents[3].text
    with pytest.raises(KeyboardInterrupt), render.user_templates_in_force(UserTemplates("own", {NAME: "a: 1\n"}), {}):
        raise KeyboardInterrupt
    assert not render.has_user_templates()
    assert rendered("kubernetes", spec()).documents[3].text == before


def test_only_known_templates_are_there() -> None:
    assert NAME in assets.names("templates")

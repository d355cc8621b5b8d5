"""The run: stages in order, every fault at once, nothing rendered beside an error, the same bytes everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, Never

import pytest

from renderer import pipeline
from renderer.errors import Problem, Severity, errors_in
from renderer.load import load
from renderer.model import JSON, NAMESPACE
from renderer.pins import KUBERNETES_VERSION
from renderer.registry import TARGETS, target
from renderer.target import Ignored
from tests.fields import EXAMPLES
from tests.programs import python
from tests.specs import OPTIONS, as_stream, read_specs, rendered, rules, spec

ROOT = Path(__file__).parent.parent


def write_specs(folder: Path, **texts: str) -> list[str]:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return [str(folder / f"{name}.yaml") for name in texts]


# ---------------------------------------------------------------------------------------------
# Stages.


@pytest.mark.parametrize("name", TARGETS)
def test_each_stage_takes_what_the_one_before_gave(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for stage in (
        "texts",
        "documents",
        "validate_source",
        "resolve",
        "validate_rules",
        "across_servers",
        "build_and_check",
    ):
        monkeypatch.setattr(pipeline, stage, _noted(calls, stage, getattr(pipeline, stage)))
    rendered(name, spec("one"), spec("two"))
    per_server = ["validate_source", "resolve", "validate_rules"]
    assert calls == ["texts", "documents", *per_server, *per_server, "across_servers", "build_and_check"]


def _noted(calls: list[str], name: str, stage: Any) -> Any:
    def noted(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        return stage(*args, **kwargs)

    return noted


def test_nothing_of_a_faulty_document_reaches_the_next_stage() -> None:
    specs = read_specs(spec("good"), {**spec("bad"), "extra": 1})
    assert [server.name for server in specs.servers] == ["good"]
    assert rules(specs.problems) == ["schema/unknown-field"]


@pytest.mark.parametrize(
    "bad",
    [
        {"apiVersion": "mcpctl.io/v1alpha1", "kind": "McpServer", "metadata": {"name": "x"}},
        spec("bad", replicas=-1),
        spec("bad", workload="Pod", replicas=2),
        spec("good"),
        [],
    ],
    ids=["schema", "value", "rule", "across", "not a mapping"],
)
@pytest.mark.parametrize("name", TARGETS)
def test_an_error_in_one_spec_means_that_nothing_is_rendered(name: str, bad: JSON, monkeypatch: Any) -> None:
    monkeypatch.setattr(pipeline, "build_and_check", None)
    output = rendered(name, spec("good"), bad)
    assert output.documents == ()
    assert errors_in(output.problems)


def test_warnings_do_not_stop_a_run() -> None:
    output = rendered("kubernetes", spec(image="a:1", transport={"type": "streamable-http", "port": 80}))
    assert [(problem.rule, problem.severity) for problem in output.problems] == [
        ("spec/privileged-port", Severity.WARNING)
    ]
    assert output.documents


def test_standard_input_is_a_spec() -> None:
    specs = pipeline.read(["-"], BytesIO(as_stream(spec())))
    assert [server.name for server in specs.servers] == ["demo"]
    assert specs.servers[0].source.file == "<stdin>"


# ---------------------------------------------------------------------------------------------
# Problems.


def test_all_problems_of_all_files_are_told_at_once_and_sorted(tmp_path: Path) -> None:
    b, a = write_specs(
        tmp_path,
        b="apiVersion: mcpctl.io/v1alpha1\nkind: McpServer\nmetadata: {name: b}\nspec:\n  imag: x\n  replicas: no\n",
        a="a: [\n",
    )
    problems = pipeline.read([b, a, str(tmp_path / "none.yaml")]).problems
    assert list(problems) == sorted(problems, key=Problem.sort_key)
    assert [Path(problem.place.file).name for problem in problems] == sorted(
        Path(problem.place.file).name for problem in problems
    )
    assert {Path(problem.place.file).name for problem in problems} == {"a.yaml", "b.yaml", "none.yaml"}
    assert all(problem.severity is Severity.ERROR for problem in problems)


def test_problems_of_one_file_are_in_the_order_of_its_lines(tmp_path: Path) -> None:
    (path,) = write_specs(
        tmp_path,
        a="apiVersion: mcpctl.io/v1alpha1\nkind: McpServer\nmetadata: {name: A}\nspec:\n"
        "  image: x\n  replicas: -1\n  transport: {type: stdi, prt: 1}\n  size: huge\n",
    )
    problems = pipeline.read([path]).problems
    assert [problem.place.line for problem in problems] == [3, 5, 6, 7, 7, 8]
    assert all(problem.place.column for problem in problems)


def test_no_problem_is_told_twice() -> None:
    problems = read_specs(spec("a", replicas=-1), spec("a", replicas=-1)).problems
    assert len(set(problems)) == len(problems)


def test_two_servers_of_one_name_name_both_places() -> None:
    (problem,) = read_specs(spec("a"), spec("a")).problems
    assert problem.rule == "spec/duplicate-name"
    assert (problem.place.line, [place.line for place in problem.related]) == (4, [2])
    assert "<stdin>:2" in problem.message


def test_ignored_fields_are_problems_with_their_reason_and_severity(monkeypatch: pytest.MonkeyPatch) -> None:
    kubernetes = target("kubernetes")
    ignored = {"spec.replicas": Ignored("because", Severity.ERROR), "metadata.labels": Ignored("so it is")}
    monkeypatch.setattr(type(kubernetes), "ignored", ignored)
    output = rendered("kubernetes", spec("a", {"labels": {"x": "y"}}, replicas=1), spec("b", replicas=1), spec("c"))
    assert [(p.place.line, p.path, p.severity, p.message) for p in output.problems] == [
        (2, "metadata.labels", Severity.WARNING, "not rendered for kubernetes: so it is"),
        (2, "spec.replicas", Severity.ERROR, "not rendered for kubernetes: because"),
        (4, "spec.replicas", Severity.ERROR, "not rendered for kubernetes: because"),
    ]
    assert {problem.rule for problem in output.problems} == {"kubernetes/not-rendered"}


@pytest.mark.parametrize("name", TARGETS)
def test_every_reason_of_every_target_is_a_sentence(name: str) -> None:
    for path, ignored in target(name).ignored.items():
        assert path.startswith(("spec.", "metadata."))
        assert len(ignored.reason.split()) > 3


# ---------------------------------------------------------------------------------------------
# The same bytes, wherever and however often.

SCRIPT = """
import hashlib, sys
from renderer.pipeline import read, render
from renderer.registry import TARGETS, target
from renderer.model import Options
digest = hashlib.sha256()
specs = read(sys.argv[1:])
# As a stream and as a tree, in turn.
for number, name in enumerate(sorted(TARGETS)):
    output = render(specs, target(name), Options(%r, %r, True, bool(number & 1)))
    for document in output.documents:
        digest.update(f"{document.path}\\0{document.text}\\0".encode())
    digest.update("\\n".join(f"{p.rule} {p.path} {p.message}" for p in output.problems).encode())
print(digest.hexdigest())
"""


def digest(cwd: Path, paths: list[str], umask: int = 0o022, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT % (NAMESPACE, KUBERNETES_VERSION), *paths],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **env},
        umask=umask,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


#: Every field, and a second file; tests/environment/test_everywhere.py has all of them.
SPECS = ("everything.yaml", "toolbox.yaml")
PATHS = [f"docs/examples/{name}" for name in SPECS]
#: Servers of every kind of source, and ones that call others.
SOME = sorted({EXAMPLES / name for name in SPECS} | {*sorted(EXAMPLES.glob("*.yaml"))[::4]})


@pytest.fixture(scope="module")
def expected() -> str:
    return python(SCRIPT % (NAMESPACE, KUBERNETES_VERSION), *(str(EXAMPLES / name) for name in SPECS)).stdout.strip()


def test_another_process_makes_the_same(expected: str) -> None:
    """With another hash seed, and the locale C."""
    env = {"PYTHONHASHSEED": "12345", "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert digest(ROOT, PATHS, 0o077, **env) == expected


def test_another_machine_with_files_made_in_another_order_makes_the_same(expected: str, tmp_path: Path) -> None:
    """Another folder, time zone, language and home, and an optimizing Python."""
    shutil.copytree(EXAMPLES / "locks", tmp_path / "specs" / "locks")
    for name in reversed(SPECS):
        shutil.copy(EXAMPLES / name, tmp_path / "specs")
    env = {
        "PYTHONHASHSEED": "random",
        "TZ": "Pacific/Kiritimati",
        "HOME": "/nonexistent",
        "LC_ALL": "tr_TR.UTF-8",
        "PYTHONOPTIMIZE": "1",
        "COLUMNS": "10",
        "NO_COLOR": "1",
    }
    assert digest(tmp_path, ["specs"], 0o000, **env) == expected


@pytest.mark.parametrize("name", TARGETS)
def test_rendering_twice_makes_the_same(name: str) -> None:
    one, two = (pipeline.render(pipeline.read([*map(str, SOME)]), target(name), OPTIONS) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("name", TARGETS)
def test_specs_in_another_order_make_the_same_files(name: str) -> None:
    """A stream, and a tree with the files that list the others."""
    paths = [*map(str, SOME)]
    for options in (OPTIONS, OPTIONS._replace(one_stream=not OPTIONS.one_stream)):
        made = []
        for order in (paths, paths[::-1]):
            specs = pipeline.read(order)
            output = pipeline.render(specs, target(name), options)
            files = pipeline.tree(specs, output, target(name), options)
            made.append(([(d.path, d.text) for d in files], output.problems))
        assert made[0] == made[1]


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    "change",
    [lambda text: text.replace("\n", "\r\n"), lambda text: f"\ufeff{text}", lambda text: text.rstrip("\n")],
    ids=["CRLF", "BOM", "no line feed at the end"],
)
def test_how_a_file_is_saved_makes_no_difference(name: str, change: Any, tmp_path: Path) -> None:
    texts = [(EXAMPLES / "toolbox.yaml").read_text(), change((EXAMPLES / "toolbox.yaml").read_text())]
    outputs = []
    for text in texts:
        specs = pipeline.read(["-"], BytesIO(text.encode()))
        outputs.append([d.text for d in pipeline.render(specs, target(name), OPTIONS).documents])
    assert outputs[0] == outputs[1]
    assert outputs[0]


def test_options_are_all_that_differs_between_runs() -> None:
    """Nothing of the machine is in the text: no name of a host, no path."""
    text = "".join(document.text for name in TARGETS for document in rendered(name, spec()).documents)
    assert os.uname().nodename not in text.split()
    assert str(ROOT) not in text


def test_no_place_is_looked_for_where_nothing_is_reported() -> None:
    sources, problems = load(["-"], stdin=BytesIO(as_stream(spec("a"), spec("b"))))
    assert problems == []

    def looked_for() -> Never:
        raise AssertionError("to find a place, a spec is read once more")

    specs = pipeline.plain(pipeline.inputs_of([source._replace(marked=looked_for) for source in sources]))
    assert ([server.name for server in specs.servers], specs.problems) == (["a", "b"], ())

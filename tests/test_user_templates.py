"""Templates of users: what a folder may hold, where faults are told, and which templates have fallen behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from renderer import assets, user_templates
from renderer.errors import Severity
from renderer.user_templates import ejected, read_folder, replaceable

SERVICE = "kubernetes/service.yaml.j2"


def put(folder: Path, name: str, content: str | bytes | None = None) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content or ejected(SERVICE).encode())
    return path


def found(folder: Path) -> list[tuple[str, str]]:
    """Rule and place of each Problem, the place below the folder."""
    _, problems = read_folder(str(folder))
    return [(p.rule.removeprefix("templates/"), str(p.place).removeprefix(f"{folder}/")) for p in problems]


def test_every_template_can_be_replaced_or_says_why_not() -> None:
    assert set(replaceable()) | set(user_templates._FIXED) == {
        n for n in assets.names("templates") if n.endswith(".j2")
    }
    assert SERVICE in replaceable()


@pytest.mark.parametrize("name", replaceable())
def test_an_ejected_template_is_the_built_in_one_behind_its_origin(name: str, tmp_path: Path) -> None:
    first, _, rest = ejected(name).partition("\n")
    assert first.startswith(f"{{# mcpctl eject: {name} of mcpctl ")
    assert rest == assets.read(f"templates/{name}").decode()
    put(tmp_path, name, ejected(name))
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("kubernetes/servce.yaml.j2", "did you mean 'kubernetes/service.yaml.j2'?"),
        ("service.yaml.j2", "service.yaml.j2'?"),
        ("kubernetes/service.yaml", "did you mean 'kubernetes/service.yaml.j2'?"),
        ("notes.txt", "list the names with 'mcpctl eject --list'"),
        ("init/mcpserver.yaml.j2", "remove the file"),
        ("kubernetes/kustomization.yaml.j2", "remove the file"),
        ("checks/mcp-python.txt", "list the names with 'mcpctl eject --list'"),
    ],
)
def test_what_stands_for_nothing_is_an_error(tmp_path: Path, name: str, hint: str) -> None:
    put(tmp_path, name)
    read, (problem,) = read_folder(str(tmp_path))
    assert (problem.rule, problem.severity) == ("templates/unknown-name", Severity.ERROR)
    assert str(problem.place) == f"{tmp_path}/{name}"
    assert hint in problem.hint
    assert read.texts == {}


def test_all_faults_of_a_folder_at_once(tmp_path: Path) -> None:
    outside = put(tmp_path, "outside/x.j2")
    folder = tmp_path / "own"
    put(folder, "kubernetes/a.j2")
    put(folder, "kubernetes/job.yaml.j2")
    put(folder, SERVICE, b"a: 1\nb: \xff\n")
    put(folder, "kubernetes/pod.yaml.j2", "x" * (user_templates.LARGEST_FILE + 1))
    (folder / "kubernetes/role.yaml.j2").symlink_to(outside)
    (folder / "compose").symlink_to(outside.parent)
    os.mkfifo(folder / "kubernetes/deployment.yaml.j2")
    assert sorted(found(folder)) == [
        ("encoding", f"{SERVICE}:2"),
        ("link", "compose"),
        ("link", "kubernetes/role.yaml.j2"),
        ("not-a-file", "kubernetes/deployment.yaml.j2"),
        ("too-large", "kubernetes/pod.yaml.j2"),
        ("unknown-name", "kubernetes/a.j2"),
        ("unknown-name", "kubernetes/job.yaml.j2"),
    ]


def test_a_folder_without_templates_is_a_mistake(tmp_path: Path) -> None:
    put(tmp_path, "README.md")
    put(tmp_path, ".git/config")
    put(tmp_path, f"{SERVICE}~")
    assert found(tmp_path) == [("none", str(tmp_path))]


def test_a_folder_full_of_other_things_is_not_read_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_templates, "MOST_FILES", 2)
    for name in "abc":
        put(tmp_path, name)
    assert found(tmp_path) == [("too-many", str(tmp_path))]


def test_a_name_does_not_reach_the_terminal(tmp_path: Path) -> None:
    put(tmp_path, "a\x1b[31m.j2")
    _, (problem,) = read_folder(str(tmp_path))
    assert "\x1b" not in str(problem.place)


def test_line_ends_and_byte_order_marks_make_no_difference(tmp_path: Path) -> None:
    put(tmp_path, SERVICE, b"\xef\xbb\xbf" + ejected(SERVICE).replace("\n", "\r\n").encode())
    read, problems = read_folder(str(tmp_path))
    assert (read.texts, problems) == ({SERVICE: ejected(SERVICE)}, [])


# ---------------------------------------------------------------------------------------------
# Which have fallen behind.


def test_a_template_that_fell_behind_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, SERVICE)
    built_in = user_templates._built_in
    monkeypatch.setattr(user_templates, "_built_in", lambda name: built_in(name) + "# newer\n")
    _, (problem,) = read_folder(str(tmp_path))
    assert (problem.rule, problem.severity) == ("templates/outdated", Severity.WARNING)
    assert str(problem.place) == f"{tmp_path}/{SERVICE}:1"
    assert f"'mcpctl eject {SERVICE} --out -'" in problem.hint


def test_a_change_below_the_first_line_is_the_users(tmp_path: Path) -> None:
    put(tmp_path, SERVICE, ejected(SERVICE) + "# mine\n")
    assert found(tmp_path) == []


@pytest.mark.parametrize("text", ["a: 1\n", "", "{# mcpctl eject: x #}\na: 1\n", f"a: 1\n{ejected(SERVICE)}"])
def test_a_template_of_unknown_origin_is_told(tmp_path: Path, text: str) -> None:
    put(tmp_path, SERVICE, text or "\n")
    assert found(tmp_path) == [("no-origin", f"{SERVICE}:1")]


def test_the_origin_of_another_template_does_not_count(tmp_path: Path) -> None:
    put(tmp_path, "kubernetes/pod.yaml.j2", ejected(SERVICE))
    assert found(tmp_path) == [("outdated", "kubernetes/pod.yaml.j2:1")]

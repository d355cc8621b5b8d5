"""Locks of packages: what is read, mounted and started, what a change of one does, and the document on them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from renderer.cli import main
from renderer.errors import Severity
from renderer.launch import launch
from renderer.locks import LARGEST, versions
from renderer.model import JSON, Server
from renderer.pipeline import Specs, read, render
from renderer.registry import target
from tests.oracles import yaml_read
from tests.specs import NPM, OPTIONS, PYPI, rules, spec

DOCUMENT = Path(__file__).parent.parent / "docs" / "packages.md"
INDEX = "https://pypi.org/simple"


def uv_lock(*packages: str, version: str = "1.2.3", source: str = f'registry = "{INDEX}"') -> str:
    own = f'[[package]]\nname = "acme-server"\nversion = "{version}"\nsource = {{ {source} }}\n'
    root = '[[package]]\nname = "lock"\nversion = "0"\nsource = { virtual = "." }\n'
    return "\n".join(['version = 1\nrequires-python = ">=3.11"\n', root, own, *packages])


def npm_lock(root: dict[str, JSON] | None = None, **package: JSON) -> str:
    own = {"version": "1.2.3", "bin": {"acme": "x.js"}, **package}
    first = root or {"dependencies": {"@acme/server": "1.2.3"}}
    return json.dumps({"lockfileVersion": 3, "packages": {"": first, "node_modules/@acme/server": own}})


def wheel(host: str) -> str:
    package = f'[[package]]\nname = "dep"\nversion = "2"\nsource = {{ registry = "{INDEX}" }}\n'
    return f'{package}wheels = [{{ url = "https://{host}/dep.whl", hash = "sha256:0" }}]\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "specs").mkdir()
    (tmp_path / "locks").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(package: dict[str, JSON], lock: str, **fields: JSON) -> None:
    """A spec, and the lock that it names."""
    name = "uv.lock" if package["registry"] == "pypi" else "package-lock.json"
    Path("locks", name).write_text(lock, encoding="utf-8")
    document = spec(package={**package, "lock": f"../locks/{name}"}, **fields)
    Path("specs/demo.yaml").write_text(json.dumps(document), encoding="utf-8")


def specs() -> Specs:
    return read(["specs"])


def only() -> Server:
    found = specs()
    assert [str(problem) for problem in found.problems if problem.severity is Severity.ERROR] == []
    return found.servers[0]


UV_RUN = ["uv", "run", "--project", "/mcp-lock", "--frozen", "--exact", "--no-dev"]
NPM_RUN = ["npm", "--silent", "--prefix", "/mcp-lock", "run", "server", "--"]


@pytest.mark.parametrize(
    ("package", "lock", "fields", "program"),
    [
        (PYPI, uv_lock(), {}, [*UV_RUN, "acme-server"]),
        ({**PYPI, "name": "Acme_Server[cli]"}, uv_lock(), {"args": ["a"]}, [*UV_RUN, "Acme_Server", "a"]),
        (PYPI, uv_lock(), {"command": ["other"], "args": ["a"]}, [*UV_RUN, "other", "a"]),
        (NPM, npm_lock(), {}, [*NPM_RUN, "acme"]),
        (NPM, npm_lock(), {"command": ["other"], "args": ["a"]}, [*NPM_RUN, "other", "a"]),
        (NPM, npm_lock(bin={"x": "x", "server": "y"}), {}, [*NPM_RUN, "server"]),
    ],
)
def test_how_a_locked_package_is_started(
    folder: Path, package: dict[str, JSON], lock: str, fields: dict[str, JSON], program: list[str]
) -> None:
    write(package, lock, transport={"bridge": "none"}, **fields)
    assert [*launch(only()).command] == program


def test_a_commit_of_a_repository_is_locked_too(folder: Path) -> None:
    commit, git = "ab" * 20, "https://git.example.com/acme.git"
    write({**PYPI, "git": git, "version": commit}, uv_lock(source=f'git = "{git}?rev={commit}#{commit}"'))
    assert only().package
    write({**PYPI, "git": git, "version": "cd" * 20}, uv_lock(source=f'git = "{git}?rev={commit}#{commit}"'))
    assert "spec/lock" in rules(specs().problems)


def test_uv_keeps_its_environment_where_it_may_write(folder: Path) -> None:
    write(PYPI, uv_lock())
    assert ("UV_PROJECT_ENVIRONMENT", "/mcp-cache/server") in launch(only()).env


@pytest.mark.parametrize("name", ["kubernetes", "compose"])
@pytest.mark.parametrize(
    ("package", "lock", "beside", "expected"),
    [
        (PYPI, uv_lock(), "pyproject.toml", '[project]\nname = "lock"\nversion = "0"\nrequires-python = ">=3.11"\n'),
        (NPM, npm_lock(), "package.json", '"@acme/server": "1.2.3"'),
    ],
    ids=["pypi", "npm"],
)
def test_is_mounted_with_what_its_manager_asks_for(
    folder: Path, name: str, package: dict[str, JSON], lock: str, beside: str, expected: str
) -> None:
    write(package, lock)
    options = OPTIONS._replace(one_stream=True)
    documents = [yaml_read(each.text) for each in render(specs(), target(name), options).documents]
    if name == "kubernetes":
        maps = {each["metadata"]["name"]: each["data"] for each in documents if each["kind"] == "ConfigMap"}
        texts = maps["mcp-demo-files"]
        (pod,) = [each["spec"]["template"] for each in documents if each["kind"] == "Deployment"]
        mounts = {mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]}
        assert "mcpctl.io/config-checksum" in pod["metadata"]["annotations"]
    else:
        (project,) = documents
        mounted = {config["source"]: config["target"] for config in project["services"]["mcp-demo"]["configs"]}
        mounts = {*mounted.values()}
        texts = {
            mounted[key].rpartition("/")[2]: config["content"].replace("$$", "$")
            for key, config in project["configs"].items()
            if key in mounted
        }
    own = "uv.lock" if package is PYPI else "package-lock.json"
    assert {f"/mcp-lock/{own}", f"/mcp-lock/{beside}"} <= mounts
    assert texts[own] == lock
    assert expected in texts[beside]


def test_overrides_of_npm_stand_in_another_file(folder: Path) -> None:
    root: dict[str, JSON] = {"dependencies": {"@acme/server": "1.2.3"}, "devDependencies": {"x": "1"}, "license": "MIT"}
    write(NPM, npm_lock(root))
    Path("locks/package.json").write_text('{"name": "mine", "overrides": {"zod": "3"}, "scripts": {"server": "evil"}}')
    package = only().package
    assert package
    assert package.lock
    (made,) = [json.loads(str(file.source)) for file in package.lock.files if file.path.endswith("/package.json")]
    assert made["overrides"] == {"zod": "3"}
    assert made["devDependencies"] == {"x": "1"}
    assert "license" not in made
    assert "evil" not in str(made)
    Path("locks/package.json").write_text("{")
    assert "spec/lock" in rules(specs().problems)


def test_egress_opens_what_the_lock_names(folder: Path) -> None:
    hosts: list[JSON] = ["pypi.org", "files.pythonhosted.org"]
    write(PYPI, uv_lock(wheel("wheels.example.com:8443")), network={"egress": {"hosts": hosts}})
    assert "wheels.example.com:8443" in "".join(p.message for p in specs().problems)
    write(
        NPM, npm_lock(resolved="https://npm.example.com/x.tgz"), network={"egress": {"hosts": ["registry.npmjs.org"]}}
    )
    assert "does not allow npm.example.com" in "".join(p.message for p in specs().problems)


def fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    "make",
    [fifo, Path.mkdir, lambda path: path.write_bytes(b"\xff"), lambda path: path.write_bytes(b"x" * (LARGEST + 1))],
    ids=["FIFO", "folder", "no text", "too large"],
)
def test_what_is_no_lock_is_refused(folder: Path, make: Any) -> None:
    write(PYPI, "")
    Path("locks/uv.lock").unlink()
    make(Path("locks/uv.lock"))
    assert "spec/lock" in rules(specs().problems)


@pytest.mark.parametrize("text", ["package = 1", "[[package]]\nsource = 1", '[package]\nx = "y"', "a = [" * 5000])
def test_any_text_of_the_name_is_read_without_a_traceback(folder: Path, text: str) -> None:
    write(PYPI, text)
    assert "spec/lock" in rules(specs().problems)
    write(NPM, f'{{"packages": {json.dumps(text)}}}')
    assert "spec/lock" in rules(specs().problems)


def test_a_link_to_something_else_leaks_nothing(folder: Path) -> None:
    write(PYPI, "")
    Path("secret").write_text("hunter2 = ]")
    Path("locks/uv.lock").unlink()
    Path("locks/uv.lock").symlink_to("../secret")
    assert "hunter2" not in "".join(map(str, specs().problems))


def test_locks_in_a_folder_of_specs_are_no_specs(folder: Path) -> None:
    write(NPM, npm_lock())
    for name in ("package.json", "package-lock.json"):
        Path("specs", name).write_text("{" + '"a": [1, ' * 200)
    assert [server.name for server in specs().servers] == ["demo"]
    assert "spec/lock" not in rules(specs().problems)


@pytest.mark.levels
def test_only_what_is_not_locked_is_found(folder: Path) -> None:
    rule = "policy/unlocked-package"
    write(PYPI, uv_lock())
    assert rule not in rules(specs().problems)
    bounded: dict[str, JSON] = {**PYPI, "with": ["mcp<2"]}
    for package in (PYPI, NPM, bounded):
        Path("specs/demo.yaml").write_text(json.dumps(spec(package=package)))
        (problem,) = [problem for problem in specs().problems if problem.rule == rule]
        assert problem.severity is Severity.WARNING
        assert "package.lock" in problem.hint


def mcpctl(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    main([*arguments])
    return capsys.readouterr().out


def git(*arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("name", ["kubernetes", "compose"])
def test_a_change_of_the_lock_is_one_of_the_spec(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    dependency = f'[[package]]\nname = "dep"\nversion = "4.1"\nsource = {{ registry = "{INDEX}" }}\n'
    write(PYPI, uv_lock(dependency))
    git("init", "-q")
    mcpctl(capsys, "render", "-t", name, "specs", "--out", "deploy")
    git("add", "-A")
    git("commit", "-q", "-m", "a")
    write(PYPI, uv_lock(dependency.replace("4.1", "4.2")))
    first, *_ = lines = mcpctl(capsys, "diff", "-t", name, "specs", "--out", "deploy", "--base", "HEAD").splitlines()
    assert "spec.package.lock of demo changed" in first
    assert any("dep 4.1 → 4.2" in line for line in lines)
    # The old spec is rendered with the old lock: what else changes is told apart.
    write(PYPI, uv_lock(dependency.replace("4.1", "4.2")), args=["--verbose"])
    text = mcpctl(capsys, "diff", "-t", name, "specs", "--out", "deploy", "--base", "HEAD")
    assert "spec.args, spec.package.lock of demo changed" in text
    assert "without any change of a spec" not in text


@pytest.mark.slow
def test_explain_names_the_field_behind_the_lines_of_a_lock(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(PYPI, uv_lock())
    mcpctl(capsys, "render", "specs", "--out", "deploy")
    path = Path("deploy/kubernetes/demo/configmap.yaml")
    number = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if "requires-python" in line)
    assert "spec.package.lock" in mcpctl(capsys, "explain", f"{path}:{number}", "specs")


def test_versions_of_both_kinds() -> None:
    assert versions(uv_lock()) == {"lock": "0", "acme-server": "1.2.3"}
    assert versions(npm_lock()) == {"@acme/server": "1.2.3"}
    nested = {"packages": {"node_modules/a": {"version": "1"}, "node_modules/b/node_modules/a": {"version": "2"}}}
    assert versions(json.dumps(nested)) == {"a": "1, 2"}
    assert versions("{") == versions("no lock") == {}


def test_the_document_renders(folder: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 3
    for block in blocks:
        document = {**spec(), **yaml_read(block)}
        Path("specs/demo.yaml").write_text(json.dumps(document))
        assert [str(p) for p in specs().problems if p.severity is Severity.ERROR] == []
        for name in ("kubernetes", "compose"):
            assert render(specs(), target(name), OPTIONS).documents

"""``mcpctl pin`` and ``--locked``: what is written, checked, refused and said."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from renderer.cli import main
from tests.test_locks import npm_lock, uv_lock

HEAD = "apiVersion: mcpctl.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}} # who\nspec:\n"
DIGEST = "sha256:" + "ab" * 32
WEB = "  transport: {type: streamable-http}\n  access: none\n  network: {egress: {}}\n"
NPM = "  network: {egress: {hosts: [registry.npmjs.org]}}\n"
PYPI = "  network: {egress: {hosts: [pypi.org, files.pythonhosted.org]}}\n"

#: Fakes that answer as crane, uv and npm do, and write what those write.
CRANE = f"print({DIGEST!r} if sys.argv[1] == 'digest' else 'v1.0.0\\nv1.1.0\\nlatest')"
UV = f"""
if 'compile' in sys.argv:
    assert sys.stdin.read() == 'acme-server'
    print('acme-server==1.3.0')
else:
    folder = sys.argv[sys.argv.index('--directory') + 1]
    version = [word for word in sys.argv if word.startswith('acme-server')][0].partition('==')[2]
    assert 'requires-python' in open(folder + '/pyproject.toml').read()
    open(folder + '/pyproject.toml', 'a').write('dependencies = ' + repr(sys.argv[-1:]) + chr(10))
    open(folder + '/uv.lock', 'w').write({uv_lock()!r}.replace('1.2.3', version))
"""
NPM_TOOL = f"""
if sys.argv[1] == 'view':
    print('"1.3.0"')
else:
    folder = sys.argv[sys.argv.index('--prefix') + 1]
    open(folder + '/package-lock.json', 'w').write({npm_lock()!r}.replace('1.2.3', sys.argv[-1].rpartition('@')[2]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "specs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def tool(name: str, code: str) -> None:
    Path("bin", name).write_text(f"#!{sys.executable} -IS\nimport sys\n{code}\n", encoding="utf-8")
    Path("bin", name).chmod(0o755)


def write(name: str, body: str, kind: str = "McpServer") -> Path:
    path = Path("specs", f"{name}.yaml")
    path.write_text(HEAD.format(kind=kind, name=name) + body, encoding="utf-8")
    return path


def test_images_and_packages_are_pinned_and_then_locked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool("crane", CRANE)
    tool("uv", UV)
    tool("npm", NPM_TOOL)
    web = write("web", f"  image: a.example.com/web:v1.0.0 # keep\n{WEB}")
    clock = write("clock", f"  package: {{registry: pypi, name: acme-server, version: 1.2.3, with: [mcp<2]}}\n{PYPI}")
    notes = write("notes", f"  package:\n    registry: npm\n    name: '@acme/server'\n    version: 1.2.3\n\n{NPM}")
    assert main(["render", "--locked", "specs"]) == 3
    refused = capsys.readouterr().err
    for place in ("web.yaml:5:10: error: spec.image", "clock.yaml:5:3: error: spec.package", "notes.yaml:5:3: error"):
        assert f"specs/{place}" in refused
    assert refused.count("run 'mcpctl pin'") == 3
    assert main(["pin", "--check", "specs"]) == 1
    before = web.read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["pin", "--dry-run", "specs"]) == 0
    assert f"+  image: a.example.com/web:v1.0.0@{DIGEST} # keep\n" in capsys.readouterr().out
    assert (web.read_text(encoding="utf-8"), Path("specs/locks").exists()) == (before, False)
    assert main(["pin", "specs"]) == 0
    assert web.read_text(encoding="utf-8") == before.replace("v1.0.0", f"v1.0.0@{DIGEST}")
    assert "version: 1.2.3, lock: locks/clock/uv.lock}\n" in clock.read_text(encoding="utf-8")
    assert "    version: 1.2.3\n    lock: locks/notes/package-lock.json\n\n" in notes.read_text(encoding="utf-8")
    assert "mcp<2" in Path("specs/locks/clock/pyproject.toml").read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["pin", "specs"]) == 0
    assert capsys.readouterr().err == "0 pinned, 0 errors, 0 warnings\n"
    assert main(["pin", "--check", "specs"]) == 0
    assert main(["render", "--locked", "--quiet", "specs"]) == 0
    assert main(["validate", "--locked", "specs"]) == 0


def test_newer_ones_are_proposed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool("crane", CRANE)
    tool("uv", UV)
    old = "sha256:" + "cd" * 32
    web = write("web", f"  package: {{registry: oci, name: a.example.com/web, version: v1.0.0@{old}}}\n{WEB}")
    clock = write("clock", f"  package: {{registry: pypi, name: 'acme-server[cli]', version: 1.2.3}}\n{PYPI}")
    assert main(["pin", "--update", "--check", "--output", "json", "specs"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert [(change["path"], change["before"], change["after"]) for change in data["changes"]] == [
        ("spec.package.lock", "", "locks/clock/uv.lock"),
        ("spec.package.version", "1.2.3", "1.3.0"),
        ("spec.package.version", f"v1.0.0@{old}", f"v1.1.0@{DIGEST}"),
    ]
    assert (data["changes"][2]["file"], data["changes"][2]["line"]) == ("specs/web.yaml", 5)
    assert main(["pin", "--update", "specs"]) == 0
    assert f"version: v1.1.0@{DIGEST}}}" in web.read_text(encoding="utf-8")
    assert "version: 1.3.0, lock: locks/clock/uv.lock}" in clock.read_text(encoding="utf-8")
    assert main(["pin", "--update", "--check", "specs"]) == 0
    assert main(["validate", "--locked", "specs"]) == 0


def test_a_lock_that_lags_behind_its_spec_is_written_again(folder: Path) -> None:
    tool("uv", UV)
    write("clock", f"  package: {{registry: pypi, name: acme-server, version: 1.2.3}}\n{PYPI}")
    assert main(["pin", "specs"]) == 0
    spec = Path("specs/clock.yaml")
    spec.write_text(spec.read_text(encoding="utf-8").replace("1.2.3", "1.2.4"), encoding="utf-8")
    assert main(["validate", "specs"]) == 3
    assert main(["pin", "specs"]) == 0
    assert main(["validate", "--locked", "specs"]) == 0


def test_an_environment_pins_images_of_its_own_and_those_of_mcpctl(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool("crane", CRANE)
    write(
        "web",
        f"  image: a.example.com/web:v1.0.0\n{WEB.replace('  access: none', '  access: {origins: [https://b.example.com]}')}",
    )
    body = (
        "  target: kubernetes\n  patches:\n    - select: {name: web}\n      merge: {image: a.example.com/web:v1.1.0}\n"
    )
    environment = write("production", body, "Environment")
    assert main(["render", "--locked", "specs"]) == 3
    assert "spec.images.pins: docker.io/envoyproxy/envoy, an image of mcpctl's own" in capsys.readouterr().err
    assert main(["pin", "specs"]) == 0
    text = environment.read_text(encoding="utf-8")
    assert f"merge: {{image: a.example.com/web:v1.1.0@{DIGEST}}}\n" in text
    assert f"  images:\n    pins:\n      docker.io/envoyproxy/envoy: distroless-v1.40.0@{DIGEST}\n" in text
    assert main(["render", "--locked", "--quiet", "specs"]) == 0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            f"  image: a.example.com/web:v1\n{WEB}",
            "spec.image: the image is not pinned: install crane, skopeo or docker",
        ),
        (
            f"  package: {{registry: npm, name: a, version: 1.0.0}}\n{NPM}",
            "not pinned: install npm: it is not on the PATH",
        ),
        (
            "  package: {registry: npm, name: a, git: https://github.com/a/b, version: " + "ab" * 20 + "}\n"
            "  network: {egress: {hosts: [registry.npmjs.org, github.com, codeload.github.com]}}\n",
            "npm fetches what a lock has of a repository by ssh",
        ),
    ],
    ids=["image", "package", "repository"],
)
def test_what_cannot_be_pinned_is_said_and_left(
    folder: Path, body: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("web", body)
    before = path.read_text(encoding="utf-8")
    assert main(["pin", "specs"]) == 5
    assert expected in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('no lock')", "no uv.lock was written"),
        ("sys.exit('error: no such package\\x1b[31m')", "uv: error: no such package\\x1b[31m"),
        (UV.replace("'==')[2]", "'==')[2] + '9'"), "has acme-server 1.2.39, and package.version is 1.2.3"),
    ],
    ids=["silent", "failing", "another version"],
)
def test_a_lock_that_is_none_is_not_written(
    folder: Path, code: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tool("uv", code)
    write("clock", f"  package: {{registry: pypi, name: acme-server, version: 1.2.3}}\n{PYPI}")
    assert main(["pin", "specs"]) == 5
    assert expected in capsys.readouterr().err
    assert not Path("specs/locks").exists()


def test_specs_that_do_not_hold_are_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("web", "  image: a.example.com/web:v1\n  trasport: {}\n")
    assert main(["pin", "specs"]) == 3
    assert "trasport" in capsys.readouterr().err
    assert main(["pin", "-"]) == 2


def test_an_image_without_a_tag_is_pinned_though_policy_refuses_it(folder: Path) -> None:
    tool("crane", CRANE)
    path = write("web", f"  image: a.example.com/web\n{WEB}")
    assert main(["pin", "specs"]) == 0
    assert f"image: a.example.com/web@{DIGEST}\n" in path.read_text(encoding="utf-8")


def test_a_folder_to_build_is_refused_and_a_commit_is_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = "https://github.com/a/b.git#" + "ab" * 20
    for context, code in ((commit, 0), ("https://github.com/a/b.git#main", 3)):
        build = f"  compose: {{build: {{context: '{context}'}}}}\n"
        write("web", f"  image: a.example.com/web:v1\n{WEB}{build}")
        assert main(["validate", "--locked", "--policy", "image-tag=off", "specs"]) == code
    assert "the image is built from a folder or a branch" in capsys.readouterr().err


def test_a_tree_is_not_locked_again(folder: Path) -> None:
    assert main(["apply", "--tree", "specs", "--locked"]) == 2

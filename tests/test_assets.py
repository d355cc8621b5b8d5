"""The files that travel with the program, in a checkout and in a wheel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from renderer import assets

CHECKOUT = Path(__file__).resolve().parent.parent


def test_folder_of_a_checkout() -> None:
    assert assets.folder() == str(CHECKOUT)


def test_read_gives_the_bytes_of_the_file() -> None:
    assert assets.read("schemas/mcpserver.schema.json") == (CHECKOUT / "schemas/mcpserver.schema.json").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "schemas",
        "schemas/",
        "/etc/passwd",
        "../README.md",
        "schemas/../README.md",
        "schemas/./mcpserver.schema.json",
        "schemas//mcpserver.schema.json",
        "schemas\\..\\README.md",
        "schemas/..\\README.md",
        "schemas/C:/x",
        "schemas/.hidden",
        "schemas/a\0b",
        "renderer/errors.py",
        "schemas/missing.schema.json",
    ],
)
def test_names_of_other_files_are_refused(name: str) -> None:
    with pytest.raises(FileNotFoundError):
        assets.read(name)


def test_names_are_sorted_and_can_be_read() -> None:
    templates, schemas = assets.names("templates"), assets.names("schemas")
    assert templates == sorted(templates)
    assert schemas == sorted(schemas)
    assert {"mcpserver", "output/compose"} <= set(schemas)
    assert all(assets.read(f"templates/{name}") for name in templates)
    assert all(json.loads(assets.read_schema(name)) == assets.schema(name) for name in schemas)


def test_names_of_another_kind_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="schemas, templates"):
        assets.names("tests")


def test_a_schema_is_parsed_once() -> None:
    assert assets.schema("mcpserver") is assets.schema("mcpserver")


def test_installed_package_reads_its_own_files(tmp_path: Path) -> None:
    """As in a wheel: the two folders lie inside the package, beside what else is there."""
    package = tmp_path / "renderer"
    package.mkdir()
    for module in ("__init__.py", "assets.py", "credentials.py", "errors.py", "later.py", "target_names.py"):
        shutil.copy(CHECKOUT / "renderer" / module, package)
    shutil.copytree(CHECKOUT / "schemas", package / "schemas")
    (package / "schemas" / "__init__.py").write_text("")
    _write(package / "templates" / "a" / "b.yaml.j2", "inside")
    for by_product in ("a/b.yaml.j2~", ".DS_Store", "__pycache__/x.pyc", "a/__init__.py"):
        _write(package / "templates" / by_product, "")
    # Another distribution may have dropped folders of these names into site-packages.
    _write(tmp_path / "templates" / "a" / "b.yaml.j2", "foreign")
    _write(tmp_path / "schemas" / "mcpserver.schema.json", "{}")
    script = (
        "import json; from renderer import assets as a; print(json.dumps([a.folder(),"
        " a.names('templates'), a.names('schemas'), a.read('templates/a/b.yaml.j2').decode(),"
        " len(a.schema('mcpserver'))]))"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, timeout=60, check=True)
    found = json.loads(run.stdout)
    assert found[:4] == [str(package), ["a/b.yaml.j2"], assets.names("schemas"), "inside"]
    assert found[4] == len(assets.schema("mcpserver"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

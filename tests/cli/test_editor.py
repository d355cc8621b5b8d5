"""The schema that the first line of a file names is there, and no file of others is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from renderer.cli.editor import schema_text
from renderer.errors import Exit
from tests.cli.commands import Mcpctl

NPM = ("--npm", "@acme/server@1.2.3")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()


def named(file: str) -> Path:
    """Where the first line of a file leads."""
    line = Path(file).read_text().splitlines()[0]
    assert line.startswith("# yaml-language-server: $schema=")
    return Path(file).parent / line.partition("$schema=")[2]


@pytest.mark.parametrize("file", ["demo.yaml", "specs/demo.yaml", "specs/team/demo.yaml"])
def test_the_schema_lies_where_the_spec_says(mcpctl: Mcpctl, file: str) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    assert mcpctl("init", "demo", *NPM, "--out", file).code == Exit.FINE
    assert named(file) == Path(file).parent / ".schemas/mcpserver.schema.json"
    assert named(file).read_text() == schema_text("mcpserver")


def test_in_a_project_all_specs_share_one(mcpctl: Mcpctl) -> None:
    assert mcpctl("init", "--project").code == Exit.FINE
    Path("specs/team").mkdir()
    run = mcpctl("init", "demo", *NPM, "--out", "specs/team/demo.yaml")
    assert ".schemas" not in run.err, "what is up to date is not written again"
    for file, name in {
        "mcpctl.yaml": "config",
        "specs/time.yaml": "mcpserver",
        "specs/team/demo.yaml": "mcpserver",
    }.items():
        assert named(file).resolve() == Path(f".schemas/{name}.schema.json").resolve()
        assert named(file).read_text() == schema_text(name)
    assert Path(".schemas/environment.schema.json").is_file()
    assert mcpctl("validate", ".").code == Exit.FINE, "schemas are not read as specs"


def test_an_older_schema_is_brought_up_to_date_and_a_foreign_file_is_left(mcpctl: Mcpctl) -> None:
    schema = Path(".schemas/mcpserver.schema.json")
    schema.parent.mkdir()
    schema.write_text(schema_text("mcpserver").replace("McpServer", "Older"))
    assert f"{schema}: written\n" in mcpctl("init", "demo", *NPM).err
    assert schema.read_text() == schema_text("mcpserver")
    for text in ("mine\n", '{"$id": "https://example.com/x"}', "[1]"):
        schema.write_text(text)
        run = mcpctl("init", "demo", *NPM, "--force")
        assert (run.code, schema.read_text()) == (Exit.FINE, text)
        assert f"{schema}: is not a schema of mcpctl, and is left as it is\n" in run.err


def test_a_broken_project_above_does_not_matter(mcpctl: Mcpctl) -> None:
    for name in ("mcpctl.yaml", "mcpctl.yml"):
        Path(name).write_text("out: deploy\n")
    Path("specs").mkdir()
    assert mcpctl("init", "demo", *NPM, "--out", "specs/demo.yaml").code == Exit.FINE
    assert named("specs/demo.yaml") == Path("specs/.schemas/mcpserver.schema.json")

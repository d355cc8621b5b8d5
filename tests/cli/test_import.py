"""``mcpctl import`` as people call it: specs, reports and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import Mcpctl

PACKAGE = {
    "registryType": "npm",
    "identifier": "@acme/weather",
    "version": "1.2.3",
    "transport": {"type": "stdio"},
    "environmentVariables": [
        {"name": "WEATHER_TOKEN", "isRequired": True, "isSecret": True},
        {"name": "REGION", "isRequired": True, "description": "Where you are"},
        {"name": "UNIT", "default": "celsius"},
        {"name": "PROXY"},
    ],
}
DEFINITION = {
    "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
    "name": "io.github.acme/weather",
    "description": "Weather of the places that you ask for",
    "version": "1.2.3",
    "packages": [PACKAGE],
}


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    path = tmp_path / "server.json"
    path.write_text(json.dumps(DEFINITION, indent=2))
    return path


def test_a_spec_goes_to_stdout_and_its_report_to_stderr(mcpctl: Mcpctl, definition: Path, tmp_path: Path) -> None:
    run = mcpctl("import", definition)
    assert run.code == 0
    assert "WEATHER_TOKEN: {secret: io-github-acme-weather, key: WEATHER_TOKEN}\n" in run.out
    assert "# decide: set the key REGION of the ConfigMap io-github-acme-weather-settings" in run.out
    assert "    UNIT: celsius\n" in run.out
    assert '    # PROXY: ""\n' in run.out
    assert "line 3: mapped: name -> metadata.name\n" in run.err
    assert "decision: packages[0].environmentVariables[1] -> spec.env.REGION: " in run.err
    (tmp_path / "spec.yaml").write_text(run.out)
    for target in ("kubernetes", "compose"):
        assert mcpctl("render", "--target", target, tmp_path / "spec.yaml").code == 0


def test_a_report_for_programs_has_every_field(mcpctl: Mcpctl, definition: Path) -> None:
    run = mcpctl("import", "--output", "json", definition)
    (facts,) = json.loads(run.out)["definitions"]
    assert facts["name"] == "io-github-acme-weather"
    assert facts["original"] == "io.github.acme/weather"
    assert {field["source"]: field["outcome"] for field in facts["fields"]} | {"": ""} == {
        "": "",
        "name": "mapped",
        '["$schema"]': "mapped",
        "description": "mapped",
        "version": "mapped",
        "packages[0].registryType": "mapped",
        "packages[0].identifier": "mapped",
        "packages[0].version": "mapped",
        "packages[0].transport.type": "mapped",
        "packages[0].environmentVariables[0]": "mapped",
        "packages[0].environmentVariables[1]": "decision",
        "packages[0].environmentVariables[2]": "mapped",
        "packages[0].environmentVariables[3]": "decision",
    }
    assert facts["spec"] == mcpctl("import", "-q", definition).out


def test_specs_go_to_a_folder_and_stay_when_edited(mcpctl: Mcpctl, definition: Path, tmp_path: Path) -> None:
    out, spec = tmp_path / "specs", tmp_path / "specs" / "io-github-acme-weather.yaml"
    assert "weather.yaml: written" in mcpctl("import", definition, "--out", out).err
    assert "weather.yaml: unchanged" in mcpctl("import", definition, "--out", out).err
    spec.write_text(spec.read_text().replace("celsius", "kelvin"))
    assert "it was edited by hand" in mcpctl("import", definition, "--out", out).err
    assert "kelvin" in spec.read_text()
    assert mcpctl("import", definition, "--out", out, "--force").code == 0
    assert "celsius" in spec.read_text()
    assert spec.read_text().startswith("# yaml-language-server: $schema=.schemas/mcpserver.schema.json\n# Imported")
    assert (out / ".schemas/mcpserver.schema.json").is_file(), "what its first line names is there"


def test_a_loss_fails_a_strict_import_alone(mcpctl: Mcpctl, definition: Path) -> None:
    assert mcpctl("import", "--strict", definition).code == 0
    definition.write_text(json.dumps({**DEFINITION, "colour": "blue"}))
    run = mcpctl("import", "--strict", definition)
    assert run.code == 3
    assert "not-expressible: colour: no field of the format that mcpctl knows" in run.err
    assert mcpctl("import", definition).code == 0


def test_one_bad_definition_does_not_stop_the_others(mcpctl: Mcpctl, definition: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    package = {**PACKAGE, "environmentVariables": [{"name": "A B"}]}
    bad.write_text(json.dumps({**DEFINITION, "name": "io.github.acme/bad", "packages": [package]}))
    run = mcpctl("import", bad, definition)
    assert run.code == 3
    assert "'A B' is not a name of an environment variable" in run.err
    assert "name: io-github-acme-weather" in run.out
    assert "acme-bad" not in run.out


def test_what_no_format_recognises_is_one_problem(mcpctl: Mcpctl, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("hello: world\n")
    run = mcpctl("import", tmp_path / "other.yaml")
    assert run.code == 3
    assert run.err.count("error: ") == 1
    assert "these can: " in run.err
    assert "[import/unrecognised]" in run.err


@pytest.mark.parametrize("kind", ["McpServer", "Environment"])
def test_what_is_a_document_of_mcpctl_already_is_said(mcpctl: Mcpctl, tmp_path: Path, kind: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"apiVersion: mcpctl.io/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{}}\n")
    run = mcpctl("import", own)
    assert run.code == 3
    assert "own.yaml:1:1: error: the document is a spec or an environment of mcpctl already; use it as it is" in run.err


def test_a_file_that_cannot_be_read_is_a_problem(mcpctl: Mcpctl, tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text('{"a":' * 5000)
    assert mcpctl("import", tmp_path / "deep.json").code == 3
    assert mcpctl("import", tmp_path / "none.json").code == 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two definitions of one name in different case, a bad one, something else, and a file that is no YAML."""
    registry = tmp_path / "registry"
    for name in ("weather", "Weather", "other"):
        path = registry / name.lower() / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**DEFINITION, "name": f"io.github.acme/{name}"}))
    (registry / "bad.json").write_text(json.dumps({**DEFINITION, "name": "io.github.acme/bad", "packages": []}))
    (registry / "readme.yaml").write_text("hello: world\n")
    (registry / "broken.yaml").write_text("a: [1\n")
    (registry / ".hidden.json").write_text("{")
    return registry


def test_a_folder_is_imported_with_a_table(mcpctl: Mcpctl, folder: Path, tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    run = mcpctl("import", "--all", folder, "--out", specs)
    assert run.code == 3, "one was refused"
    assert "readme.yaml:1:1: warning: the document has no format" in run.err
    assert "broken.yaml:" in run.err
    assert "there is nothing to run or to call [import/nothing-runs]" in run.err
    assert run.err.splitlines()[-2:] == [
        "format       definitions  new  refused",
        "server.json  4            3    1",
    ]
    names = sorted(path.name for path in specs.glob("*.yaml"))
    assert names[0] == "io-github-acme-other.yaml"
    assert len(names) == 3, "the two that collide are told apart"
    assert mcpctl("validate", specs).code == 0


def test_a_second_import_changes_nothing_and_says_what_went(mcpctl: Mcpctl, folder: Path, tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    mcpctl("import", "--all", folder, "--out", specs)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in specs.glob("*.yaml")}
    run = mcpctl("import", "--all", folder, "--out", specs)
    assert run.err.splitlines()[-1] == "server.json  4            3          1"
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in specs.glob("*.yaml")} == before

    (folder / "other" / "other.json").unlink()
    edited = next(path for path in specs.glob("*.yaml") if "weather" in path.name)
    edited.write_text(edited.read_text().replace("celsius", "kelvin"))
    run = mcpctl("import", "--all", folder, "--out", specs)
    assert f"{specs / 'io-github-acme-other.yaml'}: its definition no longer exists" in run.err
    assert f"{edited}: kept: it was edited by hand" in run.err
    assert (specs / "io-github-acme-other.yaml").exists()
    assert "kelvin" in edited.read_text()


def test_names_do_not_depend_on_where_the_folder_lies(mcpctl: Mcpctl, folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):  # the same definition in two files
        (folder / f"{name}.json").write_text(json.dumps(DEFINITION))
    mcpctl("import", "--all", folder, "--out", tmp_path / "first")
    folder.rename(tmp_path / "moved")
    mcpctl("import", "--all", tmp_path / "moved", "--out", tmp_path / "second")
    first, second = ({path.name for path in (tmp_path / name).glob("*.yaml")} for name in ("first", "second"))
    assert first == second
    assert len(first) == 5


def test_a_report_of_a_folder_for_programs(mcpctl: Mcpctl, folder: Path, tmp_path: Path) -> None:
    run = mcpctl("import", "--all", folder, "--out", tmp_path / "specs", "--output", "json")
    data = json.loads(run.out)
    assert sorted(facts.get("state", "refused") for facts in data["definitions"]) == ["new", "new", "new", "refused"]
    assert data["noLongerDefined"] == []
    assert {problem["severity"] for problem in data["problems"]} == {"error", "warning"}


MISUSE = {
    "neither": [],
    "both": ["server.json", "--all", "."],
    "nowhere to write": ["--all", "."],
    "no folder": ["--all", "nowhere", "--out", "specs"],
    "a folder as a file": ["."],
    "a file as a folder": ["server.json", "--out", "spec.yaml"],
}


@pytest.mark.parametrize("arguments", MISUSE.values(), ids=MISUSE)
def test_what_to_import_is_said_in_one_way(mcpctl: Mcpctl, arguments: list[str]) -> None:
    assert mcpctl("import", *arguments).code == 2


def test_names_never_lead_out_of_the_folder(tmp_path: Path, mcpctl: Mcpctl) -> None:
    for number, name in enumerate(["../../evil", "/etc/passwd", "..", "CON", "a/b\0c", "x" * 300]):
        (tmp_path / f"{number}.json").write_text(json.dumps({**DEFINITION, "name": name}))
    out = tmp_path / "deep" / "specs"
    mcpctl("import", "--all", tmp_path, "--out", out, "--offline")
    assert set(tmp_path.rglob("*.yaml")) == set(out.glob("*.yaml"))
    assert len(set(out.glob("*.yaml"))) >= 4


def test_depth_and_size_are_bounded(tmp_path: Path, mcpctl: Mcpctl) -> None:
    (tmp_path / "deep.json").write_text('{"name":' + '{"a":' * 100_000)
    (tmp_path / "list.json").write_text("[" * 100_000)
    bomb = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    (tmp_path / "bomb.yaml").write_text(f"l0: &l0 [x]\n{bomb}")
    (tmp_path / "nul.json").write_bytes(b'{"name": "a\x00b"}')
    (tmp_path / "good.json").write_text(json.dumps(DEFINITION))
    run = mcpctl("import", "--all", tmp_path, "--out", tmp_path / "specs", "--offline")
    assert run.code == 3
    assert [path.name for path in (tmp_path / "specs").glob("*.yaml")] == ["io-github-acme-weather.yaml"]
    for rule in ("yaml/too-deep", "yaml/alias", "yaml/"):
        assert rule in run.err

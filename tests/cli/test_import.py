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
    assert "somebody edited it" in mcpctl("import", definition, "--out", out).err
    assert "kelvin" in spec.read_text()
    assert mcpctl("import", definition, "--out", out, "--force").code == 0
    assert "celsius" in spec.read_text()


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
    assert "'A B' is no name of an environment variable" in run.err
    assert "name: io-github-acme-weather" in run.out
    assert "acme-bad" not in run.out


def test_what_no_format_recognises_is_one_problem(mcpctl: Mcpctl, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("hello: world\n")
    run = mcpctl("import", tmp_path / "other.yaml")
    assert run.code == 3
    assert run.err.count("\n") == 1
    assert "these can: " in run.err
    assert "[import/unrecognised]" in run.err


def test_a_file_that_cannot_be_read_is_a_problem(mcpctl: Mcpctl, tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text('{"a":' * 5000)
    assert mcpctl("import", tmp_path / "deep.json").code == 3
    assert mcpctl("import", tmp_path / "none.json").code == 3

"""``mcpctl import --compare``: field by field, without what an API server says, and without a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import Mcpctl
from tests.importers.live import FOLDER
from tests.importers.test_manifests import deployment


def test_objects_and_fields_are_compared_and_what_that_leads_to(mcpctl: Mcpctl) -> None:
    run = mcpctl("import", "--offline", "--compare", "-q", FOLDER / "helm.yaml")
    assert run.code == 0
    lines = run.out.splitlines()
    assert lines[0] == "weather-mcp: what differs from what runs"
    assert "  ConfigMap weather-mcp-files: new" in lines
    assert "    - spec.template.spec.containers[mcp-server].volumeMounts[docker]: " in run.out
    assert "    ~ spec.rules[].http.paths[/weather].backend.service.port.name: http -> mcp" in lines
    assert "  restarts pods:" in lines
    assert "must be replaced" not in run.out
    assert "metadata.labels: {" not in run.out, "labels are compared one by one"
    assert "h7Gd82kslP0qz" not in run.out
    for kept in ("- spec.selector.", "claimName", "clusterIP", "resourceVersion", "status.", "apiVersion: core"):
        assert kept not in run.out, kept


def test_programs_get_the_same_facts(mcpctl: Mcpctl) -> None:
    run = mcpctl("import", "--offline", "--compare", "-o", "json", FOLDER / "set.yaml")
    (facts,) = json.loads(run.out)["comparisons"]
    states = {each["kind"]: each["state"] for each in facts["objects"]}
    assert states["StatefulSet"] == "changed"
    assert states["NetworkPolicy"] == "new"
    fields = {field["path"] for each in facts["objects"] if each["kind"] == "StatefulSet" for field in each["fields"]}
    assert not [path for path in fields if path.startswith(("spec.selector", "spec.serviceName", "spec.volumeClaim"))]
    assert {each["name"] for each in facts["consequences"]} >= {"restart"}


def test_a_service_of_compose_is_compared_with_its_service(mcpctl: Mcpctl) -> None:
    run = mcpctl("import", "--offline", "--compare", "-q", FOLDER / "compose.yaml")
    assert run.code == 0
    assert "  service weather: " in run.out
    assert "    - cap_add: " in run.out


@pytest.mark.parametrize("options", [(), ("--out", "specs")])
def test_a_selector_that_cannot_be_kept_must_be_replaced(
    mcpctl: Mcpctl, tmp_path: Path, options: tuple[str, ...]
) -> None:
    data = json.loads(deployment())
    data["items"][0]["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(data))
    options = tuple(str(tmp_path / word) if word == "specs" else word for word in options)
    assert "must be replaced" in mcpctl("import", "--offline", "--compare", "-q", *options, path).out

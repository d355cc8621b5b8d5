"""``mcpctl graph``: who reaches what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.model import JSON
from tests.cli.commands import Mcpctl
from tests.specs import HTTP, IMAGE, as_stream, spec

ROOT = Path(__file__).parents[2]
#: Those of the picture in docs/graph.md.
PICTURE = tuple(f"docs/examples/{name}.yaml" for name in ("dolt", "elasticsearch", "github"))


def test_the_picture_of_the_document_is_what_the_command_draws(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run = mcpctl("graph", *PICTURE, "--format", "svg")
    assert run.out == (ROOT / "docs/graph.svg").read_text(encoding="utf-8"), f"mcpctl graph {' '.join(PICTURE)}"


def test_each_environment_is_drawn_or_the_one_that_is_chosen(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "docs")
    paths = ("examples", "environments/staging.yaml", "environments/dev.yaml")
    every = json.loads(mcpctl("graph", *paths, "--format", "json").out)
    assert [each["environment"] for each in every["graphs"]] == ["dev", "staging"]
    assert 'subgraph e1["staging' in mcpctl("graph", *paths, "--format", "mermaid").out
    assert mcpctl("graph", *paths, "--environment", "staging").out.startswith("staging (kubernetes, ")


def test_of_specs_with_errors_nothing_is_drawn(mcpctl: Mcpctl, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(as_stream(spec("demo", replicas="two")))
    run = mcpctl("graph", str(tmp_path))
    assert (run.code, run.out) == (3, "")
    assert "spec.replicas" in run.err


def test_values_of_secrets_are_nowhere(mcpctl: Mcpctl, tmp_path: Path) -> None:
    secret = spec("demo", image=IMAGE, transport=HTTP, env={"PASSWORD": "hunter2hunter2"})
    (tmp_path / "demo.yaml").write_bytes(as_stream(secret))
    for form in ("text", "json", "svg", "mermaid"):
        run = mcpctl("graph", str(tmp_path), "--format", form, "--policy", "secret-literal=warning")
        assert run.code == 0, run.err
        assert "hunter2" not in run.out


DATABASE = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 5432}]}
OPENS = {"kind": "NetworkPolicy", "json": [{"op": "add", "path": "/spec/egress/-", "value": DATABASE}]}
CLAIM = {"name": "other", "persistentVolumeClaim": {"claimName": "other"}}
MOUNTS = {"kind": "Deployment", "json": [{"op": "add", "path": "/spec/template/spec/volumes/-", "value": CLAIM}]}
LISTENS = {"kind": "Service", "json": [{"op": "add", "path": "/spec/ports/-", "value": {"name": "x", "port": 9229}}]}
NAMED = {"kind": "Deployment", "merge": {"spec": {"template": {"spec": {"hostname": "demo"}}}}}
MISFIT = {"kind": "Service", "json": [{"op": "remove", "path": "/spec/nothing"}]}
JOINED = {"target": "compose", "kind": "service", "merge": {"extra_hosts": ["db:10.0.0.1"], "ports": ["0.0.0.0:9:9"]}}


@pytest.mark.parametrize(
    ("patches", "target", "lines", "notes"),
    [
        (
            [OPENS],
            "kubernetes",
            ["egress: 10.0.0.0/8, TCP 5432", "update: NetworkPolicy mcp-demo-netpol: spec.egress"],
            [],
        ),
        ([MOUNTS], "kubernetes", ["data: Deployment mcp-demo may read claim other, which exists already"], []),
        ([LISTENS], "kubernetes", ["update: Service mcp-demo: spec.ports"], []),
        ([JOINED], "compose", ["exposure: mcp-demo: port 9 on 0.0.0.0", "dns: mcp-demo: resolves db as 10.0.0.1"], []),
        ([NAMED, JOINED], "kubernetes", [], []),
        ([MISFIT], "kubernetes", [], ["demo: what patches of Service change is not drawn"]),
    ],
)
def test_what_patches_lead_to_is_a_box_of_its_server(
    mcpctl: Mcpctl, tmp_path: Path, patches: list[JSON], target: str, lines: list[str], notes: list[str]
) -> None:
    server = spec(
        "demo", image=IMAGE, transport=HTTP, network={"egress": {"hosts": ["a.example.com"]}}, patches=patches
    )
    (tmp_path / "demo.yaml").write_bytes(as_stream(server))
    (drawing,) = json.loads(mcpctl("graph", str(tmp_path), "--target", target, "--format", "json").out)["graphs"]
    assert [line for node in drawing["nodes"] if node["kind"] == "patch" for line in node["lines"]] == lines
    assert drawing["notes"] == notes
    assert ("server demo", "patch demo") in {(e["source"], e["target"]) for e in drawing["edges"]} or not lines

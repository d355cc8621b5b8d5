"""``mcpctl graph``: who reaches what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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

"""A thousand servers in three environments: on every core, and each environment with its own word for all of them."""

from __future__ import annotations

import hashlib

import pytest

from renderer import pipeline
from renderer.errors import errors_in
from renderer.pipeline import Run
from renderer.registry import target

SERVERS = 1000
SPEC = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {{name: server-{number:04}}}
spec:
  description: One of many
  image: registry.example.com/mcp/server:1.{number}.0
  transport: {{type: streamable-http}}
"""
ENVIRONMENT = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {{name: {name}}}
spec:
  target: kubernetes
  namespace: {{name: mcp-{name}}}
  defaults: {{env: {{STAGE: {name}}}}}
  patches:
    - {{select: {{glob: server-*7}}, merge: {{size: large}}}}
"""
NAMES = ("dev", "production", "staging")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("many")
    (folder / "specs.yaml").write_text("---\n".join(SPEC.format(number=number) for number in range(SERVERS)))
    for name in NAMES:
        (folder / f"{name}.yaml").write_text(ENVIRONMENT.format(name=name))
    inputs = pipeline.read_inputs([str(folder)])
    return pipeline.runs_for(inputs, inputs.environments)


def made(run: Run) -> dict[str, str]:
    output = pipeline.render_run(run, target(run.target))
    assert errors_in(output.problems) == []
    return {document.path: document.text for document in output.documents}


def test_each_environment_has_all_servers_as_it_wants_them(runs: list[Run]) -> None:
    assert sorted(run.name for run in runs) == list(NAMES)
    for run in runs:
        deployments = {path: text for path, text in made(run).items() if path.endswith("/deployment.yaml")}
        assert len(deployments) == SERVERS
        assert all(f"value: {run.name}\n" in text for text in deployments.values())
        assert all(f"namespace: mcp-{run.name}\n" in text for text in deployments.values())
        large = {path for path, text in deployments.items() if "memory: 2Gi" in text}
        assert large == {path for path in deployments if path.partition("/")[0].endswith("7")}


def test_one_core_makes_the_same(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    def digest() -> str:
        return hashlib.sha256(repr(sorted(made(runs[0]).items())).encode()).hexdigest()

    on_all = digest()
    monkeypatch.setattr(pipeline, "FEWEST", SERVERS + 1)
    assert digest() == on_all

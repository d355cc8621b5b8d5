"""Several processes: the same documents and Problems as one, and an exact word where parts clash."""

from __future__ import annotations

import multiprocessing
import os
import time
from io import BytesIO

import pytest

from renderer import parallel, pipeline
from renderer.model import Options
from renderer.registry import target

OPTIONS = Options("mcpctl", "1.35")

SPEC = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {{name: {name}}}
spec:
  image: registry.example.com/{name}:1.0
  transport: {{type: streamable-http}}
  network: {{egress: {{hosts: ["api.example.com"]}}}}
  storage: [{{name: {volume}, size: 1Gi, mountPath: /data}}]
"""


def specs(servers: list[tuple[str, str]]) -> pipeline.Specs:
    text = "---\n".join(SPEC.format(name=name, volume=volume) for name, volume in servers)
    read = pipeline.read(["-"], BytesIO(text.encode()))
    assert not read.problems
    return read


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(parallel, "FEWEST_GROUPS", 4)


def on_one_core(read: pipeline.Specs, monkeypatch: pytest.MonkeyPatch) -> pipeline.Output:
    with monkeypatch.context() as patch:
        patch.setattr(parallel, "FEWEST_GROUPS", 10**9)
        return pipeline.render(read, target("kubernetes"), OPTIONS)


def facts(output: pipeline.Output) -> tuple[object, ...]:
    return [(d.path, d.text, d.subject, d.identity) for d in output.documents], output.problems


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize("count", [4, 5, 11])
def test_same_documents_and_problems_in_the_same_order(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read = specs([(f"server-{i}", "data") for i in range(count)])
    several = pipeline.render(read, target("kubernetes"), OPTIONS)
    assert facts(several) == facts(on_one_core(read, monkeypatch))
    assert len(several.problems) == count
    assert not any(document.context for document in several.documents), "they would take more memory than the texts"


@pytest.mark.usefixtures("four_cores")
def test_objects_of_one_identity_in_two_parts_are_told_as_on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    # Both claims are called mcp-a-b-c, which the rules between servers would have told before.
    servers = [("a", "b-c"), ("one", "data"), ("two", "data"), ("a-b", "c")]
    text = "---\n".join(SPEC.format(name=name, volume=volume) for name, volume in servers)
    read = pipeline.Specs(pipeline.read(["-"], BytesIO(text.encode())).servers, ())
    several = pipeline.render(read, target("kubernetes"), OPTIONS)
    assert facts(several) == facts(on_one_core(read, monkeypatch))
    assert any(p.rule == "api/duplicate-identity" or "duplicate" in p.rule for p in several.problems)


@pytest.mark.usefixtures("four_cores")
def test_what_a_child_cannot_do_is_done_on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    read = specs([(f"server-{i}", "data") for i in range(8)])
    expected = facts(on_one_core(read, monkeypatch))
    monkeypatch.setattr(parallel, "_send", lambda *_: os._exit(9))
    assert facts(pipeline.render(read, target("kubernetes"), OPTIONS)) == expected


@pytest.mark.usefixtures("four_cores")
def test_no_child_is_left_when_the_parent_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.getpid()

    def fails(*_: object, **__: object) -> None:
        if os.getpid() == here:
            raise KeyboardInterrupt
        time.sleep(60)

    monkeypatch.setattr(parallel, "_on_one_core", fails)
    with pytest.raises(KeyboardInterrupt):
        pipeline.render(specs([(f"server-{i}", "data") for i in range(8)]), target("kubernetes"), OPTIONS)
    assert multiprocessing.active_children() == []

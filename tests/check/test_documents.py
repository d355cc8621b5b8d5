"""A fault in the output names the template and its line, or the patch that caused it."""

from __future__ import annotations

from io import BytesIO

import pytest

from renderer import pipeline
from renderer.check import parsed
from renderer.errors import Exit, Problem, exit_code
from renderer.model import Options, Rendered
from renderer.registry import target

SPEC = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: demo}
spec:
  image: a/b:1
  transport: {type: streamable-http}
  health: {enabled: false}
  patches:
"""


def errors(patch: str, name: str = "kubernetes") -> list[Problem]:
    read = pipeline.read(["-"], BytesIO(f"{SPEC}    - {patch}\n".encode()))
    return list(pipeline.render(read, target(name), Options("mcpctl", "1.35")).problems)


@pytest.mark.parametrize(
    ("name", "patch", "path"),
    [
        ("kubernetes", "{kind: Service, merge: {spec: {bogus: 1}}}", "spec.bogus"),
        ("kubernetes", "{kind: Service, merge: {spec: {type: Extern}}}", "spec.type"),
        ("compose", "{target: compose, kind: service, merge: {foo: 1}}", "services.mcp-demo.foo"),
    ],
)
def test_what_a_patch_broke_is_told_at_the_patch(name: str, patch: str, path: str) -> None:
    problems = errors(patch, name)
    key = patch.index(path.rpartition(".")[2])
    assert {(str(p.place), p.path) for p in problems} == {(f"<stdin>:9:{key + 7}", path)}
    assert exit_code(problems) is Exit.INPUT_INVALID


def test_what_a_patch_broke_elsewhere_is_told_at_the_patch_too() -> None:
    # The patch takes away the pod's setting, so that the container lacks its own.
    pod = "{kind: Deployment, merge: {spec: {template: {spec: {securityContext: {runAsNonRoot: false}}}}}}"
    problems = errors(pod)
    assert {p.place.file for p in problems} == {"<stdin>"}
    assert "spec.template.spec.containers[0].securityContext.runAsNonRoot" in {p.path for p in problems}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: 1\na: 2\n", "yaml/duplicate-key"),
        ("a: 0777\n", "yaml/ambiguous"),
        ("a: [\n", "yaml/syntax"),
        ("a: 1\n---\nb: 2\n", "output/documents"),
    ],
)
def test_text_that_is_not_one_sound_document_is_the_template_s_fault(text: str, rule: str) -> None:
    context = {
        "namespace": "mcpctl",
        "object_name": "mcpctl",
        "object_annotations": {},
        "kubernetes_version": "1.35",
        "enforce": "restricted",
        "warn": "restricted",
        "labels": {"a": "b"},
    }
    document = Rendered("namespace.yaml", text, "kubernetes/namespace.yaml.j2", context, "namespace mcpctl")
    data, problems = parsed(document)
    assert data is None
    assert [p.rule for p in problems] == [rule]
    assert problems[0].place.file == "templates/kubernetes/namespace.yaml.j2"
    assert exit_code(problems) is Exit.OUTPUT_INVALID

"""What ``explain`` knows of a value: every origin, every kind of override, and differences between environments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.errors import UsageMistake
from renderer.explain import as_json, as_text, differences, explain, matrix, matrix_json, split
from renderer.pipeline import Inputs, read_inputs, runs_for

SERVER = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: web}
spec:
  image: ghcr.io/mcp/web:1.0
  transport: {type: streamable-http}
  args: [serve]
  env:
    MODE: spec
  sidecars:
    - {name: cache, image: "ghcr.io/mcp/cache:1"}
"""
PROD = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {name: prod}
spec:
  defaults: {size: large}
  patches:
    - select: {name: web}
      merge: {replicas: 2, args: null, env: {MODE: first}}
    - select: {name: web}
      merge: {env: {MODE: second}}
  images:
    registryMirrors: {ghcr.io: mirror.example.com}
"""
DEV = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {name: dev}
"""


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    monkeypatch.chdir(tmp_path)
    for name, text in (("web.yaml", SERVER), ("prod.yaml", PROD), ("dev.yaml", DEV)):
        (tmp_path / name).write_text(text)
    return read_inputs(["web.yaml", "dev.yaml", "prod.yaml"])


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (
            "web.image",
            "spec.image: mirror.example.com/mcp/web:1.0  # prod.yaml:12:23, environment image\n"
            "    instead of ghcr.io/mcp/web:1.0  # web.yaml:5:3, spec\n",
        ),
        (
            "web.spec.size",
            "spec.size: large  # prod.yaml:5:14, environment default\n    instead of small  # schema default: ",
        ),
        ("web.replicas", "spec.replicas: 2  # prod.yaml:8:15, environment patch\n    instead of 1  # schema default: "),
        (
            "web.args",
            "spec.args: []  # schema default: Arguments of the program, without a shell. $(NAME) is the value of a "
            "variable of 'env'; $$(NAME) and $${NAME} are the texts $(NAME) and ${NAME}.\n"
            "    instead of not set  # prod.yaml:8:28, removed by environment patch\n"
            '    instead of ["serve"]  # web.yaml:7:3, spec\n',
        ),
        (
            "web.env.MODE",
            "spec.env.MODE: second  # prod.yaml:10:21, environment patch\n"
            "    instead of first  # prod.yaml:8:46, environment patch\n"
            "    instead of spec  # web.yaml:9:5, spec\n",
        ),
        (
            "web.sidecars[0].image",
            "spec.sidecars[0].image: mirror.example.com/mcp/cache:1  # prod.yaml:12:23, "
            "environment image\n"
            "    instead of ghcr.io/mcp/cache:1  # web.yaml:11:21, spec\n",
        ),
        ("web.metadata.name", "metadata.name: web  # web.yaml:3:12, spec\n"),
        ("web.workload", "spec.workload: Deployment  # schema default: Kind of the Kubernetes workload.\n"),
        ("web.autoscaling", "spec.autoscaling: not set  # "),
        ("web.env.NEW", "spec.env.NEW: not set  # Environment variables: a string, or a reference"),
    ],
)
def test_origins(inputs: Inputs, field: str, expected: str) -> None:
    (source,), production = inputs.sources, inputs.environments[1]
    text = as_text([("prod", explain(source, split(field)[1], production))])
    assert text.startswith(expected)


def test_without_an_environment(inputs: Inputs) -> None:
    (source,) = inputs.sources
    assert as_text([("", explain(source, split("web.env.MODE")[1]))]) == "spec.env.MODE: spec  # web.yaml:9:5, spec\n"


def test_several_environments(inputs: Inputs) -> None:
    """What is so in all of them is told once, other values with the names of the environments."""
    (source,) = inputs.sources
    found = [
        (name, explain(source, ("spec",), each))
        for name, each in (("a", None), ("b", None), ("c", inputs.environments[1]))
    ]
    text = as_text(found)
    assert "spec.env.MODE (a, b): spec  # web.yaml:9:5, spec\n" in text
    assert "spec.env.MODE (c): second  # " in text
    assert text.count("spec.workload: Deployment") == 1
    data = json.loads(as_json("web", found))
    assert [each["environment"] for each in data["environments"]] == ["a", "b", "c"]


def test_the_whole_server_is_told_field_by_field(inputs: Inputs) -> None:
    (source,) = inputs.sources
    paths = [".".join(map(str, one.path)) for one in explain(source, ())]
    assert len(paths) > 40
    assert {"metadata.name", "spec.env.MODE", "spec.sidecars.0.image", "spec.args"} <= set(paths)
    assert all(one.description for one in explain(source, ()))


def test_as_data(inputs: Inputs) -> None:
    (source,), production = inputs.sources, inputs.environments[1]
    data = json.loads(as_json("web", [("prod", explain(source, ("spec", "args"), production))]))
    (field,) = data["fields"]
    assert (data["server"], data["environment"], field["value"], field["origin"]) == (
        "web",
        "prod",
        [],
        "schema default",
    )
    assert [(one["set"], one["value"]) for one in field["insteadOf"]] == [(False, None), (True, ["serve"])]
    assert field["insteadOf"][1]["place"] == {"file": "web.yaml", "line": 7, "column": 3}


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("web.replicsa", "a spec has no field 'spec.replicsa'; did you mean 'replicas'?"),
        ("web.transport.prt", "a spec has no field 'spec.transport.prt'; did you mean 'port'?"),
        ("web.replicas.x", "a spec has no field 'spec.replicas.x'"),
        ("web.env[", "'[' is no path of a field: write env.NAME, storage[0].size, files[\"/a.b\"]"),
    ],
)
def test_mistakes(inputs: Inputs, field: str, message: str) -> None:
    with pytest.raises(UsageMistake) as told:
        explain(inputs.sources[0], split(field)[1])
    assert told.value.message == message


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("web", ("web", ())),
        ("web.env.A_B", ("web", ("spec", "env", "A_B"))),
        ('web.files["/a.b"].mode', ("web", ("spec", "files", "/a.b", "mode"))),
        ("web.storage[0].size", ("web", ("spec", "storage", 0, "size"))),
        ("web.metadata.labels", ("web", ("metadata", "labels"))),
    ],
)
def test_split(field: str, expected: object) -> None:
    assert split(field) == expected


def test_differences(inputs: Inputs) -> None:
    runs = runs_for(inputs, inputs.environments)
    rows = differences(inputs.environments, {run.name: run.specs.servers for run in runs})
    found = {(row.server, row.path): dict(row.values) for row in rows}
    assert found["web", "spec.replicas"] == {"dev": 1, "prod": 2}
    assert found["web", "spec.env.MODE"] == {"dev": "spec", "prod": "second"}
    assert ("web", "spec.transport.type") not in found
    assert "| web | spec.replicas | `1` | `2` |" in matrix(["dev", "prod"], rows).splitlines()
    assert json.loads(matrix_json(["dev", "prod"], rows))["environments"] == ["dev", "prod"]
    below = differences(inputs.environments, {run.name: run.specs.servers for run in runs}, ("spec", "env"))
    assert [(row.server, row.path) for row in below] == [("web", "spec.env.MODE")]


def test_a_server_that_is_not_everywhere(inputs: Inputs) -> None:
    runs = runs_for(inputs, inputs.environments)
    rows = differences(inputs.environments, {runs[0].name: (), runs[1].name: runs[1].specs.servers})
    assert [(row.path, dict(row.values)) for row in rows] == [("", {"dev": False, "prod": True})]

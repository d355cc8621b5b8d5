"""``explain FILE:LINE``: every line of every object of real trees, and what has a part in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from renderer import parallel, provenance
from renderer.errors import Exit
from renderer.model import Options, Server
from renderer.registry import target
from renderer.target import Target
from tests.cli.commands import ROOT, Mcpctl

INPUTS = ("docs/examples", "docs/environments")
PANDA = ("docs/examples/panda.yaml",)
TREES = "output/environments"
GITHUB = f"{TREES}/production/kubernetes/github/deployment.yaml"
NAMESPACE = f"{TREES}/production/kubernetes/namespace.yaml"
APPLICATION = f"{TREES}/production/delivery/application.yaml"
QUOTA = f"{TREES}/production/kubernetes/resourcequota.yaml"
COMPOSE = f"{TREES}/dev/compose/time/compose.yaml"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


class Kept:
    """A target that builds the same server with the same options once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._built: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def build(self, servers: Sequence[Server], options: Options) -> Any:
        key = repr([(server._replace(source=None), server.source.data, options) for server in servers])  # type: ignore[arg-type]
        if key not in self._built:
            self._built[key] = self._target.build(servers, options)
        return self._built[key]


@pytest.fixture(scope="module", autouse=True)
def _built_once() -> Iterator[None]:
    """The rows try the same other values of the same few servers."""
    kept = cache(lambda name: Kept(target(name)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "target", kept)
        yield


def number(file: str, text: str) -> int:
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


#: A file, what a line of it holds, and what must, and must not, be among what is told.
ROWS = [
    (GITHUB, "namespace: ", ["spec.namespace.name: docs/environments/production.yaml:10:5"], ["spec.image"]),
    (GITHUB, "replicas: ", ["spec.replicas: "], ["metadata.name", "spec.image"]),
    (
        GITHUB,
        "mcpctl.io/server: github",
        ["metadata.name: github  # docs/examples/github.yaml:6:3, spec"],
        ["workload"],
    ),
    (GITHUB, "image: registry.example.com/ghcr/github", ["spec.image: registry", "instead of ghcr.io"], ["replicas"]),
    (GITHUB, "agentgateway/agentgateway", ["spec.images: docs/environments/production.yaml"], ["spec.image:"]),
    (GITHUB, "kind: Deployment", ["template templates/kubernetes/"], ["spec.", "metadata."]),
    (
        "output/environments/production/kubernetes/namespace.yaml",
        "name: ",
        ["spec.namespace.name: docs/environments"],
        ["github"],
    ),
    (
        "output/environments/dev/compose/time/compose.yaml",
        "pass-environment",
        ["template templates/compose/"],
        ["metadata.name"],
    ),
    (APPLICATION, "repoURL: ", ["spec.delivery.repoURL: docs/environments/production.yaml:"], ["targetRevision"]),
    (APPLICATION, "mcpctl.io/environment: ", ["metadata.name: docs/environments/production.yaml:"], ["spec."]),
    (QUOTA, "requests.cpu", ["spec.namespace.quota.requests.cpu: docs/environments/production.yaml:"], ["memory"]),
    ("output/kubernetes/panda/configmap.yaml", "backend: ", ["spec.files"], ["spec.replicas"]),
]


@pytest.mark.parametrize(("file", "text", "told", "silent"), ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_a_line(mcpctl: Mcpctl, file: str, text: str, told: list[str], silent: list[str]) -> None:
    inputs = INPUTS if "production" in file or "dev/" in file else PANDA
    run = mcpctl("explain", f"{file}:{number(file, text)}", *inputs)
    assert (run.code, run.err) == (Exit.FINE, "")
    head, _, rest = run.out.partition("\n")
    assert text.strip() in head
    assert [words for words in told if words not in rest] == []
    assert [words for words in silent if words in rest] == []


@pytest.mark.parametrize(
    ("file", "first"), [("kubernetes/grafana/deployment.yaml", 4), ("kubernetes/time/ciliumnetworkpolicy.yaml", 2)]
)
def test_lines_through_whole_objects(mcpctl: Mcpctl, file: str, first: int) -> None:
    path = f"output/environments/production/{file}"
    for line in range(first, len(Path(path).read_text(encoding="utf-8").splitlines()) + 1, 53):
        data = json.loads(mcpctl("explain", f"{path}:{line}", *INPUTS, "-o", "json").out)
        assert data["environment"] == "production"
        assert data["template"]["file"].startswith("templates/")
        assert data["template"]["line"] > 0


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (f"{GITHUB}:99999", "lines"),
        (f"{GITHUB}:0", "lines"),
        (f"{GITHUB}:1", "is the head"),
        ("output/nothing.yaml:1", "cannot be read"),
        (
            f"{TREES}/production/kubernetes/github/PREREQUISITES.md:3",
            "from the spec of server github, docs/examples/gi",
        ),
        (f"{TREES}/production/kubernetes/github/secret.yaml.example:3", "from the spec of server github, docs/exam"),
        (f"{TREES}/production/kubernetes/github/.mcpctl:1", "is the record of mcpctl"),
        ("README.md", "is a file: add the number of a line"),
        (GITHUB, "is a file: add the number of a line"),
        ("README.md:1", "nothing in PATHS is rendered to README.md"),
    ],
)
def test_mistakes(mcpctl: Mcpctl, argument: str, message: str) -> None:
    run = mcpctl("explain", argument, *INPUTS)
    assert (run.code, run.out) == (Exit.USAGE, "")
    assert message in run.err


def test_only_the_target_whose_folder_the_file_is_in_is_rendered(
    mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(target("compose")), "build")
    file = "output/kubernetes/panda/deployment.yaml"
    code, out, _ = mcpctl("explain", f"{file}:{number(file, 'kind: Deployment')}", *PANDA)
    assert (code, "template templates/kubernetes/" in out) == (Exit.FINE, True)


def test_a_line_that_somebody_wrote(mcpctl: Mcpctl, tmp_path: Path) -> None:
    file = tmp_path / "production" / "kubernetes" / "github" / "deployment.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"# a head\n{Path(GITHUB).read_text(encoding='utf-8')}mine\n", encoding="utf-8")
    below = mcpctl("explain", f"{file}:{number(GITHUB, 'replicas: ') + 1}", *INPUTS)
    assert "spec.replicas" in below.out
    last = len(file.read_text(encoding="utf-8").splitlines())
    assert "it was edited by hand" in mcpctl("explain", f"{file}:{last}", *INPUTS).err


def test_what_only_moves_a_line_has_no_part_in_it(mcpctl: Mcpctl, tmp_path: Path) -> None:
    spec = tmp_path / "demo.yaml"
    spec.write_text(
        "apiVersion: mcpctl.io/v1alpha1\nkind: McpServer\nmetadata: {name: demo}\nspec:\n"
        "  image: ghcr.io/acme/demo:1.0.0\n  transport: {type: streamable-http}\n"
        "  network: {egress: {hosts: ['api.github.com:8443']}}\n  service: {port: 8088}\n"
    )
    assert mcpctl("render", str(spec), "--out", str(tmp_path / "tree")).code == Exit.FINE

    def fields(name: str, text: str) -> set[str]:
        file = tmp_path / "tree" / "kubernetes" / "demo" / name
        run = mcpctl("explain", f"{file}:{number(str(file), text)}", str(spec), "-o", "json")
        return {field["path"] for field in json.loads(run.out)["fields"]}

    assert fields("networkpolicy.yaml", "port: 8443") == {"spec.network.egress.hosts"}
    assert fields("service.yaml", "port: 8088") == {"spec.service.port"}
    token = fields("serviceaccount.yaml", "automountServiceAccountToken: false")
    assert token == {"spec.serviceAccount.clusterRoles"}
    comment = fields("serviceaccount.yaml", "# An MCP server has no business")
    assert comment == token


@pytest.mark.parametrize("row", [ROWS[4], ROWS[6]], ids=lambda row: f"{row[0]}: {row[1]}")
def test_a_line_of_a_run_on_several_cores(
    mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch, row: tuple[str, str, list[str], list[str]]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(parallel, "FEWEST", 2)
    test_a_line(mcpctl, *row)

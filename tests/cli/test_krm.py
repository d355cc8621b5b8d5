"""``mcpctl krm``: a list in and a list out, and called by the real kubectl."""

from __future__ import annotations

import functools
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from renderer.errors import Exit
from tests.cli.commands import GOOD, ROOT, Mcpctl, Run, as_program
from tests.oracles import program, yaml_read, yaml_read_all
from tests.specs import spec

KINDS = ["Namespace", "ServiceAccount", "NetworkPolicy", "Service", "Deployment"]
#: With what governs a namespace of ours: no token for its default account, no traffic that nobody allows.
WITH_OURS = ["Namespace", "ServiceAccount", "NetworkPolicy", *KINDS[1:]]


@pytest.fixture
def call(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """With a list on stdin: ``call("--namespace", "x", config={}, items=[])``."""

    def of(*arguments: str, config: dict[str, Any] | None = None, items: list[dict[str, Any]] | None = None) -> Run:
        data = {
            "apiVersion": "config.kubernetes.io/v1",
            "kind": "ResourceList",
            "items": items or [],
            "functionConfig": config,
        }
        text = yaml.safe_dump(data, sort_keys=False)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return mcpctl("krm", *arguments)

    return of


def options(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "options"}, "data": data}


def test_a_list_in_and_a_list_out(call: Callable[..., Run]) -> None:
    run = call(config=spec(network={"egress": {}}))
    assert run.code == Exit.FINE
    assert [each["kind"] for each in yaml_read(run.out)["items"]] == WITH_OURS
    assert run.err == "7 items, 0 errors, 0 warnings\n"


def test_a_config_map_sets_options(call: Callable[..., Run]) -> None:
    run = call(config=options(namespace="tools", createNamespace="false"), items=[spec()])
    items = yaml_read(run.out)["items"]
    assert [each["kind"] for each in items] == ["McpServer", *KINDS[1:]]
    assert {each["metadata"]["namespace"] for each in items[1:]} == {"tools"}


def test_options_of_the_command_line_hold_where_the_config_says_nothing(call: Callable[..., Run]) -> None:
    run = call("--namespace", "here", config=options(networkPolicyProvider="none"), items=[spec()])
    items = yaml_read(run.out)["items"]
    assert [each["kind"] for each in items[1:]] == [kind for kind in KINDS[1:] if kind != "NetworkPolicy"]
    assert items[-1]["metadata"]["namespace"] == "here"


@pytest.mark.parametrize(
    ("config", "word"),
    [
        (options(namespac="x"), "data.namespac: unknown option; there is createNamespace"),
        (options(namespace="A"), "a namespace is a DNS label"),
        (options(createNamespace="yes"), "data.createNamespace must be 'true' or 'false'"),
        (options(kubernetesVersion="1.3"), "'1.3' is not one of"),
        (options(networkPolicyProvider="--help"), "is not one of"),
        ({"kind": "Secret"}, "the functionConfig must be a McpServer, or a ConfigMap"),
    ],
    ids=["unknown", "namespace", "flag", "version", "option", "kind"],
)
def test_mistakes_in_the_config(call: Callable[..., Run], config: dict[str, Any], word: str) -> None:
    run = call(config=config, items=[spec()])
    assert (run.code, run.out) == (Exit.INPUT_INVALID, "")
    assert word in run.err


def test_errors_are_results_and_an_exit_code(call: Callable[..., Run]) -> None:
    run = call(items=[spec(replicas=-1, network={"egress": {}})])
    assert run.code == Exit.INPUT_INVALID
    data = yaml_read(run.out)
    assert [each["kind"] for each in data["items"]] == ["McpServer"]
    assert [(r["severity"], r["field"]["path"]) for r in data["results"]] == [("error", "spec.replicas")]
    assert "McpServer/demo: error: spec.replicas" in run.err


def test_what_is_no_list_is_refused() -> None:
    run = as_program("krm", stdin=GOOD)
    assert (run.code, run.out) == (Exit.INPUT_INVALID, "")
    assert "expected one ResourceList of config.kubernetes.io/v1" in run.err


def test_nothing_is_told_to_those_who_want_quiet(call: Callable[..., Run]) -> None:
    assert call("-q", config=spec()).err == ""


# ---------------------------------------------------------------------------------------------
# The real kubectl. It runs plug-ins that are programs; functions need kustomize itself (docs/gitops.md).


@pytest.fixture
def build(tmp_path: Path) -> Any:
    """``kubectl kustomize`` of the folder, with ``mcpctl krm CONFIG`` as the plug-in of both kinds."""
    for api, kind in (("mcpctl.io/v1alpha1", "McpServer"), ("v1", "ConfigMap")):
        plugin = tmp_path / "plugins" / api / kind.lower() / kind
        plugin.parent.mkdir(parents=True)
        plugin.write_text(f'#!/bin/sh\nexec {sys.executable} -m renderer krm "$1"\n')
        plugin.chmod(0o755)

    def run() -> subprocess.CompletedProcess[str]:
        own = {"PYTHONPATH": str(ROOT), "KUSTOMIZE_PLUGIN_HOME": str(tmp_path / "plugins"), "HOME": str(tmp_path)}
        command = [program("kubectl"), "kustomize", "--enable-alpha-plugins", str(tmp_path / "app")]
        env = {"PATH": os.environ["PATH"], **own}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    (tmp_path / "app").mkdir()
    return run


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return list(yaml_read_all(done.stdout))


def test_kubectl_calls_it_as_a_generator(tmp_path: Path, build: Any) -> None:
    (tmp_path / "app/kustomization.yaml").write_text("generators: [server.yaml]\n")
    (tmp_path / "app/server.yaml").write_text(GOOD)
    built = objects(build())
    expected = list(yaml_read_all(as_program("render", "-", stdin=GOOD).out))
    key = functools.partial(json.dumps, sort_keys=True)
    assert sorted(built, key=key) == sorted(expected, key=key)


def test_kubectl_calls_it_as_a_transformer(tmp_path: Path, build: Any) -> None:
    (tmp_path / "app/kustomization.yaml").write_text("resources: [server.yaml]\ntransformers: [options.yaml]\n")
    (tmp_path / "app/server.yaml").write_text(GOOD)
    (tmp_path / "app/options.yaml").write_text(yaml.safe_dump(options(namespace="tools", createNamespace="true")))
    built = objects(build())
    assert sorted(each["kind"] for each in built) == sorted(WITH_OURS)
    assert {each["metadata"].get("namespace", "tools") for each in built} == {"tools"}


def test_kubectl_passes_errors_on(tmp_path: Path, build: Any) -> None:
    (tmp_path / "app/kustomization.yaml").write_text("generators: [server.yaml]\n")
    (tmp_path / "app/server.yaml").write_text(GOOD.replace("transport:", "trasport:"))
    done = build()
    assert done.returncode != 0
    assert done.stdout == ""
    assert "did you mean 'transport'?" in done.stderr

"""The target as a whole: no field is dropped in silence, and docker compose takes what is rendered."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import Severity, errors_in
from renderer.launch import launch
from renderer.model import JSON, Rendered, Source
from renderer.pipeline import render
from renderer.render import places_in_templates
from renderer.resolve import resolve
from renderer.targets.compose import TARGET
from renderer.validate import validate_rules
from tests import oracles
from tests.fields import (
    IN_EXAMPLES,
    NOT_RENDERED,
    changes,
    declared,
    documents_of_fields,
    examples,
    linked,
    remote_fields,
)
from tests.oracles import yaml_read
from tests.specs import HTTP, IMAGE, OPTIONS, rendered, rules, spec

STREAM = OPTIONS._replace(one_stream=True)
#: Fields without an effect in any of the examples, with the reason.
WITHOUT_EFFECT = {
    **NOT_RENDERED,
    **remote_fields(),
    "spec.patches[].target": "kinds of compose without it are refused (spec/patch-target)",
    "spec.transport.stateful": "one container runs: it starts supergateway otherwise (tests/test_launch.py), no more",
}


def built(data: dict[str, Any]) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """Path and text of what is rendered of a document, and the paths of the fields that are told as not rendered."""
    server = resolve(Source(IN_EXAMPLES, 1, 1, data))
    if server.remote or errors_in(validate_rules(server)):
        return (), []
    found, problems = TARGET.build([linked(server)], OPTIONS)
    return tuple((document.path, document.text) for document in found), [p.path for p in problems]


def without_effect(field: str) -> bool:
    ignored = any(field == path or field.startswith((f"{path}.", f"{path}[")) for path in TARGET.ignored)
    return ignored or field in WITHOUT_EFFECT


@pytest.fixture(scope="module")
def seen() -> tuple[set[str], set[str]]:
    """The fields of which a change changes what is rendered, and those that a Problem speaks of."""
    effective: set[str] = set()
    told: set[str] = set()
    named: JSON = {"target": "compose", "kind": "service", "name": "mcp-demo", "merge": {"hostname": "h"}}
    operations: JSON = [
        {"op": "add", "path": "/labels/a1", "value": "x"},
        {"op": "add", "path": "/labels/a2", "value": "y"},
        {"op": "copy", "from": "/labels/a1", "path": "/labels/a3"},
    ]
    by_item: JSON = {"target": "compose", "kind": "service", "json": operations}
    patched = [(spec(patches=[patch]), "") for patch in (named, by_item)]
    for document, below in (*documents_of_fields(), *patched):
        before, _ = built(document)
        done = effective | {field for field in told if not without_effect(field)}
        for field, place, changed in changes(document, done, below):
            after, paths = built(changed)
            if after not in ((), before):
                effective.add(field)
            where = ".".join(str(step) for step in place)
            if any(where.startswith(re.sub(r'\["?([^]"]*)"?\]', r".\1", path)) for path in paths):
                told.add(field)
            # One change of a field that should have no effect is enough in a document.
            if field in effective | told or without_effect(field):
                done.add(field)
    return effective, told


def test_every_field_is_rendered_or_told_or_ignored_with_a_reason(seen: tuple[set[str], set[str]]) -> None:
    known = seen[0] | seen[1]
    assert [field for field in declared() if field not in known and not without_effect(field)] == []


def test_what_is_ignored_has_no_effect(seen: tuple[set[str], set[str]]) -> None:
    assert [field for field in sorted(seen[0]) if without_effect(field)] == []


def test_ignored_fields_exist_and_have_a_reason() -> None:
    for path, ignored in TARGET.ignored.items():
        assert any(field == path or field.startswith((f"{path}.", f"{path}[")) for field in declared())
        assert len(ignored.reason) > 20


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("spec.workload", {"workload": "Pod"}),
        ("spec.serviceAccount", {"serviceAccount": {"name": "a"}}),
        ("spec.network.ingress", {"network": {"ingress": {"from": []}}}),
        ("spec.resources.requests.cpu", {"resources": {"requests": {"cpu": "1m"}}}),
    ],
)
def test_ignored_fields_are_told_where_they_stand(path: str, fields: dict[str, JSON]) -> None:
    problems = rendered("compose", spec(**fields)).problems
    (problem,) = [problem for problem in problems if problem.rule == "compose/not-rendered"]
    assert (problem.path, problem.severity) == (path, Severity.WARNING)
    assert TARGET.ignored[path].reason in problem.message


# ---------------------------------------------------------------------------------------------
# docker compose itself, which takes a project without a daemon.


def written(found: tuple[Rendered, ...], root: Path) -> list[Path]:
    """The tree on disk; the folders of the projects."""
    for document in found:
        path = root / document.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document.text.encode())
    return sorted(path.parent for path in root.glob("*/compose.yaml"))


def accepted(folders: list[Path]) -> str:
    """What ``docker compose config -q`` says of projects whose needs are met; empty when it is content."""
    projects = []
    for folder in folders:
        text = (folder / "compose.yaml").read_text(encoding="utf-8")
        for needed in re.findall(r"(?:path|file): (\./\S+)", text):
            (folder / needed).parent.mkdir(parents=True, exist_ok=True)
            (folder / needed).touch()
        example = [str(folder / ".env.example")] if (folder / ".env.example").exists() else []
        projects.append({"path": str(folder / "compose.yaml"), "project_directory": str(folder), "env_file": example})
    command = [oracles.program("docker-compose"), "-p", "all", "-f", "-", "config", "-q"]
    env = {"HOME": str(folders[0]), **oracles.NO_COLLECTOR}
    stdin = json.dumps({"include": projects}).encode()
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=folders[0], timeout=60, check=False, env=env)
    return done.stderr.decode()


def test_docker_compose_takes_all_examples_without_a_word(tmp_path: Path) -> None:
    output = render(examples(), TARGET, OPTIONS)
    assert errors_in(output.problems) == []
    folders = written(output.documents, tmp_path)
    assert len(folders) > 15
    assert accepted(folders) == ""
    (folders[-1] / "compose.yaml").write_text("services: {a: {image: i, ports: x}}")
    assert str(folders[-1].name) in accepted(folders)


def test_docker_compose_takes_a_stream_of_all_examples() -> None:
    output = render(examples(), TARGET, STREAM)
    assert errors_in(output.problems) == []
    (document,) = output.documents
    without_files = re.sub(r"required: true", "required: false", document.text)
    names = re.findall(r"\$\{([A-Z0-9_]+):", document.text)
    found = oracles.compose_read(without_files, dict.fromkeys(names, "x"))
    assert found["name"] == "mcpctl"
    assert {s.resource_name for s in examples().servers} <= set(found["services"])


def test_a_missing_variable_is_refused_with_what_it_stands_for() -> None:
    env: JSON = {"T": {"secret": "github-token", "key": "token"}}
    (document, _) = rendered("compose", spec(env=env)).documents
    with pytest.raises(AssertionError, match=r"GITHUB_TOKEN_TOKEN.*key token of secret github-token"):
        oracles.compose_read(document.text)


# ---------------------------------------------------------------------------------------------
# Trees and streams.


def test_a_tree_is_a_project_for_each_server_with_its_files_beside() -> None:
    env: JSON = {"T": {"secret": "s", "key": "k"}}
    output = rendered("compose", spec("a", env=env, files={"/etc/x.conf": {"content": "$x\n"}}), spec("b"))
    found = {document.path: document for document in output.documents}
    assert list(found) == ["a/compose.yaml", "a/files/x.conf", "a/.env.example", "b/compose.yaml"]
    assert found["a/files/x.conf"].text == "$x\n", "compose interpolates nothing in a file"
    assert found["a/files/x.conf"].template == "", "it is no document of ours"
    assert found["a/.env.example"].text.splitlines()[-2:] == ["# key k of secret s", "S_K='replace-me'"]
    assert yaml_read(found["a/compose.yaml"].text)["name"] == "mcp-a"


def test_a_stream_is_one_project_with_the_files_inside() -> None:
    output = rendered(
        "compose",
        spec("a", files={"/etc/x.conf": {"content": "$x\n"}}),
        spec("b", network={"publish": {"port": 9000}}),
        options=STREAM,
    )
    (document,) = output.documents
    found = yaml_read(document.text)
    assert (document.path, found["name"]) == ("compose.yaml", "mcpctl")
    assert set(found["services"]) == {"mcp-a", "mcp-b"}
    assert found["configs"] == {"mcp-a.x.conf": {"content": "$$x\n"}}
    assert found["services"]["mcp-a"]["read_only"] is False
    assert found["services"]["mcp-b"]["read_only"] is True


def test_groups() -> None:
    servers = examples().servers
    assert TARGET.groups(servers, one_stream=True) == [servers]
    assert TARGET.groups(servers, one_stream=False) == [(server,) for server in servers]
    assert TARGET.groups([], one_stream=True) == []
    assert TARGET.shared(OPTIONS) == []


def test_paths_are_distinct_and_stay_below_the_folder() -> None:
    paths = [document.path for document in render(examples(), TARGET, OPTIONS).documents]
    assert len({path.lower() for path in paths}) == len(paths)
    assert not [path for path in paths if path.startswith("/") or ".." in path]


def test_names_of_parts_are_distinct_where_names_of_servers_begin_alike() -> None:
    """Servers x and x-gateway, all in one file."""
    data: JSON = [{"name": "data", "size": "1Gi", "mountPath": "/d"}]
    output = rendered(
        "compose",
        *(spec(n, image=IMAGE, transport={"bridge": "none"}, storage=data) for n in ("a", "a-data")),
        spec("x", network={"egress": {}, "publish": {"port": 9001}}),
        spec("x-gateway", network={"egress": {}, "publish": {"port": 9002}}),
        options=STREAM,
    )
    assert errors_in(output.problems) == []
    services = re.findall(r"(?m)^  (mcp-\S+):$", output.documents[0].text)
    assert Counter(services).most_common(1)[0][1] == 1
    assert {"mcp-x.gateway", "mcp-x-gateway", "mcp-x-gateway.gateway"} <= set(services)


# ---------------------------------------------------------------------------------------------
# Patches, and the check of what they make.


def patched(*patches: JSON, **fields: JSON) -> Any:
    output = rendered("compose", spec(patches=list(patches), **fields))
    assert errors_in(output.problems) == []
    return yaml_read(output.documents[0].text)


def test_a_patch_of_a_service_is_of_the_server_itself() -> None:
    found = patched({"target": "compose", "kind": "service", "merge": {"hostname": "h"}}, network={"egress": {}})
    assert {key: one.get("hostname") for key, one in found["services"].items()} == {
        "mcp-demo": "h",
        "mcp-demo.gateway": None,
    }


def test_a_patch_finds_the_other_parts_by_their_keys() -> None:
    found = patched(
        {"target": "compose", "kind": "service", "name": "mcp-demo.prepare", "merge": {"labels": {"a": "b"}}},
        {"target": "compose", "kind": "volume", "merge": {"driver": "local"}},
        {"target": "compose", "kind": "network", "name": "mcpctl-network", "merge": {"external": True}},
        {"target": "compose", "kind": "config", "merge": {"x-a": 1}},
        {"target": "compose", "kind": "secret", "merge": {"x-a": 2}},
        storage=[{"name": n, "size": "1Gi", "mountPath": f"/{n}"} for n in ("d", "e")],
        files={"/a": {"content": "x"}, "/b": {"secret": "s", "key": "k"}},
    )
    assert found["services"]["mcp-demo.prepare"]["labels"]["a"] == "b"
    assert [volume["driver"] for volume in found["volumes"].values()] == ["local", "local"]
    assert found["networks"]["mcpctl-network"] == {"name": "mcpctl-network", "external": True}
    assert found["configs"]["mcp-demo.a"]["x-a"] == 1
    assert found["secrets"]["s_k"] == {"file": "./secrets/s/k", "x-a": 2}


def test_patches_of_other_targets_change_nothing() -> None:
    assert patched({"kind": "Deployment", "merge": {"a": 1}}) == patched()


def test_a_patch_in_a_stream_is_of_its_own_server() -> None:
    merge: JSON = {"target": "compose", "kind": "service", "merge": {"hostname": "h"}}
    output = rendered(
        "compose", spec("a"), spec("b", patches=[merge], network={"publish": {"port": 9000}}), options=STREAM
    )
    services = yaml_read(output.documents[0].text)["services"]
    assert ("hostname" in services["mcp-a"], services["mcp-b"]["hostname"]) == (False, "h")


@pytest.mark.parametrize(
    ("kind", "name", "path", "hint"),
    [
        ("servce", None, "kind", "did you mean 'service'? there is: network, service"),
        ("Service", None, "kind", "did you mean 'service'?"),
        ("volume", None, "kind", "there is: network, service"),
        ("service", "mcp-dmo", "name", "did you mean 'mcp-demo'? there is: mcp-demo"),
    ],
)
def test_a_patch_that_matches_nothing_is_told(kind: str, name: str | None, path: str, hint: str) -> None:
    patch: dict[str, JSON] = {"target": "compose", "kind": kind, "merge": {"a": 1}, **({"name": name} if name else {})}
    problems = rendered("compose", spec(patches=[patch])).problems
    (problem,) = errors_in(problems)
    assert problem.rule == "spec/patch-without-match"
    assert (problem.path == f"spec.patches[0].{path}", problem.hint.startswith(hint)) == (True, True), problem


def test_what_a_patch_breaks_is_refused_with_the_place_of_the_patch() -> None:
    patch: JSON = {"target": "compose", "kind": "service", "merge": {"read_only": "perhaps", "depends_on": ["nobody"]}}
    problems = errors_in(rendered("compose", spec(patches=[patch])).problems)
    assert len(problems) >= 2
    assert all("patches" not in problem.place.file and problem.place.line > 1 for problem in problems)
    assert not any(problem.place.file.startswith("templates/") for problem in problems)
    assert {"services.mcp-demo.read_only"} <= {problem.path for problem in problems}


def test_files_that_stand_beside_are_not_parsed() -> None:
    assert TARGET.check([Rendered("a/files/x", "a: [", "", {}, "server a")], OPTIONS) == []


def test_rules_of_a_plain_server() -> None:
    """The smallest spec: one warning, about the health of an image that nobody can see into."""
    assert rules(rendered("compose", spec()).problems) == ["compose/health-not-rendered"]
    quiet = spec(image=IMAGE, transport=HTTP, health={"enabled": False})
    assert rendered("compose", quiet).problems == ()


def test_contexts_are_plain_data() -> None:
    """What a template sees has no methods that reach outside."""
    for server in examples().servers:
        for document in TARGET.build([server], OPTIONS)[0]:
            assert not list(_strangers(document.context))
        assert launch(server).image


def _strangers(value: Any) -> Any:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _strangers(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strangers(inner)
    elif not (value is None or type(value) in (str, int, float, bool)):
        yield value


def test_many_clashes_are_found_in_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault once had the whole project rendered again: a hundred servers took half a minute."""
    network: JSON = {"publish": {"port": 9000}}
    servers = [spec(f"server-{i}", image=IMAGE, transport=HTTP, network=network) for i in range(40)]
    looks: list[Any] = []
    original = places_in_templates

    def counted(template: str, context: Any) -> Any:
        looks.append(template)
        return original(template, context)

    monkeypatch.setattr("renderer.check.places_in_templates", counted)
    found = rendered("compose", *servers, options=STREAM).problems
    assert len(looks) == 1
    assert {"compose/same-port", "compose/duplicate-port"} <= set(rules(found))

"""What compose cannot do is told at the field: every rule fired once, with its severity and place."""

from __future__ import annotations

import pytest

from renderer.errors import Severity
from renderer.model import JSON
from tests.oracles import yaml_read
from tests.specs import IMAGE, NPM, OPTIONS, PYPI, rendered, spec

STREAM = OPTIONS._replace(one_stream=True)
WELL: dict[str, JSON] = {"health": {"command": ["/bin/check"]}}
ERROR, WARNING = Severity.ERROR, Severity.WARNING
VOLUME: dict[str, JSON] = {"name": "d", "size": "1Gi", "mountPath": "/d"}

Told = tuple[str, str, Severity]


def told(*documents: JSON, stream: bool = False) -> list[Told]:
    """Rule, path and severity of what is said, but for policy, of documents whose specs hold."""
    problems = rendered("compose", *documents, options=STREAM if stream else OPTIONS).problems
    problems = tuple(problem for problem in problems if not problem.rule.startswith("policy/"))
    assert all(problem.message for problem in problems)
    return [(p.rule.removeprefix("compose/"), p.path.removeprefix("spec."), p.severity) for p in problems]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"network": {"egress": {}}}, []),
        (
            {"network": {"egress": {"cidrs": ["10.0.0.0/8"]}}},
            [("egress-not-enforced", "network.egress", WARNING)],
        ),
        ({"health": {}}, [("health-not-rendered", "health", WARNING)]),
        ({"health": {"path": "/h"}}, [("health-not-rendered", "health", WARNING)]),
        ({"health": {"enabled": False}}, []),
        ({"replicas": 2}, [("replicas-port", "replicas", WARNING)]),
        ({"replicas": 2, "network": {"egress": {}}}, []),
        ({"replicas": 0}, []),
        ({"package": {**PYPI, "cacheSize": "2Gi"}}, [("storage-size", "package.cacheSize", WARNING)]),
        (
            {"package": PYPI, "replicas": 2},
            [("cache-in-memory", "replicas", WARNING)],
        ),
        ({"package": PYPI, "replicas": 2, "size": "medium"}, []),  # its guard listens for both
        (
            {"replicas": 2, "workload": "StatefulSet", "storage": [VOLUME]},
            [
                ("not-rendered", "workload", WARNING),
                ("replicas-port", "replicas", WARNING),
                ("replicas-share-volume", "replicas", ERROR),
                ("storage-size", "storage[0].size", WARNING),
            ],
        ),
        (
            {"storage": [{**VOLUME, "storageClass": "fast"}, {**VOLUME, "name": "e", "mountPath": "/e"}]},
            [("storage-class", "storage[0].storageClass", WARNING), ("storage-size", "storage[0].size", WARNING)],
        ),
        (
            {"storage": [{**VOLUME, "accessModes": ["ReadWriteMany"]}]},
            [("access-modes", "storage[0].accessModes", WARNING), ("storage-size", "storage[0].size", WARNING)],
        ),
        (
            {"files": {"/a": {"content": "x", "mode": "0440"}}},
            [("file-mode", 'files["/a"].mode', WARNING)],
        ),
        (
            {"files": {"/a": {"content": "x", "mode": "0555"}}},
            [("file-mode", 'files["/a"].mode', ERROR)],
        ),
        (
            {"resources": {"limits": {"memory": "5Mi"}, "requests": {"memory": "1Mi"}}},
            [
                ("memory-minimum", "resources.limits.memory", ERROR),
                ("memory-minimum", "resources.requests.memory", ERROR),
            ],
        ),
        (
            {"resources": {"limits": {"cpu": "9m"}, "requests": {"cpu": "1m"}}},
            [
                ("cpu-minimum", "resources.limits.cpu", ERROR),
                ("not-rendered", "resources.requests.cpu", WARNING),
            ],
        ),
        ({"package": NPM, "health": {}}, []),
    ],
    ids=str,
)
def test_limits_of_one_server(fields: dict[str, JSON], expected: list[Told]) -> None:
    assert sorted(told(spec(**{**WELL, **fields}))) == sorted(expected)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"annotations": {"a": "x"}, "labels": {"b": "y"}}, []),
        ({"annotations": {"a": "x"}, "labels": {"a": "x"}}, []),
        ({"annotations": {"a": "x"}, "labels": {"a": "y"}}, [("annotation-hidden", "a", WARNING)]),
        (
            {"annotations": {"app.kubernetes.io/name": "x"}},
            [("annotation-hidden", "app.kubernetes.io/name", WARNING)],
        ),
        ({"labels": {"com.docker.compose.project": "x"}}, [("reserved-label", "com.docker.compose.project", ERROR)]),
        (
            {"annotations": {"com.docker.compose.project": "x"}},
            [("reserved-label", "com.docker.compose.project", ERROR)],
        ),
    ],
    ids=str,
)
def test_annotations_are_labels(metadata: dict[str, JSON], expected: list[Told]) -> None:
    # The schema of compose refuses a reserved label as well, at its place in the template.
    found = [one for one in told(spec("demo", metadata, **WELL)) if one[0] != "field-name"]
    assert [(rule, severity) for rule, _, severity in found] == [(rule, severity) for rule, _, severity in expected]
    assert all(key in path for (_, path, _), (_, key, _) in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"files": {"/a": {"content": "x"}}}, [("read-only", "files", WARNING)]),
        ({"files": {"/a": {"content": "x"}}, "security": {"readOnlyRootFilesystem": False}}, []),
        ({"files": {"/a": {"secret": "s", "key": "k"}}}, []),
        (
            {"files": {"/a": {"content": ""}}},
            [("empty-file", 'files["/a"].content', ERROR), ("read-only", "files", WARNING)],
        ),
        (
            {"files": {"/tmp/a": {"content": "x"}}},
            [("file-below-tmpfs", 'files["/tmp/a"]', ERROR), ("read-only", "files", WARNING)],
        ),
    ],
    ids=str,
)
def test_limits_of_a_stream(fields: dict[str, JSON], expected: list[Told]) -> None:
    document = spec(**{**WELL, **fields})
    assert sorted(told(document, stream=True)) == sorted(expected)
    assert told(document) == [], "files beside the compose file have none of these limits"


# ---------------------------------------------------------------------------------------------
# Between servers.


def publishing(name: str, address: str, port: int, **more: JSON) -> dict[str, JSON]:
    return spec(name, **WELL, network={"publish": {"address": address, "port": port}}, **more)


@pytest.mark.parametrize("name", ["mcpctl-network", "mcp-other.internal"])
def test_networks_of_our_own_are_not_joined(name: str) -> None:
    found = told(spec(**WELL, compose={"networks": ["web", name]}))
    assert found == [("own-network", "compose.networks[1]", Severity.ERROR)]


def test_what_is_on_no_network_joins_none() -> None:
    document = spec(
        image=IMAGE, transport={"bridge": "none"}, network={"egress": {}}, compose={"networks": ["web"]}, **WELL
    )
    assert ("own-network", "compose.networks[0]", Severity.ERROR) in told(document)


def test_the_machine_needs_an_alias() -> None:
    env: JSON = {"SONARR_URL": "http://host.docker.internal:8989", "TOKEN": {"secret": "s", "key": "k"}}
    assert told(spec(**WELL, env=env)) == [("machine-name", "env.SONARR_URL", WARNING)]
    aliases: JSON = {"host.docker.internal": "host-gateway"}
    assert told(spec(**WELL, env=env, network={"hostAliases": aliases})) == []


def test_a_package_is_not_built() -> None:
    found = told(spec(package=NPM, compose={"build": {"context": "."}}))
    assert ("build-without-image", "compose.build", Severity.ERROR) in found


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (("127.0.0.1", 9000), ("127.0.0.1", 9000), True),
        (("127.0.0.1", 9000), ("127.0.0.1", 9001), False),
        (("127.0.0.1", 9000), ("127.0.0.2", 9000), False),
        (("0.0.0.0", 9000), ("127.0.0.2", 9000), True),
        (("127.0.0.1", 9000), ("0.0.0.0", 9000), True),
        (("::", 9000), ("::1", 9000), True),
        (("::", 9000), ("127.0.0.1", 9000), False),
    ],
    ids=str,
)
def test_ports_of_the_machine(one: tuple[str, int], other: tuple[str, int], meet: bool) -> None:
    documents = (publishing("a", *one), publishing("b", *other))
    found = [
        p for o in (STREAM, OPTIONS) for p in rendered("compose", *documents, options=o).problems if "same" in p.rule
    ]
    assert [p.rule for p in found] == ["compose/same-port"] * 2 * meet, "projects of a tree share the machine too"
    for problem in found:
        assert problem.path == "spec.network.publish.port"
        assert (problem.place.line, [place.line for place in problem.related]) == (4, [2])
        assert "servers a and b" in problem.message


def test_a_port_that_only_the_name_decides_is_told_there() -> None:
    problems = rendered("compose", publishing("a", "127.0.0.1", 27946), spec("b", **WELL)).problems
    assert [p.path for p in problems if p.rule == "compose/same-port"] == ["metadata.name"]


def test_servers_with_defaults_publish_ports_of_their_own() -> None:
    documents = [spec(name, **WELL, transport={"type": "streamable-http", "port": 8080}, image=IMAGE) for name in "ab"]
    for options in (STREAM, OPTIONS):
        assert not rendered("compose", *documents, options=options).problems


def test_servers_that_publish_nothing_clash_with_nobody() -> None:
    documents = [spec(name, **WELL, network={"publish": False}) for name in "ab"]
    output = rendered("compose", *documents)
    assert not output.problems
    assert all("ports:" not in document.text for document in output.documents)


def test_servers_without_a_fixed_port_clash_with_nobody() -> None:
    silent = spec("c", **WELL, image=IMAGE, transport={"bridge": "none"})
    several = publishing("b", "127.0.0.1", 9000, replicas=2)
    found = told(publishing("a", "127.0.0.1", 9000), several, silent, stream=True)
    assert found == [("replicas-port", "replicas", WARNING)]


@pytest.mark.parametrize("stream", [True, False])
def test_one_variable_for_two_references(stream: bool) -> None:
    env: JSON = {
        "A": {"secret": "a-b", "key": "c"},
        "B": {"secret": "a", "key": "b-c"},
        "C": {"configMap": "a-b", "key": "c"},
        "D": {"secret": "a-b", "key": "c", "optional": True},
    }
    problems = rendered("compose", spec(**WELL, env=env), options=STREAM if stream else OPTIONS).problems
    assert [(p.rule, p.path, p.severity) for p in problems] == [
        ("compose/same-variable", "spec.env.B", ERROR),
        ("compose/same-variable", "spec.env.C", ERROR),
    ]
    assert "key b-c of secret a and key c of secret a-b would both be the variable A_B_C" in problems[0].message
    assert [place.line for place in problems[0].related] == [2]


def test_variables_of_two_servers_meet_only_in_a_stream() -> None:
    one = publishing("a", "127.0.0.1", 9000, env={"A": {"secret": "x-y", "key": "z"}})
    two = publishing("b", "127.0.0.1", 9001, env={"A": {"secret": "x", "key": "y-z"}})
    assert told(one, two) == []
    assert told(one, two, stream=True) == [("same-variable", "env.A", ERROR)]


def test_a_field_of_the_pod_is_not_set_and_said_so() -> None:
    env: JSON = {"NAMESPACE": {"field": "metadata.namespace"}, "URL": "http://$(NAMESPACE)/"}
    output = rendered("compose", spec(env=env, health={"enabled": False}))
    (problem,) = output.problems
    assert (problem.rule, problem.path) == ("compose/field-not-rendered", "spec.env.NAMESPACE")
    service = yaml_read(output.documents[0].text)["services"]["mcp-demo"]
    assert service["environment"] == {"URL": "http://$$(NAMESPACE)/"}


def test_an_existing_claim_is_an_external_volume_that_keeps_its_owner() -> None:
    storage: JSON = [{"name": "config", "existingClaim": "home", "mountPath": "/config", "readOnly": True}]
    output = rendered("compose", spec(storage=storage, health={"enabled": False}))
    project = yaml_read(output.documents[0].text)
    assert project["volumes"] == {"mcp-demo.config": {"external": True, "name": "home"}}
    assert list(project["services"]) == ["mcp-demo"], "nothing changes the owner of what is in it"
    (mount,) = project["services"]["mcp-demo"]["volumes"]
    assert (mount["source"], mount["target"], mount["read_only"]) == ("mcp-demo.config", "/config", True)
    assert [str(problem) for problem in output.problems] == []

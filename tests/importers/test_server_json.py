"""server.json in every version of its schema: packages, inputs, transports, remotes, deployment data."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import dotted
from renderer.importers import packages, server_json
from renderer.importers.draft import Choices, Draft
from renderer.importers.validation import validated
from renderer.model import JSON
from tests.importers.readings import source_of

OFFLINE = Choices(offline=True)
NPM = {"registryType": "npm", "identifier": "@acme/notes", "version": "1.2.3", "transport": {"type": "stdio"}}
PYPI = {"registryType": "pypi", "identifier": "acme-notes", "version": "1.2.3", "transport": {"type": "stdio"}}
OCI = {"registryType": "oci", "identifier": "ghcr.io/acme/notes:1.2.3", "transport": {"type": "stdio"}}
HTTP = {**OCI, "transport": {"type": "streamable-http", "url": "http://localhost:3000/mcp"}}
BUNDLE = {
    "registryType": "mcpb",
    "identifier": "https://example.com/releases/notes-linux-amd64.mcpb",
    "fileSha256": "ab" * 32,
    "transport": {"type": "stdio"},
}
NUGET = {"registryType": "nuget", "identifier": "Acme.Notes", "version": "1.2.3", "transport": {"type": "stdio"}}


def definition(*packages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    known = {"name": "io.github.acme/notes", "description": "Notes", "version": "1.2.3"}
    return {**known, **({"packages": list(packages)} if packages else {}), **fields}


def drafted(data: JSON, choices: Choices = OFFLINE) -> Draft:
    (draft,) = server_json.read([source_of(data)], choices)
    return draft


def spec_of(data: JSON, choices: Choices = OFFLINE) -> dict[str, Any]:
    """What is written, without the decisions about images that every image brings."""
    draft = validated(drafted(data, choices))
    assert draft.problems == ()
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    return {
        key: value for key, value in spec.items() if (key, value) not in (("description", "Notes"), ("size", "small"))
    }


def outcome_of(draft: Draft, source: str) -> str:
    (entry,) = [entry for entry in draft.entries if dotted(entry.source) == source]
    return f"{entry.outcome}: {entry.message}"


PACKAGES = {
    "npm": (
        NPM,
        {"package": {"registry": "npm", "name": "@acme/notes", "version": "1.2.3"}, "transport": {"type": "stdio"}},
    ),
    "pypi": (
        PYPI,
        {"package": {"registry": "pypi", "name": "acme-notes", "version": "1.2.3"}, "transport": {"type": "stdio"}},
    ),
    "an image that speaks stdio": (
        OCI,
        {"image": "ghcr.io/acme/notes:1.2.3", "transport": {"type": "stdio", "bridge": "none"}},
    ),
    "an image that serves HTTP": (
        HTTP,
        {"image": "ghcr.io/acme/notes:1.2.3", "transport": {"type": "streamable-http", "port": 3000, "path": "/mcp"}},
    ),
    "an image in parts": (
        {**HTTP, "identifier": "acme/notes", "version": "2.0", "registryBaseUrl": "https://ghcr.io"},
        {"image": "ghcr.io/acme/notes:2.0", "transport": {"type": "streamable-http", "port": 3000, "path": "/mcp"}},
    ),
    "an image of Docker Hub in parts": (
        {**HTTP, "identifier": "acme/notes", "version": "2.0", "registryBaseUrl": "https://docker.io"},
        {"image": "acme/notes:2.0", "transport": {"type": "streamable-http", "port": 3000, "path": "/mcp"}},
    ),
    "a registry of one's own": (
        {**NPM, "registryBaseUrl": "https://npm.example.com"},
        {
            "package": {"registry": "npm", "name": "@acme/notes", "version": "1.2.3"},
            "transport": {"type": "stdio"},
            "env": {"NPM_CONFIG_REGISTRY": "https://npm.example.com"},
        },
    ),
    "requirements of uvx": (
        {
            **PYPI,
            "runtimeHint": "uvx",
            "runtimeArguments": [
                {"type": "named", "name": "--with", "value": "mcp<2"},
            ],
        },
        {
            "package": {"registry": "pypi", "name": "acme-notes", "version": "1.2.3", "with": ["mcp<2"]},
            "transport": {"type": "stdio"},
        },
    ),
}


@pytest.mark.parametrize(("package", "spec"), PACKAGES.values(), ids=PACKAGES)
def test_a_package_is_what_runs(package: dict[str, Any], spec: dict[str, Any]) -> None:
    assert spec_of(definition(package)) == spec


def test_the_first_version_of_the_schema_has_other_spellings() -> None:
    package = {
        "registry_type": "npm",
        "identifier": "@acme/notes",
        "version": "1.2.3",
        "runtime_hint": "npx",
        "package_arguments": [{"type": "positional", "value_hint": "folder", "is_required": True}],
        "environment_variables": [{"name": "NOTES_TOKEN", "is_required": True, "is_secret": True}],
    }
    schema = "https://static.modelcontextprotocol.io/schemas/2025-07-09/server.schema.json"
    draft = drafted(definition(package, **{"$schema": schema, "website_url": "https://example.com"}))
    assert draft.document["spec"] == {
        "description": "Notes",
        "package": {"registry": "npm", "name": "@acme/notes", "version": "1.2.3"},
        "args": ["$(ARG_FOLDER)"],
        "env": {
            "ARG_FOLDER": {"configMap": "io-github-acme-notes-settings", "key": "ARG_FOLDER"},
            "NOTES_TOKEN": {"secret": "io-github-acme-notes", "key": "NOTES_TOKEN"},
        },
        "transport": {"type": "stdio"},
        "size": "small",
    }
    assert draft.losses == []
    assert outcome_of(draft, '["$schema"]') == "mapped: read as version 2025-07-09"


@pytest.mark.parametrize(
    ("schema", "version"),
    [
        ("https://registry.example.com/schemas/2025-10-17/server.schema.json", "read as version 2025-10-17"),
        ("https://example.com/2027-01-01/server.schema.json", "no version that is known here: read as 2025-12-11"),
        ("https://example.com/2025-09-20/server.schema.json", "no version that is known here: read as 2025-09-16"),
        ("https://example.com/2024-01-01/server.schema.json", "no version that is known here: read as 2025-07-09"),
        ("https://example.com/server.schema.json", "no version that is known here: read as 2025-12-11"),
    ],
)
def test_an_unknown_version_is_read_as_the_nearest(schema: str, version: str) -> None:
    assert version in outcome_of(drafted(definition(NPM, **{"$schema": schema})), '["$schema"]')


ARGUMENTS: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "a fixed word": ([{"type": "positional", "value": "serve"}], ["serve"]),
    "a default": ([{"type": "positional", "valueHint": "mode", "default": "fast"}], ["fast"]),
    "a flag with a value": ([{"type": "named", "name": "--log-level", "default": "info"}], ["--log-level=info"]),
    "a short flag": ([{"type": "named", "name": "-p", "value": "80"}], ["-p", "80"]),
    "a switch": ([{"type": "named", "name": "--verbose"}], ["--verbose"]),
    "a template": (
        [{"type": "named", "name": "--db", "value": "sqlite:{path}", "variables": {"path": {"default": "/data/x"}}}],
        ["--db=sqlite:/data/x"],
    ),
    "a placeholder that stands for itself": (
        [{"type": "positional", "value": "{not-a-variable}"}],
        ["{not-a-variable}"],
    ),
    "text that looks like a reference": ([{"type": "positional", "value": "$(HOME)"}], ["$$(HOME)"]),
    "an optional one": ([{"type": "named", "name": "--proxy", "description": "A proxy"}], []),
    "several": (
        [
            {"type": "positional", "value": "serve"},
            {"type": "named", "name": "--once", "isRepeated": True, "value": "a"},
        ],
        ["serve", "--once=a"],
    ),
}


@pytest.mark.parametrize(("arguments", "args"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_keep_their_order(arguments: list[dict[str, Any]], args: list[str]) -> None:
    assert spec_of(definition({**NPM, "packageArguments": arguments})).get("args", []) == args


def test_a_secret_argument_is_the_value_of_a_variable() -> None:
    key = {"type": "named", "name": "--api-key", "isSecret": True, "isRequired": True}
    spec = spec_of(definition({**NPM, "packageArguments": [key]}))
    assert spec["args"] == ["--api-key=$(ARG_API_KEY)"]
    assert spec["env"] == {"ARG_API_KEY": {"secret": "io-github-acme-notes", "key": "ARG_API_KEY"}}


VARIABLES: dict[str, tuple[dict[str, Any], JSON]] = {
    "a value": ({"value": "on"}, "on"),
    "a default": ({"default": "8080"}, "8080"),
    "a default that is empty": ({"default": ""}, ""),
    "a secret": ({"isSecret": True, "isRequired": True}, {"secret": "io-github-acme-notes", "key": "X"}),
    "an optional secret": ({"isSecret": True}, {"secret": "io-github-acme-notes", "key": "X", "optional": True}),
    "one that a person knows": ({"isRequired": True}, {"configMap": "io-github-acme-notes-settings", "key": "X"}),
    "an optional one": ({"description": "A proxy"}, None),
    "a template": ({"value": "http://{host}:80", "variables": {"host": {"default": "db"}}}, "http://db:80"),
    "a template with a secret": (
        {"value": "Bearer {token}", "variables": {"token": {"isSecret": True, "isRequired": True}}},
        "Bearer $(ARG_TOKEN)",
    ),
    "nothing but a secret": (
        {"value": "{token}", "variables": {"token": {"isSecret": True, "isRequired": True}}},
        {"secret": "io-github-acme-notes", "key": "X"},
    ),
    "a token among the defaults": (
        {"default": "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"},
        {"secret": "io-github-acme-notes", "key": "X", "optional": True},
    ),
}


@pytest.mark.parametrize(("variable", "value"), VARIABLES.values(), ids=VARIABLES)
def test_variables_are_values_or_references(variable: dict[str, Any], value: JSON) -> None:
    spec = spec_of(definition({**NPM, "environmentVariables": [{"name": "X", **variable}]}))
    assert spec.get("env", {}).get("X") == value


def test_a_token_in_a_definition_is_written_nowhere() -> None:
    token = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"
    draft = drafted(definition({**NPM, "environmentVariables": [{"name": "X", "default": token}]}))
    assert token not in str(draft._replace(entries=()))
    assert token not in str([entry.message for entry in draft.entries])
    assert "the value in the definition is not written" in outcome_of(draft, "packages[0].environmentVariables[0]")


ADDRESSES: dict[str, tuple[str, dict[str, Any]]] = {
    "a port and a path": ("http://127.0.0.1:9000/api/mcp", {"port": 9000, "path": "/api/mcp"}),
    "a variable with a default": ("http://localhost:{PORT}/mcp", {"port": 8123, "path": "/mcp"}),
    "an argument with a default": ("http://localhost:{--listen}/mcp", {"port": 8200, "path": "/mcp"}),
    "an argument with a variable": ("http://localhost:{--port}/mcp", {"port": 8300, "path": "/mcp"}),
    "nobody says the port": ("http://localhost:{NOBODY}/mcp", {"path": "/mcp"}),
    "a public address": ("https://mcp.example.com/mcp", {"path": "/mcp"}),
    "no path": ("http://localhost:9000", {"port": 9000}),
}


@pytest.mark.parametrize(("url", "transport"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_address_of_a_package_names_port_and_path(url: str, transport: dict[str, Any]) -> None:
    package = {
        **HTTP,
        "transport": {"type": "streamable-http", "url": url},
        "packageArguments": [
            {"type": "named", "name": "--listen", "default": "8200"},
            {"type": "named", "name": "--port", "value": "{at}", "variables": {"at": {"default": "8300"}}},
        ],
        "environmentVariables": [{"name": "PORT", "default": "8123"}],
    }
    assert spec_of(definition(package))["transport"] == {"type": "streamable-http", **transport}


CHOSEN = {
    "an image that serves HTTP": ([NPM, HTTP, OCI], "", "ghcr.io/acme/notes:1.2.3"),
    "a package before an image without an entrypoint": ([OCI, PYPI], "", "acme-notes"),
    "by its number": ([NPM, HTTP], "1", "@acme/notes"),
    "by its type": ([NPM, HTTP, PYPI], "pypi", "acme-notes"),
    "what can run": ([NUGET, NPM], "", "@acme/notes"),
}


@pytest.mark.parametrize(("packages", "choice", "identifier"), CHOSEN.values(), ids=CHOSEN)
def test_one_of_several_packages_is_taken(packages: list[dict[str, Any]], choice: str, identifier: str) -> None:
    draft = drafted(definition(*packages), Choices(choice, offline=True))
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    package = spec.get("package")
    assert (package["name"] if isinstance(package, dict) else spec["image"]) == identifier
    others = [entry.message for entry in draft.entries if entry.message.startswith("another way")]
    assert len(others) == len(packages) - 1
    assert draft.losses == [], "another way to the same server is no loss"


REFUSED: dict[str, tuple[dict[str, Any], Choices, str]] = {
    "nuget": (definition(NUGET), OFFLINE, "build an image of it"),
    "a registry that nobody knows": (
        definition({**NPM, "registryType": "cargo"}),
        OFFLINE,
        "'cargo' is no type of packages",
    ),
    "nothing at all": (definition(packages=[]), OFFLINE, "there is nothing to run or to call"),
    "no remotes": (definition(NPM), Choices(remote=True), "the definition has no remotes"),
    "no such package": (definition(NPM), Choices("3"), "no package is '3'"),
    "no such type": (definition(NPM), Choices("oci"), "no package is 'oci'"),
    "a bad image": (definition({**OCI, "identifier": "Not An Image"}), OFFLINE, "is not an image reference"),
    "a bad variable": (
        definition({**NPM, "environmentVariables": [{"name": "A=B"}]}),
        OFFLINE,
        "not a name of an environment",
    ),
    "a range": (definition({**NPM, "version": "^1.2"}), OFFLINE, "has no exact version of @acme/notes (^1.2)"),
    "no identifier": (definition({"registryType": "npm"}), OFFLINE, "the package has no identifier"),
    "no version": (
        definition({"registryType": "npm", "identifier": "x"}),
        OFFLINE,
        "has no exact version of x (no version)",
    ),
}


@pytest.mark.parametrize(("data", "choices", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_run_is_refused_with_the_reason(data: JSON, choices: Choices, message: str) -> None:
    problems = validated(drafted(data, choices)).problems
    assert any(message in f"{problem.message}; {problem.hint}" for problem in problems), problems
    assert all(problem.place.line for problem in problems)


def test_options_of_docker_are_judged() -> None:
    arguments = [
        {"type": "positional", "value": "run"},
        {"type": "named", "name": "-i"},
        {"type": "named", "name": "--rm"},
        {"type": "named", "name": "-e", "value": "MODE=fast"},
        {
            "type": "named",
            "name": "-e",
            "value": "TOKEN={t}",
            "variables": {"t": {"isSecret": True, "isRequired": True}},
        },
        {"type": "named", "name": "-v", "value": "notes:/data"},
        {"type": "named", "name": "-v", "value": "/:/host"},
        {"type": "named", "name": "--mount", "value": "type=bind,src={folder},dst=/work", "variables": {"folder": {}}},
        {"type": "named", "name": "--network", "value": "host"},
        {"type": "positional", "value": "--privileged"},
    ]
    draft = validated(drafted(definition({**HTTP, "runtimeHint": "docker", "runtimeArguments": arguments})))
    assert draft.problems == ()
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    assert spec["env"] == {"MODE": "fast", "TOKEN": {"secret": "io-github-acme-notes", "key": "TOKEN"}}
    assert spec["storage"] == [{"name": "notes", "size": "1Gi", "mountPath": "/data"}]
    assert [dotted(entry.source)[-3:] for entry in draft.losses] == ["[6]", "[8]", "[9]"]
    assert not {"patches", "security", "accept"} & spec.keys(), "nothing is weakened"


REMOTE = {
    "type": "streamable-http",
    "url": "https://{tenant}.example.com/mcp",
    "headers": [
        {"name": "Authorization", "value": "Bearer {token}", "variables": {"token": {"isSecret": True}}},
        {"name": "X-Mode", "value": "fast"},
        {"name": "X-Api-Key", "isRequired": True, "isSecret": True},
        {"name": "X-Optional"},
    ],
    "variables": {"tenant": {"default": "acme", "choices": ["acme", "other"]}},
}


def test_remotes_are_remote_servers() -> None:
    draft = drafted(definition(remotes=[REMOTE, {"type": "sse", "url": "https://example.com/sse"}]))
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    assert spec["remote"] == {
        "url": "https://{tenant}.example.com/mcp",
        "headers": {
            "Authorization": "Bearer {token}",
            "X-Mode": "fast",
            "X-Api-Key": {"secret": "io-github-acme-notes", "key": "X-Api-Key"},
        },
        "variables": {"token": {"secret": "io-github-acme-notes", "key": "token"}, "tenant": "acme"},
    }
    assert draft.losses == []


def test_packages_come_before_remotes_unless_they_are_asked_for() -> None:
    data = definition(NPM, remotes=[REMOTE])
    assert "package" in spec_of(data)
    spec = drafted(data, Choices(remote=True)).document["spec"]
    assert isinstance(spec, dict)
    assert "remote" in spec
    assert "package" not in spec


def test_deployment_data_of_publishers() -> None:
    meta = {
        "com.example.platform/v1": {
            "deployment": {"protocol": "http", "port": 8000, "mcpPath": "/api"},
            "container": {"healthCheck": {"path": "/health", "port": 8000, "interval": 30, "initialDelaySeconds": 5}},
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
            "scaling": {"enabled": True, "minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 80},
            "display": {"category": "notes"},
        },
        "com.example.other": {"build": 7},
    }
    package = {**HTTP, "transport": {"type": "streamable-http", "url": "https://mcp.example.com/mcp"}}
    data = definition(package, _meta=meta)
    spec = spec_of(data)
    assert spec["transport"] == {"type": "streamable-http", "port": 8000, "path": "/api"}
    assert spec["health"] == {"path": "/health", "periodSeconds": 30}
    assert spec["resources"]["limits"] == {"cpu": "1", "memory": "512Mi"}
    assert spec["autoscaling"] == {"min": 1, "max": 3, "cpu": 80}
    assert [dotted(entry.source) for entry in drafted(data).losses] == ['_meta["com.example.other"]']


def test_permissions_of_toolhive_in_a_definition() -> None:
    permissions = {"network": {"outbound": {"allow_host": [".example.com"], "allow_port": [443]}}}
    publisher = {"io.github.stacklok": {HTTP["identifier"]: {"permissions": permissions}, "other": {"args": ["x"]}}}
    spec = spec_of(definition(HTTP, _meta={"io.modelcontextprotocol.registry/publisher-provided": publisher}))
    assert spec["network"] == {"egress": {"hosts": ["example.com:443", "*.example.com:443"]}}
    assert "args" not in spec


def test_a_definition_does_not_give_itself_rights() -> None:
    own = {"io.mcpctl": {"spec": {"size": "large", "serviceAccount": {"clusterRoles": ["cluster-admin"]}}}}
    data = definition(HTTP, _meta={"io.modelcontextprotocol.registry/publisher-provided": own})
    assert spec_of(data)["size"] == "large"
    (lost,) = drafted(data).losses
    assert dotted(lost.source).endswith("spec.serviceAccount")


ENVELOPES: dict[str, tuple[JSON, str]] = {
    "an answer of the registry": (
        {"servers": [{"server": definition(NPM), "_meta": {"x": 1}}], "metadata": {"count": 1}},
        "servers[0].server",
    ),
    "a list of definitions": ({"servers": [definition(NPM)]}, "servers[0]"),
    "one server of the registry": ({"server": definition(NPM), "_meta": {"x": 1}}, "server"),
    "a registry file of ToolHive": (
        {"version": "1.0.0", "meta": {}, "data": {"servers": [definition(NPM)]}},
        "data.servers[0]",
    ),
}


@pytest.mark.parametrize(("data", "path"), ENVELOPES.values(), ids=ENVELOPES)
def test_definitions_in_the_answers_of_registries(data: dict[str, JSON], path: str) -> None:
    assert server_json.recognises(data)
    draft = drafted(data)
    assert draft.original == "io.github.acme/notes"
    assert draft.losses == []
    assert f"{path}.name" in [dotted(entry.source) for entry in draft.entries]
    assert validated(draft).problems == ()


@pytest.mark.parametrize("data", [{}, {"name": "x"}, {"servers": {}}, {"servers": [1]}, {"packages": "x", "name": "y"}])
def test_other_documents_are_no_definitions(data: dict[str, JSON]) -> None:
    assert not server_json.recognises(data)


def test_the_form_before_there_was_a_schema() -> None:
    package = {
        "registry_name": "npm",
        "name": "@acme/notes",
        "version": "1.2.3",
        "environment_variables": [{"name": "A"}],
    }
    data = definition(package, id="4e9c", version_detail={"version": "0.0.1", "release_date": "2025-05-16T18:56:49Z"})
    del data["version"]
    draft = validated(drafted(data))
    assert draft.problems == ()
    assert draft.losses == []
    assert spec_of(data)["package"] == {"registry": "npm", "name": "@acme/notes", "version": "1.2.3"}


def test_a_package_without_an_exact_version_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "newest", lambda package: ("2.0.0", f"npm, for {package.version}"))
    draft = validated(drafted(definition({**NPM, "version": "latest"}), Choices()))
    assert draft.problems == ()
    assert draft.comments["spec", "package", "version"] == (
        "decide: the definition says latest; 2.0.0 is the newest by npm, for latest: is it the one that is meant?"
    )


@pytest.mark.parametrize("text", ["${input:vaultPath}", "--vault=${VAULT_PATH}"])
def test_what_a_client_would_put_in_is_the_value_of_a_variable(text: str) -> None:
    package = {
        **NPM,
        "packageArguments": [{"type": "positional", "value": text}],
        "environmentVariables": [{"name": "API_MODE", "value": "${input:mode}"}],
    }
    spec = spec_of(definition(package))
    (word,) = spec["args"]
    assert "$(ARG_VAULT" in word
    assert spec["env"]["API_MODE"] == {"configMap": "io-github-acme-notes-settings", "key": "API_MODE"}


def test_of_two_variables_of_one_name_the_report_says_which_holds() -> None:
    package = {
        "registryType": "npm",
        "identifier": "notes",
        "version": "1.2.3",
        "transport": {"type": "stdio"},
        "environmentVariables": [{"name": "MODE", "value": "a"}, {"name": "MODE", "value": "b"}],
    }
    draft = drafted(definition(package))
    assert draft.document["spec"]["env"] == {"MODE": "b"}  # type: ignore[call-overload, index]
    first, second = (f"packages[0].environmentVariables[{number}]" for number in (0, 1))
    assert outcome_of(draft, first) == "not-expressible: MODE is set again, and the last value counts"
    assert outcome_of(draft, second) == "mapped: "

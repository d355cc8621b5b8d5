"""MCP bundles: fetched, compared and unpacked by the rendered program, and started as their manifest says."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from renderer import assets, pins
from renderer.bundle import bundle_fetch
from renderer.launch import launch
from renderer.model import JSON, Server
from tests.oracles import yaml_read
from tests.programs import node, python
from tests.specs import rendered, rules, server, spec, texts

SHA256 = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
URL = "https://github.com/acme/clock/releases/download/v1/clock.mcpb"
MCPB: dict[str, JSON] = {"registry": "mcpb", "url": URL, "sha256": SHA256, "runtime": "python"}
HOSTS = ["github.com", "release-assets.githubusercontent.com", *pins.REGISTRY_HOSTS["pypi"]]
EGRESS: dict[str, JSON] = {"egress": {"hosts": [*HOSTS]}}
ALONE: dict[str, JSON] = {"transport": {"bridge": "none"}, "health": {"enabled": False}}

#: Servers that answer every request with one tool for each argument and each variable that begins with T_.
PYTHON = """
import json, os, sys
names = [*sys.argv[1:], *(f"{n}={v}" for n, v in sorted(os.environ.items()) if n.startswith("T_"))]
for line in sys.stdin:
    message = {"jsonrpc": "2.0", "id": json.loads(line)["id"], "result": {"tools": [{"name": n} for n in names]}}
    print(json.dumps(message), flush=True)
"""
NODE = """
const own = Object.entries(process.env).filter(([n]) => n.startsWith("T_")).sort().map(([n, v]) => `${n}=${v}`);
const names = [...process.argv.slice(2), ...own];
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const result = { tools: names.map((name) => ({ name })) };
  console.log(JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(line).id, result }));
});
"""
no_node = shutil.which("node") is None and os.environ.get("CI") != "true"
RUNTIMES = [
    "python",
    pytest.param("node", marks=pytest.mark.skipif(no_node, reason="there is no node here; in CI there is")),
]


class Files(ThreadingHTTPServer):
    """Serves one file; the first ``cut`` connections end without an answer."""

    def __init__(self, content: bytes, *, status: int = 200, cut: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.status, self.cut, self.asked = content, status, cut, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/clock.mcpb"


class _Handler(BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.server.asked > self.server.cut:
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(self.server.content)))
            self.end_headers()
            self.wfile.write(self.server.content)

    def log_message(self, *args: Any) -> None:
        """Nothing on stderr."""


def zipped(files: Mapping[str, str | bytes], modes: Mapping[str, int] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (modes or {}).get(name, stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def manifest(runtime: str, /, user_config: JSON = None, **config: JSON) -> str:
    ending = "js" if runtime == "node" else "py"
    program = ["${__dirname}/server/main." + ending]
    arguments = config.pop("args", [])
    assert isinstance(arguments, list)
    plain: JSON = {"command": "node" if runtime == "node" else "python3", "args": [*program, *arguments], **config}
    main: JSON = {"type": runtime, "entry_point": f"server/main.{ending}", "mcp_config": plain}
    return json.dumps({"manifest_version": "0.3", "name": "clock", "server": main, "user_config": user_config or {}})


def bundle(runtime: str, /, user_config: JSON = None, **config: JSON) -> bytes:
    main = {"server/main.js": NODE} if runtime == "node" else {"server/main.py": PYTHON}
    return zipped(
        {"manifest.json": manifest(runtime, user_config, **config), "icon.png": b"png", "server/empty": "", **main}
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pins, "BUNDLE_FOLDER", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path


def of_bundle(runtime: str, files: Files, /, package: Mapping[str, JSON] | None = None, **fields: JSON) -> Server:
    """A server whose bundle is that file, at an address of this machine."""
    sha256 = hashlib.sha256(files.content).hexdigest()
    given: dict[str, JSON] = {**MCPB, "runtime": runtime, "sha256": sha256, **(package or {})}
    made = server(package=given, network={}, **{**ALONE, **fields})
    assert made.package
    assert made.package.bundle
    return made._replace(package=made.package._replace(bundle=made.package.bundle._replace(url=files.url)))


def run(argv: tuple[str, ...], stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    program = sys.executable if argv[0] == "python3" else argv[0]
    environment = {**os.environ, "HOME": "/home/me", **env}
    return subprocess.run(
        [program, *argv[1:]], input=stdin, env=environment, capture_output=True, timeout=60, check=False, text=True
    )


@contextmanager
def serving(*servers: Files) -> Iterator[None]:
    for files in servers:
        threading.Thread(target=files.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
    try:
        yield
    finally:
        for files in servers:
            files.shutdown()
            files.server_close()


def fetched(
    made: Server, files: Files, *, mounted: str = "", process: bool = False
) -> subprocess.CompletedProcess[str]:
    """The program that fetches, as an argument (compose), or as a file that is mounted (Kubernetes)."""
    fetch = bundle_fetch(made)
    assert fetch
    argv = fetch.command
    if mounted:
        assert isinstance(fetch.file.source, str)
        Path(mounted, "program").write_text(fetch.file.source, encoding="utf-8")
        argv = tuple(f"{mounted}/program" if word == fetch.file.path else word for word in fetch.mounted)
    with serving(files):
        if process:
            return run(argv)
        if argv[0] == "python3":
            return python(argv[-5], *argv[-4:])
        assert isinstance(fetch.file.source, str)
        file = Path(pins.BUNDLE_FOLDER).with_suffix(".js")
        file.write_text(fetch.file.source, encoding="utf-8")
        return node(str(file), *argv[-4:])


def unpack(made: Server, files: Files) -> None:
    """As the program of any runtime leaves it, without the start of Node.js."""
    fetch, kind = bundle_fetch(made), assets.read("templates/bundles/python.txt").decode()
    assert fetch
    assert isinstance(fetch.file.source, str)
    with serving(files):
        assert python(kind, *fetch.command[-4:]).returncode == 0
    (Path(pins.BUNDLE_FOLDER) / "start.js").write_text(fetch.file.source, encoding="utf-8")


def started(made: Server, **env: str) -> subprocess.CompletedProcess[str]:
    return run(launch(made).command, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}) + "\n", **env)


def tools(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [tool["name"] for tool in json.loads(done.stdout)["result"]["tools"]]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("way", ["text", "mounted"])
def test_a_bundle_is_fetched_and_its_server_lists_its_tools(
    folder: Path, runtime: str, way: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = Files(bundle(runtime))
    made = of_bundle(runtime, files, args=["more; $(touch x)"])
    mounted = str(tmp_path_factory.mktemp("config")) if way == "mounted" else ""
    done = fetched(made, files, mounted=mounted, process=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tools(started(made)) == ["more; $(touch x)"]
    ending = "js" if runtime == "node" else "py"
    assert sorted(path.name for path in folder.iterdir()) == ["files", "sha256", f"start.{ending}"]
    assert (folder / "files/icon.png").read_bytes() == b"png"
    assert (folder / "files/server/empty").read_bytes() == b""


OPTIONS: JSON = {
    "folders": {"type": "directory", "multiple": True, "default": ["${HOME}/a"]},
    "empty": {"type": "directory", "multiple": True},
    "zone": {"type": "string", "default": "UTC"},
    "key": {"type": "string", "required": True},
    "loud": {"type": "boolean", "default": True},
    "unset": {"type": "string"},
}
ARGS: JSON = ["--loud=${user_config.loud}", "${user_config.folders}", "${user_config.empty}", "${unknown}"]
ENV: JSON = {
    "T_ZONE": "${user_config.zone}",
    "T_KEY": "${user_config.key}",
    "T_UNSET": "${user_config.unset}",
    "T_PATH": "${__dirname}${/}lib${pathSeparator}${DOCUMENTS}",
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("settings", "env", "expected"),
    [
        (
            {},
            {"T_KEY": "k"},
            ["--loud=true", "/home/me/a", "${unknown}", "T_KEY=k", "T_PATH=/lib//home/me/Documents", "T_ZONE=UTC"],
        ),
        (
            {"folders": ["/x y", "${zone}"], "key": "a=b'\"`id`", "loud": "no", "unset": ""},
            {"T_ZONE": "own"},
            [
                *("--loud=no", "/x y", "${zone}", "${unknown}", "T_KEY=a=b'\"`id`"),
                *("T_PATH=/lib//home/me/Documents", "T_UNSET=", "T_ZONE=own"),
            ],
        ),
    ],
    ids=["defaults", "given"],
)
def test_values_of_the_user_and_of_the_environment(
    folder: Path, runtime: str, settings: JSON, env: dict[str, str], expected: list[str]
) -> None:
    files = Files(bundle(runtime, OPTIONS, args=ARGS, env=ENV))
    made = of_bundle(runtime, files, {"userConfig": settings})
    unpack(made, files)
    found = [name.replace(f"{folder}/files", "") for name in tools(started(made, **env))]
    assert found == expected


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_command_of_the_spec_replaces_that_of_the_manifest(folder: Path, runtime: str) -> None:
    files = Files(bundle(runtime, command="nowhere", platform_overrides={"linux": {"env": {"T_OF": "linux"}}}))
    ending = "js" if runtime == "node" else "py"
    own = [runtime if runtime == "node" else sys.executable, f"{folder}/files/server/main.{ending}"]
    made = of_bundle(runtime, files, command=[*own], args=["own"])
    unpack(made, files)
    assert tools(started(made)) == ["own", "T_OF=linux"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_program_of_the_bundle_is_executable(folder: Path, runtime: str) -> None:
    text = json.loads(manifest(runtime))
    text["server"] = {"type": "binary", "entry_point": "bin/run", "mcp_config": {"command": "bin/run", "args": ["x"]}}
    shell = '#!/bin/sh\nread line; printf \'{"result": {"tools": [{"name": "%s"}]}}\' $1\n'
    modes = {"tool": stat.S_IFREG | 0o755}
    files = Files(zipped({"manifest.json": json.dumps(text), "bin/run": shell, "tool": ""}, modes))
    made = of_bundle(runtime, files)
    assert fetched(made, files).returncode == 0
    assert tools(started(made)) == ["x"]
    bits = [(folder / "files" / name).stat().st_mode & 0o777 for name in ("tool", "manifest.json")]
    assert bits == [0o755, 0o644]


def test_uv_starts_a_copy_that_it_may_change(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = json.dumps({"server": {"type": "uv", "entry_point": "src/server.py"}})
    files = Files(zipped({"manifest.json": text, "pyproject.toml": "[project]"}))
    made = of_bundle("uv", files)
    assert fetched(made, files).returncode == 0
    home = tmp_path_factory.mktemp("home")
    uv = home / "uv"
    uv.write_text(f"#!{sys.executable}\n{PYTHON}", encoding="utf-8")
    uv.chmod(0o755)
    own = ["run", "--directory", f"{home}/bundle", "src/server.py"]
    assert tools(started(made, HOME=str(home), PATH=str(home))) == own
    assert (home / "bundle" / "pyproject.toml").is_file()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_unpacked_already_is_not_fetched_again(folder: Path, runtime: str) -> None:
    files = Files(bundle(runtime), cut=1)  # a network that is not there at once is asked again
    made = of_bundle(runtime, files)
    assert fetched(made, files).returncode == 0
    assert files.asked == 2
    again = Files(files.content)
    assert fetched(of_bundle(runtime, again), again).returncode == 0
    assert again.asked == 0
    other = Files(bundle(runtime, args=["new"]))
    made = of_bundle(runtime, other)
    assert fetched(made, other).returncode == 0
    assert tools(started(made)) == ["new"]


def lying(content: bytes) -> bytes:
    """The directory of the zip file says that each of its files is empty."""
    at = 0
    while (at := content.find(b"PK\1\2", at + 1)) > 0:
        content = content[: at + 24] + struct.pack("<I", 0) + content[at + 28 :]
    return content


def encrypted(content: bytes) -> bytes:
    at = content.index(b"PK\1\2")
    return content[: at + 8] + b"\1" + content[at + 9 :]


GOOD = {"manifest.json": manifest("python")}
LINK = {"link": stat.S_IFLNK | 0o777}


REFUSED: dict[str, tuple[bytes, dict[str, JSON], str]] = {
    "hash": (zipped(GOOD), {"sha256": SHA256}, "is refused: its sha256 is "),
    "parent": (zipped({"../up": "x"}), {}, "\"'../up' would lie outside of its folder"),
    "nested parent": (zipped({"a/../../up": "x"}), {}, "would lie outside of its folder"),
    "absolute": (zipped({"/up": "x"}), {}, "would lie outside of its folder"),
    "backslash": (zipped({"a\\..\\up": "x"}), {}, "would lie outside of its folder"),
    "link": (zipped({**GOOD, "link": "/etc"}, LINK), {}, "'link' is a link or a device"),
    "bomb": (zipped({**GOOD, "bomb": b"0" * 2**21}), {"bundleSize": "1Mi"}, "raise package.bundleSize"),
    "lying bomb": (lying(zipped({"manifest.json": b"0" * 2**21})), {"bundleSize": "1Mi"}, ""),
    "large": (os.urandom(2**21), {"bundleSize": "1Mi"}, "is larger than 1048576 bytes: raise package.bundleSize"),
    "no zip": (b"no zip file", {}, "the bundle cannot be used: "),
    "encrypted": (encrypted(zipped(GOOD)), {}, "encrypted"),
    "no manifest": (zipped({"readme": "x"}), {}, "manifest.json"),
    "empty manifest": (zipped({"manifest.json": "{}"}), {}, "manifest.json"),
    "no JSON": (zipped({"manifest.json": "no JSON"}), {}, ""),
    "file as folder": (zipped({"a": "x", "a/b": "y"}), {}, "the bundle cannot be used: "),
}


def is_refused(done: subprocess.CompletedProcess[str], folder: Path, expected: str) -> None:
    assert done.returncode == 1
    assert expected.removeprefix('"').replace("'", "") in done.stderr.replace("'", "").replace('"', "")
    assert "Traceback" not in done.stderr
    assert not (folder / "files").exists()
    assert not (folder.parent / "up").exists()
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 3 * 2**20


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(folder: Path, name: str, runtime: str) -> None:
    content, package, expected = REFUSED[name]
    files = Files(content)
    is_refused(fetched(of_bundle(runtime, files, package), files), folder, expected)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_signed_bundle_and_one_that_is_not_there(folder: Path, runtime: str) -> None:
    """A signature stands behind the zip file."""
    files = Files(bundle(runtime) + b"MCPB_SIG_V1" + bytes(4000) + b"MCPB_SIG_END")
    assert fetched(of_bundle(runtime, files), files).stderr == ""
    files = Files(bundle(runtime, args=["other"]), status=404)
    done = fetched(of_bundle(runtime, files), files)
    assert (done.returncode, "cannot be fetched: HTTP" in done.stderr, "404" in done.stderr) == (1, True, True)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("settings", "config", "expected"),
    [
        ({"zones": "x"}, {}, "manifest.json has no user_config 'zones': it has folders, empty, zone, key, loud, unset"),
        ({}, {"env": ENV}, "the server needs 'key': set T_KEY in env, or package.userConfig"),
        ({}, {"args": ["--unset", "${user_config.unset}"]}, "the server needs 'unset': set it in package.userConfig"),
        ({"folders": ["a", "b"]}, {"env": {"A": "${user_config.folders}"}}, "has several values"),
        ({}, {"command": "nowhere"}, "package.runtime"),
    ],
)
def test_why_a_server_does_not_start(
    folder: Path, runtime: str, settings: JSON, config: dict[str, JSON], expected: str
) -> None:
    files = Files(bundle(runtime, OPTIONS, **config))
    made = of_bundle(runtime, files, {"userConfig": settings})
    unpack(made, files)
    done = started(made)
    assert (done.returncode, expected in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("runtime", "bridge", "image"),
    [
        ("node", "mcp-proxy-npm", pins.BASE_IMAGES["npm", "npm"]),
        ("any", "mcp-proxy-npm", pins.BASE_IMAGES["npm", "pypi"]),
        *((runtime, "mcp-proxy", pins.BASE_IMAGES["pypi", "pypi"]) for runtime in ("python", "uv", "binary")),
    ],
)
def test_bridge_and_image_by_runtime(runtime: str, bridge: str, image: str) -> None:
    made = server(package={**MCPB, "runtime": runtime})
    assert (made.transport.bridge, launch(made).image) == (bridge, image)
    assert ("UV_PROJECT_ENVIRONMENT", "/mcp-cache/server") in launch(made).env or runtime != "uv"


def test_the_hosts_that_it_needs() -> None:
    document = spec(package=MCPB, network={"egress": {"hosts": ["pypi.org", "files.pythonhosted.org"]}})
    found = [p for p in rendered("kubernetes", document).problems if p.rule == "spec/package-without-registry"]
    assert [problem.message.rpartition("allow ")[2] for problem in found] == [
        "github.com and release-assets.githubusercontent.com"
    ]
    own = spec(
        package={**MCPB, "url": "https://files.example.com:8443/a.mcpb"}, network={"egress": {"hosts": []}}, **ALONE
    )
    found = [p for p in rendered("kubernetes", own).problems if p.rule == "spec/package-without-registry"]
    assert [problem.message.rpartition("allow ")[2] for problem in found] == ["files.example.com:8443"]


def init_container(document: JSON) -> dict[str, Any]:
    files = texts("kubernetes", document)
    workload = yaml_read(files["demo/deployment.yaml"])["spec"]["template"]["spec"]
    return next(each for each in workload["initContainers"] if each["name"] == "bundle")


PROXY: dict[str, JSON] = {
    "env": {
        "HTTPS_PROXY": "http://me:$(PASSWORD)@proxy.example.com:3128",
        "PASSWORD": {"secret": "proxy", "key": "password"},
        "TOKEN": {"secret": "clock", "key": "token"},
        "SSL_CERT_FILE": "/etc/ca.pem",
    },
    "files": {"/etc/ca.pem": {"configMap": "corporate-ca", "key": "ca.pem"}, "/etc/other": {"content": "x"}},
}


def test_what_fetches_gets_the_network_of_the_server_and_nothing_else() -> None:
    """Secrets of the server are not for it; those of a proxy are."""
    egress: JSON = {"egress": {"hosts": [*HOSTS, "proxy.example.com:3128"]}}
    document = spec(package=MCPB, network=egress, **PROXY)
    container = init_container(document)
    assert [each["name"] for each in container["env"]] == ["PASSWORD", "HTTPS_PROXY", "SSL_CERT_FILE"]
    assert [each["mountPath"] for each in container["volumeMounts"]] == [
        "/etc/ca.pem",
        "/mcp-check/bundle.py",
        "/mcp-bundle",
    ]
    project = yaml_read(texts("compose", document)["demo/compose.yaml"])
    service = project["services"]["mcp-demo.bundle"]
    assert {name for name in service["environment"] if name not in ("PASSWORD", "SSL_CERT_FILE")} == {
        *("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "NODE_USE_ENV_PROXY"),
    }
    assert [each["target"] for each in service["configs"]] == ["/etc/ca.pem"]
    assert service["read_only"] is True


def test_the_server_waits_for_it_and_cannot_change_it() -> None:
    document = spec(package=MCPB, network=EGRESS)
    services = yaml_read(texts("compose", document)["demo/compose.yaml"])["services"]
    assert services["mcp-demo"]["depends_on"]["mcp-demo.bundle"] == {"condition": "service_completed_successfully"}
    assert services["mcp-demo.bundle"]["depends_on"].keys() == {"mcp-demo.prepare", "mcp-demo.proxy"}
    mounts = [each for each in services["mcp-demo"]["volumes"] if each["target"] == "/mcp-bundle"]
    assert [each["read_only"] for each in mounts] == [True]
    workload = yaml_read(texts("kubernetes", document)["demo/deployment.yaml"])["spec"]["template"]["spec"]
    mounts = [each for each in workload["containers"][0]["volumeMounts"] if each["mountPath"] == "/mcp-bundle"]
    assert mounts == [{"name": "mcp-bundle", "mountPath": "/mcp-bundle", "readOnly": True}]
    assert {"name": "mcp-bundle", "emptyDir": {"sizeLimit": "512Mi"}} in workload["volumes"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"package": {**MCPB, "userConfig": {"key": "$(NOPE)"}}}, "spec/undeclared-variable"),
        ({"package": {**MCPB, "runtime": "any"}}, "spec/base-image-moves"),
        ({"files": {"/mcp-bundle/x": {"content": "x"}}}, "spec/mount-reserved"),
        ({"initContainers": [{"name": "bundle", "image": "registry.example.com/a:1"}]}, "spec/container-name"),
        ({"resources": {"limits": {"ephemeralStorage": "1Gi"}}}, "spec/ephemeral-storage"),
        ({"package": {**MCPB, "userConfig": {"key": "ghp_" + "a1B2" * 9}}}, "policy/secret-literal"),
    ],
)
def test_rules_know_bundles(fields: dict[str, JSON], expected: str) -> None:
    assert expected in rules(rendered("kubernetes", spec(**{"package": MCPB, "network": EGRESS, **fields})).problems)
    assert expected not in rules(rendered("kubernetes", spec(package=MCPB, network=EGRESS)).problems)


def test_variables_of_a_file_are_out_of_reach_in_compose() -> None:
    package: JSON = {**MCPB, "userConfig": {"key": "$(KEY)"}}
    document = spec(package=package, network=EGRESS, envFrom=[{"secret": "clock"}])
    assert "compose/variable-of-a-file" in rules(rendered("compose", document).problems)


def test_a_bundle_needs_no_lock() -> None:
    assert "policy/unlocked-package" not in rules(rendered("kubernetes", spec(package=MCPB, network=EGRESS)).problems)

"""How a server is started, for every target: image, program, bridge, caches.

Facts about bridges and base images are data in ``pins.py``; each was found by running the pinned version.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from urllib import parse

from renderer import assets, pins
from renderer.model import JSON, EgressHost, File, HealthCheck, Package, Server, Writable
from renderer.namedtuples import NamedTuple
from renderer.variables import as_literal, expanded_in, pieces
from renderer.yaml_writer import block

HTTPS = 443
_CHECKS = {"npm": f"{pins.CHECK_FOLDER}/check.js", "pypi": f"{pins.CHECK_FOLDER}/check.py"}


#: The configuration of agentgateway up to the server's program.
_AGENTGATEWAY = """\
binds:
  - port: %d
    listeners:
      - routes:
          - backends:
              - mcp:
                  targets:
                    - name: server
                      stdio:
"""


class Probe(NamedTuple):
    """A program, the gRPC service ``grpc``, GET ``path`` on ``port``, or else a TCP connection."""

    port: int
    path: str | None = None
    command: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}
    https: bool = False
    grpc: str | None = None
    #: The same as ``command``, where the text of the program is a file that is mounted.
    mounted: tuple[str, ...] = ()
    file: File | None = None


class Copy(NamedTuple):
    """A static bridge that copies itself into a volume, which the server's container mounts."""

    image: str
    args: tuple[str, ...]
    volume: str
    mount_path: str
    size: str


class Launch(NamedTuple):
    """One container. Empty ``command`` and ``args`` mean the image's own; ``$(NAME)`` in them is a variable.

    ``probe`` is for readiness, ``liveness`` for starts and restarts.

    ``env`` are defaults, below the spec's own variables. ``check`` is the probe as a program in the container; empty
    where the contents of the image are unknown.
    """

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    writable: tuple[Writable, ...]
    copy: Copy | None
    probe: Probe | None
    liveness: Probe | None
    check: tuple[str, ...]


def launch(server: Server, *, beside_guard: bool = False) -> Launch:
    """``beside_guard``: only its guard, in the same pod, may reach it."""
    on_loopback = beside_guard and listens_on_loopback(server)
    command, args = _program(server, _server_argv(server), "127.0.0.1" if on_loopback else "0.0.0.0")  # noqa: S104
    runtimes, probe = _runtimes(server), _probe(server)
    env = {"HOME": pins.CACHE_FOLDER} if server.package else {}
    for runtime in runtimes:
        env |= pins.CACHE_ENV[runtime]
    if server.package and _has_uv_project(server.package):
        env["UV_PROJECT_ENVIRONMENT"] = pins.LOCKED_FOLDER
    writable = tuple(
        folder if folder.executable is not None else folder._replace(executable=_has_programs(folder.path, server))
        for folder in server.security.writable
    )
    if server.package:  # npx and uvx download into it, and run programs from it
        writable += (Writable(pins.CACHE_FOLDER, server.package.cache_size, executable=True),)
    copy = Copy(
        image=server.images.of(pins.AGENTGATEWAY_IMAGE),
        args=("--copy-self", f"{pins.BRIDGE_FOLDER}/agentgateway"),
        volume="mcp-bridge",
        mount_path=pins.BRIDGE_FOLDER,
        size=pins.AGENTGATEWAY_SIZE,
    )
    return Launch(
        image=_image(server),
        command=tuple(command),
        args=tuple(args),
        env=tuple(env.items()),
        writable=writable,
        copy=copy if server.transport.bridge == "agentgateway" else None,
        probe=_inside(server, probe) if on_loopback else probe,
        liveness=_inside(server, _liveness(server, probe)) if on_loopback else _liveness(server, probe),
        check=_check(server, probe) if probe else (),
    )


def _has_uv_project(package: Package) -> bool:
    """Whether uv installs into an environment of its own, by default next to the sources."""
    return package.bundle.runtime == "uv" if package.bundle else package.lock is not None and package.registry == "pypi"


def _image(server: Server) -> str:
    package = server.package
    if package is None:
        assert server.image is not None, "a valid spec has an image or a package"
        return server.image
    runtime = pins.RUNTIME_OF_BRIDGE.get(server.transport.bridge, package.runtime)
    if package.bundle and package.bundle.runtime == "any":
        runtime = "npm"  # with Python, which the programs here need, it has both
    images = pins.BASE_IMAGES_WITH_GIT if package.git else pins.BASE_IMAGES
    return package.base_image or server.images.of(images[package.runtime, runtime])


def _runtimes(server: Server) -> list[pins.Runtime]:
    """The package managers in the container: the package's, and the bridge's."""
    package = server.package
    if package is None:
        return []
    bridge = pins.RUNTIME_OF_BRIDGE.get(server.transport.bridge)
    own = package.runtime if package.bundle is None or package.bundle.runtime == "uv" else None
    return sorted({runtime for runtime in (own, bridge) if runtime})


def _has_programs(folder: str, server: Server) -> bool:
    """Whether npx or uvx run programs from it, which they install there."""
    steps = folder.strip("/").split("/")
    if not pins.PACKAGE_FOLDERS.isdisjoint(steps) or steps == ["root"] or (steps[0] == "home" and len(steps) == 2):
        return True
    named = [v for name, v in server.env.items() if name.upper() in pins.PACKAGE_VARIABLES and isinstance(v, str)]
    return any(f"{path.rstrip('/')}/".startswith(f"{folder}/") for path in named)


def registries_out_of_reach(server: Server) -> list[str]:
    """Hosts from which the package and its bridge are downloaded, and that the spec does not allow."""
    hosts = server.network.egress.hosts if server.network.egress else ()
    mirrored = any(name in server.env for name in pins.MIRRORS)
    needed = [host for runtime in _runtimes(server) for host in pins.REGISTRY_HOSTS[runtime] if not mirrored]
    if server.package and server.package.git:
        name = server.package.git.split("/")[2]
        needed.append(name)
        needed += [pins.GITHUB_ARCHIVES] if (server.package.registry, name) == ("npm", pins.GITHUB) else []
    if server.package and server.package.bundle:
        host = parse.urlsplit(server.package.bundle.url).netloc.lower().removesuffix(":443")
        needed += [host, pins.GITHUB_RELEASES] if host == pins.GITHUB else [host]
    if server.package and server.package.lock:
        needed += [host for host in server.package.lock.hosts if host not in needed]
    return [name for name in needed if not any(_covers(host, name) for host in hosts)]


def _covers(host: EgressHost, text: str) -> bool:
    name, _, port = text.lower().partition(":")
    wild = host.name.startswith("*.") and name.partition(".")[2] == host.name[2:]
    return host.port == int(port or HTTPS) and (host.name == name or wild)


def listens_on_loopback(server: Server) -> bool:
    """Whether it can be made to; unknown for an image."""
    return server.transport.bridge in pins.ONE_PROCESS


def _inside(server: Server, probe: Probe | None) -> Probe | None:
    """As a program of the container: its loopback cannot be reached from outside."""
    if probe is None:
        return None
    runtime = runtime_for_checks(server)
    assert runtime, "a bridge that listens on loopback is written in something"
    return probe._replace(command=_check(server, probe) or pins.tcp_check(runtime, probe.port, server.health.timeout))


def _program(server: Server, inner: Sequence[str], address: str) -> tuple[Sequence[str], Sequence[str]]:
    """Command and arguments of the container; ``inner`` is the server's own program."""
    transport, port = server.transport, str(server.transport.port)
    if transport.bridge == "none":
        return (inner, []) if server.package else (server.command, server.args)
    if transport.bridge == "mcp-proxy":
        # It binds 127.0.0.1 and hides the environment from the server unless told otherwise.
        start = ["uvx", f"mcp-proxy@{pins.MCP_PROXY}"] if server.package else ["mcp-proxy"]
        # All clients share one process of the server either way; a session would be lost with its pod, and with each
        # check of health one would stay behind in memory.
        return start, ["--host", address, "--port", port, "--pass-environment", "--stateless", "--", *inner]
    if transport.bridge == "mcp-proxy-npm":
        # 'auto' asks for MCP 2026-07-28 first: without it servers of that version alone do not start.
        start = ["npx", "-y", f"mcp-proxy@{pins.MCP_PROXY_NPM}"] if server.package else ["mcp-proxy"]
        return start, [
            *("--host", address, "--port", port, "--server", "stream", "--streamEndpoint", transport.path),
            *("--upstreamProtocol", "auto", "--stateless", "--", *inner),
        ]
    if transport.bridge == "supergateway":
        start = ["npx", "-y", f"supergateway@{pins.SUPERGATEWAY}"] if server.package else ["supergateway"]
        return start, [
            *("--stdio", as_literal(" ".join(_for_shell(word, server) for word in inner))),
            *("--outputTransport", "streamableHttp", *(["--stateful"] if transport.keeps_sessions else [])),
            *("--port", port),
            *("--streamableHttpPath", transport.path, "--healthEndpoint", pins.BRIDGE_HEALTH["supergateway"].path),
            # 'info' writes every message into the log, arguments and results of tools included.
            *("--logLevel", "none"),
        ]
    return [f"{pins.BRIDGE_FOLDER}/agentgateway"], ["-c", as_literal(_agentgateway_config(server, inner))]


def _for_shell(word: str, server: Server) -> str:
    """supergateway hands the command to a shell with the variables: no value can end its quotes."""
    parts = pieces(word, expanded_in(server, words=True))
    return "".join(f'"${{{piece.name}}}"' if piece.name else shlex.quote(piece.text) for piece in parts) or "''"


def _agentgateway_config(server: Server, inner: Sequence[str]) -> str:
    """agentgateway expands ``$NAME`` in the whole text, once, before it parses it; ``$$`` is one ``$``."""
    words: list[JSON] = []
    quoted: dict[str, str] = {}
    for word in inner:
        parts = list(pieces(word, expanded_in(server, words=True)))
        text = "".join(f"${{{piece.name}}}" if piece.name else piece.text.replace("$", "$$") for piece in parts)
        if any(piece.name for piece in parts):
            # In single quotes a value may hold everything but such a quote and line breaks. No other text has one '$'.
            text, written = f"x${len(quoted)}x", text.replace("'", "''")
            quoted[text] = f"'{written}'"
        words.append(text)
    program = block({"cmd": words[0], "args": words[1:]}, 24)
    for word, text in quoted.items():
        program = program.replace(word, text)
    return f"{_AGENTGATEWAY % server.transport.port}{program}\n"


def _server_argv(server: Server) -> list[str]:
    package = server.package
    if package is None:
        return [*server.command, *server.args]
    if package.bundle:
        _, *interpreter = pins.INTERPRETERS[package.runtime]
        file = f"{pins.BUNDLE_FOLDER}/start.{'js' if package.runtime == 'npm' else 'py'}"
        settings = [f"{key}={text}" for key, text in package.bundle.settings]
        own = ["run", *server.command] if server.command else ["with"]  # not "--", which mcp-proxy drops
        return [*interpreter[:-1], file, *settings, *own, *server.args]
    more = [word for requirement in package.requirements for word in ("--with", requirement)]
    if package.lock and package.registry == "npm":
        program = server.command or (package.lock.program,)
        start = ["npm", "--silent", "--prefix", pins.LOCK_FOLDER, "run", "server", "--", *program]
    elif package.lock:
        program = server.command or (package.name.partition("[")[0],)
        start = ["uv", "run", "--project", pins.LOCK_FOLDER, "--frozen", "--exact", "--no-dev", *program]
    elif package.registry == "npm":
        name = _npm_git(package) if package.git else f"{package.name}@{package.version}"
        start = ["npx", "-y", f"--package={name}", "--", *server.command] if server.command else ["npx", "-y", name]
    elif server.command or "[" in package.name or package.git:
        program = server.command or (package.name.partition("[")[0],)
        source = _pypi_git(package) if package.git else f"{package.name}=={package.version}"
        start = ["uvx", *more, "--from", source, *program]
    else:
        start = ["uvx", *more, f"{package.name}@{package.version}"]
    return [*start, *server.args]


def _npm_git(package: Package) -> str:
    """From GitHub npm downloads an archive, and needs neither git nor a key."""
    path = (package.git or "").removeprefix(f"https://{pins.GITHUB}/")
    if path != package.git and path.count("/") == 1:
        return f"github:{path.removesuffix('.git')}#{package.version}"
    return f"git+{package.git}#{package.version}"


def _pypi_git(package: Package) -> str:
    source = f"git+{package.git}@{package.version}"
    source += f"#subdirectory={package.subdirectory}" if package.subdirectory else ""
    return f"{package.name} @ {source}" if "[" in package.name else source


def _probe(server: Server) -> Probe | None:
    health = server.health
    if not health.enabled or not (server.listens or health.check.command):
        return None
    if health.mcp:
        # A program of the container that asks the server for its tools; without command where none is known.
        runtime, transport = runtime_for_checks(server), server.transport
        if runtime is None:
            return Probe(transport.port)
        kind, *interpreter = pins.INTERPRETERS[runtime]
        text = assets.read(f"templates/checks/mcp-{kind}.txt").decode()
        path = pins.BRIDGE_PATHS.get(transport.bridge, (transport.path,))[0]
        arguments = (str(transport.port), path, str(server.health.timeout))
        return Probe(
            transport.port,
            command=(*interpreter, text, *arguments),
            mounted=(*interpreter[:-1], _CHECKS[runtime], *arguments),
            file=File(_CHECKS[runtime], text),
        )
    return _probe_of(health.check, server) if health.check.ways else _default(server)


def _liveness(server: Server, readiness: Probe | None) -> Probe | None:
    """What a restart can fix. A path, program or service of the spec may depend on other services."""
    health = server.health
    if readiness is None or health.liveness is None:
        return None
    if health.liveness.ways:
        return _probe_of(health.liveness, server)
    if health.mcp:  # an error of MCP is an answer, and a restart seldom fixes its cause
        alive = ("alive",) if readiness.file else ()
        return readiness._replace(command=(*readiness.command, *alive), mounted=(*readiness.mounted, *alive))
    return readiness if health.check.tcp or not server.listens else _default(server)


def _probe_of(check: HealthCheck, server: Server) -> Probe:
    port = check.port or server.transport.port
    return Probe(port, check.path, check.command, check.headers, check.https, check.grpc)


def _default(server: Server) -> Probe:
    """The MCP endpoint itself answers GET with 400, 405 or 406: without a bridge only a connection is checked."""
    endpoint, port = pins.BRIDGE_HEALTH.get(server.transport.bridge), server.transport.port
    return Probe(endpoint.port or port, endpoint.path) if endpoint else Probe(port)


def check_file(server: Server) -> File | None:
    probe = _probe(server)
    return probe.file if probe else None


def runtime_for_checks(server: Server) -> pins.Runtime | None:
    """The interpreter in the container; of an image only that of its bridge is known."""
    return server.package.runtime if server.package else pins.RUNTIME_OF_BRIDGE.get(server.transport.bridge)


def _check(server: Server, probe: Probe) -> tuple[str, ...]:
    """The probe as a program of the container; empty where its contents are unknown."""
    runtime = runtime_for_checks(server)
    if probe.command or runtime is None:
        return probe.command
    timeout = server.health.timeout
    if probe.grpc is not None:
        return ()
    if probe.path is None:
        return pins.tcp_check(runtime, probe.port, timeout) if server.health.check.tcp else ()
    scheme = "https" if probe.https else "http"
    return pins.http_check(runtime, f"{scheme}://127.0.0.1:{probe.port}{probe.path}", probe.headers, timeout)

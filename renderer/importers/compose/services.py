"""One service of a compose file as a spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from renderer.errors import DocumentPath
from renderer.importers.bridges import Wrapped, wrapped
from renderer.importers.compose.mounts import read_mounts
from renderer.importers.compose.values import WHOLE, Piece, Project, filled, listed, pairs, pieces, seconds, words
from renderer.importers.docker_flags import SHARED_MEMORY, quantity
from renderer.importers.draft import END, Reading, plain_text, port_number
from renderer.importers.images import accept, set_image
from renderer.importers.manifests.objects import OBJECT_NAME
from renderer.importers.manifests.pods import read_only
from renderer.importers.manifests.servers import AS_PACKAGE, ATTACHED, set_path
from renderer.importers.naming import name_of
from renderer.importers.packages import Started, started
from renderer.importers.permissions import set_host_alias, set_writable
from renderer.importers.variables import (
    NAME,
    NO_NAME,
    NOT_WRITTEN,
    Variable,
    is_secret,
    literal,
    names_secret,
    set_variable,
)
from renderer.manifest import at
from renderer.model import JSON
from renderer.policy.containers import MOVING

_WEAK = {
    "privileged": "the container would be root of the machine",
    "cap_add": "capabilities that the server would get",
    "devices": "devices of the machine",
    "pid": "the processes of the machine",
    "ipc": "the shared memory of the machine",
    "userns_mode": "the users of the machine",
    "uts": "the name of the machine",
    "sysctls": "settings of the kernel",
    "cgroup": "control groups of the machine",
    "device_cgroup_rules": "devices of the machine",
    "credential_spec": "an account of the machine",
    "ulimits": "limits of processes, which the machine sets for all",
}
_PULLED = {"always": "Always", "never": "Never", "missing": "IfNotPresent", "if_not_present": "IfNotPresent"}
_LIMITS: DocumentPath = ("spec", "resources", "limits")
_REQUESTS: DocumentPath = ("spec", "resources", "requests")
_OF_SWARM: DocumentPath = ("deploy", "resources")
#: Fields that are one of a spec, with the conversion of their text; of amounts the older form first.
_FIELDS: Sequence[tuple[DocumentPath, DocumentPath, Callable[[str], JSON]]] = (
    (("container_name",), ("spec", "adopt", "compose", "containerName"), str),
    (("working_dir",), ("spec", "workingDir"), str),
    (("stop_grace_period",), ("spec", "shutdown", "graceSeconds"), seconds),
    (("pull_policy",), ("spec", "imagePullPolicy"), _PULLED.get),
    (("cpus",), (*_LIMITS, "cpu"), str),
    (("mem_limit",), (*_LIMITS, "memory"), quantity),
    (("mem_reservation",), (*_REQUESTS, "memory"), quantity),
    ((*_OF_SWARM, "limits", "cpus"), (*_LIMITS, "cpu"), str),
    ((*_OF_SWARM, "limits", "memory"), (*_LIMITS, "memory"), quantity),
    ((*_OF_SWARM, "reservations", "cpus"), (*_REQUESTS, "cpu"), str),
    ((*_OF_SWARM, "reservations", "memory"), (*_REQUESTS, "memory"), quantity),
)
#: Of a health check.
_DURATIONS = {"interval": "periodSeconds", "timeout": "timeoutSeconds", "start_period": "startupSeconds"}
_HARMLESS = (
    *("depends_on", "restart", "init", "tty", "stdin_open", "hostname", "container_name", "profiles", "networks"),
    *("platform", "attach", "annotations", "scale", "develop", "extends", "pull_policy", "expose", "links"),
)
_LEFT_OUT = "it is left out: a server does not get more than it needs"
_SSE = re.compile(r"^sse$|[=/]sse/?$", re.IGNORECASE)
#: Variables that name the port at which a server listens.
_PORTS = ("PORT", "MCP_PORT", "FASTMCP_PORT", "SERVER_PORT", "HTTP_PORT")


def read_service(reading: Reading, name: str, project: Project) -> None:
    server = name_of(name)
    _names(reading, name, project)
    for source, target, converted in _FIELDS:
        text = filled(reading.text(*source))
        if text and (value := converted(text)) not in (None, ""):
            reading.map(source, target, value)
    command = [*words(reading.get("entrypoint")), *words(reading.get("command"))]
    image = filled(reading.text("image")) or ""
    wrapper = wrapped(command, image)
    start = started(wrapper.inner if wrapper else command)
    port = _port(reading, wrapper, command)
    _environment(reading, server)
    if start:
        _package(reading, start)
    else:
        _image(reading, image, f"{project.name or 'project'}-{server}")
        _command(reading, wrapper, server)
    _transport(reading, port, wrapper, start, command)
    _check(reading)
    _resources(reading)
    _security(reading)
    read_mounts(reading, project, server)
    _networks(reading, project)
    for key, text in pairs(reading.get("labels")).items():
        if not key.startswith(("com.docker.compose.", "mcpctl.io/", "app.kubernetes.io/")):
            reading.map(("labels",), ("spec", "compose", "labels", key), filled(text or "") or "")
    reading.carry_text(("logging", "driver"), ("spec", "compose", "logging", "driver"))
    if options := reading.mapping("logging", "options"):
        texts: JSON = {key: plain_text(value) for key, value in options.items()}
        reading.map(("logging", "options"), ("spec", "compose", "logging", "options"), texts)
    reading.lose(("extends",), f"what it takes from another service is not read: {WHOLE}")
    why = "a server needs none of it: it is started again, and waits for what it needs"
    reading.lose_all([key for key in _HARMLESS if not reading.has_entry((key,))], why)


def _names(reading: Reading, name: str, project: Project) -> None:
    project_name: DocumentPath = ("spec", "adopt", "compose", "project")
    if OBJECT_NAME.fullmatch(name):
        reading.default(("spec", "resourceName"), name, "the service keeps its name, by which others reach it")
    else:
        question = f"the service {name} cannot keep its name; end the old one with: docker compose rm --stop {name}"
        reading.leave((), ("spec", "resourceName"), question)
    if project.name:
        why = "the project of the file: its containers are made again in place"
        reading.default(project_name, project.name, why)
    else:
        reading.leave((), project_name, "the project's name; nobody knows it of a text on standard input")


# ---------------------------------------------------------------------------------------------
# What runs: variables, image, command.


def _text(reading: Reading, source: DocumentPath, parts: Sequence[Piece], server: str) -> str:
    """Variables without a default become ``$(NAME)``, and a variable of the spec."""
    texts = []
    for piece in parts:
        if piece.name and piece.default is None:
            if piece.name not in reading.spec.get("env", {}):  # one that the file takes from outside
                set_variable(reading, source, Variable(piece.name, required=True), server)
            texts.append(f"$({piece.name})")
        else:
            texts.append(literal((piece.default if piece.name else piece.text) or ""))
    return "".join(texts)


def _environment(reading: Reading, server: str) -> None:
    raw = reading.get("environment")
    for number, (name, value) in enumerate(pairs(raw).items()):
        source: DocumentPath = ("environment", name) if isinstance(raw, dict) else ("environment", number)
        target: DocumentPath = ("spec", "env", name)
        if not NAME.fullmatch(name):
            reading.lose(source, NO_NAME)
            continue
        parts = pieces(value) if value is not None else [Piece("", name)]
        only = parts[0] if len(parts) == 1 else None
        if only and only.name and only.default is None:
            set_variable(reading, source, Variable(name, required=True, secret=names_secret(only.name)), server)
        elif only and only.name and not only.default:
            reading.leave(source, target, f"optional: nothing, unless {only.name} is set")
        elif is_secret(name, filled(value or "") or ""):
            reading.decide(source, target, {"secret": server, "key": name}, NOT_WRITTEN.format(name, server))
        else:
            text = _text(reading, source, parts, server)
            hint = f"the default; {only.name} of the environment sets another" if only and only.name else ""
            reading.map(source, target, text, hint)
    for number, (source, item) in enumerate(listed(reading, "env_file")):
        path = plain_text(item.get("path") if isinstance(item, dict) else item)
        name = f"{server}-env" if number == 0 else f"{server}-env-{number + 1}"
        optional: dict[str, JSON] = {"optional": True} if at(item, "required") is False else {}
        question = f"make a Secret {name} of {path}: kubectl create secret generic {name} --from-env-file={path}"
        reading.decide(source, ("spec", "envFrom", END), {"secret": name, **optional}, question)


def _package(reading: Reading, start: Started) -> None:
    source = _line(reading)
    reading.map(source, ("spec", "package"), start.package.fields, "what runs in the image is a package")
    for key in ("image", "entrypoint", "build"):
        reading.note((key,), ("spec", "package"))
    if start.args:
        reading.map(source, ("spec", "args"), list(start.args))
    if start.program:
        reading.map(source, ("spec", "command"), [start.program])


def _line(reading: Reading) -> DocumentPath:
    """Where the command line is."""
    return ("command",) if reading.get("command") is not None else ("entrypoint",)


def _image(reading: Reading, image: str, built: str) -> None:
    """``built``: the name that docker compose gives to an image without one."""
    if reading.get("build") is not None:
        # Only a person can push it.
        own = image or built
        question = "the name in a registry: the image is built on the machine, and nothing can pull it"
        reading.decide(("build",), ("spec", "image"), own, question)
        if own.rpartition("/")[2].partition(":")[2].lower() in ("", *MOVING):
            accept(reading, "policy/image-tag", "spec.image", "it is built on the machine")
        reading.note(("image",), ("spec", "image"))
    elif image:
        set_image(reading, ("image",), image)
    else:
        reading.refuse(("image",), "import/image", "the service names no image", "write the image, with its version")


def _command(reading: Reading, wrapper: Wrapped | None, server: str) -> None:
    if wrapper and wrapper.bridge == "mcp-proxy":
        source = _line(reading)
        reading.map(source, ("spec", "command"), list(wrapper.inner[:1]), "what mcp-proxy starts")
        reading.map(source, ("spec", "args"), list(wrapper.inner[1:]))
        return
    for key, target in (("entrypoint", "command"), ("command", "args")):
        if line := words(reading.get(key)):
            texts: list[JSON] = [_text(reading, (key,), pieces(word), server) for word in line]
            reading.map((key,), ("spec", target), texts)


# ---------------------------------------------------------------------------------------------
# How it is reached.


def _port(reading: Reading, wrapper: Wrapped | None, command: Sequence[str]) -> int:
    """The container's port; 0 if it is unknown."""
    published: list[int] = []
    for path, item in reading.items("ports"):
        if (ports := _port_of(item)) is None:
            reading.lose(path, "only a single TCP port can be published")
        elif published:
            reading.lose(path, "one port is published, that of MCP")
        else:
            target, address, port = ports
            published.append(target)
            reading.map(path, ("spec", "transport", "port"), target)
            where: dict[str, JSON] = {"address": address} | ({"port": int(port)} if port.isdigit() else {})
            reading.map(path, ("spec", "network", "publish"), where)
    if published:
        return published[0]
    # Exposed ports, then options, then variables.
    guesses = [plain_text(item) for _, item in reading.items("expose")]
    guesses += [word.partition("=")[2] for word in command if word.startswith("--port=")]
    guesses += [following for word, following in pairwise(command) if word == "--port"]
    variables = pairs(reading.get("environment"))
    guesses += [filled(value or "") or "" for name, value in variables.items() if name.upper() in _PORTS]
    number = next(filter(None, map(port_number, guesses)), wrapper.port if wrapper else 0)
    if number:
        reading.default(("spec", "transport", "port"), number, "what the service says of its port")
        reading.default(("spec", "network", "publish"), False, "the machine does not publish it")
    return number


def _port_of(item: JSON) -> tuple[int, str, str] | None:
    """Container port, host address and host port, of both forms; None if not a single TCP port."""
    if isinstance(item, dict):
        address, published, target = (plain_text(item.get(key)) for key in ("host_ip", "published", "target"))
        protocol = plain_text(item.get("protocol")) or "tcp"
    else:
        text, _, protocol = (filled(plain_text(item)) or "").partition("/")
        bracketed = re.fullmatch(r"\[([^]]+)\]:(.*)", text)
        numbers = (bracketed[2] if bracketed else text).split(":")
        address = bracketed[1] if bracketed else numbers.pop(0) if len(numbers) == 3 else ""
        published, target = numbers[0] if len(numbers) > 1 else "", numbers[-1]
    if protocol not in ("", "tcp") or not target.isdigit() or not (published.isdigit() or not published):
        return None
    return int(target), address or "0.0.0.0", published.lstrip("0")  # noqa: S104 - as Docker publishes by default


def _transport(
    reading: Reading, port: int, wrapper: Wrapped | None, start: Started | None, command: Sequence[str]
) -> None:
    target: DocumentPath = ("spec", "transport")
    bridge = wrapper.bridge if wrapper else ""
    if start or bridge == "mcp-proxy":
        if wrapper and wrapper.loss:
            reading.lose(("command",), wrapper.loss)
        bridge = bridge or ("supergateway" if start and start.package.registry == "npm" else "mcp-proxy")
        reading.default((*target, "type"), "stdio", f"{bridge} makes it reachable")
        reading.default((*target, "bridge"), bridge, "what makes it reachable" if start else "of the image")
        return
    if not port:
        reading.decide((), target, {"type": "stdio", "bridge": "none"}, ATTACHED)
        return
    values = [filled(value or "") or "" for value in pairs(reading.get("environment")).values()]
    sse = wrapper.sse if wrapper else any(_SSE.search(text) for text in [*command, *values])
    kind = "sse" if sse else "streamable-http"
    reading.default((*target, "type"), kind, "what listens on a port speaks HTTP")
    if wrapper:
        reading.leave(("command",), target, AS_PACKAGE)
    set_path(reading, wrapper.path if wrapper else "", "what its words say", sse=sse)


def _check(reading: Reading) -> None:
    test, target = reading.get("healthcheck", "test"), ("spec", "health")
    line = words(test) if isinstance(test, list) else ["CMD-SHELL", plain_text(test)] if test else []
    line = [filled(word) or word for word in line]
    if reading.get("healthcheck", "disable") is True or line[:1] == ["NONE"]:
        reading.note(("healthcheck",), target)
        return
    if line[:1] == ["CMD"]:
        reading.map(("healthcheck", "test"), (*target, "command"), list(line[1:]))
    elif line[:1] == ["CMD-SHELL"]:
        reading.map(("healthcheck", "test"), (*target, "command"), ["sh", "-c", *line[1:2]])
    if not line:
        return
    for key, field in _DURATIONS.items():
        if (number := seconds(reading.get("healthcheck", key))) is not None:
            reading.map(("healthcheck", key), (*target, field), number)
    if isinstance(retries := reading.get("healthcheck", "retries"), int):
        reading.map(("healthcheck", "retries"), (*target, "failureThreshold"), retries)
    reading.lose_all(["start_interval"], "the start is asked every 5 seconds", ("healthcheck",))


# ---------------------------------------------------------------------------------------------
# What it may use.


def _resources(reading: Reading) -> None:
    memory = reading.written((*_LIMITS, "memory"))
    if memory is not None and reading.written((*_REQUESTS, "memory")) is None:
        reading.default((*_REQUESTS, "memory"), memory, "the limit")
    for path, item in reading.items(*_OF_SWARM, "reservations", "devices"):
        if isinstance(item, dict) and item.get("driver") == "nvidia":
            count = item.get("count")
            reading.map(path, ("spec", "gpu", "count"), count if isinstance(count, int) else 1)
    replicas = reading.get("deploy", "replicas")
    if isinstance(replicas, int) and replicas > 1:
        reading.map(("deploy", "replicas"), ("spec", "replicas"), replicas)
    for source in (("pids_limit",), (*_OF_SWARM, "limits", "pids")):
        if number := reading.get(*source):
            reading.map(source, ("spec", "compose", "pids"), number)
    if size := quantity(reading.get("shm_size")):
        set_writable(reading, ("shm_size",), SHARED_MEMORY, size)
    swarm = ["restart_policy", "update_config", "placement", "mode", "labels", "replicas"]
    reading.lose_all(swarm, "docker compose reads it in a swarm alone, or it is the default", ("deploy",))


def _security(reading: Reading) -> None:
    """The user; settings that weaken the container are left out."""
    target: DocumentPath = ("spec", "security")
    _user(reading, target)
    read_only(reading, ("read_only",))
    for key, why in _WEAK.items():
        if reading.get(key):
            reading.lose((key,), f"{key}: {why}; {_LEFT_OUT}")
    if reading.get("cap_drop"):
        reading.note(("cap_drop",), target, "all are dropped")
    for path, item in reading.items("security_opt"):
        if plain_text(item).startswith("no-new-privileges"):
            reading.note(path, target, "always so")
        else:
            reading.lose(path, f"security_opt: {_LEFT_OUT}")


def _user(reading: Reading, target: DocumentPath) -> None:
    user, _, group = (filled(reading.text("user")) or "").partition(":")
    if user.isdigit() and int(user) > 0:
        reading.map(("user",), (*target, "runAsUser"), int(user))
        if group.isdigit() and int(group) > 0:
            reading.map(("user",), (*target, "runAsGroup"), int(group))
        return
    named = f"'{user}', which is no number above 0" if user else "none"
    question = f"the user that the image expects; the file names {named}, and 1000 is assumed"
    reading.decide(("user",) if user else (), (*target, "runAsUser"), 1000, question)


def _networks(reading: Reading, project: Project) -> None:
    mode = reading.text("network_mode")
    if mode in ("host", "none") or mode.startswith(("service:", "container:")):
        reading.lose(("network_mode",), f"network_mode {mode}: a server has a network of its own; {_LEFT_OUT}")
    raw = reading.get("networks")
    names = list(raw) if isinstance(raw, dict | list) else ["default"] if project.others and not mode else []
    outside: list[JSON] = [full for name in names if (full := project.full_name("networks", plain_text(name)))]
    if outside:
        source: DocumentPath = ("networks",) if raw else ()
        why = "its neighbours are there; the old project makes it"
        reading.map(source, ("spec", "compose", "networks"), outside, why)
    for name, address in reading.mapping("extra_hosts").items():
        set_host_alias(reading, ("extra_hosts", name), f"{name}:{plain_text(address)}")
    for path, item in reading.items("extra_hosts"):
        set_host_alias(reading, path, plain_text(item))

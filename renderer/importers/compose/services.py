"""One service of a compose file as a spec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from renderer.errors import DocumentPath
from renderer.importers.bridges import Wrapped, wrapped
from renderer.importers.compose.mounts import read_mounts
from renderer.importers.compose.transport import read_ports, read_transport
from renderer.importers.compose.values import (
    WHOLE,
    Piece,
    Project,
    filled,
    listed,
    pairs,
    pieces,
    seconds,
    words,
)
from renderer.importers.docker_flags import SHARED_MEMORY, quantity
from renderer.importers.draft import END, Reading, plain_text
from renderer.importers.images import accept, set_image
from renderer.importers.manifests.pods import read_only
from renderer.importers.naming import name_of
from renderer.importers.packages import Started, started
from renderer.importers.permissions import set_writable
from renderer.importers.variables import NOT_WRITTEN, Variable, is_secret, set_variable
from renderer.manifest import at
from renderer.model import JSON
from renderer.policy.images import MOVING

_OBJECT_NAME = re.compile(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Names of secret variables.
_TELLING = re.compile(
    r"TOKEN|SECRET|PASSW|PWD|(API|ACCESS|PRIVATE|AUTH|SIGNING)_?KEY|_KEY$|^KEY$|CREDENTIAL|BEARER|DSN|_PAT$", re.I
)
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
#: Paths of the amounts, the older form first.
_AMOUNTS: Mapping[tuple[str, ...], tuple[str, str]] = {
    ("cpus",): ("limits", "cpu"),
    ("mem_limit",): ("limits", "memory"),
    ("mem_reservation",): ("requests", "memory"),
    ("deploy", "resources", "limits", "cpus"): ("limits", "cpu"),
    ("deploy", "resources", "limits", "memory"): ("limits", "memory"),
    ("deploy", "resources", "reservations", "cpus"): ("requests", "cpu"),
    ("deploy", "resources", "reservations", "memory"): ("requests", "memory"),
}
_HARMLESS = (
    *("depends_on", "restart", "init", "tty", "stdin_open", "hostname", "container_name", "profiles", "networks"),
    *("platform", "attach", "annotations", "scale", "develop", "extends", "pull_policy", "expose", "links"),
)
#: Of a health check.
_DURATIONS = {"interval": "periodSeconds", "timeout": "timeoutSeconds", "start_period": "startupSeconds"}
_PULLED = {"always": "Always", "never": "Never", "missing": "IfNotPresent", "if_not_present": "IfNotPresent"}
_LEFT_OUT = "it is left out: a server does not get more than it needs"


def read_service(reading: Reading, name: str, project: Project) -> None:
    server = name_of(name)
    target: DocumentPath = ("spec", "adopt", "compose")
    if _OBJECT_NAME.fullmatch(name):
        reading.default(("spec", "resourceName"), name, "the service keeps its name, by which others reach it")
    else:
        question = f"the service {name} cannot keep its name; end the old one with: docker compose rm --stop {name}"
        reading.leave((), ("spec", "resourceName"), question)
    if project.name:
        why = "the project of the file: its containers are made again in place"
        reading.default((*target, "project"), project.name, why)
    else:
        reading.leave((), (*target, "project"), "the project's name; nobody knows it of a text on standard input")
    if container := filled(reading.text("container_name")):
        reading.map(("container_name",), (*target, "containerName"), container)
    command = [*words(reading.get("entrypoint")), *words(reading.get("command"))]
    image = filled(reading.text("image")) or ""
    wrapper = wrapped(command, image)
    port = read_ports(reading, wrapper, command)
    _environment(reading, server)
    _image(reading, image, wrapper, name, project)
    read_transport(reading, port, wrapper, command)
    _check(reading)
    _resources(reading)
    _security(reading)
    read_mounts(reading, project, server)
    _networks(reading, project)
    _rest(reading)


def _text(reading: Reading, source: DocumentPath, parts: Sequence[Piece], server: str) -> str:
    """Variables without a default become ``$(NAME)``, and a variable of the spec."""
    texts = []
    for piece in parts:
        if piece.name and piece.default is None:
            if piece.name not in reading.spec.get("env", {}):  # one that the file takes from outside
                secret = bool(_TELLING.search(piece.name))
                set_variable(reading, source, Variable(piece.name, required=True, secret=secret), server)
            texts.append(f"$({piece.name})")
        else:
            texts.append(((piece.default if piece.name else piece.text) or "").replace("$(", "$$("))
    return "".join(texts)


def _environment(reading: Reading, server: str) -> None:
    raw = reading.get("environment")
    for number, (name, value) in enumerate(pairs(raw).items()):
        source: DocumentPath = ("environment", name) if isinstance(raw, dict) else ("environment", number)
        target: DocumentPath = ("spec", "env", name)
        if not _VARIABLE.fullmatch(name):
            reading.lose(source, "the name of a variable has letters, digits and '_', and begins with no digit")
            continue
        parts = pieces(value) if value is not None else [Piece("", name)]
        only = parts[0] if len(parts) == 1 else None
        if only and only.name and only.default is None:
            secret = bool(_TELLING.search(name) or _TELLING.search(only.name))
            set_variable(reading, source, Variable(name, required=True, secret=secret), server)
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


def _image(reading: Reading, image: str, wrapper: Wrapped | None, name: str, project: Project) -> None:
    """The image, or the package that is started at an exact version."""
    line = [*words(reading.get("entrypoint")), *words(reading.get("command"))]
    package = started(wrapper.inner if wrapper else line)
    if package:
        _package(reading, package)
        return
    if reading.get("build") is not None:
        # An image that is built on the machine: only a person can push it.
        own = image or f"{project.name or 'project'}-{name_of(name)}"
        question = "the name in a registry: the image is built on the machine, and nothing can pull it"
        reading.decide(("build",), ("spec", "image"), own, question)
        tag = own.rpartition("/")[2].partition(":")[2]
        if tag.lower() in ("", *MOVING):
            accept(reading, "policy/image-tag", "spec.image", "it is built on the machine")
        if image:
            reading.note(("image",), ("spec", "image"))
    elif not image:
        reading.refuse(("image",), "import/image", "the service names no image", "write the image, with its version")
    else:
        set_image(reading, ("image",), image)
    _command(reading, wrapper, name_of(name))


def _package(reading: Reading, package: Started) -> None:
    source: DocumentPath = ("command",) if reading.get("command") is not None else ("entrypoint",)
    reading.map(source, ("spec", "package"), package.package.fields, "what runs in the image is a package")
    for key in ("image", "entrypoint", "build"):
        reading.note((key,), ("spec", "package"))
    if package.args:
        reading.map(source, ("spec", "args"), list(package.args))
    if package.program:
        reading.map(source, ("spec", "command"), [package.program])


def _command(reading: Reading, wrapper: Wrapped | None, server: str) -> None:
    if wrapper and wrapper.bridge == "mcp-proxy":
        source: DocumentPath = ("command",) if reading.get("command") is not None else ("entrypoint",)
        reading.map(source, ("spec", "command"), list(wrapper.inner[:1]), "what mcp-proxy starts")
        reading.map(source, ("spec", "args"), list(wrapper.inner[1:]))
        return
    for key, target in (("entrypoint", "command"), ("command", "args")):
        if line := words(reading.get(key)):
            texts: list[JSON] = [_text(reading, (key,), pieces(word), server) for word in line]
            reading.map((key,), ("spec", target), texts)


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


def _resources(reading: Reading) -> None:
    _amounts(reading)
    for path, item in reading.items("deploy", "resources", "reservations", "devices"):
        if isinstance(item, dict) and item.get("driver") == "nvidia":
            count = item.get("count")
            reading.map(path, ("spec", "gpu", "count"), count if isinstance(count, int) else 1)
    replicas = reading.get("deploy", "replicas")
    if isinstance(replicas, int) and replicas > 1:
        reading.map(("deploy", "replicas"), ("spec", "replicas"), replicas)
    for source in (("pids_limit",), ("deploy", "resources", "limits", "pids")):
        if number := reading.get(*source):
            reading.map(source, ("spec", "compose", "pids"), number)
    if size := quantity(reading.get("shm_size")):
        set_writable(reading, ("shm_size",), SHARED_MEMORY, size)
    swarm = ["restart_policy", "update_config", "placement", "mode", "labels", "replicas"]
    reading.lose_all(swarm, "docker compose reads it in a swarm alone, or it is the default", ("deploy",))


def _amounts(reading: Reading) -> None:
    amounts: dict[tuple[str, str], str] = {}
    for path, (kind, name) in _AMOUNTS.items():
        text = filled(reading.text(*path)) or ""
        value = text if name == "cpu" else quantity(text)
        if text and value:
            reading.map(path, ("spec", "resources", kind, name), value)
            amounts[kind, name] = value
    if ("limits", "memory") in amounts and ("requests", "memory") not in amounts:
        reading.default(("spec", "resources", "requests", "memory"), amounts["limits", "memory"], "the limit")


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
    for name, address in pairs(reading.get("extra_hosts"), ":").items():
        host, address = (name, address) if address is not None else (name.partition("=")[0], name.partition("=")[2])
        if address == "host-gateway":
            reading.lose(("extra_hosts",), f"{host}: a pod has no machine of its own; name where the service runs")
        else:
            reading.map(("extra_hosts",), ("spec", "network", "hostAliases", host), address)


def _rest(reading: Reading) -> None:
    if directory := filled(reading.text("working_dir")):
        reading.map(("working_dir",), ("spec", "workingDir"), directory)
    if (grace := seconds(reading.get("stop_grace_period"))) is not None:
        reading.map(("stop_grace_period",), ("spec", "shutdown", "graceSeconds"), grace)
    for key, value in pairs(reading.get("labels")).items():
        if not key.startswith(("com.docker.compose.", "mcpctl.io/", "app.kubernetes.io/")):
            reading.map(("labels",), ("spec", "compose", "labels", key), filled(value or "") or "")
    reading.carry_text(("logging", "driver"), ("spec", "compose", "logging", "driver"))
    if options := reading.mapping("logging", "options"):
        texts: JSON = {key: plain_text(value) for key, value in options.items()}
        reading.map(("logging", "options"), ("spec", "compose", "logging", "options"), texts)
    policy = _PULLED.get(reading.text("pull_policy"))
    if policy:
        reading.map(("pull_policy",), ("spec", "imagePullPolicy"), policy)
    reading.lose(("extends",), f"what it takes from another service is not read: {WHOLE}")
    why = "a server needs none of it: it is started again, and waits for what it needs"
    reading.lose_all([key for key in _HARMLESS if not reading.has_entry((key,))], why)

"""Options of ``docker run`` as fields of a spec, decisions or losses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import Reading, plain_text
from renderer.importers.packages import Word
from renderer.importers.permissions import allow_nothing, set_host_alias, set_volume, set_writable, split_volume
from renderer.importers.variables import Variable, set_variable
from renderer.model import JSON
from renderer.quantity import nano

#: Options without a value; those of _VALUES take the next word unless they have '='.
_SWITCHES = re.compile(
    "--(detach|disable-content-trust|help|init|interactive|no-healthcheck|oom-kill-disable|privileged|publish-all|quiet|"
    "read-only|replace|rm|rmi|sig-proxy|tls-verify|tty|use-api-socket)"
)
_SHORT_SWITCHES = frozenset("diPqt")
#: From the references of docker run and podman run.
_VALUES = re.compile(
    "--(add-host|annotation|arch|attach|authfile|blkio-weight|blkio-weight-device|cap-add|cap-drop|cgroup-conf|"
    "cgroup-parent|cgroupns|cgroups|cidfile|cpu-count|cpu-percent|cpu-period|cpu-quota|cpu-rt-period|cpu-rt-runtime|"
    "cpu-shares|cpus|cpuset-cpus|cpuset-mems|creds|detach-keys|device|device-cgroup-rule|device-read-bps|"
    "device-read-iops|device-write-bps|device-write-iops|dns|dns-opt|dns-option|dns-search|domainname|entrypoint|env|"
    "env-file|expose|gidmap|gpus|group-add|health-cmd|health-interval|health-retries|health-start-interval|"
    "health-start-period|health-timeout|hostname|image-volume|init-path|io-maxbandwidth|io-maxiops|ip|ip6|ipc|isolation|"
    "kernel-memory|label|label-file|link|link-local-ip|log-driver|log-opt|mac-address|memory|memory-reservation|"
    "memory-swap|memory-swappiness|mount|name|net-alias|network|network-alias|oom-score-adj|os|pid|pids-limit|platform|"
    "pod|publish|pull|requires|restart|runtime|sdnotify|secret|security-opt|shm-size|stop-signal|stop-timeout|"
    "storage-opt|subgidname|subuidname|sysctl|systemd|timeout|tmpfs|tz|uidmap|ulimit|umask|user|userns|uts|variant|"
    "volume|volume-driver|volumes-from|workdir)"
)
_LONG = {
    "-a": "--attach", "-c": "--cpu-shares", "-d": "--detach", "-e": "--env", "-h": "--hostname", "-i": "--interactive",
    "-l": "--label", "-m": "--memory", "-p": "--publish", "-P": "--publish-all", "-q": "--quiet", "-t": "--tty",
    "-u": "--user", "-v": "--volume", "-w": "--workdir", "--net": "--network", "--mac": "--mac-address",
}  # fmt: skip
#: Requests of the default size.
_PROMISED = {"cpu": "100m", "memory": "128Mi"}
_BYTES = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)\s*([bkmgt]?)i?b?", re.IGNORECASE)
_UNITS = {"": "", "b": "", "k": "Ki", "m": "Mi", "g": "Gi", "t": "Ti"}
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a path in a container
_RESTRICTED = "Pod Security 'restricted' applies: add it by a patch, and accept the finding with the reason"
_OF_THE_MACHINE = (
    "it would join a namespace of the host: add it by a patch, and accept policy/privileged with the reason"
)
#: Why a spec cannot express it.
_LOST: Mapping[str, str] = {
    **dict.fromkeys(
        ["--privileged", "--cap-add", "--device", "--security-opt", "--group-add", "--cgroupns"], _RESTRICTED
    ),
    **dict.fromkeys(["--pid", "--ipc", "--uts", "--userns", "--use-api-socket", "--volumes-from"], _OF_THE_MACHINE),
    "--link": "servers reach one another by name: allow it under network.egress.services",
    "--env-file": "the file is not imported: write its variables under env or envFrom",
    "--sysctl": "sysctls are set by the administrators of the cluster",
    "--ulimit": "ulimits are set by the container runtime",
}
#: Without meaning for a server that a runtime manages.
_IDLE = re.compile(
    "--(attach|cap-drop|cidfile|detach|disable-content-trust|init|interactive|label|log-driver|log-opt|name|platform|"
    "publish-all|quiet|read-only|replace|restart|rm|rmi|sig-proxy|stop-signal|tty)"
)


class Flag(NamedTuple):
    """An option of ``docker run``, and the path of its word."""

    source: DocumentPath
    name: str
    value: str
    #: Whether the next word may be its value or the image.
    is_unclear: bool = False


def split_run(words: Sequence[Word]) -> tuple[list[Flag], list[Word]]:
    """The options, and what follows them: the image and its arguments."""
    flags: list[Flag] = []
    rest = list(words)
    while rest and rest[0].text.startswith("-") and rest[0].text != "-":
        text, source = rest.pop(0)
        if text == "--":
            break
        for name, value in _options(text):
            is_unclear = value is None and not _SWITCHES.fullmatch(name) and not _VALUES.fullmatch(name)
            if value is None and _VALUES.fullmatch(name):
                value = rest.pop(0).text if rest else ""
            flags.append(Flag(source, name, value or "", is_unclear))
    return flags, rest


def _options(word: str) -> list[tuple[str, str | None]]:
    """The options in a word, with an inline value: ``-it``, ``-eA=b``, ``--env=A=b``."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return [(_LONG.get(name, name), value if equals else None)]
    options: list[tuple[str, str | None]] = []
    letters = word[1:]
    for number, letter in enumerate(letters):
        name = _LONG.get(f"-{letter}", f"-{letter}")
        if letter in _SHORT_SWITCHES:
            options.append((name, None))
        else:
            return [*options, (name, letters[number + 1 :].removeprefix("=") or None)]
    return options


def judge_flag(reading: Reading, flag: Flag, server: str) -> None:
    """Writes the option into the spec, or reports why not."""
    name, equals, value = flag.value.partition("=")
    if flag.is_unclear:
        message = f"docker run's option {excerpt(flag.name)} is not known here, so the image cannot be recognized"
        reading.refuse(flag.source, "import/option", message, f"write {excerpt(flag.name)}=VALUE, or remove it")
    elif flag.name == "--env":
        set_variable(reading, flag.source, Variable(name, value if equals else None, required=True), server)
    elif field := _FIELDS.get(flag.name):
        if field.form.fullmatch(flag.value):
            reading.map(flag.source, field.target, field.value(flag.value), field.about)
        else:
            reading.lose(flag.source, field.otherwise.format(excerpt(flag.value)), field.harmless)
    elif flag.name in _SETTERS:
        _SETTERS[flag.name](reading, flag)
    elif _IDLE.fullmatch(flag.name):
        reading.lose(flag.source, f"{flag.name}: the runtime decides it for every server", harmless=True)
    else:
        reading.lose(flag.source, f"{excerpt(flag.name)}: {_LOST.get(flag.name, 'a spec has no field for it')}")


class _Field(NamedTuple):
    """An option that is one field: the form of its values, their conversion, the message for other values."""

    target: DocumentPath
    form: re.Pattern[str]
    value: Callable[[str], JSON]
    otherwise: str = ""
    about: str = ""
    harmless: bool = False


_ANY = re.compile(r".*", re.DOTALL)
_FIELDS: Mapping[str, _Field] = {
    "--workdir": _Field(("spec", "workingDir"), _ANY, str),
    "--entrypoint": _Field(("spec", "command"), _ANY, lambda text: [text]),
    "--stop-timeout": _Field(
        ("spec", "shutdown", "graceSeconds"), re.compile("[0-9]{1,4}"), int, "'{0}' is not a number of seconds"
    ),
    "--pids-limit": _Field(
        ("spec", "compose", "pids"), re.compile("[1-9][0-9]{0,5}"), int, "a server has a bound on its processes"
    ),
    "--pull": _Field(
        ("spec", "imagePullPolicy"),
        re.compile("always|never"),
        str.capitalize,
        "--pull: as clusters do by themselves",
        harmless=True,
    ),
}


def quantity(value: JSON) -> str:
    """Bytes in Kubernetes' notation: ``512m`` is ``512Mi``; empty if invalid."""
    match = _BYTES.fullmatch(plain_text(value))
    return f"{match[1]}{_UNITS[match[2].lower()]}" if match else ""


def _mount(reading: Reading, flag: Flag) -> None:
    words = [word.partition("=") for word in flag.value.split(",")]
    fields = {key.strip(): value for key, _, value in words}
    target = next((fields[key] for key in ("target", "dst", "destination") if key in fields), "")
    volume = fields.get("source", fields.get("src", ""))
    if fields.get("type", "volume") == "tmpfs":
        set_writable(reading, flag.source, target, message="a temporary folder")
    else:
        set_volume(reading, flag.source, volume, target, bool({"readonly", "ro"} & fields.keys()))


def set_temporary(reading: Reading, source: DocumentPath, text: str) -> None:
    """``/path:size=64m``."""
    path, _, options = text.partition(":")
    sizes = [option.partition("=")[2] for option in options.split(",") if option.startswith("size=")]
    set_writable(reading, source, path.rstrip("/"), quantity(sizes[0]) if sizes else "", "a temporary folder")


def _network(reading: Reading, flag: Flag) -> None:
    if flag.value == "none":
        allow_nothing(reading, flag.source)
    elif flag.value in ("bridge", "default"):
        reading.lose(flag.source, "every server has a network of its own", harmless=True)
    elif flag.value == "host" or flag.value.startswith(("container:", "ns:")):
        reading.lose(flag.source, f"--network {excerpt(flag.value)}: {_OF_THE_MACHINE}")
    else:
        why = "a Docker network: allow connections to its services under network.egress.services"
        reading.lose(flag.source, f"--network {excerpt(flag.value)}: {why}")


def _publish(reading: Reading, flag: Flag) -> None:
    port = flag.value.rpartition(":")[2].partition("/")[0]
    if port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535:
        reading.map(flag.source, ("spec", "transport", "port"), int(port), "the port of the container")
    else:
        reading.lose(flag.source, f"'{excerpt(flag.value)}' is not a port that can be published")


def set_user(reading: Reading, source: DocumentPath, text: str) -> None:
    """A user above 0. Clusters need the number, so a name becomes a decision."""
    user, _, group = text.partition(":")
    if not re.fullmatch(r"[0-9]{1,10}", user):
        need = "a cluster needs the number; without one it is 1000"
        question = f"the definition runs as user '{excerpt(user)}', and {need}"
        reading.decide(source, ("spec", "security", "runAsUser"), None, question)
    elif not 0 < int(user) < 2**31:
        reading.lose(source, "Pod Security 'restricted' does not allow root")
    else:
        reading.map(source, ("spec", "security", "runAsUser"), int(user))
        if re.fullmatch(r"[0-9]{1,9}", group) and int(group):
            reading.write(("spec", "security", "runAsGroup"), int(group))


def _limit(reading: Reading, flag: Flag) -> None:
    """A limit of memory or CPU; lowers the request of the default size if that is above it."""
    if flag.name == "--memory":
        resource, amount = "memory", quantity(flag.value)
    else:
        resource, amount = "cpu", flag.value if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", flag.value) else ""
    if not amount:
        kind = "amount of memory" if resource == "memory" else "number of CPUs"
        reading.lose(flag.source, f"'{excerpt(flag.value)}' is no {kind}")
        return
    reading.map(flag.source, ("spec", "resources", "limits", resource), amount)
    if (nano(amount) or 0) < (nano(_PROMISED[resource]) or 0):
        why = "the request of the default size is higher than this limit"
        reading.default(("spec", "resources", "requests", resource), amount, why)


def _gpus(reading: Reading, flag: Flag) -> None:
    count = int(flag.value) if re.fullmatch(r"[1-9][0-9]?", flag.value) else 1
    reading.decide(flag.source, ("spec", "gpu"), {"count": count}, "which product, and how many")


_SETTERS: Mapping[str, Callable[[Reading, Flag], None]] = {
    "--volume": lambda reading, flag: set_volume(reading, flag.source, *split_volume(flag.value)),
    "--mount": _mount,
    "--tmpfs": lambda reading, flag: set_temporary(reading, flag.source, flag.value),
    "--network": _network,
    "--publish": _publish,
    "--user": lambda reading, flag: set_user(reading, flag.source, flag.value),
    "--memory": _limit,
    "--cpus": _limit,
    "--shm-size": lambda reading, flag: set_writable(
        reading, flag.source, SHARED_MEMORY, quantity(flag.value) or "64Mi"
    ),
    "--add-host": lambda reading, flag: set_host_alias(reading, flag.source, flag.value),
    "--gpus": _gpus,
}

"""Calls of docker and docker compose: where the daemon is, argument lists, and what their failures mean."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from renderer import command
from renderer.command import Background, Done, ProgramMissing
from renderer.errors import ApplyFailed, UsageMistake, WaitTimedOut, excerpt
from renderer.orchestrators.contract import DockerConfig
from renderer.orchestrators.failures import Refused, kind, masked, matched

#: The first compose that takes ``env_file`` with ``format: raw``, which is rendered.
OLDEST = (2, 30)
#: Seconds for a question to the daemon.
CALL_SECONDS = 30.0
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
#: Variables that would change what compose does: only the arguments may. Only mcpctl removes orphans, if it made them.
_STEERING: Mapping[str, str] = {
    "COMPOSE_REMOVE_ORPHANS": "0",
    "COMPOSE_IGNORE_ORPHANS": "1",
    "COMPOSE_ANSI": "never",
    "COMPOSE_MENU": "0",
    "COMPOSE_PROFILES": "",
    "COMPOSE_STATUS_STDOUT": "0",
    "DOCKER_CLI_HINTS": "false",
}
#: Characters of one text from outside that are shown.
SHOWN = 400
#: stderr of a program that was made to write without end.
_READ = 256 * 1024
_NO_IMAGE = "the image {about} cannot be pulled, and is not on the machine of the daemon ({text})"
_GET_IMAGE = "check its name and tag, docker login, or load it with `docker load`"
#: What docker and compose write when they fail.
KINDS = (
    kind(
        "permission",
        r"permission denied while trying to connect",
        "add yourself to the group docker, or use sudo",
        "you may not use the Docker daemon at {host}",
    ),
    kind(
        "down",
        r"Cannot connect to the Docker daemon|failed to connect to the docker API|error during connect|"
        r"Is the docker daemon running|connection reset by peer|unexpected EOF",
        "start it, or say where it is (docker.socketPath, docker.host, docker.port), and run the command again",
        "the Docker daemon at {host} does not answer ({text})",
    ),
    kind(
        "port",
        r"(?:Bind for |listen tcp[46]? )\S*?:(\d+)(?: failed: port is already allocated|: bind: address already in)",
        "stop what uses it, or set network.publish.port",
        "port {about} of the machine is in use",
    ),
    kind("variable", r"required variable (\w+) is missing a value", "set it in the environment or in the .env file"),
    kind("oneshot", r'service "([^"]+)" didn\'t complete successfully', "see why it failed"),
    kind(
        "file",
        r"env file (\S+) not found|bind source path does not exist: (\S+)",
        "create it; the head of the compose file says what belongs in it",
        "the file {about} does not exist",
    ),
    kind(
        "network",
        r"network (\S+) was found but has incorrect label",
        "another program made that network: remove it, or configure another docker.network",
    ),
    kind(
        "external",
        r"network (\S+) declared as external, but could not be found",
        "start the project that makes it, or `docker network create` it",
    ),
    kind(
        "image",
        r"No such image: (\S+)|pull access denied for ([^\s,]+)|manifest for (\S+) not found|manifest unknown",
        _GET_IMAGE,
        _NO_IMAGE,
    ),
    kind("name", r'container name "/?([^"]+)" is already in use', "remove or rename that container"),
    kind("gone", r"No such (?:container|object): (\S+)", "run the command again"),
    kind("since", r'invalid value for "since"', "give a duration such as 10m, or a time such as 2026-01-31T12:00:00Z"),
)


class Client:
    """One daemon. Its address stands in the environment of the child, never among the arguments."""

    def __init__(
        self,
        config: DockerConfig,
        *,
        run: command.Run = command.run,
        start: command.Start = command.background,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.config = config
        self.network = known_name(config.network, "docker.network")
        self.host = f"unix://{config.socket_path}"
        if config.host:
            bare = ":" in config.host and not config.host.startswith("[")
            port = config.port or (2376 if environ.get("DOCKER_TLS_VERIFY") else 2375)
            self.host = f"tcp://{f'[{config.host}]' if bare else config.host}:{port}"
        self.environ = environ
        self._run = run
        self._start = start
        self._compose: tuple[str, ...] | None = None
        #: Values that no message may show.
        self.masks: set[str] = set()

    def docker(self, doing: str, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        """stdout; Refused (or WaitTimedOut) with ``doing`` in front where it fails."""
        done = self.tried("docker", *arguments, doing=doing, seconds=seconds)
        if done.code:
            raise self.failed(done, doing)
        return done.out

    def tried(self, *argv: str, doing: str, seconds: float = CALL_SECONDS, stdin: bytes = b"") -> Done:
        """Returns at any exit code."""
        try:
            return self._run(list(argv), seconds=seconds, stdin=stdin, env=self._env())
        except ProgramMissing as missing:
            raise ProgramMissing(
                f"{missing.message}: install Docker's command line (https://docs.docker.com/engine/install/)"
            ) from None
        except WaitTimedOut as late:
            raise WaitTimedOut(
                f"{doing}: {late.message} ({seconds:.0f} s): does the daemon at {self.host} hang? "
                "check with `docker version`; what it began may be done, and running the same again continues"
            ) from None

    def failed(self, done: Done, doing: str) -> Refused:
        """The exception for a program that failed. Only the daemon itself can show that it is gone."""
        if done.code < 0:
            return Refused(f"{doing}: docker was ended by signal {-done.code}; run the command again")
        refused = refusal(done.err or done.out, doing, self.host, self.masks)
        if refused.kind == "" and not self.answers():
            refused.message += f"; the Docker daemon at {self.host} does not answer any more"
            refused.kind = "down"
        return refused

    def answers(self) -> bool:
        try:
            question = ("docker", "version", "--format={{.Server.Version}}")
            done = self.tried(*question, doing="asking the daemon", seconds=10)
        except (ApplyFailed, WaitTimedOut):
            return False
        return done.code == 0

    def compose(self) -> tuple[str, ...]:
        """The plugin or the standalone program, found once. ApplyFailed where there is none, or only an old one."""
        old, least = "", ".".join(map(str, OLDEST))
        for program in (("docker", "compose"), ("docker-compose",)) if self._compose is None else ():
            try:
                done = self._run([*program, "version", "--short"], seconds=CALL_SECONDS, env=self._env())
            except (ProgramMissing, WaitTimedOut):
                continue
            numbers = re.match(r"v?(\d{1,6})\.(\d{1,6})", done.out.strip()) if done.code == 0 else None
            if numbers and (int(numbers[1]), int(numbers[2])) >= OLDEST:
                self._compose = program
                break
            old = old or (f"{' '.join(program)} {numbers[1]}.{numbers[2]}" if numbers else "")
        if self._compose is None and old:
            raise ApplyFailed(f"{old} is too old: {least} or newer is needed (env_file with format: raw)")
        if self._compose is None:
            raise ProgramMissing(
                f"docker compose is not installed: neither the plugin nor docker-compose was found; {least} or newer "
                "is needed (https://docs.docker.com/compose/install/)"
            )
        return self._compose

    def background(self, *argv: str) -> AbstractContextManager[Background]:
        """A program that runs until its context ends."""
        return self._start(list(argv), env=self._env())

    def _env(self) -> Mapping[str, str]:
        return {**_STEERING, "DOCKER_HOST": self.host}


def known_name(name: str, field: str) -> str:
    """The name, if docker takes such names: nothing else reaches an argument list."""
    if not _NAME.fullmatch(name):
        raise UsageMistake(f"{field}: {excerpt(name)!r} is not a name that docker takes")
    return name


def json_lines(text: str, shape: command.Shape, doing: str) -> list[dict[str, Any]]:
    return [command.parsed(line, shape, doing, "docker") for line in text.splitlines()]


def refusal(output: str, doing: str, host: str, masks: Iterable[str]) -> Refused:
    """The last message of the output, with advice; without the values of ``masks``."""
    messages, image = [], ""
    for event in _events(output[-_READ:]):
        name = str(event.get("id", ""))
        if event.get("error") or "message" in event:
            messages.append(str(event.get("message", "")))
        elif event.get("status") == "Error" and name.startswith("Image "):
            image = excerpt(name.removeprefix("Image "), 200)
    text = masked(messages[-1] if messages else "it printed no error", masks)
    brief = excerpt(text, SHOWN)
    if match := matched(KINDS, text):
        row, about = match[0], excerpt(match[1], 200) or image
        words = row.words.format(about=about, host=host, text=brief) if row.words else brief
        return Refused(f"{doing}: {words}; {row.advice}", kind=row.name, about=about)
    if image:
        text = _NO_IMAGE.format(about=image, text=brief)
        return Refused(f"{doing}: {text}; {_GET_IMAGE}", kind="image", about=image)
    return Refused(f"{doing}: {brief}")


def _events(output: str) -> Iterator[dict[str, object]]:
    """Those of ``--progress=json``; any other line is a message, except compose's own warnings."""
    for line in filter(None, map(str.strip, output.splitlines())):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict):
            yield event
        elif not re.match(r'time="[^"]*" level=(warning|info|debug)', line):
            yield {"message": line}

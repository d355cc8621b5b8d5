"""docker and docker compose as they are called: where the daemon is, argument lists, failures told apart."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from renderer import command
from renderer.command import Background, Done, ProgramMissing
from renderer.errors import ApplyFailed, UsageMistake, WaitTimedOut, excerpt
from renderer.orchestrators.contract import DockerConfig
from renderer.orchestrators.docker.faults import Refused, refusal

#: The first compose that takes ``env_file`` with ``format: raw``, which is rendered.
OLDEST = (2, 30)
#: Seconds for a question to the daemon.
CALL_SECONDS = 30.0
#: Names that docker itself gives or takes: nothing else reaches an argument list.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
#: What steers compose from outside: nothing but the arguments may. Orphans are removed by us alone, if they are ours.
_STEERING: Mapping[str, str] = {
    "COMPOSE_REMOVE_ORPHANS": "0",
    "COMPOSE_IGNORE_ORPHANS": "1",
    "COMPOSE_ANSI": "never",
    "COMPOSE_MENU": "0",
    "COMPOSE_PROFILES": "",
    "COMPOSE_STATUS_STDOUT": "0",
    "DOCKER_CLI_HINTS": "false",
}


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
        self.host = _host(config, environ)
        self.environ = environ
        self._run = run
        self._start = start
        self._compose: tuple[str, ...] | None = None
        #: Values that no message may show, and the words for them.
        self.masks: set[str] = set()

    def docker(self, doing: str, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        """What docker writes to stdout; Refused (or WaitTimedOut) with ``doing`` in front where it fails."""
        done = self.tried("docker", *arguments, doing=doing, seconds=seconds)
        if done.code:
            raise self.failed(done, doing)
        return done.out

    def tried(self, *argv: str, doing: str, seconds: float = CALL_SECONDS, stdin: bytes = b"") -> Done:
        """Runs to the end, whatever the end is."""
        try:
            return self._run(list(argv), seconds=seconds, stdin=stdin, env=self._env())
        except ProgramMissing as missing:
            raise ProgramMissing(
                f"{missing.message}: install Docker's command line (https://docs.docker.com/engine/install/)"
            ) from None
        except WaitTimedOut as late:
            raise WaitTimedOut(
                f"{doing}: {late.message} ({seconds:.0f} s): does the daemon at {self.host} hang? "
                "`docker version` tells; what it began may stand, and the same again continues"
            ) from None

    def failed(self, done: Done, doing: str) -> Refused:
        """The exception for a program that failed. Only the daemon itself can say that it is gone."""
        if done.code < 0:
            return Refused(f"{doing}: {excerpt('docker')} was ended by signal {-done.code}; run the same again")
        found = refusal(done.err or done.out, doing, self.host, self.masks)
        if found.kind == "" and not self.answers():
            return Refused(f"{found.message}; the Docker daemon at {self.host} does not answer any more", "down")
        return found

    def answers(self) -> bool:
        """Whether the daemon does."""
        try:
            done = self.tried(
                "docker", "version", "--format={{.Server.Version}}", doing="asking the daemon", seconds=10
            )
        except (ApplyFailed, WaitTimedOut):
            return False
        return done.code == 0

    def compose(self) -> tuple[str, ...]:
        """The plugin or the standalone program: found once. ApplyFailed where there is none, or only an old one."""
        if self._compose is None:
            self._compose = self._found()
        return self._compose

    def _found(self) -> tuple[str, ...]:
        old = ""
        for program in (("docker", "compose"), ("docker-compose",)):
            version = self._version(program)
            if version and version >= OLDEST:
                return program
            old = old or ("" if version is None else f"{' '.join(program)} {'.'.join(map(str, version))}")
        least = ".".join(map(str, OLDEST))
        if old:
            raise ApplyFailed(f"{old} is too old: {least} or newer is needed (env_file with format: raw)")
        raise ProgramMissing(
            f"docker compose is not installed: neither the plugin nor docker-compose is there; {least} or newer is "
            "needed (https://docs.docker.com/compose/install/)"
        )

    def _version(self, program: Sequence[str]) -> tuple[int, int] | None:
        try:
            done = self._run([*program, "version", "--short"], seconds=CALL_SECONDS, env=self._env())
        except (ProgramMissing, WaitTimedOut):
            return None
        found = re.match(r"v?(\d{1,6})\.(\d{1,6})", done.out.strip()) if done.code == 0 else None
        return (int(found[1]), int(found[2])) if found else None

    def background(self, *argv: str) -> AbstractContextManager[Background]:
        """A program that goes on until its context ends."""
        return self._start(list(argv), env=self._env())

    def _env(self) -> Mapping[str, str]:
        return {**_STEERING, "DOCKER_HOST": self.host}


def _host(config: DockerConfig, environ: Mapping[str, str]) -> str:
    if not config.host:
        return f"unix://{config.socket_path}"
    port = config.port or (2376 if environ.get("DOCKER_TLS_VERIFY") else 2375)
    host = f"[{config.host}]" if ":" in config.host and not config.host.startswith("[") else config.host
    return f"tcp://{host}:{port}"


def known_name(name: str, what: str) -> str:
    """The name, if docker could have given it: nothing else reaches an argument list."""
    if not _NAME.fullmatch(name):
        raise UsageMistake(f"{what}: {excerpt(name)!r} is not a name that docker takes")
    return name


def json_lines(text: str, doing: str) -> list[dict[str, Any]]:
    """One object a line."""
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise ApplyFailed(f"{doing}: docker's answer is not JSON ({excerpt(line, 80)})")
        found.append(value)
    return found

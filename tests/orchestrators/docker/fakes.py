"""Programs called docker and docker-compose, which answer as they are told; and containers as docker tells them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from renderer.orchestrators.docker.containers import Container, container_of

VERSION = "5.6.1"
ID = "a" * 64


class Fakes:
    """A folder that comes first on the PATH. Answers are tried in the order in which they were given, newest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._answers: dict[str, list[str]] = {"docker": [], "docker-compose": []}
        self.answer("docker", "version *", out="20.10.24\n")
        self.answer("docker", "compose version *", err="unknown command: docker compose", code=1)
        self.answer("docker-compose", "version *", out=f"{VERSION}\n")
        self.answer("docker", "ps *")
        self.answer("docker", "volume ls *")
        self.answer("docker", "network ls *")

    def answer(
        self, program: str, pattern: str, *, out: str | bytes = "", err: str = "", code: int = 0, script: str = ""
    ) -> None:
        """``pattern`` is a shell pattern for the arguments; ``script`` runs before the answer is given."""
        place = self.folder / f"{len(list(self.folder.iterdir()))}"
        Path(f"{place}.out").write_bytes(out.encode() if isinstance(out, str) else out)
        Path(f"{place}.err").write_text(err)
        glob = pattern.replace(" ", "\\ ").replace("=", "\\=")
        line = f"{glob}) {script or ':'}; cat {place}.err >&2; cat {place}.out; exit {code};;"
        self._answers[program].insert(0, line)
        self._write(program)

    def remove(self, program: str) -> None:
        (self.folder / program).unlink()

    def _write(self, program: str) -> None:
        cases = "\n".join(self._answers[program])
        text = (
            f'#!/bin/sh\nPATH=/usr/bin:/bin\nprintf "%s\\n" "{program} $*" >>{self.folder}/calls.log\n'
            f'printf "%s\\n" "$DOCKER_HOST" >>{self.folder}/hosts.log\n'
            f'case "$*" in\n{cases}\n*) echo "no answer for: {program} $*" >&2; exit 99;;\nesac\n'
        )
        path = self.folder / program
        path.write_text(text)
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        log = self.folder / "calls.log"
        return log.read_text().splitlines() if log.exists() else []

    def called(self, part: str) -> list[str]:
        return [call for call in self.calls if part in call]

    @property
    def hosts(self) -> set[str]:
        return set((self.folder / "hosts.log").read_text().splitlines())

    def containers(self, *shown: dict[str, Any]) -> None:
        """What ``ps`` lists and ``inspect`` shows."""
        self.answer("docker", "ps *", out="".join(f"{one['id']}\n" for one in shown))
        self.answer("docker", "inspect *", out="".join(json.dumps(one) + "\n" for one in shown))


def shown(
    service: str = "mcp-demo", status: str = "running", number: int = 1, *, id_: str = "", **more: Any
) -> dict[str, Any]:
    """One container, as our form of ``docker inspect`` shows it; ``state``, ``labels``: what differs."""
    labels = {
        "mcpctl.io/managed": "true",
        "mcpctl.io/server": "demo",
        "mcpctl.io/owner": "me",
        "app.kubernetes.io/name": "mcp-demo",
        "app.kubernetes.io/component": "mcp-server" if service == "mcp-demo" else "prepare",
        "com.docker.compose.project": "mcp-demo",
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": str(number),
        **more.pop("labels", {}),
    }
    state = {"Status": status, "ExitCode": 0, "Error": "", "StartedAt": "2026-11-21T12:00:00Z", **more.pop("state", {})}
    return {
        "id": id_ or f"{number}{ID[1:]}",
        "name": f"/mcp-demo-{service}-{number}",
        "created": "2026-11-21T12:00:00Z",
        "restarts": 0,
        "state": state,
        "image": "demo:1",
        "labels": labels,
        "grace": 30,
        "policy": "unless-stopped" if service == "mcp-demo" else "no",
        "ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]} if status == "running" else {},
        "mounts": [],
        **more,
    }


def container(*arguments: Any, **more: Any) -> Container:
    """The same as a value."""
    return container_of(shown(*arguments, **more))

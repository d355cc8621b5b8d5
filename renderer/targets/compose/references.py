"""What a compose project takes from outside: variables, and files that somebody puts beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from renderer.model import JSON, ConfigMapRef, EnvFrom, File, SecretRef, Server

Ref = SecretRef | ConfigMapRef

#: Variables that steer docker compose itself; none of ours may be taken for one.
_NOT_OURS = ("COMPOSE_", "DOCKER_")


def literal(text: str) -> str:
    """Text that docker compose leaves alone: in values, never in keys, it reads ``$$`` as ``$``."""
    return text.replace("$", "$$")


def origin(ref: Ref) -> str:
    """Which key of what, in words; names and keys hold nothing that compose would interpolate."""
    kind, name = ("secret", ref.secret) if isinstance(ref, SecretRef) else ("configMap", ref.config_map)
    return f"key {ref.key} of {kind} {name}"


def variable(ref: Ref) -> str:
    """The variable that stands for the reference: GITHUB_TOKEN_TOKEN for key token of github-token."""
    name = re.sub("[^A-Z0-9]", "_", f"{_owner(ref)}_{ref.key}".upper())
    return f"MCP_{name}" if name[0].isdigit() or name.startswith(_NOT_OURS) else name


def expression(ref: Ref) -> str:
    """What compose replaces by the variable's value; it refuses to start where a needed one is missing."""
    return f"${{{variable(ref)}:-}}" if ref.optional else f"${{{variable(ref)}:?{origin(ref)}}}"


def references(server: Server) -> Iterator[tuple[str, Ref]]:
    """The server's variables that are references, each with its name in the container."""
    for name, value in server.env.items():
        if not isinstance(value, str):
            yield name, value


def env_file(item: EnvFrom) -> dict[str, JSON]:
    """An entry of ``env_file``; taken raw, because a value may contain ``$``."""
    return {"path": env_path(item), "required": not item.optional, "format": "raw"}


def env_path(item: EnvFrom) -> str:
    """Where the variables of a whole Secret or ConfigMap are expected; the two may have one name."""
    return f"./env/{item.kind.lower()}s/{item.name}.env"


def _owner(ref: Ref) -> str:
    return ref.secret if isinstance(ref, SecretRef) else ref.config_map


class Need(NamedTuple):
    """A variable or path that somebody else fills, and with what."""

    name: str
    meaning: str
    optional: bool = False


@dataclass(slots=True)
class FileMounts:
    """The files of one server: entries at the top of the project, grants of the service, files beside.

    ``beside`` maps a path below the project's folder to the text that we write there; ``needed`` are
    the paths that somebody else fills. Owner and mode are those of the file on the machine: compose
    ignores what a grant says of them.
    """

    server: Server
    inline: bool
    configs: dict[str, dict[str, JSON]] = field(default_factory=dict)
    secrets: dict[str, dict[str, JSON]] = field(default_factory=dict)
    config_grants: list[dict[str, JSON]] = field(default_factory=list)
    secret_grants: list[dict[str, JSON]] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)
    needed: list[Need] = field(default_factory=list)

    def __post_init__(self) -> None:
        for file in self.server.files:
            if isinstance(file.source, str):
                self._write(file.path, file.source)
            else:
                self._refer(file, file.source)

    @property
    def copied(self) -> bool:
        """Whether compose has to copy text into the container, which it cannot do when that is read-only."""
        return self.inline and any("content" in source for source in self.configs.values())

    def _write(self, path: str, text: str) -> None:
        name = self._name(path)
        source: dict[str, JSON] = {"content": literal(text)} if self.inline else {"file": f"./files/{name}"}
        if not self.inline:
            self.beside[f"files/{name}"] = text
        key = f"{self.server.resource_name}.{name}"
        self.configs[key] = source
        self.config_grants.append({"source": key, "target": path})

    def _refer(self, file: File, ref: Ref) -> None:
        # Neither an object's name nor our own keys contain '_', so no two things get one key.
        key = f"{_owner(ref)}_{ref.key}"
        is_secret = isinstance(ref, SecretRef)
        place = f"./{'secrets' if is_secret else 'configs'}/{_owner(ref)}/{ref.key}"
        top, grants = (self.secrets, self.secret_grants) if is_secret else (self.configs, self.config_grants)
        top[key] = {"file": place}
        grants.append({"source": key, "target": file.path})
        user = self.server.security.run_as_user
        self.needed.append(Need(place, f"{origin(ref)}, readable by user {user}"))

    def _name(self, path: str) -> str:
        """The file's own name, made longer or counted where two are alike, also on a case-blind disk."""
        # No hidden files: they are overlooked, and the names of our temporary files begin with a dot.
        steps = [re.sub("[^-.a-z0-9]", "-", step.lower()).lstrip(".") or "file" for step in path.strip("/").split("/")]
        names = ["-".join(steps[-n:])[-200:] for n in range(1, len(steps) + 1)]
        counted = [f"{names[-1]}.{n}" for n in range(2, len(self.configs) + 3)]
        taken = {key.removeprefix(f"{self.server.resource_name}.") for key in self.configs}
        return next(name for name in [*names, *counted] if name not in taken)

"""The containers that mcpctl manages, by their labels.

``docker inspect`` as a whole holds every secret in clear (``.Config.Env``): only the parts below are ever asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from renderer.errors import ApplyFailed, excerpt
from renderer.labels import SERVER_LABEL
from renderer.orchestrators.contract import MANAGED_LABEL, NAME_LABEL, OWNER_LABEL
from renderer.orchestrators.docker.client import Client, json_lines

#: Digest of the files that it mounts: compose does not see that their content changed.
FILES_LABEL = "mcpctl.io/files"
COMPONENT_LABEL = "app.kubernetes.io/component"
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
HASH_LABEL = "com.docker.compose.config-hash"
NUMBER_LABEL = "com.docker.compose.container-number"

#: Containers asked for in one call: an argument list has its limits.
_AT_ONCE = 200
_ID = re.compile(r"[0-9a-f]{12,64}")
_PARTS = {
    "id": ".Id",
    "name": ".Name",
    "created": ".Created",
    "restarts": ".RestartCount",
    "state": ".State",
    "image": ".Config.Image",
    "labels": ".Config.Labels",
    # Missing where the image and compose say nothing of it.
    "grace": '(index .Config "StopTimeout")',
    "policy": ".HostConfig.RestartPolicy.Name",
    "ports": ".NetworkSettings.Ports",
    "mounts": ".Mounts",
}
_SHAPE = {
    **dict.fromkeys(("id!", "name!", "image!", "policy!"), str),
    "restarts!": int,
    "grace": int,
    "state!": {
        **dict.fromkeys(("Status", "Error", "StartedAt"), str),
        **dict.fromkeys(("OOMKilled", "Restarting"), bool),
        "ExitCode": int,
        "Health": {"Status": str, "Log": [{"Output": str}]},
    },
    "labels": {...: str},
    "ports": {...: [{"HostIp": str, "HostPort": str}]},
    "mounts": [{"Source": str}],
}
_FORM = "{" + ",".join(f'"{key}":{{{{json {part}}}}}' for key, part in _PARTS.items()) + "}"


class Container(NamedTuple):
    """``state`` is docker's State object, ``ports`` and ``mounts`` as in docker inspect."""

    id: str
    name: str
    image: str
    restarts: int
    policy: str
    grace: int
    state: Mapping[str, Any]
    labels: Mapping[str, str]
    ports: Mapping[str, Any]
    mounts: Sequence[Mapping[str, Any]]

    @property
    def project(self) -> str:
        return self.labels.get(PROJECT_LABEL, "")

    @property
    def service(self) -> str:
        return self.labels.get(SERVICE_LABEL, "")

    @property
    def server(self) -> str:
        return self.labels.get(SERVER_LABEL, "")

    @property
    def owner(self) -> str:
        return self.labels.get(OWNER_LABEL, "")

    @property
    def managed(self) -> bool:
        return self.labels.get(MANAGED_LABEL) == "true"

    @property
    def is_main(self) -> bool:
        """The server itself, not a sidecar."""
        return self.labels.get(COMPONENT_LABEL) == "mcp-server"

    @property
    def is_one_shot(self) -> bool:
        """Runs once before the server, and ends."""
        return self.policy in ("", "no")

    @property
    def status(self) -> str:
        return str(self.state.get("Status", ""))

    @property
    def code(self) -> int:
        return int(self.state.get("ExitCode") or 0)

    @property
    def runs(self) -> bool:
        return self.status == "running"


def ours(**more: str) -> dict[str, str]:
    """The labels to look for; ``server``, ``instance`` and ``owner`` narrow them."""
    names = {"server": SERVER_LABEL, "instance": NAME_LABEL, "owner": OWNER_LABEL}
    return {MANAGED_LABEL: "true", **{names[key]: value for key, value in more.items()}}


def find(client: Client, labels: Mapping[str, str], doing: str) -> list[Container]:
    """Running or not, by name."""
    containers = inspected(client, ids(client, labels, doing), doing)
    # The daemon may have ignored the filter.
    labelled = (container for container in containers if labels.items() <= container.labels.items())
    return sorted(labelled, key=lambda container: container.name)


def ids(client: Client, labels: Mapping[str, str], doing: str) -> list[str]:
    filters = [f"--filter=label={key}={value}" for key, value in labels.items()]
    lines = client.docker(doing, "ps", "--all", "--no-trunc", *filters, "--format={{.ID}}").split("\n")
    listed = [line.strip() for line in lines if line.strip()]
    if strange := [text for text in listed if not _ID.fullmatch(text)]:
        raise ApplyFailed(f"{doing}: docker's answer is not a list of containers ({excerpt(strange[0], 80)})")
    return listed


def inspected(client: Client, wanted: Sequence[str], doing: str) -> Iterator[Container]:
    """Without those that have gone since they were listed."""
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        done = client.tried("docker", "inspect", "--type=container", f"--format={_FORM}", *some, doing=doing)
        if done.code and (failed := client.failed(done, doing)).kind != "gone":
            raise failed
        yield from map(container_of, json_lines(done.out.strip(), _SHAPE, doing))


def container_of(data: Mapping[str, Any]) -> Container:
    return Container(
        id=data["id"],
        name=data["name"].lstrip("/"),
        image=data["image"],
        restarts=data["restarts"],
        policy=data["policy"],
        grace=data.get("grace") or 10,
        state=data["state"],
        labels=data.get("labels", {}),
        ports=data.get("ports", {}),
        mounts=data.get("mounts", []),
    )

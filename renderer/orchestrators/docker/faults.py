"""What docker and compose write when they fail, in plain words, without any value of a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from renderer.errors import ApplyFailed, excerpt

#: Characters of one text from outside that are shown.
SHOWN = 400
#: Shorter values are not looked for: they stand in every text.
_LEAST_MASKED = 4
#: stderr of a program that was made to write without end.
_READ = 256 * 1024


class Refused(ApplyFailed):
    """``kind`` is '' where the text has to speak for itself; ``about`` is the port, image or service of it."""

    def __init__(self, message: str, kind: str = "", about: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.about = about


#: Kind, pattern with what it is about, and what to do. The first that fits.
_KINDS: tuple[tuple[str, str, str], ...] = (
    ("permission", r"permission denied while trying to connect", "add yourself to the group docker, or use sudo"),
    (
        "down",
        r"Cannot connect to the Docker daemon|failed to connect to the docker API|error during connect|"
        r"Is the docker daemon running|connection reset by peer|unexpected EOF",
        "start it, or say where it is (docker.socketPath, docker.host, docker.port), and run the same again",
    ),
    (
        "port",
        r"(?:Bind for |listen tcp[46]? )\S*?:(\d+)(?: failed: port is already allocated|: bind: address already in)",
        "end what has it, or set network.publish.port",
    ),
    ("variable", r"required variable (\w+) is missing a value", "set it in the environment or in the .env file"),
    ("oneshot", r'service "([^"]+)" didn\'t complete successfully', "see why it failed"),
    (
        "file",
        r"env file (\S+) not found|bind source path does not exist: (\S+)",
        "make it; the head of the file says what belongs in it",
    ),
    (
        "network",
        r"network (\S+) was found but has incorrect label",
        "somebody else made that network: remove it, or configure another docker.network",
    ),
    (
        "image",
        r"No such image: (\S+)|pull access denied for ([^\s,]+)|manifest for (\S+) not found|manifest unknown",
        "check its name and tag, docker login, or load it with `docker load`",
    ),
    ("name", r'container name "/?([^"]+)" is already in use', "remove or rename that container"),
    ("gone", r"No such (?:container|object): (\S+)", "run the same again"),
    ("since", r'invalid value for "since"', "give a duration such as 10m, or a time such as 2026-01-31T12:00:00Z"),
)


def refusal(said: str, doing: str, host: str, masks: Iterable[str]) -> Refused:
    """The last word of what was written to stderr, with what to do about it."""
    messages, image = _told(said[-_READ:])
    text = masked(messages[-1] if messages else "it did not say why", masks)
    for kind, pattern, advice in _KINDS:
        if found := re.search(pattern, text):
            about = excerpt(next((group for group in found.groups() if group), ""), 200)
            return Refused(f"{doing}: {_words(kind, about or image, text, host)}; {advice}", kind, about or image)
    if image:
        told = f"the image {image} cannot be pulled, and is not on the machine of the daemon: {excerpt(text, SHOWN)}"
        return Refused(f"{doing}: {told}; check its name and tag, docker login, or load it", "image", image)
    return Refused(f"{doing}: {excerpt(text, SHOWN)}")


def _words(kind: str, about: str, text: str, host: str) -> str:
    shown = excerpt(text, SHOWN)
    return {
        "permission": f"you may not use the Docker daemon at {host}",
        "down": f"the Docker daemon at {host} does not answer ({shown})",
        "port": f"port {about} of the machine is taken",
        "image": f"the image {about} cannot be pulled, and is not on the machine of the daemon ({shown})",
        "file": f"the file {about} is not there",
    }.get(kind, shown)


def _told(said: str) -> tuple[list[str], str]:
    """Messages in their order, without progress; and the image whose pull failed."""
    messages: list[str] = []
    image = ""
    for event in _events(said):
        name = str(event.get("id", ""))
        if event.get("error") or "message" in event:
            messages.append(str(event.get("message", "")))
        elif event.get("status") == "Error" and name.startswith("Image "):
            image = excerpt(name.removeprefix("Image "), 200)
    return messages, image


def _events(said: str) -> Iterator[dict[str, object]]:
    for line in filter(None, map(str.strip, said.splitlines())):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict):
            yield event
        # Warnings of compose itself.
        elif not re.match(r'time="[^"]*" level=(warning|info|debug)', line):
            yield {"message": line}


def masked(text: str, values: Iterable[str]) -> str:
    """The text without any of these values."""
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _LEAST_MASKED:
            text = text.replace(value, "***")
    return text

"""Logs of all replicas of an instance: one compose, whose prefix tells them apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from renderer.errors import UsageMistake
from renderer.orchestrators.contract import LogLine, LogOptions
from renderer.orchestrators.docker.client import Client
from renderer.orchestrators.docker.containers import NUMBER_LABEL, Container
from renderer.orchestrators.docker.faults import Refused

#: ``web-1  | text``. Compose pads the names, and clears the line before it tells that a container ended.
_PREFIX = re.compile(r"^([\w.-]+-\d+) +\| ?(.*)$", re.DOTALL)
_CLEARED = "\x1b[K"


def arguments(containers: Sequence[Container], options: LogOptions) -> list[str]:
    """Of the services of one project, all found by its labels: neither file nor variables are needed."""
    asked = [f"--project-name={containers[0].project}", "logs", "--no-color"]
    asked += [f"--tail={options.tail}"] if options.tail is not None else []
    asked += [f"--since={options.since}"] if options.since else []
    asked += ["--timestamps"] if options.timestamps else []
    asked += ["--follow"] if options.follow else []
    return [*asked, "--", *sorted({one.service for one in containers})]


def read(client: Client, containers: Sequence[Container], options: LogOptions) -> Iterator[LogLine]:
    """Line after line. Closing it ends the program; the end of the daemon is an error, not an end."""
    if options.previous:
        raise UsageMistake("docker keeps one log over all restarts of a container: leave --previous out")
    names = {f"{one.service}-{one.labels.get(NUMBER_LABEL)}": one.name for one in containers}
    return _lines(client, containers, options, names)


def _lines(
    client: Client, containers: Sequence[Container], options: LogOptions, names: dict[str, str]
) -> Iterator[LogLine]:
    doing = f"reading the log of {containers[0].service}"
    last = containers[0].name
    project = containers[0].project
    with client.background(*client.compose(), *arguments(containers, options)) as running:
        while not running.over:
            for line in running.lines(3600.0):
                text = line.removeprefix(_CLEARED)
                if found := _PREFIX.match(text):
                    last, text = names.get(found[1], f"{project}-{found[1]}"), found[2]
                yield LogLine(last, text)
        done = running.end()
    if done.code:
        raise client.failed(done, doing)
    # It ends as if all were well when the daemon dies.
    if options.follow and not client.answers():
        raise Refused(f"{doing}: the Docker daemon at {client.host} does not answer any more", "down")

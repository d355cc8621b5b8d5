"""Odd but valid JSON in the place of any part of what docker answers: a failure that says what is odd, no defect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from renderer.command import Done
from renderer.errors import ApplyFailed, McpctlError
from renderer.orchestrators.contract import DockerConfig
from renderer.orchestrators.docker.client import Client, refusal
from renderer.orchestrators.docker.removal import volumes_of
from renderer.orchestrators.docker.status import observe
from tests.orchestrators.docker.fakes import shown
from tests.orchestrators.kubernetes.test_odd_answers import JUNK, put, walk

RUNNING = shown(
    state={"Health": {"Status": "unhealthy", "Log": [{"Output": "no"}]}, "Error": "", "OOMKilled": False},
    ports={"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
    mounts=[{"Type": "bind", "Source": "/a"}],
)


def test_no_answer_about_a_container_is_a_defect() -> None:
    refused = 0
    for path in walk(RUNNING):
        for junk in JUNK:
            data = put(RUNNING, path, junk)

            def run(argv: list[str], *, data: Any = data, **_: Any) -> Done:
                return Done(0, json.dumps(data) if "inspect" in argv else f"{RUNNING['id']}\n" * ("ps" in argv), "")

            try:
                observe(Client(DockerConfig(), run=run), "mcp-demo")
            except McpctlError as error:
                refused += "cannot be read" in error.message
    assert refused > 100


@pytest.mark.parametrize("junk", [*JUNK, {"Name": 1}, {"Name": None}])
def test_no_answer_about_volumes_is_a_defect(junk: Any) -> None:
    with pytest.raises(ApplyFailed, match="docker's answer cannot be read"):
        volumes_of(Client(DockerConfig(), run=lambda argv, **_: Done(0, json.dumps(junk), "")), "a", "b")


@pytest.mark.parametrize("junk", JUNK)
def test_no_event_is_a_defect(junk: Any) -> None:
    event = {"id": "Image a", "status": "Error", "message": "x", "error": "y"}
    for path in walk(event):
        assert refusal(json.dumps(put(event, path, junk)), "starting", "unix:///x", ()).message

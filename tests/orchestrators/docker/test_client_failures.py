"""What was really written to stderr (docker-compose 5.6, Engine 20.10), and what becomes of it."""

from __future__ import annotations

import json

import pytest

from renderer.orchestrators.docker.client import refusal
from renderer.orchestrators.failures import masked

HOST = "unix:///x.sock"
NO_REGISTRY = 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host'
PULL = [
    {"id": "Image demo:1", "status": "Working", "text": "Pulling"},
    {"id": "Image demo:1", "status": "Error", "text": "Error", "details": NO_REGISTRY},
    {"error": True, "message": f"Error response from daemon: {NO_REGISTRY}"},
]
ENDPOINT = "Error response from daemon: driver failed programming external connectivity on endpoint x (abc): "


@pytest.mark.parametrize(
    ("said", "kind", "about", "words"),
    [
        ("\n".join(map(json.dumps, PULL)), "image", "demo:1", "the image demo:1 cannot be pulled"),
        ("Error response from daemon: No such image: demo:2", "image", "demo:2", "the image demo:2 cannot be pulled"),
        (f"{ENDPOINT}Bind for 127.0.0.1:18080 failed: port is already allocated", "port", "18080", "port 18080 of"),
        (f"{ENDPOINT}Error: listen tcp4 127.0.0.1:81: bind: address already in use", "port", "81", "port 81 of"),
        (
            "Cannot connect to the Docker daemon at x. Is the docker daemon running?",
            "down",
            "",
            f"daemon at {HOST} does",
        ),
        ("failed to connect to the docker API at x; check if the path is correct", "down", "", "start it"),
        ("permission denied while trying to connect to the docker API at x", "permission", "", "the group docker"),
        ('service "p" didn\'t complete successfully: exit 4', "oneshot", "p", "exit 4"),
        ("env file /w/env/secrets/s.env not found: stat", "file", "/w/env/secrets/s.env", "s.env does not exist"),
        ("network n was found but has incorrect label x set to ''", "network", "n", "another program made"),
        ("network n declared as external, but could not be found", "external", "n", "docker network create"),
        ('The container name "/x" is already in use by container', "name", "x", "rename"),
        ('invalid value for "since": failed to parse', "since", "", "10m"),
        ('time="now" level=warning msg="a"\nsomething odd\n', "", "", "something odd"),
        ("", "", "", "it printed no error"),
    ],
)
def test_each_has_its_kind_and_what_to_do(said: str, kind: str, about: str, words: str) -> None:
    found = refusal(said, "doing it", HOST, ())
    assert (found.kind, found.about) == (kind, about)
    assert found.message.startswith("doing it: ")
    assert words in found.message


def test_values_of_secrets_are_hidden_longest_first() -> None:
    assert masked("token s3cret-long, s3cret, abc", {"s3cret", "s3cret-long", "abc", ""}) == "token ***, ***, abc"
    found = refusal("invalid value hunter22 for X", "doing it", HOST, {"hunter22"})
    assert "hunter22" not in found.message


@pytest.mark.parametrize("said", ["\x1b[31mred\x1b[0m ::set-output name=x", "\0" * 1_000_000, "x" * 10_000_000])
def test_anything_is_shown_safely_and_short(said: str) -> None:
    message = refusal(said, "doing it", HOST, ()).message
    assert message.isprintable()
    assert len(message) < 1000


@pytest.mark.parametrize("said", ["[" * 100_000, '{"id": 1, "status": 2}', "[]", "null", '{"error": true}'])
def test_odd_json_is_a_text_like_others(said: str) -> None:
    assert refusal(said, "doing it", HOST, ()).message.startswith("doing it: ")

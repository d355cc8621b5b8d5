"""Options of docker run: how they are split, and what becomes of each."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from renderer.importers.docker_flags import Flag, judge_flag, split_run
from renderer.importers.draft import Outcome, Reading, draft_of
from renderer.importers.packages import Word
from tests.importers.readings import source_of

SPLIT = {
    "-it --rm image serve": (["--interactive", "--tty", "--rm"], ["image", "serve"]),
    "-eA=1 --env B=2 -e C image": (["--env A=1", "--env B=2", "--env C"], ["image"]),
    "--env=A=1 image --rm": (["--env A=1"], ["image", "--rm"]),
    "-p 80:80 -v a:/b image": (["--publish 80:80", "--volume a:/b"], ["image"]),
    "-itv a:/b image": (["--interactive", "--tty", "--volume a:/b"], ["image"]),
    "--net host -- image": (["--network host"], ["image"]),
    "--privileged": (["--privileged"], []),
    "-v": (["--volume"], []),
}


@pytest.mark.parametrize(("line", "expected"), SPLIT.items())
def test_options_are_told_from_the_image(line: str, expected: tuple[list[str], list[str]]) -> None:
    flags, rest = split_run([Word(text, (number,)) for number, text in enumerate(shlex.split(line))])
    assert [f"{flag.name} {flag.value}".rstrip() for flag in flags] == expected[0]
    assert [word.text for word in rest] == expected[1]


JUDGED: dict[str, Any] = {
    "-e A=1": {"env": {"A": "1"}},
    "-e A": {"env": {"A": {"configMap": "demo-settings", "key": "A"}}},
    "-e A_TOKEN": {"env": {"A_TOKEN": {"secret": "demo", "key": "A_TOKEN"}}},
    "-v data:/data": {"storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}]},
    "--mount type=volume,src=data,dst=/data,readonly": {
        "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data", "readOnly": True}]
    },
    "--mount type=tmpfs,target=/cache": {"security": {"writablePaths": ["/cache"]}},
    "--pull always": {"imagePullPolicy": "Always"},
    "--stop-timeout 5": {"shutdown": {"graceSeconds": 5}},
    "--pids-limit 64": {"compose": {"pids": 64}},
    "-m 64m": {"resources": {"limits": {"memory": "64Mi"}, "requests": {"memory": "64Mi"}}},
    "--tmpfs /cache:size=1m": {"security": {"writablePaths": [{"path": "/cache", "size": "1Mi"}]}},
    "--shm-size 256m": {"security": {"writablePaths": [{"path": "/dev/shm", "size": "256Mi"}]}},
    "--network none": {"network": {"egress": {}}},
    "-p 8080:3000/tcp": {"transport": {"port": 3000}},
    "-u 1001": {"security": {"runAsUser": 1001}},
    "-w /app": {"workingDir": "/app"},
    "--entrypoint /server": {"command": ["/server"]},
    "-m 512m": {"resources": {"limits": {"memory": "512Mi"}}},
    "--cpus 1.5": {"resources": {"limits": {"cpu": "1.5"}}},
    "--add-host db:192.0.2.1": {"network": {"hostAliases": {"db": "192.0.2.1"}}},
    "--gpus all": {"gpu": {"count": 1}},
}
LOST = (
    "--privileged",
    "--cap-add ALL",
    "--device /dev/kvm",
    "--security-opt seccomp=unconfined",
    "--network host",
    "--network container:x",
    "--network mine",
    "--pid host",
    "--ipc host",
    "-v /:/host",
    "-v /var/run/docker.sock:/var/run/docker.sock",
    "-u 0",
    "-u root",
    "-m lots",
    "--cpus many",
    "-p x",
    "--env-file .env",
    "--volumes-from other",
    "--something=new",
)
IDLE = ("-it", "--rm", "--name demo", "--pull missing", "--read-only", "--init", "--restart always", "--network bridge")


def read_of(line: str) -> Reading:
    reading = Reading(source_of({"words": shlex.split(line)}))
    words = [Word(str(word), path) for path, word in reading.items("words")]
    flags, rest = split_run(words)
    assert rest == []
    for flag in flags:
        judge_flag(reading, flag, "demo")
    return reading


@pytest.mark.parametrize(("line", "spec"), JUDGED.items())
def test_what_a_spec_can_say(line: str, spec: dict[str, Any]) -> None:
    assert read_of(line).document["spec"] == spec


@pytest.mark.parametrize("line", LOST)
def test_nothing_is_weakened_and_the_loss_is_told(line: str) -> None:
    reading = read_of(line)
    assert not reading.document.get("spec"), "nothing is written"
    (entry,) = [entry for entry in reading.entries if entry.outcome in (Outcome.LOST, Outcome.DECISION)]
    assert not entry.harmless
    assert entry.message


@pytest.mark.parametrize("line", IDLE)
def test_what_every_server_has_is_no_loss(line: str) -> None:
    reading = read_of(line)
    assert not reading.document.get("spec")
    assert {entry.outcome for entry in reading.entries} == {Outcome.LOST}
    assert all(entry.harmless for entry in reading.entries)


def test_a_variable_with_no_name_is_refused() -> None:
    reading = Reading(source_of({"words": ["-e"]}))
    judge_flag(reading, Flag(("words", 0), "--env", "A B=1"), "demo")
    (problem,) = draft_of("demo", "test", reading).problems
    assert problem.rule == "import/variable-name"


@pytest.mark.parametrize(("line", "refused"), [("--new-thing image serve", True), ("--new-thing=1 image serve", False)])
def test_an_option_that_nobody_knows_names_no_image(line: str, refused: bool) -> None:
    flags, rest = split_run([Word(text, (number,)) for number, text in enumerate(shlex.split(line))])
    reading = Reading(source_of({"a": "b"}))
    judge_flag(reading, flags[0], "demo")
    assert [word.text for word in rest] == ["image", "serve"]
    assert [problem.rule for problem in reading.problems] == ["import/option"] * refused

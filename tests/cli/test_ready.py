"""Waiting for an answer: by a clock of the test's own."""

from __future__ import annotations

import pytest

from renderer.cli.ready import until_ready
from renderer.command import ACCESS_TOKEN, run
from renderer.errors import ApplyFailed, WaitTimedOut
from renderer.labels import GuardNote
from renderer.orchestrators import failures, mcp_check
from renderer.orchestrators.contract import Handshake, InstanceState, InstanceStatus
from renderer.orchestrators.wait import Time
from tests.cli.commands import Mcpctl
from tests.cli.fake_runtime import SHAKE, FakeRuntime, instance

Answer = Handshake | Exception


class Clock:
    """Goes on only where somebody sleeps."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def waited(
    fake: FakeRuntime, seconds: float, transport: str = "", fail_fast: bool = False
) -> tuple[InstanceStatus, ...]:
    clock = Clock()
    fake.times = Time(clock, clock.sleep)
    return until_ready(fake, ["mcp-demo"], {"demo": transport} if transport else {}, seconds, fail_fast)


@pytest.fixture
def answers(fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """What comes back, one after the other; the last one again and again."""
    fake.instances["mcp-demo"] = instance("demo")
    found: list[Answer] = []

    def handshake(url: str, transport: str, seconds: float) -> Handshake:
        answer = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(mcp_check, "handshake", handshake)
    return found


def test_a_server_may_need_a_moment(
    fake: FakeRuntime, answers: list[Answer], capsys: pytest.CaptureFixture[str]
) -> None:
    answers += [
        mcp_check.Unanswered("connection refused"),
        mcp_check.Unanswered("connection refused"),
        WaitTimedOut("slow"),
        SHAKE,
    ]
    (status,) = waited(fake, 10)
    assert (status.state, status.handshake, status.reason) == (InstanceState.READY, SHAKE, "")
    told = capsys.readouterr().err
    # What says the same is told once.
    assert told.count("connection refused") == 1
    assert told.index("connection refused") < told.index("slow") < told.index("answers:")


def test_a_server_that_wants_credentials_lives_and_is_not_ready(
    fake: FakeRuntime, answers: list[Answer], capsys: pytest.CaptureFixture[str]
) -> None:
    answers.append(mcp_check.Guarded("HTTP 401: it runs, and wants credentials"))
    (status,) = waited(fake, 10)
    assert status.state is InstanceState.RUNNING
    assert status.reason == "not asked over MCP: HTTP 401: it runs, and wants credentials"
    assert capsys.readouterr().err.count("wants credentials") == 1
    assert len(fake.named("reach")) == 1


def _guarded(monkeypatch: pytest.MonkeyPatch, fake: FakeRuntime, check: Exception | None) -> None:
    """A server with a guard, which passes its check or fails it."""

    def checked(url: str, guard: GuardNote, seconds: float) -> None:
        if check:
            raise check

    monkeypatch.setattr(mcp_check, "check_guard", checked)
    fake.instances["mcp-demo"] = instance("demo", guard=GuardNote("https://mcp.example.com/mcp", "", {}))


def test_a_guarded_server_is_done_without_a_token(fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    _guarded(monkeypatch, fake, None)
    (status,) = waited(fake, 10)
    assert status.state is InstanceState.RUNNING
    assert status.reason == "the guard asks for a token, as it should; MCPCTL_ACCESS_TOKEN is not set"


def test_a_guard_that_is_not_in_the_way_fails_the_apply(fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    _guarded(monkeypatch, fake, mcp_check.Refused("expected HTTP 401 without a token, got 200"))
    with pytest.raises(ApplyFailed, match="expected HTTP 401 without a token, got 200"):
        waited(fake, 300)


def test_keys_may_need_a_moment(fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    _guarded(monkeypatch, fake, mcp_check.Unanswered("it cannot fetch the keys (JWKS)"))
    with pytest.raises(WaitTimedOut, match=r"does not answer MCP yet: it cannot fetch the keys \(JWKS\)"):
        waited(fake, 10)


@pytest.mark.parametrize("arguments", [("status",), ("list", "--ask")])
def test_status_and_list_check_a_guard_too(
    arguments: tuple[str, ...], mcpctl: Mcpctl, fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _guarded(monkeypatch, fake, None)
    assert "the guard asks for a token, as it should" in mcpctl(*arguments).out
    _guarded(monkeypatch, fake, mcp_check.Refused("expected HTTP 401 without a token, got 200"))
    done = mcpctl(*arguments, "--output", "json")
    assert "does not answer MCP: expected HTTP 401 without a token, got 200" in done.out
    assert '"guarded": true' in done.out


def test_a_token_is_no_setting_and_reaches_no_program(
    mcpctl: Mcpctl, fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ACCESS_TOKEN, "eyJ-mine")
    done = mcpctl("config")
    assert "eyJ-mine" not in done.out + done.err
    assert "is not a setting" not in done.err
    assert ACCESS_TOKEN not in run(["env"], seconds=30).out


def test_a_right_that_is_missing_ends_the_wait(fake: FakeRuntime, answers: list[Answer]) -> None:
    answers.append(failures.Refused("reaching mcp-demo: may not", kind="forbidden"))
    with pytest.raises(ApplyFailed, match="cannot be asked: reaching mcp-demo: may not"):
        waited(fake, 300)
    answers[0] = failures.Refused("reaching mcp-demo: is away", kind="down")
    with pytest.raises(WaitTimedOut, match="does not answer MCP yet: reaching mcp-demo: is away"):
        waited(fake, 10)


def test_no_wait_installs_the_sdk(fake: FakeRuntime, answers: list[Answer]) -> None:
    answers.append(mcp_check.SdkMissing("the MCP SDK is missing"))
    with pytest.raises(ApplyFailed, match="mcp-demo runs, and the MCP SDK is missing"):
        waited(fake, 300)


def test_the_time_is_over(fake: FakeRuntime, answers: list[Answer]) -> None:
    answers.append(mcp_check.Unanswered("connection refused"))
    with pytest.raises(
        WaitTimedOut,
        match="not ready after 10 s: mcp-demo: 1 of 1 running: does not answer MCP yet: connection refused",
    ):
        waited(fake, 10)
    assert len(fake.named("reach")) == 11


@pytest.mark.parametrize(
    ("url", "given", "asked"),
    [
        ("http://127.0.0.1:1/mcp", "", "streamable-http"),
        ("http://127.0.0.1:1/mcp", "sse", "sse"),
        ("http://127.0.0.1:1/sse", "", "sse"),
        ("http://127.0.0.1:1/sse", "streamable-http", "streamable-http"),
        ("http://127.0.0.1:1/mcp", "stdio", "streamable-http"),
    ],
)
def test_by_which_transport_it_is_asked(
    fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch, url: str, given: str, asked: str
) -> None:
    seen: list[tuple[str, str]] = []

    def handshake(url: str, transport: str, seconds: float) -> Handshake:
        seen.append((url, transport))
        return SHAKE

    monkeypatch.setattr(mcp_check, "handshake", handshake)
    fake.instances["mcp-demo"] = instance("demo")
    fake.url = url
    waited(fake, 10, given)
    assert seen == [(url, asked)]


def test_what_does_not_run_is_not_asked(fake: FakeRuntime) -> None:
    fake.instances["mcp-demo"] = instance("demo", state=InstanceState.STOPPED, desired=0)
    (status,) = waited(fake, 10)
    assert status.state is InstanceState.STOPPED
    assert not fake.named("reach")

"""Odd but valid JSON in the place of any part of what kubectl answers: a failure that says what is odd, no defect."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from renderer import command
from renderer.command import Done
from renderer.errors import ApplyFailed, McpctlError
from renderer.orchestrators.contract import InstanceFilters, KubernetesConfig
from renderer.orchestrators.kubernetes import Kubernetes
from renderer.orchestrators.kubernetes.apply import _items
from renderer.orchestrators.kubernetes.client import Kubectl, as_object
from renderer.orchestrators.kubernetes.listing import page_of
from renderer.orchestrators.kubernetes.logs import _run_of
from renderer.orchestrators.kubernetes.objects import effects_of_adoption, others_in
from renderer.orchestrators.kubernetes.port_forward import _target
from renderer.orchestrators.kubernetes.removal import path_of
from renderer.orchestrators.kubernetes.status import Watcher
from renderer.orchestrators.wait import Time
from tests.cluster import Cluster, quick
from tests.orchestrators.kubernetes.conftest import NOW, OWNED, Clock, placed, ready, rendered

JUNK: list[Any] = [1, True, [1], "", None, [], "x", {"a": 1}, [None], -1.5, {}]
Path_ = tuple[str | int, ...]


def walk(data: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every place, the whole first; of long lists the first two items."""
    yield path
    steps = data if isinstance(data, dict) else range(min(len(data), 2)) if isinstance(data, list) else ()
    for step in steps:
        yield from walk(data[step], (*path, step))


def put(data: Any, path: Path_, value: Any) -> Any:
    """A copy, which shares what does not change."""
    if not path:
        return value
    changed = copy.copy(data)
    changed[path[0]] = put(data[path[0]], path[1:], value)
    return changed


class _Replay:
    """Answers as was recorded, and to all else with nothing."""

    def __init__(self, answers: Mapping[tuple[str, ...], Done]) -> None:
        self._answers = answers

    def __call__(self, argv: list[str], **_: Any) -> Done:
        return self._answers.get(tuple(argv), Done(0, "", ""))


def survive(use: Callable[[command.Run], object], answers: dict[tuple[str, ...], Done], stride: int = 1) -> int:
    """Uses every spoilt answer; how many were refused."""
    refused = 0
    for argv, done in answers.items():
        if not done.out.startswith(("{", "[")):
            continue
        data = json.loads(done.out)
        for i, path in list(enumerate(walk(data)))[::stride]:
            for junk in (JUNK[i % len(JUNK)], JUNK[(i * 7 + 3) % len(JUNK)]):
                spoilt = done._replace(out=json.dumps(put(data, path, junk)))

                try:
                    use(_Replay({**answers, argv: spoilt}))
                except McpctlError as error:
                    refused += isinstance(error, ApplyFailed)
                except Exception as defect:
                    raise AssertionError(f"{argv[-4:]} with {junk!r} at {path}: {defect!r}") from defect
    return refused


def looks(config: KubernetesConfig) -> dict[str, Callable[[command.Run], object]]:
    def observe(run: command.Run) -> None:
        watcher = Watcher(Kubectl(config, run=run))
        watcher.observe(["mcp-time"])
        for seen in watcher.snapshots.values():
            for pod in seen.pods:
                _run_of(pod)
                path_of(pod)
            _target(seen)

    def listed(run: command.Run) -> None:
        page_of(Kubectl(config, run=run), InstanceFilters(), "", 50)

    def adopting(run: command.Run) -> None:
        kubectl = Kubectl(config, run=run)
        live = as_object(kubectl.read("x", "get", "namespaces/mcpctl", "--output=json"), "x")
        effects_of_adoption(live, others_in(kubectl, "mcpctl"), ())

    def whole(use: Callable[[Kubernetes], object]) -> Callable[[command.Run], object]:
        def used(run: command.Run) -> None:
            clock = Clock()
            clock.step = 60  # or some spoilt answers are asked for again three hundred times
            use(Kubernetes(Kubectl(config, run=run), now=lambda: NOW, waits=Time(clock, clock.sleep)))

        return used

    operations = {name: whole(use) for name, use in OPERATIONS.items()}
    return {"observe": observe, "list": listed, "adopt": adopting, **operations}


DOCUMENTS = rendered("time", "boxed", whole=True)


def mute(line: str) -> None:
    del line


def yes(what: Sequence[str], precious: bool) -> bool:
    return bool(what) or precious


OPERATIONS: dict[str, Callable[[Kubernetes], object]] = {
    "apply": lambda one: one.apply(DOCUMENTS, OWNED._replace(prune=True, seconds=1), mute, yes),
    "dry run": lambda one: one.apply(DOCUMENTS, OWNED._replace(dry_run="server"), mute, yes),
    "delete": lambda one: one.delete(["time", "boxed"], data=True, tell=mute, confirm=yes),
    "stop": lambda one: one.stop_server("mcp-time"),
    "resume": lambda one: one.resume_server("mcp-time"),
    "restart": lambda one: one.restart_server("mcp-time"),
}
#: What reads the same as "observe" or "list", or takes long: of its places every so many.
STRIDES = {"stop": 30, "resume": 10, "restart": 11, "list": 2, "apply": 4, "delete": 8, "dry run": 8}


@pytest.mark.parametrize(
    ("name", "state"),
    [("observe", "Ready"), ("observe", "CrashLoopBackOff")]
    + [(name, "Ready") for name in ("list", "adopt", *OPERATIONS)],
)
@pytest.mark.usefixtures("connected")
def test_no_answer_is_a_defect(cluster: Cluster, kubeconfig: Path, name: str, state: str) -> None:
    placed(cluster, "time", *(["boxed"] if name == "delete" else []))
    ready(cluster, "mcp-time", state)
    use = looks(KubernetesConfig("mcpctl", str(kubeconfig)))[name]
    answers: dict[tuple[str, ...], Done] = {}

    def recorded(argv: list[str], **options: Any) -> Done:
        answers[tuple(argv)] = done = quick.run(argv, **options)
        return done

    with suppress(McpctlError):
        use(recorded)
    # What each object of an apply or a delete meets is in its own line.
    stride = STRIDES.get(name, 1 if state == "Ready" else 3)
    assert survive(use, answers, stride) > (0 if name in ("apply", "dry run") else 2)


@pytest.mark.parametrize("junk", JUNK)
def test_what_apply_prints_is_read_again_where_it_is_odd(junk: Any) -> None:
    good = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"a": "b"}}}
    for path in walk(good):
        assert len([*_items(json.dumps(put(good, path, junk)))]) <= 1
        assert len([*_items(json.dumps({"items": [put(good, path, junk)]}))]) <= 1


def test_the_message_says_what_is_odd_and_where() -> None:
    odd = {"kind": "Pod", "metadata": {"name": "a"}, "status": {"containerStatuses": [{"restartCount": "many"}]}}
    with pytest.raises(ApplyFailed) as caught:
        as_object(odd, "looking for a")
    assert caught.value.message == (
        "looking for a: kubectl's answer cannot be read: status.containerStatuses[0].restartCount is a string, "
        "and should be a number; is it really kubectl?"
    )
    with pytest.raises(ApplyFailed, match=r"metadata has no name"):
        as_object({"kind": "Pod", "metadata": {}}, "looking for a")


def test_what_is_nested_without_end() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    with pytest.raises(ApplyFailed, match="nested more than 100 levels deep"):
        as_object({"kind": "A", "metadata": {"name": "a"}, "spec": deep}, "looking for a")

"""Work on every core: the same bytes and Problems as on one, in the same order, and no process left over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from renderer import parallel, pipeline
from renderer.model import Options
from renderer.registry import target
from renderer.render import TemplateFault

OPTIONS = Options("mcpctl", "1.35")

SPEC = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {{name: {name}}}
spec:
  image: registry.example.com/{name}:1.0
  transport: {{type: streamable-http}}
  network: {{egress: {{hosts: ["api.example.com"]}}}}
  storage: [{{name: {volume}, size: 1Gi, mountPath: /data}}]
"""
COUNT = 14
GOOD = [SPEC.format(name=f"server-{number:02}", volume="data") for number in range(COUNT)]
TOKEN = "ghp_" + "0123456789abcdefghijABCDEFGHIJ123456"
#: By what it shows: texts in place of those of a fleet that holds, by their position.
FLEETS: dict[str, dict[int, str]] = {
    "a fleet that holds": {},
    "faults in several files": {
        2: GOOD[2].replace("image", "imag"),
        9: GOOD[9].replace("1Gi", "big"),
        13: GOOD[13].replace("transport", "trasport"),
    },
    "texts that are no specs": {0: "", 5: "a: [\n", 11: "kind: Other\n", 13: "- a\n"},
    "several documents in a file": {3: GOOD[3] + "---\n" + SPEC.format(name="more", volume="data") + "---\n3\n"},
    "one name twice, far apart": {1: GOOD[12]},
    "one claim twice, far apart": {0: SPEC.format(name="a", volume="b-c"), 13: SPEC.format(name="a-b", volume="c")},
    "one server calls another": {4: GOOD[4].replace("hosts:", "servers: [server-12, server-4x], hosts:")},
    "a token, and an accepted finding": {
        6: GOOD[6] + f"  env: {{TOKEN: {TOKEN}}}\n",
        7: GOOD[7] + "  accept: [{rule: policy/no-access-control, reason: only ours}]\n",
    },
    "a patch": {8: GOOD[8] + "  patches: [{kind: Service, merge: {spec: {type: NodePort}}}]\n"},
}
ENVIRONMENT = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  target: kubernetes
  defaults: {env: {STAGE: production}}
  patches: [{select: {glob: "*3"}, merge: {replicas: 2}}]
"""


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(parallel, "FEWEST", 4)
    monkeypatch.setattr(pipeline, "FEWEST", 4)
    monkeypatch.setattr(parallel, "_AT_ONCE", 2)


@pytest.fixture
def two_cores(four_cores: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """To fork this process costs as much as a row, and a second process does the same as a fourth."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that were started."""
    started: list[int] = []
    fork = os.fork

    def noted() -> int:
        started.append(fork())
        return started[-1]

    monkeypatch.setattr(os, "fork", noted)
    return started


def are_gone(children: Sequence[int]) -> bool:
    for child in children:
        with suppress(ChildProcessError):
            os.waitpid(child, os.WNOHANG)
            return False
    return True


# ---------------------------------------------------------------------------------------------
# The work itself.


def process_of(item: int) -> tuple[int, int]:
    time.sleep(0)
    return item, os.getpid()


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 30])
def test_results_are_in_the_order_of_the_items(count: int, forks: list[int]) -> None:
    assert [item for item, _ in parallel.each(process_of, range(count))] == list(range(count))
    assert len(forks) == (3 if count >= 4 else 0)
    assert are_gone(forks)


@pytest.mark.parametrize("cores", [{0}, {0, 1}, set(range(100))], ids=len)
def test_as_many_processes_as_cores(cores: set[int], monkeypatch: pytest.MonkeyPatch, forks: list[int]) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)
    assert parallel.each(abs, range(parallel.FEWEST)) == list(range(parallel.FEWEST))
    assert len(forks) == min(len(cores), parallel.MOST_PROCESSES) - 1


@pytest.mark.usefixtures("four_cores", "forks")
def test_no_item_is_worked_on_twice(tmp_path: Path) -> None:
    here, (reading, writing), waited = os.getpid(), os.pipe(), list[bytes]()

    def work(item: int) -> int:
        """A child's first item waits until one was done here."""
        if os.getpid() != here and not waited:
            waited.append(os.read(reading, 1))
        elif item:
            os.write(writing, b".")
        return done.write(bytes([item]))

    with open(tmp_path / "done", "ab", buffering=0) as done:
        parallel.each(work, range(30))
    os.close(reading)
    os.close(writing)
    assert sorted((tmp_path / "done").read_bytes()) == list(range(30))


@pytest.mark.usefixtures("four_cores", "forks")
def test_a_pipe_holds_the_numbers_of_as_many_items_as_there_may_be() -> None:
    assert parallel.each(abs, range(300_000)) == list(range(300_000))


class Negative(parallel.Packing[int, tuple[int, int]]):
    """Sends the number alone, below zero."""

    def pack(self, result: tuple[int, int]) -> int:
        return -result[0]

    def unpack(self, item: int, sent: int) -> tuple[int, int]:
        assert sent == -item
        return item, 0


@pytest.mark.usefixtures("four_cores", "forks")
def test_only_what_comes_from_another_process_is_packed() -> None:
    results = parallel.each(process_of, range(30), Negative())
    assert [item for item, _ in results] == list(range(30))
    assert {process for _, process in results} <= {0, os.getpid()}
    assert results[0] == (0, os.getpid())


def failing(*numbers: int) -> Callable[[int], int]:
    def work(item: int) -> int:
        if item in numbers:
            raise ValueError(item)
        return item

    return work


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize("numbers", [(0, 5), (3, 4, 29), (29,), tuple(range(7, 30))])
def test_the_first_exception_is_that_of_one_core(numbers: tuple[int, ...], forks: list[int]) -> None:
    with pytest.raises(ValueError, match=f"^{numbers[0]}$"):
        parallel.each(failing(*numbers), range(30))
    assert are_gone(forks)


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize(
    "dies", [lambda: os._exit(9), lambda: os.kill(os.getpid(), 9), lambda: lambda: 0], ids=range(3)
)
def test_what_a_child_that_dies_had_to_do_is_done_here(dies: Any, forks: list[int]) -> None:
    """The last one makes what cannot be sent."""
    here = os.getpid()

    def work(item: int) -> Any:
        return item if os.getpid() == here else dies()

    assert parallel.each(work, range(30)) == list(range(30))
    assert are_gone(forks)


@pytest.mark.usefixtures("four_cores")
def test_no_child_is_left_when_somebody_ends_the_parent(forks: list[int]) -> None:
    here = os.getpid()

    def work(item: int) -> int:
        if os.getpid() != here:
            time.sleep(60)
        if item:
            raise KeyboardInterrupt
        return item

    with pytest.raises(KeyboardInterrupt):
        parallel.each(work, range(30))
    assert len(forks) == 3
    assert are_gone(forks)


@pytest.mark.usefixtures("four_cores", "forks")
@pytest.mark.parametrize("count", [3, 30])
def test_who_watches_sees_each_item_once(count: int) -> None:
    seen: list[int] = []

    def watched(items: Sequence[int]) -> Iterator[int]:
        for item in items:
            seen.append(item)
            yield item

    parallel.each(abs, range(count), watched=watched)
    assert seen == list(range(count))


@pytest.mark.usefixtures("four_cores")
def test_a_child_whose_parent_was_killed_works_on_nothing_more(tmp_path: Path) -> None:
    (reading, writing), (waiting, going) = os.pipe(), os.pipe()
    runs = os.fork()
    if not runs:
        here = os.getpid()
        os.close(going)

        def work(item: int) -> int:
            """A child goes on when this process is gone, which ends with its second item."""
            if os.getpid() != here:
                os.read(waiting, 1)
                os.write(writing, bytes([item]))
            elif item:
                os.kill(here, 9)
            return item

        parallel.each(work, range(30))
    os.close(writing)
    os.waitpid(runs, 0)
    os.close(going)
    worked = b"".join(iter(lambda: os.read(reading, 100), b""))
    assert len(worked) <= 3 * 2, "what each of three had taken"
    os.close(reading)
    os.close(waiting)


# ---------------------------------------------------------------------------------------------
# The run.


def everything(paths: list[str], name: str) -> Iterator[object]:
    """All that a run over the files makes, with and without the environment."""
    inputs = pipeline.read_inputs(paths)
    yield inputs.problems, inputs.leaks, [source.place(("metadata", "name")) for source in inputs.sources]
    alone = pipeline.Run(None, name, OPTIONS, pipeline.Specs((), ()))
    for run in pipeline.runs(inputs, inputs.environments, alone):
        output = pipeline.render_run(run, target(name))
        servers = [server._replace(source=server.source._replace(marked=None)) for server in run.specs.servers]
        yield servers, run.specs.problems, output.problems
        yield [(d.path, d.text, d.subject, d.identity) for d in output.documents]


@pytest.fixture
def paths(fleet: str, environment: str, tmp_path: Any) -> list[str]:
    """A file each, and one that is not there."""
    for number, text in enumerate(GOOD):
        (tmp_path / f"{number:02}.yaml").write_text(FLEETS[fleet].get(number, text))
    if environment:
        (tmp_path / "production.yaml").write_text(environment)
    return [str(tmp_path), *([str(tmp_path / "none.yaml")] if fleet == "texts that are no specs" else [])]


#: Each fleet once, and what another target or an environment changes: the stages after the first.
RUNS = {
    **{(fleet, "kubernetes"): ("kubernetes", "") for fleet in FLEETS},
    **{
        (fleet, "environment"): ("kubernetes", ENVIRONMENT)
        for fleet in ("a fleet that holds", "one name twice, far apart")
    },
    **{(fleet, "compose"): ("compose", "") for fleet in ("a fleet that holds", "a token, and an accepted finding")},
    ("faults in several files", "environment"): ("kubernetes", ENVIRONMENT),
    ("one server calls another", "environment"): ("kubernetes", ENVIRONMENT),
}


@pytest.mark.parametrize(
    ("fleet", "name", "environment"),
    [(fleet, *run) for (fleet, _), run in RUNS.items()],
    ids=[f"{fleet}, {run}" for fleet, run in RUNS],
)
def test_every_core_makes_what_one_makes(
    name: str, paths: list[str], request: pytest.FixtureRequest, forks: list[int]
) -> None:
    on_one = list(everything(paths, name))
    assert forks == []
    request.getfixturevalue("two_cores")
    assert list(everything(paths, name)) == on_one
    assert len(forks) >= 2, "to load, and to validate"
    assert are_gone(forks)


@pytest.mark.usefixtures("four_cores")
def test_no_context_is_kept() -> None:
    """They would take more memory than the texts."""
    specs = pipeline.read(["-"], BytesIO("---\n".join(GOOD).encode()))
    documents = pipeline.render(specs, target("kubernetes"), OPTIONS).documents
    assert len(documents) > COUNT
    assert not any(document.context for document in documents if document.path.startswith("server-"))


@pytest.mark.usefixtures("four_cores")
def test_objects_of_one_identity_are_reported_as_on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    # Both claims are called mcp-a-b-c, which the rules between servers would have reported before.
    fleet = {**dict(enumerate(GOOD)), **FLEETS["one claim twice, far apart"]}
    specs = pipeline.read(["-"], BytesIO("---\n".join(fleet.values()).encode()))
    specs = specs._replace(problems=())
    assert len(specs.servers) == COUNT
    several = pipeline.render(specs, target("kubernetes"), OPTIONS)
    monkeypatch.setattr(pipeline, "FEWEST", 10**9)
    assert several == pipeline.render(specs, target("kubernetes"), OPTIONS)
    assert any("duplicate" in problem.rule for problem in several.problems)


@pytest.mark.usefixtures("four_cores")
def test_a_template_that_fails_fails_for_the_first_server(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = pipeline.read(["-"], BytesIO("---\n".join(GOOD).encode()))
    kubernetes = target("kubernetes")
    build = type(kubernetes).build

    def fails(self: Any, group: Any, options: Options) -> Any:
        if group[0].name >= "server-05":
            raise TemplateFault(group[0].name)
        return build(self, group, options)

    monkeypatch.setattr(type(kubernetes), "build", fails)
    with pytest.raises(TemplateFault, match="server-05"):
        pipeline.build_and_check(kubernetes, [(server,) for server in specs.servers], OPTIONS)


@pytest.mark.usefixtures("four_cores")
def test_files_are_opened_where_they_can_be_watched(tmp_path: Any, forks: list[int]) -> None:
    """--watch sees what this process opens: a child's locks it would not."""
    package = "  package: {registry: pypi, name: thing, version: 1.0.0, lock: uv.lock}\n"
    for number, text in enumerate(GOOD):
        spec = text.replace("  image:", "  description:").replace("streamable-http", "stdio") + package
        (tmp_path / f"{number:02}.yaml").write_text(spec)
    (tmp_path / "uv.lock").write_text("version = 1\n")
    opened, really = [], os.open

    def noted(path: str, *rest: Any) -> int:
        opened.append(path)
        return really(path, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", noted)
        pipeline.read([str(tmp_path)])
    assert forks
    assert opened.count(str(tmp_path / "uv.lock")) == COUNT

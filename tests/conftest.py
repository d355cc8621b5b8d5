"""Settings that all tests share."""

from __future__ import annotations

import gc
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType

import jinja2
import pytest
from hypothesis import HealthCheck, settings
from jinja2.bccache import Bucket, BytecodeCache

from renderer.policy.catalogue import RULES
from renderer.render.engine import Engine
from renderer.render.quoting import Quoting
from tests.rows import joined

# The same examples in every run: a red build can be repeated, and nothing here depends on time.
settings.register_profile(
    "mcpctl",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
# For a search beyond that: MCPCTL_HYPOTHESIS=explore.
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("MCPCTL_HYPOTHESIS", "mcpctl"))

TESTS = Path(__file__).parent
#: Marks by folder or file. What needs a real engine, Envoy or a cluster, and what renders whole fleets.
MARKS = {
    "engine": ["engine"],
    "envoy": ["guard", "targets/compose/test_egress_proxy.py"],
    "fleet": ["environment/test_thousand.py"],
    "integration": ["integration"],
}
#: What takes its time, and does not depend on versions of Python and libraries: it starts kubectl, git or other
#: programs by the hundred, kills runs again and again, has hundreds of rows of one kind, or looks at the code itself.
SLOW = [
    *(path for paths in MARKS.values() for path in paths),
    "check/test_compose.py",
    "check/test_compose_keys.py",
    "check/test_identity.py",
    "cli/test_completion.py",
    "cli/test_diff.py",
    "cli/test_krm.py",
    "cli/test_kubernetes.py",
    "cli/test_provenance.py",
    "cli/test_review.py",
    "cli/test_runtime_process.py",
    "cli/test_templates.py",
    "cli/test_tree.py",
    "cluster",
    "diff/test_consequences.py",
    "diff/test_markdown.py",
    "doctor",
    "environment/test_everywhere.py",
    "graph/test_browser.py",
    "importers/test_corpus.py",
    "orchestrators",
    "policy/test_exposure.py",
    "policy/test_pod_fields.py",
    "policy/test_rules.py",
    "resolve/test_server.py",
    "targets/compose/test_target.py",
    "targets/kubernetes/test_target.py",
    "test_action.py",
    "test_bundle.py",
    "test_checks.py",
    "test_contracts.py",
    "test_documents_blocks.py",
    "test_hooks.py",
    "test_pipeline.py",
    "test_round_trip.py",
    "test_schema_document.py",
    "test_team.py",
    "test_user_templates_rendered.py",
    "validate/test_sound.py",
    "write/test_crash.py",
    "write/test_tree.py",
]
#: In ``core``, and not in ``quick``: other processes, random values by the hundred, the MCP SDK, and what renders or
#: checks hundreds of documents. Single tests of other files are marked ``slow`` where they stand.
NOT_QUICK = [
    *SLOW,
    "check/test_api_rules.py",
    "cli/test_environments.py",
    "cli/test_init.py",
    "cli/test_main.py",
    "cli/test_project.py",
    "cli/test_render.py",
    "diff/test_git.py",
    "environment/test_apply.py",
    "importers/test_hostile.py",
    "targets/compose/test_service.py",
    "targets/kubernetes/test_beside.py",
    "targets/kubernetes/test_sandbox.py",
    "targets/kubernetes/test_values.py",
    "test_command.py",
    "test_compiled_templates.py",
    "test_json_patch.py",
    "test_kinds.py",
    "test_parallel.py",
    "test_patch.py",
    "test_rules.py",
    "test_variables.py",
    "test_yaml_writer.py",
    "yaml_reader/test_attacks.py",
    "yaml_reader/test_plain.py",
    "yaml_reader/test_quick.py",
]
SUBSETS = {"core": SLOW, "quick": NOT_QUICK}
#: ``quick`` has so many rows of each test at most: the first ones find most of what the others find.
ROWS = 4


def lies_in(path: str, paths: list[str]) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in paths)


@cache
def marks_of(file: Path) -> frozenset[str]:
    """The marks of the tests of a file, by where it lies."""
    path = file.relative_to(TESTS).as_posix()
    marks = {mark for mark, paths in MARKS.items() if lies_in(path, paths)}
    return frozenset(marks | {mark for mark, without in SUBSETS.items() if not lies_in(path, without)})


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """``-m quick``, ``-m core`` and ``-m 'not MARK and ...'`` do not even import the files that run nothing."""
    expression = config.option.markexpr
    left_out = [path for mark, paths in MARKS.items() if f"not {mark}" in expression.split(" and ") for path in paths]
    without = SUBSETS.get(expression, left_out)
    if without and collection_path.is_relative_to(TESTS):
        return lies_in(collection_path.relative_to(TESTS).as_posix(), without) or None
    return None


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Marks tests by where they lie. A test that carries a mark of ``MARKS`` itself is in no subset either.

    All rows of a function are one test, but where rows are named (``FILE::NAME[ROW]``, or ``-k``).
    """
    rows: Counter[str] = Counter()
    for item in items:
        marks = marks_of(item.path)
        own = {mark.name for mark in item.iter_markers()}
        if not own.isdisjoint(MARKS):
            marks -= SUBSETS.keys()
        name = item.nodeid.partition("[")[0]
        rows[name] += 1
        if "slow" in own or rows[name] > ROWS:
            marks -= {"quick"}
        for mark in sorted(marks):
            item.add_marker(mark)
    if not config.option.keyword and not any("[" in argument for argument in config.args):
        items[:] = joined(items, ROWS if config.option.markexpr == "quick" else None)


def pytest_collection() -> None:
    """Nothing of what is collected is garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector looks at it a tenth as often.

    It is not frozen, because hypothesis asks the collector who holds its source of random numbers.
    """
    gc.set_threshold(7_000, 10, 100)
    gc.enable()


@pytest.fixture(autouse=True)
def _quiet_about_silence(request: pytest.FixtureRequest) -> Iterator[None]:
    """Few specs of the tests say a word on these, and every other would get the same finding."""
    with pytest.MonkeyPatch.context() as patch:
        if "levels" not in request.keywords:
            for rule in ("policy/unrestricted-egress", "policy/unlocked-package", "policy/exposed-without-access"):
                patch.setitem(RULES, rule, RULES[rule]._replace(level="off"))
        yield


class KeptTemplates(BytecodeCache):
    """What Jinja compiles a template to, by the text of the template."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self.codes.get((bucket.key, bucket.checksum)):
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.codes[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def _templates_are_compiled_once() -> Iterator[None]:
    """Each run with templates of a user compiles the built-in ones again, for the sandbox: a third of a second."""
    original = Engine._environment
    kept: defaultdict[tuple[bool, Quoting, bool], KeptTemplates] = defaultdict(KeptTemplates)

    def environment(engine: Engine, quoting: Quoting, *, marked: bool) -> jinja2.Environment:
        made = original(engine, quoting, marked=marked)
        made.bytecode_cache = kept[engine.users is None, quoting, marked]
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_environment", environment)
        yield

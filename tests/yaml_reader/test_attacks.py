"""Hostile texts: a fault, never a crash, in bounded time and memory. Each runs in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Protocol

import pytest

# The bound on time is the operating system's and wide, so that a slow machine does not fail the test; what is
# exact is where the reading stopped. The text is made inside, from an expression. Each has a copy of a process that has
# imported the reader, which is what takes the time.
CHILD = """
import json, os, resource, signal, sys, traceback
from renderer.yaml_reader import OUTPUT_LIMITS, SPEC_LIMITS, read

def outcome(expression, limits):
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(60)
    text = eval(expression).encode()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    findings = read(text, strict=True, limits=eval(limits))[1]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50_000 + 3 * len(text) // 1000, f"{grown} kB more"
    return findings[0][2].rule if findings else "fine"

for line in sys.stdin:
    if not os.fork():
        try:
            print(outcome(*json.loads(line)), end="", flush=True)
        except BaseException:
            print(traceback.format_exc().replace(chr(10), " "), end="", flush=True)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.wait()[1])
    print(f", ended by signal {-code}" if code else "", flush=True)
"""
BOMB = "'\\n'.join(['a0: &a0 [x, x]'] + [f'a{i}: &a{i} [*a{i-1}, *a{i-1}]' for i in range(1, 40)])"
MERGES = "'\\n'.join(['a0: &a0 {k: v}'] + [f'a{i}: &a{i}\\n  <<: [*a{i-1}, *a{i-1}]' for i in range(1, 40)])"
ATTACKS = {
    "'[' * {size}": "yaml/too-deep",
    "'{{' * {size}": "yaml/key",
    "'{{a: ' * ({size} // 4)": "yaml/too-deep",
    "'- ' * ({size} // 2)": "yaml/too-deep",
    "'? ' * ({size} // 2)": "yaml/key",
    "'[[],' * ({size} // 4)": "yaml/too-deep",
    "'[1,' + '1,' * ({size} // 2)": "yaml/too-large",
    "'- a\\n' * ({size} // 4)": "yaml/too-large",
    "'a: 1\\n' * ({size} // 5)": "yaml/duplicate-key",
    "'- no\\n' * ({size} // 5)": "yaml/ambiguous",
    "'- &a x\\n' * ({size} // 7)": "yaml/anchor",
    "'- !t x\\n' * ({size} // 7)": "yaml/tag",
    "'---\\n' * ({size} // 4)": "yaml/too-large",
    "'a: ' + '1' * {size}": "yaml/ambiguous",
    "'k' * {size} + ': 1'": "yaml/syntax",
    "'a: \"' + 'x' * {size}": "yaml/syntax",
    "'\\t' * {size}": "yaml/syntax",
    "'a: |\\n' + ' x\\n' * ({size} // 3)": "fine",
    "' ' * {size}": "fine",
    "'!' * {size}": "yaml/tag",
}


class RuleOf(Protocol):
    """The first fault of a text that an expression makes, or how its process ended."""

    def __call__(self, expression: str, limits: str = "SPEC_LIMITS") -> str: ...


@pytest.fixture(scope="module")
def rule_of() -> Iterator[RuleOf]:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(expression: str, limits: str = "SPEC_LIMITS") -> str:
            assert process.stdin
            assert process.stdout
            print(json.dumps([expression, limits]), file=process.stdin, flush=True)
            return process.stdout.readline().rstrip("\n")

        yield ask


@pytest.mark.parametrize(
    ("attack", "outcome"), [("os.kill(os.getpid(), 9)", ", ended by signal 9"), ("1 / 0", "Traceback")]
)
def test_an_end_and_an_error_are_seen(rule_of: RuleOf, attack: str, outcome: str) -> None:
    assert rule_of(attack)[: len(outcome)] == outcome
    assert rule_of("'a: 1'") == "fine"


@pytest.mark.parametrize(("attack", "rule"), ATTACKS.items())
def test_attacks_of_100_kb(rule_of: RuleOf, attack: str, rule: str) -> None:
    assert rule_of(attack.format(size=100_000)) == rule


@pytest.mark.parametrize(
    "attack", ["'[' * {size}", "'{{a: ' * ({size} // 4)", "'- ' * ({size} // 2)", "'? ' * ({size} // 2)"]
)
def test_nesting_of_5_mb_is_stopped_by_depth_alone(rule_of: RuleOf, attack: str) -> None:
    assert rule_of(attack.format(size=5_000_000), "OUTPUT_LIMITS") in ("yaml/too-deep", "yaml/key")


@pytest.mark.parametrize("attack", ["'[' * 100_000_000", "'[' + '1,' * 1_000_000", "' ' * 50_000_000"])
def test_what_is_too_large_is_not_parsed(rule_of: RuleOf, attack: str) -> None:
    assert rule_of(attack) == "yaml/too-large"


@pytest.mark.parametrize("attack", [BOMB, MERGES, "'a: &a [*a]'", "'*a'", "'a: *b'", "'&a a: *a'", "'&a [&a x, *a]'"])
def test_aliases_are_refused_at_the_first(rule_of: RuleOf, attack: str) -> None:
    assert rule_of(attack) in ("yaml/anchor", "yaml/alias")


@pytest.mark.parametrize(
    ("attack", "rule"),
    [
        ("'a: !!timestamp x'", "yaml/tag"),
        ("'a: !!python/object/apply:os.system [id]'", "yaml/tag"),
        ("'a: !!int ' + '9' * 5000", "yaml/tag"),
        ("'a: 2001-99-99'", "yaml/ambiguous"),
        ("'a: !<%ff> x'", "yaml/syntax"),
        ("'a: \"\\\\ud800\"'", "yaml/syntax"),
        ("'a: \"\\\\0\"'", "yaml/character"),
        ("'<<: {a: 1}'", "yaml/merge"),
    ],
)
def test_what_makes_other_readers_fail(rule_of: RuleOf, attack: str, rule: str) -> None:
    assert rule_of(attack) == rule

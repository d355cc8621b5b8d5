"""Whole specs of real servers, each rendered for both targets: ``python -m tests.benchmark.deployments DIR``.

A Markdown table: the lines of the spec without comments, and for each target how many documents passed all checks, how
many of its fields the target does not render (warnings), or the rules that refuse it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from renderer.errors import errors_in
from renderer.pipeline import Output, read, render
from renderer.registry import TARGETS, target
from tests.specs import OPTIONS


def main(folder: Path) -> None:
    """Prints the table."""
    print("| spec | lines |", " | ".join(sorted(TARGETS)), "|")
    print("|---|---|" + "---|" * len(TARGETS))
    for file in sorted(folder.glob("*.yaml")):
        lines = [line for line in file.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
        outcomes = [
            outcome(render(read([str(file)]), target(name), OPTIONS._replace(one_stream=False)))
            for name in sorted(TARGETS)
        ]
        print(f"| {file.stem} | {len(lines)} |", " | ".join(outcomes), "|")


def outcome(output: Output) -> str:
    """What became of one spec."""
    if errors := errors_in(output.problems):
        return "refused: " + ", ".join(
            sorted({f"{problem.path or problem.place.file} ({problem.rule})" for problem in errors})
        )
    return f"{len(output.documents)} accepted, {len(output.problems)} warnings"


if __name__ == "__main__":
    main(Path(sys.argv[1]))

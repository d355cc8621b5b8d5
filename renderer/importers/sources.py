"""Documents of others: read as leniently as is safe, and never run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from renderer.errors import Problem, errors_in
from renderer.importers.jsonc import as_yaml
from renderer.load import load
from renderer.model import Source
from renderer.yaml_reader import Limits

#: A registry of thousands of servers is one file.
LIMITS = Limits(max_bytes=32_000_000, max_nodes=1_000_000, max_total=2_000_000, aliases=True)
#: What only matters in a spec: whoever wrote the file meant a reader of his own.
_IN_SPECS = ("yaml/ambiguous",)


def load_foreign(paths: Sequence[str], stdin: BinaryIO | None) -> tuple[list[Source], list[Problem]]:
    """All documents of the paths; none of a file that has faults. A doubtful scalar is the text that stands there."""
    sources, problems = load(paths, stdin=stdin, limits=LIMITS, strict=False, prepare=as_yaml)
    problems = [problem for problem in problems if problem.rule not in _IN_SPECS]
    faulty = {problem.place.file for problem in errors_in(problems)}
    return [source for source in sources if source.file not in faulty], problems

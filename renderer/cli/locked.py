"""``--locked``: nothing is rendered, or applied, that is not pinned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from renderer.errors import Problem
from renderer.later import later

if TYPE_CHECKING:
    from renderer import pinning
    from renderer.pipeline import Run
else:
    pinning = later("renderer.pinning")  # 5 ms, which only --locked needs

locked_option = click.option(
    "--locked", is_flag=True, help="Refuse images without digest and packages without lock; see 'mcpctl pin'."
)


def with_locked(runs: Sequence[Run], locked: bool) -> list[Run]:
    """The runs, with an error for each place that is not pinned."""
    if not locked:
        return list(runs)
    result = []
    for run in runs:
        problems = {*run.specs.problems, *pinning.unpinned(run.specs.servers, run.environment)}
        specs = run.specs._replace(problems=tuple(sorted(problems, key=Problem.sort_key)))
        result.append(run._replace(specs=specs))
    return result

"""Time and memory over the size of the fleet.

``python -m tests.benchmark.curve [--servers N …] [--mcpctl PATH] [--helm PATH]``

Writes ``docs/performance.svg`` and the table in ``docs/performance.md``. mcpctl and helm run in turns, so that what
else the machine does meets both.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.benchmark import peers
from tests.benchmark.__main__ import ROOT, Run, add_programs, measure, ours, write_specs

DOCUMENT = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "performance.svg"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
SIZES = (1, 10, 100, 500, 1000, 2000, 5000, 10000)
COLORS = {"mcpctl": "#2563eb", "helm": "#b45309"}

Curves = Mapping[str, Mapping[int, Run]]


def main() -> None:
    """Measures all sizes and writes what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, nargs="+", default=SIZES)
    parser.add_argument("--runs", type=int, default=3)
    add_programs(parser, ("helm",))
    options = parser.parse_args()
    programs = peers.found({"helm": options.helm})
    curves: dict[str, dict[int, Run]] = {name: {} for name in ("mcpctl", *programs)}
    with tempfile.TemporaryDirectory() as folder:
        for count in options.servers:
            specs = Path(folder, str(count))
            write_specs(specs, count)
            commands = {"mcpctl": [*ours(options), "render", "-q", str(specs)]}
            if "helm" in programs:
                commands["helm"] = peers.command("helm", programs["helm"], specs, count)
            turns = [{name: measure(command, ROOT) for name, command in commands.items()} for _ in range(options.runs)]
            for name in commands:
                curves[name][count] = median([turn[name] for turn in turns])
                print(count, name, curves[name][count], flush=True)
    PICTURE.write_text(picture(curves))
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n".join(table(curves)) + "\n" + END + rest.partition(END)[2])


def median(runs: Sequence[Run]) -> Run:
    """Figure by figure."""
    return Run(*(statistics.median(getattr(run, figure) for run in runs) for figure in ("cpu", "wall", "peak")))


def table(curves: Curves) -> Iterator[str]:
    """Rows in Markdown: ours, and helm's beside it where it ran."""
    yield f"\nPython {platform.python_version()}, {os.cpu_count()} cores; seconds, and MiB of the largest process.\n"
    yield "| servers | CPU | wall | memory | helm: CPU | wall | memory | wall, ratio |"
    yield "|---|---|---|---|---|---|---|---|"
    for count, mine in curves["mcpctl"].items():
        theirs = curves.get("helm", {}).get(count)
        ratio = [*figures(theirs), f"{mine.wall / theirs.wall:.1f}"] if theirs else ["", "", "", ""]
        yield f"| {count:,} | {' | '.join((*figures(mine), *ratio))} |"
    yield ""


def figures(run: Run) -> list[str]:
    """CPU, wall, memory."""
    return [f"{run.cpu:.2f}", f"{run.wall:.2f}", f"{run.peak:.0f}"]


def picture(curves: Curves) -> str:
    """Two plots side by side, each from zero to the largest value."""
    text = "\n".join([*_plot(curves, "CPU", "s", "cpu", 0), *_plot(curves, "memory", "MiB", "peak", 380)])
    font = "font-family='sans-serif' font-size='12'"
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 760 300' {font}>\n"
        f"<title>CPU time and memory over the number of servers</title>\n"
        f"<rect width='760' height='300' fill='white'/>\n{text}\n</svg>\n"
    )


def _plot(curves: Curves, title: str, unit: str, figure: str, left: int) -> Iterator[str]:
    x0, y0, width, height = left + 50, 250, 300, 200
    most = max(max(runs) for runs in curves.values())
    top = max(getattr(run, figure) for runs in curves.values() for run in runs.values())
    yield f"<text x='{x0}' y='25' font-weight='bold'>{title} ({unit})</text>"
    yield f"<path d='M{x0} {y0 - height} V{y0} H{x0 + width}' fill='none' stroke='#444'/>"
    for part in (0, 0.5, 1):
        yield f"<text x='{x0 + part * width:.0f}' y='{y0 + 18}' text-anchor='middle'>{most * part:,.0f}</text>"
        yield f"<text x='{x0 - 6}' y='{y0 - part * height + 4:.0f}' text-anchor='end'>{top * part:,.3g}</text>"
    for row, (name, runs) in enumerate(curves.items()):
        points = [(x0 + n / most * width, y0 - getattr(run, figure) / top * height) for n, run in runs.items()]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield f"<polyline points='{line}' fill='none' stroke='{COLORS[name]}' stroke-width='2'/>"
        yield from (f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.5' fill='{COLORS[name]}'/>" for x, y in points)
        yield f"<text x='{x0 + 10}' y='{y0 - height + 15 + 16 * row}' fill='{COLORS[name]}'>{name}</text>"
    yield f"<text x='{x0 + width}' y='{y0 + 36}' text-anchor='end'>servers</text>"


if __name__ == "__main__":
    main()

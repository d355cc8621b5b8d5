"""What becomes of a folder of definitions: ``python -m tests.benchmark.imports FOLDER…``.

One row for each format: the definitions, those that are remote only, MCP bundles and NuGet packages counted apart, and
of all that describe something to run those that render for both targets with every check.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from renderer.errors import errors_in
from renderer.importers.bulk import definitions_in, named
from renderer.importers.choices import Choices
from renderer.importers.draft import Draft
from renderer.importers.formats import batches, recognise
from renderer.importers.settle import settled
from renderer.importers.sources import load_foreign

COLUMNS = ("definitions", "remote", "mcpb", "nuget", "runnable", "rendered", "refused")


def drafts_of(folders: Sequence[str]) -> Iterator[Draft]:
    """Each definition below the folders, settled for both targets."""
    files = [file for folder in folders for file in definitions_in(folder)]
    sources, problems = load_foreign(files, None)
    for problem in errors_in(problems):
        print(f"{problem.place}: {problem.message}")
    by_format, unrecognised = recognise(sources)
    print(f"{len(files)} files, {len(sources)} documents, {len(unrecognised)} of no known format")
    choices = Choices(offline=True)
    drafts = [draft for form, batch in batches(by_format) for draft in form.read(batch, choices)]
    yield from map(settled, named(drafts))


def kind_of(draft: Draft) -> str:
    """What it describes."""
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    package = spec.get("package")
    registry = package.get("registry") if isinstance(package, dict) else ""
    if any("nuget" in problem.message.lower() for problem in draft.problems):
        return "nuget"
    return "remote" if "remote" in spec else "mcpb" if registry == "mcpb" else "runnable"


def main(folders: Sequence[str]) -> None:
    counts: dict[str, Counter[str]] = {}
    for draft in drafts_of(folders):
        row = counts.setdefault(draft.format, Counter())
        kind = kind_of(draft)
        row["definitions"] += 1
        row[kind] += 1
        if draft.problems:
            row["refused"] += 1
            print(f"{draft.place.file}: {draft.original}: " + "; ".join(problem.message for problem in draft.problems))
        elif kind == "runnable":
            row["rendered"] += 1
    print(f"{'format':20}" + "".join(f"{column:>13}" for column in COLUMNS))
    for name, row in sorted(counts.items()):
        print(f"{name:20}" + "".join(f"{row[column]:>13}" for column in COLUMNS))


if __name__ == "__main__":
    main(sys.argv[1:])

"""What becomes of a folder of definitions: ``python -m tests.benchmark.imports FOLDER…``.

One row for each format: the definitions; of them those that are remote only, NuGet packages and such that describe no
server; MCP bundles and the others that run; and for each target how many of these two render with every check.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from renderer.errors import errors_in
from renderer.importers.bulk import definitions_in, distinctly_named
from renderer.importers.draft import Choices, Draft
from renderer.importers.formats import batches, load_foreign, recognise
from renderer.importers.validation import validated
from renderer.registry import TARGETS

#: Of definitions of which nothing can run anywhere, by the rule that says so.
NOTHING = {"import/nuget": "nuget", "import/no-server": "no server", "import/nothing-runs": "no server"}
COLUMNS = ("definitions", "remote", "nuget", "no server", "mcpb", "runnable", *sorted(TARGETS))


def drafts_of(folders: Sequence[str]) -> list[Draft]:
    """Each definition below the folders."""
    files = [file for folder in folders for file in definitions_in(folder)]
    sources, problems = load_foreign(files, None)
    for problem in errors_in(problems):
        print(f"{problem.place}: {problem.message}")
    by_format, unrecognised = recognise(sources)
    print(f"{len(files)} files, {len(sources)} documents, {len(unrecognised)} of no known format")
    choices = Choices(offline=True)
    return distinctly_named([draft for form, batch in batches(by_format) for draft in form.read(batch, choices)])


def kind_of(draft: Draft) -> str:
    """What it describes: the column that counts it."""
    spec = draft.document["spec"]
    assert isinstance(spec, dict)
    package = spec.get("package")
    nothing = [NOTHING[problem.rule] for problem in draft.problems if problem.rule in NOTHING]
    if nothing or "remote" in spec:
        return nothing[0] if nothing else "remote"
    return "mcpb" if isinstance(package, dict) and package.get("registry") == "mcpb" else "runnable"


def main(folders: Sequence[str]) -> None:
    """Prints the reasons of what is refused, and the table."""
    rows: dict[str, Counter[str]] = {}
    for draft in drafts_of(folders):
        row, kind = rows.setdefault(draft.format, Counter()), kind_of(draft)
        row.update(["definitions", kind])
        for name in sorted(TARGETS):
            problems = validated(draft, [name]).problems
            row[name] += kind in ("mcpb", "runnable") and not problems
            for problem in problems:
                print(f"{name}: {draft.original}: {problem.place}: {problem.message}")
    print(f"{'format':18}" + "".join(f"{column:>13}" for column in COLUMNS))
    for name, row in sorted(rows.items()):
        print(f"{name:18}" + "".join(f"{row[column]:>13}" for column in COLUMNS))


if __name__ == "__main__":
    main(sys.argv[1:])

"""``mcpctl import``: specs from definitions, files of clients, and manifests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from renderer.cli.editor import folder_of, schema_of, write_schemas
from renderer.cli.options import quiet_option, text_or_json
from renderer.cli.outcomes import facts, field_text
from renderer.cli.streams import as_stream, emit, emit_data, progress, say, specs_in
from renderer.errors import Exit, Problem, Severity, UsageMistake, excerpt
from renderer.later import later
from renderer.report import LONGEST, Report, as_text

if TYPE_CHECKING:
    from renderer import load
    from renderer.cli import import_comparison
    from renderer.cli.import_comparison import Compared
    from renderer.importers import bulk, formats, spec_file, validation
    from renderer.importers import draft as _draft
    from renderer.importers.bulk import Written
    from renderer.importers.draft import Choices, Draft
else:
    load = later("renderer.load")  # 6 ms, which help does not need
    import_comparison = later("renderer.cli.import_comparison")  # 30 ms, which only --compare needs
    bulk = later("renderer.importers.bulk")  # 2 ms, which help does not need
    _draft = later("renderer.importers.draft")  # 4 ms, as well
    formats = later("renderer.importers.formats")  # 60 ms, as well
    spec_file = later("renderer.importers.spec_file")  # 2 ms, as well
    validation = later("renderer.importers.validation")  # 2 ms, as well


class Result(NamedTuple):
    """The definitions, written files, problems, and specs that nothing defines any more."""

    drafts: Sequence[Draft]
    written: Sequence[Written]
    problems: Sequence[Problem]
    undefined: Sequence[Path] = ()
    comparisons: Sequence[Compared] = ()


@click.command(
    "import",
    epilog="""\b
Examples:
  mcpctl import server.json
  mcpctl import server.json --out specs/
  mcpctl import --package npm --strict server.json --out specs/
  mcpctl import --all registry/ --out specs/
  mcpctl import --compare deployment.yaml service.yaml
  mcpctl import --output json server.json
""",
)
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--all", "folder", metavar="DIR", help="Every definition below this folder; needs --out.")
@click.option("--out", metavar="DIR", help="Folder for the specs, each as NAME.yaml, or - for stdout.  [default: -]")
@click.option(
    "--package", default="", metavar="N|TYPE", help="Which of several packages: its number from 1, or a type."
)
@click.option("--remote", is_flag=True, help="Take the remote endpoint of a definition that has packages too.")
@click.option("--offline", is_flag=True, help="Ask no program and no registry for the entrypoints of images.")
@click.option("--strict", is_flag=True, help="Exit with 3 where something cannot be expressed in a spec.")
@click.option(
    "--compare",
    is_flag=True,
    help="Show how what the specs render to differs from the manifests or services that were imported, field by field, "
    "instead of the specs.",
)
@click.option("--force", is_flag=True, help="Also replace specs that somebody edited.")
@text_or_json("Format of the report; with json the specs are part of it unless --out says a folder.")
@quiet_option
def import_(
    files: tuple[str, ...],
    folder: str | None,
    out: str | None,
    package: str,
    remote: bool,
    offline: bool,
    strict: bool,
    compare: bool,
    force: bool,
    style: str,
    quiet: bool,
) -> int:
    """Make specs of FILES: server.json and other definitions, recognised by their content.

    What became of each field is reported: mapped, defaulted, to be decided (a '# decide:' comment stands in the
    spec), or not expressible. A definition that cannot become a spec is refused with the reason; others go on.
    With --all the report is a table; import a file alone for its fields. With --compare the exit code is 0 whatever
    differs: names of ports and labels always do.
    """
    target = None if out in (None, "-") else Path(str(out))
    _refuse_misuse(files, folder, target)
    result = _import(files, folder, target, _draft.Choices(package, remote, offline), force, compare)
    if style == "json":
        emit_data(_as_data(result))
    elif folder is not None:
        say(_as_table(result, quiet))
    else:
        say(_as_text(result, quiet))
        if compare:
            emit(import_comparison.as_text(result.comparisons))
        elif target is None and (sound := [draft for draft in result.drafts if not draft.problems]):
            emit(as_stream([spec_file.text_of(draft) for draft in sound]))
    refused = any(problem.severity is Severity.ERROR for problem in result.problems)
    lossy = strict and any(draft.losses for draft in result.drafts)
    return Exit.INPUT_INVALID if refused or lossy else Exit.FINE


def _refuse_misuse(files: Sequence[str], folder: str | None, target: Path | None) -> None:
    if (folder is None) == (not files):
        raise click.UsageError("name FILES with definitions, or a folder of them with --all DIR")
    if folder is not None and not Path(folder).is_dir():
        raise UsageMistake(f"{folder}: no such folder")
    if folder is not None and target is None:
        raise click.UsageError("--all needs --out DIR: a folder for the specs")
    if target is not None and target.suffix in load.SUFFIXES and not target.is_dir():
        raise UsageMistake(f"--out {target}: name a folder, where each spec is NAME.yaml; for one file: > {target}")
    folders = [file for file in files if file != "-" and Path(file).is_dir()]
    if folders:
        raise UsageMistake(f"{folders[0]} is a folder: import what is in it with --all {folders[0]}")


def _import(
    files: Sequence[str], folder: str | None, target: Path | None, choices: Choices, force: bool, compare: bool
) -> Result:
    paths = files if folder is None else bulk.definitions_in(folder)
    sources, problems = formats.load_foreign(paths, specs_in(paths))
    by_format, unrecognised = formats.recognise(sources)
    if folder is not None:  # a folder has other files too
        unrecognised = [problem._replace(severity=Severity.WARNING) for problem in unrecognised]
    read = progress("reading definitions", formats.batches(by_format))
    drafts = [draft for form, batch in read for draft in form.read(batch, choices)]
    named = bulk.distinctly_named(drafts, folder or "")
    drafts = [validation.adjusted(draft) for draft in progress("trying specs", named)]
    sound = [draft for draft in drafts if not draft.problems]
    written = []
    if target:
        spec = str(target / "spec.yaml")
        written = bulk.store(sound, target, force, schema_of(spec, "mcpserver", folder_of(spec)))
        if written:  # the schema that their first lines name for editors
            write_schemas(folder_of(spec), ["mcpserver"])
    refused = [problem for draft in drafts for problem in draft.problems]
    undefined = bulk.no_longer_defined(drafts, target) if folder is not None and target else []
    comparisons = list(filter(None, (import_comparison.compared(draft, sources) for draft in sound))) if compare else []
    return Result(drafts, written, [*problems, *unrecognised, *refused], undefined, comparisons)


def _as_text(result: Result, quiet: bool) -> str:
    about = {form.name: form.about for form in formats.FORMATS}
    files = {id(each.draft): each for each in result.written}
    lines: list[str] = []
    for draft in () if quiet else result.drafts:
        each = files.get(id(draft))
        end = "refused" if draft.problems else f"{each.path}: {_WORDS[each.state]}" if each else draft.name
        lines.append(f"{draft.place.file}: {about[draft.format]} {draft.original} -> {end}")
        for entry in sorted(draft.entries, key=lambda entry: entry.place):
            line = f"line {entry.place.line}" if entry.place.file == draft.place.file else str(entry.place)
            place = "" if entry.outcome is _draft.Outcome.DEFAULTED else f"{line}: "
            lines.append(f"  {place}{entry.outcome}{' (harmless)' * entry.harmless}: {field_text(entry)}")
        counts = [f"{len(draft.of(outcome))} {outcome}" for outcome in _draft.Outcome if draft.of(outcome)]
        lines.append(f"{draft.name}: {', '.join(counts)}")
    return "".join(f"{excerpt(line, LONGEST)}\n" for line in lines) + _problems(result, quiet)


def _problems(result: Result, quiet: bool) -> str:
    return as_text(Report("import", result.problems, {}), quiet=quiet) if result.problems else ""


#: By :class:`bulk.State`.
_WORDS = {
    "new": "written",
    "unchanged": "unchanged",
    "updated": "updated",
    "edited": "kept: it was edited by hand; replace it with --force",
    "foreign": "kept: no import wrote it; replace it with --force",
}
_COLUMNS = ("definitions", *_WORDS, "refused", "with losses")


def _as_table(result: Result, quiet: bool) -> str:
    counts: dict[str, Counter[str]] = {form.name: Counter() for form in formats.FORMATS}
    for draft in result.drafts:
        counts[draft.format] += Counter({"definitions": 1, "refused": bool(draft.problems)})
        counts[draft.format] += Counter({"with losses": bool(draft.losses and not draft.problems)})
    for each in result.written:
        counts[each.draft.format][each.state] += 1
    left = [each for each in result.written if each.state in (bulk.State.EDITED, bulk.State.FOREIGN)]
    lines = [f"{each.path}: {_WORDS[each.state]}" for each in left]
    undefined = "its definition no longer exists; remove the file if it is not needed"
    lines += [f"{path}: {undefined}" for path in result.undefined]
    rows = [(name, row) for name, row in counts.items() if row]
    used = [column for column in _COLUMNS if any(row[column] for _, row in rows)]
    widths = [max(len(name) for name, _ in [*rows, ("format", Counter())]), *(len(column) for column in used)]
    table = [("format", *used), *((name, *(str(row[column]) for column in used)) for name, row in rows)]
    if not quiet:
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
    return _problems(result, quiet) + "".join(f"{excerpt(line, LONGEST)}\n" for line in lines)


def _as_data(result: Result) -> dict[str, object]:
    files = {id(each.draft): each for each in result.written}
    return {
        "command": "import",
        "definitions": [_definition(draft, files.get(id(draft))) for draft in result.drafts],
        **({"comparisons": import_comparison.as_data(result.comparisons)} if result.comparisons else {}),
        "noLongerDefined": [str(path) for path in result.undefined],
        "problems": [
            {
                **problem.place._asdict(),
                "severity": str(problem.severity),
                "path": problem.path,
                "rule": problem.rule,
                "message": problem.message,
                "hint": problem.hint,
            }
            for problem in result.problems
        ],
    }


def _definition(draft: Draft, written: Written | None) -> dict[str, object]:
    stored = {"path": str(written.path), "state": str(written.state)} if written else {}
    text = {} if written or draft.problems else {"spec": spec_file.text_of(draft)}
    about = {"name": draft.name, "original": draft.original, "format": draft.format, "file": draft.place.file}
    fields = [facts(entry) for entry in draft.entries]
    return {**about, **stored, "refused": bool(draft.problems), "fields": fields, **text}

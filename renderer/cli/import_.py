"""``mcpctl import``: specs from the definitions, files of clients and manifests of others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from renderer.cli.options import quiet_option, text_or_json
from renderer.cli.streams import as_stream, emit, say, specs_in
from renderer.errors import Exit, InputInvalid, Problem, dotted, errors_in, excerpt
from renderer.importers.bulk import State, Written, named, store
from renderer.importers.choices import Choices
from renderer.importers.draft import Draft, Entry, Outcome
from renderer.importers.formats import FORMATS, read, recognise
from renderer.importers.sources import load_foreign
from renderer.importers.text import text_of
from renderer.importers.trial import tried
from renderer.report import LONGEST, Report, as_text


@click.command(
    "import",
    epilog="""\b
Examples:
  mcpctl import server.json
  mcpctl import server.json --out specs/
  mcpctl import --package npm --strict server.json --out specs/
  mcpctl import --output json server.json
""",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--out", metavar="DIR", help="Folder for the specs, each as NAME.yaml, or - for stdout.  [default: -]")
@click.option(
    "--package", default="", metavar="N|TYPE", help="Which of several packages: its number from 1, or a type."
)
@click.option("--remote", is_flag=True, help="Take the remote endpoint of a definition that has packages too.")
@click.option("--offline", is_flag=True, help="Ask no program and no registry for the entrypoints of images.")
@click.option("--strict", is_flag=True, help="Exit with 3 where something cannot be expressed in a spec.")
@click.option("--force", is_flag=True, help="Also replace specs that somebody edited.")
@text_or_json("Format of the report; with json the specs are part of it unless --out says a folder.")
@quiet_option
def import_(
    files: tuple[str, ...],
    out: str | None,
    package: str,
    remote: bool,
    offline: bool,
    strict: bool,
    force: bool,
    style: str,
    quiet: bool,
) -> int:
    """Make specs of FILES: server.json and other definitions, recognised by their content.

    What became of each field is reported: mapped, defaulted, to be decided (a '# decide:' comment stands in the
    spec), or not expressible. A definition that cannot become a spec is refused with the reason; others go on.
    """
    sources, problems = load_foreign(files, specs_in(files))
    if errors_in(problems):
        raise InputInvalid("nothing was imported", problems)
    by_format, unrecognised = recognise(sources)
    drafts = [tried(draft) for draft in named(read(by_format, Choices(package, remote, offline)))]
    sound = [draft for draft in drafts if not draft.problems]
    written = store(sound, Path(out), force) if out not in (None, "-") else []
    problems = [*unrecognised, *(problem for draft in drafts for problem in draft.problems)]
    if style == "json":
        emit(_as_json(drafts, written, problems))
    else:
        say(_as_text(drafts, written, problems, quiet))
        if not written and sound:
            emit(as_stream([text_of(draft) for draft in sound]))
    lossy = strict and any(draft.losses for draft in drafts)
    return Exit.INPUT_INVALID if problems or lossy else Exit.FINE


def _as_text(drafts: Sequence[Draft], written: Sequence[Written], problems: Sequence[Problem], quiet: bool) -> str:
    """A line for each field, then the files, then what was refused."""
    about = {form.name: form.about for form in FORMATS}
    files = {id(each.draft): each for each in written}
    lines: list[str] = []
    for draft in drafts:
        if quiet:
            break
        each = files.get(id(draft))
        end = "refused" if draft.problems else f"{each.path}: {_WORDS[each.state]}" if each else draft.name
        lines.append(f"{draft.place.file}: {about[draft.format]} {draft.original} -> {end}")
        lines += [_line(entry, draft.place.file) for entry in sorted(draft.entries, key=lambda entry: entry.place)]
        counts = [f"{len(draft.of(outcome))} {outcome}" for outcome in Outcome if draft.of(outcome)]
        lines.append(f"{draft.name}: {', '.join(counts)}")
    text = "".join(f"{excerpt(line, LONGEST)}\n" for line in lines)
    return text + as_text(Report("import", problems, {}), quiet=True)


_WORDS = {
    State.NEW: "written",
    State.UNCHANGED: "unchanged",
    State.UPDATED: "updated",
    State.EDITED: "left as it is: somebody edited it; replace it with --force",
    State.FOREIGN: "left as it is: no import wrote it; replace it with --force",
}


def _line(entry: Entry, file: str) -> str:
    line = f"line {entry.place.line}" if entry.place.file == file else str(entry.place)
    place = "" if entry.outcome is Outcome.DEFAULTED else f"{line}: "
    arrow = " -> ".join(filter(None, (dotted(entry.source), dotted(entry.target or ()))))
    return f"  {place}{entry.outcome}: {': '.join(filter(None, (arrow, entry.message)))}"


def _as_json(drafts: Sequence[Draft], written: Sequence[Written], problems: Sequence[Problem]) -> str:
    files = {id(each.draft): each for each in written}
    data = {
        "command": "import",
        "definitions": [_facts(draft, files.get(id(draft))) for draft in drafts],
        "problems": [_problem(problem) for problem in problems],
    }
    return json.dumps(data, indent=2) + "\n"


def _facts(draft: Draft, written: Written | None) -> dict[str, object]:
    entries = [
        {
            **entry.place._asdict(),
            "source": dotted(entry.source),
            "outcome": str(entry.outcome),
            "target": dotted(entry.target or ()),
            "message": entry.message,
            "harmless": entry.harmless,
        }
        for entry in draft.entries
    ]
    stored = {"path": str(written.path), "state": str(written.state)} if written else {}
    text = {} if written or draft.problems else {"spec": text_of(draft)}
    facts = {"name": draft.name, "original": draft.original, "format": draft.format, "file": draft.place.file}
    return {**facts, **stored, "refused": bool(draft.problems), "fields": entries, **text}


def _problem(problem: Problem) -> dict[str, object]:
    named = {"path": problem.path, "rule": problem.rule, "message": problem.message, "hint": problem.hint}
    return {**problem.place._asdict(), "severity": str(problem.severity), **named}

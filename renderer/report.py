"""Problems and results as text, JSON, SARIF or annotations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from renderer import __version__, addresses
from renderer.errors import Place, Problem, Severity, excerpt
from renderer.namedtuples import NamedTuple

#: Characters of a line: enough for every message, few enough for a terminal with a hostile name.
LONGEST = 2000


class Differing(NamedTuple):
    place: Place
    state: str
    words: str


class Report(NamedTuple):
    """``counts``: of ``servers``, ``documents``."""

    command: str
    problems: Sequence[Problem]
    counts: Mapping[str, int]
    lines: Sequence[str] = ()
    differing: Sequence[Differing] = ()
    #: What to do next: the last line for people.
    next: str = ""
    #: One line for each file written or removed: for people only with --verbose.
    files: Sequence[str] = ()
    #: Whether accepted findings are listed too.
    with_accepted: bool = False

    @property
    def listed(self) -> list[Problem]:
        """Without accepted findings, unless ``with_accepted``."""
        return [p for p in self.problems if self.with_accepted or p.severity is not Severity.ACCEPTED]

    def tally(self) -> dict[str, int]:
        counts = Counter(p.severity for p in self.problems)
        accepted = counts[Severity.ACCEPTED]
        words = {"errors": counts[Severity.ERROR], "warnings": counts[Severity.WARNING]}
        return {**words, "accepted": accepted} if accepted else words


def as_text(report: Report, *, color: bool = False, quiet: bool = False) -> str:
    """A line for each Problem, ``file:line:column: severity: path: message; hint``, then a summary.

    Equal warnings of several places are one line with their number; the other formats list all.
    """
    first: dict[object, Problem] = {}
    counts: dict[object, int] = Counter()
    for problem in report.listed:
        if problem.severity is not Severity.WARNING:
            same: object = problem
        elif quiet:
            continue
        else:
            same = (problem.rule, problem.message, problem.hint)
        first.setdefault(same, problem)
        counts[same] += 1
    lines = []
    for same, problem in first.items():
        more = f" (and {_counted(counts[same] - 1, 'more places')})" if counts[same] > 1 else ""
        lines.append(_line(problem, color) + more)
    rules = sorted({problem.rule for problem in first.values()})
    lines += [f"{rule}: {page}" for rule in rules if (page := addresses.of_rule(rule))]
    lines += _results(report)
    lines += [_no_command(excerpt(f"{d.place.file}: {d.state}: {d.words}", LONGEST)) for d in report.differing]
    if not quiet:
        lines.append(_summary(report))
    lines += [report.next] if report.next else []
    return "".join(f"{line}\n" for line in lines)


def as_data(report: Report) -> dict[str, object]:
    differing = [{"file": d.place.file, "state": d.state, "message": d.words} for d in report.differing]
    problems = [
        {
            **problem.place._asdict(),
            "severity": str(problem.severity),
            "path": problem.path,
            "rule": problem.rule,
            "message": problem.message,
            "hint": problem.hint,
            **({"url": page} if (page := addresses.of_rule(problem.rule)) else {}),
            "related": [place._asdict() for place in problem.related],
        }
        for problem in report.listed
    ]
    return {
        "command": report.command,
        "version": __version__,
        **report.tally(),
        **report.counts,
        "lines": [*report.files, *report.lines],
        **({"differing": differing} if differing else {}),
        **({"next": report.next} if report.next else {}),
        "problems": problems,
    }


def as_json(report: Report) -> str:
    return json.dumps(as_data(report), indent=2) + "\n"


def as_sarif(report: Report) -> str:
    problems = [*report.listed, *map(_as_problem, report.differing)]
    rules = sorted({p.rule for p in problems})
    driver = {"name": "mcpctl", "version": __version__, "rules": [_sarif_rule(rule) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(problem) for problem in problems],
    }
    data = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(data, indent=2) + "\n"


def as_github(report: Report) -> str:
    """Workflow commands of GitHub Actions, which other code hosts read too; then a summary.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    lines = []
    for problem in [*report.listed, *map(_as_problem, report.differing)]:
        file, line, column = problem.place
        where = {"file": excerpt(file, LONGEST), "line": line, "col": column, "title": problem.rule}
        properties = ",".join(
            f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"
            for name, value in where.items()
            if value
        )
        command = _GITHUB.get(problem.severity, problem.severity)
        lines.append(f"::{command} {properties}::{_escaped(excerpt(_sentence(problem), LONGEST))}")
    return "".join(f"{line}\n" for line in [*lines, *_results(report), _summary(report)])


#: Commands of severities with another name.
_GITHUB = {Severity.ACCEPTED: "notice"}

#: The formats of ``--output``.
REPORTERS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}

_COLORS = {Severity.ERROR: "\x1b[31;1m", Severity.WARNING: "\x1b[33;1m", Severity.ACCEPTED: "\x1b[36;1m"}


def _line(problem: Problem, color: bool) -> str:
    severity = f"{_COLORS[problem.severity]}{problem.severity}\x1b[0m" if color else str(problem.severity)
    path = f"{excerpt(problem.path, LONGEST)}: " if problem.path else ""
    hint = f"; {excerpt(problem.hint, LONGEST)}" if problem.hint else ""
    text = excerpt(problem.message, LONGEST)
    place = _no_command(excerpt(str(problem.place), LONGEST))
    return f"{place}: {severity}: {path}{text}{hint} [{problem.rule}]"


def _no_command(line: str) -> str:
    """Some code hosts run a line that begins with ``::`` as a command."""
    return f"./{line}" if line.startswith("::") else line


def _results(report: Report) -> list[str]:
    return [_no_command(excerpt(line, LONGEST)) for line in (*report.files, *report.lines)]


def _sentence(problem: Problem) -> str:
    text = "; ".join(filter(None, (problem.message, problem.hint)))
    return f"{problem.path}: {text}" if problem.path else text


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _as_problem(differing: Differing) -> Problem:
    """Its rule is its state."""
    return Problem(differing.place, "", f"check/{differing.state}", differing.words)


def _summary(report: Report) -> str:
    counts = [_counted(number, noun) for noun, number in {**report.counts, **report.tally()}.items()]
    return ", ".join(counts)


def _counted(number: int, plural: str) -> str:
    return f"{number} {plural.removesuffix('s') if number == 1 else plural}"


def _sarif_rule(rule: str) -> dict[str, object]:
    """With its page; for a policy rule with description, default level and documentation."""
    from renderer.policy.catalogue import RULES  # 6 ms, which only this format needs

    known, page = RULES.get(rule), addresses.of_rule(rule)
    help_uri = {"helpUri": page} if page else {}
    if known is None:
        return {"id": rule, **help_uri}
    document = page or f"docs/rules.md#{rule.replace('/', '')} in the documents of mcpctl"
    return {
        "id": rule,
        "shortDescription": {"text": known.about},
        **help_uri,
        "help": {"text": f"Why, how to fix it, and how to accept it with a reason: {document}."},
        "defaultConfiguration": {"level": {"off": "none"}.get(known.level, known.level)},
    }


def _sarif_result(problem: Problem) -> dict[str, object]:
    accepted = problem.severity is Severity.ACCEPTED
    suppressed = {"suppressions": [{"kind": "inSource", "justification": problem.hint}]} if accepted else {}
    return {
        "ruleId": problem.rule,
        "level": "note" if accepted else str(problem.severity),
        "message": {"text": _sentence(problem)},
        "locations": [_sarif_place(problem.place)],
        "relatedLocations": [_sarif_place(place) for place in problem.related],
        **suppressed,
    }


def _sarif_place(place: Place) -> dict[str, object]:
    from urllib.parse import quote  # 10 ms, which only this format needs

    # A name of a file is no URI: '<stdin>', a space, or a percent sign would be refused.
    location: dict[str, object] = {"artifactLocation": {"uri": quote(excerpt(place.file, LONGEST), errors="replace")}}
    if place.line:
        location["region"] = {"startLine": place.line, **({"startColumn": place.column} if place.column else {})}
    return {"physicalLocation": location}

"""Problems (mistakes of users, as data) and the one tree of exceptions (what ends a run)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, ClassVar

from renderer.later import later
from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer import credentials
else:
    credentials = later("renderer.credentials")  # 6 ms, and few runs quote what somebody wrote

#: Where in a document: ``("spec", "env", "TOKEN")``, list positions as integers.
DocumentPath = tuple[str | int, ...]


class Exit(IntEnum):
    """Exit codes of the command line (the contract with scripts and CI)."""

    FINE = 0
    DIFFERENT = 1
    USAGE = 2
    INPUT_INVALID = 3
    OUTPUT_INVALID = 4
    APPLY_FAILED = 5
    TIMED_OUT = 6
    DEFECT = 70
    INTERRUPTED = 130


class Severity(StrEnum):
    """How much a Problem weighs: an error stops the run, a warning does not, what is accepted is shown on request."""

    ERROR = "error"
    WARNING = "warning"
    ACCEPTED = "accepted"


class Place(NamedTuple):
    """A place in a file. Lines and columns count from 1; 0 means that it is not known."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        numbers = [str(n) for n in (self.line, self.column) if n]
        return ":".join([self.file, *numbers])


class Fault(NamedTuple):
    """What is wrong inside one document, before anybody knows which file it came from.

    ``rule`` is the stable id (``schema/unknown-field``); ``message`` never contains the value of a
    secret; ``hint`` says what to do. ``at_key`` asks to point at the key instead of the value. ``digest`` is that of a
    literal, by which an acceptance knows it.
    """

    path: DocumentPath
    rule: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    at_key: bool = False
    digest: str = ""


class Problem(NamedTuple):
    """A Fault with its place in a file: what users see, as text, JSON or SARIF.

    ``owner`` is the server whose spec may accept it; ``digest`` as the Fault's; ``subject`` the path in the server's
    spec, where ``path`` leads into an environment.
    """

    place: Place
    path: str
    rule: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    related: tuple[Place, ...] = ()
    #: Whether it is the fault of a template and of nothing that stands in a spec.
    in_output: bool = False
    owner: str = ""
    digest: str = ""
    subject: str = ""

    def sort_key(self) -> tuple[Place, str, str, str]:
        """Order of a report: file, line, column, then path, rule and text."""
        return (self.place, self.path, self.rule, self.message)


def dotted(path: DocumentPath) -> str:
    """The path as people write it: ``spec.env.TOKEN``, ``spec.storage[0].size``, ``files["/a.b"]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "a").replace("-", "a").isalnum():
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def errors_in(problems: Iterable[Problem]) -> list[Problem]:
    """Only the Problems that stop a run."""
    return [p for p in problems if p.severity is Severity.ERROR]


def exit_code(problems: Iterable[Problem]) -> Exit:
    """Input invalid where an error stands in a spec; output invalid where errors are all in templates."""
    errors = errors_in(problems)
    if not errors:
        return Exit.FINE
    return Exit.OUTPUT_INVALID if all(problem.in_output for problem in errors) else Exit.INPUT_INVALID


class McpctlError(Exception):
    """Ends the run. ``problems`` are shown in full, ``message`` says what to do next."""

    exit_code: ClassVar[Exit] = Exit.DEFECT

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        self.message, self.problems = message, list(problems)
        super().__init__(message, self.problems)

    def __str__(self) -> str:
        return self.message


class UsageMistake(McpctlError):
    """The command line cannot be carried out."""

    exit_code = Exit.USAGE


class InputInvalid(McpctlError):
    """A spec has faults."""

    exit_code = Exit.INPUT_INVALID


class OutputInvalid(McpctlError):
    """What was rendered does not hold: nothing is written."""

    exit_code = Exit.OUTPUT_INVALID


class OutputTreeFault(McpctlError):
    """The output tree cannot be written safely: a foreign or edited file, a link, a full disk."""

    exit_code = Exit.OUTPUT_INVALID


class ApplyFailed(McpctlError):
    """kubectl or docker compose, or what they speak to, refused or failed. The text says what stands."""

    exit_code = Exit.APPLY_FAILED


class WaitTimedOut(McpctlError):
    """Nothing refused, but the deadline came first."""

    exit_code = Exit.TIMED_OUT


class Defect(McpctlError):
    """Our own mistake. The text asks for a report and says what happened."""

    exit_code = Exit.DEFECT


#: Of a private key, with room to spare.
_LONGEST_CREDENTIAL = 8192


@contextmanager
def noting(done: Callable[[], str]) -> Iterator[None]:
    """A defect inside carries a note of what was done before it, which is shown with it."""
    try:
        yield
    except McpctlError:
        raise
    except Exception as defect:
        defect.add_note(done())
        raise


def excerpt(text: str, limit: int = 40) -> str:
    """Text of a user on one line, safe for a terminal or a CI log, at most ``limit`` characters long.

    Everything that does not print is escaped: ANSI sequences, line breaks, bidirectional controls, lone surrogates.
    Credentials are masked, before the text is cut: the beginning of one must not stay.
    """
    # Cut before escaping as well as after it: a message about a megabyte of NULs must stay cheap.
    cut = credentials.masked(text[: limit + _LONGEST_CREDENTIAL])[: limit + 1]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return cut if len(cut) <= limit else cut[: limit - 1] + "…"

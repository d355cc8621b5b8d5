"""Problems (mistakes of users, as data) and the exceptions that end a run."""

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

#: ``("spec", "env", "TOKEN")``, list positions as integers.
DocumentPath = tuple[str | int, ...]


class Exit(IntEnum):
    """Exit codes: the contract with scripts and CI."""

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
    """An error stops the run; an accepted finding is listed on request."""

    ERROR = "error"
    WARNING = "warning"
    ACCEPTED = "accepted"


class Place(NamedTuple):
    """Lines and columns count from 1; 0: unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        numbers = [str(n) for n in (self.line, self.column) if n]
        return ":".join([self.file, *numbers])


class Fault(NamedTuple):
    """What is wrong inside one document, without its file.

    ``rule`` is the stable id (``schema/unknown-field``); ``message`` never contains the value of a secret; ``hint``
    says what to do. ``at_key``: point at the key instead of the value. ``digest``: of a literal, for acceptances.
    """

    path: DocumentPath
    rule: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    at_key: bool = False
    digest: str = ""


class Problem(NamedTuple):
    """A Fault with its place in a file.

    ``owner`` is the server whose spec may accept it; ``digest`` as the Fault's; ``subject`` the path in the server's
    spec, where ``path`` is of an environment.
    """

    place: Place
    path: str
    rule: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    related: tuple[Place, ...] = ()
    #: Whether a template causes it, and no spec.
    in_output: bool = False
    owner: str = ""
    digest: str = ""
    subject: str = ""

    def sort_key(self) -> tuple[Place, str, str, str]:
        return (self.place, self.path, self.rule, self.message)


def dotted(path: DocumentPath) -> str:
    """``spec.env.TOKEN``, ``spec.storage[0].size``, ``files["/a.b"]``."""
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
    return [p for p in problems if p.severity is Severity.ERROR]


def exit_code(problems: Iterable[Problem]) -> Exit:
    """Input invalid for an error in a spec; output invalid where all errors are in templates."""
    errors = errors_in(problems)
    if not errors:
        return Exit.FINE
    return Exit.OUTPUT_INVALID if all(problem.in_output for problem in errors) else Exit.INPUT_INVALID


class McpctlError(Exception):
    """Ends the run. ``problems`` are printed in full, ``message`` says what to do next."""

    exit_code: ClassVar[Exit] = Exit.DEFECT

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        self.message, self.problems = message, list(problems)
        super().__init__(message, self.problems)

    def __str__(self) -> str:
        return self.message


class UsageMistake(McpctlError):
    """The command line is invalid."""

    exit_code = Exit.USAGE


class InputInvalid(McpctlError):
    """A spec is invalid."""

    exit_code = Exit.INPUT_INVALID


class OutputInvalid(McpctlError):
    """Nothing is written."""

    exit_code = Exit.OUTPUT_INVALID


class OutputTreeFault(McpctlError):
    """The tree cannot be written safely: a foreign or edited file, a link, a full disk."""

    exit_code = Exit.OUTPUT_INVALID


class ApplyFailed(McpctlError):
    """kubectl, docker compose, or their server refused or failed. The message says what was applied."""

    exit_code = Exit.APPLY_FAILED


class WaitTimedOut(McpctlError):
    """The deadline passed."""

    exit_code = Exit.TIMED_OUT


class Defect(McpctlError):
    """A mistake of mcpctl."""

    exit_code = Exit.DEFECT


#: Of a private key, with room to spare.
_LONGEST_CREDENTIAL = 8192


@contextmanager
def noting(done: Callable[[], str]) -> Iterator[None]:
    """Adds a note to a defect, with what was done before it."""
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
    Credentials are masked before the text is cut, so that no beginning of one remains.
    """
    # Cut before escaping as well as after it: a message about a megabyte of NULs must stay cheap.
    cut = credentials.masked(text[: limit + _LONGEST_CREDENTIAL])[: limit + 1]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return cut if len(cut) <= limit else cut[: limit - 1] + "…"

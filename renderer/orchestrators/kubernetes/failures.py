"""The kind of a failure, from kubectl's output, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from renderer.errors import McpctlError, WaitTimedOut, excerpt
from renderer.orchestrators.failures import Refused, kind

#: Characters of kubectl's output in a message.
SHOWN = 600


TIMED_OUT = "timed out"
_KINDS = (
    kind("conflict", r"Apply failed with \d+ conflict", "see who manages these fields, or use --force-conflicts"),
    kind(
        "context",
        r"cannot locate context|context .*(does not exist|was not found)|current-context (must exist|is not set)",
        "name one of `kubectl config get-contexts` with kubernetes.context",
    ),
    kind("login", r"\(Unauthorized\)|must be logged in|provide credentials", "log in to the cluster again"),
    kind("login", r"getting credentials: exec|exec: executable", "the kubeconfig's login helper does not work"),
    kind("quota", r"exceeded quota", "raise the quota of the namespace, or ask for less"),
    kind("pod security", r"violates PodSecurity", "the namespace allows only pods that are safer: see spec.security"),
    kind(
        "terminating", r"because it is being terminated", "wait until the namespace is gone, then run the command again"
    ),
    kind(
        "stateful set",
        r"updates to statefulset spec",
        "this cannot be changed in place: run `kubectl delete statefulset NAME --cascade=orphan`, which keeps pods and "
        "claims, then the command again; existing claims stay unchanged",
    ),
    kind(
        "resize",
        r"support resize|claims can be expanded|can ?not be less than (previous value|status\.capacity)",
        "a volume never shrinks, and grows only when it is bound and its StorageClass has allowVolumeExpansion: keep "
        "the size, or copy the data into a new volume",
    ),
    kind(
        "immutable",
        r"field is immutable|may not change fields",
        "this cannot be changed in place: delete the object (its volumes stay), then run the command again",
    ),
    kind("forbidden", r'User "[^"]*" cannot|cannot \w+ (resource|path)', "ask for the right, or use another context"),
    kind(
        "admission",
        r"\(Forbidden\)|is forbidden|denied the request",
        "an admission rule of the cluster or the namespace refuses it: change what it names",
    ),
    kind(
        "changed",
        r"\(Conflict\)|has been modified|Precondition failed",
        "it was changed at the same time: run the command again",
    ),
    kind(
        "no kind",
        r"no matches for kind|doesn't have a resource type|ensure CRDs are installed",
        "install what defines this kind (see `mcpctl prerequisites`)",
    ),
    kind("expired", r"\(Expired\)|\(Gone\)|continue parameter is too old", "the list has changed: begin it again"),
    kind(
        "no namespace",
        r"namespaces \"?[^ ]+\"? not found",
        "create the namespace, or let it be rendered: --create-namespace, in an environment namespace.create: true",
    ),
    kind("not found", r"\(NotFound\)|not found$", "see `mcpctl list`"),
    kind(TIMED_OUT, r"Client\.Timeout|deadline exceeded|i/o timeout|request canceled|\(Timeout\)", "try it again"),
    kind("certificate", r"x509:|tls:", "check the certificates in the kubeconfig"),
    kind(
        "down",
        r"connection to the server|unable to connect|connection refused|no such host|\bEOF\b|connection reset"
        r"|connection lost|no route to host|network is unreachable",
        "check that the cluster runs and can be reached, then run the command again",
    ),
    kind("invalid", r"\(Invalid\)|is invalid|\(BadRequest\)|strict decoding", "correct what the API server rejects"),
    kind(
        "broken",
        r"\(InternalError\)|internal error|\(ServiceUnavailable\)|\(TooManyRequests\)|unavailable",
        "the API server has an internal problem: run the command again later",
    ),
    kind("too old", r"unknown flag|unknown command", "kubectl is too old"),
)
#: What ends a whole run: the next object would fail alike.
HOPELESS = frozenset({"down", "login", "certificate", "context", "too old"})


def refusal(output: str, doing: str, *, secret: bool = False) -> McpctlError:
    """The exception for a kubectl that failed; ``output`` is its stderr.

    ``secret``: the output may quote values, and is not shown.
    """
    # Without warnings and log lines of kubectl, its advice on conflicts, and repetitions.
    refused = output.partition("\nPlease review the fields above")[0]
    lines = [line.strip() for line in refused.splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith("Warning: ") and not _LOG.match(line)]
    text = "\n".join(dict.fromkeys(own or lines)).removeprefix("error: ").removeprefix("Error from server ")
    row = next((row for row in _KINDS if row.pattern.search(text)), None)
    words = "kubectl's output is not shown, as it may contain values" if secret else excerpt(text, SHOWN)
    message = f"{doing}: {words or 'kubectl failed and said nothing'}" + (f" - {row.advice}" if row else "")
    if row and row.name == TIMED_OUT:
        return WaitTimedOut(message)
    return Refused(message, kind=row.name if row else "other", output="" if secret else text)


def warnings(output: str) -> list[str]:
    """Of the API server, in the output of a call that succeeded."""
    lines = [line.removeprefix("Warning: ") for line in output.splitlines() if line.startswith("Warning: ")]
    return [excerpt(line, SHOWN) for line in dict.fromkeys(lines)]


#: klog: ``E1121 12:00:00.000000   123 memcache.go:265] "Unhandled Error" err=…``
_LOG = re.compile(r"[EIW][0-9]{4} [0-9:.]+ +[0-9]+ \S+\]")
_MANAGER = re.compile(r'conflicts? with "((?:[^"\\]|\\.)*)"( with subresource)?[^\n]*?:(?: (\.[^\n]*))?$', re.MULTILINE)


class Conflict(NamedTuple):
    """A field that another manager owns, and would lose."""

    field: str
    manager: str
    subresource: bool = False


def conflicts(output: str) -> list[Conflict]:
    conflicting: list[Conflict] = []
    manager, subresource = "", False
    for line in output.splitlines():
        if match := _MANAGER.search(line):
            manager, subresource = match[1], bool(match[2])
            if match[3]:
                conflicting.append(Conflict(match[3], manager, subresource))
        elif line.startswith("- "):
            conflicting.append(Conflict(line.removeprefix("- "), manager, subresource))
    return conflicting


def conflict_text(subject: str, clashes: Sequence[Conflict]) -> str:
    fields = "; ".join(f"{excerpt(clash.field, 200)} is managed by '{excerpt(clash.manager, 63)}'" for clash in clashes)
    advice = "leave these fields out of the spec, let the other manager give them up, or take them over with"
    count = f"{len(clashes)} conflict{'s' * (len(clashes) > 1)}"
    return f"applying {subject}: {count}: {excerpt(fields, SHOWN)} - {advice} --force-conflicts"

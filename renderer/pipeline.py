"""The run on one page: the stages in order, values from one to the next, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from renderer.errors import Problem, errors_in
from renderer.load import load
from renderer.model import Options, Rendered, Server, Source
from renderer.parallel import build_and_check
from renderer.policy import Levels, judge_documents, judge_specs
from renderer.resolve import resolve
from renderer.target import Target
from renderer.validate import across_servers, validate_rules, validate_source

#: No rule is turned on or off.
_AS_THEY_ARE: Levels = {}


class Specs(NamedTuple):
    """What was read: the servers that hold, and all Problems with the others."""

    servers: tuple[Server, ...]
    problems: tuple[Problem, ...]
    levels: Levels = _AS_THEY_ARE


class Output(NamedTuple):
    """What was rendered, in order of application, and all Problems with it and with the specs."""

    documents: tuple[Rendered, ...]
    problems: tuple[Problem, ...]


def read(paths: Sequence[str], stdin: BinaryIO | None = None, levels: Levels = _AS_THEY_ARE) -> Specs:
    """Load, validate, resolve. Faults of one document do not hide those of another."""
    sources, problems = load(paths, stdin=stdin)
    servers: list[Server] = []
    for source in sources:
        server, faults = _server(source)
        problems += faults
        servers += [server] if server else []
    problems += across_servers(servers)
    problems += judge_specs(servers, levels)
    return Specs(tuple(servers), _sorted(problems), levels)


def _server(source: Source) -> tuple[Server | None, list[Problem]]:
    problems = validate_source(source)
    if errors_in(problems):
        return None, problems
    server = resolve(source)
    return server, problems + validate_rules(server)


def render(specs: Specs, target: Target, options: Options) -> Output:
    """Build and check, for one target. With an error in the specs nothing is built."""
    if errors_in(specs.problems):
        return Output((), specs.problems)
    groups = target.groups(specs.servers, one_stream=options.one_stream)
    documents, problems = build_and_check(target, groups, options)
    admission = target.enforces_restricted(options)
    problems = judge_documents(problems, specs.servers, target.name, specs.levels, admission=admission)
    return Output(tuple(documents), _sorted([*specs.problems, *_ignored(specs.servers, target), *problems]))


def tree(specs: Specs, output: Output, target: Target, options: Options) -> tuple[Rendered, ...]:
    """The files of a whole tree: what was rendered, and what a stream has no place for."""
    return (*output.documents, *target.beside(specs.servers, output.documents, options))


def _ignored(servers: Sequence[Server], target: Target) -> list[Problem]:
    """What the specs say and this target does not render: never dropped in silence."""
    return [
        Problem(
            place=server.source.place(steps, at_key=True),
            path=path,
            rule=f"{target.name}/not-rendered",
            message=f"not rendered for {target.name}: {ignored.reason}",
            severity=ignored.severity,
        )
        for path, ignored in target.ignored.items()
        for server in servers
        if server.given(*(steps := tuple(path.split("."))))
    ]


def _sorted(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(dict.fromkeys(problems), key=Problem.sort_key))

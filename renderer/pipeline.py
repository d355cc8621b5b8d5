"""The run on one page: the stages in order, values from one to the next, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from renderer.errors import Problem, errors_in
from renderer.load import load
from renderer.model import Options, Rendered, Server, Source
from renderer.parallel import build_and_check
from renderer.policy import Levels, judge_documents, judge_specs
from renderer.render import TemplateFault
from renderer.resolve import resolve
from renderer.target import Target
from renderer.validate import across_servers, validate_rules, validate_source

if TYPE_CHECKING:
    from renderer.environment import Environment

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
    #: What brings the documents into a cluster: files of a tree alone.
    delivery: tuple[Rendered, ...] = ()


class Inputs(NamedTuple):
    """What was loaded: documents of servers, the environments that hold, and all Problems so far."""

    sources: tuple[Source, ...]
    environments: tuple[Environment, ...]
    problems: tuple[Problem, ...]


class Run(NamedTuple):
    """One rendering: what an environment makes of the specs, or the command line alone (``environment`` None)."""

    environment: Environment | None
    target: str
    options: Options
    specs: Specs
    #: The documents of the input as they were written, where an environment changes them.
    sources: tuple[Source, ...] = ()

    @property
    def name(self) -> str:
        """The environment's name, which is its folder in a tree; empty without one."""
        return self.environment.name if self.environment else ""


def read(paths: Sequence[str], stdin: BinaryIO | None = None, levels: Levels = _AS_THEY_ARE) -> Specs:
    """Load, validate, resolve. Faults of one document do not hide those of another.

    Environments are checked too, and not applied: that is ``run_for``.
    """
    return plain(read_inputs(paths, stdin), levels)


def read_inputs(paths: Sequence[str], stdin: BinaryIO | None = None) -> Inputs:
    """Loads everything, and tells servers from environments."""
    return inputs_of(*load(paths, stdin=stdin))


def inputs_of(sources: Sequence[Source], problems: Sequence[Problem] = ()) -> Inputs:
    """The same of documents that were loaded."""
    if all(source.data.get("kind") == "McpServer" for source in sources):
        return Inputs(tuple(sources), (), tuple(problems))
    from renderer.environment import is_environment, make_environments  # few runs have any

    environments, faults = make_environments([source for source in sources if is_environment(source)])
    servers = tuple(source for source in sources if not is_environment(source))
    return Inputs(servers, tuple(environments), (*problems, *faults))


def plain(inputs: Inputs, levels: Levels = _AS_THEY_ARE) -> Specs:
    """The servers as their specs have them, without any environment."""
    problems = list(inputs.problems)
    servers: list[Server] = []
    for source in inputs.sources:
        faults = validate_source(source)
        problems += faults
        if not errors_in(faults):
            servers.append(resolve(source))
            problems += validate_rules(servers[-1])
    return _judged(servers, problems, levels)


def runs_for(inputs: Inputs, environments: Sequence[Environment], levels: Levels = _AS_THEY_ARE) -> list[Run]:
    """The servers as each of the environments has them; ``levels`` win over the environments' own."""
    from renderer.environment import apply, told

    faults = {id(source): validate_source(source) for source in inputs.sources}
    problems = [*inputs.problems, *(problem for found in faults.values() for problem in found)]
    sound = [source for source in inputs.sources if not errors_in(faults[id(source)])]
    bases = {id(source): resolve(source) for source in sound}
    runs = []
    for one in environments:
        applied = apply(one, sound, bases, broken=bool(errors_in(problems)))
        specs = _judged(applied.servers, [*problems, *applied.problems], {**one.levels, **levels})
        specs = specs._replace(problems=_sorted(told(one, specs.problems)))
        runs.append(Run(one, one.target, one.options, specs, tuple(sound)))
    return runs


def _judged(servers: Sequence[Server], problems: Sequence[Problem], levels: Levels) -> Specs:
    found = [*problems, *across_servers(servers), *judge_specs(servers, levels)]
    # By name: the order in which files were named must not reach what is rendered.
    return Specs(tuple(sorted(servers, key=lambda server: server.name)), _sorted(found), levels)


def render_run(run: Run, target: Target) -> Output:
    """As ``render``; what an environment says is told at its own place and path."""
    output = render(run.specs, target, run.options)
    if run.environment is None:
        return output
    from renderer.environment import told

    problems = output.problems
    if run.environment.delivery and not errors_in(problems):
        from renderer.delivery import deliver

        files, faults = deliver(run.environment, output.documents)
        problems, output = (*problems, *faults), output._replace(delivery=tuple(files))
    return output._replace(problems=_sorted(told(run.environment, problems)))


def render(specs: Specs, target: Target, options: Options) -> Output:
    """Build and check, for one target. With an error in the specs nothing is built."""
    if errors_in(specs.problems):
        return Output((), specs.problems)
    groups = target.groups(specs.servers, one_stream=options.one_stream)
    try:
        documents, problems = build_and_check(target, groups, options)
    except TemplateFault as fault:
        return Output((), _sorted([*specs.problems, *fault.problems]))
    admission = target.enforces_pod_security(options)
    problems = judge_documents(problems, specs.servers, target.name, specs.levels, admission=admission)
    return Output(tuple(documents), _sorted([*specs.problems, *_ignored(specs.servers, target), *problems]))


def tree(
    specs: Specs, output: Output, target: Target, options: Options, whole: Specs | None = None
) -> tuple[Rendered, ...]:
    """The files of a tree: what was rendered, and what a stream has no place for; of a part of ``whole``."""
    names = [server.name for server in (whole or specs).servers]
    return (*output.documents, *target.beside(specs.servers, output.documents, options, names), *output.delivery)


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

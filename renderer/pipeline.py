"""The run on one page: the stages in order, values from one to the next, and nothing else.

load -> environment -> validate -> resolve -> judge, for each environment; then build -> check -> judge -> deliver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from renderer.errors import Fault, Problem, Severity, errors_in
from renderer.later import later
from renderer.load import Text, documents, is_environment, texts
from renderer.model import WITH, Options, Rendered, Server, Source
from renderer.namedtuples import NamedTuple
from renderer.parallel import FEWEST, Packing, each
from renderer.policy import Levels, findings, judge_documents, judge_specs, leaks
from renderer.policy.literals import with_secrets
from renderer.render import TemplateFault, has_user_templates
from renderer.resolve import UNKNOWN, link, make_server, place_links, resolve
from renderer.target import Target
from renderer.validate import across_servers, partial_server, validate_links, validate_rules, validate_source

if TYPE_CHECKING:
    from renderer import environment as _environment
    from renderer.environment import Environment
else:
    _environment = later("renderer.environment")  # 4 ms, which specs without one do not need

#: No rule is turned on or off.
_AS_THEY_ARE: Levels = {}


class Specs(NamedTuple):
    """What was read: the servers that hold, and all Problems with the others."""

    servers: tuple[Server, ...]
    problems: tuple[Problem, ...]
    levels: Levels = _AS_THEY_ARE
    #: Those that somebody else runs, which no target renders.
    remotes: tuple[Server, ...] = ()


class Output(NamedTuple):
    """What was rendered, in order of application, and all Problems with it and with the specs."""

    documents: tuple[Rendered, ...]
    problems: tuple[Problem, ...]
    #: What brings the documents into a cluster: files of a tree alone.
    delivery: tuple[Rendered, ...] = ()
    environment: str = ""


class Inputs(NamedTuple):
    """What was loaded: documents of servers, the environments that hold, and all Problems so far."""

    sources: tuple[Source, ...]
    environments: tuple[Environment, ...]
    problems: tuple[Problem, ...]
    #: Tokens in the documents, whether or not these hold otherwise.
    leaks: tuple[Problem, ...] = ()


class Checked(NamedTuple):
    """What one document comes to: a server where it holds, all Problems, and what policy finds whatever levels say."""

    server: Server | None
    problems: Sequence[Problem]
    findings: Sequence[Fault] = ()


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

    Environments are checked too, and not applied: that is ``runs_for``.
    """
    return plain(read_inputs(paths, stdin), levels)


def read_inputs(paths: Sequence[str], stdin: BinaryIO | None = None) -> Inputs:
    """Loads everything, and tells servers from environments."""
    # Files are opened here: --watch follows what this process reads.
    loaded = each(_loaded, texts(paths, stdin=stdin))
    sources = [source for of_text, _, _ in loaded for source in of_text]
    problems = [problem for _, faults, _ in loaded for problem in faults]
    return _inputs(sources, problems, [token for _, _, tokens in loaded for token in tokens])


def inputs_of(sources: Sequence[Source], problems: Sequence[Problem] = ()) -> Inputs:
    """The same of documents that were loaded."""
    sources = [with_secrets(source) for source in sources]
    return _inputs(sources, problems, leaks(sources))


def _loaded(text: Text) -> tuple[list[Source], list[Problem], list[Problem]]:
    sources, problems = documents(text)
    sources = [with_secrets(source) for source in sources]
    return sources, problems, list(leaks(sources))


def _inputs(sources: Sequence[Source], problems: Iterable[Problem], tokens: Iterable[Problem]) -> Inputs:
    written = [source for source in sources if is_environment(source)]
    environments, faults = _environment.make_environments(written) if written else ([], [])
    servers = tuple(source for source in sources if not is_environment(source))
    return Inputs(servers, tuple(environments), (*problems, *faults), tuple(tokens))


def plain(inputs: Inputs, levels: Levels = _AS_THEY_ARE) -> Specs:
    """The servers as their specs have them, without any environment."""
    return _judged(_checked(inputs.sources, {}), [*inputs.problems, *inputs.leaks], levels)


def runs(inputs: Inputs, environments: Sequence[Environment], alone: Run) -> list[Run]:
    """One Run for each of the environments, or without any ``alone`` with the specs as they are."""
    levels = alone.specs.levels
    several = runs_for(inputs, environments, levels) if environments else [alone._replace(specs=plain(inputs, levels))]
    return [run._replace(specs=placed(run.specs, run.options)) for run in several]


def placed(specs: Specs, options: Options) -> Specs:
    """With a namespace at those servers alone that lie in another one than the run."""
    servers = []
    for server in (place_links(server, options) for server in specs.servers):
        here = options.namespace_typed or server.namespace == options.namespace
        servers.append(server._replace(namespace=None) if server.namespace and here else server)
    return specs._replace(servers=tuple(servers))


def runs_for(inputs: Inputs, environments: Sequence[Environment], levels: Levels = _AS_THEY_ARE) -> list[Run]:
    """The servers as each of the environments has them; ``levels`` win over the environments' own."""
    known: dict[int, Checked] = {}
    complete = not errors_in(inputs.problems) and all(map(_environment.name_of, inputs.sources))
    merged = [_environment.merge(environment, inputs.sources, complete=complete) for environment in environments]
    taken = {id(source) for result in merged for source in result.written}
    left = [problem for source in inputs.sources if id(source) not in taken for problem in validate_source(source)]
    runs = []
    for environment, result in zip(environments, merged, strict=True):
        checked = _checked(result.sources, known)
        problems = [*inputs.problems, *inputs.leaks, *left, *result.problems]
        servers = [each.server for each in checked if each.server and each.server.complete]
        if complete and len(servers) == len(result.sources):
            problems += _environment.unmet_images(
                environment, result.images, servers
            )  # else nobody knows which images there are
        checked = [_with_images(each, environment) for each in checked]
        specs = _judged(checked, problems, {**environment.levels, **levels})
        specs = specs._replace(problems=_sorted(map(environment.policy_named, specs.problems)))
        runs.append(Run(environment, environment.target, environment.options, specs, result.written))
    return runs


def _with_images(checked: Checked, environment: Environment) -> Checked:
    server = checked.server
    return (
        checked._replace(server=server._replace(images=environment.images)) if server and server.complete else checked
    )


def _checked(sources: Sequence[Source], known: dict[int, Checked]) -> list[Checked]:
    """What each document comes to; one that several environments share is looked at once."""
    new = [source for source in sources if id(source) not in known]
    # A lock is a file, and --watch follows what this process reads.
    alone = [source for source in new if not source.sets("spec", "package", "lock")]
    known.update(zip(map(id, alone), each(_check, alone, _AsData()), strict=True))
    known.update((id(source), _check(source)) for source in new if id(source) not in known)
    return [known[id(source)] for source in sources]


class _AsData(Packing[Source, Checked]):
    """A server is sent as its data alone: with its forty parts, and its document, it takes four times as long."""

    def pack(self, result: Checked) -> Any:
        server = result.server
        return (server.data if server and server.complete else server, result.problems, result.findings)

    def unpack(self, item: Source, sent: Any) -> Checked:
        server, problems, faults = sent
        return Checked(make_server(item, server) if isinstance(server, dict) else server, problems, faults)


def _check(source: Source) -> Checked:
    faults = validate_source(source)
    server = partial_server(source, resolve) if errors_in(faults) else resolve(source)
    if server is None:
        return Checked(None, faults)
    return Checked(server, [*faults, *validate_rules(server)], findings(server))


def inhabited(specs: Specs, options: Options) -> Options:
    """Without a Namespace that is ours by its name alone and that no server lies in; of a tree this may be a part."""
    empty = bool(specs.servers or specs.remotes) and all(server.namespace for server in specs.servers)
    return options._replace(inhabited=not empty)


def _judged(checked: Sequence[Checked], problems: Sequence[Problem], levels: Levels) -> Specs:
    problems = [*problems, *(problem for each in checked for problem in each.problems)]
    servers = [each.server for each in checked if each.server]
    of_policy = [each.findings for each in checked if each.server]
    servers, unlinked = link(servers, complete=not errors_in(problems))
    complete = [server for server in servers if server.complete]
    everything = [*problems, *unlinked, *validate_links(complete), *across_servers(complete)]
    judged = judge_specs(everything, servers, of_policy, levels, own_templates=has_user_templates())
    # By name: the order in which files were named must not reach what is rendered.
    complete.sort(key=lambda server: server.name)
    deployed, remotes = ([s for s in complete if bool(s.remote) is remote] for remote in (False, True))
    return Specs(tuple(deployed), _sorted(judged), levels, tuple(remotes))


def render_run(run: Run, target: Target) -> Output:
    """As ``render``, and with what delivers it."""
    output = render(run.specs, target, run.options)
    if run.environment is None:
        return output
    problems: Sequence[Problem] = output.problems
    if run.environment.delivery and not errors_in(problems):
        from renderer.delivery import deliver  # 6 ms, which few runs need

        files, faults = deliver(run.environment)
        problems, output = [*problems, *faults], output._replace(delivery=tuple(files))
    problems = _sorted(map(run.environment.policy_named, problems))
    return output._replace(problems=problems, environment=run.name)


def problems_of(outputs: Sequence[Output]) -> list[Problem]:
    """The Problems of all runs, each once; what is so in some environments only names these."""
    where: dict[tuple[object, ...], dict[str, Problem]] = {}
    for output in outputs:
        for problem in output.problems:
            message, _, _ = problem.message.partition(WITH)
            same = (*problem.sort_key()[:3], message, problem.severity)
            where.setdefault(same, {}).setdefault(output.environment, problem)
    every = len({output.environment for output in outputs})
    problems = [_named(list(by_environment.values()), list(by_environment), every) for by_environment in where.values()]
    return sorted(problems, key=Problem.sort_key)


def _named(same: Sequence[Problem], environments: Sequence[str], every: int) -> Problem:
    problem, (message, words, _) = same[0], same[0].message.partition(WITH)
    if not words or len(same) == 1:
        return problem
    # What is so everywhere is the spec's own fault; a policy is on where an environment says so.
    everywhere = len(same) == every and not problem.rule.startswith("policy/")
    names = "" if everywhere else f"{WITH}s {', '.join(environments)})"
    return problem._replace(message=message + names)


def render(specs: Specs, target: Target, options: Options) -> Output:
    """Build and check, for one target. With an error in the specs nothing is built."""
    specs = specs._replace(problems=tuple(map(_must_be_known, specs.problems)))
    if errors_in(specs.problems):
        return Output((), specs.problems)
    specs = placed(specs, options)
    options = inhabited(specs, options) if options.one_stream else options
    groups = target.groups(specs.servers, one_stream=options.one_stream)
    try:
        documents, problems = build_and_check(target, groups, options)
    except TemplateFault as fault:
        return Output((), _sorted([*specs.problems, *fault.problems]))
    admission = target.enforces_pod_security(options)
    problems = [*_ignored(specs.servers, target), *target.conflicts(specs.servers, options), *problems]
    problems = judge_documents(problems, specs.servers, target.name, specs.levels, admission=admission)
    return Output(tuple(documents), _sorted([*specs.problems, *problems]))


def build_and_check(
    target: Target, groups: Sequence[Sequence[Server]], options: Options
) -> tuple[list[Rendered], list[Problem]]:
    """Documents in the order of the groups, shared ones first, and all Problems with them."""
    # A patch, or a user's template, may change what an object is called or selects: then all are checked together.
    patched = has_user_templates() or any(server.patches for group in groups for server in group)
    if len(groups) >= FEWEST and not patched:
        shared = target.shared(options)
        results = [(shared, target.check(shared, options)), *each(partial(_built, target, options), groups)]
        documents = [document for documents, _ in results for document in documents]
        identities = [document.identity for document in documents if document.identity]
        if len(set(identities)) == len(identities):  # else the check of all together says where
            return documents, [problem for _, problems in results for problem in problems]
    built = [target.build(group, options) for group in groups]
    documents = [*target.shared(options), *(document for documents, _ in built for document in documents)]
    # Checked all the same when something could not be built: every fault is told at once.
    return documents, [problem for _, faults in built for problem in faults] + target.check(documents, options)


def _built(target: Target, options: Options, group: Sequence[Server]) -> tuple[list[Rendered], list[Problem]]:
    """One group built and checked, without the contexts: these are larger than the texts, and serve to find a fault."""
    documents, problems = target.build(group, options)
    problems += target.check(documents, options)
    return [document._replace(context={}) for document in documents], problems


def _must_be_known(problem: Problem) -> Problem:
    """Where it is rendered, a server of which nobody says where it is would stay out of reach."""
    unmet = problem.rule == UNKNOWN and problem.severity is Severity.WARNING
    return problem._replace(severity=Severity.ERROR) if unmet else problem


def tree(
    specs: Specs, output: Output, target: Target, options: Options, others: Iterable[str] = ()
) -> tuple[Rendered, ...]:
    """The files of a tree: what was rendered, and what a stream has no place for.

    ``others`` are servers that the tree has besides and keeps: what lists all servers names them too.
    """
    names = sorted({*others, *(server.name for server in specs.servers)})
    return (*output.documents, *target.tree_files(specs.servers, output.documents, options, names), *output.delivery)


def _ignored(servers: Sequence[Server], target: Target) -> list[Problem]:
    """What the specs say and this target does not render: never dropped in silence."""
    return [
        server.problem(
            Fault(
                steps,
                f"{target.name}/not-rendered",
                f"not rendered for {target.name}: {ignored.reason}",
                severity=ignored.severity,
                at_key=True,
            )
        )
        for path, ignored in target.ignored.items()
        for server in servers
        if server.sets(*(steps := tuple(path.split("."))))
    ]


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each fault of one place once, with the servers that have it from an environment."""
    same: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        same.setdefault((*problem.sort_key(), problem.severity), []).append(problem)
    once = {key: _with_servers(several) for key, several in same.items()}
    # Where the schema says what is expected, it is no question any more how readers take the value.
    typed = {problem.place for problem in once.values() if problem.rule in ("schema/type", "schema/enum")}
    kept = (once[key] for key in sorted(once))
    return tuple(problem for problem in kept if problem.rule != "yaml/ambiguous" or problem.place not in typed)


#: How many servers a message names.
_NAMED_SERVERS = 3


def _with_servers(same: Sequence[Problem]) -> Problem:
    """The first; a value of an environment that is wrong for some servers says for which."""
    problem, names = same[0], list(dict.fromkeys(problem.owner for problem in same))
    if not problem.subject or problem.rule.startswith("schema/") or " (server" in problem.message:
        return problem
    more = f" and {len(names) - _NAMED_SERVERS} more" if len(names) > _NAMED_SERVERS else ""
    words = f" (server{'s' * (len(names) > 1)} {', '.join(names[:_NAMED_SERVERS])}{more})"
    return problem._replace(message=problem.message + words)

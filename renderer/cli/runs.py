"""From PATHS and options to the runs of a command, one for each environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from renderer.cli.options import project
from renderer.cli.streams import specs_in, working
from renderer.errors import Problem, UsageMistake, errors_in, excerpt
from renderer.later import later
from renderer.registry import TARGETS, target
from renderer.wording import suggestion

if TYPE_CHECKING:
    from renderer import pinning, pipeline, policy, render, user_templates
    from renderer.environment import Environment
    from renderer.pipeline import Inputs, Output, Run, Specs
else:
    pinning = later("renderer.pinning")  # 5 ms, which only --locked needs
    pipeline = later("renderer.pipeline")  # 80 ms, which help does not need
    policy = later("renderer.policy")  # 10 ms, which only --policy and projects need
    render = later("renderer.render")  # 10 ms, which help does not need
    user_templates = later("renderer.user_templates")  # 4 ms, which only --templates needs


environment_option = click.option(
    "--environment",
    "-e",
    "environments",
    multiple=True,
    metavar="NAME",
    help="Render for this environment, a document of kind Environment among PATHS; repeatable.  "
    "[default: all of them; a stream takes one]",
)


def runs_of(paths: Sequence[str], wanted: Sequence[str], alone: Run, *, several: bool) -> list[Run]:
    """One Run for each environment; without any, ``alone`` with the specs as they are.

    ``several``: whether there may be more than one. UsageMistake where an option contradicts an environment.
    """
    with working("reading specs"):
        inputs, alone = in_project(pipeline.read_inputs(paths, specs_in(paths)), alone)
    # What is wrong with the input is reported first: a faulty environment cannot be chosen.
    if not (inputs.environments or wanted) or errors_in(inputs.problems):
        return _checked(inputs, (), alone)
    chosen = choose(inputs, wanted, several=several)
    chosen = [_with_options(environment, alone) for environment in chosen]
    runs = _checked(inputs, chosen, alone)
    listed, stream = alone.options.kustomization, alone.options.one_stream
    return [
        run._replace(options=run.options._replace(one_stream=stream, kustomization=listed or run.options.kustomization))
        for run in runs
    ]


def _checked(inputs: Inputs, chosen: Sequence[Environment], alone: Run) -> list[Run]:
    with working(f"checking specs of {len(inputs.sources)} servers"):
        return pipeline.runs(inputs, chosen, alone)


def rendered(run: Run, target_name: str) -> Output:
    with working(f"rendering {len(run.specs.servers)} servers for {run.name or target_name}"):
        return pipeline.render_run(run, target(target_name))


def in_project(inputs: Inputs, alone: Run) -> tuple[Inputs, Run]:
    """With the project's settings, where neither an environment nor an option has one."""
    known = project()
    if known is None:
        return inputs, alone
    try:
        policies = policy.parse_levels(f"{name}={level}" for name, level in known.policies.items())
    except UsageMistake as mistake:
        raise UsageMistake(f"{known.file}: policies: {mistake.message}") from None
    environments = []
    for environment in inputs.environments:
        options = environment.options
        if known.kubernetes_version and not environment.sets("spec", "kubernetesVersion"):
            options = options._replace(kubernetes_version=known.kubernetes_version)
        if known.network_policy_provider and not environment.sets("spec", "networkPolicy", "provider"):
            options = options._replace(network_policy_provider=alone.options.network_policy_provider)
        own = {**policies, **alone.specs.levels, **environment.levels}
        rules = dict.fromkeys(policies.keys() - alone.specs.levels.keys() - environment.levels.keys(), known.file)
        environments.append(environment._replace(options=options, levels=own, project_rules=rules))
    levels = alone.specs.levels if environments else {**policies, **alone.specs.levels}
    return inputs._replace(environments=tuple(environments)), alone._replace(specs=alone.specs._replace(levels=levels))


def problems_of_specs(runs: Sequence[Run]) -> list[Problem]:
    """Each once, over all runs."""
    return pipeline.problems_of([pipeline.Output((), run.specs.problems, environment=run.name) for run in runs])


def run_alone(target: str, options: Any, levels: Any) -> Run:
    """A Run without specs, from the command line alone."""
    return pipeline.Run(None, target, options, pipeline.Specs((), (), levels))


def choose(inputs: Inputs, wanted: Sequence[str], *, several: bool) -> list[Environment]:
    """The environments of those names, sorted; without a name all of them."""
    known = {environment.name: environment for environment in inputs.environments}
    there = f"there is: {', '.join(sorted(known))}" if known else "PATHS have no environment: add its file to them"
    for name in wanted:
        if name not in known:
            near = suggestion(name, known) or f"; {there}"
            raise UsageMistake(f"no environment is called '{excerpt(name)}'{near}")
    chosen = sorted(set(wanted) or set(known))
    if len(chosen) > 1 and not several:
        raise UsageMistake(f"one environment at a time here: choose with --environment ({', '.join(chosen)})")
    return [known[name] for name in chosen]


#: Options that an environment may set too, and where.
_SAID_AT = {
    "namespace": ("spec", "namespace"),
    "kubernetes_version": ("spec", "kubernetesVersion"),
    "create_namespace": ("spec", "namespace", "create"),
    "network_policy_provider": ("spec", "networkPolicy", "provider"),
}


def _with_options(environment: Environment, alone: Run) -> Environment:
    """With the options of the command line, which win over the project and the defaults.

    UsageMistake where the environment itself differs: there may be several, which differ from each other.
    """
    context = click.get_current_context()
    typed = click.core.ParameterSource.COMMANDLINE
    silent = [
        name
        for name, path in _SAID_AT.items()
        if context.get_parameter_source(name) is typed and not environment.sets(*path)
    ]
    changes = {name: getattr(alone.options, name) for name in silent}
    options = environment.options._replace(namespace_typed=alone.options.namespace_typed)
    environment = environment._replace(options=options._replace(**changes))
    options, own = environment.options, alone.options
    pairs = (
        ("target_name", "--target", environment.target, alone.target),
        ("namespace", "--namespace", options.namespace, own.namespace),
        ("kubernetes_version", "--kubernetes-version", options.kubernetes_version, own.kubernetes_version),
        ("create_namespace", "--create-namespace", options.owns_namespace, own.create_namespace),
        (
            "network_policy_provider",
            "--network-policy-provider",
            options.network_policy_provider,
            own.network_policy_provider,
        ),
    )
    contradictions = [
        f"{option} (environment: {value})"
        for parameter, option, value, of_option in pairs
        if value != of_option and context.get_parameter_source(parameter) is typed
    ]
    levels = alone.specs.levels
    contradictions += [
        f"--policy {rule}={level} (environment: {environment.levels[rule]})"
        for rule, level in levels.items()
        if environment.levels.get(rule, level) != level
    ]
    if contradictions:
        raise UsageMistake(
            f"{environment.source.file}: environment {environment.name} contradicts {', '.join(contradictions)}; "
            "change it there, or leave the option out"
        )
    return environment


locked_option = click.option(
    "--locked", is_flag=True, help="Refuse images without digest and packages without lock; see 'mcpctl pin'."
)


def with_locked(runs: Sequence[Run], locked: bool) -> list[Run]:
    """With an error for each image or package that is not pinned."""
    if not locked:
        return list(runs)
    result = []
    for run in runs:
        problems = {*run.specs.problems, *pinning.unpinned(run.specs.servers, run.environment)}
        specs = run.specs._replace(problems=tuple(sorted(problems, key=Problem.sort_key)))
        result.append(run._replace(specs=specs))
    return result


templates_option = click.option(
    "--templates",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Templates of your own, each in place of the built-in one of the same path; see 'mcpctl eject'.",
)


def with_templates(specs: Specs, folder: str | None) -> Specs:
    """With the Problems of the templates, which are used until the command ends."""
    if folder is None:
        return specs
    templates, problems = user_templates.read_folder(folder)
    if not errors_in(problems):
        quotings = {name: target(name).quoting for name in TARGETS}
        problems += click.get_current_context().with_resource(render.user_templates_in_force(templates, quotings))
    return specs._replace(problems=tuple(sorted([*specs.problems, *problems], key=Problem.sort_key)))


def count_remotes(several: Sequence[Specs]) -> dict[str, int]:
    number = sum(len(specs.remotes) for specs in several)
    return {"remote servers": number} if number else {}


def nothing_deployed(several: Sequence[Specs]) -> tuple[str, ...]:
    """The line of a run in which all servers are remote."""
    names = sorted({server.name for specs in several for server in specs.remotes})
    if not names or any(specs.servers for specs in several):
        return ()
    return (f"nothing is deployed: {', '.join(names)} {'is a remote server' if len(names) == 1 else 'are remote'}",)

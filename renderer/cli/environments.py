"""``--environment NAME``: which of the environments in the input a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from renderer.cli.options import project
from renderer.cli.streams import specs_in, working
from renderer.errors import Problem, UsageMistake, errors_in, excerpt
from renderer.later import later
from renderer.registry import target
from renderer.wording import suggestion

if TYPE_CHECKING:
    from renderer import pipeline, policy
    from renderer.environment import Environment
    from renderer.pipeline import Inputs, Output, Run
else:
    pipeline = later("renderer.pipeline")  # 80 ms, which help does not need
    policy = later("renderer.policy")  # 10 ms, which only --policy and projects need


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
    """One Run for each environment; where there is none, ``alone`` with the specs as they are.

    ``several`` says whether there may be more than one. UsageMistake where an option contradicts an environment.
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
    """What the run renders to for a target, with a line on a terminal where it takes its time."""
    with working(f"rendering {len(run.specs.servers)} servers for {run.name or target_name}"):
        return pipeline.render_run(run, target(target_name))


def in_project(inputs: Inputs, alone: Run) -> tuple[Inputs, Run]:
    """With what the project says where neither an environment nor an option does."""
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
    """The Problems of the specs of all runs, each once."""
    return pipeline.problems_of([pipeline.Output((), run.specs.problems, environment=run.name) for run in runs])


def run_alone(target: str, options: Any, levels: Any) -> Run:
    """What the command line alone says; the specs come later."""
    return pipeline.Run(None, target, options, pipeline.Specs((), (), levels))


def choose(inputs: Inputs, wanted: Sequence[str], *, several: bool) -> list[Environment]:
    """The environments of those names, in the order of their names; without any name all of them."""
    known = {environment.name: environment for environment in inputs.environments}
    there = ", ".join(sorted(known)) or "none: add the file to PATHS"
    for name in wanted:
        if name not in known:
            near = suggestion(name, known) or f"; there is: {there}"
            raise UsageMistake(f"no environment is called '{excerpt(name)}'{near}")
    chosen = sorted(set(wanted) or set(known))
    if len(chosen) > 1 and not several:
        raise UsageMistake(f"one environment at a time here: choose with --environment ({', '.join(chosen)})")
    return [known[name] for name in chosen]


#: Options that an environment need not have a word on, and where it has.
_SAID_AT = {
    "namespace": ("spec", "namespace"),
    "kubernetes_version": ("spec", "kubernetesVersion"),
    "create_namespace": ("spec", "namespace", "create"),
    "network_policy_provider": ("spec", "networkPolicy", "provider"),
}


def _with_options(environment: Environment, alone: Run) -> Environment:
    """With the options of the command line, which stand above the project and the defaults.

    UsageMistake where the environment itself says something else: of several environments, each would be another one.
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

"""Target and namespace of an environment as settings of the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from renderer.cli.options import provider_has_a_cluster, render_options
from renderer.cli.runs import run_alone, runs_of
from renderer.errors import UsageMistake, excerpt
from renderer.later import later
from renderer.model import Options
from renderer.orchestrators import ORCHESTRATORS, create_orchestrator
from renderer.settings import Rank, Settings, Value

if TYPE_CHECKING:
    from renderer import pipeline
    from renderer.pipeline import Run
    from renderer.policy import Levels
else:
    pipeline = later("renderer.pipeline")  # 80 ms, which help does not need

_TYPE, _NAMESPACE = "orchestrator.type", "orchestrator.kubernetes.namespace"


class Chosen(NamedTuple):
    """One run, and the settings of its runtime."""

    run: Run
    settings: Settings


def specs_for(
    paths: Sequence[str], wanted: Sequence[str], settings: Settings, rendering: Mapping[str, Any], levels: Levels
) -> Chosen:
    """The specs in one environment, or as they are without any.

    UsageMistake for several environments, or where a setting contradicts the environment.
    """
    alone = run_alone(create_orchestrator(settings.config).target, options_for(settings, rendering), levels)
    (run,) = runs_of(paths, wanted, alone, several=False)
    run = run._replace(options=pipeline.inhabited(run.specs, run.options))
    provider_has_a_cluster({run.target})
    if run.environment is None:
        return Chosen(run, settings)
    source = f"{run.environment.source.file}: environment {run.name}"
    return Chosen(run, follow(settings, run.target, run.options.namespace, source))


def options_for(settings: Settings, rendering: Mapping[str, Any]) -> Options:
    options = render_options({**rendering, "namespace": settings.config.kubernetes.namespace})
    typed = any(value.field.name == _NAMESPACE and value.rank is Rank.OPTION for value in settings.values)
    return options._replace(namespace_typed=typed)


def follow(settings: Settings, target: str, namespace: str, source: str) -> Settings:
    """The settings for ``target``, and ``namespace`` in a cluster; ``source`` says who wants that.

    Only defaults change; UsageMistake where a setting differs.
    """
    kinds = {create_orchestrator(settings.config._replace(type=name)).target: name for name in ORCHESTRATORS}
    kind = kinds[target]
    config = settings.config._replace(type=kind)
    followed = [_followed(settings, _TYPE, kind, source)]
    if kind == "kubernetes":
        followed.append(_followed(settings, _NAMESPACE, namespace, source))
        config = config._replace(kubernetes=config.kubernetes._replace(namespace=namespace))
    known = {value.field.name: value for value in followed}
    return settings._replace(config=config, values=tuple(known.get(v.field.name, v) for v in settings.values))


def _followed(settings: Settings, name: str, wanted: str, source: str) -> Value:
    value = next(value for value in settings.values if value.field.name == name)
    if value.value != wanted and value.rank is not Rank.DEFAULT:
        raise UsageMistake(
            f"{source} is for {wanted}, and {name} is {excerpt(str(value.value))} ({value.origin}); "
            "change one of the two, or leave the setting out"
        )
    return value._replace(value=wanted, origin=source)


def plain_specs(paths: Sequence[str], levels: Levels, stdin: BinaryIO | None) -> pipeline.Specs:
    """UsageMistake where there are environments, which would be ignored."""
    inputs = pipeline.read_inputs(paths, stdin)
    if inputs.environments:
        name = inputs.environments[0].name
        raise UsageMistake(
            "there are environments among PATHS, which this command does not follow; "
            f"use mcpctl apply --environment {name}, or name the specs alone"
        )
    return pipeline.plain(inputs, levels)

"""``mcpctl krm``: rendering as a KRM function, for kustomize, kpt and plug-ins of Argo CD."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from renderer.cli.options import quiet_option, render_options, target_options
from renderer.cli.streams import as_stream, emit, print_report, specs_in
from renderer.errors import Exit, InputInvalid, Place, Problem, excerpt, exit_code
from renderer.krm import Item, ResourceList, answer, as_yaml, is_spec, read_items, read_list
from renderer.report import LONGEST, Report
from renderer.yaml_writer import block


@click.command(
    epilog="""\b
Examples:
  mcpctl krm < resource-list.yaml
  kustomize fn run . --exec-path 'mcpctl krm'
  kpt fn eval . --exec 'mcpctl krm'
  mcpctl krm server.yaml < resources.yaml
""",
)
@click.argument("config", type=click.Path(exists=True, dir_okay=False), required=False)
@click.option("--environment", "-e", metavar="NAME", help="Render for this environment; needed if there are several.")
@target_options
@quiet_option
def krm(config: str | None, quiet: bool, **chosen: Any) -> int:
    """Read a KRM ResourceList on stdin, render the specs in it, and write one with the manifests added.

    Specs are items, or the functionConfig. A functionConfig of kind ConfigMap sets options: namespace,
    kubernetesVersion, createNamespace, networkPolicyProvider; with an Environment among the items, which says these
    itself, only environment. Problems go to stderr and into the results.

    With CONFIG, a file with the functionConfig, stdin and stdout are plain streams of resources instead: the way
    in which kubectl kustomize calls a plug-in.
    """
    stdin = specs_in(["-"])
    text = stdin.read() if stdin else b""
    if config:
        name = excerpt(config, LONGEST)
        configs = read_items(Path(config).read_bytes(), name)
        if len(configs) != 1:
            raise _bad_config("the file must hold one resource", name)
        resources = ResourceList(read_items(text, "<stdin>") if text.strip() else [], configs[0])
    else:
        resources = read_list(text)
    own = _from_config(resources.config)
    chosen |= own
    options = render_options(chosen)
    if "namespace" in own:
        options = options._replace(namespace_typed=True)
    result = answer(resources, options, chosen["environment"] or "")
    code = exit_code(result.problems)
    if config is None:
        emit(as_yaml(result, resources.config))
    elif code is Exit.FINE:
        emit(as_stream([f"{block(item, 0)}\n" for item in result.items]))
    print_report(Report("krm", result.problems, {"items": len(result.items)}), "text", quiet=quiet, stdout=False)
    return code


def _from_config(config: Item | None) -> dict[str, Any]:
    """The options in a ConfigMap, parsed like those of the command line."""
    if config is None or is_spec(config):
        return {}
    data = config.get("data") or {}
    if config.get("kind") != "ConfigMap" or not isinstance(data, dict):
        raise _bad_config("the functionConfig must be a McpServer, or a ConfigMap whose data sets options")
    options = {option.name or "": option for option in krm.params if isinstance(option, click.Option)}
    known = {re.sub("_(.)", lambda match: match[1].upper(), name): option for name, option in options.items()}
    for of_the_terminal in ("quiet", "color", "debug"):
        known.pop(of_the_terminal, None)
    arguments = []
    for key, value in data.items():
        if key not in known:
            raise _bad_config(f"data.{excerpt(str(key))}: unknown option; there is {', '.join(sorted(known))}")
        arguments += _argument(known[key], str(value), key)
    try:
        values = krm.make_context("functionConfig", arguments).params
    except click.UsageError as mistake:
        raise _bad_config(mistake.format_message()) from mistake
    return {option.name: values[option.name] for key, option in known.items() if key in data and option.name}


def _argument(option: click.Option, value: str, key: str) -> list[str]:
    if not option.is_flag:
        return [f"{option.opts[0]}={value}"]
    if value not in ("true", "false"):
        raise _bad_config(f"data.{key} must be 'true' or 'false'")
    return [option.opts[0] if value == "true" else option.secondary_opts[0]]


def _bad_config(message: str, file: str = "<stdin>") -> InputInvalid:
    problem = Problem(Place(file), "functionConfig", "krm/config", message, "see docs/gitops.md")
    return InputInvalid("the functionConfig is invalid", [problem])

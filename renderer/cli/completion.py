"""``mcpctl completion``: the script of a shell, with a table of what there is to complete."""

from __future__ import annotations

import json
from typing import Any

import click

from renderer import __version__, assets
from renderer.cli.candidates import (
    COMMANDS,
    ENVIRONMENTS,
    FIELDS,
    FILES,
    FOLDERS,
    LEVELS,
    NOTHING,
    RULES,
    SERVER_FIELDS,
    SERVERS,
    Table,
)
from renderer.cli.shells import SCRIPTS
from renderer.cli.streams import emit
from renderer.errors import Exit
from renderer.reference import fields
from renderer.rules import catalogue

#: By the parameter's name, of one command before that of all.
_BY_NAME = {
    "rule.name": RULES,
    "help.name": COMMANDS,
    "logs.name": SERVERS,
    "schema.name": FIELDS,
    "eject.names": "templates",
    "start.targets": SERVERS,
    "names": SERVERS,
    "servers": SERVERS,
    "field": SERVER_FIELDS,
    "environments": ENVIRONMENTS,
    "environment": ENVIRONMENTS,
    "kubernetes_version": "versions",
    "levels": LEVELS,
    "paths": FILES,
    "files": FILES,
    "config": FILES,
    "setting_kubernetes_kubeconfig": FILES,
    "setting_docker_socketpath": FILES,
}
_BY_METAVAR = {"FILE": FILES, "DIR": FOLDERS}


@click.command(
    epilog="""\b
Examples:
  mcpctl completion bash > ~/.local/share/bash-completion/completions/mcpctl
  mcpctl completion zsh > ~/.zfunc/_mcpctl
  mcpctl completion fish > ~/.config/fish/completions/mcpctl.fish
"""
)
@click.argument("shell", type=click.Choice(sorted(SCRIPTS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print a script that completes commands, options, files and names of specs on TAB.

    A new shell reads it from the file of the examples; for zsh the folder must be in $fpath before compinit runs.
    """
    group = context.find_root().command
    assert isinstance(group, click.Group)
    # One line without quotes of its own: it stands in single quotes.
    text = json.dumps(table(group), separators=(",", ":")).replace("'", "\\u0027")
    emit(SCRIPTS[shell].replace("@TABLE@", text))
    return Exit.FINE


def table(group: click.Group) -> Table:
    """What there is to complete: commands with their options and arguments, and the words that some of these take."""
    above = click.Context(group, **group.context_settings)
    commands: Table = {}
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        parameters = command.get_params(above)
        options = [each for each in parameters if isinstance(each, click.Option)]
        commands[name] = {
            "options": {word: _kind(name, each) for each in options for word in (*each.opts, *each.secondary_opts)},
            "arguments": [_kind(name, each) for each in parameters if isinstance(each, click.Argument)],
        }
    return {
        "version": __version__,
        "options": {word: _kind("", each) for each in group.get_params(above) for word in each.opts},
        "commands": commands,
        "rules": list(catalogue()),
        "templates": assets.names("templates"),
        "versions": list(assets.kubernetes_versions()),
        "schemas": assets.names("schemas"),
        "fields": {**_tree("mcpserver"), "environment": _tree("environment")},
    }


def _kind(command: str, parameter: click.Parameter) -> Any:
    """None of a flag, the values of a choice, else a word for what it takes."""
    if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count):
        return None
    if isinstance(parameter.type, click.Choice):
        return list(parameter.type.choices)
    name = str(parameter.name)
    by_metavar = _BY_METAVAR.get(parameter.metavar or "", NOTHING)
    return _BY_NAME.get(f"{command}.{name}") or _BY_NAME.get(name) or by_metavar


def _tree(schema: str) -> Table:
    """The fields of a schema, each in the field that has it; lists end with ``[]``."""
    tree: Table = {}
    paths = list(dict.fromkeys(field.path for field in fields(assets.schema(schema))))
    lists = {path.partition("[].")[0] for path in paths if "[]." in path}
    for path in paths:
        node, here = tree, ""
        for step in path.replace("[]", "").split("."):
            here = f"{here}.{step}" if here else step
            node = node.setdefault(f"{step}[]" if here in lists else step, {})
    return tree

"""``mcpctl completion``: the script of a shell, with a table of what can be completed."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
from renderer.cli.streams import emit
from renderer.errors import Exit
from renderer.reference import fields
from renderer.rules import catalogue

#: The scripts pass on what is typed, and offer the lines that come back. A line is a value, or ``:files`` or
#: ``:folders``, which the shell completes itself. After a value that ends with ``=`` or ``.`` the word continues.
#: ``@TABLE@`` is JSON without single quotes and backslashes.

#: bash breaks words at '=', so it wants what follows the last one; its old version on macOS has no compopt.
_BASH = r"""# bash completion of mcpctl
_mcpctl() {
  local line words
  COMPREPLY=()
  words=("${COMP_WORDS[@]:1:COMP_CWORD}")
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default ;;
      :folders) compopt -o dirnames ;;
      *[=.]) compopt -o nospace; COMPREPLY+=("$line") ;;
      *) COMPREPLY+=("$line") ;;
    esac
  done < <(_MCPCTL_COMPLETE=bash _MCPCTL_TABLE="$_mcpctl_table" "${1/#\~/$HOME}" "${words[@]}")
} 2> /dev/null
_mcpctl_table='@TABLE@'
complete -F _mcpctl mcpctl
"""

_ZSH = r"""#compdef mcpctl
# zsh completion of mcpctl
_mcpctl() {
  local line
  local -x _MCPCTL_COMPLETE=zsh _MCPCTL_TABLE=$_mcpctl_table
  local -a lines values parts
  lines=("${(@f)$(${(Q)words[1]} "${(@Q)words[2,CURRENT]}" 2> /dev/null)}")
  for line in $lines; do
    case $line in
      (*[=.]) parts+=($line) ;;
      (:*) ;;
      (*) values+=($line) ;;
    esac
  done
  (( $#values )) && compadd -a values
  (( $#parts )) && compadd -S '' -a parts
  if (( $lines[(Ie):files] )); then compset -P '*='; _files; fi
  if (( $lines[(Ie):folders] )); then compset -P '*='; _files -/; fi
}
typeset -g _mcpctl_table='@TABLE@'
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _mcpctl "$@"; else compdef _mcpctl mcpctl; fi
"""

_FISH = r"""# fish completion of mcpctl
set -g _mcpctl_table '@TABLE@'
function __mcpctl_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  test (count $current) -eq 0; and set current ''
  for line in (env _MCPCTL_COMPLETE=fish _MCPCTL_TABLE=$_mcpctl_table $words $current 2> /dev/null)
    switch $line
      case :files
        __fish_complete_path (string replace -r '^--?[^=]*=' '' -- $current)
      case :folders
        __fish_complete_directories (string replace -r '^--?[^=]*=' '' -- $current)
      case '*'
        echo $line
    end
  end
end
complete -c mcpctl -f -a '(__mcpctl_complete)'
"""

SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

#: By the parameter's name, of one command before that of all.
_BY_NAME = {
    "rule.name": RULES,
    "help.names": COMMANDS,
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
    """Commands with their options and arguments, and the values of some of these."""
    return {
        "version": __version__,
        **_command("", group, click.Context(group, **group.context_settings)),
        "rules": list(catalogue()),
        "templates": assets.names("templates"),
        "versions": list(assets.kubernetes_versions()),
        "schemas": assets.names("schemas"),
        "fields": {**_tree("mcpserver"), "environment": _tree("environment"), "config": _tree("config")},
    }


def _command(name: str, command: click.Command, above: click.Context) -> Table:
    parameters = command.get_params(above)
    options = [each for each in parameters if isinstance(each, click.Option)]
    about: Table = {
        "options": {word: _kind(name, each) for each in options for word in (*each.opts, *each.secondary_opts)},
        "arguments": [_kind(name, each) for each in parameters if isinstance(each, click.Argument)],
    }
    if isinstance(command, click.Group):
        inner = {each: command.get_command(above, each) for each in command.list_commands(above)}
        about["commands"] = {each: _command(each, below, above) for each, below in inner.items() if below}
    return about


def _kind(command: str, parameter: click.Parameter) -> Any:
    """None for a flag, the values of a choice, else a word for the kind of value."""
    if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count):
        return None
    if isinstance(parameter.type, click.Choice):
        return list(parameter.type.choices)
    name = str(parameter.name)
    by_metavar = _BY_METAVAR.get(parameter.metavar or "", NOTHING)
    return _BY_NAME.get(f"{command}.{name}") or _BY_NAME.get(name) or by_metavar


def _tree(schema: str) -> Table:
    """The fields of a schema, nested; lists end with ``[]``."""
    tree: Table = {}
    paths = list(dict.fromkeys(field.path for field in fields(assets.schema(schema))))
    lists = {path.partition("[].")[0] for path in paths if "[]." in path}
    for path in paths:
        node, here = tree, ""
        for step in path.replace("[]", "").split("."):
            here = f"{here}.{step}" if here else step
            node = node.setdefault(f"{step}[]" if here in lists else step, {})
    return tree

"""The scripts of ``mcpctl completion``: they hand over what is typed, and offer the lines that come back.

A line is a value, or ``:files`` or ``:folders``, which the shell completes itself. After a value that ends with ``=``
or ``.`` the word goes on. ``@TABLE@`` is JSON without single quotes and backslashes.
"""

from __future__ import annotations

from collections.abc import Mapping

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

"""The values that TAB completes.

Commands import all that they run with, which is too slow for a key. So the shell's script holds a table of what can be
completed, and only names in specs are looked up. A table of another version is made again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any

import click

from renderer import __version__
from renderer.cli.streams import emit
from renderer.project import find_project

Table = dict[str, Any]

#: The value of a parameter in the table: None for flags, a list of values, or one of these words.
FILES, FOLDERS, SERVERS, ENVIRONMENTS, NOTHING = "files", "folders", "servers", "environments", "nothing"
LEVELS, FIELDS, SERVER_FIELDS, RULES, COMMANDS = "levels", "fields", "server-fields", "rules", "commands"
#: Files searched for names, and bytes read of each.
_MOST_FILES, _BEGINNING = 2000, 65536
_SUFFIXES = (".yaml", ".yml", ".json")
_KIND = r"""(?:^|[{,])\s*["']?kind["']?\s*:\s*["']?%s\b"""
_NAME = r"""["']?\bname["']?\s*:\s*["']?([\w.-]+)"""
#: metadata in braces; and in a block, with the indent of its fields.
_IN_BRACES = re.compile(r"""["']?\bmetadata["']?\s*:\s*\{((?:[^{}]|\{[^{}]*\})*)\}""")
_INDENTED = re.compile(r"^metadata:[^\n]*\n(?:[ \t]*#[^\n]*\n)*([ \t]+)", re.MULTILINE)


def complete(group: click.Group, words: Sequence[str]) -> None:
    """Prints a line for each value that may replace the last word; never an error: nobody could read it."""
    try:
        text = os.environ.get("_MCPCTL_TABLE")
        known: Table = json.loads(text) if text else {}
        if known.get("version") != __version__:
            known = import_module("renderer.cli.completion").table(group)
        choices, typed = candidates(known, words or [""])
        # bash has broken the word at '=' and wants the rest; zsh and fish want the whole word.
        cut = typed.rpartition("=")[0] + "=" if os.environ["_MCPCTL_COMPLETE"] == "bash" and "=" in typed else ""
        emit("".join(f"{value if value[0] == ':' else value.removeprefix(cut)}\n" for value in choices))
    except Exception:
        return


def candidates(known: Table, words: Sequence[str]) -> tuple[list[str], str]:
    """The values that begin with the last word, and that word as the user sees it."""
    *before, current = _joined(words)
    command, typed = known, before
    while commands := command.get("commands"):
        at = 0  # of a command: behind the options of the one above, and what these take
        while at < len(typed) and typed[at].startswith("-"):
            at += 2 if command["options"].get(typed[at]) else 1
        if at >= len(typed):
            command = {**command, "arguments": [list(commands)], "commands": {}}
            break
        command = commands.get(typed[at], {"options": {}, "arguments": []})
        typed = typed[at + 1 :]
    options = command["options"]
    option, equals, value = current.partition("=")
    if equals and options.get(option):
        values = _values(known, options[option], value, before)
        return [each if each[0] == ":" else f"{option}={each}" for each in values], current
    if typed and "=" not in typed[-1] and options.get(typed[-1]):
        return _values(known, options[typed[-1]], current, before), current
    if current.startswith("-"):
        return _beginning(options, current), current
    arguments = command["arguments"]
    positions = [w for i, w in enumerate(typed) if w[:1] != "-" and not (i and options.get(typed[i - 1]))]
    kind = arguments[min(len(positions), len(arguments) - 1)] if arguments else NOTHING
    return _values(known, kind, current, before), current


def _joined(words: Sequence[str]) -> list[str]:
    """With `--out`, `=`, `x` as one word again: bash breaks words there."""
    joined: list[str] = []
    for word in words:
        if joined and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _values(known: Table, kind: Any, current: str, before: Sequence[str]) -> list[str]:
    if isinstance(kind, list):
        return _beginning(kind, current)
    if kind in (FILES, FOLDERS):
        return [f":{kind}"]
    if kind == LEVELS:
        return _levels(known["rules"], current)
    if kind == FIELDS:
        return [*_beginning(known["schemas"], current), *_fields(known["fields"], current, "")]
    if kind == SERVER_FIELDS and "." in current:
        server, _, path = current.partition(".")
        of_spec = {name: below for name, below in known["fields"].items() if name not in ("environment", "config")}
        return [f"{server}.{field}" for field in _fields(of_spec, path, "[0]")]
    if kind in (SERVERS, SERVER_FIELDS, ENVIRONMENTS):
        names = names_in("Environment" if kind == ENVIRONMENTS else "McpServer", before)
        return [*_beginning(names, current), *([] if kind == ENVIRONMENTS else [":files"])]
    if kind == RULES:
        return _beginning(known["rules"], current) or _beginning(_short(known["rules"]), current)
    return _beginning(known.get(kind, ()), current)


def _beginning(values: Iterable[str], start: str) -> list[str]:
    return [value for value in values if value.startswith(start)]


def _short(rules: Iterable[str]) -> list[str]:
    return [rule.removeprefix("policy/") for rule in rules if rule.startswith("policy/")]


def _levels(rules: Sequence[str], current: str) -> list[str]:
    rule, equals, level = current.partition("=")
    if equals:
        return [f"{rule}={each}" for each in _beginning(("error", "warning", "off"), level)]
    policy = [each for each in rules if each.startswith("policy/")]
    return [f"{each}=" for each in _beginning(policy if rule.startswith("policy") else _short(rules), rule)]


def _fields(tree: Table, path: str, index: str) -> list[str]:
    """The next step of the path, below ``spec`` also without it; a field that has fields ends with a dot."""
    *steps, current = path.split(".")
    start = "".join(f"{step}." for step in steps)
    nodes = [tree, tree.get("spec", {})]
    for step in steps:
        name = re.sub(r"\[\d*\]$", "", step)
        nodes = [
            node.get(name) or node.get(f"{name}[]") or node.get("<name>") or node.get("<path>") or {} for node in nodes
        ]
        # Of an environment too.
        nodes += [node["spec"] for node in nodes if "spec" in node]
    names = {
        name: below for node in nodes for name, below in node.items() if name.startswith(current) and name[0] != "<"
    }
    return [f"{start}{name.replace('[]', index)}" + ("." if below else "") for name, below in names.items()]


def names_in(kind: str, words: Iterable[str]) -> list[str]:
    """The names of all documents of a kind: of the project, else in the files and folders among the words, or here."""
    project = find_project()
    paths = project.paths if project else [word for word in words if os.path.exists(word)] or [os.curdir]
    names = set()
    for path in _first_files(paths):
        with open(path, encoding="utf-8", errors="replace") as file:
            for document in re.split(r"^---", file.read(_BEGINNING), flags=re.MULTILINE):
                if re.search(_KIND % kind, document, re.MULTILINE):
                    names.add(_name(document))
    return sorted(names - {""})


def _name(document: str) -> str:
    """By pattern: reading YAML would take too long. Names of labels are indented further."""
    if braces := _IN_BRACES.search(document):
        name = re.search(_NAME, re.sub(r"\{[^{}]*\}", "", braces[1]))
    else:
        indented = _INDENTED.search(document)
        name = indented and re.compile(f"^{indented[1]}{_NAME}", re.MULTILINE).search(document, indented.start(1))
    return name[1] if name else ""


def _first_files(paths: Iterable[str]) -> Iterator[str]:
    left = _MOST_FILES
    for path in paths:
        for folder, folders, files in os.walk(path) if os.path.isdir(path) else [("", [], [path])]:
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if name.endswith(_SUFFIXES) and left:
                    left -= 1
                    yield os.path.join(folder, name)

"""Every ``mcpctl …`` that a document shows is a command with options that there are; nobody types in vain."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from renderer.cli import COMMANDS, mcpctl

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
#: Where a program is called: at the beginning, behind another one, in a list of YAML.
CALL = re.compile(
    r"(?:^|[|;&(!]\s*|- |\bexec |entry: |')(?:[\w./]*/)?(?:mcpctl|python -m renderer) +(?!\w+:)(.+)", re.M
)
FENCED = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.M | re.S)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
#: What ends a command for a shell; in a code span, what stands for something else.
ENDS = {"|", "||", "&&", ";", ">", "<", ")", "&", "(", "2", "…"}


def calls(text: str) -> Iterator[str]:
    """All that follows the program's name, in blocks of shell and YAML and in code within a sentence."""
    for language, block in FENCED.findall(text):
        if language == "console":  # what is not behind a prompt is printed
            block = "".join(re.findall(r"^ *\$ (.*\n)", block, re.M))
        if language in ("sh", "bash", "shell", "yaml", "console"):
            yield from CALL.findall(block.replace("\\\n", " "))
    prose = FENCED.sub("", text)
    spans = (" ".join(span.split()) for span in SPAN.findall(prose))
    yield from (span.partition(" ")[2] for span in spans if re.match(r"mcpctl [a-z-]+( |$)", span))


def words(call: str) -> list[str]:
    lexer = shlex.shlex(call.replace("'`", "`"), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[str] = []
    try:
        for word in lexer:
            if word in ENDS:
                break
            found.append(word)
    except ValueError:  # a quote that ends behind the program: exec 'mcpctl krm'
        found = call.replace("'", " ").split()
    return found


SHOWN = [(path.relative_to(ROOT).as_posix(), call) for path in DOCUMENTS for call in calls(path.read_text("utf-8"))]


def test_commands_that_are_shown_can_be_typed() -> None:
    refused = [(document, call, faults(words(call))) for document, call in SHOWN]
    assert [each for each in refused if each[-1]] == []


def faults(typed: list[str]) -> list[str]:
    """What click would refuse, without looking at files; required things may be left out in a sentence."""
    if typed[0].startswith("-"):
        return [] if typed[0] in ("--help", "-h", "--version") else typed[:1]
    if typed[0] not in COMMANDS:
        return [f"no command {typed[0]}"]
    command = mcpctl.get_command(click.Context(mcpctl, **mcpctl.context_settings), typed[0])
    assert command
    while isinstance(command, click.Group) and len(typed) > 1 and typed[1] in command.commands:
        typed = typed[1:]
        command = command.commands[typed[0]]
    try:
        given, _, _ = command.make_parser(click.Context(command, **mcpctl.context_settings)).parse_args(typed[1:])
    except click.UsageError as mistake:
        return [] if "requires an argument" in mistake.format_message() else [mistake.format_message()]
    choices = {one.name: one.type.choices for one in command.params if isinstance(one.type, click.Choice)}
    return [
        f"{name} {value}"
        for name, value in given.items()
        if name in choices and isinstance(value, str) and value.islower() and value not in choices[name]
    ]


def test_there_is_something_to_look_at() -> None:
    """So that a change of the patterns does not look at nothing."""
    seen = {words(call)[0] for _, call in SHOWN}
    assert set(COMMANDS) <= seen, set(COMMANDS) - seen
    assert len(SHOWN) > 50


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("rendr specs", "no command rendr"),
        ("render specs --chek", "--chek"),
        ("render -t helm specs", "target_name helm"),
        ("diff specs --format html", "style html"),
        ("--versoin", "--versoin"),
    ],
)
def test_what_cannot_be_typed_is_found(call: str, fault: str) -> None:
    assert fault in "".join(faults(words(call)))


def test_the_shell_around_a_command_is_left_out() -> None:
    shown = "```sh\na && mcpctl render x --out y | b  # c --d\n```\nand `mcpctl diff\n--out z`, `mcpctl-render`\n"
    assert [words(call) for call in calls(shown)] == [["render", "x", "--out", "y"], ["diff", "--out", "z"]]

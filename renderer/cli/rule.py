"""``mcpctl rule``: what a rule finds, why, and how to fix or accept it."""

from __future__ import annotations

import json

import click

from renderer.cli.options import text_or_json
from renderer.cli.streams import emit, wrapped
from renderer.errors import Exit, UsageMistake, excerpt
from renderer.policy import policy_of
from renderer.rules import GROUPS, Explanation, catalogue, of_group, plain
from renderer.wording import suggestion


@click.command(
    epilog="""\b
Examples:
  mcpctl rule
  mcpctl rule policy/image-tag
  mcpctl rule image-tag --output json
"""
)
@click.argument("name", required=False, metavar="[ID]")
@text_or_json("Format: text for people, json for programs.")
def rule(name: str | None, style: str) -> int:
    """Explain a rule: what it finds, why, how to fix or accept it; without ID list all rules.

    ID is what stands in brackets behind a problem; 'policy/' may be left out. Rules of policy have an explanation each,
    the others one for their group: spec/*.
    """
    rules = catalogue()
    if not name:
        groups = [rule for prefix in GROUPS if (rule := of_group(prefix if "/" in prefix else f"{prefix}/*"))]
        every = [*rules.values(), *groups]
        text = "".join(map(_line, every))
        emit(json.dumps([_data(each) for each in every], indent=2) + "\n" if style == "json" else text)
        return Exit.FINE
    explanation = rules.get(name) or rules.get(f"policy/{name}") or rules.get(policy_of(name)) or of_group(name)
    if explanation is None:
        near = suggestion(name, rules) or "; mcpctl rule lists all"
        raise UsageMistake(f"no rule is called '{excerpt(name)}'{near}")
    emit(json.dumps(_data(explanation), indent=2) + "\n" if style == "json" else _text(explanation))
    return Exit.FINE


def _line(explanation: Explanation) -> str:
    return wrapped(f"{explanation.id} ({explanation.level}): {explanation.about}", "  ")


def _text(explanation: Explanation) -> str:
    parts = [f"{title}:\n{wrapped(plain(text), '  ', '  ')}" for title, text in explanation.parts]
    return "\n".join([f"{explanation.id}: {explanation.about}\nLevel: {explanation.level}\n", *parts])


def _data(explanation: Explanation) -> dict[str, object]:
    texts = {title.lower(): plain(text) for title, text in explanation.parts}
    return {
        "id": explanation.id,
        "level": explanation.level,
        "about": explanation.about,
        "targets": list(explanation.targets),
        **texts,
    }

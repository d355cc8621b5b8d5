"""``mcpctl rule``: explains a rule."""

from __future__ import annotations

import click

from renderer.cli.options import text_or_json
from renderer.cli.streams import emit, emit_data, wrapped
from renderer.errors import Exit, UsageMistake, excerpt
from renderer.policy import policy_of
from renderer.rules import GROUPS, Explanation, catalogue, of_group, plain, policies
from renderer.wording import suggestion


@click.command(
    epilog="""\b
Examples:
  mcpctl rule
  mcpctl rule policy/image-tag
  mcpctl rule image-tag --output json
  mcpctl rule spec
"""
)
@click.argument("name", required=False, metavar="[ID]")
@text_or_json("Format: text for people, json for programs.")
def rule(name: str | None, style: str) -> int:
    """Explain a rule: what it finds, why, how to fix or accept it; without ID list the rules of policy.

    ID is what stands in brackets behind a problem; 'policy/' may be left out. The part before the slash lists the rules
    of that group.
    """
    as_json, group = style == "json", (name or "policy").removesuffix("*").rstrip("/")
    if listed := policies() if group == "policy" else of_group(group):
        text = "".join(_line(each.id, each.level, each.about) for each in listed.values())
        if group == "policy":
            text += "".join(
                _line(f"{prefix}/*", f"mcpctl rule {prefix}", about) for prefix, (about, *_) in GROUPS.items()
            )
        data = [_data(each) for each in (listed if name else catalogue()).values()]
        if as_json:
            emit_data(data)
        else:
            emit(text)
        return Exit.FINE
    rules = catalogue()
    explanation = rules.get(group) or rules.get(f"policy/{group}") or rules.get(policy_of(group))
    if explanation is None:
        near = suggestion(group, rules) or suggestion(f"policy/{group}", rules) or "; mcpctl rule lists all"
        raise UsageMistake(f"no rule is called '{excerpt(group)}'{near}")
    if as_json:
        emit_data(_data(explanation))
    else:
        parts = [f"{title}:\n{wrapped(plain(text), '  ', '  ')}" for title, text in explanation.parts]
        emit("\n".join([f"{explanation.id}: {explanation.about}\nLevel: {explanation.level}\n", *parts]))
    return Exit.FINE


def _line(name: str, words: str, about: str) -> str:
    return wrapped(f"{name} ({words}): {plain(about)}", "  ")


def _data(explanation: Explanation) -> dict[str, object]:
    texts = {title.lower(): plain(text) for title, text in explanation.parts}
    return {
        "id": explanation.id,
        "level": explanation.level,
        "about": explanation.about,
        "targets": list(explanation.targets),
        **texts,
    }

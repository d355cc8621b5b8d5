"""What each rule finds, why, and how to fix or accept it: as data, and as Markdown for documents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from renderer.policy.catalogue import RULES, Rule

#: Links to files beside the documents, which a terminal cannot follow.
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")


class Explanation(NamedTuple):
    """One rule for people. ``level`` is what it weighs by default; texts are Markdown, of which lists may be a part."""

    id: str
    level: str
    about: str
    what: str
    why: str
    fix: str
    accept: str
    always: str = ""
    #: Whether ``--policy`` and environments can set another level.
    adjustable: bool = True
    #: Targets whose rendered documents it reads; none where it reads specs alone.
    targets: Sequence[str] = ()

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Title and text of what there is to say."""
        named = {"What": self.what, "Why": self.why, "Fix": self.fix, "Always": self.always, "Accept": self.accept}
        return [(title, text) for title, text in named.items() if text]


def catalogue() -> dict[str, Explanation]:
    """All rules by id, sorted."""
    return {name: _explained(name, rule) for name, rule in sorted(RULES.items())}


def _explained(name: str, rule: Rule) -> Explanation:
    place = ", path: …, digest: …" if rule.by_digest else ""
    more = f", {rule.accepting}" if rule.accepting else ""
    accept = f"`accept: [{{rule: {name}{place}, reason: …}}]`{more}"
    about, adjustable = rule.about, not rule.waived_only
    return Explanation(
        name, rule.level, about, rule.what, rule.why, rule.fix, accept, rule.always, adjustable, rule.targets
    )


def page(rule: Explanation) -> str:
    """The body of a rule's page in Markdown, without its heading."""
    fixed = "" if rule.adjustable else ", in every run: `--policy` cannot lower it"
    parts = [f"- **{title}**: {text}".replace("\n- ", "\n  - ") for title, text in rule.parts]
    return "\n".join([f"Level: {rule.level}{fixed}.", "", *parts])


def sections() -> str:
    """All pages as one piece of Markdown: the end of ``docs/rules.md``."""
    return "\n\n".join(f"## {rule.id}\n\n{page(rule)}" for rule in catalogue().values()) + "\n"


def plain(text: str) -> str:
    """Markdown without its links: of one to a document the file is named."""

    def named(link: re.Match[str]) -> str:
        text, file = link[1], link[2].partition("#")[0]
        if not file:
            return text
        return f"docs/{file}" if text == file else f"{text} (docs/{file})"

    return _LINK.sub(named, text)

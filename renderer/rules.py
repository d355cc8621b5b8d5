"""What each rule finds, why, and how to fix or accept it: as data, and as Markdown for documents."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from renderer.policy.catalogue import RULES, Rule

#: Links to files beside the documents, which a terminal cannot follow.
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")


#: Of the rules that are no policy, by the beginning of their ids or a whole one: what they find, and how such a problem
#: is fixed. The problem itself says the rest.
GROUPS: Mapping[str, tuple[str, str]] = {
    "api": ("what an API server refuses though its schema allows it", "Write the value that the problem asks for."),
    "check": ("a file of a tree that is not what a render writes", "Run the command that the report ends with."),
    "compose": (
        "what compose cannot express, or a compose file that would not do what it says",
        "Change the field that the problem names, or accept the warning where the difference does not matter.",
    ),
    "config": (
        "a setting in mcpctl.yaml, a variable or an option that does not hold",
        "`mcpctl config` prints each setting with its source; `mcpctl schema config` is the schema of the file.",
    ),
    "environment": (
        "an environment that contradicts itself, or that changes nothing",
        "`mcpctl schema environment.FIELD` explains a field; `mcpctl explain SERVER` prints where a value comes from.",
    ),
    "import": ("a definition that cannot become a spec", "Write the spec by hand, or leave the definition out."),
    "krm": ("a ResourceList that is not one for mcpctl", "[gitops.md](gitops.md) has the calls of kustomize and kpt."),
    "kubernetes": (
        "what a cluster refuses, ignores or does otherwise than the spec says",
        "Change the field that the problem names, or accept the warning where it is meant so.",
    ),
    "load": ("a file or folder that cannot be read", "Correct the path, or the rights of the file."),
    "locked": (
        "an image or a package that is not pinned, in a run with --locked",
        "`mcpctl pin` writes digests of images and locks of packages.",
    ),
    "output": (
        "a rendered document that is not what was asked for: a patch or a template of yours made it so",
        "Correct the patch or the template; without either it is a defect of mcpctl, please report it.",
    ),
    "pin": (
        "what cannot be pinned, or whose newest version is not known",
        "The problem names the program or the registry that is missing.",
    ),
    "policy/accepts-nothing": (
        "an acceptance that accepts nothing: what it names is not found, or not at its place",
        "Remove it from `spec.accept`, or correct its rule and path: those of the finding that is meant.",
    ),
    "schema": (
        "a field that is unknown, missing, or has a value of another form",
        "`mcpctl schema FIELD` explains a field, with its type, bounds and an example.",
    ),
    "spec": (
        "fields that contradict one another, or that together do not do what they say",
        "The problem names the other field; `mcpctl schema FIELD` explains each.",
    ),
    "template": ("a template of yours that fails", "[templates.md](templates.md) lists what a template may read."),
    "templates": ("a folder of templates that cannot be used", "[templates.md](templates.md) says what it may hold."),
    "tree": (
        "a tree that cannot be written safely, or that others have changed",
        "Move what is not rendered out of the tree; `--force` overwrites, `--prune` removes.",
    ),
    "yaml": (
        "text that is no YAML, or that readers take for different values",
        "Put the value in quotes, or write it as the problem says.",
    ),
}
#: Of these a warning can be accepted by a spec.
_ACCEPTABLE = ("api", "compose", "kubernetes", "spec")


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


def of_group(name: str) -> Explanation | None:
    """A rule that is no policy, by its id or that of its group (``spec/*``); None where there is no such group."""
    prefix, _, rest = name.partition("/")
    words = GROUPS.get(name) or GROUPS.get(prefix)
    if not words or not rest:
        return None
    about, fix = words
    accept = f"a warning by `accept: [{{rule: {name}, reason: …}}]`; an error must be fixed"
    return Explanation(
        name,
        "error or warning",
        about,
        f"{about[0].upper()}{about[1:]}.",
        "The id names the kind of problem; its message says what is wrong, where, and what to do.",
        fix,
        accept if prefix in _ACCEPTABLE else "It cannot be accepted.",
        adjustable=False,
    )


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

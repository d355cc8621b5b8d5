"""What each rule finds, why, and how to fix or accept it: as data, and as Markdown for documents."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from renderer.policy.catalogue import RULES, Rule
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: Links to files beside the documents, which a terminal cannot follow.
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")


#: What a group of rules is about that are no policy, why one of them matters, and how such a problem is fixed: the last
#: two where the rule has no words of its own.
GROUPS: Mapping[str, tuple[str, str, str]] = {
    "api": (
        "what an API server refuses though its schema allows it",
        "An apply would stop at this object.",
        "Correct the patch or the template that brought it: what mcpctl renders by itself has none of it.",
    ),
    "check": (
        "a file of a tree that is not what a render writes",
        "What is delivered would not be what the specs say.",
        "Run the command that the report ends with.",
    ),
    "compose": (
        "what compose cannot express, or a compose file that would not do what it says",
        "The server would run otherwise than the spec says, or not at all.",
        "Change the field that the problem names.",
    ),
    "config": (
        "a setting in mcpctl.yaml, a variable or an option that does not hold",
        "A command would do something else than was configured.",
        "`mcpctl config` prints each setting with its source; `mcpctl schema config` is the schema of the file.",
    ),
    "environment": (
        "an environment that contradicts itself, or that changes nothing",
        "The environment would render something else than it says.",
        "`mcpctl schema environment.FIELD` explains a field; `mcpctl explain SERVER` prints where a value comes from.",
    ),
    "import": (
        "a definition that cannot become a spec",
        "A spec of it would not run, or would run something else.",
        "Correct the definition, write the spec by hand, or leave the definition out.",
    ),
    "krm": (
        "a ResourceList that is not one for mcpctl",
        "kustomize and kpt would go on with something else than was meant.",
        "[gitops.md](gitops.md) has the calls of kustomize and kpt.",
    ),
    "kubernetes": (
        "what a cluster refuses, ignores or does otherwise than the spec says",
        "The server would run otherwise than the spec says, or not at all.",
        "Change the field that the problem names.",
    ),
    "load": ("a file or folder that cannot be read", "Its specs would be missing.", "Correct the path, or its rights."),
    "locked": (
        "an image or a package that is not pinned, in a run with --locked",
        "What runs tomorrow may not be what was reviewed.",
        "`mcpctl pin` writes digests of images and locks of packages.",
    ),
    "output": (
        "a rendered document that is not what was asked for: a patch or a template of yours made it so",
        "What is applied must be what the spec says and what is recorded.",
        "Correct the patch or the template; without either it is a defect of mcpctl, please report it.",
    ),
    "pin": (
        "what cannot be pinned, or whose newest version is not known",
        "What runs tomorrow may not be what was reviewed.",
        "The problem names the program or the registry that is missing.",
    ),
    "pod-security": (
        "what Pod Security refuses of a pod: a patch or a template of yours made it so",
        "It is the common floor of everything that is rendered, and the one that namespaces ask for.",
        "Take it out of the patch or the template.",
    ),
    "schema": (
        "a field that is unknown, missing, or has a value of another form",
        "It would be ignored, or refused where it is applied.",
        "`mcpctl schema FIELD` explains a field, with its type, bounds and an example.",
    ),
    "spec": (
        "fields that contradict one another, or that together do not do what they say",
        "The spec would not do what it says.",
        "The problem names the other field; `mcpctl schema FIELD` explains each.",
    ),
    "template": (
        "a template of yours that fails",
        "Nothing can be rendered with it.",
        "[templates.md](templates.md) lists what a template may read.",
    ),
    "templates": (
        "a folder of templates that cannot be used",
        "A file in it would be ignored, or lead elsewhere.",
        "[templates.md](templates.md) says what it may hold.",
    ),
    "tree": (
        "a tree that cannot be written safely, or that others have changed",
        "A change of somebody, or data, would be lost.",
        "Move what is not rendered out of the tree; `--force` overwrites, `--prune` removes.",
    ),
    "yaml": (
        "text that is no YAML, or that readers take for different values",
        "Readers take it for different values, or refuse it.",
        "Write the value as the problem says.",
    ),
}
#: Of these a warning can be accepted by a spec.
_ACCEPTABLE = ("api", "compose", "kubernetes", "spec")
#: Where a schema is held against a document under another name than its own.
_SCHEMAS = ("compose", "config", "kubernetes")
_TEXTS = Path(__file__).parent
#: Levels of what is no policy, as ``level`` says it; "error" where it is left out.
MIXED = "error or warning"


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


def policies() -> dict[str, Explanation]:
    """The rules of policy by id, sorted: teams set their levels, and specs accept what they find."""
    return {name: _explained(name, rule) for name, rule in sorted(RULES.items())}


def catalogue() -> dict[str, Explanation]:
    """All rules by id, sorted."""
    return dict(sorted({**policies(), **_problems()}.items()))


def of_group(prefix: str) -> dict[str, Explanation]:
    """The rules of a group by id, sorted; none where there is no such group."""
    return {name: rule for name, rule in catalogue().items() if name.partition("/")[0] == prefix}


@cache
def _problems() -> dict[str, Explanation]:
    """The rules that are no policy, of the texts beside this module."""
    texts: dict[str, Mapping[str, str]] = {}
    for file in sorted(_TEXTS.glob("*.yaml")):
        (document, *_), _ = read(file.read_bytes(), strict=False, limits=OUTPUT_LIMITS, marks=False)
        rules: Any = document.data
        for name, text in rules.items():
            texts[name if "/" in name else f"{file.stem}/{name}"] = text
    shared = {name.partition("/")[2]: text for name, text in texts.items() if name.startswith("schema/")}
    for prefix in _SCHEMAS:
        texts |= {f"{prefix}/{name}": text for name, text in shared.items() if f"{prefix}/{name}" not in texts}
    return {name: _of_text(name, text) for name, text in texts.items()}


def _of_text(name: str, text: Mapping[str, str]) -> Explanation:
    prefix = name.partition("/")[0]
    _, why, fix = GROUPS.get(prefix, ("", "", ""))
    level, what = text.get("level", "error"), text["what"]
    must = "it must be fixed" if level == "error" else "a warning stops nothing"
    accept = text.get("accept", f"It cannot be accepted: {must}.")
    if prefix == "pod-security":
        accept = "with `policy/pod-security`, for all findings of it together"
    elif level != "error" and prefix in _ACCEPTABLE:
        accept = f"{'a warning ' if level == MIXED else ''}by `accept: [{{rule: {name}, reason: …}}]`"
    about = what.partition(". ")[0].rstrip(".")
    # Names such as SELinux and IPv6 keep their capitals.
    about = about if not about[:2].istitle() else about[0].lower() + about[1:]
    return Explanation(name, level, about, what, text.get("why", why), text.get("fix", fix), accept, adjustable=False)


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
    return "\n\n".join(f"## {rule.id}\n\n{page(rule)}" for rule in policies().values()) + "\n"


def plain(text: str) -> str:
    """Markdown without its links: of one to a document the file is named."""

    def named(link: re.Match[str]) -> str:
        text, file = link[1], link[2].partition("#")[0]
        if not file:
            return text
        return f"docs/{file}" if text == file else f"{text} (docs/{file})"

    return _LINK.sub(named, text)

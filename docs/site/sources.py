"""The sources of the site: the documents as they lie in the repository, and pages made of commands, rules and schemas.

A link to a file or folder that is no document leads to a page with its text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from renderer import assets, rules
from renderer.cli import COMMANDS, mcpctl

ROOT = Path(__file__).resolve().parents[2]
#: Documents that do not lie in docs/, and their page.
_ELSEWHERE = {"README.md": "index", "CONTRIBUTING.md": "contributing", "CHANGELOG.md": "changelog"}
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)(#[^)]*)?\)")
#: Code, in which nothing is a link.
_CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]+`)", re.M | re.S)
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".md": "markdown"}
#: What each group of rules is about.
_GROUPS = {"policy": "what a valid spec can say and a team would rather not run"} | {
    group: about for group, (about, *_) in rules.GROUPS.items()
}
#: A longer file is named, not shown.
_LONGEST = 60_000
#: So many characters of code fit beside the navigation.
_WIDTH = 88


class Page(NamedTuple):
    """``name`` is the path in the site without ending; links in ``text`` are those of a document at ``origin``."""

    name: str
    origin: str
    text: str


def write_sources(folder: Path) -> None:
    """Writes all pages below ``folder``, and the pictures."""
    files: set[str] = set()
    for page in (*_documents(), *_commands(), *_rules(), _schemas()):
        _write(folder, page.name, _with_links(page, files))
    for path in sorted(files):
        _write(folder, f"files/{path}", _file(path))
    for picture in (ROOT / "docs").rglob("*.svg"):
        target = folder / picture.relative_to(ROOT / "docs")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(picture.read_bytes())


def _write(folder: Path, name: str, text: str) -> None:
    path = folder / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _documents() -> Iterator[Page]:
    below = {
        "commands": _tree("Commands", [f"commands/{name}" for name in COMMANDS]),
        "rules": _tree("Rules by group", [f"rules/{group}" for group in _GROUPS]),
    }
    paths = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    for path in paths:
        origin = path.relative_to(ROOT).as_posix()
        name = page_of(origin)
        text = path.read_text(encoding="utf-8")
        yield Page(name, origin, text + (contents(text) if name == "index" else below.get(name, "")))


def contents(text: str) -> str:
    """The navigation: of each section of the start page the documents that it links to, in their order."""
    trees, taken = [], {"index"}
    for section in text.split("\n## ")[1:]:
        title = section.partition("\n")[0]
        names = [page_of(os.path.normpath(f"docs/{path}")) for path, _ in _LINK.findall(section)]
        # A page stands in the navigation once, where it is named first.
        seen = [name for name in dict.fromkeys(names) if not name.startswith("files/") and name not in taken]
        taken.update(seen)
        trees.append(_tree(title, seen))
    return "".join(trees)


def _tree(caption: str, names: list[str]) -> str:
    entries = "".join(f"/{name}\n" for name in names)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}```\n"


def page_of(path: str) -> str:
    """The page of a path in the repository."""
    if path in _ELSEWHERE:
        return _ELSEWHERE[path]
    if path.startswith("schemas/") or path == "schemas":
        return "schemas"
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/").removesuffix(".md")
    return f"files/{path}"


def _with_links(page: Page, files: set[str]) -> str:
    """The text with links that hold in the site; paths that get a page because of them are added to ``files``."""
    here = os.path.dirname(page.name)

    def link(found: re.Match[str]) -> str:
        path = os.path.normpath(f"{os.path.dirname(page.origin)}/{found[1]}".lstrip("/"))
        if path.endswith(".svg"):
            return found[0]
        target = page_of(path)
        if target.startswith("files/"):
            files.add(path)
        return f"]({os.path.relpath(f'{target}.md', here or '.')}{found[2] or ''})"

    parts = _CODE.split(page.text)
    return "".join(part if number % 2 else _LINK.sub(link, part) for number, part in enumerate(parts))


def _commands() -> Iterator[Page]:
    for name in COMMANDS:
        root = click.Context(mcpctl, info_name="mcpctl", **mcpctl.context_settings)
        command = mcpctl.get_command(root, name)
        assert command
        help_text = command.get_help(
            click.Context(command, root, name, terminal_width=_WIDTH, max_content_width=_WIDTH)
        )
        yield Page(f"commands/{name}", "", f"# mcpctl {name}\n\n```text\n{help_text}\n```\n")


def _rules() -> Iterator[Page]:
    """A page for each rule, and one for each group, which leads to them: the navigation names the groups alone."""
    for group, about in _GROUPS.items():
        members = rules.of_group(group)
        rows = [f"| [{name}](rules/{name}.md) | {rule.level} | {rule.about} |" for name, rule in members.items()]
        head = f"# {group}\n\nProblems of this group are {about}.\n\n| rule | level | finds |\n|---|---|---|"
        yield Page(f"rules/{group}", "docs/rules.md", "\n".join([head, *rows, ""]))
        for name, rule in members.items():
            text = rules.page(rule).replace("](#", "](rules.md#")
            links = f"[All rules of this group](rules/{group}.md), and at the terminal: `mcpctl rule {name}`"
            yield Page(f"rules/{name}", "docs/rules.md", f"---\norphan: true\n---\n\n# {name}\n\n{text}\n\n{links}\n")


def _schemas() -> Page:
    rows = [
        f'| <a href="schemas/{name}.schema.json">{name}</a> | {assets.schema(name).get("title", "")} |'
        for name in assets.names("schemas")
    ]
    what = "All JSON Schemas, as `mcpctl schema NAME` prints them. Those below `output/` are of what is rendered."
    head = f"# Schemas\n\n{what}\n"
    return Page("schemas", "", "\n".join([head, "| schema | of |", "|---|---|", *rows, ""]))


def _file(path: str) -> str:
    """A page with the text of a file, or of each file of a folder."""
    place = ROOT / path
    if place.is_file():
        parts = [_listing(place)]
    else:
        folders = [f"- `{each.name}/`" for each in sorted(place.iterdir()) if each.is_dir()]
        texts = [f"## {each.name}\n\n{_listing(each)}" for each in sorted(place.iterdir()) if each.is_file()]
        parts = ["\n".join(folders), *texts]
    return "\n\n".join(["---\norphan: true\nno-search: true\n---", f"# {path}", *parts, ""])


def _listing(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if len(text) > _LONGEST:
        return f"{len(text):,} characters: see the file itself."
    fence = "`" * (3 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{_LANGUAGES.get(path.suffix, 'text')}\n{text}{fence}"

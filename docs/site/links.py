"""What a reader of the built site would run into: links that lead nowhere, and files that come from another host."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes that a browser loads by itself.
_LOADED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src")}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[tuple[str, bool]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps names and links, with whether a browser loads what is there."""
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.names.add(value)
            elif name in ("href", "src") and value:
                self.links.append((value, (tag, name) in _LOADED))


def faults(site: Path) -> list[str]:
    """Each dead link and each file of another host, with its page; sorted."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site)}: {fault}"
        for path, page in pages.items()
        for link, loaded in page.links
        if (fault := _fault(path, link, loaded, pages))
    ]


def _fault(path: Path, link: str, loaded: bool, pages: dict[Path, _Page]) -> str:
    scheme, host, name, _, fragment = urlsplit(link)
    if scheme == "data" or (scheme and not loaded):
        return ""
    if scheme or host:
        return f"{link} is loaded from another host"
    target = (path.parent / unquote(name)).resolve() if name else path.resolve()
    if not target.is_file():
        return f"{link} leads nowhere"
    if fragment and target.suffix == ".html" and unquote(fragment) not in pages[target].names:
        return f"{link}: the page has nothing of that name"
    return ""

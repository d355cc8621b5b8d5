"""What Sphinx reads. Everything is local: no font, script or style comes from another host."""

from __future__ import annotations

from functools import cache, partial
from pathlib import PurePosixPath
from typing import Any

project = "mcpctl"
extensions = ["myst_parser"]
root_doc = "index"
# Headings are named as code hosts name them, so that links to them hold in both places.
myst_heading_anchors = 4
html_theme = "furo"
html_title = "mcpctl"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options: dict[str, object] = {"footer_icons": []}


def setup(app: Any) -> None:
    """Sphinx calls this; 400 is before the theme asks for the navigation."""
    app.connect("html-page-context", partial(_share_navigation, {}), priority=400)


def _share_navigation(
    known: dict[PurePosixPath, Any], app: Any, name: str, _: str, context: dict[str, Any], __: object
) -> None:
    """Pages outside of the navigation have the same in each folder: it is most of the time that a page takes."""
    if "toctree" in context and "orphan" in app.env.metadata.get(name, {}):
        context["toctree"] = known.setdefault(PurePosixPath(name).parent, cache(context["toctree"]))

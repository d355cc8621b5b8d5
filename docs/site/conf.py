"""What Sphinx reads. Everything is local: no font, script or style comes from another host."""

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

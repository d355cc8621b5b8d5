"""URLs of the documentation; none is printed while ``DOCUMENTATION`` is empty.

A test compares it with ``[project.urls] Documentation`` of pyproject.toml.
"""

from __future__ import annotations

#: The URL of the site from ``python -m docs.site``, with a final '/'; empty while there is none.
DOCUMENTATION = ""


def of_rule(rule: str) -> str:
    """The page of a rule; empty without documentation."""
    return f"{DOCUMENTATION}rules/{rule}.html" if DOCUMENTATION else ""


def of_schema(name: str) -> str:
    """Empty without documentation."""
    return f"{DOCUMENTATION}schemas/{name}.schema.json" if DOCUMENTATION else ""

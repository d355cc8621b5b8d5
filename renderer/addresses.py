"""Addresses of the documentation. None is printed as long as none answers.

The one switch is ``DOCUMENTATION``, which is ``[project.urls] Documentation`` of pyproject.toml: a test compares them.
"""

from __future__ import annotations

#: Where the site of ``python -m docs.site`` is served, with '/' at its end; empty where nobody serves it yet.
DOCUMENTATION = ""


def of_rule(rule: str) -> str:
    """The page of a rule; empty without a documentation."""
    return f"{DOCUMENTATION}rules/{rule}.html" if DOCUMENTATION else ""


def of_schema(name: str) -> str:
    """The JSON Schema of that name; empty without a documentation."""
    return f"{DOCUMENTATION}schemas/{name}.schema.json" if DOCUMENTATION else ""

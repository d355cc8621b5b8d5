"""Addresses of the documentation. None is printed as long as none answers.

The one switch is ``DOCUMENTATION``, which is ``[project.urls] Documentation`` of pyproject.toml: a test compares them.
"""

from __future__ import annotations

#: Where the site of ``python -m docs.site`` is served, with '/' at its end; empty where nobody serves it yet.
DOCUMENTATION = ""


def of_rule(rule: str) -> str:
    """The page of a policy rule; empty without a documentation, and for problems that have no page."""
    return f"{DOCUMENTATION}rules/{rule.removeprefix('policy/')}.html" if _has_page(rule) else ""


def of_schema(name: str) -> str:
    """The JSON Schema of that name; empty without a documentation."""
    return f"{DOCUMENTATION}schemas/{name}.schema.json" if DOCUMENTATION else ""


def _has_page(rule: str) -> bool:
    return bool(DOCUMENTATION) and rule.startswith("policy/")

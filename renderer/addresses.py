"""Addresses of the documentation. None is printed as long as none answers.

The one switch is ``DOCUMENTATION``, which is ``[project.urls] Documentation`` of pyproject.toml: a test compares them.
"""

from __future__ import annotations

#: Where the site of ``python -m docs.site`` is served, with '/' at its end; empty where nobody serves it yet.
DOCUMENTATION = ""


def of_rule(rule: str) -> str:
    """The page of a policy rule, or the place of another on the page of its group; empty without a documentation."""
    if not DOCUMENTATION:
        return ""
    group, _, name = rule.partition("/")
    page = f"rules/{name}.html" if group == "policy" else f"problems/{group}.html#{group}-{name}"
    return f"{DOCUMENTATION}{page}"


def of_schema(name: str) -> str:
    """The JSON Schema of that name; empty without a documentation."""
    return f"{DOCUMENTATION}schemas/{name}.schema.json" if DOCUMENTATION else ""

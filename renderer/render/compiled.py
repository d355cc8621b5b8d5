"""Built-in templates as Python functions, made while the wheel is built: compiling them is a third of a cold start.

A checkout has none. Each is found by the hash of all that it depends on, so an outdated one is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from importlib import import_module
from typing import Any

#: Where hatch_build.py puts them, a module for each folder of templates.
FOLDER = "compiled_templates"

_HEAD = '"""Made by hatch_build.py from the templates."""\n\nTEMPLATES = {}\n'


def key(quoting: str, name: str, source: str, jinja: str) -> str:
    """Of a template in a quoting, for one version of Jinja."""
    return sha256("\0".join((jinja, quoting, name, source)).encode()).hexdigest()


def module_text(templates: Mapping[str, str]) -> str:
    """The module of templates that Jinja has made Python of, by key. In most quotings it makes the same of one."""
    keys: dict[str, list[str]] = {}
    for name, python in templates.items():
        keys.setdefault(python, []).append(name)
    texts = [_HEAD]
    for number, (python, names) in enumerate(keys.items()):
        body = "".join(f"    {line}\n" if line else "\n" for line in python.split("\n"))
        texts.append(f"\n\ndef _{number}(environment):\n{body}    return locals()\n\n\n")
        texts += [f"TEMPLATES[{name!r}] = _{number}\n" for name in names]
    return "".join(texts)


def compiled_template(quoting: str, name: str, source: str, jinja: str) -> Callable[[Any], dict[str, Any]] | None:
    """What makes the namespace of a template for an environment of Jinja; None where it has to be compiled."""
    folder, inside, _ = name.partition("/")
    templates = _templates(folder) if inside else None
    return templates.get(key(quoting, name, source, jinja)) if templates else None


@cache
def _templates(folder: str) -> Mapping[str, Callable[[Any], dict[str, Any]]]:
    try:
        templates: Mapping[str, Callable[[Any], dict[str, Any]]] = import_module(
            f"renderer.{FOLDER}.{folder}"
        ).TEMPLATES
    except ModuleNotFoundError:
        return {}
    return templates

"""Built-in templates as Python functions, made while the wheel is built: compiling them is a third of a cold start.

A checkout has none. Each is found by the hash of all that it depends on, so an outdated one is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from renderer import assets
from renderer.digests import sha256
from renderer.render.quoting import Quoting, filters, finalizer
from renderer.render.runtime import NAMES, Root, Runtime

#: Where hatch_build.py puts them, a module for each folder of templates.
FOLDER = "compiled_templates"

_HEAD = f'''"""Made by hatch_build.py from the templates."""

from renderer.render.runtime import {", ".join(NAMES)}

TEMPLATES = {{}}
'''
Compiled = Callable[[Any], Root]


def key(quoting: str, name: str, source: str) -> str:
    """Of a template in a quoting."""
    return sha256("\0".join((quoting, name, source)).encode()).hexdigest()


def module_text(templates: Mapping[str, str]) -> str:
    """The module of templates that Jinja has made Python of, by key. In most quotings it makes the same of one."""
    keys: dict[str, list[str]] = {}
    for name, python in templates.items():
        keys.setdefault(python, []).append(name)
    texts = [_HEAD]
    for number, (python, names) in enumerate(keys.items()):
        body = "".join(f"    {line}\n" if line else "\n" for line in python.split("\n"))
        texts.append(f"\n\ndef _{number}(environment):\n{body}    return root\n\n\n")
        texts += [f"TEMPLATES[{name!r}] = _{number}\n" for name in names]
    return "".join(texts)


@cache
def runtime_of(quoting: Quoting) -> Runtime:
    """What renders the templates of a format that were compiled before."""

    def find(name: str) -> Compiled | None:
        return compiled_template(quoting.name, name)

    return Runtime(find, finalizer(quoting), filters(quoting))


def compiled_template(quoting: str, name: str) -> Compiled | None:
    """What makes the function of a template for an environment; None where it has to be compiled."""
    folder, inside, _ = name.partition("/")
    templates = _templates(folder) if inside else None
    return templates.get(key(quoting, name, assets.read(f"templates/{name}").decode())) if templates else None


@cache
def _templates(folder: str) -> Mapping[str, Compiled]:
    try:
        templates: Mapping[str, Compiled] = import_module(f"renderer.{FOLDER}.{folder}").TEMPLATES
    except ModuleNotFoundError:
        return {}
    return templates

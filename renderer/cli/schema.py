"""``mcpctl schema``: JSON Schemas, the reference of the specs, and single fields."""

from __future__ import annotations

from collections.abc import Sequence

import click

from renderer import assets
from renderer.cli.editor import schema_text
from renderer.cli.streams import emit, emit_data, wrapped
from renderer.errors import Exit, UsageMistake, excerpt
from renderer.reference import Field, below, facts, fields, find, markdown, short_type, steps_of
from renderer.wording import did_you_mean
from renderer.yaml_writer import block

#: Schemas of documents that people write; a path without one of these names is of the first.
_WRITTEN = ("mcpserver", "environment", "config")
#: More fields of one name than this are not listed.
_LISTED = 8


@click.command(
    epilog="""\b
Examples:
  mcpctl schema spec.env
  mcpctl schema storage.size
  mcpctl schema environment.delivery
  mcpctl schema config.policies
  mcpctl schema > mcpserver.schema.json
  mcpctl schema --format markdown > docs/spec.md
  mcpctl schema --list
"""
)
@click.argument("name", default="mcpserver", required=False, metavar="[FIELD|NAME]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "markdown", "text"]),
    help="Of a field: text or json. Of a schema: JSON Schema, a reference of every field in Markdown, or its first "
    "fields as text.  [default: text of a field, json of a schema]",
)
@click.option("--list", "list_names", is_flag=True, help="Print the names of all schemas.")
def schema(name: str, form: str | None, list_names: bool) -> int:
    """Explain a field of a spec: what it does, its type, default and an example; or print a whole schema.

    FIELD is a path as in problems: spec.env, or env; fields of an environment begin with 'environment.', those of
    mcpctl.yaml with 'config.'. NAME is that of a JSON Schema, for editors and other tools: name its file in the first
    line of a spec, # yaml-language-server: $schema=mcpserver.schema.json
    """
    if list_names:
        emit("".join(f"{known}\n" for known in assets.names("schemas")))
    elif name not in assets.names("schemas"):
        _explain(name, form or "text")
    elif form == "text" and name in _WRITTEN:
        emit(_fields_below(name, fields(assets.schema(name)), ""))
    elif form in ("markdown", "text"):
        if name.startswith("output/"):  # schemas of others, who document them
            raise click.UsageError(
                f"--format {form} is for the schemas of specs; {name} is a schema of rendered objects"
            )
        emit(markdown(assets.schema(name)))
    else:
        emit(schema_text(name))
    return Exit.FINE


def _explain(path: str, form: str) -> None:
    first, _, rest = path.partition(".")
    names, rest = ((first,), rest) if first in _WRITTEN and rest else (_WRITTEN, path)
    known = {name: fields(assets.schema(name)) for name in names}
    name = next((name for name in names if find(known[name], rest)), "")
    if not name:
        raise UsageMistake(f"no field is called '{excerpt(path, 100)}'; {_nearest(names[0], known[names[0]], rest)}")
    matches = find(known[name], rest)
    if form == "markdown":
        raise click.UsageError("--format markdown is for a whole schema: name no field, or use --format text")
    if form == "json":
        emit_data([_data(name, field) for field in matches])
        return
    bodies: dict[str, str] = {}  # forms that say the same are one
    for field in matches:
        lines = "".join(wrapped(fact, "    ", "  ") for fact in facts(assets.schema(name), field))
        text = f"{wrapped(field.node['description'], '  ', '  ')}\n{lines}"
        if examples := field.node.get("examples"):
            text += f"\nExample:\n{block({steps_of(field.path)[-1]: examples[0]}, 2)}\n"
        bodies.setdefault(text, f"{_typed(name, field.path)} in {field.form}")
    title = _typed(name, matches[0].path)
    parts = [f"{form if len(bodies) > 1 else title}\n\n{body}" for body, form in bodies.items()]
    emit("\n".join(filter(None, [*parts, _fields_below(name, known[name], matches[0].path)])))


def _typed(name: str, path: str) -> str:
    return path if name == _WRITTEN[0] else f"{name}.{path}"


def _nearest(name: str, known: Sequence[Field], path: str) -> str:
    """A hint: fields of that name elsewhere, a similar name, or all names."""
    steps = steps_of(path)
    elsewhere = list(dict.fromkeys(field.path for field in known if steps_of(field.path)[-1:] == steps[-1:]))
    if elsewhere:
        more = f", and {len(elsewhere) - _LISTED} more" if len(elsewhere) > _LISTED else ""
        return f"of that name there is: {', '.join(_typed(name, each) for each in elsewhere[:_LISTED])}{more}"
    parents = (find(known, ".".join(steps[:number])) for number in range(len(steps) - 1, 0, -1))
    above = next((fields[0].path for fields in parents if fields), "")
    around = [field.path for field in below(known, above or "spec")]
    names = {steps_of(each)[-1]: each for each in [*(field.path for field in known if not above), *around]}
    near = did_you_mean(steps[-1], names) if steps else None
    if near:
        return f"did you mean '{_typed(name, names[near])}'?"
    return f"there is: {', '.join(_typed(name, each) for each in around)}"


def _fields_below(name: str, known: Sequence[Field], path: str) -> str:
    lines = ""
    for field in below(known, path):
        kind, about = short_type(assets.schema(name), field), field.node["description"].partition(". ")[0]
        lines += wrapped(f"{_typed(name, field.path)} ({kind}): {about.removesuffix('.')}", "      ", "  ")
    return f"Fields{f' of {_typed(name, path)}' if path else ''}:\n{lines}" if lines else ""


def _data(name: str, field: Field) -> dict[str, object]:
    node = field.node
    return {
        "path": field.path,
        "form": field.form,
        "description": node["description"],
        "required": field.required,
        **({"default": node["default"]} if "default" in node else {}),
        "facts": facts(assets.schema(name), field),
        "examples": list(node.get("examples", ())),
    }

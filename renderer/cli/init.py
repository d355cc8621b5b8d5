"""``mcpctl init``: a first, valid spec to edit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from renderer.cli.editor import folder_of, schema_of, write_file, write_schemas
from renderer.cli.options import Whole
from renderer.cli.streams import emit, say
from renderer.errors import Exit, InputInvalid, Place, UsageMistake, errors_in, excerpt
from renderer.image_config import ImageConfig, image_config
from renderer.later import later
from renderer.report import LONGEST

if TYPE_CHECKING:
    from renderer import pipeline
    from renderer import render as _render
else:
    pipeline = later("renderer.pipeline")  # 80 ms, which help does not need
    _render = later("renderer.render")  # 10 ms, as well


@click.command(
    epilog="""\b
Examples:
  mcpctl init github --image ghcr.io/github/github-mcp-server:v0.30.3 --command /server/github-mcp-server --arg stdio
  mcpctl init github --image ghcr.io/github/github-mcp-server:v0.30.3
  mcpctl init time --pypi mcp-server-time==2026.10.19
  mcpctl init everything --npm @modelcontextprotocol/server-everything@2026.8.31 --out -
  mcpctl init crm --remote https://mcp.crm.example.com/mcp --secret Authorization=crm:header
  mcpctl init --project
"""
)
@click.argument("name", required=False)
@click.option(
    "--project",
    "as_project",
    is_flag=True,
    help="Write a project instead: mcpctl.yaml, a first spec, .pre-commit-config.yaml, .gitattributes, a CI job and "
    "schemas for editors.",
)
@click.option(
    "--image",
    metavar="IMAGE",
    help="Run this container image. Without --command its entrypoint, user, ports, health check and volumes are asked "
    "of docker, podman, skopeo or crane, whichever is there; nothing is pulled.",
)
@click.option("--npm", metavar="NAME@VERSION", help="Run this npm package.")
@click.option("--pypi", metavar="NAME==VERSION", help="Run this PyPI package.")
@click.option("--remote", metavar="URL", help="A server that somebody else runs, at this address: nothing is deployed.")
@click.option(
    "--transport",
    type=click.Choice(["stdio", "streamable-http", "sse"]),
    help="Transport that the server speaks.  [default: stdio; streamable-http with --remote]",
)
@click.option("--port", type=Whole(1, 65535), help="Port that the server listens on (HTTP transports).")
@click.option(
    "--command", "command", multiple=True, metavar="WORD", help="Entrypoint of the image; repeat for each word."
)
@click.option(
    "--arg", "args", multiple=True, metavar="WORD", help="Argument of the entrypoint or package; repeat for each."
)
@click.option(
    "--env",
    "env",
    multiple=True,
    metavar="NAME=VALUE",
    help="Environment variable, or header with --remote; repeat for each.",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=SECRET:KEY",
    help="Environment variable, or header with --remote, from a key of a Secret; repeat for each. Only the reference "
    "is written.",
)
@click.option("--out", metavar="FILE", help="File to write, or - for stdout.  [default: NAME.yaml]")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def init(
    name: str | None,
    as_project: bool,
    image: str | None,
    npm: str | None,
    pypi: str | None,
    remote: str | None,
    transport: str | None,
    port: int | None,
    command: tuple[str, ...],
    args: tuple[str, ...],
    env: tuple[str, ...],
    secrets: tuple[str, ...],
    out: str | None,
    force: bool,
) -> int:
    """Write a first spec of server NAME: valid, with comments on what to add; or the files of a project."""
    if as_project and name:
        raise click.UsageError(f"--project writes into the working folder and takes no NAME; leave {name!r} out")
    if not as_project and not name:
        raise click.UsageError("give the NAME of a server, or --project for the files of a project")
    if not name:
        _write_project(force)
        return Exit.FINE
    _refuse_mixture((image, npm, pypi, remote), remote is not None and bool(port or command or args))
    file = out or f"{name}.yaml"
    context: dict[str, Any] = {
        **_FIRST,
        "schema": "" if file == "-" else schema_of(file, "mcpserver", folder_of(file)),
        "name": name,
        "image": image,
        "package": _package(npm, pypi),
        "remote": remote,
        "transport": transport or ("stdio" if remote is None else "streamable-http"),
        "port": port,
        "command": list(command),
        "args": list(args),
        "env": {**dict(_split(pair, "=", "--env NAME=VALUE") for pair in env), **_references(secrets)},
    }
    reasons: list[str] = []
    # A password must not appear in the list of processes; it is refused below.
    if image and not command and "@" not in image.partition("/")[0]:
        config, reasons = image_config(image)
        context |= _of_image(config, context, transport is not None) if config else {}
    try:
        text = _render.render("init/mcpserver.yaml.j2", context)
    except ValueError:  # a lone surrogate: Python's stand-in for a byte that is not text
        raise click.UsageError("the command line has bytes that are not text in the locale's encoding") from None
    _refuse_invalid(text, bool(npm), reasons)
    if file == "-":
        emit(text)
        return Exit.FINE
    write_file(file, text, force=force)
    path = excerpt(os.fspath(Path(file)), LONGEST)
    say(f"{path}: written; next: mcpctl {'render' if remote is None else 'validate'} {path}\n")
    _say_written(write_schemas(folder_of(file), ["mcpserver"]))
    return Exit.FINE


def _refuse_mixture(origins: Sequence[str | None], is_remote_with_workload: bool) -> None:
    if sum(value is not None for value in origins) != 1:
        message = "exactly one of --image, --npm, --pypi and --remote is needed: what the server runs, or where it is"
        raise click.UsageError(message)
    if is_remote_with_workload:
        raise click.UsageError("--port, --command and --arg are about a workload, and a remote server has none")


#: Where pre-commit and GitHub look, from the root of the work tree.
_AT_ROOT = (".pre-commit-config.yaml", ".github/workflows/mcpctl.yaml")
#: Files with lines of others.
_SHARED = (".gitattributes", *_AT_ROOT)
#: Files of a project, and their templates.
_PROJECT = {
    "mcpctl.yaml": "project.yaml.j2",
    "specs/time.yaml": "mcpserver.yaml.j2",
    ".pre-commit-config.yaml": "pre-commit.yaml.j2",
    ".gitattributes": "gitattributes.j2",
    ".github/workflows/mcpctl.yaml": "workflow.yaml.j2",
}
#: Files with completion in editors. Environments are added by hand.
_SCHEMAS = {"mcpctl.yaml": "config", "specs/time.yaml": "mcpserver", "environments/*.yaml": "environment"}
_FIRST = {
    "name": "time",
    "image": None,
    "package": {"registry": "pypi", "name": "mcp-server-time", "version": "2026.10.19"},
    "remote": None,
    "transport": "stdio",
    "port": None,
    "command": [],
    "args": ["--local-timezone", "UTC"],
    "env": {},
    "asked": "",
    "other_ports": [],
    "user": None,
    "user_name": "",
    "health": [],
    "storage": [],
}


def _of_image(config: ImageConfig, context: Mapping[str, Any], transport_typed: bool) -> dict[str, Any]:
    """From the image's configuration; all of it can be changed in the spec."""
    values: dict[str, Any] = {"asked": config.program}
    if config.ports and not transport_typed:
        values |= {"transport": "streamable-http", "port": context["port"] or config.ports[0]}
        values["other_ports"] = [port for port in config.ports if port != values["port"]]
    if values.get("transport", context["transport"]) == "stdio":
        # A bridge is started instead of the entrypoint, and starts that.
        words = [*config.entrypoint, *([] if context["args"] else config.command)]
        values |= {"command": words[:1] or list(config.command[:1]), "args": words[1:] + list(context["args"])}
    else:
        values["health"] = list(config.health)
    user = config.user.partition(":")[0]
    if user.isascii() and user.isdigit() and len(user) < 10 and int(user):
        values["user"] = int(user)
    elif re.fullmatch(r"[a-z_][a-z0-9_.-]{0,31}", user) and user != "root":
        values["user_name"] = user
    paths = [path for path in config.volumes if re.fullmatch(r"(/[A-Za-z0-9._-]+)+", path)]
    names = {re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")[:40].strip("-") or "data": path for path in paths}
    values["storage"] = [{"name": name, "size": "1Gi", "mountPath": path} for name, path in names.items()]
    return values


def _write_project(force: bool) -> None:
    """None of its files where one of its own exists; prints lines to add to existing files shared with others."""
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    folder = "" if root == here else here.relative_to(root).as_posix()
    if not re.fullmatch(r"[A-Za-z0-9._/-]*", folder):
        message = f"the path {excerpt(folder, 200)} would need quotes in the hooks and the CI job"
        raise UsageMistake(f"{message}: use letters, digits, '.', '_' and '-' in the names of folders")
    paths = {path: os.path.relpath(root / path) if path in _AT_ROOT else path for path in _PROJECT}
    taken = [path for path in paths.values() if os.path.lexists(path)]
    own = [path for path in taken if path in _PROJECT and path not in _SHARED]
    if own and not force:
        raise UsageMistake(f"{', '.join(own)}: exists; start in an empty folder, or overwrite with --force")
    job = "-".join(filter(None, ["check", *re.split(r"[^A-Za-z0-9_]+", folder)]))
    context = {**_FIRST, "folder": folder, "folder_pattern": re.escape(f"{folder}/") if folder else "", "job": job}
    lines = []
    for path, template in _PROJECT.items():
        schema = schema_of(path, _SCHEMAS[path], Path()) if path in _SCHEMAS else ""
        text = _render.render(f"init/{template}", {**context, "schema": schema})
        # A file outside of this folder is never overwritten: its lines may be another project's.
        if paths[path] in taken and (paths[path] != path or not force):
            added = re.split(r"^(?:repos|jobs):\n", text, flags=re.MULTILINE)[-1]
            lines.append(f"{paths[path]}: exists; add to it:\n{added}")
            continue
        Path(paths[path]).parent.mkdir(parents=True, exist_ok=True)
        write_file(paths[path], text, force=force)
        _say_written([paths[path]])
    _say_written(write_schemas(Path(), list(_SCHEMAS.values())))
    say("".join([*lines, "next: mcpctl render\n"]))


def _package(npm: str | None, pypi: str | None) -> dict[str, str] | None:
    if npm:
        name, _, version = npm.rpartition("@")
        if not name:
            raise click.UsageError(f"--npm {npm} has no version; write --npm {npm}@VERSION, with an exact version")
        return {"registry": "npm", "name": name, "version": version}
    if pypi:
        name, _, version = pypi.partition("==")
        if not version:
            name = re.split(r"[@<>=~!]", pypi)[0]
            raise click.UsageError(f"--pypi {pypi} has no exact version; write --pypi {name}==VERSION")
        return {"registry": "pypi", "name": name, "version": version}
    return None


def _references(pairs: tuple[str, ...]) -> dict[str, dict[str, str]]:
    references = {}
    for pair in pairs:
        name, place = _split(pair, "=", "--secret NAME=SECRET:KEY")
        secret, key = _split(place, ":", "--secret NAME=SECRET:KEY")
        references[name] = {"secret": secret, "key": key}
    return references


def _split(text: str, separator: str, form: str) -> tuple[str, str]:
    before, _, after = text.partition(separator)
    if not (before and after):
        # The text itself is not repeated: it may be a secret at the wrong option.
        raise click.UsageError(f"expected {form}")
    return before, after


#: The option that a field of the spec came from, by the beginning of its path.
_OPTIONS = {
    "spec.image": "--image",
    "spec.remote.url": "--remote",
    "spec.remote.transport": "--transport",
    "spec.transport.port": "--port",
    "spec.transport": "--transport",
    "spec.command": "--command",
    "spec.args": "--arg",
    "metadata.name": "NAME",
}


def _refuse_invalid(text: str, npm: bool, reasons: Sequence[str]) -> None:
    """The checks of every spec, whose problems name the option instead of a place in the text."""
    errors = {}
    for problem in errors_in(pipeline.read(["-"], BytesIO(text.encode())).problems):
        path, message, hint = problem.path, problem.message, problem.hint
        if problem.rule == "spec/bridge-without-command":
            path, message = "", "--command is missing: a bridge replaces the image's entrypoint"
            asked = f" ({'; '.join(reasons)})" if reasons else ""
            hint = (
                "if the image serves HTTP: --transport streamable-http --port PORT; else give each word of its "
                "entrypoint with a --command of its own. mcpctl reads the entrypoint of an image that docker or podman "
                f"has (docker pull IMAGE), or with skopeo or crane from the registry{asked}"
            )
        elif variable := re.match(r"""spec\.env(?:\.|\[")(\w[^"\]]*?)(?:"\])?(\.(?:secret|key))?$""", path):
            path = f"{'--secret' if variable[2] else '--env'} {variable[1]}"
        elif problem.rule == "spec/remote-variable":
            path, hint = "--remote", "write the address without it; remote.variables of the file can have it then"
        elif header := re.match(r"""spec\.remote\.headers(?:\.|\[")([^"\]]+)""", path):
            path = f"header {header[1]}"
        elif path.startswith("spec.package"):
            path = "--npm NAME@VERSION" if npm else "--pypi NAME==VERSION"
        else:
            path = next((option for start, option in _OPTIONS.items() if path.startswith(start)), path)
        # One for each option: of an empty version there are two.
        errors[path] = problem._replace(place=Place("mcpctl init"), path=path, message=message, hint=hint)
    if errors:
        raise InputInvalid("nothing was written", list(errors.values()))


def _say_written(paths: Iterable[str]) -> None:
    say("".join(f"{excerpt(os.fspath(Path(path)), LONGEST)}: written\n" for path in paths))

"""``mcpctl pin``: writes digests of images and locks of packages into specs and environments."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from renderer.cli.options import paths_argument, text_or_json
from renderer.cli.runs import problems_of_specs, with_locked
from renderer.cli.streams import emit, emit_data, print_report, working
from renderer.errors import Exit, OutputTreeFault, Problem, errors_in
from renderer.later import later
from renderer.model import NAMESPACE, Options
from renderer.pins import KUBERNETES_VERSION
from renderer.report import Report, as_data

if TYPE_CHECKING:
    from renderer import locks, pinning, pipeline
    from renderer.pinning import Change
else:
    locks = later("renderer.locks")  # 2 ms, which help does not need
    pinning = later("renderer.pinning")  # 5 ms, which help does not need
    pipeline = later("renderer.pipeline")  # 80 ms, as well

#: Pinning depends on no target.
_OPTIONS = Options(NAMESPACE, KUBERNETES_VERSION)
#: What pinning itself corrects.
_CORRECTED = ("spec/lock", "policy/image-tag", "policy/image-digest", "policy/unlocked-package")


@click.command(
    epilog="""\b
Examples:
  mcpctl pin specs/
  mcpctl pin specs/ environments/
  mcpctl pin --check specs/
  mcpctl pin --update --dry-run specs/
  mcpctl render --locked specs/
""",
)
@paths_argument
@click.option("--update", is_flag=True, help="Also take newer tags and versions, and digests of tags that have moved.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if something is not pinned, or, with --update, old.")
@click.option("--dry-run", is_flag=True, help="Write nothing; print the changes as a diff.")
@text_or_json("Format of the report.")
def pin(paths: tuple[str, ...], update: bool, check: bool, dry_run: bool, style: str) -> int:
    """Write digests of images and locks of packages into specs, and into environments the digests of mcpctl's images.

    Digests come from registries, by crane, skopeo or docker buildx, whichever is there; locks are written by uv and
    npm into locks/NAME beside the spec. What could not be pinned is listed with the reason: exit code 5. 'mcpctl render
    --locked' refuses what is not pinned. docs/updates.md has the ways to keep it all up to date.
    """
    if "-" in paths:
        raise click.UsageError("pin changes files: name them, or their folder")
    with working("reading specs"):
        inputs = pipeline.read_inputs(paths)
        alone = pipeline.Run(None, "", _OPTIONS, pipeline.Specs((), ()))
        runs = pipeline.runs(inputs, () if errors_in(inputs.problems) else inputs.environments, alone)
    faults = [p for p in errors_in(problems_of_specs(runs)) if p.rule not in _CORRECTED]
    if faults:
        print_report(Report("pin", faults, {}), style, quiet=False, stdout=True)
        return Exit.INPUT_INVALID
    if check and not update:
        # What 'render --locked' would refuse; no registry is needed.
        bare = [run._replace(specs=run.specs._replace(problems=())) for run in runs]
        problems = problems_of_specs(with_locked(bare, locked=True))
        print_report(Report("pin", problems, {}), style, quiet=False, stdout=True)
        return Exit.DIFFERENT if problems else Exit.FINE
    servers = [(run.environment, run.specs.servers) for run in runs if run.environment]
    with working("asking registries"):
        result = pinning.pin(inputs.sources, servers, _text, update=update)
    writes = not (check or dry_run)
    if writes:
        for path, text in result.texts.items():
            _write(path, text)
    if dry_run and style == "text":
        emit("".join(_diff(path, text) for path, text in result.texts.items()))
    _report(result.changes, result.problems, style, done=writes)
    if result.problems:
        return Exit.APPLY_FAILED
    return Exit.DIFFERENT if check and result.changes else Exit.FINE


def _text(path: str) -> str | None:
    try:
        return Path(path).read_bytes().decode()
    except (OSError, UnicodeDecodeError, ValueError):
        return None


def _write(path: str, text: str) -> None:
    """Atomic, with the mode of the old file."""
    target, new = Path(path), Path(f"{path}.mcpctl-new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(text.encode())
        if target.exists():
            new.chmod(target.stat().st_mode & 0o777)
        os.replace(new, target.resolve())
    except OSError as error:
        raise OutputTreeFault(f"{path} cannot be written: {error.strerror}") from None


def _diff(path: str, text: str) -> str:
    """Of a lock only its versions."""
    before = _text(path) or ""
    if path.endswith((".lock", "package-lock.json")):
        installed = [sorted(locks.versions(each).items()) for each in (before, text)]
        before, text = ("".join(f"{name} {version}\n" for name, version in each) for each in installed)
    lines = difflib.unified_diff(before.splitlines(), text.splitlines(), path, path, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _report(changes: Iterable[Change], problems: Sequence[Problem], style: str, *, done: bool) -> None:
    changes, count = list(changes), "pinned" if done else "to pin"
    lines = [f"{c.place}: {c.path}: {f'{c.before} -> ' if c.before else ''}{c.after or 'removed'}" for c in changes]
    report = Report("pin", problems, {count: len(changes)}, lines)
    if style == "text":
        print_report(report, style, quiet=False, stdout=True)
        return
    data = as_data(report._replace(lines=()))
    names = ("path", "before", "after")
    data["changes"] = [{**c.place._asdict(), **dict(zip(names, c[1:], strict=True))} for c in changes]
    emit_data(data)

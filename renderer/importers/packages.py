"""Packages, their versions, and the command lines of runners that start them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal, NamedTuple

from renderer.command import ProgramMissing, run
from renderer.errors import ApplyFailed, DocumentPath, WaitTimedOut, excerpt
from renderer.importers.draft import with_values
from renderer.model import JSON

Registry = Literal["npm", "pypi"]
_SECONDS = 30.0
_EXACT: Mapping[Registry, re.Pattern[str]] = {
    "npm": re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"),
    "pypi": re.compile(r"([0-9]+!)?[0-9]+(\.[0-9]+)*([-_.]?(a|b|c|rc|alpha|beta|pre|post|rev|dev)[-_.]?[0-9]*)*"),
}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NPM = re.compile(r"(@[\w~][\w.~-]*/)?[\w~][\w.~-]*")
_PYPI = re.compile(r"([A-Za-z0-9][\w.-]*)(\[[\w., -]+\])? *([^;\n]*)")
_GIT = re.compile(r"(?:git\+)?(https://[^\s#@]+?)(?:\.git)?(?:[@#]([^\s#&]+))?(?:[#&]subdirectory=([^\s&#]+))?")


class Package(NamedTuple):
    """``version``: as asked for, empty for any. ``git``: the URL of the repository."""

    registry: Registry
    name: str
    version: str = ""
    git: str = ""
    subdirectory: str = ""

    @property
    def is_exact(self) -> bool:
        form = _COMMIT if self.git else _EXACT[self.registry]
        return bool(form.fullmatch(self.version))

    @property
    def fields(self) -> dict[str, JSON]:
        """``spec.package``."""
        more = with_values({"git": self.git, "subdirectory": self.subdirectory})
        return {"registry": self.registry, "name": self.name, "version": self.version, **more}


def parse_package(registry: Registry, text: str) -> Package | None:
    """Parses ``name@version``, ``name==version`` or a repository URL; None for anything else."""
    if registry == "npm" and re.fullmatch(r"(github:)?\w[\w.-]*/\w[\w.-]*(#.+)?", text):
        text = f"https://github.com/{text.removeprefix('github:')}"
    if text.startswith(("git+", "https://")):
        match = _GIT.fullmatch(text)
        if not match:
            return None
        return Package(registry, match[1].rpartition("/")[2], match[2] or "", match[1], match[3] or "")
    if registry == "npm":
        name, _, version = text[1:].partition("@")
        name = text[:1] + name
        return Package(registry, name, version) if _NPM.fullmatch(name) else None
    match = _PYPI.fullmatch(text.strip())
    if not match:
        return None
    name, version = match[1] + (match[2] or ""), match[3].strip()
    if version.startswith("@"):  # name @ git+https://…
        rest = version[1:].strip()
        own = parse_package(registry, rest) if rest.startswith(("git+", "https://")) else Package(registry, name, rest)
        return own._replace(name=name) if own else None
    return Package(registry, name, re.sub(r"^===?\s*", "", version))


def newest_unless(offline: bool, package: Package) -> tuple[str, str]:
    return ("", "--offline asks nobody") if offline else newest(package)


@cache
def newest(package: Package) -> tuple[str, str]:
    """The newest matching version and the program that said so; or an empty one and the reason."""
    if package.registry == "npm":
        options = ["--fetch-retries=1", "--fetch-timeout=10000"]
        argv = ["npm", "view", *options, "--", f"{package.name}@{package.version or 'latest'}", "version"]
    else:
        argv = ["uv", "pip", "compile", "--no-deps", "--no-header", "--no-annotate", "--quiet", "--no-config", "-"]
    wanted = "" if package.version in ("", "latest") else package.version
    wanted = f"=={wanted}" if wanted[:1].isdigit() else wanted
    stdin = f"{package.name}{wanted}\n".encode() if argv[0] == "uv" else b""
    try:
        done = run(argv, seconds=_SECONDS, stdin=stdin)
    except ProgramMissing:
        return "", f"{argv[0]} is not installed"
    except (ApplyFailed, WaitTimedOut) as failure:
        return "", f"{argv[0]}: {failure.message}"
    versions = [word for word in re.split(r"[\s\"',\[\]=]+", done.out) if _EXACT[package.registry].fullmatch(word)]
    if not done.code and versions:
        return versions[-1], argv[0]
    lines = [line for line in done.err.splitlines() if line.strip()]
    return "", f"{argv[0]}: {excerpt(lines[0], 200) if lines else 'no such version'}"


class Word(NamedTuple):
    """A word of a command line, and its path in the source."""

    text: str
    source: DocumentPath = ()


class Runner(NamedTuple):
    """``valued``: options with a value. ``naming``: those that name a package."""

    registry: Registry
    valued: frozenset[str]
    naming: Sequence[str]
    index_option: str
    index_variable: str


NPX = Runner(
    "npm",
    frozenset(
        {
            *("--cache", "--call", "--package", "--prefix", "--registry", "--userconfig", "--workspace", "-c"),
            *("-p", "-w"),
        }
    ),
    ("-p", "--package"),
    "--registry",
    "npm_config_registry",
)
UVX = Runner(
    "pypi",
    frozenset(
        {
            *("--allow-insecure-host", "--build-constraints", "--cache-dir", "--color", "--config-file"),
            *("--config-setting", "--constraints", "--default-index", "--directory", "--env-file"),
            *("--exclude-newer", "--extra-index-url", "--find-links", "--from", "--index", "--index-strategy"),
            *("--index-url", "--keyring-provider", "--link-mode", "--overrides", "--prerelease", "--project"),
            *("--python", "--refresh-package", "--reinstall-package", "--resolution", "--upgrade-package"),
            *("--with", "--with-editable", "--with-requirements", "-C", "-P", "-b", "-c", "-f", "-i", "-p"),
            *("-w",),
        }
    ),
    ("--from",),
    "--index-url",
    "UV_DEFAULT_INDEX",
)


class Option(NamedTuple):
    """An option of a runner; ``value`` is None for a switch."""

    word: Word
    name: str
    value: Word | None


def runner_options(runner: Runner, words: Sequence[Word]) -> tuple[list[Option], list[Word]]:
    """The options before the package, ``--`` included, and the words after them."""
    options: list[Option] = []
    rest = list(words)
    while rest and rest[0].text.startswith("-"):
        word = rest.pop(0)
        name, equals, text = word.text.partition("=")
        value = Word(text, word.source) if equals else rest.pop(0) if name in runner.valued and rest else None
        options.append(Option(word, name, value))
        if word.text == "--":
            break
    return options, rest


class Started(NamedTuple):
    """A package at an exact version, and its arguments. ``program``: empty for that of the package's own name."""

    package: Package
    args: tuple[str, ...]
    program: str = ""


#: Options without a meaning for what is started.
BARE = ("-y", "--yes", "-q", "--quiet", "--silent", "--no-progress", "--isolated")


def started(words: Sequence[str]) -> Started | None:
    """Parses ``npx -y @scope/name@1.2.3 args`` and ``uvx name==1.2.3 args``; None for anything else."""
    program, *rest = unshelled(words) or [""]
    program = program.rpartition("/")[2]
    if program == "uv" and rest[:2] == ["tool", "run"]:
        program, rest = "uvx", rest[2:]
    runner = {"npx": NPX, "pnpx": NPX, "uvx": UVX}.get(program)
    if runner is None:
        return None
    options, behind = runner_options(runner, [Word(word) for word in rest])
    named = [option.value.text for option in options if option.value and option.name in runner.naming]
    if not behind or any(option.name not in (*BARE, "--", *runner.naming) for option in options):
        return None
    first, *arguments = (word.text for word in behind)
    package = parse_package(runner.registry, named[-1] if named else first)
    if package is None or package.git or not package.is_exact:
        return None
    return Started(package, tuple(arguments), first if named else "")


def unshelled(words: Sequence[str]) -> list[str]:
    """The words of ``sh -c 'exec program …'``; a real script stays one word."""
    if len(words) >= 3 and words[0].rpartition("/")[2] in ("sh", "bash", "ash") and words[1] in ("-c", "-ec", "-lc"):
        try:
            inner = shlex.split(words[2])
        except ValueError:
            return list(words)
        if not set("|&;<>`\n") & set(words[2]):
            return inner[1:] if inner[:1] == ["exec"] else inner
    return list(words)

"""Packages as command lines name them, and their versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal, NamedTuple

from renderer.command import ProgramMissing, run
from renderer.errors import ApplyFailed, WaitTimedOut, excerpt

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


def parse_package(registry: Registry, text: str) -> Package | None:
    """Parses ``name@version``, ``name==version`` or a repository URL; None for anything else."""
    if registry == "npm" and re.fullmatch(r"(github:)?\w[\w.-]*/\w[\w.-]*(#.+)?", text):
        text = f"https://github.com/{text.removeprefix('github:')}"
    if text.startswith(("git+", "https://")):
        match = _GIT.fullmatch(text)
        return (
            Package(registry, match[1].rpartition("/")[2], match[2] or "", match[1], match[3] or "") if match else None
        )
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

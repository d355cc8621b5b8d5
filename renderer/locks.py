"""Lock files of packages (uv.lock, package-lock.json), and the files that a start from them needs.

They hold version and hash of everything that is installed. uv and npm check both, and need one more file, which is made
here: no other file of the repository reaches what is rendered, except npm's ``overrides``.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib import parse

from renderer import pins
from renderer.errors import DocumentPath, Fault, excerpt
from renderer.later import pattern
from renderer.manifest import as_mapping, at, items
from renderer.model import JSON, File, Lock, Source

#: An API server refuses a ConfigMap above 1 MiB, keys included.
LARGEST = 1024 * 1024
LOCK_FILES = frozenset({"uv.lock", "package-lock.json"})
_UV_VERSION = pattern(r'^name = "([^"\n]+)"\nversion = "([^"\n]+)"$', re.MULTILINE)
_FIELD: DocumentPath = ("spec", "package", "lock")
_OVERRIDES = "package.json"
#: What 'npm ci' compares with the lock.
_NPM_GROUPS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
#: 'npm ci' writes beside the lock, so both are copied; a bridge may start several servers at once, and the folder of a
#: compose volume outlives the lock. What npm prints would be taken for the server's own messages: hence 1>&2.
_INSTALLED = f"{pins.LOCKED_FOLDER}/installed.json"
_NPM_SCRIPTS = {
    "preserver": f"mkdir -p {pins.LOCKED_FOLDER} && exec 9>{pins.LOCKED_FOLDER}/lock && flock 9 && "
    f"{{ cmp -s package-lock.json {_INSTALLED} || {{ cp -f package.json package-lock.json {pins.LOCKED_FOLDER}/ && "
    f"npm --prefix {pins.LOCKED_FOLDER} ci --omit=dev --no-audit --no-fund --loglevel=error && "
    f"cp -f package-lock.json {_INSTALLED}; }}; }} 1>&2",
    "server": f'cd "$INIT_CWD" && PATH="{pins.LOCKED_FOLDER}/node_modules/.bin:$PATH" exec',
}


class _Unusable(Exception):
    """Message and hint."""


def paths(source: Source) -> tuple[str, ...]:
    """The lock of a document's package, and the files read with it."""
    lock = at(source.data, "spec", "package", "lock")
    if not isinstance(lock, str):
        return ()
    file = source.place(_FIELD).file
    path = posixpath.normpath(posixpath.join("" if file.startswith("<") else posixpath.dirname(file), lock))
    return (path, posixpath.join(posixpath.dirname(path), _OVERRIDES)) if path.endswith(".json") else (path,)


def content(source: Source) -> tuple[str | None, ...]:
    """The text of each of ``paths``; None for a missing one."""
    try:
        return tuple(_text(source, path) for path in paths(source))
    except _Unusable:
        return ()


def read_lock(source: Source, package: Mapping[str, Any]) -> Lock:
    """With its faults."""
    path, *manifests = paths(source)
    lock_file = excerpt(path, 200)
    try:
        text = _text(source, path)
        if text is None:
            raise _Unusable(f"{lock_file} does not exist", "the path is relative to the file that names it")
        if package["registry"] == "pypi":
            return _uv(text, package, lock_file)
        return _npm(text, _text(source, manifests[0]) if manifests else None, package, lock_file)
    except _Unusable as error:
        message, hint = error.args
        # With files: `provenance` tries other values of the field, on which they depend.
        return Lock(_files({posixpath.basename(path): ""}), faults=(Fault(_FIELD, "spec/lock", message, hint),))


def versions(text: str) -> dict[str, str]:
    """Installed versions by package, of either kind of lock; empty for an invalid one."""
    if text.lstrip().startswith("{"):
        try:
            entries = as_mapping(_json(text, "", "").get("packages")).items()
        except _Unusable:
            return {}
        pairs = [(path.rpartition("node_modules/")[2], str(as_mapping(each).get("version"))) for path, each in entries]
    else:
        pairs = _UV_VERSION.findall(text)
    return {name: ", ".join(sorted({v for other, v in pairs if other == name})) for name, _ in pairs if name}


def _text(source: Source, path: str) -> str | None:
    if path in source.beside:
        return source.beside[path]
    lock_file = excerpt(path, 200)
    try:
        # Not blocking: opening a FIFO that nobody writes to would wait for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise _Unusable(f"{lock_file} is not a regular file", "name the lock file itself")
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _Unusable(f"{lock_file} cannot be read: {getattr(error, 'strerror', None) or error}", "") from None
    if len(data) > LARGEST:
        hint = "install the package into an image (docs/packages.md)"
        raise _Unusable(f"{lock_file} is larger than a ConfigMap may be ({LARGEST:,} bytes)", hint)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _Unusable(f"{lock_file} is not UTF-8 text", "write it again") from None


def _uv(text: str, package: Mapping[str, Any], lock_file: str) -> Lock:
    import tomllib  # 3 ms, which only a lock of uv needs

    again = "write it with 'uv init --bare' and 'uv add' in a folder of its own (docs/packages.md)"
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError):
        raise _Unusable(f"{lock_file} is not a lock file of uv", again) from None
    entries = [(entry, as_mapping(entry.get("source"))) for entry in map(as_mapping, items(data.get("package")))]
    roots = [entry for entry, where in entries if "." in (where.get("virtual"), where.get("editable"))]
    if len(roots) != 1:
        raise _Unusable(f"{lock_file} is not the lock of one project", again)
    for entry, where in entries:
        if entry is not roots[0] and not where.keys() & {"registry", "git", "url"}:
            needed = f"{entry.get('name')} from a folder of the repository, which the container does not have"
            raise _Unusable(f"{lock_file} needs {needed}", "take it from a registry, or install it into an image")
    name = _plain(package["name"])
    locked = [(entry, where) for entry, where in entries if _plain(str(entry.get("name"))) == name]
    if package.get("git"):
        known = {str(where["git"]).rpartition("#")[2] for _, where in locked if "git" in where}
    else:
        known = {str(entry.get("version")) for entry, where in locked if "git" not in where}
    add = f"@ git+{package.get('git')}@" if package.get("git") else "=="
    _same_version(known, package, lock_file, f"uv add '{package['name']}{add}{package['version']}'")
    project: list[str] = ["[project]", f"name = {json.dumps(str(roots[0].get('name')))}", 'version = "0"']
    if isinstance(bound := data.get("requires-python"), str):
        project.append(f"requires-python = {json.dumps(bound)}")
    files = {"uv.lock": text, "pyproject.toml": "\n".join(project) + "\n"}
    downloads = [each for entry, _ in entries for each in (*items(entry.get("wheels")), entry.get("sdist"))]
    places = [*downloads, *(where for _, where in entries)]
    return Lock(_files(files), _hosts(as_mapping(each).get("url") for each in places))


def _npm(text: str, manifest: str | None, package: Mapping[str, Any], lock_file: str) -> Lock:
    command = "'npm install --package-lock-only' of npm 7 or later"
    again = f"write it with {command} in a folder of its own (docs/packages.md)"
    entries = as_mapping(_json(text, lock_file, again).get("packages"))
    root = entries.get("")
    if not isinstance(root, dict):
        raise _Unusable(f"{lock_file} is not a lock file of npm 7 or later", again)
    for path, entry in entries.items():
        where = str(as_mapping(entry).get("resolved"))
        if as_mapping(entry).get("link") or where.startswith(("file:", "git+")):
            from_git = where.startswith("git+")
            folder, repository = "a folder, which the container does not have", "a repository, which npm fetches by ssh"
            hint = "take it from a registry, or install it into an image"
            needed = f"{excerpt(path, 200)} from {repository if from_git else folder}"
            raise _Unusable(f"{lock_file} needs {needed}", hint)
    entry = as_mapping(entries.get(f"node_modules/{package['name']}"))
    add = f"npm install --package-lock-only --save-exact '{package['name']}@{package['version']}'"
    _same_version({str(entry["version"])} if "version" in entry else set(), package, lock_file, add)
    project: dict[str, JSON] = {"name": "mcp-server", "private": True, "scripts": {**_NPM_SCRIPTS}}
    project |= {group: root[group] for group in _NPM_GROUPS if group in root}
    if manifest is not None:
        read = _json(manifest, posixpath.join(posixpath.dirname(lock_file), _OVERRIDES), "correct it, or remove it")
        project |= {"overrides": read["overrides"]} if "overrides" in read else {}
    programs = sorted(as_mapping(entry.get("bin")))
    own = package["name"].rpartition("/")[2]
    program = programs[0] if len(programs) == 1 else own if own in programs else ""
    files = {"package-lock.json": text, "package.json": json.dumps(project, indent=2, ensure_ascii=False) + "\n"}
    hosts = _hosts(as_mapping(entry).get("resolved") for entry in entries.values())
    # npm puts the registry that it is set to in the place of its own default.
    return Lock(_files(files), tuple(host for host in hosts if host not in pins.REGISTRY_HOSTS["npm"]), program)


def _json(text: str, lock_file: str, hint: str) -> Mapping[str, Any]:
    try:
        return as_mapping(json.loads(text))
    except (ValueError, RecursionError):
        raise _Unusable(f"{lock_file} is not JSON", hint) from None


def _same_version(versions: Iterable[str], package: Mapping[str, Any], lock_file: str, command: str) -> None:
    if package["version"] not in versions:
        if not versions:
            message = f"{lock_file} does not contain {package['name']}"
            raise _Unusable(message, f"name the lock of that package, or run {command} in the folder of the lock")
        locked = excerpt(", ".join(sorted(versions)), 200)
        message = f"{lock_file} has {package['name']} {locked}, and package.version is {package['version']}"
        raise _Unusable(message, f"write the locked version, or run {command} in the folder of the lock")


def _plain(name: str) -> str:
    """As registries compare names."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def _files(texts: Mapping[str, str]) -> tuple[File, ...]:
    return tuple(File(f"{pins.LOCK_FOLDER}/{name}", text) for name, text in sorted(texts.items()))


def _hosts(urls: Iterable[Any]) -> tuple[str, ...]:
    hosts = set()
    for url in urls:
        with suppress(ValueError):
            parts = parse.urlsplit(url if isinstance(url, str) else "")
            if parts.hostname:
                hosts.add(parts.hostname + (f":{parts.port}" if parts.port else ""))
    return tuple(sorted(hosts))

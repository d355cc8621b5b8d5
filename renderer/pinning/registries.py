"""Digests and tags from registries, by crane, skopeo or docker buildx."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from renderer import command
from renderer.command import Done, ProgramMissing
from renderer.errors import ApplyFailed, WaitTimedOut, excerpt
from renderer.later import pattern
from renderer.manifest import as_mapping, items
from renderer.namedtuples import NamedTuple

_SECONDS = 60.0
#: Image indexes have a few kB, lists of tags up to some hundred.
_LIMIT = 8 * 1024 * 1024
_DIGEST = pattern(r"sha256:[0-9a-f]{64}")
_TAG = pattern(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
#: Errors of docker without buildx; a log line of skopeo.
_NO_BUILDX = pattern(r"unknown command: docker buildx|'buildx' is not a docker command|unknown flag: --format")
_LOGGED = pattern(r'msg="((?:[^"\\]|\\.)*)"')
#: A version within a tag: v1.2.3-alpine, distroless-v1.40.0, 1.37.0-musl.
_VERSION = pattern(r"(?P<before>|v|[a-z][a-z-]*-v?)(?P<numbers>\d{1,9}(\.\d{1,9}){0,3})(?P<after>([-+][A-Za-z0-9.]+)*)")


class NoAnswer(Exception):
    """One reason for each program that was asked."""


class _Way(NamedTuple):
    """A program, and how to extract the texts from its output."""

    argv: Callable[[str], Sequence[str]]
    texts: Callable[[Done], Any]


def digest_of(image: str) -> str:
    """The digest of the image index; ``image`` has none. Raises NoAnswer."""
    return _ask(_DIGESTS, image, _DIGEST)[0]


def tags_of(name: str) -> list[str]:
    """``name`` has neither tag nor digest. Raises NoAnswer."""
    return _ask(_TAGS, name, _TAG)


def newest_tag(tag: str, tags: Iterable[str]) -> str:
    """The highest version of the tag's form (v1.2.3-alpine for v1.0.0-alpine), or the tag itself."""
    own = _VERSION.fullmatch(tag)
    if own is None:
        return tag
    candidates = [tag]
    for match in filter(None, map(_VERSION.fullmatch, tags)):
        same = all(match[part] == own[part] for part in ("before", "after"))
        candidates += [match[0]] if same and len(_numbers(match)) == len(_numbers(own)) else []
    return max(candidates, key=lambda each: _numbers(_VERSION.fullmatch(each)))


def _numbers(match: re.Match[str] | None) -> list[int]:
    return [int(number) for number in match["numbers"].split(".")] if match else []


def _ask(ways: Sequence[_Way], name: str, form: re.Pattern[str]) -> list[str]:
    reasons = []
    for way in ways:
        argv = [*way.argv(name)]
        try:
            done = command.run(argv, seconds=_SECONDS, limit=_LIMIT)
        except ProgramMissing:
            continue
        except (ApplyFailed, WaitTimedOut) as failure:
            reasons.append(f"{argv[0]}: {failure.message}")
            continue
        if done.code and _NO_BUILDX.search(done.err):
            continue
        if done.code:
            # The last line of the output, or the message of a log line.
            lines = [line.strip() for line in done.err.splitlines() if line.strip()]
            logged = _LOGGED.search(lines[-1]) if lines else None
            text = re.sub(r"\\(.)", r"\1", logged[1]) if logged else lines[-1] if lines else f"exit code {done.code}"
            reasons.append(f"{argv[0]}: {excerpt(text, 300)}")
        elif texts := [text for text in items(way.texts(done)) if isinstance(text, str) and form.fullmatch(text)]:
            return texts
        else:
            reasons.append(f"{argv[0]}: its answer cannot be read: {excerpt(done.out.strip(), 80) or 'nothing'}")
    raise NoAnswer("; ".join(reasons) or "install crane, skopeo or docker buildx: none of them is on the PATH")


def _digest_of_manifest(done: Done) -> list[str]:
    """A digest is the hash of the manifest's bytes."""
    data = _json(done)
    is_manifest = data.get("schemaVersion") == 2 and ("manifests" in data or "layers" in data)
    return [f"sha256:{hashlib.sha256(done.raw).hexdigest()}"] if is_manifest else []


def _json(done: Done) -> dict[str, Any]:
    try:
        data = json.loads(done.out)
    except (ValueError, RecursionError):
        return {}
    return as_mapping(data)


_BUILDX = ("docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}")
_DIGESTS = (
    _Way(lambda image: ("crane", "digest", image), lambda done: [done.out.strip()]),
    _Way(lambda image: ("skopeo", "inspect", "--raw", f"docker://{image}"), _digest_of_manifest),
    _Way(lambda image: (*_BUILDX, image), lambda done: [_json(done).get("digest")]),
)
_TAGS = (
    _Way(lambda name: ("crane", "ls", name), lambda done: done.out.splitlines()),
    _Way(lambda name: ("skopeo", "list-tags", f"docker://{name}"), lambda done: _json(done).get("Tags")),
)

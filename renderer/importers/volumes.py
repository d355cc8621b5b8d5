"""Volumes of definitions: named ones become storage, folders of the machine are not mounted."""

from __future__ import annotations

import re

from renderer.errors import DocumentPath, excerpt
from renderer.importers.draft import END, Reading
from renderer.importers.naming import digest
from renderer.model import JSON

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PATH = re.compile(r"(/[^/\x00-\x1f:$,]+)+")
#: Mounting one of these gives away the machine.
_DANGEROUS = re.compile(r"/|/(var/)?run(/.*)?|.*\.sock|/(etc|root|proc|sys|dev|boot|var|usr|lib|bin|home)(/?)")
_SIZE = "1Gi"
STORAGE = ("spec", "storage")


def set_volume(reading: Reading, source: DocumentPath, volume: str, target: str, read_only: bool = False) -> None:
    """A named or anonymous volume becomes storage; for a folder of the machine see ``leave_folder``."""
    target = target.rstrip("/") if target != "/" else target
    if not _PATH.fullmatch(target) or "/../" in f"{target}/" or "/./" in f"{target}/":
        reading.lose(source, f"'{excerpt(target, 80)}' is not a mount path")
    elif not volume or (_NAME.fullmatch(volume) and "/" not in volume and not volume.startswith(".")):
        name = _volume_name(volume or target)
        only: dict[str, JSON] = {"readOnly": True} if read_only else {}
        volume_fields: dict[str, JSON] = {"name": name, "size": _SIZE, "mountPath": target, **only}
        reading.decide(source, (*STORAGE, END), volume_fields, "how large the volume is")
    else:
        leave_folder(reading, source, volume, target)


def leave_folder(reading: Reading, source: DocumentPath, folder: str, target: str) -> None:
    """Reports that the folder is not mounted, and what to do if its data is needed."""
    if _DANGEROUS.fullmatch(folder):
        reading.lose(source, f"{excerpt(folder, 80)} of the machine gives access to the machine, so it is not mounted")
        return
    instead = "if it needs the data, write a volume under spec.storage, or files under spec.files"
    mounted = f"{excerpt(folder, 80)} of a person's machine would be mounted at {excerpt(target, 80)}"
    question = f"{mounted}, and is not: {instead}"
    reading.decide(source, STORAGE, None, question)


def split_volume(text: str) -> tuple[str, str, bool]:
    """Splits ``source:target:ro``; the source may be empty, or begin with a drive: ``C:\\\\x``."""
    words = text.split(":")
    if re.match(r"[A-Za-z]:[\\\\/]", text) and len(words) > 2:
        words = [":".join(words[:2]), *words[2:]]
    if len(words) == 1:
        return "", words[0], False
    return (
        words[0],
        words[1],
        "ro" in words[2:3] or "readonly" in words[2:3] or any("ro" in w.split(",") for w in words[2:]),
    )


def _volume_name(original: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", original.lower()).strip("-")
    if not name:
        return f"volume-{digest(original)}"
    return name if len(name) <= 40 else f"{name[:31].rstrip('-')}-{digest(original)}"

"""The package of a server, with its lock or as a bundle."""

from __future__ import annotations

from typing import Any

from renderer.locks import read_lock
from renderer.model import Bundle, Package, Source


def make_package(source: Source, item: dict[str, Any]) -> Package:
    is_bundle = item["registry"] == "mcpb"
    return Package(
        item["registry"],
        item["url"] if is_bundle else item["name"],
        item["sha256"] if is_bundle else item["version"],
        item.get("baseImage"),
        item["cacheSize"],
        item.get("git"),
        item.get("subdirectory"),
        tuple(item.get("with", ())),
        read_lock(source, item) if "lock" in item else None,
        _bundle(item) if is_bundle else None,
    )


def _bundle(item: dict[str, Any]) -> Bundle:
    values = {key: [value] if isinstance(value, str) else value for key, value in item["userConfig"].items()}
    settings = tuple((key, text) for key, texts in values.items() for text in texts)
    return Bundle(item["url"], item["sha256"], item["runtime"], item["bundleSize"], settings)

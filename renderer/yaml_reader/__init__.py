"""Reads YAML, and JSON as a part of it, into plain data; refuses what its readers do not agree on."""

from renderer.model import JSON, Marks, position
from renderer.yaml_reader.events import Document, Finding, read
from renderer.yaml_reader.text import OUTPUT_LIMITS, SPEC_LIMITS, Limits, conflict_line

__all__ = [
    "JSON",
    "OUTPUT_LIMITS",
    "SPEC_LIMITS",
    "Document",
    "Finding",
    "Limits",
    "Marks",
    "conflict_line",
    "position",
    "read",
]

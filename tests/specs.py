"""Small specs for tests: a document from its differing fields, and what the stages make of it."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any

from renderer.errors import errors_in
from renderer.model import JSON, NAMESPACE, Options, Server
from renderer.pins import KUBERNETES_VERSION
from renderer.pipeline import Output, Specs, read, render
from renderer.registry import target

OPTIONS = Options(NAMESPACE, KUBERNETES_VERSION)
IMAGE = "registry.example.com/mcp/demo:1.0"
#: An image that listens itself: the smallest spec that every target renders without a word.
HTTP: dict[str, JSON] = {"type": "streamable-http"}
NPM: dict[str, JSON] = {"registry": "npm", "name": "@acme/server", "version": "1.2.3"}
PYPI: dict[str, JSON] = {"registry": "pypi", "name": "acme-server", "version": "1.2.3"}
OCI: dict[str, JSON] = {"registry": "oci", "name": "ghcr.io/acme/server", "version": "v1"}


def spec(name: str = "demo", metadata: dict[str, JSON] | None = None, /, **fields: JSON) -> dict[str, JSON]:
    """A document; without ``image``, ``package`` and ``remote`` an image that speaks HTTP."""
    if {"image", "package", "remote"}.isdisjoint(fields):
        fields = {"image": IMAGE, "transport": HTTP, **fields}
    return {
        "apiVersion": "mcpctl.io/v1alpha1",
        "kind": "McpServer",
        "metadata": {"name": name, **(metadata or {})},
        "spec": fields,
    }


def as_stream(*documents: JSON) -> bytes:
    """The documents as one file: JSON is YAML, but for escapes of what is no ASCII."""
    texts = (json.dumps(document, ensure_ascii=False) for document in documents)
    return "".join(f"---\n{re.sub('[^ -~]', _escape, text)}\n" for text in texts).encode()


def _escape(found: re.Match[str]) -> str:
    return f"\\U{ord(found[0]):08x}"


def read_specs(*documents: JSON) -> Specs:
    """Loaded, validated and resolved as from standard input."""
    return read(["-"], BytesIO(as_stream(*documents)))


def server(name: str = "demo", metadata: dict[str, JSON] | None = None, /, **fields: JSON) -> Server:
    """The one Server of a spec that holds."""
    specs = read_specs(spec(name, metadata, **fields))
    assert [str(problem) for problem in errors_in(specs.problems)] == []
    (found,) = specs.servers
    return found


def rendered(target_name: str, *documents: JSON, options: Options = OPTIONS) -> Output:
    """What a target makes of the documents."""
    return render(read_specs(*documents), target(target_name), options)


def texts(target_name: str, *documents: JSON, options: Options = OPTIONS) -> dict[str, str]:
    """Path to text of what a target makes of documents that hold."""
    output = rendered(target_name, *documents, options=options)
    assert errors_in(output.problems) == []
    return {document.path: document.text for document in output.documents}


def rules(problems: Any) -> list[str]:
    """The stable ids of Problems or Faults, in their order."""
    return [problem.rule for problem in problems]

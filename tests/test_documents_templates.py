"""What templates may read: docs/templates.md lists it, every context has it, and some template reads it.

``MCPCTL_TEST_UPDATE_EXPECTED=1`` writes the lists anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from renderer import assets, guard
from renderer.context import document_values
from renderer.delivery import objects as delivery
from renderer.model import NamespaceRules
from renderer.registry import target
from renderer.targets.compose import values as compose
from renderer.targets.kubernetes import namespace, values
from tests.delivery.test_objects import all_objects
from tests.fields import documents
from tests.specs import OPTIONS, read_specs, server

DOCUMENT = Path(__file__).parent.parent / "docs" / "templates.md"
RULES = NamespaceRules(quota={"pods": "1"}, limits={"max": {"cpu": "1"}})
#: Heading in the document to names.
NAMES: dict[str, Mapping[str, str]] = {
    "Kubernetes, of a server": values.NAMES,
    "Kubernetes, of the namespace": namespace.NAMES,
    "Delivery": delivery.NAMES,
    "Compose, of a project": compose.NAMES,
    "Compose, of a server": compose.SERVER_NAMES,
    "Guard": guard.NAMES,
}


def contexts(heading: str) -> list[Mapping[str, Any]]:
    if heading == "Delivery":
        return [document.context for found in all_objects().values() for document in found]
    if heading == "Guard":
        found_servers = [server for document in documents() for server in read_specs(document).servers]
        return [guard.guard_values(s.guard, s.transport, "127.0.0.1", 1, False) for s in found_servers if s.guard]
    options = OPTIONS._replace(namespace_rules=RULES)
    kubernetes = target("kubernetes")
    if heading == "Kubernetes, of the namespace":
        return [document.context for document in kubernetes.shared(options)]
    made = target(heading.partition(",")[0].lower())
    servers = [server for document in documents() for server in read_specs(document).servers]
    found = [d.context for server in servers for d in made.build([server], options)[0] if d.template]
    return (
        [server for context in found for server in context["servers"]] if heading == "Compose, of a server" else found
    )


@pytest.mark.parametrize("heading", NAMES)
def test_every_name_is_listed(heading: str) -> None:
    lines = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in NAMES[heading].items())
    expected = f"### {heading}\n\n| name | what it is |\n|---|---|\n{lines}"
    text = DOCUMENT.read_text()
    if os.environ.get("MCPCTL_TEST_UPDATE_EXPECTED"):
        text = re.sub(rf"### {re.escape(heading)}\n\n(\|.*\n)*\n?", lambda _: f"{expected}\n", text)
        DOCUMENT.write_text(text)
    assert expected in text


def test_deliveries_have_these_names_and_no_others() -> None:
    assert {name for context in contexts("Delivery") for name in context} == set(delivery.NAMES)


@pytest.mark.parametrize("heading", [heading for heading in NAMES if heading != "Delivery"])
def test_every_context_has_every_name(heading: str) -> None:
    found = contexts(heading)
    assert found
    # The namespace of a sandbox is made by the template of all namespaces.
    extra = {"enforce", "warn", "kubernetes_version"}
    for context in found:
        assert set(context) - (extra if context.get("spec") else set()) == set(NAMES[heading])


@pytest.mark.parametrize("heading", NAMES)
def test_every_name_is_read_by_a_template(heading: str) -> None:
    folder = f"templates/{heading.partition(',')[0].lower()}/"
    names = [f"templates/{name}" for name in assets.names("templates")]
    shared = "templates/kubernetes/metadata.yaml.j2"
    text = "\n".join(assets.read(name).decode() for name in names if name.startswith(folder) or name == shared)
    read = set(re.findall(r"\w+", "\n".join(re.findall(r"\{[%{].*?[%}]\}", text, re.DOTALL))))
    assert set(NAMES[heading]) - read == set()


def test_every_field_of_the_schema_is_there() -> None:
    """Null where a spec does not say it, so that a template may ask for it."""
    found = document_values(server())
    definitions = assets.schema("mcpserver")["$defs"]
    assert set(found["spec"]) == set(definitions["spec"]["properties"])
    assert found["spec"]["autoscaling"] is None
    full = document_values(server(health={"path": "/h"}, gpu={"count": 1}, env={"A": {"secret": "s", "key": "k"}}))
    assert set(full["spec"]["health"]) == set(definitions["spec"]["properties"]["health"]["properties"])
    assert full["spec"]["gpu"]["product"] is None
    assert full["spec"]["env"]["A"] == {"secret": "s", "key": "k", "optional": False, "configMap": None, "field": None}

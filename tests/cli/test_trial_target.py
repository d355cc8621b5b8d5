"""A target of another format, kept here: what a new one has to bring, and what then knows of it by itself."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

import renderer.render.engine as engine
from renderer import assets, render
from renderer.environment import documents
from renderer.errors import Fault, Problem
from renderer.launch import launch
from renderer.model import Options, Rendered, Server
from renderer.render import Quoting, places_in_templates
from renderer.resolve.defaults import defaults_of
from renderer.target import Ignored
from renderer.target_names import TARGETS
from tests.cli.commands import Mcpctl

TEMPLATE = "quadlet/container.j2"
TEXT = """\
[Unit]
Description={{ description }}

[Container]
Image={{ image }}
{% for argument in args %}
# One argument of the server.
Exec={{ argument }}
{% endfor %}
PublishPort={{ publish }}
"""
SPEC = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: demo}
spec:
  image: registry.example.com/mcp/demo:1.0
  description: "first\\n[Service]\\nExecStart=/bin/evil"
  args: ["50%", "a b"]
  transport: {type: streamable-http}
"""
ENVIRONMENT = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {name: edge}
spec: {target: quadlet}
"""


def scalar(value: object) -> str:
    """A value of an INI file of systemd: '%' begins a specifier, quotes and escapes are those of C."""
    text = str(value).replace("%", "%%")
    if "\0" in text:
        raise ValueError("systemd has no form for a NUL")
    if re.fullmatch(r"[-A-Za-z0-9_./:@%]+", text):
        return text
    escaped = "".join(
        c if c.isprintable() else "".join(f"\\x{b:02x}" for b in c.encode()) for c in text.replace("\\", "\\\\")
    )
    return '"{}"'.format(escaped.replace('"', '\\"'))


class Quadlet:
    """Units of systemd for podman."""

    name = "quadlet"
    quoting = Quoting(scalar)
    ignored: Mapping[str, Ignored] = {}

    def groups(self, servers: Sequence[Server], *, one_stream: bool) -> list[tuple[Server, ...]]:
        del one_stream
        return [(server,) for server in servers]

    def conflicts(self, servers: Sequence[Server], options: Options) -> list[Problem]:
        del servers, options
        return []

    def shared(self, options: Options) -> list[Rendered]:
        del options
        return []

    def build(self, group: Sequence[Server], options: Options) -> tuple[list[Rendered], list[Problem]]:
        del options
        documents = []
        for server in group:
            started, publish = launch(server), server.network.publish
            assert publish is not None
            context = {
                "description": server.description,
                "image": started.image,
                "args": list(started.args),
                "publish": f"{publish.address}:{publish.port}:{server.transport.port}",
            }
            text = render.render(TEMPLATE, context, self.quoting)
            path = f"{server.name}/{server.resource_name}.container"
            documents.append(Rendered(path, text, TEMPLATE, context, f"server {server.name}"))
        return documents, []

    def tree_files(
        self, servers: Sequence[Server], documents: Sequence[Rendered], options: Options, names: Sequence[str]
    ) -> list[Rendered]:
        del servers, documents, options, names
        return []

    def from_tree(self, paths: Sequence[str]) -> tuple[list[str], list[str]]:
        return sorted(paths), []

    def enforces_pod_security(self, options: Options) -> bool:
        del options
        return False

    def check(self, documents: Sequence[Rendered], options: Options) -> list[Problem]:
        del options
        problems = []
        for document in documents:
            place = places_in_templates(document.template, document.context)
            for number, line in enumerate(document.text.split("\n"), 1):
                if line and not re.fullmatch(r"\[\w+\]|#.*|[A-Z]\w+=.+", line):
                    fault = Fault((), "quadlet/line", "expected Key=value")
                    problems.append(Problem(place(number), "", fault.rule, fault.message, in_output=True))
        return problems


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The target is registered; its templates by name."""
    module = ModuleType("renderer.targets.quadlet")
    module.TARGET = Quadlet()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(TARGETS, "quadlet", "units of systemd, for podman")
    monkeypatch.setattr(engine, "built_in", engine.Engine(None))  # which has read no template yet
    templates, read = {TEMPLATE: TEXT}, assets.read
    monkeypatch.setattr(
        assets, "read", lambda name: (templates.get(name.removeprefix("templates/")) or read(name).decode()).encode()
    )
    caches = (assets.schema, documents._schema, defaults_of)
    for cache in caches:
        cache.cache_clear()
    yield templates
    monkeypatch.undo()
    for cache in caches:
        cache.cache_clear()


@pytest.fixture(autouse=True)
def tried(specs: Path) -> Path:
    """A folder with a spec and an environment of the target."""
    (specs / "quadlet.yaml").write_text(SPEC)
    (specs / "edge.yaml").write_text(ENVIRONMENT)
    return specs


@pytest.mark.usefixtures("texts")
def test_an_environment_renders_in_the_quoting_of_its_target(mcpctl: Mcpctl, tried: Path) -> None:
    run = mcpctl("render", "quadlet.yaml", "edge.yaml", "--out", "tree")
    assert run.code == 0, run.err
    text = (tried / "tree/edge/quadlet/demo/mcp-demo.container").read_text()
    assert "\nPublishPort=127.0.0.1:24596:8080\n" in text
    assert '\nDescription="first\\x0a[Service]\\x0aExecStart=/bin/evil"\n' in text
    assert "\nExec=50%%\n" in text
    assert '\nExec="a b"\n' in text


@pytest.mark.usefixtures("texts")
def test_the_schemas_list_it(mcpctl: Mcpctl) -> None:
    targets = '"enum": ["compose", "kubernetes", "quadlet"]'
    assert all(targets in json.dumps(json.loads(mcpctl("schema", *name).out)) for name in ((), ("environment",)))
    assert "`quadlet`" in mcpctl("schema", "environment", "--format", "markdown").out


def test_its_own_checks_tell_the_line_of_the_template(mcpctl: Mcpctl, texts: dict[str, str]) -> None:
    texts[TEMPLATE] = TEXT.replace("Exec=", "Exec ")
    run = mcpctl("render", "quadlet.yaml", "edge.yaml", "--out", "tree")
    assert run.code == 4
    assert f"templates/{TEMPLATE}:8: error: expected Key=value" in run.err


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Image={{ args }}\n", "a nested value has no form here: list"),
        ("Image={{ '\0' }}\n", "systemd has no form for a NUL"),
    ],
)
def test_what_the_format_cannot_say_is_told_with_its_line(
    mcpctl: Mcpctl, texts: dict[str, str], text: str, word: str
) -> None:
    texts[TEMPLATE] = f"[Container]\n{text}"
    run = mcpctl("render", "quadlet.yaml", "edge.yaml", "--out", "tree")
    assert run.code == 4
    assert f"templates/{TEMPLATE}:2: error: {word}" in run.err


def test_the_files_of_the_schemas_have_the_targets_that_there_are() -> None:
    for name in assets.names("schemas"):
        assert assets.read(f"schemas/{name}.schema.json").decode() == assets.read_schema(name)

"""Real definitions: none ends in a traceback, those that run render, and what was mapped gives the same facts again.

No user writes entries of the registries of Docker and ToolHive, so what makes them of specs lies here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from renderer.importers.bulk import definitions_in, distinctly_named
from renderer.importers.draft import Choices, Draft
from renderer.importers.formats import batches, load_foreign, recognise
from renderer.importers.validation import validated
from renderer.model import Source

ROOT = Path(__file__).parent.parent.parent
CORPUS = Path(os.environ.get("MCPCTL_TEST_SHARED", ROOT.parent / "shared")) / "corpus"


@cache
def imported() -> tuple[dict[str, Source], list[Draft]]:
    sources, problems = load_foreign(definitions_in(str(CORPUS)), None)
    assert problems == []
    by_format, _ = recognise(sources)
    drafts = [draft for form, batch in batches(by_format) for draft in form.read(batch, Choices(offline=True))]
    return {source.file: source for source in sources}, [
        validated(draft) for draft in distinctly_named(drafts, str(CORPUS))
    ]


@pytest.fixture
def drafts() -> list[Draft]:
    if not CORPUS.is_dir():
        reason = f"the definitions are not at {CORPUS} (MCPCTL_TEST_SHARED names another folder)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return imported()[1]


def definitions(drafts: list[Draft], name: str) -> Iterator[tuple[Any, Any]]:
    """The definition and the spec of each Draft of that format that holds."""
    for draft in drafts:
        if draft.format == name and not draft.problems:
            data: Any = imported()[0][draft.place.file].data
            entry = data if "image" in data or "remote" in data else None
            for key in ("servers", "remote_servers"):
                entry = entry or data.get(key, {}).get(draft.original)
            assert entry, draft.original
            yield entry, draft.document["spec"]


def test_what_runs_renders_for_every_target(drafts: list[Draft]) -> None:
    refused = {draft.original: draft.problems[0].rule for draft in drafts if draft.problems}
    assert set(refused.values()) <= {"import/no-server", "import/nuget"}, refused
    assert len(refused) <= len(drafts) * 0.02
    assert len({draft.name for draft in drafts}) == len(drafts)


def test_every_field_is_reported(drafts: list[Draft]) -> None:
    unknown = [
        entry for draft in drafts for entry in draft.entries if entry.message.startswith("no field of the format")
    ]
    assert len(unknown) <= len(drafts) * 0.1, unknown


def reference(value: Any) -> str:
    """How a definition says where a value comes from."""
    if not isinstance(value, dict):
        return "value"
    return ("secret" if "secret" in value else "asked") + ("?" if value.get("optional") else "")


def toolhive_entry(spec: Any) -> dict[str, Any]:
    """An entry of the registry, of what a spec says."""
    if remote := spec.get("remote"):
        return {"url": remote["url"], "transport": remote.get("transport", "streamable-http")}
    return {
        "image": spec["image"],
        "transport": spec["transport"]["type"],
        "args": [word.replace("$$(", "$(") for word in spec.get("args", [])],
        "env": {
            name: (reference(value), value if isinstance(value, str) else "")
            for name, value in spec.get("env", {}).items()
        },
        "hosts": sorted(spec.get("network", {}).get("egress", {}).get("hosts", [])),
        "port": spec["transport"].get("port"),
    }


def toolhive_facts(entry: Any) -> dict[str, Any]:
    """What the registry's own entry says of it."""
    if "url" in entry:
        return {"url": entry["url"], "transport": entry["transport"]}
    env = {}
    for variable in entry.get("env_vars", []):
        secret, required = variable.get("secret", False), variable.get("required", False)
        if secret:
            env[variable["name"]] = ("secret" if required else "secret?", "")
        elif "default" in variable:
            env[variable["name"]] = ("value", variable["default"].replace("$(", "$$("))
        elif required:
            env[variable["name"]] = ("asked", "")
    outbound = entry.get("permissions", {}).get("network", {}).get("outbound", {})
    hosts = [] if outbound.get("insecure_allow_all") else outbound.get("allow_host", [])
    names = {each for host in hosts for each in ((host[1:], f"*{host}") if host.startswith(".") else (host,))}
    names -= {"localhost", "host.docker.internal"}
    ports = outbound.get("allow_port", [])
    named_hosts = [name for name in names if not re.fullmatch(r"[\d.]+", name)]
    return {
        "image": entry["image"],
        "transport": entry["transport"],
        "args": entry.get("args", []),
        "env": env,
        "hosts": sorted(f"{name}:{port}" for name in named_hosts for port in ports) if ports else sorted(named_hosts),
        "port": entry.get("target_port") if entry["transport"] != "stdio" else None,
    }


def test_entries_of_toolhive_say_the_same_again(drafts: list[Draft]) -> None:
    count = 0
    for entry, spec in definitions(drafts, "toolhive-registry"):
        made, facts = toolhive_entry(spec), toolhive_facts(entry)
        for name, (kind, _) in list(made.get("env", {}).items()):
            # A variable that is a secret by its name alone.
            if kind.startswith("secret") and facts["env"].get(name, ("asked", ""))[0] != kind:
                assert re.search(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL", name), name
                del made["env"][name]
                facts["env"].pop(name, None)
        assert made == facts
        count += 1
    assert count > 50


def docker_facts(entry: Any) -> dict[str, Any]:
    """What a server.yaml says that does not depend on parameters."""
    config, run = entry.get("config") or {}, entry.get("run") or {}
    remote = entry.get("remote") or {}
    header = {name: re.sub(r"\$\{(\w+)\}", r"{\1}", text) for name, text in remote.get("headers", {}).items()}
    return {
        "image": entry.get("image"),
        "url": remote.get("url"),
        "headers": header,
        "secrets": sorted(secret["env"] for secret in config.get("secrets", []) if not remote),
        "fixed": {
            variable["name"]: variable["value"]
            for variable in config.get("env", [])
            if "value" in variable and "{{" not in variable["value"]
        },
        "args": [word for word in run.get("command", []) if "{{" not in word and not word.startswith("$")],
        "volumes": sorted(volume for volume in run.get("volumes", []) if "{{" not in volume),
        "hosts": sorted(run.get("allowHosts", [])),
    }


def docker_entry(spec: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """The same of a spec."""
    env = spec.get("env", {})
    remote = spec.get("remote", {})
    return {
        "image": spec.get("image"),
        "url": remote.get("url"),
        "headers": remote.get("headers", {}),
        "secrets": sorted(
            name for name, value in env.items() if reference(value).startswith("secret") and name in facts["secrets"]
        ),
        "fixed": {name: value for name, value in env.items() if name in facts["fixed"]},
        "args": [word for word in spec.get("args", []) if word in facts["args"]],
        "volumes": sorted(f"{each['name']}:{each['mountPath']}" for each in spec.get("storage", [])),
        "hosts": sorted(spec.get("network", {}).get("egress", {}).get("hosts", [])),
    }


def test_entries_of_docker_say_the_same_again(drafts: list[Draft]) -> None:
    count = 0
    for entry, spec in definitions(drafts, "docker-registry"):
        facts = docker_facts(entry)
        assert docker_entry(spec, facts) == facts
        count += 1
    assert count > 100

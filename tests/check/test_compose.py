"""Compose files against the check, the official schema and docker compose itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer import assets
from renderer.check.compose import faults
from renderer.errors import Severity, dotted
from tests.oracles import NO_COLLECTOR, yaml_read

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Bad:
    """A faulty file. ``stricter`` says why we refuse what docker compose and its schema let pass."""

    doc: Any
    rule: str
    path: str
    says: str = ""
    stricter: str = ""


def _table(name: str) -> JsonObject:
    table: JsonObject = yaml_read((Path(__file__).parent / "compose" / name).read_text())
    return table


GOOD: dict[str, JsonObject] = _table("good.yaml")
BAD = {name: Bad(**case) for name, case in _table("bad.yaml").items()}


def compose(service: str, top: str = "{}") -> JsonObject:
    """A file with the service ``s``, and what is at the top level."""
    return {"services": {"s": {"image": "i", **yaml_read(service)}}, **yaml_read(top)}


@pytest.mark.parametrize("name", GOOD)
def test_good_files_have_no_fault(name: str) -> None:
    assert faults(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_bad_files_have_this_one_fault(name: str) -> None:
    case = BAD[name]
    found = [(f.rule, dotted(f.path)) for f in faults(case.doc)]
    assert found == [(case.rule, case.path)]
    assert case.says in faults(case.doc)[0].message


def test_every_field_of_the_schema_is_in_a_good_file() -> None:
    used = {key for doc in GOOD.values() for key in _keys(doc)}
    assert sorted(set(_fields(assets.schema("output/compose"))) - used) == []


def test_all_faults_are_told_at_once() -> None:
    doc = compose("{comand: a, networks: [x], ports: ['80:80', '80:81'], container_name: ab, scale: 2}")
    assert [f.rule for f in faults(doc)] == [
        "compose/unknown-field",
        "compose/undefined-network",
        "compose/replicas-share-port",
        "compose/replicas-share-port",
        "compose/duplicate-port",
        "compose/container-name-replicas",
    ]


def test_silence_of_docker_compose_is_a_warning() -> None:
    doc = compose("{ports: ['80:80'], network_mode: host}")
    assert [f.severity for f in faults(doc)] == [Severity.WARNING]


def test_values_of_variables_and_configs_are_never_told() -> None:
    hidden = "s3cr3t"
    doc = compose(
        f"{{environment: ['={hidden}'], build: {{context: ., args: {{A: [{hidden}]}}}}}}",
        f"configs: {{c: {{content: [{hidden}]}}}}",
    )
    found = faults(doc)
    assert len(found) == 3
    assert hidden not in "".join(f.message + f.hint for f in found)


def test_a_long_chain_of_services_is_no_recursion() -> None:
    chain = {f"s{i}": {"image": "i", "depends_on": [f"s{i + 1}"]} for i in range(5000)}
    assert faults({"services": {**chain, "s5000": {"image": "i"}}}) == []


_NUMBERS = {"digits": 10**5000, "negative": -1, "flag": True, "float": 1e308, "exponent": "1e999999999"}


@pytest.mark.parametrize("name", _NUMBERS)
def test_hostile_numbers_are_no_crash(name: str) -> None:
    number: Any = _NUMBERS[name]
    resources = {"limits": {"cpus": number, "memory": number}, "reservations": {"memory": number}}
    service = {"image": "i", "cpus": number, "mem_limit": number, "scale": 2}
    service |= {"ports": [{"target": number, "published": number}], "deploy": {"resources": resources}}
    assert faults({"services": {"s": service}})


_NAMES = sorted(
    ["s", "t", "CMD", "limits", "memory", *assets.schema("output/compose")["$defs"]["workload"]["properties"]]
)
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["s", "t", "a:/b", "80:80", "service:s"])
)
_SHAPES = st.recursive(
    _LEAVES | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=20,
)
_FILES = st.fixed_dictionaries(
    {"services": st.dictionaries(st.sampled_from("st"), st.dictionaries(st.sampled_from(_NAMES), _SHAPES)) | _SHAPES},
    optional={
        "networks": _SHAPES,
        "volumes": _SHAPES,
        "configs": _SHAPES,
        "secrets": _SHAPES,
        "jobs": _SHAPES,
    },
)


@settings(max_examples=50, deadline=None)
@given(_FILES)
def test_no_shape_is_a_crash(doc: JsonObject) -> None:
    assert all(f.rule.startswith("compose/") for f in faults(doc))


def _fields(node: object) -> list[str]:
    """All field names that a schema knows."""
    if isinstance(node, list):
        return [name for item in node for name in _fields(item)]
    if not isinstance(node, dict):
        return []
    inner = [name for value in node.values() for name in _fields(value)]
    return [*(node["properties"] if isinstance(node.get("properties"), dict) else ()), *inner]


def _keys(node: object) -> list[str]:
    if isinstance(node, list):
        return [key for item in node for key in _keys(item)]
    return [*node, *(k for v in node.values() for k in _keys(v))] if isinstance(node, dict) else []


# The independent oracles: the schema that the Compose Specification publishes, and docker compose itself.


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)  # the environment of the tests need not be active
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None and os.environ.get("CI") != "true":
        pytest.skip(f"{name} is not installed")
    assert found is not None, f"{name} is not installed"
    return found


#: Those that both oracles accept.
ACCEPTED = {**GOOD, **{name: case.doc for name, case in BAD.items() if case.stricter}}


def _files(folder: Path) -> dict[str, Path]:
    """Every document of the tables as a file, beside the files that some of them name."""
    for name in ("a.env", "b.env", "a.labels", "config.txt", "key.txt"):
        (folder / name).write_text("A=b\n")
    (folder / "other.yaml").write_text("services: {o: {image: i}}\nnetworks: {elsewhere: }\n")
    (folder / "third.yaml").write_text("services: {q: {image: i}}\n")
    documents: dict[str, object] = {**GOOD, **{name: case.doc for name, case in BAD.items()}}
    paths = {name: folder / f"{n}.yaml" for n, name in enumerate(documents)}
    for name, path in paths.items():
        path.write_text(json.dumps(documents[name]))
    return paths


def _officially_refused(files: dict[str, Path]) -> set[str]:
    """The names of the documents that the official schema refuses, from one run for all."""
    command = [_program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "-o", "json"]
    run = subprocess.run([*command, *map(str, files.values())], capture_output=True, text=True, timeout=120)
    refused = {error["filename"] for error in json.loads(run.stdout)["errors"]}
    return {name for name, path in files.items() if str(path) in refused}


def _compose_refuses(path: Path) -> str:
    """What ``docker compose config`` says against a file; empty when it accepts it."""
    command = [_program("docker-compose"), "-p", "p", "-f", str(path), "--profile", "*", "config", "-q"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(path.parent), **NO_COLLECTOR}
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    return run.stderr if run.returncode else ""


def _refused_by_compose(files: dict[str, Path]) -> dict[str, str]:
    """The documents that docker compose refuses, and why: one run for all accepted ones of one service."""
    alone = {
        name
        for name, doc in ACCEPTED.items()
        if doc.keys() <= {"name", "services"} and [*doc.get("services", ())] == ["s"]
    }
    together = next(iter(files.values())).with_name("together.yaml")
    services = {f"s{n}": ACCEPTED[name]["services"]["s"] for n, name in enumerate(sorted(alone & files.keys()))}
    together.write_text(json.dumps({"services": services}))
    if _compose_refuses(together):
        alone = set()  # which of them it is, each tells by itself
    return {name: why for name, path in files.items() if name not in alone and (why := _compose_refuses(path))}


def test_the_oracles_accept_the_good_files_and_refuse_the_bad_ones_or_we_say_why_not(tmp_path: Path) -> None:
    files = _files(tmp_path)
    refused = dict.fromkeys(_officially_refused(files), "the official schema")
    refused |= _refused_by_compose({name: path for name, path in files.items() if name not in refused})
    assert {name: why for name, why in refused.items() if name in ACCEPTED} == {}
    assert sorted(BAD.keys() - ACCEPTED.keys() - refused.keys()) == []

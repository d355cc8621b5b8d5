"""Every key of the Compose Specification, as its authors publish it: harmless, policed or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from renderer.check.compose.hardening import HARMLESS, POLICED, REFUSED, hardening_faults
from renderer.errors import errors_in
from renderer.model import JSON
from tests.oracles import yaml_read
from tests.specs import HTTP, IMAGE, OPTIONS, rendered, rules, spec

UPSTREAM = json.loads(
    (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text(encoding="utf-8")
)
GOOD = yaml_read((Path(__file__).parent / "compose" / "good.yaml").read_text(encoding="utf-8"))
#: Obsolete, and newer than the docker compose that is tested with: as all unknown keys they are refused.
UNKNOWN = {"": {"version"}, "services": {"umask"}}


def below(schema: Any, section: str) -> Iterator[tuple[Any, str]]:
    """The parts of a schema, each with the section that it is about; what is refused as a whole has none."""
    if "$ref" in schema:
        yield UPSTREAM["$defs"][schema["$ref"].rpartition("/")[2]], section
    for word in ("oneOf", "anyOf", "allOf"):
        yield from ((part, section) for part in schema.get(word, ()))
    for key, part in schema.get("properties", {}).items():
        if key not in REFUSED.get(section, {}):
            yield part, f"{section}.{key}"
    yield schema.get("items"), section
    yield schema.get("additionalProperties"), f"{section}.*"
    for pattern, part in schema.get("patternProperties", {}).items():
        if pattern != "^x-":
            yield part, f"{section}.*"


def upstream() -> dict[str, set[str]]:
    """The keys of each section that the schema knows, at any depth."""
    found: dict[str, set[str]] = {"": set(UPSTREAM["properties"])}
    parts = [(UPSTREAM["$defs"][name.removesuffix("s")], name) for name in HARMLESS if name and "." not in name]
    for schema, section in parts:  # which grows
        if "properties" in schema:
            found.setdefault(section, set()).update(schema["properties"])
        parts += [(part, where) for part, where in below(schema, section) if isinstance(part, dict)]
    return found


KNOWN = upstream()


@pytest.mark.parametrize("section", sorted({*KNOWN, *HARMLESS, *POLICED, *REFUSED}))
def test_each_key_has_one_class(section: str) -> None:
    classes = [set(table.get(section, ())) for table in (HARMLESS, POLICED, REFUSED)]
    assert set.union(*classes) == KNOWN[section] - UNKNOWN.get(section, set())
    assert sum(map(len, classes)) == len(set.union(*classes))


def test_the_schema_goes_deep() -> None:
    assert len(KNOWN) > 40
    assert "device_ids" in KNOWN["services.deploy.resources.reservations.devices"]


LISTS = {"devices", "gpus", "post_start", "pre_stop", "config"}


def patched(section: str, key: str, value: JSON, **fields: Any) -> list[str]:
    """Rules that fire when a patch sets the key, at any depth, of a service, or of a volume, network or config."""
    kind, *below = section.split(".")
    merge: dict[str, Any] = {key: value}
    for step in reversed(below):
        merge = {"mcpctl-network" if step == "*" else step: [merge] if step in LISTS else merge}
    patch: JSON = {"target": "compose", "kind": kind.removesuffix("s"), "merge": merge}
    fields = {
        "image": IMAGE,
        "transport": HTTP,
        "health": {"enabled": False},
        "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data"}],
        "files": {"/a": {"secret": "s", "key": "k"}, "/b": {"configMap": "c", "key": "k"}},
        **fields,
    }
    return rules(rendered("compose", spec(**fields, patches=[patch])).problems)


def samples(section: str, key: str) -> list[Any]:
    """Values that the key has in the files without a fault."""
    parts = [part for doc in GOOD.values() for part in (doc.get(section) or {}).values() if part]
    return [part[key] for part in parts if part.get(key) not in (None, False, [], {})]


@pytest.mark.parametrize("key", sorted(REFUSED["services"]))
def test_what_is_refused_is_refused_through_a_patch(key: str) -> None:
    (value, *_) = samples("services", key)
    accept: JSON = [{"rule": "policy/pod-security", "reason": "no reason lifts it"}]
    assert "compose/refused-key" in patched("services", key, value)
    assert "compose/refused-key" in patched("services", key, value, accept=accept)


@pytest.mark.parametrize("key", sorted(HARMLESS["services"]))
def test_what_is_harmless_passes(key: str) -> None:
    for value in samples("services", key):
        doc = {"services": {"s": {"image": "i", key: value}}}
        told = {fault.path[2] for fault in hardening_faults(doc) if len(fault.path) == 3}
        assert told <= {"user", "cap_drop", "security_opt"}


#: Of each policed key what is found, and what is not.
CASES: list[tuple[str, str, Any, str]] = [
    ("services", "use_api_socket", True, "policy/docker-socket"),
    ("services", "user", "00", "compose/not-restricted"),
    ("services", "user", "+0", "compose/not-restricted"),
    ("services", "user", "root:1000", "compose/not-restricted"),
    ("services", "user", "toor", "compose/not-restricted"),
    ("services", "user", "${USER}", "compose/not-restricted"),
    ("services", "group_add", ["docker"], "compose/not-restricted"),
    ("services", "group_add", [0], "compose/not-restricted"),
    ("services", "env_file", ["/etc/passwd"], "policy/host-path"),
    ("services", "env_file", "../other/.env", "policy/host-path"),
    ("services", "env_file", [{"path": "${HOME}/.env"}], "policy/host-path"),
    ("services", "label_file", "~/labels", "policy/host-path"),
    ("services", "privileged", True, "policy/privileged"),
    ("services", "cap_add", ["SYS_ADMIN"], "compose/not-restricted"),
    ("services", "cap_drop", ["NET_RAW"], "compose/not-restricted"),
    ("services", "pid", "host", "policy/privileged"),
    ("services", "pid", "container:x", "compose/not-restricted"),
    ("services", "ipc", "host", "policy/privileged"),
    ("services", "ipc", "container:x", "compose/not-restricted"),
    ("services", "network_mode", "host", "policy/privileged"),
    ("services", "network_mode", "container:x", "compose/not-restricted"),
    ("services", "network_mode", "bridge", "compose/not-restricted"),
    ("services", "uts", "host", "compose/not-restricted"),
    ("services", "userns_mode", "host", "compose/not-restricted"),
    ("services", "cgroup", "host", "compose/not-restricted"),
    ("services", "cgroup_parent", "x", "compose/not-restricted"),
    ("services", "build", ".", "policy/host-path"),
    ("services", "build", {"context": "../src"}, "policy/host-path"),
    ("services", "build", {"context": "https://example.com/a.git"}, "policy/image-tag"),
    *(
        ("services.build", key, value, "compose/not-restricted")
        for key, value in {
            **dict.fromkeys(POLICED["services.build"], "x"),
            "network": "host",
            "privileged": True,
            "ssh": ["default"],
            "additional_contexts": {"a": "/"},
            "entitlements": ["security.insecure"],
        }.items()
    ),
    ("services.logging", "options", {"env": "TOKEN"}, "compose/not-restricted"),
    ("services.networks.*", "driver_opts", {"com.docker.network.endpoint.sysctls": "a"}, "compose/not-restricted"),
    ("services", "volumes", ["data:/data:rw,rshared"], "compose/not-restricted"),
    (
        "services",
        "volumes",
        [{"type": "bind", "source": "/d", "target": "/d", "bind": {"propagation": "slave"}}],
        "policy/host-path",
    ),
    ("services.volumes.bind", "propagation", "rshared", "compose/not-restricted"),
    ("networks.ipam", "driver", "dhcp", "compose/not-restricted"),
    ("networks.ipam", "options", {"parent": "eth0"}, "compose/not-restricted"),
    ("services", "devices", ["/dev/kvm"], "compose/not-restricted"),
    ("services", "device_cgroup_rules", ["a *:* rmw"], "compose/not-restricted"),
    ("services", "gpus", [{"capabilities": ["gpu"], "driver": "cdi"}], "compose/not-restricted"),
    (
        "services.deploy.resources.reservations",
        "devices",
        [{"capabilities": ["tpu"]}],
        "compose/not-restricted",
    ),
    (
        "services.deploy.resources.reservations.devices",
        "options",
        {"virtualization": "false"},
        "compose/not-restricted",
    ),
    ("services.gpus", "options", {"a": "b"}, "compose/not-restricted"),
    ("services", "security_opt", ["no-new-privileges:true", "apparmor=mine"], "compose/not-restricted"),
    ("services", "security_opt", ["no-new-privileges:true", "label:type:spc_t"], "compose/not-restricted"),
    ("services", "security_opt", ["no-new-privileges:true", "systempaths=unconfined"], "compose/not-restricted"),
    ("services", "security_opt", ["no-new-privileges:true", "no-new-privileges:false"], "compose/not-restricted"),
    ("services", "isolation", "process", "compose/not-restricted"),
    ("services", "runtime", "sysbox-runc", "compose/not-restricted"),
    ("services", "sysctls", {"kernel.msgmax": 1}, "compose/not-restricted"),
    ("services", "sysctls", ["net.ipv4.ip_forward=1"], "compose/not-restricted"),
    ("services", "tmpfs", ["/tmp:dev,size=1m"], "compose/not-restricted"),
    *(("services.post_start", "user", user, "compose/not-restricted") for user in ("root", 0, "00", "0:1000")),
    ("services.pre_stop", "user", "${U}", "compose/not-restricted"),
    ("services.post_start", "privileged", True, "compose/not-restricted"),
    ("services.pre_stop", "privileged", True, "compose/not-restricted"),
    ("services", "oom_score_adj", -5, "policy/limits"),
    ("services", "oom_kill_disable", True, "policy/limits"),
    ("services", "cpu_rt_runtime", 95000, "policy/limits"),
    ("services", "cpu_rt_period", 95000, "policy/limits"),
    ("services", "volumes", ["$HOME:/x"], "policy/host-path"),
    ("services", "volumes", ["C:\\data:/x"], "policy/host-path"),
    ("services", "volumes", [{"type": "bind", "source": "${X}", "target": "/x"}], "policy/host-path"),
    ("services", "volumes", [{"type": "image", "source": "a:latest", "target": "/x"}], "policy/image-tag"),
    *(
        ("services.deploy.resources.limits", key, value, "policy/limits")
        for key, value in (("memory", "0"), ("cpus", "0"), ("cpus", 0), ("pids", -1), ("pids", None))
    ),
    ("services", "environment", ["LD_PRELOAD=/x.so"], "policy/loader-variable"),
    ("services", "environment", ["DB_PASSWORD=hunter2"], "policy/secret-literal"),
    ("services", "command", "serve --password hunter2", "policy/secret-literal"),
    ("services", "healthcheck", {"test": "check --password hunter2"}, "policy/secret-literal"),
    ("services", "labels", {"a.password": "hunter2"}, "policy/secret-literal"),
    ("services", "post_start", [{"command": "x --password=hunter2", "user": "1"}], "policy/secret-literal"),
    ("volumes", "driver", "rclone", "compose/not-restricted"),
    ("volumes", "driver_opts", {"type": "none", "o": "bind", "device": "/"}, "policy/host-path"),
    ("volumes", "driver_opts", {"type": "ext4", "device": "/dev/sda1"}, "policy/host-path"),
    ("volumes", "driver_opts", {"device": "${ROOT}", "o": "bind"}, "policy/host-path"),
    ("volumes", "external", True, "compose/not-restricted"),
    ("volumes", "name", "other_data", "compose/not-restricted"),
    ("networks", "driver", "macvlan", "compose/not-restricted"),
    ("networks", "driver_opts", {"parent": "eth0"}, "compose/not-restricted"),
    ("configs", "file", "/etc/shadow", "policy/host-path"),
    ("secrets", "file", "../../id_rsa", "policy/host-path"),
]


@pytest.mark.parametrize(("section", "key", "value", "rule"), CASES, ids=str)
def test_what_is_policed_is_found_and_accepted(section: str, key: str, value: JSON, rule: str) -> None:
    if section == "services.volumes.bind":
        section, key = "services", "volumes"
        value = [{"type": "bind", "source": "/d", "target": "/d", "bind": {"propagation": value}}]
    policy = "policy/pod-security" if rule == "compose/not-restricted" else rule
    rules = patched(section, key, value, accept=[{"rule": policy, "reason": "our own reason"}])
    assert rule in rules, "what is accepted is still reported"
    assert "policy/accepts-nothing" not in rules


def test_every_policed_key_has_been_found() -> None:
    assert {(section, key) for section, keys in POLICED.items() for key in keys} <= {case[:2] for case in CASES}


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("services", "gpus", "all"),
        ("services", "sysctls", {"net.ipv4.ip_unprivileged_port_start": 0}),
        ("services", "security_opt", ["no-new-privileges:true", "seccomp=builtin"]),
        ("services", "ipc", "shareable"),
        ("services", "tmpfs", ["/tmp:size=1m,exec"]),
        ("services", "post_start", [{"command": ["a"], "user": "1000"}]),
        ("volumes", "driver_opts", {"type": "nfs", "o": "addr=nfs.example.com,rw", "device": ":/export"}),
        ("networks", "driver_opts", {"com.docker.network.driver.mtu": 1400}),
        ("networks", "external", True),
        ("secrets", "file", "./other.txt"),
    ],
    ids=str,
)
def test_what_is_within_bounds_is_not(section: str, key: str, value: JSON) -> None:
    rules = patched(section, key, value)
    assert [rule for rule in rules if rule.startswith(("policy/", "compose/not", "compose/refused"))] == []


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("services", "environment", {"A": "${HOME}"}),
        ("services", "environment", {"A": "x$HOME"}),
        ("services", "environment", {"A": "${OTHER:-${TOKEN_KEY}}"}),
        ("services", "environment", ["A"]),
        ("services", "environment", ["A=${X:?set it}"]),
        ("services", "build", {"context": ".", "args": ["A"]}),
        ("services", "command", ["a", "$$${X}"]),
        ("services", "labels", {"a": "${X-y}"}),
        ("services", "image", "registry.example.com/demo:${TAG}"),
        ("services", "healthcheck", {"test": ["CMD", "a", "$X"]}),
        ("volumes", "labels", {"a": "${X}"}),
        ("secrets", "environment", "HOME"),
    ],
    ids=str,
)
def test_no_patch_takes_a_value_from_the_machine(section: str, key: str, value: JSON) -> None:
    assert "compose/machine-variable" in patched(section, key, value)


def test_dollars_and_the_specs_own_references_are_none() -> None:
    environment: dict[str, JSON] = {"A": "$$HOME $${X} $ $5", "B": "${S_K:?key k of secret s}"}
    patch: JSON = {"target": "compose", "kind": "service", "merge": {"environment": environment}}
    env: JSON = {"C": {"secret": "s", "key": "k"}}
    output = rendered("compose", spec(image=IMAGE, transport=HTTP, env=env, patches=[patch]))
    assert errors_in(output.problems) == []


@pytest.mark.parametrize("section", HARMLESS)
def test_a_key_that_nobody_knows_is_refused(section: str) -> None:
    first, *below = section.split(".")
    doc: dict[str, Any] = {"newer": 1}
    for step in reversed([first, "*", *below] if first else []):
        doc = {"a": doc} if step == "*" else {step: doc}
    (fault,) = [fault for fault in hardening_faults(doc) if fault.path[-1] == "newer"]
    assert fault.rule == "compose/refused-key"
    assert "no rule of mcpctl knows what it does" in fault.message


def test_a_key_of_a_newer_specification_does_not_pass_through_a_patch() -> None:
    assert set(patched("services", "umask", "0000")) >= {"compose/refused-key", "compose/unknown-field"}


def test_what_belongs_to_a_server_is_accepted_by_it_in_a_stream_of_all() -> None:
    """Parts are called as the service, with more behind a dot."""
    volume: JSON = {"target": "compose", "kind": "volume", "merge": {"driver": "rclone"}}
    fields: dict[str, Any] = {"image": IMAGE, "transport": HTTP, "health": {"enabled": False}}
    stored = spec(
        "a",
        **fields,
        storage=[{"name": "data", "size": "1Gi", "mountPath": "/data"}],
        patches=[volume],
        accept=[{"rule": "policy/pod-security", "reason": "our own reason"}],
    )
    other = spec("b", **fields, network={"publish": {"port": 9000}})
    output = rendered("compose", stored, other, options=OPTIONS._replace(one_stream=True))
    assert errors_in(output.problems) == []

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from renderer.check.pod_security import CHECKS, LATEST, violations
from tests.check.objects import GONE, deployment, spoilt

_SHARED = Path(os.environ.get("MCPCTL_TEST_SHARED", Path(__file__).parents[3] / "shared"))
_FIXTURES = _SHARED / "pod-security" / "fixtures.jsonl.gz"

_C = ("spec", "containers", 0)
_CS = (*_C, "securityContext")
_POD = ("spec", "securityContext")
_PROBE = {"httpGet": {"port": 1, "host": "elsewhere"}}
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/mcp-server"
_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/mcp-server"

# level, version, path that is set, value, check that refuses, path of the Fault
_REFUSED = [
    ("restricted", LATEST, (*_POD, "windowsOptions", "hostProcess"), True, "host-process", None),
    ("restricted", LATEST, ("spec", "hostPID"), True, "host-namespaces", None),
    ("restricted", LATEST, ("spec", "initContainers", 0, "securityContext", "privileged"), True,
     "privileged", None),
    ("baseline", LATEST, (*_CS, "capabilities", "add"), ["NET_ADMIN"], "capabilities-baseline", None),
    ("baseline", LATEST, ("spec", "volumes", 0), {"name": "v", "hostPath": {"path": "/"}},
     "host-path-volumes",
     ("spec", "volumes", 0, "hostPath")),
    ("restricted", LATEST, (*_C, "ports", 0, "hostPort"), 80, "host-ports", None),
    ("restricted", (1, 34), (*_C, "readinessProbe"), _PROBE, "host-probes",
     (*_C, "readinessProbe", "httpGet", "host")),
    ("restricted", LATEST, (*_C, "lifecycle", "postStart"), _PROBE, "host-probes",
     (*_C, "lifecycle", "postStart", "httpGet", "host")),
    ("restricted", LATEST, ("metadata", "annotations", _APPARMOR), "unconfined", "apparmor-profile", None),
    ("restricted", LATEST, (*_POD, "appArmorProfile", "type"), "Unconfined", "apparmor-profile", None),
    ("restricted", LATEST, (*_CS, "seLinuxOptions", "user"), "root", "selinux-options", None),
    ("restricted", (1, 30), (*_CS, "seLinuxOptions", "type"), "container_engine_t", "selinux-options", None),
    ("baseline", LATEST, (*_CS, "procMount"), "Unmasked", "proc-mount", None),
    ("restricted", LATEST, (*_CS, "procMount"), "Unmasked", "proc-mount-restricted", None),
    ("restricted", (1, 18), ("metadata", "annotations", _SECCOMP), "unconfined", "seccomp-annotations", None),
    ("baseline", LATEST, (*_POD, "seccompProfile", "type"), "Unconfined", "seccomp-baseline", None),
    ("restricted", LATEST, (*_POD, "seccompProfile"), GONE, "seccomp", (*_CS, "seccompProfile")),
    ("restricted", LATEST, (*_POD, "sysctls"), [{"name": "kernel.msgmax"}], "sysctls",
     (*_POD, "sysctls", 0, "name")),
    ("restricted", (1, 28), (*_POD, "sysctls"), [{"name": "net.ipv4.tcp_fin_timeout"}], "sysctls",
     (*_POD, "sysctls", 0, "name")),
    ("restricted", LATEST, ("spec", "volumes", 0), {"name": "v", "nfs": {}}, "volume-types",
     ("spec", "volumes", 0, "nfs")),
    ("restricted", LATEST, (*_CS, "allowPrivilegeEscalation"), GONE, "privilege-escalation", None),
    ("restricted", LATEST, (*_POD, "runAsNonRoot"), GONE, "run-as-non-root", (*_CS, "runAsNonRoot")),
    ("restricted", LATEST, (*_CS, "runAsUser"), 0, "run-as-user", None),
    ("restricted", LATEST, (*_CS, "capabilities", "drop"), ["NET_RAW"], "capabilities", None),
    ("restricted", LATEST, ("spec", "ephemeralContainers"), [{"name": "debug"}], "privilege-escalation",
     ("spec", "ephemeralContainers", 0, "securityContext", "allowPrivilegeEscalation")),
]  # fmt: skip

_ALLOWED = [
    ("restricted", (1, 31), (*_CS, "seLinuxOptions", "type"), "container_engine_t"),
    ("restricted", (1, 32), (*_POD, "sysctls"), [{"name": "net.ipv4.tcp_rmem"}]),
    ("restricted", (1, 33), (*_C, "readinessProbe"), _PROBE),
    ("restricted", (1, 7), (*_CS, "allowPrivilegeEscalation"), GONE),
    ("restricted", (1, 22), (*_CS, "runAsUser"), 0),
    ("restricted", LATEST, (*_CS, "capabilities", "add"), ["NET_BIND_SERVICE"]),
    ("restricted", LATEST, ("spec", "volumes", 0), {"name": "v"}),
    ("restricted", LATEST, ("metadata", "annotations", _SECCOMP), "unconfined"),
]


def _pod() -> Any:
    return deployment()["spec"]["template"]


def test_what_mcpctl_renders_is_restricted() -> None:
    assert violations(_pod()) == []


@pytest.mark.parametrize(("level", "version", "path", "value", "check", "where"), _REFUSED)
def test_refuses(level: Any, version: Any, path: Any, value: Any, check: Any, where: Any) -> None:
    faults = violations(spoilt(_pod(), *path, value=value), level, version)
    assert (where or path, f"pod-security/{check}") in [(f.path, f.rule) for f in faults]


@pytest.mark.parametrize(("level", "version", "path", "value"), _ALLOWED)
def test_allows(level: Any, version: Any, path: Any, value: Any) -> None:
    assert violations(spoilt(_pod(), *path, value=value), level, version) == []


def test_every_check_of_the_table_has_been_fired() -> None:
    assert {row[4] for row in _REFUSED} == {check.name for check in CHECKS}


def test_windows_pods_are_exempt_from_what_only_linux_knows() -> None:
    pod = spoilt(_pod(), *_CS, value={})
    assert violations(pod) != []
    windows = spoilt(pod, "spec", "os", value={"name": "windows"})
    assert violations(windows) == []
    assert violations(windows, version=(1, 24)) != []


def test_user_namespaces_allow_unmasked_proc_at_baseline_since_1_35() -> None:
    pod = spoilt(spoilt(_pod(), *_CS, "procMount", value="Unmasked"), "spec", "hostUsers", value=False)
    assert violations(pod, "baseline", (1, 35)) == []
    assert violations(pod, "baseline", (1, 34)) != []


def test_messages_name_the_container_and_what_to_set() -> None:
    fault = violations(spoilt(_pod(), *_CS, "allowPrivilegeEscalation", value=True))[0]
    assert fault.message == "container 'mcp-server' must set allowPrivilegeEscalation: false"


def test_agrees_with_all_upstream_fixtures() -> None:
    if not _FIXTURES.is_file():
        reason = f"the upstream fixtures are not at {_FIXTURES} (MCPCTL_TEST_SHARED names another folder)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with gzip.open(_FIXTURES, "rt", encoding="utf-8") as lines:
        fixtures = [json.loads(line) for line in lines]
    wrong = [
        f["name"] for f in fixtures if bool(violations(f["pod"], f["level"], _version(f))) != (f["verdict"] == "fail")
    ]
    assert wrong == []
    assert len(fixtures) == 4241


def _version(fixture: Any) -> Any:
    major, minor = fixture["version"].removeprefix("v").split(".")
    return int(major), int(minor)

"""Servers that somebody else runs: nothing is deployed, and lists know them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import Mcpctl
from tests.cli.fake_runtime import FakeRuntime, instance
from tests.specs import as_stream, spec

CRM = spec(
    "crm",
    {"labels": {"team": "sales"}},
    remote={"url": "https://{tenant}.example.com/mcp", "variables": {"tenant": "acme"}},
)
PATCH = {"select": {"name": "crm"}, "merge": {"remote": {"variables": {"tenant": "beta"}}}}


def environment(name: str, **fields: object) -> dict[str, object]:
    return {
        "apiVersion": "mcpctl.io/v1alpha1",
        "kind": "Environment",
        "metadata": {"name": name},
        "spec": {"target": "kubernetes", "defaults": {"replicas": 2}, **fields},
    }


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def project(mcpctl: Mcpctl, fake: FakeRuntime) -> Path:
    """Of one remote server, in two environments; a server runs."""
    fake.instances["mcp-demo"] = instance("demo")
    Path("specs").mkdir()
    Path("specs/crm.yaml").write_bytes(as_stream(CRM, spec("demo", network={"egress": {"servers": ["crm"]}})))
    Path("mcpctl.yaml").write_text("specs: [specs]\n")
    return Path()


def environments() -> None:
    Path("environments.yaml").write_bytes(as_stream(environment("one"), environment("two", patches=[PATCH])))  # type: ignore[arg-type]
    Path("mcpctl.yaml").write_text("specs: [specs]\nenvironments: [environments.yaml]\n")


@pytest.mark.parametrize("target", ["kubernetes", "compose"])
def test_a_run_of_remote_servers_alone_renders_nothing_and_says_so(mcpctl: Mcpctl, target: str) -> None:
    Path("crm.yaml").write_bytes(as_stream(CRM))
    run = mcpctl("render", "-t", target, "crm.yaml")
    assert (run.code, run.out) == (0, "")
    assert run.err == (
        "nothing is deployed: crm is a remote server\n0 servers, 1 remote server, 0 documents, 0 errors, 0 warnings\n"
    )
    assert mcpctl("render", "-t", target, "crm.yaml", "--out", "out").code == 0
    # Whether the tree is all of the namespace nobody knows.
    files = {path.name for path in Path("out").rglob("*") if path.is_file()}
    assert files <= {".mcpctl", "namespace.yaml", "networkpolicy.yaml", "serviceaccount.yaml"}
    assert not Path("out", target, "crm").exists()
    assert mcpctl("render", "-t", target, "crm.yaml", "--out", "out", "--check").code == 0


def test_the_folder_of_a_server_that_became_remote_is_stale(mcpctl: Mcpctl) -> None:
    Path("specs").mkdir()
    Path("specs/crm.yaml").write_bytes(as_stream(spec("crm")))
    Path("specs/demo.yaml").write_bytes(as_stream(spec("demo")))
    assert mcpctl("render", "specs", "--out", "out").code == 0
    Path("specs/crm.yaml").write_bytes(as_stream(CRM))
    check = mcpctl("render", "specs", "--out", "out", "--check")
    assert (check.code, check.err.count("stale")) == (1, 5), check.err
    assert mcpctl("render", "specs", "--out", "out", "--prune").code == 0
    assert not Path("out/kubernetes/crm").exists()
    assert mcpctl("render", "specs", "--out", "out", "--check").code == 0


def test_a_part_with_remote_servers_alone_leaves_the_tree_as_it_is(mcpctl: Mcpctl) -> None:
    Path("demo.yaml").write_bytes(as_stream(spec("demo")))
    Path("crm.yaml").write_bytes(as_stream(CRM))
    mcpctl("render", "demo.yaml", "crm.yaml", "--out", "out")
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    assert mcpctl("render", "crm.yaml", "--out", "out").code == 0
    assert {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("command", ["apply", "start"])
def test_nothing_is_asked_of_the_runtime(mcpctl: Mcpctl, fake: FakeRuntime, command: str) -> None:
    Path("crm.yaml").write_bytes(as_stream(CRM))
    run = mcpctl(command, "crm.yaml")
    assert run.code == 0
    assert "nothing is deployed: crm is a remote server" in run.err
    assert fake.named("apply") == fake.named("start_server") == []


def test_lists_have_them_after_what_runs(mcpctl: Mcpctl, project: Path) -> None:
    rows = json.loads(mcpctl("list", "-o", "json").out)
    assert [(row["server"], row["state"], row["endpoint"]) for row in rows] == [
        ("demo", "running", "http://127.0.0.1:1/demo"),
        ("crm", "remote", "https://acme.example.com/mcp"),
    ]
    assert "crm" in mcpctl("list", "--state", "remote", "-l", "team=sales").out
    for other in (["--state", "running"], ["-l", "team=other"], ["--server", "demo"]):
        assert "crm" not in mcpctl("list", *other).out


def test_each_environment_has_its_address(mcpctl: Mcpctl, project: Path) -> None:
    environments()
    servers = json.loads(mcpctl("status", "crm", "--no-ask", "-o", "json").out)["servers"]
    assert [(server["where"], server["endpoint"]) for server in servers] == [
        ("one", "https://acme.example.com/mcp"),
        ("two", "https://beta.example.com/mcp"),
    ]
    assert [s["server"] for s in json.loads(mcpctl("status", "--no-ask", "-o", "json").out)["servers"]] == [
        "demo",
        "crm",
        "crm",
    ]


def test_defaults_leave_them_alone_and_egress_follows_patches(mcpctl: Mcpctl, project: Path) -> None:
    environments()
    assert mcpctl("validate").code == 0, "replicas of the defaults would be an error"
    rendered = mcpctl("render", "--environment", "two").out
    assert "mcpctl.io/egress-hosts-not-enforced: beta.example.com:443" in rendered
    assert "acme.example.com" not in rendered


def test_a_patch_may_make_a_server_remote(mcpctl: Mcpctl) -> None:
    patch = {
        "select": {"name": "demo"},
        "merge": {"image": None, "transport": None, "remote": {"url": "https://x.example.com"}},
    }
    documents = (spec("demo"), environment("one", patches=[patch]))
    Path("all.yaml").write_bytes(as_stream(*documents))  # type: ignore[arg-type]
    run = mcpctl("render", "all.yaml")
    assert (run.code, run.out) == (0, ""), run.err


def test_explain_knows_the_fields(mcpctl: Mcpctl, project: Path) -> None:
    run = mcpctl("explain", "crm.remote.variables.tenant")
    assert (run.code, "acme" in run.out) == (0, True), run.err

"""``mcpctl diff``: against a tree and against a revision, in every format, with every kind of cause."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from renderer import command
from renderer.command import Done
from renderer.diff import git as questions
from renderer.diff.markdown import LIMIT
from renderer.errors import Exit
from tests.cli.commands import BAD, ENVIRONMENT, GOOD, ROOT, Mcpctl

NEWER = "registry.example.com/mcp/demo:2.0"
OLDER = "registry.example.com/mcp/demo:1.0"
#: An earlier tool wrote this; nothing of it is in a template of today.
EARLIER = "revisionHistoryLimit: 3"


def spec(name: str, image: str = OLDER, more: str = "") -> str:
    return GOOD.replace("demo}", f"{name}}}").replace(OLDER, image) + more


def git(*arguments: str, where: str = ".") -> None:
    names = ["-c", "user.name=x", "-c", "user.email=x"]
    subprocess.run(["git", "-C", where, *names, *arguments], check=True, capture_output=True, timeout=60)


def commit() -> None:
    git("add", "-A")
    git("commit", "-qm", "x", "--allow-empty")


def made_project(mcpctl: Mcpctl) -> None:
    """Two specs and their tree, committed."""
    git("init", "-q", "--template=")
    Path("in").mkdir()
    for name in ("one", "two"):
        Path(f"in/{name}.yaml").write_text(spec(name))
    assert mcpctl("render", "in", "--out", "tree").code == Exit.FINE
    commit()


#: Makes something of the current folder.
Make = Callable[[Mcpctl], None]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def at(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mcpctl: Mcpctl) -> Callable[[Make], Path]:
    """Moves to a folder with what ``make`` makes: the first time; then with a copy, which takes no git."""
    monkeypatch.chdir(tmp_path)

    def of(make: Make) -> Path:
        if (kept / make.__name__).exists():
            shutil.copytree(kept / make.__name__, tmp_path, dirs_exist_ok=True)
        else:
            make(mcpctl)
            shutil.copytree(tmp_path, kept / make.__name__)
        return tmp_path

    return of


@pytest.fixture
def project(at: Callable[[Make], Path]) -> Path:
    """The current folder: two specs and their tree, committed."""
    return at(made_project)


def entries(mcpctl: Mcpctl, *more: str) -> list[dict[str, Any]]:
    run = mcpctl("diff", "in", "--out", "tree", "--format", "json", *more)
    data = json.loads(run.out)
    assert run.code == (Exit.DIFFERENT if data["entries"] else Exit.FINE)
    found: list[dict[str, Any]] = data["entries"]
    return found


def consequences(entry: Mapping[str, Any]) -> set[str]:
    return {one["name"] for one in entry["consequences"]}


# ---------------------------------------------------------------------------------------------
# Sides and causes.


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
@pytest.mark.parametrize("style", ["text", "markdown", "json"])
def test_nothing_differs(mcpctl: Mcpctl, base: list[str], style: str) -> None:
    run = mcpctl("diff", "in", "--out", "tree", "--format", style, *base)
    assert run.code == Exit.FINE
    assert "nothing changes" in run.out or not json.loads(run.out)["different"]
    assert run.err == ""


@pytest.mark.usefixtures("project")
def test_a_field_of_a_spec(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(spec("one", NEWER))
    run = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD")
    assert run.code == Exit.DIFFERENT
    assert run.out.splitlines()[0] == (
        "in/one.yaml:5:3: spec.image of one changed: 1 field in 1 file; image without a digest; other image; "
        "restarts pods"
    )
    (entry,) = entries(mcpctl, "--base", "HEAD")
    assert entry["by"] == "spec"
    assert entry["fields"] == [
        {
            "object": "Deployment mcp-one",
            "path": "spec.template.spec.containers[mcp-server].image",
            "old": OLDER,
            "new": NEWER,
        }
    ]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("settings", ["", "specs: [in]\nout: tree\n"], ids=["paths", "a project"])
def test_git_is_asked_few_questions(settings: str, mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    if settings:
        Path("mcpctl.yaml").write_text(settings)
        commit()
    Path("in/one.yaml").write_text(spec("one", NEWER))
    calls: list[str] = []

    def noted(argv: list[str], **more: Any) -> Done:
        calls.append(next(word for word in argv if word in ("rev-parse", "ls-tree", "cat-file")))
        return command.run(argv, **more)

    monkeypatch.setattr(questions, "run", noted)
    assert mcpctl("diff", "in", "--out", "tree", "--base", "HEAD").code == Exit.DIFFERENT
    assert calls == ["rev-parse", "ls-tree", *["cat-file"] * (3 if settings else 2)]


@pytest.mark.usefixtures("project")
def test_in_colour_the_words_are_the_same(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(spec("one", NEWER))
    lines = mcpctl("diff", "in", "--out", "tree", "--color", "always").out.splitlines()
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in lines] == mcpctl("diff", "in", "--out", "tree").out.splitlines()
    assert lines[0].startswith("\x1b[1m")
    assert f"\x1b[31m    - {OLDER}\x1b[0m" in lines
    assert f"\x1b[32m    + {NEWER}\x1b[0m" in lines
    assert "\x1b" not in mcpctl("diff", "in", "--out", "tree", "--format", "json", "--color", "always").out


@pytest.mark.usefixtures("project")
def test_against_the_tree_nobody_knows_the_cause(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(spec("one", NEWER))
    out = mcpctl("diff", "in", "--out", "tree").out
    assert (
        "changed since the tree was rendered (a spec, an option or mcpctl: --base REV says which), for one: 1 field"
        in out
    )


@pytest.mark.usefixtures("project")
def test_a_tool_upgrade_is_told_apart(mcpctl: Mcpctl) -> None:
    for record in Path("tree").rglob(".mcpctl"):
        record.unlink()
    for path in Path("tree").rglob("deployment.yaml"):
        path.write_text(path.read_text().replace(EARLIER, "revisionHistoryLimit: 9"))
    commit()
    Path("in/one.yaml").write_text(spec("one", NEWER))
    found = {(entry["server"], entry["by"]): entry for entry in entries(mcpctl, "--base", "HEAD")}
    assert set(found) == {("one", "spec"), ("one", "tool"), ("two", "tool")}
    assert [field["path"] for field in found["one", "spec"]["fields"]] == [
        "spec.template.spec.containers[mcp-server].image"
    ]
    assert [field["path"] for field in found["one", "tool"]["fields"]] == ["spec.revisionHistoryLimit"]
    why = "the old tree is not what its specs render to with this mcpctl and these options"
    assert found["two", "tool"]["causes"][0]["what"] == [why]
    text = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD").out
    assert f"without any change of a spec: {why}" in text
    assert "the same in 2 servers: one, two" in text


@pytest.mark.usefixtures("project")
def test_an_edit_by_hand_is_the_cause(mcpctl: Mcpctl) -> None:
    path = Path("tree/kubernetes/one/deployment.yaml")
    path.write_text(path.read_text().replace(EARLIER, "revisionHistoryLimit: 9"))
    (entry,) = entries(mcpctl)
    assert [cause["name"] for cause in entry["causes"]] == ["unknown", "edited"]


@pytest.mark.usefixtures("project")
def test_an_old_tree_that_was_stale(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(spec("one", NEWER))
    commit()
    (entry,) = entries(mcpctl, "--base", "HEAD")
    assert [cause["name"] for cause in entry["causes"]] == ["tool"]


@pytest.mark.usefixtures("project")
def test_an_option_is_the_cause(mcpctl: Mcpctl) -> None:
    found = entries(mcpctl, "--kubernetes-version", "1.33", "--base", "HEAD")
    assert {cause["name"] for entry in found for cause in entry["causes"]} == {"tool"}


@pytest.mark.usefixtures("project")
def test_comments_alone_are_cosmetic(mcpctl: Mcpctl) -> None:
    path = Path("tree/kubernetes/one/service.yaml")
    path.write_text(f"# mine\n{path.read_text()}")
    (entry,) = entries(mcpctl)
    assert consequences(entry) == {"cosmetic"}
    assert entry["fields"] == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
def test_servers_come_go_and_are_renamed(mcpctl: Mcpctl, base: list[str]) -> None:
    Path("in/one.yaml").rename("in/three.yaml")
    Path("in/three.yaml").write_text(spec("three"))
    Path("in/two.yaml").unlink()
    Path("in/four.yaml").write_text(spec("four", "registry.example.com/mcp/another:1.0"))
    found = {entry["server"]: entry["state"] for entry in entries(mcpctl, *base) if entry["server"]}
    assert found == {"two": "removed", "three": "renamed", "four": "new"}


@pytest.mark.usefixtures("project")
def test_the_first_tree(mcpctl: Mcpctl) -> None:
    run = mcpctl("diff", "in", "--out", "elsewhere", "--base", "HEAD")
    assert run.code == Exit.DIFFERENT
    assert "there is no tree yet" in run.out
    assert {entry["state"] for entry in entries(mcpctl) if entry["server"]} == set()


@pytest.mark.usefixtures("project")
def test_compose(mcpctl: Mcpctl) -> None:
    arguments = ("in", "--target", "compose", "--out", "tree")
    mcpctl("render", *arguments)
    commit()
    Path("in/one.yaml").write_text(spec("one", NEWER))
    run = mcpctl("diff", *arguments, "--base", "HEAD")
    assert "spec.image of one changed: 1 field in 1 file" in run.out


@pytest.mark.usefixtures("project")
def test_specs_that_do_not_hold_any_more(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(BAD.replace("demo}", "one}"))
    commit()
    Path("in/one.yaml").write_text(spec("one", NEWER))
    run = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD")
    assert run.code == Exit.DIFFERENT
    assert "are not valid for this mcpctl" in run.out


@pytest.mark.usefixtures("project")
def test_specs_that_cannot_be_read_at_the_base(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_bytes(b"\xff: [")
    commit()
    Path("in/one.yaml").write_text(spec("one", NEWER))
    assert "could not be read" in mcpctl("diff", "in", "--out", "tree", "--base", "HEAD").out


# ---------------------------------------------------------------------------------------------
# Environments.


def made_environments(mcpctl: Mcpctl) -> None:
    made_project(mcpctl)
    Path("in/production.yaml").write_text(ENVIRONMENT)
    Path("in/test.yaml").write_text(ENVIRONMENT.replace("production", "test"))
    assert mcpctl("render", "in", "--out", "tree").code == Exit.FINE
    commit()


@pytest.fixture
def two_environments(at: Callable[[Make], Path]) -> Path:
    return at(made_environments)


@pytest.mark.usefixtures("two_environments")
def test_a_field_of_an_environment(mcpctl: Mcpctl) -> None:
    patch = "  patches: [{select: {name: one}, merge: {replicas: 2}}]\n"
    Path("in/test.yaml").write_text(ENVIRONMENT.replace("production", "test") + patch)
    (entry,) = entries(mcpctl, "--base", "HEAD")
    assert (entry["tree"], entry["server"]) == ("test", "one")
    assert [(cause["name"], cause["what"], cause["of"]) for cause in entry["causes"]] == [
        ("environment", ["spec.patches"], "test")
    ]
    assert "scaling" in consequences(entry)


@pytest.mark.usefixtures("two_environments")
def test_a_spec_in_every_environment_is_told_once(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(spec("one", NEWER))
    out = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD").out
    assert out.count("spec.image of one (production, test) changed") == 1


@pytest.mark.usefixtures("two_environments")
def test_the_same_patch_in_every_environment_is_told_once(mcpctl: Mcpctl) -> None:
    patch = "  patches: [{select: {name: one}, merge: {replicas: 2}}]\n"
    for name in ("test", "production"):
        Path(f"in/{name}.yaml").write_text(ENVIRONMENT.replace("production", name) + patch)
    out = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD").out
    assert out.startswith(
        "spec.patches of environments production, test changed, for one (production, test): 1 field in 1 file of each"
    )


@pytest.mark.usefixtures("two_environments")
def test_a_cause_is_named_only_for_what_it_caused(mcpctl: Mcpctl) -> None:
    """Of an environment: not policies, nor what it says of other servers; its choice of servers only of those."""
    more = "  servers: {exclude: [{name: two}]}\n  policies: {image-digest: 'off'}\n"
    more += "  patches: [{select: {name: one}, merge: {replicas: 2}}]\n"
    Path("in/three.yaml").write_text(spec("three"))
    assert mcpctl("render", "in", "--out", "tree").code == Exit.FINE
    commit()
    Path("in/test.yaml").write_text(ENVIRONMENT.replace("production", "test") + more)
    for name in ("one", "three"):
        Path(f"in/{name}.yaml").write_text(spec(name, NEWER))
    found = {
        entry["server"]: {cause["name"] for cause in entry["causes"]}
        for entry in entries(mcpctl, "--base", "HEAD")
        if entry["tree"] == "test" and entry["server"]
    }
    assert found == {"one": {"spec", "environment"}, "three": {"spec"}, "two": {"environment"}}


@pytest.mark.usefixtures("project")
def test_a_new_server_is_new_and_nothing_of_it_is_changed(mcpctl: Mcpctl) -> None:
    Path("in/three.yaml").write_text(spec("three"))
    run = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD")
    line = next(line for line in run.out.splitlines() if "three" in line)
    assert re.fullmatch("three is new: [0-9]+ files; .*", line)
    assert "changes objects in place" not in line
    assert "adds objects" not in line


@pytest.mark.usefixtures("project")
def test_a_rename_where_the_name_stands_in_more_than_the_name(mcpctl: Mcpctl) -> None:
    body = (
        "  package: {registry: pypi, name: mcp-server-time, version: 1.0.0}\n"
        "  description: The time of %s\n"
        "  storage: [{name: data, size: 1Gi, mountPath: /data}]\n"
    )
    head = "apiVersion: mcpctl.io/v1alpha1\nkind: McpServer\nmetadata: {name: %s}\nspec:\n"
    Path("in/time.yaml").write_text(head % "time" + body % "day")
    assert mcpctl("render", "in", "--out", "tree").code == Exit.FINE
    commit()
    Path("in/time.yaml").unlink()
    Path("in/clock.yaml").write_text(head % "clock" + body % "night")
    found = [entry for entry in entries(mcpctl, "--base", "HEAD") if entry["server"]]
    assert [(entry["server"], entry["state"], entry["renamedFrom"]) for entry in found] == [
        ("clock", "renamed", "time")
    ]
    details = {one["name"]: one["detail"] for one in found[0]["consequences"]}
    assert details["data-loss"] == (
        "PersistentVolumeClaim mcp-time-data is left behind with its data; the new name starts with an empty volume"
    )
    assert not {"egress", "no-digest"} & consequences(found[0])
    assert all("night" in str(field) for field in found[0]["fields"])  # and of the name itself nothing is told


HEAD = "apiVersion: mcpctl.io/v1alpha1\nkind: McpServer\nmetadata: {name: %s}\nspec:\n"
PACKAGE = "  package: {registry: pypi, name: mcp-server-%s, version: 1.0.0}\n"
DIGEST_IMAGE = f"  image: ghcr.io/x/y:1@sha256:{'0' * 64}\n  transport: {{type: streamable-http, port: 8080}}\n"
NEWER_PACKAGE = "  package: {registry: pypi, name: mcp-server-first, version: 1.1.0}\n"
LATER_IMAGE = "  image: ghcr.io/x/y:2\n  transport: {type: streamable-http, port: 8080}\n"
API = "  network: {egress: {hosts: [api.example.com:443]}}\n"
HOST = "  network: {egress: {hosts: [pypi.org, files.pythonhosted.org]}}\n"
OTHER_HOST = "  network: {egress: {hosts: [pypi.org, files.pythonhosted.org, b.example.com:8443]}}\n"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("target", "before", "now", "state", "danger"),
    [
        ("kubernetes", PACKAGE % "a" + HOST, PACKAGE % "a", "renamed", set()),
        ("compose", PACKAGE % "a" + HOST, PACKAGE % "a", "renamed", set()),
        ("kubernetes", PACKAGE % "a" + HOST, PACKAGE % "a" + OTHER_HOST, "renamed", {"egress"}),
        ("compose", PACKAGE % "a" + HOST, PACKAGE % "a" + OTHER_HOST, "renamed", {"egress"}),
        ("kubernetes", DIGEST_IMAGE + API, DIGEST_IMAGE, "renamed", {"egress"}),
        ("compose", DIGEST_IMAGE + API, DIGEST_IMAGE, "renamed", {"egress"}),
        (
            "kubernetes",
            PACKAGE % "first" + HOST,
            NEWER_PACKAGE + HOST,
            "renamed",
            set(),
        ),
        ("compose", PACKAGE % "first" + HOST, NEWER_PACKAGE + HOST, "renamed", set()),
        ("kubernetes", DIGEST_IMAGE, DIGEST_IMAGE.replace("y:1@sha256:0", "y:2@sha256:1"), "renamed", {"image"}),
        ("compose", DIGEST_IMAGE + API, LATER_IMAGE + API, "renamed", {"image", "no-digest"}),
        ("kubernetes", DIGEST_IMAGE, DIGEST_IMAGE.replace("x/y:", "x/z:"), "new", set()),
        ("kubernetes", PACKAGE % "a" + HOST, PACKAGE % "b" + HOST, "new", set()),
        ("compose", PACKAGE % "a" + HOST, PACKAGE % "b" + HOST, "new", set()),
    ],
)
def test_a_rename_with_one_more_edit(
    mcpctl: Mcpctl, target: str, before: str, now: str, state: str, danger: set[str]
) -> None:
    arguments = ("in", "--out", "tree", "--target", target)
    Path("in/first.yaml").write_text(HEAD % "first" + before)
    assert mcpctl("render", *arguments).code == Exit.FINE
    commit()
    Path("in/first.yaml").unlink()
    Path("in/zeta.yaml").write_text(HEAD % "zeta" + now)
    run = mcpctl("diff", *arguments, "--base", "HEAD", "--format", "json")
    (entry,) = [entry for entry in json.loads(run.out)["entries"] if entry["server"] == "zeta"]
    assert entry["state"] == state
    assert {one["name"] for one in entry["consequences"]} >= danger, entry["consequences"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("target", ["kubernetes", "compose"])
def test_a_rename_with_another_version_of_an_image_of_the_old_name(mcpctl: Mcpctl, target: str) -> None:
    arguments = ("in", "--out", "tree", "--target", target)
    body = "  image: ghcr.io/x/first:1\n  command: [/app]\n  transport: {type: streamable-http, port: 8080}\n"
    body += "  env: {TOKEN: {secret: s, key: k}}\n"
    Path("in/first.yaml").write_text(HEAD % "first" + body)
    mcpctl("render", *arguments)
    commit()
    Path("in/first.yaml").unlink()
    Path("in/zeta.yaml").write_text(HEAD % "zeta" + body.replace("first:1", "first:2"))
    run = mcpctl("diff", *arguments, "--base", "HEAD", "--format", "json")
    (entry,) = [entry for entry in json.loads(run.out)["entries"] if entry["server"] == "zeta"]
    assert entry["state"] == "renamed"
    assert [one["detail"].partition(": ")[2] for one in entry["consequences"] if one["name"] == "image"] == [
        "ghcr.io/x/first:1 → ghcr.io/x/first:2"
    ]
    assert "secret" not in consequences(entry)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("provider", ["kubernetes", "cilium"])
def test_a_host_that_is_added_is_printed_alone(mcpctl: Mcpctl, provider: str) -> None:
    network = "  network: {egress: {hosts: [%s]}}\n"
    options = ("--network-policy-provider", provider)
    Path("in/one.yaml").write_text(spec("one", OLDER, network % "api.example.com:443"))
    assert mcpctl("render", "in", "--out", "tree", *options).code == Exit.FINE
    commit()
    Path("in/one.yaml").write_text(spec("one", OLDER, network % "api.example.com:443, new.example.com:8443"))
    out = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD", *options).out
    lines = [line.strip() for line in out.splitlines() if line.startswith(("    - ", "    + "))]
    assert [line for line in lines if line.startswith("+") and ("new.example.com" in line or "8443" in line)], out
    assert not [line for line in lines if line.startswith("-") and f"+{line[1:]}" in lines], "lines that are cut alike"


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
def test_a_host_that_nothing_enforces_is_printed(mcpctl: Mcpctl, base: list[str]) -> None:
    hosts = "  network: {{egress: {{hosts: [{}]}}}}\n"
    Path("in/one.yaml").write_text(spec("one", more=hosts.format("a.example.com:443")))
    mcpctl("render", "in", "--out", "tree")
    commit()
    Path("in/one.yaml").write_text(spec("one", more=hosts.format("b.example.com:443")))
    (entry,) = entries(mcpctl, *base)
    assert [(one["name"], one["detail"]) for one in entry["consequences"]] == [
        ("unenforced", "a.example.com:443 is removed (not enforced by name)"),
        ("unenforced", "b.example.com:443 is new (not enforced by name)"),
    ]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
def test_addresses_that_compose_cannot_enforce_are_printed(mcpctl: Mcpctl, base: list[str]) -> None:
    for block in ("192.0.2.0/24", "198.51.100.0/24"):
        Path("in/one.yaml").write_text(spec("one", more=f"  network: {{egress: {{cidrs: [{block}]}}}}\n"))
        if block.startswith("192"):
            mcpctl("render", "in", "--target", "compose", "--out", "tree")
            commit()
    (entry,) = entries(mcpctl, "--target", "compose", *base)
    assert [(one["name"], one["detail"]) for one in entry["consequences"]] == [
        ("unenforced", "192.0.2.0/24 is removed (not enforced)"),
        ("unenforced", "198.51.100.0/24 is new (not enforced)"),
    ]


# ---------------------------------------------------------------------------------------------
# What lies elsewhere now.


def moves(mcpctl: Mcpctl, *arguments: str) -> list[tuple[str, str, str]]:
    run = mcpctl("diff", *arguments, "--format", "json")
    data = json.loads(run.out)
    assert data["entries"] == [], run.out
    assert run.code == (Exit.DIFFERENT if data["moves"] else Exit.FINE)
    return [(move["what"], move["from"], move["to"]) for move in data["moves"]]


def made_known(mcpctl: Mcpctl) -> None:
    made_environments(mcpctl)
    shutil.rmtree("tree")
    Path("environments").mkdir()
    for name in ("production", "test"):
        Path(f"in/{name}.yaml").rename(f"environments/{name}.yaml")
    Path("mcpctl.yaml").write_text("specs: [in]\nenvironments: [environments]\nout: tree\n")
    assert mcpctl("render").code == Exit.FINE
    commit()


@pytest.fixture
def known(at: Callable[[Make], Path]) -> Path:
    """With a project file."""
    return at(made_known)


def set_in_project(old: str, new: str) -> None:
    Path("mcpctl.yaml").write_text(Path("mcpctl.yaml").read_text().replace(old, new))


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
@pytest.mark.parametrize("typed", [[], ["fleet", "stages", "--out", "tree"]], ids=["project", "typed"])
def test_specs_and_environments_that_moved(mcpctl: Mcpctl, typed: list[str], base: list[str]) -> None:
    git("mv", "in", "fleet")
    git("mv", "environments", "stages")
    set_in_project("[in]", "[fleet]")
    set_in_project("[environments]", "[stages]")
    assert moves(mcpctl, *typed, *base) == [("environments", "environments", "stages"), ("specs", "in", "fleet")]
    out = mcpctl("diff", *typed, *base).out
    assert "specs moved from in to fleet: " in out
    assert "without any change of a spec" not in out


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("typed", [[], ["fleet", "environments", "--out", "tree"]], ids=["project", "typed"])
def test_a_spec_that_moved_and_changed(mcpctl: Mcpctl, typed: list[str]) -> None:
    git("mv", "in", "fleet")
    set_in_project("[in]", "[fleet]")
    Path("fleet/one.yaml").write_text(spec("one", NEWER))
    lines = mcpctl("diff", *typed, "--base", "HEAD").out.splitlines()
    assert lines[0].startswith("specs moved from in to fleet: ")
    assert lines[1].startswith("spec.image of one (production, test) changed: 1 field in 1 file of each;")
    assert not [line for line in lines if "without any change" in line]


@pytest.mark.usefixtures("known")
def test_one_spec_that_moved(mcpctl: Mcpctl) -> None:
    Path("in/team").mkdir()
    Path("in/one.yaml").rename("in/team/one.yaml")
    assert moves(mcpctl, "--base", "HEAD") == [("specs", "in", "in/team")]
    Path("in/team/one.yaml").rename("in/team/first.yaml")
    assert moves(mcpctl) == [("specs", "in/one.yaml", "in/team/first.yaml")]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
def test_a_tree_that_moved(mcpctl: Mcpctl, base: list[str]) -> None:
    set_in_project("out: tree", "out: k8s/all")
    assert moves(mcpctl, *base) == [("tree", "tree", "k8s/all")]
    assert "tree has another tree of these specs, which is not rendered any more" in mcpctl("diff", *base).out
    assert mcpctl("render", "-q").code == Exit.FINE
    assert "note: tree has another tree of these specs" in mcpctl("diff", "--base", "HEAD").out
    assert "note: tree has another tree of these specs" in mcpctl("diff").out
    assert "tree has another tree of these specs, which is not rendered any more" in mcpctl("render", "--check").err
    shutil.rmtree("tree")
    assert moves(mcpctl, *base) == ([("tree", "tree", "k8s/all")] if base else [])
    assert "another tree" not in mcpctl("diff", *base).out + mcpctl("render", "--check").err


@pytest.mark.usefixtures("project")
def test_a_tree_that_moved_without_a_project(mcpctl: Mcpctl) -> None:
    git("mv", "tree", "k8s")
    assert moves(mcpctl, "in", "--out", "k8s", "--base", "HEAD") == [("tree", "tree", "k8s")]
    git("mv", "in", "fleet")
    found = moves(mcpctl, "fleet", "--out", "k8s", "--base", "HEAD")
    assert found == [("tree", "tree", "k8s"), ("specs", "in", "fleet")]


@pytest.mark.usefixtures("project")
def test_a_second_tree_is_no_moved_one(mcpctl: Mcpctl) -> None:
    out = mcpctl("diff", "in", "--out", "k8s", "--base", "HEAD").out
    assert "there is no tree yet: everything is new" in out
    assert "moved" not in out


def test_a_project_that_moved(known: Path, mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a").mkdir()
    for name in ("in", "environments", "tree", "mcpctl.yaml"):
        git("mv", name, f"a/{name}")
    monkeypatch.chdir(known / "a")
    assert moves(mcpctl, "--base", "HEAD") == [("tree", "../tree", "tree")]
    Path("in/one.yaml").write_text(spec("one", NEWER))
    assert "spec.image of one (production, test) changed" in mcpctl("diff", "--base", "HEAD").out


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
def test_a_part_is_about_nothing_else(mcpctl: Mcpctl, base: list[str]) -> None:
    parts = [["in/one.yaml", "environments"], ["in", "environments/test.yaml"]]
    for part in parts:
        assert moves(mcpctl, *part, *base) == []
    assert "1 server of the tree, not in the input, left out here: two" in mcpctl("diff", *parts[0], *base).out
    Path("mcpctl.yaml").unlink()
    for part in parts:
        assert moves(mcpctl, *part, "--out", "tree", *base) == []
    Path("in/two.yaml").unlink()
    run = mcpctl("diff", "in/one.yaml", "environments", "--out", "tree", *base)
    assert "two (production, test) is removed" in run.out


@pytest.mark.usefixtures("known")
def test_a_file_in_conflict_is_compared_by_our_side(mcpctl: Mcpctl) -> None:
    path = Path("tree/test/kubernetes/one/deployment.yaml")
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == "replicas: 1")
    both = ["<<<<<<< HEAD", "  replicas: 2", "||||||| 0000000", lines[at], "=======", "  replicas: 3", ">>>>>>> other"]
    path.write_text("\n".join([*lines[:at], *both, *lines[at + 1 :]]) + "\n")
    run = mcpctl("diff", "--format", "json")
    (entry,) = json.loads(run.out)["entries"]
    assert [cause["name"] for cause in entry["causes"]] == ["unknown", "conflict"]
    assert [(field["path"], field["old"], field["new"]) for field in entry["fields"]] == [("spec.replicas", "2", "1")]
    path.write_text("\n".join([*lines[:at], both[0], lines[at], *both[4:], *lines[at + 1 :]]) + "\n")
    assert mcpctl("diff").code == Exit.DIFFERENT, "render writes it again"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
def test_an_environment_that_has_another_name(mcpctl: Mcpctl, base: list[str]) -> None:
    file = Path("environments/test.yaml")
    file.rename("environments/trial.yaml")
    Path("environments/trial.yaml").write_text(ENVIRONMENT.replace("production", "trial"))
    assert moves(mcpctl, *base)[0] == ("environment", "test", "trial")
    Path("in/one.yaml").write_text(spec("one", NEWER))
    data = json.loads(mcpctl("diff", *base, "--format", "json").out)
    assert {(entry["tree"], entry["server"], entry["state"]) for entry in data["entries"]} == {
        ("production", "one", "changed"),
        ("trial", "one", "changed"),
    }
    if base:
        assert {cause["name"] for entry in data["entries"] for cause in entry["causes"]} == {"spec"}


@pytest.mark.usefixtures("known")
def test_another_environment_is_not_taken_for_one_that_went(mcpctl: Mcpctl) -> None:
    Path("environments/test.yaml").unlink()
    other = ENVIRONMENT.replace("production", "trial").replace("target: kubernetes", "target: compose")
    Path("environments/trial.yaml").write_text(re.sub(r"  namespace:.*\n", "", other))
    data = json.loads(mcpctl("diff", "--format", "json").out)
    assert "environment" not in {move["what"] for move in data["moves"]}


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
def test_line_ends_are_no_edit(mcpctl: Mcpctl, base: list[str]) -> None:
    for path in [path for path in Path("tree").rglob("*") if path.is_file()]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    commit()
    run = mcpctl("diff", *base)
    assert run.code == Exit.FINE, run.out
    assert run.out.count("CRLF") == 1
    Path("in/one.yaml").write_text(spec("one", NEWER))
    data = json.loads(mcpctl("diff", *base, "--format", "json").out)
    assert {(entry["server"], len(entry["files"])) for entry in data["entries"]} == {("one", 1)}
    assert "edited" not in {cause["name"] for entry in data["entries"] for cause in entry["causes"]}


@pytest.mark.usefixtures("known")
def test_a_setting_of_the_project_is_the_cause(mcpctl: Mcpctl) -> None:
    with Path("mcpctl.yaml").open("a") as file:
        file.write("networkPolicyProvider: cilium\n")
    out = mcpctl("diff", "--base", "HEAD").out
    assert "networkPolicyProvider of mcpctl.yaml changed, for 2 servers: " in out
    assert "these options" not in out


@pytest.mark.usefixtures("project")
def test_a_field_that_changes_nothing_in_the_tree_is_a_note(mcpctl: Mcpctl) -> None:
    arguments = ("in", "--target", "compose", "--out", "tree")
    mcpctl("render", *arguments)
    commit()
    Path("in/one.yaml").write_text(spec("one", more="  disruption: {maxUnavailable: 1}\n"))
    run = mcpctl("diff", *arguments, "--base", "HEAD")
    assert "note: spec.disruption of one changed, and nothing in the tree does\n" in run.out
    assert run.code == Exit.FINE
    Path("in/one.yaml").write_text(spec("one", NEWER))
    assert "nothing in the tree" not in mcpctl("diff", *arguments, "--base", "HEAD").out


DELIVERIES = {
    "none": "",
    "kustomize": "  delivery: {type: kustomize}\n",
    "argocd": "  delivery: {type: argocd, repoURL: https://git.example.com/a.git, path: tree/test/kubernetes}\n",
    "flux": "  delivery: {type: flux, sourceRef: {kind: GitRepository, name: a}, path: tree/test/kubernetes}\n",
}


@pytest.mark.usefixtures("two_environments")
@pytest.mark.parametrize("before", DELIVERIES)
def test_another_delivery_is_one_line(mcpctl: Mcpctl, before: str) -> None:
    file, text = Path("in/test.yaml"), ENVIRONMENT.replace("production", "test")
    file.write_text(text + DELIVERIES[before])
    assert mcpctl("render", "in", "--out", "tree").code == Exit.FINE
    if before == "argocd":  # against a revision too
        commit()
    for now in DELIVERIES:
        file.write_text(text + DELIVERIES[now])
        for base in ([], ["--base", "HEAD"]) if before == "argocd" else ([],):
            changed = [(entry["server"], consequences(entry)) for entry in entries(mcpctl, *base)]
            assert changed == ([] if now == before else [("", {"delivery"})]), now


@pytest.mark.usefixtures("project")
def test_lists_for_kustomize_are_an_option_of_diff_too(mcpctl: Mcpctl) -> None:
    mcpctl("render", "in", "--out", "tree", "--kustomization")
    assert entries(mcpctl, "--kustomization") == []
    (entry,) = entries(mcpctl)
    assert [one["detail"] for one in entry["consequences"]] == ["by kustomize before, by nobody now"]


@pytest.mark.usefixtures("two_environments")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
def test_an_environment_that_is_gone(mcpctl: Mcpctl, base: list[str]) -> None:
    Path("in/test.yaml").unlink()
    found = entries(mcpctl, *base)
    assert {entry["tree"] for entry in found} == {"test"}
    assert any("data-loss" in consequences(entry) for entry in found)  # its Namespace


@pytest.mark.usefixtures("two_environments")
@pytest.mark.parametrize("base", [[], ["--base", "HEAD"]], ids=["tree", "revision"])
def test_a_tree_that_was_rendered_before_there_were_environments_is_named(mcpctl: Mcpctl, base: list[str]) -> None:
    """The fixture has rendered it first."""
    out = mcpctl("diff", "in", "--out", "tree", *base).out
    assert "note: tree/kubernetes belongs to no environment, and is not rendered any more" in out
    assert "removes objects" not in out


@pytest.mark.usefixtures("two_environments")
@pytest.mark.parametrize("style", ["text", "markdown", "json"])
def test_a_matrix(mcpctl: Mcpctl, style: str) -> None:
    Path("in/test.yaml").write_text(ENVIRONMENT.replace("production", "test").replace("tools", "others"))
    out = mcpctl("diff", "in", "--out", "tree", "--environments", "--format", style).out
    assert "namespace.name" in out
    assert "others" in out


@pytest.mark.usefixtures("two_environments")
def test_the_document_has_every_field_of_the_json(mcpctl: Mcpctl) -> None:
    Path("in/test.yaml").write_text(ENVIRONMENT.replace("production", "test").replace("tools", "others"))
    Path("in/one.yaml").rename("in/three.yaml")
    Path("in/three.yaml").write_text(spec("three"))
    Path("in/two.yaml").write_text(spec("two", NEWER))
    run = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD", "--environments", "--format", "json")
    text = (ROOT / "docs" / "diff.md").read_text(encoding="utf-8").partition("## As data")[2]
    told = set(re.findall(r"`([a-zA-Z]+)`", text))
    assert {key for key in keys(json.loads(run.out)) if key not in ("production", "staging", "test")} <= told


def keys(data: Any) -> set[str]:
    inner = list(data.values()) if isinstance(data, dict) else data if isinstance(data, list) else []
    return set(data if isinstance(data, dict) else ()).union(*map(keys, inner))


@pytest.mark.usefixtures("project")
def test_a_matrix_needs_environments(mcpctl: Mcpctl) -> None:
    assert mcpctl("diff", "in", "--out", "tree", "--environments").code == Exit.USAGE


# ---------------------------------------------------------------------------------------------
# Revisions.


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "name", ["nowhere", "--output=x", "-h", "HEAD\n", "", "HEAD:tree", "@{u}", "a b", "^HEAD", "\x00"]
)
def test_revisions_that_are_none(mcpctl: Mcpctl, name: str) -> None:
    run = mcpctl("diff", "in", "--out", "tree", f"--base={name}")
    assert run.code == Exit.USAGE
    assert "--base" in run.err
    assert not Path("x").exists()


def test_outside_of_a_repository(mcpctl: Mcpctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    Path("one.yaml").write_text(GOOD)
    run = mcpctl("diff", "one.yaml", "--out", "tree", "--base", "HEAD")
    assert run.code == Exit.USAGE
    assert "needs a git repository" in run.err


@pytest.mark.usefixtures("project")
def test_a_shallow_clone_says_what_to_do(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in/one.yaml").write_text(spec("one", NEWER))
    commit()
    git("clone", "-q", "--depth=1", f"file://{Path.cwd()}", "clone")
    monkeypatch.chdir("clone")
    run = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD~1")
    assert run.code == Exit.USAGE
    assert "this clone is shallow: fetch it (git fetch --depth=1 origin" in run.err


def test_without_git(mcpctl: Mcpctl, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    run = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD")
    assert run.code == Exit.USAGE
    assert "git is not installed" in run.err


@pytest.mark.usefixtures("project")
def test_binary_files_beside_others(mcpctl: Mcpctl) -> None:
    Path("tree/kubernetes/one/service.yaml").write_bytes(b"\xff\xfe\x00" * 7)
    for path in Path("tree").rglob("deployment.yaml"):
        path.write_text(path.read_text().replace(EARLIER, "revisionHistoryLimit: 9"))
    commit()
    found = {entry["server"]: entry["files"] for entry in entries(mcpctl, "--base", "HEAD")}
    assert found == {"one": ["one/deployment.yaml", "one/service.yaml"], "two": ["two/deployment.yaml"]}


@pytest.mark.usefixtures("project")
def test_faults_of_specs_end_it(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(BAD)
    run = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD", "--format", "markdown")
    assert run.code == Exit.INPUT_INVALID
    assert run.out == ""
    assert "spec.replicas" in run.err


@pytest.mark.usefixtures("project")
def test_a_link_is_not_followed(mcpctl: Mcpctl, tmp_path: Path) -> None:
    secret = tmp_path / "outside"
    secret.write_text("kind: Secret\nleaked: text\n")
    path = Path("tree/kubernetes/one/service.yaml")
    path.unlink()
    path.symlink_to(secret)
    run = mcpctl("diff", "in", "--out", "tree")
    assert run.code == Exit.DIFFERENT
    assert "leaked" not in run.out


# ---------------------------------------------------------------------------------------------
# What is shown.

HOSTILE = "`````` ``` </details><script>@everyone #1 | [x](javascript:y) \x1b[31m"


@pytest.mark.usefixtures("project")
def test_text_gives_no_orders_to_a_ci(mcpctl: Mcpctl) -> None:
    Path("tree/kubernetes/::error::x").mkdir()
    Path("tree/kubernetes/::error::x/.mcpctl").write_text(f"# mcpctl 1\n{'0' * 64}  a.yaml\n")
    Path("tree/kubernetes/::error::x/a.yaml").write_text("a: b\n")
    out = mcpctl("diff", "in", "--out", "tree").out
    assert out.startswith("\\::error::x is removed")


@pytest.mark.usefixtures("project")
def test_markdown_is_ours_alone(mcpctl: Mcpctl) -> None:
    name = json.dumps("X </summary> @team #7 `` `")
    Path("in/one.yaml").write_text(spec("one", NEWER, f"  description: {json.dumps(HOSTILE[:-5])}\n"))
    path = Path("tree/kubernetes/one/service.yaml")
    path.write_text(path.read_text().replace("spec:\n", f"spec:\n  {name}: {json.dumps(HOSTILE)}\n", 1))
    out = mcpctl("diff", "in", "--out", "tree", "--format", "markdown").out
    outside = without_code(out)
    assert not any(mark in outside for mark in ("@", "#7", "#1", "script", "javascript", "summary> @"))
    assert outside.count("<details>") == outside.count("</details>")
    assert "\x1b" not in out


def without_code(text: str) -> str:
    """What is left for a code host to interpret: neither fences nor spans, read as CommonMark does."""
    lines, fence = [], ""
    for line in text.splitlines():
        ticks = len(line) - len(line.lstrip("`"))
        if fence:
            fence = "" if ticks >= len(fence) and not line.strip("`") else fence
        elif ticks >= 3 and "`" not in line[ticks:]:
            fence = "`" * ticks
        else:
            lines.append(spans_out(line))
    assert not fence
    return "\n".join(lines)


def spans_out(line: str) -> str:
    import re

    found, at = "", 0
    while match := re.compile("`+").search(line, at):
        close = re.compile(rf"(?<!`){match[0]}(?!`)").search(line, match.end())
        found += line[at : match.start()]
        assert close, line
        at = close.end()
    return found + line[at:]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("style", ["text", "markdown", "json"])
def test_no_secret_is_shown(mcpctl: Mcpctl, style: str) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    folder = Path("tree/kubernetes/one")
    (folder / "service.yaml").write_text(
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: mcp-one}}\nstringData: {{a: hunter2, b: {token}}}\n"
    )
    deployment = (folder / "deployment.yaml").read_text()
    literal = f"          env: [{{name: DB_PASSWORD, value: hunter22}}]\n          args: [--token, {token}]\n"
    image = f"          image: {OLDER}\n"
    assert image in deployment
    (folder / "deployment.yaml").write_text(deployment.replace(image, image + literal))
    out = mcpctl("diff", "in", "--out", "tree", "--format", style).out
    assert "hunter2" not in out
    assert token not in out
    assert "(hidden: looks like a secret)" in out
    assert "DB_PASSWORD" in out


@pytest.mark.usefixtures("project")
def test_a_comment_is_bounded_and_its_summary_whole(mcpctl: Mcpctl) -> None:
    def write(value: str) -> None:
        for i in range(50):
            lines = "".join(f"    NAME_{j}_{i}: '{value * 50}{i}é'\n" for j in range(16))
            Path(f"in/s{i}.yaml").write_text(spec(f"s{i}", more=f"  env:\n{lines}"))

    write("v")
    mcpctl("render", "in", "--out", "tree")
    write("w")
    out = mcpctl("diff", "in", "--out", "tree", "--format", "markdown").out
    assert LIMIT // 2 < len(out.encode()) <= LIMIT
    assert "50 servers, 50 files, 800 fields differ" in out
    assert "more changes, of " in out
    assert "are left out here" in out
    assert without_code(out).count("<details>") == without_code(out).count("</details>")


@pytest.mark.usefixtures("project")
def test_the_same_in_many_servers_is_told_once(mcpctl: Mcpctl) -> None:
    for i in range(10):
        Path(f"in/s{i}.yaml").write_text(spec(f"s{i}"))
    mcpctl("render", "in", "--out", "tree")
    for i in range(10):
        Path(f"in/s{i}.yaml").write_text(spec(f"s{i}", NEWER))
    out = mcpctl("diff", "in", "--out", "tree", "--format", "markdown").out
    assert out.count("<details>") == 1
    assert "the same in 10 servers: `s0`, `s1`" in out


@pytest.mark.usefixtures("project")
def test_the_order_is_fixed(mcpctl: Mcpctl) -> None:
    for name in ("one", "two"):
        Path(f"in/{name}.yaml").write_text(spec(name, f"{NEWER}-{name}"))
    first = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD").out
    again = mcpctl("diff", "in/two.yaml", "in/one.yaml", "--out", "tree", "--base", "HEAD").out
    assert first == again


@pytest.mark.usefixtures("two_environments")
def test_what_delivers_an_environment_is_made_of_all_of_it(mcpctl: Mcpctl) -> None:
    Path("in/test.yaml").write_text(ENVIRONMENT.replace("production", "test") + "  delivery: {type: kustomize}\n")
    assert mcpctl("render", "in", "--out", "tree").code == Exit.FINE
    commit()
    Path("in/one.yaml").write_text(spec("one", NEWER))
    run = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD")
    assert "spec.image of one (production, test) changed: 1 field in 1 file of each" in run.out
    assert "1 server, 2 files, 2 fields differ" in run.out


# ---------------------------------------------------------------------------------------------
# Who reaches what, and remote servers, which have no files.

REMOTE = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {name: crm}
spec:
  remote:
    url: https://acme.example.com/mcp
    headers: {Authorization: "Bearer {token}"}
    variables: {token: {secret: crm, key: token}}
"""
CALLER = "  network: {egress: {servers: [crm]}}\n"


def made_calling(mcpctl: Mcpctl) -> None:
    made_project(mcpctl)
    Path("in/crm.yaml").write_text(REMOTE)
    Path("in/one.yaml").write_text(spec("one", more=CALLER))
    assert mcpctl("render", "in", "--out", "tree").code == Exit.FINE
    commit()


@pytest.fixture
def calling(at: Callable[[Make], Path]) -> Path:
    """One calls a remote server."""
    return at(made_calling)


@pytest.mark.usefixtures("calling")
def test_a_remote_server_that_moves_leads_to_the_policies_of_its_callers(mcpctl: Mcpctl) -> None:
    Path("in/crm.yaml").write_text(REMOTE.replace("acme", "beta").replace("key: token", "key: other"))
    lines = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD").out.splitlines()
    assert lines[0].startswith(
        "in/crm.yaml:6:5: spec.remote.url, spec.remote.variables.token.key of crm changed, for one:"
    )
    assert lines[-2] == (
        "remote server crm: address https://acme.example.com/mcp becomes https://beta.example.com/mcp; "
        "header Authorization changes"
    )
    (entry,) = entries(mcpctl, "--base", "HEAD")
    assert (entry["by"], [cause["name"] for cause in entry["causes"]]) == ("spec", ["linked"])


@pytest.mark.usefixtures("calling")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("Authorization:", "X-Key:"), "header Authorization is gone; header X-Key is new"),
        (
            ("acme.example.com/mcp", "acme.example.com/v2"),
            "address https://acme.example.com/mcp becomes https://acme.example.com/v2",
        ),
        (("    headers", "    transport: sse\n    headers"), "transport streamable-http becomes sse"),
    ],
)
def test_what_clients_must_know_anew_is_a_difference(mcpctl: Mcpctl, change: tuple[str, str], sentence: str) -> None:
    Path("in/crm.yaml").write_text(REMOTE.replace(*change))
    run = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD", "--format", "json")
    data = json.loads(run.out)
    assert (run.code, data["entries"], data["edges"], data["notes"]) == (Exit.DIFFERENT, [], [], [])
    assert data["remotes"] == [f"remote server crm: {sentence}"]
    assert "no file changes" in mcpctl("diff", "in", "--out", "tree", "--base", "HEAD").out


@pytest.mark.usefixtures("calling")
def test_the_ways_that_come_and_go_are_drawn(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(spec("one", more="  network: {egress: {hosts: [a.example.com]}}\n"))
    text = mcpctl("diff", "in", "--out", "tree", "--base", "HEAD", "--format", "markdown").out
    (block,) = re.findall(r"### Who reaches what\n\n```mermaid\n(.*?)```\n", text, re.S)
    nodes = dict(re.findall(r"(n\d+)\S*?\"([^<\"]*)", block))
    drawn = re.findall(r'(n\d) (==>|-.->)\|"(.*?)"\| (n\d)', block)
    assert [(nodes[a], arrow, words.partition("#")[0], nodes[b]) for a, arrow, words, b in drawn] == [
        ("one", "==>", "new", "a.example.com"),
        ("one", "-.->", "removed", "remote server crm"),
    ]
    edges = json.loads(mcpctl("diff", "in", "--out", "tree", "--base", "HEAD", "--format", "json").out)["edges"]
    assert [(edge["state"], edge["target"]) for edge in edges] == [
        ("new", "host a.example.com"),
        ("removed", "remote crm"),
    ]


@pytest.mark.usefixtures("calling")
def test_an_image_changes_no_way(mcpctl: Mcpctl) -> None:
    Path("in/one.yaml").write_text(spec("one", NEWER, CALLER))
    assert "mermaid" not in mcpctl("diff", "in", "--out", "tree", "--base", "HEAD", "--format", "markdown").out

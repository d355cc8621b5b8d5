"""A team in one tree, with real git: branches that change different servers merge, and the merge is a true tree."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.cli import main
from renderer.errors import Exit
from tests.cli.commands import GOOD

DELIVERIES = {
    "none": "{{type: none}}",
    "flux": "{{type: flux, path: deploy/{0}/kubernetes}}",
    "argocd": "{{type: argocd, repoURL: 'https://git.example.com/deploy.git', path: deploy/{0}/kubernetes}}",
}
#: Three deliveries, one an environment.
ENVIRONMENTS = {
    name: DELIVERIES[delivery].format(name)
    for name, delivery in {"dev": "none", "staging": "flux", "prod": "argocd"}.items()
}
PROD = {"prod": ENVIRONMENTS["prod"]}
SERVERS = 30
RENDER = ("render", "specs", "environments", "--out", "deploy")


class Team:
    """A repository with specs, environments and their tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, servers: int, environments: dict[str, str]) -> None:
        self.git("init", "--quiet", "--initial-branch=main")
        with (self.folder / ".git/config").open("a") as file:
            file.write("[user]\nname = a\nemail = a@example.com\n[gc]\nauto = 0\n[core]\nfsync = none\n")
        for name in ("specs", "environments"):
            (self.folder / name).mkdir()
        for number in range(servers):
            self.write(f"s{number:02}")
        for name, delivery in environments.items():
            text = f"apiVersion: mcpctl.io/v1alpha1\nkind: Environment\nmetadata: {{name: {name}}}\nspec:\n"
            text += f"  namespace: {{name: mcp-{name}, quota: {{pods: 60}}}}\n  delivery: {delivery}\n"
            (self.folder / f"environments/{name}.yaml").write_text(text)
        self.render()
        self.commit("the beginning")

    def git(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done

    def write(self, name: str, more: str = "") -> None:
        (self.folder / f"specs/{name}.yaml").write_text(GOOD.replace("demo", name) + more)

    def render(self, *options: str) -> int:
        code = main([*RENDER, "--quiet", *options])
        assert code == Exit.FINE or "--check" in options, options
        return code

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)

    def branch(self, name: str, change: Callable[[], None], *options: str) -> None:
        self.git("checkout", "--quiet", "-B", name, "main")
        change()
        self.render("--prune", "--prune-data", *options)
        self.commit(name)

    def merge(self) -> subprocess.CompletedProcess[str]:
        """Of branch ``two`` into branch ``one``."""
        self.git("checkout", "--quiet", "one")
        return self.git("merge", "--quiet", "--no-edit", "two", check=False)

    def conflicts(self) -> list[str]:
        return self.git("diff", "--name-only", "--diff-filter=U").stdout.split()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nothing here is about power cuts
    return tmp_path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Repositories in which branches were merged, for the rows of a test to copy."""
    return tmp_path_factory.mktemp("kept")


def merged(here: Path, kept: Path, environments: dict[str, str], ours: str, theirs: str) -> Team:
    """Three servers, of which two branches add ``ours`` and ``theirs`` to the spec of s01, which is a conflict."""
    team, copy = Team(here), kept / hashlib.sha256(f"{environments} {ours} {theirs}".encode()).hexdigest()
    if copy.exists():
        shutil.copytree(copy, here, dirs_exist_ok=True, symlinks=True)
        return team
    team.begin(3, environments)
    team.branch("one", lambda: team.write("s01", ours))
    team.branch("two", lambda: team.write("s01", theirs))
    assert team.merge().returncode == 1
    shutil.copytree(here, copy, symlinks=True)
    return team


def change(team: Team, draw: random.Random, taken: list[str], number: int) -> Callable[[], None]:
    """One change of a server that is not taken yet: neighbours and the end of the list included."""
    names = sorted(path.stem for path in (team.folder / "specs").glob("*.yaml"))
    free = [name for name in names if name not in taken]
    near = [name for name in free if taken and abs(names.index(name) - names.index(taken[0])) == 1]
    name = draw.choice(near if near and draw.random() < 0.5 else free)
    taken.append(name)
    what = draw.choice(["edit", "shape", "add", "add at the end", "rename", "remove"])

    def carry_out() -> None:
        if what == "edit":
            team.write(name, f"  shutdown: {{graceSeconds: {30 + number % 60}}}\n")
        elif what == "shape":  # other objects, and other lines of those that there are
            team.write(name, f"  expose: {{host: {name}.example.com}}\n  env: {{NUMBER: 'x{number}'}}\n")
        elif what == "add":
            team.write(f"{name}-n{number}")
        elif what == "add at the end":
            team.write(f"z{number:04}")
        else:
            (team.folder / f"specs/{name}.yaml").unlink()
            if what == "rename":
                team.write(f"{name}-r{number}")

    return carry_out


def simulate(team: Team, pairs: int, seed: int) -> None:
    draw = random.Random(seed)
    for number in range(pairs):
        taken: list[str] = []
        one = change(team, draw, taken, 2 * number)
        two = change(team, draw, taken, 2 * number + 1)
        team.branch("one", one)
        team.branch("two", two)
        merged = team.merge()
        assert merged.returncode == 0, (number, taken, merged.stdout, team.conflicts())
        assert team.render("--check") == Exit.FINE, (number, taken)
        if number % 4 == 3:  # the fleet goes on from there
            team.git("branch", "--force", "main", "one")
        team.git("checkout", "--quiet", "main")


@pytest.mark.fleet
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_sixty_pairs_of_branches_merge_without_a_conflict(here: Path, delivery: str) -> None:
    environments = {name: DELIVERIES[delivery].format(name) for name in ENVIRONMENTS}
    team = Team(here)
    team.begin(SERVERS, environments)
    simulate(team, 60, seed=7)


def test_a_few_pairs_of_branches_merge_without_a_conflict(here: Path) -> None:
    team = Team(here)
    team.begin(4, ENVIRONMENTS)
    simulate(team, 6, seed=11)


def test_with_kustomize_the_list_of_servers_alone_conflicts_and_a_render_resolves_it(here: Path) -> None:
    team = Team(here)
    team.begin(4, {"prod": "{type: kustomize}"})
    team.branch("one", lambda: team.write("s03a"))
    team.branch("two", lambda: team.write("s03b"))
    assert team.merge().returncode == 1
    assert team.conflicts() == ["deploy/prod/kubernetes/kustomization.yaml"]
    assert team.render("--check") == Exit.DIFFERENT
    team.render()
    text = (here / "deploy/prod/kubernetes/kustomization.yaml").read_text()
    assert [line for line in text.splitlines() if "s03" in line] == ["  - s03", "  - s03a", "  - s03b"]
    assert team.render("--check") == Exit.FINE


@pytest.mark.parametrize("side", ["--ours", "--theirs", "markers"])
def test_two_changes_of_one_server_conflict_in_its_files_alone(here: Path, kept: Path, side: str) -> None:
    team = merged(here, kept, ENVIRONMENTS, "  replicas: 2\n", "  replicas: 3\n")
    paths = [path for path in team.conflicts() if not path.startswith("specs/")]
    assert paths
    assert all("/kubernetes/s01/" in path for path in paths)
    team.write("s01", "  replicas: 3\n")  # somebody resolves the spec
    if side != "markers":
        team.git("checkout", side, "--", *paths)
    else:
        assert team.render("--check") == Exit.DIFFERENT
    team.render()
    assert team.render("--check") == Exit.FINE


@pytest.mark.parametrize("side", ["--ours", "--theirs"])
@pytest.mark.parametrize("committed", [False, True])
def test_a_file_that_git_merged_by_itself_is_not_edited_by_hand(
    here: Path, kept: Path, side: str, committed: bool
) -> None:
    team = merged(here, kept, PROD, "  replicas: 2\n", "  shutdown: {graceSeconds: 50}\n")
    conflicts = team.conflicts()
    deployment = "deploy/prod/kubernetes/s01/deployment.yaml"
    assert "specs/s01.yaml" in conflicts
    assert deployment not in conflicts
    team.git("checkout", side, "--", *conflicts)
    if committed:
        team.git("add", "--all")
        team.git("commit", "--quiet", "--message", "merged")
    by_hand = here / deployment
    text = by_hand.read_text()
    by_hand.write_text(f"{text}# mine\n")
    with pytest.raises(AssertionError):
        team.render()
    by_hand.write_text(text)
    team.render()
    assert team.render("--check") == Exit.FINE


@pytest.mark.parametrize("committed", [False, True])
def test_an_object_that_the_other_side_added_goes_with_that_side(here: Path, kept: Path, committed: bool) -> None:
    team = merged(here, kept, PROD, "  replicas: 2\n", "  replicas: 3\n  expose: {host: s01.example.com}\n")
    ingress = here / "deploy/prod/kubernetes/s01/ingress.yaml"
    assert ingress.exists()
    team.git("checkout", "--ours", "--", *team.conflicts())
    stranger = here / "deploy/prod/kubernetes/s01/mine.yaml"
    stranger.write_text("kind: Role\n")
    if committed:
        team.git("add", "--all")
        team.git("commit", "--quiet", "--message", "merged")
    assert team.render("--check") == Exit.DIFFERENT
    team.render()
    assert not ingress.exists()
    assert stranger.exists()
    assert team.render("--check") == Exit.DIFFERENT
    stranger.unlink()
    assert team.render("--check") == Exit.FINE


def test_a_rename_on_one_side_and_a_change_on_the_other(here: Path) -> None:
    team = Team(here)
    team.begin(3, PROD)

    def rename() -> None:
        (here / "specs/s01.yaml").unlink()
        team.write("other")

    team.branch("one", rename)
    team.branch("two", lambda: team.write("s01", "  replicas: 3\n"))
    assert team.merge().returncode == 1
    assert {path.split("/")[3] for path in team.conflicts() if path.startswith("deploy/")} <= {"s01", "other"}
    (here / "specs/s01.yaml").unlink(missing_ok=True)
    team.write("other", "  replicas: 3\n")
    team.render("--prune", "--prune-data")
    assert team.render("--check") == Exit.FINE
    assert not (here / "deploy/prod/kubernetes/s01").exists()

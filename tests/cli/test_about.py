"""``mcpctl help``, ``version`` and ``rule``: the program explains itself."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError

import pytest

from renderer import __version__
from renderer.cli import COMMANDS
from renderer.errors import Exit
from renderer.rules import GROUPS, catalogue, policies
from tests.cli.commands import ROOT, Mcpctl

pytestmark = pytest.mark.levels  # of rules, as users have them


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_is_that_of_its_option(mcpctl: Mcpctl, name: str) -> None:
    run = mcpctl("help", name)
    assert (run.code, run.out, run.err) == (0, mcpctl(name, "--help").out, "")
    assert run.out.startswith(f"Usage: mcpctl {name} ")


def test_help_alone_lists_the_commands_with_whole_summaries(mcpctl: Mcpctl) -> None:
    assert mcpctl("help").out == mcpctl("--help").out == mcpctl().out
    summaries = mcpctl("help").out.partition("Commands:")[2]
    assert "..." not in summaries
    assert re.findall(r"^  ([a-z]+) ", summaries, re.M) == list(COMMANDS)


def test_help_of_a_misspelt_command_suggests_one(mcpctl: Mcpctl) -> None:
    run = mcpctl("help", "rendr")
    assert run.code == Exit.USAGE
    assert "no command is called 'rendr'; did you mean 'render'?" in run.err


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["export", "nosuch"], "no export is called 'nosuch'; there is: client, kmcp, "),
        (["export", "cleint"], "no export is called 'cleint'; did you mean 'client'?"),
        (["render", "nosuch"], "mcpctl render has no commands below it: leave 'nosuch' out"),
    ],
)
def test_help_of_a_command_below_another(mcpctl: Mcpctl, names: list[str], expected: str) -> None:
    assert mcpctl("help", "export", "client").out == mcpctl("export", "client", "--help").out
    run = mcpctl("help", "export")
    assert run.out == mcpctl("export").out
    assert "..." not in run.out.partition("Commands:")[2]
    run = mcpctl("help", *names)
    assert run.code == Exit.USAGE
    assert expected in run.err


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["completion"], "Missing argument '{bash|fish|zsh}'. Choose from: bash, fish, zsh\n"),
        (["init", "x", "--port", "abc"], "Invalid value for '--port': 'abc' is not a valid integer.\n"),
        (["logs", "x", "--tail", "-1"], "Invalid value for '--tail': -1 is not in the range x>=0.\n"),
        (["export", "client", "x.yaml"], "Missing option '--client'. Choose from: claude-code, claude-desktop, "),
    ],
)
def test_mistakes_of_options_are_one_plain_line(mcpctl: Mcpctl, typed: list[str], expected: str) -> None:
    run = mcpctl(*typed)
    assert run.code == Exit.USAGE
    assert expected in run.err


def test_a_group_of_rules_may_end_in_a_slash(mcpctl: Mcpctl) -> None:
    assert mcpctl("rule", "krm/").out == mcpctl("rule", "krm/*").out == mcpctl("rule", "krm").out != ""


def test_version_as_text_and_as_data(mcpctl: Mcpctl) -> None:
    text, data = mcpctl("version").out, json.loads(mcpctl("version", "--output", "json").out)
    assert data["mcpctl"] == __version__
    assert data["kubernetes"]["default"] in data["kubernetes"]["versions"]
    assert data["dependencies"]["click"]
    lines = dict(line.split(None, 1) for line in text.splitlines())
    assert lines["mcpctl"] == __version__
    assert lines["click"] == data["dependencies"]["click"]


REQUIRES = [
    "click>=8.1,<9",
    "no-such-library[x]>=1; python_version > '3'",
    'mcp<3; extra == "mcp"',
    "x; extra == 'test'",
]


@pytest.mark.parametrize("installed", [True, False])
def test_version_lists_every_dependency(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    """As the installed program knows them, or the checkout."""

    def requires(name: str) -> list[str]:
        if not installed:
            raise PackageNotFoundError
        return REQUIRES

    monkeypatch.setattr("renderer.cli.version.metadata.requires", requires)
    found = json.loads(mcpctl("version", "-o", "json").out)["dependencies"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    checkout = [*project["dependencies"], *project["optional-dependencies"]["mcp"]]
    names = ["click", "no-such-library", "mcp"] if installed else [re.split(r"[><=\[]", each)[0] for each in checkout]
    assert list(found) == names
    if installed:
        assert found["no-such-library"] is None
        assert ["no-such-library", "not installed"] in [
            line.split(None, 1) for line in mcpctl("version").out.splitlines()
        ]


@pytest.mark.parametrize("name", ["policy/image-tag", "image-tag"])
def test_a_rule_is_explained(mcpctl: Mcpctl, name: str) -> None:
    run = mcpctl("rule", name)
    assert run.code == 0
    assert run.out.startswith("policy/image-tag: an image without a tag, or with one that moves\nLevel: error\n")
    for part in ("What:", "Why:", "Fix:", "Accept:", "  `accept: [{rule: policy/image-tag, reason: …}]`"):
        assert f"\n{part}\n" in run.out
    data = json.loads(mcpctl("rule", name, "--output", "json").out)
    assert data["id"] == "policy/image-tag"
    assert data["fix"] == "The tag of a release, or a digest."


def test_policies_and_groups_are_listed_and_the_rules_of_a_group(mcpctl: Mcpctl) -> None:
    lines = mcpctl("rule").out.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [*policies(), *(f"{name}/*" for name in GROUPS)]
    assert "policy/image-digest (off): an image without a digest" in lines
    assert [rule["id"] for rule in json.loads(mcpctl("rule", "-o", "json").out)] == list(catalogue())
    group = mcpctl("rule", "krm").out
    assert group == mcpctl("rule", "krm/*").out
    assert "\nkrm/nothing (warning): a list without a spec\n" in group
    assert [line.partition(" ")[0] for line in group.splitlines()] == [n for n in catalogue() if n.startswith("krm/")]
    assert len(json.loads(mcpctl("rule", "krm", "-o", "json").out)) == len(group.splitlines())


@pytest.mark.parametrize(
    ("name", "title", "accept"),
    [
        ("schema/unknown-field", "a field that does not exist there\nLevel: error\n", "It cannot be accepted: it must"),
        ("compose/unknown-field", "a field that does not exist there\n", "It cannot be accepted: it must"),
        ("spec/bridge-memory", "supergateway with an npm package", "by `accept: [{rule: spec/bridge-memory,"),
        (
            "spec/unexpanded-variable",
            "`${NAME}` or `$NAME` in a value\nLevel: error or warning",
            "a warning by `accept",
        ),
        ("policy/accepts-nothing", "an acceptance that accepts nothing", "It cannot be accepted: a warning stops"),
        ("pod-security/capabilities", "a container that does not drop all", "with `policy/pod-security`, for all"),
        ("compose/not-restricted", "a service that gave up what holds it", "with `policy/pod-security`, for all"),
    ],
)
def test_a_rule_that_is_no_policy_is_explained_too(mcpctl: Mcpctl, name: str, title: str, accept: str) -> None:
    run = mcpctl("rule", name)
    assert run.code == 0
    assert run.out.startswith(f"{name}: {title}")
    assert accept in run.out


def test_a_misspelt_rule_suggests_one(mcpctl: Mcpctl) -> None:
    run = mcpctl("rule", "policy/image-tgs")
    assert run.code == Exit.USAGE
    assert "no rule is called 'policy/image-tgs'; did you mean 'policy/image-tag'?" in run.err
    assert "did you mean 'policy/image-tag'?" in mcpctl("rule", "image-tga").err
    assert "mcpctl rule lists all" in mcpctl("rule", "zzz/yyy").err

"""What TAB offers: by the table alone, from names in specs, and in real shells."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest

from renderer.cli import COMMANDS, completion
from renderer.cli import mcpctl as group
from renderer.cli.candidates import NOTHING, candidates, names_in
from renderer.cli.completion import SCRIPTS
from tests.cli.commands import ENVIRONMENT, GOOD, ROOT, Mcpctl

TABLE = completion.table(group)
#: Parameters for which there is nothing to offer: names and values of the user's own.
FREE = {
    *(
        "init.name",
        "init.image",
        "init.npm",
        "init.pypi",
        "init.remote",
        "init.command",
        "init.args",
        "init.env",
        "init.secrets",
    ),
    *("import.package", "list.labels", "diff.base", "logs.since", "apply.owner"),
    *("init.port", "logs.tail", "list.page_size", "timeout", "namespace", "setting_docker_host"),
    *("setting_docker_port", "setting_docker_network", "setting_kubernetes_namespace", "setting_kubernetes_context"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three servers, one in JSON, and two environments."""
    (tmp_path / "specs" / ".hidden").mkdir(parents=True)
    (tmp_path / "specs" / "two.yaml").write_text(
        GOOD.replace("metadata: {name: demo}", "metadata:\n  labels:\n    name: other\n  name: first")
        + "---\n"
        + GOOD.replace("metadata: {name: demo}", 'metadata: {labels: {a: b}, name: "second"}')
    )
    (tmp_path / "specs" / "three.json").write_text('{"kind": "McpServer", "metadata": {"name": "third"}}')
    (tmp_path / "specs" / "broken.yaml").write_text("kind: McpServer\nmetadata: [")
    (tmp_path / "specs" / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "specs" / "foreign.yaml").write_text("kind: Service\nmetadata: {name: no}\n")
    (tmp_path / "specs" / ".hidden" / "x.yaml").write_text(GOOD)
    (tmp_path / "production.yaml").write_text(ENVIRONMENT)
    (tmp_path / "staging.yaml").write_text(ENVIRONMENT.replace("production", "staging"))
    (tmp_path / "mcpctl.yaml").write_text("specs: [specs]\nenvironments: [production.yaml, staging.yaml]\n")
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("re", ["render", "restart"]),
        ("", [*COMMANDS]),
        ("--", ["--color", "--debug", "--version", "--help"]),
        ("--color al", ["always"]),
        ("--color=n", ["--color=never"]),
        ("--color always --debug re", ["render", "restart"]),
        ("--debug render --color a", ["auto", "always"]),
        ("render --kust", ["--kustomization"]),
        ("render tim", [":files"]),
        ("render specs --out ", [":folders"]),
        ("render --out=dep", [":folders"]),
        ("apply --config ", [":files"]),
        ("render -t c", ["compose"]),
        ("render --target=c", ["--target=compose"]),
        ("render --target = c", ["--target=compose"]),
        ("render --kubernetes-version 1.3", [f"1.3{minor}" for minor in range(8)]),
        ("render --policy image-", ["image-digest=", "image-tag="]),
        ("render --policy policy/image-t", ["policy/image-tag="]),
        ("render --policy image-tag=w", ["image-tag=warning"]),
        ("render --policy image-tag = ", ["image-tag=error", "image-tag=warning", "image-tag=off"]),
        ("render --namespace ", []),
        ("render --check sp", [":files"]),
        ("rule policy/image", ["policy/image-digest", "policy/image-tag"]),
        ("rule image", ["image-digest", "image-tag"]),
        ("help comp", ["completion"]),
        ("completion z", ["zsh"]),
        ("eject kubernetes/servicea", ["kubernetes/serviceaccount.yaml.j2"]),
        ("schema output/appl", ["output/application", "output/applicationset"]),
        ("schema spec.transport.p", ["spec.transport.port", "spec.transport.path"]),
        ("schema transport.p", ["transport.port", "transport.path"]),
        ("schema stor", ["storage."]),
        ("schema storage.si", ["storage.size"]),
        ("schema storage[0].si", ["storage[0].size"]),
        ("schema env.TOKEN.se", ["env.TOKEN.secret"]),
        ("schema environment.spec.pol", ["environment.spec.policies"]),
        ("schema environment.del", ["environment.delivery."]),
        (
            "schema environment.delivery.clusters.l",
            ["environment.delivery.clusters.list.", "environment.delivery.clusters.labels"],
        ),
        ("schema config.orchestrator.t", ["config.orchestrator.type"]),
        ("schema env", ["environment", "environment.", "env.", "envFrom."]),
        ("schema spec.nothing.", []),
        ("export ", ["client", "kmcp", "mcp.x-k8s.io", "server-json", "toolhive"]),
        ("export --color never serv", ["server-json"]),
        ("export client --client cu", ["cursor"]),
        ("export client --loc", ["--local"]),
        ("export toolhive ", [":files"]),
        ("export nosuch ", []),
        ("explain time.stor", ["time.storage[0]."]),
        ("explain time.env ", [":files"]),
        ("explain time.env", ["time.env.", "time.envFrom[0]."]),
        ("init name ", []),
        ("nosuch ", []),
        ("nosuch --", []),
    ],
)
def test_candidates(line: str, expected: list[str]) -> None:
    found, _ = candidates(TABLE, [*line.split(" ")])
    assert found == expected


@pytest.mark.parametrize(
    "command", ["status", "stop", "restart", "delete", "logs", "list --server", "start", "explain"]
)
def test_servers_of_the_project_are_offered(project: Path, command: str) -> None:
    found, _ = candidates(TABLE, [*command.split(), ""])
    assert [each for each in found if each[0] != ":"] == ["first", "second", "third"]
    assert candidates(TABLE, [*command.split(), "se"])[0][:1] == ["second"]


@pytest.mark.parametrize("option", ["-e", "--environment"])
def test_environments_of_the_project_are_offered(project: Path, option: str) -> None:
    assert candidates(TABLE, ["render", option, ""])[0] == ["production", "staging"]
    assert candidates(TABLE, ["render", f"{option}", "s"])[0] == ["staging"]


def test_without_a_project_names_come_from_what_is_typed_or_from_here(project: Path) -> None:
    (project / "mcpctl.yaml").unlink()
    assert names_in("McpServer", ["explain", "specs/three.json"]) == ["third"]
    assert names_in("McpServer", ["status"]) == ["first", "second", "third"]
    assert names_in("Environment", []) == ["production", "staging"]


def test_every_parameter_has_something_to_offer_or_stands_on_the_list() -> None:
    nothing, context = set(), click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        for parameter in command.params:
            words = {*parameter.opts, *parameter.secondary_opts}
            kinds = [kind for word, kind in TABLE["commands"][name]["options"].items() if word in words]
            if isinstance(parameter, click.Argument):
                kinds = TABLE["commands"][name]["arguments"]
            names = {f"{name}.{parameter.name}", str(parameter.name)}
            if NOTHING in kinds and not names & FREE:
                nothing.add(f"{name}.{parameter.name}")
    assert nothing == set(), "give it a kind in renderer/cli/completion.py, or add it to FREE here"


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_has_the_table(mcpctl: Mcpctl, shell: str) -> None:
    run = mcpctl("completion", shell)
    assert (run.code, run.err) == (0, "")
    table = next(line for line in run.out.splitlines() if '"commands":' in line)
    assert table.count("'") == 2
    assert "\\" not in table
    assert "@TABLE@" not in run.out


@pytest.mark.parametrize("table", [None, '{"version": "0.0"}', "broken", "[]"])
def test_nothing_is_ever_said_but_candidates(
    mcpctl: Mcpctl, project: Path, monkeypatch: pytest.MonkeyPatch, table: str | None
) -> None:
    """A stale table is made again; with a broken one nothing is offered."""
    (project / "mcpctl.yaml").write_text("specs: 3\n")
    monkeypatch.setenv("_MCPCTL_COMPLETE", "zsh")
    if table is not None:
        monkeypatch.setenv("_MCPCTL_TABLE", table)
    stale = table not in ("broken", "[]")
    assert mcpctl("render", "--target", "comp") == (0, "compose\n" if stale else "", "")
    assert mcpctl("status", "") == (0, "", "")


def test_bash_gets_what_follows_the_last_break(mcpctl: Mcpctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MCPCTL_COMPLETE", "bash")
    assert mcpctl("render", "--policy", "image-tag", "=", "w").out == "warning\n"
    monkeypatch.setenv("_MCPCTL_COMPLETE", "fish")
    assert mcpctl("render", "--target=c").out == "--target=compose\n"


def test_completion_imports_no_command() -> None:
    """What makes it quick: milliseconds depend on the machine, modules do not."""
    code = (
        "import os, sys; os.environ |= {'_MCPCTL_COMPLETE': 'bash', '_MCPCTL_TABLE': sys.stdin.read()}\n"
        "from renderer.cli import main; main(['render', '--out', ''])\n"
        "print(*sorted(m for m in sys.modules if m.startswith(('renderer.pipeline', 'jinja2', 'yaml', 'jsonschema'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(TABLE), capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert (done.stdout, done.stderr) == (":folders\n\n", "")


#: What somebody types, and what the command gets. zsh takes the slash behind a folder away again.
TYPED = {
    "render specs/thr\t": "render specs/three.json",
    "render --out spec\t": "render --out specs",
    "status sec\t": "status second",
    "render -e prod\t": "render -e production",
    "render --target=comp\t": "render --target=compose",
    "render --policy image-t\tw\t": "render --policy image-tag=warning",
    "explain first.tran\tty\t": "explain first.transport.type",
}
#: Makes the terminal that of the shell, which starts a session of its own.
_TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source {}"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source {}"),
    "fish": (["fish", "--no-config", "-i"], "source {}"),
}


@pytest.mark.parametrize("shell", STARTS)
def test_tab_completes_in_a_real_shell(project: Path, tmp_path_factory: pytest.TempPathFactory, shell: str) -> None:
    """All lines of ``TYPED`` at once, on a terminal of the shell's own; the command writes down what it gets."""
    if not shutil.which(shell):
        tell = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        tell(f"{shell} is not there")
    folder = tmp_path_factory.mktemp("bin")
    answer = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m renderer"
    record = f'echo "$*" >> {folder}/typed'
    (folder / "mcpctl").write_text(f'#!/bin/sh\nif [ -n "$_MCPCTL_COMPLETE" ]; then {answer} "$@"; fi\n{record}\n')
    (folder / "mcpctl").chmod(0o755)
    (folder / "script").write_text(SCRIPTS[shell].replace("@TABLE@", json.dumps(TABLE)))
    arguments, start = STARTS[shell]
    lines = [start.format(folder / "script"), *(f"mcpctl {typed}" for typed in TYPED), "exit"]
    master, slave = os.openpty()
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        [sys.executable, "-c", _TAKE, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=env,
        start_new_session=True,
    ):
        os.close(slave)
        os.write(master, "".join(f"{line}\n" for line in lines).encode())
        screen = b""
        with suppress(OSError):  # the terminal is closed when the shell ends
            while part := os.read(master, 65536):
                screen += part
    os.close(master)
    typed = (folder / "typed").read_text() if (folder / "typed").exists() else ""
    assert [line.rstrip("/") for line in typed.splitlines()] == list(TYPED.values()), screen.decode()

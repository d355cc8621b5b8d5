"""The benchmark: ``python -m tests.benchmark [--servers N] [--runs N] [--mcpctl PATH] [--helm PATH] [--kubectl PATH]``;
no verdict.

Whole processes, as a user starts them: CPU time (user and system, of all child processes), wall time
and peak memory of the largest process, as minimum, median and maximum over the runs. One run before
them is not counted. Quote medians and ratios: machines are noisy. With helm and kubectl, found or named, the same fleet
is rendered by them in turns with ours; the ratio is the median of each pair's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark import peers

#: Programs that render as many objects.
PEERS = ("helm", "kubectl")

#: Eight objects a server: about what a server with storage and files renders to.
SPEC = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata:
  name: server-{number:04}
  labels: {{team: platform}}
spec:
  description: Server {number} of the benchmark
  image: registry.example.com/mcp/server-{number}:1.{number}.0
  command: [/server]
  args: [stdio, --log-level, info]
  transport: {{type: stdio, bridge: agentgateway, port: 8080}}
  env:
    LOG_LEVEL: info
    API_URL: https://api.example.com/{number}
    API_TOKEN: {{secret: server-{number:04}, key: token}}
  files:
    /config/config.yaml: {{content: "server: {number}\\nlevel: info\\n"}}
  size: small
  storage: [{{name: data, size: 1Gi, mountPath: /data}}, {{name: cache, size: 2Gi, mountPath: /cache}}]
  network:
    egress: {{cidrs: [10.0.0.0/8, {{cidr: 192.0.2.0/24, ports: [443]}}]}}
"""

ENVIRONMENT_SPEC = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {{name: {name}}}
spec:
  target: kubernetes
  namespace: {{name: mcp-{name}}}
  defaults: {{env: {{STAGE: {name}}}}}
"""

ROOT = Path(__file__).parents[2]
#: As after `pip install`, which compiles: else every run would compile every module again. A path would lead an
#: installed mcpctl to a checkout.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
}


@dataclass(frozen=True)
class Run:
    """Seconds and MiB of one run."""

    cpu: float
    wall: float
    peak: float


def main() -> None:
    """Makes the specs in a temporary folder, runs both cases, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    add_programs(parser, PEERS)
    options = parser.parse_args()
    programs = peers.found({name: getattr(options, name) for name in PEERS})
    with tempfile.TemporaryDirectory() as folder:
        many, one = Path(folder, "many"), Path(folder, "one")
        write_specs(many, options.servers)
        write_specs(one, 1)
        mcpctl = ours(options)
        cases = {
            f"{options.servers} servers, one stream": [*mcpctl, "render", "-q", str(many)],
            f"{options.servers} servers, validate only": [*mcpctl, "validate", "-q", str(many)],
            "1 server, cold start": [*mcpctl, "render", "-q", str(one)],
            "--version": [*mcpctl, "--version"],
            "--help": [*mcpctl, "--help"],
        }
        tree = [*mcpctl, "render", "-q", "--out", str(Path(folder, "tree"))]
        subprocess.run([*tree, str(many)], check=True, cwd=ROOT, env=ENVIRONMENT)
        changed = change_one(many, Path(folder, "changed"))
        whole = f"{options.servers} servers, --check"
        cases |= {
            f"{whole}, all the same": [*tree, "--check", str(many)],
            f"{whole}, one changed": [*tree, "--check", str(changed.parent)],
        }
        repository = Path(folder, "repository")
        team = repository_of_a_team(repository, options.servers, mcpctl)
        whole = f"{options.servers} servers, 3 environments"
        stream = ["render", "-q", "specs", "environments", "--environment", "production"]
        cases |= {
            f"{options.servers} servers, one environment, one stream": [*mcpctl, *stream],
            f"{whole}, render, all the same": [*mcpctl, "render", "-q", *team],
            f"{whole}, --check": [*mcpctl, "render", "-q", *team, "--check"],
            f"{whole}, diff --base, one changed": [*mcpctl, "diff", "-q", *team, "--base", "HEAD"],
        }
        files = [path for path in (repository / "deploy").rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{whole}: {len(files)} files, {size:.1f} MB")
        print(f"{'case':56} {'CPU s':>23} {'wall s':>23} {'peak MiB':>9}")
        against(programs, [*mcpctl, "render", "-q"], {1: one, options.servers: many}, options.runs)
        trees = [Path(folder, f"new-{number}") for number in range(options.runs + 1)]
        written = [write_tree([*mcpctl, "render", "-q", str(many)], tree) for tree in trees][1:]
        report(f"{options.servers} servers, a new tree", written)
        for name, command in cases.items():
            place = repository if "environment" in name else ROOT
            report(name, [measure(command, place) for _ in range(options.runs + 1)][1:])


def add_programs(parser: argparse.ArgumentParser, peers: Sequence[str]) -> None:
    """The options that name mcpctl and the programs beside it."""
    parser.add_argument("--mcpctl", help="an installed one, whose templates are compiled; else this checkout")
    for name in peers:
        parser.add_argument(f"--{name}", help="the program, where it is not on the PATH")


def ours(options: argparse.Namespace) -> list[str]:
    """The command that is measured."""
    return [os.path.abspath(options.mcpctl)] if options.mcpctl else [sys.executable, "-m", "renderer"]


def against(programs: Mapping[str, str], render: Sequence[str], fleets: Mapping[int, Path], runs: int) -> None:
    """Each peer in turns with ours, and the ratios."""
    for count, specs in fleets.items():
        tree = specs.with_name(f"{specs.name}-tree")
        kustomized = [*render, "--kustomization", "--out", str(tree), str(specs)]
        subprocess.run(kustomized, check=True, cwd=ROOT, env=ENVIRONMENT)
        for name, program in programs.items():
            theirs = peers.command(name, program, tree / "kubernetes", count)
            pairs = [(measure([*render, str(specs)], ROOT), measure(theirs, ROOT)) for _ in range(runs + 1)][1:]
            report(f"{count} servers, mcpctl render", [mine for mine, _ in pairs])
            report(f"{count} servers, {name} {theirs[1]}", [other for _, other in pairs])
            ratios = {
                figure: statistics.median(getattr(mine, figure) / getattr(other, figure) for mine, other in pairs)
                for figure in ("cpu", "wall", "peak")
            }
            words = ", ".join(f"{figure} {ratio:.2f}" for figure, ratio in ratios.items())
            print(f"{'':8}mcpctl / {name}: {words}")


def write_tree(command: Sequence[str], tree: Path) -> Run:
    """A tree that was not there, which goes again."""
    run = measure([*command, "--out", str(tree)], ROOT)
    shutil.rmtree(tree)
    return run


def write_specs(folder: Path, count: int) -> None:
    """One file a server, as in a real repository."""
    folder.mkdir()
    for number in range(count):
        (folder / f"server-{number:04}.yaml").write_text(SPEC.format(number=number))


def repository_of_a_team(folder: Path, servers: int, mcpctl: Sequence[str]) -> list[str]:
    """A git repository with its tree committed and one spec changed since; returns the arguments of its commands."""
    folder.mkdir()
    write_specs(folder / "specs", servers)
    write_environments(folder / "environments")
    arguments = ["specs", "environments", "--out", "deploy"]
    author = ["-c", "user.name=b", "-c", "user.email=b@example.com"]
    subprocess.run([*mcpctl, "render", "-q", *arguments], check=True, cwd=folder, env=ENVIRONMENT)
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "tree"]):
        subprocess.run(["git", *command], check=True, cwd=folder)
    change(sorted((folder / "specs").iterdir())[servers // 2])
    return arguments


def write_environments(folder: Path) -> Path:
    """Three, each of which changes every server."""
    folder.mkdir()
    for name in ("dev", "staging", "production"):
        (folder / f"{name}.yaml").write_text(ENVIRONMENT_SPEC.format(name=name))
    return folder


def change_one(folder: Path, to: Path) -> Path:
    """A copy of the specs in which one is another; returns that one."""
    shutil.copytree(folder, to)
    changed = sorted(to.iterdir())[len(os.listdir(to)) // 2]
    change(changed)
    return changed


def change(spec: Path) -> None:
    """One field."""
    spec.write_text(spec.read_text().replace("LOG_LEVEL: info", "LOG_LEVEL: debug"))


def measure(command: Sequence[str], place: Path) -> Run:
    """One process, by the operating system's own account of it and of its children."""
    with open(os.devnull, "wb") as nowhere:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, cwd=place, env=ENVIRONMENT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ((0, 1) if {"--check", "--base"} & {*command} else (0,)):
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def report(name: str, runs: Sequence[Run]) -> None:
    """One row: minimum, median, maximum."""
    cpu, wall = ([getattr(run, figure) for run in runs] for figure in ("cpu", "wall"))
    columns = [f"{min(v):7.3f} {statistics.median(v):7.3f} {max(v):7.3f}" for v in (cpu, wall)]
    print(f"{name:56} {columns[0]:>23} {columns[1]:>23} {max(run.peak for run in runs):9.1f}")


if __name__ == "__main__":
    main()

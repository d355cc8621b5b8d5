"""The benchmark of apply: ``python -m tests.benchmark.runtime [--servers N …] [--runs N]``; figures, no verdict.

Against the API server of the tests, whose pods are ready at once: ``mcpctl apply``, which waits, and what somebody
types without it. MCP is not asked, as kubectl cannot. The API server runs in this process and is no part of the CPU
time.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmark.__main__ import ENVIRONMENT, ROOT, measure, report
from tests.cluster import Cluster

SPEC = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {{name: server-{number:03}}}
spec:
  description: Server {number} of the benchmark
  image: registry.example.com/mcp/server-{number}:1.{number}.0
  transport: {{type: streamable-http, port: 8080}}
"""
#: Without the extra: no server answers here.
WITHOUT_MCP = (
    "from renderer.orchestrators import mcp_check; mcp_check.installed = str; from renderer.__main__ import run; run()"
)
BY_HAND = "kubectl apply --server-side -f {} >/dev/null && kubectl -n mcpctl rollout status deployment --timeout 60s"


def main() -> None:
    """A cluster for each pair of commands: applied, and applied again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"{'case':56} {'CPU s':>23} {'wall s':>23} {'peak MiB':>9}")
    for count in options.servers:
        compare(count, options.runs)


def compare(count: int, runs: int) -> None:
    """Both ways, each on empty clusters and on one where nothing changes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "specs").mkdir()
        for number in range(count):
            (place / f"specs/server-{number:03}.yaml").write_text(SPEC.format(number=number))
        stream = place / "stream.yaml"
        rendered = subprocess.run(
            [sys.executable, "-m", "renderer", "render", "-q", "specs"],
            check=True,
            cwd=place,
            capture_output=True,
            env=ENVIRONMENT,
        )
        stream.write_bytes(rendered.stdout)
        shell = shutil.which("sh") or "sh"
        ways = {
            "kubectl apply, rollout status": [shell, "-c", BY_HAND.format(stream)],
            "mcpctl apply": [sys.executable, "-c", WITHOUT_MCP, "apply", "specs", "--orchestrator", "kubernetes", "-y"],
        }
        for name, command in ways.items():
            first, again = [], []
            for _ in range(runs):
                with Cluster(namespace="default-of-the-benchmark", auto="Ready") as cluster:
                    ENVIRONMENT["KUBECONFIG"] = str(cluster.write_kubeconfig(place / "kubeconfig"))
                    first.append(measure(command, place))
                    again.append(measure(command, place))
            report(f"{count} servers, {name}", first)
            report(f"{count} servers, {name}, all the same", again)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()

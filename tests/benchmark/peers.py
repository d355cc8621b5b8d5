"""The same fleet for helm, and for kubectl's kustomize: as many objects with the same content, without any check."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

CHART = Path(__file__).with_name("chart")

_VALUES = """\
resources:
  requests: {cpu: 100m, memory: 128Mi}
  limits: {cpu: 500m, memory: 512Mi}
servers:
"""
_SERVER = """\
  - name: server-{number:04}
    description: Server {number} of the benchmark
    labels: {{team: platform}}
    image: {{repository: registry.example.com/mcp/server-{number}, tag: 1.{number}.0}}
    command: [/server]
    args: [stdio, --log-level, info]
    env:
      LOG_LEVEL: info
      API_URL: https://api.example.com/{number}
      API_TOKEN: {{secret: server-{number:04}, key: token}}
    files:
      /config/config.yaml: "server: {number}\\nlevel: info\\n"
    storage: [{{name: data, size: 1Gi, mountPath: /data}}, {{name: cache, size: 2Gi, mountPath: /cache}}]
    egress: [{{cidr: 10.0.0.0/8}}, {{cidr: 192.0.2.0/24, ports: [443]}}]
"""


def found(named: Mapping[str, str | None]) -> dict[str, str]:
    """The programs that there are, by name; ``named`` are paths that the user gave."""
    paths = {name: path or shutil.which(name) for name, path in named.items()}
    return {name: path for name, path in paths.items() if path}


def command(name: str, program: str, tree: Path, count: int) -> list[str]:
    """Of helm: renders the chart for ``count`` servers. Of kubectl: joins a tree of ours with its kustomizations."""
    if name == "kubectl":
        return [program, "kustomize", str(tree)]
    values = tree.with_name(f"values-{count}.yaml")
    values.write_text(_VALUES + "".join(_SERVER.format(number=number) for number in range(count)))
    return [program, "template", "fleet", str(CHART), "-n", "mcpctl", "-f", str(values)]

"""Where the integration tests run: a real cluster, or the one that the tests keep, under one interface."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from renderer import command
from renderer.command import Done
from renderer.orchestrators import create_orchestrator
from renderer.orchestrators.contract import KubernetesConfig, Orchestrator, OrchestratorConfig
from tests.cli.commands import ROOT, Run
from tests.cluster import Cluster, quick

#: What starts the stdio server in its image, as in a shell.
STDIO_COMMAND = "MCPCTL_TEST_STDIO_COMMAND"
#: What the specs of the two images need besides, as JSON Merge Patches of ``spec``: another path, user, command.
SPEC, STDIO_SPEC = "MCPCTL_TEST_SPEC", "MCPCTL_TEST_STDIO_SPEC"
#: An image that nobody can pull: the name is reserved never to exist (RFC 6761).
NO_IMAGE = "registry.invalid/mcpctl/nothing:1"


#: Whatever the tag of an image is that is given.
_ANY_TAG = {"rule": "policy/image-tag", "reason": "the image of a test run, which ends with the test"}


def merged(spec: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7396."""
    found = dict(spec)
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key) or {}, value) if isinstance(value, dict) else value
    return found


@dataclass
class Bed:
    """A namespace of its own in a cluster. ``fake`` is the kept cluster, None for a real one.

    ``main``: runs commands in this process, where nothing depends on a process of their own.
    """

    kubeconfig: Path
    image: str
    stdio_image: str
    folder: Path
    fake: Cluster | None = None
    main: Callable[..., Run] | None = None
    namespace: str = field(default_factory=lambda: f"mcpctl-it-{uuid.uuid4().hex[:8]}")

    @property
    def seconds(self) -> int:
        """For what works: images may have to be pulled."""
        return 30 if self.fake else 300

    @property
    def patience(self) -> str:
        """For what does not work: until its reason must be known."""
        # A name server that cannot be reached keeps the first pull for a minute.
        return "2s" if self.fake else "150s"

    # --- mcpctl ---

    def mcpctl(self, command: str, *arguments: str) -> Run:
        """For this cluster and namespace."""
        where = ("--orchestrator=kubernetes", f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}")
        return self.run(command, *where, *arguments)

    def run(self, *arguments: str) -> Run:
        """As a program if there is no ``main``."""
        if self.main:
            return self.main(*arguments)
        # Login helpers of a kubeconfig need what is ours; the kept cluster needs nothing.
        own = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECACHEDIR": str(self.folder / "cache")}
        # Settings of whoever runs the tests would lead elsewhere.
        given = {name: value for name, value in os.environ.items() if not name.startswith("MCPCTL_")}
        done = subprocess.run(
            [sys.executable, "-m", "renderer", *arguments],
            env={**(own if self.fake else given), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2 * self.seconds + 120,
            check=False,
            cwd=self.folder,
        )
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    def apply(self, *specs: Path, options: tuple[str, ...] = (), code: int = 0) -> Run:
        ours = ("--create-namespace", f"--timeout={self.seconds}s")
        run = self.mcpctl("apply", *ours, *options, *map(str, specs))
        assert run.code == code, f"{run.err}\n{run.out}"
        return run

    def status(self, name: str, *options: str) -> dict[str, Any]:
        """What ``mcpctl status`` tells of one server."""
        run = self.mcpctl("status", "--output=json", *options, name)
        assert run.code == 0, run.err
        found: dict[str, Any] = json.loads(run.out)["servers"][0]
        return found

    def orchestrator(self) -> Orchestrator:
        """The same through the Python API."""
        config = KubernetesConfig(namespace=self.namespace, kubeconfig=str(self.kubeconfig))
        return create_orchestrator(OrchestratorConfig("kubernetes", kubernetes=config))

    # --- specs ---

    def spec(self, name: str, *, image: str = "", **more: Any) -> Path:
        """A file with a server that speaks streamable-http."""
        given = {"image": image or self.image, "transport": {"type": "streamable-http", "port": 8080}}
        return self._write(name, self._patched({**given, **more}, SPEC))

    def stdio_spec(self, name: str) -> Path:
        """A file with a stdio server behind the bridge that its image has to bring."""
        command, *args = shlex.split(os.environ.get(STDIO_COMMAND, "mcp-server-time"))
        transport = {"type": "stdio", "bridge": "mcp-proxy"}
        given = {"image": self.stdio_image, "command": [command], "args": args, "transport": transport}
        given["access"] = "none"  # the image of a guard may not be here
        return self._write(name, self._patched(given, STDIO_SPEC))

    def _patched(self, spec: Mapping[str, Any], variable: str) -> Mapping[str, Any]:
        """What is known of an image holds for the real one alone."""
        return spec if self.fake else merged(spec, json.loads(os.environ.get(variable) or "{}"))

    def _write(self, name: str, spec: Mapping[str, Any]) -> Path:
        # An image that was loaded into the nodes is nowhere to be pulled from, whatever its tag.
        kind = spec.get("workload", "Deployment")
        path = f"{'/spec' if kind == 'Pod' else '/spec/template/spec'}/containers/0/imagePullPolicy"
        patch = {"kind": kind, "json": [{"op": "add", "path": path, "value": "IfNotPresent"}]}
        document = {
            "apiVersion": "mcpctl.io/v1alpha1",
            "kind": "McpServer",
            "metadata": {"name": name},
            "spec": {
                **spec,
                "patches": [patch, *spec.get("patches", ())],
                "accept": [_ANY_TAG, *spec.get("accept", ())],
            },
        }
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps(document))
        return file

    # --- the cluster itself ---

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> Done:
        argv = ["kubectl", f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]
        run = quick.run if self.fake else command.run
        done = run(argv, stdin=stdin.encode(), seconds=180)
        assert done.code == 0 or not check, done.err
        return done

    def get(self, *arguments: str) -> Any:
        """As JSON; None where there is no such thing."""
        done = self.kubectl("get", *arguments, "--ignore-not-found", "--output=json")
        return json.loads(done.out) if done.out.strip() else None

    def items(self, *arguments: str) -> list[Any]:
        """Of a list, which may be empty."""
        return list((self.get(*arguments) or {"items": []})["items"])

    def pods(self, name: str) -> list[str]:
        """Names, of those that are not ending."""
        found = self.items("pods", f"--selector=mcpctl.io/server={name}")
        return sorted(one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"])

    def until(self, holds: Callable[[], bool], what: str) -> None:
        assert self.within(self.seconds, holds), f"{what}: not within {self.seconds} s\n{self._picture()}"

    def within(self, seconds: float, holds: Callable[[], bool]) -> bool:
        """Whether it comes true in that time."""
        deadline = time.monotonic() + seconds
        while not (found := holds()) and time.monotonic() < deadline:
            time.sleep(0.2 if self.fake else 1)
        return found

    def _picture(self) -> str:
        return self.kubectl("get", "pods,events", "--output=wide", check=False).out[-5000:]

    def remove(self) -> None:
        """All that a test made; nobody waits for it."""
        self.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false", check=False)

    # --- what only the kept cluster has to be told ---

    def pods_turn(self, state: str) -> None:
        """How pods fare from now on, in a cluster where no kubelet runs."""
        if self.fake:
            self.fake.auto = state

    def pods_become(self, name: str, state: str) -> None:
        """The pods that a server has, in a cluster where no kubelet runs."""
        if self.fake:
            self.fake.controllers.run_pods("Deployment", f"mcp-{name}", self.namespace, state=state)

    def writes(self, name: str, text: str, *, previous: bool = False) -> None:
        """What the server's pods log, in a cluster where none run. A real one logs what it logs."""
        if self.fake:
            for pod in self.pods(name):
                self.fake.logs.write(self.namespace, pod, "mcp-server", text, previous=previous)

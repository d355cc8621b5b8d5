"""The cluster as tests use it."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import ClassVar

from tests.cluster import forward
from tests.cluster.api import Api
from tests.cluster.controllers import Controllers
from tests.cluster.faults import Faults
from tests.cluster.kinds import DEFINITIONS, OPENAPI_V2, OPENAPI_V2_TYPE, Json, Kind, Kinds
from tests.cluster.logs import Logs
from tests.cluster.requests import Answer, Refused, Request, no_such_path, of_json, target, verb
from tests.cluster.server import Server, Tunnel
from tests.cluster.storage import NOW, Store


class Cluster:
    """A Kubernetes API on the loopback, with ``namespace`` in it. Use it with ``with``."""

    #: By their ports.
    running: ClassVar[dict[int, Cluster]] = {}

    def __init__(self, namespace: str = "mcpctl", auto: str = "") -> None:
        self.namespace = namespace
        self.version = "1.35"
        #: The state that pods of an applied workload get at once, '' for no pods.
        self.auto = auto
        self.kinds = Kinds()
        self.store = Store(self.kinds)
        self.logs = Logs()
        self.faults = Faults()
        self.requests: list[Request] = []
        #: Tracebacks of defects in the cluster itself.
        self.defects: list[str] = []
        self.controllers = Controllers(self.store, namespace)
        #: Where a forwarded port leads: (pod, port) or ("*", port) to host and port.
        self.backends: dict[tuple[str, int], tuple[str, int]] = {}
        self._api = Api(self.store, self.logs, self.faults.allowed)
        self._api.follow = self._follow
        self._server: Server | None = None
        self.port = 0
        for name in ("default", "kube-system", namespace):
            self.create("v1", "Namespace", name)

    # --- its life ---

    def start(self) -> None:
        """Serve, on the port of the last time if there was one."""
        self._server = Server(self, self.port)
        self.port = self._server.server_port
        self.running[self.port] = self

    def stop(self) -> None:
        """End all connections; what the cluster holds stays."""
        self.faults.released.set()
        self.running.pop(self.port, None)
        if self._server and not self._server.stopping.is_set():
            self._server.stop()

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def write_kubeconfig(self, path: Path) -> Path:
        context = {"cluster": "test", "user": "tester", "namespace": self.namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "tester", "user": {}}],
            "contexts": [{"name": "test", "context": context}],
        }
        path.write_text(json.dumps(config))
        return path

    # --- what is in it ---

    def create(self, api_version: str, kind: str, name: str, namespace: str = "", **rest: object) -> Json:
        """An object, without a request."""
        return self.add({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest}, namespace)

    def add(self, data: Json, namespace: str = "") -> Json:
        """An object, as a client of the name ``setup`` would create it."""
        kind = self.kinds.named(data["kind"], data["apiVersion"].rpartition("/")[0])
        home = (namespace or data["metadata"].get("namespace", self.namespace)) if kind.namespaced else ""
        path = f"{kind.root}/namespaces/{home}/{kind.plural}" if home else f"{kind.root}/{kind.plural}"
        answer = self._resource(Request("POST", path, {"user-agent": "setup/1"}, json.dumps(data).encode()))
        assert isinstance(answer.body, bytes)
        created: Json = json.loads(answer.body)
        return created

    def define_custom_kinds(self) -> None:
        """The custom kinds that mcpctl renders."""
        for definition in DEFINITIONS:
            self.add(definition)

    def get(self, kind: str, name: str, namespace: str = "") -> Json:
        return self.controllers.get(kind, name, namespace)

    def names(self, kind: str, namespace: str = "") -> list[str]:
        """Of all objects of a kind, in all namespaces for ''."""
        return [data["metadata"]["name"] for data in self.store.all(self.kinds.named(kind), namespace)]

    def log(self, pod: str, *texts: str | bytes, time: str = NOW, previous: bool = False) -> None:
        """Lines of the first container of a pod in the cluster's namespace."""
        name = self.get("Pod", pod)["spec"]["containers"][0]["name"]
        self.logs.write(self.namespace, pod, name, *texts, time=time, previous=previous)

    def end_log(self, pod: str) -> None:
        self.logs.end(self.namespace, pod)

    def sent(self, method: str, path: str = "") -> list[Request]:
        """The requests with that method and that text in their path."""
        return [request for request in list(self.requests) if method == request.method and path in request.path]

    # --- what the server asks ---

    def named(self, request: Request) -> tuple[str, str, str, str]:
        """Verb, resource, name and namespace, by which faults are chosen."""
        meant = target(self.kinds, request.path)
        if meant is None:
            return "get", request.path, "", ""
        return verb(request, bool(meant.name)), meant.resource, meant.name, meant.namespace

    def answer(self, request: Request) -> Answer:
        try:
            return self._elsewhere(request.path.rstrip("/")) or self._resource(request)
        except Refused as refused:
            return refused.answer
        except Exception as error:
            self.defects.append(traceback.format_exc())
            return Refused(500, "InternalError", f"a defect of the cluster: {error!r}").answer

    def tunnel(self, request: Request) -> Tunnel | None:
        """What takes over the connection of a request that asks for another protocol."""
        meant = target(self.kinds, request.path)
        spdy = request.headers.get("upgrade", "").lower() == "spdy/3.1"
        if not spdy or meant is None or meant.resource != "pods/portforward":
            return None
        return lambda reader, connection: forward.serve(reader, connection, meant.name, self.backends)

    def _resource(self, request: Request) -> Answer:
        meant = target(self.kinds, request.path)
        if meant is None:
            raise no_such_path()
        return self._api.answer(verb(request, bool(meant.name)), meant, request)

    def _elsewhere(self, path: str) -> Answer | None:
        """What is no resource."""
        if path == "/version":
            major, minor = self.version.split(".")
            return of_json({"major": major, "minor": minor, "gitVersion": f"v{self.version}.0"})
        if path == "/openapi/v2":
            return Answer(200, OPENAPI_V2, OPENAPI_V2_TYPE)
        discovered = self.kinds.discovery(path)
        return of_json(discovered) if discovered else None

    def _follow(self, kind: Kind, data: Json) -> None:
        """The controllers that run by themselves when ``auto`` is set."""
        name, home = data["metadata"]["name"], data["metadata"].get("namespace", "")
        if self.auto and kind.kind in ("Deployment", "StatefulSet"):
            self.controllers.run_pods(kind.kind, name, home, state=self.auto)
        elif self.auto and kind.kind == "Pod":
            self.controllers.pod_state(name, self.auto, home)
        elif self.auto == "Ready" and kind.kind == "PersistentVolumeClaim":
            self.controllers.bind(name, home)

"""The cluster as tests use it."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import discovery, forward
from tests.cluster.answers import Answer, Refused, Request, no_such_path, of_json, plain
from tests.cluster.api import Api
from tests.cluster.controllers import Controllers
from tests.cluster.faults import Faults
from tests.cluster.kinds import DEFINITIONS, Json, Kind, Kinds
from tests.cluster.logs import Logs
from tests.cluster.patches import BadPatch
from tests.cluster.routes import target, verb
from tests.cluster.server import Server, Tunnel
from tests.cluster.storage import Store


class Cluster:
    """A Kubernetes API on the loopback, with ``namespace`` in it. Use it with ``with``."""

    def __init__(self, namespace: str = "mcpctl", version: str = "1.35", auto: str = "") -> None:
        self.namespace = namespace
        self.version = version
        #: The state that pods of an applied workload get at once, '' for no pods.
        self.auto = auto
        self.kinds = Kinds()
        self.store = Store()
        self.logs = Logs()
        self.faults = Faults()
        self.requests: list[Request] = []
        self.defects: list[str] = []
        self.api = Api(self.kinds, self.store, self.logs, self.faults.allowed)
        self.controllers = Controllers(self.kinds, self.store, namespace)
        #: Where a forwarded port leads: (pod, port) or ("*", port) to host and port.
        self.backends: dict[tuple[str, int], tuple[str, int]] = {}
        self.store.after_write.append(self._follow)
        self._writing = threading.RLock()
        self._server: Server | None = None
        self.port = 0
        for name in ("default", "kube-system", namespace):
            self.create("v1", "Namespace", name)

    # --- its life ---

    def start(self) -> None:
        """Serve, on the port of the last time if there was one."""
        self._server = Server(self, self.port)
        self.port = self._server.server_port

    def stop(self) -> None:
        """End all connections; what the cluster holds stays."""
        self.faults.release()
        if self._server and not self._server.stopping.is_set():
            self._server.stop()

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write_kubeconfig(self, path: Path, context: str = "test", namespace: str = "") -> Path:
        """With one context; no namespace in it for '-'."""
        named = {"cluster": "test", "user": "tester"}
        if namespace != "-":
            named["namespace"] = namespace or self.namespace
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "tester", "user": {}}],
            "contexts": [{"name": context, "context": named}],
        }
        path.write_text(json.dumps(config))
        return path

    # --- what is in it ---

    def create(self, api_version: str, kind: str, name: str, namespace: str = "", **rest: object) -> Json:
        """An object, without a request."""
        return self.add({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest}, namespace)

    def add(self, data: Json, namespace: str = "") -> Json:
        """An object, as a client of the name ``setup`` would create it."""
        group = data["apiVersion"].rpartition("/")[0]
        kind = self.kinds.named(data["kind"], group)
        home = (namespace or data["metadata"].get("namespace", self.namespace)) if kind.namespaced else ""
        where = f"/namespaces/{home}" if home else ""
        path = f"{kind.root}{where}/{kind.plural}"
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

    def log(self, pod: str, *texts: str | bytes, container: str = "", time: str = "", previous: bool = False) -> None:
        """Lines of a pod in the cluster's namespace; its first container unless told otherwise."""
        name = container or self.get("Pod", pod)["spec"]["containers"][0]["name"]
        self.logs.write(self.namespace, pod, name, *texts, time=time or self.store.now, previous=previous)

    def end_log(self, pod: str) -> None:
        self.logs.end(self.namespace, pod)

    def sent(self, method: str = "", path: str = "") -> list[Request]:
        """The requests with that method and that text in their path."""
        return [one for one in list(self.requests) if method in ("", one.method) and path in one.path]

    def was_sent(self, text: str) -> bool:
        """Whether any request had ``text`` in its path, its headers or its body."""
        return any(
            text in one.target or text.encode() in one.body or any(text in value for value in one.headers.values())
            for one in list(self.requests)
        )

    # --- what the server asks ---

    def named(self, request: Request) -> tuple[str, str, str, str]:
        found = target(self.kinds, request.path)
        if found is None:
            return "get", request.path, "", ""
        return verb(request, found), found.resource, found.name, found.namespace

    def answer(self, request: Request) -> Answer:
        try:
            return self._elsewhere(request) or self._resource(request)
        except Refused as refused:
            return of_json(refused.status, refused.code)
        except BadPatch as error:
            return of_json(Refused(400, "BadRequest", str(error)).status, 400)
        except Exception as error:
            self.defects.append(traceback.format_exc())
            return of_json(Refused(500, "InternalError", f"a defect of the cluster: {error!r}").status, 500)

    def tunnel(self, request: Request) -> Tunnel | None:
        found = target(self.kinds, request.path)
        spdy = request.headers.get("upgrade", "").lower() == "spdy/3.1"
        if not spdy or found is None or found.resource != "pods/portforward":
            return None
        return lambda reader, connection: forward.serve(reader, connection, found.name, self.backends)

    def _resource(self, request: Request) -> Answer:
        found = target(self.kinds, request.path)
        if found is None:
            raise no_such_path()
        if request.method == "GET":
            return self.api.answer(verb(request, found), found, request)
        # One writer at a time, as the versions of objects would see to.
        with self._writing:
            return self.api.answer(verb(request, found), found, request)

    def _elsewhere(self, request: Request) -> Answer | None:
        """What is no resource."""
        path = request.path.rstrip("/")
        if path in ("/healthz", "/livez", "/readyz"):
            return plain("ok")
        if path == "/version":
            return of_json(discovery.version(self.version))
        if path in ("/api", "/apis"):
            return self._discovery(path, request.headers.get("accept", ""))
        if path == "/openapi/v3":
            return of_json(discovery.openapi_index(self.kinds))
        if path == "/openapi/v2":
            return Answer(200, discovery.OPENAPI_V2, discovery.OPENAPI_V2_TYPE)
        found = self._described(path)
        return of_json(found) if found else None

    def _described(self, path: str) -> Json | None:
        """What there is of one group and version."""
        parts, found = path.strip("/").split("/"), None
        if path.startswith("/openapi/v3/"):
            found = discovery.openapi(self.kinds, path.removeprefix("/openapi/v3"))
        elif parts[0] == "api" and len(parts) == 2:
            found = discovery.resource_list(self.kinds, "", parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            found = discovery.resource_list(self.kinds, parts[1], parts[2])
        return found

    def _discovery(self, path: str, accept: str) -> Answer:
        api = discovery.aggregated_version(accept)
        if api:
            data = discovery.aggregated(self.kinds, core=path == "/api", api=api)
            media_type = f"application/json;g=apidiscovery.k8s.io;v={api};as=APIGroupDiscoveryList"
            return of_json(data, media_type=media_type)
        return of_json(discovery.core_versions() if path == "/api" else discovery.group_list(self.kinds))

    def _follow(self, kind: Kind, data: Json) -> None:
        """The controllers that run by themselves when ``auto`` is set."""
        if not self.auto:
            return
        name, home = data["metadata"]["name"], data["metadata"].get("namespace", "")
        if kind.kind in ("Deployment", "StatefulSet"):
            self.controllers.run_pods(kind.kind, name, home, state=self.auto)
        elif kind.kind == "Pod":
            self.controllers.pod_state(name, self.auto, home)
        elif kind.kind == "PersistentVolumeClaim" and self.auto == "Ready":
            self.controllers.bind(name, home)


def environment(folder: Path, kubeconfig: Path) -> Mapping[str, str]:
    """For kubectl: nothing of the user's is read, and nothing is kept from one cluster to the next."""
    return {"KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(folder / "cache"), "HOME": str(folder)}

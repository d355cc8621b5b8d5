"""Calls of kubectl: cluster and namespace, argument lists, JSON, and failures."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from renderer import command
from renderer.command import Background, Done, ProgramMissing
from renderer.errors import ApplyFailed, McpctlError, excerpt
from renderer.orchestrators.contract import KubernetesConfig
from renderer.orchestrators.failures import Refused
from renderer.orchestrators.kubernetes.failures import refusal

#: Server-side apply is stable from there on.
OLDEST = (1, 22)
#: Seconds for one request; a call of kubectl makes a few of them.
REQUEST_SECONDS = 30
_CALL_SECONDS = 3 * REQUEST_SECONDS

#: An object as JSON.
Data = dict[str, Any]

#: kubectl's text where only aggregated APIs are missing from the list.
_PARTLY = "unable to retrieve the complete list of server APIs"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?")


class Place(NamedTuple):
    """The cluster and namespace of a run. ``context`` is '' in a pod of the cluster itself."""

    context: str
    cluster: str
    server: str
    namespace: str

    def __str__(self) -> str:
        cluster = f"cluster {excerpt(self.cluster, 80)} ({excerpt(self.server, 200)})"
        context = f"context {excerpt(self.context, 80)}, {cluster}" if self.context else f"in {cluster}"
        return f"{context}, namespace {self.namespace}"


class Kubectl:
    """Every call names context, namespace and a time limit, so that no default of kubectl decides them."""

    def __init__(
        self,
        config: KubernetesConfig,
        *,
        run: command.Run = command.run,
        start: command.Start = command.background,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._config = config
        self._run = run
        self._start = start
        self._environ = environ
        self._place: Place | None = None
        self.namespace = known_name(config.namespace, "kubernetes.namespace")

    @property
    def place(self) -> Place:
        """Looked up once, before the first call; ApplyFailed where there is no such context."""
        if self._place is None:
            self._check_version()
            self._place = self._in_cluster() if self._config.in_cluster else self._from_kubeconfig()
        return self._place

    def argv(self, *arguments: str, namespace: str = "", seconds: float = REQUEST_SECONDS) -> list[str]:
        """``seconds`` 0: no time limit."""
        context = [f"--context={self.place.context}"] if self.place.context else []
        where = [*self._kubeconfig(), *context, f"--namespace={namespace or self.namespace}"]
        return ["kubectl", *where, f"--request-timeout={int(seconds)}s", *arguments]

    def call(self, doing: str, *arguments: str, stdin: bytes = b"", namespace: str = "", secret: bool = False) -> Done:
        """Refused (or WaitTimedOut) with ``doing`` in front where it fails."""
        done = self.attempt(*arguments, stdin=stdin, namespace=namespace)
        if done.code:
            raise self.failed(done.code, done.err, doing, secret=secret)
        return done

    def attempt(self, *arguments: str, stdin: bytes = b"", namespace: str = "") -> Done:
        """Whatever the exit code: a call that fails may have done a part."""
        argv = self.argv(*arguments, namespace=namespace)
        return self._run(argv, seconds=_CALL_SECONDS, stdin=stdin, env=self._env())

    def kinds(self, doing: str, *verbs: str) -> Done:
        """``deployments.apps`` and so on. ``code`` is not 0 where an aggregated API does not answer, which ``err``
        names: a broken metrics server hides nothing of ours.
        """
        args = ["api-resources", *([f"--verbs={','.join(verbs)}"] if verbs else []), "--output=name"]
        done = self.attempt(*args)
        if done.code and not (done.out.strip() and _PARTLY in done.err):
            raise self.failed(done.code, done.err, doing)
        return done

    def failed(self, code: int, err: str, doing: str, *, secret: bool = False) -> McpctlError:
        """The exception for an exit code and what was written to stderr."""
        if code < 0:
            return ApplyFailed(f"{doing}: kubectl was ended by signal {-code}; run the command again")
        return refusal(err, doing, secret=secret)

    def read(self, doing: str, *arguments: str, stdin: bytes = b"", namespace: str = "") -> Data:
        """The object that kubectl prints as JSON; {} where it prints nothing."""
        done = self.call(doing, *arguments, stdin=stdin, namespace=namespace)
        return _answer(done, {"metadata": {**_METADATA, "continue": str}, "items": [dict]}, doing)

    def items(self, doing: str, *arguments: str, stdin: bytes = b"", namespace: str = "", kind: str = "") -> list[Data]:
        """The objects of a list, or the one object; ``kind`` is theirs where the list does not repeat it."""
        return self.page(doing, *arguments, stdin=stdin, namespace=namespace, kind=kind)[0]

    def page(
        self, doing: str, *arguments: str, stdin: bytes = b"", namespace: str = "", kind: str = ""
    ) -> tuple[list[Data], str]:
        """The same, and the token that continues the list."""
        answer = self.read(doing, *arguments, stdin=stdin, namespace=namespace)
        whole = "items" not in answer and str(answer.get("kind", "")).endswith("List")
        items: list[Data] = answer.get("items", [answer] if answer and not whole else [])
        if kind:
            items = [{**item, "kind": kind} for item in items]
        return [as_object(item, doing) for item in items], answer.get("metadata", {}).get("continue", "")

    def background(self, *arguments: str, namespace: str = "") -> AbstractContextManager[Background]:
        """A kubectl that runs until its context ends."""
        return self._start(self.argv(*arguments, namespace=namespace, seconds=0), env=self._env())

    def _kubeconfig(self) -> list[str]:
        return [f"--kubeconfig={self._config.kubeconfig}"] if self._config.kubeconfig else []

    def _env(self) -> Mapping[str, str]:
        # Without any kubeconfig kubectl takes the service account of its pod, token and all.
        return {"KUBECONFIG": os.devnull} if self._config.in_cluster else {}

    def _check_version(self) -> None:
        try:
            args = ["kubectl", "version", "--client", "--output=json"]
            done = self._run(args, seconds=_CALL_SECONDS, env=self._env())
        except ProgramMissing as missing:
            raise ProgramMissing(f"{missing.message}: install it (https://kubernetes.io/docs/tasks/tools/)") from None
        doing = "asking kubectl for its version"
        if done.code:
            raise self.failed(done.code, done.err, doing)
        version = _answer(done, {"clientVersion": dict}, doing).get("clientVersion", {})
        # ``minor`` may be ``32+``.
        major, minor = (re.match(r"[0-9]{1,6}", str(version.get(part, ""))) for part in ("major", "minor"))
        numbers = (int(major[0]), int(minor[0])) if major and minor else None
        if numbers is None:
            raise ApplyFailed("the version of kubectl cannot be read; is it really kubectl?")
        if numbers < OLDEST:
            has, needs = (".".join(map(str, pair)) for pair in (numbers, OLDEST))
            raise ApplyFailed(f"kubectl {has} is too old: server-side apply needs {needs} or newer")

    def _in_cluster(self) -> Place:
        host, port = (self._environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
        if not host:
            raise ApplyFailed(
                "kubernetes.inCluster is set, but this is not a pod of a cluster (KUBERNETES_SERVICE_HOST is missing); "
                "unset it, or give kubernetes.context"
            )
        return Place("", "this pod's own, by its service account", f"{host}:{port or 443}", self.namespace)

    def _from_kubeconfig(self) -> Place:
        named = [f"--context={self._config.context}"] if self._config.context else []
        doing = "reading the kubeconfig"
        argv = ["kubectl", *self._kubeconfig(), *named, "config", "view", "--minify", "--output=json"]
        done = self._run(argv, seconds=_CALL_SECONDS)
        if done.code:
            self._refuse_missing_kubeconfig()
            raise self.failed(done.code, done.err, doing)
        shape = {"current-context": str, "clusters": [{"name!": str, "cluster": {"server": str}}]}
        answer = _answer(done, shape, doing)
        context, clusters = self._config.context or answer.get("current-context"), answer.get("clusters")
        if not context or not clusters:
            self._refuse_missing_kubeconfig()
            raise Refused(
                "no cluster is chosen: the kubeconfig has no current context; "
                "name one of `kubectl config get-contexts` with kubernetes.context",
                kind="context",
            )
        # The address of the API server, without user and password.
        url: str = clusters[0].get("cluster", {}).get("server", "unknown")
        address = url.replace(f"{urlsplit(url).netloc.rpartition('@')[0]}@", "") if "@" in url else url
        return Place(str(context), str(clusters[0]["name"]), address, self.namespace)

    def _refuse_missing_kubeconfig(self) -> None:
        """kubectl takes a file that does not exist for an empty one, and then misses the context in it."""
        variable = self._environ.get("KUBECONFIG", "")
        paths, name = [path for path in variable.split(os.pathsep) if path], "KUBECONFIG"
        if self._config.kubeconfig:
            paths, name = [self._config.kubeconfig], "kubernetes.kubeconfig"
        if paths and not any(os.path.exists(path) for path in paths):
            names = ", ".join(excerpt(path, 200) for path in paths)
            text = f"the kubeconfig {names} does not exist; correct {name}, or leave it out for ~/.kube/config"
            raise Refused(text, kind="context")


def known_name(name: str, field: str) -> str:
    """The name, if Kubernetes takes such names: nothing else reaches an argument list."""
    if not _NAME.fullmatch(name):
        raise ApplyFailed(f"{field}: {excerpt(name)!r} is not a name in Kubernetes")
    return name


_CONDITIONS = [{"type": str, "status": str, "reason": str, "message": str}]
_STATE = {
    "waiting": {"reason": str, "message": str},
    "terminated": {"exitCode": int, "reason": str, "message": str},
}
_STATUSES = [{"name": str, "image": str, "ready": bool, "restartCount": int, "state": _STATE, "lastState": _STATE}]
_PHASE = {"phase": str, "reason": str, "message": str, "startTime": str, "conditions": _CONDITIONS}
_METADATA = {
    **dict.fromkeys(("name", "namespace", "uid", "deletionTimestamp", "creationTimestamp"), str),
    "labels": {...: str},
    "annotations": {...: str},
    "generation": int,
    "ownerReferences": [dict],
    "finalizers": [str],
}
_COUNTS = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "observedGeneration"), int)
_WORKLOAD = {
    "spec": {
        "replicas": int,
        "paused": bool,
        "updateStrategy": {"type": str, "rollingUpdate": {"partition": int}},
        "template": dict,
    },
    "status": {**_COUNTS, "updateRevision": str, "conditions": _CONDITIONS},
}
#: What is read of an object, by its kind: of all others only the metadata.
_OF_KIND: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("Deployment", "StatefulSet", "ReplicaSet"), _WORKLOAD),
    "Pod": {
        "spec": {"containers": [{"name": str, "image": str}], "initContainers": [dict], "volumes": [dict]},
        "status": {**_PHASE, "containerStatuses": _STATUSES, "initContainerStatuses": _STATUSES},
    },
    "Service": {"spec": {"selector": {...: str}, "ports": [{"name": str, "port": int}]}},
    "PersistentVolumeClaim": {"spec": {"storageClassName": str}, "status": _PHASE},
    "HorizontalPodAutoscaler": {"spec": {"minReplicas": int, "maxReplicas": int}},
    "Event": {"reason": str, "message": str, "involvedObject": dict},
    "Node": {"status": {"allocatable": {...: str}}},
}


def as_object(data: Data, doing: str) -> Data:
    """Checks the parts that are read; ApplyFailed names one of another type."""
    shape = {"apiVersion": str, "kind!": str, "metadata!": {**_METADATA, "name!": str}}
    kind = data.get("kind") if isinstance(data, dict) else None
    return command.checked(data, {**shape, **_OF_KIND.get(str(kind), {})}, doing, "kubectl")  # type: ignore[no-any-return]


def _answer(done: Done, shape: command.Shape, doing: str) -> Data:
    """stdout as JSON; {} where there is none."""
    return command.parsed(done.out, shape, doing, "kubectl") if done.out.strip() else {}

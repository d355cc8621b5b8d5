"""Kubernetes manifests, one file an object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from renderer.check.kubernetes import check_documents
from renderer.errors import Problem
from renderer.labels import ADOPT_NOTE
from renderer.later import later, pattern
from renderer.launch import launch
from renderer.model import JSON, Options, Rendered, Server
from renderer.policy.documents import kubernetes_findings
from renderer.prerequisites import markdown_of, prerequisites
from renderer.render import YAML, Quoting, render
from renderer.target import Ignored
from renderer.targets.kubernetes.limits import annotates_nothing, elsewhere, limits, not_admitted
from renderer.targets.kubernetes.namespace import namespace_objects, wave
from renderer.targets.kubernetes.objects import OBJECTS
from renderer.targets.kubernetes.values import literal, server_values

if TYPE_CHECKING:
    from renderer import patch
else:
    patch = later("renderer.patch")  # 1 ms, which few specs need

_KUSTOMIZATION = "kubernetes/kustomization.yaml.j2"
_SECRETS = "kubernetes/secret.yaml.example.j2"


class Kubernetes:
    name = "kubernetes"
    quoting = Quoting(YAML.scalar, YAML.writers, {"literal": literal}, name="kubernetes")
    ignored: Mapping[str, Ignored] = {
        "spec.adopt.compose": Ignored("a cluster has no compose projects"),
        "spec.compose.build": Ignored("a cluster builds no images: build it elsewhere and push it to its registry"),
        "spec.compose.labels": Ignored("only programs beside Docker read them: use metadata.annotations or 'expose'"),
        "spec.compose.logging": Ignored("a node's kubelet keeps the logs, and rotates them (containerLogMaxSize)"),
        "spec.compose.pids": Ignored("a node's kubelet bounds the processes of each pod (podPidsLimit)"),
        "spec.compose.networks": Ignored(
            "a cluster has one network: network.egress and network.ingress rule who connects"
        ),
        "spec.network.publish": Ignored("a cluster publishes through the Service, not on a machine's port"),
    }

    def groups(self, servers: Sequence[Server], *, one_stream: bool) -> list[tuple[Server, ...]]:
        del one_stream
        return [(server,) for server in servers]

    def conflicts(self, servers: Sequence[Server], options: Options) -> list[Problem]:
        """Servers that expect each other in the wrong namespace, or do not admit each other."""
        known = {server.name: server for server in servers}
        faults = [(server, fault) for server in servers for fault in not_admitted(server, known, options)]
        if any(server.namespace for server in servers):
            faults += [(server, fault) for server in servers for fault in elsewhere(server, servers, options)]
        return [server.problem(fault) for server, fault in faults]

    def shared(self, options: Options) -> list[Rendered]:
        """The Namespace and what applies to all of it, if it is ours."""
        return _for_flux(namespace_objects(options), options)

    def build(self, group: Sequence[Server], options: Options) -> tuple[list[Rendered], list[Problem]]:
        documents: list[Rendered] = []
        problems: list[Problem] = []
        for server in group:
            built = self._objects(server, options)
            if server.patches:
                built, faults = patch.patch_documents(built, server, self.name)
                problems += [server.problem(fault) for fault in faults]
            documents += built
            kinds = {"Pod", *(document.identity[0] for document in built)}
            problems += [server.problem(fault) for fault in annotates_nothing(server, kinds)]
            problems += [server.problem(fault) for fault in limits(server, options)]
        return _for_flux(documents, options), problems

    def _objects(self, server: Server, options: Options) -> list[Rendered]:
        values = server_values(server, launch(server, beside_guard=server.guard is not None), options)
        home = options.namespace_of(server)
        outside = frozenset(
            (needed.kind, (needed.namespace or home) if needed.scope == "namespace" else "", needed.name)
            for needed in prerequisites(server, options.network_policy_provider)
        )
        documents = []
        for kind, template, instances in OBJECTS:
            for instance in instances(server, options):
                name, own = instance.named(kind, server), server.kind_annotations.get(kind, {})
                annotations = {**instance.annotations, **own, **wave(kind, options)}
                context = {
                    **values,
                    **({"labels": values["pod_labels"]} if kind == "Pod" else {}),
                    **instance.extra,
                    "object_name": name,
                    "object_annotations": annotations | ({ADOPT_NOTE: "true"} if server.adopt else {}),
                }
                text = render(template, context, self.quoting)
                path = f"{server.name}/{instance.stem}.yaml"
                identity = (kind, name, context["namespace"] or "")
                subject = f"server {server.name}"
                documents.append(Rendered(path, text, template, context, subject, identity, outside=outside))
        return documents

    def tree_files(
        self, servers: Sequence[Server], documents: Sequence[Rendered], options: Options, names: Sequence[str]
    ) -> list[Rendered]:
        files: list[Rendered] = []
        for server in servers:
            needed, namespace = prerequisites(server, options.network_policy_provider), options.namespace_of(server)
            texts = {"PREREQUISITES.md": markdown_of(server.name, namespace, needed)}
            secrets: list[JSON] = [
                {
                    "name": secret.name,
                    "type": secret.type,
                    "keys": [{"name": key, "optional": key in secret.optional_keys} for key in secret.keys],
                    "reasons": ", ".join(f"spec.{reason}" for reason in secret.reasons),
                    "optional": secret.optional,
                }
                for secret in needed
                if secret.kind == "Secret"
            ]
            if secrets:
                values = {"server": server.name, "namespace": namespace, "secrets": secrets}
                texts["secret.yaml.example"] = render(_SECRETS, values)
            files += [_plain(f"{server.name}/{name}", text, f"server {server.name}") for name, text in texts.items()]
        return [*files, *_kustomizations(servers, documents, names)] if options.kustomization else files

    def from_tree(self, paths: Sequence[str]) -> tuple[list[str], list[str]]:
        """The Namespace, then the objects of each server in the order of the table."""
        endings = (".yaml", ".yml", ".json")  # what kubectl, Argo CD and Flux take of a folder
        manifests = [path for path in paths if path.endswith(endings) and not path.endswith("kustomization.yaml")]
        return sorted(manifests, key=_rank), []

    def enforces_pod_security(self, options: Options) -> bool:
        """By labels of a rendered Namespace."""
        return options.owns_namespace

    def check(self, documents: Sequence[Rendered], options: Options) -> list[Problem]:
        """Schemas, API rules and Pod Security, of each object and between objects."""
        level = options.namespace_rules.enforce
        if options.placeholders:  # what is checked is what Flux makes of it
            filled = (_SUBSTITUTED.sub(lambda m: "$" if m[0] == "$$" else "placeholder", d.text) for d in documents)
            documents = [document._replace(text=text) for document, text in zip(documents, filled, strict=True)]
        return check_documents(documents, options.kubernetes_version, kubernetes_findings, level)


TARGET = Kubernetes()

#: Substitutions of Flux: ``$$`` is ``$``, ``${NAME}`` a value.
_SUBSTITUTED = pattern(r"\$\$|\$\{\w+\}")


def _for_flux(documents: list[Rendered], options: Options) -> list[Rendered]:
    """Escapes ``$`` for Flux, but in the placeholders that it is to replace."""
    if not options.placeholders:
        return documents
    read_by_flux = re.compile(rf"\$(?=\$|\{{(?!(?:{'|'.join(options.placeholders)})\}}))")
    return [document._replace(text=read_by_flux.sub("$$", document.text)) for document in documents]


def _rank(path: str) -> tuple[str, int, str]:
    """The kind is part of the file name: ``persistentvolumeclaim-data.yaml``, ``sandbox-role.yaml``."""
    folder, _, name = path.rpartition("/")
    words = name.removesuffix(".yaml").split("-")
    places = [[i for i, kind in enumerate(OBJECTS) if kind.kind.lower() == word] for word in words]
    ranks = next(filter(None, places), [len(OBJECTS)])
    # Objects of a sandbox precede those of the server of the same kind.
    return folder, ranks[0] if words[0] == "sandbox" else ranks[-1], path


def _plain(path: str, text: str, subject: str) -> Rendered:
    return Rendered(path, text, "", {}, subject)


def _kustomizations(
    servers: Sequence[Server], documents: Sequence[Rendered], names: Sequence[str]
) -> Iterator[Rendered]:
    """One for each folder and one above them, in order of application."""
    folders: dict[str, list[str]] = {"": [], **{server.name: [] for server in servers}}
    for document in documents:
        folder, _, name = document.path.rpartition("/")
        folders[folder].append(name)
    shared = folders.pop("")
    for folder, resources in folders.items():
        yield _plain(f"{folder}/kustomization.yaml", _listed(tuple(resources)), f"server {folder}")
    if shared or names:
        yield _plain("kustomization.yaml", _listed((*shared, *names)), "all servers")


@lru_cache(maxsize=256)  # most servers have the same objects
def _listed(resources: tuple[str, ...]) -> str:
    return render(_KUSTOMIZATION, {"resources": list(resources)})

"""Files of a tree that stand beside the manifests: nothing applies them, and a stream has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from renderer.model import JSON, Options, Rendered, Server
from renderer.prerequisites import markdown_of, prerequisites
from renderer.render import render

_KUSTOMIZATION = "kubernetes/kustomization.yaml.j2"
_SECRETS = "kubernetes/secret.yaml.example.j2"


def beside(
    servers: Sequence[Server], documents: Sequence[Rendered], options: Options, names: Sequence[str]
) -> list[Rendered]:
    """What each server needs, its Secrets without values, and for kustomize what lies in each folder.

    ``names`` are those of all servers of the tree, of which ``servers`` may be a part.
    """
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


def _plain(path: str, text: str, subject: str) -> Rendered:
    """Without a template: nobody parses it."""
    return Rendered(path, text, "", {}, subject)


def _kustomizations(
    servers: Sequence[Server], documents: Sequence[Rendered], names: Sequence[str]
) -> Iterator[Rendered]:
    """One for each folder, and one above them all, in the order of application."""
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

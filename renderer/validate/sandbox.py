"""Rules of the sandbox namespace and of the Secrets that an operator makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from renderer.errors import DocumentPath, Fault
from renderer.model import SecretRef, Server
from renderer.quantity import amount
from renderer.validate.network import address_block
from renderer.validate.rules import Rule


class _Use(NamedTuple):
    """A key of a Secret that the spec refers to, and where."""

    secret: str
    key: str
    path: DocumentPath


def sandbox_limits(server: Server) -> Iterator[Fault]:
    """An API server refuses a LimitRange whose defaults contradict its maximum."""
    if server.sandbox is None:
        return
    steps = [
        ("defaultRequest", server.sandbox.default_request),
        ("default", server.sandbox.default),
        ("max", server.sandbox.most),
    ]
    for part in ("cpu", "memory"):
        for (name, lower), (above, upper) in pairwise(steps):
            less, more = getattr(lower, part), getattr(upper, part)
            if amount(less) > amount(more):
                wrong = name if server.given("spec", "sandbox", "limits", name, part) else above
                yield Fault(
                    ("spec", "sandbox", "limits", wrong, part),
                    "spec/sandbox-limits",
                    f"{name} ({less}) is above {above} ({more})",
                    f"raise {above}, or lower {name}",
                )


def sandbox_cidrs(server: Server) -> Iterator[Fault]:
    """An address block has no host bits."""
    for i, cidr in enumerate(server.sandbox.cidrs if server.sandbox else ()):
        yield from address_block(cidr, ("spec", "sandbox", "egress", "cidrs", i))[1]


def sandbox_account_is_its_own(server: Server) -> Iterator[Fault]:
    """Every pod that names no account has the one called default, and would have the same rights."""
    account = server.service_account
    if server.sandbox and account.name == "default":
        yield Fault(
            ("spec", "serviceAccount", "name"),
            "spec/sandbox-account",
            "the rights in the sandbox would be those of every pod of the namespace that has no account of its own",
            "name another account, or remove 'serviceAccount': the server then gets its own",
        )


def external_secrets_are_distinct(server: Server) -> Iterator[Fault]:
    """Each is an object, and each key of a Secret has one value."""
    names: set[str] = set()
    for i, secret in enumerate(server.external_secrets):
        if secret.name in names:
            message = f"two external secrets are called '{secret.name}'"
            yield Fault(("spec", "externalSecrets", i, "name"), "spec/external-secret-name", message, "join their keys")
        names.add(secret.name)
        keys: set[str] = set()
        for j, key in enumerate(secret.keys):
            if key.key in keys:
                where = ("spec", "externalSecrets", i, "keys", j, "key")
                yield Fault(where, "spec/external-secret-name", f"key '{key.key}' is there twice", "remove one")
            keys.add(key.key)


def external_secrets_have_the_keys(server: Server) -> Iterator[Fault]:
    """A container whose Secret lacks a key is never started."""
    made = {secret.name: [key.key for key in secret.keys] for secret in server.external_secrets}
    for use in _uses(server):
        if use.secret in made and use.key not in made[use.secret]:
            yield Fault(
                use.path,
                "spec/external-secret-key",
                f"Secret '{use.secret}' is made from spec.externalSecrets, which gives it no key '{use.key}'",
                f"add the key there; it has: {', '.join(made[use.secret])}",
            )


def _uses(server: Server) -> Iterator[_Use]:
    containers = (("initContainers", server.init_containers), ("sidecars", server.sidecars))
    environments: list[tuple[DocumentPath, Mapping[str, object]]] = [(("spec", "env"), server.env)]
    environments += [(("spec", field, i, "env"), c.env) for field, many in containers for i, c in enumerate(many)]
    for path, variables in environments:
        for name, value in variables.items():
            if isinstance(value, SecretRef) and not value.optional:
                yield _Use(value.secret, value.key, (*path, name, "key"))
    for file in server.files:
        if isinstance(file.source, SecretRef):
            yield _Use(file.source.secret, file.source.key, ("spec", "files", file.path, "key"))


RULES: tuple[Rule, ...] = (
    sandbox_limits,
    sandbox_cidrs,
    sandbox_account_is_its_own,
    external_secrets_are_distinct,
    external_secrets_have_the_keys,
)

"""Rules of the sandbox namespace, RBAC and external secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from renderer.errors import DocumentPath, Fault, Severity
from renderer.kinds import KINDS
from renderer.later import pattern
from renderer.model import AccessRule, SecretRef, Server
from renderer.quantity import amount
from renderer.wording import suggestion

#: Go templates: an action, a string, a value, and keywords that rebind the dot.
_ACTION = pattern(r"\{\{(.*?)\}\}", re.DOTALL)
_STRING = pattern(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
_VALUE = pattern(r"(?<![\w.)])\.([A-Za-z_]\w*)")
_SCOPES = pattern(r"\b(range|with|define|template|block)\b")
#: API groups by the plural of their resources.
_GROUPS = {plural: group for plural, _, group in (kind.resource.partition(".") for kind in KINDS.values())}
#: Fields of amounts, and the attributes that hold them.
_RESOURCES = {"cpu": "cpu", "memory": "memory", "ephemeralStorage": "ephemeral_storage"}
_CHECKED = frozenset({"", "apps", "batch"})


def sandbox_limits(server: Server) -> Iterator[Fault]:
    """API servers refuse contradictory LimitRanges, and pods without needed amounts."""
    sandbox, path = server.sandbox, ("spec", "sandbox", "limits")
    if sandbox is None:
        return
    steps = [
        ("min", sandbox.least),
        ("defaultRequest", sandbox.default_request),
        ("default", sandbox.default),
        ("max", sandbox.most),
    ]
    for resource, attribute in _RESOURCES.items():
        sizes = [(name, size) for name, amounts in steps if (size := getattr(amounts, attribute))]
        pairs = list(pairwise(sizes))
        if most := getattr(sandbox.pod_most, attribute):
            pairs += [((name, size), ("podMax", most)) for name, size in sizes if name == "default"]
        for (name, less), (above, more) in pairs:
            if amount(less) > amount(more):
                wrong = name if server.sets(*path, name, resource) else above
                message = f"{name} ({less}) is higher than {above} ({more})"
                yield Fault((*path, wrong, resource), "spec/sandbox-limits", message, f"raise {above} or lower {name}")
    for side, total, defaults in (
        ("requests", sandbox.requests, (sandbox.default_request, sandbox.default, sandbox.most, sandbox.least)),
        ("limits", sandbox.limits, (sandbox.default, sandbox.most)),
    ):
        if total.ephemeral_storage and not any(default.ephemeral_storage for default in defaults):
            yield Fault(
                ("spec", "sandbox", "quota", side, "ephemeralStorage"),
                "spec/sandbox-quota",
                f"a quota on {side} of disk refuses every pod whose containers do not say theirs",
                "set limits.default.ephemeralStorage of the sandbox, which is theirs then",
                Severity.WARNING,
            )


def sandbox_account_is_its_own(server: Server) -> Iterator[Fault]:
    """Pods without an account use 'default' and would share its rights."""
    if (server.sandbox or server.service_account.has_rights) and server.service_account.name == "default":
        yield Fault(
            ("spec", "serviceAccount", "name"),
            "spec/sandbox-account",
            "every pod without an account of its own uses 'default', and would get "
            f"{'the rights in the sandbox' if server.sandbox else 'these rights'}",
            "name another account, or remove 'serviceAccount': the server then gets its own",
        )


def rights_can_be_used(server: Server) -> Iterator[Fault]:
    """API servers accept rules for resources that the group lacks, without effect."""
    account, path = server.service_account, ("spec", "serviceAccount")
    if (server.sandbox or account.has_rights) and not account.automount and server.sets(*path, "automountToken"):
        message = "'automountToken: false' leaves the server without the token that its rights need"
        yield Fault((*path, "automountToken"), "spec/token-not-mounted", message, "remove it, or the rights")
    every: list[tuple[DocumentPath, tuple[AccessRule, ...]]] = [
        ((*path, "rules"), account.rules),
        ((*path, "clusterRules"), account.cluster_rules),
        *(((*path, "namespaces", i, "rules"), rights.rules) for i, rights in enumerate(account.elsewhere)),
    ]
    for field, rules in every:
        for i, rule in enumerate(rules):
            for j, resource in enumerate(rule.resources):
                group = _GROUPS.get(resource.partition("/")[0])
                if group is not None and group not in rule.api_groups and _CHECKED.issuperset(rule.api_groups):
                    hint = f"write apiGroups: ['{group}']"
                    message = f"'{resource}' is not in API group '{rule.api_groups[0]}': the rule grants nothing on it"
                    yield Fault((*field, i, "resources", j), "spec/rule-api-group", message, hint)
    names = [rights.namespace for rights in account.elsewhere]
    for i, name in enumerate(names):
        if name in names[:i]:
            message = f"namespace '{name}' is listed twice"
            yield Fault((*path, "namespaces", i, "name"), "spec/account-namespace", message, "merge the two")


def external_secrets_are_distinct(server: Server) -> Iterator[Fault]:
    names: set[str] = set()
    for i, secret in enumerate(server.external_secrets):
        path: DocumentPath = ("spec", "externalSecrets", i)
        if secret.name in names:
            message = f"two external secrets are named '{secret.name}'"
            yield Fault((*path, "name"), "spec/external-secret-name", message, "merge their keys")
        names.add(secret.name)
        keys: set[str] = set()
        for j, key in enumerate(secret.keys):
            if key.key in keys:
                message = f"key '{key.key}' is listed twice"
                yield Fault((*path, "keys", j, "key"), "spec/external-secret-name", message, "remove one of them")
            keys.add(key.key)


def templates_use_the_keys(server: Server) -> Iterator[Fault]:
    """The operator creates no Secret if the template names an unknown value."""
    for i, secret in enumerate(server.external_secrets):
        keys = [key.key for key in secret.keys]
        for name, template in secret.template.items():
            actions = [_STRING.sub('""', action) for action in _ACTION.findall(template)]
            if any(_SCOPES.search(action) for action in actions):
                continue  # within them a dot may be another value
            for used in dict.fromkeys(used for action in actions for used in _VALUE.findall(action)):
                if used not in keys:
                    yield Fault(
                        ("spec", "externalSecrets", i, "template", name),
                        "spec/external-secret-key",
                        f"the template uses '.{used}', which is not among the keys{suggestion(used, keys)}",
                        f"add it to spec.externalSecrets[{i}].keys, which has: {', '.join(keys)}",
                    )


def external_secrets_have_the_keys(server: Server) -> Iterator[Fault]:
    """Containers do not start if a key is missing."""
    if not server.external_secrets:
        return
    references: list[tuple[DocumentPath, object]] = [
        (("spec", "env", name), value) for name, value in server.env.items()
    ]
    references += [
        ((*path, "env", name), value)
        for path, container in server.further_containers
        for name, value in container.env.items()
    ]
    references += [(("spec", "files", file.path), file.source) for file in server.files if not file.is_folder]
    secrets = {secret.name: secret.made_keys for secret in server.external_secrets}
    for path, reference in references:
        if not isinstance(reference, SecretRef) or reference.optional or reference.secret not in secrets:
            continue
        keys = secrets[reference.secret]
        if reference.key not in keys:
            yield Fault(
                (*path, "key"),
                "spec/external-secret-key",
                f"Secret '{reference.secret}' has no key '{reference.key}'{suggestion(reference.key, keys)}",
                f"add the key to spec.externalSecrets, which has: {', '.join(keys)}",
            )


RULES = (
    sandbox_limits,
    sandbox_account_is_its_own,
    rights_can_be_used,
    external_secrets_are_distinct,
    templates_use_the_keys,
    external_secrets_have_the_keys,
)

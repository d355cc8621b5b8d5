"""From documents of kind Environment to Environments."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from renderer import assets
from renderer.environment.delivery import ArgoCD, Flux, delivery_faults, make_delivery
from renderer.environment.merge import stamped
from renderer.environment.values import Environment, Merge, Selector
from renderer.errors import DocumentPath, Fault, Problem, Severity, errors_in
from renderer.images import Images, parse
from renderer.later import later
from renderer.model import DNS, Answerer, NamespaceRules, Options, Source
from renderer.pins import system_namespace
from renderer.policy.catalogue import RULES
from renderer.resolve.defaults import defaults_of
from renderer.schemas import Schema, deprecations
from renderer.wording import suggestion

if TYPE_CHECKING:
    from renderer.validate import partial
else:
    partial = later("renderer.validate.partial")  # 1 ms, which only a faulty environment needs

_PREFIX = "policy/"


def make_environments(sources: Sequence[Source]) -> tuple[list[Environment], list[Problem]]:
    """The valid ones, in the order of the input, and all Problems."""
    environments: dict[str, Environment] = {}
    problems: list[Problem] = []
    for source in sources:
        environment, own_faults = _read(source)
        faults = list(map(source.problem, own_faults))
        if environment and (other := environments.get(environment.name)):
            path: DocumentPath = ("metadata", "name")
            there = other.source.place(path)
            message = f"two environments are called '{environment.name}'; the other one: {there}"
            hint = "names are unique in a run: rename one of them"
            fault = Fault(path, "environment/duplicate-name", message, hint)
            faults.append(environment.source.problem(fault)._replace(related=(there,)))
        elif environment and not errors_in(faults):
            environments[environment.name] = environment
        problems += [*faults, *map(source.problem, deprecations(_schema().document, source.data))]
    return list(environments.values()), [*problems, *_delivered_twice(list(environments.values()))]


def _read(source: Source) -> tuple[Environment | None, list[Fault]]:
    """The environment, and its faults; None where only these are known."""
    faults = list(_schema().faults(source.data, "schema"))
    if not faults:
        environment = _environment(source)
        return environment, list(_faults(environment))
    # What is valid of it has its own faults, but for those that a faulty value decides.
    part = partial.valid_part(source, lambda data: _schema().faults(data, "schema"))
    if part:
        valid, faulty = part
        more = _faults(_environment(valid), faulty)
        faults += [fault for fault in more if not _concerns(fault.path, faulty)]
    return None, faults


def _concerns(path: DocumentPath, faulty: Collection[DocumentPath]) -> bool:
    """Whether a faulty value is at, above or below the path."""
    return any(path[: len(each)] == each[: len(path)] for each in faulty)


def _delivered_twice(environments: Sequence[Environment]) -> Iterator[Problem]:
    """No error: each environment may be delivered from a cluster of its own."""
    first: dict[tuple[str, str, str], Environment] = {}
    for environment in environments:
        delivery = environment.delivery
        if isinstance(delivery, ArgoCD | Flux):
            other = first.setdefault((delivery.type, delivery.namespace, delivery.name), environment)
            if other is not environment:
                words = f"environment {other.name} is delivered under the same name in namespace {delivery.namespace}"
                message = f"{words}: in one cluster one would replace the other"
                path: DocumentPath = ("spec", "delivery", "name")
                fault = Fault(path, "environment/duplicate-delivery", message, "rename one", Severity.WARNING)
                yield environment.source.problem(fault)._replace(related=(other.source.place(path),))


@cache
def _schema() -> Schema:
    return Schema(assets.schema("environment"))


def _environment(source: Source) -> Environment:
    filled: Any = defaults_of("environment")(source.data)
    spec, servers = filled["spec"], filled["spec"]["servers"]
    marks = stamped(source.marks, source.file) if source.marks else None
    return Environment(
        source=source._replace(marked=marks),
        name=filled["metadata"]["name"],
        target=spec["target"],
        options=_options(spec, governs=any(source.sets("spec", "namespace", field) for field in _GOVERNING)),
        levels={_rule(name): level or "off" for name, level in spec["policies"].items()},
        include=_selectors(servers["include"], "include") if "include" in servers else None,
        exclude=_selectors(servers["exclude"], "exclude"),
        defaults=Merge(("spec", "defaults"), spec["defaults"]) if "defaults" in spec else None,
        patches=tuple(
            Merge(("spec", "patches", i, "merge"), p["merge"], _selector(p["select"], ("spec", "patches", i, "select")))
            for i, p in enumerate(spec["patches"])
        ),
        images=Images(
            spec["images"]["registryMirrors"],
            {parse(name).name: version for name, version in spec["images"]["pins"].items()},
        ),
        delivery=make_delivery(spec["delivery"], filled["metadata"]["name"]),
    )


#: Fields that apply to a whole namespace: whoever sets one says that mcpctl manages the namespace.
_GOVERNING = ("labels", "annotations", "podSecurity", "quota", "limitRange")


def _answerer(item: dict[str, Any]) -> Answerer:
    return Answerer(item["port"], item.get("namespace"), item.get("podLabels", {}), item.get("cidr"))


def _options(spec: dict[str, Any], *, governs: bool) -> Options:
    namespace = spec["namespace"]
    security = namespace["podSecurity"]
    return Options(
        namespace=namespace["name"],
        kubernetes_version=spec["kubernetesVersion"],
        create_namespace=namespace.get("create", True if governs else None),
        other_namespaces=tuple(namespace["others"]) if "others" in namespace else None,
        network_policy_provider=spec["networkPolicy"]["provider"],
        placeholders=tuple(spec["delivery"].get("substitute", ())),
        dns=tuple(DNS[item] if isinstance(item, str) else _answerer(item) for item in spec["networkPolicy"]["dns"]),
        api_server=tuple(_answerer(item) for item in spec["networkPolicy"].get("apiServer", ())),
        namespace_rules=NamespaceRules(
            enforce=security["enforce"],
            warn=security["warn"],
            version=security.get("version"),
            quota=_quota(namespace.get("quota")),
            limits={name: _amounts(bounds) for name, bounds in namespace.get("limitRange", {}).items()} or None,
            labels=namespace["labels"],
            annotations=namespace["annotations"],
        ),
        sync_waves=spec["delivery"].get("syncWaves", False),
        kustomization=spec["delivery"]["type"] == "kustomize",
    )


def _quota(quota: Mapping[str, Any] | None) -> dict[str, str] | None:
    """With the names of a ResourceQuota."""
    if quota is None:
        return None
    named = {"pods": "pods", "claims": "persistentvolumeclaims", "storage": "requests.storage"}
    hard = {word: str(quota[name]) for name, word in named.items() if name in quota}
    for part in ("requests", "limits"):
        hard |= {f"{part}.{resource}": amount for resource, amount in _amounts(quota.get(part, {})).items()}
    return hard


def _amounts(bounds: Mapping[str, str]) -> dict[str, str]:
    """With Kubernetes' names of resources."""
    return {name.replace("ephemeralStorage", "ephemeral-storage"): amount for name, amount in bounds.items()}


def _selectors(items: Sequence[Mapping[str, Any]], field: str) -> tuple[Selector, ...]:
    return tuple(_selector(item, ("spec", "servers", field, i)) for i, item in enumerate(items))


def _selector(item: Mapping[str, Any], path: DocumentPath) -> Selector:
    return Selector(path, item.get("name"), item.get("glob"), item.get("labels"))


def _rule(name: str) -> str:
    return name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"


# ---------------------------------------------------------------------------------------------
# Checks beyond the schema.


def _faults(environment: Environment, faulty: Collection[DocumentPath] = ()) -> Iterator[Fault]:
    for rule, decisive in _RULES:
        if not any(_concerns(path, faulty) for path in decisive):
            yield from rule(environment)


def _reserved_namespace(environment: Environment) -> Iterator[Fault]:
    options = environment.options
    name = options.namespace
    if options.create_namespace is not False and (whose := system_namespace(name)):
        yield Fault(
            ("spec", "namespace", "name"),
            "environment/reserved-namespace",
            f"the namespace {name} {whose}",
            "choose another name, or say 'create: false' to use it as it is",
        )


def _addresses(environment: Environment) -> Iterator[Fault]:
    """An API server refuses a block with host bits."""
    options = environment.options
    for field, answerers in (("dns", options.dns), ("apiServer", options.api_server)):
        for i, answerer in enumerate(answerers):
            try:
                ipaddress.ip_network(answerer.cidr or "10.0.0.0/8")
            except ValueError:
                path: DocumentPath = ("spec", "networkPolicy", field, i, "cidr")
                hint = "write an address and its prefix length: 10.0.0.10/32"
                yield Fault(path, "environment/cidr", f"'{answerer.cidr}' is not a CIDR block", hint)


def _unknown_versions(environment: Environment) -> Iterator[Fault]:
    options = environment.options
    security: DocumentPath = ("spec", "namespace", "podSecurity", "version")
    places = ((("spec", "kubernetesVersion"), options.kubernetes_version), (security, options.namespace_rules.version))
    known = assets.kubernetes_versions()
    for path, version in places:
        if version is not None and version not in known:
            message = f"no schemas are known of Kubernetes {version}"
            yield Fault(path, "environment/kubernetes-version", message, f"there is: {', '.join(known)}")


def _unknown_policies(environment: Environment) -> Iterator[Fault]:
    document: Any = environment.source.data
    for name in document.get("spec", {}).get("policies", {}):
        if _rule(name) not in RULES:
            path: DocumentPath = ("spec", "policies", name)
            message = f"no policy rule is called '{name}'{suggestion(_rule(name), RULES)}"
            yield Fault(path, "environment/unknown-policy", message, "docs/rules.md lists them", at_key=True)


def _repeated_pins(environment: Environment) -> Iterator[Fault]:
    """``redis`` and ``docker.io/library/redis`` are one image."""
    document: Any = environment.source.data
    seen: dict[str, str] = {}
    for name in document.get("spec", {}).get("images", {}).get("pins", {}):
        other = seen.setdefault(parse(name).name, name)
        if other != name:
            path: DocumentPath = ("spec", "images", "pins", name)
            message = f"this is the same image as '{other}'"
            yield Fault(path, "environment/duplicate-pin", message, "keep one of them", at_key=True)


_ONLY_IN_A_CLUSTER = {
    "namespace": "compose has no namespaces",
    "kubernetesVersion": "compose is no cluster",
    "networkPolicy": "compose has networks of its own, and a proxy for egress to hosts",
}


def _not_rendered(environment: Environment) -> Iterator[Fault]:
    """Fields that the target does not render: never dropped in silence."""
    if environment.target == "compose":
        for field, reason in _ONLY_IN_A_CLUSTER.items():
            if environment.sets("spec", field):
                yield _unrendered(("spec", field), f"not rendered for compose: {reason}")
    elif not environment.options.owns_namespace:
        for field in _GOVERNING:
            if environment.sets("spec", "namespace", field):
                message = "not rendered: 'create: false' says that somebody else governs this namespace"
                yield _unrendered(("spec", "namespace", field), message)


def _unrendered(path: DocumentPath, message: str) -> Fault:
    hint = "remove it, or choose a target that has it"
    return Fault(path, "environment/not-rendered", message, hint, Severity.WARNING, at_key=True)


def _delivery(environment: Environment) -> Iterator[Fault]:
    return delivery_faults(environment.delivery, environment.name, environment.target)


_TARGET, _CREATE = ("spec", "target"), ("spec", "namespace", "create")
#: Each rule, and the fields that decide whether it holds for the value that it finds fault with.
_RULES: tuple[tuple[Callable[[Environment], Iterator[Fault]], Sequence[DocumentPath]], ...] = (
    (_reserved_namespace, [_CREATE]),
    (_addresses, []),
    (_unknown_versions, []),
    (_unknown_policies, []),
    (_repeated_pins, []),
    (_not_rendered, [_TARGET, _CREATE]),
    (_delivery, [_TARGET, ("metadata", "name")]),
)

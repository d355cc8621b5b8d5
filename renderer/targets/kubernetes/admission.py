"""What the LimitRange and ResourceQuota of the namespace make of a server's pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from renderer.bundle import bundle_fetch
from renderer.errors import DocumentPath, Fault
from renderer.launch import launch
from renderer.model import Amounts, Options, Resources, Server
from renderer.namedtuples import NamedTuple
from renderer.pins import BUNDLE_CPU, BUNDLE_MEMORY, GUARD_CPU, GUARD_MEMORY
from renderer.quantity import amount

#: Kubernetes' resource names: field of the spec, attribute of the model.
_RESOURCES = {
    "cpu": ("cpu", "cpu"),
    "memory": ("memory", "memory"),
    "ephemeral-storage": ("ephemeralStorage", "ephemeral_storage"),
}
#: As in the template, for the init container that copies a bridge,
_OF_BRIDGE = Resources(Amounts("10m", "16Mi"), Amounts("100m", "128Mi"))
#: for the one that fetches a bundle,
_OF_BUNDLE = Resources(Amounts(BUNDLE_CPU[0], BUNDLE_MEMORY[0]), Amounts(BUNDLE_CPU[1], BUNDLE_MEMORY[1]))
#: and for the guard.
_OF_GUARD = Resources(Amounts(GUARD_CPU[0], GUARD_MEMORY[0]), Amounts(GUARD_CPU[1], GUARD_MEMORY[1]))
_REFUSED = "the API server refuses the pod"
#: Amounts of a LimitRange by name (``max``), each by resource.
_Range = Mapping[str, Mapping[str, str]]


class _Container(NamedTuple):
    """Amounts by resource, with the defaults of admission; ``path``: their field of the spec."""

    path: DocumentPath
    requests: Mapping[str, str]
    limits: Mapping[str, str]


def refused_by_the_namespace(server: Server, options: Options) -> Iterator[Fault]:
    """Only for a namespace that is rendered: the rules of others are unknown."""
    rules = options.namespace_rules
    if server.namespace:
        return
    within = rules.limits or {}
    running = [_filled(("spec", "resources"), server.resources, within)]
    running += [
        _filled(("spec", "sidecars", i, "resources"), c.resources, within) for i, c in enumerate(server.sidecars)
    ]
    running += [_filled(("spec", "access"), _OF_GUARD, within)] if server.guard else []
    before = [
        _filled(("spec", "initContainers", i, "resources"), container.resources, within)
        for i, container in enumerate(server.init_containers)
    ]
    before += [_filled(("spec", "transport"), _OF_BRIDGE, within)] if launch(server).copy else []
    before += [_filled(("spec", "package"), _OF_BUNDLE, within)] if bundle_fetch(server) else []
    for container in (*running, *before):
        yield from _outside(container, within)
    for name, most in within.get("podMax", {}).items():
        limits = [container.limits[name] for container in running if name in container.limits]
        silent = [container for container in running if name not in container.limits]
        if silent:
            yield _fault(silent[0], "limits", name, f"is missing, and needed for podMax ({most})")
        elif sum(map(amount, limits)) > amount(most):
            yield _fault(
                running[0], "limits", name, f"of the pod ({' + '.join(limits)}) is higher than podMax ({most})"
            )
    yield from _evicted(server, running)
    yield from _beyond(server, running, before, rules.quota or {})


def _filled(path: DocumentPath, resources: Resources, within: _Range) -> _Container:
    """As admission does: a missing request is the limit, then the LimitRange's defaults apply."""
    limit_else = {**within.get("max", {}), **within.get("default", {})}
    request_else = {**within.get("min", {}), **limit_else, **within.get("defaultRequest", {})}
    requests, limits = {}, {}
    for name, (_, attribute) in _RESOURCES.items():
        asked, bound = getattr(resources.requests, attribute), getattr(resources.limits, attribute)
        requests[name] = asked or bound or request_else.get(name)
        limits[name] = bound or limit_else.get(name)
    return _Container(path, {k: v for k, v in requests.items() if v}, {k: v for k, v in limits.items() if v})


def _outside(container: _Container, within: _Range) -> Iterator[Fault]:
    least, most = within.get("min", {}), within.get("max", {})
    for name, limit in container.limits.items():
        if name in most and amount(limit) > amount(most[name]):
            yield _fault(container, "limits", name, f"({limit}) is higher than max ({most[name]})")
    for name, request in container.requests.items():
        limit = container.limits.get(name, request)
        if name in least and amount(request) < amount(least[name]):
            yield _fault(container, "requests", name, f"({request}) is lower than min ({least[name]})")
        if amount(request) > amount(limit):
            yield _fault(container, "requests", name, f"({request}) is higher than the default limit ({limit})")


def _fault(container: _Container, side: str, name: str, words: str) -> Fault:
    field, noun = _RESOURCES[name][0], side.removesuffix("s")
    message = f"the {field} {noun} {words} of the namespace's LimitRange: {_REFUSED}"
    hint = "change it, or namespace.limitRange of the Environment"
    return Fault((*container.path, side, field), "kubernetes/limit-range", message, hint)


def _evicted(server: Server, running: Sequence[_Container]) -> Iterator[Fault]:
    """For a default limit; one of the spec is checked elsewhere."""
    if server.resources.limits.ephemeral_storage:
        return
    started, disk = launch(server), [container.limits.get("ephemeral-storage") for container in running]
    folders = [folder.size for folder in started.writable if not folder.in_memory]
    folders += [part.size for part in (started.copy, bundle_fetch(server)) if part]
    if all(disk) and sum(map(amount, folders)) > sum(amount(size) for size in disk if size):
        words = f"({' + '.join(filter(None, disk))}) is lower than the temporary folders ({' + '.join(folders)})"
        message = f"the default {words}: the pod is evicted before they are full"
        hint = "set it, or lower package.cacheSize and security.writablePaths"
        yield Fault(("spec", "resources", "limits", "ephemeralStorage"), "kubernetes/limit-range", message, hint)


def _beyond(
    server: Server, running: Sequence[_Container], before: Sequence[_Container], quota: Mapping[str, str]
) -> Iterator[Fault]:
    """Checks the fewest pods of this server alone."""
    pods, sizes = server.fewest_pods, [volume.size for volume in server.storage if volume.size]
    sets = pods if server.workload == "StatefulSet" else 1
    counted: dict[str, tuple[DocumentPath, Sequence[str], int]] = {
        "pods": (("spec", "replicas"), ["1"], pods),
        "persistentvolumeclaims": (("spec", "storage"), ["1" for _ in sizes], sets),
        "requests.storage": (("spec", "storage"), sizes, sets),
    }
    for name, most in quota.items():
        side, _, resource = name.partition(".")
        if name not in counted:
            silent = [container for container in (*running, *before) if resource not in getattr(container, side)]
            path = (*(silent or running)[0].path, side, _RESOURCES[resource][0])
            counted[name] = path, [getattr(container, side).get(resource, "0") for container in running], pods
            if silent:
                message = f"the namespace has a quota on {name}, and this container does not say it: {_REFUSED}"
                hint = "set it, or give all containers one: namespace.limitRange.default of the Environment"
                yield Fault(counted[name][0], "kubernetes/quota", message, hint)
        path, amounts, times = counted[name]
        if sum(map(amount, amounts)) * times > amount(most):
            needed = f"{' + '.join(amounts)}{f', {times} times' if times > 1 else ''}"
            message = f"the server needs more of {name} ({needed}) than the quota of the namespace has ({most})"
            yield Fault(path, "kubernetes/quota", message, "lower it, or raise namespace.quota of the Environment")

"""Which workloads are MCP servers, which container is the server, and how it is reached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from renderer.errors import DocumentPath
from renderer.importers.bridges import Wrapped, wrapped
from renderer.importers.draft import Reading, plain_text, port_number
from renderer.importers.images import accept
from renderer.importers.manifests.objects import Object, mapping, pod_labels, pod_spec, texts
from renderer.importers.packages import Started, started
from renderer.manifest import items, mappings
from renderer.model import JSON

KINDS = ("Deployment", "StatefulSet", "Pod")
_SIGNS = re.compile(r"(?<![a-z])mcp(?![a-z])|mcpo|supergateway|modelcontextprotocol|context-?forge", re.IGNORECASE)
#: Databases, proxies and the like.
_INFRASTRUCTURE = re.compile(
    r"(^|[/-])(postgres(ql)?|redis|valkey|mysql|mariadb|mongo(db)?|qdrant|chroma|elasticsearch|opensearch|memcached|"
    r"rabbitmq|nats|kafka|minio|nginx|traefik|caddy|envoy|haproxy|busybox|alpine|cloud-?sql-proxy|oauth2-proxy|"
    r"prometheus|grafana|loki|vector|fluent-?bit|otel.*collector|tailscale|cloudflared|keycloak|neo4j)(?![a-z-]*mcp)"
    r"$",
    re.IGNORECASE,
)
_OF_A_CLIENT = re.compile(r"_(URLS?|URIS?|SERVERS)$", re.IGNORECASE)
_SSE = re.compile(r"^(sse|http\+sse|/sse/?)$|[=/]sse/?$", re.IGNORECASE)
_PATH_OPTION = re.compile(r"--(?:http-|mcp-|streamable-?http-?|endpoint-|base-)?path=(/\S*)")


def signs(text: str) -> bool:
    """Whether the text mentions MCP."""
    return bool(_SIGNS.search(text))


def signs_of_variables(names: Iterable[str]) -> bool:
    """Whether variables configure an MCP server; URLs of servers are of clients."""
    return any(signs(name.replace("_", "-")) and not _OF_A_CLIENT.search(name) for name in names)


def is_infrastructure(image: str) -> bool:
    """Whether it is a known database, proxy or similar."""
    name = re.sub(r"@.*", "", image)
    name = re.sub(r":[^/]*$", "", name)
    return bool(_INFRASTRUCTURE.search(name)) and not signs(image)


def words_of(container: Mapping[str, JSON]) -> list[str]:
    return [plain_text(word) for key in ("command", "args") for word in items(container.get(key))]


def servers_among(workloads: Sequence[Object]) -> list[Object]:
    """Workloads that mention MCP, or else all that are no known infrastructure."""
    certain = [each for each in workloads if _score(each) > 1]
    return certain or [each for each in workloads if _score(each) == 1]


def _score(workload: Object) -> int:
    containers = mappings(pod_spec(workload).get("containers"))
    images = [plain_text(each.get("image")) for each in containers]
    if images and all(map(is_infrastructure, images)):
        return 0
    text = [workload.name, *images, *workload.labels.values(), *pod_labels(workload).values()]
    text += [word for each in containers for word in words_of(each)]
    variables = (plain_text(env.get("name")) for each in containers for env in mappings(each.get("env")))
    return 2 if any(map(signs, text)) or signs_of_variables(variables) else 1


def main_container(workload: Object) -> int:
    """Index of the container that is the server."""
    containers = mappings(pod_spec(workload).get("containers"))

    def score(number: int) -> tuple[bool, bool, bool, int]:
        each = containers[number]
        image = plain_text(each.get("image"))
        speaks = any(map(signs, [image, plain_text(each.get("name")), *words_of(each)]))
        return not is_infrastructure(image), speaks, bool(each.get("ports")), -number

    return max(range(len(containers)), key=score) if containers else 0


#: Decisions about servers without a port, and bridges of images.
ATTACHED = "how clients reach it: it listens on no port, so they attach to its stdin"
AS_PACKAGE = "'package' with a version and 'bridge: supergateway' instead of this image and its arguments"


class Transport(NamedTuple):
    """``path``: empty if unknown. ``wrapper``: the bridge."""

    type: str
    port: int
    path: str
    named: Mapping[str, int]
    wrapper: Wrapped | None

    @property
    def start(self) -> Started | None:
        """The package that the bridge starts at an exact version, if any."""
        return started(self.wrapper.inner) if self.wrapper else None


def transport_of(workload: Object, number: int, target_ports: Sequence[str]) -> Transport:
    """Derived from ports, probes, words and variables; ``target_ports`` are those of Services."""
    container = mappings(pod_spec(workload).get("containers"))[number]
    env = {plain_text(each.get("name")): plain_text(each.get("value")) for each in mappings(container.get("env"))}
    words = words_of(container)
    wrapper = wrapped(words, plain_text(container.get("image")))
    ports = {
        plain_text(each.get("name")) or f"port-{each.get('containerPort')}": port_number(each.get("containerPort"))
        for each in mappings(container.get("ports"))
        if plain_text(each.get("protocol")) in ("", "TCP")
    }
    probes = [mapping(container, f"{name}Probe", "httpGet") for name in ("readiness", "liveness", "startup")]
    asked = [plain_text(probe.get("port")) for probe in probes]
    port = _port(ports, [*target_ports, *asked], env, words, wrapper)
    if not port:
        return Transport("stdio", 0, "", ports, wrapper)
    hints = [*words, *(plain_text(probe.get("path")) for probe in probes)]
    hints += [value for name, value in env.items() if name.upper().endswith(("TRANSPORT", "MODE", "PATH", "PROTOCOL"))]
    sse = wrapper.sse if wrapper else any(_SSE.search(hint) for hint in hints)
    return Transport("sse" if sse else "streamable-http", port, _path(env, words, wrapper), ports, wrapper)


def _port(
    ports: Mapping[str, int],
    targets: Sequence[str],
    env: Mapping[str, str],
    words: Sequence[str],
    wrapper: Wrapped | None,
) -> int:
    """By name, by what Services target, else the first; else one that options or variables name."""
    for name in ("mcp", "http-mcp", "mcp-http"):
        if ports.get(name):
            return ports[name]
    numbers = list(filter(None, (ports.get(target) or port_number(target) for target in targets)))
    own = [number for number in numbers if number in ports.values()] or ([] if ports else numbers)
    if own or ports:
        return own[0] if own else next(iter(ports.values()))
    variables = [
        port_number(value) for name, value in env.items() if name.upper().endswith("PORT") and "DB" not in name.upper()
    ]
    options = [port_number(following) for word, following in pairwise(words) if word in ("--port", "-p")]
    options += [port_number(word.partition("=")[2]) for word in words if word.startswith("--port=")]
    return next((number for number in [wrapper.port if wrapper else 0, *options, *variables] if number), 0)


def _path(env: Mapping[str, str], words: Sequence[str], wrapper: Wrapped | None) -> str:
    if wrapper:
        return wrapper.path
    joined = [f"{word}={following}" for word, following in pairwise(words)]
    paths = [match[1] for word in [*words, *joined] if (match := _PATH_OPTION.fullmatch(word))]
    paths += [value for name, value in env.items() if name.upper() in ("MCP_PATH", "MCP_HTTP_PATH", "FASTMCP_PATH")]
    return next((path.rstrip("/") or "/" for path in paths if path.startswith("/")), "")


def selector_of(workload: Object) -> dict[str, str]:
    """The immutable selector, or a Pod's labels; empty with matchExpressions."""
    selector = mapping(workload.spec, "selector")
    if workload.kind == "Pod":
        return pod_labels(workload)
    return {} if selector.get("matchExpressions") else texts(mapping(selector, "matchLabels"))


def set_path(reading: Reading, path: str, why: str, *, sse: bool) -> None:
    """The path (empty: unknown); SSE is accepted although deprecated."""
    target: DocumentPath = ("spec", "transport", "path")
    if path:
        reading.default(target, path, why)
    else:
        usual = "/sse" if sse else "/mcp"
        reading.leave((), target, f"the path of MCP: nothing names it, and {usual} is assumed")
    if sse:
        accept(reading, "spec/deprecated-sse", "", "the server speaks the older transport, as it is installed")

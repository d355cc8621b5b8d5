"""The kinds of consequences, and what all rules use: pairs of objects, none of them trusted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from renderer.images import parse
from renderer.manifest import as_mapping

if TYPE_CHECKING:
    from renderer.diff.objects import Change, Object

Name = Literal[
    "data-loss", "replacement", "egress", "ingress", "exposure", "access", "rbac", "hardening", "container", "secret",
    "data", "dns", "labels", "source", "accepted", "no-digest", "unenforced", "image", "packages", "restart", "scaling",
    "resources", "addition", "removal", "update", "delivery", "files", "cosmetic",
]  # fmt: skip


class Kind(NamedTuple):
    """A row: the headline, when it fires, and whether reviewers must look at it."""

    words: str
    fires: str
    grave: bool = False


#: The most important first. docs/diff.md has this table, which a test compares.
CONSEQUENCES: Mapping[Name, Kind] = {
    "data-loss": Kind(
        "data may be lost",
        "a volume, claim or Namespace is removed or shrinks; a claim of a StatefulSet has another name; pods no longer "
        "use a claim, or compose a volume",
        grave=True,
    ),
    "replacement": Kind(
        "must be replaced",
        "a field changes that an API server refuses to change: selectors, claim templates, `clusterIP`, "
        "a Job's template, `roleRef`, a Pod's spec, what is `immutable`; a workload moves to another namespace",
        grave=True,
    ),
    "egress": Kind(
        "new or wider egress",
        "pods reach more than before; compose sends logs to a driver or address beyond the machine",
        grave=True,
    ),
    "ingress": Kind("wider ingress", "pods are reached by more than before", grave=True),
    "exposure": Kind(
        "exposed to more",
        "a new host or path, no TLS any more, another class of an Ingress, `LoadBalancer`, `NodePort`, "
        "a port of a node, a port that compose publishes elsewhere, labels of a proxy such as Traefik; "
        "a host or port that leads to another Service, port or pods; "
        "an annotation by which a controller decides who may call, or publishes a name in DNS",
        grave=True,
    ),
    "access": Kind(
        "callable by more",
        "`access` is removed, or is wider: an issuer, an audience, other keys, a scope or group less, a tool, an "
        "origin, a higher rate limit or none; the token is forwarded; a new Ingress or HTTPRoute of a server that asks "
        "for no token; any change in the policy of a gateway",
        grave=True,
    ),
    "rbac": Kind(
        "wider rights",
        "a right, a subject, a token of the API, an annotation of a ServiceAccount that may give it an identity; pods "
        "run as another ServiceAccount",
        grave=True,
    ),
    "hardening": Kind(
        "weaker hardening",
        "a pod, container, service or namespace loses a protection; a folder, device, group or socket of the machine, "
        "however it comes; an ephemeral volume; a mount that spreads to or from the node; nodes of the control plane, "
        "one chosen node or any, a priority of the system, another handler of a RuntimeClass, or another or no "
        "RuntimeClass for pods or sandboxes; programs that run from a writable folder of compose; processes or logs "
        "without a bound there; a key of a compose service that is not known to be harmless",
        grave=True,
    ),
    "container": Kind(
        "new container or image",
        "another container, init container, service or mounted image than before; a label or annotation by which a "
        "mesh or an agent puts containers into pods",
        grave=True,
    ),
    "secret": Kind(
        "secret given to more",
        "a Secret, key, entry of an external store or variable is referred to for the first time, or from one more "
        "variable, file or container; a container that has one gets another image (not only another version) or runs "
        "another program (command, entrypoint, hook, health check), one that is mounted, with mounted libraries or "
        "authorities (`/usr`, `/etc/ld.so.preload`, `/etc/ssl`), or has another variable such as `LD_PRELOAD`, "
        "`NODE_OPTIONS`, `PIP_INDEX_URL`, `SSL_CERT_FILE` or `HTTPS_PROXY`",
        grave=True,
    ),
    "data": Kind(
        "data given to more",
        "a claim or volume that exists already, and others may use, is mounted for the first time, or may be written "
        "from now on",
        grave=True,
    ),
    "dns": Kind(
        "names resolved elsewhere",
        "another nameserver, search domain or `dnsPolicy`; an address for a name (`hostAliases`, `extra_hosts`, "
        "`ExternalName`, a mounted `/etc/hosts`); a compose service that answers for a name with a dot",
        grave=True,
    ),
    "labels": Kind(
        "selected by other servers' rules",
        "labels of pods by which the policy or Service of another server in the tree selects them",
        grave=True,
    ),
    "source": Kind(
        "delivers from or to elsewhere",
        "a field by which Argo CD or Flux deliver something else, elsewhere or no longer: repository, revision, path, "
        "cluster, namespace, project, account, `prune`, `suspend`; any field not known to be harmless; one of several "
        "Applications, Kustomizations or repositories comes or goes",
        grave=True,
    ),
    "accepted": Kind("finding accepted", "the spec accepts a finding of policy that it did not before", grave=True),
    "no-digest": Kind("image without a digest", "a new image has no digest", grave=True),
    "unenforced": Kind(
        "stated, not enforced",
        "a comment or annotation says that a host, address or other wish of the spec is not enforced, not reached or "
        "not rendered, and what it says of is another one",
    ),
    "image": Kind("other image", "an image is another one"),
    "packages": Kind(
        "other packages",
        "a package that a container downloads to run it, one beside it (`package.with`), or its version; the lock of a "
        "package changes, or is removed: `package.lock`",
    ),
    "restart": Kind("restarts pods", "a pod template, or a compose service, is another one"),
    "scaling": Kind("changes scaling", "replicas, autoscalers and budgets"),
    "resources": Kind("other resources", "requests, limits and quotas"),
    "addition": Kind("adds objects", "an object is new; for a new server all of its objects"),
    "removal": Kind("removes objects", "an object, or a port of a Service, is removed"),
    "update": Kind("changes objects in place", "an object changes and none of the above says how"),
    "delivery": Kind("changes delivery", "how often and how Argo CD or Flux deliver, or which of them does"),
    "files": Kind("other files", "only `kustomization.yaml` and the like change"),
    "cosmetic": Kind(
        "cosmetic only",
        "comments, layout, files for people; labels and annotations that nothing selects or acts on. One with the "
        "domain of another program (`argocd.argoproj.io/…`) is never cosmetic, nor is a label in compose, which makes "
        "another container",
    ),
}


class Consequence(NamedTuple):
    """``detail`` names the object, in a few words, and may quote values."""

    name: Name
    detail: str = ""


class Pair(NamedTuple):
    """One object before and now; None where it does not exist."""

    old: Object | None
    new: Object | None
    changes: tuple[Change, ...]

    @property
    def object(self) -> Object:
        """The new one, or else the old one."""
        either = self.new or self.old
        assert either
        return either

    @property
    def before(self) -> dict[str, Any]:
        return as_mapping(self.old.data) if self.old else {}

    @property
    def now(self) -> dict[str, Any]:
        return as_mapping(self.new.data) if self.new else {}


def few(names: Collection[str], most: int = 3) -> str:
    """The first ones, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(list(names)[:most]) + more


def added(name: Name, label: str, before: Set[str], now: Set[str]) -> Iterator[Consequence]:
    """One for each new detail."""
    yield from (Consequence(name, f"{label} {detail}") for detail in sorted(now - before))


#: Files of a container's resolver.
RESOLVER_FILES = ("/etc", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/resolv.conf")
#: Annotations and labels that grant nothing: mcpctl's, for people, and of programs that only restart, order or note.
HARMLESS = (
    "mcpctl.io/",
    "app.kubernetes.io/",
    "kubernetes.io/description",
    "kubectl.kubernetes.io/last-applied-configuration",
    "helm.sh/",
    "meta.helm.sh/",
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "config.kubernetes.io/",
    "internal.config.kubernetes.io/",
    "reloader.stakater.com/",
    "secret.reloader.stakater.com/",
    "configmap.reloader.stakater.com/",
    "prometheus.io/",
    "checksum/",
    "cert-manager.io/",
)


def image_rules(name: str, before: object, now: object) -> Iterator[Consequence]:
    """An unchanged image has none."""
    if before == now or not isinstance(now, str):
        return
    if before is not None:
        yield Consequence("image", f"{name}: {before} → {now}")
    if "@sha256:" not in now:
        yield Consequence("no-digest", f"{name}: {now}")


#: They run the program that follows.
# fmt: off
_RUNNERS = frozenset({
    "ash", "bash", "bun", "bunx", "busybox", "dash", "deno", "dlx", "docker-entrypoint.sh", "dumb-init", "env",
    "exec", "java", "node", "npm", "npx", "perl", "pipx", "pnpm", "python", "python3", "ruby", "run", "sh",
    "tini", "tool", "uv", "uvx", "yarn", "zsh"
})
#: Options with a value.
_VALUED = frozenset({
    "--classpath", "--cp", "--default-index", "--from", "--import", "--index", "--index-url", "--loader",
    "--package", "--python", "--require", "--with", "-classpath", "-cp", "-p", "-r"
})
# fmt: on
#: They download the packages that follow.
_DOWNLOADERS = frozenset({"bunx", "npx", "uvx"})
#: The server's command follows in the arguments of a bridge.
_COMMAND_FOLLOWS = ("--", "--stdio")
#: Another version of a package is the same program, and so is another port or path of a probe.
_VERSION = re.compile(r"(?:@|==)(?:v?\d[\w.+-]*|latest|next)$")
_PROBED = re.compile(r"(?<=127\.0\.0\.1)(?:', |:)\d+[/\w-]*")
_ASSIGNMENT = re.compile(r"\w+=(?!=)")
_WAITS = {("sleep",), ("/bin/sleep",), ("true",), ("/bin/true",)}
Program = tuple[str, ...]
#: Paths of programs, libraries and certificate authorities.
_SYSTEM = re.compile(
    r"/+$|/(?:bin|sbin|lib\d*|usr|opt|root|etc/(?:ld\.so\.[\w.]+|ssl|pki|ca-certificates|profile(?:\.d)?|passwd|group))/"
    r"|/.*/(?:site-packages|dist-packages|node_modules)/"
)
#: The proxy of the server's own compose project, whose rules are compared elsewhere.
_OWN_PROXY = re.compile(r"http://[a-z0-9-]+\.proxy:\d+")
#: Variables that name code which programs load, where they find or download it, or a proxy.
# fmt: off
_LOADING = frozenset({
    "ALL_PROXY", "BASH_ENV", "BUN_CONFIG_REGISTRY", "BUN_OPTIONS", "CLASSPATH", "CORECLR_PROFILER",
    "CORECLR_PROFILER_PATH", "COR_PROFILER", "COR_PROFILER_PATH", "CURL_CA_BUNDLE", "DENO_CERT",
    "DENO_TLS_CA_STORE", "DOTNET_STARTUP_HOOKS", "ENV", "GCONV_PATH", "GEM_HOME", "GEM_PATH", "GIT_EXEC_PATH",
    "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_NO_VERIFY", "GOPROXY", "HTTPS_PROXY", "HTTP_PROXY", "JAVA_OPTS",
    "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD", "LUA_CPATH", "LUA_PATH",
    "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS", "NODE_PATH", "NODE_TLS_REJECT_UNAUTHORIZED", "NPM_CONFIG_REGISTRY",
    "NPM_CONFIG_USERCONFIG", "OPENSSL_CONF", "OPENSSL_MODULES", "PATH", "PERL5DB", "PERL5LIB", "PERL5OPT",
    "PHPRC", "PHP_INI_SCAN_DIR", "PIP_CONFIG_FILE", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL",
    "PYTHONBREAKPOINT", "PYTHONHOME", "PYTHONHTTPSVERIFY", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE",
    "REQUESTS_CA_BUNDLE", "RUBYLIB", "RUBYOPT", "SSL_CERT_DIR", "SSL_CERT_FILE", "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX", "UV_INDEX_URL", "UV_INSECURE_HOST",
    "_JAVA_OPTIONS"
})
# fmt: on


def programs(command: Iterable[object], args: Iterable[object] = ()) -> set[Program]:
    """What an argument list runs. Without a command it is the image's program, unless the arguments name one."""
    first = [str(word) for word in command]
    words = [*first, *map(str, args)]
    starts = [number + 1 for number, word in enumerate(words) if word in _COMMAND_FOLLOWS]
    if first or (words and ("/" in words[0].split(" ")[0] or words[0] in _RUNNERS)):
        starts.append(0)
    names = {_program([*words[start].split(), *words[start + 1 :]]) for start in starts if words[start:]}
    return names - _WAITS - {()}


def loaded(variables: Iterable[tuple[str, object]]) -> set[Program]:
    """Variables by which programs load code."""
    named = [(name, str(value)) for name, value in variables if name.upper() in _LOADING]
    return {("by", name, value) for name, value in named if not _OWN_PROXY.fullmatch(value)}


def mounted_programs(programs: Set[Program], mounts: Iterable[tuple[object, object]]) -> set[Program]:
    """Mounts (path, source) over programs, libraries, and certificate authorities."""
    words = [word for program in programs for word in program if word.startswith("/")]
    mounts = list(mounts)
    system = {("with", str(path), str(source)) for path, source in mounts if _SYSTEM.match(f"{path}/")}
    return system | {
        (word, "from", str(source))
        for path, source in mounts
        for word in words
        if f"{word}/".startswith(f"{str(path).rstrip('/')}/")
    }


def _program(words: Sequence[str]) -> Program:
    """The words to the first that is no option of a program that runs another."""
    kept: list[str] = []
    valued = False
    for word in words:
        kept.append((_PROBED if " " in word or "(" in word else _VERSION).sub("", word))
        option = valued or word.startswith("-") or _ASSIGNMENT.match(word)
        if not option and word.rpartition("/")[2] not in _RUNNERS:
            break
        valued = word in _VALUED
    return tuple(kept)


def packages(command: Iterable[object], args: Iterable[object] = ()) -> tuple[str, ...]:
    """The packages, with versions, that an argument list downloads: the words of ``uvx`` to the program's own."""
    names, valued, downloads = list[str](), False, False
    for word in map(str, (*command, *args)):
        if word.rpartition("/")[2] in _DOWNLOADERS:
            downloads = True
        elif downloads and not word.startswith("-"):
            names.append(word)
            downloads = valued
        valued = word in _VALUED
    return tuple(names)


def package_rules(name: str, before: Sequence[str], now: Sequence[str]) -> Iterator[Consequence]:
    """Other code under the same image."""
    removed, new = ([word for word in ours if word not in theirs] for ours, theirs in ((before, now), (now, before)))
    if removed or new:
        yield Consequence("packages", f"{name}: {', '.join(removed) or '(none)'} → {', '.join(new) or '(none)'}")


def given_to_programs(
    name: str, before: Set[Program], now: Set[Program], secrets: Sequence[str]
) -> Iterator[Consequence]:
    """Secrets of a container that runs another program; scripts and values of variables are left out."""
    for program in sorted(now - before if secrets else ()):
        words = " ".join("…" if " " in word or "\n" in word else word for word in program)
        way = {"by": "what variable {1} names", "with": "what is mounted at {1}"}.get(program[0], "program {0}")
        yield Consequence("secret", f"{name}: {few(secrets)} → {way.format(words, *program[1:2])}")


def handed_on(name: str, before: str, now: str, secrets: Sequence[str]) -> Iterator[Consequence]:
    """Secrets of a container with another image; another version of the same one does not count."""
    if secrets and parse(before).name != parse(now).name:
        yield Consequence("secret", f"{name}: {few(secrets)} → image {parse(now).name}")


def unlike(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """``limits.cpu 500m → not set``."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    names = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
    return few([f"{name} {amount(old.get(name))} → {amount(new.get(name))}" for name in names], 4)


def _leaves(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}", inner


def amount(value: object) -> str:
    return "not set" if value is None else str(value)

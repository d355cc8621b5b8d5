"""What a change can lead to, and what the rules are given: pairs of objects, of which nothing is trusted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from renderer.images import parse
from renderer.manifest import as_mapping

if TYPE_CHECKING:
    from renderer.diff.objects import Change, Object

Name = Literal[
    "data-loss",
    "replacement",
    "egress",
    "ingress",
    "exposure",
    "access",
    "rbac",
    "hardening",
    "container",
    "secret",
    "data",
    "dns",
    "labels",
    "accepted",
    "no-digest",
    "unenforced",
    "image",
    "packages",
    "restart",
    "scaling",
    "resources",
    "addition",
    "removal",
    "update",
    "delivery",
    "files",
    "cosmetic",
]


class Kind(NamedTuple):
    """A row of the table: what is said, when it fires, and whether it asks for a second look."""

    words: str
    fires: str
    grave: bool = False


#: In the order in which a reviewer wants them. docs/diff.md has this table, which a test holds equal.
CONSEQUENCES: Mapping[Name, Kind] = {
    "data-loss": Kind(
        "data may be lost",
        "a volume, claim or Namespace goes or shrinks; a claim of a StatefulSet has another name; pods no longer "
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
        "an annotation by which a controller decides who may call, or publishes a name in DNS",
        grave=True,
    ),
    "access": Kind(
        "callable by more",
        "`access` goes, or is wider: an issuer, an audience, other keys, a scope or group less, a tool, an origin, a "
        "higher rate limit or none; the token is forwarded; a new Ingress or HTTPRoute of a server that asks for no "
        "token",
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
        "one chosen node or any, or a priority of the system; programs that run from a writable folder of compose; "
        "processes or logs without a bound there; a key of a compose service that is not known to be harmless",
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
        "another program (command, entrypoint, hook, health check), one that is mounted, or has another variable such "
        "as `LD_PRELOAD`, `NODE_OPTIONS`, `PIP_INDEX_URL` or `HTTPS_PROXY`",
        grave=True,
    ),
    "data": Kind(
        "data given to more",
        "a claim or volume that is there already, and others may use, is mounted for the first time, or may be written "
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
        "taken for another's pods",
        "labels of pods by which the policy or Service of another server in the tree selects them",
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
    "packages": Kind("other packages", "the lock of a package changes, or goes: `package.lock`"),
    "restart": Kind("restarts pods", "a pod template, or a compose service, is another one"),
    "scaling": Kind("changes scaling", "replicas, autoscalers and budgets"),
    "resources": Kind("other resources", "requests, limits and quotas"),
    "addition": Kind("adds objects", "an object comes; for a new server all of its objects"),
    "removal": Kind("removes objects", "an object, or a port of a Service, goes"),
    "update": Kind("changes objects in place", "an object changes and none of the above says how"),
    "delivery": Kind("changes delivery", "what Argo CD or Flux get, or which of them delivers"),
    "files": Kind("other files", "only `kustomization.yaml` and the like change"),
    "cosmetic": Kind(
        "cosmetic only",
        "comments, layout, files for people; labels and annotations that nothing selects or acts on. One with the "
        "domain of another program (`argocd.argoproj.io/…`) is never cosmetic, nor is a label in compose, which makes "
        "another container",
    ),
}


class Consequence(NamedTuple):
    """One thing that a change leads to; ``detail`` says of what, in a few words, and may quote values."""

    name: Name
    detail: str = ""


class Pair(NamedTuple):
    """One object before and now; None where it is not there."""

    old: Object | None
    new: Object | None
    changes: tuple[Change, ...]

    @property
    def object(self) -> Object:
        """The new one, or else the old one."""
        found = self.new or self.old
        assert found
        return found

    @property
    def before(self) -> dict[str, Any]:
        """The old data, empty where there is none."""
        return as_mapping(self.old.data) if self.old else {}

    @property
    def now(self) -> dict[str, Any]:
        """The new data, empty where there is none."""
        return as_mapping(self.new.data) if self.new else {}


#: What the resolver of a container reads.
RESOLVER_FILES = ("/etc", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/resolv.conf")
#: Annotations and labels that are known to give nobody anything: of ours, for people, and of programs that only
#: restart, order or note.
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
)


def image_rules(name: str, before: object, now: object) -> Iterator[Consequence]:
    """Of one container's image; one that was there before is not told again."""
    if before == now or not isinstance(now, str):
        return
    if before is not None:
        yield Consequence("image", f"{name}: {before} → {now}")
    if "@sha256:" not in now:
        yield Consequence("no-digest", f"{name}: {now}")


#: They run the program that the words behind them say.
# fmt: off
_RUNNERS = frozenset({
    "ash", "bash", "bun", "bunx", "busybox", "dash", "deno", "dlx", "docker-entrypoint.sh", "dumb-init", "env",
    "exec", "java", "node", "npm", "npx", "perl", "pipx", "pnpm", "python", "python3", "ruby", "run", "sh",
    "tini", "tool", "uv", "uvx", "yarn", "zsh"
})
# fmt: on
#: Behind these a bridge has the server's command.
_COMMAND_FOLLOWS = ("--", "--stdio")
#: Of a package another version is no other program, nor is another port or path of a probe.
_VERSION = re.compile(r"(?:@|==)(?:v?\d[\w.+-]*|latest|next)$")
_PROBED = re.compile(r"(?<=127\.0\.0\.1)(?:', |:)\d+[/\w-]*")
_ASSIGNMENT = re.compile(r"\w+=(?!=)")
_WAITS = {("sleep",), ("/bin/sleep",), ("true",), ("/bin/true",)}
Program = tuple[str, ...]
#: That of the server's own compose project: what it lets through is compared by itself.
_OWN_PROXY = re.compile(r"http://[a-z0-9-]+\.proxy:\d+")
#: Variables that name code which programs load, where they find or download it, or through whom they connect.
# fmt: off
_LOADING = frozenset({
    "ALL_PROXY", "BASH_ENV", "BUN_CONFIG_REGISTRY", "CLASSPATH", "DOTNET_STARTUP_HOOKS", "ENV", "GOPROXY",
    "HTTPS_PROXY", "HTTP_PROXY", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "NODE_OPTIONS",
    "NODE_PATH", "NPM_CONFIG_REGISTRY", "PATH", "PERL5LIB", "PERL5OPT", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL",
    "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "RUBYLIB", "RUBYOPT", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL",
    "UV_INDEX", "UV_INDEX_URL", "_JAVA_OPTIONS"
})
# fmt: on


def programs(command: Iterable[object], args: Iterable[object] = ()) -> set[Program]:
    """What an argument list runs. Without a command it is the image's program, unless the arguments name one."""
    first = [str(word) for word in command]
    words = [*first, *map(str, args)]
    starts = [number + 1 for number, word in enumerate(words) if word in _COMMAND_FOLLOWS]
    if first or (words and ("/" in words[0].split(" ")[0] or words[0] in _RUNNERS)):
        starts.append(0)
    found = {_program([*words[start].split(), *words[start + 1 :]]) for start in starts if words[start:]}
    return found - _WAITS - {()}


def loaded(variables: Iterable[tuple[str, object]]) -> set[Program]:
    """The variables by which programs run other code, or find it elsewhere."""
    found = {(f"by {name}", str(value)) for name, value in variables if name.upper() in _LOADING}
    return {one for one in found if not _OWN_PROXY.fullmatch(one[1])}


def mounted_programs(found: Set[Program], mounts: Iterable[tuple[object, object]]) -> set[Program]:
    """The programs that lie where something is mounted (path, and what): their content is that of the mount."""
    words = [word for program in found for word in program if word.startswith("/")]
    return {
        (word, f"from {source}")
        for path, source in mounts
        for word in words
        if f"{word}/".startswith(f"{str(path).rstrip('/')}/")
    }


def _program(words: Sequence[str]) -> Program:
    """The words to the first that is no option of a program that runs another."""
    found = []
    for word in words:
        found.append((_PROBED if " " in word or "(" in word else _VERSION).sub("", word))
        option = word.startswith("-") or _ASSIGNMENT.match(word)
        if not option and word.rpartition("/")[2] not in _RUNNERS:
            break
    return tuple(found)


def given_to_programs(
    name: str, before: Set[Program], now: Set[Program], secrets: Sequence[str]
) -> Iterator[Consequence]:
    """Secrets of a container that runs another program; scripts are left out."""
    if secrets:
        shown = {" ".join("…" if " " in word or "\n" in word else word for word in one) for one in now - before}
        yield from (Consequence("secret", f"{name}: {_few(secrets)} → program {one}") for one in sorted(shown))


def _few(secrets: Sequence[str]) -> str:
    more = f" and {len(secrets) - 3} more" if len(secrets) > 3 else ""
    return f"{', '.join(secrets[:3])}{more}"


def handed_on(name: str, before: str, now: str, secrets: Sequence[str]) -> Iterator[Consequence]:
    """Secrets of a container that another image gets; another version of the same one is no news."""
    if secrets and parse(before).name != parse(now).name:
        yield Consequence("secret", f"{name}: {_few(secrets)} → image {parse(now).name}")

"""The table of policy rules, printed by ``mcpctl rule`` and docs/rules.md.

A new rule: a row here, its id in the schema's ``spec.accept[].rule``, and its check in spec.py or documents.py. Texts
are Markdown; links are relative to docs/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from renderer.namedtuples import NamedTuple

Level = Literal["error", "warning", "off"]
#: As ``--policy RULE=LEVEL`` takes them.
LEVELS: tuple[Level, ...] = ("error", "warning", "off")


class Rule(NamedTuple):
    """``about``: a short ``what``. ``targets``: those in whose output it is checked.

    ``admission``: a rendered Namespace refuses it too. ``waived_only``: only acceptances lower it. ``by_digest``:
    acceptances name the literal. ``accepting``: notes on acceptances. ``always``: what cannot be accepted.
    """

    level: Level
    about: str
    what: str
    why: str
    fix: str
    targets: tuple[str, ...] = ()
    admission: bool = False
    waived_only: bool = False
    by_digest: bool = False
    accepting: str = ""
    always: str = ""


_BOTH = ("kubernetes", "compose")

RULES: Mapping[str, Rule] = {
    "policy/cluster-wide-rights": Rule(
        "error",
        "rights in the whole cluster beyond those that are named",
        what="`serviceAccount.clusterRules` (or a patched ClusterRole) with `*` as verb, resource or API group; with "
        "`bind`, `escalate` or `impersonate`; with Secrets, `pods/exec` and its like, or writing pods and what "
        "starts them, unless `resourceNames` holds it to some. `cluster-admin`, `admin` and `edit` among "
        "`clusterRoles`. A ClusterRole that gathers rules of others (`aggregationRule`) or adds its own to "
        "theirs (label `rbac.authorization.k8s.io/aggregate-to-…`); a ClusterRoleBinding to somebody else than "
        "the server; a snippet among the annotations of an Ingress "
        "(`nginx.ingress.kubernetes.io/server-snippet`), which runs in the controller.",
        why="Whoever takes over the server then owns the cluster, or every password in it.",
        fix="`serviceAccount.rules`, which hold in one namespace; verbs, resources and `resourceNames` by name; "
        "`view`.",
    ),
    "policy/data-of-others": Rule(
        "error",
        "a claim that is, takes or copies data of others",
        what="A patch by which a claim begins as a copy of other data (`dataSource`, `dataSourceRef`) or takes a "
        "PersistentVolume that is there (`volumeName`, `selector`), in `volumeClaimTemplates` and "
        "`ephemeral.volumeClaimTemplate` too; a volume of a pod with a claim that the spec does not have.",
        why="The server then reads, or changes, what another server or team has stored, and no field of the spec "
        "says so.",
        fix="`storage[].existingClaim` for a claim that is meant; an empty volume (`storage[].size`).",
        targets=("kubernetes",),
        accepting="such as for a restore from a snapshot.",
    ),
    "policy/docker-socket": Rule(
        "error",
        "the socket of the container runtime mounted",
        what="A mount of the socket of Docker, containerd, CRI-O or Podman, or compose's `use_api_socket`, which only "
        "a patch can bring.",
        why="Who reaches the socket starts a container with the machine's disk in it: that is root on the machine.",
        fix="Give the server an API of its own that allows only what it needs; for sandboxes see `spec.sandbox`.",
        targets=_BOTH,
        admission=True,
    ),
    "policy/exposed-without-access": Rule(
        "error",
        "a server open to everybody outside of the cluster",
        what="`expose` without `access`, or with an `access` that names no issuers.",
        why="Whoever reaches the host may call every tool, and the server acts with its own credentials.",
        fix="`access: {url: …, issuers: […]}` ([access.md](access.md)). `access: none` says that everybody may, on "
        "purpose, or that a gateway in front asks for tokens; `mcpctl diff` tells it.",
    ),
    "policy/guard-passed": Rule(
        "error",
        "a way to a server past its guard, or a guard that a patch changes",
        what="A patch, or a template of yours, leads to the server itself: a Service or a rule of a NetworkPolicy "
        "with its port, the machine's own network, in compose ports or a network of the server's own service. "
        "Or, in Kubernetes, it takes the guard away, starts it otherwise, or writes another configuration for "
        "it; in compose these three are not compared.",
        why="The guard is what asks for tokens and refuses foreign web pages: who passes it is asked nothing, "
        "whatever `access` says.",
        fix="Remove it. What `access` cannot say, a template can: `mcpctl eject guard/envoy.yaml.j2`. `access: none` "
        "goes without a guard on purpose.",
        targets=_BOTH,
    ),
    "policy/high-entropy": Rule(
        "warning",
        "a literal as disordered as a key",
        what="A literal without a known form that is as disordered as a key.",
        why="It may be a key of a service that nobody has written a pattern for. It may also be a checksum: "
        "therefore a warning.",
        fix="If it is a secret, refer to a Secret; if not, accept it and say what it is.",
        by_digest=True,
    ),
    "policy/host-path": Rule(
        "error",
        "a folder of the machine mounted",
        what="A folder of the machine mounted into the container: `storage[].hostPath` and `compose.build` from a "
        "local folder, or by a patch `hostPath`; in compose an absolute path, a volume whose `driver_opts` bind "
        "one, and `env_file`, `label_file`, configs and secrets outside of the project's folder.",
        why="It outlives every wall around the container, and binds the server to one machine.",
        fix="A volume (`storage[].size`), or `spec.files`.",
        targets=_BOTH,
        admission=True,
    ),
    "policy/image-digest": Rule(
        "off",
        "an image without a digest",
        what="An image without `@sha256:…`.",
        why="A registry can change what a tag means. Off, because most teams let a bot or the registry's own "
        "immutability hold tags; turn it on with `--policy image-digest=warning`.",
        fix="Append the digest: `docker buildx imagetools inspect IMAGE`.",
    ),
    "policy/image-tag": Rule(
        "error",
        "an image without a tag, or with one that moves",
        what="An image without a tag, or with one that its makers move: `latest`, `main`, `edge`, `stable` and the "
        "like. Sidecars, init containers, base images and patched images too.",
        why="The next start may run another program than the one that was reviewed. For a first trial: `--policy "
        "image-tag=warning`.",
        fix="The tag of a release, or a digest.",
    ),
    "policy/ingress-tls": Rule(
        "warning",
        "an Ingress without TLS",
        what="An Ingress without `tls`.",
        why="MCP clients send their tokens in the headers of every request. A warning, because TLS may end at a load "
        "balancer in front.",
        fix="`expose.tls: {secret: …}`.",
    ),
    "policy/limits": Rule(
        "warning",
        "a container without a limit of CPU or memory",
        what="A container without a limit of CPU or of memory, in compose also of processes. Every size brings both: "
        "a patch has taken one away. A patched quota of a sandbox that does not count all pods, or a LimitRange "
        "without a maximum. A spec that says `limits.cpu: null` wants no CPU limit: nothing is found.",
        why="One server that runs wild then takes the node, and its neighbours with it.",
        fix="`spec.size`, or `spec.resources.limits`.",
        targets=_BOTH,
    ),
    "policy/loader-variable": Rule(
        "error",
        "a variable that decides which programs or libraries run",
        what="An environment variable that decides which programs or libraries run: `LD_PRELOAD`, `LD_LIBRARY_PATH`, "
        "`LD_AUDIT`, `PATH`, `BASH_ENV`, `PYTHONSTARTUP` and the like; `NODE_OPTIONS`, `JAVA_TOOL_OPTIONS`, "
        "`RUBYOPT` and `PERL5OPT` where they load code (`--require`, `-javaagent`).",
        why="It runs other code than the image that was reviewed and scanned, without a change of that image.",
        fix="Build it into the image; name the program by its full path in `command`.",
    ),
    "policy/pod-security": Rule(
        "error",
        "a pod or service below Pod Security 'restricted'",
        what="A pod below Pod Security 'restricted' (`pod-security/…`), or a compose service that gave up the same "
        "(`compose/not-restricted`): root, capabilities, no seccomp profile, a sysctl, groups, another runtime, "
        "drivers, namespaces of other containers. A Namespace that enforces less than was rendered, or the "
        "checks of an older version (`enforce-version`). Only a patch can bring it. Findings keep their own ids; "
        "this one accepts them together.",
        why="It is the common floor of everything that is rendered, and the one that namespaces ask for.",
        fix="Take it out of the patch; build an image that runs without root.",
        targets=_BOTH,
        admission=True,
        waived_only=True,
        accepting="and for Kubernetes `--no-create-namespace`.",
    ),
    "policy/privileged": Rule(
        "error",
        "a privileged container, or the machine's own network, processes or memory",
        what="`privileged: true`, or the machine's own network, processes or memory. Only a patch can bring it.",
        why="There is no wall left between the server and the machine.",
        fix="Remove it: no MCP server needs that.",
        targets=_BOTH,
        admission=True,
    ),
    "policy/published-everywhere": Rule(
        "warning",
        "a port open to every network of the machine, or of the cluster",
        what="`network.publish.address` is `0.0.0.0` or `::`, or a patch publishes a port so (compose); "
        "`service.type`, also through a patch, is NodePort, or LoadBalancer without `sourceRanges`; a patch sets "
        "`externalIPs` or an `externalName`, lets everybody in by a NetworkPolicy, or leaves out the host name "
        "of an Ingress or HTTPRoute.",
        why="Docker opens such a port past the machine's firewall, a Service has no TLS, and MCP servers rarely ask "
        "who is there.",
        fix="127.0.0.1, or the one address that needs it; `expose`, or `service.sourceRanges`.",
    ),
    "policy/remote-http": Rule(
        "error",
        "a remote server without TLS",
        what="`remote.url` begins with `http:`, and its host is neither this machine (`localhost`, a loopback address) "
        "nor a name inside of a cluster (without a dot, or ending in `.svc`).",
        why="Whoever is on the way reads the headers with their tokens, and the answers, and can change both.",
        fix="An address with `https`.",
        accepting="for a network that is encrypted or all your own.",
    ),
    "policy/secret-argument": Rule(
        "warning",
        "a secret among the arguments of a process",
        what="`$(NAME)` in `command` or `args`, of any container, where the variable NAME comes from a Secret: "
        "directly, through another variable, or from an `envFrom` that has it.",
        why="The arguments of a process are no secret: `ps`, `/proc`, `docker inspect` and the container runtime "
        "show them, and error messages often repeat them. Variables and files are read by the process alone.",
        fix="Let the program read the variable, or a file from the Secret (`files`).",
        accepting="for a program that takes it in no other way.",
    ),
    "policy/secret-literal": Rule(
        "error",
        "a secret in clear",
        what="A secret in clear, in any string of a spec, an environment or a template's output.\n- Everywhere: "
        "tokens of well-known issuers (GitHub, GitLab, OpenAI, AWS, Google, Slack, npm and 80 more), JSON Web "
        "Tokens, private keys, keys of Azure; passwords in addresses (`postgres://app:…@db`, "
        "`user:…@registry/image`), and as .netrc, .pgpass, docker, npm and `curl -u` take them; hashes of "
        "passwords (htpasswd, crypt); `Authorization` headers.\n- In `env`, `command`, `args`, `remote`, headers, "
        "annotations, options of logging drivers and the content of files also what stands under a name such as "
        "`password`: as a variable, or within JSON, a connection string, a query or a shell's assignment (found "
        "by detect-secrets).\n- A token, or random text, where the name of a Secret or of its key belongs.\n- "
        "The message names the kind and never the value. A token of a form that nobody knows, under a name that "
        "says nothing, is at most `policy/high-entropy`.\n- Not found: scopes, `${NAME}`, `<token>`, "
        "`your-token-here`, `xxxx`, the dummies of local model servers (`ollama`, `EMPTY`), digests, UUIDs.",
        why="Specs and manifests are in git: everybody who may read them may use it, for ever.",
        fix="Refer to a Secret: `{secret: NAME, key: KEY}`. And replace the secret where it is valid: it was seen.",
        by_digest=True,
        always="A token of a known form, or a private key, is an error in every run: no acceptance and no `--policy` "
        "lifts it.",
    ),
    "policy/service-account-token": Rule(
        "warning",
        "a token of the Kubernetes API that nothing needs",
        what="`serviceAccount.automountToken: true` (or a patch that says so, leaves the field out or mounts a "
        "projected token, also for the account `default` of a sandbox) without rights (`serviceAccount.rules`, "
        "`clusterRules`, `clusterRoles`) or `spec.sandbox`, which need it.",
        why="A server that is talked into running code speaks to the Kubernetes API with that token.",
        fix="Remove it; a server that does ask the API says so in the reason of its acceptance.",
    ),
    "policy/stateful-replicas": Rule(
        "warning",
        "several pods of a server that keeps sessions",
        what="Several pods of a stdio server behind supergateway or agentgateway, by a field or by a patch.",
        why="These bridges keep the sessions in their own memory. The Service keeps a client's address on one pod, "
        "but behind a proxy all clients have one address, and a pod that goes takes its sessions along.",
        fix="One pod, a bridge without sessions (`mcp-proxy`, `mcp-proxy-npm`), or a server that speaks "
        "streamable-http itself without them.",
    ),
    "policy/unlocked-package": Rule(
        "warning",
        "a package without a lock: each start takes the newest dependencies",
        what="An npm or PyPI package without `package.lock`; `package.with` bounds single dependencies and leaves the "
        "others open.",
        why="npx and uvx resolve its dependencies at each start. Of 14 PyPI servers at an exact version, four "
        "stopped starting on the day their SDK's 2.0 appeared. And whoever publishes one of the dependencies "
        "decides what runs.",
        fix="[`package.lock`](packages.md), or an image that has the package installed. On a machine of one's own: "
        '`policies: {policy/unlocked-package: "off"}` of its environment.',
    ),
    "policy/unrestricted-egress": Rule(
        "warning",
        "a server that may connect to every address",
        what="`spec.network.egress` is left out: every address may be reached, in a cluster all but cloud metadata. "
        "Or a patch opens what it closes.",
        why="A server that is talked into it can send what it reads to anybody. A warning, because a first run "
        "should work; teams make it an error with `--policy unrestricted-egress=error`.",
        fix="List what it needs under `network.egress`; `egress: {}` is nothing but DNS.",
    ),
    "policy/wide-rights": Rule(
        "error",
        "rights in a namespace beyond those that are named",
        what="`serviceAccount.rules` (or a patched Role) with what "
        "[policy/cluster-wide-rights](#policycluster-wide-rights) finds in a ClusterRole.",
        why="Whoever takes over the server reads every Secret of the namespace, or becomes each of its other pods.",
        fix="Verbs, resources and `resourceNames` by name; a namespace of its own; for pods that the server starts, "
        "`spec.sandbox`.",
    ),
}

"""Options of several commands; names and choices come from where they are defined."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click
from click.core import ParameterSource

from renderer.assets import kubernetes_versions
from renderer.later import later
from renderer.model import NAMESPACE, NetworkPolicyProvider, Options
from renderer.pins import KUBERNETES_VERSION, system_namespace
from renderer.project import Project, find_project
from renderer.registry import TARGETS
from renderer.report import REPORTERS

if TYPE_CHECKING:
    from renderer import policy
else:
    policy = later("renderer.policy")  # 10 ms, which only --policy and projects need

Command = TypeVar("Command", bound=Callable[..., Any])


#: Metavar of PATHS that are required outside of a project.
REQUIRED = "PATHS..."


class Whole(click.IntRange):
    """A bounded integer; click would call "abc" no valid integer range."""

    name = "integer"


def project() -> Project | None:
    """The project around the working folder, read once a run."""
    known: dict[str, Any] = click.get_current_context().meta
    if "project" not in known:
        known["project"] = find_project()
    around: Project | None = known["project"]
    return around


def _paths(context: click.Context, parameter: click.Parameter, paths: tuple[str, ...]) -> tuple[str, ...]:
    context.meta["paths typed"] = bool(paths)
    known = None if paths else project()
    if known is not None and known.specs:
        return known.paths
    if not paths and parameter.metavar == REQUIRED:
        where = f"or write 'specs: [FOLDER]' into {known.file}" if known else "or run it in a project (docs/gitops.md)"
        raise click.UsageError(f"PATHS are missing: name files or folders with specs, {where}")
    return paths


def _known_version(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value not in kubernetes_versions():
        raise click.BadParameter(f"'{value}' is not one of {', '.join(kubernetes_versions())}")
    return value


_IN_LABELS = "abcdefghijklmnopqrstuvwxyz0123456789-"


def _dns_label(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value.strip(_IN_LABELS) or value != value.strip("-") or not 0 < len(value) <= 63:
        raise click.BadParameter("a namespace is a DNS label: at most 63 lower-case letters, digits and '-'")
    return value


#: Of a command that needs paths, by default the project's; and of one that needs none.
paths_argument = click.argument("paths", nargs=-1, callback=_paths, metavar=REQUIRED)
optional_paths_argument = click.argument("paths", nargs=-1, metavar="[PATHS]...")
output_option = click.option(
    "--output",
    "-o",
    "style",
    type=click.Choice(sorted(REPORTERS)),
    default="text",
    show_default=True,
    help="Format of the report.",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print errors only: no warnings, no summary.")
watch_option = click.option(
    "--watch",
    is_flag=True,
    help="Run again when a file changes that was read: specs, environments, templates, locks; until Ctrl-C.",
)


def text_or_json(text: str) -> Callable[[Command], Command]:
    """For commands without a report of Problems."""
    return click.option(
        "--output",
        "-o",
        "style",
        type=click.Choice(["json", "text"]),
        default="text",
        show_default=True,
        help=text,
    )


def format_option(formats: Collection[str], text: str) -> Callable[[Command], Command]:
    """``text`` says for whom each format is."""
    return click.option(
        "--format",
        "--output",
        "-o",
        "style",
        type=click.Choice(sorted(formats)),
        default="text",
        show_default=True,
        help=text,
    )


target_option = click.option(
    "--target",
    "-t",
    "target_name",
    type=click.Choice(sorted(TARGETS)),
    default="kubernetes",
    show_default=True,
    help="; ".join(f"{name}: {summary}" for name, summary in sorted(TARGETS.items())) + ".",
)
policy_option = click.option(
    "--policy",
    "levels",
    multiple=True,
    metavar="RULE=LEVEL",
    callback=lambda _context, _parameter, settings: policy.parse_levels(settings),
    help="Set a policy rule to error, warning or off in this run; repeatable. See docs/rules.md.",
)
namespace_option = click.option(
    "--namespace",
    "-n",
    default=NAMESPACE,
    show_default=True,
    callback=_dns_label,
    help="Namespace of the Kubernetes objects.",
)
network_policy_provider_option = click.option(
    "--network-policy-provider",
    "network_policy_provider",
    type=click.Choice(get_args(NetworkPolicyProvider)),
    default="kubernetes",
    show_default=True,
    help="What enforces network rules in the cluster. kubernetes: NetworkPolicies, without host names; "
    "cilium: CiliumNetworkPolicies, with host names; none: no policy is rendered.",
)


def target_options(command: Command) -> Command:
    return version_options(network_policy_provider_option(namespace_option(command)))


def version_options(command: Command) -> Command:
    """The version of the cluster, and whether the namespace is ours."""
    command = click.option(
        "--create-namespace/--no-create-namespace",
        default=None,
        help="Whether the namespace is ours: render it, with its labels and what governs everything in it.  "
        f"[default: only {NAMESPACE}, and where an environment says so]",
    )(command)
    return click.option(
        "--kubernetes-version",
        "kubernetes_version",
        default=KUBERNETES_VERSION,
        show_default=True,
        callback=_known_version,
        help="Kubernetes version to check the manifests against, and of the Pod Security labels.",
    )(command)


class _Folder(click.Path):
    """An empty path is a mistake of a script, and not the working folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """BadParameter for an empty path."""
        if value == "":
            self.fail("the path is empty; name a folder ('.' is the working folder)", param, ctx)
        return pathlib.Path(os.fsdecode(super().convert(value, param, ctx)))


FOLDER = _Folder(file_okay=False)

#: What a run may do with a tree.
_TREE = {
    "--check": "write nothing, list the files that differ and why; exit 1 if any.",
    "--force": "overwrite files that were edited by hand, or that mcpctl did not write.",
    "--prune": "also remove servers and environments that are not in the input, which must be all of it.",
    "--prune-data": "also remove stale files of volumes and namespaces.",
    "--kustomization": "also write kustomization.yaml files, for 'kubectl apply -k', as the delivery kustomize does.",
    "--allow-empty": "a folder without specs is no error; with --prune every server leaves the tree.",
}


#: Of any delivery.
kustomization_option = click.option("--kustomization", is_flag=True, help=f"With --out: {_TREE['--kustomization']}")


def tree_options(command: Command) -> Command:
    for name, text in reversed(_TREE.items()):
        command = click.option(name, is_flag=True, help=f"With --out: {text}")(command)
    return command


#: Of an option that a command has, and of one that it has not.
_UNTYPED = (ParameterSource.DEFAULT, None)


def render_options(options: Mapping[str, Any], *, one_stream: bool = False) -> Options:
    """The options of a run: those of the command that affect rendering, or by default the project's.

    UsageError for a namespace of the cluster itself.
    """
    source, known = click.get_current_context().get_parameter_source, project()
    namespace, create_namespace = options.get("namespace", NAMESPACE), options.get("create_namespace")
    kubernetes_version = options.get("kubernetes_version", KUBERNETES_VERSION)
    provider: NetworkPolicyProvider = options.get("network_policy_provider", "kubernetes")
    if known and known.kubernetes_version and source("kubernetes_version") in _UNTYPED:
        kubernetes_version = known.kubernetes_version
    if known and known.network_policy_provider and source("network_policy_provider") in _UNTYPED:
        provider = next(name for name in get_args(NetworkPolicyProvider) if name == known.network_policy_provider)
    if create_namespace is not False and (whose := system_namespace(namespace)):
        raise click.UsageError(
            f"the namespace {namespace} {whose}; choose another --namespace, or add --no-create-namespace to use it "
            "as it is"
        )
    typed = source("namespace") is ParameterSource.COMMANDLINE
    return Options(namespace, kubernetes_version, create_namespace, one_stream, provider, namespace_typed=typed)


def provider_has_a_cluster(targets: Collection[str]) -> None:
    """UsageError where --network-policy-provider was typed, and nothing for a cluster is rendered."""
    context = click.get_current_context()
    asked = context.get_parameter_source("network_policy_provider") is ParameterSource.COMMANDLINE
    if asked and "kubernetes" not in targets:
        raise click.UsageError(
            "--network-policy-provider is for Kubernetes: it says who enforces network rules in a cluster; what "
            "compose enforces is in docs/network.md"
        )

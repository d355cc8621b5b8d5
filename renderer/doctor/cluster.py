"""The checks of a cluster: kubectl, the way there, versions, namespace, rights, kinds, and what the specs need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from renderer.doctor import Patient, needs, rights
from renderer.doctor.checks import Check, Result, failed, looked, ok, troubled, unchecked, warning
from renderer.errors import ApplyFailed, McpctlError, WaitTimedOut, excerpt
from renderer.orchestrator import OrchestratorConfig
from renderer.orchestrators.kubernetes.client import Kubectl
from renderer.orchestrators.kubernetes.faults import Refused
from renderer.orchestrators.kubernetes.objects import Object, objects
from renderer.pins import KUBERNETES_VERSION

#: Minor versions that kubectl may be away from the API server.
SKEW = 1


def checks(config: OrchestratorConfig, patient: Patient) -> Iterator[Check]:
    """As far as they make sense: without a cluster nothing of it can be told."""
    try:
        kubectl = Kubectl(config.kubernetes)
        place = str(kubectl.place)
    except (ApplyFailed, WaitTimedOut) as error:
        yield troubled("kubectl", error, Result.FAILED)
        return
    yield ok("context", place)
    try:
        told = kubectl.read("asking the API server for its version", "version", "--output=json")
    except (ApplyFailed, WaitTimedOut) as error:
        yield troubled("cluster", error, Result.FAILED)
        return
    yield from _versions(told, patient.options.kubernetes_version if patient.options else KUBERNETES_VERSION)
    found = objects(patient.documents, kubectl.namespace) if patient.documents else []
    yield from looked("namespace", lambda: [_namespace(kubectl, found)])
    yield from rights.checks(kubectl, found)
    served = _served(kubectl)
    yield from _kinds(served, found)
    yield from needs.checks(kubectl, patient, served if isinstance(served, set) else set())


def _versions(told: dict[str, Any], wanted: str) -> Iterator[Check]:
    client, server = (_minor(told.get(part)) for part in ("clientVersion", "serverVersion"))
    if client is None or server is None:
        yield unchecked("versions", "kubectl does not tell them in a form that is known")
        return
    yield _kubectl(client, server)
    text, rendered = f"API server 1.{server}", int(wanted.partition(".")[2])
    if server == rendered:
        yield ok("versions", f"{text}, as rendered for")
    else:
        age = "older" if server < rendered else "newer"
        advice = f"render for it: --kubernetes-version 1.{server}"
        yield warning("versions", f"{text} is {age} than {wanted}, which the manifests are checked for", advice)


def _kubectl(client: int, server: int) -> Check:
    text = f"1.{client}"
    if abs(client - server) > SKEW:
        advice = f"use kubectl 1.{max(0, server - SKEW)} to 1.{server + SKEW}"
        return warning("kubectl", f"{text} is too far from the API server's 1.{server}", advice)
    return ok("kubectl", text)


def _minor(version: Any) -> int | None:
    found = re.match(r"[0-9]{1,4}", str(version.get("minor", ""))) if isinstance(version, dict) else None
    return int(found[0]) if found else None


def _namespace(kubectl: Kubectl, found: list[Object]) -> Check:
    what = f"namespace {kubectl.namespace}"
    made = any(one.identity == ("Namespace", "", kubectl.namespace) for one in found)
    try:
        there = kubectl.read("reading the namespace", "get", f"namespaces/{kubectl.namespace}", "--output=json")
    except Refused as error:
        if error.kind not in ("not found", "no namespace"):
            raise
        if made:
            return ok(what, "not there yet; it is rendered, and made by the apply")
        return warning(what, "not there", "create it, or let it be rendered (--create-namespace)")
    if there.get("metadata", {}).get("deletionTimestamp"):
        return failed(what, "is being deleted", "wait until it is gone, or use another one")
    return ok(what, "is there")


def _served(kubectl: Kubectl) -> set[str] | McpctlError:
    """The resources as ``deployments.apps`` and the API versions as ``apps/v1``."""
    try:
        names = kubectl.kinds("asking for the kinds that are served").out.split()
        return {*names, *kubectl.call("asking for the API versions", "api-versions").out.split()}
    except (ApplyFailed, WaitTimedOut) as error:
        return error


def _kinds(served: set[str] | McpctlError, found: list[Object]) -> Iterator[Check]:
    """Whether the cluster knows what is rendered."""
    versions = sorted({str(one.data["apiVersion"]) for one in found})
    if isinstance(served, McpctlError):
        yield troubled("kinds", served, Result.UNCHECKED)
        return
    missing = [version for version in versions if version not in served]
    for version in missing:
        kinds = ", ".join(sorted({one.kind for one in found if one.data["apiVersion"] == version}))
        text = f"the cluster does not know {excerpt(version, 100)} ({kinds})"
        yield failed(f"kind {kinds}", text, "install what defines it, or leave out the fields that need it")
    if versions and not missing:
        yield ok("kinds", f"all {len({one.kind for one in found})} kinds are known")

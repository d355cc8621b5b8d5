"""The sandbox namespace and the Secrets that an operator makes: from filled-in data to frozen values."""

from __future__ import annotations

from typing import Any

from renderer.model import Amounts, ExternalSecret, RemoteKey, RuntimeClass, Sandbox


def make_sandbox(sandbox: dict[str, Any] | None) -> Sandbox | None:
    """The Sandbox of a spec that has one."""
    if sandbox is None:
        return None
    quota, limits, egress = sandbox["quota"], sandbox["limits"], sandbox["egress"]
    runtime = sandbox.get("runtimeClass")
    return Sandbox(
        namespace=sandbox["namespace"],
        create=sandbox["create"],
        runtime_class=runtime and RuntimeClass(runtime["name"], runtime["handler"], runtime["create"]),
        pods=quota["pods"],
        requests=Amounts(**quota["requests"]),
        limits=Amounts(**quota["limits"]),
        default_request=Amounts(**limits["defaultRequest"]),
        default=Amounts(**limits["default"]),
        most=Amounts(**limits["max"]),
        ports=tuple(egress["ports"]),
        cidrs=tuple(egress["cidrs"]),
    )


def make_external_secret(item: dict[str, Any]) -> ExternalSecret:
    """One of ``spec.externalSecrets``."""
    return ExternalSecret(
        name=item["name"],
        store=item["store"]["name"],
        store_kind=item["store"]["kind"],
        refresh=item["refreshInterval"],
        keys=tuple(RemoteKey(k["key"], k["remoteKey"], k.get("property")) for k in item["keys"]),
    )

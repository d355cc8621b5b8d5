"""The forms that servers are exported to, one line each; what clients read is in ``client``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from renderer.exporters.exported import Exported
    from renderer.model import Options, Server

#: What a module of a form has as ``export``.
Export: TypeAlias = "Callable[[Server, Options], Exported]"


class Form(NamedTuple):
    """``about`` for people; ``module`` is the one in ``exporters`` whose ``export`` makes it."""

    about: str
    module: str
    style: Literal["yaml", "json"] = "yaml"


#: By name on the command line.
FORMS: Mapping[str, Form] = {
    "server-json": Form("server.json of the MCP registry", "server_json", "json"),
    "toolhive": Form("MCPServer and MCPRemoteProxy of ToolHive's operator", "toolhive"),
    "kmcp": Form("MCPServer of kmcp (kagent.dev)", "kmcp"),
    "mcp.x-k8s.io": Form("MCPServer of the MCP Lifecycle Operator of Kubernetes' SIGs", "sig"),
}

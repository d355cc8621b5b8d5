"""The export formats, one line each. For files of clients see ``client``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from renderer.exporters.exported import Exported
    from renderer.model import Options, Server

Export: TypeAlias = "Callable[[Server, Options], Exported]"


class Format(NamedTuple):
    """``module``: the one in ``exporters`` with its ``export``."""

    about: str
    module: str
    style: Literal["yaml", "json"] = "yaml"


#: By name on the command line.
FORMATS: Mapping[str, Format] = {
    "server-json": Format("server.json of the MCP registry", "server_json", "json"),
    "toolhive": Format("MCPServer and MCPRemoteProxy of ToolHive's operator", "toolhive"),
    "kmcp": Format("MCPServer of kmcp (kagent.dev)", "kmcp"),
    "mcp.x-k8s.io": Format("MCPServer of the MCP Lifecycle Operator of Kubernetes' SIGs", "sig"),
}

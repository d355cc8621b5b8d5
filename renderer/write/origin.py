"""What the files of a tree were made from: kept in the record, so that a difference can be explained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from renderer import __version__, assets
from renderer.model import JSON, Options, Server

#: Built-in files that decide what is rendered: templates, and the schemas that hold the defaults.
_SCHEMAS = ("mcpserver", "environment")


class Origin(NamedTuple):
    """What one run made its files from; no dates, no paths of the machine.

    ``templates``, ``environment`` and the values of ``specs`` (by server) are SHA-256 digests. All files of a
    tree have the origin of the last run: a run over a part of the specs is one only where all but specs is equal.
    """

    tool: str = ""
    templates: str = ""
    environment: str = ""
    options: Mapping[str, JSON] = {}
    specs: Mapping[str, str] = {}
    #: What stands in front of the servers' folders; not recorded.
    prefix: str = ""

    def server(self, path: str) -> str:
        """Whose file that is: each server has the folder of its name. Empty for what all share."""
        if not path.startswith(self.prefix):
            return ""
        folder, slash, _ = path.removeprefix(self.prefix).partition("/")
        return folder if slash and folder in self.specs else ""


#: Of a tree whose record says nothing of it: it is older than origins are.
UNKNOWN = Origin()


def origin_of_run(
    target: str,
    servers: Iterable[Server],
    options: Options,
    environment: JSON = None,
    own: Mapping[str, str] | None = None,
    templates: Mapping[str, str] | None = None,
    prefix: str = "",
) -> Origin:
    """The origin of what a run renders from these.

    ``environment`` is the data of the environment's document; ``own`` the digests of the specs as written, where an
    environment was merged into them; ``templates`` the user's, name to text.
    """
    specs = own if own is not None else {server.name: digest_of_spec(server.source.data) for server in servers}
    return Origin(
        tool=__version__,
        templates=_templates(target, templates or {}),
        environment=digest_of_spec(environment) if environment else "",
        options=_as_data(options),
        specs=specs,
        prefix=prefix,
    )


def digest_of_spec(data: JSON) -> str:
    """Of what a document says: neither comments, nor layout, nor the order of keys count."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _templates(target: str, users: Mapping[str, str]) -> str:
    """Of all templates of the target: a file is made by one of them, with what that one includes."""
    folders = (f"{target}/", "delivery/")
    names = [name for name in assets.names("templates") if name.startswith(folders)]
    parts = {f"templates/{name}": assets.read(f"templates/{name}") for name in names if name not in users}
    parts |= {f"templates/{name}": text.encode() for name, text in users.items() if name.startswith(folders)}
    parts |= {f"schemas/{name}": assets.read_schema(name).encode() for name in _SCHEMAS}
    total = hashlib.sha256()
    for name, content in sorted(parts.items()):
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def _as_data(options: Options) -> dict[str, JSON]:
    """The options by name, as JSON has them. That a tree is no stream is known."""
    values: Any = {**options._asdict(), "namespace_rules": options.namespace_rules._asdict()}
    del values["one_stream"]
    # As they are read back from a record; their mappings may be read-only.
    data: dict[str, JSON] = json.loads(json.dumps(values, default=dict, sort_keys=True))
    return data

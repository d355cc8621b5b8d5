"""MCP bundles (MCPB): how one is fetched before its server starts.

One program in the base image fetches it and starts the server: it leaves itself beside what it unpacks, so that the
server finds it there in every target.
"""

from __future__ import annotations

from collections.abc import Mapping

from renderer import assets, pins
from renderer.model import EnvValue, File, Server
from renderer.namedtuples import NamedTuple
from renderer.quantity import bytes_of
from renderer.variables import names_in

_PROGRAMS: Mapping[pins.Runtime, str] = {"npm": "bundle.js", "pypi": "bundle.py"}
#: What says how the network is reached; of the last ones the value may be a mounted file.
_CERTIFICATES = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NODE_USE_ENV_PROXY", *_CERTIFICATES)


class Fetch(NamedTuple):
    """What runs before the server, in its image: fetches the bundle and unpacks it into ``BUNDLE_FOLDER``.

    ``mounted`` is the same as ``command``, where the text of the program is ``file``. ``env`` are variables of the
    server, and ``files`` paths of its files, that the network takes.
    """

    command: tuple[str, ...]
    mounted: tuple[str, ...]
    file: File
    size: str
    env: Mapping[str, EnvValue]
    files: tuple[str, ...]


def bundle_fetch(server: Server) -> Fetch | None:
    package = server.package
    if package is None or package.bundle is None:
        return None
    kind, *interpreter = pins.INTERPRETERS[package.runtime]
    path, bundle = f"{pins.CHECK_FOLDER}/{_PROGRAMS[package.runtime]}", package.bundle
    text = assets.read(f"templates/bundles/{kind}.txt").decode()
    arguments = (pins.BUNDLE_FOLDER, bundle.url, bundle.sha256, str(bytes_of(bundle.size)))
    names = [name for name in server.env if name.upper() in _NETWORK]
    for name in names:  # and what their values refer to
        value = server.env[name]
        names += [other for other in names_in(value) if other in server.env] if isinstance(value, str) else []
    return Fetch(
        command=(*interpreter, text, *arguments),
        mounted=(*interpreter[:-1], path, *arguments),
        file=File(path, text),
        size=bundle.size,
        env={name: value for name, value in server.env.items() if name in names},
        files=tuple(file.path for file in server.files if file.path in map(server.env.get, _CERTIFICATES)),
    )

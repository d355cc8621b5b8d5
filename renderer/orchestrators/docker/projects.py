"""From documents to compose projects: where relative paths count from, and what is stamped on at apply time.

The text that was checked goes to compose as it is, on stdin. Beside it goes one override, which holds nothing but
stamps: labels (whose it is, where MCP is spoken, a digest of mounted files), where those files lie, and the configured
network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from renderer.errors import ApplyFailed, Defect, excerpt
from renderer.labels import SERVER_LABEL
from renderer.model import Rendered
from renderer.orchestrators.contract import ApplyOptions
from renderer.orchestrators.docker.containers import COMPONENT_LABEL, FILES_LABEL, OWNER_LABEL, PATH_LABEL
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: The network of every rendered file.
NETWORK = "mcpctl-network"
_FILE = "compose.yaml"
#: Bytes of a file of variables.
_LARGEST_ENV = 1_000_000
#: A variable that a document takes from outside, and its meaning where it must be there.
_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$\{(\w+)(?::\?([^}]*)|[^}]*)\}")
#: The comment that says where MCP is spoken; it may run over two lines.
_ENDPOINT = re.compile(r"MCP over [^:\s]+(?::[\s#]+https?://[^\s/]+| at[\s#]+)?(/[^\s,]*)")


class Project(NamedTuple):
    """One compose file. ``folder`` is where its relative paths count from; ``files`` are those that it mounts."""

    name: str
    folder: Path
    text: str
    services: Mapping[str, Mapping[str, str]]
    override: Mapping[str, Any]
    files: Mapping[Path, str]
    env_file: str

    @property
    def variables(self) -> dict[str, str]:
        """Name to meaning of what it takes from outside; the meaning is empty for what it can do without."""
        found: dict[str, str] = {}
        for name, meaning in _VARIABLE.findall(self.text):
            found[name] = found.get(name) or meaning
        return found

    def values(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What the variables stand for, as well as we can tell; only to find what is missing, and what to hide."""
        given = {**env_values(Path(self.env_file) if self.env_file else self.folder / ".env"), **environ}
        return {name: given[name] for name in self.variables if given.get(name)}


def projects(
    documents: Sequence[Rendered], options: ApplyOptions, network: str, environ: Mapping[str, str]
) -> list[Project]:
    """One for each compose file, in order."""
    return [_project(one, documents, options, network, environ) for one in documents if one.template]


def _project(
    document: Rendered, documents: Sequence[Rendered], options: ApplyOptions, network: str, environ: Mapping[str, str]
) -> Project:
    data = _read(document)
    place = document.path.removesuffix(_FILE)
    beside = {d.path.removeprefix(place): d.text for d in documents if not d.template and d.path.startswith(place)}
    services = {name: dict(service.get("labels") or {}) for name, service in data["services"].items()}
    names = {labels.get(SERVER_LABEL, "") for labels in services.values()}
    folder = Path(options.folder, place).absolute() if options.folder else Path.cwd()
    sources = _sources(data, beside, str(data["name"]), folder if options.folder else None, environ)
    env_file = next((options.env_files[n] for n in (*sorted(names), "") if options.env_files.get(n)), "")
    _refuse_odd(Path(env_file) if env_file else folder / ".env")
    return Project(
        name=str(data["name"]),
        folder=folder,
        text=document.text,
        services=services,
        override=_override(data, document, options, network, sources),
        files=dict(sources.values()),
        # Compose would count it from the project's folder.
        env_file=os.path.abspath(env_file) if env_file else "",
    )


def _refuse_odd(env_file: Path) -> None:
    """A pipe can be read once, by us or by compose, and may never end."""
    try:
        status = env_file.stat()
    except OSError:  # compose itself tells, if it needs it
        return
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_ENV:
        raise ApplyFailed(
            f"nothing was applied: {excerpt(str(env_file), 300)} is no regular file of at most 1 MB, which values of "
            "secrets have to stand in"
        )


def _read(document: Rendered) -> dict[str, Any]:
    # The reader of the checks: what is applied is, to the scalar, what was checked.
    found, faults = read(document.text, strict=False, limits=OUTPUT_LIMITS, marks=False)
    data = found[0].data if found and not faults else None
    if not isinstance(data, dict) or "name" not in data or not isinstance(data.get("services"), dict):
        raise Defect(f"{excerpt(document.path, 200)} was rendered and checked, and cannot be read back")
    return data


def _sources(
    data: Mapping[str, Any], beside: Mapping[str, str], name: str, folder: Path | None, environ: Mapping[str, str]
) -> dict[str, tuple[Path, str]]:
    """The configs whose text is ours: key to the file that is mounted, and what has to stand in it."""
    found = {}
    for key, source in (data.get("configs") or {}).items():
        path = str(source.get("file", "")).removeprefix("./")
        if path in beside:
            text = beside[path]
            found[key] = (folder / path if folder else _kept(name, path, text, environ), text)
    return found


def files_folder(environ: Mapping[str, str]) -> Path:
    """Where files lie that running containers mount, when no tree holds them."""
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "mcpctl" / "files"


def _kept(name: str, path: str, text: str, environ: Mapping[str, str]) -> Path:
    # Another text is another file: a container that runs keeps the one that it was started with.
    digest = hashlib.sha256(f"{name}\0{path}\0{text}".encode()).hexdigest()[:32]
    return files_folder(environ) / digest / Path(path).name


def write_files(project: Project, *, in_tree: bool) -> None:
    """Makes the files that are mounted. In a tree they stand already, and must be those that were checked."""
    for path, text in project.files.items():
        if in_tree:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                raise ApplyFailed(f"{excerpt(str(path), 300)} is not the file that was checked: render the tree again")
            continue
        # Containers of any user read the file; nobody else of the machine gets as far as it.
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.parent.chmod(0o700)
        path.parent.mkdir(mode=0o755, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as made:
            made.write(text)
        os.chmod(made.name, 0o644)
        os.replace(made.name, path)


def _override(
    data: Mapping[str, Any],
    document: Rendered,
    options: ApplyOptions,
    network: str,
    sources: Mapping[str, tuple[Path, str]],
) -> dict[str, Any]:
    path = _mcp_path(document)
    services = {}
    for name, service in data["services"].items():
        labels = {OWNER_LABEL: owner_value(options.owner)}
        if (service.get("labels") or {}).get(COMPONENT_LABEL) == "mcp-server":
            labels[PATH_LABEL] = path
        used = sorted(c["source"] for c in service.get("configs") or [] if c["source"] in sources)
        labels[FILES_LABEL] = _digest([sources[key][1] for key in used]) if used else ""
        services[name] = {"labels": {key: value.replace("$", "$$") for key, value in labels.items() if value}}
    made: dict[str, Any] = {"services": {name: one for name, one in services.items() if one["labels"]}}
    if not options.folder and sources:
        made["configs"] = {key: {"file": str(path).replace("$", "$$")} for key, (path, _) in sources.items()}
    if network != NETWORK and NETWORK in (data.get("networks") or {}):
        made["networks"] = {NETWORK: {"name": network}}
    return made


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _mcp_path(document: Rendered) -> str:
    """Of the one server of a file; in a stream of several nobody can tell whose a comment is."""
    found = _ENDPOINT.findall(document.text)
    return found[0] if len(set(found)) == 1 else ""


def owner_value(owner: str) -> str:
    """As a label can hold it: itself, or a digest. The same as in a cluster."""
    if not owner or re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", owner):
        return owner
    return f"sha256-{hashlib.sha256(owner.encode()).hexdigest()[:40]}"


@contextmanager
def arguments(project: Project) -> Iterator[list[str]]:
    """What compose is told of the project; the checked text goes to its stdin. The override is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mcpctl-") as folder:
        override = Path(folder, "stamps.json")
        override.write_text(json.dumps(project.override))
        named = [f"--project-name={project.name}", f"--project-directory={project.folder}", "--file=-"]
        yield [*named, f"--file={override}", *([f"--env-file={project.env_file}"] if project.env_file else [])]


def env_values(path: Path) -> dict[str, str]:
    """Roughly what a .env file says; compose is the one that reads it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found = re.findall(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*[=:]\s*(.*?)\s*$", text, re.MULTILINE)
    return {
        name: value[1:-1] if value[:1] in ("'", '"') and value[-1:] == value[:1] else value for name, value in found
    }

"""From documents to compose projects.

The checked text goes to compose unchanged, on stdin, with one override that holds nothing but stamps: labels (owner,
digest of mounted files), where those files lie, and the configured network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from renderer.errors import ApplyFailed, Defect, excerpt
from renderer.labels import SERVER_LABEL
from renderer.model import Rendered
from renderer.orchestrators.contract import OWNER_LABEL, ApplyOptions, owner_value
from renderer.orchestrators.docker.containers import FILES_LABEL
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: The network of every rendered file.
NETWORK = "mcpctl-network"
_FILE = "compose.yaml"
#: Bytes of a file of variables.
_LARGEST_ENV = 1_000_000
#: A variable that a document takes from outside, and its meaning where it must be there.
_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$\{(\w+)(?::\?([^}]*)|[^}]*)\}")


class Project(NamedTuple):
    """One compose file. Relative paths count from ``folder``; ``files`` are mounted.

    ``environment`` is each variable of a container with the text that it is read from.
    """

    name: str
    folder: Path
    text: str
    services: Mapping[str, Mapping[str, str]]
    override: Mapping[str, Any]
    files: Mapping[Path, str]
    env_file: str
    environment: Sequence[tuple[str, str]]

    @property
    def values_file(self) -> Path:
        """Compose reads values from it that the environment lacks."""
        return Path(self.env_file) if self.env_file else self.folder / ".env"

    def variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """As well as mcpctl can tell: compose is the one that reads them."""
        return {**env_values(self.values_file), **environ}

    def secrets(self, environ: Mapping[str, str]) -> set[str]:
        """Values that no message may show: of the variables, and of the env files of the project."""
        variables = self.variables(environ)
        values = {variables[name] for name, _ in _VARIABLE.findall(self.text) if variables.get(name)}
        for path in (self.folder / "env" / "secrets").glob("*.env"):
            values |= set(env_values(path).values())
        return values

    def missing(self, environ: Mapping[str, str]) -> str:
        """All variables without a value, of which compose names only the first, with their purpose."""
        variables, needs = self.variables(environ), []
        for name, meaning in dict(_VARIABLE.findall(self.text)).items():
            if meaning and not variables.get(name):
                own = next((key for key, text in self.environment if key in variables and f"${{{name}:" in text), "")
                hint = f"; {own} is set, and the server reads its {own} from {name}: rename it" if own else ""
                needs.append(f"{name} ({meaning}{hint})")
        where = excerpt(str(self.values_file), 300)
        return f"needs {', '.join(needs) or 'a variable'}; set it in the environment, or in {where}"


def projects(
    documents: Sequence[Rendered], options: ApplyOptions, network: str, environ: Mapping[str, str]
) -> list[Project]:
    return [_project(document, documents, options, network, environ) for document in documents if document.template]


def _project(
    document: Rendered, documents: Sequence[Rendered], options: ApplyOptions, network: str, environ: Mapping[str, str]
) -> Project:
    # The reader of the checks: what is applied is, to the scalar, what was checked.
    sources, faults = read(document.text, strict=False, limits=OUTPUT_LIMITS, marks=False)
    data: Any = sources[0].data if sources and not faults else None
    if not isinstance(data, dict) or "name" not in data or not isinstance(data.get("services"), dict):
        raise Defect(f"{excerpt(document.path, 200)} was rendered and checked, and cannot be read back")
    name, place = str(data["name"]), document.path.removesuffix(_FILE)
    extra = {d.path.removeprefix(place): d.text for d in documents if not d.template and d.path.startswith(place)}
    services = {key: dict(service.get("labels") or {}) for key, service in data["services"].items()}
    servers = sorted({labels.get(SERVER_LABEL, "") for labels in services.values()})
    env_file = next((options.env_files[key] for key in (*servers, "") if options.env_files.get(key)), "")
    folder = Path(options.folder, place).absolute() if options.folder else Path.cwd()
    files: dict[str, tuple[Path, str]] = {}
    for key, source in (data.get("configs") or {}).items():
        path = str(source.get("file", "")).removeprefix("./")
        if path in extra:
            # Another text is another file: a container that runs keeps the one that it was started with.
            digest = hashlib.sha256(f"{name}\0{path}\0{extra[path]}".encode()).hexdigest()[:32]
            kept = files_folder(environ) / digest / Path(path).name
            files[key] = (folder / path if options.folder else kept, extra[path])
    environments = [service.get("environment") or {} for service in data["services"].values()]
    environment = [(str(key), str(value)) for each in environments for key, value in each.items()]
    project = Project(
        name=name,
        folder=folder,
        text=document.text,
        services=services,
        override=_override(data, options, network, files),
        files=dict(files.values()),
        # Compose would count it from the project's folder.
        env_file=os.path.abspath(env_file) if env_file else "",
        environment=environment,
    )
    with suppress(OSError):  # compose itself refuses, if it needs the file
        status = project.values_file.stat()
        # A pipe can be read once, by us or by compose, and may never end.
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_ENV:
            name = excerpt(str(project.values_file), 300)
            raise ApplyFailed(f"nothing was applied: {name} is not a regular file of at most 1 MB; put values there")
    return project


def files_folder(environ: Mapping[str, str]) -> Path:
    """The files that running containers mount, of projects that lie in no tree."""
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "mcpctl" / "files"


def write_files(project: Project, *, in_tree: bool) -> None:
    """Makes the files that are mounted. In a tree they exist, and must be those that were checked."""
    for path, text in project.files.items():
        if in_tree:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                raise ApplyFailed(f"{excerpt(str(path), 300)} is not the file that was checked: render the tree again")
            continue
        # Containers of any user can read the file; other users of the machine cannot enter its folder.
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.parent.chmod(0o700)
        path.parent.mkdir(mode=0o755, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as made:
            made.write(text)
        os.chmod(made.name, 0o644)
        os.replace(made.name, path)


def _override(
    data: Mapping[str, Any], options: ApplyOptions, network: str, files: Mapping[str, tuple[Path, str]]
) -> dict[str, Any]:
    services = {}
    for name, service in data["services"].items():
        used = sorted(c["source"] for c in service.get("configs") or [] if c["source"] in files)
        digest = hashlib.sha256("\0".join(files[key][1] for key in used).encode()).hexdigest()[:16]
        labels = {OWNER_LABEL: owner_value(options.owner), FILES_LABEL: digest if used else ""}
        services[name] = {"labels": {key: value.replace("$", "$$") for key, value in labels.items() if value}}
    made: dict[str, Any] = {"services": {name: service for name, service in services.items() if service["labels"]}}
    if not options.folder and files:
        made["configs"] = {key: {"file": str(path).replace("$", "$$")} for key, (path, _) in files.items()}
    if network != NETWORK and NETWORK in (data.get("networks") or {}):
        made["networks"] = {NETWORK: {"name": network}}
    return made


@contextmanager
def arguments(project: Project) -> Iterator[list[str]]:
    """Options of compose for the project, whose text goes to stdin. The override is removed afterwards."""
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
    lines = re.findall(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*[=:]\s*(.*?)\s*$", text, re.MULTILINE)
    return {key: text[1:-1] if text[:1] in ("'", '"') and text[-1:] == text[:1] else text for key, text in lines}

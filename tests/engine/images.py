"""Images for the tests, made of what is on this machine: nothing is pulled.

The Python that runs the tests, the shared libraries that it and its packages name, and packages from PyPI
go straight into one archive for ``docker import``; no distribution is bootstrapped. Root owns all of it and everybody
may read it, so any user can run it under a read-only root.

Each image has the digest of what it is made from as a label: it is built again only when that changed. Two names may
stand for one image.
To build them all, with the time it takes: ``python -m tests.engine.images``.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import jsonschema_rs

from renderer import pins
from tests import oracles

#: mcp-proxy behind which PyPI's mcp-server-time speaks stdio; both are on PATH.
TIME = "mcpctl-test/time:1"
#: ``server.py``, which speaks streamable-http on port 8080.
ECHO = "mcpctl-test/echo:1"
#: busybox and nothing else, for containers that fail, never listen, or end.
BUSYBOX = "mcpctl-test/busybox:1"
#: Python with pip, and a shell: a base for the Dockerfile of the repository.
PYTHON = "mcpctl-test/python:1"
#: Envoy as the guard of a server runs it.
ENVOY = "mcpctl-test/envoy:1"

#: mcp-proxy needs mcp<2 and the servers mcp>=2.3: each gets a folder of its own.
_PACKAGES = {
    "proxy": (f"mcp-proxy=={pins.MCP_PROXY}",),
    "servers": ("mcp-server-time==2026.10.19", "mcp==2.3.0"),
}
#: Program: the folder of its packages, and the module whose ``main`` it runs.
_PROGRAMS = {
    "mcp-proxy": ("proxy", "mcp_proxy.__main__"),
    "mcp-server-time": ("servers", "mcp_server_time"),
    "mcp-echo": ("servers", "echo_server"),
}
_PACKAGES_AT = "opt"
_LIBRARIES_AT = "usr/local/lib/native"
#: Of the standard library: large, and no server imports it.
_LEFT_OUT = re.compile(r"^(test|idlelib|tkinter|lib2to3|ensurepip|turtledemo|site-packages|dist-packages|config-.*)$")
_LEFT_OUT_NATIVE = re.compile(r"^(_tkinter|_test\w*|_dbm|_gdbm|_curses\w*|readline|nis|_xx\w*)\..*so$")
_APPLETS = (
    *("ash", "cat", "chown", "cp", "echo", "env", "false", "httpd", "id", "kill", "ls", "mkdir", "nc", "printf"),
    *("rm", "sh", "sleep", "test", "touch", "true", "wget"),
)
_LABEL = "mcpctl.test.parts"
_SERVER = Path(__file__).with_name("server.py")
_RUN = 'import sys; sys.path.insert(0, "/{at}/{folder}"); from {module} import main; sys.exit(main())'


class Missing(Exception):
    """What an image is made from is not on this machine."""


class Part(NamedTuple):
    """A file or link of an image; ``content`` wins over ``source``."""

    name: str
    source: Path | None = None
    content: bytes = b""
    link: str = ""


class Image(NamedTuple):
    """``changes`` are lines of a Dockerfile; ``made_from`` is what the parts depend on."""

    names: tuple[str, ...]
    parts: Callable[[], Iterable[Part]]
    made_from: Callable[[], bytes]
    changes: tuple[str, ...]


def ensure(name: str) -> str:
    """Builds the image unless it is there already; its name."""
    image = next(each for each in _IMAGES if name in each.names)
    # Each process of a parallel run comes here.
    with _one_at_a_time():
        digest = hashlib.sha256(image.made_from() + repr(image.changes).encode()).hexdigest()
        if any(_label(each) != digest for each in image.names):
            _import(image, digest)
    return name


def _label(name: str) -> str | None:
    form = f'{{{{index .Config.Labels "{_LABEL}"}}}}'
    done = docker("image", "inspect", "--format", form, name, check=False)
    return done.stdout.decode().strip() if done.returncode == 0 else None


def docker(*arguments: str, check: bool = True, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Runs docker; AssertionError with its words if it fails, unless ``check`` is False."""
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0 or not check, f"docker {arguments}: {done.stderr.decode(errors='replace')[:2000]}"
    return done


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (Path(tempfile.gettempdir()) / f"mcpctl-test-images-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _import(image: Image, digest: str) -> None:
    changes = [f"--change={line}" for line in (*image.changes, f"LABEL {_LABEL}={digest}")]
    command = ["docker", "import", *changes, "-", image.names[0]]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said) as running,
    ):
        assert running.stdin is not None
        with running.stdin, tarfile.open(fileobj=running.stdin, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            _write(archive, image.parts())
        code = running.wait(120)
        said.seek(0)
        assert code == 0, f"docker import {image.names[0]}: {said.read().decode(errors='replace')[:2000]}"
    for name in image.names[1:]:
        docker("tag", image.names[0], name)
    # The one that lost its names.
    docker("image", "prune", "--force", "--filter", f"label={_LABEL}")


def _write(archive: tarfile.TarFile, parts: Iterable[Part]) -> None:
    for folder, mode in (("tmp", 0o1777), ("etc", 0o755), ("usr/local/bin", 0o755)):
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        archive.addfile(entry)
    for part in parts:
        _add(archive, part)


def _add(archive: tarfile.TarFile, part: Part) -> None:
    entry = tarfile.TarInfo(part.name)
    entry.mode = 0o755
    if part.link:
        entry.type, entry.linkname = tarfile.SYMTYPE, part.link
        archive.addfile(entry)
    elif part.source is None:
        entry.size = len(part.content)
        archive.addfile(entry, io.BytesIO(part.content))
    else:
        status = part.source.stat()
        # Python compares this time with what its compiled modules say.
        entry.size, entry.mtime = status.st_size, int(status.st_mtime)
        with part.source.open("rb") as file:
            archive.addfile(entry, file)


def _busybox_parts() -> Iterator[Part]:
    program = _busybox()
    yield Part("bin/busybox", program)
    yield from _libraries([program])
    yield from (Part(f"bin/{applet}", link="busybox") for applet in _APPLETS)
    yield from _users()


def _busybox() -> Path:
    found = shutil.which("busybox")
    if found is None:
        raise Missing("busybox is not installed (Debian: busybox-static)")
    return Path(found).resolve()


def _envoy_parts() -> Iterator[Part]:
    program = Path(oracles.envoy())
    yield Part("usr/local/bin/envoy", program)
    yield from _libraries([program])
    yield from _users()


def _users() -> Iterator[Part]:
    yield Part("etc/passwd", content=b"root:x:0:0:root:/:/bin/sh\nmcp:x:1000:1000:mcp:/tmp:/bin/sh\n")
    yield Part("etc/group", content=b"root:x:0:\nmcp:x:1000:\n")


def _python_parts() -> Iterator[Part]:
    version = f"python{sysconfig.get_python_version()}"
    python = Path(sys.executable).resolve()
    with tempfile.TemporaryDirectory() as folder:
        packages = _install(Path(folder))
        library = list(_standard_library(f"usr/local/lib/{version}"))
        yield Part(f"usr/local/bin/{version}", python)
        yield Part("usr/local/bin/python3", link=version)
        yield from library
        yield from packages
        yield from _programs()
        native = [part.source for part in (*library, *packages) if part.source and ".so" in part.source.suffixes]
        yield from _libraries([python, *native])
        yield from _users()


def _base_parts() -> Iterator[Part]:
    version = f"python{sysconfig.get_python_version()}"
    python = Path(sys.executable).resolve()
    with tempfile.TemporaryDirectory() as folder:
        pip = list(_installed(Path(folder), ("pip",), f"usr/local/lib/{version}/site-packages"))
        library = list(_standard_library(f"usr/local/lib/{version}"))
        yield Part(f"usr/local/bin/{version}", python)
        yield Part("usr/local/bin/python3", link=version)
        yield from (*library, *pip)
        # What will be installed there may need libraries that Python itself does not.
        native = [*Path(jsonschema_rs.__file__).parent.glob("*.so")]
        native += [part.source for part in library if part.source and ".so" in part.source.suffixes]
        yield from _libraries([python, *native])
    yield from (part for part in _busybox_parts() if part.name.startswith("bin/"))
    yield from _users()


def _programs() -> Iterator[Part]:
    yield Part(f"{_PACKAGES_AT}/servers/echo_server.py", content=_SERVER.read_bytes())
    for name, (folder, module) in _PROGRAMS.items():
        code = _RUN.format(at=_PACKAGES_AT, folder=folder, module=module)
        yield Part(f"usr/local/bin/{name}", content=f"#!/usr/local/bin/python3\n{code}\n".encode())


def _install(folder: Path) -> list[Part]:
    """The packages, from PyPI, compiled: in a read-only root every start would compile them again."""
    with ThreadPoolExecutor() as threads:
        return [part for parts in threads.map(functools.partial(_install_one, folder), _PACKAGES) for part in parts]


def _install_one(folder: Path, name: str) -> list[Part]:
    return list(_installed(folder / name, _PACKAGES[name], f"{_PACKAGES_AT}/{name}"))


def _installed(folder: Path, packages: Sequence[str], at: str) -> Iterator[Part]:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]
    done = subprocess.run([*command, str(folder), *packages], capture_output=True, timeout=300, check=False)
    if done.returncode:
        raise Missing(f"pip cannot install {packages}: {done.stderr.decode(errors='replace')[-2000:]}")
    return _tree(folder, at)


def _standard_library(at: str) -> Iterator[Part]:
    source = Path(sysconfig.get_path("stdlib"))
    for each in sorted(source.iterdir()):
        if _LEFT_OUT.match(each.name):
            continue
        yield from _tree(each, f"{at}/{each.name}") if each.is_dir() else [Part(f"{at}/{each.name}", each)]


def _tree(folder: Path, at: str) -> Iterator[Part]:
    for each in sorted(folder.rglob("*")):
        left_out = each.parent.name == "lib-dynload" and _LEFT_OUT_NATIVE.match(each.name)
        if each.is_file() and not left_out and not each.name.endswith((".opt-1.pyc", ".opt-2.pyc")):
            yield Part(f"{at}/{each.relative_to(folder)}", each)


def _libraries(programs: Sequence[Path]) -> Iterator[Part]:
    """Shared libraries that ``programs`` name, each once, and the loader where they look for it."""
    done = subprocess.run(["ldd", *map(str, programs)], capture_output=True, timeout=60, check=False)
    for name, path in sorted(set(re.findall(r"^\s(?:(\S+) => )?(/\S+) \(0x", done.stdout.decode(), re.MULTILINE))):
        # Libraries by their name in a folder of ours; the loader, which has no arrow, by its own path.
        yield Part(f"{_LIBRARIES_AT}/{name}" if name else path.lstrip("/"), Path(path).resolve())


def _python_made_from() -> bytes:
    texts = [file.read_text() for file in (_SERVER, Path(__file__))]
    return json.dumps([sys.version, sys.base_prefix, _PACKAGES, texts]).encode()


def _base_made_from() -> bytes:
    return json.dumps([sys.version, sys.base_prefix, Path(__file__).read_text()]).encode()


def _busybox_made_from() -> bytes:
    return _busybox().read_bytes() + Path(__file__).read_bytes()


def _envoy_made_from() -> bytes:
    program = Path(oracles.envoy())
    return f"{program} {program.stat().st_size}".encode() + Path(__file__).read_bytes()


_ENV = (f"ENV PATH=/usr/local/bin:/bin LD_LIBRARY_PATH=/{_LIBRARIES_AT} PYTHONUNBUFFERED=1",)
_IMAGES = (
    Image((ECHO, TIME), _python_parts, _python_made_from, (*_ENV, 'CMD ["mcp-echo"]', "EXPOSE 8080")),
    Image((BUSYBOX,), _busybox_parts, _busybox_made_from, (*_ENV, 'CMD ["sh"]')),
    Image((PYTHON,), _base_parts, _base_made_from, (*_ENV, 'CMD ["python3"]')),
    Image((ENVOY,), _envoy_parts, _envoy_made_from, (*_ENV, 'ENTRYPOINT ["/usr/local/bin/envoy"]')),
)


if __name__ == "__main__":
    for each in (name for image in _IMAGES for name in image.names):
        begun = time.monotonic()
        ensure(each)
        size = int(docker("image", "inspect", "--format", "{{.Size}}", each).stdout)
        print(f"{each}: {time.monotonic() - begun:.1f} s, {size / 1e6:.1f} MB")

"""Packages of server.json: the choice among them, inputs, arguments and transport."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from renderer.errors import DocumentPath, excerpt
from renderer.importers.docker_flags import judge_flag, split_run
from renderer.importers.draft import END, Choices, Reading
from renderer.importers.images import set_entrypoint, set_image
from renderer.importers.packages import Package, Registry, Word, newest_unless
from renderer.importers.variables import Variable, literal, set_variable
from renderer.model import JSON
from renderer.model.remote import PLACEHOLDER

#: Filled in by a client or a shell: ${input:key}, ${NAME}.
_ASKED = re.compile(r"\$\{(?:\w+:)?([A-Za-z_][\w.-]*)\}")
#: The name of an unnamed argument.
_NAMELESS = "value"
#: Names of fields before the first schema.
_BEFORE = {"registryType": "registry_name", "identifier": "name"}
_HTTP = ("streamable-http", "sse", "http")
_PUBLIC = {
    "npm": ("https://registry.npmjs.org", "NPM_CONFIG_REGISTRY"),
    "pypi": ("https://pypi.org", "UV_DEFAULT_INDEX"),
}
#: In a URL also the name of an option: {--port}.
_PLACEHOLDER = re.compile(r"\{([^{}\s]+)\}")
_NUGET = "a NuGet package runs with the .NET SDK (dnx), for which there is no base image: build an image of it"


def field_path(reading: Reading, path: DocumentPath, name: str) -> DocumentPath:
    """The path of the field: the first schema version wrote ``registry_type`` for ``registryType``."""
    older = re.sub(r"[A-Z]", lambda upper: f"_{upper[0].lower()}", name)
    for each in (name, older, _BEFORE.get(name, name)):
        if reading.get(*path, each) is not None:
            return (*path, each)
    return (*path, name)


def is_true(reading: Reading, path: DocumentPath, name: str) -> bool:
    return reading.get(*field_path(reading, path, name)) is True


def variable_of(reading: Reading, path: DocumentPath, name: str) -> Variable:
    """The Input there as a Variable."""
    key = next((key for key in ("value", "default") if reading.get(*path, key) is not None), "")
    value = reading.text(*path, key) if key else None
    asked = _ASKED.fullmatch(value or "")
    name = asked[1] if asked and name == _NAMELESS else name
    example = reading.text(*path, "placeholder")
    about = "; ".join(filter(None, (reading.text(*path, "description"), f"such as {example}" if example else "")))
    choices = [reading.text(*choice) for choice, _ in reading.items(*path, "choices")]
    required, secret = asked is not None or is_true(reading, path, "isRequired"), is_true(reading, path, "isSecret")
    return Variable(name, None if asked else value, required, secret, about, choices)


def set_environment(reading: Reading, path: DocumentPath, server: str) -> None:
    for source, _ in reading.items(*field_path(reading, path, "environmentVariables")):
        set_input(reading, source, variable_of(reading, source, reading.text(*source, "name")), server)


def set_input(reading: Reading, source: DocumentPath, variable: Variable, server: str) -> None:
    """A variable whose value may be a template of the variables at ``source``."""
    template = variable.default or ""
    names = [name for name in PLACEHOLDER.findall(template) if reading.get(*source, "variables", name) is not None]
    if not names:
        set_variable(reading, source, variable, server)
    elif template == f"{{{names[0]}}}":  # nothing but one variable: it is that
        inner = variable_of(reading, (*source, "variables", names[0]), variable.name)
        required, secret = inner.required or variable.required, inner.secret or variable.secret
        about = inner.about or variable.about
        set_variable(reading, source, inner._replace(required=required, secret=secret, about=about), server)
    else:
        text = _resolved(reading, source, variable._replace(secret=False), server) or ""
        reading.map(source, ("spec", "env", variable.name), text)


def set_arguments(reading: Reading, path: DocumentPath, server: str) -> None:
    for source, _ in reading.items(*field_path(reading, path, "packageArguments")):
        words = argument(reading, source, server)
        if words is None:
            about = reading.text(*source, "description")
            flag = reading.text(*source, "name") or reading.text(*field_path(reading, source, "valueHint"))
            reading.comment(("spec", "args"), f"optional: {' '.join(f'{flag}: {about}'.split())[:300]}")
            reading.leave(source, ("spec", "args"), f"optional, and not set: {about}")
            continue
        for word in words:
            reading.write(("spec", "args", END), word)
        again = "it can be repeated" if is_true(reading, source, "isRepeated") else ""
        reading.note(source, ("spec", "args"), again)


def argument(reading: Reading, path: DocumentPath, server: str | None) -> list[str] | None:
    """The words of one argument; None if it is optional and has no value.

    A value that only a person knows becomes a variable; without ``server`` its placeholder stays.
    """
    flag = reading.text(*path, "name")
    hint = reading.text(*field_path(reading, path, "valueHint"))
    name = flag.lstrip("-") or hint or _NAMELESS
    text = _resolved(reading, path, variable_of(reading, path, name), server)
    if reading.text(*path, "type") != "named" or not flag:
        return None if text is None else [text]
    if text is None:
        # A flag without a value is a switch, unless the definition says that it has one.
        fields = ("description", "format", "choices", "placeholder")
        has_value = any(reading.get(*path, key) is not None for key in fields)
        return [flag] if is_true(reading, path, "isRequired") or not has_value else None
    if not text:
        return [flag]
    return [f"{flag}={text}"] if flag.startswith("--") and not flag.endswith("=") else [flag, text]


def _resolved(reading: Reading, path: DocumentPath, variable: Variable, server: str | None) -> str | None:
    """The value with its placeholders replaced: by their defaults, or else by references to variables."""
    if variable.secret or (variable.default is None and variable.required):
        return _reference(reading, path, variable, server) if server else f"{{{variable.name}}}"
    if variable.default is None:
        return None
    parts: list[str] = []
    position = 0
    for match in PLACEHOLDER.finditer(variable.default):
        inner = (*path, "variables", match[1])
        if reading.get(*inner) is None:
            continue
        text = _resolved(reading, inner, variable_of(reading, inner, match[1])._replace(required=True), server)
        parts += [literal(variable.default[position : match.start()]), text or ""]
        position = match.end()
    text = "".join([*parts, literal(variable.default[position:])])
    if server:
        asked = Variable("", None, True)
        text = _ASKED.sub(lambda match: _reference(reading, path, asked._replace(name=match[1]), server), text)
    return text


def _reference(reading: Reading, path: DocumentPath, variable: Variable, server: str) -> str:
    """``$(NAME)``, with a variable of that name."""
    name = "ARG_" + re.sub(r"[^A-Za-z0-9]+", "_", variable.name).strip("_").upper()
    set_variable(reading, path, variable._replace(name=name, required=True), server)
    return f"$({name})"


def kind_of(reading: Reading, path: DocumentPath) -> str:
    kind = reading.text(*field_path(reading, path, "registryType")).lower()
    return "oci" if kind == "docker" else kind


def choose(reading: Reading, paths: Sequence[DocumentPath], choices: Choices) -> DocumentPath | None:
    """The requested package, or the best one; None if there is no such package."""
    if not choices.package:
        return min(paths, key=lambda path: (_rank(reading, path), paths.index(path)))
    if choices.package.isascii() and choices.package.isdigit():
        number = int(choices.package[:6])
        return paths[number - 1] if 0 < number <= len(paths) else None
    return next((path for path in paths if kind_of(reading, path) == choices.package.lower()), None)


def _rank(reading: Reading, path: DocumentPath) -> int:
    """Lower is better: an image with HTTP needs no bridge, packages do, bundles are downloaded too."""
    kind = kind_of(reading, path)
    http = reading.text(*path, "transport", "type") in _HTTP
    if kind == "mcpb":  # by the bundle's name: clusters run on Linux, most of them on amd64
        name = reading.text(*field_path(reading, path, "identifier")).rpartition("/")[2].lower()
        if re.search(r"darwin|macos|win(dows|32|64)?[-_.]|osx", name):
            return 15
        if re.search(r"arm64|aarch64|armv7", name):
            return 12
        return 10 if re.search(r"amd64|x86_64|x64", name) else 11
    return {"oci": 0 if http else 2, "npm": 1, "pypi": 1, "nuget": 30}.get(kind, 40)


def set_package(reading: Reading, path: DocumentPath, server: str, choices: Choices) -> None:
    kind = kind_of(reading, path)
    reading.note(field_path(reading, path, "registryType"), ("spec",), kind)
    if kind == "nuget":
        hint = "its endpoint elsewhere is imported with --remote" if reading.get("remotes") else ""
        reading.refuse(path, "import/nuget", _NUGET, hint)
        return
    image = ""
    if kind == "oci":
        image = _image(reading, path)
    elif kind == "mcpb":
        _bundle(reading, path)
    elif kind in ("npm", "pypi"):
        _registry_package(reading, path, "npm" if kind == "npm" else "pypi", choices)
    else:
        reading.refuse(path, "import/package", f"'{excerpt(kind)}' is no type of packages that can be run")
        return
    _runtime(reading, path, server, kind)
    set_arguments(reading, path, server)
    set_environment(reading, path, server)
    set_transport(reading, path)
    if image and reading.written(("spec", "transport", "type")) == "stdio":
        set_entrypoint(reading, image, choices)


def _image(reading: Reading, path: DocumentPath) -> str:
    """Joins ``registryBaseUrl``, ``identifier`` and ``version``, which older definitions have apart."""
    image = reading.text(*field_path(reading, path, "identifier"))
    base = field_path(reading, path, "registryBaseUrl")
    host = (urlsplit(reading.text(*base)).netloc or "").removeprefix("index.").removeprefix("registry-1.")
    first, slash, _ = image.partition("/")
    if host and host not in ("docker.io", "hub.docker.com") and not (slash and ("." in first or ":" in first)):
        image = f"{host}/{image}"
    version = reading.text(*path, "version")
    if version and "@" not in image and ":" not in image.rpartition("/")[2]:
        image = f"{image}@{version}" if version.startswith("sha256:") else f"{image}:{version}"
    for name in ("registryBaseUrl", "version"):
        reading.note(field_path(reading, path, name), ("spec", "image"))
    set_image(reading, field_path(reading, path, "identifier"), image)
    reading.lose(field_path(reading, path, "fileSha256"), "a digest in the reference says which image it is")
    return image


def _registry_package(reading: Reading, path: DocumentPath, kind: Registry, choices: Choices) -> None:
    named = Package(kind, reading.text(*field_path(reading, path, "identifier")), reading.text(*path, "version"))
    reading.map(field_path(reading, path, "identifier"), ("spec", "package"), named.fields)
    if named.is_exact:
        reading.note((*path, "version"), ("spec", "package", "version"))
    else:
        # Take the newest; a person must confirm it.
        version, who = newest_unless(choices.offline, named)
        asked = excerpt(named.version) or "no version"
        if version:
            question = f"the definition says {asked}; {version} is the newest by {who}: is it the one that is meant?"
            reading.decide((*path, "version"), ("spec", "package", "version"), version, question)
        else:
            unknown = f"the definition has no exact version of {excerpt(named.name)} ({asked})"
            message = f"{unknown}, and the newest is not known: {who}"
            reading.refuse(path, "import/version", message, "write it as version")
    base = field_path(reading, path, "registryBaseUrl")
    public, variable = _PUBLIC[kind]
    if (url := reading.text(*base).rstrip("/")) and url not in (public, "https://pypi.org/simple"):
        reading.map(base, ("spec", "env", variable), url)
    elif url:
        reading.note(base, ("spec", "package", "registry"))
    why = "package.lock holds the hashes of all that is installed: 'mcpctl pin'"
    reading.lose(field_path(reading, path, "fileSha256"), why)


def _bundle(reading: Reading, path: DocumentPath) -> None:
    package: JSON = {
        "registry": "mcpb",
        "url": reading.text(*field_path(reading, path, "identifier")),
        "sha256": reading.text(*field_path(reading, path, "fileSha256")),
    }
    reading.map(field_path(reading, path, "identifier"), ("spec", "package"), package)
    reading.note(field_path(reading, path, "fileSha256"), ("spec", "package", "sha256"))
    reading.note((*path, "version"), ("spec", "package", "url"), "the address names the version")


def _runtime(reading: Reading, path: DocumentPath, server: str, kind: str) -> None:
    """Options of what starts the package."""
    hint = field_path(reading, path, "runtimeHint")
    reading.note(hint, ("spec",), "a runtime of mcpctl's own starts it")
    words: list[Word] = []
    for source, _ in reading.items(*field_path(reading, path, "runtimeArguments")):
        values = argument(reading, source, None)
        if values is None:
            reading.leave(source, ("spec",), f"optional, and not set: {reading.text(*source, 'description')}")
        words += [Word(text, source) for text in values or ()]
    if kind == "oci":
        words = _judged(reading, words, server)
    elif kind == "pypi":
        words = _with_requirements(reading, words)
    for text, source in words:
        if text in ("-y", "--yes", "x", "exec", "run"):
            reading.note(source, ("spec",), "nobody is asked")
        else:
            reading.lose(source, f"{excerpt(text)}: an option of the package's runner, for which a spec has no field")


def _judged(reading: Reading, words: Sequence[Word], server: str) -> list[Word]:
    """Reads options of ``docker run`` and returns the rest."""
    command = [word for word in words if word.text in ("docker", "podman", "container", "run")]
    for word in command:
        reading.note(word.source, ("spec",), "a runtime of mcpctl's own starts it")
    flags, rest = split_run([word for word in words if word not in command])
    for flag in flags:
        name, equals, template = flag.value.partition("=")
        if flag.name == "--env" and equals:
            set_input(reading, flag.source, variable_of(reading, flag.source, name)._replace(default=template), server)
        else:
            judge_flag(reading, flag, server)
    return rest


def _with_requirements(reading: Reading, words: Sequence[Word]) -> list[Word]:
    """The words without ``--with REQUIREMENT`` of uvx, which becomes ``package.with``."""
    rest: list[Word] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        name, equals, text = word.text.partition("=")
        if name == "--with" and (equals or waiting):
            value = Word(text, word.source) if equals else waiting.pop(0)
            reading.map(value.source, ("spec", "package", "with", END), value.text)
        else:
            rest.append(word)
    return rest


def set_transport(reading: Reading, path: DocumentPath) -> None:
    transport = (*path, "transport")
    kind = reading.text(*transport, "type") or "stdio"
    kind = "streamable-http" if kind == "http" else kind
    if reading.get(*transport, "type") is None:
        reading.default(("spec", "transport", "type"), kind, "the first version of the format had no other")
    else:
        reading.map((*transport, "type"), ("spec", "transport", "type"), kind)
    for header, _ in reading.items(*transport, "headers"):
        reading.lose(header, "clients send it: write it into their configuration")
    url = reading.text(*transport, "url")
    if not url or kind == "stdio":
        return
    address = _PLACEHOLDER.sub(lambda match: _value_of(reading, path, match[1]), url)
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    reading.note((*transport, "url"), ("spec", "transport"), "its port and its path")
    if parts.path.strip("/"):
        reading.write(("spec", "transport", "path"), parts.path.rstrip("/") if kind != "sse" else parts.path)
    if port:
        reading.write(("spec", "transport", "port"), port)
    elif "{" in url:
        question = f"on which port it listens: the definition says {excerpt(url, 80)}"
        reading.decide((*transport, "url"), ("spec", "transport", "port"), None, question)


def _value_of(reading: Reading, path: DocumentPath, name: str) -> str:
    """The value of a placeholder in the URL: of an argument, by name or hint, or a variable; else empty."""
    for key in ("packageArguments", "runtimeArguments", "environmentVariables"):
        for source, _ in reading.items(*field_path(reading, path, key)):
            names = (reading.text(*source, "name"), reading.text(*field_path(reading, source, "valueHint")))
            if name in names or name in (each.lstrip("-") for each in names):
                value = variable_of(reading, source, name).default or ""
                inner = _PLACEHOLDER.fullmatch(value)
                return reading.text(*source, "variables", inner[1], "default") if inner else value
    return ""

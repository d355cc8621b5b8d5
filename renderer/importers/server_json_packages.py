"""Packages of server.json: the choice among them, inputs, arguments and transport."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
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


class Part(NamedTuple):
    """A place in a definition. Its fields may have older names: the first schema wrote ``registry_type``."""

    reading: Reading
    path: DocumentPath

    def at(self, name: str) -> DocumentPath:
        older = re.sub(r"[A-Z]", lambda upper: f"_{upper[0].lower()}", name)
        names = (name, older, _BEFORE.get(name, name))
        return (*self.path, next((each for each in names if self.reading.get(*self.path, each) is not None), name))

    def get(self, name: str) -> JSON:
        return self.reading.get(*self.at(name))

    def text(self, name: str) -> str:
        return self.reading.text(*self.at(name))

    def parts(self, name: str) -> list[Part]:
        """The items of the list there."""
        return [self._replace(path=path) for path, _ in self.reading.items(*self.at(name))]

    def variables(self) -> Mapping[str, Part]:
        """The declared variables of a template."""
        names = self.reading.mapping(*self.path, "variables")
        return {name: self._replace(path=(*self.path, "variables", name)) for name in names}

    @property
    def kind(self) -> str:
        """Of a package."""
        kind = self.text("registryType").lower()
        return "oci" if kind == "docker" else kind

    def input(self, name: str) -> Variable:
        """The Input there as a Variable."""
        key = next((key for key in ("value", "default") if self.get(key) is not None), "")
        value = self.text(key) if key else None
        asked = _ASKED.fullmatch(value or "")
        name = asked[1] if asked and name == _NAMELESS else name
        example = self.text("placeholder")
        about = "; ".join(filter(None, (self.text("description"), f"such as {example}" if example else "")))
        choices = [self.reading.text(*part.path) for part in self.parts("choices")]
        required, secret = asked is not None or self.get("isRequired") is True, self.get("isSecret") is True
        return Variable(name, None if asked else value, required, secret, about, choices)


def choose(packages: Sequence[Part], choices: Choices) -> Part | None:
    """The requested package, or the best one; None if there is no such package."""
    if not choices.package:
        return min(packages, key=_rank)
    if choices.package.isascii() and choices.package.isdigit():
        number = int(choices.package[:6])
        return packages[number - 1] if 0 < number <= len(packages) else None
    return next((package for package in packages if package.kind == choices.package.lower()), None)


def _rank(package: Part) -> int:
    """Lower is better: an image with HTTP needs no bridge, packages do, bundles are downloaded too."""
    kind = package.kind
    http = package.reading.text(*package.path, "transport", "type") in _HTTP
    if kind == "mcpb":  # by the bundle's name: clusters run on Linux, most of them on amd64
        name = package.text("identifier").rpartition("/")[2].lower()
        if re.search(r"darwin|macos|win(dows|32|64)?[-_.]|osx", name):
            return 15
        if re.search(r"arm64|aarch64|armv7", name):
            return 12
        return 10 if re.search(r"amd64|x86_64|x64", name) else 11
    return {"oci": 0 if http else 2, "npm": 1, "pypi": 1, "nuget": 30}.get(kind, 40)


def set_package(package: Part, server: str, choices: Choices) -> None:
    reading, path, kind = *package, package.kind
    reading.note(package.at("registryType"), ("spec",), kind)
    if kind == "nuget":
        hint = "its endpoint elsewhere is imported with --remote" if reading.get("remotes") else ""
        reading.refuse(path, "import/nuget", _NUGET, hint)
        return
    if kind not in ("oci", "mcpb", "npm", "pypi"):
        reading.refuse(path, "import/package", f"'{excerpt(kind)}' is no type of packages that can be run")
        return
    if not package.text("identifier"):
        hint = "write its name, image or URL as identifier"
        reading.refuse(path, "import/package", "the package has no identifier", hint)
        return
    image = _image(package) if kind == "oci" else ""
    if kind == "mcpb":
        _bundle(package)
    elif kind != "oci":
        _registry_package(package, "npm" if kind == "npm" else "pypi", choices)
    _runtime(package, server)
    _arguments(package, server)
    for variable in package.parts("environmentVariables"):
        _set_input(variable, variable.input(variable.text("name")), server)
    _transport(package)
    if image and reading.written(("spec", "transport", "type")) == "stdio":
        set_entrypoint(reading, image, choices)


def _image(package: Part) -> str:
    """Joins ``registryBaseUrl``, ``identifier`` and ``version``, which older definitions have apart."""
    reading, image = package.reading, package.text("identifier")
    host = (urlsplit(package.text("registryBaseUrl")).netloc or "").removeprefix("index.").removeprefix("registry-1.")
    first, slash, _ = image.partition("/")
    if host and host not in ("docker.io", "hub.docker.com") and not (slash and ("." in first or ":" in first)):
        image = f"{host}/{image}"
    version = package.text("version")
    if version and "@" not in image and ":" not in image.rpartition("/")[2]:
        image = f"{image}@{version}" if version.startswith("sha256:") else f"{image}:{version}"
    for name in ("registryBaseUrl", "version"):
        reading.note(package.at(name), ("spec", "image"))
    set_image(reading, package.at("identifier"), image)
    reading.lose(package.at("fileSha256"), "a digest in the reference says which image it is")
    return image


def _registry_package(package: Part, kind: Registry, choices: Choices) -> None:
    reading = package.reading
    named = Package(kind, package.text("identifier"), package.text("version"))
    reading.map(package.at("identifier"), ("spec", "package"), named.fields)
    if named.is_exact:
        reading.note(package.at("version"), ("spec", "package", "version"))
    else:
        # Take the newest; a person must confirm it.
        version, who = newest_unless(choices.offline, named)
        asked = excerpt(named.version) or "no version"
        if version:
            question = f"the definition says {asked}; {version} is the newest by {who}: is it the one that is meant?"
            reading.decide(package.at("version"), ("spec", "package", "version"), version, question)
        else:
            unknown = f"the definition has no exact version of {excerpt(named.name)} ({asked})"
            message = f"{unknown}, and the newest is not known: {who}"
            reading.refuse(package.path, "import/version", message, "write it as version")
    base = package.at("registryBaseUrl")
    public, variable = _PUBLIC[kind]
    url = package.text("registryBaseUrl").rstrip("/")
    if url in ("", public, "https://pypi.org/simple"):
        reading.note(base, ("spec", "package", "registry"))
    else:
        reading.map(base, ("spec", "env", variable), url)
    why = "package.lock holds the hashes of all that is installed: 'mcpctl pin'"
    reading.lose(package.at("fileSha256"), why)


def _bundle(package: Part) -> None:
    reading = package.reading
    url, sha256 = package.text("identifier"), package.text("fileSha256")
    reading.map(package.at("identifier"), ("spec", "package"), {"registry": "mcpb", "url": url, "sha256": sha256})
    reading.note(package.at("fileSha256"), ("spec", "package", "sha256"))
    reading.note(package.at("version"), ("spec", "package", "url"), "the address names the version")


# ---------------------------------------------------------------------------------------------
# Variables and arguments.


def _set_input(part: Part, variable: Variable, server: str) -> None:
    """A variable whose value may be a template of the variables at the part."""
    template = variable.default or ""
    inner = part.variables()
    names = [name for name in PLACEHOLDER.findall(template) if name in inner]
    if not names:
        set_variable(part.reading, part.path, variable, server)
    elif template == f"{{{names[0]}}}":  # nothing but one variable: it is that
        whole = inner[names[0]].input(variable.name)
        required, secret = whole.required or variable.required, whole.secret or variable.secret
        about = whole.about or variable.about
        whole = whole._replace(required=required, secret=secret, about=about)
        set_variable(part.reading, part.path, whole, server)
    else:
        text = _resolved(part, variable._replace(secret=False), server) or ""
        part.reading.map(part.path, ("spec", "env", variable.name), text)


def _arguments(package: Part, server: str) -> None:
    reading = package.reading
    for part in package.parts("packageArguments"):
        words = _words(part, server)
        if words is None:
            about = part.text("description")
            flag = part.text("name") or part.text("valueHint")
            reading.comment(("spec", "args"), f"optional: {' '.join(f'{flag}: {about}'.split())[:300]}")
            reading.leave(part.path, ("spec", "args"), f"optional, and not set: {about}")
            continue
        for word in words:
            reading.write(("spec", "args", END), word)
        again = "it can be repeated" if part.get("isRepeated") is True else ""
        reading.note(part.path, ("spec", "args"), again)


def _words(part: Part, server: str | None) -> list[str] | None:
    """The words of one argument; None if it is optional and has no value.

    A value that only a person knows becomes a variable; without ``server`` its placeholder stays.
    """
    flag = part.text("name")
    name = flag.lstrip("-") or part.text("valueHint") or _NAMELESS
    text = _resolved(part, part.input(name), server)
    if part.text("type") != "named" or not flag:
        return None if text is None else [text]
    if text is None:
        # A flag without a value is a switch, unless the definition says that it has one.
        has_value = any(part.get(key) is not None for key in ("description", "format", "choices", "placeholder"))
        return [flag] if part.get("isRequired") is True or not has_value else None
    if not text:
        return [flag]
    return [f"{flag}={text}"] if flag.startswith("--") and not flag.endswith("=") else [flag, text]


def _resolved(part: Part, variable: Variable, server: str | None) -> str | None:
    """The value with its placeholders replaced: by their defaults, or else by references to variables."""
    if variable.secret or (variable.default is None and variable.required):
        return _reference(part, variable, server) if server else f"{{{variable.name}}}"
    if variable.default is None:
        return None
    inner = part.variables()
    parts: list[str] = []
    position = 0
    for match in PLACEHOLDER.finditer(variable.default):
        if match[1] not in inner:
            continue
        text = _resolved(inner[match[1]], inner[match[1]].input(match[1])._replace(required=True), server)
        parts += [literal(variable.default[position : match.start()]), text or ""]
        position = match.end()
    text = "".join([*parts, literal(variable.default[position:])])
    if server:
        asked = Variable("", None, True)
        text = _ASKED.sub(lambda match: _reference(part, asked._replace(name=match[1]), server), text)
    return text


def _reference(part: Part, variable: Variable, server: str) -> str:
    """``$(NAME)``, with a variable of that name."""
    name = "ARG_" + re.sub(r"[^A-Za-z0-9]+", "_", variable.name).strip("_").upper()
    set_variable(part.reading, part.path, variable._replace(name=name, required=True), server)
    return f"$({name})"


# ---------------------------------------------------------------------------------------------
# What starts the package, and how it is reached.


def _runtime(package: Part, server: str) -> None:
    reading = package.reading
    reading.note(package.at("runtimeHint"), ("spec",), "a runtime of mcpctl's own starts it")
    words: list[Word] = []
    for part in package.parts("runtimeArguments"):
        values = _words(part, None)
        if values is None:
            reading.leave(part.path, ("spec",), f"optional, and not set: {part.text('description')}")
        words += [Word(text, part.path) for text in values or ()]
    if package.kind == "oci":
        words = _judged(reading, words, server)
    elif package.kind == "pypi":
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
            part = Part(reading, flag.source)
            _set_input(part, part.input(name)._replace(default=template), server)
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


def _transport(package: Part) -> None:
    reading, transport = package.reading, (*package.path, "transport")
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
    address = _PLACEHOLDER.sub(lambda match: _value_of(package, match[1]), url)
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


def _value_of(package: Part, name: str) -> str:
    """The value of a placeholder in the URL: of an argument, by name or hint, or a variable; else empty."""
    for key in ("packageArguments", "runtimeArguments", "environmentVariables"):
        for part in package.parts(key):
            names = (part.text("name"), part.text("valueHint"))
            if name in names or name in (each.lstrip("-") for each in names):
                value = part.input(name).default or ""
                inner = _PLACEHOLDER.fullmatch(value)
                return part.reading.text(*part.path, "variables", inner[1], "default") if inner else value
    return ""

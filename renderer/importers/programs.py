"""Programs that MCP clients start: package runners, containers, shells, proxies."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from renderer.errors import excerpt
from renderer.importers.docker_flags import Flag, judge_flag, split_run
from renderer.importers.images import set_entrypoint, set_image
from renderer.importers.packages import Registry, parse_package
from renderer.importers.proxies import cmd, env, mcp_proxy, mcp_remote, script, shell, supergateway
from renderer.importers.starting import Program, Starting
from renderer.importers.values import Word

#: Options with a value; all others are switches.
_NPX_VALUES = frozenset(
    {
        *("--cache", "--call", "--package", "--prefix", "--registry", "--userconfig", "--workspace", "-c"),
        *("-p", "-w"),
    }
)
_UVX_VALUES = frozenset(
    {
        *("--allow-insecure-host", "--build-constraints", "--cache-dir", "--color", "--config-file"),
        *("--config-setting", "--constraints", "--default-index", "--directory", "--env-file"),
        *("--exclude-newer", "--extra-index-url", "--find-links", "--from", "--index", "--index-strategy"),
        *("--index-url", "--keyring-provider", "--link-mode", "--overrides", "--prerelease", "--project"),
        *("--python", "--refresh-package", "--reinstall-package", "--resolution", "--upgrade-package"),
        *("--with", "--with-editable", "--with-requirements", "-C", "-P", "-b", "-c", "-f", "-i", "-p"),
        *("-w",),
    }
)


def _npx(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    index = ("--registry", "npm_config_registry")
    packages, rest = _runner_options(starting, words, _NPX_VALUES, ("-p", "--package"), index)
    if not (packages or rest):
        starting.refuse(first, "it names no package", "write the package behind npx -y")
        return
    package = packages[0] if packages else rest[0]
    program = rest[:1] if packages else []
    arguments = rest[1:]
    for more in packages[1:]:
        starting.reading.lose(more.source, "a spec has one package: build an image of several")
    _packaged(starting, package, "npm", program, arguments)


def _uvx(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    packages, rest = _runner_options(starting, words, _UVX_VALUES, ("--from",), ("--index-url", "UV_DEFAULT_INDEX"))
    if not rest:
        starting.refuse(first, "it names no package", "write the package behind uvx")
        return
    package = packages[0] if packages else rest[0]
    _packaged(starting, package, "pypi", rest[:1] if packages else [], rest[1:])


def _packaged(
    starting: Starting, package: Word, registry: Registry, program: Sequence[Word], arguments: Sequence[Word]
) -> None:
    """A package with its arguments; for a proxy, the server behind it."""
    known = parse_package(registry, package.text)
    proxy = starting.proxies.get((registry, known.name)) if known else None
    if proxy:
        for word in (package, *program):
            starting.reading.note(word.source, None, "a proxy, of which mcpctl brings its own")
        proxy(starting, package, arguments)
        return
    same = known is not None and [word.text for word in program] == [known.name.partition("[")[0]]
    for word in program if same else ():
        starting.reading.note(word.source, ("spec", "package"), "the program of the package's own name")
    starting.package(package, registry, package.text, () if same else program)
    starting.values.arguments(arguments)


def _runner_options(
    starting: Starting, words: Sequence[Word], valued: Collection[str], naming: Sequence[str], index: tuple[str, str]
) -> tuple[list[Word], list[Word]]:
    """The packages that options name, and the words after the options."""
    packages: list[Word] = []
    rest = list(words)
    while rest and rest[0].text.startswith("-"):
        word = rest.pop(0)
        if word.text == "--":
            starting.reading.note(word.source, None, "ends the options")
            break
        name, equals, text = word.text.partition("=")
        value = Word(text, word.source) if equals else None
        if not equals and name in valued and rest:
            value = rest.pop(0)
            starting.reading.note(word.source, None, f"names what follows: {name}")
        _runner_option(starting, word, name, value, packages if name in naming else None, index)
    return packages, rest


def _runner_option(
    starting: Starting, word: Word, name: str, value: Word | None, packages: list[Word] | None, index: tuple[str, str]
) -> None:
    reading = starting.reading
    if value is None:
        reading.note(word.source, None, f"{name}: an option of the runner, which mcpctl sets itself")
    elif packages is not None:
        packages.append(value)
    elif name in ("--with", "-w"):
        starting.requirements.append(value)
    elif name in (index[0], "--default-index", "--index", "-i"):
        reading.map(value.source, ("spec", "env", index[1]), value.text, "packages come from this registry")
    elif name in ("--python", "-p"):
        why = "the base image decides it; see spec.package.baseImage"
        reading.lose(value.source, f"Python {excerpt(value.text)}: {why}")
    else:
        reading.lose(value.source, f"{name} of the runner has no field")


def _uv(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``uv tool run``; ``uv run`` needs a project on the client's machine."""
    rest = list(words)
    if [word.text for word in rest[:2]] == ["tool", "run"]:
        for word in rest[:2]:
            starting.reading.note(word.source, None, "uv tool run")
        _uvx(starting, first, rest[2:])
        return
    hint = "publish the project as a package or an image, or write 'uvx PACKAGE'"
    starting.refuse(first, "uv run starts a project of the client's machine, which no cluster has", hint)


def _subcommand(names: Sequence[str], then: Program) -> Program:
    """The subcommand of a package manager that runs a package."""

    def read(starting: Starting, first: Word, words: Sequence[Word]) -> None:
        if not words or words[0].text not in names:
            starting.refuse(first, f"it is not '{first.text} {names[0]}', which runs a package")
            return
        starting.reading.note(words[0].source, None, f"{first.text} {words[0].text}")
        then(starting, first, words[1:])

    return read


def _module(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``python -m module``: assumes that the package has the module's name."""
    rest = [word for word in words if word.text not in ("-u", "-I", "-E", "-s", "-B")]
    for word in words:
        if word not in rest:
            starting.reading.note(word.source, None, "an option of Python")
    if len(rest) < 2 or rest[0].text != "-m":
        script(starting, first, rest)
        return
    option, named_module, *arguments = rest
    starting.reading.note(option.source, ("spec", "command"), "python -m")
    name = named_module.text.partition(".")[0].replace("_", "-")
    starting.package(named_module, "pypi", name)
    if starting.reading.problems:
        return
    starting.reading.map(named_module.source, ("spec", "command"), ["python", "-m", named_module.text])
    question = f"the module {named_module.text} is taken to be that of the package {name} of PyPI: is it?"
    starting.reading.decide(named_module.source, ("spec", "package", "name"), name, question)
    starting.values.arguments(arguments)


def _container(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    rest = list(words)
    while rest and rest[0].text == "container":
        starting.reading.note(rest.pop(0).source, None, "docker container")
    if not rest or rest[0].text != "run":
        hint = "write 'docker run', or import what is behind it: a compose file, a definition of a registry"
        starting.refuse(rest[0] if rest else first, "only 'docker run' says which image runs, and how", hint)
        return
    starting.reading.note(rest[0].source, None, "docker run")
    flags, behind = split_run([(word.source, word.text) for word in rest[1:]])
    for flag in flags:
        _set_flag(starting, flag)
    _note_others(starting, rest[1:], flags, len(behind))
    if not behind:
        starting.refuse(first, "it names no image", "write the image behind the options of docker run")
        return
    image, *arguments = [Word(text, source) for source, text in behind]
    set_image(starting.reading, image.source, image.text)
    starting.values.arguments(arguments)
    if not any(flag.name == "--entrypoint" for flag in flags):
        set_entrypoint(starting.reading, image.text, starting.choices)


def _note_others(starting: Starting, words: Sequence[Word], flags: Sequence[Flag], behind: int) -> None:
    """Reports values of options, and variables that docker does not pass on."""
    named = {flag.source for flag in flags}
    for word in words[: len(words) - behind]:
        if word.source not in named:
            starting.reading.note(word.source, None, "the value of the option before it")
    handed_on = {flag.value.partition("=")[0] for flag in flags if flag.name == "--env"}
    for name in sorted(starting.env.keys() - handed_on):
        why = f"docker does not pass it to the server: '-e {excerpt(name)}' is missing"
        starting.reading.lose((starting.env_key, name), why, harmless=True)
    starting.handled |= starting.env.keys()


def _set_flag(starting: Starting, flag: Flag) -> None:
    reading, values = starting.reading, starting.values
    if flag.name == "--publish":
        reading.lose(flag.source, "the client speaks to the server by stdio, and by no port; see spec.service.ports")
    elif flag.name != "--env":
        judge_flag(reading, flag, values.server)
    elif "=" in flag.value:
        name, _, text = flag.value.partition("=")
        values.variable(name, text, flag.source)
    elif flag.value in starting.env:
        reading.note(flag.source, ("spec", "env", flag.value))
        values.variable(flag.value, starting.env[flag.value], (starting.env_key, flag.value))
    else:
        values.inherited(flag.value, flag.source)


PROXIES: Mapping[tuple[Registry, str], Program] = {
    ("npm", "mcp-remote"): mcp_remote,
    ("npm", "supergateway"): supergateway,
    ("npm", "mcp-proxy"): mcp_proxy,
    ("pypi", "mcp-proxy"): mcp_proxy,
}
PROGRAMS: Mapping[str, Program] = {
    **dict.fromkeys(("docker", "podman", "nerdctl"), _container),
    **dict.fromkeys(("npx", "bunx"), _npx),
    **dict.fromkeys(("pnpm", "yarn"), _subcommand(("dlx", "exec"), _npx)),
    "npm": _subcommand(("exec", "x"), _npx),
    "bun": _subcommand(("x",), _npx),
    "uvx": _uvx,
    "uv": _uv,
    "pipx": _subcommand(("run",), _uvx),
    "python": _module,
    "node": script,
    **dict.fromkeys(("sh", "bash", "zsh", "dash"), shell),
    "cmd": cmd,
    "wsl": cmd,
    "env": env,
    "mcp-remote": mcp_remote,
    "supergateway": supergateway,
    "mcp-proxy": mcp_proxy,
}

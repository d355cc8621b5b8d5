"""Programs that MCP clients start, followed to the package, image or URL behind them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from renderer.errors import excerpt
from renderer.importers.docker_flags import Flag, judge_flag, split_run
from renderer.importers.draft import END, Choices, Reading
from renderer.importers.images import set_entrypoint, set_image
from renderer.importers.packages import (
    NPX,
    UVX,
    Option,
    Package,
    Registry,
    Runner,
    Word,
    newest_unless,
    parse_package,
    runner_options,
)
from renderer.importers.remotes import set_address
from renderer.importers.values import Values

#: Reads the words after a program.
Program: TypeAlias = Callable[["Starting", Word, Sequence[Word]], None]
_OF_MACHINE = "it starts a program of the client's machine, which no cluster has"
_BUILD = (
    "build an image of it, or publish it as a package, and write 'docker run', 'npx' or 'uvx' there, or start a spec "
    "with 'mcpctl init NAME --image IMAGE'"
)
#: Packages whose programs are proxies.
_PROXIES: Mapping[Registry, Sequence[str]] = {
    "npm": ("mcp-remote", "supergateway", "mcp-proxy"),
    "pypi": ("mcp-proxy",),
}
_OWN_PROXY = "a proxy, of which mcpctl brings its own"


@dataclass
class Starting:
    reading: Reading
    values: Values
    #: Variables that the client sets for the command, from ``env_key``.
    env: Mapping[str, str]
    env_key: str
    choices: Choices
    #: Further requirements (--with).
    requirements: list[Word] = field(default_factory=list)
    #: Variables that are written already or do not reach the server.
    handled: set[str] = field(default_factory=set)

    def refuse(self, word: Word, message: str, hint: str = _BUILD) -> None:
        self.reading.refuse(word.source, "import/command", message, hint)

    def note(self, words: Sequence[Word], message: str) -> None:
        """Reports words that need no field."""
        for word in words:
            self.reading.note(word.source, None, message)

    def start(self, words: Sequence[Word]) -> None:
        first, *rest = words
        program = re.split(r"[\\/]", first.text)[-1].lower()
        program = re.sub(r"\.(exe|cmd|bat|ps1)$", "", program)
        program = "python" if re.fullmatch(r"(python|pypy)[0-9.]*|py", program) else program
        if program in PROGRAMS:
            self.note([first], f"started by {program}")
            PROGRAMS[program](self, first, rest)
        else:
            self.refuse(first, f"{_OF_MACHINE}: '{excerpt(first.text, 80)}'")

    def package(self, word: Word, registry: Registry, text: str, program: Sequence[Word] = ()) -> None:
        """Writes the package with the named version, or else the newest."""
        package = parse_package(registry, text)
        if package is None:
            self.refuse(word, f"'{excerpt(text, 80)}' names no package of {registry}")
        elif package.git and not package.is_exact:
            message = f"{package.git} is not pinned to a commit"
            self.refuse(word, message, "append the full commit, 40 digits, to the address")
        elif package.is_exact:
            self._write_package(word, package, program)
        else:
            asked = package.version or "no version"
            version, who = newest_unless(self.choices.offline, package)
            if not version:
                message = f"{package.name} has no exact version ({excerpt(asked)}), and the newest is not known: {who}"
                form = "NAME@VERSION" if package.registry == "npm" else "NAME==VERSION"
                self.refuse(word, message, f"write {form}, with an exact version")
                return
            self._write_package(word, package._replace(version=version), program)
            question = f"the client takes {asked}; {version} is the newest by {who}: is it the one that you tried?"
            self.reading.decide(word.source, ("spec", "package", "version"), version, question)

    def _write_package(self, word: Word, package: Package, program: Sequence[Word]) -> None:
        self.reading.map(word.source, ("spec", "package"), package.fields)
        for requirement in self.requirements:
            self.reading.map(requirement.source, ("spec", "package", "with", END), requirement.text)
        for name in program:
            self.reading.map(name.source, ("spec", "command", END), name.text)


# ---------------------------------------------------------------------------------------------
# Packages.


def _runner(runner: Runner, command: str) -> Program:
    """``npx`` and ``uvx``; for the package of a proxy, the server behind it."""

    def read(starting: Starting, first: Word, words: Sequence[Word]) -> None:
        options, rest = runner_options(runner, words)
        packages = [option.value for option in options if option.value and option.name in runner.naming]
        for option in options:
            _runner_option(starting, runner, option)
        if not rest and (runner is UVX or not packages):
            starting.refuse(first, "it names no package", f"write the package behind {command}")
            return
        package, *further = packages or rest[:1]
        if runner is NPX:
            for more in further:
                starting.reading.lose(more.source, "a spec has one package: build an image of several")
        program, arguments = rest[:1] if packages else [], rest[1:]
        known = parse_package(runner.registry, package.text)
        if known and known.name in _PROXIES[runner.registry]:
            starting.note([package, *program], _OWN_PROXY)
            PROGRAMS[known.name](starting, package, arguments)
            return
        if known and [word.text for word in program] == [known.name.partition("[")[0]]:
            starting.reading.note(program.pop().source, ("spec", "package"), "the program of the package's own name")
        starting.package(package, runner.registry, package.text, program)
        starting.values.arguments(arguments)

    return read


def _runner_option(starting: Starting, runner: Runner, option: Option) -> None:
    reading, (word, name, value) = starting.reading, option
    if value is None:
        about = "ends the options" if name == "--" else f"{name}: an option of the runner, which mcpctl sets itself"
        starting.note([word], about)
        return
    if value.source != word.source:
        starting.note([word], f"names what follows: {name}")
    if name in ("--with", "-w"):
        starting.requirements.append(value)
    elif name in (runner.index_option, "--default-index", "--index", "-i"):
        target = ("spec", "env", runner.index_variable)
        reading.map(value.source, target, value.text, "packages come from this registry")
    elif name in ("--python", "-p") and name not in runner.naming:
        why = "the base image decides it; see spec.package.baseImage"
        reading.lose(value.source, f"Python {excerpt(value.text)}: {why}")
    elif name not in runner.naming:
        reading.lose(value.source, f"{name} of the runner has no field")


def _uv(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``uv tool run``; ``uv run`` needs a project on the client's machine."""
    if [word.text for word in words[:2]] == ["tool", "run"]:
        starting.note(words[:2], "uv tool run")
        PROGRAMS["uvx"](starting, first, words[2:])
        return
    hint = "publish the project as a package or an image, or write 'uvx PACKAGE'"
    starting.refuse(first, "uv run starts a project of the client's machine, which no cluster has", hint)


def _subcommand(names: Sequence[str], then: Program) -> Program:
    """The subcommand of a package manager that runs a package."""

    def read(starting: Starting, first: Word, words: Sequence[Word]) -> None:
        if not words or words[0].text not in names:
            starting.refuse(first, f"it is not '{first.text} {names[0]}', which runs a package")
            return
        starting.note(words[:1], f"{first.text} {words[0].text}")
        then(starting, first, words[1:])

    return read


def _module(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``python -m module``: assumes that the package has the module's name."""
    options = [word for word in words if word.text in ("-u", "-I", "-E", "-s", "-B")]
    starting.note(options, "an option of Python")
    rest = [word for word in words if word not in options]
    if len(rest) < 2 or rest[0].text != "-m":
        _script(starting, first, rest)
        return
    option, module, *arguments = rest
    reading = starting.reading
    reading.note(option.source, ("spec", "command"), "python -m")
    name = module.text.partition(".")[0].replace("_", "-")
    starting.package(module, "pypi", name)
    if reading.problems:
        return
    reading.map(module.source, ("spec", "command"), ["python", "-m", module.text])
    question = f"the module {module.text} is taken to be that of the package {name} of PyPI: is it?"
    reading.decide(module.source, ("spec", "package", "name"), name, question)
    starting.values.arguments(arguments)


# ---------------------------------------------------------------------------------------------
# Containers.


def _container(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    rest = list(words)
    while rest and rest[0].text == "container":
        starting.note([rest.pop(0)], "docker container")
    if not rest or rest[0].text != "run":
        hint = "write 'docker run', or import what is behind it: a compose file, a definition of a registry"
        starting.refuse(rest[0] if rest else first, "only 'docker run' says which image runs, and how", hint)
        return
    run, *rest = rest
    starting.note([run], "docker run")
    flags, behind = split_run(rest)
    for flag in flags:
        _set_flag(starting, flag)
    named = {flag.source for flag in flags}
    values = [word for word in rest[: len(rest) - len(behind)] if word.source not in named]
    starting.note(values, "the value of the option before it")
    passed = {flag.value.partition("=")[0] for flag in flags if flag.name == "--env"}
    for name in sorted(starting.env.keys() - passed):
        why = f"docker does not pass it to the server: '-e {excerpt(name)}' is missing"
        starting.reading.lose((starting.env_key, name), why, harmless=True)
    starting.handled |= starting.env.keys()
    if not behind:
        starting.refuse(first, "it names no image", "write the image behind the options of docker run")
        return
    image, *arguments = behind
    set_image(starting.reading, image.source, image.text)
    starting.values.arguments(arguments)
    if not any(flag.name == "--entrypoint" for flag in flags):
        set_entrypoint(starting.reading, image.text, starting.choices)


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


# ---------------------------------------------------------------------------------------------
# Shells, and proxies that start or reach the actual server.


def _script(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    name = f": '{excerpt(words[0].text, 80)}'" if words else ""
    starting.refuse(words[0] if words else first, f"{_OF_MACHINE}{name}")


def _shell(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``sh -c TEXT``: a single plain command is followed, anything else refused."""
    rest = list(words)
    while rest and re.fullmatch(r"-[a-z]+|--login", rest[0].text):
        starting.note([rest.pop(0)], "an option of the shell")
    if not rest:
        starting.refuse(first, "it starts a shell without a command")
        return
    text = rest[0].text.strip()
    try:
        plain = [] if re.search(r"[;&|<>`\n]|\$\(|\*", text) else shlex.split(text.removeprefix("exec "))
    except ValueError:
        plain = []
    if not plain or len(rest) > 1:
        hint = "write the command itself, without a shell"
        starting.refuse(rest[0], "it is more than one command for a shell", hint)
        return
    starting.note(rest, "the command of a shell")
    starting.start([Word(word, rest[0].source) for word in plain])


def _cmd(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``cmd /c npx …`` of Windows."""
    rest = list(words)
    while rest and re.fullmatch(r"/[a-zA-Z]|-[a-zA-Z]|--", rest[0].text):
        starting.note([rest.pop(0)], "an option of the shell")
    if not rest or (len(rest) == 1 and " " in rest[0].text):
        _shell(starting, first, rest)
    else:
        starting.start(rest)


def _env(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """``env NAME=VALUE … program``."""
    rest = list(words)
    while rest and (match := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", rest[0].text, re.DOTALL)):
        starting.values.variable(match[1], match[2], rest.pop(0).source)
    if rest and not rest[0].text.startswith("-"):
        starting.start(rest)
    else:
        starting.refuse(first, "it starts no program that is known")


def _mcp_remote(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """mcp-remote and similar: the server is remote."""
    url = next((word for word in words if re.match(r"https?://", word.text)), None)
    if url is None:
        starting.refuse(first, "it names no address", "write the address of the server")
        return
    reading = starting.reading
    headers: dict[str, Word] = {}
    transport, before = "", ""
    for word in words:
        option, before = before, word.text if word.text.startswith("-") else ""
        if word is url:
            continue
        if option in ("--header", "-H", "--headers"):
            name, _, value = word.text.partition(":")
            headers[name.strip()] = Word(_own_environment(starting.env, value.strip()), word.source)
        elif option == "--transport":
            transport = "sse" if word.text.startswith("sse") else "streamable-http"
            reading.note(word.source, ("spec", "remote", "transport"))
        elif word.text.startswith("--header") or word.text == "--transport":
            starting.note([word], f"names what follows: {word.text}")
        else:
            reading.lose(word.source, "an option of the proxy, which no client needs", harmless=True)
    starting.handled |= starting.env.keys()
    for name in starting.env:
        reading.note((starting.env_key, name), ("spec", "remote"), "a variable of the proxy")
    set_address(reading, starting.values, url, transport, headers)


def _own_environment(env: Mapping[str, str], text: str) -> str:
    """Replaces ``${NAME}`` as mcp-remote does, from the variables that the client sets for it."""
    whole = re.fullmatch(r"\$\{(\w+)\}", text)
    known = env.get(whole[1], "") if whole else ""
    if scheme := re.match(r"(Bearer|Basic|Token)\s+", known):
        return f"{scheme[0]}{known[scheme.end() :] if '${' in known else '${TOKEN}'}"
    return re.sub(r"\$\{(\w+)\}", lambda match: value if "${" in (value := env.get(match[1], "")) else match[0], text)


def _supergateway(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """Serves a program, or reaches a URL."""
    for word in words[:-1]:
        if word.text in ("--sse", "--streamableHttp", "--streamable-http"):
            kind = "sse-only" if word.text == "--sse" else "http-only"
            more = [Word("--transport", word.source), Word(kind, word.source)]
            _mcp_remote(starting, first, [*more, *(other for other in words if other is not word)])
            return
    inner = next((words[i + 1] for i, word in enumerate(words[:-1]) if word.text == "--stdio"), None)
    if inner is None:
        starting.refuse(first, "it names no program", "write the server's own command")
        return
    starting.note(words, _OWN_PROXY)
    _shell(starting, first, [inner])


def _mcp_proxy(starting: Starting, first: Word, words: Sequence[Word]) -> None:
    """PyPI's mcp-proxy: a client if there is a URL, else it serves the program after its options."""
    if any(re.match(r"https?://", word.text) for word in words):
        sse = not any("streamable" in word.text for word in words)
        more = [Word("--transport", first.source), Word("sse-only", first.source)] if sse else []
        _mcp_remote(starting, first, [*more, *(word for word in words if "streamable" not in word.text)])
        return
    texts = [word.text for word in words]
    programs = (number for number, text in enumerate(texts) if text in PROGRAMS)
    start = texts.index("--") + 1 if "--" in texts else next(programs, len(words))
    starting.note(words[:start], "an option of the proxy")
    if start < len(words):
        starting.start(words[start:])
    else:
        starting.refuse(first, "it names no program", "write the server's own command")


_NPX, _UVX = _runner(NPX, "npx -y"), _runner(UVX, "uvx")
PROGRAMS: Mapping[str, Program] = {
    **dict.fromkeys(("docker", "podman", "nerdctl"), _container),
    **dict.fromkeys(("npx", "bunx"), _NPX),
    **dict.fromkeys(("pnpm", "yarn"), _subcommand(("dlx", "exec"), _NPX)),
    "npm": _subcommand(("exec", "x"), _NPX),
    "bun": _subcommand(("x",), _NPX),
    "uvx": _UVX,
    "uv": _uv,
    "pipx": _subcommand(("run",), _UVX),
    "python": _module,
    "node": _script,
    **dict.fromkeys(("sh", "bash", "zsh", "dash"), _shell),
    **dict.fromkeys(("cmd", "wsl"), _cmd),
    "env": _env,
    "mcp-remote": _mcp_remote,
    "supergateway": _supergateway,
    "mcp-proxy": _mcp_proxy,
}

"""Command lines of clients: what they start, behind package runners, containers, shells and proxies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from renderer.errors import excerpt
from renderer.importers.docker_flags import Flag, judge_flag, split_run
from renderer.importers.images import set_entrypoint, set_image
from renderer.importers.packages import Registry
from renderer.importers.proxies import cmd, env, mcp_proxy, mcp_remote, script, shell, supergateway
from renderer.importers.runners import module, npx, subcommand, uv, uvx
from renderer.importers.starting import Program, Starting
from renderer.importers.values import Word


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
    """The words that are values of options, and the variables that docker does not hand on."""
    named = {flag.source for flag in flags}
    for word in words[: len(words) - behind]:
        if word.source not in named:
            starting.reading.note(word.source, None, "the value of the option before it")
    handed_on = {flag.value.partition("=")[0] for flag in flags if flag.name == "--env"}
    for name in sorted(starting.env.keys() - handed_on):
        why = f"docker does not hand it on to the server: '-e {excerpt(name)}' is missing"
        starting.reading.lose((starting.env_key, name), why, harmless=True)
    starting.settled |= starting.env.keys()


def _set_flag(starting: Starting, flag: Flag) -> None:
    """One option of docker run; what the client itself fills in is read by its words."""
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
    **dict.fromkeys(("npx", "bunx"), npx),
    **dict.fromkeys(("pnpm", "yarn"), subcommand(("dlx", "exec"), npx)),
    "npm": subcommand(("exec", "x"), npx),
    "bun": subcommand(("x",), npx),
    "uvx": uvx,
    "uv": uv,
    "pipx": subcommand(("run",), uvx),
    "python": module,
    "node": script,
    **dict.fromkeys(("sh", "bash", "zsh", "dash"), shell),
    "cmd": cmd,
    "wsl": cmd,
    "env": env,
    "mcp-remote": mcp_remote,
    "supergateway": supergateway,
    "mcp-proxy": mcp_proxy,
}

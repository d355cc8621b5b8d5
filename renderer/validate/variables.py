"""Rules of variables in texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeGuard

from renderer.errors import DocumentPath, Fault, Severity
from renderer.later import pattern
from renderer.model import Container, HealthCheck, Server
from renderer.variables import VARIABLE, expanded_in, expanded_sizes, names_in, runs_shell, self_references, words_of
from renderer.wording import excerpt, suggestion

#: Shell variables.
_BARE = pattern(r"(?<![$\w])\$([A-Z][A-Z0-9_]+)\b")
#: Commands that install programs.
_INSTALLS = pattern(r"\b(pip3? install|npm (install|i|ci)|apt(-get)? install|apk add|(dnf|yum) install)\b")
_USUAL = frozenset({"HOME", "HOSTNAME", "PATH", "PWD", "USER"})
#: Linux' maximum of an argument or variable, in bytes.
MOST_OF_A_TEXT = 128 * 1024


def variables_are_declared(server: Server) -> Iterator[Fault]:
    """The kubelet leaves unknown ``$(NAME)`` as text; nothing expands ``${NAME}``."""
    for path, container in _all_containers(server):
        for place, text in _env_texts(path, container).items():
            yield from _unexpanded(text, place, container.env, expanded_in(container))
        for place, text in () if runs_shell(words_of(container)) else _words(path, container).items():
            yield from _unexpanded(text, place, container.env, expanded_in(container, words=True))
    checks: list[tuple[DocumentPath, HealthCheck | None]] = [
        (("spec", "health"), server.health.check),
        (("spec", "health", "liveness"), server.health.liveness),
    ]
    for path, check in checks:
        yield from _unexpanded_in_check(path, check) if check else ()


def _unexpanded_in_check(path: DocumentPath, check: HealthCheck) -> Iterator[Fault]:
    shell = runs_shell(check.command)
    texts: dict[DocumentPath, str] = {} if shell else {(*path, "command", i): w for i, w in enumerate(check.command)}
    texts |= {(*path, "headers", name): value for name, value in check.headers.items()}
    for place, text in texts.items():
        if any(len(match["dollars"]) == 1 for match in VARIABLE.finditer(text)):
            words = place[-2] == "command"
            hint = "start a shell, which has them: [sh, -c, …]" if words else "write the value"
            yield Fault(place, "spec/unexpanded-variable", "variables are not expanded in checks", hint)


def variables_have_an_end(server: Server) -> Iterator[Fault]:
    """Cycles, and texts too long after expansion."""
    for path, container in _all_containers(server):
        texts = {**_env_texts(path, container), **_words(path, container)}
        if not texts:
            continue
        if circles := sorted(self_references(container.env)):
            for name in circles:
                message, hint = f"the value of {name} refers to itself", "write the value, or rename one of the two"
                yield Fault((*path, "env", name), "spec/variable-refers-to-itself", message, hint)
            continue
        sizes = expanded_sizes(container.env)
        for place, text in texts.items():
            if len(text) + sum(sizes.get(name, 0) for name in names_in(text)) > MOST_OF_A_TEXT:
                message = f"with its variables it is longer than {MOST_OF_A_TEXT:,} characters, which Linux refuses"
                yield Fault(place, "spec/variable-too-long", message, "shorten the values that it refers to")


def nothing_is_installed(server: Server) -> Iterator[Fault]:
    """A shell that installs the server at its start, as in many compose files."""
    words = words_of(server)
    install = _INSTALLS.search(" ".join(words)) if server.image and runs_shell(words) else None
    if install and server.security.read_only_root:
        field = "args" if install[0] in " ".join(server.args) else "command"
        message = f"'{install[0]}' fails: the image's own files are read-only, and the user is not root"
        hint = "use 'package', or an image that has it (docs/packages.md)"
        yield Fault(("spec", field), "spec/installs-at-start", message, hint, Severity.WARNING, at_key=True)


def _all_containers(server: Server) -> list[tuple[DocumentPath, Server | Container]]:
    return [(("spec",), server), *server.further_containers]


def _matters(text: object) -> TypeGuard[str]:
    """The schema bounds texts without variables."""
    return isinstance(text, str) and "$" in text


def _env_texts(path: DocumentPath, container: Server | Container) -> dict[DocumentPath, str]:
    return {(*path, "env", name): value for name, value in container.env.items() if _matters(value)}


def _words(path: DocumentPath, container: Server | Container) -> dict[DocumentPath, str]:
    fields = {"command": container.command, "args": container.args}
    words: dict[DocumentPath, str] = {}
    for field, texts in fields.items():
        words |= {(*path, field, i): text for i, text in enumerate(texts) if _matters(text)}
    bundle = container.package.bundle if isinstance(container, Server) and container.package else None
    settings = bundle.settings if bundle else ()
    return words | {(*path, "package", "userConfig", key): text for key, text in settings if _matters(text)}


def _unexpanded(
    text: str, path: DocumentPath, env: Mapping[str, object], is_variable: Callable[[str], bool]
) -> Iterator[Fault]:
    """The first of each kind in a text."""
    references = [match for match in VARIABLE.finditer(text) if len(match["dollars"]) == 1]
    copied = next((match for match in references if match["braced"]), None)
    if copied:
        braced = copied["braced"]
        name = braced.rpartition(":")[2]
        value = "the default" if text[copied.end() :].startswith(("-", ":-")) else "the value"
        reference = "{secret: NAME, key: KEY} or {configMap: NAME, key: KEY}"
        hint = f"write {value}, or {reference if path[-2] == 'env' else 'declare it in env and write $(NAME)'}"
        if name in env and name != path[-1]:
            hint = f"write $({name}) for its value, or $${{{name}}} for this text"
        message = f"'${{{_quoted(braced)}}}' is passed as text: variables are not expanded"
        yield Fault(path, "spec/unexpanded-variable", message, hint)
    bare = next((match[1] for match in _BARE.finditer(text) if match[1] in env or match[1] in _USUAL), "")
    if bare and not copied:
        value = f"write $({bare}) for its value" if bare in env and bare != path[-1] else "write the value"
        hint = f"{value}, or accept this where the program itself reads the text"
        message = f"'${bare}' is passed as text: variables are not expanded without a shell"
        yield Fault(path, "spec/unexpanded-variable", message, hint, Severity.WARNING)
    unknown = next((match["name"] for match in references if match["name"] and not is_variable(match["name"])), "")
    if unknown:
        message = f"'$({_quoted(unknown)})' is passed as text: env declares no such variable{suggestion(unknown, env)}"
        hint = f"declare it in env, or write $$({_quoted(unknown)}) for this text"
        yield Fault(path, "spec/undeclared-variable", message, hint)


def _quoted(name: str) -> str:
    """Anything that is not surely a variable name may be a secret value."""
    return excerpt(name)[1:-1] if name.isupper() or ":" in name else "…"


RULES = (variables_are_declared, variables_have_an_end, nothing_is_installed)

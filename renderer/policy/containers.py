"""What an image reference pins (nothing, a tag, or a digest), and variables that change which code runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from renderer.errors import DocumentPath, Fault
from renderer.later import pattern
from renderer.wording import excerpt

#: Tags that move by convention.
MOVING = frozenset(
    {"latest", "main", "master", "edge", "nightly", "stable", "dev", "develop", "canary", "next", "rolling", "head"}
)


#: Git build contexts of Docker, and the commit in one.
_REPOSITORY = pattern(r"(https?|git|ssh)://|git@|github\.com/")
_COMMIT = pattern(r"#[0-9a-f]{40}(:|$)")


def is_repository(context: str) -> bool:
    """Whether the build context is a git repository."""
    return bool(_REPOSITORY.match(context))


def is_pinned_source(context: str) -> bool:
    """Whether the build context names a commit."""
    return is_repository(context) and bool(_COMMIT.search(context))


def source_faults(context: str, path: DocumentPath) -> Iterator[Fault]:
    if is_repository(context) and not is_pinned_source(context):
        message = "the image is built from a branch or tag that moves: the next start may run another program"
        yield Fault(path, "policy/image-tag", message, "name the commit: https://…#COMMIT:folder")


def image_faults(image: str, path: DocumentPath) -> Iterator[Fault]:
    name, at, _ = image.partition("@")
    if at:
        return
    tag = name.rpartition("/")[2].partition(":")[2]
    if not tag or tag.lower() in MOVING:
        reason = f"tag '{tag}' moves" if tag else "no tag means 'latest'"
        message = f"{reason}: the next start may run another program than the one reviewed"
        yield Fault(path, "policy/image-tag", message, "write the tag of a release, or better a digest")
    message = "the image has no digest: its registry decides what the tag means"
    yield Fault(path, "policy/image-digest", message, "append @sha256:…")


_LOADER = frozenset(
    {
        *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH", "GCONV_PATH"),
        *("PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "PYTHONHOME", "PYTHONSTARTUP", "PERL5DB"),
        *("DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH", "CORECLR_PROFILER", "COR_PROFILER_PATH", "COR_PROFILER"),
    }
)
_JAVA = pattern(r"-(javaagent|agentlib|agentpath|Xbootclasspath)")
#: Options of interpreters, with a pattern of those that load code.
_LOADING = {
    "NODE_OPTIONS": pattern(r"(^|[\s\"'])(-r|--require|--import|--loader|--experimental-loader)\b"),
    **dict.fromkeys(("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS"), _JAVA),
    "RUBYOPT": pattern(r"(^|\s)-?[IrK]"),
    "PERL5OPT": pattern(r"(^|\s)-?[IMmd]"),
}


def variable_faults(name: str, path: DocumentPath, value: str = "") -> Iterator[Fault]:
    """Case-sensitive, as for the loader."""
    loads = name in _LOADING and _LOADING[name].search(value)
    if loads or name in _LOADER or name.startswith("BASH_FUNC_"):
        yield Fault(
            path,
            "policy/loader-variable",
            f"{name} decides which programs or libraries run, behind the image's back",
            "build it into the image, or name the program by its full path",
            at_key=True,
        )


#: Compose interpolation; ``$$`` is a dollar. Defaults may contain further variables (``${A:-$B}``).
_OF_MACHINE = pattern(r"\$\$|\$\{?([A-Za-z_]\w*)")
#: Fields in which a name without a value is inherited.
_INHERITING = ("environment", "args")


def machine_variables(value: Any, own: Collection[str], path: DocumentPath = ()) -> Iterator[Fault]:
    """Interpolations from the environment of whoever starts the project; ``own`` are the spec's."""
    if isinstance(value, str):
        names = {match[1] for match in _OF_MACHINE.finditer(value)} - {None, *own}
        # A bare name: in a list, or of a top-level secret or config (environment: NAME).
        bare = path[-2:-1] and path[-2] in _INHERITING and isinstance(path[-1], int) and "=" not in value
        bare = bare or (path[-1:] == ("environment",) and value not in own)
        for name in sorted(names | ({value} if bare else set())):
            yield _machine_variable(name, path)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from machine_variables(inner, own, (*path, i))
    elif isinstance(value, dict):
        for key, inner in value.items():
            if inner is None and path[-1:] and path[-1] in _INHERITING:
                yield _machine_variable(str(key), (*path, key))
            yield from machine_variables(inner, own, (*path, key))


def _machine_variable(name: str, path: DocumentPath) -> Fault:
    message = f"compose takes {excerpt(name)} from the environment of whoever starts the project"
    hint = "write the value ('$$' stands for a dollar), or refer to a Secret or ConfigMap under env"
    return Fault(path, "compose/machine-variable", message, hint)

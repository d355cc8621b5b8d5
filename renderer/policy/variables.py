"""Environment variables that decide which programs and libraries run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from renderer.errors import DocumentPath, Fault

_LOADER = frozenset(
    {
        *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH", "GCONV_PATH"),
        *("PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "PYTHONHOME", "PYTHONSTARTUP", "PERL5DB"),
        *("DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH", "CORECLR_PROFILER", "COR_PROFILER_PATH", "COR_PROFILER"),
    }
)
_JAVA = re.compile(r"-(javaagent|agentlib|agentpath|Xbootclasspath)")
#: Options of interpreters, which may as well be harmless: what in them loads other code.
_LOADING = {
    "NODE_OPTIONS": re.compile(r"(^|[\s\"'])(-r|--require|--import|--loader|--experimental-loader)\b"),
    **dict.fromkeys(("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS"), _JAVA),
    "RUBYOPT": re.compile(r"(^|\s)-?[IrK]"),
    "PERL5OPT": re.compile(r"(^|\s)-?[IMmd]"),
}


def variable_faults(name: str, path: DocumentPath, value: str = "") -> Iterator[Fault]:
    """Case counts, as for the loader itself; ``value`` is what is known of it."""
    loads = name in _LOADING and _LOADING[name].search(value)
    if loads or name in _LOADER or name.startswith("BASH_FUNC_"):
        yield Fault(
            path,
            "policy/loader-variable",
            f"{name} decides which programs or libraries run, behind the image's back",
            "build it into the image, or name the program by its full path",
            at_key=True,
        )

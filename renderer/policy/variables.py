"""Environment variables that decide which programs and libraries run."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.errors import DocumentPath, Fault

_LOADER = frozenset(
    {
        *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH", "GCONV_PATH"),
        *("PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "PYTHONHOME", "PYTHONSTARTUP"),
    }
)


def variable_faults(name: str, path: DocumentPath) -> Iterator[Fault]:
    """Case counts, as for the loader itself."""
    if name in _LOADER:
        yield Fault(
            path,
            "policy/loader-variable",
            f"{name} decides which programs or libraries run, behind the image's back",
            "build it into the image, or name the program by its full path",
            at_key=True,
        )

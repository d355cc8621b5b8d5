"""``python -m docs.site [FOLDER]``: builds the documentation, and fails on every warning and dead link.

Needs the extra 'docs' (Sphinx, MyST, Furo) and no network.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.site.links import faults
from docs.site.sources import ROOT, write_sources
from renderer import assets


def build(out: Path) -> list[str]:
    """Builds the site into ``out``, which is emptied first; what is wrong with it."""
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder)
        write_sources(sources)
        command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "--nitpicky"]
        configuration = str(ROOT / "docs" / "site")
        done = subprocess.run([*command, "--jobs=auto", f"--conf-dir={configuration}", folder, str(out)], check=False)
    if done.returncode:
        return ["Sphinx has warnings: see above"]
    for name in assets.names("schemas"):
        path = out / "schemas" / f"{name}.schema.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(assets.read_schema(name), encoding="utf-8")
    return faults(out)


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site")
    found = build(folder)
    sys.stderr.write("".join(f"{fault}\n" for fault in found))
    sys.stdout.write("" if found else f"{folder / 'index.html'}\n")
    sys.exit(bool(found))

"""What the package is built of reaches every place where it is built."""

from __future__ import annotations

import re
import tomllib

from tests.packaging import ROOT, build_files


def test_a_docker_build_is_sent_and_copies_what_the_package_is_built_of() -> None:
    sent = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(build_files()) == set(sent) - {"dist/*.whl"}
    lines = re.findall(r"^COPY (.+) /src/\S*$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(build_files()) == {name for line in lines for name in line.split()} - {"dis[t]"}


def test_the_sdist_has_what_the_package_is_built_of() -> None:
    sdist = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"]
    # pyproject.toml itself is always part of an sdist.
    assert set(build_files()) - {"pyproject.toml"} <= {name.removeprefix("/") for name in sdist["include"]}

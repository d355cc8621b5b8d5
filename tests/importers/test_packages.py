"""Packages as command lines name them, and who is asked for the newest version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from renderer.command import Done, ProgramMissing
from renderer.importers import packages
from renderer.importers.packages import Package, Registry, Started, newest, parse_package, started

COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@pytest.mark.parametrize(
    ("registry", "text", "expected", "exact"),
    [
        ("npm", "@acme/mcp@1.2.3-rc.1", Package("npm", "@acme/mcp", "1.2.3-rc.1"), True),
        ("npm", "mcp@latest", Package("npm", "mcp", "latest"), False),
        ("npm", "mcp@^1.0.0", Package("npm", "mcp", "^1.0.0"), False),
        ("npm", "acme/mcp", Package("npm", "mcp", "", "https://github.com/acme/mcp"), False),
        ("npm", f"github:acme/mcp#{COMMIT}", Package("npm", "mcp", COMMIT, "https://github.com/acme/mcp"), True),
        ("pypi", "acme-mcp==2.0", Package("pypi", "acme-mcp", "2.0"), True),
        ("pypi", "acme-mcp@2.0.post1", Package("pypi", "acme-mcp", "2.0.post1"), True),
        ("pypi", "acme-mcp[cli] >=1,<2", Package("pypi", "acme-mcp[cli]", ">=1,<2"), False),
        (
            "pypi",
            f"acme[cli] @ git+https://git.example.com/acme.git@{COMMIT}#subdirectory=src",
            Package("pypi", "acme[cli]", COMMIT, "https://git.example.com/acme", "src"),
            True,
        ),
    ],
)
def test_parse_package(registry: Registry, text: str, expected: Package, exact: bool) -> None:
    package = parse_package(registry, text)
    assert package == expected
    assert package.is_exact is exact


@pytest.mark.parametrize(
    ("registry", "text"),
    [
        ("npm", "./mcp"),
        ("npm", "-x"),
        ("npm", "a b"),
        ("pypi", "/srv/mcp"),
        ("pypi", "a\nb"),
        ("pypi", "--index-url=x"),
    ],
)
def test_what_names_no_package(registry: Registry, text: str) -> None:
    assert parse_package(registry, text) is None


@pytest.mark.parametrize(
    ("package", "answer", "argument", "expected"),
    [
        (Package("npm", "mcp"), Done(0, "1.2.3\n", ""), "mcp@latest", ("1.2.3", "npm")),
        (
            Package("npm", "mcp", "^1"),
            Done(0, "mcp@1.0.0 '1.0.0'\nmcp@1.1.0 '1.1.0'\n", ""),
            "mcp@^1",
            ("1.1.0", "npm"),
        ),
        (Package("npm", "mcp"), Done(1, "", "npm error code E404\n"), "mcp@latest", ("", "npm: npm error code E404")),
        (Package("pypi", "mcp", "latest"), Done(0, "mcp==2.0\n", ""), "-", ("2.0", "uv")),
        (Package("pypi", "mcp"), ProgramMissing("uv is not installed"), "-", ("", "uv is not installed")),
    ],
)
def test_newest(
    monkeypatch: pytest.MonkeyPatch, package: Package, answer: Any, argument: str, expected: tuple[str, str]
) -> None:
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str], **_: Any) -> Done:
        asked.append(argv)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Done)
        return answer

    monkeypatch.setattr(packages, "run", run)
    newest.cache_clear()
    assert newest(package) == expected
    assert argument in asked[0]
    newest.cache_clear()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("npx -y @a/b@1.2.3 --root /x", Started(Package("npm", "@a/b", "1.2.3"), ("--root", "/x"))),
        ("npx -y b", None),
        ("uvx --from c-d==2.0 serve -v", Started(Package("pypi", "c-d", "2.0"), ("-v",), "serve")),
        ("uv tool run e@1.0", Started(Package("pypi", "e", "1.0"), ())),
        ("uvx f[cli]==1.0 run", Started(Package("pypi", "f[cli]", "1.0"), ("run",))),
        ("npx -y g@latest", None),
        ("npx -y github:acme/h", None),
        ("npx --package=i@2.0.0 -- run -v", Started(Package("npm", "i", "2.0.0"), ("-v",), "run")),
        ("npx --package=i@2.0.0 run", Started(Package("npm", "i", "2.0.0"), (), "run")),
        ("npx --registry https://x y", None),
        ("uvx -p 3.12 j==1.0", None),
        ("python -m x", None),
    ],
)
def test_packages_are_recognised(line: str, found: Started | None) -> None:
    assert started(line.split()) == found

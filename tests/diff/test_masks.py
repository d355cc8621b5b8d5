# ruff: noqa: E501 - a case is a row
"""What is shown of values, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.diff import masks
from renderer.diff.masks import OF_SECRET
from renderer.policy.secrets import MASK

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
DIGEST = "r.example.com/a@sha256:" + "0123456789abcdef" * 4
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAxyz1\nabcDEF123\n-----END RSA PRIVATE KEY-----\nafter"

ROWS: list[tuple[str, tuple[str, ...], Any, str]] = [
    ("Secret", ("data", "a"), "x", OF_SECRET),
    ("Secret patch", ("stringData", "a"), "x", OF_SECRET),
    ("Secret", ("metadata", "labels", "a"), "x", "x"),
    ("Deployment", ("spec", "env", "[DB_PASSWORD]", "value"), "hunter22", MASK),
    ("Deployment", ("spec", "env", "[TOKEN_URL]", "value"), "https://a.example.com", "https://a.example.com"),
    ("Deployment", ("spec", "env", "[A]", "value"), TOKEN, MASK),
    ("Deployment", ("spec", "containers", "[a]", "image"), DIGEST, DIGEST),
    ("Deployment", ("metadata", "annotations", "checksum"), "0123456789abcdef" * 4, "0123456789abcdef" * 4),
    ("Deployment", ("spec", "args"), ["--token", TOKEN, "x"], f'["--token", "{MASK}", "x"]'),
    ("Deployment", ("spec", "env", "[A]"), {"name": "PASSWORD", "value": "hunter22"}, f'{{"name": "PASSWORD", "value": "{MASK}"}}'),
    ("ConfigMap", ("data", "a"), TOKEN, MASK),
    ("Deployment", ("spec", "imagePullSecrets"), ["registry"], '["registry"]'),
    ("Deployment", ("spec", "env", "[TOKEN]", "valueFrom", "secretKeyRef", "key"), "password", "password"),
    ("Service", ("metadata", "name"), TOKEN, MASK),
    ("Service", ("spec", "port"), 80, "80"),
    ("Service", ("spec", "a"), "x" * 999, "x" * (masks.LONGEST - 1) + "…"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value", "expected"), ROWS)
def test_values(kind: str, path: tuple[str, ...], value: Any, expected: str) -> None:
    assert masks.one_line(kind, path, value) == expected


def test_lines() -> None:
    found = masks.lines("ConfigMap", ("data", "a"), "one\ntwo\n", f"one\npassword: {TOKEN}\n")
    assert found == [" one", "-two", f"+{MASK}"]


def test_words_of_several_lines() -> None:
    old, new = (["--token", TOKEN, f"a: {i}\nb: 1"] for i in (1, 2))
    assert masks.lines("Deployment", ("spec", "args"), old, new) == [f" {MASK}", "-a: 1", "+a: 2", " b: 1"]


def test_a_key_is_hidden_to_its_end() -> None:
    found = masks.lines("file", (), "", KEY)
    assert found == [f"+{MASK}"] * 4 + ["+after"]


def test_lines_that_differ_only_in_secrets() -> None:
    texts = [f"a: b\npassword: {TOKEN}{i}\n" for i in (1, 2)]
    assert masks.lines("file", (), *texts) == [MASK]


def test_lines_are_bounded() -> None:
    found = masks.lines("file", (), "", "x\n" * 1000)
    assert found
    assert found[-1] == f"… {1000 - masks.MOST_LINES} more lines"
    assert masks.lines("file", (), "", "x\n" * 100_000) == ["(too long to be compared by lines)"]


def test_secrets_have_no_lines() -> None:
    assert masks.lines("Secret", ("data", "a"), "a\nb", "c\nd") is None

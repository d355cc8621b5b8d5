"""Which names are those of secrets."""

from __future__ import annotations

import pytest

from renderer.importers.variables import names_secret


@pytest.mark.parametrize(
    "name",
    [
        *(
            "GITHUB_TOKEN",
            "github-pat",
            "OPENAI_API_KEY",
            "apiKey",
            "SUPABASE_ANON_KEY",
            "DB_PASSWORD",
            "PGPASS",
            "KEY",
        ),
        *("SENTRY_DSN", "AZURE_CONNECTION_STRING", "X-Auth", "Cookie", "Authorization", "AWS_CREDENTIALS", "API_KEYS"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name", ["MAX_TOKENS", "TOKEN_LIMIT", "PUBLIC_KEY", "MONKEY", "AUTHOR", "PATH", "TOKEN_URL", "REQUESTS_PER_KEY"]
)
def test_names_of_no_secrets(name: str) -> None:
    assert not names_secret(name)

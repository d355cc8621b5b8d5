"""Credentials by their form: every issuer's, and what only looks like one."""

from __future__ import annotations

import random
import string
import time

import pytest

from renderer.credentials import MASK, credentials_in, masked
from renderer.errors import excerpt

_RANDOM = random.Random(1)
HEX, UPPER, ANY = "0123456789abcdef", string.ascii_uppercase + string.digits, string.ascii_letters + string.digits


def some(length: int, letters: str = ANY) -> str:
    return "".join(_RANDOM.choice(letters) for _ in range(length))


#: As their issuers write them; valid nowhere.
TOKENS = {
    "1Password": "ops_eyJ" + some(200),
    "age": "AGE-SECRET-KEY-1" + some(58, UPPER),
    "Airtable": "pat" + some(14) + "." + some(64, HEX),
    "Apify": "apify_api_" + some(36),
    "Atlassian": "ATATT3xFfGF0" + some(170),
    "AWS": "AKIA" + some(16, UPPER),
    "AWS Bedrock": "ABSK" + some(110),
    "Azure AD": some(3) + "8Q~" + some(34),
    "Azure SAS": "https://x.blob.core.windows.net/c?sv=2022&sig=" + some(43) + "%3D",
    "Azure storage": "DefaultEndpointsProtocol=https;AccountName=x;AccountKey="
    + some(86)
    + "==;EndpointSuffix=core.windows.net",
    "Databricks": "dapi" + some(32, HEX),
    "DigitalOcean": "dop_v1_" + some(64, HEX),
    "Discord": "MTA" + some(21) + "." + some(6) + "." + some(38),
    "Docker Hub": "dckr_pat_" + some(27),
    "Doppler": "dp.st.dev." + some(43),
    "E2B": "e2b_" + some(40, HEX),
    "Figma": "figd_" + some(40),
    "Firecrawl": "fc-" + some(32, HEX),
    "GitHub": "ghp_" + some(36),
    "GitHub, fine-grained": "github_pat_" + some(22) + "_" + some(59),
    "GitLab": "glpat-" + some(20),
    "GitLab, routable": "glpat-" + some(27) + ".01." + some(9, HEX),
    "Google": "AIza" + some(35),
    "Google OAuth": "GOCSPX-" + some(28),
    "Grafana": "glsa_" + some(32) + "_" + some(8, HEX),
    "Groq": "gsk_" + some(52),
    "HashiCorp": "hvs." + some(90),
    "Hugging Face": "hf_" + some(34, string.ascii_letters),
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + some(43),
    "LangSmith": "lsv2_pt_" + some(32, HEX) + "_" + some(10, HEX),
    "Linear": "lin_api_" + some(40),
    "Mailchimp": some(32, HEX) + "-us12",
    "Mailgun": "key-" + some(32, HEX),
    "New Relic": "NRAK-" + some(27, UPPER),
    "Notion": "ntn_" + some(46),
    "npm": "npm_" + some(36),
    "Nvidia": "nvapi-" + some(64),
    "OpenAI": "sk-" + some(48),
    "OpenAI, project": "sk-proj-" + some(20) + "-" + some(30) + "_" + some(60),
    "Anthropic": "sk-ant-api03-" + some(93) + "AA",
    "OpenShift": "sha256~" + some(43),
    "Perplexity": "pplx-" + some(48),
    "Pinecone": "pcsk_" + some(60),
    "PlanetScale": "pscale_tkn_" + some(43),
    "Postman": "PMAK-" + some(24, HEX) + "-" + some(34, HEX),
    "Pulumi": "pul-" + some(40, HEX),
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + some(80),
    "Replicate": "r8_" + some(37),
    "RubyGems": "rubygems_" + some(48, HEX),
    "SendGrid": "SG." + some(22) + "." + some(43),
    "Sentry": "sntrys_" + some(80),
    "Shopify": "shpat_" + some(32, HEX),
    "Slack": "xoxb-123456789012-1234567890123-" + some(24),
    "Slack webhook": "https://hooks.slack.com/services/T" + some(8, UPPER) + "/B" + some(8, UPPER) + "/" + some(24),
    "Square": "sq0atp-" + some(22),
    "Stripe": "sk_live_" + some(24),
    "Supabase": "sbp_" + some(40, HEX),
    "Tailscale": "tskey-auth-" + some(17) + "-" + some(30),
    "Tavily": "tvly-dev-" + some(32),
    "Telegram": "1234567890:AA" + some(33),
    "Twilio": "SK" + some(32, HEX),
    "Vercel": "vcp_" + some(24),
    "xAI": "xai-" + some(80),
}
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5v\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize("issuer", TOKENS)
def test_tokens(issuer: str) -> None:
    token = TOKENS[issuer]
    for text in (token, f"x: {token}", f"--token={token},", f'"{token}"'):
        assert any(credential.known for credential in credentials_in(text)), text
    assert token not in masked(f"x {token} y")
    assert token[-12:] not in excerpt(f"x {token} y", 24)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user:pw@ghcr.io/a/b:v1", "user:***@ghcr.io/a/b:v1"),
        ("user:pw@ghcr.io/a/b@sha256:" + "a1" * 32, "user:***@ghcr.io/a/b@sha256:" + "a1" * 32),
        ("image 'user:pw@ghcr.io/a'", "image 'user:***@ghcr.io/a'"),
        ("postgres://app:S3cr3tPw9xQz@db/app", "postgres://app:***@db/app"),
        ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
        ("https://me:p@ss@git.example.com/x.git", "https://me:***@git.example.com/x.git"),
        ("https://me:pa/ss@git.example.com/x.git", "https://me:***@git.example.com/x.git"),
        ("https://abcdefghij0123456789@git.example.com/x.git", "https://***@git.example.com/x.git"),
        ("root:secret@tcp(127.0.0.1:3306)/db", "root:***@tcp(127.0.0.1:3306)/db"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
        ('{"Authorization": "Bearer abcD1234"}', '{"Authorization": "Bearer ***"}'),
        ("Authorization=ApiKey abcD1234", "Authorization=ApiKey ***"),
        ("-H 'Authorization: abcd12345'", "-H 'Authorization: ***'"),
        ("Bearer hunter2hunter2", "Bearer ***"),
        ("got string '/h?token=hunter2'", "got string '/h?token=***'"),
        ("https://a.example/?a=b&api_key=hunter2&c=d", "https://a.example/?a=b&api_key=***&c=d"),
        ("https://a.example/#access_token=hunter2", "https://a.example/#access_token=***"),
        ('{"auths": {"ghcr.io": {"auth": "dXNlcjpwYXNz"}}}', '{"auths": {"ghcr.io": {"auth": "***"}}}'),
        ("machine a.example login me password hunter2", "machine a.example login me password ***"),
        ("curl -u me:hunter2xyz https://a.example", "curl -u me:*** https://a.example"),
        ("db.example:5432:app:me:hunter2", "db.example:5432:app:me:***"),
        ("*:*:*:postgres:hunter\\:2", "*:*:*:postgres:***"),
        ("echo 'localhost:5432:*:me:hunter2' > ~/.pgpass", "echo 'localhost:5432:*:me:***' > ~/.pgpass"),
        ("[::1]:6543:app:me:hunter2\na:1", "[::1]:6543:app:me:***\na:1"),
        ("me:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00", "me:$apr1$***"),
        ("me:$$apr1$$lZL6V/ci$$eIMz/iKDkbtys/uU7LEK00", "me:$$apr1$$***"),
        ("me:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "me:$2y$***"),
        ("$6$rounds=5000$usesome3$abcDEF123/abcDEF456", "$6$***"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub", "$argon2id$***"),
        ("me:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=", "me:{SHA}***"),
        ("{SSHA}MTIzNDU2Nzg5MEFiQ2RFZg==", "{SSHA}***"),
        (f"a {KEY} b", "a *** b"),
        (f"a {KEY} b".replace("\n", "\\n"), "a *** b"),
    ],
)
def test_masked(text: str, expected: str) -> None:
    assert masked(text) == expected
    assert masked(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "auth=dXNlcjpwYXNzdzByZDE5",
        "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
        "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g",
        "PuTTY-User-Key-File-3",
    ],
)
def test_one_sign_is_enough(text: str) -> None:
    """No other character says that there may be a credential."""
    assert [credential.kind for credential in credentials_in(text)]


@pytest.mark.parametrize(
    "text",
    [
        "ghcr.io/a/b:v1@sha256:" + "a1" * 32,
        "registry.example.com:5000/team/server:1.2.3",
        "https://example.com:8080/@scope/package",
        "npm:@scope/package",
        "docker run -u 1000:1000 x",
        "https://api.example.com/v1?page=2&sort=name",
        "me@example.com",
        "ssh://git@example.com:22/x.git",
        "postgres://$USER:$PASSWORD@db/x",
        "postgres://${USER}:${PASSWORD}@db/x",
        "uses bearer authentication",
        "basic authentication",
        "authorization: Webhook",
        "Authorization: Bearer ${TOKEN}",
        "Authorization: Bearer <token>",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "x" * 36,
        "sk-no-key-required",
        "a8f5f167-f44f-4964-e6c9-98d9e8f1b2a1",
        "3f786850e387550fdab836ed7e6dc881de23001b",
        "sha512-" + some(86) + "==",
        "@modelcontextprotocol/server-github@2025.4.8",
        "https://api.example.com/v1/projects/12345?page=2",
        "specs/github.yaml:12:5",
        "src/a.py:1234:5:E501: too long",
        "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "arn:aws:iam::123456789012:role/a",
        "127.0.0.1:8080:80",
        "$1 costs $2 and $5$",
        "${HOME}/a:$PATH:$5",
        "{SHA} of it",
    ],
)
def test_what_is_none(text: str) -> None:
    assert masked(text) == text
    assert not any(credential.known for credential in credentials_in(text))


def test_a_long_text_stays_cheap() -> None:
    began = time.process_time()
    for text in (
        "aB3/" * 25_000,
        "a:" * 50_000,
        "://" * 30_000,
        "a" * 100_000,
        "$1$" * 30_000,
        "a:1234" * 20_000,
        "*:*:" * 25_000,
        "Bearer " * 15_000,
        "x:y@" * 25_000,
    ):
        masked(text)
    for text in ("?token" * 16_000, "auth=" * 20_000, "login a password " * 6_000, "-u a:" * 20_000, "?a.b" * 25_000):
        masked(text)
    assert time.process_time() - began < 10


def test_a_mask_stands_in_for_all_of_it() -> None:
    assert masked(f"https://{TOKENS['GitHub']}:x@h/ {TOKENS['npm']}") == f"https://{MASK}:{MASK}@h/ {MASK}"

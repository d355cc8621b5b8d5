"""The forms of credentials: tokens of known issuers, private keys, passwords in addresses and headers.

A text of such a form is a credential whatever its name, and is never printed: ``masked``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache

from renderer.later import pattern
from renderer.namedtuples import NamedTuple

MASK = "***"
#: By issuer, from their documentation, gitleaks and GitHub's secret scanning. No groups inside.
_ISSUERS = {
    "1Password": r"ops_eyJ[A-Za-z0-9+/]{100,}|A3-[A-Z0-9]{6}-[A-Z0-9]{6,11}(?:-[A-Z0-9]{5}){3,4}",
    "Adobe": r"p8e-[a-z0-9]{32}",
    "age": r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    "Airtable": r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
    "Alibaba Cloud": r"LTAI[A-Za-z0-9]{16,24}",
    "OpenAI or Anthropic": r"sk-(?:ant|proj|svcacct|admin|or)-[\w-]{20,}|c?sk-(?:[a-z0-9]+-){0,4}[A-Za-z0-9]{20,}"
    r"[\w-]*|sk_[a-f0-9]{40,}",
    "Apify": r"apify_(?:api|proxy)_[A-Za-z0-9]{30,}",
    "Artifactory": r"AKC[a-zA-Z0-9]{50,}|cmVmd[A-Za-z0-9]{59}",
    "Atlassian": r"AT[A-Z]TT3[\w=-]{50,}",
    "AWS": r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])|ABSK[A-Za-z0-9+/]{100,}",
    "Azure": r"(?:[A-Za-z0-9+/]{76}(?:APIM|ACDb|\+(?:ABa|AMC|ASt))|[A-Za-z0-9+/]{33}(?:AIoT|\+(?:ASb|AEh|ARm)))"
    r"[A-Za-z0-9+/]{5,6}={1,2}|[A-Za-z0-9+/]{42}(?:AzSe|AzCa|AzFu)[A-Za-z0-9+/]{6,}|[A-Za-z0-9]{52}JQQJ9[A-Za-z0-9]{27}"
    r"|[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}|[\w~.]{3}\dQ~[\w~.-]{31,34}",
    "Brevo": r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
    "Browserbase": r"bb_(?:live|test)_[\w-]{20,}",
    "Buildkite": r"bk[a-z]{1,2}_[a-f0-9]{40}",
    "CircleCI": r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{10,}_[a-f0-9]{40}",
    "ClickUp": r"pk_\d+_[A-Z0-9]{32}",
    "Clojars": r"CLOJARS_[a-z0-9]{60}",
    "Cloudflare": r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}|cf(?:ut|at|k)_[A-Za-z0-9_-]{40,}",
    "Contentful": r"CFPAT-[\w-]{43}",
    "Databricks": r"dapi[a-f0-9]{32}(?:-\d)?",
    "Deno": r"dd[pw]_[A-Za-z0-9]{36}",
    "DigitalOcean": r"do[opr]_v1_[a-f0-9]{64}",
    "Discord": r"[MNO][A-Za-z0-9_-]{23,27}\.[\w-]{6}\.[\w-]{27,40}|discord(?:app)?\.com/api/webhooks/\d+/[\w-]{40,}",
    "Docker Hub": r"dckr_(?:pat|oat)_[\w-]{20,}",
    "Doppler": r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,}",
    "Duffel": r"duffel_(?:test|live)_[\w=-]{43}",
    "Dynatrace": r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
    "E2B": r"e2b_[a-f0-9]{40}",
    "EasyPost": r"EZ[AT]K[A-Za-z0-9]{54}",
    "Facebook": r"EAA[A-Z][A-Za-z0-9]{90,}",
    "Figma": r"figd_[\w-]{40,}",
    "Firecrawl": r"fc-[a-f0-9]{32}",
    "Fly.io": r"fo1_[\w-]{43}|fm[12][ar]?_[A-Za-z0-9+/]{100,}={0,3}",
    "Frame.io": r"fio-u-[\w=-]{64}",
    "GitHub": r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}",
    "GitLab": r"gl(?:pat|ptt|dt|rt|cbt|oas|agent|imt|soat|ffct|ft|wt)-[\w-]{20,}(?:\.[\w.-]+)?|GR1348941[\w-]{20}",
    "Google": r"AIza[\w-]{35}|GOCSPX-[\w-]{28}|ya29\.[\w-]{20,}|1//0[\w-]{40,}",
    "Grafana": r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/]{32,}={0,3}|eyJrIjoi[A-Za-z0-9]{60,}={0,3}",
    "Groq": r"gsk_[A-Za-z0-9]{40,}",
    "Harness": r"[ps]at\.[\w-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}",
    "HashiCorp": r"hv[sbr]\.[\w-]{24,}|[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,}",
    "Heroku": r"HRKU-[\w-]{36,}",
    "HubSpot": r"pat-[a-z]{2}\d-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "Hugging Face": r"hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}",
    "Jina": r"jina_[A-Za-z0-9_-]{50,}",
    "LangSmith": r"lsv2_[a-z]{2}_[a-f0-9]{32}_[a-f0-9]{10}",
    "Langfuse": r"sk-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "LaunchDarkly": r"sdk-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "Linear": r"lin_(?:api|oauth)_[A-Za-z0-9]{40,}",
    "Mailchimp": r"[0-9a-f]{32}-us\d{1,2}(?!\d)",
    "Mailgun": r"key-[0-9a-f]{32}",
    "Mapbox": r"sk\.eyJ[\w-]{40,}\.[\w-]{20,}",
    "MaxMind": r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",
    "Neon": r"napi_[a-z0-9]{60,}",
    "Netlify": r"nfp_[A-Za-z0-9_]{36}",
    "New Relic": r"NR(?:AK|II|AA|RA)-[A-Za-z0-9-]{27,}",
    "Notion": r"ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}(?![A-Za-z0-9])",
    "npm": r"npm_[A-Za-z0-9]{36,}",
    "NuGet": r"oy2[a-z0-9]{43}",
    "Nvidia": r"nvapi-[\w-]{50,}",
    "Octopus Deploy": r"API-[A-Z0-9]{26,}",
    "OpenShift": r"sha256~[\w-]{43}",
    "Perplexity": r"pplx-[A-Za-z0-9]{40,}",
    "Pinecone": r"pcsk_[A-Za-z0-9_]{40,}",
    "PlanetScale": r"pscale_(?:tkn|pw|oauth)_[\w=.-]{32,}",
    "PostHog": r"phx_[A-Za-z0-9]{40,}",
    "Postman": r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    "Prefect": r"pn[ub]_[A-Za-z0-9]{36}",
    "Pulumi": r"pul-[a-f0-9]{40}",
    "PyPI": r"pypi-[\w-]{50,}",
    "ReadMe": r"rdme_[a-z0-9]{70}",
    "Render": r"rnd_[A-Za-z0-9]{30,}",
    "Replicate": r"r8_[A-Za-z0-9]{30,}",
    "Resend": r"re_[A-Za-z0-9]{8,}_[A-Za-z0-9]{20,}",
    "RubyGems": r"rubygems_[a-f0-9]{48}",
    "SendGrid": r"SG\.[\w-]{16,32}\.[\w-]{16,64}",
    "Sentry": r"sntry[su]_[\w+/=]{40,}",
    "Shippo": r"shippo_(?:live|test)_[a-fA-F0-9]{40}",
    "Shopify": r"shp(?:at|ca|pa|ss|ua)_[a-fA-F0-9]{32}",
    "Slack": r"xox[a-z](?:\.xox[bp])?-[\w-]{10,}|xapp-\d-[\w-]{10,}"
    r"|hooks\.slack\.com/(?:services|workflows|triggers)/[\w+/-]{30,}",
    "Sonar": r"sq[upa]_[a-f0-9]{40}",
    "Sourcegraph": r"sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}",
    "Square": r"sq0[a-z]{3}-[\w-]{22,}|EAAA[\w-]{60}",
    "Stripe or Clerk": r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{32,}"
    r"|rzp_live_[A-Za-z0-9]{14,}",
    "Supabase": r"sbp_[a-f0-9]{40}|sb_secret_[\w-]{20,}",
    "Tailscale": r"tskey-[a-z]+-[\w-]{10,}",
    "Tavily": r"tvly-[\w-]{20,}",
    "Telegram": r"\d{8,10}:AA[\w-]{33}",
    "Twilio": r"SK[0-9a-f]{32}",
    "Typeform": r"tfp_[\w.=-]{40,}",
    "Vercel": r"vc[aikpr]_[A-Za-z0-9]{24,}",
    "Voyage": r"pa-(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[\w-]{43}",
    "xAI": r"xai-[A-Za-z0-9]{60,}",
    "Yandex": r"AQVN[\w-]{35,}|y0_[\w-]{50,}|t1\.[\w-]+={0,2}\.[\w-]{86}={0,2}",
    "JSON Web": r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*",
    "Azure Account": r"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,}={0,2}|sig=[A-Za-z0-9%/+]{40,}",
}
#: To its end, in whatever way its lines are written, or as far as it is there.
_KEY = pattern(
    r"-----BEGIN[ A-Z0-9]{0,40} PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s]|\\[nr]|[PD][\w-]+: [\w,-]+)*"
    r"(?:-----END[ A-Z0-9]{0,40} PRIVATE KEY(?: BLOCK)?-----)?|PuTTY-User-Key-File-\d"
)
#: Where a token can be: no shorter word has one, none is without a run of characters, and a digest is none.
_WORD = pattern(r"[\w~.=+/%:?&-]{16,}")
_SHORTEST_TOKEN = 16
#: Most texts have none of these, and so no password and no header.
_SIGNS = frozenset(":=${ \n\t")
#: Blanks in place of all that is no letter or digit.
_ALONE = {code: " " for code in range(128) if not chr(code).isalnum()}
_SHORTEST_RUN = 10
_RUN = pattern(r"sha\d{3}:[0-9a-f]{32,}|([A-Za-z0-9]{10,})")
_NAMES = tuple(_ISSUERS)
_SCHEMES = ("authorization", "basic", "bearer")
#: Placeholders for tokens: EXAMPLE, xxxx, your-token-here, one letter repeated.
_DUMMY = pattern(r"example|xxxx|your[-_]|placeholder|redacted|change-?me|dummy|[-_]here|(.)\1{7}", re.IGNORECASE)
#: After the scheme; a port with a path behind it is none. A password may hold '/', and '@' as well.
_IN_URL = pattern(r"(?<=://)([^\s/:@\"'<>]{0,200}):(?!\d{1,5}(?:[/?#]|$))([^\s\"'<>]{1,512})@(?=[\w.$%\[{-])")
#: The same without a scheme: an image, a registry, the DSN of a driver. A digest is none.
_BEFORE_HOST = pattern(
    r"(?<![^\s\"'=(,;\[])([^\s:/@\"'=<>(]{1,200}):([^\s\"'<>/]{1,200})@(?!sha\d{3}:)"
    r"(?=(?:tcp|udp|unix)?\(|(?:[\w-]+\.)*[\w-]+(?::\d|/))"
)
#: The same, whatever follows, for messages: rather too much is hidden than too little.
_LOOSE = pattern(r"(?<![^\s\"'=(,;\[])([^\s:/@\"'=<>]{0,200}):(?!//)([^\s\"'<>]{1,512})@(?!sha\d{3}:)(?=[\w.\[-])")
#: The user of an address, without a password, where it is long enough for a token.
_USER_ALONE = pattern(r"(?<=://)([^\s/:@\"'<>]{20,})@")
#: The key of a DSN of Sentry is public.
_TOKEN_ALONE = pattern(r"(?<=://)([^\s/:@\"'<>$]{20,200})@(?![\w.-]*sentry)(?=[\w.-])")
#: A value under a telling name in a query or a fragment, for messages.
_IN_QUERY = pattern(
    r"[?&#;][\w.-]{0,40}(?:token|secret|passw|pwd|key|auth|sig|credential|session|jwt)[\w.-]{0,40}="
    r"([^\s&#;\"'<>]{1,512})",
    re.IGNORECASE,
)
#: As docker and npm keep them: the base64 of user and password. As .netrc does. As curl takes them.
_ENCODED = pattern(r"\b_?auth[\"']?\s{0,9}[:=]\s{0,9}[\"']?([A-Za-z0-9+/]{8,512}={0,2})")
_NETRC = pattern(r"\blogin\s{1,9}\S{1,200}\s{1,9}password\s{1,9}(\S{4,200})")
_CURL = pattern(r"(?:^|\s)(?:-[uU]|--(?:proxy-)?user)[ =]?[\"']?([^\s:\"'$]{1,200}):([^\s\"'$]{6,200})")
#: Lines of .pgpass: host, port, database, user and password, in which a colon has a backslash.
_PGPASS = pattern(
    r"(?<![^\s\"'=(,;])(?:\*|[\w./-]{1,200}|\[[\da-fA-F:]{2,40}\]):(?:\*|\d{4,5})(?::(?:[^\s:\\\"']|\\.){1,200}){2}"
    r":((?:[^\s:\\\"']|\\.){4,512})(?=[\s\"']|$)"
)
#: As htpasswd and crypt write them, compose with each '$' twice; the scheme stays, the rest is what is guessed from.
_HASH = pattern(
    r"(?<![\w$])\${1,2}(?:apr1|1|2[abxy]?|5|6|7|y|gy|sha1|argon2(?:id|[id])|scrypt|pbkdf2(?:-sha\d{1,3})?)\${1,2}"
    r"([\w./+=,$-]{12,512})"
)
_SHA = pattern(r"\{(?:S?SHA(?:256|512)?|S?MD5|CRYPT|PBKDF2|BCRYPT|ARGON2)\}([\w./+=$-]{8,512})")
_HEADER = pattern(
    r"(?:(authorization)[\"'\\]{0,4}[ \t]{0,9}[:=][ \t]{0,9}[\"'\\]{0,4})?"
    r"(?:(?<![\w-])(basic|bearer|token|digest|api-?key|negotiate)[ \t]{1,9})?([^\s\"',;\\]{4,})",
    re.IGNORECASE,
)


class Credential(NamedTuple):
    """``value`` is the credential itself: never to be printed.

    ``known``: the form alone proves it; else it may be a placeholder (``${PASSWORD}``).
    """

    start: int
    end: int
    kind: str
    value: str
    known: bool


def credentials_in(text: str) -> Iterator[Credential]:
    """Keys and tokens, then passwords in addresses, then headers; a place may come more than once."""
    if "-----BEGIN" in text or "PuTTY" in text:
        for match in _KEY.finditer(text):
            yield Credential(*match.span(), "Private Key", match[0], known=True)
    if len(text) >= _SHORTEST_TOKEN and any(map(_is_random, runs(text, _ALONE, _SHORTEST_RUN))):
        yield from _tokens_in(text)
    if not _SIGNS.isdisjoint(text) or any(map(str.isspace, text)):
        yield from _passwords_in(text)


def runs(text: str, between: Mapping[int, str], least: int) -> Iterator[str]:
    """The runs of at least so many characters of ASCII that ``between`` makes no blanks of; no pattern is compiled."""
    ascii_text = text.encode("ascii", "replace").decode()
    return (run for run in ascii_text.translate(between).split() if len(run) >= least)


def _passwords_in(text: str) -> Iterator[Credential]:
    for needles, times, form, holds in _PASSWORDS:
        for match in form.finditer(text) if any(text.count(needle) >= times for needle in needles) else ():
            if holds(match[match.lastindex or 0]):
                yield Credential(*match.span(match.lastindex or 0), _BASIC, match[match.lastindex or 0], known=False)
    folded = text.casefold()
    for match in _HEADER.finditer(text) if any(scheme in folded for scheme in _SCHEMES) else ():
        if _authorizes(match[1], (match[2] or "").lower(), match[3]):
            yield Credential(*match.span(3), "Authorization Header", match[3], known=False)


def _tokens_in(text: str) -> Iterator[Credential]:
    for word in _WORD.finditer(text):
        if any(map(_is_random, _RUN.findall(word[0]))):
            for match in _tokens().finditer(text, *word.span()):
                if _is_random(match[0]) and not _DUMMY.search(match[0]) and match.lastindex:
                    kind = f"{_NAMES[match.lastindex - 1]} Token"
                    yield Credential(*match.span(), kind, match[0], known=True)


@cache
def _tokens() -> re.Pattern[str]:
    return re.compile(
        f"(?<![A-Za-z0-9])(?=[\\w.~+/=%:-]{{16}})(?:{'|'.join(f'({form})' for form in _ISSUERS.values())})"
    )


def _is_random(text: str) -> bool:
    """Not words: with a digit, or letters of both cases, and with enough different characters."""
    digits, upper, lower = (any(map(test, text)) for test in (str.isdigit, str.isupper, str.islower))
    return (digits or (upper and lower)) and len(set(text)) >= 6


def _authorizes(header: str | None, scheme: str, value: str) -> bool:
    """Prose has 'bearer authentication', and settings have 'authorization: Webhook'."""
    if scheme == "basic":
        return _is_pair(value)
    number = any(map(str.isdigit, value))
    mixed = any(map(str.isupper, value[1:])) and any(map(str.islower, value))
    if header and scheme:
        return number or mixed
    return number and len(value) >= 8 and bool(header or scheme == "bearer")


def _is_pair(value: str) -> bool:
    """Whether it is the base64 of a user and a password."""
    with suppress(ValueError):
        return b":" in base64.b64decode(value, validate=True)
    return False


_BASIC = "Basic Auth Credentials"
#: Texts of which the form requires one, how often, the form, whose last group is the password, and a test of that.
_PASSWORDS: tuple[tuple[tuple[str, ...], int, re.Pattern[str], Callable[[str], bool]], ...] = (
    (("@",), 1, _IN_URL, bool),
    (("@",), 1, _BEFORE_HOST, bool),
    (("@",), 1, _TOKEN_ALONE, _is_random),
    (("password",), 1, _NETRC, bool),
    # 1000:1000 is no password but a group.
    (("-u", "-U", "user"), 1, _CURL, lambda value: _is_random(value) and any(map(str.isalpha, value))),
    (("auth",), 1, _ENCODED, _is_pair),
    ((":",), 4, _PGPASS, bool),
    (("$",), 1, _HASH, _is_random),
    (("{",), 1, _SHA, _is_random),
)


def masked(text: str) -> str:
    """With ``***`` for each credential, and for whatever may be one by its place."""
    spans = [credential[:2] for credential in credentials_in(text)]
    if "=" in text:
        spans += [match.span(1) for match in _IN_QUERY.finditer(text)]
    if "@" in text:
        spans += [match.span(1) for match in _USER_ALONE.finditer(text)]
        spans += [match.span(2) for match in _LOOSE.finditer(text)]
    end = len(text)
    for start, stop in sorted(spans, reverse=True):
        if text[start] not in "$<{*":  # a placeholder
            text, end = f"{text[:start]}{MASK}{text[min(stop, end) :]}", start
    return text

"""Values of sources that look like credentials: they are written nowhere, and a key of a Secret takes their place."""

from __future__ import annotations

from renderer.policy.secrets import in_data

NOT_WRITTEN = "the value looks like a secret and is not written: set the key {0} of the Secret {1} to it"


def is_secret(name: str, value: str) -> bool:
    """Whether the value of the variable looks like a credential."""
    return any(True for _ in in_data({"env": {name: value}}))


def is_secret_text(text: str) -> bool:
    """Whether a file with that text seems to hold a credential."""
    return any(True for _ in in_data({"content": text}))

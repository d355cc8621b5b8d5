"""Names of servers from names of others: valid, stable, and told apart where two would be the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

#: Of metadata.name in the schema.
LONGEST = 48
_LETTERS = 7
#: Without vowels: no hash is a word.
_ALPHABET = "bcdfghjklmnpqrstvwxz"


def name_of(original: str) -> str:
    """``io.github.Owner/my_thing`` as ``io-github-owner-my-thing``; what is too long ends with a hash."""
    plain = unicodedata.normalize("NFKD", original).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not name:
        return f"server-{digest(original)}"
    return name if len(name) <= LONGEST else with_digest(name, original)


def with_digest(name: str, identity: str) -> str:
    """The name, cut where needed, and a hash that tells it from others of that name."""
    return f"{name[: LONGEST - _LETTERS - 1].rstrip('-')}-{digest(identity)}"


def digest(text: str) -> str:
    """Letters made of the text's SHA-256: digits among them would look like a token to whoever searches for those."""
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])
    letters = []
    for _ in range(_LETTERS):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)


def apart(originals: Sequence[tuple[str, str]]) -> list[str]:
    """The name of each definition, told apart where several would have the same.

    A definition is its original name, and what else identifies it (format, file). The order does not matter: of several
    all get a hash, but for one whose original name is the name itself.
    """
    names = [name_of(original) for original, _ in originals]
    counts = Counter(names)
    exact = Counter(name for name, (original, _) in zip(names, originals, strict=True) if name == original)
    same = Counter(original for original, _ in originals)
    return [
        name
        if counts[name] == 1 or (name == original and exact[name] == 1)
        else with_digest(name, original if same[original] == 1 else f"{original} {identity}")
        for name, (original, identity) in zip(names, originals, strict=True)
    ]

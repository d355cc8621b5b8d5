"""Valid, stable and distinct server names from original names."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

#: The schema's maximum of metadata.name.
LONGEST = 48
_LETTERS = 7
#: Without vowels: no hash is a word.
_ALPHABET = "bcdfghjklmnpqrstvwxz"


def name_of(original: str) -> str:
    """``io.github.Owner/my_thing`` as ``io-github-owner-my-thing``; names that are too long end with a hash."""
    plain = unicodedata.normalize("NFKD", original).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not name:
        return f"server-{digest(original)}"
    return name if len(name) <= LONGEST else with_digest(name, original)


def with_digest(name: str, identity: str) -> str:
    """The name, cut if needed, with a hash of ``identity``."""
    return f"{name[: LONGEST - _LETTERS - 1].rstrip('-')}-{digest(identity)}"


def digest(text: str) -> str:
    """Letters from the SHA-256: with digits, secret scanners would take it for a token."""
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])
    letters = []
    for _ in range(_LETTERS):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)


def distinct_names(originals: Sequence[tuple[str, str]]) -> list[str]:
    """The distinct name of each definition: (original name, what else identifies it, such as the file).

    Independent of the order: all that clash get a hash, but for the one whose original name is the name itself.
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

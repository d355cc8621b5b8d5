"""A server that somebody else runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib import parse

from renderer.later import pattern
from renderer.namedtuples import NamedTuple

if TYPE_CHECKING:
    from renderer.model.fields import SecretRef

#: Text, or where a secret is.
RemoteValue: TypeAlias = "str | SecretRef"
#: What a variable stands for, in the address and in headers.
PLACEHOLDER = pattern(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
_PORTS = {"http": 80, "https": 443}


class Remote(NamedTuple):
    """Address and headers as they are written: ``{NAME}`` in them is one of the variables."""

    url: str
    transport: Literal["streamable-http", "sse"]
    headers: Mapping[str, RemoteValue]
    variables: Mapping[str, RemoteValue]

    def pieces(self, value: RemoteValue) -> list[RemoteValue]:
        """Of the address or a header: texts, with variables filled in, and references to secrets between them."""
        if not isinstance(value, str):
            return [value]
        pieces: list[RemoteValue] = []
        for i, text in enumerate(PLACEHOLDER.split(value)):  # every second one is a name
            piece = self.variables.get(text, f"{{{text}}}") if i % 2 else text
            if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
                pieces[-1] += piece
            elif piece:
                pieces.append(piece)
        return pieces

    @property
    def address(self) -> str:
        """With the variables that are no secrets filled in; of a secret the name stays."""
        names = {name: value for name, value in self.variables.items() if isinstance(value, str)}
        return PLACEHOLDER.sub(lambda match: names.get(match[1], match[0]), self.url)

    @property
    def scheme(self) -> str:
        return self.url.partition(":")[0]

    @property
    def host(self) -> str:
        """In lower case, and without the brackets of an IPv6 address."""
        return parse.urlsplit(self.address).hostname or ""

    @property
    def port(self) -> int:
        """ValueError where the address has none; ``validate`` has found that."""
        return parse.urlsplit(self.address).port or _PORTS[self.scheme]

    @property
    def secrets(self) -> tuple[SecretRef, ...]:
        """All that it refers to, each once."""
        values = (*self.headers.values(), *self.variables.values())
        return tuple(dict.fromkeys(value for value in values if not isinstance(value, str)))

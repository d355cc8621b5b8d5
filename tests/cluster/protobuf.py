"""Reads the few bodies that kubectl sends as protobuf: those of reviews."""

from __future__ import annotations

from collections.abc import Iterator

from tests.cluster.answers import Refused
from tests.cluster.kinds import Json

MAGIC = b"k8s\x00"
#: Names of the fields by their numbers, from the .proto files of Kubernetes' authorization API.
_RESOURCE = {1: "namespace", 2: "verb", 3: "group", 4: "version", 5: "resource", 6: "subresource", 7: "name"}
_PATH = {1: "path", 2: "verb"}


def review(body: bytes) -> Json:
    """A SelfSubject…Review as the JSON it would be; raises Refused for any other kind."""
    envelope = dict(_fields(body.removeprefix(MAGIC)))
    api_version, kind = (text.decode() for _, text in _fields(envelope[1]))
    if not kind.startswith("SelfSubject"):
        raise Refused(415, "UnsupportedMediaType", f"{kind} as protobuf is not read here; send JSON")
    spec = dict(_fields(dict(_fields(envelope[2])).get(2, b"")))
    found: Json = {}
    if kind == "SelfSubjectAccessReview":
        for number, name, names in ((1, "resourceAttributes", _RESOURCE), (2, "nonResourceAttributes", _PATH)):
            if number in spec:
                found[name] = {names[key]: text.decode() for key, text in _fields(spec[number]) if key in names}
    elif kind == "SelfSubjectRulesReview":
        found["namespace"] = spec.get(1, b"").decode()
    return {"apiVersion": api_version, "kind": kind, "metadata": {}, "spec": found}


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message that have a length: texts and messages."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        size, place = _varint(data, place)
        if tag & 7 == 2:
            yield tag >> 3, data[place : place + size]
            place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place

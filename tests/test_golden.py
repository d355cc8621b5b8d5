"""Golden trees: what small specs render to, one snapshot a file, compared byte by byte.

``pytest tests/test_golden.py --snapshot-update`` writes them anew, and takes away those that nothing renders
any more; the change is read in the diff.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension

from renderer.errors import errors_in
from renderer.pipeline import read, render
from renderer.registry import TARGETS, target
from tests.specs import OPTIONS

SPECS = Path(__file__).parent / "golden" / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.yaml"))


class GoldenFile(SingleFileSnapshotExtension):
    """One file for each rendered file, in bytes: text mode does not see CRLF."""

    file_extension = "yaml"


@pytest.fixture
def golden(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(GoldenFile)


def tree(spec: str, target_name: str) -> dict[str, str]:
    output = render(read([str(SPECS / f"{spec}.yaml")]), target(target_name), OPTIONS)
    assert [str(problem) for problem in errors_in(output.problems)] == []
    files = {document.path: document.text for document in output.documents}
    told = "".join(f"{p.severity}: {p.path}: {p.message} [{p.rule}]\n" for p in output.problems)
    return {**files, **({f"{spec}/told.yaml": f"# What is told beside.\n{told}"} if told else {})}


#: Servers whose access a gateway enforces are for clusters alone.
CASES = [(spec, name) for spec in NAMES for name in sorted(TARGETS) if name == "kubernetes" or "gateway" not in spec]


@pytest.mark.parametrize(("spec", "target_name"), CASES)
def test_golden(spec: str, target_name: str, golden: SnapshotAssertion) -> None:
    for path, text in tree(spec, target_name).items():
        name = path if "/" in path else f"shared {path}"
        if "/" in path or spec == "minimal":  # what all servers share is the same with each of them
            name = name.removesuffix(".yaml").removeprefix(f"{spec}/").replace("/", " ")
            assert text.encode() == golden(name=name)


def test_cilium(golden: SnapshotAssertion) -> None:
    """The one object that another provider of network policies changes."""
    options = OPTIONS._replace(network_policy_provider="cilium")
    output = render(read([str(SPECS / "egress.yaml")]), target("kubernetes"), options)
    for document in output.documents:
        if document.path.endswith("/ciliumnetworkpolicy.yaml"):
            assert document.text.encode() == golden(name=document.path.partition("/")[0])


def test_bytes_are_compared() -> None:
    """CRLF for LF would be a difference."""
    text = tree("minimal", "kubernetes")["minimal/service.yaml"]
    folder = Path(__file__).parent / "__snapshots__" / "test_golden"
    assert (folder / "test_golden[minimal-kubernetes][service].yaml").read_bytes() == text.encode()
    assert GoldenFile.get_supported_dataclass() is bytes

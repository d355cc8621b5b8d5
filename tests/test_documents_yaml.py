"""The YAML of docs/KUBERNETES_DEPLOYMENT.md: each block is a spec that renders, stands in ``output/``, or is a manifest
for people to apply, which is checked like a rendered one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from renderer.check.kubernetes_schema import schema_faults
from renderer.errors import errors_in
from renderer.model import JSON, NetworkPolicyProvider
from renderer.orchestrators.kubernetes.rights import READ
from renderer.pipeline import read, render
from renderer.registry import target
from tests.fields import EXAMPLES
from tests.oracles import yaml_read, yaml_read_all
from tests.specs import OPTIONS, rendered

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "KUBERNETES_DEPLOYMENT.md"
FROM = "# from "
BY_HAND = "# by hand: "


def blocks() -> Iterator[str]:
    """What stands between the fences of the document."""
    for fenced in re.finditer(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S):
        yield fenced[1]


BLOCKS = list(blocks())
SPECS = [block for block in BLOCKS if not block.startswith((FROM, BY_HAND))]
EXCERPTS = [block for block in BLOCKS if block.startswith(FROM)]
MANIFESTS = [block for block in BLOCKS if block.startswith(BY_HAND)]


def test_there_are_blocks_of_every_sort() -> None:
    assert SPECS
    assert EXCERPTS
    assert MANIFESTS
    assert len(BLOCKS) == DOCUMENT.read_text(encoding="utf-8").count("```yaml")


@pytest.mark.parametrize("block", SPECS, ids=lambda block: yaml_read(block)["metadata"]["name"])
def test_a_spec_renders(block: str) -> None:
    output = rendered("kubernetes", yaml_read(block))
    assert [str(problem) for problem in errors_in(output.problems)] == []
    assert output.documents


@pytest.mark.parametrize("block", EXCERPTS, ids=lambda block: block.partition("\n")[0].removeprefix(FROM))
def test_an_excerpt_stands_in_the_output(block: str) -> None:
    """Line by line, in order; lines between them may be left out."""
    first, *wanted = block.splitlines()
    assert first.startswith(f"{FROM}output/")
    assert wanted
    lines = iter((ROOT / first.removeprefix(FROM)).read_text(encoding="utf-8").splitlines())
    assert [line for line in wanted if line not in lines] == []


@pytest.mark.parametrize("block", MANIFESTS, ids=lambda block: block.partition("\n")[0].removeprefix(BY_HAND))
def test_a_manifest_holds(block: str) -> None:
    objects = list(yaml_read_all(block))
    assert objects
    for data in objects:
        assert schema_faults(data, OPTIONS.kubernetes_version) == []


@pytest.mark.slow
def test_who_applies_has_rights_on_all_that_is_rendered_into_the_namespace_and_on_nothing_else() -> None:
    (block,) = MANIFESTS
    role, binding = yaml_read_all(block)
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert role["metadata"]["namespace"] == OPTIONS.namespace
    given = [(group, name) for rule in role["rules"] for group in rule["apiGroups"] for name in rule["resources"]]
    reads = set()
    for right in READ:
        plural, _, subresource = right.resource.partition("/")
        plural, _, group = plural.partition(".")
        reads.add((group, f"{plural}/{subresource}" if subresource else plural))
    assert sorted(given) == sorted(own_resources("kubernetes") | own_resources("cilium") | reads)


def own_resources(provider: NetworkPolicyProvider) -> set[tuple[str, str]]:
    """API group and resource of all that the examples put into the servers' namespace."""
    # Those whose access a gateway enforces are no examples, as examples are for compose as well.
    gateways = sorted(map(str, (Path(__file__).parent / "golden" / "specs").glob("gateway-*.yaml")))
    output = render(
        read([str(EXAMPLES), *gateways]), target("kubernetes"), OPTIONS._replace(network_policy_provider=provider)
    )
    objects = [yaml.load(document.text, Loader=yaml.CSafeLoader) for document in output.documents]
    return {resource(each) for each in objects if each["metadata"].get("namespace") == OPTIONS.namespace}


def resource(data: dict[str, JSON]) -> tuple[str, str]:
    group, slash, _ = str(data["apiVersion"]).partition("/")
    name = str(data["kind"]).lower()
    plural = f"{name[:-1]}ies" if name.endswith("y") else f"{name}es" if name.endswith("ss") else f"{name}s"
    return (group if slash else "", plural)

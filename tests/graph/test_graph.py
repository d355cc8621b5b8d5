"""Who reaches what: nodes and edges of each kind, for both targets, and every form in which they are printed."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import jsonschema_rs
import pytest

from renderer import assets
from renderer.graph import Edge, Graph, Node, graph_of
from renderer.graph.mermaid import as_mermaid, label, too_large
from renderer.graph.model import KINDS, build_graph
from renderer.graph.svg import as_svg
from renderer.graph.text import as_json, as_text
from renderer.model import Options
from renderer.pipeline import Run, inputs_of, plain, read_inputs, runs
from tests.fields import EXAMPLES
from tests.specs import OPTIONS, as_stream, spec

SECRET: dict[str, Any] = {"secret": "crm", "key": "token"}
CRM = spec("crm", remote={"url": "https://crm.example.com/{v}", "headers": {"X-Key": SECRET}, "variables": {"v": "v1"}})


def drawn(*documents: Any, target: str = "kubernetes", options: Options = OPTIONS) -> Graph:
    inputs = read_inputs(["-"], BytesIO(as_stream(*documents)))
    (run,) = runs(inputs, [], Run(None, target, options, plain(inputs_of(()))))
    assert [p for p in run.specs.problems if p.severity == "error"] == []
    return graph_of(run)


def demo(target: str = "kubernetes", options: Options = OPTIONS, /, *others: Any, **fields: Any) -> set[str]:
    """The edges of one server, as ``from > to: words``; nodes by title, and what is used behind dots."""
    drawing = drawn(spec("demo", **fields), *others, target=target, options=options)
    titles = {node.id: node.title for node in drawing.nodes}
    return {
        f"{titles[edge.source]} {'>' if edge.connects else '..'} {titles[edge.target]}: {edge.words}".rstrip(": ")
        for edge in drawing.edges
    }


LOCAL = "pods mcpctl.io/component=local-proxy > demo: port 8080: NetworkPolicy"
CLOSED: dict[str, Any] = {"egress": {}}
INGRESS = {"host": "mcp.example.com", "tls": {}, "from": [{"namespace": "nginx"}]}
LOGIN = "https://login.example.com"
ISSUERS = {"url": "https://mcp.example.com/mcp", "issuers": [{"url": LOGIN, "jwks": f"{LOGIN}/certs"}]}
READS_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("fields", "edges"),
    [
        ({"network": CLOSED}, {LOCAL}),
        ({"network": {**CLOSED, "ingress": {"from": []}}}, set()),
        (
            {"network": {**CLOSED, "ingress": {"from": [{"cidr": "10.0.0.0/8"}]}}},
            {"10.0.0.0/8 > demo: port 8080: NetworkPolicy"},
        ),
        ({}, {LOCAL, "demo > every address: every port: nothing enforces it"}),
        (
            {"network": {"egress": {"hosts": ["a.example.com"], "cidrs": [{"cidr": "10.0.0.0/8", "ports": [1, 2]}]}}},
            {
                LOCAL,
                "demo > a.example.com: port 443: NetworkPolicy (the port alone)",
                "demo > 10.0.0.0/8: ports 1, 2: NetworkPolicy",
            },
        ),
        (
            {"network": {"egress": {"services": [{"name": "db", "namespace": "data", "udpPorts": [161]}]}}},
            {LOCAL, "demo > db: port UDP 161: NetworkPolicy"},
        ),
        (
            {"network": CLOSED, "access": "none", "expose": INGRESS},
            {
                LOCAL,
                "anyone who reaches it > https://mcp.example.com/: HTTPS: nothing enforces it",
                "https://mcp.example.com/ > demo: port 8080: NetworkPolicy",
            },
        ),
        (
            {"network": CLOSED, "access": ISSUERS, "expose": {**INGRESS, "from": None}},
            {
                "pods mcpctl.io/component=local-proxy > demo: port 10000: NetworkPolicy, guard (tokens)",
                "anyone who reaches it > https://mcp.example.com/: HTTPS: nothing enforces it",
                "https://mcp.example.com/ > demo: port 10000: guard (tokens)",
                "demo > login.example.com: port 443, keys of tokens: NetworkPolicy (the port alone)",
            },
        ),
        (
            {"network": CLOSED, "service": {"type": "LoadBalancer", "sourceRanges": ["192.0.2.0/24"]}},
            {
                LOCAL,
                "192.0.2.0/24 > LoadBalancer mcp-demo:8080: port 8080: sourceRanges",
                "LoadBalancer mcp-demo:8080 > demo: port 8080: NetworkPolicy",
            },
        ),
        (
            {"network": CLOSED, "service": {"type": "NodePort"}},
            {
                LOCAL,
                "every network that reaches the nodes > NodePort mcp-demo:any port: nothing enforces it",
                "NodePort mcp-demo:any port > demo: port 8080: NetworkPolicy",
            },
        ),
        (
            {"network": CLOSED, "monitoring": {"port": 9090, "from": [{"namespace": "monitoring"}]}},
            {LOCAL, "every pod > demo: metrics, port 9090: NetworkPolicy"},
        ),
        (
            {"network": CLOSED, "serviceAccount": {"rules": [READS_PODS]}},
            {LOCAL, "demo > Kubernetes API: with a token: NetworkPolicy"},
        ),
        (
            {
                "network": CLOSED,
                "env": {"A": {"secret": "one", "key": "a"}, "B": {"secret": "one", "key": "b", "optional": True}},
                "envFrom": [{"configMap": "site"}],
                "storage": [{"name": "data", "size": "1Gi", "mountPath": "/data", "readOnly": True}],
            },
            {LOCAL, "demo .. one", "demo .. site", "demo .. mcp-demo-data: /data, read-only"},
        ),
    ],
)  # fmt: skip
def test_in_a_cluster(fields: dict[str, Any], edges: set[str]) -> None:
    expose = fields.get("expose")
    if expose and expose["from"] is None:
        fields = {**fields, "expose": {key: value for key, value in expose.items() if key != "from"}}
    assert demo("kubernetes", OPTIONS, **fields) == edges


@pytest.mark.parametrize(
    ("provider", "edges"),
    [
        (
            "cilium",
            {
                "pods mcpctl.io/component=local-proxy > demo: port 8080: CiliumNetworkPolicy",
                "demo > a.example.com: port 443: CiliumNetworkPolicy",
            },
        ),
        (
            "none",
            {
                "pods mcpctl.io/component=local-proxy > demo: port 8080: nothing enforces it",
                "every pod of the cluster > demo: port 8080: nothing enforces it",
                "demo > every address: every port: nothing enforces it",
            },
        ),
    ],
)
def test_by_whom_it_is_enforced(provider: Any, edges: set[str]) -> None:
    options = OPTIONS._replace(network_policy_provider=provider)
    assert demo("kubernetes", options, network={"egress": {"hosts": ["a.example.com"]}}) == edges


CONTAINERS = "containers on mcpctl-network > demo: port 8080: compose network"


@pytest.mark.parametrize(
    ("fields", "edges"),
    [
        (
            {"network": {"publish": {"port": 18080}}},
            {
                CONTAINERS,
                "programs of this machine > http://127.0.0.1:18080/mcp: port 18080: loopback address",
                "http://127.0.0.1:18080/mcp > demo: port 8080: loopback address",
                "demo > every address: every port: nothing enforces it",
            },
        ),
        (
            {"network": {"publish": {"address": "0.0.0.0", "port": 18080}, "egress": {"hosts": ["a.example.com"]}}},
            {
                CONTAINERS,
                "every network of this machine > http://0.0.0.0:18080/mcp: port 18080: nothing enforces it",
                "http://0.0.0.0:18080/mcp > demo: port 8080: compose network",
                "demo > a.example.com: port 443: egress proxy",
            },
        ),
        (
            {"network": {"publish": False, **CLOSED}, "compose": {"networks": ["proxy"]}},
            {CONTAINERS, "containers on proxy > demo: port 8080: compose network"},
        ),
    ],
)
def test_under_compose(fields: dict[str, Any], edges: set[str]) -> None:
    assert demo("compose", OPTIONS, **fields) == edges


def test_servers_that_call_one_another() -> None:
    other = spec("other", namespace="data", network={**CLOSED, "ingress": {"from": []}})
    by_label = {"services": [{"name": "mcp-other", "namespace": "data", "ports": [8080]}]}
    for egress in ({"servers": ["other"]}, by_label):
        edges = demo("kubernetes", OPTIONS, other, network={"egress": egress, "ingress": {"from": []}})
        assert edges == {"demo > other: port 8080: NetworkPolicy"}


def test_a_remote_server_is_one_node_whoever_calls_it() -> None:
    drawing = drawn(
        CRM,
        spec("one", network={"egress": {"servers": ["crm"]}, "ingress": {"from": []}}),
        spec("two", network={"egress": {"hosts": ["crm.example.com"]}, "ingress": {"from": []}}),
    )
    assert drawing.node("remote crm") == Node(
        "remote crm",
        "remote",
        "crm",
        ("https://crm.example.com/v1", "streamable-http", "header X-Key with key token of Secret crm"),
    )
    assert [(edge.source, edge.target) for edge in drawing.edges] == [
        ("server one", "remote crm"),
        ("server two", "remote crm"),
    ]


def test_what_is_not_drawn_is_said() -> None:
    patch: dict[str, Any] = {"kind": "NetworkPolicy", "merge": {"spec": {"egress": []}}}
    assert drawn(spec("demo", patches=[patch])).notes == ("demo: what patches of NetworkPolicy change is not drawn",)
    listed: dict[str, Any] = {"egress": {"cidrs": ["10.0.0.0/8"], "hosts": ["a.example.com"]}}
    assert drawn(spec("demo", network=listed), target="compose").notes == (
        "demo cannot reach 10.0.0.0/8 (every port): its only way out is the egress proxy",
    )


# ---------------------------------------------------------------------------------------------
# Forms.

#: Texts that mean something to Mermaid, Markdown, HTML or XML.
HOSTILE = (
    '"] --> x["boo', '<script>window.ran="x"</script>', "<img src=x onerror='window.ran=\"y\"'>", "end", "1. one",
    "- list", "# head", "`code`", "**bold** _it_", "%%{init: {}}%%", "a;b", "click n0 call alert()", "A|B", "{a}",
    "https://x.example.com/a_b_c", "$$x^2$$", "&lt;b&gt;", "#quot;", "日本語 ümlaut", "[link](http://x)", ":::class",
    "fa:fa-car", "@{ shape: x }", "~~~", "]]>", "--> x", "line\nbreak", "\x1b[31mred", "\u202eright",
)  # fmt: skip


def hostile() -> Graph:
    nodes = [Node(f"server {i}", "server", text, (text,)) for i, text in enumerate(HOSTILE)]
    edges = [Edge("server 0", node.id, node.title, (node.title,)) for node in nodes[1:]]
    return build_graph(HOSTILE[0], "kubernetes", HOSTILE[1], [*nodes, *edges], HOSTILE)


def test_labels_keep_their_text_and_lose_their_meaning() -> None:
    assert label("a.b.example.com, port 443") == "a.b.example.com, port 443"
    assert label('"<`#;|{[') == "#34;#60;#96;#35;#59;#124;#123;#91;"
    assert label("1. one") == "1#46; one"
    assert label("- one - two https://x") == "#45; one #45; two https#58;#47;/x"
    for line in as_mermaid([hostile(), hostile()]).splitlines():
        quoted = re.sub(r'"[^"]*"', '""', line)
        assert re.fullmatch(r'[ \w":;,#&()\[\]<>.|=-]*|  %% .*', quoted), line


def test_the_svg_is_well_formed_whatever_stands_in_it() -> None:
    root = ElementTree.fromstring(as_svg([hostile()]))
    assert root.get("role") == "img"
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags == {"svg", "title", "desc", "style", "defs", "marker", "rect", "text", "path", "g"}
    shown = "".join(root.itertext())
    assert '<script>window.ran="x"</script>' in shown
    assert "\x1b" not in shown


def test_every_kind_has_a_shape_and_colours() -> None:
    nodes = [Node(f"{kind} x", kind, "x") for kind in KINDS]
    everything = build_graph("", "kubernetes", "", nodes)
    text = as_mermaid([everything])
    for kind in KINDS:
        assert f":::{kind}\n" in text
        assert f"classDef {kind} " in text
        assert f".{kind} .box{{" in as_svg([everything])


def test_the_text_has_every_fact() -> None:
    """Whoever cannot see a picture has the same: every node, and who enforces each edge."""
    inputs = read_inputs([str(EXAMPLES)])
    (run,) = runs(inputs, [], Run(None, "kubernetes", OPTIONS, plain(inputs_of(()))))
    drawing = graph_of(run)
    text = as_text([drawing])
    for node in drawing.nodes:
        assert node.title in text, node
    for edge in drawing.edges:
        assert edge.words in text, edge


def test_the_json_is_as_its_schema_says() -> None:
    text = as_json([drawn(CRM, spec("demo", env={"A": SECRET})), hostile()])
    jsonschema_rs.Draft202012Validator(assets.schema("graph")).validate(json.loads(text))
    assert (
        json.loads(text)["graphs"][0]["nodes"][0]["id"]
        == "client pods mcpctl.io/component=local-proxy of namespace mcpctl"
    )


def test_no_form_depends_on_the_order_of_the_input() -> None:
    documents = [CRM, *(spec(name, network={"egress": {"servers": ["crm"]}}) for name in ("b", "a"))]
    one, other = drawn(*documents), drawn(*reversed(documents))
    for form in (as_text, as_json, as_mermaid, as_svg):
        assert form([one]) == form([other])


def test_what_code_hosts_do_not_draw_is_said() -> None:
    nodes = [Node(f"host {i}", "host", f"{i}") for i in range(502)]
    edges = [Edge("host 0", node.id) for node in nodes[1:]]
    assert "501 edges" in too_large(as_mermaid([build_graph("", "kubernetes", "", [*nodes, *edges])]))
    assert too_large(as_mermaid([build_graph("", "kubernetes", "", [*nodes, *edges[1:]])])) == ""

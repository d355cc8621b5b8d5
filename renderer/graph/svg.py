"""A graph as SVG: a band for each server, with clients on the left and what it reaches on the right.

Text stays text, colours follow the reader's colour scheme, and nothing is fetched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from textwrap import wrap
from typing import NamedTuple

from renderer.errors import excerpt
from renderer.graph.model import KINDS, USED, Edge, Graph, Node

#: Pixels. Widths of text are those of a common sans-serif font at 13 and 11 pixels, on the safe side.
_TITLE, _LINE, _PAD, _GAP, _BAND = 18, 14, 8, 10, 26
_WIDTH, _AISLE, _MARGIN, _HEAD = 260, 200, 24, 56
#: Height of an incoming edge with two lines of text; width of a legend entry.
_END, _LEGEND = 30, 240
#: Maximum characters of a title, of a line in a box, of a line at an edge.
_FITS, _SMALL, _LABEL = 30, 39, 34
#: Nodes shared by more servers are repeated for each.
_MOST_SHARED = 4
#: Further lines of a box are only counted.
_MOST_LINES = 7
_LIGHT = {"page": "#ffffff", "text": "#14181d", "faint": "#55606c", "edge": "#5b6b7f", "open": "#b3261e"}
_DARK = {"page": "#0f1318", "text": "#eef2f6", "faint": "#a9b4c0", "edge": "#9fb0c3", "open": "#ff8a80"}
_ARROWS = (
    "<defs>",
    *(
        f'<marker id="{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path class="{kind}-head" d="M0,0 L10,5 L0,10 z"/></marker>'
        for kind in ("edge", "open")
    ),
    "</defs>",
)


class Box(NamedTuple):
    """``ends``: y of incoming edges by their source."""

    node: Node
    x: int
    y: int
    height: int
    ends: Mapping[str, int]

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


class Layout(NamedTuple):
    """``homes``: the band of each node that is drawn once; others are repeated in each band that needs them."""

    boxes: Mapping[tuple[int, str], Box]
    homes: Mapping[str, int]
    bottom: int

    def ends(self, edge: Edge) -> tuple[Box, Box]:
        band = self.homes.get(edge.target, self.homes.get(edge.source, 0))
        return tuple(self.boxes[self.homes.get(name, band), name] for name in (edge.source, edge.target))  # type: ignore[return-value]


def as_svg(graphs: Sequence[Graph]) -> str:
    body: list[str] = []
    top = _MARGIN
    used = sorted({_column(node) for graph in graphs for node in graph.nodes})
    columns = {column: _MARGIN + i * (_WIDTH + _AISLE) for i, column in enumerate(used)}
    for graph in graphs:
        layout = _laid_out(graph, top + _HEAD, columns)
        lines = [f'<text class="heading" x="{_MARGIN}" y="{top + 20}">{_text(graph.title)}</text>']
        heads = ("clients", "ways in", "servers", "what they reach and use")
        lines += [f'<text class="faint" x="{x}" y="{top + 42}">{heads[column]}</text>' for column, x in columns.items()]
        lines += [line for edge in graph.edges for line in _edge(edge, *layout.ends(edge))]
        lines += [line for box in layout.boxes.values() for line in _box(box)]
        bottom = layout.bottom
        for note in graph.notes:
            bottom += _TITLE
            lines.append(f'<text class="faint" x="{_MARGIN}" y="{bottom}">{_text(note)}</text>')
        drawn, top = lines, bottom + _BAND
        body += drawn
    width = max([*columns.values(), 3 * _LEGEND]) + _WIDTH + _MARGIN
    height = top + _LINE * 2 + _MARGIN
    servers = sum(node.kind in ("server", "remote") for graph in graphs for node in graph.nodes)
    title = f"Who reaches what: {', '.join(graph.title for graph in graphs)}"
    about = f"{servers} servers with their clients, ways in, and what they may call and use. mcpctl graph --format text"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'role="img" aria-labelledby="title desc">',
            f'<title id="title">{_text(title)}</title>',
            f'<desc id="desc">{_text(about)} has the same as sentences.</desc>',
            f"<style>{_style()}</style>",
            *_ARROWS,
            f'<rect class="page" width="{width}" height="{height}"/>',
            *body,
            *_legend(top),
            "</svg>",
            "",
        ]
    )


# ---------------------------------------------------------------------------------------------
# Layout: each box is in the band of the first server connected to it.


def _laid_out(graph: Graph, top: int, columns: Mapping[int, int]) -> Layout:
    bands = _bands(graph)
    counts = Counter(node.id for band in bands for node in band)
    homes = {node.id: i for i, band in enumerate(bands) for node in band if counts[node.id] == 1}
    boxes: dict[tuple[int, str], Box] = {}
    for i, band in enumerate(bands):
        inside = {node.id for node in band}
        texts = {node.id: 2 * _PAD + _TITLE * len(_titles(node)) + _LINE * len(_lines(node)) for node in band}
        heights = {node.id: max(texts[node.id], _END * len(_sources(graph, node, homes, inside))) for node in band}
        stacks: dict[int, list[Node]] = {}
        for node in band:
            stacks.setdefault(_column(node), []).append(node)
        tallest = max(sum(heights[node.id] + _GAP for node in nodes) for nodes in stacks.values())
        for column, nodes in stacks.items():
            y = top + (tallest - sum(heights[node.id] + _GAP for node in nodes)) // 2
            for node in nodes:
                sources = _sources(graph, node, homes, inside)
                step = heights[node.id] / max(1, len(sources))
                ends = {source: round(y + step * (n + 0.5)) for n, source in enumerate(sources)}
                boxes[i, node.id] = Box(node, columns[column], y, heights[node.id], ends)
                y += heights[node.id] + _GAP
        top += tallest + _BAND
    return Layout(boxes, homes, top)


def _sources(graph: Graph, node: Node, homes: Mapping[str, int], inside: Collection[str]) -> list[str]:
    """Sources of edges drawn to the node, top to bottom; for a repeated node only those in its band."""
    sources = dict.fromkeys(edge.source for edge in graph.edges if edge.target == node.id)
    here = [source for source in sources if node.id in homes or source in inside]
    column = _column(node)
    kinds = {other.id: _column(other) for other in graph.nodes}
    return sorted((s for s in here if kinds[s] != column), key=lambda source: (homes.get(source, -1), -kinds[source]))


def _column(node: Node) -> int:
    return KINDS[node.kind].column


def _bands(graph: Graph) -> list[list[Node]]:
    """One per server; remote servers and unconnected nodes come last.

    Nodes that few servers share are drawn once; more widely shared ones are repeated to avoid long lines.
    """
    servers = [node for node in graph.nodes if node.kind == "server"]
    bands = [_around(graph, server) for server in servers]
    counts = Counter(name for band in bands for name in band)
    placed: set[str] = set()
    result: list[list[Node]] = []
    for band in bands:
        here = {name for name in band if counts[name] > _MOST_SHARED or name not in placed}
        placed |= here
        result.append([node for node in graph.nodes if node.id in here])
    left = [node for node in graph.nodes if node.id not in placed]
    return [*result, left] if left else result


def _around(graph: Graph, server: Node) -> set[str]:
    """The server, its neighbours but other servers, and clients of its ways in."""
    near = {edge.target for edge in graph.edges if edge.source == server.id}
    before = {edge.source for edge in graph.edges if edge.target == server.id}
    before |= {edge.source for edge in graph.edges if edge.target in before}
    servers = {node.id for node in graph.nodes if node.kind == "server"}
    return {server.id, *(near | before) - servers}


def _lines(node: Node) -> list[str]:
    lines = [line for line in node.lines if line]
    more = len(lines) - _MOST_LINES + 1
    return [*lines[: _MOST_LINES - 1], f"and {more} more"] if more > 1 else lines


def _titles(node: Node) -> list[str]:
    """At most three lines."""
    kind = f"{KINDS[node.kind].words} " if node.kind in USED else ""
    lines = wrap(excerpt(kind + node.title, 400), _FITS) or [""]
    return lines if len(lines) < 4 else [*lines[:2], excerpt("".join(lines[2:]), _FITS)]


# ---------------------------------------------------------------------------------------------
# Text of the drawing.


def _box(box: Box) -> Iterator[str]:
    node = box.node
    whole = "\n".join((f"{KINDS[node.kind].words} {node.title}", *node.lines))
    radius = 4 if node.kind in ("server", "remote") else 14
    yield f'<g class="{node.kind}"><title>{escape(_printable(whole))}</title>'
    yield f'<rect class="box" x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{box.height}" rx="{radius}"/>'
    y = box.y + _PAD - 5
    for title in _titles(node):
        y += _TITLE
        yield f'<text class="name" x="{box.x + 10}" y="{y}">{_text(title)}</text>'
    for line in _lines(node):
        y += _LINE
        yield f'<text class="faint" x="{box.x + 10}" y="{y + 2}">{_text(line, _SMALL)}</text>'
    yield "</g>"


def _edge(edge: Edge, start: Box, end: Box) -> Iterator[str]:
    """A curve from side to side; within a column around the right side."""
    x1, y1 = start.x + _WIDTH, start.middle
    y2 = end.ends.get(edge.source, end.middle)
    same = start.x == end.x
    x2 = end.x + _WIDTH if same else end.x
    bend = 80 if same else max(60, (x2 - x1) // 2)
    kind = "open" if edge.is_open else "edge" if edge.connects else "use"
    path = f"M{x1},{y1} C{x1 + bend},{y1} {x2 + (bend if same else -bend)},{y2} {x2},{y2}"
    whole = f"{start.node.title} to {end.node.title}: {edge.words or 'uses it'}"
    yield f'<g class="{kind}"><title>{escape(_printable(whole))}</title><path d="{path}"/>'
    x, anchor = (x2 + 66, "start") if same else (x2 - 12, "end")
    y = (y1 + y2) // 2 if same else y2
    for text, below in ((edge.label, -5), (edge.by, 11)):
        if text:
            yield f'<text class="label" x="{x}" y="{y + below}" text-anchor="{anchor}">{_text(text, _LABEL)}</text>'
    yield "</g>"


def _legend(top: int) -> Iterator[str]:
    texts = (("edge", "held by what stands beside it"), ("open", "nothing holds it"), ("use", "read or mounted"))
    for i, (kind, text) in enumerate(texts):
        x = _MARGIN + i * _LEGEND
        yield f'<g class="{kind}"><path d="M{x},{top + 6} L{x + 34},{top + 6}"/>'
        yield f'<text class="label" x="{x + 42}" y="{top + 10}">{text}</text></g>'


def _style() -> str:
    """Light, and dark by prefers-color-scheme."""
    font = 'font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif'
    return (
        f"text{{{font};font-size:11px}}.name{{font-size:13px;font-weight:600}}.heading{{font-size:17px;font-weight:600}}"
        ".edge path,.open path,.use path{fill:none;stroke-width:1.4}.open path{stroke-dasharray:5 4}"
        ".use path{stroke-dasharray:1 3}.edge path{marker-end:url(#edge)}.open path{marker-end:url(#open)}"
        ".box{stroke-width:1.3}.remote .box{stroke-dasharray:6 3}"
        ".label{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}"
        f"{_colors(_LIGHT, dark=False)}@media (prefers-color-scheme: dark){{{_colors(_DARK, dark=True)}}}"
    )


def _colors(page: Mapping[str, str], *, dark: bool) -> str:
    pairs = {kind: look.dark if dark else look.light for kind, look in KINDS.items()}
    boxes = "".join(f".{kind} .box{{fill:{fill};stroke:{border}}}" for kind, (fill, border) in pairs.items())
    return (
        f".page{{fill:{page['page']}}}text{{fill:{page['text']}}}.faint,.label{{fill:{page['faint']}}}"
        f".label{{stroke:{page['page']}}}.edge path,.use path{{stroke:{page['edge']}}}"
        f".open path{{stroke:{page['open']}}}.open .label{{fill:{page['open']}}}"
        f".edge-head{{fill:{page['edge']}}}.open-head{{fill:{page['open']}}}{boxes}"
    )


def _text(text: str, most: int = 400) -> str:
    return escape(_printable(text, most))


def _printable(text: str, most: int = 2000) -> str:
    """Control characters escaped and lines cut; tooltips have the whole text."""
    return "\n".join(excerpt(line, most) for line in text.split("\n"))

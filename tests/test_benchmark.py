"""The benchmark measures the same fleet for all, and draws what it measured."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from tests.benchmark import curve, peers
from tests.benchmark.__main__ import SPEC, Run
from tests.oracles import yaml_read

CURVES = {
    "mcpctl": {1: Run(0.1, 0.1, 40.0), 1000: Run(2.0, 1.0, 120.0)},
    "helm": {1: Run(0.05, 0.05, 48.0), 1000: Run(1.0, 1.0, 240.0)},
}


def test_the_picture_has_every_point_inside_of_its_plot() -> None:
    root = ElementTree.fromstring(curve.picture(CURVES))
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 8
    assert all(0 < float(c.attrib["cx"]) < 760 and 0 < float(c.attrib["cy"]) < 300 for c in circles)


def test_the_table_has_a_row_for_each_size() -> None:
    assert list(curve.table(CURVES))[-3:-1] == [
        "| 1 | 0.10 | 0.10 | 40 | 0.05 | 0.05 | 48 | 2.0 |",
        "| 1,000 | 2.00 | 1.00 | 120 | 1.00 | 1.00 | 240 | 1.0 |",
    ]
    alone = {"mcpctl": CURVES["mcpctl"]}
    assert list(curve.table(alone))[-2] == "| 1,000 | 2.00 | 1.00 | 120 |  |  |  |  |"


def test_the_chart_gets_what_the_specs_say(tmp_path: Path) -> None:
    command = peers.command("helm", "helm", tmp_path / "tree", 3)
    values = yaml_read(Path(command[-1]).read_text())
    assert [server["name"] for server in values["servers"]] == ["server-0000", "server-0001", "server-0002"]
    spec = yaml_read(SPEC.format(number=2))["spec"]
    for field in ("description", "command", "args", "env", "storage"):
        assert values["servers"][2][field] == spec[field]

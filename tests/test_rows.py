"""Rows that are one test: each runs, each that fails is named, and what has state of its own stays alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rows import joined

ROWS = """
import pytest

ROWS = pytest.mark.parametrize("row", range(9))

@pytest.fixture(scope="module")
def kept(): return 5

@ROWS
def test_faulty(row, kept):
    if row == kept:
        pytest.fail("five")
    with pytest.raises(ZeroDivisionError):
        1 / (row - 3) / (row - 4)

@ROWS
def test_skipped(row):
    if row == 2:
        pytest.skip("not here")

@ROWS
@pytest.mark.parametrize("other", "ab")
def test_sound(row, other): ...

@ROWS
def test_alone(row, tmp_path): ...

@pytest.fixture(scope="module")
def doubled(row): return 2 * row

@pytest.mark.parametrize("row", range(9), scope="module")
def test_made(row, doubled): assert doubled == 2 * row

@pytest.mark.parametrize("row", range(3))
def test_few(row): ...

@pytest.mark.parametrize("row", [*range(7), pytest.param(7, marks=pytest.mark.xfail)])
def test_marked(row): assert row < 7
"""


class Outcomes:
    """Of each test that runs, by its name."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.texts: dict[str, tuple[str, str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = joined(items, self.most)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.texts[report.nodeid.partition("::")[2]] = (report.outcome, str(report.longrepr))


@pytest.fixture
def outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Outcomes:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "test_them.py").write_text(ROWS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    seen = Outcomes(request.param)
    pytest.main(
        ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", f"--rootdir={tmp_path}", str(tmp_path)],
        plugins=[seen],
    )
    return seen


@pytest.mark.parametrize("outcomes", [None], indirect=True)
def test_each_row_runs_and_each_that_fails_is_named(outcomes: Outcomes) -> None:
    outcome, text = outcomes.texts["test_faulty"]
    assert outcome == "failed"
    assert text.startswith("7 of 9 rows failed:\ntest_faulty[0]\n")
    assert "test_faulty[5]\n" in text
    assert "DID NOT RAISE" in text
    assert not any(f"test_faulty[{row}]" in text for row in (3, 4))
    outcome, text = outcomes.texts["test_skipped"]
    assert outcome == "skipped"
    assert "test_skipped[2]: not here" in text
    assert outcomes.texts["test_sound"] == ("passed", "None")


@pytest.mark.parametrize("outcomes", [None], indirect=True)
def test_what_a_test_has_for_itself_is_made_for_each_row(outcomes: Outcomes) -> None:
    alone = [name for name in outcomes.texts if "[" in name]
    counts = {"alone": 9, "made": 9, "few": 3}
    assert alone == [
        *(f"test_{name}[{row}]" for name, count in counts.items() for row in range(count)),
        "test_marked[7]",
    ]
    assert outcomes.texts["test_marked"] == ("passed", "None"), "the rows without a mark"


@pytest.mark.parametrize("outcomes", [3], indirect=True)
def test_only_the_first_rows(outcomes: Outcomes) -> None:
    assert outcomes.texts["test_faulty"][1].startswith("3 of 3 rows failed:")

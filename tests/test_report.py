"""What is shown: one line a Problem for people, the same facts as JSON, SARIF and annotations for programs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from renderer import __version__
from renderer.errors import Place, Problem, Severity
from renderer.report import REPORTERS, Differing, Report, as_github, as_json, as_sarif, as_text

ERROR = Problem(Place("specs/a.yaml", 12, 5), "spec.trasport", "schema/unknown-field", "unknown field", "did you mean?")
WARNING = Problem(Place("b.yaml", 3), "", "spec/privileged-port", "port 80", severity=Severity.WARNING)
RELATED = ERROR._replace(related=(Place("other.yaml", 7, 1), Place("third.yaml")))


def report(*problems: Problem, **counts: int) -> Report:
    return Report("validate", problems, counts)


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (ERROR, "specs/a.yaml:12:5: error: spec.trasport: unknown field; did you mean? [schema/unknown-field]"),
        (WARNING, "b.yaml:3: warning: port 80 [spec/privileged-port]"),
        (Problem(Place("c"), "", "a/b", "no place"), "c: error: no place [a/b]"),
        (Problem(Place("::set-output"), "", "a/b", "m"), "./::set-output: error: m [a/b]"),
    ],
)
def test_a_problem_is_one_line(problem: Problem, line: str) -> None:
    assert as_text(report(problem), quiet=False).splitlines()[0] == line


@pytest.mark.parametrize(
    ("problems", "counts", "summary"),
    [
        ([], {}, "0 errors, 0 warnings"),
        ([ERROR], {"servers": 1}, "1 server, 1 error, 0 warnings"),
        ([ERROR, WARNING, WARNING], {"servers": 2, "documents": 0}, "2 servers, 0 documents, 1 error, 2 warnings"),
    ],
)
def test_the_last_line_sums_up(problems: list[Problem], counts: dict[str, int], summary: str) -> None:
    assert as_text(report(*problems, **counts)).splitlines()[-1] == summary


def test_quiet_is_errors_alone() -> None:
    assert as_text(report(WARNING, servers=1), quiet=True) == ""
    assert len(as_text(report(WARNING, ERROR, servers=1), quiet=True).splitlines()) == 1


def test_warnings_that_say_the_same_are_told_once_with_their_number() -> None:
    places = [WARNING._replace(place=Place("b.yaml", n)) for n in range(1, 4)]
    lines = as_text(report(*places, ERROR, ERROR)).splitlines()
    assert len([line for line in lines if "port 80" in line]) == 1
    assert "2 more places" in lines[0]
    assert json.loads(as_json(report(*places)))["warnings"] == 3


def test_errors_are_never_folded() -> None:
    twice = [ERROR, ERROR._replace(place=Place("z.yaml"))]
    assert len(as_text(report(*twice), quiet=True).splitlines()) == 2


def test_colors_are_only_there_when_asked_for() -> None:
    assert "\x1b" not in as_text(report(ERROR, WARNING))
    colored = as_text(report(ERROR, WARNING), color=True)
    assert re.sub("\x1b\\[[0-9;]*m", "", colored) == as_text(report(ERROR, WARNING))
    assert colored.count("\x1b[0m") == 2


HOSTILE = ["\x1b[31mred", "a\nb", "\r", "::set-output name=x::y\n::error::z", "\x9b31m", "\u202eevil", "\udc80", "\x07"]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("field", ["place", "path", "message", "hint", "lines"])
def test_no_control_character_reaches_a_terminal(text: str, field: str) -> None:
    value: Any = Place(text, 1, 1) if field == "place" else text
    problem = ERROR if field == "lines" else ERROR._replace(**{field: value})
    found = Report("render", [problem], {}, [text] if field == "lines" else [])
    shown = as_text(found)
    assert len(shown.splitlines()) == 2 + (field == "lines")
    assert all(line.isprintable() for line in shown.split("\n"))
    assert not any(line.startswith("::") for line in shown.split("\n") if field != "lines")
    for style in ("json", "sarif"):
        written = REPORTERS[style](found)
        assert written.replace("\n", "").isprintable()
        assert written.isascii()
        json.loads(written)


def test_a_line_is_not_endless() -> None:
    assert len(as_text(report(ERROR._replace(message="x" * 100_000)))) < 5_000


def test_json_has_the_same_facts() -> None:
    assert json.loads(as_json(Report("render", [RELATED, WARNING], {"servers": 1, "documents": 2}, ["a: b"]))) == {
        "command": "render",
        "version": __version__,
        "errors": 1,
        "warnings": 1,
        "servers": 1,
        "documents": 2,
        "lines": ["a: b"],
        "problems": [
            {
                "file": "specs/a.yaml",
                "line": 12,
                "column": 5,
                "severity": "error",
                "path": "spec.trasport",
                "rule": "schema/unknown-field",
                "message": "unknown field",
                "hint": "did you mean?",
                "related": [
                    {"file": "other.yaml", "line": 7, "column": 1},
                    {"file": "third.yaml", "line": 0, "column": 0},
                ],
            },
            {
                "file": "b.yaml",
                "line": 3,
                "column": 0,
                "severity": "warning",
                "path": "",
                "rule": "spec/privileged-port",
                "message": "port 80",
                "hint": "",
                "related": [],
            },
        ],
    }


#: https://docs.oasis-open.org/sarif/sarif/v2.1.0/: what code hosts rely on.
URI = re.compile(r"(?:[A-Za-z0-9._~/!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})+")


def check_sarif(text: str) -> list[dict[str, Any]]:
    """The results of a document of the form that code hosts read."""
    data = json.loads(text)
    assert data["version"] == "2.1.0"
    assert data["$schema"].endswith("sarif-2.1.0.json")
    (run,) = data["runs"]
    assert run["tool"]["driver"]["name"] == "mcpctl"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == sorted(set(rules))
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["level"] in ("error", "warning", "note", "none")
        assert result["message"]["text"]
        assert len(result["locations"]) == 1
        for location in (*result["locations"], *result["relatedLocations"]):
            place = location["physicalLocation"]
            assert URI.fullmatch(place["artifactLocation"]["uri"])
            region = place.get("region", {"startLine": 1})
            assert all(type(number) is int and number >= 1 for number in region.values())
    results: list[dict[str, Any]] = run["results"]
    return results


def test_sarif_has_the_same_facts() -> None:
    first, second, third = check_sarif(as_sarif(report(RELATED, WARNING, ERROR._replace(place=Place("c.yaml")))))
    assert first["message"]["text"] == "spec.trasport: unknown field; did you mean?"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "specs/a.yaml"},
        "region": {"startLine": 12, "startColumn": 5},
    }
    assert [p["physicalLocation"]["artifactLocation"]["uri"] for p in first["relatedLocations"]] == [
        "other.yaml",
        "third.yaml",
    ]
    assert (second["level"], second["message"]["text"]) == ("warning", "port 80")
    assert "region" not in third["locations"][0]["physicalLocation"]


@pytest.mark.parametrize("file", ["<stdin>", "a b.yaml", "100%.yaml", "é.yaml", "a#b?.yaml", "C:\\x", "\udc80"])
def test_names_of_files_become_uris(file: str) -> None:
    check_sarif(as_sarif(report(ERROR._replace(place=Place(file, 1, 1)))))


@pytest.mark.parametrize("style", sorted(REPORTERS))
def test_every_format_ends_with_a_line_feed_and_holds_nothing_twice(style: str) -> None:
    for found in (report(), report(ERROR), report(ERROR, WARNING, servers=3)):
        text = REPORTERS[style](found)
        assert text.endswith("\n")
        assert text.count("did you mean?") == [ERROR in found.problems].count(True)


def test_sarif_explains_the_rules_of_policy() -> None:
    found = [ERROR._replace(rule=f"policy/{name}") for name in ("ingress-tls", "image-digest", "accepts-nothing")]
    rules = json.loads(as_sarif(report(*found)))["runs"][0]["tool"]["driver"]["rules"]
    assert [rule.get("defaultConfiguration") for rule in rules] == [None, {"level": "none"}, {"level": "warning"}]
    assert rules[2]["shortDescription"] == {"text": "an Ingress without TLS"}
    assert "docs/rules.md#policyingress-tls " in rules[2]["help"]["text"]


# ---------------------------------------------------------------------------------------------
# Annotations.


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (
            ERROR,
            "::error file=specs/a.yaml,line=12,col=5,title=schema/unknown-field::spec.trasport: unknown field; "
            "did you mean?",
        ),
        (WARNING, "::warning file=b.yaml,line=3,title=spec/privileged-port::port 80"),
        (Problem(Place("a,b:c%.yaml"), "", "a/b", "50%, ::x"), "::error file=a%2Cb%3Ac%25.yaml,title=a/b::50%25, ::x"),
        (Problem(Place("a\n::set"), "", "a/b", "x\r\n::y"), "::error file=a\\n%3A%3Aset,title=a/b::x\\r\\n::y"),
    ],
)
def test_an_annotation_is_one_command(problem: Problem, line: str) -> None:
    assert as_github(report(problem)).splitlines()[0] == line


DIFFERING = Differing(Place("tree/a.yaml"), "outdated", "it is rendered otherwise now")


def test_files_that_differ() -> None:
    found = Report("render", [], {"differences": 1}, ["::line"], [DIFFERING])
    assert as_text(found).splitlines() == [
        "./::line",
        "tree/a.yaml: outdated: it is rendered otherwise now",
        "1 difference, 0 errors, 0 warnings",
    ]
    assert json.loads(as_json(found))["differing"] == [
        {
            "file": "tree/a.yaml",
            "state": "outdated",
            "message": "it is rendered otherwise now",
        }
    ]
    assert "differing" not in json.loads(as_json(report()))
    (result,) = json.loads(as_sarif(found))["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("check/outdated", "error")
    assert as_github(found).splitlines() == [
        "::error file=tree/a.yaml,title=check/outdated::it is rendered otherwise now",
        "./::line",
        "1 difference, 0 errors, 0 warnings",
    ]

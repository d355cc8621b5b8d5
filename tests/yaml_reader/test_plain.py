"""The table of plain scalars, ours beside what the real readers say."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from renderer.yaml_reader import read
from renderer.yaml_reader.plain import DOUBTFUL, ambiguous, lenient_verdict, strict_verdict
from tests.oracles import compose_read, kubectl_read

TEXTS = """
    100m 1Gi 1.2.3 10.0.0.0/8 v1 -- . .. ./x --port=80 -y nULLs inf nan Infinity NaN 0x 0b 0o 0o8b 0b2c 1,000
    1e + 1e3a 0x1p-2 e3 _1 __ nope yesterday 8080:80 2001-12-14a 1234e56x a:b null~ ~a on-call Nope +x -x
    1.2.3.4 0.1.2 <<< ==
"""
AGREED: dict[str, Any] = {
    "": None, "null": None, "true": True, "false": False, "0": 0, "7": 7, "-1": -1, "20011214": 20011214,
    "9223372036854775807": 2**63 - 1, "-9223372036854775808": -(2**63),
    "1.5": 1.5, "-0.25": -0.25, "0.0": 0.0, "1.50": 1.5, "0.1234567890123456789": 0.12345678901234568,
    "12345678901234567890123.5": 1.2345678901234568e22,
} | {text: text for text in TEXTS.split()}  # fmt: skip

#: Doubtful scalars, and what the message says of kubectl (or of others).
DOUBTS = {
    "NO": "kubectl reads the boolean false", "no": "kubectl reads the boolean false",
    "yes": "kubectl reads the boolean true", "Yes": "kubectl reads the boolean true",
    "on": "kubectl reads the boolean true", "Off": "kubectl reads the boolean false",
    "y": "kubectl reads the boolean true", "Y": "kubectl reads the boolean true",
    "n": "kubectl reads the boolean false", "yEs": "some read the boolean true",
    "True": "kubectl reads the boolean true", "FALSE": "kubectl reads the boolean false",
    "tRUE": "some read the boolean true",
    "~": "kubectl reads null", "NULL": "kubectl reads null", "Null": "kubectl reads null",
    "nULL": "some read null",
    "0777": "kubectl reads the number 511", "-0777": "kubectl reads the number -511",
    "0o777": "kubectl reads the number 511", "00": "kubectl reads the number 0",
    "09": "kubectl reads the number 9", "0123456789": "kubectl reads the number 123456789",
    "0x1F": "kubectl reads the number 31", "0X1f": "kubectl reads the number 31",
    "0b1": "kubectl reads the number 1", "0B11": "kubectl reads the number 3",
    "0b-1": "kubectl reads the number -1", "1_000": "kubectl reads the number 1000",
    "-_1": "kubectl reads the number -1", "1_": "kubectl reads the number 1",
    "1e3": "kubectl reads the number 1000", "12e3": "kubectl reads the number 12000",
    "1E5": "kubectl reads the number 100000", "1e-3": "kubectl reads the number 0.001",
    "1234e56": "kubectl reads the number 1.234e+59", ".5": "kubectl reads the number 0.5",
    "-.5": "kubectl reads the number -0.5", "5.": "kubectl reads the number 5",
    "+1": "kubectl reads the number 1", "+1.5": "kubectl reads the number 1.5",
    "-0": "kubectl reads the number 0", "-0.0": "kubectl reads the number 0",
    "01.5": "kubectl reads the number 1.5", "1.5e3": "kubectl reads the number 1500",
    "685_230.15": "kubectl reads the number 685230.15",
    "12:30:45": "YAML 1.1 reads a number in base 60, kubectl reads text",
    "12:30": "YAML 1.1 reads a number in base 60, kubectl reads text",
    "190:20:30.15": "YAML 1.1 reads a number in base 60, kubectl reads text",
    "2001-12-14": "some read a date, kubectl reads text", "2001-1-1": "some read a date, kubectl reads text",
    "2001-12-14T21:59:43Z": "some read a date, kubectl reads text",
    "2001-12-14 21:59:43.10 -5": "some read a date, kubectl reads text",
    "1e1000": "some read an infinite number, kubectl reads text",
    "9223372036854775808": "the number does not fit into 64 bits",
    "-9223372036854775809": "the number does not fit into 64 bits",
    "1" * 5000: "the number does not fit into 64 bits",
    "1" * 400 + ".5": "some read a number, others text or another number",
    "0x_": "some read a number, others text or another number",
    ".inf": "kubectl refuses numbers that are not finite",
    "-.Inf": "kubectl refuses numbers that are not finite",
    ".NaN": "kubectl refuses numbers that are not finite",
    "=": "YAML 1.1 gives it a meaning of its own", "<<": "YAML 1.1 gives it a meaning of its own",
}  # fmt: skip
OTHER_SPELLINGS = {
    "~": None,
    "NULL": None,
    "Null": None,
    "True": True,
    "TRUE": True,
    "False": False,
    "FALSE": False,
}


def same(one: Any, other: Any) -> bool:
    """Equal as JSON tells values apart: a boolean is no number, 1.0 is 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def as_text(values: list[str], indent: str) -> str:
    return "".join(f"{indent}k{i}: {value}\n" for i, value in enumerate(values))


def kubectl_values(values: list[str]) -> list[Any]:
    head = "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\nspec:\n"
    spec = kubectl_read(head + as_text(values, "  "))[0]["spec"]
    return [spec[f"k{i}"] for i in range(len(values))]


def compose_values(values: list[str]) -> list[Any]:
    found = compose_read("name: a\nservices: {a: {image: b}}\nx-k:\n" + as_text(values, "  "))["x-k"]
    return [found[f"k{i}"] for i in range(len(values))]


def pyyaml_values(values: list[str]) -> list[Any]:
    data = yaml.load(as_text(values, ""), Loader=yaml.CSafeLoader)
    return [data[f"k{i}"] for i in range(len(values))]


def ruamel_values(values: list[str]) -> list[Any]:
    data = YAML(typ="safe", pure=True).load(as_text(values, ""))
    return [data[f"k{i}"] for i in range(len(values))]


@pytest.mark.parametrize(("text", "value"), AGREED.items())
def test_agreed_scalars_are_read(text: str, value: Any) -> None:
    assert same(strict_verdict(text), value)
    assert same(lenient_verdict(text), value)


@pytest.mark.parametrize("text", DOUBTS)
def test_doubtful_scalars_are_refused_and_explained(text: str) -> None:
    assert strict_verdict(text) is DOUBTFUL
    fault = ambiguous(("spec", "x"), text, is_key=False)
    assert fault.message.endswith(f": {DOUBTS[text]}")
    assert fault.hint.startswith(("write ", "put it in quotes"))


@pytest.mark.parametrize("text", DOUBTS)
def test_output_may_use_only_what_all_agree_on(text: str) -> None:
    assert lenient_verdict(text) is OTHER_SPELLINGS.get(text, DOUBTFUL)


@pytest.mark.parametrize("values", [kubectl_values, compose_values, pyyaml_values, ruamel_values])
def test_readers_agree_with_the_table(values: Any) -> None:
    for text, ours, theirs in zip(AGREED, AGREED.values(), values(list(AGREED)), strict=True):
        assert same(ours, theirs), text
    assert values(list(OTHER_SPELLINGS)) == list(OTHER_SPELLINGS.values())


def test_kubectl_reads_what_the_messages_say() -> None:
    said = {t: w for t, w in DOUBTS.items() if "kubectl reads" in w and len(t) < 40}
    for text, read_by_kubectl in zip(said, kubectl_values(list(said)), strict=True):
        what = said[text].rpartition("kubectl reads ")[2]
        expected = {"the boolean true": True, "the boolean false": False, "null": None, "text": text}
        value = expected[what] if what in expected else float(what.removeprefix("the number "))
        assert same(value, read_by_kubectl), text


def test_each_doubt_has_a_reader_behind_it() -> None:
    """No scalar is refused for nothing: some reader takes it for something else."""
    wide = {"yEs", "tRUE", "nULL", "<<", "=", "0x_", "1e1000", ".inf", "-.Inf", ".NaN", *OTHER_SPELLINGS}
    texts = [text for text in DOUBTS if text not in wide and len(text) < 40]
    columns = zip(kubectl_values(texts), compose_values(texts), pyyaml_values(texts), strict=True)
    for text, column in zip(texts, columns, strict=True):
        assert any(value != text for value in column), text


def random_scalars(count: int) -> list[str]:
    """Texts near to numbers, dates and words, the same on each run."""
    chance = random.Random(20)
    alphabets = [
        "01789._-+:",
        "0123456789abcdefxob_",
        "0123456789eE+-.",
        "yYnNoOfFeEsStTrRuUlL~",
        "0-+_.:TtZz 1",
    ]
    sizes = [chance.randint(1, 9) for _ in range(count)]
    made = {"".join(chance.choices(chance.choice(alphabets), k=size)).strip() for size in sizes}
    return sorted(text for text in made if is_plain_scalar(text))


def is_plain_scalar(text: str) -> bool:
    """No indicator, no document marker: the texts that YAML's grammar takes as a plain scalar."""
    return text not in ("", "-") and text[0] != ":" and text[-1] != ":" and text[:2] != "- " and ": " not in text


@pytest.fixture(scope="module")
def random_passing() -> list[str]:
    return [text for text in random_scalars(8_000) if strict_verdict(text) is not DOUBTFUL]


@pytest.mark.parametrize("values", [kubectl_values, compose_values, pyyaml_values, ruamel_values])
def test_readers_agree_on_what_passes(values: Any, random_passing: list[str]) -> None:
    passing = random_passing
    if values is ruamel_values:
        passing = passing[::10]  # written in Python, and slow
    assert len(passing) > 500
    for text, theirs in zip(passing, values(passing), strict=True):
        assert same(strict_verdict(text), theirs), text


def test_a_number_in_a_secret_is_not_repeated() -> None:
    fault = ambiguous(("spec", "env", "DB_PASSWORD"), "0123456", is_key=False)
    assert "0123456" not in fault.message + fault.hint
    assert "42798" not in fault.message + fault.hint


def test_a_doubtful_key_has_no_plain_spelling() -> None:
    _, findings = read("y: 1\n", strict=True)
    assert [f[2].hint for f in findings] == ['write "y" in quotes']


def test_floats_are_finite() -> None:
    assert all(math.isfinite(v) for v in AGREED.values() if isinstance(v, float))

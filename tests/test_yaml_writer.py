"""What the writer writes is read back unchanged by PyYAML, by our reader, by kubectl and by compose."""

from __future__ import annotations

import enum
import math
import random
import textwrap
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.yaml_reader import OUTPUT_LIMITS, read
from renderer.yaml_reader.text import UNCARRIED
from renderer.yaml_writer import Texts, block, comment, scalar, text_value
from tests.oracles import compose_read, kubectl_read

WORDS = """
    a A-b _x /mcp ./x ../x .github v1 v0.20.1 100m 1Gi 10.0.0.0/8 app.kubernetes.io/name RuntimeDefault
    ghcr.io/github/github-mcp-server:v0.20.1 https://example.com/a=b --port=8080 -y x@1.2.3 a|b nobody pa$word
    a$(HOME) sha256:0123abcd e3 abc1234 5s
"""
PLAIN = [*WORDS.split(), "GitHub's MCP server", "a - b", "a -", "x -y", "100% sure", "3 apples"]

#: Texts that some reader would take for something else, or that would end the scalar: always in quotes.
DOUBTS = """
    NO no yes on Off y Y n N true True null Null ~ = << 0 1 -1 +1 0777 0o777 0x1F 0b1 0b-1 1_000 1e3 12e3
    1E5 .5 5. 1.5 -0 09 0123456789 123456789012 1234e56 12:30 12:30:45 8080:80 2001-12-14 2001-1-1 .inf -.inf
    .nan 1.2.3 inf nan --- ... - -- ? : *x &x !x !!str %x @x `x |x >x 'x "x [x {x ]x }x ,x #x x: a? ?a a,b
    [a] {a}
"""
ODD = [
    "", " ", " x", "x ", "a: b", "a #b", "- a", "? a", "a\n---\nkind: ClusterRoleBinding", "{a: b}", "!!t",
    "x\n  hostNetwork: true", '"; ', "# x", "tab\there", "\t", "a\r\nb", "\r", "\x7f", "a\x85b", "\u2028",
    "\u2029", "\ufeff", "é", "größe", "日本", "\U0001f600", "\U0010ffff", "\uffff", "\ufffe", "\ue000",
    "\u202e", "\u200d", "\xa0", "\xad", "\\", '"', "\\n", "--- a", "... a", "%YAML 1.2", "$", "$$", "$(VAR)",
    "2001-12-14 10:00:00", "http://[::1]:80", "a" * 5000, "{{7*7}}", "${VAR}",
]  # fmt: skip
QUOTED = [*DOUBTS.split(), *ODD]
NASTY = [*PLAIN, *QUOTED]


def from_pyyaml(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


def from_our_reader(text: str) -> Any:
    documents, findings = read(text, strict=False, limits=OUTPUT_LIMITS, marks=False)
    assert findings == []
    return documents[0].data


def from_kubectl(text: str) -> Any:
    lines = "".join(f"  {line}\n" if line else "\n" for line in text.split("\n"))
    head = "apiVersion: example.org/v1\nkind: Thing\nmetadata:\n  name: a\nspec:\n"
    return kubectl_read(head + lines)[0]["spec"]


def from_compose(text: str) -> Any:
    lines = "".join(f"  {line}\n" if line else "\n" for line in text.replace("$", "$$").split("\n"))
    return compose_read("name: a\nservices:\n  a:\n    image: b\nx-data:\n" + lines)["x-data"]


READERS = [from_pyyaml, from_our_reader, from_kubectl, from_compose]
FAST_READERS = [from_pyyaml, from_our_reader]


def carried(texts: list[str], reader: Any) -> list[str]:
    """Without what our reader refuses by design."""
    return [t for t in texts if not UNCARRIED.search(t)] if reader is from_our_reader else texts


def positions(texts: list[str], with_keys: bool) -> tuple[str, dict[str, Any]]:
    """The texts as values, as items of block and flow sequences, as keys of block and flow mappings."""
    written = [scalar(t) for t in texts]
    lines = ["values:", *(f"  k{i}: {w}" for i, w in enumerate(written))]
    lines += ["items:", *(f"  - {w}" for w in written), f"flow: [{', '.join(written)}]"]
    data: dict[str, Any] = {
        "values": {f"k{i}": t for i, t in enumerate(texts)},
        "items": texts,
        "flow": texts,
    }
    short = list(dict.fromkeys(t for t in texts if len(scalar(t)) < 1000)) if with_keys else []
    if short:
        lines += ["keys:", *(f"  {scalar(t)}: {i}" for i, t in enumerate(short))]
        lines += [f"flowKeys: {{{', '.join(f'{scalar(t)}: {scalar(t)}' for t in short)}}}"]
        data |= {"keys": {t: i for i, t in enumerate(short)}, "flowKeys": {t: t for t in short}}
    return "\n".join(lines), data


def check_positions(texts: list[str], reader: Any) -> None:
    chosen = carried(texts, reader)
    keys = [t for t in chosen if "$" not in t] if reader is from_compose else chosen
    for some, with_keys in ((chosen, False), (keys, True)):
        if some:
            text, data = positions(some, with_keys)
            assert reader(text) == data


def test_usual_texts_stay_plain() -> None:
    assert [text for text in PLAIN if scalar(text) != text] == []


def test_doubtful_texts_are_quoted_on_one_line() -> None:
    written = [scalar(text) for text in QUOTED]
    assert [text for text in written if not text.startswith('"') or text.splitlines() != [text]] == []


@pytest.mark.parametrize("reader", READERS)
def test_the_fixed_list_is_read_back(reader: Any) -> None:
    check_positions(NASTY, reader)


def near_misses(count: int) -> list[str]:
    """Texts near to numbers, ids, words and YAML's signs, the same on each run."""
    chance = random.Random(7)
    alphabets = ["0123456789", "0123456789abcdef", "0123456789e", "01789._-+:eExXoOTtZz ",
                 "yYnNoOfFeEsStTrRuUlL~",
                 "#:{}[],&*!|>%@`'\"- \n\t?=~$\\a", "aé\x7f\x85\u2028\ufeff\U0001f600\x00\x1b\u202e'\"\\ ",
                 "abc/.:-_@=+()$;^ "]  # fmt: skip
    lengths = [1, 2, 3, 4, 7, 12]
    return ["".join(chance.choices(chance.choice(alphabets), k=chance.choice(lengths))) for _ in range(count)]


@pytest.mark.parametrize("reader", READERS)
def test_many_near_misses_are_read_back(reader: Any) -> None:
    texts = near_misses(800)
    plain = sum(not scalar(t).startswith('"') for t in texts)
    assert 200 < plain < 600  # both ways of writing are asked
    check_positions(texts, reader)


def test_plain_output_is_never_doubtful_to_our_reader() -> None:
    for text in near_misses(4_000):
        if not scalar(text).startswith('"'):
            assert from_our_reader(f"k: {scalar(text)}") == {"k": text}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(NASTY)
leaves = (
    texts
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.none()
    | st.integers(-(10**15), 10**15).map(lambda n: n / 1000)
)
lines = st.lists(st.text(st.sampled_from("ab #:-|>é'\"\t  "), max_size=6), max_size=6).map("\n".join)
nested = st.recursive(
    leaves | lines,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | lines, inner, max_size=4),
    max_leaves=12,
)


def without_uncarried(value: Any) -> Any:
    if isinstance(value, str):
        return UNCARRIED.sub("", value)
    if isinstance(value, list):
        return [without_uncarried(v) for v in value]
    if isinstance(value, dict):
        return {without_uncarried(k): without_uncarried(v) for k, v in value.items()}
    return value


@pytest.mark.parametrize("reader", FAST_READERS)
@given(value=nested, indent=st.integers(0, 6))
def test_blocks_are_read_back(reader: Any, value: Any, indent: int) -> None:
    data = {"k": without_uncarried(value)}
    text = block(data, indent)
    assert reader(text + "\n") == data
    assert all(line.startswith(" " * indent) or not line for line in text.split("\n"))
    assert not any(line.endswith((" ", "\t")) for line in text.split("\n"))


@pytest.mark.parametrize("reader", [from_kubectl, from_compose])
@settings(max_examples=2, deadline=None)
@given(values=st.lists(nested, min_size=20, max_size=60))
def test_blocks_are_read_back_by_the_real_readers(reader: Any, values: list[Any]) -> None:
    data = {f"k{i}": without_dollar_keys(v) if reader is from_compose else v for i, v in enumerate(values)}
    assert reader(block(data, 0) + "\n") == data


def without_dollar_keys(value: Any) -> Any:
    if isinstance(value, list):
        return [without_dollar_keys(v) for v in value]
    if isinstance(value, dict):
        return {k.replace("$", "S"): without_dollar_keys(v) for k, v in value.items()}
    return value


LITERALS = {
    "a\nb": "k: |-\n  a\n  b",
    "a\nb\n": "k: |\n  a\n  b",
    " a\nb\n": "k: |2\n   a\n  b",
    "\n\na": "k: |2-\n\n\n  a",
    "#!/bin/sh\nset -eu\n": "k: |\n  #!/bin/sh\n  set -eu",
    "---\nkind: X\n...\n": "k: |\n  ---\n  kind: X\n  ...",
    "a:\tb\n\nc\n": "k: |\n  a:\tb\n\n  c",
    "é \U0001f600\n": "k: |\n  é \U0001f600",
}


@pytest.mark.parametrize(("value", "text"), LITERALS.items())
def test_text_of_several_lines_is_a_literal_block(value: str, text: str) -> None:
    assert block({"k": value}, 0) == text


@pytest.mark.parametrize("reader", READERS)
def test_literal_blocks_are_read_back(reader: Any) -> None:
    data = {f"k{i}": value for i, value in enumerate(LITERALS)}
    whole: Any = {
        "map": data,
        "list": list(LITERALS),
        "lists": [[v] for v in LITERALS],
        "maps": [{"k": v} for v in LITERALS],
    }
    assert reader(block(whole, 0) + "\n") == whole
    # A blank line that a template puts behind the block changes nothing.
    assert reader(block(whole, 0) + "\n\n") == whole


@given(text=st.text() | st.text("ab \n#:-"), indent=st.sampled_from([2, 4, 10]))
def test_text_behind_a_key_is_written_as_in_a_block(text: str, indent: int) -> None:
    try:
        expected = block({"k": text}, indent - 2)
    except ValueError:
        return
    assert f"{' ' * (indent - 2)}k: {text_value(text, indent)}" == expected


@pytest.mark.parametrize(
    "value", ["\n", "\n\n", "a\n\n", "a \nb", "a\t\nb", "\ta\nb", "a\r\nb", "a\n\x7f", "a\n\u2028", " \na"]
)
def test_text_that_a_literal_block_may_lose_is_quoted(value: str) -> None:
    assert block({"k": value}, 0) == f"k: {scalar(value)}"
    assert "\n" not in scalar(value)


def test_blocks_have_the_usual_shape() -> None:
    data: Any = {
        "args": ["stdio", {"name": "x", "ports": [{"port": 1}, {}]}, [["a"], "no"], []],
        "none": {}, "nothing": [], "null": None, "n": {"no": False, "1": 1.0},
    }  # fmt: skip
    assert block(data, 2) == (
        "  args:\n    - stdio\n    - name: x\n      ports:\n        - port: 1\n        - {}\n"
        '    - - - a\n      - "no"\n    - []\n  none: {}\n  nothing: []\n  "null": null\n'
        '  "n":\n    "no": false\n    "1": 1.0'
    )
    bare: list[Any] = [{}, [], "no", 5]
    assert [block(v, 2) for v in bare] == ["  {}", "  []", '  "no"', "  5"]


@pytest.mark.parametrize("reader", READERS)
def test_keys_beyond_1024_characters_are_explicit(reader: Any) -> None:
    data: Any = {"k" * 1500: {"a": [1]}, "é" * 900: "x\ny\n", "s": [{"q" * 2000: 1, "b": 2}]}
    assert reader(block(data, 0) + "\n") == data


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (False, "false"), (0, "0"), (-7, "-7"), (1.0, "1.0"), (0.5, "0.5"),
     (-0.0, "0.0"),
     (1e22, "10000000000000000000000.0"), (1e-7, "0.0000001"), (2**63 - 1, "9223372036854775807")],
)  # fmt: skip
def test_numbers_have_no_exponent(value: Any, text: str) -> None:
    assert scalar(value) == text


@pytest.mark.parametrize("reader", READERS)
def test_numbers_are_read_back(reader: Any) -> None:
    chance = random.Random(3)
    numbers: list[Any] = [chance.uniform(-1, 1) * 10 ** chance.randint(-12, 15) for _ in range(300)]
    numbers += [chance.randint(-(2**63), 2**63 - 1) for _ in range(300)] + [True, False, None, 0, 1, 1.0]
    data = {f"k{i}": n for i, n in enumerate(numbers)}
    assert reader(block(data, 0)) == data


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, math.nan, 1e-200, 1e200, 2**63, -(2**63) - 1, "\ud800", "x\udfffy"]
)
def test_what_yaml_cannot_say_is_a_failure(value: Any) -> None:
    with pytest.raises(ValueError, match=r"64 bits|not finite|digits|surrogate"):
        scalar(value)


def test_a_boolean_is_not_its_number_in_the_cache() -> None:
    values: list[Any] = [1, True, 1.0, "1", 0, False]
    assert [scalar(v) for v in values] == ["1", "true", "1.0", '"1"', "0", "false"]


def test_subclasses_of_str_are_plain_text() -> None:
    class Kind(enum.StrEnum):
        POD = "Pod"

    assert scalar(Kind.POD) == "Pod"
    assert type(scalar(Kind.POD)) is str


@given(text=st.text(max_size=300), indent=st.integers(0, 8), width=st.integers(10, 120))
def test_a_comment_is_never_anything_else(text: str, indent: int, width: int) -> None:
    written = comment(text, indent, width)
    assert all(line.startswith(" " * indent + "#") for line in written.split("\n"))
    assert read(f"{written}\na: 1\n", strict=True)[0][0].data == {"a": 1}
    assert read(f"{written}\na: 1\n", strict=True)[1] == []


def test_comments_are_wrapped() -> None:
    assert comment("one two three", 2, 24) == "  # one two three"
    assert comment("one two three four five six", 2, 24) == "  # one two three four\n  # five six"
    assert comment("a\n\nb\x1b[31m\u2028c") == "# a\n#\n# b\\x1b[31m\\u2028c"
    assert comment("") == "#"


@given(st.text("ab- ", min_size=20), st.integers(20, 30))
def test_comments_are_wrapped_as_python_wraps(text: str, width: int) -> None:
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    expected = [text] if len(text) <= width or not lines else lines
    assert comment(text, 0, width + 2).split("\n") == [f"# {line}".rstrip() for line in expected]


def test_no_more_texts_are_kept_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Texts, "_MOST", 3)
    written: list[str] = []
    texts = Texts(lambda text: written.append(text) or text.upper())  # type: ignore[func-returns-value]
    assert [texts[text] for text in ("a", "b", "a", "x" * 201, "c")] == ["A", "B", "A", "X" * 201, "C"]
    assert written == ["a", "b", "x" * 201, "c"]
    assert texts.keys() == {"a", "b", "c"}
    assert texts["d"] == "D"
    assert texts.keys() == {"d"}

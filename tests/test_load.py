"""Files, folders and standard input; and the negative corpus: each file beside the messages it must give."""

from __future__ import annotations

import errno
import io
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from renderer.errors import Problem
from renderer.load import load, texts
from renderer.pipeline import plain, read_inputs
from renderer.write import RECORD
from renderer.yaml_reader import SPEC_LIMITS, Limits

CORPUS = Path(__file__).parent / "negative" / "yaml"
CASES = sorted(p for p in CORPUS.iterdir() if p.suffix != ".expected")


def told(problem: Problem) -> str:
    """``line:column: severity: path: message; hint``, without the file."""
    place = f"{problem.place.line}:{problem.place.column}"
    words = "; ".join(filter(None, [problem.message, problem.hint]))
    return ": ".join(filter(None, [place, problem.severity.value, problem.path, words]))


def rules(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(p.place.file, p.rule) for p in problems]


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_negative_corpus(case: Path) -> None:
    _, problems = load([str(case)], stdin=None)
    messages = [told(p) for p in problems]
    expected = case.with_name(case.name + ".expected").read_text(encoding="utf-8").splitlines()
    assert messages == expected
    assert {p.place.file for p in problems} == {str(case)}


def test_the_corpus_is_complete() -> None:
    expectations = {p.name for p in CORPUS.glob("*.expected")}
    assert expectations == {case.name + ".expected" for case in CASES}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str, text: str | bytes = "a: b\n") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.mark.usefixtures("folder")
def test_documents_of_a_file_are_counted_and_placed() -> None:
    write("s.yaml", "# c\n---\n# only a comment\n---\na: {b: 1}\n---\nc: 2\n")
    sources, problems = load(["s.yaml"], stdin=None)
    assert problems == []
    assert [(s.file, s.document, s.line, s.data) for s in sources] == [
        ("s.yaml", 2, 4, {"a": {"b": 1}}),
        ("s.yaml", 3, 6, {"c": 2}),
    ]
    assert str(sources[0].place(("a", "b"))) == "s.yaml:5:8"
    assert str(sources[0].place(("a", "b"), at_key=True)) == "s.yaml:5:5"
    assert str(sources[1].place(("missing",))) == "s.yaml:7:1"


@pytest.mark.usefixtures("folder")
def test_folders_are_read_in_a_fixed_order_whatever_the_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("d/b.yml", "d/a/z.yaml", "d/a.yaml", "d/c.json", "d/a-b.yaml", "d/X.YAML"):
        write(path, '{"a": "b"}')
    for path in ("d/readme.md", "d/.hidden.yaml", "d/.git/x.yaml", "d/y.yaml.bak"):
        write(path, "not: [yaml")
    expected = ["d/X.YAML", "d/a/z.yaml", "d/a-b.yaml", "d/a.yaml", "d/b.yml", "d/c.json"]
    assert [s.file for s in load(["d"], stdin=None)[0]] == expected
    listing = os.scandir

    def backwards(path: str) -> AbstractContextManager[list[os.DirEntry[str]]]:
        with listing(path) as entries:
            return nullcontext(sorted(entries, key=lambda entry: entry.name, reverse=True))

    monkeypatch.setattr(os, "scandir", backwards)
    assert [s.file for s in load(["d"], stdin=None)[0]] == expected
    assert [s.file for s in load(["d/"], stdin=None)[0]] == expected
    assert [s.file for s in load(["./d"], stdin=None)[0]] == [f"./{path}" for path in expected]


@pytest.mark.usefixtures("folder")
def test_a_tree_that_mcpctl_wrote_holds_no_specs() -> None:
    for path in ("spec.yaml", "deploy/mine.yaml", "deploy/prod/kubernetes/a/x.yaml", "deploy/kubernetes/a/x.yaml"):
        write(path)
    for path in ("deploy/prod", "deploy/kubernetes"):
        write(f"{path}/{RECORD}")
    assert [s.file for s in load(["."], stdin=None)[0]] == ["./deploy/mine.yaml", "./spec.yaml"]
    # What the user names is read: a part of the specs is never lost because of a stray file.
    assert [s.file for s in load(["deploy/prod"], stdin=None)[0]] == ["deploy/prod/kubernetes/a/x.yaml"]


@pytest.mark.usefixtures("folder")
def test_arguments_keep_their_order_and_a_file_is_read_once() -> None:
    for path in ("b.yaml", "a.yaml", "d/x.yaml"):
        write(path)
    os.symlink("a.yaml", "link.yaml")
    os.link("b.yaml", "hard.yaml")
    paths = [
        "b.yaml",
        "./b.yaml",
        "hard.yaml",
        "link.yaml",
        "a.yaml",
        "d",
        "d/x.yaml",
        str(Path("b.yaml").resolve()),
    ]
    sources, problems = load(paths, stdin=None)
    assert [s.file for s in sources] == ["b.yaml", "link.yaml", "d/x.yaml"]
    assert problems == []


@pytest.mark.usefixtures("folder")
def test_links_that_lead_back_are_survived() -> None:
    write("d/x/a.yaml")
    os.symlink("..", "d/x/back")
    os.symlink("../../d", "d/x/again")
    os.symlink("loop", "d/loop")
    os.symlink("self.yaml", "d/self.yaml")
    sources, problems = load(["d"], stdin=None)
    assert [s.file for s in sources] == ["d/x/a.yaml"]
    assert rules(problems) == [("d/self.yaml", "load/unreadable")]


def test_standard_input() -> None:
    sources, problems = load(["-", "-"], stdin=io.BytesIO(b"a: b\n---\nc: no\n"))
    assert [(s.file, s.document) for s in sources] == [("<stdin>", 1), ("<stdin>", 2)]
    assert [str(p.place) for p in problems] == ["<stdin>:3:4"]


class Endless(io.RawIOBase):
    """Gives as much as is asked for, for ever."""

    asked = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0
        self.asked += size
        return b"x" * size


def test_standard_input_is_read_up_to_the_limit() -> None:
    stream = Endless()
    _, problems = load(["-"], stdin=stream)  # type: ignore[arg-type]
    assert rules(problems) == [("<stdin>", "yaml/too-large")]
    assert stream.asked == SPEC_LIMITS.max_bytes + 1


class Broken(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO), size)


def test_standard_input_that_fails() -> None:
    closed = io.BytesIO()
    closed.close()
    for stream in (None, closed, Broken()):
        sources, problems = load(["-"], stdin=stream)  # type: ignore[arg-type]
        assert (sources, rules(problems)) == ([], [("<stdin>", "load/stdin")])


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_read_is_told_and_the_rest_is_loaded() -> None:
    write("github.yaml")
    os.symlink("nowhere", "dangling.yaml")
    os.mkfifo("pipe.yaml")
    os.mkdir("none")
    write("none/readme.md")
    paths = [
        "githb.yaml",
        "no/such.yaml",
        "dangling.yaml",
        "pipe.yaml",
        "/dev/null",
        "none",
        "a\0b",
        "",
        "github.yaml",
    ]
    sources, problems = load(paths, stdin=None)
    assert [s.file for s in sources] == ["github.yaml"]
    assert [(str(p.place), p.rule, p.hint) for p in problems] == [
        ("githb.yaml", "load/missing", "did you mean 'github.yaml'?"),
        ("no/such.yaml", "load/missing", "the folder 'no' does not exist"),
        ("dangling.yaml", "load/missing", "the link points to nothing"),
        ("pipe.yaml", "load/not-a-file", "pass the text on standard input, with '-'"),
        ("/dev/null", "load/not-a-file", "pass the text on standard input, with '-'"),
        ("none", "load/empty-folder", "hidden files and folders are left out"),
        ("a\\x00b", "load/unreadable", ""),
        ("''", "load/missing", ""),
    ]


@pytest.mark.usefixtures("folder")
def test_missing_permissions_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in: the tests may run as root, who may read everything."""
    write("a.yaml")
    write("d/b.yaml")

    def refuse(path: str, *_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "open", refuse)
    _, problems = load(["a.yaml"], stdin=None)
    assert [(str(p.place), p.message) for p in problems] == [("a.yaml", "the file cannot be read: permission denied")]
    monkeypatch.setattr(os, "scandir", refuse)
    _, problems = load(["d"], stdin=None)
    assert problems[0].message == "the folder cannot be read: permission denied"


@pytest.mark.usefixtures("folder")
def test_a_file_over_the_limit_is_refused_unread() -> None:
    with open("huge.yaml", "wb") as file:
        file.truncate(50_000_000_000)  # sparse: reading it would take all memory
    write("fits.yaml", "a: " + "x" * 90)
    _, problems = load(["huge.yaml", "fits.yaml"], stdin=None)
    assert [p.message for p in problems] == ["the file has 50,000,000,000 bytes, more than the 2,000,000 that are read"]
    _, problems = load(["fits.yaml"], stdin=None, limits=Limits(max_bytes=92))
    assert rules(problems) == [("fits.yaml", "yaml/too-large")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: \xff\n", "1:4: error: the byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"a: b\n\xc3\xa9: \xe9\n", "2:4: error: the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ("a: b".encode("utf-16"), "1:1: error: the text is UTF-16 or binary, not UTF-8; save it as UTF-8"),
        ("a: b".encode("utf-16-be"), "1:1: error: the text is UTF-16 or binary, not UTF-8; save it as UTF-8"),
        ("a: b".encode("utf-32"), "1:1: error: the text is UTF-16 or binary, not UTF-8; save it as UTF-8"),
        (b"a: x\0y\n", "1:5: error: the invisible character U+0000 is not allowed here; remove it"),
        (b"a: x\n\nb: \x1b[1m\n", "3:4: error: "
         "the invisible character U+001B is not allowed here; remove it"),
        (b"\xef\xbb\xbfa: \x07", "1:4: error: the invisible character U+0007 is not allowed here; remove it"),
        (b"a: b\rc: d\r", "1:5: error: a carriage return without a line feed; "
         'end lines with a line feed, or write "\\r" in double quotes'),
        ("é: \u2028".encode(), "1:4: error: the invisible character U+2028 is not allowed here; "
         'remove it, or write "\\u2028" in double quotes'),
        ("a: \x85".encode(), "1:4: error: the invisible character U+0085 is not allowed here; "
         'remove it, or write "\\u0085" in double quotes'),
        ("a: \uffff".encode(), "1:4: error: the invisible character U+FFFF is not allowed here; remove it"),
        ("a: b\n\ufeffc: d".encode(), "2:1: error: the invisible character U+FEFF is not allowed here; "
         'remove it, or write "\\ufeff" in double quotes'),
        (b"a: \xed\xa0\x80", "1:4: error: the byte 0xed is not UTF-8; save the file as UTF-8"),
        (b"PK\x03\x04\x00\x00binary", "1:3: error: "
         "the invisible character U+0003 is not allowed here; remove it"),
        (b"a: " + b"1" * 5000, "1:4: error: a: YAML readers disagree on this plain value: "
         "the number does not fit into 64 bits; put it in quotes"),
        (b"[" * 100_000, '1:65: error: [0][0][0][0][0][0][0][0]: '
         'nested deeper than 64 levels; make it flatter'),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_encodings_and_characters(data: bytes, message: str) -> None:
    write("x.yaml", data)
    sources, problems = load(["x.yaml"], stdin=None)
    assert [told(p) for p in problems] == [message]
    assert all(s.data == {"a": "1" * 5000} for s in sources)


@pytest.mark.usefixtures("folder")
def test_line_ends_do_not_matter() -> None:
    text = "\ufeffa: |\n  x\n  y\nb: 'c\n\n  d'\n---\ne: 1"
    write("lf.yaml", text)
    write("crlf.yaml", text.replace("\n", "\r\n"))
    lf, crlf = load(["lf.yaml"], stdin=None), load(["crlf.yaml"], stdin=None)
    assert [(s.document, s.line, s.data, s.marks) for s in lf[0]] == [
        (s.document, s.line, s.data, s.marks) for s in crlf[0]
    ]
    assert lf[0][0].data == {"a": "x\ny\n", "b": "c\nd"}
    assert lf[1] == crlf[1] == []


@pytest.mark.usefixtures("folder")
def test_names_of_files_cannot_reach_a_terminal() -> None:
    write("d/\x1b[31m\n::error::.yaml", "a: [")
    write(os.fsdecode(b"d/\xff.yaml"), "a: b")
    sources, problems = load(["d", "\x1b]0;x\x07.yaml"], stdin=None)
    shown = [str(p.place) + p.path + p.message + p.hint for p in problems] + [s.file for s in sources]
    assert len(problems) == 2
    assert all(text.isprintable() for text in shown)
    assert sources[-1].file == "d/\\udcff.yaml"


def test_a_file_of_another_tool_in_a_folder_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tsconfig.json").write_text('{"name": "x", "scripts": {}}')
    (tmp_path / "mkdocs.yml").write_text("site_name: x\nstrict: yes\ntheme: {name: y}\n")
    (tmp_path / "deploy.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {x: no}\n")
    problems = read_inputs(["."])
    messages = {problem.place.file: problem.message for problem in plain(problems).problems}
    assert len(plain(problems).problems) == 3
    other = "not a spec (no apiVersion mcpctl.io/v1alpha1)"
    assert sorted(messages.values()) == [other, other, "not a spec: a Deployment of Kubernetes"]
    # By its own name it is what somebody wants to read.
    sources, faults = load(["mkdocs.yml"], stdin=None)
    assert {fault.rule for fault in faults} == {"yaml/ambiguous"}
    assert sources[0].is_foreign


@pytest.mark.parametrize("text", ["specs: [.]\n", "out: deploy\nprune: true\n", 'kubernetesVersion: "1.33"\n'])
@pytest.mark.usefixtures("folder")
def test_the_file_of_the_project_is_no_spec(text: str) -> None:
    write("mcpctl.yaml", text)
    write("a.yaml", "a: 1")
    sources, problems = load(["."], stdin=None)
    assert ([source.file for source in sources], problems) == (["./a.yaml"], [])
    write("mcpctl.yaml", "kind: MCPServer\nspecs: 1\n")  # by what it says, not by its name
    assert len(load(["."], stdin=None)[0]) == 2


@pytest.mark.parametrize("base", ["", "||||||| 1234567\nb: 0\n"])
@pytest.mark.usefixtures("folder")
def test_a_conflict_of_a_merge_is_one_problem(base: str) -> None:
    write("x.yaml", f"a: 1\n<<<<<<< HEAD\nb: 1\n{base}=======\nb: 2\n>>>>>>> other\n")
    sources, problems = load(["x.yaml"], stdin=None)
    assert (sources, [told(p) for p in problems]) == (
        [],
        ["2:1: error: the file has the conflict markers of a merge; resolve the conflict first"],
    )
    assert rules(problems) == [("x.yaml", "yaml/conflict-markers")]
    write("x.yaml", "a: |\n  <<<<<<< HEAD\n  =======\n  >>>>>>> other\n")  # in a text they are no markers
    assert load(["x.yaml"], stdin=None)[1] == []


@pytest.mark.usefixtures("folder")
def test_a_file_is_read_whole_in_however_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'a: "é"\nb: [1, 2]\n'
    write("a.yaml", text)
    monkeypatch.setattr("renderer.load._PIECE", 3)
    assert texts(["a.yaml"], stdin=None)[0].data == text.encode()


@pytest.mark.usefixtures("folder")
def test_a_file_that_grows_after_its_size_was_asked_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.yaml", "a: b\n" * 100)
    monkeypatch.setattr("renderer.load._PIECE", 3)
    status = os.fstat
    monkeypatch.setattr(os, "fstat", lambda handle: os.stat_result((*status(handle)[:6], 1, *status(handle)[7:])))
    limits = SPEC_LIMITS._replace(max_bytes=100)
    (text,) = texts(["a.yaml"], stdin=None, limits=limits)
    assert len(text.data) == 101  # more than the limit: the reader refuses it

"""Every block of the documents does what it shows: commands run, outputs are compared, YAML is taken.

Blocks of one document run in its order in one folder, made by ``workspace`` and changed by ``BEFORE`` as the text
around them says. What cannot run here stands in ``NOT_RUN`` with the reason.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click.termui
import pytest
import yaml

from renderer import assets
from renderer.cli import main
from renderer.errors import errors_in
from renderer.orchestrators import mcp_check
from renderer.orchestrators.contract import LogLine
from renderer.pipeline import read
from renderer.project import read_project
from renderer.settings import load_settings
from tests.cli.fake_runtime import SHAKE, FakeRuntime, instance, module
from tests.documents import DOCUMENTS, ROOT, Block, Call, Done, Shell, blocks, calls, differs
from tests.oracles import yaml_read

#: Findings of policy rules are what the documents show.
pytestmark = pytest.mark.levels
SPEC = """\
apiVersion: mcpctl.io/v1alpha1
kind: McpServer
metadata: {{name: {name}}}
spec:
  description: {about}
"""
GITHUB = (
    SPEC.format(name="github", about="GitHub's MCP server")
    + """\
  image: ghcr.io/github/github-mcp-server:v0.20.1
  command: [/server/github-mcp-server]
  args: [stdio]
  env:
    GITHUB_PERSONAL_ACCESS_TOKEN: {secret: github-token, key: token}
  network: {egress: {hosts: ["api.github.com:443"]}}
"""
)
TIME = (
    SPEC.format(name="time", about="Time and time zones")
    + """\
  package: {registry: pypi, name: mcp-server-time, version: 2026.10.19}
  args: [--local-timezone, UTC]
"""
)
PRODUCTION = """\
apiVersion: mcpctl.io/v1alpha1
kind: Environment
metadata: {name: production}
spec: {target: kubernetes, namespace: {name: mcp-production, create: true}}
"""
#: In a folder of its own per document: what the document presumes.
EMPTY = (
    "docs/adopt.md",
    "docs/import.md",
    "docs/import-clients.md",
    "docs/gitops.md",
    "docs/start/gitops.md",
    "docs/start/terminal.md",
    "docs/start/laptop.md",
    "docs/start/review.md",
)
CLONE = ("docs/install.md", "docs/environments.md")


def edit(file: str, old: str, new: str) -> Callable[[], None]:
    def change() -> None:
        text = Path(file).read_text()
        assert old in text, f"{file}: no {old}"
        Path(file).write_text(text.replace(old, new))

    return change


def completion_folders() -> None:
    for folder in (".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"):
        Path(os.environ["HOME"], folder).mkdir(parents=True)


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True, timeout=60)


def commit() -> None:
    """Everything, as the branch that the origin has too."""
    git("add", "-A")
    git("commit", "--quiet", "-m", "what is there")
    git("update-ref", "refs/remotes/origin/main", "HEAD")


def project() -> None:
    assert main(["init", "--project"]) == main(["render", "--quiet"]) == 0
    commit()


def rendered() -> None:
    assert main(["render", "specs", "--out", "deploy", "--quiet"]) == 0
    commit()


def environment() -> None:
    """In the project as ``init`` made it."""
    Path("environments").mkdir()
    Path("environments/production.yaml").write_text(PRODUCTION)
    edit("mcpctl.yaml", "# environments:", "environments:")()
    Path("deploy/kubernetes").rename(Path("..", "before"))


def two_environments() -> None:
    """Both change the spec, so its problems are looked for in each of them."""
    spec = SPEC.format(name="web", about="Pages") + "  image: registry.example.com/mcp/web:1.0\n"
    spec += "  autoscaling: {min: 5, max: 8}\n  transport: {type: streamable-http}\n  network: {egress: {}}\n"
    Path("web.yaml").write_text(spec)
    for name in ("prod", "staging"):
        text = PRODUCTION.replace("name: production", f"name: {name}").replace(
            "spec: {", "spec: {defaults: {size: large}, "
        )
        Path(f"{name}.yaml").write_text(text)


UTC_TO_CET = edit("specs/time.yaml", "UTC", "CET")
GITHUB_SPEC = "specs/github.yaml"
LATEST = edit(GITHUB_SPEC, ":v0.20.1", ":latest")
ACCEPTED = """\
  accept:
    - {rule: policy/image-tag, path: spec.image, reason: built and watched by our own pipeline, until: "2027-01-31"}
"""


def definition(number: int, file: str, document: str = "docs/import.md") -> Callable[[], None]:
    """The definition that the document shows at that place."""

    def write() -> None:
        texts = [block.text for block in blocks(ROOT / document) if block.language == "text"]
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(texts[number])

    return write


#: What the text around a command says that somebody did before it.
BEFORE: dict[tuple[str, str], Sequence[Callable[[], object]]] = {
    ("docs/apply.md", "mcpctl config"): [lambda: Path("mcpctl.yaml").write_text("orchestrator:\n  typ: docker\n")],
    ("docs/environments.md", "mcpctl validate web.yaml prod.yaml staging.yaml"): [two_environments],
    ("docs/commands.md", "mcpctl render specs --out deploy --check"): [rendered],
    ("docs/commands.md", "mcpctl validate specs"): [
        edit(GITHUB_SPEC, "  command:", "  trasport: {type: stdio}\n  command:"),
        edit(GITHUB_SPEC, "  args: [stdio]", "  replicas: two\n  args: [stdio]"),
    ],
    ("docs/diff.md", "mcpctl diff specs --out deploy"): [rendered, edit(GITHUB_SPEC, ":v0.20.1", ":v0.21.0")],
    ("docs/gitops.md", "mcpctl render specs environments --out deploy"): [environment],
    ("docs/gitops.md", "mcpctl render --check"): [UTC_TO_CET],
    ("docs/rules.md", "mcpctl validate specs"): [LATEST],
    ("docs/rules.md", "mcpctl validate --accepted --target kubernetes specs"): [
        lambda: Path(GITHUB_SPEC).write_text(Path(GITHUB_SPEC).read_text() + ACCEPTED),
        Path("specs/time.yaml").unlink,
    ],
    ("docs/adopt.md", "mcpctl import --quiet --offline running.yaml"): [
        definition(0, "running.yaml", "docs/adopt.md"),
    ],
    ("docs/import.md", "mcpctl import --quiet server.json"): [definition(0, "server.json")],
    ("docs/import.md", "mcpctl import --offline --all registry --out imported"): [
        definition(0, "registry/weather/server.json"),
        definition(1, "registry/notes/server.yaml"),
    ],
    ("docs/import-clients.md", "mcpctl import --quiet mcp.json"): [
        definition(0, "mcp.json", "docs/import-clients.md"),
    ],
    ("docs/start/gitops.md", "mcpctl render --check"): [UTC_TO_CET],
    ("docs/start/review.md", "mcpctl diff --base origin/main"): [project, UTC_TO_CET],
    ("docs/terminal.md", "mcpctl help"): [completion_folders],
    ("docs/templates.md", "mcpctl render specs/ --templates templates --out deploy --check"): [
        edit("templates/kubernetes/service.yaml.j2", "{{ entry }}", "{{ monitorin }}")
    ],
}
#: Line of a document, by a regular expression, and why it is not run. Its options are looked at in
#: test_documents_commands.
NOT_RUN: dict[str, dict[str, str]] = {
    "README.md": {".*": "both lines install from PyPI: .ci/run runs them in a clone"},
    "docs/access.md": {
        "curl .*": "asks an issuer and a server",
        "MCPCTL_ACCESS_TOKEN=.*": "'login' is what gives tokens",
    },
    "docs/adopt.md": {"mcpctl apply .*": "tests/integration/kubernetes/test_adopt.py does that in a cluster"},
    "docs/terminal.md": {".* --watch": "runs again and again until Ctrl-C"},
    "docs/updates.md": {
        "mcpctl pin (specs|--update).*": "asks registries; tests/cli/test_pin.py has it",
        "mcpctl render --locked.*": "refuses these specs, which nobody has pinned",
    },
    "docs/apply.md": {"mcpctl doctor.*": "looks at the programs of this machine, and at a cluster"},
    "CONTRIBUTING.md": {".*": "they install, run these tests, or write expected files; .ci/run has the first block"},
}


def workspace(document: str, folder: Path) -> Path:
    folder.mkdir()
    if document in CLONE:
        for name in ("docs/examples", "docs/environments", "output"):
            shutil.copytree(ROOT / name, folder / name)
        return folder
    git("init", "--quiet", "--initial-branch=main", str(folder))
    if document in EMPTY:
        return folder
    for name, text in {"github": GITHUB, "time": TIME}.items():
        for path in (folder / f"specs/{name}.yaml", folder / f"{name}.yaml"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    (folder / "environments").mkdir()
    (folder / "environments/production.yaml").write_text(PRODUCTION)
    return folder


@pytest.fixture
def shell(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Shell:
    """In the folder of the document, with servers that run on stand-ins for both runtimes."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("MCPCTL_", "GIT_")) or name == "KUBECONFIG"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[user]\n  name = a\n  email = a@example.com\n")
    names = () if request.param in EMPTY else ("github", "time")
    runs = {f"mcp-{name}": instance(name) for name in names}
    for runtime, target in {"docker": "compose", "kubernetes": "kubernetes"}.items():
        fake = FakeRuntime(runtime, target, instances=dict(runs), lines=[LogLine("mcp-time-1", "started")])
        monkeypatch.setitem(sys.modules, f"renderer.orchestrators.{runtime}", module(fake))
    monkeypatch.setattr("renderer.cli.runtime.on_terminal", lambda: True)
    monkeypatch.setattr(
        click.termui, "visible_prompt_func", lambda text: "delete data" if "delete data" in text else "y"
    )
    monkeypatch.setattr(mcp_check, "installed", lambda: "2.3.0")
    monkeypatch.setattr(mcp_check, "handshake", lambda *_: SHAKE)

    def run(words: Sequence[str]) -> Done:
        capfdbinary.readouterr()
        code = main(list(words))
        out, err = capfdbinary.readouterr()
        return Done(int(code), out.decode(), err.decode())

    return Shell(workspace(request.param, tmp_path / "here"), run, monkeypatch.setenv)


def fault(call: Call, done: Done) -> str:
    """What is wrong with what was printed; empty where the document shows it."""
    shown = call.shown or ()
    allowed = {3, 4} if any(": error: " in line for line in shown) else {0}
    if re.search(r"\bdiff |--check", call.line):
        allowed.add(1)
    if done.code not in allowed:
        return f"exit code {done.code}\n{done.errors}{done.output}"
    printed = (done.errors + done.output, done.output + done.errors, done.output)
    if call.shown is None or any(not differs(shown, text) for text in printed):
        return ""
    return f"not printed: {differs(shown, printed[0])}\n{printed[0]}"


def scripts(document: Path) -> list[Block]:
    return [block for block in blocks(document) if block.language in ("sh", "console")]


def reason(call: Call, document: str) -> str:
    return next((why for line, why in NOT_RUN.get(document, {}).items() if re.fullmatch(line, call.line)), "")


NAMES = {path.relative_to(ROOT).as_posix(): path for path in DOCUMENTS}
WITH_SCRIPTS = [name for name, path in NAMES.items() if scripts(path)]


@pytest.mark.parametrize(
    ("shell", "document"), [(name, name) for name in WITH_SCRIPTS], indirect=["shell"], ids=WITH_SCRIPTS
)
def test_commands_print_what_is_shown(shell: Shell, document: str) -> None:
    faults = []
    for block in scripts(NAMES[document]):
        for call in calls(block):
            for change in BEFORE.get((document, call.line), ()):
                change()
            if not reason(call, document) and (found := fault(call, shell.run(call.line))):
                faults.append(f"{block.place}: {call.line}: {found}")
    assert not faults, "\n\n".join(faults)


# ---------------------------------------------------------------------------------------------
# YAML.

#: What no schema of ours describes: a block by its beginning, and who takes it.
OF_OTHERS = {
    ("docs/gitops.md", "repos:"): "pre-commit",
    ("docs/gitops.md", "on: pull_request"): "GitHub Actions",
    ("docs/gitops.md", "mcpctl:"): "GitLab CI",
    ("docs/updates.md", "version: 2\nupdates:"): "Dependabot",
    (
        "docs/gitops.md",
        "apiVersion: mcpctl.io/v1alpha1\nkind: McpServer\nmetadata:\n  name: time\n  annotations",
    ): "kustomize",
}
HEAD = "apiVersion: mcpctl.io/v1alpha1\nkind: {kind}\nmetadata: {{name: demo}}\n"
#: What a spec must say, where a fragment says nothing of it.
RUNS = {"image": "registry.example.com/mcp/demo:1.0", "transport": {"type": "streamable-http"}}
YAML = [
    block
    for document in DOCUMENTS
    for block in blocks(document)
    if block.language == "yaml" and block.document != "docs/KUBERNETES_DEPLOYMENT.md"  # test_documents_yaml
]
FIELDS = {kind: assets.schema(kind)["$defs"]["spec"]["properties"] for kind in ("mcpserver", "environment")}


def whole(block: Block) -> tuple[str, str]:
    """The document that a block is a part of, as a name of a file and its text."""
    data = yaml_read(block.text)
    spec = data.get("spec", data)
    if data.get("kind") == "Environment" or spec.keys() <= FIELDS["environment"].keys():
        return "environment.yaml", HEAD.format(kind="Environment") + yaml.safe_dump({"spec": spec})
    if spec.keys() <= FIELDS["mcpserver"].keys():
        missing = {} if {"image", "package", "remote"} & spec.keys() else RUNS
        return "demo.yaml", HEAD.format(kind="McpServer") + yaml.safe_dump({"spec": {**missing, **spec}})
    return "mcpctl.yaml", block.text


def other(block: Block) -> bool:
    return any(block.document == name and block.text.startswith(start) for name, start in OF_OTHERS)


def test_every_block_says_what_it_is() -> None:
    """``text`` is for what is no command, and is not compared."""
    known = {"console", "sh", "yaml", "text", "python", "dockerfile", "jinja", "json"}
    assert [b.place for document in DOCUMENTS for b in blocks(document) if b.language not in known] == []


def test_places_in_files_stand_where_they_are_compared() -> None:
    """A line and column that nobody compares is wrong after the next change of its file."""
    quoted = re.compile(r"\w\.(?:yaml|yml|j2|py|json|md):\d+")
    for path in DOCUMENTS:
        compared = re.sub(r"^ *```console\n.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
        assert quoted.findall(compared) == [], path


def test_every_exception_is_needed() -> None:
    shown = {(block.document, call.line) for path in DOCUMENTS for block in scripts(path) for call in calls(block)}
    assert set(BEFORE) <= shown
    for document, lines in NOT_RUN.items():
        for line in lines:
            assert any(name == document and re.fullmatch(line, typed) for name, typed in shown), line
    assert all(any(b.document == name and b.text.startswith(start) for b in YAML) for name, start in OF_OTHERS)


@pytest.mark.parametrize(
    ("shown", "printed", "missing"),
    [
        (["a", "b"], "a\nb\n", ""),
        (["a", "…", "d"], "a\nb\nc\nd\n", ""),
        (["a…z"], "abcz\n", ""),
        (["…"], "a\nb\n", ""),
        (["a", "…"], "a\n", ""),
        (["a"], "a\nb\n", "the end; it goes on with: b"),
        (["a", "c"], "a\nb\nc\n", "c"),
        (["a", "…", "e"], "a\nb\n", "e"),
        (["file:32:7"], "file:41:7\n", "file:32:7"),
    ],
)
def test_what_is_not_printed_is_found(shown: list[str], printed: str, missing: str) -> None:
    assert differs(shown, printed) == missing


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mcpctl validate specs", ""),
        ("mcpctl validate nothing", "exit code 3"),
        ("mcpctl render specs --quiet | grep -q '^kind: Deployment$'", ""),
        ("mcpctl render specs --quiet | grep -q '^kind: Nothing$'", "exit code 1"),
        ("kubectl apply -f deploy/nothing.yaml", "exit code 1\nkubectl: no deploy/nothing.yaml"),
        ("mcpctl render specs --quiet | kubectl apply -f -", ""),
        ("docker compose up -d", "exit code 1\ndocker: no compose.yaml"),
    ],
)
@pytest.mark.parametrize("shell", ["docs/commands.md"], indirect=True)
def test_a_line_that_fails_is_found(shell: Shell, line: str, expected: str) -> None:
    found = fault(Call(line, None), shell.run(line))
    assert found.startswith(expected) if expected else found == ""


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.place)
def test_yaml_is_taken(block: Block, tmp_path: Path) -> None:
    assert yaml_read(block.text)
    if other(block):
        return
    name, text = whole(block)
    (tmp_path / name).write_text(text)
    if name == "mcpctl.yaml":
        assert load_settings(folder=tmp_path, environ={}).config
        assert read_project(str(tmp_path / name)).file
        return
    problems = errors_in(read([str(tmp_path / name)]).problems)
    assert [str(problem) for problem in problems if problem.rule.startswith(("schema/", "yaml/"))] == []

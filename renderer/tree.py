"""A tree on disk, read back to be applied: as its record says, and checked once more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from renderer.assets import kubernetes_versions
from renderer.errors import OutputTreeFault, Place, Problem, Severity
from renderer.model import NamespaceRules, Options, PodSecurityLevel, Rendered
from renderer.policy import Levels, judge_documents, policy_of
from renderer.registry import TARGETS
from renderer.target import Target
from renderer.write import RECORD, recorded
from renderer.yaml_reader import OUTPUT_LIMITS, read

#: Stands for the template of what was read from a tree.
TEMPLATE = "tree"
#: What the spec accepted of policy, as ``labels.accepted`` writes it.
_ACCEPTED = re.compile(r'^ +mcpctl\.io/accepted: "(.*)"$', re.MULTILINE)
_RULE = re.compile(r"(?:^|; )([a-z-]+/[a-z0-9-]+)(?: \((?:[^()]*, digest ([0-9a-f]+)|[^()]*)\))?: ")
_NAME = re.compile(r'^  name: "?([a-z0-9-]+)"?$', re.MULTILINE)
_NAMESPACE = re.compile(r'^  namespace: "?([a-z0-9-]+)"?$', re.MULTILINE)
_SANDBOXED = re.compile(r'^    app\.kubernetes\.io/component: "?sandbox"?$', re.MULTILINE)
_POD_SECURITY = re.compile(r'^    pod-security\.kubernetes\.io/([a-z-]+): "?([a-z0-9.]+)"?$', re.MULTILINE)


class Kept(NamedTuple):
    """The files of one target below ``folder``, path to text, as their record says.

    ``options`` are those of the rendering; ``record`` is the file that names them where the tree is an environment's,
    else empty: only an environment says where it belongs.
    """

    folder: Path
    target: str
    texts: Mapping[str, str]
    options: Options
    record: str


class Tree(NamedTuple):
    """``servers`` by their folders; ``env_files`` of those that have values of secrets beside them."""

    documents: tuple[Rendered, ...]
    servers: tuple[str, ...]
    env_files: Mapping[str, str]
    problems: tuple[Problem, ...]


def kept(folder: Path, wanted: str, options: Options) -> Kept:
    """The tree of an environment, whichever target it has, or the part of ``wanted`` of a tree without environments.

    ``options`` hold where the files say nothing. OutputTreeFault where a file is not as it was rendered.
    """
    if folder.name in TARGETS and (folder / RECORD).exists():
        raise OutputTreeFault(f"{folder} is the folder of one target: name the folder above it")
    if not (folder / RECORD).exists():
        there = [name for name in sorted(TARGETS) if (folder / name / RECORD).exists()]
        if there and wanted not in there:
            runtime = {"compose": "docker"}.get(there[0], there[0])
            raise OutputTreeFault(f"{folder} holds a tree of {there[0]}: add --orchestrator {runtime}")
        texts = recorded(folder / wanted)
        return Kept(folder / wanted, wanted, texts, _options(texts, options), "")
    records = recorded(folder, depth=1)
    targets = sorted({path.partition("/")[0] for path in records} & {*TARGETS})
    if len(targets) != 1:
        raise OutputTreeFault(f"{folder} has files of {len(targets)} targets; apply them one at a time")
    prefix = f"{targets[0]}/"
    # What delivers the objects stands beside them: it is for another program to apply.
    texts = {path.removeprefix(prefix): text for path, text in records.items() if path.startswith(prefix)}
    return Kept(folder / targets[0], targets[0], texts, _options(texts, options), str(folder / RECORD))


def _options(texts: Mapping[str, str], otherwise: Options) -> Options:
    """As the Namespace has them, where one is rendered; else the namespace of most objects."""
    namespace = next(iter(namespaces_in(texts)), otherwise.namespace)
    text = texts.get("namespace.yaml")
    if text is None:
        return otherwise._replace(namespace=namespace, create_namespace=False)
    name, levels = _NAME.search(text), dict(_POD_SECURITY.findall(text))
    version, level = levels.get("enforce-version", "").removeprefix("v"), levels.get("enforce")
    rules = NamespaceRules(enforce=level) if level in get_args(PodSecurityLevel) else otherwise.namespace_rules  # type: ignore[arg-type]
    return otherwise._replace(
        namespace=name[1] if name else namespace,
        kubernetes_version=version if version in kubernetes_versions() else otherwise.kubernetes_version,
        namespace_rules=rules,
        create_namespace=True,
    )


def namespaces_in(texts: Mapping[str, str]) -> list[str]:
    """Those of the servers, sandboxes left out; the one with most objects first."""
    objects = [text for path, text in texts.items() if path.endswith(".yaml") and not _SANDBOXED.search(text)]
    counted = Counter(match[1] for text in objects if (match := _NAMESPACE.search(text)))
    return sorted(counted, key=lambda name: (-counted[name], name))


def read_tree(kept: Kept, target: Target, levels: Levels) -> Tree:
    """The documents, checked again. OutputTreeFault is raised by ``kept``.

    Faults of what the documents say are Problems; what the spec accepted of policy stands in them.
    """
    below, files = kept.folder, kept.texts
    paths, others = target.from_tree(list(files))
    problems = [problem for path in paths for problem in _unreadable(below / path, files[path])]
    # The place of a fault is the file itself: no template and no spec is at hand.
    documents = [
        Rendered(path, files[path], TEMPLATE, {}, "the tree", (path,), (((), Place(str(below / path))),))
        for path in paths
    ]
    if not problems:
        judged = judge_documents(target.check(documents, kept.options), (), target.name, levels)
        problems += _with_accepted(judged, below, {path: files[path] for path in paths})
    documents += [Rendered(path, files[path], "", {}, "the tree") for path in others]
    servers = dict.fromkeys(path.partition("/")[0] for path in paths if "/" in path)
    env_files = {name: str(file) for name in servers if (file := below / name / ".env").is_file()}
    return Tree(tuple(documents), tuple(servers), env_files, tuple(sorted(problems, key=Problem.sort_key)))


def _unreadable(path: Path, text: str) -> Sequence[Problem]:
    """By our own reader, as strictly as a spec: no two readers may see different things in it."""
    documents, findings = read(text.encode(), strict=True, limits=OUTPUT_LIMITS, marks=False)
    problems = [
        Problem(Place(str(path), line, column), "", fault.rule, fault.message, fault.hint)
        for line, column, fault in findings
    ]
    if not problems and (len(documents) != 1 or not isinstance(documents[0].data, dict)):
        message = "each file of a tree must have one document, a mapping"
        problems.append(Problem(Place(str(path), 1, 1), "", "output/documents", message))
    return problems


def _with_accepted(problems: Sequence[Problem], below: Path, files: Mapping[str, str]) -> Iterator[Problem]:
    """The Problems, those accepted that the spec accepts: one document of a server says it for all of them.

    The places that the spec accepted it at were looked at when the tree was rendered: they are places of the spec.
    """
    accepted: dict[tuple[Path, str], set[str]] = {}
    for path, text in files.items():
        for rule, digest in (match for line in _ACCEPTED.findall(text) for match in _RULE.findall(line)):
            accepted.setdefault(((below / path).parent, rule), set()).add(digest)
    for problem in problems:
        rule = policy_of(problem.rule)
        digests = accepted.get((Path(problem.place.file).parent, rule or problem.rule), ())
        lifted = any(problem.digest.startswith(each[:12]) and bool(each) == bool(problem.digest) for each in digests)
        acceptable = rule or problem.severity is Severity.WARNING
        yield problem._replace(severity=Severity.ACCEPTED) if lifted and acceptable else problem

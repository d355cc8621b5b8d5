"""Policy: findings, each an error, a warning, off, or accepted with a reason.

``spec`` finds in specs and ``documents`` in rendered documents; this module decides the severity of each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from renderer.errors import Fault, Place, Problem, Severity, UsageMistake, excerpt
from renderer.model import Acceptance, Server, Source
from renderer.policy.catalogue import LEVELS, RULES, Level
from renderer.policy.literals import secrets_of
from renderer.policy.spec import CHECKS, REMOTE_CHECKS, VALUE_CHECKS
from renderer.wording import did_you_mean

#: Levels from ``--policy`` by rule.
Levels = Mapping[str, Level]
_PREFIX, _SECRET = "policy/", "policy/secret-literal"
#: Fields of an environment that are merged into specs and judged there.
_MERGED = (("spec", "defaults"), ("spec", "patches"))
#: Paths of findings about missing CPU limits.
_CPU_LIMITS = (".resources.limits.cpu", ".resources.limits.cpus")
#: Prefixes of 'restricted' checks, which are accepted as one rule.
_RESTRICTED = ("pod-security/", "compose/not-restricted")


def parse_levels(settings: Iterable[str]) -> dict[str, Level]:
    """Parses ``RULE=LEVEL``; the prefix ``policy/`` may be missing. UsageMistake with a suggestion."""
    levels: dict[str, Level] = {}
    for setting in settings:
        name, _, level = setting.partition("=")
        rule = name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"
        if rule not in RULES:
            raise UsageMistake(f"no policy rule is called '{excerpt(name)}'{_suggestion(rule)}")
        if level not in LEVELS:
            raise UsageMistake(f"--policy {name}: write {name}=error, {name}=warning or {name}=off")
        if RULES[rule].waived_only and level != "error":
            raise UsageMistake(f"--policy {name}: only a spec lifts it, with its reason (spec.accept)")
        levels[rule] = next(known for known in LEVELS if known == level)
    return levels


def _suggestion(rule: str) -> str:
    near = did_you_mean(rule, sorted(RULES))
    return f"; did you mean '{near}'?" if near else f"; there is: {', '.join(RULES)}"


def leaks(sources: Iterable[Source]) -> Iterator[Problem]:
    """Tokens in documents as loaded: errors that nothing accepts.

    In environments all credentials, as these cannot accept any; what they merge into specs is judged there.
    """
    for source in sources:
        faults = secrets_of(source)
        yield from (source.problem(fault) for fault in faults if fault.rule == _SECRET and not fault.digest)
        if source.data.get("kind") == "Environment":
            for fault in faults:
                if fault.rule == _SECRET and fault.digest and fault.path[:2] not in _MERGED:
                    hint = "remove it: credentials for registries and repositories belong into Secrets of the cluster"
                    yield source.problem(fault._replace(hint=hint, digest=""))


def findings(server: Server) -> list[Fault]:
    """All findings in a spec, before levels and acceptances."""
    if server.doubts("accepted"):  # nobody knows what is accepted
        return []
    checks = REMOTE_CHECKS if server.remote else CHECKS
    faults = [*server.faults_of_values(VALUE_CHECKS), *server.faults(checks)]
    for i, accepted in enumerate(server.accepted):
        if accepted.rule.startswith(_PREFIX) and accepted.rule not in RULES:
            message = f"no policy rule is called '{accepted.rule}'{_suggestion(accepted.rule)}"
            faults.append(Fault(("spec", "accept", i, "rule"), "spec/unknown-rule", message))
    return faults


def judge_specs(
    problems: Iterable[Problem],
    servers: Sequence[Server],
    findings: Sequence[Iterable[Fault]],
    levels: Levels,
    *,
    own_templates: bool = False,
) -> list[Problem]:
    """The Problems and findings with their severity, and acceptances that match nothing.

    ``own_templates``: users' templates may bring what is accepted.
    """
    # Filtered first: finding a place means reading the spec again.
    on = [
        server.problem(fault)
        for server, faults in zip(servers, findings, strict=True)
        for fault in faults
        if _on(_judged_by(fault), levels)
    ]
    return _judged([*problems, *on], servers, None if own_templates else "", levels, admission=False)


def judge_documents(
    problems: Sequence[Problem], servers: Sequence[Server], target: str, levels: Levels, *, admission: bool = False
) -> list[Problem]:
    """The Problems of one target with their severity.

    ``admission``: the rendered Namespace enforces 'restricted'.
    """
    owners = {server.name: server for server in servers}
    in_specs: dict[str, set[str]] = {}  # digests of the literals there, by server
    for server in servers if any(problem.digest for problem in problems) else ():
        in_specs[server.name] = {fault.digest for fault in secrets_of(server.source) if fault.digest}
    kept: list[Problem] = []
    judged: set[tuple[Place, str]] = set()
    # Policy rules first, so that the checks of 'restricted' do not repeat them.
    for problem in sorted(problems, key=lambda problem: not problem.rule.startswith(_PREFIX)):
        rule = policy_of(problem.rule)
        if problem.digest in in_specs.get(problem.owner, ()) or _repeats(problem, owners.get(problem.owner)):
            continue  # it was judged where it is written
        if rule and problem.path.endswith(_CPU_LIMITS) and _without_cpu_limit(owners.get(problem.owner)):
            continue
        if rule and rule == problem.rule and _on(rule, levels):
            lifted = _level(rule, levels) != "error" and not _acceptances(problem, owners.get(problem.owner))
            judged |= set() if lifted else {(problem.place, problem.path)}
        if rule in ("", problem.rule) or (problem.place, problem.path) not in judged:
            kept.append(problem)
    return _judged(kept, servers, target, levels, admission=admission)


def _judged(
    problems: Sequence[Problem], servers: Sequence[Server], target: str | None, levels: Levels, *, admission: bool
) -> list[Problem]:
    """``target``: empty for specs; None if unused acceptances are unknown."""
    owners = {server.name: server for server in servers if not server.doubts("accepted")}
    on = [problem for problem in problems if _on(_judged_by(problem), levels)]
    places: dict[tuple[str, str], set[str]] = {}
    for problem in on:
        places.setdefault((problem.owner, _accepted_as(problem)), set()).add(problem.subject or problem.path)
    used: set[tuple[str, int]] = set()
    judged = []
    for problem in on:
        rule = _accepted_as(problem)
        level = _level(rule, levels) if rule in RULES else ""
        decided = problem._replace(severity=Severity(level)) if level else problem
        named = _acceptances(problem, owners.get(problem.owner))
        fitting = next((i for i, a in named if _holds(a, problem, places[problem.owner, rule])), None)
        if fitting is not None:
            used.add((problem.owner, fitting))
            owner = owners[problem.owner]
            decided = _accepted(decided, owner.accepted[fitting], admission=admission and not owner.namespace)
        elif unfit := next(filter(None, (_unfit(i, each, problem) for i, each in named)), ""):
            decided = decided._replace(hint=f"{decided.hint}; {unfit}")
        judged.append(decided)
    for server in owners.values():
        if server.complete and target is not None:
            unused = [i for i, _ in enumerate(server.accepted) if (server.name, i) not in used]
            judged += _needless(server, unused, target, levels, places)
    return judged


def _accepted_as(problem: Problem) -> str:
    """The rule under which it can be accepted, or empty."""
    return _judged_by(problem) or (problem.rule if problem.severity is Severity.WARNING else "")


def _judged_by(problem: Problem | Fault) -> str:
    """The policy rule whose level applies, or empty; tokens (without digest) have none."""
    return "" if problem.rule == _SECRET and not problem.digest else policy_of(problem.rule)


def _acceptances(problem: Problem, server: Server | None) -> list[tuple[int, Acceptance]]:
    """Acceptances of the rule, for any path."""
    rule = _accepted_as(problem)
    return [(i, each) for i, each in enumerate(server.accepted if server and rule else ()) if each.rule == rule]


def _holds(accepted: Acceptance, problem: Problem, places: Collection[str]) -> bool:
    """An acceptance without a path covers the only finding; one of a literal needs its digest."""
    if problem.digest:
        same = bool(accepted.digest) and same_digest(problem.digest, accepted.digest or "")
        return same and accepted.path in (problem.path, problem.subject)
    return accepted.path in (problem.path, problem.subject) if accepted.path else len(places) == 1


def same_digest(digest: str, begin: str) -> bool:
    return digest.startswith(begin) or begin.startswith(digest)


def _unfit(index: int, accepted: Acceptance, problem: Problem) -> str:
    """Why an acceptance of the rule does not apply; empty if it is for another path."""
    path = problem.subject or problem.path
    if not accepted.path:
        more = " and the digest of the literal" if problem.digest else ""
        return f"spec.accept[{index}] names no place: add path: {path}{more}"
    another = f"spec.accept[{index}] accepts another value" if accepted.digest else "add the digest of the literal"
    return another if accepted.path in (problem.path, problem.subject) else ""


def _repeats(problem: Problem, server: Server | None) -> bool:
    """Whether a finding in a user's template repeats one in the spec."""
    if not server or not problem.in_output or policy_of(problem.rule) != problem.rule or RULES[problem.rule].targets:
        return False
    return problem.rule in {fault.rule for fault in (*server.faults_of_values(VALUE_CHECKS), *server.faults(CHECKS))}


def _without_cpu_limit(server: Server | None) -> bool:
    """Whether the spec removes it (``limits.cpu: null``); every size has one."""
    if server is None:
        return False
    containers = (*server.sidecars, *server.init_containers)
    resources = (server.resources, *(container.resources for container in containers))
    return any(limits.cpu is None for _, limits in resources)


def policy_of(rule: str) -> str:
    """The policy rule that covers a rule, or empty."""
    if rule in RULES:
        return rule
    return "policy/pod-security" if rule.startswith(_RESTRICTED) else ""


def _level(rule: str, levels: Levels) -> Level:
    return levels.get(rule) or RULES[rule].level


def _on(rule: str, levels: Levels) -> bool:
    return rule not in RULES or _level(rule, levels) != "off"


def _accepted(problem: Problem, accepted: Acceptance, *, admission: bool) -> Problem:
    """An error if the cluster would refuse it although it is accepted."""
    rule = policy_of(problem.rule)
    if admission and rule and RULES[rule].admission:
        hint = (
            "it is accepted, but the Namespace that is rendered enforces 'restricted', and the cluster would refuse "
            "the pod: add --no-create-namespace, and keep a namespace that allows it"
        )
        return problem._replace(hint=hint, severity=Severity.ERROR)
    hint = f"the reason given: {accepted.explanation}"
    return problem._replace(hint=hint, severity=Severity.ACCEPTED, in_output=False)


def _needless(
    server: Server,
    unused: Sequence[int],
    target: str,
    levels: Levels,
    places: Mapping[tuple[str, str], Collection[str]],
) -> Iterator[Problem]:
    """Acceptances that match nothing: they would hide a later finding."""
    for i in unused:
        rule, path = server.accepted[i].rule, server.accepted[i].path
        known = rule in RULES or not rule.startswith(_PREFIX)
        if not known or not _on(rule, levels) or not _judged_here(server, rule, target):
            continue
        elsewhere = places.get((server.name, rule))
        where = f" at {path}" if path and elsewhere else ""
        silent = f"does not fire{where and ' there'}{f' for {target}' if target else ''}"
        message = f"{rule} is accepted{where}, but {silent}"
        if elsewhere and (not path or path in elsewhere):
            continue  # the finding says so
        hint = f"it fires at {', '.join(sorted(elsewhere))}" if elsewhere else "remove it"
        hint += "" if elsewhere else ": it would hide a later finding"
        place = ("spec", "accept", i, "rule")
        yield server.problem(Fault(place, "policy/accepts-nothing", message, hint, Severity.WARNING))


def _judged_here(server: Server, rule: str, target: str) -> bool:
    """Whether the rule can match in the spec (no target), or in this target's output."""
    begin = {"api": "kubernetes"}.get(begin := rule.partition("/")[0], begin)
    targets = RULES[rule].targets if rule in RULES else (begin,) if begin in ("kubernetes", "compose") else ()
    if not target:
        return bool(server.remote) or (not targets and not server.patches)
    # Patches for another target only affect that one.
    elsewhere = any(patch.target != target for patch in server.patches)
    return target in targets and not elsewhere

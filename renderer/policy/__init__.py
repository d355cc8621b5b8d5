"""Policy: what a team would rather not run. Each finding is an error, a warning, off, or accepted with a reason.

``spec`` finds in specs, ``documents`` in what was rendered, with the rule's id and nothing decided; here
it is decided how much a finding weighs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from renderer.errors import Fault, Place, Problem, Severity, UsageMistake, excerpt
from renderer.model import Acceptance, Server, Source
from renderer.policy.catalogue import LEVELS, RULES, Level
from renderer.policy.literals import literal_faults, token_faults
from renderer.policy.spec import CHECKS, VALUE_CHECKS
from renderer.wording import did_you_mean

#: What a run was told by ``--policy``: rule to level.
Levels = Mapping[str, Level]
_PREFIX = "policy/"
#: What an environment puts into specs, and is judged there.
_MERGED = (("spec", "defaults"), ("spec", "patches"))
#: Where a rendered container has no CPU limit: the path of the finding.
_CPU_LIMITS = (".resources.limits.cpu", ".resources.limits.cpus")
#: Checks of 'restricted', which keep ids of their own and are accepted together.
_RESTRICTED = ("pod-security/", "compose/not-restricted")


def parse_levels(settings: Iterable[str]) -> dict[str, Level]:
    """Of ``RULE=LEVEL``, the rule with or without ``policy/``; UsageMistake with a suggestion."""
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
    """Tokens anywhere in documents as they were loaded: errors in every run, which nothing accepts.

    Of an environment credentials of every kind: it has none to accept them. What it merges into specs is theirs.
    """
    for source in sources:
        yield from map(source.problem, token_faults(source.data))
        if source.data.get("kind") == "Environment":
            for fault in literal_faults(source.data):
                if fault.rule == "policy/secret-literal" and fault.path[:2] not in _MERGED:
                    yield source.problem(fault)


def judge_specs(servers: Sequence[Server], levels: Levels, *, own_templates: bool = False) -> list[Problem]:
    """What the specs themselves say, decided; and what they accept that is not there.

    ``own_templates``: what is accepted may be what a template of the user brings.
    """
    problems: list[Problem] = []
    for server in servers:
        if server.doubts("accepted"):  # nobody knows what is accepted
            continue
        findings = (*server.findings_of_values(VALUE_CHECKS), *server.findings(CHECKS))
        found = [problem for problem in findings if _on(problem.rule, levels)]
        problems += [_weighed(problem, server, levels) for problem in found]
        if own_templates or not server.complete:
            continue
        fired = {problem.rule for problem in found}
        problems += _needless(server, fired, "", levels)
    return problems


def judge_documents(
    problems: Sequence[Problem], servers: Sequence[Server], target: str, levels: Levels, *, admission: bool = False
) -> list[Problem]:
    """The Problems of a run for one target, with the findings among them decided.

    ``admission``: what is rendered has the cluster refuse pods below 'restricted'.
    """
    owners = {server.name: server for server in servers}
    fired: dict[str, set[str]] = {}
    judged: list[Problem] = []
    told: set[tuple[Place, str]] = set()
    in_specs = _digests(servers) if any(problem.digest for problem in problems) else {}
    # The policy's own first: what they tell, the checks of 'restricted' need not tell again.
    for problem in sorted(problems, key=lambda problem: not problem.rule.startswith(_PREFIX)):
        rule = policy_of(problem.rule)
        if not rule:
            judged.append(problem)
        elif problem.digest in in_specs.get(problem.owner, ()) or _repeats(problem, owners.get(problem.owner)):
            continue  # it was judged where it is written
        elif problem.path.endswith(_CPU_LIMITS) and _without_cpu_limit(owners.get(problem.owner)):
            continue
        elif _on(rule, levels) and (rule == problem.rule or (problem.place, problem.path) not in told):
            fired.setdefault(problem.owner, set()).add(rule)
            weighed = _weighed(
                problem, owners.get(problem.owner), levels, admission=admission and RULES[rule].admission
            )
            judged.append(weighed)
            if weighed.severity is Severity.ERROR or weighed.message != problem.message:
                told.add((problem.place, problem.path))
    for server in servers:
        judged += _needless(server, fired.get(server.name, set()), target, levels)
    return judged


def _digests(servers: Sequence[Server]) -> dict[str, set[str]]:
    """Of the literals that were found in the specs, by server."""
    return {server.name: {fault.digest for fault in literal_faults(server.source.data)} for server in servers}


def _repeats(problem: Problem, server: Server | None) -> bool:
    """Whether a template of the user, which is judged as a whole, only has what the spec says."""
    if not server or not problem.in_output or policy_of(problem.rule) != problem.rule or RULES[problem.rule].targets:
        return False
    findings = (*server.findings_of_values(VALUE_CHECKS), *server.findings(CHECKS))
    return problem.rule in {found.rule for found in findings}


def _without_cpu_limit(server: Server | None) -> bool:
    """Whether the spec says so itself (``limits.cpu: null``): every size has one."""
    if server is None:
        return False
    containers = (*server.sidecars, *server.init_containers)
    resources = (server.resources, *(container.resources for container in containers))
    return any(limits.cpu is None for _, limits in resources)


def policy_of(rule: str) -> str:
    """The rule of policy under which a Problem is accepted; empty where it cannot be."""
    if rule.startswith(_PREFIX):
        return rule
    return "policy/pod-security" if rule.startswith(_RESTRICTED) else ""


def _level(rule: str, levels: Levels) -> Level:
    return levels.get(rule) or RULES[rule].level


def _on(rule: str, levels: Levels) -> bool:
    return _level(rule, levels) != "off"


def _weighed(problem: Problem, server: Server | None, levels: Levels, *, admission: bool = False) -> Problem:
    """The finding at its level; as a warning with name, reason and date where the spec accepts it."""
    rule = policy_of(problem.rule)
    accepted = server and next((a for a in server.accepted if a.rule == rule), None)
    if not accepted:
        return problem._replace(severity=Severity(_level(rule, levels)))
    if admission:
        hint = (
            "it is accepted, but the Namespace that is rendered enforces 'restricted', and the cluster would refuse "
            "the pod: add --no-create-namespace, and keep a namespace that allows it"
        )
        return problem._replace(hint=hint, severity=Severity.ERROR)
    return problem._replace(
        message=f"accepted: {problem.message}",
        hint=f"the reason given: {accepted.explanation}",
        severity=Severity.WARNING,
        in_output=False,
    )


def _needless(server: Server, fired: set[str], target: str, levels: Levels) -> list[Problem]:
    """Acceptances of what is not there: they would hide the day on which it comes."""
    return [
        server.problem(
            Fault(
                ("spec", "accept", i, "rule"),
                "policy/accepts-nothing",
                f"{accepted.rule} is accepted, but does not fire{f' for {target}' if target else ''}",
                "remove it: it would hide the day on which it does",
                Severity.WARNING,
            )
        )
        for i, accepted in enumerate(server.accepted)
        if accepted.rule not in fired and _on(accepted.rule, levels) and _judged_here(server, accepted, target)
    ]


def _judged_here(server: Server, accepted: Acceptance, target: str) -> bool:
    """Whether the rule must fire in the spec (no target), or in what this target renders."""
    targets = RULES[accepted.rule].targets
    if not target:
        return not targets and not server.patches
    # What a patch of the other target does shows only there.
    elsewhere = any(patch.target != target for patch in server.patches)
    return target in targets and not elsewhere

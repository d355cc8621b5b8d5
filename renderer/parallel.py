"""Building and checking on every core, for runs that are large enough to pay for a fork.

The result is the same as on one core, to the byte and to the Problem: what only shows between the
parts (two objects of one identity) sends the whole run back to one core, which tells it exactly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from renderer.errors import Problem
from renderer.model import Options, Rendered, Server
from renderer.render import has_user_templates
from renderer.target import Target

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

Groups = Sequence[Sequence[Server]]
Result = tuple[list[Rendered], list[Problem]]

#: Below that a fork costs more than it saves (measured: about 20 ms against 3 ms a server).
FEWEST_GROUPS = 64
#: More processes than this wait for memory, not for cores.
MOST_PROCESSES = 8


def build_and_check(target: Target, groups: Groups, options: Options) -> Result:
    """Documents in the order of the groups, shared ones first, and all Problems with them."""
    parts = _parts(groups)
    if len(parts) > 1:
        result = _on_all_cores(target, parts, options)
        if result is not None:
            return result
    return _on_one_core(target, groups, options, shared=True)


def _on_one_core(target: Target, groups: Groups, options: Options, *, shared: bool) -> Result:
    documents = target.shared(options) if shared else []
    problems: list[Problem] = []
    for group in groups:
        built, faults = target.build(group, options)
        documents += built
        problems += faults
    # Checked all the same when something could not be built: every fault is told at once.
    return documents, problems + target.check(documents, options)


def _parts(groups: Groups) -> list[Groups]:
    """The groups in as many runs of neighbours as there are cores; one where that would not pay."""
    # A patch, or a user's template, may change what an object is called or selects; one process sees all of them.
    patched = has_user_templates() or any(server.patches for group in groups for server in group)
    if len(groups) < FEWEST_GROUPS or patched or sys.platform != "linux":
        return [groups]
    count = min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    bounds = [len(groups) * i // count for i in range(count + 1)]
    return [groups[start:end] for start, end in pairwise(bounds)]


def _on_all_cores(target: Target, parts: Sequence[Groups], options: Options) -> Result | None:
    """The parts' results joined; None where one core must tell: a child failed, or two parts clash."""
    from multiprocessing import get_context  # 10 ms, which one server need not pay

    fork = get_context("fork")  # the children inherit the servers: nothing is sent to them
    children: list[tuple[ForkProcess, Connection]] = []
    try:
        for part in parts[1:]:
            receiver, sender = fork.Pipe(duplex=False)
            inherited = [receiver, *(earlier for _, earlier in children)]
            child = fork.Process(target=_send, args=(sender, inherited, target, part, options), daemon=True)
            child.start()
            sender.close()
            children.append((child, receiver))
        results = [_without_contexts(*_on_one_core(target, parts[0], options, shared=True))]
        results += [receiver.recv() for _, receiver in children]
    except EOFError:  # what happened there happens here again, where it can be told
        return None
    finally:
        for child, receiver in children:
            receiver.close()
            child.terminate()
            child.join()
    documents = [document for result in results for document in result[0]]
    problems = [problem for result in results for problem in result[1]]
    identities = [document.identity for document in documents if document.identity]
    return (documents, problems) if len(set(identities)) == len(identities) else None


def _without_contexts(documents: Sequence[Rendered], problems: list[Problem]) -> Result:
    """They are for finding the line of a fault, which is done, and larger than the texts."""
    return [document._replace(context={}) for document in documents], problems


def _send(sender: Connection, inherited: list[Connection], target: Target, part: Groups, options: Options) -> None:
    # With the reading ends open here too, a parent that dies would leave this process waiting for ever.
    for receiver in inherited:
        receiver.close()
    try:
        sender.send(_without_contexts(*_on_one_core(target, part, options, shared=False)))
    except BaseException:
        os._exit(1)
    os._exit(0)

"""Work on many items, on every core: each process takes the next few items until there are none left.

The processes are forks, so nothing is sent to them. What they make comes back in files in memory, and is put into the
order of the items. So the result is that of one core, whichever process did what.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import Any, BinaryIO, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Below that a fork costs more than it saves (measured: 5 ms, and 0.4 ms for the cheapest work on an item).
FEWEST = 64
#: More processes than this wait for memory, not for cores.
MOST_PROCESSES = 8
#: Items that are taken at once: few, so that no process is long at work when the others have ended.
_AT_ONCE = 8
_NUMBER = 4  # bytes
#: What fits into a pipe, however little room the system gives it.
_MOST_NUMBERS = 4096 // _NUMBER

#: Passes items on, one after the other, and sees how far they are.
Watched = Callable[[Sequence[Any]], Iterable[Any]]


class Packing(Generic[Item, Result]):
    """How a result is sent from one process to another: as it is."""

    def pack(self, result: Result) -> Any:
        """What is pickled."""
        return result

    def unpack(self, item: Item, sent: Any) -> Result:
        """The result again, where it is received."""
        del item
        result: Result = sent
        return result


def each(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    packing: Packing[Item, Result] | None = None,
    watched: Watched = iter,
) -> list[Result]:
    """What ``work`` makes of each of the items, in their order.

    It must depend on nothing but the item, and what it makes is pickled. The first exception is that of one core.
    """
    count = min(len(os.sched_getaffinity(0)), MOST_PROCESSES) if sys.platform == "linux" else 1
    if count < 2 or len(items) < FEWEST:
        return [work(item) for item in watched(items)]
    first = work(items[0])  # whatever is compiled or cached for all of them is so before the fork
    made = _on_all_cores(work, items, count, packing or Packing(), watched)
    # What a child failed to do is done again here, where its failure can be told.
    return [first, *(made[i] if i in made else work(items[i]) for i in range(1, len(items)))]


def _on_all_cores(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    count: int,
    packing: Packing[Item, Result],
    watched: Watched,
) -> dict[int, Result]:
    """By the number of the item, without those of a process that failed."""
    from pickle import dump, load  # 3 ms, which a short run need not pay

    # A pipe gives each number to one process alone. The offset of a file in memory is not locked: two might read it.
    queue, filled = os.pipe()
    starts = range(1, len(items), max(_AT_ONCE, -(-len(items) // _MOST_NUMBERS)))
    os.write(filled, b"".join(start.to_bytes(_NUMBER) for start in starts))
    os.close(filled)
    parent = os.getpid()
    children: dict[int, BinaryIO] = {}
    made: dict[int, Result] = {}
    try:
        for _ in range(count - 1):
            file: BinaryIO = open(os.memfd_create("results"), "w+b")  # noqa: SIM115 - closed with the child
            child = os.fork()
            if not child:
                # Whose parent was killed works for nobody.
                left = takewhile(lambda _: os.getppid() == parent, _taken(work, items, queue, starts.step))
                packed = ([(i, packing.pack(result)) for i, result in taken] for taken in left)
                _send(partial(dump, file=file), packed, file)
            children[child] = file
        # All processes are about as far as this one, as the items are taken in their order.
        position = iter(watched(range(len(items))))
        with suppress(Exception):  # which comes again, unless an earlier item has one
            for taken in _taken(work, items, queue, starts.step):
                made.update(taken)
                any(number == taken[-1][0] for number in position)
            sum(position)
        while children:
            child = next(iter(children))
            _, status = os.waitpid(child, 0)
            with children.pop(child) as results:
                results.seek(0)
                for received in _received(partial(load, results)) if status == 0 else ():
                    made.update((i, packing.unpack(items[i], sent)) for i, sent in received)
    finally:
        os.close(queue)
        for child, results in children.items():
            results.close()
            with suppress(OSError):  # it has ended, and was waited for
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
    return made


def _taken(
    work: Callable[[Item], Result], items: Sequence[Item], queue: int, at_once: int
) -> Iterator[list[tuple[int, Result]]]:
    """What is made of the items that this process takes.

    Those that are taken at once are sent at once: what they have in common is sent once.
    """
    while number := os.read(queue, _NUMBER):
        start = int.from_bytes(number)
        yield [(i, work(items[i])) for i in range(start, min(start + at_once, len(items)))]


def _send(dump: Callable[[object], None], results: Iterator[object], file: BinaryIO) -> None:
    """Ends the process."""
    try:
        for result in results:
            dump(result)
        file.flush()
    except BaseException:
        os._exit(1)
    os._exit(0)


def _received(load: Callable[[], list[tuple[int, Any]]]) -> Iterator[list[tuple[int, Any]]]:
    with suppress(EOFError):
        while True:
            yield load()

"""THREAD: messages put into conversations (RFC 5256 3; REFS of draft-ietf-morg-inthread).

A forest is kept without recursion, because a thread may be 100,000 messages deep: the messages in depth-first
order, each with its depth.  All that is known of messages is in arrays of numbers, because the collector
would go through an object for each of them again and again: with 100,000, that takes 0.2 s each time.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from heapq import merge
from itertools import accumulate
from typing import NamedTuple

from mailproto.message._links import NONE, OFTEN, ThreadMessage, ThreadRows, linked
from mailproto.message._steps import Steps, finish

__all__ = ["Forest", "ThreadMessage", "forest", "forest_steps"]

_PIECE = 2_000
"""Messages that are sorted at once; sorted pieces are merged."""


class Forest(NamedTuple):
    """Threads, in depth-first order.

    :ivar numbers: the messages' numbers; 0 stands for a message that is not there.
    :ivar depths: of the same; 0 begins a thread.
    """

    numbers: array[int]
    depths: array[int]


def forest(algorithm: str, messages: Iterable[ThreadMessage]) -> Forest:
    """Put ``messages`` into threads.

    :param algorithm: ``ORDEREDSUBJECT``, ``REFERENCES`` or ``REFS``.
    :param messages: by ascending sequence number; they are not kept.
    """
    return finish(forest_steps(algorithm, messages))


def forest_steps(algorithm: str, messages: Iterable[ThreadMessage]) -> Steps[Forest]:
    """As `forest`, in steps."""
    rows = ThreadRows()
    work = 0
    for message in messages:
        rows.add(message)
        work += 1 + len(message.references)
        if work > OFTEN:
            yield
            work = 0
    yield from rows.completed()
    count = len(rows.numbers)
    order = yield from _sorted(range(count), rows.dates.__getitem__)
    if algorithm == "ORDEREDSUBJECT":
        above = yield from _by_subject(rows, order)
    else:
        above = yield from _pruned(rows, (yield from linked(rows)))
        if algorithm == "REFERENCES":
            yield from _merge_subjects(rows, above, order)
    nodes, depths = yield from _flattened(above, order)
    if algorithm == "REFS":
        nodes, depths = yield from _by_newest(rows, nodes, depths)
    numbers = array("I")
    for start in range(0, len(nodes), OFTEN):
        piece = nodes[start : start + OFTEN]
        numbers.extend([rows.numbers[node] if node < count else 0 for node in piece])
        yield
    return Forest(numbers, depths)


def _sorted(items: Sequence[int], key: Callable[[int], int]) -> Steps[array[int]]:
    """``items`` in the order of a key; equal ones stay as they are."""
    pieces: list[list[int]] = []
    for start in range(0, len(items), _PIECE):
        if start:
            yield
        pieces.append(sorted(items[start : start + _PIECE], key=key))
    if len(pieces) < 2:
        return array("I", pieces[0] if pieces else ())
    found = array("I")
    for item in merge(*pieces, key=key):
        found.append(item)
        if not len(found) % OFTEN:
            yield
    return found


def _by_subject(rows: ThreadRows, order: Sequence[int]) -> Steps[array[int]]:
    """ORDEREDSUBJECT: one thread for each base subject, below its first message."""
    above = array("i", [NONE]) * len(order)
    first: dict[int, int] = {}
    for count, place in enumerate(order):
        found = first.setdefault(rows.subjects[place], place)
        if found != place:
            above[place] = found
        if not count % OFTEN:
            yield
    return above


# -- step 3: dummies are removed


def _pruned(rows: ThreadRows, parents: array[int]) -> Steps[array[int]]:
    """What is above each message: a message, a dummy with several children, or nothing.

    Dummies below others give way to their children; those at the top only if they have just one.
    """
    count = len(rows.numbers)
    # What is above a dummy's children: a message; or the dummy at the top.
    instead = array("i", [NONE]) * (len(parents) - count)
    path: list[int] = []
    work = 0
    for dummy in range(count, len(parents)):
        at = dummy
        while at >= count and instead[at - count] < 0:
            path.append(at)
            work += 1
            if not work % OFTEN:
                yield
            if parents[at] < 0:
                break
            at = parents[at]
        found = at if at < count else path[-1] if path and path[-1] == at else instead[at - count]
        for each in path:
            instead[each - count] = found
            work += 1
            if not work % OFTEN:
                yield
        path.clear()
    children = array("I", [0]) * len(instead)
    above = parents[:count]
    for place, parent in enumerate(above):
        if parent >= count:
            above[place] = parent = instead[parent - count]
            if parent >= count:
                children[parent - count] += 1
        if not place % OFTEN:
            yield
    for place, parent in enumerate(above):
        if parent >= count and children[parent - count] == 1:
            above[place] = NONE
        if not place % OFTEN:
            yield
    above.extend(array("i", [NONE]) * len(instead))
    return above


# -- step 5


def _merge_subjects(rows: ThreadRows, above: array[int], order: Sequence[int]) -> Steps[None]:
    """Threads with the same base subject become one; ``order`` is that of the messages' dates."""
    count = len(order)
    roots, firsts = array("I"), array("I")  # each with the message that has its subject
    place_of_dummy: dict[int, int] = {}
    for number, place in enumerate(order):
        parent = above[place]
        if parent < 0 or (parent >= count and place_of_dummy.setdefault(parent, place) == place):
            roots.append(place if parent < 0 else parent)
            firsts.append(place)
        if not number % OFTEN:
            yield
    table: dict[int, int] = {}  # the place in ``roots`` of the thread with a subject
    for number, first in enumerate(firsts):
        if not number % OFTEN:
            yield
        subject = rows.subjects[first]
        known = table.get(subject)
        if subject and (
            known is None
            or (
                roots[known] < count
                and (roots[number] >= count or (rows.is_reply[firsts[known]] and not rows.is_reply[first]))
            )
        ):
            table[subject] = number
    instead: dict[int, int] = {}  # dummies whose children become those of another one
    for number, first in enumerate(firsts):
        if not number % OFTEN:
            yield
        subject = rows.subjects[first]
        known = table[subject] if subject else number
        if known == number:
            continue
        node, other = roots[number], roots[known]
        if node >= count and other >= count:
            instead[node] = other
        elif other >= count or (rows.is_reply[first] and not rows.is_reply[firsts[known]]):
            above[node] = other
        else:
            # A dummy takes the place of the known thread.
            roots[known] = len(above)
            above.append(NONE)
            above[node] = above[other] = roots[known]
    if instead:
        for place in range(count):
            above[place] = instead.get(above[place], above[place])
            if not place % OFTEN:
                yield


# -- steps 4 and 6, and the answer


def _flattened(above: array[int], order: Sequence[int]) -> Steps[tuple[array[int], array[int]]]:
    """The threads in depth-first order, and depths; siblings and threads are in the order of their dates."""
    count = len(order)
    sizes = array("I", [0]) * (len(above) + 1)
    roots = array("I")
    known = bytearray(len(above) - count)  # dummies of which a child was seen
    for number, place in enumerate(order):
        parent = above[place]
        if parent < 0:
            roots.append(place)
        else:
            sizes[parent] += 1
            if parent >= count and not known[parent - count]:
                known[parent - count] = 1
                roots.append(parent)
        if not number % OFTEN:
            yield
    # Where in ``children`` those of each begin.
    starts = array("I", [0])
    for start in range(0, len(sizes), _PIECE):
        starts.extend([*accumulate(sizes[start : start + _PIECE], initial=starts.pop())])
        yield
    children = array("I", [0]) * starts[-1]
    ends = starts[:]
    for number, place in enumerate(order):
        parent = above[place]
        if parent >= 0:
            children[ends[parent]] = place
            ends[parent] += 1
        if not number % OFTEN:
            yield
    nodes, depths = array("I"), array("I")
    stack, below = array("I"), array("I")  # what comes next, the next last, and how deep it is
    for root in roots:
        stack.append(root)
        below.append(0)
        while stack:
            node, depth = stack.pop(), below.pop()
            nodes.append(node)
            depths.append(depth)
            start, end = starts[node], ends[node]
            for at in range(end - 1, start - 1, -1):
                stack.append(children[at])
                below.append(depth + 1)
                if not at % OFTEN:
                    yield
            if not len(nodes) % OFTEN:
                yield
    return nodes, depths


def _by_newest(
    rows: ThreadRows, nodes: array[int], depths: array[int]
) -> Steps[tuple[array[int], array[int]]]:
    """REFS: threads in the order of their newest messages."""
    count = len(rows.numbers)
    starts, newest = array("I"), array("q")
    for at, (node, depth) in enumerate(zip(nodes, depths, strict=True)):
        if not depth:
            starts.append(at)
            newest.append(rows.arrivals[node] if node < count else 0)
        elif rows.arrivals[node] > newest[-1]:
            newest[-1] = rows.arrivals[node]
        if not at % OFTEN:
            yield
    by_root = yield from _sorted(range(len(starts)), lambda thread: nodes[starts[thread]])
    ordered = yield from _sorted(by_root, newest.__getitem__)
    starts.append(len(nodes))
    in_order, its_depths = array("I"), array("I")
    for number, thread in enumerate(ordered):
        its = slice(starts[thread], starts[thread + 1])
        in_order.extend(nodes[its])
        its_depths.extend(depths[its])
        if not number % OFTEN:
            yield
    return in_order, its_depths

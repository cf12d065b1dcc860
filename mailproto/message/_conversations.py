"""THREAD: messages put into conversations (RFC 5256 3; REFS of draft-ietf-morg-inthread).

A forest is kept without recursion, because a thread may be 100,000 messages deep: the messages in depth-first
order, each with its depth.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence
from heapq import merge
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from mailproto.message._steps import Steps, finish

__all__ = ["Forest", "ThreadMessage", "forest", "forest_pieces", "forest_steps"]

T = TypeVar("T")

_OFTEN = 500
"""Messages between two pauses: some 0.5 ms."""

_WALK = 10_000
"""Ancestors between two pauses, where a loop is looked for."""

_PIECE = 2_000
"""Messages that are sorted at once; sorted pieces are merged."""

LOOKED_AT = 100
"""How many ancestors are looked at for each message and reference, on the average, to find loops.

After that, no link is made that may make a loop: whose lower end has children already.  Only messages that
are meant to slow a server down have so many.
"""

_OPENED = 5_000
"""Messages between two pauses, where only depths are compared: some 1 ms."""


class ThreadMessage(NamedTuple):
    """A message for THREAD.

    :ivar number: what the answer names it by: its UID or sequence number.
    :ivar date: the sent date in seconds, by which siblings are sorted.
    :ivar id: its Message-ID, or anything in its place that is equal for equal ones; None if there is none.
    :ivar references: those of its ancestors, the oldest first (`message.references`).
    :ivar subject: the base subject, mapped.
    :ivar is_reply: whether the subject is that of a reply or forward.
    :ivar arrival: INTERNALDATE, in seconds; REFS sorts threads by that of their newest messages.
    """

    number: int
    date: int
    id: Hashable = None
    references: Sequence[Hashable] = ()
    subject: str = ""
    is_reply: bool = False
    arrival: int = 0


class Forest(NamedTuple):
    """Threads, in depth-first order.

    :ivar numbers: the messages' numbers; 0 stands for a message that is not there.
    :ivar depths: of the same; 0 begins a thread.
    """

    numbers: array[int]
    depths: array[int]


def forest(algorithm: str, messages: Sequence[ThreadMessage]) -> Forest:
    """Put ``messages`` into threads.

    :param algorithm: ``ORDEREDSUBJECT``, ``REFERENCES`` or ``REFS``.
    :param messages: by ascending sequence number.
    """
    return finish(forest_steps(algorithm, messages))


def forest_steps(algorithm: str, messages: Sequence[ThreadMessage]) -> Steps[Forest]:
    """As `forest`, in steps."""
    if algorithm == "ORDEREDSUBJECT":
        return (yield from _by_subject(messages))
    root = yield from _linked(messages)
    yield from _pruned_deeply(root)
    if algorithm == "REFERENCES":
        yield from _sort_siblings(root)
        yield from _merge_subjects(root)
        yield from _sorted_deeply(root)
    else:
        yield from _sorted_deeply(root)
        newest: dict[int, int] = {}
        for count, node in enumerate(root.children):
            newest[id(node)] = yield from _newest(node)
            if not count % _OFTEN:
                yield
        root.children = yield from _sorted(root.children, lambda node: (newest[id(node)], node.order))
    return (yield from _flattened(root))


def _sorted(items: list[T], key: Callable[[T], Any]) -> Steps[list[T]]:
    """``items`` in the order of a key; equal ones stay as they are."""
    pieces: list[list[T]] = []
    for start in range(0, len(items), _PIECE):
        if start:
            yield
        pieces.append(sorted(items[start : start + _PIECE], key=key))
    if len(pieces) < 2:
        return pieces[0] if pieces else []
    found: list[T] = []
    for item in merge(*pieces, key=key):
        found.append(item)
        if not len(found) % _OFTEN:
            yield
    return found


class _Node:
    """A message, or a place for one that is not there.

    :ivar order: its place among the messages, for siblings of the same date.
    :ivar sons: how many children it has, while links are made; they are put into ``children`` afterwards.
    """

    __slots__ = ("children", "message", "order", "parent", "sons")

    def __init__(self, message: ThreadMessage | None, order: int) -> None:
        self.message = message
        self.order = order
        self.parent: _Node | None = None
        self.sons = 0
        self.children: list[_Node] = []


def _by_subject(messages: Sequence[ThreadMessage]) -> Steps[Forest]:
    """ORDEREDSUBJECT: one thread for each base subject; no message has grandchildren."""
    ordered = yield from _sorted(list(messages), lambda message: message.date)
    groups: dict[str, list[int]] = {}
    for count, message in enumerate(ordered):
        groups.setdefault(message.subject, []).append(message.number)
        if not count % _PIECE:
            yield
    numbers, depths = array("I"), array("I")
    for count, group in enumerate(groups.values()):  # in the order of their first messages
        numbers.extend(group)
        depths.append(0)
        depths.extend([1] * (len(group) - 1))
        if not count % _PIECE:
            yield
    return Forest(numbers, depths)


# -- steps 1 and 2: links


def _linked(messages: Sequence[ThreadMessage]) -> Steps[_Node]:
    """Link messages by their references; returns the root."""
    nodes: dict[Hashable, _Node] = {}
    own: list[_Node] = []
    # Each id belongs to its first message, also if it is referred to before.
    for place, message in enumerate(messages):
        if not place % _OFTEN:
            yield
        node = _Node(message, place)
        if message.id is not None:
            nodes.setdefault(message.id, node)
        own.append(node)
    missing: list[_Node] = []
    work = 0
    looked_at, allowed = 0, LOOKED_AT * len(messages)
    for node, message in zip(own, messages, strict=True):
        before: _Node | None = None
        for reference in message.references:
            after = nodes.get(reference)
            if after is None:
                after = nodes[reference] = _Node(None, len(own) + len(missing))
                missing.append(after)
            allowed += LOOKED_AT
            if before is not None and after.parent is None and (looked_at < allowed or not after.sons):
                looked_at += yield from _link(before, after)
            before = after
            work += 1
            if work > _OFTEN:
                yield
                work = 0
        work += 1
        if node.parent is not before:
            if node.parent is not None:
                node.parent.sons -= 1
                node.parent = None
            if before is not None and (looked_at < allowed or not node.sons):
                looked_at += yield from _link(before, node)
        if work > _OFTEN:
            yield
            work = 0
    root = _Node(None, -1)
    for count, node in enumerate(chain(own, missing)):
        (node.parent or root).children.append(node)
        if not count % _OFTEN:
            yield
    return root


def _link(parent: _Node, child: _Node) -> Steps[int]:
    """Make ``child``, which has no parent, a child, unless that makes a loop; returns how long it took."""
    steps = 0
    if parent is child:
        return 0
    if child.sons:  # otherwise it has no descendants
        at: _Node | None = parent
        while at is not None:
            if at is child:
                return steps
            at = at.parent
            steps += 1
            if not steps % _WALK:
                yield
    child.parent = parent
    parent.sons += 1
    return steps


# -- step 3: dummies are removed


def _pruned_deeply(root: _Node) -> Steps[None]:
    """Dummies below the top give way to their children; those at the top only if they have just one."""
    for count, node in enumerate(reversed((yield from _top_down(root)))):
        if not count % _OFTEN:
            yield
        if node.message is None or any(child.message is None for child in node.children):
            kept: list[_Node] = []
            for child in node.children:
                if child.message is not None:
                    kept.append(child)
                elif child.children and (node is not root or len(child.children) == 1):
                    kept.extend(child.children)
                elif child.children:
                    kept.append(child)
            node.children = kept


def _top_down(root: _Node) -> Steps[list[_Node]]:
    """All nodes, each before its children."""
    order = [root]
    for count, node in enumerate(order):
        order.extend(node.children)
        if not count % _OFTEN:
            yield
    return order


# -- steps 4 to 6


def _date(node: _Node) -> tuple[int, int]:
    """By what siblings are sorted: date, then the order in the mailbox."""
    if node.message is None:
        return _date(node.children[0]) if node.children else (0, node.order)
    return node.message.date, node.order


def _sort_siblings(root: _Node) -> Steps[None]:
    """Step 4: threads in the order of their dates, and the children of dummies, which have none."""
    for count, node in enumerate(root.children):
        if node.message is None:
            node.children = yield from _sorted(node.children, _date)
        if not count % _OFTEN:
            yield
    root.children = yield from _sorted(root.children, _date)


def _sorted_deeply(root: _Node) -> Steps[None]:
    for count, node in enumerate(reversed((yield from _top_down(root)))):
        if not count % _OFTEN:
            yield
        if len(node.children) > 1:
            node.children = yield from _sorted(node.children, _date)


def _merge_subjects(root: _Node) -> Steps[None]:
    """Step 5: threads with the same base subject become one."""
    table: dict[str, _Node] = {}
    for count, node in enumerate(root.children):
        if not count % _OFTEN:
            yield
        subject, is_reply = _subject(node)
        if not subject:
            continue
        known = table.get(subject)
        if known is None or (
            known.message is not None and (node.message is None or (_subject(known)[1] and not is_reply))
        ):
            table[subject] = node
    kept: dict[int, _Node] = {id(node): node for node in root.children}
    for count, node in enumerate(root.children):
        if not count % _OFTEN:
            yield
        subject, is_reply = _subject(node)
        known = table.get(subject) if subject else None
        if known is None or known is node:
            continue
        if known.message is None and node.message is None:
            known.children += node.children
        elif known.message is None or (is_reply and not _subject(known)[1]):
            known.children.append(node)
        else:
            both = _Node(None, known.order)
            both.children = [known, node]
            table[subject] = both
            # The dummy takes the place of the known message.
            kept[id(known)] = both
        del kept[id(node)]
    root.children = list(kept.values())


def _subject(node: _Node) -> tuple[str, bool]:
    """The thread's base subject, and whether the message that has it is a reply."""
    message = node.message or node.children[0].message
    return (message.subject, message.is_reply) if message is not None else ("", False)


def _newest(root: _Node) -> Steps[int]:
    """When the newest message of a thread arrived."""
    newest = count = 0
    stack = [root]
    while stack:
        node = stack.pop()
        count += 1
        if not count % _OFTEN:
            yield
        if node.message is not None:
            newest = max(newest, node.message.arrival)
        stack.extend(node.children)
    return newest


def _flattened(root: _Node) -> Steps[Forest]:
    numbers, depths = array("I"), array("I")
    stack = [(node, 0) for node in reversed(root.children)]
    while stack:
        node, depth = stack.pop()
        numbers.append(0 if node.message is None else node.message.number)
        depths.append(depth)
        if node.children:
            stack.extend([(child, depth + 1) for child in reversed(node.children)])
        node.parent = None  # without cycles, nodes are freed at once, and not by the collector
        if not len(numbers) % _OFTEN:
            yield
    return Forest(numbers, depths)


def forest_pieces(numbers: Sequence[int], depths: Sequence[int]) -> Iterator[bytes]:
    """The threads as THREAD shows them (RFC 5256 4), in pieces of some KB: ``(2)(3 6 (4 23)(44 7 96))``.

    The first pieces are empty if there are many messages.

    :param numbers: in depth-first order; 0 stands for a message that is not there.
    :param depths: of the same; 0 begins a thread.
    """
    pieces: list[bytes] = []
    # For each open parenthesis, the depth at which it was opened.
    opened: list[int] = []
    count = len(depths)
    siblings = bytearray(count)
    for _ in _mark_siblings(depths, siblings):
        yield b""
    for place, (number, depth) in enumerate(zip(numbers, depths, strict=True)):
        while opened and opened[-1] >= depth:
            pieces.append(b")")
            opened.pop()
        if depth == 0 or siblings[place]:
            if opened and pieces[-1][-1:] not in b"()":
                pieces.append(b" ")
            pieces.append(b"(")
            opened.append(depth)
        elif pieces[-1] != b"(":
            pieces.append(b" ")
        if number:
            pieces.append(b"%d" % number)
        if len(pieces) > 4 * _OFTEN and place + 1 < count:
            yield b"".join(pieces[:-1])
            del pieces[:-1]
    pieces += [b")"] * len(opened)
    yield b"".join(pieces)


def _mark_siblings(depths: Sequence[int], found: bytearray) -> Iterator[None]:
    """Note for each message whether its parent has other children, in steps."""
    open_: list[int] = []  # the latest message at each depth of the present branch
    for place, depth in enumerate(depths):
        if depth < len(open_):
            found[place] = found[open_[depth]] = 1
            del open_[depth:]
        open_.append(place)
        if not (place + 1) % _OPENED:
            yield

"""What THREAD knows of messages, in arrays, and their links (RFC 5256 3, steps 1 and 2 of REFERENCES)."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from mailproto.message._steps import Steps

__all__ = ["NONE", "OFTEN", "ThreadMessage", "ThreadRows", "linked"]

OFTEN = 500
"""Messages between two pauses: some 0.5 ms."""

_WALK = 10_000
"""Ancestors between two pauses, where a loop is looked for."""

LOOKED_AT = 100
"""How many ancestors are looked at for each message and reference, on the average, to find loops.

After that, no link is made that may make a loop: whose lower end has children already.  Only messages that
are meant to slow a server down have so many.
"""

_TABLES = 16
"""Ids are in so many tables, because to enlarge a table of all takes long."""

NONE = -1


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


class ThreadRows:
    """What is known of messages, in arrays; texts and ids are numbered."""

    def __init__(self) -> None:
        self.numbers = array("I")
        self.dates = array("q")
        self.arrivals = array("q")
        self.is_reply = bytearray()
        self.subjects = array("I")  # 0 for none
        self.ids = array("i")
        self.references = array("I")  # those of all messages
        self.ends = array("Q")  # where in these the references of each message end
        self.ids_known = 0
        self._tables: list[dict[Hashable, int]] = [{} for _ in range(_TABLES)]
        self._subjects = {"": 0}

    def add(self, message: ThreadMessage) -> None:
        number, date, id_, references, subject, is_reply, arrival = message
        self.numbers.append(number)
        self.dates.append(date)
        self.arrivals.append(arrival)
        self.is_reply.append(is_reply)
        self.subjects.append(self._subjects.setdefault(subject, len(self._subjects)))
        self.ids.append(NONE if id_ is None else self._id(id_))
        for reference in references:
            self.references.append(self._id(reference))
        self.ends.append(len(self.references))

    def completed(self) -> Steps[None]:
        """There are no others: forget ids and texts, a part at a time."""
        self._subjects.clear()
        for table in self._tables:
            yield
            table.clear()

    def _id(self, id_: Hashable) -> int:
        number = self._tables[hash(id_) % _TABLES].setdefault(id_, self.ids_known)
        if number == self.ids_known:
            self.ids_known += 1
        return number


def linked(rows: ThreadRows) -> Steps[array[int]]:
    """Link messages, and places for those that are not there, by references.

    :returns: the parent of each message, and after them, of each such place; -1 for none.
    """
    return _Links(rows).made()


class _Links:
    def __init__(self, rows: ThreadRows) -> None:
        self._rows = rows
        self.parents = array("i", [NONE]) * len(rows.numbers)
        self._sons = array("I", [0]) * len(rows.numbers)  # how many children each has

    def made(self) -> Steps[array[int]]:
        rows, parents, sons = self._rows, self.parents, self._sons
        nodes = array("i", [NONE]) * rows.ids_known
        # Each id belongs to its first message, also if it is referred to before.
        for place, id_ in enumerate(rows.ids):
            if id_ >= 0 and nodes[id_] < 0:
                nodes[id_] = place
            if not place % OFTEN:
                yield
        work = at = looked_at = 0
        allowed = LOOKED_AT * len(rows.ends)
        for place, end in enumerate(rows.ends):
            before = NONE
            while at < end:
                after = nodes[rows.references[at]]
                if after < 0:
                    after = nodes[rows.references[at]] = len(parents)
                    parents.append(NONE)
                    sons.append(0)
                allowed += LOOKED_AT
                if before >= 0 and parents[after] < 0 and (looked_at < allowed or not sons[after]):
                    looked_at += yield from self._link(before, after)
                before = after
                at += 1
                work += 1
                if work > OFTEN:
                    yield
                    work = 0
            work += 1
            if parents[place] != before:
                if parents[place] >= 0:
                    sons[parents[place]] -= 1
                    parents[place] = NONE
                if before >= 0 and (looked_at < allowed or not sons[place]):
                    looked_at += yield from self._link(before, place)
            if work > OFTEN:
                yield
                work = 0
        return parents

    def _link(self, parent: int, child: int) -> Steps[int]:
        """Make ``child``, which has no parent, a child, unless that makes a loop; returns the steps."""
        steps = 0
        if parent == child:
            return 0
        if self._sons[child]:  # otherwise it has no descendants
            at = parent
            while at >= 0:
                if at == child:
                    return steps
                at = self.parents[at]
                steps += 1
                if not steps % _WALK:
                    yield
        self.parents[child] = parent
        self._sons[parent] += 1
        return steps

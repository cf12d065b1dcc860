# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Which bodies the messages of a mailbox have."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import OrderedDict

from mailproto.backends.sqlite._search._late import Uids, which
from mailproto.backends.sqlite._search._making import pause

__all__ = ["AT_ONCE", "Numbers", "read_numbers"]

KEPT_NUMBERS = 1 << 19
"""UIDs of which it is remembered which bodies they have: 12 octets each."""

AT_ONCE = 5000
"""Messages that are looked at with one statement."""


class Numbers:
    """Which bodies messages have; a message's body never changes.  For several threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], tuple[Uids, array[int]]] = OrderedDict()
        self._size = 0

    def bodies(self, connection: sqlite3.Connection, mailbox: int, uids: Uids) -> array[int]:
        """The bodies of ``uids``, in their order; 0 for those that do not exist."""
        key = mailbox, uids[0]
        known = self._known.get(key)
        if known is not None and known[0] == uids:
            return known[1]
        there, bodies = read_numbers(connection, mailbox, uids)
        if there != uids:
            of = dict(zip(there, bodies, strict=True))
            bodies = array("Q", [of.get(uid, 0) for uid in uids])
        else:
            self._keep(key, uids, bodies)
        return bodies

    def _keep(self, key: tuple[int, int], uids: Uids, bodies: array[int]) -> None:
        # Each operation is atomic; if threads come between, a little more or less is kept.
        old = self._known.pop(key, None)
        self._known[key] = uids, bodies
        self._size += len(uids) - (len(old[0]) if old else 0)
        while self._size > KEPT_NUMBERS and len(self._known) > 1:
            _, (dropped, _) = self._known.popitem(last=False)
            self._size -= len(dropped)


def read_numbers(connection: sqlite3.Connection, mailbox: int, uids: Uids) -> tuple[Uids, array[int]]:
    """Those of ``uids`` that exist, and their bodies."""
    there, bodies = array("I"), array("Q")
    for start in range(0, len(uids), AT_ONCE):
        piece = uids[start : start + AT_ONCE]
        condition, values = which(piece)
        found = connection.execute(
            "SELECT json_group_array(uid), json_group_array(body) FROM (SELECT uid, body"
            f" FROM messages NOT INDEXED WHERE mailbox = ? AND {condition} ORDER BY uid)",
            (mailbox, *values),
        ).fetchone()
        there.extend(json.loads(found[0]))
        bodies.extend(json.loads(found[1]))
        pause()
    return there, bodies

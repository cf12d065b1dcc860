# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""SORT and THREAD from the index; in a thread, with a reading connection."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from struct import unpack
from typing import Any

from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._search._late import Uids, which, with_values
from mailproto.backends.sqlite._search._making import finished, pause
from mailproto.message import Forest, ThreadMessage, forest_steps
from mailproto.model import SortKey, SortOrder, ThreadAlgorithm

__all__ = ["Answers", "sorted_uids", "threads"]

KEPT = 1 << 19
"""Numbers that are kept of earlier answers, 4 octets each."""

_KEYS = {
    SortKey.ARRIVAL: "internal_date",
    SortKey.CC: "sort_cc",
    SortKey.DATE: "coalesce(sent, internal_date)",
    SortKey.FROM: "sort_from",
    SortKey.SIZE: "size",
    SortKey.SUBJECT: "base_subject",
    SortKey.TO: "sort_to",
    SortKey.DISPLAYFROM: "display_from",
    SortKey.DISPLAYTO: "display_to",
}

_OF_MESSAGES = {SortKey.ARRIVAL, SortKey.SIZE}

_ROWS = 2000


class Answers:
    """The latest answers: they depend only on the messages that were asked for.  For several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[Uids, Any, int]] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable, uids: Uids) -> Any:
        """The answer, or None."""
        kept = self._kept.get(key)
        return kept[1] if kept is not None and kept[0] == uids else None

    def keep(self, key: Hashable, uids: Uids, answer: Any, size: int) -> None:
        """Keep an answer of ``size`` numbers."""
        size += len(uids)
        if size > KEPT // 2:
            return
        old = self._kept.pop(key, None)
        self._kept[key] = uids, answer, size
        self._size += size - (old[2] if old else 0)
        while self._size > KEPT:
            self._size -= self._kept.popitem(last=False)[1][2]


def sorted_uids(
    connection: sqlite3.Connection, bodies: Bodies, mailbox: int, uids: Uids, orders: Sequence[SortOrder]
) -> array[int]:
    """See `IFinding.sort`; ``uids`` are not empty."""
    by = [f"{_KEYS[order.key]}{' DESC' if order.reverse else ''}" for order in orders]
    source = "messages NOT INDEXED"
    columns = [
        "sent" if order.key is SortKey.DATE else _KEYS[order.key]
        for order in orders
        if order.key not in _OF_MESSAGES
    ]
    if columns:
        source = with_values(connection, bodies, mailbox, uids, columns)
    condition, values = which(uids)
    [text] = connection.execute(
        "SELECT json_group_array(uid) FROM (SELECT uid"
        f" FROM {source} WHERE mailbox = ? AND {condition} ORDER BY {', '.join(by)}, uid)",
        (mailbox, *values),
    ).fetchone()
    found = array("I", json.loads(text))
    if len(found) > len(uids) or uids[-1] - uids[0] != len(uids) - 1:
        wanted = set(uids)
        found = array("I", [uid for uid in found if uid in wanted])
    return found


def threads(
    connection: sqlite3.Connection, bodies: Bodies, mailbox: int, uids: Uids, algorithm: ThreadAlgorithm
) -> Forest:
    """See `IFinding.thread`; ``uids`` are not empty."""
    messages = _thread_messages(connection, bodies, mailbox, uids, algorithm)
    found: Forest = finished(forest_steps(algorithm.value, messages))
    return found


def _thread_messages(
    connection: sqlite3.Connection, bodies: Bodies, mailbox: int, uids: Uids, algorithm: ThreadAlgorithm
) -> Iterator[ThreadMessage]:
    date = "coalesce(sent, internal_date)"
    wants_ids = algorithm is not ThreadAlgorithm.ORDEREDSUBJECT
    columns = ["uid", date, "id", "hex(ancestors)"] if wants_ids else ["uid", date]
    columns += ["base_subject", "is_reply"]
    if algorithm is ThreadAlgorithm.REFS:
        columns.append("internal_date")
    needed = ["sent", "base_subject", "is_reply", *(["id", "ancestors"] if wants_ids else [])]
    source = with_values(connection, bodies, mailbox, uids, needed)
    lists = ", ".join(f"json_group_array({column})" for column in columns)
    ids: dict[str, Sequence[int]] = {"": ()}
    for start in range(0, len(uids), _ROWS):
        piece = uids[start : start + _ROWS]
        condition, values = which(piece)
        row = connection.execute(
            f"SELECT {lists} FROM (SELECT * FROM {source} WHERE mailbox = ? AND {condition} ORDER BY uid)",
            (mailbox, *values),
        ).fetchone()
        wanted = None if piece[-1] - piece[0] == len(piece) - 1 else set(piece)
        for number, sent, *rest in zip(*map(json.loads, row), strict=True):
            if wanted is not None and number not in wanted:
                continue
            if wants_ids:
                own, ancestors, subject, is_reply, *arrival = rest
                references = ids.get(ancestors)
                if references is None:
                    packed = bytes.fromhex(ancestors)
                    references = unpack(f">{len(packed) // 8}Q", packed)
                yield ThreadMessage(number, sent, own or None, references, subject, bool(is_reply), *arrival)
            else:
                yield ThreadMessage(number, sent, None, (), *rest)
        pause()

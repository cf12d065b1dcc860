# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""SORT and THREAD from the index; in a thread, with a reading connection."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from struct import unpack
from typing import Any

from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._search._finding import Uids, which
from mailproto.backends.sqlite._search._making import BodyContent, pause
from mailproto.backends.sqlite._search._schema import COLUMNS
from mailproto.message import Forest, Steps, ThreadMessage, forest_steps
from mailproto.model import SortKey, SortOrder, ThreadAlgorithm

__all__ = ["Answers", "sorted_uids", "threads"]

KEPT = 1 << 19
"""Numbers that are kept of earlier answers, 4 octets each."""

_LATE = f"CREATE TEMP TABLE IF NOT EXISTS late (body INTEGER PRIMARY KEY, mark, {', '.join(COLUMNS)})"

_MAX_LATE = 100_000
"""Rows of ``late``, beyond which it begins anew."""

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

_READ_AT_ONCE = 20
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
    if not _OF_MESSAGES.issuperset(order.key for order in orders):
        source = _with_values(connection, bodies, mailbox, uids)
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
    source = _with_values(connection, bodies, mailbox, uids)
    date = "coalesce(sent, internal_date)"
    wants_ids = algorithm is not ThreadAlgorithm.ORDEREDSUBJECT
    columns = ["uid", date, "id", "hex(ancestors)"] if wants_ids else ["uid", date]
    columns += ["base_subject", "is_reply"]
    if algorithm is ThreadAlgorithm.REFS:
        columns.append("internal_date")
    lists = ", ".join(f"json_group_array({column})" for column in columns)
    messages: list[ThreadMessage] = []
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
                messages.append(
                    ThreadMessage(number, sent, own or None, references, subject, bool(is_reply), *arrival)
                )
            else:
                messages.append(ThreadMessage(number, sent, None, (), *rest))
        pause()
    found: Forest = finished(forest_steps(algorithm.value, messages))
    return found


def _with_values(connection: sqlite3.Connection, bodies: Bodies, mailbox: int, uids: Uids) -> str:
    """Messages joined with their header values; those that the index does not have yet are made now."""
    missing: list[int] = []
    for start in range(0, len(uids), _ROWS):
        condition, values = which(uids[start : start + _ROWS])
        [text] = connection.execute(
            "SELECT json_group_array(messages.body) FROM messages NOT INDEXED"
            f" WHERE mailbox = ? AND {condition} AND NOT EXISTS"
            " (SELECT 1 FROM search.headers WHERE headers.body = messages.body)",
            (mailbox, *values),
        ).fetchone()
        missing += json.loads(text)
    joined = "messages NOT INDEXED CROSS JOIN search.headers ON headers.body = messages.body"
    if not missing:
        return joined
    _make(connection, bodies, missing)
    columns = ", ".join(f"coalesce(headers.{name}, late.{name}) AS {name}" for name in COLUMNS)
    return (
        f"(SELECT mailbox, uid, internal_date, size, {columns} FROM messages NOT INDEXED"
        " LEFT JOIN search.headers ON headers.body = messages.body"
        " LEFT JOIN temp.late ON late.body = messages.body)"
    )


def _make(connection: sqlite3.Connection, bodies: Bodies, missing: list[int]) -> None:
    """Make values of bodies, in a table in this connection's memory."""
    connection.execute("PRAGMA query_only = OFF")
    connection.execute(_LATE)
    if connection.execute("SELECT count(*) FROM temp.late").fetchone()[0] > _MAX_LATE:
        connection.execute("DELETE FROM temp.late")
    ids = [
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT value FROM json_each(?) WHERE value NOT IN (SELECT body FROM temp.late)",
            (json.dumps(missing),),
        )
    ]
    for start in range(0, len(ids), _READ_AT_ONCE):
        rows = connection.execute(
            "SELECT bodies.id, file, octets, envelope, offsets, rendered FROM json_each(?)"
            " CROSS JOIN bodies ON bodies.id = json_each.value"
            " LEFT JOIN contents ON contents.body = bodies.id",
            (json.dumps(ids[start : start + _READ_AT_ONCE]),),
        ).fetchall()
        made = [body.row(finished(body.values(bodies))) for body in map(BodyContent._make, rows)]
        connection.executemany(f"INSERT INTO temp.late VALUES (?, ?{', ?' * len(COLUMNS)})", made)
    connection.execute("PRAGMA query_only = ON")


def finished(steps: Steps[Any]) -> Any:
    """The result of steps, between which others may have the interpreter lock."""
    try:
        while True:
            next(steps)
            pause()
    except StopIteration as done:
        return done.value

# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Header values of messages that the index does not have yet, made for one search, SORT or THREAD.

Only the columns that are needed are made, and of plain headers only: of 10,000 messages, that takes 0.1 s.
What is read comes as few rows, because each row gives up the interpreter lock.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._contents import LENGTH, OCTETS
from mailproto.backends.sqlite._inserting import insert
from mailproto.backends.sqlite._search._making import finished, pause, read_bodies, storable
from mailproto.backends.sqlite._search._schema import COLUMNS
from mailproto.message import RENDER_VERSION, HeaderValues, plain_header_values

__all__ = ["Uids", "values_of", "which", "with_values"]

Uids: TypeAlias = "array[int]"

_ROWS = 2000
"""Messages that are looked at with one statement."""

_OCTETS = 1 << 20
"""Octets of headers that are read with one statement, but for the last one."""

_FULLY = 20
"""Messages that are read with one statement, whole."""

_LATE = f"CREATE TEMP TABLE IF NOT EXISTS late (body INTEGER PRIMARY KEY, {', '.join(COLUMNS)})"

_FIELDS = dict(zip(COLUMNS, HeaderValues._fields, strict=True))


def which(uids: Uids, column: str = "uid") -> tuple[str, Sequence[Any]]:
    """A condition for ``uids``, with its values; close ones are a range, with some others in between."""
    if uids[-1] - uids[0] < 2 * len(uids):
        return f"{column} BETWEEN ? AND ?", (uids[0], uids[-1])
    return f"{column} IN (SELECT value FROM json_each(?))", (json.dumps(list(uids)),)


def with_values(
    connection: sqlite3.Connection, bodies: Bodies, mailbox: int, uids: Uids, columns: Sequence[str]
) -> str:
    """What stands after FROM: messages joined with some columns of their header values."""
    missing: set[int] = set()
    for start in range(0, len(uids), _ROWS):
        condition, values = which(uids[start : start + _ROWS])
        [text] = connection.execute(
            "SELECT json_group_array(messages.body) FROM messages NOT INDEXED"
            f" WHERE mailbox = ? AND {condition} AND NOT EXISTS"
            " (SELECT 1 FROM search.headers WHERE headers.body = messages.body)",
            (mailbox, *values),
        ).fetchone()
        missing.update(json.loads(text))
    if not missing:
        return "messages NOT INDEXED CROSS JOIN search.headers ON headers.body = messages.body"
    _make(connection, bodies, sorted(missing), columns)
    chosen = ", ".join(f"coalesce(headers.{name}, late.{name}) AS {name}" for name in columns)
    return (
        f"(SELECT mailbox, uid, internal_date, size, {chosen} FROM messages NOT INDEXED"
        " LEFT JOIN search.headers ON headers.body = messages.body"
        " LEFT JOIN temp.late ON late.body = messages.body)"
    )


def _make(
    connection: sqlite3.Connection, bodies: Bodies, missing: Sequence[int], columns: Sequence[str]
) -> None:
    """Put values of bodies into a table in this connection's memory, which has those of the latest search."""
    connection.execute("PRAGMA query_only = OFF")
    connection.execute(_LATE)
    connection.execute("DELETE FROM temp.late")
    into = f"INSERT INTO temp.late (body, {', '.join(columns)})"
    for start in range(0, len(missing), _ROWS):
        rows = list(values_of(connection, bodies, missing[start : start + _ROWS], columns))
        insert(connection.execute, into, rows)
        pause()
    connection.execute("PRAGMA query_only = ON")


def values_of(
    connection: sqlite3.Connection,
    bodies: Bodies,
    ids: Sequence[int],
    columns: Sequence[str],
    pause: Callable[[], None] = pause,
) -> Iterator[list[Any]]:
    """A row for each body that is there: its id, and its values in some columns."""
    names = [_FIELDS[name] for name in columns]
    others: list[int] = []
    for id_, octets, header, body in _headers(connection, ids, others):
        plain = plain_header_values(octets, header, body, names)
        if plain is None:
            others.append(id_)
        else:
            yield [id_, *[storable(value) if isinstance(value, str) else value for value in plain]]
    for start in range(0, len(others), _FULLY):
        for content in read_bodies(connection, others[start : start + _FULLY]):
            values = finished(content.values(bodies), pause)._asdict()
            made = [values[name] for name in names]
            yield [content.id, *[storable(value) if isinstance(value, str) else value for value in made]]


def _headers(
    connection: sqlite3.Connection, ids: Sequence[int], others: list[int]
) -> Iterator[tuple[int, bytes, int, int]]:
    """The headers of bodies, with their beginnings and ends; what has none here is added to ``others``."""
    [text] = connection.execute(
        "SELECT json_group_array(json_array(bodies.id, hex(substr(offsets, 1, 9)))) FROM json_each(?)"
        " CROSS JOIN bodies ON bodies.id = json_each.value WHERE file IS NULL AND rendered >= ?",
        (json.dumps(ids), RENDER_VERSION),
    ).fetchone()
    found: list[tuple[int, int, int]] = []
    for id_, offsets in json.loads(text):
        if offsets[:2] == _WIDTH_4 and len(offsets) == 18:
            header, end = struct.unpack("<II", bytes.fromhex(offsets[2:]))
            if end <= _OCTETS:
                found.append((id_, header, end))
    others += sorted(set(ids).difference([each[0] for each in found]))
    at = 0
    while at < len(found):
        start, octets = at, 0
        while at < len(found) and octets < _OCTETS:
            octets += found[at][2]
            at += 1
        some = found[start:at]
        [text, joined] = connection.execute(
            "SELECT json_group_array(size), CAST(coalesce(group_concat(octets, ''), '') AS BLOB) FROM"
            f" (SELECT min({LENGTH}, value ->> 1) AS size,"
            f" CAST(substr({OCTETS}, 1, value ->> 1) AS TEXT) AS octets FROM json_each(?)"
            " LEFT JOIN contents ON contents.body = value ->> 0)",
            (json.dumps([[id_, end] for id_, _, end in some]),),
        ).fetchone()
        first = 0
        for (id_, header, end), size in zip(some, json.loads(text), strict=True):
            if size is None:
                others.append(id_)
            else:
                yield id_, joined[first : first + size], header, end
                first += size
        pause()


_WIDTH_4 = "14"
"""The first octet of offsets with 4 octets each."""

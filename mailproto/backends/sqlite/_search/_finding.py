# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Answers `ContentTest`s from the index; in a thread, with a reading connection."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._search._late import Uids, which, with_values
from mailproto.backends.sqlite._search._making import pause
from mailproto.backends.sqlite._search._numbers import AT_ONCE, Numbers, read_numbers
from mailproto.backends.sqlite._search._texts import find_texts
from mailproto.message import is_indexed_key, search_key
from mailproto.model import ContentTest, Found, InAddresses, InField, InText, SentOn

__all__ = ["find"]

_KEYS = 16
"""Keys that are looked for in one pass: each needs a set of the candidates."""

_ADDRESS_COLUMNS = {"from": "from_", "to": "to_", "cc": "cc", "bcc": "bcc"}
_FIELD_COLUMNS = {"subject": "subject", "message-id": "message_id"}


def find(
    connection: sqlite3.Connection,
    bodies: Bodies,
    numbers: Numbers,
    mailbox: int,
    uids: Uids,
    tests: Sequence[ContentTest],
) -> list[Found]:
    """The answers to ``tests``, in their order; ``uids`` are not empty."""
    found: dict[ContentTest, Found] = {}
    headers: dict[ContentTest, _Condition] = {}
    texts: list[InText] = []
    fields: dict[ContentTest, list[InText]] = {}
    for test in dict.fromkeys(tests):
        condition = _condition(test)
        if condition is not None:
            headers[test] = condition
        elif isinstance(test, InText) and is_indexed_key(test.key):
            texts.append(test)
        elif isinstance(test, InField) and test.name.isascii():
            fields[test] = [
                InText(search_key(text), headers=True)
                for text in (test.name, test.key)
                if is_indexed_key(search_key(text))
            ]
        else:
            found[test] = Found((), uids)
    wanted = list(dict.fromkeys([*texts, *chain.from_iterable(fields.values())]))
    for start in range(0, len(wanted), _KEYS):
        found.update(find_texts(connection, numbers, mailbox, uids, wanted[start : start + _KEYS]))
    if fields:
        long = _with_long_headers(connection, mailbox, uids)
        for field, parts in fields.items():
            found[field] = _may_have_field(uids, [found[part] for part in parts], long)
    if headers:
        found.update(_find_headers(connection, bodies, mailbox, uids, headers))
    return [found[test] for test in tests]


# -- header values


class _Condition(NamedTuple):
    """A condition on a column of header values.

    :ivar sql: with ``{}`` for the column, and ``?`` for its values.
    """

    column: str
    sql: str
    values: Sequence[Any] = ()


def _condition(test: ContentTest) -> _Condition | None:
    """What a test means for header values; None if there are no such values."""
    if isinstance(test, SentOn):
        operator = {"BEFORE": "<", "ON": "=", "SINCE": ">="}[test.op]
        return _Condition("day", f"{{}} {operator} ?", (test.date.toordinal(),))
    if isinstance(test, InText) or "\0" in test.key:
        return None
    if isinstance(test, InAddresses) or test.name in _ADDRESS_COLUMNS:
        column = _ADDRESS_COLUMNS.get(test.name)
    else:
        column = _FIELD_COLUMNS.get(test.name)
    if column is None:
        return None
    return (
        _Condition(column, "instr({}, ?)", (str(test.key),))
        if test.key
        else _Condition(column, "{} IS NOT NULL")
    )


def _find_headers(
    connection: sqlite3.Connection,
    bodies: Bodies,
    mailbox: int,
    uids: Uids,
    tests: dict[ContentTest, _Condition],
) -> Iterator[tuple[ContentTest, Found]]:
    # One pass over the mailbox for all tests.
    source = with_values(
        connection, bodies, mailbox, uids, list({test.column: None for test in tests.values()})
    )
    columns = ["count(*)"]
    values: list[Any] = []
    for column, sql, its_values in tests.values():
        columns.append(f"json_group_array(uid) FILTER (WHERE {sql.format(column)})")
        values += its_values
    passing = [array("I") for _ in tests]
    missing = array("I")
    for start in range(0, len(uids), AT_ONCE):
        piece = uids[start : start + AT_ONCE]
        condition, its_values = which(piece)
        count, *lists = connection.execute(
            f"SELECT {', '.join(columns)} FROM {source} WHERE mailbox = ? AND {condition}",
            (*values, mailbox, *its_values),
        ).fetchone()
        for each, text in zip(passing, lists, strict=True):
            each.extend(_only(json.loads(text), piece))
        if count != piece[-1] - piece[0] + 1:
            there, _ = read_numbers(connection, mailbox, piece)
            missing = _merged(missing, set(piece).difference(there))
        pause()
    for test, its in zip(tests, passing, strict=True):
        if isinstance(test, InField) and test.name in _ADDRESS_COLUMNS and test.key:
            # The values have addresses as they are shown, too.
            yield test, Found((), _merged(its, missing))
        else:
            yield test, Found(its, missing)


def _only(found: list[int], asked: Uids) -> list[int]:
    """Those of ``found`` that are in ``asked``, ascending."""
    found.sort()
    if len(asked) == asked[-1] - asked[0] + 1:
        return found
    wanted = set(asked)
    return [uid for uid in found if uid in wanted]


def _merged(one: Iterable[int], other: Iterable[int]) -> Uids:
    return array("I", sorted((*one, *other)))


# -- other fields: only messages that have the name and the key somewhere in their texts are read


def _may_have_field(uids: Uids, parts: Sequence[Found], long: Iterable[int]) -> Found:
    """What must be read to know whether a field has a key."""
    if not parts:
        return Found((), uids)
    left: set[int] | None = None
    for passing, unknown in parts:
        its = {*passing, *unknown}
        left = its if left is None else left & its
    return Found((), _merged(left or (), set(long).difference(left or ())))


def _with_long_headers(connection: sqlite3.Connection, mailbox: int, uids: Uids) -> list[int]:
    """Messages whose header is so long that a field may be cut at another place in the texts: 32 KB."""
    found: list[int] = []
    for start in range(0, len(uids), AT_ONCE):
        piece = uids[start : start + AT_ONCE]
        condition, values = which(piece)
        # The upper half of four octets, the least first (`mailproto.message.Index.dump`), and a bit more.
        [text] = connection.execute(
            "SELECT json_group_array(uid) FROM messages NOT INDEXED CROSS JOIN bodies"
            f" ON bodies.id = messages.body WHERE mailbox = ? AND {condition} AND (substr(offsets, 1, 1)"
            " != x'14' OR substr(offsets, 7, 1) >= x'80' OR substr(offsets, 8, 2) != x'0000')",
            (mailbox, *values),
        ).fetchone()
        found += _only(json.loads(text), piece)
        pause()
    return found

# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Answers `ContentTest`s from the index; in a thread, with a reading connection."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._search._late import Uids, which, with_values
from mailproto.backends.sqlite._search._making import BETWEEN, Unpacker, pause
from mailproto.message import is_indexed_key, search_key
from mailproto.model import ContentTest, Found, InAddresses, InField, InText, SentOn

__all__ = ["Numbers", "find"]

KEPT_NUMBERS = 1 << 19
"""UIDs of which it is remembered which bodies they have: 12 octets each."""

_GRAMS = 8
"""The most trigrams of a key that are looked up; the texts decide about the rest."""

_TERMS = 100  # trigrams in one query

_MANY = 4
"""If the store has so many times as many candidates as the mailbox has messages, they are no help."""

_KEYS = 16
"""Keys that are looked for in one pass: each needs a set of the candidates."""

_AT_ONCE = 200
"""Texts that are read with one statement."""

_ADDRESS_COLUMNS = {"from": "from_", "to": "to_", "cc": "cc", "bcc": "bcc"}
_FIELD_COLUMNS = {"subject": "subject", "message-id": "message_id"}


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
        there, bodies = _read_bodies(connection, mailbox, uids)
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


def _read_bodies(connection: sqlite3.Connection, mailbox: int, uids: Uids) -> tuple[Uids, array[int]]:
    there, bodies = array("I"), array("Q")
    for start in range(0, len(uids), _PIECE):
        piece = uids[start : start + _PIECE]
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


_PIECE = 5000


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
        found.update(_find_texts(connection, numbers, mailbox, uids, wanted[start : start + _KEYS]))
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
    for start in range(0, len(uids), _PIECE):
        piece = uids[start : start + _PIECE]
        condition, its_values = which(piece)
        count, *lists = connection.execute(
            f"SELECT {', '.join(columns)} FROM {source} WHERE mailbox = ? AND {condition}",
            (*values, mailbox, *its_values),
        ).fetchone()
        for each, text in zip(passing, lists, strict=True):
            each.extend(_only(json.loads(text), piece))
        if count != piece[-1] - piece[0] + 1:
            there, _ = _read_bodies(connection, mailbox, piece)
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
    for start in range(0, len(uids), _PIECE):
        piece = uids[start : start + _PIECE]
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


# -- texts


def _find_texts(
    connection: sqlite3.Connection, numbers: Numbers, mailbox: int, uids: Uids, tests: Sequence[InText]
) -> Iterator[tuple[InText, Found]]:
    [upto] = connection.execute("SELECT texts FROM search.state").fetchone()
    if not upto:
        for test in tests:
            yield test, Found((), uids)
        return
    bodies = numbers.bodies(connection, mailbox, uids)
    passing: dict[InText, set[int]] = {}
    sought: dict[InText, set[int]] = {}
    for test in tests:
        candidates = _candidates(connection, str(test.key), test.headers, _MANY * len(uids) + 1000)
        if candidates is None:
            sought[test] = set(bodies)
        elif len(test.key) <= _EXACT:
            passing[test] = candidates
        else:
            sought[test] = candidates.intersection(bodies)
    if sought:
        passing |= _verified(connection, sought)
    left_out = {row[0] for row in connection.execute("SELECT body FROM search.left_out")}
    unknown = array("I")
    if left_out or max(bodies) > upto or not min(bodies):
        unknown.extend(
            uid for uid, body in zip(uids, bodies, strict=True) if body > upto or body in left_out or not body
        )
    for test, its in passing.items():
        yield (
            test,
            Found(array("I", [uid for uid, body in zip(uids, bodies, strict=True) if body in its]), unknown),
        )


_EXACT = 3
"""The characters of keys of which candidates are exact: a trigram, or the beginnings of some."""


def _candidates(connection: sqlite3.Connection, key: str, headers: bool, most: int) -> set[int] | None:
    """The bodies with all trigrams of a key; None if there is no such index, or if there are too many."""
    if len(key) < 2:
        return None
    if len(key) == 2:
        queries = list(_beginning_with(connection, key))
    else:
        last = len(key) - 3
        step = max(1, -(-last // (_GRAMS - 1)))
        grams = dict.fromkeys(key[at : at + 3] for at in (*range(0, last, step), last))
        queries = [" AND ".join(map(_quoted, grams))]
    rows = "" if headers else " AND rowid & 1"
    found: set[int] = set()
    for query in queries:
        [text] = connection.execute(
            "SELECT json_group_array(rowid) FROM (SELECT rowid FROM search.grams"
            f" WHERE grams MATCH ?{rows} LIMIT ?)",
            (query, 2 * most),
        ).fetchone()
        some = json.loads(text)
        if len(some) == 2 * most:
            return None
        found.update([row >> 1 for row in some])
        if len(found) > most:
            return None
    return found


def _beginning_with(connection: sqlite3.Connection, key: str) -> Iterator[str]:
    """Queries for all trigrams that begin with two characters.

    The two are followed by a third one wherever they are, because each text ends with a blank.
    """
    terms = [
        row[0]
        for row in connection.execute(
            "SELECT term FROM search.terms WHERE term >= ? AND term < ?", (key, key + "\U0010ffff")
        )
    ]
    for start in range(0, len(terms), _TERMS):
        yield " OR ".join(map(_quoted, terms[start : start + _TERMS]))


def _quoted(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'


def _verified(connection: sqlite3.Connection, sought: dict[InText, set[int]]) -> dict[InText, set[int]]:
    """For each test, those of its bodies whose texts have the key; each text is read once."""
    unpack = Unpacker(connection, "search").with_dictionary
    after = len(BETWEEN)
    keys = [(test.key.encode(), test.headers, bodies, set[int]()) for test, bodies in sought.items()]
    all_bodies = sorted(set[int]().union(*sought.values()))
    for start in range(0, len(all_bodies), _AT_ONCE):
        for body, header, dictionary, packed in connection.execute(
            "SELECT body, header_size, dictionary, packed FROM json_each(?) CROSS JOIN search.texts"
            " ON texts.body = json_each.value",
            (json.dumps(all_bodies[start : start + _AT_ONCE]),),
        ):
            text = unpack(dictionary)(packed)
            for key, headers, bodies, found in keys:
                if body in bodies and text.find(key, 0 if headers else header + after) >= 0:
                    found.add(body)
    return {test: found for test, (*_, found) in zip(sought, keys, strict=True)}

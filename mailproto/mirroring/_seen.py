# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""What one run has seen of two mailboxes, in temporary tables.  They are read in pages: memory is bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mailproto.mirroring._flags import flags_text
from mailproto.mirroring._sides import BATCH, Row

__all__ = ["SEEN", "Seen"]

SEEN = """
CREATE TEMP TABLE seen (
    side INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    flags TEXT NOT NULL,
    size INTEGER,
    digest BLOB,
    PRIMARY KEY (side, uid)
) WITHOUT ROWID;
CREATE INDEX temp.seen_digest ON seen (digest, side, uid) WHERE digest IS NOT NULL;
"""
"""The tables."""


class Seen:
    """What was seen of one pair of mailboxes: 0 is the source, 1 the target."""

    def __init__(self, database: sqlite3.Connection, id_: int) -> None:
        self._database = database
        self._id = id_

    def _row(self, statement: str, *values: Any) -> Any:
        return self._database.execute(statement, values).fetchone()

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return self._database.execute(statement, values).fetchall()

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, rows)
        self._database.execute("COMMIT")

    def see_nothing(self) -> None:
        """Begin to see; it takes a while if another mailbox had many messages."""
        self._database.execute("DELETE FROM seen")

    def see(self, side: int, rows: Iterable[Row]) -> None:
        """These messages are new, or their flags have changed."""
        self._many(
            "INSERT INTO seen (side, uid, flags) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET flags = excluded.flags",
            [(side, uid, flags_text(flags)) for uid, flags in rows],
        )

    def seen_pairs(self, side: int) -> Iterator[list[tuple[int, int, str, str | None, str | None]]]:
        """The pairs of the messages seen on one side, with the flags that were seen on each; in pages."""
        last = 0
        while rows := self._rows(
            f"SELECT s.uid, pair.uid0, pair.uid1, pair.flags, s0.flags, s1.flags FROM"
            f" (SELECT uid FROM seen WHERE side = {side} AND uid > ? ORDER BY uid LIMIT {BATCH}) AS s"
            f" LEFT JOIN pair ON pair.mailbox = ? AND pair.uid{side} = s.uid"
            " LEFT JOIN seen AS s0 ON s0.side = 0 AND s0.uid = pair.uid0"
            " LEFT JOIN seen AS s1 ON s1.side = 1 AND s1.uid = pair.uid1 ORDER BY s.uid",
            last,
            self._id,
        ):
            last = rows[-1][0]
            yield [row[1:] for row in rows if row[1] is not None]

    def new(self, side: int, after: int = 0) -> Iterator[list[int]]:
        """The UIDs of the messages that were seen on one side, and are not on the other; in pages."""
        while rows := self._rows(
            f"SELECT s.uid, pair.uid0 FROM"
            f" (SELECT uid FROM seen WHERE side = {side} AND uid > ? ORDER BY uid LIMIT {BATCH}) AS s"
            f" LEFT JOIN pair ON pair.mailbox = ? AND pair.uid{side} = s.uid ORDER BY s.uid",
            after,
            self._id,
        ):
            after = rows[-1][0]
            yield [uid for uid, known in rows if known is None]

    def flags_seen(self, side: int, uids: Sequence[int]) -> dict[int, str]:
        """The flags of messages that were seen on one side."""
        marks = ",".join("?" * len(uids))
        return dict(
            self._rows(f"SELECT uid, flags FROM seen WHERE side = {side} AND uid IN ({marks})", *uids)
        )

    def without_size(self, side: int, uids: Sequence[int]) -> list[int]:
        """Those of ``uids`` whose size is not known yet."""
        if not uids:
            return []
        marks = ",".join("?" * len(uids))
        text = f"SELECT uid FROM seen WHERE side = {side} AND uid IN ({marks}) AND size IS NULL ORDER BY uid"
        return [uid for [uid] in self._rows(text, *uids)]

    def note_sizes(self, side: int, sizes: Iterable[tuple[int, int]]) -> None:
        """The octets of messages."""
        self._many(
            f"UPDATE seen SET size = ? WHERE side = {side} AND uid = ?", [(size, uid) for uid, size in sizes]
        )

    def of_size_elsewhere(self, side: int, uids: Sequence[int]) -> list[int]:
        """Those of ``uids`` for which the other side has a message of the same size."""
        marks = ",".join("?" * len(uids))
        return [
            uid
            for [uid] in self._rows(
                f"SELECT uid FROM seen WHERE side = {side} AND uid IN ({marks})"
                " AND digest IS NULL AND size IN (SELECT size FROM sizes) ORDER BY uid",
                *uids,
            )
        ]

    def without_digest(self, side: int, uids: Sequence[int]) -> list[int]:
        """Those of ``uids`` whose digest is not known yet."""
        marks = ",".join("?" * len(uids))
        text = (
            f"SELECT uid FROM seen WHERE side = {side} AND uid IN ({marks}) AND digest IS NULL ORDER BY uid"
        )
        return [uid for [uid] in self._rows(text, *uids)]

    def withheld(self, side: int, uids: Sequence[int]) -> set[int]:
        """Those of ``uids`` whose octets were not given, so that they could not be compared."""
        marks = ",".join("?" * len(uids))
        text = f"SELECT uid FROM seen WHERE side = {side} AND uid IN ({marks}) AND digest = x''"
        return {uid for [uid] in self._rows(text, *uids)}

    def has_withheld(self) -> bool:
        """Whether there are such messages."""
        return bool(self._rows("SELECT 1 FROM seen WHERE digest = x'' LIMIT 1"))

    def sizes(self, side: int, uids: Sequence[int]) -> dict[int, int]:
        """The sizes of messages, as far as they are known."""
        marks = ",".join("?" * len(uids))
        text = f"SELECT uid, size FROM seen WHERE side = {side} AND uid IN ({marks}) AND size IS NOT NULL"
        return dict(self._rows(text, *uids))

    def collect_sizes(self, side: int) -> None:
        """`of_size_elsewhere` looks at the sizes of this side from now on."""
        self._database.execute("DROP TABLE IF EXISTS temp.sizes")
        self._database.execute("CREATE TEMP TABLE sizes (size INTEGER PRIMARY KEY)")
        self._database.execute(
            "INSERT OR IGNORE INTO sizes SELECT size FROM seen WHERE side = ? AND size IS NOT NULL", (side,)
        )

    def note_digest(self, side: int, uid: int, digest: bytes) -> None:
        """The digest of a message's octets; ``b""`` if they are not given."""
        self._database.execute("UPDATE seen SET digest = ? WHERE side = ? AND uid = ?", (digest, side, uid))

    def equal_messages(self) -> Iterator[list[tuple[int, int]]]:
        """UIDs of messages with the same octets on both sides, in pages; of several equal ones, the first
        belong together, and so on."""
        digest = b""
        while rows := self._of_digests("digest > ?", f"LIMIT {BATCH}", digest):
            if len(rows) == BATCH:  # the last ones may have more equal ones
                last = rows[-1][0]
                rows = [row for row in rows if row[0] != last] or self._of_digests("digest = ?", "", last)
            digest = rows[-1][0]
            uids: dict[bytes, tuple[list[int], list[int]]] = {}
            for each, side, uid in rows:
                uids.setdefault(each, ([], []))[side].append(uid)
            yield [pair for ours, theirs in uids.values() for pair in zip(ours, theirs, strict=False)]

    def _of_digests(self, which: str, limit: str, digest: bytes) -> list[tuple[bytes, int, int]]:
        """Digest, side and UID of the new messages that have such digests."""
        known = "EXISTS (SELECT 1 FROM pair WHERE mailbox = ? AND seen.side = {0} AND uid{0} = seen.uid)"
        return self._rows(
            f"SELECT digest, side, uid FROM seen WHERE {which} AND NOT {known.format(0)}"
            f" AND NOT {known.format(1)} ORDER BY digest, side, uid {limit}",
            digest,
            self._id,
            self._id,
        )

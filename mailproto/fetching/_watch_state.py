"""What `watch` remembers: up to where messages were taken, and which ones by what they say."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mailproto.content import Content
from mailproto.fetching._database import StateFile

__all__ = ["Place", "WatchState", "print_of"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS place (validity INTEGER NOT NULL, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pending (uid INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS taken (print BLOB PRIMARY KEY) WITHOUT ROWID
"""
_FOLD = re.compile(rb"\r?\n(?=[ \t])")


class Place(NamedTuple):
    """Up to where messages were taken.

    :ivar validity: the mailbox's UIDVALIDITY.
    :ivar next: messages with this UID, or a greater one, are new.
    :ivar pending: lesser UIDs of messages that are new, too.
    """

    validity: int
    next: int
    pending: tuple[int, ...] = ()


class WatchState:
    """The state of one mailbox, in a file.  Its methods block."""

    def __init__(self, path: str | os.PathLike[str], source: str) -> None:
        self._file = StateFile(path, f"watching {source}", _SCHEMA)

    def open(self) -> None:
        """:raises mailproto.errors.StoreUnusable: the file cannot be used."""
        self._file.open()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def place(self) -> Place | None:
        """Up to where messages were taken; None before the first start."""
        rows = self._file.rows("SELECT validity, next FROM place")
        if not rows:
            return None
        pending = (uid for (uid,) in self._file.rows("SELECT uid FROM pending ORDER BY uid"))
        [(validity, following)] = rows
        return Place(validity, following, tuple(pending))

    def begin(self, place: Place, prints: Iterable[bytes]) -> None:
        """Set the place, and count the messages with these prints as taken."""
        with self._file.transaction() as database:
            database.execute("INSERT INTO place VALUES (?, ?)", (place.validity, place.next))
            database.executemany("INSERT OR IGNORE INTO taken VALUES (?)", ((each,) for each in prints))

    def renumber(self, validity: int, next: int, prints: Mapping[int, bytes | None]) -> None:
        """The mailbox has another UIDVALIDITY: what was not taken is new.

        :param prints: of all messages, by their UIDs; None for one that cannot be told from others.
        """
        with self._file.transaction() as database:
            taken = {print for (print,) in database.execute("SELECT print FROM taken")}
            pending = [uid for uid, print in prints.items() if print is None or print not in taken]
            database.execute("UPDATE place SET validity = ?, next = ?", (validity, next))
            database.execute("DELETE FROM pending")
            database.executemany("INSERT INTO pending VALUES (?)", ((uid,) for uid in pending))
            gone = taken.difference(print for print in prints.values() if print is not None)
            database.executemany("DELETE FROM taken WHERE print = ?", ((each,) for each in gone))

    def take(self, uids: Iterable[int], prints: Iterable[bytes] = ()) -> None:
        """Messages were taken, or are gone."""
        with self._file.transaction() as database:
            for uid in uids:
                database.execute("DELETE FROM pending WHERE uid = ?", (uid,))
                database.execute("UPDATE place SET next = ? WHERE next <= ?", (uid + 1, uid))
            database.executemany("INSERT OR IGNORE INTO taken VALUES (?)", ((each,) for each in prints))


def print_of(header: Content | None) -> bytes | None:
    """A fingerprint of some header fields, which is the same whatever the server makes of their form.

    :returns: 16 octets; None if there are no fields.
    """
    fields = []
    for line in _FOLD.sub(b"", bytes(header or b"")).splitlines():
        name, colon, value = line.partition(b":")
        if colon:
            fields.append(name.strip().lower() + b":" + b" ".join(value.split()))
    return hashlib.sha256(b"\n".join(sorted(fields))).digest()[:16] if fields else None

# ruff: noqa: S608 - every SQL text here is made of its own words alone
"""Threads in the database: gives threads to new messages, and removes threads without messages.

A thread's row has the number of its messages and the keys that lead to it
(`mailproto.backends._threading`), so that these can be removed from the index, ``thread_keys``, without a
search.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from mailproto.backends._threading import HASH_BITS, ThreadKeys, thread_keys
from mailproto.backends.sqlite._inserting import insert
from mailproto.content import Content, Octets
from mailproto.message import relations

__all__ = ["MAX_KEYS", "Threads", "drop_unused_threads", "give_threads", "join_threads", "leave_threads"]

MAX_KEYS = 256
"""The most keys of one thread.

If there are more, the oldest half is dropped.  So the size of the index is limited by the amount of mail,
even if a thread never ends.  Replies still find the thread, because they name the latest messages.
"""

_KEY_SIZE = 8
_STEP = 1000  # messages that are looked up together
_KEYS_AT_ONCE = 1000  # of unused threads


class Threads:
    """Gives threads to the messages of one transaction.

    :ivar last: the last id that a thread or a body got.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.last: int = connection.execute("SELECT last FROM object_ids").fetchone()[0]
        self._known: dict[int, int] = {}  # rows of thread_keys
        self._added: dict[int, int] = {}  # new ones
        self._of_body: dict[tuple[int, int], int] = {}
        self._begun: dict[int, list[Any]] = {}  # new threads' rows, by id
        self._joined: dict[int, list[Any]] = {}  # older threads: new messages and new keys

    def next_id(self) -> int:
        """A new id for a body or a thread, unique in this store."""
        self.last += 1
        return self.last

    def place(self, coming: Sequence[tuple[int, int, ThreadKeys]]) -> list[int]:
        """Give threads to new messages, each with its account, its body and its keys.

        All messages of one account that have one body are in one thread (RFC 8474 5.2).
        """
        self._look_up(coming)
        found = [self._add(*message) for message in coming]
        self._write()
        return found

    def _look_up(self, coming: Iterable[tuple[int, int, ThreadKeys]]) -> None:
        wanted = [account << HASH_BITS | key for account, _, keys in coming for key in keys.all()]
        if wanted:
            # A thread without messages does not count, although it has not been cleared away yet.
            rows = self._connection.execute(
                "SELECT key, thread FROM thread_keys"
                " CROSS JOIN threads ON threads.id = thread AND messages > 0"
                " WHERE key IN (SELECT value FROM json_each(?))",
                (str(wanted),),
            )
            self._known = dict(rows.fetchall())

    def _add(self, account: int, body: int, keys: ThreadKeys) -> int:
        known, own = self._known, account << HASH_BITS
        ids = [own | key for key in keys.ids]
        thread = self._of_body.get((account, body))
        if thread is None:
            for key in ids:
                if (thread := known.get(key)) is not None:
                    break
            else:
                if keys.joins_by_subject and keys.subject is not None:
                    thread = known.get(own | keys.subject)
            if thread is None:
                thread = self.next_id()
                self._begun[thread] = [thread, 0, []]
            self._of_body[account, body] = thread
        row = self._begun.get(thread) or self._joined.setdefault(thread, [thread, 0, []])
        row[1] += 1
        new = [key for key in ids if key not in known]
        # A subject's key leads to the latest thread with that subject.
        if keys.subject is not None and known.get(subject := own | keys.subject) != thread:
            new.append(subject)
        for key in new:
            known[key] = self._added[key] = thread
        row[2] += new
        return thread

    def _write(self) -> None:
        execute = self._connection.execute
        execute("UPDATE object_ids SET last = ?", (self.last,))
        for row in self._begun.values():
            for key in row[2][:-MAX_KEYS]:
                self._added.pop(key, None)
            row[2] = _packed(row[2][-MAX_KEYS:])
        insert(execute, "INSERT INTO threads (id, messages, keys)", list(self._begun.values()))
        # Sorted, so that neighbours on a page are written together.
        insert(execute, "INSERT OR REPLACE INTO thread_keys (key, thread)", sorted(self._added.items()))
        for thread, messages, keys in self._joined.values():
            [size] = execute(
                "UPDATE threads SET messages = messages + ?, keys = CAST(keys || ? AS BLOB) WHERE id = ?"
                " RETURNING length(keys)",
                (messages, _packed(keys), thread),
            ).fetchone()
            if size > MAX_KEYS * _KEY_SIZE:
                self._forget_oldest(thread)

    def _forget_oldest(self, thread: int) -> None:
        [packed] = self._connection.execute("SELECT keys FROM threads WHERE id = ?", (thread,)).fetchone()
        keys = _unpacked(packed)
        kept = keys[-MAX_KEYS // 2 :]
        _forget(self._connection, [(key, thread) for key in set(keys).difference(kept)])
        self._connection.execute("UPDATE threads SET keys = ? WHERE id = ?", (_packed(kept), thread))


def join_threads(connection: sqlite3.Connection, which: str, asked: tuple[object, ...]) -> None:
    """Count the messages that will be copied: those that match the condition ``which``."""
    _count(connection, "+", which, asked)


def leave_threads(connection: sqlite3.Connection, which: str, asked: tuple[object, ...]) -> None:
    """Count the messages that will be removed: those that match the condition ``which``."""
    _count(connection, "-", which, asked)


def drop_unused_threads(connection: sqlite3.Connection, limit: int) -> bool:
    """Remove up to ``limit`` threads without messages; returns whether there may be more.

    There are fewer if they have very many keys.
    """
    rows = connection.execute(
        "SELECT id, keys FROM threads INDEXED BY threads_unused WHERE messages = 0 LIMIT ?", (limit,)
    ).fetchall()
    keys: list[tuple[int, int]] = []
    dropped: list[tuple[int]] = []
    for id_, packed in rows:
        keys += [(key, id_) for key in _unpacked(packed)]
        dropped.append((id_,))
        if len(keys) > _KEYS_AT_ONCE:
            break
    _forget(connection, keys)
    connection.executemany("DELETE FROM threads WHERE id = ?", dropped)
    return len(dropped) < len(rows) or len(rows) == limit


def give_threads(connection: sqlite3.Connection) -> list[str]:
    """A migration: gives threads to old messages, in the order in which they arrived."""
    [path] = [row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main"]
    connection.execute(
        "CREATE TEMP TABLE unthreaded AS"
        " SELECT messages.body, mailboxes.account, messages.mailbox, messages.uid"
        " FROM messages JOIN mailboxes ON mailboxes.id = messages.mailbox"
    )
    connection.execute("CREATE INDEX temp.unthreaded_bodies ON unthreaded (body)")
    done = -1
    while True:
        [last] = connection.execute(
            "SELECT max(body) FROM (SELECT body FROM unthreaded WHERE body > ? ORDER BY body LIMIT ?)",
            (done, _STEP),
        ).fetchone()
        if last is None:
            break
        coming: list[tuple[int, int, ThreadKeys, int, int]] = []
        keys: dict[int, ThreadKeys] = {}
        for body, account, mailbox, uid, file, size, octets in connection.execute(
            "SELECT unthreaded.*, bodies.file, messages.size, contents.octets FROM unthreaded"
            " CROSS JOIN messages ON messages.mailbox = unthreaded.mailbox AND messages.uid = unthreaded.uid"
            " LEFT JOIN bodies ON bodies.id = unthreaded.body"
            " LEFT JOIN contents ON contents.body = unthreaded.body"
            " WHERE unthreaded.body > ? AND unthreaded.body <= ? ORDER BY unthreaded.body",
            (done, last),
        ):
            if body not in keys:
                content = (
                    Content.of_file(os.path.join(path + "-bodies", file), size) if file else octets or b""
                )
                keys[body] = _keys_of(content)
            coming.append((account, body, keys[body], mailbox, uid))
        threads = Threads(connection).place([message[:3] for message in coming])
        connection.executemany(
            "UPDATE messages SET thread = ? WHERE mailbox = ? AND uid = ?",
            [(thread, *message[3:]) for thread, message in zip(threads, coming, strict=True)],
        )
        done = last
    connection.execute("DROP TABLE unthreaded")
    return []


def _keys_of(content: Octets) -> ThreadKeys:
    try:
        return thread_keys(relations(content))
    except OSError:  # a message without its file gets its own thread
        return ThreadKeys((), None, joins_by_subject=False)


def _count(connection: sqlite3.Connection, sign: str, which: str, asked: tuple[object, ...]) -> None:
    connection.execute(
        f"UPDATE threads SET messages = threads.messages {sign} these.count FROM"
        f" (SELECT thread, count(*) AS count FROM messages WHERE {which} GROUP BY thread) AS these"
        " WHERE threads.id = these.thread",
        asked,
    )


def _forget(connection: sqlite3.Connection, keys: Sequence[tuple[int, int]]) -> None:
    # A subject's key may lead to another thread by now.
    connection.executemany("DELETE FROM thread_keys WHERE key = ? AND thread = ?", keys)


def _packed(keys: Sequence[int]) -> bytes:
    return struct.pack(f">{len(keys)}q", *keys)


def _unpacked(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(packed) // _KEY_SIZE}q", packed)

"""Decides which messages of an account form a thread (THREADID, RFC 8474 5.2), for all backends.

A message's thread is decided when it arrives, and never changes: if a later message connects two threads,
they stay two.  A message joins the thread of the first of these that the account knows:

1. its own Message-ID, from another copy of it, or from a reply that arrived earlier;
2. its ancestors in In-Reply-To and References, the nearest first; an ancestor may be known only from
another message's references;
3. if it names no ancestor, and its subject is that of a reply or a forwarded message: the latest message
with the same base subject (RFC 5256 2.1).

Otherwise it begins a new thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from mailproto.message import Relations

__all__ = ["HASH_BITS", "AccountThreads", "ThreadKeys", "thread_keys"]


HASH_BITS = 40
"""The bits of a key: in an account of 100,000 messages, one of ten million new messages joins a wrong
thread."""


class ThreadKeys(NamedTuple):
    """The keys by which a message finds its thread, and is found later: hashes of `HASH_BITS`.

    They need not be secret, because an attacker can put a message into a thread just by naming a
    Message-ID.

    :ivar ids: hashes of Message-IDs: its own if it has one, then those of its ancestors, the nearest first.
    :ivar subject: the hash of the base subject; None if that is empty.
    :ivar joins_by_subject: whether ``subject`` is used if no id is known.
    """

    ids: tuple[int, ...]
    subject: int | None
    joins_by_subject: bool

    def all(self) -> tuple[int, ...]:
        """Every key."""
        return self.ids if self.subject is None else (*self.ids, self.subject)

    def find(self, known: Callable[[int], int | None]) -> int | None:
        """The thread to join, or None for a new one.

        :param known: returns the thread of a key, or None.
        """
        for key in self.ids:
            if (thread := known(key)) is not None:
                return thread
        return known(self.subject) if self.joins_by_subject and self.subject is not None else None


class AccountThreads:
    """The threads of one account, in memory.

    :param next_id: returns a new, unique id.
    """

    def __init__(self, next_id: Callable[[], int]) -> None:
        self._next_id = next_id
        self._by_key: dict[int, int] = {}
        self._keys: dict[int, list[int]] = {}
        self._messages: Counter[int] = Counter()

    def add(self, keys: ThreadKeys, thread: int | None = None) -> int:
        """Add a new message; returns its thread, which is ``thread`` if that is given."""
        if thread is None:
            thread = keys.find(self._by_key.get)
        if thread is None:
            thread = self._next_id()
        self._messages[thread] += 1
        leading = self._keys.setdefault(thread, [])
        for key in keys.all():
            if key not in self._by_key or (key == keys.subject and self._by_key[key] != thread):
                self._by_key[key] = thread
                leading.append(key)
        return thread

    def count(self, thread: int, messages: int) -> None:
        """Count messages of a thread that were copied, or removed (negative)."""
        self._messages[thread] += messages
        if not self._messages[thread]:
            del self._messages[thread]
            for key in self._keys.pop(thread):
                if self._by_key.get(key) == thread:
                    del self._by_key[key]


def thread_keys(relations: Relations) -> ThreadKeys:
    """The keys of a message."""
    own, ancestors, subject, is_reply = relations
    ids = ancestors[::-1] if own is None or own in ancestors else (own, *ancestors[::-1])
    return ThreadKeys(
        tuple(_hash(b"<" + each) for each in ids),
        _hash(b"=" + subject.encode("utf-8", "surrogatepass")) if subject else None,
        is_reply and not ancestors,
    )


def _hash(octets: bytes) -> int:
    return int.from_bytes(blake2b(octets, digest_size=HASH_BITS // 8).digest(), "big")

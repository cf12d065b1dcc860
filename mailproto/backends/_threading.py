"""Which messages of one account are one conversation (THREADID, RFC 8474 5.2), as every backend decides it.

A message's thread is decided when it comes, and never changes: threads that a later message connects
stay two.  It joins the thread of the first of these that the account knows:

1. its own Message-ID: another copy of it, or an answer to it that came first;
2. its ancestors in In-Reply-To and References, the nearest first: they may be missing, if another
   message has named them;
3. where it names no ancestor and its subject says that it is a reply or forwarded: the message with
   that base subject (RFC 5256 2.1) that came last.

Otherwise it begins a thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from mailproto.message import Relations

__all__ = ["HASH_BITS", "AccountThreads", "ThreadKeys", "thread_keys"]


HASH_BITS = 40
"""Of a key: in an account of 100,000 messages, one of ten million that come is taken for an answer to
a message that it has nothing to do with."""


class ThreadKeys(NamedTuple):
    """What a message is looked up by, and found by later: hashes of `HASH_BITS`.

    They are no secret, because an attacker who wants a message in a thread simply names its Message-ID.

    :ivar ids: of Message-IDs: its own if it has one, then its ancestors', the nearest first.
    :ivar subject: of the base subject; None where that is empty.
    :ivar joins_by_subject: whether ``subject`` counts, if no id is known.
    """

    ids: tuple[int, ...]
    subject: int | None
    joins_by_subject: bool

    def all(self) -> tuple[int, ...]:
        """Every key."""
        return self.ids if self.subject is None else (*self.ids, self.subject)

    def find(self, known: Callable[[int], int | None]) -> int | None:
        """The thread to join, or None.

        :param known: the thread of a key, or None.
        """
        for key in self.ids:
            if (thread := known(key)) is not None:
                return thread
        return known(self.subject) if self.joins_by_subject and self.subject is not None else None


class AccountThreads:
    """The threads of one account, in memory.

    :param next_id: gives ids that no other thing has.
    """

    def __init__(self, next_id: Callable[[], int]) -> None:
        self._next_id = next_id
        self._by_key: dict[int, int] = {}
        self._keys: dict[int, list[int]] = {}
        self._messages: Counter[int] = Counter()

    def add(self, keys: ThreadKeys, thread: int | None = None) -> int:
        """The thread of a message that comes: ``thread``, if that is known."""
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
        """Messages of a thread were copied, or (negative) removed."""
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

"""The limits of keywords, and caches of flags that no client can fill without end."""

from __future__ import annotations

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MAX_KEYWORDS_OCTETS, MemoryStore, SimpleMailbox, _keywords, check_keywords
from mailproto.backends.sqlite import _flagbits
from mailproto.errors import OverQuota
from mailproto.model import FlagChange, FlagOperation, NewMessage
from tests.imap.server.dialogue import run


def setting(*flags: str) -> FlagChange:
    return FlagChange(FlagOperation.SET, frozenset(flags))


class MessageLimitTests(SynchronousTestCase):
    def test_octets_of_one_message(self) -> None:
        names = [f"{number:02}".ljust(200, "x") for number in range(MAX_KEYWORDS_OCTETS // 200)]
        flags = frozenset([*names, "\\Seen"])
        self.assertIs(check_keywords(flags), flags)
        self.assertRaises(OverQuota, check_keywords, flags | {"y"})


class MailboxLimitTests(SynchronousTestCase):
    """A mailbox with up to four keywords, and six in its combinations."""

    def setUp(self) -> None:
        self.patch(_keywords, "MAX_MAILBOX_KEYWORDS", 4)
        self.patch(_keywords, "MAX_COMBINED_KEYWORDS", 6)
        self.mailbox = self.make()
        run(self.mailbox.append([NewMessage(b"x")] * 3))

    def make(self) -> SimpleMailbox:
        return SimpleMailbox()

    def store(self, uid: int, *flags: str) -> None:
        run(self.mailbox.store([uid], setting(*flags)))

    def test_different_keywords(self) -> None:
        self.store(1, "a", "b", "c")
        self.store(2, "d", "\\Seen")
        before = run(self.mailbox.changes_since(0))
        self.assertRaises(OverQuota, self.store, 3, "e")
        with self.assertRaises(OverQuota):
            run(self.mailbox.append([NewMessage(b"x", frozenset({"e"}))]))
        self.assertEqual(run(self.mailbox.changes_since(0)), before)
        self.store(3, "d")

    def test_combinations(self) -> None:
        self.store(1, "a", "b", "c")
        self.store(2, "a", "b")
        self.store(3, "c")
        self.assertRaises(OverQuota, self.store, 3, "a")
        self.store(3, "\\Flagged", "c")
        self.store(3)

    def test_what_is_no_longer_there_is_forgotten_after_a_while(self) -> None:
        self.store(1, "a", "b", "c", "d")
        self.store(1)
        self.assertRaises(OverQuota, self.store, 1, "e")
        self.patch(_keywords, "_AGE", 0.0)
        self.store(1, "e", "f", "g", "h")
        self.assertRaises(OverQuota, self.store, 2, "e", "f", "i")


class MemoryMailboxLimitTests(MailboxLimitTests):
    def make(self) -> SimpleMailbox:
        store = MemoryStore()
        run(store.directory.add("alice", ""))
        self.account = run(store.account("alice"))
        return run(self.account.open("INBOX"))

    def test_copies(self) -> None:
        sent = run(self.account.open("Sent"))
        self.store(1, "a", "b", "c", "d")
        run(self.mailbox.copy([1], sent))
        self.store(1)
        self.patch(_keywords, "_AGE", 0.0)
        self.store(1, "e")
        self.patch(_keywords, "_AGE", 60.0)
        with self.assertRaises(OverQuota):
            run(self.mailbox.copy([1, 2], sent))
        self.assertEqual(run(sent.status()).messages, 1)


class CacheTests(SynchronousTestCase):
    def test_combinations_of_keywords_in_the_database(self) -> None:
        known = _flagbits._Known()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(2000):
            known[0, " ".join(f"{number}-{other}".ljust(200, "x") for other in range(10))]
        self.assertLess(tracemalloc.get_traced_memory()[1], 2 * _flagbits.KNOWN)
        self.assertEqual(known[1 << 4, "a b"] - {"a", "b"}, known[1 << 4, ""])

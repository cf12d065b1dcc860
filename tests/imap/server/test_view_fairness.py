"""What a session's view costs others: time, and memory."""

from __future__ import annotations

import sys
import tracemalloc
from bisect import bisect_left
from typing import Any

from mailproto.backends import SimpleMailbox
from mailproto.backends import _keywords as _keywords_module
from mailproto.connection._line import line_of
from mailproto.imap.server import _columns, _flag_sets
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import SequenceSet
from mailproto.model import FlagChange, FlagColumns, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run

MANY = 10_000
PAUSES = 4
"""How often a command of `MANY` messages lets others have their turn, at least."""

ADD_SEEN = FlagChange(FlagOperation.ADD, frozenset({"\\Seen"}))
ADD_DELETED = FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))


class TurnTests(DialogueTestCase):
    """A mailbox of `MANY` messages, and a clock on which every 2000 of them take all the time there is."""

    def setUp(self) -> None:
        super().setUp()
        self.fill(MANY)
        run(self.inbox.claim_recent())

    def turns_of(self, command: bytes, client: Any) -> int:
        """How many turns others have while a command runs."""
        turns = self.slow_clock(0.005)
        client.send(b"a %b\r\n" % command)
        answer = b""
        for _ in range(1000):
            answer += client.received()
            if b"\na " in b"\n" + answer:
                break
            self.clock.advance(0)
        self.assertIn(b"a OK", answer)
        del self.clock.seconds, self.clock.callLater
        return len(turns)

    def test_commands_on_all_messages(self) -> None:
        client = self.sign_in(select="Sent")
        for command in (
            b"SELECT INBOX",
            b"EXAMINE INBOX",
            b"SELECT INBOX",
            b"STORE 1:* +FLAGS.SILENT (\\Flagged)",
            b"STORE 1:* +FLAGS (\\Seen)",
            b"UID STORE 1:* +FLAGS (Later)",
            b"UID COPY 1:* Sent",
            b"STORE 1:* +FLAGS.SILENT (\\Deleted)",
            b"EXPUNGE",
            b"SELECT Sent",
            b"MOVE 1:* Trash",
        ):
            self.assertGreaterEqual(self.turns_of(command, client), PAUSES, command)

    def test_sets_of_many_ranges(self) -> None:
        """Each range is looked for, and the set has just been read."""
        looked = [0]

        async def pause() -> None:
            looked.append(0)

        def counted(uids: Any, uid: int) -> int:
            looked[-1] += 1
            return bisect_left(uids, uid)

        self.patch(_columns, "bisect_left", counted)
        columns = _columns.MessageColumns(pause)
        uids = range(1, 2 * MANY)
        run(columns.take(FlagColumns(uids, [frozenset()] * len(uids), uids)))
        looked[:] = [0]
        for is_uid, number in ((True, MANY), (False, 0)):
            odd = SequenceSet(tuple((uid, uid) for uid in uids[::2]))
            self.assertEqual(list(run(columns.indexes(odd, uid=is_uid))), list(range(0, 2 * MANY, 2)))
            self.assertEqual((looked[0], sum(looked)), (0, number))
            self.assertLessEqual(max(looked), 2000)
            looked[:] = [0]
        self.assertEqual(list(run(columns.indexes(SequenceSet(((1, 2),)), uid=True))), [0, 1])
        self.assertEqual(looked, [1])

    def test_what_reads_much_lets_others_go_first(self) -> None:
        """Many clients who ask at once would else all be served before somebody's NOOP."""
        for number in range(20):
            run(run(self.store.account("alice")).create(f"Mailbox {number}"))
        for command in (
            b"FETCH 1:50 ENVELOPE",
            b"UID FETCH 1:50 BODY.PEEK[]",
            b'LIST "" *',
            b'LSUB "" *',
            b"SELECT INBOX",
            b"EXAMINE INBOX",
            b"SEARCH SINCE 1-Jan-2020",
            b"STORE 1:50 +FLAGS.SILENT (a)",
            b"UID STORE 1:50 +FLAGS (b)",
            b"COPY 1:50 Sent",
            b"UID MOVE 1:50 Sent",
            b"UID EXPUNGE 1:50",
            b"EXPUNGE",
            b"CLOSE",
        ):
            client = self.sign_in(select="INBOX")
            line_of(self.clock).input_waits = True
            client.send(b"a %b\r\n" % command)
            self.assertEqual(client.received(), b"", command)
            line_of(self.clock).input_waits = False
            self.clock.pump([0] * 30)
            self.assertIn(b"a OK", client.received(), command)

    def test_changes_of_all_messages_by_others(self) -> None:
        client = self.sign_in(select="INBOX")
        everything = list(range(1, MANY + 1))
        run(self.inbox.store(everything, ADD_SEEN))
        self.assertGreaterEqual(self.turns_of(b"NOOP", client), PAUSES)
        run(self.inbox.store(everything, FlagChange(FlagOperation.ADD, frozenset({"Later"}))))
        self.inbox.remove(range(1, MANY, 2))
        self.fill(MANY)
        self.assertGreaterEqual(self.turns_of(b"NOOP", client), 3 * PAUSES)
        self.inbox.remove(range(1, 3 * MANY))
        self.assertGreaterEqual(self.turns_of(b"NOOP", client), PAUSES)

    def test_who_hangs_up_is_not_served_any_more(self) -> None:
        looks: list[int] = []
        changes_since = self.inbox.changes_since

        async def costly(modseq: int) -> Any:
            looks.append(modseq)
            return await changes_since(modseq)

        self.patch_method(self.inbox, "changes_since", lambda inbox, modseq: costly(modseq))
        client = self.sign_in()
        self.slow_clock(0.005)
        client.send(b"a EXAMINE INBOX\r\n" * 100)
        client.transport.drop()
        for _ in range(100):
            self.clock.advance(0)
        self.assertLess(len(looks), 5)


class SizeTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.mailbox = SimpleMailbox()
        for _ in range(MANY):
            self.mailbox.add(b"x")
        self.view = MailboxView(self.mailbox)
        run(self.view.load())

    def growth(self, act: Any) -> int:
        """The most octets that ``act()`` takes in addition."""
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        act()
        return tracemalloc.get_traced_memory()[1] - before

    def test_twelve_octets_a_message(self) -> None:
        size = sys.getsizeof(self.view.uids) + sys.getsizeof(self.view.flags)
        self.assertLess(size, 13 * MANY)  # lists and arrays have some room at their end

    def test_removed_messages_take_an_octet(self) -> None:
        everything = range(1, MANY + 1)
        self.assertLess(self.growth(lambda: run(self.view.vanish(everything))), 3 * MANY)
        self.assertEqual(len(self.view.gone), MANY)
        self.assertEqual(list(self.view.gone), list(everything))
        self.assertIn(MANY, self.view.gone)
        self.assertNotIn(MANY + 1, self.view.gone)

    def test_keywords_come_and_go(self) -> None:
        def act() -> None:
            for number in range(3000):
                names = frozenset({f"{number}-{other}" for other in range(10)})
                stored = run(self.mailbox.store([1], FlagChange(FlagOperation.SET, names)))
                run(self.view.apply(FlagChange(FlagOperation.SET, names), stored.changed, silent=False))
                self.view.flags_at([0])

        self.patch(_keywords_module, "MAX_MAILBOX_KEYWORDS", 1 << 20)
        self.patch(_keywords_module, "MAX_COMBINED_KEYWORDS", 1 << 20)
        kept = self.mailbox._state.keywords
        self.patch(type(kept), "check", lambda *_: None)
        self.assertLess(self.growth(act), 4 << 20)
        self.assertEqual(len(self.view.keywords), _flag_sets.KEYWORDS)

    def test_a_session_that_is_behind_reads_what_has_changed_once(self) -> None:
        """What is marked as changed stays so until it is told."""
        writer = ViewWriter(self.view)
        run(writer.describe(run(self.mailbox.status())))
        run(self.mailbox.store([2, 4], ADD_SEEN))
        run(self.view.look())
        run(self.mailbox.store([4, 6], ADD_DELETED))

        async def told() -> bytes:
            return b"".join([piece async for piece in writer.updates(expunges=True)])

        numbers = [line.split()[0] for line in run(told()).split(b"* ")[1:]]
        self.assertEqual(numbers, [b"2", b"4", b"6"])
        self.assertEqual(run(told()), b"")

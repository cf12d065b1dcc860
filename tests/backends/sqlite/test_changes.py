"""Many changes are read once for all who ask, and limits of keywords hold in every way into a mailbox."""

from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore, _keywords
from mailproto.backends.sqlite import _changes, _changing, _long_changes, _reading
from mailproto.errors import NoSuchMailbox, OverQuota
from mailproto.model import FlagChange, FlagOperation, NewMessage, Placement

reactor: Any = installed

ALICE = "alice@example.org"
COUNT = 20
ALL = list(range(1, COUNT + 1))


async def turn_of_reactor():
    """Wait for the reactor's next turn."""
    turn: Deferred[None] = Deferred()
    reactor.callFromThread(turn.callback, None)
    await turn


def adding(*flags):
    return FlagChange(FlagOperation.ADD, frozenset(flags))


class ChangesTestCase(TestCase):
    async def setUp(self):
        self.patch(_changes, "FEW", 2)
        self.patch(_changes, "PIECE", 4)
        self.store = SQLiteStore(self.mktemp(), reactor=reactor)  # type: ignore[arg-type]
        await self.store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.stop()))
        await self.store.directory.add(ALICE, "hash")
        self.account = await self.store.account(ALICE)
        self.inbox = await self.account.open("INBOX")
        await self.inbox.append([NewMessage(b"x")] * COUNT)


class OrderTests(ChangesTestCase):
    async def test_no_answer_is_older_than_the_one_before(self):
        """A commit can be read before this thread is told of it; SELECT with QRESYNC reads twice."""
        self.patch(_changes, "FEW", 1000)
        before = (await self.inbox.status()).modseq
        await self.inbox.store([1], adding("\\Deleted"))
        await self.inbox.changes_since(before)  # is remembered
        self.store._database.writer._batch_ended = lambda: None  # this thread is not told yet
        await self.inbox.expunge([1])
        now = await self.inbox.changes_since(0)
        self.assertNotIn(1, now.changed.uids)
        again = await self.inbox.changes_since(before)
        self.assertEqual((list(again.vanished), again.modseq), ([1], now.modseq))
        self.assertEqual((await self.inbox.status()).messages, COUNT - 1)


class SharingTests(ChangesTestCase):
    async def setUp(self):
        await super().setUp()
        self.pieces = 0
        read = _changes._piece

        def counted(*arguments):
            self.pieces += 1
            return read(*arguments)

        self.patch(_changes, "_piece", counted)

    def ask(self, modseq=0):
        return Deferred.fromCoroutine(self.inbox.changes_since(modseq))

    async def test_who_asks_at_the_same_time_gets_the_same_answer(self):
        answers = await gatherResults([self.ask() for _ in range(5)])
        self.assertEqual(self.pieces, COUNT // 4 + 1)
        self.assertEqual([each.uid for each in answers[0].changed], ALL)
        self.assertTrue(all(answer is answers[0] for answer in answers))

    async def test_a_few_changes_are_remembered(self):
        self.patch(_changes, "FEW", 100)
        self.patch(_changes, "_SMALL", 3)
        self.patch(_changes, "_REMEMBERED", 2)
        since = [(await self.inbox.status()).modseq]
        for flag in ("a", "b", "c"):
            await self.inbox.store(ALL[:10], adding(flag))
            since.append((await self.inbox.status()).modseq)
        first = await self.ask(since[0])
        self.assertEqual([each.uid for each in first.changed], ALL[:10])
        self.assertIs(await self.ask(since[0]), first)
        await self.ask(since[1])
        await self.ask(since[2])
        self.assertIsNot(await self.ask(since[0]), first)
        await self.inbox.store([20], adding("a"))
        self.assertEqual(len((await self.ask(since[0])).changed), 11)

    async def test_who_asks_later_reads_anew(self):
        await self.ask()
        await self.ask()
        self.assertEqual(self.pieces, 2 * (COUNT // 4 + 1))

    async def test_who_asks_after_a_change_is_told_of_it(self):
        first = self.ask()
        await self.inbox.store([1], adding("\\Seen"))
        second = await self.ask()
        self.assertIn("\\Seen", second.changed[0].flags)
        self.assertGreater(second.modseq, (await first).modseq)

    async def test_the_first_who_asked_may_go(self):
        first, second = self.ask(), self.ask()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(len((await second).changed), COUNT)

    async def test_those_who_wait_are_answered_in_turns(self):
        """Each of them then takes milliseconds to take the answer in."""
        answered = []
        for number in range(9):
            self.ask().addCallback(lambda _, number=number: answered.append(number))
        most = 0
        while len(answered) < 9:
            before = len(answered)
            await turn_of_reactor()
            most = max(most, len(answered) - before)
        self.assertEqual((answered, most), (list(range(9)), 1))

    async def test_who_goes_while_others_are_answered(self):
        asked = [self.ask() for _ in range(5)]
        asked[1].addCallback(lambda _: [one.cancel() for one in (asked[2], asked[4])])
        for gone in (asked[2], asked[4]):
            gone.addErrback(lambda failure: failure.trap(CancelledError))
        await gatherResults(asked)
        self.assertEqual(self.inbox._database.changes._waiting, {})

    async def test_what_is_read_at_first_lets_others_go_before(self):
        """Fifty sessions that STORE or EXPUNGE at once would else be served before somebody's NOOP."""
        self.patch(_long_changes, "FIRST", 2)
        reads = []
        read = self.inbox._database.read
        self.inbox._database.read = lambda work, *arguments: (reads.append(work), read(work, *arguments))[1]
        await self.inbox.store(ALL, adding("\\Deleted"))
        for act in (lambda: self.inbox.store(ALL, adding("x")), lambda: self.inbox.expunge()):
            reads.clear()
            done = Deferred.fromCoroutine(act())
            self.assertFalse({_reading._flag_columns, _reading._deleted_after} & {*reads})
            await done
            self.assertTrue({_reading._flag_columns, _reading._deleted_after} & {*reads})

    async def test_an_error_is_everybodys(self):
        def gone(*arguments):
            raise NoSuchMailbox

        self.patch(_changes, "_piece", gone)
        for answer in [self.ask() for _ in range(3)]:
            with self.assertRaises(NoSuchMailbox):
                await answer

    async def test_keywords_are_of_their_messages(self):
        await self.inbox.store(ALL[1::3], adding("later", "\\Seen"))
        await self.inbox.store(ALL[2::5], adding("now"))
        later, now = {"later", "\\Seen"}, {"now"}
        expected = {
            uid: (later if uid in ALL[1::3] else set()) | (now if uid in ALL[2::5] else set()) for uid in ALL
        }
        self.assertEqual({each.uid: each.flags for each in (await self.ask()).changed}, expected)

    async def test_forgotten_tombstones_are_runs(self):
        self.patch(_changing, "TOMBSTONES", 1)
        since = (await self.inbox.status()).modseq
        for uid in (2, 5, 6, 11, 20):
            await self.inbox.store([uid], adding("\\Deleted"))
            await self.inbox.expunge()
        self.assertEqual(list((await self.ask(since)).vanished), [2, 5, 6, 11, 20])


class KeywordLimitTests(ChangesTestCase):
    """A mailbox with up to four keywords."""

    async def setUp(self):
        await super().setUp()
        self.patch(_keywords, "MAX_MAILBOX_KEYWORDS", 4)
        await self.inbox.store(ALL, adding("a", "b", "c", "d"))

    async def refused(self, coroutine):
        with self.assertRaises(OverQuota):
            await coroutine

    async def test_store(self):
        await self.refused(self.inbox.store([1], adding("e")))
        await self.inbox.store([1], FlagChange(FlagOperation.REMOVE, frozenset({"a"})))

    async def test_append_and_delivery(self):
        await self.refused(self.inbox.append([NewMessage(b"x", frozenset({"e"}))]))
        await self.inbox.append([NewMessage(b"x", frozenset({"a"}))])
        wrong, right = await self.store.deliver(
            b"x", [Placement(ALICE, "INBOX", frozenset({"e"})), Placement(ALICE, "Trash", frozenset({"e"}))]
        )
        self.assertIsInstance(wrong, OverQuota)
        self.assertEqual(right.uid, 1)
        self.assertEqual((await self.inbox.status()).messages, COUNT + 1)

    async def test_copy_and_move(self):
        trash = await self.account.open("Trash")
        await trash.append([NewMessage(b"x", frozenset({"e"}))])
        await self.refused(trash.copy([1], self.inbox))
        await self.refused(trash.move([1], self.inbox))
        self.assertEqual((await trash.status()).messages, 1)

    async def test_a_store_that_is_opened_again_knows_them(self):
        self.store._database.writer._keywords._known.clear()
        await self.refused(self.inbox.store([1], adding("e")))

"""Sessions that know the same of a mailbox share what they keep of it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from hypothesis import given, settings
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends._simple import SimpleMailbox
from mailproto.imap.server import _columns, _shared_columns
from mailproto.imap.server._columns import MessageColumns
from mailproto.imap.server._shared_columns import Shared, Sharing
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.model import FlagColumns
from tests.imap.server.dialogue import DialogueTestCase, run
from tests.imap.server.test_view import STEPS, Believing

SEEN, FLAGGED = frozenset({"\\Seen"}), frozenset({"\\Flagged"})


def columns(uids: Sequence[int], *flags: frozenset[str]) -> FlagColumns:
    """With the flags of the first messages; the others have none."""
    return FlagColumns(array("I", uids), [*flags, *[frozenset[str]()] * len(uids)][: len(uids)], uids)


class ColumnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(_columns, "SHARED_FROM", 1)
        self.patch(_shared_columns, "_AT_ONCE", 2)
        self.sharing = Sharing(Clock())

    def view(self, uids: Sequence[int] = range(1, 6), *flags: frozenset[str]) -> MessageColumns:
        view = MessageColumns(sharing=self.sharing)
        self.take(view, uids, *flags)
        return view

    def take(self, view: MessageColumns, uids: Sequence[int], *flags: frozenset[str]) -> None:
        run(view.take(columns(uids, *flags)))
        run(view.share())

    def assert_shared(self, *views: MessageColumns) -> None:
        self.assertEqual({id(view.uids) for view in views}, {id(views[0].uids)})
        self.assertEqual({id(view.flags) for view in views}, {id(views[0].flags)})

    def test_equal_ones(self) -> None:
        first, second = self.view(), self.view()
        self.assert_shared(first, second)
        self.assertEqual(list(second.uids), [1, 2, 3, 4, 5])

    def test_not_others(self) -> None:
        first = self.view()
        for uids, flags in (((1, 2, 3, 4), ()), ((1, 2, 3, 4, 6), ()), ((1, 2, 3, 4, 5), (SEEN,))):
            other = self.view(uids, *flags)
            self.assertEqual((tuple(other.uids), other.flags[0]), (uids, flags[0] if flags else frozenset()))
            self.assertEqual((list(first.uids), first.flags[0]), ([1, 2, 3, 4, 5], frozenset()))

    def test_what_one_learns_others_do_not_know(self) -> None:
        first, second = self.view(), self.view()
        self.take(first, [1, 6], SEEN)
        self.assertEqual((list(first.uids), first.flags[0]), ([1, 2, 3, 4, 5, 6], SEEN))
        self.assertEqual((list(second.uids), second.flags[0]), ([1, 2, 3, 4, 5], frozenset()))

    def test_new_messages_are_taken_by_all_at_once(self) -> None:
        views = [self.view() for _ in range(3)]
        for view in views:
            self.assertTrue(view.take_new(columns([6, 8], SEEN), 8))
        self.assert_shared(*views)
        self.assertEqual(list(views[0].uids), [1, 2, 3, 4, 5, 6, 8])
        self.assertEqual((views[0].flags[5], views[0].flags[6]), (SEEN, frozenset()))
        shared = views[0]._shared
        assert shared is not None
        self.assertEqual((shared.views, shared.uids_of.holders), (3, 3 + 1), "as if each had compared them")
        self.assert_shared(*views, self.view([1, 2, 3, 4, 5, 6, 8], *[frozenset[str]()] * 5, SEEN))

    def test_but_not_by_one_who_takes_others(self) -> None:
        for uids, flags in (([7], ()), ([6, 7], ()), ([6], (FLAGGED,))):
            first, second, third = self.view(), self.view(), self.view()
            self.assertTrue(first.take_new(columns([6], SEEN), 6))
            self.assertTrue(second.take_new(columns(uids, *flags), 7))
            self.assertEqual((list(first.uids), first.flags[5]), ([1, 2, 3, 4, 5, 6], SEEN))
            self.assertEqual(list(second.uids), [1, 2, 3, 4, 5, *uids])
            self.assertEqual(second.flags[5], flags[0] if flags else frozenset())
            self.assertEqual(list(third.uids), [1, 2, 3, 4, 5])

    def test_nor_if_some_are_known(self) -> None:
        view = self.view()
        self.assertFalse(view.take_new(columns([5, 6]), 6))
        self.assertEqual(list(view.uids), [1, 2, 3, 4, 5])

    def test_modseqs_are_kept_for_new_messages_too(self) -> None:
        view = MessageColumns(modseqs=True)
        self.take(view, [1, 2])
        self.assertTrue(view.take_new(FlagColumns(array("I", [3, 4]), [SEEN, SEEN], [7, 9]), 8))
        self.assertEqual(view.modseqs, array("Q", [0, 0, 7, 8]))

    def test_those_that_know_the_same_messages_share_the_uids(self) -> None:
        """Which take a third of the memory, whatever the flags are, and whoever has changed them."""
        first, second, third = self.view(), self.view(), self.view(range(1, 6), FLAGGED)
        self.take(first, [1], SEEN)
        self.assertEqual({id(view.uids) for view in (first, second, third)}, {id(first.uids)})
        self.assertEqual([view.flags[0] for view in (first, second, third)], [SEEN, frozenset(), FLAGGED])

    def test_until_one_learns_of_others(self) -> None:
        views = [self.view(range(1, 6), flags) for flags in (SEEN, FLAGGED, frozenset[str]())]
        for number, view in enumerate(views, 6):
            self.take(view, [number])
        self.assertEqual([list(view.uids) for view in views], [[1, 2, 3, 4, 5, n] for n in (6, 7, 8)])

    def test_or_while_they_are_compared(self) -> None:
        first = self.view()
        second = MessageColumns(self.pause, self.sharing)
        self.paused = lambda: self.take(first, [6])
        self.take(second, range(1, 6))
        self.assertEqual((list(first.uids), list(second.uids)), ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5]))

    def test_they_are_shared_again_when_both_know(self) -> None:
        first, second = self.view(), self.view()
        self.take(first, [1, 6], SEEN)
        self.take(second, [1, 6], SEEN)
        self.assert_shared(first, second)
        self.assertEqual(list(map(list, second.take_changed())), [[0]], "it is still to be told")

    def test_expunged_ones(self) -> None:
        first, second = self.view(), self.view()
        for view in (first, second):
            run(view.vanish([2]))

            async def expunge(view: MessageColumns = view) -> list[list[int]]:
                return [numbers async for numbers, _ in view.expunge()]

            self.assertEqual(run(expunge()), [[2]])
        self.assert_shared(first, second)
        self.assertEqual(list(first.uids), [1, 3, 4, 5])

    def test_one_that_is_alone_copies_nothing(self) -> None:
        view = self.view()
        uids, flags = view.uids, view.flags
        self.take(view, [6])
        self.assertIs(view.uids, uids)
        self.assertIs(view.flags, flags)
        self.assertEqual(list(self.view(range(1, 7)).uids), [1, 2, 3, 4, 5, 6])

    def test_small_mailboxes_are_not_looked_at(self) -> None:
        self.patch(_columns, "SHARED_FROM", 6)
        self.assertIsNot(self.view().uids, self.view().uids)

    def test_keywords_are_known(self) -> None:
        self.view([1, 2], frozenset({"$Work"}))
        self.assertEqual(list(self.view([1, 2], frozenset({"$Work"})).keywords), ["$Work"])

    def test_others_may_change_theirs_while_they_are_compared(self) -> None:
        first = self.view()
        second = MessageColumns(self.pause, self.sharing)
        self.paused = lambda: self.take(first, [1], SEEN)
        self.take(second, range(1, 6))
        self.assertEqual((first.flags[0], second.flags[0]), (SEEN, frozenset()))

    async def pause(self) -> None:
        paused, self.paused = self.paused, lambda: None
        paused()


class SharedTests(SynchronousTestCase):
    def test_each_mailbox_has_its_own_as_long_as_somebody_has_it(self) -> None:
        shared = Shared(Clock())
        one = shared.of("alice", "INBOX", 1)
        self.assertIs(shared.of("alice", "INBOX", 1), one)
        for other in (("bob", "INBOX", 1), ("alice", "Sent", 1), ("alice", "INBOX", 2)):
            self.assertIsNot(shared.of(*other), one)
        del one
        self.assertEqual(len(shared._sharing), 0)

    def test_one_view_at_a_time_changes_its_own(self) -> None:
        clock = Clock()
        sharing = Sharing(clock)
        begun = [Deferred.fromCoroutine(sharing.begin()) for _ in range(3)]
        for number in (1, 2, 3):
            self.assertEqual(sum(one.called for one in begun), number)
            sharing.end()
            clock.advance(0)
        self.assertTrue(Deferred.fromCoroutine(sharing.begin()).called)


class ConsistencyTests(Believing):
    """Two views of one mailbox that share: each client knows what it was told."""

    def setUp(self) -> None:
        self.patch(_columns, "SHARED_FROM", 1)
        self.patch(_shared_columns, "_AT_ONCE", 2)

    def viewed(self, mailbox: SimpleMailbox) -> MailboxView:
        sharing = Sharing(Clock())
        view, self.other = (MailboxView(mailbox, sharing=sharing) for _ in range(2))
        run(view.load())
        run(self.other.load())
        return view

    async def told(self, view: MailboxView, *, expunges: bool) -> bytes:
        answer = await super().told(view, expunges=expunges)
        await super().told(self.other, expunges=True)
        return answer

    @settings(max_examples=100, deadline=None)
    @given(STEPS)
    def test_a_client_that_believes_what_it_is_told(self, steps: list) -> None:
        self.believe(steps)


class AtOnceTests(Believing):
    """The same, where a client is told of new messages at once if that is all that has changed."""

    def setUp(self) -> None:
        self.patch(_columns, "SHARED_FROM", 1)
        self.at_once = self.as_others = 0

    def viewed(self, mailbox: SimpleMailbox) -> MailboxView:
        sharing = Sharing(Clock())
        view, self.other = (MailboxView(mailbox, sharing=sharing, recent=False) for _ in range(2))
        run(view.load())
        run(self.other.load())
        return view

    async def told(self, view: MailboxView, *, expunges: bool) -> bytes:
        await self.told_at_once(self.other, expunges=True)
        return await self.told_at_once(view, expunges=expunges)

    async def told_at_once(self, view: MailboxView, *, expunges: bool) -> bytes:
        writer = ViewWriter(view)
        writer._messages = view._decided
        responses = writer.new_at_once(asks=False)
        self.as_others += responses is not None
        if responses is None:
            responses = writer.new_at_once(asks=True)
        self.at_once += responses is not None
        if responses is None:
            return b"".join([piece async for piece in writer.updates(expunges=expunges)])
        return responses

    def test_a_message_is_taken_in_at_once(self) -> None:
        self.believe([("append", 1), ("update", True)] * 3)
        self.assertGreater(self.at_once, 5)
        self.assertGreater(self.as_others, 2)

    @settings(max_examples=100, deadline=None)
    @given(STEPS)
    def test_a_client_believes_what_it_is_told_at_once(self, steps: list) -> None:
        self.believe(steps)


class LookTests(SynchronousTestCase):
    """What one view has seen, another may take without asking the mailbox."""

    def setUp(self) -> None:
        self.patch(_columns, "SHARED_FROM", 2)
        self.sharing = Sharing(Clock())
        self.mailbox = self.filled()
        self.first, self.second = self.view(self.mailbox), self.view(self.mailbox)

    def filled(self) -> SimpleMailbox:
        mailbox = SimpleMailbox("INBOX", uid_validity=7)
        for _ in range(3):
            self.add(mailbox)
        return mailbox

    def add(self, mailbox: SimpleMailbox) -> None:
        mailbox.add(b"Subject: x\r\n\r\n", (), 0)

    def view(self, mailbox: SimpleMailbox, *, recent: bool = False) -> MailboxView:
        view = MailboxView(mailbox, sharing=self.sharing, recent=recent)
        run(view.load())
        return view

    def test_the_same(self) -> None:
        self.assertFalse(self.second.look_as_others())
        self.add(self.mailbox)
        self.assertFalse(self.second.look_as_others(), "nobody has looked yet")
        self.assertTrue(self.first.look_at_once())
        self.assertTrue(self.second.look_as_others())
        self.assertEqual((list(self.second.uids), self.second.is_stale), ([1, 2, 3, 4], False))
        self.assertFalse(self.second.look_as_others())

    def test_not_if_there_is_more_since(self) -> None:
        self.add(self.mailbox)
        self.assertTrue(self.first.look_at_once())
        self.add(self.mailbox)
        self.assertFalse(self.second.look_as_others())
        self.assertTrue(self.second.look_at_once())
        self.assertEqual(len(self.second.uids), 5)

    def test_not_if_the_client_has_changed_it(self) -> None:
        """There may be no hint yet."""
        self.add(self.mailbox)
        self.assertTrue(self.first.look_at_once())
        self.second.expect_changes(self.mailbox)
        self.assertFalse(self.second.look_as_others())

    def test_not_of_another_mailbox_that_looks_the_same(self) -> None:
        other = self.filled()
        third = self.view(other)
        self.assertIs(third.uids, self.first.uids)
        self.add(self.mailbox)
        self.assertTrue(self.first.look_at_once())
        self.assertFalse(third.look_as_others())

    def test_not_if_the_messages_may_be_recent(self) -> None:
        """One that is not told of those has not looked whether they are."""
        third = self.view(self.mailbox, recent=True)
        self.add(self.mailbox)
        self.assertTrue(self.first.look_at_once())
        self.assertFalse(third.look_as_others())
        run(third.look())
        self.assertTrue(third.is_recent(4))


class SessionTests(DialogueTestCase):
    def test_sessions_share_a_large_mailbox(self) -> None:
        self.patch(_columns, "SHARED_FROM", 2)
        self.fill(3)
        views = [self.sign_in(name, "INBOX").session.view for name in "abc"]
        self.assertEqual({id(view.uids) for view in views}, {id(views[0].uids)})
        self.clients["a"].send(b"x STORE 2 +FLAGS.SILENT (\\Flagged)\r\ny NOOP\r\n")
        for name in "bc":
            self.clients[name].send(b"x NOOP\r\n")
            self.clock.advance(0)
            self.assertIn(b"* 2 FETCH (UID 2 FLAGS (\\Flagged", self.clients[name].received())
        self.assertEqual({id(view.flags) for view in views}, {id(views[0].flags)})
        self.clients["a"].transport.drop()
        self.clients["b"].transport.drop()
        self.assertEqual(views[2]._shared.views, 1)

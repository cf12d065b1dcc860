"""MailboxView: whatever happens, a client that believes what it is told knows the mailbox."""

from __future__ import annotations

import re
import sys
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer_only

from mailproto.backends._simple import SimpleMailbox
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import SequenceSet
from mailproto.interfaces import IMailbox
from mailproto.model import FlagChange, FlagOperation, NewMessage
from tests.imap.server.dialogue import run

EXISTS = re.compile(rb"\* ([0-9]+) EXISTS")
EXPUNGE = re.compile(rb"\* ([0-9]+) EXPUNGE")
FETCH = re.compile(rb"\* ([0-9]+) FETCH \(UID ([0-9]+) FLAGS \((.*)\)\)")


def make(count: int) -> SimpleMailbox:
    """A mailbox with small messages."""
    mailbox = SimpleMailbox()
    run(mailbox.append([NewMessage(b"x", internal_date=0)] * count))
    return mailbox


def viewed(mailbox: SimpleMailbox) -> MailboxView:
    """A view that has been loaded."""
    view = MailboxView(mailbox)
    run(view.load())
    return view


async def told(view: MailboxView, *, expunges: bool) -> bytes:
    """All pieces of an update."""
    writer = ViewWriter(view)
    writer._messages = view._decided
    return b"".join([piece async for piece in writer.updates(expunges=expunges)])


@implementer_only(IMailbox)
class PlainMailbox(SimpleMailbox):
    """One that provides nothing optional."""


class BelievingClient:
    """What a client knows of messages, by number; what is new it fetches at once."""

    def __init__(self, view: MailboxView) -> None:
        self.view = view
        self.uids = list(view.uids)
        self.seen = ["\\Seen" in flags for flags in view.flags]

    def hear(self, updates: bytes) -> None:
        for line in updates.split(b"\r\n")[:-1]:
            if match := EXISTS.fullmatch(line):
                count = int(match[1])
                assert count >= len(self.uids), "EXISTS shrank"
                self.uids += [0] * (count - len(self.uids))
                self.seen += [False] * (count - len(self.seen))
            elif match := EXPUNGE.fullmatch(line):
                del self.uids[int(match[1]) - 1], self.seen[int(match[1]) - 1]
            elif match := FETCH.fullmatch(line):
                at = int(match[1]) - 1
                assert self.uids[at] in (0, int(match[2])), "a number moved"
                self.seen[at] = b"\\Seen" in match[3]
        for at, uid in enumerate(self.uids):
            if not uid:
                self.uids[at] = self.view.uids[at]
                self.seen[at] = "\\Seen" in self.view.flags[at]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 3)),
        st.tuples(st.just("remove"), st.sets(st.integers(1, 20), max_size=5)),
        st.tuples(st.just("see"), st.sets(st.integers(1, 20), max_size=5)),
        st.tuples(st.just("update"), st.booleans()),
    ),
    max_size=25,
)


class Believing(SynchronousTestCase):
    """What is the same however a view is made."""

    def viewed(self, mailbox: SimpleMailbox) -> MailboxView:
        return viewed(mailbox)

    async def told(self, view: MailboxView, *, expunges: bool) -> bytes:
        return await told(view, expunges=expunges)

    def believe(self, steps: list) -> None:
        mailbox = make(3)
        view = self.viewed(mailbox)
        client = BelievingClient(view)
        for step, value in [*steps, ("update", True)]:
            if step == "append":
                run(mailbox.append([NewMessage(b"x")] * value))
            elif step == "remove":
                mailbox.remove(value)
            elif step == "see":
                change = FlagChange(FlagOperation.ADD, frozenset({"\\Seen"}))
                run(mailbox.store(sorted(value), change))
            else:
                before = list(client.uids)
                client.hear(run(self.told(view, expunges=value)))
                if not value:
                    self.assertEqual(client.uids[: len(before)], before)
        there = run(mailbox.changes_since(0)).changed
        self.assertEqual(client.uids, [message.uid for message in there])
        self.assertEqual(client.seen, ["\\Seen" in message.flags for message in there])
        self.assertEqual(client.uids, list(view.uids))
        self.assertEqual(view.flags, [message.flags for message in there])


class ConsistencyTests(Believing):
    @settings(max_examples=150, deadline=None)
    @given(STEPS)
    def test_a_client_that_believes_what_it_is_told(self, steps: list) -> None:
        self.believe(steps)


class ViewTests(SynchronousTestCase):
    def test_expunging_half_of_many_is_linear(self) -> None:
        mailbox = make(100_000)
        view = viewed(mailbox)
        mailbox.remove(range(1, 100_001, 2))
        began = time.monotonic()
        updates = run(told(view, expunges=True))
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual(updates.count(b"EXPUNGE"), 50_000)
        self.assertEqual(list(view.uids), list(range(2, 100_001, 2)))

    def test_messages_share_their_flags(self) -> None:
        view = viewed(make(1000))
        self.assertEqual(len({id(flags) for flags in view.flags}), 1)
        self.assertEqual(view.uids.itemsize, 4)

    def test_a_large_mailbox_takes_12_octets_a_message(self) -> None:
        view = viewed(make(20_000))
        self.assertLess(sys.getsizeof(view.uids) + sys.getsizeof(view.flags), 12.1 * 20_000)

    def test_recent_is_kept_as_ranges(self) -> None:
        mailbox = make(3)
        view = viewed(mailbox)
        for _ in range(5):
            run(mailbox.append([NewMessage(b"x")] * 2))
            run(told(view, expunges=False))
        self.assertEqual(len(view._recent), 1)
        self.assertEqual(view.recent_count(), 13)

    def test_what_another_session_claimed_is_not_recent(self) -> None:
        mailbox = make(2)
        view = viewed(mailbox)
        run(mailbox.append([NewMessage(b"x")]))
        run(mailbox.claim_recent())
        run(mailbox.append([NewMessage(b"x")]))
        run(told(view, expunges=False))
        self.assertEqual([uid for uid in view.uids if view.is_recent(uid)], [1, 2, 4])
        self.assertEqual(view.recent_count(), 3)

    def test_a_look_that_fails_is_made_up_for(self) -> None:
        mailbox = make(1)
        view = viewed(mailbox)
        status = mailbox.status

        async def fail() -> None:
            raise ZeroDivisionError

        run(mailbox.append([NewMessage(b"x")]))
        mailbox.status = fail
        self.assertRaises(ZeroDivisionError, run, told(view, expunges=True))
        mailbox.status = status
        self.assertEqual(run(told(view, expunges=True)), b"* 2 EXISTS\r\n* 2 RECENT\r\n")

    def test_a_late_or_doubled_hint_asks_for_nothing(self) -> None:
        mailbox = make(1)
        view = viewed(mailbox)
        view._hint(view._modseq)
        view._hint(1)
        self.assertFalse(view.is_stale)

    def test_runs_and_gaps(self) -> None:
        mailbox = make(6)
        mailbox.remove([2])
        view = viewed(mailbox)
        self.assertEqual(list(run(view.indexes(SequenceSet.parse(b"2:5"), uid=True))), [1, 2, 3])
        self.assertEqual(list(run(view.indexes(SequenceSet.parse(b"1,4,6"), uid=True))), [0, 2, 4])
        self.assertEqual(list(run(view.indexes(SequenceSet.parse(b"2:3,5"), uid=False))), [1, 2, 4])
        self.assertEqual(list(run(view.indexes(SequenceSet.parse(b"2"), uid=True))), [])

    def test_a_mailbox_without_recent(self) -> None:
        mailbox = PlainMailbox()
        mailbox.add(b"x")
        self.assertEqual(ViewWriter(viewed(mailbox)).exists(), b"* 1 EXISTS\r\n* 0 RECENT\r\n")

"""FETCH responses that come together mean the same as when they come one by one."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.aio import bridge
from mailproto.client.errors import ConnectionLost
from mailproto.imap.client._command import Command
from mailproto.imap.client._uid_set import UidSet
from mailproto.imap.client._view import MailboxView
from mailproto.imap.limits import IMAPClientLimits
from mailproto.imap.values import FlagsChanged
from tests.imap.client.dialogue import ClientTestCase

OTHER = b"* 2 FETCH (UID 6 FLAGS (\\Seen))\r\n"


def message(number: int, uid: int, size: int = 5) -> bytes:
    return b"* %d FETCH (UID %d BODY[] {%d}\r\n" % (number, uid, size) + b"x" * size + b")\r\n"


class TogetherTests(ClientTestCase):
    def test_what_was_not_asked_for_is_an_event(self) -> None:
        self.selected()
        fetching = self.begin(self.client.fetch("1:*", "BODY.PEEK[]").all())
        self.transport.send(OTHER + message(1, 5) + OTHER + OTHER + message(3, 7) + OTHER + b"A2 OK\r\n")
        self.assertEqual([each.uid for each in self.result(fetching)], [5, 7])
        self.assertEqual(self.events, [FlagsChanged(6, 2, frozenset({"\\Seen"}))] * 4)

    def test_other_messages_are_not_what_was_asked_for(self) -> None:
        self.selected()
        fetching = self.begin(self.client.fetch([5, 7, 8, 9], "FLAGS").all())
        octets = b"".join(b"* %d FETCH (UID %d FLAGS ())\r\n" % (uid - 4, uid) for uid in (5, 6, 7, 9, 8, 10))
        self.transport.send(octets + b"A2 OK\r\n")
        self.assertEqual([each.uid for each in self.result(fetching)], [5, 7, 9, 8])
        self.assertEqual([each.uid for each in self.events], [6, 10])

    def test_two_commands_under_way(self) -> None:
        self.selected()
        one, other = (self.begin(self.client.fetch(uid, "BODY.PEEK[]").all()) for uid in ("5:6", "7:9"))
        octets = message(3, 7) + message(1, 5) + message(2, 6) + message(4, 8)
        self.transport.send(octets + b"A2 OK\r\n" + message(5, 9) + b"A3 OK\r\n")
        self.assertEqual([each.uid for each in self.result(one)], [5, 6])
        self.assertEqual([each.uid for each in self.result(other)], [7, 8, 9])

    def test_nothing_is_told_after_the_end(self) -> None:
        self.selected()

        async def one() -> None:
            async for _ in self.client.fetch("1:*", "BODY.PEEK[]"):
                self.client.abort()

        done = self.begin(one())
        self.transport.send(message(1, 5) + OTHER + message(3, 7) + OTHER)
        self.error(done, ConnectionLost)
        self.assertEqual(self.events, [])

    def test_the_connection_is_held_in_between(self) -> None:
        self.selected(limits=IMAPClientLimits(ahead=50_000))
        fetched = self.client.fetch("1:*", "BODY.PEEK[]")
        many = b"".join(message(number, number, 1000) for number in range(1, 301))
        self.transport.send(many)
        self.assertFalse(self.transport.is_reading)
        for number in range(1, 101):
            self.assertEqual(self.result(self.begin(fetched.__anext__())).uid, number)
        rest = self.begin(fetched.all())
        self.assertTrue(self.transport.is_reading)
        self.transport.send(b"A2 OK\r\n")
        self.assertEqual([each.uid for each in self.result(rest)], list(range(101, 301)))

    def test_a_loop_goes_on_where_another_was_left(self) -> None:
        self.selected()
        fetched = self.client.fetch("1:*", "BODY.PEEK[]")
        self.transport.send(b"".join(message(number, number) for number in range(1, 6)) + b"A2 OK\r\n")

        async def some(most: int) -> list[int]:
            seen = []
            async for each in fetched:
                seen.append(each.uid)
                if len(seen) == most:
                    break
            return seen

        self.assertEqual(self.result(self.begin(some(2))), [1, 2])
        self.assertEqual(self.result(self.begin(some(9))), [3, 4, 5])

    def test_leaving_a_loop_of_asyncio_gives_up_the_rest(self) -> None:
        """It closes what a loop has left a turn later."""
        self.selected(limits=IMAPClientLimits(ahead=5_000))

        async def one() -> None:
            async for _ in self.client.fetch("1:*", "BODY.PEEK[]"):
                break
            for _ in range(3):
                await asyncio.sleep(0)

        async def main() -> None:
            done = asyncio.ensure_future(bridge(one()))
            await asyncio.sleep(0)
            self.transport.send(b"".join(message(number, number, 1000) for number in range(1, 50)))
            self.assertFalse(self.transport.is_reading)
            await done
            self.assertTrue(self.transport.is_reading)

        asyncio.run(main())

    def test_all_after_a_drop_is_left_out(self) -> None:
        self.selected()
        fetched = self.client.fetch("1:*", "BODY.PEEK[]")
        first = self.begin(fetched.__anext__())
        self.transport.send(message(1, 5))
        self.result(first)
        self.begin(fetched.aclose())
        self.transport.send(message(2, 6) + message(3, 7) + b"A2 OK\r\n")
        self.assertEqual(self.result(self.begin(fetched.all())), [])
        self.assertEqual(self.events, [])


class ManyCommandsTests(ClientTestCase):
    def test_each_looks_at_few_others(self) -> None:
        self.selected()
        looks: list[Command] = []
        may_join = Command.may_join

        def counted(command: Command, other: Command) -> bool:
            looks.append(other)
            return may_join(command, other)

        self.patch(Command, "may_join", counted)
        searching = self.client.search()
        sent = [self.client.append("x", b"a") for _ in range(300)]
        self.assertEqual(self.transport.read().count(b"APPEND"), 99)
        self.transport.send(b"* ESEARCH UID ALL 4\r\nA2 OK\r\n")
        self.assertEqual(list(self.result(searching).uids), [4])
        for first in (0, 100, 200):
            for number in reversed(range(first, first + 100)):  # in any order
                self.transport.send(b"A%d OK [APPENDUID 7 %d]\r\n" % (number + 3, number + 1))
        self.assertEqual([self.result(each).uids for each in sent], [(uid + 1,) for uid in range(300)])
        self.assertLess(len(looks), 1000)


numbers = st.integers(1, 9) | st.just(4_000_000_000)
uids = st.integers(0, 12) | st.just(1 << 32)
runs = st.one_of(
    st.lists(st.tuples(numbers, uids), min_size=1, max_size=5),
    st.tuples(numbers, st.integers(1, 9), st.integers(1, 9)).map(
        lambda each: [(each[0] + more, each[1] + more) for more in range(each[2])]
    ),
)


class ViewTests(SynchronousTestCase):
    @given(st.integers(0, 12), st.integers(0, 12), st.lists(runs, max_size=5))
    def test_learning_together(self, exists: int, most: int, learned: list[list[tuple[int, int]]]) -> None:
        one, other = MailboxView("INBOX", most), MailboxView("INBOX", most)
        for view in (one, other):
            view.exists = exists
        for run in learned:
            one.learn_some([number for number, _ in run], [uid for _, uid in run])
            for number, uid in run:
                other.learn(number, uid)
            self.assertEqual(
                [one.uid(number) for number in range(15)], [other.uid(number) for number in range(15)]
            )
            self.assertEqual((one.exists, one.is_complete), (other.exists, other.is_complete))

    @given(st.lists(st.integers(1, 30)), st.integers(0, 40))
    def test_the_range_of_a_uid(self, members: list[int], uid: int) -> None:
        known = UidSet(members)
        expected = [each for each in known.ranges if each[0] <= uid <= each[1]]
        self.assertEqual(known.range_of(uid), expected[0] if expected else None)

"""What a SEARCH costs, in tests, texts and turns; and that it is right, however keys are combined."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends._memory_mailbox import MemoryMailbox
from mailproto.connection._line import TURN
from mailproto.imap.server import _search_run
from mailproto.imap.server._conditions import Batch, Column, Content
from mailproto.imap.server._search_columns import in_ranges
from mailproto.imap.wire import SequenceSet
from mailproto.message import Searchable, _searched_texts
from mailproto.message._long_text import KEPT
from mailproto.model import Found
from tests.imap.server.dialogue import DialogueTestCase, message

DAY = 86_400

numbers = st.integers(1, 60)

KEYS = {
    "ALL": {1, 2, 3, 4, 5, 6, 7},
    "SEEN": {1, 3, 5, 7},
    "UNFLAGGED": {1, 2, 4, 5, 7},
    "2:4,6": {2, 3, 4, 6},
    "UID 4:99": {3, 4, 5, 6, 7},
    "KEYWORD red": {4, 5},
    "LARGER 300": {4, 5, 6, 7},
    "ON 2-Jan-1970": {2, 4},
    "SUBJECT odd": {1, 3, 5, 7},
    "FROM alice": {1, 2, 3, 4, 5, 6, 7},
    "BODY low": {1, 2, 3},
    'TEXT "subject: even"': {2, 4, 6},
    "RECENT": {1, 2, 3, 4, 5, 6, 7},
    "NEW": {2, 4, 6},
}
EVERYTHING = KEYS["ALL"]

Meaning = tuple[str, set[int]]
"""Search keys, and the messages that they mean."""

meanings = st.recursive(
    st.sampled_from(list(KEYS.items())),
    lambda inner: st.one_of(
        inner.map(lambda key: (f"NOT {key[0]}", EVERYTHING - key[1])),
        st.tuples(inner, inner).map(lambda two: (f"OR {two[0][0]} {two[1][0]}", two[0][1] | two[1][1])),
        st.lists(inner, min_size=1, max_size=4).map(
            lambda keys: (
                f"({' '.join(key for key, _ in keys)})",
                EVERYTHING.intersection(*[m for _, m in keys]),
            )
        ),
    ),
    max_leaves=12,
)


class CombinationTests(DialogueTestCase):
    """Whatever is combined, a search finds what its keys mean."""

    def setUp(self) -> None:
        super().setUp()
        for number in range(1, 9):
            flags = [flag for flag, of in (("\\Seen", (1, 4, 6, 8)), ("\\Flagged", (4, 7))) if number in of]
            flags += ["Red"] * (number in (5, 6))
            text = message("odd" if number in (1, 4, 6, 8) else "even", "low" if number < 5 else "high" * 90)
            self.inbox.add(text, flags, DAY if number in (2, 5) else 9 * DAY)
        self.inbox.remove([3])  # so that UIDs are not numbers

    def test_any(self) -> None:
        @given(meanings)  # here, because the test is also run with other feeds
        @settings(max_examples=100, deadline=None)
        def check(meaning: Meaning) -> None:
            keys, messages = meaning
            for at_once in (2, 1000):
                self.patch(_search_run, "MESSAGES_AT_ONCE", at_once)
                client.send(f"a SEARCH {keys}\r\n".encode())
                found = client.received().split(b"\r\n")[0].split()[2:]
                self.assertEqual([int(number) for number in found], sorted(messages), keys)

        client = self.sign_in()
        client.send(b"e EXAMINE INBOX\r\n")
        client.received()
        check()


class CostTests(DialogueTestCase):
    def search(self, keys: bytes) -> bytes:
        client = self.sign_in(select="INBOX")
        client.send(b"a SEARCH " + keys + b"\r\n")
        while not (answer := client.received()):
            self.assertTrue(self.clock.getDelayedCalls())
            self.clock.advance(0)
        self.assertIn(b"a OK SEARCH completed\r\n", answer)
        return answer.split(b"\r\n")[0]

    def count(self, owner: Any, name: str) -> list[Any]:
        """From now on, a list of the first argument of each call."""
        calls: list[Any] = []
        original: Callable[..., Any] = getattr(owner, name)
        self.patch(owner, name, lambda first, *rest: calls.append(first) or original(first, *rest))
        return calls

    def test_equal_keys_are_tested_once(self) -> None:
        self.fill(3)
        tested = self.count(Column, "learn")
        for keys, tests in {
            b"UNSEEN " * 500 + b"UNSEEN": 1,
            b"NOT SEEN OR UNSEEN NOT NOT UNSEEN": 1,
            b"1,3:* " * 500 + b"1,3:*": 1,
            b"UID 1,2 1,2": 2,
            b"KEYWORD $Red OR KEYWORD $red UNKEYWORD $RED": 1,
            b"LARGER 1 " * 500 + b"LARGER 1": 1,
            b"NEW NEW OLD RECENT": 2,
        }.items():
            del tested[:]
            self.search(keys)
            self.assertEqual(len(tested), tests, keys[:50])

    def test_content_is_tested_once(self) -> None:
        self.fill(3)
        self.patch(MemoryMailbox, "find", find_nothing)
        for method, keys in (
            ("in_header_steps", b"NOT HEADER Subject absent " * 200 + b"ALL"),
            ("in_addresses_steps", b"OR FROM absent NOT FROM absent " * 200 + b"ALL"),
            ("in_body_steps", b"OR BODY none NOT BODY None " * 200 + b"ALL"),
            ("in_text_steps", b"NOT TEXT none " * 200 + b"ALL"),
        ):
            self.inbox.add(b"Subject: =?utf-8?q?x?=\r\nFrom: =?utf-8?q?x?= <a@b>\r\n\r\n")
            calls = self.count(Searchable, method)
            self.search(keys)
            self.assertEqual(len(calls), len(set(calls)), keys[:30])
            self.assertGreater(len(calls), 0)

    def test_a_large_text_is_made_once_for_all_keys(self) -> None:
        self.inbox.add(message("large", "filler " * (KEPT // 3)))
        made = self.count(_searched_texts, "text_pieces")
        keys = b" ".join(b"NOT BODY none%d NOT TEXT none%d" % (number, number) for number in range(5))
        self.assertEqual(self.search(keys), b"* SEARCH 1")
        self.assertEqual(len(made), 1)

    def test_many_columns_are_tested_only_while_it_is_open_what_matches(self) -> None:
        self.fill(3)
        tested = self.count(Column, "learn")
        self.search(b" ".join(b"KEYWORD k%d" % number for number in range(900)))
        self.assertLess(len(tested), 50)

    def test_sets_take_little_memory(self) -> None:
        self.fill(2000)
        keys = b" ".join(b"%d,%d:*" % (number, number + 2) for number in range(1, 990))
        client = self.sign_in(select="INBOX")
        tracemalloc.start()
        client.send(b"a SEARCH RETURN (COUNT) " + keys + b"\r\n")
        self.assertIn(b"COUNT 1010", client.received())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertLess(most, 6 << 20)


async def find_nothing(mailbox: object, uids: Sequence[int], tests: Sequence[object]) -> list[Found]:
    """All messages have to be read."""
    return [Found((), uids)] * len(tests)


class SetTests(SynchronousTestCase):
    @given(
        st.lists(st.tuples(numbers, numbers), max_size=30), st.sets(numbers, min_size=1), st.integers(0, 50)
    )
    @settings(max_examples=200, deadline=None)
    def test_sets_of_any_number_of_ranges(
        self, items: list[tuple[int, int]], uids: set[int], start: int
    ) -> None:
        ranges = SequenceSet(tuple((min(item), max(item)) for item in items) or ((1000, 1000),)).merged(0)
        batch = Batch(start, sorted(uids), [frozenset()] * len(uids))
        for uid, there in ((True, sorted(uids)), (False, range(start + 1, start + 1 + len(uids)))):
            column = in_ranges(ranges, uid=uid)
            column.learn(batch)
            meant = [any(first <= number <= last for first, last in ranges) for number in there]
            self.assertEqual(list(batch.chosen(batch.known[column])), meant)


class TurnTests(DialogueTestCase):
    def turns(self, keys: bytes) -> int:
        """How often others have their turn during a search, if the time of a turn passes at every look."""
        self.clock.advance(1)  # what was before has nothing to do with it
        client = self.sign_in(select="INBOX")
        clock = self.clock.seconds, self.clock.callLater
        turns = self.slow_clock(TURN)
        client.send(b"a SEARCH " + keys + b"\r\n")
        for _ in range(100_000):
            if answer := client.received():
                break
            self.clock.advance(0)
        self.clock.seconds, self.clock.callLater = clock
        self.assertTrue(answer.endswith(b"a OK SEARCH completed\r\n"), answer)
        return len(turns)

    def test_others_have_their_turn_after_each_key(self) -> None:
        self.fill(3)
        for key in (
            b"KEYWORD k%d",
            b"NOT LARGER %d00000",
            b"NOT HEADER X x%d",
            b"NOT FROM x%d",
            b"NOT BODY x%d",
            b"NOT SENTBEFORE 1-Jan-19%d",
            b"%d",
        ):
            self.inbox.add(b"From: =?utf-8?q?x?= <a@b>\r\nX: =?utf-8?q?x?=\r\n\r\n")
            for end in (30, 60):
                keys = b" ".join([key % number for number in range(10, end)])
                self.assertGreater(self.turns(keys), end - 10, key)

    def test_others_have_their_turn_within_a_message(self) -> None:
        line = "X: é\r\n" * 20_000
        for content, keys in (
            ("Subject: x\r\n\r\n" + "x" * 500_000, b"BODY absent"),
            (line + "\r\n", b"TEXT absent"),
            (line + "\r\n", b"HEADER X absent"),
            ("To: é <a@b>\r\n" * 9000 + "\r\n", b"TO absent"),
        ):
            self.inbox.add(content.encode())
            self.assertGreater(self.turns(b"* " + keys), 5, keys)

    def test_a_search_ends_with_its_client(self) -> None:
        self.fill(50)
        client = self.sign_in(select="INBOX")
        self.slow_clock(TURN)
        decided = self.count_decisions()
        client.send(b"a SEARCH BODY absent\r\n")
        client.transport.drop()
        for _ in range(200):
            self.clock.advance(0)
        self.assertLess(len(decided), 10)

    def count_decisions(self) -> list[object]:
        decided: list[object] = []
        original = Content.decide
        self.patch(Content, "decide", lambda *given: decided.append(given) or original(*given))
        return decided

"""THREAD: conversations as RFC 5256 builds them."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.message import ThreadMessage, _links, finish, forest_pieces, forest_steps
from mailproto.message._conversations import forest
from mailproto.message._links import LOOKED_AT


def written(algorithm: str, *messages: ThreadMessage) -> str:
    """The answer to THREAD."""
    found = forest(algorithm, messages)
    return b"".join(forest_pieces(found.numbers, found.depths)).decode()


def mail(
    number: int, id_: str = "", refers: str = "", subject: str = "", date: int | None = None
) -> ThreadMessage:
    """A message with a subject, of which "Re:" is taken off; its date is its number."""
    is_reply = subject.startswith("Re: ")
    return ThreadMessage(
        number,
        number if date is None else date,
        id_ or None,
        refers.split(),
        subject.removeprefix("Re: ").upper(),
        is_reply,
        number,
    )


class WritingTests(SynchronousTestCase):
    def test_the_examples_of_the_rfc(self) -> None:
        for numbers, depths, answer in (
            ([2, 3, 6, 4, 23, 44, 7, 96], [0, 0, 1, 2, 3, 2, 3, 4], b"(2)(3 6 (4 23)(44 7 96))"),
            ([0, 3, 5], [0, 1, 1], b"((3)(5))"),
            (
                [196, 197, 198, 199, 200, 202],
                [0, 1, 1, 0, 0, 1],
                b"(196 (197)(198))(199)(200 202)",
            ),
            (
                [0, 177, 183, 182, 188, 184, 189, 185, 186, 187],
                [0, 1, 1, 1, 1, 2, 2, 1, 2, 1],
                b"((177)(183)(182)(188 (184)(189))(185 186)(187))",
            ),
            ([], [], b""),
        ):
            self.assertEqual(b"".join(forest_pieces(numbers, depths)), answer)

    def test_a_deep_thread_comes_in_pieces(self) -> None:
        numbers = range(1, 100_001)
        pieces = list(forest_pieces(numbers, range(100_000)))
        self.assertEqual(b"".join(pieces), b"(" + b" ".join(b"%d" % number for number in numbers) + b")")
        self.assertLess(max(map(len, pieces)), 20_000)
        alternating = list(forest_pieces(numbers, [0, *[1 + at // 2 for at in range(99_999)]]))
        self.assertEqual(b"".join(alternating).count(b"("), b"".join(alternating).count(b")"))


class OrderedSubjectTests(SynchronousTestCase):
    def test_one_thread_for_each_subject(self) -> None:
        self.assertEqual(
            written(
                "ORDEREDSUBJECT",
                mail(1, subject="b", date=50),
                mail(2, subject="a", date=10),
                mail(3, subject="Re: b", date=20),
                mail(4, subject="Re: a", date=30),
                mail(5, subject="a", date=30),
            ),
            "(2 (4)(5))(3 1)",
        )


class ReferencesTests(SynchronousTestCase):
    def threads(self, answer: str, *messages: ThreadMessage) -> None:
        self.assertEqual(written("REFERENCES", *messages), answer)

    def test_replies_are_below_what_they_answer(self) -> None:
        self.threads(
            "(1 2 (3)(4))", mail(1, "a"), mail(2, "b", "a"), mail(3, "c", "a b"), mail(4, "d", "a b")
        )

    def test_siblings_are_in_the_order_of_their_dates(self) -> None:
        self.threads(
            "(3)(1 (4)(2))",
            mail(1, "a", date=5),
            mail(2, "b", "a", date=9),
            mail(3, date=1),
            mail(4, "d", "a"),
        )

    def test_what_is_missing_holds_siblings_together(self) -> None:
        self.threads("((2)(3))", mail(2, "b", "a"), mail(3, "c", "a"))
        self.threads("(2)", mail(2, "b", "x y a"))
        self.threads("(1 (2)(3))", mail(1, "a"), mail(2, "b", "a x"), mail(3, "c", "a x"))

    def test_the_nearest_reference_is_the_parent(self) -> None:
        # The link that the first one made was only a guess.
        self.threads("(1)(4 3 2)", mail(1, "a"), mail(2, "c", "a b"), mail(3, "b", "e"), mail(4, "e"))

    def test_a_message_without_references_has_no_parent(self) -> None:
        self.threads("(1)(2 3)", mail(1, "a"), mail(3, "c", "a b"), mail(2, "b"))

    def test_the_first_of_equal_ids_has_it(self) -> None:
        self.threads("(1 3)(2)", mail(1, "a"), mail(2, "a"), mail(3, "b", "a"))

    def test_no_loops(self) -> None:
        self.threads("(2 1)", mail(1, "a", "b"), mail(2, "b", "a"))
        self.threads("(1)", mail(1, "a", "a a a"))
        self.threads("(2)(3 1)", mail(1, "a", "b c"), mail(2, "b", "a c"), mail(3, "c", "b a"))

    def test_subjects_join_threads(self) -> None:
        self.threads("(1 2)", mail(1, subject="x"), mail(2, subject="Re: x"))
        self.threads("(2 1)", mail(1, subject="Re: x"), mail(2, subject="x"))
        self.threads("((1)(2))", mail(1, subject="x"), mail(2, subject="x"))
        self.threads("((1)(2)(3))", mail(1, subject="x"), mail(2, subject="x"), mail(3, subject="Re: x"))
        self.threads("((1)(2))", mail(1, subject="Re: x"), mail(2, subject="Re: x"))
        self.threads("(1)(2)", mail(1), mail(2))
        self.threads(
            "((1)(2)(3)(4))",
            mail(1, "a", "p", "x"),
            mail(2, "b", "p", "y"),
            mail(3, "c", "q", "x"),
            mail(4, "d", "q", "z"),
        )
        self.threads("((1)(2)(3))", mail(1, "a", "p", "x"), mail(2, "b", "p"), mail(3, subject="x"))


class RefsTests(SynchronousTestCase):
    def test_threads_are_in_the_order_of_their_newest_messages_and_subjects_do_not_count(self) -> None:
        self.assertEqual(
            written(
                "REFS",
                mail(1, "a", subject="x"),
                mail(2, "b", subject="Re: x"),
                mail(3, "c", "a"),
            ),
            "(2)(1 3)",
        )

    def test_within_a_thread_sent_dates_count(self) -> None:
        self.assertEqual(
            written(
                "REFS",
                mail(1, "a"),
                mail(2, "b", "a", date=9),
                mail(3, "c", "a", date=5),
                mail(4, "d", date=0),
            ),
            "(1 (3)(2))(4)",
        )


ids = st.sampled_from("abcdefgh")
messages = st.lists(
    st.builds(
        ThreadMessage,
        st.just(0),
        st.integers(0, 5),
        st.none() | ids,
        st.lists(ids, max_size=5),
        st.sampled_from(["", "X", "Y"]),
        st.booleans(),
        st.integers(0, 5),
    ),
    max_size=12,
)


class AnyMessagesTests(SynchronousTestCase):
    @given(messages, st.sampled_from(["REFERENCES", "REFS", "ORDEREDSUBJECT"]))
    @settings(max_examples=200, deadline=None)
    def test_each_message_is_there_once(self, some: list[ThreadMessage], algorithm: str) -> None:
        some = [message._replace(number=place) for place, message in enumerate(some, start=1)]
        found = forest(algorithm, some)
        self.assertEqual(sorted(filter(None, found.numbers)), list(range(1, len(some) + 1)))
        before = -1
        for place, (number, depth) in enumerate(zip(found.numbers, found.depths, strict=True)):
            self.assertLessEqual(depth, before + 1)
            before = depth
            if not number:  # only at the top, and only for several messages
                self.assertEqual(depth, 0)
                below = [*found.depths[place + 1 :], 0]
                self.assertGreater(below[: below.index(0)].count(1), 1)
        answer = b"".join(forest_pieces(found.numbers, found.depths))
        self.assertEqual(answer.count(b"("), answer.count(b")"))

    @given(messages)
    @settings(max_examples=200, deadline=None)
    def test_links_are_those_of_the_rfc(self, some: list[ThreadMessage]) -> None:
        some = [message._replace(number=place, subject="") for place, message in enumerate(some, start=1)]
        found = forest("REFERENCES", some)
        self.assertEqual(_parents(found.numbers, found.depths), _slowly(some))


def _parents(numbers: Sequence[int], depths: Sequence[int]) -> dict[int, int]:
    """The parent of each message; 0 at the top."""
    branch: list[int] = []
    parents = {}
    for number, depth in zip(numbers, depths, strict=True):
        del branch[depth:]
        if number:
            parents[number] = branch[-1] if branch else 0
        branch.append(number)
    return parents


def _slowly(some: list[ThreadMessage]) -> dict[int, int]:
    """Steps 1 to 3 of REFERENCES, word by word."""
    owner: dict[object, object] = {}
    names: list[object] = []
    for message in some:
        name: object = message.id
        if name is None or name in owner:
            name = ("unique", message.number)
        owner[name] = message
        names.append(name)
    parent: dict[object, object] = {}

    def is_below(one: object, other: object) -> bool:
        while one is not None:
            if one == other:
                return True
            one = parent.get(one)
        return False

    for name, message in zip(names, some, strict=True):
        for before, after in zip(message.references, message.references[1:], strict=False):
            if parent.get(after) is None and not is_below(before, after):
                parent[after] = before
        parent[name] = None
        if message.references and not is_below(message.references[-1], name):
            parent[name] = message.references[-1]
    found = {}
    for name, message in zip(names, some, strict=True):
        above = parent.get(name)
        while above is not None and above not in owner:
            above = parent.get(above)
        owned = owner.get(above)
        found[message.number] = owned.number if isinstance(owned, ThreadMessage) else 0
    return found


class HostileTests(SynchronousTestCase):
    def check(self, some: list[ThreadMessage], deepest: int) -> None:
        steps = forest_steps("REFERENCES", some)
        count, longest, began = 0, 0.0, time.thread_time()
        while True:
            try:
                next(steps)
            except StopIteration as done:
                found = done.value
                break
            count += 1
            now = time.thread_time()
            longest, began = max(longest, now - began), now
        self.assertGreater(count, len(some) // 1000)
        self.assertEqual(max(found.depths), deepest)
        self.assertEqual(len(found.numbers), len(some))
        self.assertTrue(b"".join(forest_pieces(found.numbers, found.depths)))

    def test_a_chain_of_many(self) -> None:
        chain = [ThreadMessage(at + 1, at, at + 1, [at]) for at in range(30_000)]
        self.check(chain, 29_999)
        self.check([message._replace(number=at + 1) for at, message in enumerate(reversed(chain))], 29_999)

    def test_siblings_that_come_before_their_parents_and_leave_again(self) -> None:
        # Each is first put below one message, and then below another one.
        first = [ThreadMessage(at + 1, at, -at - 1, ["p", at]) for at in range(10_000)]
        then = [ThreadMessage(10_001 + at, at, at, ["q"]) for at in range(10_000)]
        steps = forest_steps("REFERENCES", [*first, *then])
        self.assertEqual(len([number for number in finish(steps).numbers if number]), 20_000)

    def test_references_of_all_to_all(self) -> None:
        some = [ThreadMessage(at + 1, at, at, list(range(1000))) for at in range(100)]
        self.assertEqual(len([number for number in forest("REFERENCES", some).numbers if number]), 100)

    def test_looking_for_loops_has_an_end(self) -> None:
        # Messages that have answers already are put below the last one of a long thread.
        many = 10_000
        chain = [ThreadMessage(at + 1, at, at + 1, [at] if at else []) for at in range(many)]
        answers = [ThreadMessage(0, at, -2 * at - 1, [-2 * at - 2]) for at in range(many)]
        parents = [ThreadMessage(0, at, -2 * at - 2, [many]) for at in range(many)]
        count = 0
        for _ in forest_steps("REFERENCES", [*chain, *answers, *parents]):
            count += 1
        most = LOOKED_AT * (2 * 3 * many) / _links._WALK
        self.assertLess(count, most + 3 * many / 30)

    def test_the_collector_has_nothing_to_do(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for algorithm in ("REFERENCES", "REFS", "ORDEREDSUBJECT"):
            some = (mail(at, f"{at}", f"{at // 2} {-at}", f"s{at % 50}") for at in range(1, 10_001))
            before = gc.get_count()[0]
            most = max(gc.get_count()[0] for _ in forest_steps(algorithm, some))
            self.assertLess(most - before, 1000, algorithm)

    def test_many_threads_are_sorted_in_pieces(self) -> None:
        dates = [at * 7_919 % 30_011 for at in range(30_000)]
        some = [ThreadMessage(at + 1, date, at, arrival=date) for at, date in enumerate(dates)]
        right = sorted(range(1, 30_001), key=lambda number: dates[number - 1])
        for algorithm in ("REFERENCES", "REFS"):
            self.assertEqual(list(forest(algorithm, some).numbers), right)
        one = [message._replace(subject="one") for message in some]
        for algorithm in ("ORDEREDSUBJECT", "REFERENCES"):
            found = forest(algorithm, one)
            self.assertEqual([number for number in found.numbers if number], right, algorithm)

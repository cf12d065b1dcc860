"""Whatever is done, the embedded queue answers as the reference does."""

from __future__ import annotations

import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore, SQLiteStore
from mailproto.errors import LeaseLost, MailError
from mailproto.model import Outcome, Placement, QueueChange, QueueFilter, QueueState, RecipientResult
from mailproto.testing._queue_fixture import NOW, message
from tests.backends.sqlite.test_like_memory import Turns

ALICE = "alice@example.org"
BUSY, SENT, REFUSED = Outcome(451, "4.3.0", "x"), Outcome(250, "2.0.0", "y"), Outcome(550, "5.1.1", "z")

domains = st.sampled_from(["a.example", "b.example"])
destinations = st.sampled_from(["a.example", "b.example", "c"])
times = st.integers(-20, 40)
new = st.builds(
    lambda to, here, priority, share, due, large, skip, notice: message(
        *(f"u@{domain}" for domain in to),
        content=b"x" * (70_000 if large else 10),
        placements=[Placement(name) for name in here],
        priority=priority,
        share=share,
        due=NOW + due,
        skip=skip,
        notice=NOW + notice if notice else 0.0,
    ),
    st.lists(domains, min_size=1, max_size=4),
    st.lists(st.sampled_from([ALICE, ALICE, ALICE, "nobody"]), max_size=1),
    st.sampled_from([0, 0, 0, 5, -5]),
    st.sampled_from(["ann", "bob"]),
    times,
    st.sampled_from([False] * 9 + [True]),
    st.sampled_from([0, 0, 3]),
    st.sampled_from([0, 10, 20, 30]),
)


class Queues(RuleBasedStateMachine):
    """Two queues to which the same is done."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.turns = Turns()
        self.stores = [MemoryStore(), SQLiteStore(self.folder.name, reactor=self.turns)]  # type: ignore[arg-type]
        for store in self.stores:
            self.turns.wait(store.start())
            self.turns.wait(store.directory.add(ALICE, "hash"))
        self.now = NOW
        self.leases = []  # of both queues
        self.ids = [{}, {}]  # the order in which messages were seen, by id

    def teardown(self):
        faults = []
        self.turns.wait(self.stores[1].check(faults.append))  # type: ignore[attr-defined]
        assert not faults, faults
        for store in self.stores:
            self.turns.wait(store.stop())
        self.folder.cleanup()

    def alias(self, which, id_):
        return self.ids[which].setdefault(id_, len(self.ids[which]))

    def shown(self, which, queued):
        return (
            self.alias(which, queued.id),
            queued.envelope,
            queued.recipients,
            queued.arrived,
            queued.expires,
            queued.priority,
            queued.size,
            queued.content if queued.content is None else bytes(queued.content),
        )

    def both(self, ask):
        """What both queues answer."""

        async def answer(which):
            try:
                return await ask(self.stores[which].queue, which)
            except (MailError, LeaseLost) as error:
                return type(error)

        return [self.turns.wait(answer(which)) for which in (0, 1)]

    def same(self, ask):
        memory, sqlite = self.both(ask)
        assert memory == sqlite, (memory, sqlite)
        return memory

    @rule(messages=st.lists(new, min_size=1, max_size=3))
    def add(self, messages):
        async def add(queue, which):
            return [len(each) for each in await queue.add(messages)]

        self.same(add)

    @rule(seconds=st.integers(1, 30))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(
        destination=destinations,
        seconds=st.integers(1, 30),
        messages=st.integers(1, 4),
        recipients=st.integers(1, 3),
    )
    def lease(self, destination, seconds, messages, recipients):
        got = self.both(
            lambda queue, which: queue.lease(
                destination,
                now=self.now,
                until=self.now + seconds,
                messages=messages,
                recipients=recipients,
            )
        )
        memory, sqlite = (
            [(self.shown(which, lease.message), lease.until) for lease in leases]
            for which, leases in enumerate(got)
        )
        assert memory == sqlite, (memory, sqlite)
        self.leases += zip(*got, strict=True)

    @rule(seconds=st.integers(1, 30), messages=st.integers(1, 4))
    def lease_overdue(self, seconds, messages):
        got = self.both(
            lambda queue, which: queue.lease_overdue(
                now=self.now, until=self.now + seconds, messages=messages
            )
        )
        memory, sqlite = (
            [(self.shown(which, lease.message), lease.until) for lease in leases]
            for which, leases in enumerate(got)
        )
        assert memory == sqlite, (memory, sqlite)
        self.leases += zip(*got, strict=True)

    def some_leases(self, which):
        return [self.leases[index] for index in which if index < len(self.leases)]

    @rule(which=st.lists(st.integers(0, 9), max_size=3), seconds=st.integers(1, 30))
    def renew(self, which, seconds):
        leases = self.some_leases(which)
        got = self.both(
            lambda queue, which: queue.renew([each[which] for each in leases], self.now + seconds)
        )
        memory, sqlite = (
            [(self.alias(which, lease.message.id), lease.until) for lease in renewed]
            for which, renewed in enumerate(got)
        )
        assert memory == sqlite

    @rule(which=st.lists(st.integers(0, 9), max_size=3))
    def release(self, which):
        leases = self.some_leases(which)
        self.same(lambda queue, which: queue.release([each[which] for each in leases]))

    @rule(
        which=st.integers(0, 9),
        results=st.lists(
            st.tuples(
                st.sampled_from(["sent", "failed", "waiting", "waiting", None]),
                times,
                st.booleans(),
                st.booleans(),
            ),
            min_size=3,
            max_size=3,
        ),
        reports=st.just([]) | st.lists(new, max_size=2),
    )
    def settle(self, which, results, reports):
        if which >= len(self.leases):
            return
        leases = self.leases.pop(which)
        outcomes = {"sent": SENT, "failed": REFUSED, "waiting": BUSY}
        noted = [
            RecipientResult(
                recipient.number,
                QueueState(state),
                outcomes[state],
                "mx",
                self.now + due if state == "waiting" else 0.0,
                is_attempt,
                is_late,
            )
            for recipient, (state, due, is_attempt, is_late) in zip(
                leases[0].message.recipients, results, strict=False
            )
            if state is not None
        ]
        self.same(lambda queue, which: queue.settle(leases[which], noted, reports))

    @rule(destination=destinations, until=times | st.just(None), failures=st.integers(0, 3))
    def pause(self, destination, until, failures):
        at = 0 if until is None else self.now + until
        self.same(lambda queue, which: queue.pause(destination, at, failures, "why"))

    @rule(change=st.sampled_from(QueueChange), which=st.lists(st.integers(0, 30), max_size=4))
    def change(self, change, which):
        async def change_some(queue, number):
            ids = list(self.ids[number])
            chosen = [ids[index] for index in which if index < len(ids)]
            return [self.alias(number, id_) for id_ in await queue.change(chosen, change)]

        self.same(change_some)

    @rule(moves=st.dictionaries(domains, destinations))
    def regroup(self, moves):
        self.same(lambda queue, which: queue.regroup(lambda domain: moves.get(domain, domain)))

    @rule(
        filter=st.builds(
            QueueFilter,
            state=st.none() | st.sampled_from(QueueState),
            destination=st.just("") | destinations,
            domain=st.just("") | domains,
            is_deferred=st.none() | st.booleans(),
        )
    )
    def find(self, filter):
        async def find(queue, which):
            return [self.shown(which, each) for each in await queue.find(filter)]

        self.same(find)

    @invariant()
    def messages_are_the_same(self):
        async def all_of(queue, which):
            return [
                self.shown(which, await queue.get(each.id))
                for each in await queue.find(QueueFilter(), limit=1000)
            ]

        self.same(all_of)

    @invariant()
    def destinations_and_counts_are_the_same(self):
        async def kept(queue, which):
            return (
                list(await queue.destinations()),
                list(await queue.due(self.now, 100)),
                await queue.counts(self.now),
                await queue.next_deadline(),
            )

        self.same(kept)


class QueueLikeMemoryTests(SynchronousTestCase):
    """A random walk."""

    def test_both_queues_answer_alike(self):
        run_state_machine_as_test(
            Queues,
            settings=settings(
                max_examples=20,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

"""Whatever is done, the embedded store answers as the reference does."""

import queue
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore, SQLiteStore
from mailproto.errors import MailError
from mailproto.model import FlagChange, FlagOperation, NewMessage, Part, Placement, QuotaLimits

BOTH = ["/private", "/shared"]
ALICE, BOB = "alice@example.org", "bob@example.org"

names = st.sampled_from(["INBOX", "inbox/a", "a", "a/b", "a/b/c", "b", "b/c", "Sent", "a//b", "%"])
places = st.sampled_from(["INBOX", "Sent", "a", "a/b"])
entries = st.sampled_from(["/private/a", "/shared/a", "/Shared/A/b", "/shared//", "x"])
some_flags = ["\\Seen", "\\Deleted", "\\FLAGGED", "Label", "label", "$X"]
flags = st.frozensets(st.sampled_from(some_flags), max_size=4)
contents = [
    b"",
    b"Subject: x\r\n\r\nText.\r\n",
    b"\r\n" + b"x" * 70_000,
    b"Subject: x\r\nMessage-ID: <1@x>\r\n\r\n",
    b"Subject: y\r\nMessage-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\n\r\n",
    b"Subject: Re: x\r\nMessage-ID: <3@x>\r\nReferences: <1@x>\r\n <2@x>\r\n\r\n",
    b"Subject: Re: x\r\n\r\n",
    b"Subject: Fwd: y\r\nMessage-ID: <4@x>\r\n\r\n",
    b"Message-ID: <5@x>\r\nReferences: <9@x> <4@x>\r\n\r\n" + b"x" * 70_000,
]
uids = st.lists(st.integers(1, 12), unique=True, max_size=8).map(sorted)
new = st.builds(NewMessage, st.integers(0, len(contents) - 1).map(contents.__getitem__), flags, st.just(1))


class Turns(Clock):
    """A reactor that runs what threads ask of it while somebody waits for a result."""

    def __init__(self):
        super().__init__()
        self._calls = queue.SimpleQueue()

    def callFromThread(self, function, *arguments, **keywords):
        self._calls.put((function, arguments, keywords))

    def wait(self, coroutine):
        """The result, or the type of the MailError."""
        result = []
        Deferred.fromCoroutine(coroutine).addBoth(result.append)  # type: ignore[call-overload]
        self.advance(0)
        while not result:
            function, arguments, keywords = self._calls.get(timeout=10)
            function(*arguments, **keywords)
            self.advance(0)
        if hasattr(result[0], "trap"):
            result[0].trap(MailError)
            return result[0].type
        return result[0]


class Stores(RuleBasedStateMachine):
    """Two stores to which the same is done."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.turns = Turns()
        self.stores = [MemoryStore(), SQLiteStore(self.folder.name, reactor=self.turns)]  # type: ignore[arg-type]
        self.opened = {}
        self.since = 0
        for store in self.stores:
            self.turns.wait(store.start())
            self.turns.wait(store.directory.add(ALICE, "hash"))
            self.turns.wait(store.directory.add(BOB, "hash"))
        self.aliases = [Aliases(), Aliases()]
        self.accounts = [self.turns.wait(store.account(ALICE)) for store in self.stores]

    def teardown(self):
        faults = []
        self.turns.wait(self.stores[1].check(faults.append))  # type: ignore[attr-defined]
        assert not faults, faults
        for store in self.stores:
            self.turns.wait(store.stop())
        self.folder.cleanup()

    def same(self, ask, *arguments):
        memory, sqlite = (self.turns.wait(ask(account, *arguments)) for account in self.accounts)
        assert memory == sqlite

    @rule(name=names, use=st.sampled_from([None, None, "\\Junk", "\\All"]))
    def create(self, name, use):
        self.same(lambda account: account.create(name, use))

    @rule(name=names)
    def delete(self, name):
        self.same(lambda account: account.delete(name))

    @rule(old=names, new=names)
    def rename(self, old, new):
        self.same(lambda account: account.rename(old, new))

    @rule(name=names)
    def subscribe(self, name):
        self.same(lambda account: account.subscribe(name))

    @rule(name=names)
    def unsubscribe(self, name):
        self.same(lambda account: account.unsubscribe(name))

    @rule(place=places, messages=st.lists(new, max_size=4))
    def append(self, place, messages):
        async def ask(account):
            return list(await (await account.open(place)).append(messages))

        self.same(ask)

    @rule(
        content=st.integers(0, len(contents) - 1).map(contents.__getitem__),
        placements=st.lists(
            st.builds(Placement, st.sampled_from([ALICE, ALICE, BOB, "nobody"]), places, flags), max_size=4
        ),
    )
    def deliver(self, content, placements):
        async def deliver(store):
            outcomes = await store.deliver(content, placements, 1)
            return [type(outcome) if isinstance(outcome, MailError) else outcome for outcome in outcomes]

        memory, sqlite = (self.turns.wait(deliver(store)) for store in self.stores)
        assert memory == sqlite

    @rule(
        place=places,
        uids=uids,
        change=st.builds(FlagChange, st.sampled_from(FlagOperation), flags),
        since=st.none() | st.integers(0, 20),
    )
    def store(self, place, uids, change, since):
        async def ask(account):
            result = await (await account.open(place)).store(uids, change, since)
            return spelled(result.changed), list(result.refused)

        self.same(ask)

    @rule(source=places, there=places, uids=uids, moving=st.booleans())
    def copy(self, source, there, uids, moving):
        async def ask(account):
            mailbox, target = await account.open(source), await account.open(there)
            return list(await (mailbox.move if moving else mailbox.copy)(uids, target))

        self.same(ask)

    @rule(place=places, uids=st.none() | uids)
    def expunge(self, place, uids):
        async def ask(account):
            return list(await (await account.open(place)).expunge(uids))

        self.same(ask)

    @rule(place=places, there=places, uid=st.integers(1, 6), message=new)
    def replace(self, place, there, uid, message):
        async def ask(account):
            return await (await account.open(place)).replace(uid, message, await account.open(there))

        self.same(ask)

    @rule(
        place=places | st.just(""),
        values=st.dictionaries(entries, st.none() | st.sampled_from([b"", b"x"]), max_size=3),
    )
    def annotate(self, place, values):
        self.same(lambda account: account.annotate(place, values))

    @rule(
        limits=st.sampled_from([QuotaLimits(), QuotaLimits(), QuotaLimits(messages=8), QuotaLimits(100_000)])
    )
    def limit(self, limits):
        for store in self.stores:
            self.turns.wait(store.set_limits(ALICE, limits))  # type: ignore[attr-defined]

    @rule(place=places)
    def claim_recent(self, place):
        async def ask(account):
            return await (await account.open(place)).claim_recent()

        self.same(ask)

    @invariant()
    def names_are_the_same(self):
        async def ask(account):
            return list(await account.list())

        self.same(ask)

    @invariant()
    def quotas_are_the_same(self):
        self.same(lambda account: account.quota(""))

    @invariant()
    def changes_of_mailboxes_are_the_same(self):
        """From the beginning, and since the last time."""

        async def ask(account):
            seen = []
            for since in (0, self.since):
                changes = await account.mailbox_changes(since)
                names = {
                    name: status._replace(uid_validity=0, mailbox_id=None)
                    for name, status in changes.statuses.items()
                }
                entries = {name: sorted(found) for name, found in changes.annotations.items()}
                values = {name: await account.annotations(name, BOTH, None) for name in entries}
                seen.append((names, changes.list_changed, entries, values, changes.modseq))
            return seen

        memory, sqlite = (self.turns.wait(ask(account)) for account in self.accounts)
        assert memory == sqlite
        self.since = memory[0][-1]

    @invariant()
    def mailboxes_are_the_same(self):
        async def ask(account):
            aliases = self.aliases[self.accounts.index(account)]
            return [
                await all_of(await account.open(entry.name), aliases)
                for entry in await account.list()
                if entry.selectable
            ]

        self.same(ask)


def spelled(messages):
    return [(message.uid, sorted(message.flags), message.modseq) for message in messages]


class Aliases(dict):
    """Ids by the order in which they were seen: stores may give others to the same things."""

    def __missing__(self, id_):
        alias = self[id_] = f"{id_[0]} {len(self)}"
        return alias


async def all_of(mailbox, aliases):
    """All that can be seen of a mailbox, but for its UIDVALIDITY, which tells the time."""
    assert mailbox.mailbox_id == (await mailbox.status()).mailbox_id
    status = (await mailbox.status())._replace(uid_validity=0, mailbox_id=aliases[mailbox.mailbox_id])
    seen = [status]
    for since in (0, 1, max(status.modseq - 3, 1), status.modseq):
        changes = await mailbox.changes_since(since)
        seen.append((spelled(changes.changed), list(changes.vanished), changes.modseq))
    read = await mailbox.read(range(1, status.uid_next + 1), ~Part.SAVE_DATE)
    return seen, [
        info._replace(
            content=bytes(info.content),
            email_id=aliases[info.email_id],
            thread_id=aliases[info.thread_id],
            save_date=None,  # which tells the time
        )
        for info in read
    ]


class LikeMemoryTests(SynchronousTestCase):
    """A random walk."""

    def test_both_stores_answer_alike(self):
        run_state_machine_as_test(
            Stores,
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

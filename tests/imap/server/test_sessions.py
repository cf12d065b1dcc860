"""Several sessions in one mailbox: each client that believes what it is told knows it, whatever they do.

One that was away, and comes back with QRESYNC, knows it as well, wherever its connection was cut.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.believer import Believer
from tests.imap.server.dialogue import DialogueTestCase, run

ENABLED = {
    "plain": (),
    "condstore": ("CONDSTORE",),
    "qresync": ("QRESYNC",),
    "rev2": ("IMAP4rev2", "QRESYNC"),
    "uids": ("UIDONLY", "QRESYNC"),
}

sessions = st.sampled_from(sorted(ENABLED))
places = st.integers(0, 7)
flags = st.sampled_from(["\\Seen", "\\Deleted", "$Work"])
signs = st.sampled_from("+-")


class Server(DialogueTestCase):
    def runTest(self) -> None:
        """There is no test; this is where sessions are made."""


class Sessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.server.setUp()
        self.server.fill(3)
        self.clients: dict[str, Believer] = {}
        for name, enabled in ENABLED.items():
            self.clients[name] = Believer(self.exchange(name), enabled)
            self.connect(name)

    def exchange(self, name: str):  # type: ignore[no-untyped-def]
        def exchange(data: bytes) -> bytes:
            client = self.server.clients[name]
            client.send(data)
            return client.received()

        return exchange

    def connect(self, name: str) -> None:
        self.server.connect(name)
        self.clients[name].begin()

    def teardown(self) -> None:
        for name in ENABLED:
            self.check(name)
        self.server.hang_up()

    # -- what happens

    @rule(name=sessions, count=st.integers(1, 3))
    def append(self, name: str, count: int) -> None:
        messages = " ".join(["{1+}\r\nx"] * count)
        assert self.clients[name].command(f"APPEND INBOX {messages}").startswith(b"OK")

    @rule(name=sessions, at=places, uid=st.booleans(), sign=signs, silent=st.booleans(), flag=flags)
    def store(self, name: str, at: int, uid: bool, sign: str, silent: bool, flag: str) -> None:
        client = self.clients[name]
        known = [each for each in client.messages if each.uid is not None]
        if not known:
            return
        chosen = known[at % len(known)]
        uid = uid or client.uids_only
        number = chosen.uid if uid else client.messages.index(chosen) + 1
        before = chosen.flags
        chosen.flags = None
        item = f"{sign}FLAGS{'.SILENT' * silent}"
        command = f"{'UID ' * uid}STORE {number} {item} ({flag})"
        answer = client.command(command, expunges=uid)
        if chosen.flags is None:  # nothing else was told
            chosen.flags = before
            if silent and answer.startswith(b"OK") and before is not None:
                chosen.flags = before | {flag} if sign == "+" else before - {flag}

    @rule(name=sessions, at=places, since=st.integers(0, 3), flag=flags)
    def store_conditionally(self, name: str, at: int, since: int, flag: str) -> None:
        client = self.clients[name]
        known = [each for each in client.messages if each.uid is not None]
        if not known or not client.modseqs:
            return
        chosen = known[at % len(known)]
        unchanged = max(client.modseq - since, 0)
        answer = client.command(f"UID STORE {chosen.uid} (UNCHANGEDSINCE {unchanged}) +FLAGS ({flag})")
        assert answer.startswith(b"OK"), answer

    @rule(name=sessions)
    def expunge(self, name: str) -> None:
        assert self.clients[name].command("EXPUNGE").startswith(b"OK")

    @rule(name=sessions, at=places)
    def move(self, name: str, at: int) -> None:
        client = self.clients[name]
        known = [each.uid for each in client.messages if each.uid is not None]
        if known:
            assert client.command(f"UID MOVE {known[at % len(known)]} Trash").startswith(b"OK")

    @rule(name=sessions, command=st.sampled_from(["FETCH 1:* (FLAGS)", "SEARCH ALL", "FETCH 1 (BODY[])"]))
    def by_numbers(self, name: str, command: str) -> None:
        """Expunges are held back."""
        client = self.clients[name]
        if client.messages and not client.uids_only:
            client.command(command, expunges=False)

    @rule(name=sessions, command=st.sampled_from(["NOOP", "UID FETCH 1:* (FLAGS)", "UID SEARCH ALL"]))
    def by_uids(self, name: str, command: str) -> None:
        self.clients[name].command(command)

    @rule(name=sessions)
    def learn(self, name: str) -> None:
        self.clients[name].learn()

    @rule(uids=st.sets(st.integers(1, 12), max_size=4), sign=signs, flag=flags)
    def elsewhere(self, uids: set[int], sign: str, flag: str) -> None:
        """What POP3, or another process, does."""
        operation = FlagOperation.ADD if sign == "+" else FlagOperation.REMOVE
        run(self.server.inbox.store(sorted(uids), FlagChange(operation, frozenset({flag}))))

    @rule(uids=st.sets(st.integers(1, 12), min_size=1, max_size=3))
    def removed_elsewhere(self, uids: set[int]) -> None:
        self.server.inbox.remove(uids)

    @rule(name=sessions)
    def cut(self, name: str) -> None:
        """A connection is lost, and the client comes back."""
        client = self.clients[name]
        self.server.clients[name].transport.drop()
        self.connect(name)
        self.compare(client)

    @rule(name=st.sampled_from(["qresync", "rev2"]), removed=st.integers(1, 12), seen=st.integers(1, 12))
    def cut_while_expunges_are_held(self, name: str, removed: int, seen: int) -> None:
        """The client has been told of a later change than that which it has not been told of."""
        self.server.inbox.remove({removed})
        self.elsewhere({seen}, "+", "\\Seen")
        self.by_numbers(name, "FETCH 1:* (FLAGS)")
        self.cut(name)

    @rule(name=sessions)
    def check(self, name: str) -> None:
        """It is told of everything, and knows the mailbox then."""
        client = self.clients[name]
        client.command("NOOP")
        client.learn()
        self.compare(client)

    def compare(self, client: Believer) -> None:
        there = run(self.server.inbox.changes_since(0)).changed
        uids = [known.uid for known in client.messages]
        assert uids == list(there.uids), (client.enabled, uids, there.uids)
        flags = [known.flags for known in client.messages]
        assert flags == list(there.flags), (client.enabled, flags, there.flags)
        if client.modseqs:
            modseqs = [known.modseq for known in client.messages]
            assert modseqs == list(there.modseqs), (client.enabled, modseqs, there.modseqs)


class SessionsTests(SynchronousTestCase):
    def test_whatever_they_do(self) -> None:
        run_state_machine_as_test(
            Sessions,
            settings=settings(
                max_examples=30,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

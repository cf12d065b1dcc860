"""A source that lies: nothing is lost or doubled at the target, and a run always ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore
from mailproto.errors import MailError
from mailproto.fetching._fetch_new import Fetching
from mailproto.fetching._fetch_state import FetchState
from mailproto.fetching._sources import IMAPSource
from mailproto.fetching._targets import MailboxTarget
from mailproto.imap import IMAPClient
from mailproto.mirroring import MirrorError, RemoteMailbox, mirror
from mailproto.testing import connected
from tests.imap.server.dialogue import run
from tests.mirroring.lying_server import LIES, LyingFactory, Maildrop
from tests.mirroring.sides import MEMORY, contents

EXAMPLES = int(os.environ.get("MAILPROTO_MIRROR_EXAMPLES", "25"))
ROOM = 2_000_000
"""Octets that a server may send before it is too much for a dozen of small messages."""

some_lies = st.sets(st.sampled_from(LIES), min_size=1, max_size=4)


class Target:
    """A local mailbox, with a state."""

    def __init__(self, maildrop: Maildrop) -> None:
        self.maildrop = maildrop
        self.clock = Clock()
        self.folder = Path(tempfile.mkdtemp(prefix="mailproto-lies-", dir=MEMORY))
        store = MemoryStore()
        run(store.directory.add("bob", ""))
        self.local: Any = run(run(store.account("bob")).open("INBOX"))

    def connect(self) -> Any:
        return connected(LyingFactory(self.maildrop), IMAPClient(self.clock), clock=self.clock)

    def mirror(self) -> Any:
        link = self.connect()
        source = RemoteMailbox(link.client, "INBOX")
        try:
            return link.result(
                mirror(source, self.local, self.folder / "state", clock=self.clock), after=3600
            )
        finally:
            link.client.abort()
            link.pump()

    def fetch(self) -> Any:
        link = self.connect()
        state = FetchState(self.folder / "fetched", "x", "y")
        state.open()
        try:
            source = IMAPSource(link.client, "INBOX", read_only=True)
            fetching = Fetching(self.clock, source, MailboxTarget(self.local), state)
            return link.result(fetching.run(delete=False), after=3600)
        finally:
            state.close()
            link.client.abort()
            link.pump()

    def kept(self) -> Counter[bytes]:
        return Counter(octets for octets, _ in contents(self.local))

    def close(self) -> None:
        shutil.rmtree(self.folder)


def maildrop(seed: int, *, qresync: bool) -> Maildrop:
    messages = {uid: b"Subject: %d\r\n\r\n%b\r\n" % (uid, b"x" * uid) for uid in (1, 2, 3, 5, 8, 13)}
    return Maildrop(messages, seed, qresync=qresync)


class LyingTests(SynchronousTestCase):
    def check(self, seed: int, lies: set[str], *, qresync: bool, way: str) -> None:
        truth = maildrop(seed, qresync=qresync)
        target = Target(truth)
        try:
            do = target.mirror if way == "mirror" else target.fetch
            for number in range(4):
                truth.lies = frozenset(lies)
                before = truth.sent
                with contextlib.suppress(MailError, MirrorError):
                    do()
                self.assertLess(truth.sent - before, ROOM)
                uid = 20 + number
                truth.messages[uid] = b"Subject: later %d\r\n\r\n%b\r\n" % (number, b"y" * uid)
                truth.flags[uid] = ""
                if number % 2:
                    truth.lies = frozenset()
                    do()
            truth.lies = frozenset()
            do()
            result = do()
            expected = Counter(truth.messages.values())
            self.assertEqual(target.kept() - expected, Counter(), "doubled")
            self.assertEqual(expected - target.kept(), Counter(), "lost")
            if way == "mirror":
                self.assertEqual((result.failures, result.copied), ([], 0))
        finally:
            target.close()

    @settings(max_examples=EXAMPLES)
    @given(st.integers(0, 1 << 30), some_lies, st.booleans())
    def test_mirror(self, seed: int, lies: set[str], qresync: bool) -> None:
        self.check(seed, lies, qresync=qresync, way="mirror")

    @settings(max_examples=EXAMPLES)
    @given(st.integers(0, 1 << 30), some_lies)
    def test_fetch(self, seed: int, lies: set[str]) -> None:
        self.check(seed, lies, qresync=False, way="fetch")

    def test_each_lie(self) -> None:
        for lie in LIES:
            for seed in range(3):
                for way in ("mirror", "fetch"):
                    with self.subTest(lie=lie, seed=seed, way=way):
                        self.check(seed, {lie}, qresync=True, way=way)

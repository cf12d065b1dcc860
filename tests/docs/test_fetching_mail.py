"""The programs of ``docs/fetching-mail.md``, with a server of ours."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailproto.auth import Password, password_portal
from mailproto.awaiting import settle
from mailproto.backends import SimpleAccount, SimpleMailbox
from mailproto.client import ServerAddress
from mailproto.content import Content
from mailproto.imap import IMAPServerFactory
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.wire import POP3ReplyLimits
from tests.docs.pages import FOLDER, Page

reactor: Any = installed
PAGE = "fetching-mail.md"
MESSAGES = [b"Subject: %d\r\n\r\n.%b\r\n" % (number, b"x" * number) for number in range(20)]


class FetchingTests(TestCase):
    timeout = 20  # seconds

    async def setUp(self) -> None:  # type: ignore[override]
        self.inbox = SimpleMailbox()
        for message in MESSAGES:
            self.inbox.add(message)
        account = SimpleAccount("alice", {"INBOX": self.inbox})
        portal = password_portal({"alice": "secret"}, account=lambda name: account)
        port = reactor.listenTCP(0, POP3ServerFactory(portal, clock=reactor), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.password = credentials = Password("alice", "secret")
        self.portal = portal
        self.server = ServerAddress("127.0.0.1", port.getHost().port, tls="none", credentials=credentials)
        page = Page(PAGE)
        self.programs: list[Any] = []
        for block in list(page.blocks):
            page.blocks = [block]
            await page.run()
            self.programs.append(page.names)

    async def test_all_is_saved_and_removed(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        fetch = self.programs[2]["fetch"]
        await fetch(reactor, self.server, folder)
        files = sorted(file.read_bytes() for file in folder.iterdir())
        self.assertEqual(files, sorted(MESSAGES))
        changes = await settle(self.inbox.changes_since(0))
        self.assertEqual(len(changes.changed.uids), 0)
        await fetch(reactor, self.server, folder)

    async def test_in_one_call(self) -> None:
        folder = Path(self.mktemp()).absolute()
        url = f"pop3://alice@localhost:{self.server.port}"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            kept = await self.programs[0]["fetch"](reactor, url, self.password, folder)
        self.assertEqual((kept, len(list((folder / "new").iterdir()))), (20, 20))
        self.assertEqual(printed.getvalue(), "0 of 20\n20 of 20\n")
        changes = await settle(self.inbox.changes_since(0))
        self.assertEqual(len(changes.changed.uids), 0)

    async def test_as_they_come(self) -> None:
        port = reactor.listenTCP(0, IMAPServerFactory(self.portal, clock=reactor), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url, state = f"imap://alice@localhost:{port.getHost().port}", Path(self.mktemp()).absolute()
        acted: Deferred[str] = Deferred()

        async def act(subject: str, content: Content) -> None:
            acted.callback(subject)
            raise RuntimeError("enough")

        async def call() -> None:
            await self.programs[1]["follow"](reactor, url, self.password, state, act)

        following = Deferred.fromCoroutine(call())
        adding = task.LoopingCall(lambda: self.inbox.add(b"Subject: new\r\n\r\n"))
        adding.start(0.2)
        self.assertEqual(await acted, "new")
        adding.stop()
        await self.assertFailure(following, RuntimeError)

    async def test_subjects(self) -> None:
        subjects = await self.programs[3]["subjects"](reactor, self.server)
        self.assertEqual(subjects, [str(number) for number in range(20)])

    async def test_digest(self) -> None:
        digest = await self.programs[4]["digest"](reactor, self.server, 3)
        self.assertEqual(digest, hashlib.sha256(MESSAGES[2]).hexdigest())

    def test_the_default(self) -> None:
        self.assertIn(f"{POP3ReplyLimits().in_memory >> 20} MiB", (FOLDER / PAGE).read_text())

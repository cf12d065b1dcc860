"""The methods of a store may be of any kind: the suite passes, and every server serves it."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailproto.auth import hash_password, store_portal
from mailproto.awaiting import settle
from mailproto.delivery import MailboxDelivery
from mailproto.imap import IMAPServerFactory
from mailproto.interfaces import IStore
from mailproto.pop3 import POP3ServerFactory
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import StoreConformance, running_server
from tests.testing.other_kinds import KINDS, plain, store_of

ALICE = "alice@example.org"

COMMANDS: tuple[tuple[Any, ...], ...] = (
    ("create", "new"),
    ("subscribe", "new"),
    ("rename", "new", "newer"),
    ("list",),
    ("lsub",),
    ("status", "newer", "(MESSAGES)"),
    ("select", "INBOX"),
    ("append", "newer", None, None, b"Subject: z\r\n\r\n"),
    ("search", None, "TEXT", "text"),
    ("store", "1", "+FLAGS", "\\Flagged"),
    ("copy", "1", "newer"),
    ("uid", "MOVE", "1", "newer"),
    ("noop",),
    ("expunge",),
    ("select", "newer"),
)
"""Methods of `imaplib.IMAP4`, with their arguments."""


class PlainStoreTests(StoreConformance, TestCase):
    def make_store(self) -> IStore:
        return store_of(plain)


class ServedTests(TestCase):
    """SMTP, POP3 and IMAP, with the clients of Python's library."""

    async def test_each_kind(self) -> None:
        for kind, make in KINDS.items():
            store = store_of(make)
            await settle(store.start())
            await settle(store.directory.add(ALICE, hash_password("secret")))
            portal = store_portal(store)
            factories = (
                SMTPServerFactory(MailboxDelivery(store, ["example.org"]), portal=portal, submission=True),
                IMAPServerFactory(portal),
                POP3ServerFactory(portal),
            )
            async with running_server(*factories) as server:
                found = await deferToThread(self.use, *server.ports)
            self.assertEqual(found, ["Subject: x", "Subject: x", b"2"], kind)
            await settle(store.stop())

    def use(self, smtp: int, imap: int, pop3: int) -> list[Any]:
        """Send a message, file it, and read it."""
        with smtplib.SMTP("127.0.0.1", smtp) as sender:
            sender.login(ALICE, "secret")
            sender.sendmail(ALICE, [ALICE], "Subject: x\r\nX: y\r\n\r\ntext\r\n")
        with imaplib.IMAP4("127.0.0.1", imap) as reader:
            reader.login(ALICE, "secret")
            for command in COMMANDS:
                status, answer = getattr(reader, command[0])(*command[1:])
                assert status == "OK", (command, answer)
            _, fetched = reader.fetch("3", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            header = fetched[0][1].decode().strip()
            reader.copy("3", "INBOX")
            reader.copy("3", "INBOX")
        box = poplib.POP3("127.0.0.1", pop3)
        box.user(ALICE)
        box.pass_("secret")
        count = box.stat()[0]
        top = next(line.decode() for line in box.top(1, 0)[1] if line.startswith(b"Subject"))
        box.dele(1)
        box.quit()
        return [header, top, b"%d" % count]

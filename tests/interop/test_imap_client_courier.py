"""`IMAPClient` with Courier's IMAP server, over pipes: the part of it that comes after the password."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import ProcessEndpoint
from twisted.trial.unittest import SkipTest, TestCase

from mailproto.client.errors import CommandRefused
from mailproto.imap import IMAPClient
from mailproto.imap.values import Query
from mailproto.model import NewMessage
from tests.imap.client.test_with_our_server import MIXED

_GREET = r"""
printf '* OK [CAPABILITY %s] Courier-IMAP ready.\r\n' "$IMAP_CAPABILITY"
read -r tag login
printf '%s OK LOGIN Ok.\r\n' "$tag"
ulimit -n 256
exec "$0" Maildir
"""
"""What Courier's program for the login says, which needs a service.  With the limit, one library of it has
fewer descriptors to close."""

_CAPABILITIES = (  # as Debian sets them
    "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"
)


class CourierTests(TestCase):
    timeout = 30

    def setUp(self) -> None:
        unpacked = os.environ.get("MAILPROTO_TEST_MTAS", "")
        self.program = Path(unpacked, "usr/bin/imapd")
        if not self.program.exists():
            raise SkipTest("needs Courier's IMAP server unpacked in MAILPROTO_TEST_MTAS: see .ci/run")
        libraries = [*Path(unpacked, "usr/lib").rglob("libcourier*.so*")]
        libraries += Path(unpacked, "usr/lib").rglob("libgamin*.so*")
        self.libraries = {str(file.parent) for file in libraries}
        self.home = Path(self.mktemp()).resolve()
        for name in ("tmp", "cur", "new"):
            (self.home / "Maildir" / name).mkdir(parents=True)

    async def connect(self) -> IMAPClient:
        env = {
            "AUTHENTICATED": "alice",
            "HOME": str(self.home),
            "MAILDIR": "Maildir",
            "IMAP_CAPABILITY": _CAPABILITIES,
            "IMAP_KEYWORDS": "1",
            "IMAP_USELOCKS": "0",  # a lock would wait for a service, too
            "LD_LIBRARY_PATH": ":".join(self.libraries),
        }
        endpoint = ProcessEndpoint(
            reactor, "/bin/sh", ["/bin/sh", "-c", _GREET, str(self.program)], env, path=str(self.home)
        )
        client = await IMAPClient.connect(reactor, endpoint)
        self.addCleanup(client.quit)
        await client.login("alice", "secret", allow_clear=True)
        return client

    async def test_dialogue(self) -> None:
        client = await self.connect()
        [personal] = (await client.namespace()).personal
        self.assertEqual((personal.prefix, personal.delimiter), ("INBOX.", "."))
        drafts = "INBOX.Entwürfe & mehr"
        await client.create(drafts)
        await client.subscribe(drafts)
        listed = {each.name: each for each in await client.list(status=["MESSAGES"])}
        self.assertEqual(listed[drafts].counts.messages, 0)  # type: ignore[union-attr]
        self.assertIn(drafts, [each.name for each in await client.list(subscribed=True)])

        large = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 20_000
        first = NewMessage(MIXED, frozenset({"\\Seen", "$Kept"}), 1_000_000_000)
        appended = await client.append("INBOX", first, large, *[MIXED] * 8)
        self.assertEqual(appended.uids, tuple(range(1, 11)))
        box = await client.select("INBOX")
        self.assertEqual((box.exists, box.uid_validity), (10, appended.uid_validity))

        items = ("FLAGS", "ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]")
        messages = await client.fetch("1:*", *items).all()
        self.assertEqual([each.uid for each in messages], list(appended.uids))
        self.assertEqual((messages[0].content, messages[1].content), (MIXED, large))
        self.assertEqual(messages[1].size, len(large))
        self.assertEqual(messages[0].flags - {"\\Recent"}, {"\\Seen", "$Kept"})
        self.assertEqual(messages[0].envelope.subject, "Äpfel")  # type: ignore[union-attr]
        self.assertEqual(messages[0].internal_date.timestamp(), 1_000_000_000)  # type: ignore[union-attr]
        part = await client.part(1)
        self.assertEqual(part.text if part else "", "Grüße")

        self.assertEqual((await client.search(Query.subject("Äpfel") & Query.seen())).uids, [1])
        self.assertEqual((await client.sort("REVERSE SIZE", "1:2"))[0], 2)
        self.assertEqual(len(await client.thread("REFERENCES")), 2)
        await client.store([1, 2], add={"\\Flagged"})
        self.assertEqual((await client.search("FLAGGED")).uids, [1, 2])
        copied = await client.copy([3, 4], drafts)
        self.assertEqual([*copied], [(3, 1), (4, 2)])
        await client.move([5, 6], drafts)  # it has no MOVE
        self.assertEqual(client.exists, 8)
        await client.store([7, 8], add={"\\Deleted"})
        await client.expunge([7, 9])
        self.assertEqual(list((await client.search()).uids), [1, 2, 3, 4, 8, 9, 10])
        error: Any = await self.assertFailure(client.append("INBOX.None", MIXED), CommandRefused)
        self.assertEqual(error.reply.code, "TRYCREATE")

    async def test_what_another_client_does(self) -> None:
        client, other = await self.connect(), await self.connect()
        await client.select("INBOX")
        await other.append("INBOX", MIXED)
        await client.noop()
        self.assertEqual(client.exists, 1)

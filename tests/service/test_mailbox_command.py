"""``mailproto mailbox``, in this process and with a store in memory."""

from __future__ import annotations

import io
import sys
from typing import Any

from twisted.trial.unittest import TestCase

from mailproto.awaiting import settle
from mailproto.backends import MemoryStore
from mailproto.errors import MailboxExists, NoPermission, NoSuchAccount, NoSuchMailbox
from mailproto.service import _command
from mailproto.service._command_error import CommandError

ALICE, BOB = "alice@example.org", "bob@example.org"


class MailboxCommandTests(TestCase):
    def setUp(self) -> None:
        self.store = MemoryStore()
        for name in (ALICE, BOB):
            self.store.directory.insert(name, "")

    async def said(self, *arguments: str) -> str:
        """What ``mailproto mailbox`` prints."""
        options = _command._parser().parse_args(["mailbox", *arguments])
        options.domain = options.domain or "example.org"
        printed = io.StringIO()
        self.patch(sys, "stdout", printed)
        await options.run(self.store, options)
        return printed.getvalue()

    async def test_mailboxes(self) -> None:
        self.assertEqual(await self.said("create", "Alice", "Work/Plans"), "")
        names = await self.said("list", ALICE)
        self.assertEqual(names, "Archive\nDrafts\nINBOX\nJunk\nSent\nTrash\nWork\nWork/Plans\n")
        self.assertEqual(await self.said("delete", ALICE, "Work"), "")
        self.assertIn("Trash\nWork/Plans\n", await self.said("list", ALICE))
        with self.assertRaises(MailboxExists):
            await self.said("create", ALICE, "INBOX")
        with self.assertRaises(NoSuchMailbox):
            await self.said("delete", ALICE, "None")
        with self.assertRaises(NoSuchAccount):
            await self.said("list", "carol")

    async def test_rights(self) -> None:
        own = f"{ALICE} lrswipkxtea\n"
        self.assertEqual(await self.said("acl", ALICE, "Sent"), own)
        self.assertEqual(await self.said("acl", ALICE, "Sent", "bob", "lrs"), f"{own}{BOB} lrs\n")
        self.assertEqual(
            await self.said("acl", ALICE, "Sent", "anyone", "lr"), f"{own}{BOB} lrs\nanyone lr\n"
        )
        self.assertIn(f"user/{ALICE}/Sent\n", await self.said("list", BOB))
        self.assertEqual(await self.said("acl", "alice", "Sent", BOB, "none"), f"{own}anyone lr\n")
        account: Any = await settle(self.store.account(ALICE))
        self.assertEqual(await settle(account.acl("Sent")), {ALICE: "lrswipkxtea", "anyone": "lr"})

    async def test_rights_that_cannot_be_given(self) -> None:
        for given, reason in (
            (("bob", "q"), "no rights of 'bob': 'q'"),
            (("bob",), "give bob some RIGHTS, such as lr, or none"),
        ):
            with self.assertRaises(CommandError) as caught:
                await self.said("acl", ALICE, "Sent", *given)
            self.assertEqual(str(caught.exception), reason)
        with self.assertRaises(NoPermission):
            await self.said("acl", ALICE, "Sent", "alice", "lr")

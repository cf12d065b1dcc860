"""`mirror_account` with Courier, which has no modseqs and all mailboxes below INBOX, and with Cyrus."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from mailproto.awaiting import settle
from mailproto.backends import MemoryStore
from mailproto.mirroring import compare_accounts, mirror_account
from mailproto.model import NewMessage
from tests.interop import test_imap_client_courier, test_imap_client_cyrus


class _Both:
    """Both ways, with names that the other side cannot have, and mailboxes that get another name."""

    prefix: str
    delimiter: str

    async def check(self, connect: Any, state: str) -> None:
        case: Any = self
        client = await connect()
        store = MemoryStore()
        await settle(store.directory.add("bob", ""))
        account: Any = await settle(store.account("bob"))

        def there(*levels: str) -> str:
            return self.prefix + self.delimiter.join(levels)

        for levels in (("Work",), ("Work", "Deep"), ("Entwürfe & mehr",)):
            await client.create(there(*levels))
            text = " ".join(levels).encode()
            message = NewMessage(b"Subject: in %b\r\n\r\nx\r\n" % text, frozenset({"\\Seen"}))
            await client.append(there(*levels), message)
        for name in ("Archive", "Drafts", "Junk", "Sent", "Trash"):  # Courier takes a second for a few
            await settle(account.delete(name))
        for name in ("INBOX/below", "a.b", "50 c/d", "x^y"):
            await settle(account.create(name))
            message = NewMessage(b"Subject: in %b\r\n\r\nx\r\n" % name.encode())
            await settle((await settle(account.open(name))).append([message]))
        report = await mirror_account(client, account, state, both=True)
        case.assertEqual((report.copied, report.copied_back, report.failures), (3, 4, []))
        await client.rename(there("Work"), there("Job"))
        await settle(account.rename("a.b", "b"))
        await settle(account.delete("50 c/d"))
        report = await mirror_account(client, account, state, both=True, gone="remove")
        case.assertEqual((report.failures, report.copied, report.copied_back), ([], 0, 0))
        case.assertEqual((len(report.renamed), len(report.deleted)), (2, 1))
        names = {each.name for each in await settle(account.list())}
        case.assertTrue({"Job", "Job/Deep", "b"} <= names and "Work" not in names, names)
        compared = await compare_accounts(client, account, state)
        case.assertTrue(
            all(each.agrees and each.source_messages == each.target_messages for each in compared)
        )
        case.assertEqual((await mirror_account(client, account, state, both=True)).changes, 0)


class MirrorCourierTests(_Both, TestCase):
    timeout = 60
    prefix, delimiter = "INBOX.", "."
    setUp = test_imap_client_courier.CourierTests.setUp
    connect = test_imap_client_courier.CourierTests.connect

    async def test_both_ways(self) -> None:
        await self.check(self.connect, self.mktemp())


class MirrorCyrusTests(_Both, TestCase):
    timeout = 60
    prefix, delimiter = "", "/"
    connect = test_imap_client_cyrus.CyrusTests.connect
    account = test_imap_client_cyrus.CyrusTests.account

    async def test_both_ways(self) -> None:
        await self.account("mirrored")
        client = await self.connect()
        self.delimiter = (await client.namespace()).personal[0].delimiter
        await self.check(self.connect, self.mktemp())

"""`mirror` with Dovecot: by QRESYNC, by CONDSTORE, and with flags only."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailproto.auth import Password
from mailproto.awaiting import settle
from mailproto.backends import MemoryStore
from mailproto.client import MailboxURL
from mailproto.imap import IMAPClient
from mailproto.mirroring import RemoteMailbox, compare_accounts, mirror, mirror_account
from mailproto.model import FlagChange, FlagOperation, NewMessage
from tests.imap.client.test_with_our_server import MIXED
from tests.interop.daemons import PASSWORD, dovecot
from tests.interop.test_imap_client_dovecot import DovecotCase
from tests.mirroring.sides import contents


class MirrorTests(DovecotCase):
    """Both ways, with changes on both sides between the runs."""

    def test_with_qresync(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._mirror())

    def test_with_condstore(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._mirror("QRESYNC"))

    def test_with_flags_only(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._mirror("QRESYNC", "CONDSTORE", "UIDPLUS", "MULTIAPPEND"))

    async def _mirror(self, *without: str) -> None:
        client = await self.connect()
        await client.capability()
        client._session.capabilities = client.capabilities - set(without)
        other = await self.connect()
        store = MemoryStore()
        await settle(store.directory.add("bob", ""))
        account: Any = await settle(store.account("bob"))
        local = await settle(account.open("INBOX"))
        state = self.folder / "state"
        dated = NewMessage(MIXED, frozenset({"\\Seen", "$Kept"}), 1_000_000_000, 60)
        large = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 60_000
        await other.append("INBOX", dated, large, *(b"Subject: %d\r\n\r\nx\r\n" % n for n in range(20)))
        await settle(local.append([NewMessage(b"Subject: mine\r\n\r\nx\r\n", frozenset({"\\Flagged"}))]))

        report = await mirror(RemoteMailbox(client), local, state, both=True)
        self.assertEqual((report.copied, report.copied_back, report.failures), (22, 1, []))
        await self._are_equal(other, local)
        await other.select("INBOX")
        await other.store([1, 3], add={"\\Answered"})
        await other.store([4, 5], add={"\\Deleted"})
        await other.expunge([4, 5])
        await settle(local.store([2, 3], FlagChange(FlagOperation.ADD, frozenset({"\\Draft", "$Own"}))))
        await settle(local.store([7, 8], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))))
        await settle(local.expunge([7, 8]))
        await other.append("INBOX", b"Subject: new\r\n\r\nx\r\n")
        report = await mirror(RemoteMailbox(client), local, state, both=True)
        self.assertEqual((report.copied, report.copied_back, report.failures), (1, 0, []))
        self.assertEqual(report.removed, 4)
        await self._are_equal(other, local)
        self.assertEqual((await mirror(RemoteMailbox(client), local, state, both=True)).changes, 0)

    async def _are_equal(self, client: Any, local: Any) -> None:
        await client.select("INBOX", read_only=True)
        messages = await client.fetch("1:*", "FLAGS", "BODY.PEEK[]").all()
        found = sorted((bytes(each.content), tuple(sorted(each.flags - {"\\Recent"}))) for each in messages)
        self.assertEqual(found, contents(local))
        await client.unselect()

    def test_an_account(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._account())

    async def _account(self) -> None:
        client = await self.connect()
        await client.create("Entwürfe & mehr")
        await client.subscribe("Entwürfe & mehr")
        await client.append("Entwürfe & mehr", MIXED)
        store = MemoryStore()
        await settle(store.directory.add("bob", ""))
        account: Any = await settle(store.account("bob"))
        await settle(account.create("Deep/er/ Ü.b"))
        await settle((await settle(account.open("Deep/er/ Ü.b"))).append([NewMessage(MIXED)]))
        state = self.folder / "state"
        report = await mirror_account(client, account, state, both=True)
        self.assertEqual((report.copied, report.copied_back, report.failures), (1, 1, []))
        names = {each.name: each.is_subscribed for each in await client.list()}
        self.assertIn("Deep.er. Ü_b", names)
        listed = {each.name: each.subscribed for each in await settle(account.list())}
        self.assertTrue(listed["Entwürfe & mehr"])
        self.assertEqual((await mirror_account(client, account, state, both=True)).changes, 0)
        self.assertTrue(all(each.agrees for each in await compare_accounts(client, account, state)))

    def test_names_that_change(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._names())

    async def _names(self) -> None:
        """Without permanent ids, by UIDVALIDITY and the last message; and with connections made by us."""
        client = await self.connect()
        store = MemoryStore()
        await settle(store.directory.add("bob", ""))
        account: Any = await settle(store.account("bob"))
        for name in ("Work", "Work.Deep", "Old", "Kept"):
            await client.create(name)
            await client.append(name, b"Subject: in %b\r\n\r\nx\r\n" % name.encode())
        state = self.folder / "state"
        report = await mirror_account(self.connect, account, state, both=True)
        self.assertEqual((report.copied, report.failures), (4, []))

        await client.rename("Work", "Job")
        await client.delete("Old")
        await settle(account.delete("Kept"))
        await client.append("Kept", b"Subject: new\r\n\r\nx\r\n")
        report = await mirror_account(self.connect, account, state, both=True, gone="remove")
        self.assertEqual((report.failures, report.copied, report.copied_back), ([], 0, 0))
        self.assertEqual((report.renamed, report.deleted), ([("Work", "Job")], ["Old"]))
        self.assertEqual(report.left_out, ["Kept"])  # it has mail of its own
        names = {each.name for each in await settle(account.list())}
        self.assertTrue({"Job", "Job/Deep"} <= names and not {"Work", "Work/Deep", "Old"} & names, names)

        await settle(account.rename("Job/Deep", "Deep"))
        await settle(account.delete("Job"))
        report = await mirror_account(self.connect, account, state, both=True, gone="remove")
        self.assertEqual((report.renamed, report.deleted), ([("Job.Deep", "Deep")], ["Job"]))
        report = await mirror_account(self.connect, account, state, both=True, gone="restore")
        self.assertEqual((report.created, report.copied), (["Kept"], 2))
        self.assertTrue(all(each.agrees for each in await compare_accounts(client, account, state)))
        self.assertFalse([each.name for each in await client.list() if "mailproto" in each.name])


class MasterTests(TestCase):
    def test_a_master_user(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._master())

    async def _master(self) -> None:
        """It reads the mail of others, as `mailproto migrate --master` does."""
        port = int((dovecot().folder / "imap_port").read_text())
        url = MailboxURL.parse(f"imap://carol@127.0.0.1:{port}")
        own = await url.open(IMAPClient, reactor, Password("carol", PASSWORD), plain=True)
        appended = await own.append("INBOX", b"Subject: for the master\r\n\r\nx\r\n")
        await own.quit()
        master = await url.open(IMAPClient, reactor, Password("root", PASSWORD, "carol"), plain=True)
        await master.select("INBOX")
        [message] = await master.fetch(appended.uids, "BODY.PEEK[]").all()
        self.assertIn(b"for the master", bytes(message.content))
        await master.store(appended.uids, add={"\\Deleted"})
        await master.expunge(appended.uids)
        await master.quit()

"""What is particular about accounts on another server: signing in, lost connections, hints, names."""

from __future__ import annotations

import datetime
from typing import Any

from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from mailproto.awaiting import settle
from mailproto.backends import MemoryStore
from mailproto.backends.remote import (
    FilteredAccount,
    JoinedAccount,
    RemoteAccount,
    RemoteRealm,
    _connections,
    _reading,
    remote_portal,
)
from mailproto.backends.remote._failures import refusal
from mailproto.backends.remote._finding import _once, _threads
from mailproto.backends.remote._names import NameMap
from mailproto.backends.remote._rights import _normal
from mailproto.client import ServerAddress
from mailproto.client.errors import CommandRefused
from mailproto.errors import (
    InvalidMailboxName,
    InvalidRights,
    MailboxExists,
    MailError,
    NoPermission,
    NoSuchMailbox,
    OverQuota,
    ReadOnly,
    TemporaryAuthenticationFailure,
    Unavailable,
)
from mailproto.imap import IMAPClient
from mailproto.imap.values import FetchedMessage, ThreadNode, UidSet
from mailproto.imap.wire._answers import StatusResponse
from mailproto.interfaces import IAccount, IRevocable
from mailproto.interfaces.add_ons import IAccessControl, IAnnotations, IFinding, IQuota
from mailproto.message import search_key, summarise
from mailproto.model import (
    ContentTest,
    FlagChange,
    FlagOperation,
    InAddresses,
    InField,
    InText,
    NewMessage,
    Part,
    SentOn,
    SortKey,
    SortOrder,
    ThreadAlgorithm,
)
from tests.backends.remote.upstream import Upstream, reactor

TEXT = b"Subject: one\r\n\r\nText.\r\n"


@implementer(IRevocable)
class Mind:
    """A session."""

    is_revoked = False

    def revoke(self) -> None:
        self.is_revoked = True


class NameTests(SynchronousTestCase):
    def test_delimiters_change_places(self) -> None:
        names = NameMap()
        names.delimiter = "."
        for theirs, ours in (("INBOX.Work", "INBOX/Work"), ("a.b/c", "a/b.c"), ("inbox", "INBOX")):
            self.assertEqual(names.ours(theirs), ours)
            self.assertEqual(names.theirs(ours), theirs)

    def test_what_is_not_composed_is_found_as_it_is_spelled(self) -> None:
        names = NameMap()
        self.assertEqual(names.ours("u\u0308"), "\u00fc")
        self.assertEqual(names.theirs("\u00fc"), "u\u0308")

    def test_spellings_of_names_that_are_gone_are_forgotten(self) -> None:
        names = NameMap()
        for number in range(100):
            names.begin_list()
            names.ours(f"u\u0308{number}")
        self.assertEqual(len(names._spelled), 1)

    def test_names_that_no_client_could_write_are_left_out(self) -> None:
        names = NameMap()
        for name in ("100%", "a*", "a//b", "a\x00", "/a", ""):
            self.assertIsNone(names.ours(name))


class RefusalTests(SynchronousTestCase):
    def test_codes_become_errors_and_words_stay_in_the_log(self) -> None:
        for code, kind in (
            ("NONEXISTENT", NoSuchMailbox),
            ("TRYCREATE", NoSuchMailbox),
            ("ALREADYEXISTS", MailboxExists),
            ("OVERQUOTA", OverQuota),
            ("NOPERM", NoPermission),
            ("SERVERBUG", Unavailable),
            ("", MailError),
        ):
            reply = StatusResponse("A1", "NO", code, b"", b"secret words")
            error = refusal(CommandRefused(reply=reply))
            self.assertIs(type(error), kind)
            self.assertNotIn("secret", error.text)
            self.assertIn("secret words", error.detail)


class RemoteTests(TestCase):
    timeout = 20

    async def setUp(self) -> None:  # type: ignore[override]
        self.store = MemoryStore()
        await settle(self.store.start())
        self.addCleanup(self.store.stop)
        for name in ("alice", "bob"):
            await settle(self.store.directory.add(name, "hash"))
        self.upstream = Upstream(self.store)
        self.accounts: list[RemoteAccount] = []
        self.addCleanup(self.clean)

    async def clean(self) -> None:
        await DeferredList([account.close() for account in self.accounts])
        await self.upstream.stop()

    def account(self, name: str = "alice", **options: Any) -> RemoteAccount:
        account = RemoteAccount(name, reactor, lambda: self.upstream.open(name), **options)
        self.accounts.append(account)
        return account

    async def there(self, name: str = "alice", mailbox: str = "INBOX") -> Any:
        """The mailbox in the other server's store."""
        return await settle((await settle(self.store.account(name))).open(mailbox))

    async def failing(self, wrong: Any, error: type[Exception]) -> None:
        try:
            await wrong
        except error:
            return
        self.fail(f"{error.__name__} not raised")

    async def until(self, holds: Any) -> None:
        while not holds():
            await deferLater(reactor, 0.01)

    def drop_connections(self) -> None:
        for protocol in self.upstream.protocols:
            if protocol.transport is not None:
                protocol.transport.abortConnection()
        self.upstream.protocols.clear()

    async def test_what_is_read_is_read_again_over_a_new_connection(self) -> None:
        await (await self.there()).append([NewMessage(TEXT)])
        inbox = await self.account().open("INBOX")
        self.drop_connections()
        [info] = await inbox.read([1], Part.CONTENT)
        self.assertEqual(bytes(info.content or b""), TEXT)

    async def test_a_server_that_is_gone_is_unavailable_and_comes_back(self) -> None:
        inbox = await self.account().open("INBOX")
        await self.upstream.stop()
        self.drop_connections()
        await self.failing(inbox.status(), Unavailable)
        await self.failing(inbox.append([NewMessage(TEXT)]), Unavailable)
        self.upstream.start_again()
        self.assertEqual((await inbox.status()).messages, 0)

    async def test_a_server_that_cannot_be_reached_is_one_line_in_the_log_until_it_comes_back(self) -> None:
        account = self.account()
        await self.upstream.stop()
        with capturedLogs() as logged:
            for _ in range(3):
                await self.failing(account.list(), Unavailable)
            self.upstream.start_again()
            await account.list()
        lines = [formatEvent(each) for each in logged if each.get("name") == "alice"]
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(
            lines[0], r"alice: .*UNAVAILABLE.*127.0.0.1:[0-9]+: .*refused.*every request tries again"
        )
        self.assertEqual(lines[1], "alice: the server of this account can be used again")

    async def test_another_uid_validity_is_another_mailbox(self) -> None:
        account = self.account()
        await account.create("work")
        work = await account.open("work")
        theirs = await settle(self.store.account("alice"))
        await settle(theirs.delete("work"))
        await settle(theirs.create("work"))
        self.drop_connections()
        await self.failing(work.status(), NoSuchMailbox)
        await self.failing(work.read([1], Part.SIZE), NoSuchMailbox)
        again = await account.open("work")
        self.assertGreater(again.uid_validity, work.uid_validity)
        self.assertEqual((await again.status()).messages, 0)

    async def test_what_others_do_is_a_hint_at_once_also_after_a_lost_connection(self) -> None:
        inbox = await self.account(poll=600).open("INBOX")
        told: list[int] = []
        self.addCleanup(inbox.watch(told.append))
        theirs = await self.there()
        for _ in range(2):
            await theirs.append([NewMessage(TEXT)])
            now = (await theirs.status()).modseq
            await self.until(lambda now=now: told[-1:] == [now])
            self.drop_connections()

    async def test_no_more_connections_than_allowed_and_no_request_is_lost(self) -> None:
        account = self.account(connections=2)
        names = ["INBOX", "Sent", "Drafts", "Trash"]
        opened = [await account.open(name) for name in names]
        found = await DeferredList(
            [Deferred.fromCoroutine(mailbox.status()) for mailbox in opened * 10], fireOnOneErrback=True
        )
        self.assertEqual(len(found), 40)
        self.assertLessEqual(len(self.upstream.protocols), 2)

    async def test_who_waits_too_long_or_with_too_many_is_refused(self) -> None:
        account = self.account(connections=1, wait=0.05)
        await account.connect()
        held: Deferred[None] = Deferred()
        self.patch(_connections, "MAX_WAITING", 1)
        holder = Deferred.fromCoroutine(account.connections.run(lambda link: held))
        waiter = Deferred.fromCoroutine(account.list())
        await self.failing(account.list(), Unavailable)
        await self.failing(waiter, Unavailable)
        held.callback(None)
        await holder

    async def test_large_messages_are_in_files(self) -> None:
        large = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 20_000
        await (await self.there()).append([NewMessage(large), NewMessage(TEXT)])
        inbox = await self.account().open("INBOX")
        first, second = await inbox.read([1, 2], Part.CONTENT | Part.OFFSETS | Part.BODY_STRUCTURE)
        self.assertEqual(bytes(first.content or b""), large)
        self.assertNotIn("bytes", type(getattr(first.content, "_octets", None)).__name__)
        self.assertTrue(first.offsets and second.offsets and second.body_structure)

    async def test_what_the_server_says_wrongly_is_read_from_the_message(self) -> None:
        await (await self.there()).append([NewMessage(TEXT)])
        inbox = await self.account().open("INBOX")
        self.patch(_reading, "usual_forms", lambda text: (None, None))
        for wrong in (None, b"NIL"):
            self.patch(FetchedMessage, "raw", lambda _self, _item, wrong=wrong: wrong)
            [info] = await inbox.read([1], Part.ENVELOPE | Part.BODY_STRUCTURE)
            self.assertEqual((info.envelope, info.body_structure), summarise(TEXT)[:2])
            self.assertIsNone(info.content)

    async def test_reading_ends_when_there_is_enough(self) -> None:
        await (await self.there()).append([NewMessage(TEXT + b"x" * 10_000)] * 60)
        inbox = await self.account().open("INBOX")
        some = await inbox.read_some(range(1, 61), Part.CONTENT, 20_000)
        self.assertEqual([info.uid for info in some], list(range(1, len(some) + 1)))
        self.assertLess(len(some), 60)
        self.assertGreaterEqual(len(some), 2)

    async def test_reading_ends_when_there_is_enough_in_files(self) -> None:
        self.patch(_reading, "IN_FILES", 300_000)
        await (await self.there()).append([NewMessage(TEXT + b"x" * 100_000 + b"\r\n")] * 20)
        inbox = await self.account().open("INBOX")
        some = await inbox.read_some(range(1, 21), Part.CONTENT, 1 << 20)
        self.assertEqual([info.uid for info in some], [1, 2, 3])
        rest = await inbox.read_some(range(4, 21), Part.CONTENT, 1 << 20)
        self.assertEqual([info.uid for info in rest], [4, 5, 6])
        self.assertEqual(len(await inbox.read(range(1, 21), Part.CONTENT)), 20)

    async def test_add_ons_are_what_the_other_server_has(self) -> None:
        account = self.account()
        await account.connect()
        self.assertTrue(IQuota.providedBy(account))
        self.assertTrue(IAnnotations.providedBy(account))
        await account.annotate("INBOX", {"/private/comment": b"mine"})
        self.assertEqual(
            await account.annotations("INBOX", ["/private/comment"]), {"/private/comment": b"mine"}
        )
        inbox = await account.open("INBOX")
        await inbox.append([NewMessage(TEXT, frozenset({"\\Deleted"}))])
        self.assertEqual(list(await account.quota_roots("INBOX")), [""])
        self.assertEqual(await account.deleted_storage("INBOX"), len(TEXT))
        self.upstream.without = frozenset({"QUOTA", "METADATA"})
        other = self.account("bob")
        await other.connect()
        self.assertFalse(IQuota.providedBy(other) or IAnnotations.providedBy(other))

    async def test_rights_are_those_of_the_other_server(self) -> None:
        account, bob = self.account(), self.account("bob")
        for each in (account, bob):
            await each.connect()
            self.assertTrue(IAccessControl.providedBy(each))
        self.assertEqual(account.other_users, "user/")
        self.assertEqual(await account.my_rights("INBOX"), "lrswipkxtea")
        await account.set_acl("INBOX", "bob", "lr")
        await account.set_acl("INBOX", "bob", "s", FlagOperation.ADD)
        self.assertEqual((await account.acl("INBOX"))["bob"], "lrs")
        self.assertEqual(await bob.my_rights("user/alice/INBOX"), "lrs")
        self.assertIn("user/alice/INBOX", [each.name for each in await bob.list()])
        shown = await bob.open("user/alice/INBOX")
        await (await account.open("INBOX")).append([NewMessage(TEXT)])
        self.assertEqual((await shown.status()).messages, 1)
        await self.failing(bob.acl("user/alice/INBOX"), NoPermission)
        await self.failing(account.set_acl("INBOX", "bob", "!"), InvalidRights)
        await self.failing(account.set_acl("INBOX", "bob", "z"), InvalidRights)
        always, groups = await account.list_rights("INBOX", "bob")
        self.assertEqual((always, set("".join(groups))), ("", set("lrswipkxtea")))
        await account.set_acl("INBOX", "bob", "")
        self.assertNotIn("bob", await account.acl("INBOX"))
        await self.failing(bob.my_rights("user/alice/INBOX"), NoSuchMailbox)

    async def test_the_other_server_finds_sorts_and_threads_if_that_is_wanted(self) -> None:
        def message(number: int, subject: str, reference: str = "") -> NewMessage:
            text = f"Message-ID: <{number}@x>\r\nSubject: {subject}\r\nFrom: a{number}@b.example\r\n"
            text += f"Date: {number} Feb 2003 04:05:06 +0000\r\n"
            return NewMessage(f"{text}{reference}\r\nGr\u00fc\u00dfe {number}\r\n".encode())

        theirs = await self.there()
        await theirs.append(
            [message(1, "b"), message(2, "a"), message(3, "c", "References: <2@x>\r\n"), message(4, "d")]
        )
        self.assertFalse(IFinding.providedBy(await self.account().open("INBOX")))
        inbox = await self.account(finds_there=True).open("INBOX")
        self.assertTrue(IFinding.providedBy(inbox))
        day = datetime.date(2003, 2, 2)
        tests: list[ContentTest] = [
            InText(search_key("GR\u00dc\u00dfE 3"), False),
            InText(search_key("subject"), True),
            InField("subject", search_key("a")),
            InField("references", ""),
            InAddresses("from", search_key("a4@")),
            *[SentOn(op, day) for op in ("BEFORE", "ON", "SINCE")],
            InField("no such: field", ""),
        ]
        for uids in ([1, 2, 3, 4], [2, 3, 9]):
            found = await inbox.find(uids, tests)
            for each, ours in zip(found[:-1], (await theirs.find(uids, tests))[:-1], strict=True):
                if not len(ours.unknown):
                    self.assertEqual(list(each.passing), list(ours.passing))
            self.assertEqual(list(found[0].passing), [3])
            self.assertEqual(list(found[1].passing), [uid for uid in uids if uid < 9])
            self.assertEqual(list(found[-1].unknown), uids)
            for key in (SortKey.SUBJECT, SortKey.DISPLAYFROM):
                orders = [SortOrder(key, True)]
                self.assertEqual(list(await inbox.sort(uids, orders)), list(await theirs.sort(uids, orders)))
            for algorithm in ThreadAlgorithm:
                self.assertEqual(await inbox.thread(uids, algorithm), await theirs.thread(uids, algorithm))
        self.assertEqual(list(await inbox.sort([], [SortOrder(SortKey.DATE)])), [])

    async def test_threads_of_what_was_not_asked_for_are_left_out(self) -> None:
        nodes = [
            ThreadNode(7, (ThreadNode(1, (ThreadNode(1),)), ThreadNode(None, (ThreadNode(8),)))),
            ThreadNode(9),
            ThreadNode(2),
        ]
        found = await _threads(nodes, UidSet([1, 2]))
        self.assertEqual((list(found.numbers), list(found.depths)), ([0, 1, 2], [0, 1, 0]))
        self.assertEqual(list(await _once([5, 2, 2, 1, 2**31], UidSet([1, 2]))), [2, 1])

    async def test_old_rights_stand_for_several(self) -> None:
        self.assertEqual([_normal(each) for each in ("lrcd", "lrkcd", "", "z9")], ["lrkxte", "lrkte", "", ""])

    async def test_derived_modseqs_from_before_tell_of_all_that_does_not_exist(self) -> None:
        self.upstream.without = frozenset({"QRESYNC", "CONDSTORE"})
        inbox = await self.account().open("INBOX")
        await inbox.append([NewMessage(TEXT)] * 4)
        await inbox.store([2, 3], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"})))
        await inbox.expunge()
        changes = await inbox.changes_since(1)
        self.assertEqual([each.uid for each in changes.changed], [1, 4])
        self.assertEqual(list(changes.vanished), [2, 3])

    # -- joined and filtered

    async def test_messages_go_from_one_account_to_the_other(self) -> None:
        joined = JoinedAccount("me", self.account(), {"Home": self.account("bob")})
        inbox, home = await joined.open("INBOX"), await joined.open("Home/INBOX")
        flags = frozenset({"\\Seen", "Label"})
        await inbox.append([NewMessage(TEXT, flags, 1_000_000_000), NewMessage(TEXT)])
        self.assertEqual(list(await inbox.copy([1], home)), [(1, 1)])
        self.assertEqual(list(await inbox.move([1, 2], home)), [(1, 2), (2, 3)])
        self.assertEqual([each.flags for each in (await home.changes_since(0)).changed][:2], [flags, flags])
        [info] = await home.read([2], Part.INTERNAL_DATE)
        self.assertEqual(info.internal_date, 1_000_000_000)
        self.assertEqual((await (await self.there()).status()).messages, 0)
        self.assertEqual((await (await self.there("bob")).status()).messages, 3)
        found = await joined.status(["INBOX", "Home/INBOX", "Home", "none"])
        self.assertEqual(
            {name: status.messages for name, status in found.items()}, {"INBOX": 0, "Home/INBOX": 3}
        )

    async def test_folders_of_a_joined_account(self) -> None:
        joined = JoinedAccount("me", self.account(), {"Home": self.account("bob")})
        await joined.create("Home/new")
        await joined.rename("Home/new", "Home/newer")
        names = {each.name for each in await joined.list()}
        self.assertLessEqual({"Home", "Home/INBOX", "Home/newer", "INBOX", "Sent"}, names)
        for wrong in (
            joined.rename("Home/newer", "newer"),
            joined.delete("Home"),
            joined.rename("Sent", "Home"),
        ):
            await self.failing(wrong, InvalidMailboxName)
        await self.failing(joined.create("Home"), MailboxExists)
        await self.failing(joined.open("Home"), NoSuchMailbox)
        await joined.delete("Home/newer")

    async def test_a_filtered_account_shows_nothing_else(self) -> None:
        shown = FilteredAccount(self.account(), lambda name: name == "Sent")
        self.assertEqual([each.name for each in await shown.list()], ["INBOX", "Sent"])
        await self.failing(shown.open("Trash"), NoSuchMailbox)
        await self.failing(shown.rename("Sent", "Trash"), InvalidMailboxName)
        self.assertEqual(list(await shown.status(["Trash", "Sent"])), ["Sent"])
        fixed = FilteredAccount(self.account("bob"), lambda name: True, writable=False)
        inbox = await fixed.open("INBOX")
        await self.failing(inbox.append([NewMessage(TEXT)]), ReadOnly)
        await self.failing(fixed.create("new"), InvalidMailboxName)

    # -- signing in

    async def login(self, portal: Any, password: str = "secret", mind: object = None) -> Any:
        _, account, logout = await portal.login(UsernamePassword(b"alice", password.encode()), mind, IAccount)
        self.accounts.append(account)
        return account, logout

    async def test_sessions_of_a_name_share_its_account_until_the_last_one_ends(self) -> None:
        portal = remote_portal(self.upstream.address(), reactor)
        realm: Any = portal.realm
        first, end_first = await self.login(portal)
        second, end_second = await self.login(portal)
        self.assertIs(first, second)
        end_first()
        end_first()
        self.drop_connections()
        self.assertIn("INBOX", [each.name for each in await second.list()])
        [signed_in] = realm._signed_in.values()
        end_second()
        self.assertEqual((realm._signed_in, signed_in.password), ({}, ""))
        await self.failing(second.list(), Unavailable)

    async def test_passwords_that_are_not_kept_end_the_sessions_with_the_last_connection(self) -> None:
        realm = RemoteRealm(self.upstream.address(), reactor, keeps_passwords=False)
        portal = Portal(realm, [realm])
        mind = Mind()
        account, _ = await self.login(portal, mind=mind)
        [signed_in] = realm._signed_in.values()
        self.assertEqual(signed_in.password, "")
        inboxes = [await account.open(name) for name in ("INBOX", "Sent", "INBOX")]
        self.assertEqual([(await each.status()).messages for each in inboxes], [0, 0, 0])
        self.assertFalse(mind.is_revoked)
        self.drop_connections()
        await self.until(lambda: mind.is_revoked)
        await self.failing(account.list(), Unavailable)

    async def test_a_password_that_is_not_accepted_any_more_ends_the_sessions(self) -> None:
        portal = remote_portal(self.upstream.address(), reactor)
        realm: Any = portal.realm
        mind = Mind()
        account, _ = await self.login(portal, mind=mind)
        [signed_in] = realm._signed_in.values()
        signed_in.password = "wrong"  # the other server's is another one now
        self.drop_connections()
        await self.failing(account.list(), Unavailable)
        self.assertEqual((mind.is_revoked, signed_in.password), (True, ""))

    async def test_refused_credentials_are_not_tried_again_at_once(self) -> None:
        tries = []

        async def open_client() -> IMAPClient:
            tries.append(0)
            return await IMAPClient.open(reactor, self.upstream.address("alice", "wrong"))

        account = RemoteAccount("alice", reactor, open_client)
        self.accounts.append(account)
        with capturedLogs() as logged:
            for _ in range(3):
                await self.failing(account.list(), Unavailable)
        self.assertEqual(len(tries), 1)
        [line] = [
            formatEvent(each) for each in logged if each["log_level"] is LogLevel.warn and "name" in each
        ]
        self.assertRegex(line, r"\Aalice: the server of this account cannot be used, .*AUTH.*right password")

    async def test_who_is_refused_there_is_refused_here(self) -> None:
        portal = remote_portal(self.upstream.address(), reactor)
        await self.failing(self.login(portal, "wrong"), UnauthorizedLogin)
        await self.failing(self.login(portal, ""), UnauthorizedLogin)
        with self.assertRaises(UnauthorizedLogin):
            RemoteRealm(self.upstream.address(), reactor).requestAvatar(b"alice", None, IAccount)  # type: ignore[arg-type]

    async def test_nobody_is_refused_because_the_other_server_cannot_be_asked(self) -> None:
        portal = remote_portal(lambda name: ServerAddress("127.0.0.1", 1, tls="none"), reactor)
        await self.failing(self.login(portal), TemporaryAuthenticationFailure)

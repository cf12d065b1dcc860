"""Tests of `IAccount`: names, hierarchy, subscriptions."""

from __future__ import annotations

from mailproto.backends import MAX_DEPTH, MAX_NAME_OCTETS
from mailproto.errors import InvalidMailboxName, MailboxExists, NoSuchMailbox
from mailproto.model import DELIMITER, INBOX, MailboxEntry
from mailproto.testing._fixture import Offer, StoreFixture, flags_by_uid, needs, new

__all__ = ["AccountConformance"]


@needs(Offer.NAMES)
class AccountConformance(StoreFixture):
    """Tests the mailboxes of one account that its clients may create, delete and rename."""

    async def entry(self, name: str) -> MailboxEntry:
        """The entry of that name."""
        entries: list[MailboxEntry] = await self.account.list()
        [entry] = [entry for entry in entries if entry.name == name]
        return entry

    async def test_inbox_has_one_spelling_and_other_names_keep_theirs(self) -> None:
        self.assertEqual((await self.account.open("inBox")).name, INBOX)
        await self.account.create("inbox/Work")
        await self.account.create("Work")
        await self.account.create("work")
        self.assertLessEqual({"INBOX/Work", "Work", "work"}, set(await self.names()))
        await self.assert_raises(MailboxExists, self.account.create("INBOX/Work"))
        await self.assert_raises(NoSuchMailbox, self.account.open("WORK"))

    async def test_names_are_one_in_every_unicode_form(self) -> None:
        await self.account.create("cafe\u0301")
        self.assertIn("caf\u00e9", await self.names())
        await self.assert_raises(MailboxExists, self.account.create("caf\u00e9"))

    async def test_the_list_is_sorted(self) -> None:
        for name in ("b", "a/b", "Z", "é"):
            await self.account.create(name)
        names = await self.names()
        self.assertEqual(names, sorted(names))

    async def test_what_cannot_be_a_name(self) -> None:
        long = "x" * MAX_NAME_OCTETS
        deep = DELIMITER.join("x" * MAX_DEPTH)
        for name in (
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "a\r\nb",
            "a\x00",
            "a\x7f",
            "a\x85",
            "a\u2028",
            "a%",
            "*b",
            "\ud800",
        ):
            await self.assert_raises(InvalidMailboxName, self.account.create(name))
            await self.assert_raises(InvalidMailboxName, self.account.rename("Junk", name))
        for name in (long + "x", deep + "/x", "é" * (MAX_NAME_OCTETS // 2 + 1)):
            await self.assert_raises(InvalidMailboxName, self.account.create(name))
        before = await self.names()
        await self.account.create(long)
        await self.account.create(deep)
        self.assertEqual(len(await self.names()), len(before) + 1 + MAX_DEPTH)

    async def test_a_rename_cannot_make_inferiors_too_deep(self) -> None:
        await self.account.create("a/b/c")
        await self.assert_raises(
            InvalidMailboxName, self.account.rename("a", DELIMITER.join("x" * (MAX_DEPTH - 1)))
        )
        self.assertIn("a/b/c", await self.names())
        self.assertNotIn("x", await self.names())

    async def test_create_makes_superiors(self) -> None:
        await self.account.create("a/b/c")
        for name in ("a", "a/b", "a/b/c"):
            self.assertEqual(await self.entry(name), MailboxEntry(name))
            self.assertEqual((await (await self.account.open(name)).status()).uid_next, 1)

    async def test_create_of_what_is_there(self) -> None:
        await self.account.create("a")
        for name in ("a", INBOX, "inbox"):
            await self.assert_raises(MailboxExists, self.account.create(name))

    async def test_special_use(self) -> None:
        await self.account.create("Gesendet", "\\sent")
        self.assertEqual((await self.entry("Gesendet")).special_use, frozenset({"\\Sent"}))
        for special_use in ("\\Nonsense", "Sent"):
            await self.assert_raises(InvalidMailboxName, self.account.create("x", special_use))
        self.assertNotIn("x", await self.names())
        await self.account.rename("Gesendet", "Verschickt")
        self.assertEqual((await self.entry("Verschickt")).special_use, frozenset({"\\Sent"}))
        await self.account.delete("Verschickt")
        await self.account.create("Verschickt")
        self.assertEqual((await self.entry("Verschickt")).special_use, frozenset())

    async def test_delete(self) -> None:
        mailbox = await self.opened("a")
        await self.account.delete("a")
        self.assertNotIn("a", await self.names())
        await self.assert_raises(NoSuchMailbox, self.account.open("a"))
        await self.assert_raises(NoSuchMailbox, self.account.delete("a"))
        again = await self.opened("a")
        self.assertGreater(again.uid_validity, mailbox.uid_validity)

    async def test_inbox_cannot_be_deleted(self) -> None:
        for name in (INBOX, "Inbox"):
            await self.assert_raises(InvalidMailboxName, self.account.delete(name))

    async def test_delete_of_a_superior_leaves_its_name(self) -> None:
        superior = await self.opened("a")
        await superior.append([new()])
        await self.account.create("a/b")
        await self.account.delete("a")
        self.assertEqual(await self.entry("a"), MailboxEntry("a", selectable=False))
        await self.assert_raises(NoSuchMailbox, self.account.open("a"))
        await self.assert_raises(NoSuchMailbox, self.account.delete("a"))
        self.assertEqual(await self.account.status(["a"]), {})
        await self.account.create("a")
        self.assertEqual((await (await self.account.open("a")).status()).messages, 0)
        await self.account.delete("a")
        await self.account.delete("a/b")
        self.assertNotIn("a", await self.names())

    async def test_rename_takes_inferiors_along_and_keeps_messages(self) -> None:
        mailbox = await self.opened("a/b")
        await self.account.create("ab")
        await mailbox.append([new("\\Seen", "Label")])
        await self.account.rename("a", "x/y")
        names = set(await self.names())
        self.assertLessEqual({"x", "x/y", "x/y/b", "ab"}, names)
        self.assertFalse({"a", "a/b"} & names)
        renamed = await self.account.open("x/y/b")
        self.assertEqual(flags_by_uid((await renamed.changes_since(0)).changed), {1: {"\\Seen", "Label"}})
        self.assertEqual((mailbox.name, renamed.name), ("a/b", "x/y/b"))
        self.assertEqual((await mailbox.status()).messages, 1)

    async def test_rename_of_a_name_that_only_holds_inferiors(self) -> None:
        await self.account.create("a/b")
        await self.account.delete("a")
        await self.account.rename("a", "c")
        self.assertIn("c/b", await self.names())
        self.assertEqual(await self.entry("c"), MailboxEntry("c", selectable=False))

    async def test_rename_that_cannot_be(self) -> None:
        await self.account.create("a/b")
        await self.account.create("c/d")
        await self.account.delete("c")
        await self.assert_raises(NoSuchMailbox, self.account.rename("none", "other"))
        await self.assert_raises(InvalidMailboxName, self.account.rename("a", "a/b/c"))
        for name in ("a", "a/b", "c", INBOX, "inbox"):
            await self.assert_raises(MailboxExists, self.account.rename("a", name))
        self.assertLessEqual({"a", "a/b", "c", "c/d"}, set(await self.names()))

    async def test_renamed_over_names_have_larger_uid_validities(self) -> None:
        await self.account.create("old")
        later = await self.opened("new")
        await self.account.delete("new")
        await self.account.rename("old", "new")
        mailbox = await self.account.open("new")
        self.assertGreater(mailbox.uid_validity, later.uid_validity)
        self.assertEqual((await mailbox.status()).uid_validity, mailbox.uid_validity)
        await self.account.rename("new", "old")
        back = await self.account.open("old")
        self.assertGreater(back.uid_validity, 0)
        self.assertLess(back.uid_validity, 2**32)

    async def test_rename_of_inbox_moves_its_messages_only(self) -> None:
        inbox = await self.inbox(new("\\Seen", "Label", date=1_000_000_000), new())
        await self.account.create("INBOX/sub")
        before = await inbox.status()
        await self.account.rename("inbox", "INBOX/2026/old")
        target = await self.account.open("INBOX/2026/old")
        self.assertEqual(
            flags_by_uid((await target.changes_since(0)).changed), {1: {"\\Seen", "Label"}, 2: set()}
        )
        after = await inbox.status()
        self.assertEqual((after.messages, after.uid_next), (0, before.uid_next))
        self.assertEqual(after.uid_validity, before.uid_validity)
        self.assertEqual(list((await inbox.changes_since(before.modseq)).vanished), [1, 2])
        self.assertLessEqual({INBOX, "INBOX/sub", "INBOX/2026"}, set(await self.names()))
        await self.assert_raises(MailboxExists, self.account.rename(INBOX, "INBOX/2026/old"))
        await self.assert_raises(InvalidMailboxName, self.account.rename(INBOX, "a//b"))

    async def test_subscriptions(self) -> None:
        await self.account.create("a/b")
        await self.account.subscribe("a/b")
        await self.account.subscribe("a/b")
        self.assertTrue((await self.entry("a/b")).subscribed)
        self.assertFalse((await self.entry("a")).subscribed)
        await self.account.unsubscribe("inbox")
        self.assertFalse((await self.entry(INBOX)).subscribed)
        await self.assert_raises(NoSuchMailbox, self.account.subscribe("none"))
        await self.account.unsubscribe("none")

    async def test_subscriptions_outlive_their_mailboxes(self) -> None:
        gone = MailboxEntry("a/b", selectable=False, subscribed=True, exists=False)
        await self.account.create("a/b")
        await self.account.subscribe("a/b")
        await self.account.rename("a/b", "c")
        self.assertEqual(await self.entry("a/b"), gone)
        self.assertFalse((await self.entry("c")).subscribed)
        await self.account.create("a/b")
        self.assertEqual(await self.entry("a/b"), MailboxEntry("a/b", subscribed=True))
        await self.account.delete("a/b")
        self.assertEqual(await self.entry("a/b"), gone)
        await self.account.unsubscribe("a/b")
        self.assertNotIn("a/b", await self.names())

    async def test_status_of_many(self) -> None:
        inbox = await self.inbox(new(), new("\\Seen"))
        found = await self.account.status([INBOX, "none", "Sent"])
        self.assertEqual(set(found), {INBOX, "Sent"})
        self.assertEqual(found[INBOX], await inbox.status())
        self.assertEqual(found["Sent"].messages, 0)

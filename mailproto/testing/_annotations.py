"""Tests of `IAnnotations`, if a store provides it."""

from __future__ import annotations

from collections.abc import Mapping

from zope.interface.verify import verifyObject

from mailproto.errors import (
    AnnotationTooLarge,
    InvalidAnnotation,
    NoPermission,
    NoSuchAccount,
    NoSuchMailbox,
)
from mailproto.interfaces.add_ons import IAnnotations
from mailproto.model import INBOX
from mailproto.testing._fixture import ALICE, Offer, StoreFixture, needs, new

__all__ = ["AnnotationConformance"]

BOTH = ["/private", "/shared"]


@needs(IAnnotations)
class AnnotationConformance(StoreFixture):
    """Tests the annotations of mailboxes and of the server."""

    async def annotations(self, mailbox: str) -> Mapping[str, bytes]:
        """All annotations of a mailbox."""
        found: Mapping[str, bytes] = await self.account.annotations(mailbox, BOTH, None)
        return found

    async def test_annotations_have_their_contract(self) -> None:
        verifyObject(IAnnotations, self.account)

    async def test_values_of_annotations_are_octets(self) -> None:
        values = {
            "/private/comment": bytes(range(256)),
            "/shared/comment": b"",
            "/private/vendor/x/y": b"\r\n",
        }
        await self.account.annotate("inbox", values)
        self.assertEqual(await self.annotations(INBOX), values)
        asked = ["/PRIVATE/Comment", "/shared/comment", "/shared/none", "/private/comment"]
        found = await self.account.annotations("INBOX", asked)
        self.assertEqual(found, {"/private/comment": bytes(range(256)), "/shared/comment": b""})

    async def test_annotations_are_changed_and_removed(self) -> None:
        await self.account.annotate(INBOX, {"/shared/a": b"1", "/Shared/B": b"2"})
        await self.account.annotate(INBOX, {"/SHARED/A": b"3", "/shared/b": None, "/shared/c": None})
        self.assertEqual(await self.annotations(INBOX), {"/shared/a": b"3"})
        await self.account.annotate(INBOX, {})
        await self.account.annotate(INBOX, {"/shared/b": b"4", "/shared/a": None})
        self.assertEqual(await self.annotations(INBOX), {"/shared/b": b"4"})

    async def test_a_changed_annotation_changes_the_modseq_of_its_mailbox(self) -> None:
        await self.account.create("other")
        other = (await (await self.account.open("other")).status()).modseq
        for values in ({"/shared/a": b"1"}, {"/private/a": b"1"}, {"/shared/a": None}):
            before = (await (await self.account.open(INBOX)).status()).modseq
            await self.account.annotate(INBOX, values)
            status = await (await self.account.open(INBOX)).status()
            self.assertGreater(status.modseq, before)
            self.assertEqual((await self.account.status([INBOX]))[INBOX].modseq, status.modseq)
        await self.account.annotate("", {"/private/a": b"1"})
        self.assertEqual((await (await self.account.open("other")).status()).modseq, other)
        inbox = await self.account.open(INBOX)
        self.assertEqual((await inbox.changes_since(0)).modseq, (await inbox.status()).modseq)
        [message] = await inbox.append([new()])
        self.assertGreater(message.modseq, status.modseq)

    async def test_depth_of_annotations(self) -> None:
        names = ["/shared/a", "/shared/a/b", "/shared/a/b/c", "/shared/ab", "/private/a"]
        await self.account.annotate(INBOX, dict.fromkeys(names, b"x"))
        for asked, depth, expected in (
            ("/shared/a", 0, names[:1]),
            ("/shared/a", 1, names[:2]),
            ("/shared/a", None, names[:3]),
            ("/shared", 0, []),
            ("/shared", 1, [names[0], names[3]]),
            ("/shared", None, names[:4]),
            ("/shared/a/b/c", 1, names[2:3]),
            ("/shared/none", None, []),
        ):
            found = await self.account.annotations(INBOX, [asked], depth)
            self.assertEqual(sorted(found), sorted(expected), (asked, depth))

    async def test_names_that_annotations_cannot_have(self) -> None:
        for name in (
            "comment",
            "/other/comment",
            "/private//comment",
            "/private/comment/",
            "/shared/*",
            "/shared/a%",
            "/shared/caf\u00e9",
            "/shared/a\0",
            "/privateer/x",
            "/shared/" + "x" * 2000,
            "",
            "/",
        ):
            await self.assert_raises(InvalidAnnotation, self.account.annotations(INBOX, [name]))
            changes = {"/shared/good": b"x", name: b"x"}
            await self.assert_raises(InvalidAnnotation, self.account.annotate(INBOX, changes))
        for name in BOTH:
            await self.assert_raises(InvalidAnnotation, self.account.annotate(INBOX, {name: b"x"}))
        self.assertEqual(await self.annotations(INBOX), {})

    async def test_an_annotation_that_is_too_large(self) -> None:
        changes = {"/shared/good": b"x", "/private/large": b"x" * (1 << 20)}
        error = await self.assert_raises(AnnotationTooLarge, self.account.annotate(INBOX, changes))
        word, _, most = error.imap.rpartition(" ")
        self.assertEqual(word, "METADATA MAXSIZE")
        self.assertEqual(await self.annotations(INBOX), {})
        await self.account.annotate(INBOX, {"/private/large": b"x" * int(most)})

    async def test_annotations_of_the_server(self) -> None:
        await self.account.annotate("", {"/private/filters/values/unread": b"UNSEEN"})
        self.assertEqual(await self.annotations(""), {"/private/filters/values/unread": b"UNSEEN"})
        self.assertEqual(await self.annotations(INBOX), {})
        await self.assert_raises(NoPermission, self.account.annotate("", {"/shared/comment": b"x"}))

    async def test_annotations_of_what_is_not_there(self) -> None:
        await self.assert_raises(NoSuchMailbox, self.account.annotate("none", {"/shared/a": b"x"}))
        await self.assert_raises(NoSuchMailbox, self.account.annotations("none", ["/shared/a"]))
        await self.store.directory.delete(ALICE)
        for mailbox in ("", INBOX):
            await self.assert_raises(NoSuchAccount, self.account.annotations(mailbox, ["/shared/a"]))
            await self.assert_raises(NoSuchAccount, self.account.annotate(mailbox, {"/private/a": b"x"}))

    async def test_annotations_of_others(self) -> None:
        await self.store.directory.add("bob@example.org", "")
        await self.account.annotate("", {"/private/a": b"x"})
        await self.account.annotate(INBOX, {"/private/a": b"x", "/shared/a": b"y"})
        bob = await self.store.account("bob@example.org")
        for mailbox in ("", INBOX):
            self.assertEqual(await bob.annotations(mailbox, BOTH, None), {})

    @needs(Offer.NAMES)
    async def test_annotations_follow_a_rename_and_go_with_their_mailbox(self) -> None:
        await self.account.create("a/b")
        await self.account.annotate("a/b", {"/shared/color": b"red"})
        await self.account.rename("a", "c")
        self.assertEqual(await self.annotations("c/b"), {"/shared/color": b"red"})
        await self.account.create("a/b")
        self.assertEqual(await self.annotations("a/b"), {})
        await self.account.delete("c/b")
        await self.account.create("c/b")
        self.assertEqual(await self.annotations("c/b"), {})

    @needs(Offer.NAMES, Offer.CHANGES)
    async def test_rename_of_inbox_copies_its_annotations(self) -> None:
        """RFC 5464 4.1."""
        await self.inbox(new())
        values = {"/private/a": b"x", "/shared/color": b"red"}
        await self.account.annotate(INBOX, {**values, "/shared/gone": b"x"})
        await self.account.annotate(INBOX, {"/shared/gone": None})
        await self.account.rename(INBOX, "old")
        self.assertEqual(await self.annotations("old"), values)
        await self.account.annotate("old", {"/shared/color": None})
        self.assertEqual(await self.annotations(INBOX), values)

    async def test_watchers_are_told_of_annotations(self) -> None:
        hints: list[int] = []
        self.account.watch(hints.append)
        await self.account.annotate(INBOX, {"/shared/color": b"red"})
        await self.eventually(lambda: bool(hints))

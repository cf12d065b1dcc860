"""Tests of `IObjectIds`, if a store provides it (`IAddOns.add_ons`)."""

from __future__ import annotations

import re
from typing import Any

from mailproto.interfaces import IMailbox, IObjectIds
from mailproto.model import INBOX, AppendedMessage, Part, Placement
from mailproto.testing._fixture import ALICE, Offer, StoreFixture, flag_change, needs, new

__all__ = ["ObjectIdConformance"]

_OBJECT_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,254}")

BOB = "bob@example.org"


def mail(id_: str = "", *, subject: str = "", refers: str = "", answers: str = "", text: str = "") -> bytes:
    """Make a message; give Message-IDs without brackets, separated by spaces."""
    head = f"Subject: {subject}\r\n" if subject else ""
    for name, ids in (("Message-ID", id_), ("References", refers), ("In-Reply-To", answers)):
        if ids:
            head += f"{name}: " + "\r\n ".join(f"<{each}>" for each in ids.split()) + "\r\n"
    return f"{head}\r\n{text}\r\n".encode()


def _id_of(mailbox: IMailbox) -> str:
    assert IObjectIds.providedBy(mailbox), mailbox
    return mailbox.mailbox_id


@needs(IObjectIds)
class ObjectIdConformance(StoreFixture):
    """Tests the ids of mailboxes, messages and threads."""

    async def ids(self, mailbox: Any, *uids: int) -> list[tuple[str, str]]:
        """The email ids and thread ids of messages; of all messages by default."""
        found = await mailbox.read(list(uids) or await self.uids(mailbox), Part.IDS)
        return [(info.email_id or "", info.thread_id or "") for info in found]

    async def threads(self, *contents: bytes) -> list[int]:
        """The threads of messages that are appended in this order, each as the number of its first
        message."""
        uids = []
        for content in contents:
            [appended] = await self.store.deliver(content, [Placement(ALICE)])
            assert isinstance(appended, AppendedMessage)
            uids.append(appended.uid)
        threads = [thread for _, thread in await self.ids(await self.inbox(), *uids)]
        return [threads.index(thread) for thread in threads]

    async def test_ids_have_their_syntax_and_differ(self) -> None:
        inbox = await self.inbox(*[new()] * 3)
        work = await self.opened("work")
        await work.append([new()])
        seen: list[str] = []
        for mailbox in (inbox, work):
            self.assertTrue(IObjectIds.providedBy(mailbox))
            seen.append(_id_of(mailbox))
            found = await self.ids(mailbox)
            seen += [email for email, _ in found]
            seen += {thread for _, thread in found}
        for each in seen:
            self.assertTrue(_OBJECT_ID.fullmatch(each), each)
        self.assertEqual(len(set(seen)), len(seen))

    async def test_ids_are_there_only_when_they_are_asked_for(self) -> None:
        inbox = await self.inbox(new())
        for parts in Part:
            [info] = await inbox.read([1], parts)
            if parts is Part.IDS:
                self.assertTrue(info.email_id and info.thread_id)
        [both] = await inbox.read([1], Part.IDS | Part.CONTENT)
        self.assertTrue(both.email_id and both.thread_id and both.content)

    @needs(Offer.NAMES)
    async def test_a_mailbox_keeps_its_id(self) -> None:
        first = _id_of(await self.opened("a/b"))
        self.assertEqual((await self.account.status(["a/b"]))["a/b"].mailbox_id, first)
        await self.account.rename("a", "c")
        renamed = await self.account.open("c/b")
        self.assertEqual((_id_of(renamed), (await renamed.status()).mailbox_id), (first, first))
        again = await self.opened("a/b")
        self.assertNotEqual(_id_of(again), first)
        await self.account.delete("c/b")
        await self.account.rename("a/b", "c/b")
        self.assertNotEqual(_id_of(await self.account.open("c/b")), first)

    @needs(Offer.NAMES)
    async def test_rename_of_inbox_makes_another_mailbox(self) -> None:
        inbox = await self.inbox(new())
        before = await self.ids(inbox)
        await self.account.rename(INBOX, "old")
        old = await self.account.open("old")
        self.assertEqual((await self.account.status([INBOX]))[INBOX].mailbox_id, _id_of(inbox))
        self.assertNotEqual(_id_of(old), _id_of(inbox))
        self.assertEqual(await self.ids(old), before)

    async def test_copies_and_moves_keep_their_ids(self) -> None:
        inbox = await self.inbox(new(), new(), new())
        target = await self.opened("target")
        before = await self.ids(inbox)
        await inbox.copy([1, 2], target)
        await inbox.copy([1], inbox)
        await inbox.move([3], target)
        self.assertEqual(await self.ids(target), before)
        self.assertEqual(await self.ids(inbox), [before[0], before[1], before[0]])
        await inbox.store([1, 2, 4], flag_change("+", "\\Deleted"))
        await inbox.expunge()
        self.assertEqual(await self.ids(target), before)

    async def test_email_ids_never_return(self) -> None:
        inbox = await self.inbox()
        seen = set()
        for _ in range(3):
            await inbox.append([new("\\Deleted"), new("\\Deleted")])
            seen |= {email for email, _ in await self.ids(inbox)}
            await inbox.expunge()
        await self.store.directory.delete(ALICE)
        await self.store.directory.add(ALICE, "")
        self.account = await self.store.account(ALICE)
        seen |= {email for email, _ in await self.ids(await self.inbox(new()))}
        self.assertEqual(len(seen), 7)

    async def test_one_delivery_is_one_message_in_every_place(self) -> None:
        await self.store.directory.add(BOB, "")
        for content in (mail("1@x"), mail(), mail("2@x", text="x" * 300_000)):
            await self.store.deliver(content, [Placement(ALICE), Placement(ALICE, "Sent"), Placement(BOB)])
            await self.store.deliver(content, [Placement(ALICE)])
        inbox, sent = await self.inbox(), await self.account.open("Sent")
        here, there = await self.ids(inbox), await self.ids(sent)
        bob = await self.ids(await (await self.store.account(BOB)).open(INBOX))
        self.assertEqual(here[::2], there)
        self.assertEqual([email for email, _ in bob], [email for email, _ in there])
        self.assertEqual(len({email for email, _ in here}), 6)
        self.assertFalse({thread for _, thread in bob} & {thread for _, thread in there})

    async def test_who_belongs_to_a_thread(self) -> None:
        for number, (expected, messages) in enumerate(
            (
                # alone
                ([0, 1, 2], [mail(), mail(), mail(subject="x")]),
                ([0, 1], [mail("1@x", subject="Same"), mail("2@x", subject="Same")]),
                # answers
                ([0, 0], [mail("1@x"), mail("2@x", answers="1@x")]),
                ([0, 0], [mail("1@x"), mail("2@x", refers="1@x", subject="another")]),
                ([0, 0, 0], [mail("1@x"), mail("2@x", answers="1@x"), mail("3@x", answers="2@x")]),
                ([0, 0], [mail("1@x"), mail("3@x", refers="1@x 2@x")]),
                ([0, 0], [mail("1@x"), mail("3@x", refers="2@x", answers="1@x")]),
                # two copies of one message
                ([0, 0], [mail("1@x"), mail("1@x", text="by the list")]),
                # a parent that arrives later, or never
                ([0, 0], [mail("2@x", answers="1@x"), mail("1@x")]),
                ([0, 0], [mail("2@x", answers="1@x"), mail("3@x", answers="1@x")]),
                ([0, 0], [mail("3@x", refers="1@x 2@x"), mail("4@x", refers="1@x 9@x")]),
                # a message that refers to two threads joins that of its nearest ancestor; other messages do
                # not move
                (
                    [0, 1, 1, 0],
                    [mail("1@x"), mail("2@x"), mail("3@x", refers="1@x 2@x"), mail("4@x", answers="1@x")],
                ),
                # by the subject: a reply without references
                ([0, 0], [mail("1@x", subject="Lunch"), mail(subject="Re: lunch")]),
                (
                    [0, 0],
                    [
                        mail("1@x", subject="Lunch"),
                        mail("2@x", subject="[list] FWD: Re:  Lunch (fwd)"),
                    ],
                ),
                ([0, 1], [mail("1@x", subject="Lunch"), mail("2@x", subject="Lunch")]),
                ([0, 1], [mail("1@x", subject="Lunch"), mail("2@x", subject="Re: Lunch", refers="9@x")]),
                (
                    [0, 1, 1],
                    [mail("1@x", subject="Lunch"), mail("2@x", subject="Lunch"), mail(subject="Re: Lunch")],
                ),
                (
                    [0, 1, 0, 0],
                    [
                        mail("1@x", subject="Lunch"),
                        mail("2@x", subject="Lunch"),
                        mail("3@x", subject="Re: Lunch", answers="1@x"),
                        mail(subject="Re: Lunch"),
                    ],
                ),
                ([0, 1], [mail("1@x", subject="Re: "), mail("2@x", subject="Fwd:")]),
            )
        ):
            self.assertEqual(
                await self.threads(
                    *(
                        each.replace(b"@x", b"@x%d" % number)
                        .replace(b"unch", b"unch %d" % number)
                        .replace(b"Same", b"Same %d" % number)
                        for each in messages
                    )
                ),
                expected,
                messages,
            )

    async def test_threads_are_an_accounts_own(self) -> None:
        await self.store.directory.add(BOB, "")
        await self.store.deliver(mail("1@x"), [Placement(BOB)])
        await self.store.deliver(mail("2@x", refers="1@x"), [Placement(ALICE), Placement(BOB)])
        bob = await self.ids(await (await self.store.account(BOB)).open(INBOX))
        self.assertEqual(bob[0][1], bob[1][1])
        self.assertNotEqual((await self.ids(await self.inbox()))[0][1], bob[1][1])

    async def test_a_thread_goes_over_all_mailboxes(self) -> None:
        sent = await self.account.open("Sent")
        await sent.append([new(content=mail("1@x"))])
        inbox = await self.inbox(
            new(content=mail("2@x", answers="1@x")), new(content=mail("3@x", answers="2@x"))
        )
        self.assertEqual(len({thread for _, thread in await self.ids(inbox) + await self.ids(sent)}), 1)

    async def test_a_thread_that_is_gone_does_not_return(self) -> None:
        inbox = await self.inbox(
            new("\\Deleted", content=mail("1@x", subject="Lunch")), new(content=mail("2@x", answers="1@x"))
        )
        before = await self.ids(inbox)
        await inbox.expunge()
        await inbox.append([new("\\Deleted", content=mail("3@x", answers="1@x"))])
        self.assertEqual((await self.ids(inbox, 3))[0][1], before[0][1])
        await inbox.store([2], flag_change("+", "\\Deleted"))
        await inbox.expunge()
        await inbox.append([new(content=mail("1@x", subject="Re: Lunch"))])
        self.assertNotEqual((await self.ids(inbox))[0][1], before[0][1])

    async def test_many_references(self) -> None:
        chain = [f"{number}@x" for number in range(300)]
        messages = [mail(chain[0])] + [
            mail(chain[at], refers=" ".join(chain[:at])) for at in range(1, len(chain), 7)
        ]
        self.assertEqual(set(await self.threads(*messages)), {0})

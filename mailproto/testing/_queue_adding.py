"""Tests of `IQueue.add` and `IQueue.get`."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import gatherResults

from mailproto.accounts import account_key
from mailproto.content import Content
from mailproto.errors import MailError, NoSuchAccount, NoSuchMailbox, NoSuchQueued, OverQuota
from mailproto.interfaces.add_ons import IQuota
from mailproto.model import (
    NULL_PATH,
    Address,
    Envelope,
    Part,
    Placement,
    QueueChange,
    QueuedRecipient,
    QueueFilter,
    QueueState,
    QuotaLimits,
    Recipient,
    Session,
    TLSInfo,
)
from mailproto.testing._fixture import ALICE, TEXT, Offer, deferred, needs
from mailproto.testing._queue_fixture import NOW, QueueFixture, message, octets_of

__all__ = ["QueueAddingConformance"]

LARGE = b"Subject: large\r\n\r\n" + b"All work and no play.\r\n" * 15_000
RETURN_PATH = b"Return-Path: <ann@x.example>\r\n"


class QueueAddingConformance(QueueFixture):
    """What is accepted is kept, and all of it or nothing is accepted."""

    async def test_nothing_is_no_fault(self) -> None:
        self.assertEqual(list(await self.queue.add([])), [])
        await self.assert_counts()

    async def test_what_was_added_can_be_leased(self) -> None:
        self.assertEqual([list(each) for each in await self.queue.add([message("bob")])], [[]])
        [lease] = await self.lease()
        queued = lease.message
        self.assertEqual(octets_of(lease), TEXT)
        self.assertEqual((queued.size, queued.arrived, queued.expires), (len(TEXT), NOW, NOW + 432_000))
        recipient = Recipient(Address("bob", "y.example"))
        self.assertEqual(
            list(queued.recipients),
            [QueuedRecipient(0, recipient, "y.example", QueueState.WAITING, NOW)],
        )

    async def test_the_envelope_is_kept(self) -> None:
        """With parameters, and whatever a client can send; also those recipients that are not queued."""
        envelope = Envelope(
            "4Z2Q",
            Address("ann smith", "x.example"),
            (
                Recipient(Address("bob", "caf\u00e9.example"), {"NOTIFY": "NEVER", "ORCPT": "rfc822;a+40b"}),
                Recipient(Address("\u7528\u6237", "[IPv6:2001:db8::1]")),
                Recipient(Address("postmaster", "")),
            ),
            Session(
                "LMTP",
                "mx.example",
                "2001:db8::9",
                'odd "helo" \udc80',
                submission=True,
                tls=TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
                account="ann",
            ),
            {"BODY": "8BITMIME", "SMTPUTF8": None, "ENVID": "QQ\udcff"},
        )
        new = replace(message(), envelope=envelope, destinations=("a", "b", None), priority=-3)
        null = replace(message(), envelope=replace(message().envelope, sender=NULL_PATH))
        await self.queue.add([new, null])
        first, second = await self.queue.find(QueueFilter())
        self.assertEqual((first.envelope, first.priority), (envelope, -3))
        self.assertEqual([(each.number, each.destination) for each in first.recipients], [(0, "a"), (1, "b")])
        self.assertEqual(second.envelope.sender, NULL_PATH)

    async def test_the_first_octets_may_be_for_mailboxes_only(self) -> None:
        for octets in (TEXT, LARGE):
            content = Content.of(RETURN_PATH + octets)
            await self.queue.add([message(content=content, skip=len(RETURN_PATH))])
            lease = await self.lease_one()
            content = Content.of(lease.message.content or b"")
            self.assertEqual((lease.message.size, len(content)), (len(octets), len(octets)))
            self.assertEqual(octets_of(lease), octets)
            self.assertEqual(content[5:30], octets[5:30])
            self.assertEqual(bytes((await self.queue.get(lease.message.id)).content), octets)
            await self.queue.change([lease.message.id], QueueChange.DELETE)
        await self.queue.add([message(content=b"x", skip=1)])
        self.assertEqual(octets_of(await self.lease_one()), b"")

    async def test_all_octets_are_kept(self) -> None:
        odd = bytes(range(256)) + b"\r\n.\r\n\n\r"
        await self.queue.add([message(content=odd), message(content=b"")])
        self.assertEqual([octets_of(each) for each in await self.lease()], [odd, b""])

    @needs(IQuota)
    async def test_of_what_has_no_room_here_nothing_leaves(self) -> None:
        here = message(
            "alice", "bob", destinations=(None, "y.example"), placements=(Placement(ALICE), Placement(ALICE))
        )
        await self.store.set_limits(ALICE, QuotaLimits(messages=1))
        for messages in ([here], [replace(here, placements=(Placement(ALICE),))] * 2):
            with self.assertRaises(OverQuota) as refused:
                await self.queue.add(messages)
            self.assertEqual(account_key(refused.exception.account), account_key(ALICE))
        await self.assert_counts()
        self.assertEqual((await self.store.quota_of(ALICE)).messages.used, 0)
        notice = replace(here, envelope=replace(here.envelope, sender=NULL_PATH))
        [placed] = await self.queue.add([notice])
        self.assertEqual(len(placed), 2)
        self.assertEqual((await self.store.quota_of(ALICE)).messages, (2, 1))

    @needs(Offer.CHANGES)
    async def test_mailboxes_here_and_servers_elsewhere(self) -> None:
        for octets in (TEXT, LARGE):
            content = RETURN_PATH + octets
            [[here]] = await self.queue.add(
                [
                    message(
                        "alice",
                        "bob",
                        destinations=(None, "y.example"),
                        content=content,
                        placements=[Placement(ALICE, flags=frozenset({"\\Flagged"}))],
                        skip=len(RETURN_PATH),
                    )
                ]
            )
            inbox = await self.inbox()
            [info] = await inbox.read([here.uid], Part.CONTENT | Part.INTERNAL_DATE | Part.ENVELOPE)
            self.assertEqual((bytes(info.content), info.internal_date), (content, int(NOW)))
            self.assertTrue(info.envelope)
            lease = await self.lease_one()
            self.assertEqual(octets_of(lease), octets)
            # What is removed of the one stays in the other.
            await self.queue.change([lease.message.id], QueueChange.DELETE)
            [info] = await inbox.read([here.uid], Part.CONTENT)
            self.assertEqual(bytes(info.content), content)

    @needs(Offer.CHANGES)
    async def test_a_message_that_is_expunged_is_still_sent(self) -> None:
        for octets in (TEXT, LARGE):
            [[here]] = await self.queue.add([message(content=octets, placements=[Placement(ALICE)])])
            await (await self.inbox()).expunge([here.uid])
            lease = await self.lease_one()
            self.assertEqual(octets_of(lease), octets)
            await self.queue.change([lease.message.id], QueueChange.DELETE)

    @needs(Offer.CHANGES)
    async def test_all_or_nothing(self) -> None:
        good, wrong = Placement(ALICE), Placement("nobody@example.org")
        nowhere = Placement(ALICE, "none")
        for content in (TEXT, LARGE):
            for bad, error in ((wrong, NoSuchAccount), (nowhere, NoSuchMailbox)):
                for messages in (
                    [message(content=content, placements=[good, bad])],
                    [message(content=content, placements=[good]), message("c", placements=[bad])],
                    [message("c", placements=[bad]), message(content=content)],
                ):
                    await self.assert_raises(error, self.queue.add(messages))
        await self.assert_counts()
        self.assertEqual((await (await self.inbox()).status()).messages, 0)
        self.assertEqual(await self.due(), [])

    @needs(Offer.CHANGES)
    async def test_a_flag_that_cannot_be_is_an_error_of_the_caller(self) -> None:
        for content in (TEXT, LARGE):
            wrong = message(content=content, placements=[Placement(ALICE, flags=frozenset({"a b"}))])
            with self.assertRaises(ValueError):
                await self.queue.add([message(), wrong])
        await self.assert_counts()

    async def test_without_destinations_it_is_not_queued(self) -> None:
        await self.queue.add([message("alice", destinations=[None])])
        await self.assert_counts()
        self.assertEqual(await self.queue.find(QueueFilter()), [])

    async def test_many_at_a_time(self) -> None:
        """A failure is nobody else's."""
        asked = [
            deferred(
                self.queue.add([message(f"u{n}", placements=[Placement("nobody")] if n % 3 == 0 else ())])
            )
            for n in range(30)
        ]
        for n, each in enumerate(asked):
            if n % 3 == 0:
                each.addErrback(lambda failure: failure.trap(NoSuchAccount))
        await gatherResults(asked)
        self.assertEqual(await self.locals(), [[f"u{n}"] for n in range(30) if n % 3])

    async def test_content_that_is_gone(self) -> None:
        for size in (10, 300_000):
            gone = message(content=Content.of_file(self.mktemp(), size))
            try:
                await self.queue.add([message(), gone])
            except (OSError, MailError):
                continue
            raise self.failureException("it was accepted")
        await self.assert_counts()

    async def test_ids_are_never_used_again(self) -> None:
        ids = []
        for _ in range(3):
            await self.queue.add([message()])
            [queued] = await self.queue.find(QueueFilter())
            ids.append(queued.id)
            await self.queue.change([queued.id], QueueChange.DELETE)
            await self.assert_raises_lookup(queued.id)
        self.assertEqual(ids, sorted(set(ids)))

    async def assert_raises_lookup(self, id_: int) -> None:
        with self.assertRaises(NoSuchQueued):
            await self.queue.get(id_)

    async def test_get(self) -> None:
        await self.queue.add([message("a", "b@z.example")])
        [listed] = await self.queue.find(QueueFilter())
        self.assertIsNone(listed.content)
        found = await self.queue.get(listed.id)
        self.assertEqual(bytes(found.content), TEXT)
        self.assertEqual(replace(found, content=None), listed)
        await self.assert_raises_lookup(listed.id + 1)

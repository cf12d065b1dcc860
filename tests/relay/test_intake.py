"""What `QueueDelivery` takes, from whom, and what goes where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.backends import MemoryStore
from mailproto.content import Content
from mailproto.delivery import Delivery, MailboxDelivery
from mailproto.delivery.reports import Report
from mailproto.dkim import KeyFolder
from mailproto.errors import MailError, NoSuchMailbox, OverQuota, RecipientUnknown, RelayDenied
from mailproto.interfaces import IQueue, IQueueStore
from mailproto.model import (
    NULL_PATH,
    Address,
    AppendedMessage,
    Envelope,
    NewQueued,
    Outcome,
    Placement,
    QueueChange,
    QueueFilter,
    Recipient,
    Session,
)
from mailproto.relay import QueueDelivery, Routes
from mailproto.relay._places import MOST_ELSEWHERE, TRUST
from mailproto.testing import make_envelope
from tests.mail_log import captured, only

PORT_25 = Session("ESMTP", "mx.example.org", peer="192.0.2.1", helo="client.example")
TRUSTED = replace(PORT_25, peer="198.51.100.7")
SUBMISSION = replace(PORT_25, submission=True, account="alice@example.org")
LMTP = replace(TRUSTED, protocol="LMTP", account="alice@example.org")
MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
NOW = 1_000_000.0


class FakeQueue:
    """Keeps what is added; places nothing."""

    def __init__(self) -> None:
        self.added: list[NewQueued] = []
        self.error: MailError | None = None
        self.full: set[str] = set()
        self.changed: list[tuple[list[int], QueueChange]] = []
        self.pages: list[list[Any]] = []
        self.wanted: list[QueueFilter] = []

    async def add(self, messages: Sequence[NewQueued]) -> Sequence[Sequence[AppendedMessage]]:
        if self.error is not None:
            raise self.error
        for message in messages:
            for placement in message.placements:
                if placement.account in self.full and message.envelope.sender:
                    raise OverQuota(account=placement.account)
        self.added += messages
        return [[] for _ in messages]

    async def find(self, filter: QueueFilter, *, after: int = 0, limit: int = 100) -> Sequence[Any]:
        self.wanted.append(filter)
        return self.pages.pop(0) if self.pages else []

    async def change(self, ids: Sequence[int], change: QueueChange) -> Sequence[int]:
        self.changed.append((list(ids), change))
        return ids

    def __getattr__(self, name: str) -> Any:
        if name in IQueue.names():
            return lambda *args, **kwargs: self.fail(name)
        raise AttributeError(name)


@implementer(IQueueStore)
class QueueStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.queue: Any = FakeQueue()


def address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


class IntakeCase(SynchronousTestCase):
    """A server of example.org with alice and bob, which sends everything but quiet.example by MX."""

    def setUp(self) -> None:
        self.now = NOW
        self.store = QueueStore()
        self.queue: FakeQueue = self.store.queue
        for name in ("alice@example.org", "bob@example.org"):
            self.settled(self.store.directory.add(name, ""))
        self.delivery = self.make()

    def make(self, **settings: Any) -> QueueDelivery:
        return QueueDelivery(
            self.store,
            MailboxDelivery(self.store, ["example.org"]),
            Routes("mx", {"quiet.example": "off", "*.hub.example": "smtp://10.0.0.1"}),
            relay_from=["198.51.100.0/24"],
            hostname="mx.example.org",
            clock=lambda: self.now,
            **settings,
        )

    def settled(self, awaitable: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(awaitable))

    def refused(self, awaitable: Any, kind: type[MailError]) -> MailError:
        error: MailError = self.failureResultOf(Deferred.fromCoroutine(awaitable), kind).value
        return error

    def deliver(
        self,
        *recipients: str | Recipient,
        session: Session = SUBMISSION,
        sender: str = "alice@example.org",
        **parameters: str | None,
    ) -> Sequence[Outcome]:
        chosen = [each if isinstance(each, Recipient) else Recipient(address(each)) for each in recipients]
        envelope = replace(
            make_envelope(address(sender) if sender else NULL_PATH, ["a@b"], session=session),
            recipients=tuple(chosen),
            parameters={name.replace("_", "-"): value for name, value in parameters.items()},
        )
        outcomes: Sequence[Outcome] = self.settled(self.delivery.deliver(envelope, Content(MESSAGE)))
        return outcomes

    def mails(self, account: str) -> int:
        mailbox = self.settled(self.settled(self.store.account(account)).open("INBOX"))
        return int(self.settled(mailbox.status()).messages)


class RecipientTests(IntakeCase):
    """Open-relay testers try each of these from a stranger's address."""

    TRICKS = (
        "victim@remote.example",
        "victim%remote.example@elsewhere.example",
        "victim@[192.0.2.9]",
        "victim@[127.0.0.1]",
        "victim@[IPv6:::1]",
        "remote.example!victim@elsewhere.example",
        "victim@xn--bcher-kva.example",
        "victim@EXAMPLE.ORG.remote.example",
        "victim@localhost",
        "victim@example.net",
    )
    LOCAL_TRICKS = (
        "victim%remote.example@example.org",
        "victim@remote.example@example.org",  # quoted on the wire
        '"victim@remote.example"@example.org',
        "remote.example!victim@example.org",
        "@remote.example:victim@example.org",
    )

    def ask(self, path: str, session: Session) -> Any:
        return self.delivery.recipient(session, address(path), {})

    def test_a_stranger_sends_nowhere_else(self) -> None:
        for path in self.TRICKS:
            self.refused(self.ask(path, PORT_25), RelayDenied)

    def test_a_trick_with_our_own_domain_is_an_unknown_user_for_everybody(self) -> None:
        for path in self.LOCAL_TRICKS:
            for session in (PORT_25, TRUSTED, SUBMISSION):
                self.refused(self.ask(path, session), RecipientUnknown)

    def test_an_account_and_a_listed_client_send_anywhere(self) -> None:
        for session in (SUBMISSION, TRUSTED, replace(PORT_25, account="bob@example.org")):
            for path in ("victim@remote.example", "x@a.hub.example", "y@[192.0.2.9]", "alice@example.org"):
                self.assertIsNone(self.settled(self.ask(path, session)))

    def test_lmtp_is_for_final_delivery(self) -> None:
        self.refused(self.ask("victim@remote.example", LMTP), RelayDenied)

    def test_a_client_whose_address_nobody_knows_is_a_stranger(self) -> None:
        self.refused(self.ask("victim@remote.example", replace(PORT_25, peer="")), RelayDenied)
        with self.assertRaisesRegex(ValueError, "relay_from must be networks and addresses"):
            QueueDelivery(
                self.store, MailboxDelivery(self.store, ["a.example"]), Routes(), relay_from=["unix"]
            )

    def test_a_domain_that_is_off(self) -> None:
        error = self.refused(self.ask("x@quiet.example", SUBMISSION), RelayDenied)
        self.assertEqual(error.text, "This server sends no mail to that domain")

    def test_postmaster_without_a_domain_is_ours(self) -> None:
        self.assertIsNone(self.settled(self.delivery.recipient(PORT_25, Address("Postmaster", ""), {})))


class DeliverTests(IntakeCase):
    def test_who_has_a_mailbox_is_asked_once_for_what_leaves(self) -> None:
        asked: list[str] = []
        find = self.store.directory.find

        async def counted(name: str) -> str:
            asked.append(name)
            return await find(name)

        self.patch(self.store.directory, "find", counted)
        for _ in range(2):
            self.settled(self.delivery.recipient(SUBMISSION, address("x@remote.example"), {}))
            self.deliver("x@remote.example")
        self.assertEqual(asked, ["x@remote.example"])
        # Whatever is known, it is for those that may send there.
        self.refused(self.delivery.recipient(PORT_25, address("x@remote.example"), {}), RelayDenied)
        asked.clear()
        self.settled(self.delivery.recipient(SUBMISSION, address("x@remote.example"), {}))
        self.assertEqual(asked, [])
        self.now += TRUST
        self.settled(self.delivery.recipient(SUBMISSION, address("x@remote.example"), {}))
        self.assertEqual(asked, ["x@remote.example"])
        self.now += TRUST
        self.deliver("x@remote.example")
        self.assertEqual(asked, ["x@remote.example"] * 2)

    def test_recipients_of_which_that_is_remembered_are_few(self) -> None:
        for number in range(MOST_ELSEWHERE + 5):
            self.settled(self.delivery.recipient(SUBMISSION, address(f"u{number}@remote.example"), {}))
        self.assertEqual(len(self.delivery._places._elsewhere), MOST_ELSEWHERE)

    def test_local_mail_does_not_touch_the_queue(self) -> None:
        [outcome] = self.deliver("bob@example.org", session=PORT_25, sender="x@remote.example")
        self.assertTrue(outcome.accepted)
        self.assertEqual((self.mails("bob@example.org"), self.queue.added), (1, []))

    def test_mail_for_others_is_queued(self) -> None:
        outcomes = self.deliver("x@remote.example", "y@a.hub.example", "z@b.hub.example")
        self.assertEqual([outcome.text for outcome in outcomes], ["Queued"] * 3)
        self.assertEqual([outcome.detail for outcome in outcomes], ["queued"] * 3)  # for the log
        [new] = self.queue.added
        self.assertEqual(new.destinations, ("remote.example", "smtp://10.0.0.1:25", "smtp://10.0.0.1:25"))
        self.assertEqual((bytes(new.content), new.skip, new.placements), (MESSAGE, 0, ()))
        self.assertEqual((new.arrived, new.due, new.expires), (NOW, NOW, NOW + 5 * 86_400))
        self.assertEqual(new.share, "alice@example.org")

    def test_a_copy_here_and_one_for_others_are_one_transaction(self) -> None:
        outcomes = self.deliver("bob@example.org", "x@remote.example", "bob+tag@example.org")
        self.assertTrue(all(outcome.accepted for outcome in outcomes))
        [new] = self.queue.added
        self.assertEqual(new.placements, (Placement("bob@example.org"),))
        self.assertEqual(new.destinations, (None, "remote.example", None))
        self.assertEqual(bytes(new.content), b"Return-Path: <alice@example.org>\r\n" + MESSAGE)
        self.assertEqual(bytes(new.content)[new.skip :], MESSAGE)

    def test_if_one_copy_cannot_be_stored_nobody_gets_the_message(self) -> None:
        self.queue.error = NoSuchMailbox("gone")
        envelope = make_envelope(address("a@example.org"), ["b@remote.example"], session=SUBMISSION)
        self.refused(self.delivery.deliver(envelope, Content(MESSAGE)), NoSuchMailbox)

    def test_an_account_that_was_deleted_since_rcpt(self) -> None:
        envelope = make_envelope(
            address("alice@example.org"), ["b@remote.example", "gone@example.org"], session=SUBMISSION
        )
        self.refused(self.delivery.deliver(envelope, Content(MESSAGE)), RecipientUnknown)
        self.assertEqual(self.queue.added, [])

    def test_what_a_client_may_ask_for(self) -> None:
        for session, parameters, due, priority in (
            (SUBMISSION, {"HOLDFOR": "60", "MT_PRIORITY": "5"}, NOW + 60, 5),
            (SUBMISSION, {"HOLDUNTIL": "1970-01-12T15:46:40Z"}, 1_007_200.0, 0),
            (TRUSTED, {"MT_PRIORITY": "-4"}, NOW, -4),
            (TRUSTED, {"MT_PRIORITY": "4"}, NOW, 4),
        ):
            self.deliver("x@remote.example", session=session, **parameters)
            new = self.queue.added.pop()
            self.assertEqual((new.due, new.priority), (due, priority), parameters)
            self.assertEqual(new.expires, due + 5 * 86_400)
            self.assertEqual(new.envelope.parameters, {k.replace("_", "-"): v for k, v in parameters.items()})

    def test_a_deadline(self) -> None:
        """What is to be returned at its deadline expires then (RFC 2852)."""
        for by, seconds in (("600;R", 600), ("999999999;R", 5 * 86_400), ("600;N", 5 * 86_400)):
            self.deliver("x@remote.example", session=SUBMISSION, BY=by)
            self.assertEqual(self.queue.added.pop().expires, NOW + seconds, by)

    def test_shares(self) -> None:
        for session, share in ((SUBMISSION, "alice@example.org"), (TRUSTED, "198.51.100.7")):
            self.deliver("x@remote.example", session=session)
            self.assertEqual(self.queue.added.pop().share, share)


class ReportTests(IntakeCase):
    """Reports about copies here."""

    def texts(self) -> list[tuple[str, tuple[str | None, ...], str]]:
        return [
            (
                " ".join(str(each.address) for each in new.envelope.recipients),
                new.destinations,
                next(
                    line for line in bytes(new.content).decode().split("\r\n") if line.startswith("Action:")
                ),
            )
            for new in self.queue.added
            if not new.envelope.sender
        ]

    def test_one_of_two_local_recipients_fails(self) -> None:
        """SMTP says 250, so the sender is told of the other."""
        with captured() as events:
            outcomes = self.deliver(
                "bob@example.org", "gone@example.org", session=PORT_25, sender="x@remote.example"
            )
        self.assertEqual([outcome.accepted for outcome in outcomes], [True, False])
        self.assertEqual(only(events, "reported")["recipient"], "<x@remote.example>")
        self.assertEqual(self.texts(), [("x@remote.example", ("remote.example",), "Action: failed")])
        [new] = self.queue.added
        self.assertEqual(new.envelope.recipients[0].parameters, {"NOTIFY": "NEVER"})
        self.assertIn(b"gone@example.org", bytes(new.content))
        self.assertNotIn(b"<bob@example.org>", bytes(new.content))

    def test_a_local_sender_has_his_report_in_his_mailbox(self) -> None:
        self.deliver("bob@example.org", "gone@example.org")
        [new] = self.queue.added
        self.assertEqual((new.destinations, new.placements), ((None,), (Placement("alice@example.org"),)))
        self.assertTrue(bytes(new.content).startswith(b"Return-Path: <>\r\n"))

    def test_lmtp_and_a_message_that_nobody_got_need_none(self) -> None:
        self.deliver("bob@example.org", "gone@example.org", session=LMTP)
        self.deliver("gone@example.org", session=PORT_25)
        self.deliver("bob@example.org", "gone@example.org", session=PORT_25, sender="")
        self.assertEqual(self.queue.added, [])

    def test_nobody_is_told_where_no_mail_is_sent(self) -> None:
        with capturedLogs() as events:
            self.deliver("bob@example.org", "gone@example.org", session=PORT_25, sender="x@quiet.example")
        self.assertEqual(self.queue.added, [])
        self.assertEqual([each["log_level"] for each in events], [LogLevel.warn])

    def test_success_where_it_is_asked_for(self) -> None:
        wants = Recipient(address("bob@example.org"), {"NOTIFY": "SUCCESS,FAILURE"})
        self.deliver(wants, session=PORT_25, sender="x@remote.example")
        self.assertEqual(self.texts(), [("x@remote.example", ("remote.example",), "Action: delivered")])
        self.queue.added.clear()
        self.deliver(wants, Recipient(address("y@remote.example"), {"NOTIFY": "SUCCESS"}))
        message, told = self.queue.added  # in one transaction
        self.assertEqual(message.destinations, (None, "remote.example"))
        self.assertEqual(bytes(told.content).count(b"Action: delivered"), 1)

    def test_a_report_of_the_agent(self) -> None:
        report = Report(NULL_PATH, (Recipient(address("alice@example.org")),), Content(MESSAGE), {})
        new = self.settled(self.delivery.prepare(report))
        self.assertEqual(new.placements, (Placement("alice@example.org"),))
        lost = report._replace(recipients=(Recipient(address("gone@example.org")),))
        self.assertIsNone(self.settled(self.delivery.prepare(lost)))


class TwiceTests(IntakeCase):
    """A recipient that the client names twice gets one copy."""

    def test_at_another_server(self) -> None:
        outcomes = self.deliver(
            "x@remote.example", "X@Remote.Example.", "y@remote.example", "x@remote.example"
        )
        self.assertEqual([each.code for each in outcomes], [250] * 4)
        [new] = self.queue.added
        self.assertEqual(
            [str(each.address) for each in new.envelope.recipients], ["x@remote.example", "y@remote.example"]
        )
        self.assertEqual(new.destinations, ("remote.example", "remote.example"))

    def test_in_any_spelling_of_the_domain(self) -> None:
        self.deliver("x@bücher.example", "x@xn--bcher-kva.example", "x+1@bücher.example")
        [new] = self.queue.added
        self.assertEqual(
            [str(each.address) for each in new.envelope.recipients],
            ["x@bücher.example", "x+1@bücher.example"],
        )

    def test_here(self) -> None:
        self.deliver("alice@example.org", "Alice+x@example.org", "x@remote.example", "alice@example.org")
        [new] = self.queue.added
        self.assertEqual(new.placements, (Placement("alice@example.org"),))
        self.deliver("alice@example.org", "Alice+x@example.org", "alice@example.org")
        self.assertEqual(self.mails("alice@example.org"), 1)

    def test_what_the_first_one_asked_for_counts(self) -> None:
        first = Recipient(address("x@remote.example"), {"NOTIFY": "NEVER"})
        self.deliver(first, Recipient(address("x@remote.example"), {"NOTIFY": "SUCCESS"}))
        self.assertEqual(self.queue.added[0].envelope.recipients, (first,))


class FullTests(IntakeCase):
    """A mailbox that only this message overfills: the others get it."""

    def test_beside_another_server(self) -> None:
        self.queue.full = {"alice@example.org"}
        outcomes = self.deliver("x@remote.example", "alice@example.org", "bob@example.org")
        self.assertEqual([each.code for each in outcomes], [250, 452, 250])
        new, report = self.queue.added
        self.assertEqual(
            [str(each.address) for each in new.envelope.recipients], ["x@remote.example", "bob@example.org"]
        )
        self.assertEqual([each.account for each in new.placements], ["bob@example.org"])
        self.assertEqual([each.account for each in report.placements], ["alice@example.org"])
        text = bytes(report.content).decode()
        self.assertIn("Final-Recipient: rfc822;alice@example.org", text)
        self.assertIn("Status: 4.2.2", text)
        self.assertNotIn("rfc822;bob@example.org", text)

    def test_several(self) -> None:
        self.queue.full = {"alice@example.org", "bob@example.org"}
        outcomes = self.deliver("bob@example.org", "x@remote.example", "alice@example.org")
        self.assertEqual([each.code for each in outcomes], [452, 250, 452])
        new, report = self.queue.added
        self.assertEqual((len(new.envelope.recipients), new.placements), (1, ()))
        self.assertEqual(bytes(report.content).count(b"Final-Recipient:"), 2)

    def test_who_is_full_is_not_known(self) -> None:
        self.queue.error = OverQuota()
        envelope = make_envelope(
            address("alice@example.org"), ["x@remote.example", "bob@example.org"], session=SUBMISSION
        )
        self.refused(self.delivery.deliver(envelope, Content(MESSAGE)), OverQuota)


class SigningTests(IntakeCase):
    """DKIM."""

    FROM_ALICE = b"From: alice@example.org\r\n" + MESSAGE

    def setUp(self) -> None:
        super().setUp()
        self.keys = KeyFolder(self.mktemp())
        self.keys.add("example.org", "mail")
        self.delivery = self.make(signing_keys=self.keys, in_thread=execute)

    def sent(self, content: bytes, session: Session = SUBMISSION, *more: str) -> NewQueued:
        envelope = make_envelope(address("alice@example.org"), ["x@remote.example", *more], session=session)
        self.settled(self.delivery.deliver(envelope, Content(content)))
        return self.queue.added.pop()

    def test_what_an_account_sends(self) -> None:
        new = self.sent(self.FROM_ALICE)
        self.assertEqual(bytes(new.content).count(b"d=example.org;"), 2)
        self.assertTrue(bytes(new.content).endswith(self.FROM_ALICE))

    def test_without_keys_there_is_no_thread_until_there_are_some(self) -> None:
        keys, used = KeyFolder(self.mktemp()), list[object]()

        async def in_thread(work: Any, *arguments: Any) -> Any:
            used.append(work)
            return await execute(work, *arguments)

        self.delivery = self.make(signing_keys=keys, in_thread=in_thread)
        self.assertEqual(bytes(self.sent(self.FROM_ALICE).content), self.FROM_ALICE)
        self.assertEqual(used, [])
        keys.add("example.org", "mail")
        self.assertEqual(bytes(self.sent(self.FROM_ALICE).content).count(b"d=example.org;"), 2)
        self.assertEqual(len(used), 1)

    def test_the_copy_here_has_it_too(self) -> None:
        new = self.sent(self.FROM_ALICE, SUBMISSION, "bob@example.org")
        self.assertTrue(bytes(new.content)[new.skip :].startswith(b"DKIM-Signature: v=1;"))

    EIGHT = (
        "From: alice@example.org\r\nSubject: Gr\u00fc\u00dfe\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nsome caf\u00e9\r\n"
    ).encode()

    def test_what_others_would_have_to_convert_is_converted_first(self) -> None:
        """So that the signatures survive servers without 8BITMIME (RFC 6376 5.3)."""
        for more in ((), ("bob@example.org",)):
            new = self.sent(self.EIGHT, SUBMISSION, *more)
            content = bytes(new.content)
            self.assertTrue(content.isascii())
            self.assertEqual(content.count(b"d=example.org;"), 2)
            self.assertIn(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n", content)
            self.assertIn(b"Content-Transfer-Encoding: quoted-printable\r\n\r\nsome caf=C3=A9\r\n", content)

    def test_a_long_one_is_converted_in_a_file(self) -> None:
        new = self.sent(self.EIGHT + "and more caf\u00e9s\r\n".encode() * 100_000)
        content = bytes(new.content)
        self.assertTrue(content.isascii())
        self.assertEqual(content.count(b"=C3=A9s\r\n"), 100_000)

    def test_what_cannot_be_converted_is_signed_as_it_is(self) -> None:
        parts = "--s\r\n\r\ncaf\u00e9\r\n--s\r\nContent-Type: application/x\r\n\r\nx\r\n--s--\r\n".encode()
        kind = b"multipart/signed; boundary=s"
        signed = self.EIGHT.replace(b"text/plain; charset=utf-8", kind) + parts
        international = self.EIGHT.replace(b"From: alice", "From: <\u00e9@a.example>, alice".encode())
        for content in (signed, international):
            new = bytes(self.sent(content).content)
            self.assertTrue(new.endswith(content))
        self.assertEqual(bytes(self.sent(signed).content).count(b"d=example.org;"), 2)

    def test_what_is_declared_as_international_keeps_its_header(self) -> None:
        envelope = make_envelope(
            address("alice@example.org"),
            ["x@remote.example"],
            session=SUBMISSION,
            parameters={"SMTPUTF8": None},
        )
        self.settled(self.delivery.deliver(envelope, Content(self.EIGHT)))
        content = bytes(self.queue.added.pop().content)
        self.assertEqual(content.count(b"d=example.org;"), 2)
        self.assertTrue(content.endswith(self.EIGHT))

    def test_binary_messages_stay_binary(self) -> None:
        envelope = make_envelope(
            address("alice@example.org"),
            ["x@remote.example"],
            session=SUBMISSION,
            parameters={"BODY": "BINARYMIME"},
        )
        content = self.EIGHT.replace(b"8bit", b"binary") + b"\0\n"
        self.settled(self.delivery.deliver(envelope, Content(content)))
        self.assertTrue(bytes(self.queue.added.pop().content).endswith(content))

    def test_what_is_not_signed_is_not_converted(self) -> None:
        content = self.EIGHT.replace(b"alice@example.org", b"x@remote.example")
        self.assertEqual(bytes(self.sent(content).content), content)

    def test_other_authors(self) -> None:
        for content in (MESSAGE, b"From: x@remote.example\r\n" + MESSAGE):
            self.assertEqual(bytes(self.sent(content).content), content)

    def test_no_account_signs_for_another_domain_here(self) -> None:
        """Receivers would believe that the other domain's account wrote it."""
        self.keys.add("other.example", "mail")
        content = b"From: boss@other.example\r\n" + MESSAGE
        self.assertEqual(bytes(self.sent(content).content), content)
        other = replace(SUBMISSION, account="boss@Other.example")
        for session in (other, TRUSTED):
            self.assertEqual(bytes(self.sent(content, session).content).count(b"d=other.example;"), 2)

    def test_the_domain_of_an_address_that_the_account_owns(self) -> None:
        async def owns(account: str, path: Address) -> bool:
            return True

        self.patch(self.delivery, "owns", owns)
        session = replace(SUBMISSION, account="carol@alias.example")
        self.assertEqual(bytes(self.sent(self.FROM_ALICE, session).content).count(b"d=example.org;"), 2)

    def test_a_report_is_from_the_hosts_name(self) -> None:
        self.keys.add("mx.example.org", "mail")
        self.deliver("bob@example.org", "gone@example.org", session=PORT_25, sender="x@remote.example")
        self.assertEqual(bytes(self.queue.added.pop().content).count(b"d=mx.example.org;"), 2)

    def test_broken_keys(self) -> None:
        (self.keys._path / "example.org" / "mail.pem").write_text("nonsense")
        self.keys._known.clear()
        with capturedLogs() as log:
            new = self.sent(self.FROM_ALICE)
        self.assertEqual(bytes(new.content), self.FROM_ALICE)
        self.assertIn("mail.pem: it has no private key", formatEvent(log[0]))


async def execute(function: Any, *arguments: Any) -> Any:
    return function(*arguments)


class QueueRunTests(IntakeCase):
    """ETRN."""

    def test_who_may_start_the_queue(self) -> None:
        error = self.refused(self.delivery.run_queue(PORT_25, "remote.example"), MailError)
        self.assertEqual((error.code, error.enhanced), (459, "4.7.1"))

    def test_a_domain_and_those_below_it(self) -> None:
        """RFC 1985 5.3."""
        store = MemoryStore()
        self.settled(store.directory.add("alice@example.org", ""))
        delivery = QueueDelivery(
            store, MailboxDelivery(store, ["example.org"]), Routes("mx"), relay_from=["198.51.100.0/24"]
        )
        for each in (
            "remote.example",
            "A.remote.example",
            "b.a.remote.example",
            "notremote.example",
            "remote.example.net",
            "bücher.remote.example",
            "a.xn--bcher-kva.remote.example",
            "a.BÜCHER.example",
            "bücher",
        ):
            envelope = make_envelope(address("alice@example.org"), [f"x@{each}"], session=SUBMISSION)
            self.settled(delivery.deliver(envelope, Content(MESSAGE)))
        self.assertEqual(self.settled(delivery.run_queue(TRUSTED, "remote.example")), 1)
        self.assertEqual(self.settled(delivery.run_queue(TRUSTED, "@Remote.example")), 5)
        for node, number in (
            ("bücher.remote.example", 1),
            ("xn--bcher-kva.remote.example", 1),
            ("@bücher.remote.example", 2),
            ("@xn--bcher-kva.remote.example", 2),
            ("A.XN--BCHER-KVA.example", 1),
            ("@XN--BCHER-KVA.example", 1),
            ("@xn--bcher-kva", 1),
            ("[192.0.2.1]", 0),
        ):
            self.assertEqual(self.settled(delivery.run_queue(TRUSTED, node)), number, node)
        self.assertEqual(self.settled(delivery.run_queue(TRUSTED, "@other.example")), 0)

    def test_a_domain(self) -> None:
        class Found:
            def __init__(self, id: int) -> None:
                self.id = id

        self.queue.pages = [[Found(3), Found(7)], [Found(9)]]
        self.assertEqual(self.settled(self.delivery.run_queue(TRUSTED, "remote.example")), 3)
        self.assertEqual(self.queue.changed, [([3, 7], QueueChange.RETRY), ([9], QueueChange.RETRY)])
        self.assertEqual({each.domain for each in self.queue.wanted}, {"remote.example"})

    def test_what_is_no_domain(self) -> None:
        for node in ("@", "x@remote.example", "a..b", "-", "@@a.example"):
            error = self.refused(self.delivery.run_queue(TRUSTED, node), MailError)
            self.assertEqual((error.code, error.enhanced), (501, "5.5.4"), node)

    def test_a_queues_name(self) -> None:
        error = self.refused(self.delivery.run_queue(TRUSTED, "#fast"), MailError)
        self.assertEqual((error.code, error.enhanced), (458, "4.3.0"))


class ArgumentTests(IntakeCase):
    def test_wrong_arguments(self) -> None:
        local, routes = MailboxDelivery(self.store, ["example.org"]), Routes()

        class Other(Delivery):
            async def deliver(self, envelope: Envelope, content: Content) -> None: ...

        for arguments, text in (
            ((MemoryStore, local, routes), "store must be"),
            ((self.store, Other(), routes), r"write mailproto\.delivery\.MailboxDelivery"),
            ((self.store, local, "mx"), "routes must be a Routes"),
        ):
            with self.assertRaisesRegex(TypeError, text):
                QueueDelivery(*arguments)  # type: ignore[arg-type]

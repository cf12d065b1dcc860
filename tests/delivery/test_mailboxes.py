from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore
from mailproto.content import Content
from mailproto.delivery import TRUST, MailboxDelivery, _mailboxes
from mailproto.domains import canonical_domain
from mailproto.errors import MailError, NoSuchAccount, OverQuota, RecipientUnknown, RelayDenied
from mailproto.interfaces import IOwnership
from mailproto.model import NULL_PATH, Address, Outcome, Part, QuotaLimits, Session
from mailproto.testing import make_envelope

PORT_25 = Session("ESMTP", "mx.example.org", peer="192.0.2.1", helo="client.example")
SUBMISSION = replace(PORT_25, submission=True, account="alice@example.org")
MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"


def address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local, domain) if local else Address(text, "")


class MailboxCase(SynchronousTestCase):
    """A store with alice and bob, domains example.org and bücher.example."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.clock = Clock()
        self.add("alice@Example.org", "bob@example.org", "carol@elsewhere.example", "zoë@bücher.example")
        self.delivery = MailboxDelivery(self.store, ["Example.org", "bücher.example."], clock=self.clock)

    def add(self, *names: str) -> None:
        for name in names:
            self.successResultOf(Deferred.fromCoroutine(self.store.directory.add(name, "")))

    def accounts(self) -> Sequence[str]:
        return self.successResultOf(Deferred.fromCoroutine(self.store.directory.names()))

    def ask(self, text: str, session: Session = PORT_25) -> Deferred[None]:
        return Deferred.fromCoroutine(self.delivery.recipient(session, address(text), {}))

    def assert_taken(self, text: str, session: Session = PORT_25) -> None:
        self.successResultOf(self.ask(text, session))

    def assert_refused(self, text: str, kind: type[MailError], session: Session = PORT_25) -> MailError:
        error: MailError = self.failureResultOf(self.ask(text, session), kind).value
        return error

    def deliver(
        self, *recipients: str, sender: Address = NULL_PATH, content: Content = MESSAGE
    ) -> Sequence[Outcome]:
        envelope = make_envelope(sender, map(address, recipients), session=PORT_25)
        return self.successResultOf(Deferred.fromCoroutine(self.delivery.deliver(envelope, content)))

    def inbox(self, name: str) -> list[bytes]:
        async def read() -> list[bytes]:
            mailbox = await (await self.store.account(name)).open("INBOX")
            uids = [message.uid for message in (await mailbox.changes_since(0)).changed]
            return [bytes(message.content or b"") for message in await mailbox.read(uids, Part.CONTENT)]

        return self.successResultOf(Deferred.fromCoroutine(read()))


class QuotaTests(MailboxCase):
    """Whoever is over quota gets no mail for now."""

    def limit(self, name: str, limits: QuotaLimits) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.store.set_limits(name, limits)))

    def test_refused_at_rcpt_if_nothing_has_room(self) -> None:
        self.limit("alice@example.org", QuotaLimits(messages=1))
        self.assert_taken("alice@example.org")
        self.deliver("alice@example.org")
        self.clock.advance(TRUST)
        error = self.assert_refused("Alice+lists@example.org", OverQuota)
        self.assertEqual((error.code, error.enhanced, error.text), (452, "4.2.2", "Mailbox full: over quota"))
        self.assert_taken("bob@example.org")
        self.limit("alice@example.org", QuotaLimits(messages=2))
        self.assert_taken("alice@example.org")

    def test_each_recipient_of_a_message_has_an_answer(self) -> None:
        """Also where a message has no room for which a smaller one would have had."""
        self.limit("alice@example.org", QuotaLimits(storage=100))
        self.assert_taken("alice@example.org")
        alice, bob = self.deliver("alice@example.org", "bob@example.org", content=Content(MESSAGE * 4))
        self.assertEqual((alice.code, alice.enhanced, alice.text), (452, "4.2.2", "Mailbox full: over quota"))
        self.assertEqual(bob.code, 250)
        [alice] = self.deliver("alice@example.org")
        self.assertEqual(alice.code, 250)

    def test_room_is_looked_at_once_a_second(self) -> None:
        self.patch(_mailboxes, "MAX_CACHED", 1)
        asked = []
        quota_of = self.store.quota_of
        self.store.quota_of = lambda name: (asked.append(name), quota_of(name))[1]  # type: ignore[method-assign]
        for name in ("alice", "alice", "bob", "alice"):
            self.assert_taken(f"{name}@example.org")
        self.assertEqual([name[0] for name in asked], ["a", "b", "a"])
        self.clock.advance(TRUST)
        self.assert_taken("alice@example.org")
        self.assertEqual(len(asked), 4)


class RecipientTests(MailboxCase):
    def test_account(self) -> None:
        self.assert_taken("alice@example.org")

    def test_account_of_a_domain_that_is_not_listed(self) -> None:
        self.assert_taken("carol@elsewhere.example")
        self.assert_refused("dave@elsewhere.example", RelayDenied)

    def test_unknown_in_our_domain(self) -> None:
        error = self.assert_refused("dave@example.org", RecipientUnknown)
        self.assertEqual((error.code, error.enhanced), (550, "5.1.1"))

    def test_no_relay(self) -> None:
        for text in (
            "a@other.example",
            "alice@[127.0.0.1]",
            "alice@sub.example.org",
            "alice",
            "a@b@other.example",
        ):
            with self.subTest(text=text):
                error = self.assert_refused(text, RelayDenied)
                self.assertEqual((error.code, error.enhanced), (550, "5.7.1"))

    def test_name_inside_a_local_part_is_no_way_in(self) -> None:
        self.assert_refused("x@other.example@example.org", RecipientUnknown)
        self.assert_refused("x%other.example@example.org", RecipientUnknown)

    def test_without_case(self) -> None:
        self.assert_taken("ALICE@EXAMPLE.ORG")

    def test_trailing_dot(self) -> None:
        self.assert_taken("alice@example.org.")

    def test_plus(self) -> None:
        self.assert_taken("alice+list@example.org")
        self.assert_taken("alice+@example.org")
        self.assert_taken("alice+a+b@example.org")
        self.assert_refused("dave+list@example.org", RecipientUnknown)
        self.assert_refused("+alice@example.org", RecipientUnknown)

    def test_domains_beyond_ascii(self) -> None:
        for domain in ("bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example."):
            with self.subTest(domain=domain):
                self.assert_taken(f"zoë@{domain}")
                self.assert_refused(f"dave@{domain}", RecipientUnknown)

    def test_local_parts_in_another_composition(self) -> None:
        self.assert_taken("zoe\u0308@bücher.example")

    def test_odd_domains(self) -> None:
        for domain in ("xn--", "xn--\u00fc.example", "\u00fc" * 200, ".", "..", "-", "xn--a.xn--b"):
            with self.subTest(domain=domain):
                self.assert_refused(f"alice@{domain}", RelayDenied)

    def test_anybody_may_be_the_sender(self) -> None:
        for sender in (NULL_PATH, Address("a", "other.example")):
            self.successResultOf(Deferred.fromCoroutine(self.delivery.sender(PORT_25, sender, {})))

    def test_whose_an_address_is(self) -> None:
        """Whoever gets mail to it may send under it, and nobody else."""
        self.add("alice+boss@example.org")
        for account, text, owns in (
            ("alice@Example.org", "alice@example.org", True),
            ("ALICE@EXAMPLE.ORG", "Alice+list@example.org.", True),
            ("zoë@bücher.example", "zoe\u0308@xn--bcher-kva.example", True),
            ("alice@Example.org", "alice+boss@example.org", False),
            ("alice+boss@example.org", "alice+boss@example.org", True),
            ("alice@Example.org", "bob@example.org", False),
            ("alice@Example.org", "nobody@example.org", False),
            ("alice@Example.org", "alice@other.example", False),
            ("alice@Example.org", "postmaster@example.org", False),
        ):
            with self.subTest(account=account, text=text):
                answer = Deferred.fromCoroutine(self.delivery.owns(account, address(text)))
                self.assertEqual(self.successResultOf(answer), owns)
        self.assertTrue(IOwnership.providedBy(self.delivery))

    def test_submission_to_our_own(self) -> None:
        self.assert_taken("bob@example.org", SUBMISSION)
        self.assert_refused("dave@example.org", RecipientUnknown, SUBMISSION)

    def test_submission_to_others_is_refused_with_the_reason(self) -> None:
        error = self.assert_refused("a@other.example", RelayDenied, SUBMISSION)
        self.assertEqual((error.code, error.enhanced), (550, "5.7.1"))
        self.assertIn("sends no mail to other domains", error.text)


class PostmasterTests(MailboxCase):
    def test_any_case_any_listed_domain_and_none(self) -> None:
        for text in (
            "Postmaster",
            "pOSTMASTER",
            "postmaster@example.org",
            "PostMaster@xn--bcher-kva.example",
        ):
            with self.subTest(text=text):
                self.assert_taken(text)
                self.assertEqual(self.deliver(text)[0].code, 250)
        self.assertEqual(len(self.inbox("postmaster@example.org")), 3)
        self.assertEqual(len(self.inbox("postmaster@xn--bcher-kva.example")), 1)

    def test_abuse_is_there_as_well(self) -> None:
        """RFC 2142 2: in any case, of each listed domain, but not without one."""
        for text in ("abuse@example.org", "ABUSE@Example.org.", "Abuse@bücher.example"):
            self.assert_taken(text)
            self.assertEqual(self.deliver(text)[0].code, 250)
        self.assertEqual(len(self.inbox("abuse@example.org")), 2)
        self.assertEqual(len(self.inbox("abuse@xn--bcher-kva.example")), 1)
        self.assert_taken("abuse+spam@example.org")
        self.assert_refused("abuse@other.example", RelayDenied)
        self.assert_refused("abuse", RelayDenied)
        self.assert_refused("abuser@example.org", RecipientUnknown)

    def test_an_account_of_abuse_is_kept(self) -> None:
        self.add("Abuse@Example.org")
        self.deliver("abuse@example.org")
        self.assertEqual(len(self.inbox("Abuse@Example.org")), 1)
        self.assertNotIn("abuse@example.org", self.accounts())

    def test_made_when_the_server_starts(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.delivery.ensure_role_accounts()))
        self.assertIn("postmaster@example.org", self.accounts())
        self.assertIn("abuse@example.org", self.accounts())
        hash_ = self.successResultOf(
            Deferred.fromCoroutine(self.store.directory.password_hash("postmaster@example.org"))
        )
        self.assertEqual(hash_, "")
        before = self.accounts()
        self.successResultOf(Deferred.fromCoroutine(self.delivery.ensure_role_accounts()))
        self.assertEqual(self.accounts(), before)

    def test_of_another_domain(self) -> None:
        self.assert_refused("postmaster@other.example", RelayDenied)

    def test_an_account_that_is_there_is_kept(self) -> None:
        self.add("PostMaster@Example.org")
        self.deliver("postmaster@example.org")
        self.assertEqual(len(self.inbox("PostMaster@Example.org")), 1)

    def test_deleted_while_the_server_runs(self) -> None:
        self.assert_taken("postmaster@example.org")
        self.successResultOf(Deferred.fromCoroutine(self.store.directory.delete("postmaster@example.org")))
        self.clock.advance(TRUST)
        self.assert_taken("postmaster@example.org")


class CacheTests(MailboxCase):
    def test_new_accounts_take_mail_at_once(self) -> None:
        self.assert_refused("dave@example.org", RecipientUnknown)
        self.add("dave@example.org")
        self.assert_taken("dave@example.org")

    def test_exact_name_wins_over_plus_within_a_second(self) -> None:
        self.assert_taken("alice+list@example.org")
        self.add("alice+list@example.org")
        self.clock.advance(TRUST)
        self.deliver("alice+list@example.org")
        self.assertEqual(len(self.inbox("alice+list@example.org")), 1)

    def test_deleted_accounts_are_refused_within_a_second(self) -> None:
        self.assert_taken("bob@example.org")
        self.successResultOf(Deferred.fromCoroutine(self.store.directory.delete("bob@example.org")))
        self.clock.advance(TRUST)
        self.assert_refused("bob@example.org", RecipientUnknown)

    def test_found_addresses_are_not_looked_up_again(self) -> None:
        self.assert_taken("bob@example.org")
        self.patch(self.store.directory, "find", None)
        self.assert_taken("bob@example.org")

    def test_bounded(self) -> None:
        self.patch(_mailboxes, "MAX_CACHED", 3)
        for number in range(10):
            self.assert_taken(f"alice+{number}@example.org")
        self.assertLessEqual(len(self.delivery._known), 3)


class DeliveryTests(MailboxCase):
    def test_return_path_first(self) -> None:
        self.deliver("alice@example.org", sender=Address("the sender", "client.example"))
        self.assertEqual(
            self.inbox("alice@example.org"), [b'Return-Path: <"the sender"@client.example>\r\n' + MESSAGE]
        )

    def test_null_return_path(self) -> None:
        self.deliver("alice@example.org")
        self.assertEqual(self.inbox("alice@example.org"), [b"Return-Path: <>\r\n" + MESSAGE])

    def test_return_paths_that_came_with_the_message_go(self) -> None:
        for header, left in (
            (b"Return-Path: <evil@x>\r\n", b""),
            (b"A: b\r\nRETURN-PATH :\r\n\t<evil@x>\r\nC: d\r\nReturn-Path:<>\r\n", b"A: b\r\nC: d\r\n"),
            (b"X-Return-Path: x\r\nReturn-Paths: x\r\n", b"X-Return-Path: x\r\nReturn-Paths: x\r\n"),
        ):
            for body in (b"", b"\r\nReturn-Path: <text@x>\r\n\r\nReturn-Path: <text@x>\r\n"):
                path = self.mktemp()
                Path(path).write_bytes(body)
                for content in (Content(header + body), Content.of_file(path, len(body), prefix=header)):
                    self.add(account := f"{self.mktemp().replace('/', '')}@example.org")
                    self.deliver(account, content=content)
                    self.assertEqual(self.inbox(account), [b"Return-Path: <>\r\n" + left + body])

    def test_one_copy_an_account(self) -> None:
        outcomes = self.deliver(
            "alice@example.org", "ALICE+x@example.org.", "bob@example.org", "alice@example.org"
        )
        self.assertEqual([outcome.code for outcome in outcomes], [250] * 4)
        self.assertEqual(len(self.inbox("alice@example.org")), 1)
        self.assertEqual(len(self.inbox("bob@example.org")), 1)

    def test_outcomes_are_in_the_order_of_the_recipients(self) -> None:
        self.assert_taken("bob@example.org")
        self.successResultOf(Deferred.fromCoroutine(self.store.directory.delete("bob@example.org")))
        outcomes = self.deliver("bob@example.org", "alice@example.org", "dave@example.org", "x@other.example")
        self.assertEqual(
            [(outcome.code, outcome.enhanced) for outcome in outcomes],
            [(550, "5.1.1"), (250, "2.0.0"), (550, "5.1.1"), (550, "5.7.1")],
        )
        self.assertEqual(outcomes[0].text, NoSuchAccount.default_text)
        self.assertEqual(len(self.inbox("alice@example.org")), 1)

    def test_nobody_left(self) -> None:
        self.assertEqual([outcome.code for outcome in self.deliver("dave@example.org")], [550])


class CanonicalDomainTests(SynchronousTestCase):
    def test_equal_ones(self) -> None:
        for domain in ("Example.ORG", "example.org", "example.org."):
            self.assertEqual(canonical_domain(domain), "example.org")
        for domain in ("Bücher.example", "bu\u0308cher.example", "XN--BCHER-KVA.EXAMPLE."):
            self.assertEqual(canonical_domain(domain), "xn--bcher-kva.example")

    def test_address_literals(self) -> None:
        self.assertEqual(canonical_domain("[IPv6:::1]"), "[ipv6:::1]")

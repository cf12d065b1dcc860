"""How much may be done in how much time, by a client's address and by account."""

from __future__ import annotations

import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.proxy import Networks
from mailproto.smtp.limits import TRUSTED_CLIENT_LIMITS, SMTPLimits
from mailproto.smtp.server import _limits
from mailproto.smtp.server._rates import MAX_REMEMBERED_RATES, Rate
from mailproto.smtp.server._sending_policy import SendingPolicy
from mailproto.testing import ELSEWHERE, LOOPBACK, MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase, FakeDelivery
from tests.smtp.server.test_authentication import SIGNED_IN
from tests.smtp.server.test_server import script

MAIL = "C: MAIL FROM:<a@b>\nS: 250...\nC: RSET\nS: 250..."
NO_MAIL = "C: MAIL FROM:<a@b>\nS: 450 4.7.1 Too many messages for now"


class RateTests(SynchronousTestCase):
    def test_so_many_at_once_then_so_many_a_period(self) -> None:
        rate = Rate(3, 60)
        self.assertEqual([rate.take("a", 0) for _ in range(5)], [True, True, True, False, False])
        self.assertFalse(rate.take("a", 19))
        self.assertTrue(rate.take("a", 21))
        self.assertFalse(rate.take("a", 22))
        self.assertEqual([rate.take("a", 1000) for _ in range(4)], [True, True, True, False])

    def test_everybody_for_himself(self) -> None:
        rate = Rate(1, 60)
        self.assertTrue(rate.take("a", 0))
        self.assertTrue(rate.take("b", 0))
        self.assertFalse(rate.take("a", 0))

    def test_no_limit(self) -> None:
        rate = Rate(0, 60)
        self.assertFalse(rate)
        self.assertTrue(all(rate.take("a", 0) for _ in range(100)))
        self.assertEqual(rate._buckets, {})

    def test_memory_is_bounded_and_the_busy_are_remembered(self) -> None:
        rate = Rate(2, 60)
        for number in range(3 * MAX_REMEMBERED_RATES):
            rate.take(f"attacker {number}", 0)
            if number % 1000 == 0:
                rate.take("busy", 0)
        self.assertLessEqual(len(rate._buckets), MAX_REMEMBERED_RATES)
        self.assertLess(sys.getsizeof(rate._buckets), 1 << 20)
        self.assertFalse(rate.take("busy", 0))


class PeerTests(DialogueTestCase):
    limits = SMTPLimits(messages_per_peer=2, recipients_per_peer=3, greeting_wait=0, rate_period=60)
    peer = ELSEWHERE

    def again(self, peer: str) -> MemoryTransport:
        """One more connection to the same server."""
        transport = MemoryTransport(self.factory.buildProtocol(None), peer)
        transport.read()
        self.converse(transport, "C: HELO a\nS: 250...")
        return transport

    def test_messages(self) -> None:
        self.assert_dialogue(script("C: HELO a\nS: 250...", MAIL, MAIL, NO_MAIL, NO_MAIL), limits=self.limits)
        self.clock.advance(30)
        transport = self.again(ELSEWHERE)
        self.converse(transport, script(MAIL, NO_MAIL))
        self.converse(self.again("192.0.2.2"), MAIL)

    def test_the_delivery_is_not_asked(self) -> None:
        self.assert_dialogue(script("C: HELO a\nS: 250...", MAIL, MAIL, NO_MAIL), limits=self.limits)
        self.assertEqual(len(self.delivery.senders), 2)

    def test_recipients(self) -> None:
        self.assert_dialogue(
            script(
                "C: HELO a\nS: 250...\nC: MAIL FROM:<a@b>\nS: 250...",
                "C: RCPT TO:<c@d>\nC: RCPT TO:<c@d>\nC: RCPT TO:<c@d>\nS: 250...\nS: 250...\nS: 250...",
                "C: RCPT TO:<c@d>\nS: 450 4.7.1 Too many recipients for now",
                "C: DATA\nS: 354...\nC: .\nS: 250...",
            ),
            limits=self.limits,
        )
        self.assertEqual(len(self.delivery.delivered[0][0].recipients), 3)

    def test_an_ipv6_site_is_one_client(self) -> None:
        self.peer = "2001:db8:1:2::1"
        transport = self.connect(limits=self.limits)
        self.converse(transport, script("C: HELO a\nS: 250...", MAIL, MAIL))
        self.converse(self.again("2001:db8:1:2:ffff::9"), NO_MAIL)
        self.converse(self.again("2001:db8:1:3::1"), MAIL)

    def test_clients_on_this_machine_are_counted_too(self) -> None:
        self.peer = LOOPBACK
        self.assert_dialogue(script("C: HELO a\nS: 250...", MAIL, MAIL, NO_MAIL), limits=self.limits)

    def test_defaults_for_strangers_on_the_network(self) -> None:
        """10,000 messages and 50,000 recipients an hour."""
        limits = SMTPLimits()
        self.assertEqual(limits.messages_of_peer(is_near=False), 10_000)
        self.assertEqual(limits.recipients_of_peer(is_near=False), 50_000)
        self.patch(_limits, "_MESSAGES_FROM_ELSEWHERE", 2)
        self.patch(_limits, "_RECIPIENTS_FROM_ELSEWHERE", 1)
        transport = self.connect(limits=SMTPLimits(greeting_wait=0))
        self.converse(transport, script("C: HELO a\nS: 250...", MAIL, "C: MAIL FROM:<a@b>\nS: 250..."))
        self.converse(transport, "C: RCPT TO:<c@d>\nC: RCPT TO:<c@d>\nS: 250...\nS: 450 4.7.1...")
        self.converse(transport, script("C: RSET\nS: 250...", NO_MAIL))
        self.clock.advance(1800)
        self.converse(self.again(ELSEWHERE), script(MAIL, NO_MAIL))

    def test_no_limit_by_default_near_by(self) -> None:
        self.patch(_limits, "_MESSAGES_FROM_ELSEWHERE", 2)
        for peer in (LOOPBACK, ""):
            self.peer = peer
            self.assert_dialogue(script("C: HELO a\nS: 250...", *[MAIL] * 20))

    def test_no_limit_by_default_for_known_clients(self) -> None:
        self.assertFalse(SendingPolicy(FakeDelivery(), TRUSTED_CLIENT_LIMITS, own_senders=False))

    def test_none_at_all(self) -> None:
        limits = SMTPLimits(messages_per_peer=0, recipients_per_peer=0)
        self.assertFalse(SendingPolicy(FakeDelivery(), limits, own_senders=False))

    def test_a_listed_proxy_itself(self) -> None:
        self.patch(_limits, "_MESSAGES_FROM_ELSEWHERE", 2)
        transport = self.connect(limits=SMTPLimits(), xclient=Networks([ELSEWHERE]))
        self.converse(transport, script("C: HELO a\nS: 250...", *[MAIL] * 5))


class AccountTests(DialogueTestCase):
    def connect(self, **settings: Any) -> MemoryTransport:
        return super().connect(portal=self.portal, **settings)

    def test_messages_from_wherever(self) -> None:
        limits = SMTPLimits(messages_per_account=2, rate_period=60)
        self.assert_dialogue(script(SIGNED_IN, MAIL, MAIL, NO_MAIL), limits=limits)
        transport = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
        transport.read()
        self.converse(transport, script(SIGNED_IN, NO_MAIL))
        self.clock.advance(30)
        self.converse(transport, script(MAIL, NO_MAIL))

    def test_recipients(self) -> None:
        self.assert_dialogue(
            script(
                SIGNED_IN,
                "C: MAIL FROM:<a@b>\nS: 250...\nC: RCPT TO:<c@d>\nS: 250...",
                "C: RCPT TO:<c@d>\nS: 450 4.7.1 Too many recipients for now",
            ),
            limits=SMTPLimits(recipients_per_account=1),
        )

    def test_an_hour_by_default(self) -> None:
        transport = self.connect(limits=SMTPLimits(messages_per_account=1))
        self.converse(transport, script(SIGNED_IN, MAIL))
        self.clock.advance(200)
        self.converse(transport, NO_MAIL)

    def test_who_did_not_sign_in_has_no_account(self) -> None:
        self.assert_dialogue(
            script("C: HELO a\nS: 250...", *[MAIL] * 5), limits=SMTPLimits(messages_per_account=1)
        )

"""What a client may use up, and what it is told when it has (RFC 5321 4.5.3)."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailproto.errors import RecipientUnknown, Refused
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase, FakeDelivery
from tests.smtp.server.test_server import script

BEGIN = "C: HELO a\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nS: 250...\nS: 250...\nS: 250..."
TOO_MANY = "S: 421 4.7.0 Too many errors, closing connection\nS closes"


class NumberTests(DialogueTestCase):
    def test_recipients(self) -> None:
        self.assert_dialogue(
            script(
                BEGIN,
                "C: RCPT TO:<e@f>\nS: 250...",
                "C: RCPT TO:<g@h>\nS: 452 4.5.3 Too many recipients",
                "C: RCPT TO:<g@h>\nS: 452 4.5.3 Too many recipients",
                "C: DATA\nS: 354...\nC: .\nS: 250...",
            ),
            limits=SMTPLimits(recipients=2),
        )
        self.assertEqual(len(self.delivery.delivered[0][0].recipients), 2)

    def test_a_thousand_recipients_are_taken(self) -> None:
        transport = self.connect()
        self.converse(transport, BEGIN)
        transport.send(b"RCPT TO:<c@d>\r\n" * 1000)
        replies = transport.read().splitlines()
        self.assertEqual([reply[:3] for reply in replies], [b"250"] * 999 + [b"452"])

    def test_errors(self) -> None:
        transport = self.assert_dialogue(
            script("C: FOO\nS: 500...\nC: MAIL FROM:<a@b>\nS: 503...\nC: FOO\nS: 500...", TOO_MANY),
            limits=SMTPLimits(errors=2),
        )
        self.assertFalse(transport.is_open)

    def test_what_was_pipelined_behind_a_refusal_is_no_error(self) -> None:
        """RFC 2920 3.1: the client could not know."""
        limits = SMTPLimits(errors=3, recipients=30, greeting_wait=0)
        for mail, reply in (
            ("MAIL FROM:<no@b>", "550 5.7.1..."),
            ("MAIL FROM:<later@b>", "450 4.7.1..."),
            ("MAIL FROM:<a@b> FOO=1", "555..."),
            ("MAIL FROM:a", "501..."),
        ):
            rest = "C: RCPT TO:<c@d>\n" * 30 + f"C: DATA\nS: {reply}\n" + "S: 503...\n" * 31
            self.assert_dialogue(
                script("C: HELO a\nS: 250...", *[f"C: {mail}\n{rest}"] * 3, "C: NOOP\nS: 250..."),
                limits=limits,
                delivery=self.refusing(),
            )

    def test_nor_is_content_for_those_who_were_refused(self) -> None:
        content = "C: RCPT TO:<{}>\nC: DATA\nS: {}...\nS: 503..."
        for path, code in (("no@d", 550), ("later@d", 450), ("c", 501)):
            self.assert_dialogue(
                script(
                    "C: HELO a\nC: MAIL FROM:<a@b>\nS: 250...\nS: 250...", *[content.format(path, code)] * 3
                ),
                limits=SMTPLimits(errors=3, greeting_wait=0),
                delivery=self.refusing(),
            )

    def test_what_nothing_was_refused_before_is_one(self) -> None:
        limits = SMTPLimits(errors=2, recipients=2, greeting_wait=0)
        rcpt = "C: RCPT TO:<c@d>\nS: 503..."
        self.assert_dialogue(script(rcpt, rcpt, rcpt, TOO_MANY), limits=limits)
        self.assert_dialogue(script(BEGIN, "C: RSET\nS: 250...", rcpt, rcpt, rcpt, TOO_MANY), limits=limits)
        # As many as it might have named, and one for the content.
        mail = "C: HELO a\nC: MAIL FROM:<no@b>\nS: 250...\nS: 550..."
        self.assert_dialogue(script(mail, *[rcpt] * 5, TOO_MANY), limits=limits, delivery=self.refusing())

    def refusing(self) -> FakeDelivery:
        delivery = FakeDelivery()
        for path in ("no@b", "no@d"):
            delivery.refusals[path] = Refused(550, "5.7.1", "No")
        for path in ("later@b", "later@d"):
            delivery.refusals[path] = Refused(450, "4.7.1", "Later")
        return delivery

    def test_twenty_errors_are_borne(self) -> None:
        self.assert_dialogue("C: FOO\nS: 500...\n" * 20 + "C: NOOP\nS: 250...")

    def test_hops(self) -> None:
        content = "C: DATA\nS: 354...\nC: Received: a\nC: received \t: b\nC: Received-SPF: c\nC: .\n"
        for hops, reply in ((3, "250 2.0.0..."), (2, "554 5.4.6...")):
            self.assert_dialogue(script(BEGIN, f"{content}S: {reply}"), limits=SMTPLimits(hops=hops))

    def test_guessing_addresses(self) -> None:
        transport = self.connect(limits=SMTPLimits(refused_recipients=2))
        self.delivery.refusals["x@y"] = RecipientUnknown()
        guess = "C: RCPT TO:<x@y>\nS: 550..."
        self.converse(transport, script(BEGIN, guess, guess, guess, TOO_MANY))
        self.assertFalse(transport.is_open)

    def test_messages(self) -> None:
        transport = self.assert_dialogue(
            script(
                BEGIN,
                "C: RSET\nS: 250...\nC: MAIL FROM:<a@b>\nS: 250...\nC: RSET\nS: 250...",
                "C: MAIL FROM:<a@b>\nS: 421 4.7.0 Too many messages on one connection, come again\nS closes",
            ),
            limits=SMTPLimits(transactions=2),
        )
        self.assertFalse(transport.is_open)

    def test_commands_without_use(self) -> None:
        transport = self.assert_dialogue(
            script(
                "C: NOOP\nC: RSET\nC: VRFY a\nC: NOOP\nS: 250...\nS: 250...\nS: 252...\nS: 250...", TOO_MANY
            ),
            limits=SMTPLimits(idle_commands=3),
        )
        self.assertFalse(transport.is_open)

    def test_a_message_makes_up_for_them(self) -> None:
        noops = "C: NOOP\nS: 250...\n" * 3
        message = "C: DATA\nS: 354...\nC: .\nS: 250..."
        self.assert_dialogue(script(BEGIN, noops, message, noops), limits=SMTPLimits(idle_commands=4))


class TimeTests(DialogueTestCase):
    TIMEOUT = b"421 4.4.2 mx.example timeout, closing connection\r\n"

    def test_no_greeting(self) -> None:
        transport = self.connect()
        self.clock.advance(301)
        self.assertEqual(transport.read(), self.TIMEOUT)
        self.assertFalse(transport.is_open)

    def test_silence_between_commands(self) -> None:
        transport = self.connect()
        self.converse(transport, BEGIN)
        self.clock.advance(299)
        self.converse(transport, "C: NOOP\nS: 250...")
        self.clock.advance(299)
        self.assertEqual(transport.read(), b"")
        self.clock.advance(2)
        self.assertEqual(transport.read(), self.TIMEOUT)

    def test_half_a_command_a_minute_is_silence(self) -> None:
        transport = self.connect()
        self.converse(transport, BEGIN)
        for _ in range(10):
            transport.send(b"N")
            self.clock.advance(60)
        self.assertEqual(transport.read(), self.TIMEOUT)

    def test_a_drip_of_content_is_silence(self) -> None:
        transport = self.connect()
        self.converse(transport, script(BEGIN, "C: DATA\nS: 354..."))
        for _ in range(6):
            self.assertTrue(transport.is_open)
            transport.send(b"x" * 1000)  # far below 500 octets a second
            self.clock.advance(60)
        self.assertEqual(transport.read(), self.TIMEOUT)
        self.assertEqual(self.delivery.contents, [])

    def test_how_slow_it_may_be_is_a_setting(self) -> None:
        transport = self.connect(limits=SMTPLimits(minimum_rate=1, idle=300, greeting_wait=0))
        self.converse(transport, script(BEGIN, "C: DATA\nS: 354..."))
        for _ in range(20):
            transport.send(b"x" * 100)
            self.clock.advance(60)
        self.assertTrue(transport.is_open)

    def test_a_slow_sender_is_waited_for(self) -> None:
        transport = self.connect()
        self.converse(transport, script(BEGIN, "C: DATA\nS: 354..."))
        for _ in range(30):
            transport.send(b"\r\n" + b"x" * 60_000)
            self.clock.advance(60)
        transport.send(b"\r\n.\r\n")
        self.assertIn(b"250 2.0.0 Taken", transport.read())

    def test_content_that_stops(self) -> None:
        transport = self.connect()
        self.converse(transport, script(BEGIN, "C: DATA\nS: 354..."))
        transport.send(b"\r\n" + b"x" * 10_000_000)
        self.clock.advance(299)
        self.assertEqual(transport.read(), b"")
        self.clock.advance(2)
        self.assertEqual(transport.read(), self.TIMEOUT)

    def test_a_delivery_may_take_its_time(self) -> None:
        transport = self.connect()
        self.converse(transport, script(BEGIN, "C: DATA\nS: 354..."))
        waiting = self.delivery.waiting = Deferred()
        transport.send(b".\r\n")
        for _ in range(29):
            self.clock.advance(10)
        self.assertEqual(transport.read(), b"")
        waiting.callback(None)
        self.assertIn(b"250 2.0.0 Taken", transport.read())


class FarewellTests(DialogueTestCase):
    def test_the_server_stops(self) -> None:
        transport = self.connect()
        self.converse(transport, BEGIN)
        self.factory.shut_down()
        self.assertEqual(transport.read(), b"421 4.3.2 mx.example shutting down, closing connection\r\n")

    def test_the_server_stops_behind_the_running_delivery(self) -> None:
        transport = self.connect()
        self.converse(transport, script(BEGIN, "C: DATA\nS: 354..."))
        waiting = self.delivery.waiting = Deferred()
        transport.send(b".\r\nMAIL FROM:<a@b>\r\n")
        self.factory.shut_down()
        waiting.callback(None)
        self.assertRegex(transport.read(), rb"\A250 2\.0\.0 Taken as .*\r\n421 4\.3\.2 .*\r\n\Z")
        self.assertEqual(len(self.delivery.delivered), 1)

    def test_too_many_connections(self) -> None:
        self.connect(limits=SMTPLimits(connections=1))
        second = MemoryTransport(self.factory.buildProtocol(None))
        self.assertEqual(second.read(), b"421 4.3.2 mx.example too many connections, try again later\r\n")


class MemoryTests(DialogueTestCase):
    def test_what_waits_behind_a_delivery_is_bounded(self) -> None:
        transport = self.connect()
        self.converse(transport, BEGIN)
        self.delivery.waiting = Deferred()
        transport.send(b"RCPT TO:<x@y>\r\n")
        for _ in range(100):
            transport.send(b"NOOP\r\n" * 1000)
        self.assertFalse(transport.is_reading)
        self.assertLess(transport.protocol.wire.pending, 200_000)  # type: ignore[attr-defined]

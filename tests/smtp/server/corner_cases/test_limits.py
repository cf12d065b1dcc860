"""Rows 12, 14, 29 to 31, 39 and 40: how much, how long, and in which order."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailproto.errors import RecipientUnknown, Refused
from mailproto.smtp.limits import SMTPLimits
from tests.disk import fill_the_disk
from tests.smtp.server.corner_cases.test_commands import HELLO, MAIL, RCPT, SEND
from tests.smtp.server.corner_cases.transcript import TranscriptTestCase


def of_length(length: int, begin: str, end: str) -> str:
    """``begin`` and ``end`` with as many x between them as make ``length`` octets."""
    return begin + "x" * (length - len(begin) - len(end)) + end


class LengthTests(TranscriptTestCase):
    def test_29_a_command_of_512_octets(self) -> None:
        """RFC 5321 4.5.3.1.4: at least that much, with CRLF; parameters need more."""
        for length in (510, 512, 1000, 2048):
            self.play("C: " + of_length(length, "NOOP ", "") + "\nS: 250...")

    def test_29_an_overlong_command_is_read_away(self) -> None:
        """RFC 5321 4.5.3.1.9: 500, once; its end is no command, and the transaction stays."""
        for length in (2049, 2050, 10_000, 300_000):
            self.play(
                RCPT + "C: " + of_length(length, "NOOP ", " QUIT") + "\nS: 500 5.5.6 Line too long\n" + SEND
            )
        self.play(
            RCPT + "C: " + "␀" * 5000 + "\nC: " + "\udcff" * 5000 + "\nS: 500 5.5.6...\n"
            "S: 500 5.5.6...\n" + SEND
        )

    def test_29_an_endless_command_takes_no_memory(self) -> None:
        """RFC 5321 4.5.3.1: limits hold while a line is read, not behind its end."""
        transport = self.connect()
        for _ in range(1000):
            transport.send(b"x" * 4096)
        self.assertLessEqual(transport.protocol.wire.pending, 4096)  # type: ignore[attr-defined]
        transport.send(b"\r\nNOOP\r\n")
        self.assertEqual(transport.read(), b"500 5.5.6 Line too long\r\n250 2.0.0 OK\r\n")

    def test_29_an_endless_command_ends_the_connection(self) -> None:
        """What sends megabytes as one line is no mail client."""
        for octets in (b"x", b"\r", b"\0", b"AUTH "):
            transport = self.connect()
            sent, heard = 0, b""
            while transport.is_open:
                transport.send(octets * 65_536)
                sent += len(octets) * 65_536
                heard += transport.read()
                self.assertLess(sent, 5 << 20)
            self.assertEqual(heard, b"421 4.7.0 A line without end, closing connection\r\n")

    def test_29_addresses(self) -> None:
        """RFC 5321 4.5.3.1.1 to 4.5.3.1.3: twice its 64, 255 and 256 octets are taken, one more is not."""
        label = "d" * 63
        domain = f"{label}.{label}.{label}"
        for path, code in (
            (f"<{'a' * 128}@b>", 250),
            (f"<{'a' * 129}@b>", 501),
            (f"<{'ü' * 64}@b>", 250),
            (f"<{'ü' * 64}x@b>", 501),  # octets count, not characters
            (f"<a@{domain}.{'d' * 60}>", 250),
            (f"<{'a' * 62}@{domain}>", 250),
            (f"<{'a' * 63}@{domain}>", 501),
            (f"<a@{domain}.{label}.d>", 501),
            (f"<{'@r.example,' * 30}@r.example:u@d>", 250),  # a route is dropped, and does not count
        ):
            with self.subTest(f"{len(path)} octets: {path[:20]}"):
                self.play(HELLO + f"C: MAIL FROM:<> SMTPUTF8\nS: 250...\nC: RCPT TO:{path}\nS: {code}...")


class SizeTests(TranscriptTestCase):
    LIMIT = 1000

    def data(self, octets: int, reply: str, mail: str = "") -> None:
        self.play(
            HELLO
            + f"C: MAIL FROM:<a@b>{mail}\nS: 250...\nC: RCPT TO:<c@d>\nS: 250...\nC: DATA\nS: 354...\n"
            + "C:\nC: "
            + "x" * (octets - 4)
            + f"\nC: .\nS: {reply}\nC: NOOP\nS: 250 2.0.0 OK",
            max_message_size=self.LIMIT,
        )

    def test_30_a_declared_size_that_is_too_large(self) -> None:
        """RFC 1870 6.1: 552 at MAIL."""
        for size in (self.LIMIT + 1, 10**19, "9" * 20):
            self.play(
                HELLO + f"C: MAIL FROM:<a@b> SIZE={size}\nS: 552 5.3.4...\nC: RCPT TO:<c@d>\nS: 503...",
                max_message_size=self.LIMIT,
            )
        for size in (0, self.LIMIT):
            self.play(HELLO + f"C: MAIL FROM:<a@b> SIZE={size}\nS: 250...", max_message_size=self.LIMIT)

    def test_30_a_size_that_was_a_lie_or_was_not_told(self) -> None:
        """RFC 1870 6.3: 552 behind the dot, and in step."""
        self.data(self.LIMIT, "250 2.0.0 Taken as ...")
        self.data(self.LIMIT + 1, "552 5.3.4...")
        self.data(self.LIMIT * 100, "552 5.3.4...")
        self.data(self.LIMIT + 1, "552 5.3.4...", " SIZE=10")
        self.data(self.LIMIT, "250 2.0.0 Taken as ...", " SIZE=10")

    def test_30_stuffed_dots_do_not_count(self) -> None:
        """RFC 1870 5: the size is that of the message, not of what is sent."""
        self.play(
            RCPT + "C: DATA\nS: 354...\n" + "C: .." + "x" * 97 + "\nC: .\nS: 250...", max_message_size=100
        )

    def test_30_no_room(self) -> None:
        """RFC 1870 6.1 and RFC 3463: 452 4.3.1, to be tried again."""
        fill_the_disk(self)
        self.play(
            RCPT + "C: DATA\nS: 354...\nC:\nC: " + "x" * 500 + "\nC: .\nS: 452 4.3.1...\nC: NOOP\nS: 250...",
            limits=SMTPLimits(memory=100),
        )


class RecipientTests(TranscriptTestCase):
    def test_31_a_hundred_recipients(self) -> None:
        """RFC 5321 4.5.3.1.8: at least so many."""
        [message] = self.play(MAIL + "C: RCPT TO:<b@mx.example>\nS: 250...\n" * 100 + SEND)
        self.assertEqual(len(message.recipients), 100)

    def test_31_past_the_limit(self) -> None:
        """RFC 5321 4.5.3.1.10: 452 4.5.3 for what is too much, and the others are served."""
        [message] = self.play(
            MAIL
            + "C: RCPT TO:<b@mx.example>\nS: 250...\n" * 3
            + "C: RCPT TO:<c@mx.example>\nS: 452 4.5.3...\n" * 2
            + SEND,
            limits=SMTPLimits(recipients=3),
        )
        self.assertEqual(message.recipients, ["b@mx.example"] * 3)

    def test_31_refused_recipients_do_not_count(self) -> None:
        """RFC 5321 3.3: only those that were taken are of the transaction."""
        self.play(
            MAIL + "C: RCPT TO:<x@y>\nS: 550 5.1.1...\n" * 5 + "C: RCPT TO:<b@c>\nS: 250...\n" + SEND,
            limits=SMTPLimits(recipients=1),
            prepare=lambda delivery: delivery.refusals.update({"x@y": RecipientUnknown()}),
        )


class PipeliningTests(TranscriptTestCase):
    def test_12_replies_keep_the_order_of_commands(self) -> None:
        """RFC 2920 3.2: whatever a delivery waits for."""
        transport = self.connect()
        transport.send(b"EHLO a\r\n")
        transport.read()
        waiting = self.delivery.waiting = Deferred()
        transport.send(b"MAIL FROM:<a@b>\r\nNOOP\r\nRCPT TO:<c@d>\r\nFOO\r\nRSET\r\nMAIL FROM:<a@b>\r\n")
        self.assertEqual(transport.read(), b"")
        self.delivery.waiting = None
        waiting.callback(None)
        codes = [line[:3] for line in transport.read().decode().splitlines()]
        self.assertEqual(codes, ["250", "250", "250", "500", "250", "250"])

    def test_12_a_refusal_that_comes_late_keeps_its_place(self) -> None:
        """RFC 2920 3.2."""
        transport = self.connect()
        transport.send(b"EHLO a\r\nMAIL FROM:<a@b>\r\n")
        transport.read()
        waiting = self.delivery.waiting = Deferred()
        transport.send(b"RCPT TO:<c@d>\r\nDATA\r\nRSET\r\n")
        self.delivery.waiting = None
        waiting.errback(Refused(450, "4.7.1", "Later"))
        codes = [line[:3] for line in transport.read().decode().splitlines()]
        self.assertEqual(codes, ["450", "503", "250"])

    def test_14_commands_behind_the_dot(self) -> None:
        """RFC 2920 3.2: they are not thrown away with the message's buffer."""
        messages = self.play(
            RCPT + "C: DATA\nS: 354...\n"
            "C: one\nC: .\nC: MAIL FROM:<c@client.example>\nC: RCPT TO:<d@mx.example>\nC: DATA\n"
            "S: 250 2.0.0...\nS: 250 2.1.0...\nS: 250 2.1.5...\nS: 354...\n"
            "C: two\nC: .\nC: QUIT\nS: 250 2.0.0...\nS: 221...\nS closes"
        )
        self.assertEqual([message.content for message in messages], [b"\r\none\r\n", b"\r\ntwo\r\n"])

    def test_14_commands_behind_the_dot_of_a_message_that_is_refused(self) -> None:
        """RFC 2920 3.2."""
        self.play(
            RCPT + "C: DATA\nS: 354...\nC: x\nC: .\nC: NOOP\nC: MAIL FROM:<a@b>\nC: FOO\n"
            "S: 552 5.3.4...\nS: 250 2.0.0...\nS: 250 2.1.0...\nS: 500...",
            max_message_size=1,
        )


class LoopTests(TranscriptTestCase):
    def test_39_a_message_that_goes_in_circles(self) -> None:
        """RFC 5321 6.3: 100 Received fields, and ours would be one more; in whatever case, folded or not."""
        hop = "C: Received: from a by b;\nC: ␉Received: x\n"
        other = "C: rEcEiVeD:\n"
        for fields, reply in (
            (hop * 99, "250 2.0.0..."),
            (hop * 49 + other * 50, "250 2.0.0..."),
            (hop * 100, "554 5.4.6..."),
            (hop * 50 + other * 50, "554 5.4.6..."),
            ("C: X-Received: a\n" * 200, "250 2.0.0..."),
        ):
            self.play(RCPT + f"C: DATA\nS: 354...\n{fields}C:\n{hop}C: .\nS: {reply}\nC: NOOP\nS: 250...")


class TimeTests(TranscriptTestCase):
    TIMEOUT = b"421 4.4.2 mx.example timeout, closing connection\r\n"

    def test_40_five_minutes_between_commands(self) -> None:
        """RFC 5321 4.5.3.2.7: not less, before the first one too, and then 421."""
        for before in (b"", b"EHLO a\r\n", b"EHLO a\r\nMAIL FROM:<a@b>\r\n"):
            transport = self.connect()
            transport.send(before)
            transport.read()
            self.clock.advance(299)
            self.assertEqual(transport.read(), b"")
            self.clock.advance(2)
            self.assertEqual(transport.read(), self.TIMEOUT)
            self.assertFalse(transport.is_open)

    def test_40_a_drip_is_silence(self) -> None:
        """RFC 5321 4.5.3.2.7: an octet now and then keeps no connection, in a command or in content."""
        for before in (b"", b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"):
            transport = self.connect()
            transport.send(b"EHLO a\r\n" + before)
            transport.read()
            for _ in range(40):
                transport.send(b"x")
                self.clock.advance(10)
            self.assertEqual(transport.read(), self.TIMEOUT)

    def test_40_a_connection_lost_before_the_dot_delivers_nothing(self) -> None:
        """RFC 5321 3.8: and none of what had come is kept."""
        stream = b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nA: b\r\n\r\nx\r\n.\r\n"
        for length in range(len(stream)):
            transport = self.connect()
            transport.send(stream[:length])
            transport.drop()
            self.assertEqual(self.delivery.contents, [])

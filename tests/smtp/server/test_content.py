"""What becomes of a message's content before a delivery sees it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.errors import MessageTooLarge
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.server._spool import Spool
from mailproto.testing import ELSEWHERE, MemoryTransport
from tests.disk import fill_the_disk
from tests.smtp.server.dialogue import DialogueTestCase, claim
from tests.smtp.server.test_server import script

BEGIN = "C: HELO a\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 250...\nS: 250...\nS: 250...\nS: 354..."
NOOP = "C: NOOP\nS: 250 2.0.0 OK"


class RefusalTests(DialogueTestCase):
    """Content that is not taken is refused behind its dot, and the session stays in step."""

    def assert_refused(self, content: str, reply: str, **settings: Any) -> None:
        self.assert_dialogue(script(BEGIN, content, f"C: .\nS: {reply}", NOOP), **settings)
        self.assertEqual(self.delivery.contents, [])

    def test_bare_newlines(self) -> None:
        for smuggled in ("a\n.\nMAIL FROM:<evil@x>", "a\r.\rb", "a\n.", "\r"):
            for piece in (0, 1):
                transport = self.connect()
                self.converse(transport, BEGIN)
                transport.send(f"{smuggled}\r\n.\r\nNOOP\r\n".encode(), piece)
                self.assertEqual(
                    transport.read(), b"550 5.6.11 Bare CR or LF in the message\r\n250 2.0.0 OK\r\n"
                )
                self.assertEqual(self.delivery.contents, [])

    def test_nul(self) -> None:
        self.assert_refused("C: a\0b", "550 5.6.0 NUL in the message")

    def test_too_large(self) -> None:
        self.assert_refused("C: " + "x" * 100, "552 5.3.4...", max_message_size=100)

    def test_just_large_enough(self) -> None:
        self.assert_dialogue(script(BEGIN, "C: " + "x" * 98, "C: .\nS: 250..."), max_message_size=100)

    def test_a_header_section_that_is_too_large(self) -> None:
        limits = SMTPLimits(header=100)
        self.assert_refused("C: A: " + "x" * 100, "552 5.3.4 Header section too large", limits=limits)
        limits = SMTPLimits(header=100, memory=110)
        self.assert_refused("C: A: " + "x" * 500, "552 5.3.4 Header section too large", limits=limits)
        self.assert_dialogue(script(BEGIN, "C:\nC: " + "x" * 100, "C: .\nS: 250..."), limits=limits)

    def test_a_header_section_that_does_not_fit_into_memory(self) -> None:
        """However large it may be by its own limit: half of it would not be looked at."""
        transport = self.connect(limits=SMTPLimits(header=10_000, memory=100))
        self.converse(transport, BEGIN)
        transport.send(b"A: b\r\n" * 50, 7)
        self.converse(transport, "C: \nC: text\nC: .\nS: 552 5.3.4 Header section too large")

    def test_a_message_that_goes_in_circles(self) -> None:
        hop = "C: RECEIVED: from a by b\nC: \tfor received: nobody"
        self.assert_refused("\n".join([hop] * 100), "554 5.4.6...")
        self.assert_dialogue(script(BEGIN, "\n".join([hop] * 99), "C:", hop, "C: .\nS: 250..."))

    def test_no_room(self) -> None:
        fill_the_disk(self)
        self.assert_refused(
            "C: A: b\nC:\nC: " + "x" * 100,
            "452 4.3.1 Insufficient system storage",
            limits=SMTPLimits(memory=50),
        )

    def test_a_spool_folder_that_is_removed(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        transport = self.connect(spool_folder=folder, limits=SMTPLimits(memory=50))
        os.rmdir(folder)
        large = "C: A: b\nC:\nC: " + "x" * 100
        self.converse(transport, f"{BEGIN}\n{large}\nC: .\nS: 451 4.3.0 Temporary failure, try again later")

    def test_bare_newlines_may_be_normalised(self) -> None:
        transport = self.connect(bare_newlines="normalise")
        self.converse(transport, BEGIN)
        transport.send(b"a: b\n\nx\n.\ny\r\n.\r\nNOOP\r\n")
        self.assertRegex(transport.read(), rb"\A250 2\.0\.0 Taken as .*\r\n250 2\.0\.0 OK\r\n\Z")
        self.assertTrue(self.delivery.delivered[0][1].endswith(b"\r\na: b\r\n\r\nx\r\n.\r\ny\r\n"))


class SpoolTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.limits = SMTPLimits(memory=1000)

    def test_a_large_message_comes_as_a_file_without_name(self) -> None:
        text = "Subject: x\r\n\r\n" + "..dots\r\n" * 1000
        for piece in (0, 1, 7, 1400):
            transport = self.connect(limits=self.limits, spool_folder=self.folder)
            self.converse(transport, BEGIN)
            transport.send(f"{text}.\r\n".encode(), piece)
            self.assertIn(b"250 2.0.0", transport.read())
            self.assertIsInstance(self.delivery.contents[0], Content)
            [(_, content)] = self.delivery.delivered
            self.assertTrue(content.startswith(b"Received: from a "))
            self.assertTrue(content.endswith(b"+0000\r\nSubject: x\r\n\r\n" + b".dots\r\n" * 1000))
        self.assertEqual(os.listdir(self.folder), [])

    def test_the_file_is_closed_when_the_delivery_is_done(self) -> None:
        self.assert_dialogue(
            script(BEGIN, "C:\n" + "\n".join(["C: " + "x" * 70] * 50), "C: .\nS: 250..."), limits=self.limits
        )
        with self.assertRaisesRegex(ValueError, r"keep bytes\(content\)"):
            bytes(self.delivery.contents[0])

    def test_a_file_half_written_goes_with_the_connection(self) -> None:
        transport = self._half_a_message()
        before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
        transport.drop()
        after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else -1
        self.assertEqual(after, before - 1)

    def _half_a_message(self) -> MemoryTransport:
        transport = self.connect(limits=self.limits, spool_folder=self.folder)
        self.converse(transport, BEGIN)
        transport.send(b"\r\n" + b"x" * 2000)
        return transport


_LINES = st.sampled_from(
    [
        "a: b",
        "c :",
        " d",
        "\te",
        "f g",
        "h i: j",
        ":",
        "",
        "k" * 30,
        "Subject",
        "ä: l",
        "From m",
        "To: n",
        "X-O: p",
    ]
).map(lambda line: f"{line}\r\n".encode())


class HeaderSectionTests(SynchronousTestCase):
    """Where it ends depends on nothing but the octets (RFC 5322 2.1)."""

    def spooled(self, pieces: Iterable[bytes], **limits: int) -> bytes | None:
        """The content, if it is taken."""
        spool = Spool(10_000, None, SMTPLimits(**limits), claim())  # type: ignore[arg-type]
        for piece in pieces:
            spool.write(piece)
        try:
            return bytes(spool.finish().content(b""))
        except MessageTooLarge:
            return None

    @settings(max_examples=300, deadline=None)
    @given(st.lists(_LINES, max_size=12).map(b"".join), st.integers(1, 30), st.integers(1, 99), st.data())
    def test_neither_on_segments_nor_on_memory(
        self, content: bytes, size: int, memory: int, data: st.DataObject
    ) -> None:
        header = data.draw(st.integers(1, memory))
        pieces = [content[at : at + size] for at in range(0, len(content), size)]
        meant = self.spooled([content], header=header)
        self.assertEqual(self.spooled(pieces, memory=memory, header=header), meant)
        if meant is not None:
            as_sent = meant.replace(b"X-Mailbox-Line: ", b"").replace(b"X-No-Field: ", b"")
            self.assertIn(as_sent, (content, *self.with_one_empty_line_more(content)))

    def with_one_empty_line_more(self, content: bytes) -> Iterable[bytes]:
        lines = content.splitlines(keepends=True)
        return (b"".join([*lines[:at], b"\r\n", *lines[at:]]) for at in range(len(lines)))


class TraceTests(DialogueTestCase):
    peer = ELSEWHERE

    def received(self, *lines: str) -> bytes:
        transport = self.connect()
        self.converse(transport, script(*lines, "C: DATA\nS: 354...\nC: .\nS: 250..."))
        return self.delivery.delivered[0][1]

    def test_who_and_how(self) -> None:
        field = self.received(
            "C: HELO [192.0.2.1]\nC: MAIL FROM:<>\nC: RCPT TO:<a@c>\nS: 250...\nS: 250...\nS: 250..."
        )
        self.assertTrue(
            field.startswith(
                b"Received: from [192.0.2.1] ([192.0.2.1])\r\n\tby mx.example with SMTP\r\n\tid "
            )
        )

    def test_a_quoted_local_part_is_quoted_again(self) -> None:
        field = self.received(
            'C: HELO x\nC: MAIL FROM:<>\nC: RCPT TO:<"a b"@c>\nS: 250...\nS: 250...\nS: 250...'
        )
        self.assertIn(b'\r\n\tfor <"a b"@c>;\r\n', field)

    def test_ipv6(self) -> None:
        self.peer = "2001:db8::1"
        field = self.received("C: HELO x\nC: MAIL FROM:<>\nC: RCPT TO:<a@c>\nS: 250...\nS: 250...\nS: 250...")
        self.assertTrue(field.startswith(b"Received: from x ([IPv6:2001:db8::1])\r\n"))

    def test_the_date_follows_the_clock(self) -> None:
        transport = self.connect()
        self.converse(transport, script(BEGIN, "C: .\nS: 250..."))
        self.clock.advance(100)
        again = BEGIN.replace("C: HELO a\n", "").replace("S: 250...\n", "", 1)
        self.converse(transport, script(again, "C: .\nS: 250..."))
        self.assertIn(b"\tSun, 9 Sep 2001 01:48:20 +0000\r\n", self.delivery.delivered[1][1])

"""Replies, as a server writes them (RFC 5321 4.2)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.smtp.wire import SMTPClientWire, render_reply
from mailproto.smtp.wire._replies import MAX_LINES, MAX_TEXT


class RenderTests(SynchronousTestCase):
    def test_one_line(self) -> None:
        self.assertEqual(render_reply(550, "5.1.1", "No such user"), b"550 5.1.1 No such user\r\n")
        self.assertEqual(render_reply(550, "5.1.1", ""), b"550 5.1.1 \r\n")
        self.assertEqual(render_reply(550, "5.1.1", "é\0\x7f"), b"550 5.1.1 ???\r\n")

    def test_several_lines(self) -> None:
        for text in ("One\ntwo", "One\r\ntwo", "One\ntwo\n"):
            self.assertEqual(render_reply(550, "5.1.1", text), b"550-5.1.1 One\r\n550 5.1.1 two\r\n")
        self.assertEqual(render_reply(550, "5.1.1", "\n"), b"550 5.1.1 \r\n")

    def test_a_long_line_is_cut_at_spaces(self) -> None:
        words = "word " * 200
        lines = render_reply(550, "5.1.1", words).splitlines()
        self.assertEqual(len(lines), 3)
        self.assertEqual(" ".join(line[10:].decode() for line in lines), words)
        self.assertEqual(len(render_reply(550, "5.1.1", "x" * (MAX_TEXT + 1)).splitlines()), 2)

    def test_too_much_is_left_out(self) -> None:
        self.assertEqual(render_reply(550, "5.1.1", "x\n" * 1000).count(b"\r\n"), MAX_LINES)
        self.assertEqual(render_reply(550, "5.1.1", "x" * 1_000_000).count(b"\r\n"), MAX_LINES)

    @given(st.text(max_size=1500) | st.text("ab \n\r", min_size=400, max_size=1200))
    def test_any_text(self, text: str) -> None:
        """It is one reply, whose lines are no longer than they may be."""
        octets = render_reply(451, "4.0.0", text)
        wire = SMTPClientWire()
        wire.receive(octets)
        reply = wire.next_event()
        assert reply is not None
        self.assertEqual((reply.code, reply.enhanced), (451, "4.0.0"))
        self.assertEqual(wire.pending, 0)
        self.assertLessEqual(max(map(len, octets.split(b"\r\n"))), 510)

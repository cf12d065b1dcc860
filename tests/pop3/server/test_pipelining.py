"""Every command in one packet (RFC 2449 6.6): answered in order, each as if it had come alone."""

from __future__ import annotations

from mailproto.content import CHUNK
from mailproto.testing import ELSEWHERE
from tests.auth.exchanges import b64
from tests.pop3.server.session import SessionTestCase

BEFORE_LOGIN = [
    "CAPA",
    "AUTH",
    "LANG",
    "LANG en",
    "NOOP",
    "UTF8",
    "AUTH PLAIN",
    b64("\0alice\0wrong"),
    "AUTH LOGIN",
    b64("alice"),
    "*",
    "USER alice",
    "PASS wrong",
    "AUTH PLAIN " + b64("\0alice\0secret word"),
]
AFTER_LOGIN = [
    "CAPA",
    "STAT",
    "LIST",
    "UIDL",
    "LIST 1",
    "UIDL 2",
    "RETR 1",
    "RETR 2",
    "RETR 3",
    "TOP 2 1",
    "TOP 3 0",
    "DELE 1",
    "RETR 1",
    "LANG",
    "NOOP",
    "RSET",
    "X",
    "DELE 2",
    "QUIT",
]


class OnePacketTests(SessionTestCase):
    def said(self, size: int, *, peer: str = "127.0.0.1") -> bytes:
        """All that a new server says to all commands, in pieces of ``size`` octets, or of one line for 0."""
        self.setUp()
        self.inbox.uid_validity = 7
        for body in (b".\r\n", b"x\r\ny\r\n", b"z" * CHUNK * 2):
            self.inbox.add(b"Subject: hi\r\n\r\n" + body)
        transport = self.connect(peer, capacity=1 << 30)
        transport.read()
        lines = [f"{line}\r\n".encode() for line in BEFORE_LOGIN + AFTER_LOGIN]
        octets = b"".join(lines)
        pieces = [octets[at : at + size] for at in range(0, len(octets), size)] if size else lines
        said = b""
        for piece in pieces:
            transport.send(piece)
            if size == 0:
                self.clock.advance(0)
            said += transport.read()
        for _ in range(50):
            self.clock.advance(0)
            said += transport.read()
        return said

    def test_all_at_once_is_the_same_as_one_by_one(self) -> None:
        one_by_one = self.said(0)
        self.assertTrue(one_by_one.endswith(b"+OK Bye, 1 messages removed\r\n"))
        self.assertEqual(one_by_one.count(b"\r\n-ERR"), 6)
        for size in (1 << 20, 100, 7):
            self.assertEqual(self.said(size), one_by_one)

    def test_from_elsewhere_too(self) -> None:
        self.assertEqual(self.said(1 << 20, peer=ELSEWHERE), self.said(0, peer=ELSEWHERE))

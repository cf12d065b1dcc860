"""UTF8 (RFC 6856 2): who has not said it gets no UTF-8 in headers."""

from __future__ import annotations

from twisted.internet.ssl import CertificateOptions

from mailproto.message import HEADER_LIMIT
from mailproto.testing import MemoryTransport
from tests.pop3.server.session import ALICE, SessionTestCase

MESSAGE = (
    "From: Jürgen <jürgen@bücher.example>\r\nSubject: Grüße\r\nX-Odd: ü\r\n\r\n.Grüße\r\nEnd\r\n".encode()
)
SURROGATE = """
S: From: =?utf-8?q?J=C3=BCrgen?= <invalid@internationalized-address.invalid>
S: Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
S:
"""


class MessageTests(SessionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(MESSAGE)
        self.inbox.add(b"Subject: plain\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n")
        self.inbox.add(b"Subject: Gr\xfc\xdfe\r\n\r\nHi\r\n")

    def retrieved(self, command: str, *, utf8: bool) -> bytes:
        transport = self.play(("C: UTF8\nS: +OK UTF-8 enabled\n" if utf8 else "") + ALICE)
        transport.send(command.encode() + b"\r\n")
        return transport.read().partition(b"\r\n")[2]

    def test_with_utf8_all_is_sent_as_it_is(self) -> None:
        self.assertEqual(self.retrieved("RETR 1", utf8=True), MESSAGE.replace(b"\n.", b"\n..") + b".\r\n")
        head, _, _ = MESSAGE.partition(b".Gr")
        self.assertEqual(self.retrieved("TOP 1 0", utf8=True), head + b".\r\n")

    def test_without_it_the_header_is_a_surrogate(self) -> None:
        said = self.retrieved("RETR 1", utf8=False).decode()
        self.assertEqual(
            said,
            SURROGATE.replace("S: ", "").replace("S:", "").replace("\n", "\r\n")[2:]
            + "..Grüße\r\nEnd\r\n.\r\n",
        )

    def test_top(self) -> None:
        self.play(f"{ALICE}\nC: TOP 1 0\nS: +OK Top of message follows{SURROGATE}S: .")

    def test_8_bit_bodies_and_old_headers_stay(self) -> None:
        """RFC 6856 is about UTF-8; ISO 8859-1 in a header was never right, and is as it was before."""
        for number in (2, 3):
            self.assertEqual(
                self.retrieved(f"RETR {number}", utf8=False), self.retrieved(f"RETR {number}", utf8=True)
            )

    def test_a_header_without_end(self) -> None:
        uid = self.inbox.add(b"X: " + "ü".encode() * HEADER_LIMIT)
        self.assertTrue(uid)
        said = self.retrieved("RETR 4", utf8=False)
        self.assertTrue(said.endswith(b"\r\n.\r\n"))
        self.assertLess(len(said), 2 * HEADER_LIMIT + 10)


class OrderTests(SessionTestCase):
    def test_only_before_login(self) -> None:
        self.play(f"{ALICE}\nC: UTF8\nS: -ERR Unknown command, or not after login")

    def test_it_takes_no_arguments(self) -> None:
        self.play("C: UTF8 NOW\nS: -ERR UTF8 takes no arguments")

    def test_no_stls_after_it(self) -> None:
        self.factory = self.make_factory(tls=CertificateOptions())
        self.play("C: UTF8\nS: +OK UTF-8 enabled\nC: STLS\nS: -ERR STLS comes before UTF8")

    def test_names_and_passwords(self) -> None:
        """UTF8 (RFC 6856 2.2), also before the command."""
        self.checker.addUser("jörg".encode(), "grüße".encode())
        transport: MemoryTransport = self.play("C: USER jörg\nS: +OK...\nC: PASS grüße\nS: +OK...")
        transport.drop()

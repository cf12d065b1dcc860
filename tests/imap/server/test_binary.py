"""BINARY (RFC 3516)."""

from __future__ import annotations

import base64
from typing import Any

from mailproto.connection._line import TURN
from mailproto.content import Content
from mailproto.model import Part
from tests.imap.server.dialogue import DialogueTestCase, run

OCTETS = bytes(range(256)) * 3


def multipart(*parts: tuple[str, bytes]) -> bytes:
    """A message with parts: their encodings, and what they look like."""
    pieces = [b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"]
    for encoding, octets in parts:
        pieces.append(b"--x\r\nContent-Transfer-Encoding: %b\r\n\r\n%b\r\n" % (encoding.encode(), octets))
    return b"".join([*pieces, b"--x--\r\n"])


class FetchTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(
            multipart(
                ("base64", b"aGVs\r\nbG8gd29y\r\nbGQ="),
                ("quoted-printable", b"caf=C3=A9=\r\n =\r\n=41"),
                ("base64", base64.encodebytes(OCTETS)),
                ("x-strange", b"secret"),
                ("8bit", b"plain"),
            ),
            (),
            0,
        )

    def fetch(self, items: bytes, number: bytes = b"1") -> bytes:
        client = self.sign_in(select="INBOX")
        client.send(b"a FETCH %b %b\r\n" % (number, items))
        return client.received()

    def test_parts_are_decoded(self) -> None:
        self.assertEqual(
            self.fetch(b"(BINARY.PEEK[1] BINARY.SIZE[1] BINARY.PEEK[5])"),
            b"* 1 FETCH (BINARY[1] {11}\r\nhello world BINARY.SIZE[1] 11 BINARY[5] {5}\r\nplain)\r\n"
            b"a OK FETCH completed\r\n",
        )
        self.assertIn(b"BINARY[2] {7}\r\ncaf\xc3\xa9 A)\r\n", self.fetch(b"BINARY.PEEK[2]"))

    def test_nul_makes_a_literal8(self) -> None:
        self.assertIn(b"BINARY[3] ~{768}\r\n%b)\r\n" % OCTETS, self.fetch(b"BINARY.PEEK[3]"))

    def test_partial_counts_decoded_octets(self) -> None:
        for partial, answer in (
            (b"<0.5>", b"<0> {5}\r\nhello"),
            (b"<6.100>", b"<6> {5}\r\nworld"),
            (b"<6>", b"<6> {5}\r\nworld"),
            (b"<11.1>", b"<11> {0}\r\n"),
            (b"<99.1>", b"<99> {0}\r\n"),
        ):
            said = self.fetch(b"BINARY.PEEK[1]" + partial)
            self.assertIn(b"* 1 FETCH (BINARY[1]%b)\r\na OK" % answer, said)

    def test_it_marks_as_seen(self) -> None:
        self.assertIn(b"BINARY[1] {11}\r\nhello world FLAGS (\\Seen", self.fetch(b"BINARY[1]"))

    def test_an_unknown_encoding(self) -> None:
        """What can be had is sent, and then the answer is NO (RFC 3516 4.3)."""
        refusal = b"a NO [UNKNOWN-CTE] Some of the parts have an unknown transfer encoding\r\n"
        self.assertEqual(self.fetch(b"BINARY.PEEK[4]"), refusal)
        self.assertEqual(self.fetch(b"(UID BINARY.SIZE[4])"), b"* 1 FETCH (UID 1)\r\n" + refusal)
        self.assertEqual(
            self.fetch(b"(BINARY.PEEK[4] BINARY.SIZE[1] BINARY.SIZE[4])"),
            b"* 1 FETCH (BINARY.SIZE[1] 11)\r\n" + refusal,
        )
        self.assertEqual(self.fetch(b"BINARY[4]"), b"* 1 FETCH (FLAGS (\\Seen))\r\n" + refusal)

    def test_no_such_part(self) -> None:
        self.assertEqual(
            self.fetch(b"(BINARY.PEEK[9] BINARY.SIZE[9])"),
            b"* 1 FETCH (BINARY[9] NIL BINARY.SIZE[9] 0)\r\na OK FETCH completed\r\n",
        )

    def test_what_has_no_encoding(self) -> None:
        """As clients ask for it: RFC 3516 has only part numbers, other servers take all sections."""
        self.assertIn(b"BINARY.SIZE[] %d)" % len(self.whole()), self.fetch(b"BINARY.SIZE[]"))
        self.assertIn(
            b"BINARY[] {%d}\r\n%b)" % (len(self.whole()), self.whole()), self.fetch(b"BINARY.PEEK[]")
        )
        self.assertIn(
            b"BINARY[5.MIME] {36}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n)".replace(b"36", b"35"),
            self.fetch(b"BINARY.PEEK[5.MIME]"),
        )

    def whole(self) -> bytes:
        [info] = run(self.inbox.read([1], Part.CONTENT))
        return bytes(info.content)

    def test_what_is_wrong(self) -> None:
        for items in (
            b"BINARY",
            b"BINARY[1",
            b"BINARY[0]",
            b"BINARY[1.]",
            b"BINARY.SIZE[1]<0.1>",
            b"BINARY[x]",
        ):
            self.assertIn(b"a BAD ", self.fetch(items), items)

    def test_a_large_part_is_decoded_in_turns(self) -> None:
        octets = b"0123456789abcdef" * (1 << 16)
        blanks = b"\r\n" * 400_000
        self.inbox.add(multipart(("base64", base64.encodebytes(octets)), ("base64", blanks)), (), 0)
        client = self.sign_in(select="INBOX")
        turns = self.slow_clock(TURN)
        client.send(b"a FETCH 2 (BINARY.PEEK[1] BINARY.SIZE[2] BINARY.PEEK[1]<1000000.3>)\r\n")
        said = b""
        for _ in range(200):
            self.clock.advance(0)
            said += client.received()
        self.assertIn(b"BINARY[1] {1048576}\r\n%b BINARY.SIZE[2] 0 " % octets, said)
        self.assertIn(b"BINARY[1]<1000000> {3}\r\n012)\r\na OK", said)
        self.assertGreater(len(turns), 20)


class AppendTests(DialogueTestCase):
    def append(self, octets: bytes, before: bytes = b"a APPEND INBOX ~", after: bytes = b"\r\n") -> bytes:
        client = self.sign_in()
        client.send(b"%b{%d+}\r\n%b%b" % (before, len(octets), octets, after))
        for _ in range(20):
            self.clock.advance(0)
        self.assertEqual((client.session.uploads, self.factory.spool_room.used), ([], 0))
        return client.received()

    def last(self) -> bytes:
        uid_next = run(self.inbox.status()).uid_next
        [info] = run(self.inbox.read([uid_next - 1], Part.CONTENT))
        return bytes(info.content)

    def decoded(self, part: bytes = b"1") -> bytes:
        client = self.sign_in(select="INBOX")
        client.send(b"a FETCH * BINARY.PEEK[%b]\r\n" % part)
        return client.received()

    def test_what_is_in_lines_stays(self) -> None:
        octets = multipart(("binary", b"lines\r\n\xff\r\n"))
        self.assertIn(b"a OK [APPENDUID", self.append(octets))
        self.assertEqual(self.last(), octets)

    def test_binary_parts_are_encoded_and_nothing_is_lost(self) -> None:
        self.assertIn(b"a OK [APPENDUID", self.append(multipart(("binary", OCTETS), ("7bit", b"text"))))
        stored = self.last()
        self.assertNotIn(b"\0", stored)
        self.assertEqual(stored.count(b"\n"), stored.count(b"\r\n"))
        self.assertIn(b"Content-Transfer-Encoding: base64\r\n\r\nAAEC", stored)
        self.assertIn(b"BINARY[1] ~{768}\r\n" + OCTETS, self.decoded())
        self.assertIn(b"BINARY[2] {4}\r\ntext", self.decoded(b"2"))

    def test_what_cannot_be_kept(self) -> None:
        self.assertEqual(
            self.append(b"Subject: a\0b\r\n\r\n"),
            b"a NO [UNKNOWN-CTE] Mailboxes cannot keep this message: "
            b"a header has octets that cannot be encoded\r\n",
        )
        signed = b"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\na\0\r\n--x--\r\n"
        self.assertIn(b"a NO [UNKNOWN-CTE] ", self.append(signed))
        self.assertEqual(run(self.inbox.status()).messages, 0)

    def test_the_limit_is_for_what_is_kept(self) -> None:
        octets = multipart(("binary", b"\0" * 900_000))
        self.assertEqual(self.append(octets), b"a NO [TOOBIG] Message too large\r\n")

    def test_a_large_one(self) -> None:
        octets = bytes(range(256)) * 2000
        self.assertIn(b"a OK", self.append(multipart(("binary", octets))))
        self.assertIn(b"~{%d}\r\n%b)" % (len(octets), octets), self.decoded())

    def test_an_empty_one_and_others_beside_it(self) -> None:
        self.assertEqual(self.append(b""), b"a NO Message is empty\r\n")
        text = self.append(b"\0", b"a APPEND INBOX {1+}\r\nx ~")
        self.assertIn(b"a OK [APPENDUID", text)
        self.assertEqual(run(self.inbox.status()).messages, 2)
        self.assertIn(b"a NO Message contains NUL\r\n", self.append(b"\0", b"a APPEND INBOX "))

    def test_a_literal8_is_asked_for(self) -> None:
        client: Any = self.sign_in()
        client.send(b"a APPEND INBOX (\\Seen) ~{4}\r\n")
        self.assertEqual(client.received(), b"+ OK\r\n")
        client.send(b"a\r\n\0\r\n")
        self.assertIn(b"a OK [APPENDUID", client.received())

    def test_catenate(self) -> None:
        head = b"Content-Transfer-Encoding: binary\r\n\r\n"
        said = self.append(
            b"\0\1", b"a APPEND INBOX CATENATE (TEXT {%d+}\r\n%b TEXT ~" % (len(head), head), b")\r\n"
        )
        self.assertIn(b"a OK", said)
        self.assertIn(b"~{2}\r\n\0\1)", self.decoded())


class GoneTests(DialogueTestCase):
    def test_a_message_that_another_session_has_removed(self) -> None:
        """Its file is gone, too: the others are sent (RFC 5530 EXPUNGEISSUED)."""
        self.inbox.add(multipart(("base64", b"aGVsbG8=")), (), 0)
        self.inbox.add(multipart(("base64", b"aGVsbG8=")), (), 0)
        client = self.sign_in(select="INBOX")
        read = self.inbox.read

        async def read_and_expunge(uids: list[int], parts: Part) -> Any:
            found = list(await read(uids, parts))
            if parts & Part.CONTENT:
                self.inbox.remove([1])
                lost = Content.of_file("/nowhere/to/be/found", len(found[0].content or b""))
                found[0] = found[0]._replace(content=lost)
            return found

        self.inbox.read = read_and_expunge  # type: ignore[method-assign, assignment]
        client.send(b"a FETCH 1:2 (UID BINARY.PEEK[1])\r\n")
        said = client.received()
        self.assertIn(b"* 2 FETCH (UID 2 BINARY[1] {5}\r\nhello)\r\n", said)
        self.assertIn(b"a NO [EXPUNGEISSUED] Some of the messages no longer exist\r\n", said)

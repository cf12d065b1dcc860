"""One part of a message, decoded by the server if it can do that (RFC 3516)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.values import BodyStructure
from tests.imap.client.dialogue import FEW, ClientTestCase

BINARY = "IMAP4rev1 BINARY"
WORDS = BodyStructure("2", "text/plain", {"charset": "iso-8859-1"}, encoding="quoted-printable", size=9)
PDF = BodyStructure("1.MIXED", "application/pdf", encoding="base64", size=8)


class StructureTests(SynchronousTestCase):
    def test_file_names_are_safe(self) -> None:
        for disposition, name, expected in (
            ("../../etc/passwd", "", "passwd"),
            ("C:\\Users\\a.pdf", "b", "a.pdf"),
            ("..", "b.txt", "b.txt"),
            ("fdp.\u202eexe", "", "fdp.exe"),
            ("a\r\nb", "", "a b"),
            ("", "", ""),
            ("x" * 300 + ".pdf", "", "x" * 251 + ".pdf"),
        ):
            part = BodyStructure("2", "a/b", {"name": name}, disposition_parameters={"filename": disposition})
            self.assertEqual(part.file_name, expected)


class PartTests(ClientTestCase):
    def test_the_server_decodes(self) -> None:
        self.selected(BINARY)
        fetched = self.client.part(5, WORDS)
        self.converse("C: A2 UID FETCH 5 (UID BINARY.PEEK[2])")
        self.transport.send(b"* 1 FETCH (UID 5 BINARY[2] ~{4}\r\nGr\xfc\xdf)\r\nA2 OK\r\n")
        part = self.result(fetched)
        self.assertEqual((part.text, part.octets), ("Grüß", b"Gr\xfc\xdf"))
        self.assertEqual((part.structure.encoding, part.structure.size), ("binary", 4))

    def test_octets_of_any_kind(self) -> None:
        """And a server that writes them as a string, or names what was asked for."""
        for said in (b"BINARY[1.MIXED] ~{4}\r\n\0\r\n\xff", b"BINARY.PEEK[1.mixed] {4}\r\n\0\r\n\xff"):
            self.selected(BINARY)
            fetched = self.client.part(5, PDF)
            self.transport.send(b"* 1 FETCH (UID 5 " + said + b")\r\nA2 OK\r\n")
            part = self.result(fetched)
            self.assertEqual(part.octets, b"\0\r\n\xff")
        self.selected(BINARY)
        fetched = self.client.part(5, PDF)
        self.transport.send(b'* 1 FETCH (UID 5 BINARY[1.MIXED] "abc")\r\nA2 OK\r\n')
        self.assertEqual(self.result(fetched).octets, b"abc")

    def test_a_large_part_is_in_a_file(self) -> None:
        self.selected(BINARY)
        fetched = self.client.part(5, PDF)
        self.transport.send(b"* 1 FETCH (UID 5 BINARY[1.MIXED] ~{300000}\r\n")
        self.transport.send(b"\0" * 300_000 + b")\r\nA2 OK\r\n")
        self.assertEqual(self.result(fetched).octets, b"\0" * 300_000)

    def test_what_the_server_cannot_decode(self) -> None:
        for answer in ("A2 NO [UNKNOWN-CTE] Damaged", "* 1 FETCH (UID 5 BINARY[2] NIL)\nS: A2 OK", "A2 OK"):
            with self.subTest(answer=answer):
                self.selected(BINARY)
                fetched = self.client.part(5, WORDS)
                self.converse(
                    f"""
                    C: A2 UID FETCH 5 (UID BINARY.PEEK[2])
                    S: {answer}
                    C: A3 UID FETCH 5 (UID BODY.PEEK[2])
                    S: * 1 FETCH (UID 5 BODY[2] "Gr=FC=DF")
                    S: A3 OK
                    """
                )
                part = self.result(fetched)
                self.assertEqual((part.text, part.structure.encoding), ("Grüß", "quoted-printable"))

    def test_where_nothing_is_to_be_decoded(self) -> None:
        self.selected(BINARY)
        self.client.part(5, BodyStructure("1", "text/plain", encoding="7bit"))
        self.assertEqual(self.transport.read(), b"A2 UID FETCH 5 (UID BODY.PEEK[1])\r\n")

    def test_without_binary(self) -> None:
        self.selected(FEW)
        fetched = self.client.part(5, PDF)
        self.converse(
            """
            C: A2 UID FETCH 5 (UID BODY.PEEK[1.MIXED])
            S: * 1 FETCH (UID 5 BODY[1.MIXED] "AAEC")
            S: A2 OK
            """
        )
        self.assertEqual(self.result(fetched).octets, b"\0\1\2")

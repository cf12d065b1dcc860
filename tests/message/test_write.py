"""Header fields that a server puts before a message."""

from datetime import UTC, datetime

from twisted.trial.unittest import TestCase

from mailproto.message import fold, header_fields, received

DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FoldTests(TestCase):
    def test_a_short_field(self) -> None:
        self.assertEqual(fold(b"Return-Path", b"<a@b>"), b"Return-Path: <a@b>\r\n")

    def test_long_lines_are_folded_at_blanks(self) -> None:
        field = fold(b"X", b"word " * 100)
        self.assertTrue(all(len(line) <= 78 for line in field.split(b"\r\n")))
        self.assertEqual(field.replace(b"\r\n ", b" "), b"X:" + b" word" * 100 + b"\r\n")

    def test_no_line_is_longer_than_998_octets(self) -> None:
        field = fold(b"X", b"a" * 5000)
        self.assertTrue(all(len(line) <= 998 for line in field.split(b"\r\n")))
        self.assertEqual(field.count(b"a"), 5000)

    def test_nothing_is_injected(self) -> None:
        for attack in (b"a\r\nBcc: x", b"a\nBcc: x", b"a\rBcc: x", b"a\r\n\r\nbody", b"a\0b", b"a\x0b\x0cb"):
            field = fold(b"X", attack)
            self.assertEqual([f.name for f in header_fields(field)], [b"X"])
            self.assertFalse(set(field[:-2]) & set(b"\r\n\0\x0b\x0c"))

    def test_a_name_must_be_one(self) -> None:
        for name in (b"", b"a b", b"a:", b"a\r\n", b"\xe9", b"x" * 80):
            self.assertRaises(ValueError, fold, name, b"x")


class ReceivedTests(TestCase):
    def test_all_clauses(self) -> None:
        field = received(
            helo="client.example",
            peer="192.0.2.1",
            by="mx.example",
            protocol="ESMTPS",
            identifier="4711",
            date=DATE,
            recipient="a@b",
            details=("TLSv1.3",),
        )
        self.assertEqual(
            field.replace(b"\r\n ", b" "),
            b"Received: from client.example ([192.0.2.1]) by mx.example with ESMTPS (TLSv1.3) id 4711"
            b" for <a@b>; Fri, 2 Jan 2026 03:04:05 +0000\r\n",
        )

    def test_an_ipv6_address_and_no_name(self) -> None:
        for peer in ("2001:db8::1", "2001:db8::1%eth0"):
            field = received(helo="", peer=peer, by="x", protocol="SMTP", identifier="1", date=DATE)
            self.assertIn(b"from unknown ([IPv6:2001:db8::1]) by x", field.replace(b"\r\n", b""))

    def test_what_clients_say_stays_in_its_clause(self) -> None:
        evil = "a) by evil (\r\nX: y;\0"
        field = received(
            helo=evil,
            peer=evil,
            by="x",
            protocol="SMTP",
            identifier="1",
            date=DATE,
            recipient="a>\r\n<b",
            details=(evil,),
        )
        self.assertEqual(len(list(header_fields(field))), 1)
        self.assertEqual(field.count(b"("), field.count(b")"))
        self.assertIn(b"from abyevilX:y ", field)

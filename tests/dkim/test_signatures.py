"""What `mailproto.dkim` signs, dkimpy verifies; and it signs the same octets."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import dkim
import dkim.canonicalization
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.dkim import SigningKey, author_domain, signatures
from mailproto.dkim._canonical import _LONGEST, _relaxed_body, body_hash
from mailproto.message import HEADER_LIMIT

RSA, ED25519 = (SigningKey.generate(algorithm) for algorithm in SigningKey.ALGORITHMS)
KEYS = {"mail": RSA, "mail-ed25519": ED25519}
MESSAGE = (
    b"From: Alice <alice@example.org>\r\nTo: bob@example.net,\r\n\tcarol@example.net\r\n"
    b"Subject:   Hello   there \r\nDate: Sat, 28 Nov 2026 12:00:00 +0000\r\nX-Other: x\r\n"
    b"Message-ID: <1@example.org>\r\n\r\nHello  \r\n  dear \t world\r\n\r\n\r\n"
)


def dns(name: bytes, timeout: int = 5) -> bytes | None:
    """The records of the domain example.org."""
    selector, _, rest = name.decode().partition(".")
    return KEYS[selector].record.encode() if rest == "_domainkey.example.org." else None


def verified(message: bytes, signature: int) -> bool:
    """Whether a receiver finds the signature valid; SMTP brings it the message with a CRLF at its end."""
    try:
        return bool(dkim.DKIM(sent(message)).verify(idx=signature, dnsfunc=dns))
    except dkim.ValidationError:  # another body
        return False


def sent(octets: bytes) -> bytes:
    return octets if not octets or octets.endswith(b"\r\n") else octets + b"\r\n"


def signed(message: bytes) -> bytes:
    return signatures(message, "Example.ORG.", KEYS) + message


class VerifyTests(SynchronousTestCase):
    def assert_valid(self, message: bytes) -> None:
        for signature in (0, 1):
            self.assertTrue(verified(message, signature))

    def test_both_signatures_are_valid(self) -> None:
        self.assert_valid(signed(MESSAGE))

    def test_white_space_in_a_line_that_is_read_in_pieces(self) -> None:
        for at in range(-3, 3):
            for spaces, end in ((2, b"x"), (2, b""), (1 << 20, b"x"), (3 << 20, b"")):
                body = b"a" * (_LONGEST + at) + b" " * spaces + end + b"\r\n"
                digest = body_hash(Content(body), 0)
                text = b"a" * (_LONGEST + at) + (b" x" if end else b"") + b"\r\n"
                self.assertEqual(digest, hashlib.sha256(text).digest(), (at, spaces, end))

    def test_small_and_odd_messages(self) -> None:
        header, _, _ = MESSAGE.partition(b"\r\n\r\n")
        for body in (b"", b"\r\n", b"\r\n\r\n\r\n", b" ", b"x", b" \r\n\t\r\nx \r\n \r\n", b"a\r\n" * 100):
            self.assert_valid(signed(header + b"\r\n\r\n" + body))

    def test_what_a_mailing_list_or_an_attacker_changes(self) -> None:
        message = signed(MESSAGE)
        for change in (
            message.replace(b"dear", b"dead"),
            message.replace(b"Subject:   Hello", b"Subject: Hullo"),
            b"Subject: another\r\n" + message,
            message.replace(b"From: Alice", b"From: eve@example.net\r\nFrom: Alice"),
            b"To: eve@example.net\r\n" + message,
            b"Date: Sun, 29 Nov 2026 12:00:00 +0000\r\n" + message,
        ):
            self.assertEqual([verified(change, 0), verified(change, 1)], [False, False])

    def test_what_servers_on_the_way_may_change(self) -> None:
        message = signed(MESSAGE)
        for change in (
            b"Received: from a by b; Sat, 28 Nov 2026 12:00:00 +0000\r\nX-Spam: no\r\n" + message,
            message.replace(b"Subject:   Hello   there ", b"subject: Hello there"),
            message + b"\r\n\r\n",
            message.replace(b"Hello  \r\n", b"Hello\r\n"),
        ):
            self.assert_valid(change)

    def test_every_field_of_a_name_is_signed(self) -> None:
        """From the last one on, as verifiers take them."""
        message = signed(b"List-Id: <a.example>\r\nList-Id: <b.example>\r\n" + MESSAGE)
        self.assert_valid(message)
        self.assertFalse(verified(message.replace(b"<a.example>", b"<c.example>"), 0))
        self.assertFalse(verified(message.replace(b"<b.example>", b"<c.example>"), 0))

    def test_a_message_without_fields(self) -> None:
        """From is required by those who verify (6.1.1); signing must not fail."""
        for message in (b"", b"\r\n", b"\r\nbody\r\n", b"no header at all"):
            self.assertEqual(signed(message).count(b"DKIM-Signature:"), 2)

    def test_lines_of_the_fields_are_short(self) -> None:
        fields = signatures(MESSAGE, "example.org", KEYS)
        self.assertLess(max(map(len, fields.split(b"\r\n"))), 80)
        self.assertTrue(fields.endswith(b"\r\n"))
        self.assertNotIn(b"\r\n\r\n", fields)

    def test_the_time_of_a_signature(self) -> None:
        self.assertIn(b"; t=1234;", signatures(MESSAGE, "example.org", KEYS, now=1234.9))

    def test_nothing_to_sign_with(self) -> None:
        self.assertEqual(signatures(MESSAGE, "example.org", {}), b"")
        long = b"X: " + b"y" * HEADER_LIMIT + b"\r\n" + MESSAGE
        self.assertEqual(signatures(long, "example.org", KEYS), b"")

    def test_an_international_domain(self) -> None:
        self.assertIn(b"d=xn--bcher-kva.example;", signatures(MESSAGE, "Bücher.example", {"a": ED25519}))


class BodyTests(SynchronousTestCase):
    """The canonical body, in pieces of any size."""

    @given(
        st.lists(
            st.sampled_from([b"\r\n", b" ", b"\t", b"a", b" \r\n", b"\r\n\r\n", b"word", b"."]), max_size=40
        )
    )
    def test_as_dkimpy(self, pieces: list[bytes]) -> None:
        body = b"".join(pieces)
        expected = dkim.canonicalization.Relaxed.canonicalize_body(sent(body))
        for size in (1, 3, 1000):
            found = b"".join(_relaxed_body(Pieces(body, size), 0))
            self.assertEqual(found, expected)

    def test_large_bodies_are_read_in_pieces(self) -> None:
        """Also those of one line, of empty lines only, and of spaces only."""
        for unit, count, canonical in (
            (b"hello  world \r\n", 70_000, b"hello world\r\n"),
            (b"\r\n", 500_000, b"\r\n"),
            (b" \r\n", 500_000, b"\r\n"),
        ):
            found = b"".join(_relaxed_body(Pieces(unit * count + b"x\r\n", 1 << 16), 0))
            self.assertEqual(found, canonical * count + b"x\r\n")
        found = b"".join(_relaxed_body(Pieces(b" " * 900_000 + b"x\r\n", 1 << 16), 0))
        self.assertEqual(found, b" x\r\n")


class Pieces(Content):
    """A content that is read in pieces of a size."""

    __slots__ = ("_piece",)

    def __init__(self, octets: bytes, size: int) -> None:
        super().__init__(octets)
        self._piece = size

    def chunks(self, start: int = 0, stop: int | None = None) -> Any:
        octets = bytes(self)[start:stop]
        return (octets[at : at + self._piece] for at in range(0, len(octets), self._piece))


class AuthorTests(SynchronousTestCase):
    def test_the_domain_of_the_author(self) -> None:
        for header, domain in (
            (b"From: a@Example.ORG\r\n", "example.org"),
            (b"Subject: x\r\nfrom: =?utf-8?q?=C3=A4?= <a@example.org> (hi)\r\n", "example.org"),
            ("From: a@bücher.example\r\n".encode(), "xn--bcher-kva.example"),
            (b"From: a@example.org, b@example.org\r\n", ""),
            (b"From: a@example.org\r\nFrom: b@example.net\r\n", ""),
            (b"From: nobody\r\n", ""),
            (b"From: ;:,<>\r\n", ""),
            (b"From: " + b"x" * 20_000 + b"@example.org\r\n", ""),
            (b"From: a@../../etc\r\n", ""),
            (b"From: a@[192.0.2.1]\r\n", ""),
            (b"Sender: a@example.org\r\n", ""),
            (b"", ""),
        ):
            self.assertEqual(author_domain(header + b"\r\nx"), domain, header)


class KeyTests(SynchronousTestCase):
    def test_a_key_is_written_and_read(self) -> None:
        for key in KEYS.values():
            again = SigningKey.from_pem(key.pem)
            self.assertEqual((again.algorithm, again.record), (key.algorithm, key.record))
            self.assertNotIn("PRIVATE", repr(key))

    def test_records(self) -> None:
        self.assertRegex(RSA.record, r"\Av=DKIM1; k=rsa; p=[A-Za-z0-9+/]{392}\Z")
        self.assertRegex(ED25519.record, r"\Av=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=\Z")

    def test_what_is_no_key(self) -> None:
        for pem, text in ((b"", "no private key"), (b"-----BEGIN X-----", "no private key")):
            with self.assertRaisesRegex(ValueError, re.escape(text)):
                SigningKey.from_pem(pem)
        with self.assertRaises(ValueError):
            SigningKey.generate("rsa-sha1")

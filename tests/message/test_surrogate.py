"""Headers for clients that take no UTF-8 (RFC 6858)."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.message import SURROGATE_FIELD_LIMIT, Message, ascii_header_steps, finish, header_fields

INVALID = "invalid@internationalized-address.invalid"


def surrogate(header: str | bytes) -> str:
    octets = header if isinstance(header, bytes) else header.encode()
    return finish(ascii_header_steps(octets)).decode("latin-1")


class SurrogateTests(SynchronousTestCase):
    def test_ascii_stays_as_it_is(self) -> None:
        for header in ("", "Subject: a\r\n b\r\nX : y\r\n\r\n", "no field\r\nFrom: x\r\n"):
            self.assertEqual(surrogate(header), header)

    def test_texts(self) -> None:
        made = surrogate("X-A: b\r\nSubject: Schöne\r\n Grüße\r\nDate: now\r\n\r\n")
        self.assertTrue(made.isascii())
        self.assertTrue(made.startswith("X-A: b\r\nSubject: "))
        self.assertTrue(made.endswith("\r\nDate: now\r\n\r\n"))
        self.assertEqual(Message(made.encode()).subject, "Schöne Grüße")

    def test_addresses(self) -> None:
        made = surrogate(
            'To: Jürgen <j@a.example>, ü@b.example, "A, \\"B\\"" <c@bücher.example>, d@e.example\r\n'
        )
        self.assertTrue(made.isascii())
        self.assertEqual(
            [(each.name, each.address) for each in Message(made.encode()).to],
            [
                ("Jürgen", "j@a.example"),
                ("ü@b.example", INVALID),
                ('A, "B"', INVALID),
                ("", "d@e.example"),
            ],
        )

    def test_a_name_that_looks_like_another_address(self) -> None:
        made = surrogate('From: "ü <boss@b.example>," <a@a.example>\r\n')
        [only] = Message(made.encode()).from_
        self.assertEqual(only.address, "a@a.example")

    def test_a_local_part_in_quotes(self) -> None:
        made = surrogate('From: ü <"a \\"b"@c.example>\r\n')
        [only] = Message(made.encode()).from_
        self.assertEqual(only.address, '"a \\"b"@c.example')

    def test_addresses_that_are_none(self) -> None:
        self.assertEqual(surrogate("To: ü: ;\r\n"), "To: undisclosed-recipients:;\r\n")

    def test_mime_keeps_its_shape(self) -> None:
        self.assertEqual(
            surrogate('Content-Type: multipart/mixed;\r\n boundary="b"; name="ü"\r\n'),
            'Content-Type: multipart/mixed;\r\n boundary="b"; name="?"\r\n',
        )

    def test_other_fields_are_left_out(self) -> None:
        self.assertEqual(surrogate("X-A: ü\r\n more\r\nÜ: a\r\nB: c\r\n\r\n"), "B: c\r\n\r\n")

    def test_what_is_not_utf_8(self) -> None:
        for header in (b"Subject: Gr\xfc\xdfe\r\n", b"From: \xff <a@b>\r\n"):
            self.assertEqual(surrogate(header), header.decode("latin-1"))

    def test_long_fields(self) -> None:
        long = "ü" * SURROGATE_FIELD_LIMIT
        self.assertEqual(
            surrogate(f"Subject: {long}\r\nTo: {long}@b\r\n"), f"Subject: {long.replace('ü', '?')}\r\n"
        )

    def test_no_step_is_long(self) -> None:
        """Fields of the greatest length that is read, and of the slowest shapes."""
        for field in ("To: " + "ü@b," * 800, "From: " + "(ü" * 1300, "Subject: " + "ü " * 1300):
            steps = ascii_header_steps(f"{field}\r\n".encode() * 40)
            longest, began = 0.0, time.thread_time()
            for _ in steps:
                longest, began = max(longest, time.thread_time() - began), time.thread_time()
            self.assertLess(longest, 0.05)

    @given(
        st.lists(
            st.sampled_from(
                ["From", "To", "Subject", "X", ":", " ", "\r\n", "\n", "ü", "<", "@", ",", '"', "(", "a"]
            )
        )
    )
    def test_whatever_comes(self, tokens: list[str]) -> None:
        """What is UTF-8 and a field becomes ASCII, and nothing gets another name."""
        header = "".join(tokens).encode()
        made = finish(ascii_header_steps(header))
        names = [field.name for field in header_fields(header)]
        for field in header_fields(made):
            self.assertIn(field.name, names)
            self.assertTrue(made[field.start : field.stop].isascii())

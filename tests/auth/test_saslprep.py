from __future__ import annotations

import time
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from scramp.utils import ScramException
from scramp.utils import saslprep as scramp_saslprep
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth._saslprep import prepared_password, saslprep


class SASLprepTests(SynchronousTestCase):
    def test_examples_of_rfc_4013_3(self) -> None:
        for given_text, prepared in (
            ("I\u00adX", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u00aa", "a"),
            ("\u2168", "IX"),
        ):
            with self.subTest(text=given_text):
                self.assertEqual(saslprep(given_text), prepared)

    def test_however_it_is_typed(self) -> None:
        for one, other in (("é", "e\u0301"), ("a\u00a0b", "a b"), ("½", "1\u20442"), ("\u2126", "Ω")):
            with self.subTest(text=one):
                self.assertEqual(saslprep(one), saslprep(other))

    def test_prohibited(self) -> None:
        for text in ("\x07", "a\nb", "\x7f", "\ue000", "\ud800", "\ufdd0", "\ufffd", "\u200e", "\U000e0041"):
            with self.subTest(text=ascii(text)):
                self.assertRaises(ValueError, saslprep, text)
                self.assertRaises(ValueError, saslprep, text, is_query=True)

    def test_from_right_to_left(self) -> None:
        self.assertEqual(saslprep("\u0627\u0628"), "\u0627\u0628")
        self.assertEqual(saslprep("\u0627 1 \u0628"), "\u0627 1 \u0628")
        for text in ("\u06271", "1\u0627", "\u0627a\u0628"):
            with self.subTest(text=ascii(text)):
                self.assertRaises(ValueError, saslprep, text)

    def test_nothing_left(self) -> None:
        for text in ("", "\u00ad"):
            self.assertRaises(ValueError, saslprep, text)

    def test_what_unicode_3_2_did_not_know_is_for_queries(self) -> None:
        """RFC 3454 7: an emoji may be looked up, but not kept."""
        self.assertRaises(ValueError, saslprep, "\U0001f600")
        self.assertEqual(saslprep("\U0001f600", is_query=True), "\U0001f600")

    def test_no_secret_in_an_error(self) -> None:
        error = self.assertRaises(ValueError, saslprep, "secret\x07")
        self.assertNotIn("secret", str(error))

    def test_takes_no_time(self) -> None:
        """Unicode's normalization takes the square of the marks, so there may not be too many."""
        for text in ("e" + "\u0301\u0316" * 500_000, "\ufdfa" * 1_000_000):
            began = time.process_time()
            self.assertRaises(ValueError, saslprep, text)
            self.assertEqual(prepared_password(text), text.encode())
            self.assertLess(time.process_time() - began, 2)
        self.assertEqual(saslprep("x" * 10_000), "x" * 10_000)

    def test_a_space_of_no_width_is_a_space(self) -> None:
        """It is in both of RFC 4013's mappings; libidn and PostgreSQL take the first as well."""
        self.assertEqual(saslprep("a\u200bb"), "a b")

    @settings(max_examples=300, deadline=None)
    @given(st.text(st.characters(exclude_characters="\u200b"), max_size=12))
    def test_anything(self, text: str) -> None:
        """As scramp prepares it; what is prepared stays as it is."""
        prepared = _prepared(saslprep, text)
        self.assertEqual(prepared, _prepared(scramp_saslprep, text))
        if prepared is not None:
            self.assertEqual(saslprep(prepared), prepared)


def _prepared(prepare: Callable[[str], str], text: str) -> str | None:
    try:
        return prepare(text) or None
    except (ValueError, ScramException):
        return None

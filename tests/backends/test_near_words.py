"""Words with typing errors, and what it costs to find them."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import _near_words
from mailproto.backends._near_words import MOST, NearWords, words_in


def near(words: set[str], *sought: str) -> list[list[str]]:
    found = NearWords(sought)
    for _ in found.read(" ".join(sorted(words))):
        pass
    return found.found()


class NearWordsTests(SynchronousTestCase):
    def test_errors(self) -> None:
        words = {"INVOICE", "INVOICES", "CONFERENCE", "HOUSE", "CAFE\u0301"}
        for wrong, right in {
            "INVOCE": ["INVOICE"],
            "INVIOCE": ["INVOICE"],
            "INVOICEZ": ["INVOICE", "INVOICES"],
            "COFNERENSE": ["CONFERENCE"],
            "COFNERNSE": [],
            "MOUSE": ["HOUSE"],
            "MOUSS": [],
            "COFE\u0301": ["CAFE\u0301"],
            "HUS": [],
        }.items():
            self.assertEqual(near(words, wrong), [right], wrong)

    def test_the_nearest_are_given_and_rather_with_the_same_first_letter(self) -> None:
        words = {f"{letter}OUSES" for letter in "ABCDEFGHIJ"} | {"HOUSED", "HORSES"}
        [found] = near(words, "HOUSEZ")
        self.assertEqual(found, ["HOUSED", "HOUSES"])
        self.assertEqual(len(near(words, "ZOUSES")[0]), MOST)

    def test_words_of_a_text(self) -> None:
        self.assertEqual(
            words_in(" <A.B@C-D.EXAMPLE>, (CAFE\u0301) \u201cX1\u201d\n \u4f1a\u8b70 "),
            {"A", "B", "C", "D", "EXAMPLE", "CAFE\u0301", "X1", "\u4f1a\u8b70"},
        )

    @given(st.lists(st.text("AB", max_size=9)), st.lists(st.text("AB", max_size=9), max_size=3))
    def test_few_and_in_pieces(self, words: list[str], sought: list[str]) -> None:
        whole = near(set(words), *sought)
        self.assertTrue(all(len(each) <= MOST for each in whole))
        self.patch(_near_words, "_PIECE", 2)
        self.assertEqual(near(set(words), *sought), whole)

    def test_hostile_words(self) -> None:
        text = " ".join(["A" * 3000, *(f"{number:X}" for number in range(100_000)), "A" * 500_000])
        sought = NearWords(["A" * 64, "A" * 65, "B" * 64, "DEADBEEF" * 8, "", "12345"])
        longest = 0.0
        steps, began = 0, time.thread_time()
        for _ in sought.read(text):
            steps += 1
            now = time.thread_time()
            longest, began = max(longest, now - began), now
        self.assertGreater(steps, 4 * len(text) / (3 * _near_words._PIECE))
        self.assertLess(longest, 0.05)
        self.assertTrue(all(len(each) <= MOST for each in sought.found()))

"""The index of words finds what the texts have, whatever they are."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from mailproto.backends.sqlite._schema import statements
from mailproto.backends.sqlite._search import _schema, _texts, _words
from mailproto.backends.sqlite._search._making import Packer, insert_texts, remove_bodies
from mailproto.message import SearchTexts, is_indexed_key, search_key
from mailproto.model import InText

words = st.one_of(
    st.text("AB", min_size=1, max_size=5),
    st.text("AB\u4f1a\u8b70a\x7f\x01\"'*", min_size=1, max_size=7),
    st.sampled_from(["A" * 32, "B" * 33, "AB" * 20, "\u4f1a\u8b70" * 8, "SEE"]),
)
lines = st.lists(words, min_size=1, max_size=6).map(lambda line: f" {' '.join(line)} ")
texts = st.lists(lines, max_size=2).map("\n".join)
keys = st.one_of(
    st.text("AB", min_size=4, max_size=5),
    st.text("AB \u4f1a\u8b70a\x7f\x01\"'*", min_size=1, max_size=5),
    words,
    lines,
)


class WordIndexTests(TestCase):
    @given(
        st.lists(st.lists(st.builds(SearchTexts, texts, texts), min_size=1, max_size=3), max_size=4),
        st.lists(keys, min_size=1, max_size=4),
        st.sampled_from((1, 3, 2000)),
        st.sampled_from((1, 8000)),
        st.sampled_from((2, 32)),
        st.sampled_from((0, 4)),
        st.sampled_from((20, 1000)),
    )
    def test_any_key(
        self,
        batches: list[list[SearchTexts]],
        sought: list[str],
        limit: int,
        worth: int,
        long: int,
        ascii_more: int,
        large: int,
    ) -> None:
        for module in (_words, _texts):
            self.patch(module, "LONG", long)
            self.patch(module, "ASCII_LONG", long + ascii_more)
        self.patch(_words, "LARGE", large)
        self.patch(_texts, "WORDS", limit)
        self.patch(_texts, "_WORTH", worth)
        self.patch(_words, "MESSAGES", 4)
        connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(connection.close)
        for statement in statements(_schema._TABLES + _schema._TEXTS):
            connection.execute(statement)
        known: dict[int, SearchTexts] = {}
        for batch in batches:
            packer = Packer(connection)
            numbered = dict(enumerate(batch, len(known) + 1))
            insert_texts(connection, [packer.pack(*each) for each in numbered.items()])
            known.update(numbered)
        self.compare(connection, known, sought)
        if gone := [body for body in known if body % 3]:
            remove_bodies(connection, gone)
            for body in gone:
                del known[body]
            self.compare(connection, known, sought)

    def test_no_vocabulary_has_very_many_words(self) -> None:
        """To put them together would take long, however short they are."""
        self.patch(_words, "OCTETS", 100 * 20)
        connection = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(connection.close)
        for statement in statements(_schema._TABLES + _schema._TEXTS):
            connection.execute(statement)
        for body in range(1, 21):
            words = f" {' '.join(f'{body:x}Q{number:x}'.upper() for number in range(20))} "
            insert_texts(connection, [Packer(connection).pack(body, SearchTexts(words, ""))])
        made = _words.vocabularies(connection, 1, 20)
        counts = [
            len(text.split())
            for text in _words.read_vocabularies(connection, [vocabulary.first for vocabulary in made])
        ]
        self.assertEqual((sum(counts), sum(each.messages for each in made)), (400, 20))
        self.assertLessEqual(max(counts), 100)
        self.assertLess(len(counts), 12, "they are put together")

    def compare(
        self, connection: sqlite3.Connection, known: dict[int, SearchTexts], sought: list[str]
    ) -> None:
        mapped = [key for key in map(search_key, sought) if is_indexed_key(key)]
        tests = [InText(key, headers) for key in dict.fromkeys(mapped) for headers in (False, True)]
        found = _texts.passing_bodies(connection, set(known), tests, schema="main")
        for test in tests:
            right = {
                body
                for body, texts in known.items()
                if test.key in texts.body or (test.headers and test.key in texts.header)
            }
            self.assertEqual(found[test], right, (test, known))

"""Octets of bodies are kept as they are, whatever their length, and fill the pages."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends.sqlite import _contents
from mailproto.backends.sqlite._schema import connect, prepare

LENGTHS = (0, 1, 2023, 2024, 2025, 3000, 4060, 4061, 4062, 9000)


class ContentsTests(SynchronousTestCase):
    """The two tables, as one."""

    def setUp(self) -> None:
        path = self.mktemp()
        prepare(path)
        self.connection = connect(path)
        self.addCleanup(self.connection.close)

    def read(self) -> list[tuple[int, bytes, int]]:
        return self.connection.execute(
            f"SELECT body, {_contents.OCTETS}, {_contents.LENGTH} FROM contents ORDER BY body"
        ).fetchall()

    def test_each_length(self) -> None:
        octets = {length: bytes(range(256)) * 40 for length in LENGTHS}
        _contents.add(self.connection.execute, [(length, octets[length][:length]) for length in LENGTHS])
        self.assertEqual(
            self.read(), [(length, octets[length][:length], length) for length in sorted(LENGTHS)]
        )

    @given(
        st.lists(
            st.binary(min_size=1, max_size=8).flatmap(
                lambda some: st.integers(0, 4200).map(lambda length: (some * length)[:length])
            ),
            max_size=5,
        )
    )
    def test_any_octets(self, texts: list[bytes]) -> None:
        self.connection.execute("BEGIN")
        _contents.add(self.connection.execute, list(enumerate(texts)))
        self.assertEqual(self.read(), [(id_, text, len(text)) for id_, text in enumerate(texts)])
        self.connection.execute("ROLLBACK")

    def test_octets_that_an_earlier_version_kept_in_one_row(self) -> None:
        """Also if they are as many as the first part of divided ones."""
        for length in LENGTHS:
            self.connection.execute("INSERT INTO contents VALUES (?, ?)", (length, b"x" * length))
        self.assertEqual(
            [(len(octets), length) for _, octets, length in self.read()],
            [(length, length) for length in sorted(LENGTHS)],
        )

    def test_nothing_is_left_of_removed_ones(self) -> None:
        _contents.add(self.connection.execute, [(length, b"x" * length) for length in LENGTHS])
        _contents.remove(self.connection.execute, json.dumps(LENGTHS[2:]))
        self.assertEqual([id_ for id_, _, _ in self.read()], [0, 1])
        self.assertEqual(self.connection.execute("SELECT * FROM content_rests").fetchall(), [])

    def test_pages_are_full(self) -> None:
        """Of messages between half a page and a page, as most short ones are."""
        for length in (2048, 2500, 3000, 4000):
            self.connection.execute("DELETE FROM contents")
            self.connection.execute("DELETE FROM content_rests")
            before = self.pages()
            self.connection.execute("BEGIN")
            for first in range(1 << 40, (1 << 40) + 600, 100):  # ids of the largest store
                _contents.add(
                    self.connection.execute, [(id_, bytes(length)) for id_ in range(first, first + 100)]
                )
            self.connection.execute("COMMIT")
            self.assertLess((self.pages() - before) * 4096 / (600 * length), 1.06, length)

    def pages(self) -> int:
        [count] = self.connection.execute("PRAGMA page_count").fetchone()
        [free] = self.connection.execute("PRAGMA freelist_count").fetchone()
        return int(count) - int(free)

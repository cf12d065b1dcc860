"""Near words of the vocabularies of a mailbox's messages; in a thread, with a reading connection."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from mailproto.backends._near_words import NearWords
from mailproto.backends.sqlite._search._late import Uids
from mailproto.backends.sqlite._search._making import pause
from mailproto.backends.sqlite._search._numbers import Numbers
from mailproto.backends.sqlite._search._texts import passing_bodies
from mailproto.backends.sqlite._search._words import read_vocabularies, vocabularies
from mailproto.message import is_indexed_key
from mailproto.model import InText

__all__ = ["near_words"]

VOCABULARIES = 64
"""So many are read, those of the latest messages: 16,384 messages at most, and 3 ms for each."""


def near_words(
    connection: sqlite3.Connection, numbers: Numbers, mailbox: int, uids: Uids, words: Sequence[str]
) -> list[list[str]]:
    """See `INearWords.near_words`; ``uids`` are not empty."""
    [upto] = connection.execute("SELECT texts FROM search.state").fetchone()
    bodies = {body for body in numbers.bodies(connection, mailbox, uids) if 0 < body <= upto}
    tests = {word: InText(word, headers=True) for word in words if is_indexed_key(word)}
    passing = passing_bodies(connection, bodies, list(tests.values()))
    near = NearWords([word if word in tests and not passing[tests[word]] else "" for word in words])
    if bodies and not all(passing.values()):
        ordered = sorted(bodies)
        known = vocabularies(connection, ordered[0], ordered[-1], "search")
        firsts = [
            each.first
            for each in known
            if bisect_left(ordered, each.first) < bisect_right(ordered, each.last)
        ]
        for text in read_vocabularies(connection, firsts[-VOCABULARIES:], "search"):
            for _ in near.read(text.decode()):
                pause()
    return near.found()

"""Looks for keys in the messages whose texts the index does not have (yet): exactly, and in a thread.

Right after many messages came, that is quicker than to wait until their texts are in the index.
"""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections.abc import Sequence

from mailproto.backends.sqlite._bodies import Bodies
from mailproto.backends.sqlite._search._late import Uids
from mailproto.backends.sqlite._search._making import finished, pause, read_bodies
from mailproto.backends.sqlite._search._numbers import Numbers
from mailproto.message import Searchable, Steps
from mailproto.model import Found, InText

__all__ = ["TextScan"]

SECONDS_AT_ONCE = 0.1
"""After so long, the thread is free for other searches for a moment."""

_AT_ONCE = 20
"""Bodies that are read with one statement: at most 1.3 MB, because larger ones are in files."""


class TextScan:
    """Messages in which some keys are looked for.

    :param uids: of the messages, ascending.
    """

    def __init__(self, mailbox: int, uids: Uids, tests: Sequence[InText]) -> None:
        self._mailbox = mailbox
        self._uids = uids
        self._keys = [test.key for test in tests]
        self._tests = {test: array("I") for test in tests}
        self._unknown = array("I")
        self._at = 0

    @property
    def is_over(self) -> bool:
        """Whether all messages were searched."""
        return self._at >= len(self._uids)

    def go_on(self, connection: sqlite3.Connection, bodies: Bodies, numbers: Numbers) -> None:
        """Search more messages, for `SECONDS_AT_ONCE` and at least `_AT_ONCE` messages; in a thread."""
        end = time.monotonic() + SECONDS_AT_ONCE
        ids = numbers.bodies(connection, self._mailbox, self._uids)
        while True:
            some = slice(self._at, self._at + _AT_ONCE)
            uids = self._uids[some]
            answers = finished(self._answers(connection, bodies, ids[some]))
            for uid, body in zip(uids, ids[some], strict=True):
                passing = answers.get(body)
                if passing is None:
                    self._unknown.append(uid)
                else:
                    for its in passing:
                        its.append(uid)
            self._at += _AT_ONCE
            if self.is_over or time.monotonic() > end:
                break
            pause()

    def _answers(
        self, connection: sqlite3.Connection, bodies: Bodies, ids: Sequence[int]
    ) -> Steps[dict[int, list[Uids]]]:
        """For each body that can be read, the lists of the tests that it passes."""
        answers: dict[int, list[Uids]] = {}
        for content in read_bodies(connection, sorted(set(ids))):
            try:
                with content.open(bodies) as octets:
                    text = Searchable(octets, (yield from content.parts(octets)), self._keys)
                    passing = []
                    for test, its in self._tests.items():
                        if (
                            yield from (text.in_text_steps if test.headers else text.in_body_steps)(test.key)
                        ):
                            passing.append(its)
            except (OSError, ValueError):
                continue  # whoever reads it tells what is wrong
            answers[content.id] = passing
            yield
        return answers

    def completed(self, test: InText, found: Found) -> Found:
        """The answer to a test, of which the index gave the beginning."""
        passing = {*found.passing, *self._tests[test]}
        unknown = set(found.unknown).intersection(self._unknown)
        return Found(array("I", sorted(passing)), array("I", sorted(unknown)))

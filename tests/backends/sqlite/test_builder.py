"""When the builder of the search index works, and when it waits."""

from __future__ import annotations

import os
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends.sqlite._search import _builder
from mailproto.backends.sqlite._search._builder import Builder

A_WHILE = 0.05


class BuilderTests(SynchronousTestCase):
    def setUp(self) -> None:
        os.mkdir(folder := self.mktemp())
        path = os.path.join(folder, "mail.sqlite3")
        bodies: Any = None  # there are none
        self.builder = Builder(path, path + "-search", bodies, texts=None)
        self.attempts = 0
        self.patch(_builder, "BEGIN_AFTER", 0)

    def attempt(self) -> bool:
        self.attempts += 1
        return False

    def fails(self) -> bool:
        self.attempts += 1
        raise OSError("broken")

    def work(self) -> None:
        self.builder.start()
        time.sleep(A_WHILE)
        began = time.monotonic()
        self.builder.stop()
        self.assertLess(time.monotonic() - began, 1)

    def test_somebody_waits_for_what_another_process_builds(self) -> None:
        """Such as ``mailproto store reindex`` while a server runs."""
        self.patch(self.builder, "_has_lock", self.attempt)
        self.builder.hurry()
        self.work()
        self.assertEqual(self.attempts, 1, "it takes the other one's processor time")

    def test_somebody_waits_though_there_is_no_room(self) -> None:
        self.patch(self.builder, "_has_room", self.attempt)
        self.builder.hurry()
        self.work()
        self.assertEqual(self.attempts, 1)

    def test_somebody_waits_though_it_cannot_be_built(self) -> None:
        self.patch(self.builder, "_has_room", self.fails)
        self.builder.hurry()
        self.work()
        self.assertEqual(self.attempts, 1)

    def test_an_attempt_of_somebody_who_waits_is_repeated_soon(self) -> None:
        self.patch(_builder, "HURRIED_INTERVAL", 0.001)
        self.patch(self.builder, "_has_lock", self.attempt)
        self.builder.hurry()
        self.work()
        self.assertGreater(self.attempts, 2)

    def test_what_comes_while_it_looks_is_not_forgotten(self) -> None:
        def looks(*_: object) -> None:
            self.attempts += 1
            if self.attempts == 1:
                self.builder.committed()  # just after it saw that there is nothing

        self.patch(self.builder, "_open", lambda: (None, None))
        self.patch(self.builder, "_build", looks)
        index: Any = Closed()
        self.builder._index = index
        self.work()
        self.assertEqual((self.attempts, index.is_closed), (2, True))


class Closed:
    """Stands for a connection."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True

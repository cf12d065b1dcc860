"""Large files are closed in a thread, small ones at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from mailproto import _closing
from mailproto._closing import LARGE, THREAD, close_file
from mailproto.content import Content
from mailproto.spool import SpoolFile


class ClosingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.closed_in: dict[int, str] = {}
        close = os.close

        def noted(descriptor: int) -> None:
            close(descriptor)
            self.closed_in[descriptor] = threading.current_thread().name

        self.patch(os, "close", noted)
        self.patch(_closing, "_closer", _closing._Closer())

    def file(self) -> int:
        return os.open(os.devnull, os.O_RDONLY)

    def where(self, close: Callable[[], object], descriptor: int) -> str:
        """The thread that has closed the file, once it has."""
        close()
        for _ in range(2000):
            if descriptor in self.closed_in:
                return "here" if self.closed_in[descriptor] != THREAD else "there"
            time.sleep(0.001)
        return "not at all"

    def test_only_large_files(self) -> None:
        for size, place in ((LARGE - 1, "here"), (LARGE, "there"), (LARGE, "there")):
            self.closed_in.clear()
            descriptor = self.file()
            self.assertEqual(self.where(lambda: close_file(descriptor, size), descriptor), place)  # noqa: B023

    def test_messages_that_are_dropped(self) -> None:
        for size, place in ((10, "here"), (LARGE, "there")):
            self.closed_in.clear()
            file = SpoolFile(None)
            file.write(b"x" * size)
            self.assertEqual(self.where(file.close, file._descriptor), place)

    def test_messages_that_were_taken(self) -> None:
        file = SpoolFile(None)
        file.write(b"x" * LARGE)
        descriptor, content = file._descriptor, file.content()
        other = content.prepend(b"y")
        content.close()
        self.assertEqual(self.closed_in, {})
        self.assertEqual(self.where(other.close, descriptor), "there")
        path = self.mktemp()
        with open(path, "wb") as named:
            named.truncate(LARGE)
        stored = Content.of_file(path, LARGE)
        self.assertEqual(stored[:1], b"\0")
        opened = stored._descriptor
        assert opened is not None
        number = opened.number
        del opened
        self.assertEqual(self.where(stored.close, number), "there")

    def test_no_thread_can_begin(self) -> None:
        def fails(thread: threading.Thread) -> None:
            raise RuntimeError("can't create new thread at interpreter shutdown")

        self.patch(threading.Thread, "start", fails)
        descriptor = self.file()
        self.assertEqual(self.where(lambda: close_file(descriptor, LARGE), descriptor), "here")

    def test_a_process_that_was_forked(self) -> None:
        """It has no thread that could close its files."""
        first = self.file()
        self.assertEqual(self.where(lambda: close_file(first, LARGE), first), "there")
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                descriptor = self.file()
                os.write(write, self.where(lambda: close_file(descriptor, LARGE), descriptor).encode())
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        self.assertEqual(os.read(read, 100), b"there")
        os.close(read)
        os.close(write)

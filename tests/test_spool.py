"""Messages too large for memory while they arrive."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mailproto.errors import StorageFull, Unavailable
from mailproto.spool import SpoolFile
from tests.disk import fill_the_disk


class SpoolFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)

    def test_what_was_written_is_the_content(self) -> None:
        spool = SpoolFile(self.folder)
        self.assertEqual(os.listdir(self.folder), [])  # no name, so nothing is left if we are killed
        spool.write(b"one ")
        spool.write(b"two")
        content = spool.content(b"first: ")
        spool.close()
        self.assertEqual((bytes(content), len(content)), (b"first: one two", 14))

    def test_parts_while_more_is_written(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        spool = SpoolFile(self.folder)
        spool.write(b"one two")
        first = spool.part(0, 3)
        spool.write(b" three")
        parts = [first, spool.part(4, 3), spool.part(8, 5)]
        self.assertEqual(len(os.listdir("/proc/self/fd")), before + 2)
        spool.close()
        self.assertEqual([bytes(part) for part in parts], [b"one", b"two", b"three"])
        self.assertEqual(bytes(parts[2].with_prefix(b"-")[1:4]), b"thr")
        del first, parts, spool
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_closing_lets_go_of_the_file(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        spool = SpoolFile(self.folder)
        spool.close()
        spool.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_no_room(self) -> None:
        fill_the_disk(self)
        spool = SpoolFile(self.folder)
        error = self.assertRaises(StorageFull, spool.write, b"x")
        reason = f"[Errno 28] No space left on device: {self.folder!r}"
        self.assertEqual(error.detail, f"cannot spool a message: {reason}")
        spool.close()

    def test_no_folder(self) -> None:
        error = self.assertRaises(Unavailable, SpoolFile, os.path.join(self.folder, "missing"))
        self.assertNotIsInstance(error, StorageFull)
        self.assertIn("No such file or directory", error.detail)

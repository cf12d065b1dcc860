"""The lock of an mbox beside that of other programs."""

from __future__ import annotations

import mailbox
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from mailproto.fetching import _mbox_lock
from mailproto.fetching._mbox_lock import MboxLock

_FCNTL = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(1)
"""


class MboxLockTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.path = folder / "mbox"
        self.file = folder / "mbox.lock"
        self.patch(_mbox_lock, "PATIENCE", 0)
        self.patch(_mbox_lock, "_BETWEEN", 0)

    def fcntl_is_free(self) -> bool:
        return subprocess.run([sys.executable, "-c", _FCNTL, str(self.path)], check=False).returncode == 0

    def test_both_locks_are_held_until_the_end(self) -> None:
        lock = MboxLock(self.path)
        self.assertFalse(self.fcntl_is_free())
        self.assertEqual(self.file.read_text().splitlines()[0], str(os.getpid()))
        lock.release()
        self.assertTrue(self.fcntl_is_free())
        self.assertFalse(self.file.exists())

    def test_a_file_of_another_program(self) -> None:
        for text in ("", "0", f"{os.getpid()}\n", "999999999\n"):
            self.file.write_text(text)
            with self.assertRaisesRegex(OSError, "another program has locked it .*mbox.lock"):
                MboxLock(self.path)
            self.assertEqual(self.file.read_text(), text)
            self.assertTrue(self.fcntl_is_free())

    def test_a_file_that_is_old(self) -> None:
        self.patch(_mbox_lock, "PATIENCE", 5)
        self.file.write_text("0")
        os.utime(self.file, (1_000_000_000, 1_000_000_000))
        MboxLock(self.path).release()
        self.assertFalse(self.file.exists())

    def test_what_a_killed_process_of_ours_has_left(self) -> None:
        self.patch(_mbox_lock, "PATIENCE", 5)
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        self.file.write_text(f"{dead.pid}\n{_mbox_lock._HERE}\n")
        MboxLock(self.path).release()
        self.file.write_text(f"{os.getppid()}\n{_mbox_lock._HERE}\n")  # one that lives
        self.patch(_mbox_lock, "PATIENCE", 0)
        self.assertRaises(OSError, MboxLock, self.path)

    def test_a_folder_that_may_not_be_written(self) -> None:
        with patch.object(_mbox_lock.MboxLock, "_make", side_effect=PermissionError):
            lock = MboxLock(self.path)
            self.assertFalse(self.fcntl_is_free())
            lock.release()
            self.file.write_text("0")
            self.assertRaises(OSError, MboxLock, self.path)

    def test_a_file_system_without_nameless_files(self) -> None:
        real = os.open

        def refuses(path: object, flags: int, *mode: int, **options: int) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(95, "not supported")
            return real(path, flags, *mode, **options)  # type: ignore[arg-type]

        with patch.object(os, "open", refuses):
            lock = MboxLock(self.path)
            self.assertEqual(self.file.read_bytes(), lock._mark)
            lock.release()
        self.assertFalse(self.file.exists())

    def test_a_mailbox_that_was_put_in_its_place(self) -> None:
        """The lock is that of the file that has the name."""
        real = _mbox_lock._is
        answers = [False]

        def changes(descriptor: int, path: Path) -> bool:
            return answers.pop() if answers else real(descriptor, path)

        self.patch(_mbox_lock, "PATIENCE", 5)
        with patch.object(_mbox_lock, "_is", changes):
            MboxLock(self.path).release()
        self.assertFalse(self.file.exists())

    def test_beside_pythons_mailbox(self) -> None:
        box = mailbox.mbox(self.path)
        self.addCleanup(box.close)
        lock = MboxLock(self.path)
        self.assertRaises(mailbox.ExternalClashError, box.lock)
        lock.release()
        box.lock()
        self.assertRaises(OSError, MboxLock, self.path)
        box.unlock()
        MboxLock(self.path).release()

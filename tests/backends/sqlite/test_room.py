"""The reserve beside the database, where there is room; `tests.durability` fills the disk."""

import errno
import os
import sqlite3

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends.sqlite import _room
from mailproto.backends.sqlite._room import LOOK_INTERVAL, RESERVE, Room
from mailproto.backends.sqlite._schema import connect, prepare
from mailproto.errors import StorageFull

MIB = 1 << 20


class RoomTests(SynchronousTestCase):
    """A database with a reserve, and a clock of its own."""

    def setUp(self):
        os.mkdir(folder := self.mktemp())
        self.path = os.path.join(folder, "mail.sqlite3")
        prepare(self.path)
        self.clock = Clock()
        self.room = Room(self.path, clock=self.clock)
        self.room.open()
        self.addCleanup(self.room.close)
        self.room.fill()
        self.connection = connect(self.path)
        self.addCleanup(self.connection.close)
        self.connection.execute("CREATE TABLE t (x)")

    def size(self, kind):
        """Octets of one of the database's files."""
        return os.stat(self.path + kind).st_size

    def write(self, octets):
        with self.connection:
            self.connection.execute("BEGIN")
            self.connection.executemany(
                "INSERT INTO t VALUES (zeroblob(?))", [(10_000,)] * (octets // 10_000)
            )

    def run_short(self):
        self.room.make(self.connection, StorageFull(), again=True)

    def test_it_takes_room_from_the_beginning(self):
        self.assertEqual(self.size("-reserve"), RESERVE)
        self.assertGreaterEqual(os.stat(self.path + "-reserve").st_blocks * 512, RESERVE)
        self.assertFalse(self.room.is_short(self.connection))

    def test_it_grows_by_what_the_database_will_grow_by(self):
        self.write(12 * MIB)
        self.assertGreater(self.size("-wal"), 12 * MIB)
        self.assertLess(self.size(""), MIB)
        self.assertFalse(self.room.is_short(self.connection))
        self.assertGreater(self.size("-reserve"), RESERVE + 11 * MIB)

    def test_it_shrinks_when_the_log_was_emptied(self):
        self.write(40 * MIB)
        self.room.is_short(self.connection)
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.write(12 * MIB)
        self.room.is_short(self.connection)
        self.assertLess(self.size("-reserve"), RESERVE + 30 * MIB)  # a page has one row

    def test_it_is_given_back_in_steps_and_taken_again(self):
        self.run_short()
        steps = 0
        while self.room.give_back():
            steps += 1
        self.assertEqual((steps, self.size("-reserve")), (16, 0))
        self.assertIsInstance(self.room.refusal(self.connection), StorageFull)
        self.assertTrue(self.room.is_short(self.connection))
        self.clock.advance(LOOK_INTERVAL)
        self.assertFalse(self.room.is_short(self.connection))
        self.assertEqual(self.size("-reserve"), RESERVE)
        self.assertIsNone(self.room.refusal(self.connection))

    def test_free_pages_count_like_the_reserve(self):
        """The database does not get smaller, so a reserve that it has used up would stay small for ever."""
        self.write(RESERVE)
        self.run_short()
        for _ in range(10):
            self.room.give_back()
        self.assertIsInstance(self.room.refusal(self.connection), StorageFull)
        self.connection.execute("DELETE FROM t")
        self.assertIsNone(self.room.refusal(self.connection))
        for _ in range(5):
            self.room.give_back()
        self.assertIsInstance(
            self.room.refusal(self.connection), StorageFull
        )  # there must be room for the log

    def test_half_of_it_is_lent_to_what_fits_into_free_pages(self):
        self.run_short()
        self.assertFalse(self.room.lend(self.connection))
        self.write(2 * MIB)
        self.connection.execute("DELETE FROM t")
        lent = 0
        while self.room.lend(self.connection):
            lent += 1
        self.assertEqual((lent, self.size("-reserve")), (8, RESERVE // 2))

    def test_the_log_is_emptied_before_anything_is_given_back(self):
        self.write(MIB)
        self.assertGreater(self.size("-wal"), MIB)
        self.assertTrue(self.room.make(self.connection, StorageFull(), again=False))
        self.assertEqual((self.size("-wal"), self.size("-reserve")), (0, RESERVE))

    def test_while_room_is_short_the_database_does_not_grow(self):
        with self.room.inside_database(self.connection):
            self.write(MIB)  # room is not short
        self.run_short()
        with self.room.inside_database(self.connection):
            error = self.assertRaises(sqlite3.OperationalError, self.write, MIB)
        self.assertIsInstance(self.room.failure(error), StorageFull)
        self.connection.execute("DELETE FROM t")
        with self.room.inside_database(self.connection):
            self.write(MIB // 2)
        self.write(2 * MIB)  # what is not content may let it grow

    def test_while_room_is_short_the_log_begins_anew_soon(self):
        [[usual]] = self.connection.execute("PRAGMA wal_autocheckpoint").fetchall()
        self.run_short()
        self.room.is_short(self.connection)
        [[pages]] = self.connection.execute("PRAGMA wal_autocheckpoint").fetchall()
        self.assertLess(pages * 8, usual)
        self.clock.advance(LOOK_INTERVAL)
        self.room.is_short(self.connection)
        self.assertEqual(self.connection.execute("PRAGMA wal_autocheckpoint").fetchall(), [(usual,)])

    def test_while_the_disk_is_nearly_full_the_log_begins_anew_soon(self):
        self.patch(_room, "LOW", 1 << 60)
        [[usual]] = self.connection.execute("PRAGMA wal_autocheckpoint").fetchall()
        self.assertFalse(self.room.is_short(self.connection))
        [[pages]] = self.connection.execute("PRAGMA wal_autocheckpoint").fetchall()
        self.assertLess(pages * 8, usual)

    def test_large_messages_wait_for_room_too(self):
        def fallocate(*arguments):
            raise OSError(errno.ENOSPC, "no room")

        self.run_short()
        self.room.give_back()
        patch = self.patch(os, "posix_fallocate", fallocate)
        self.assertRaises(StorageFull, self.room.check)
        patch.restore()
        self.room.check()  # there is room again
        self.assertFalse(self.room.is_short(self.connection))

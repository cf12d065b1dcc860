"""Stores by their URL."""

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore, SQLiteStore, open_store


class OpenStoreTests(SynchronousTestCase):
    """`open_store`."""

    def open(self, url):
        return open_store(url, "data", Clock())  # type: ignore[arg-type]

    def test_memory(self):
        self.assertIsInstance(self.open("memory:"), MemoryStore)

    def test_sqlite_is_in_the_data_folder_or_where_it_is_said_to_be(self):
        for url, path in (
            ("sqlite:", "data/mail/mail.sqlite3"),
            ("sqlite:/srv/mail", "/srv/mail/mail.sqlite3"),
            ("sqlite:/srv/other.sqlite3", "/srv/other.sqlite3"),
        ):
            store = self.open(url)
            self.assertIsInstance(store, SQLiteStore)
            self.assertEqual(store.path, path)
        self.assertFalse(os.path.exists("data"))  # nothing is made before the start

    def test_what_is_unknown_is_named(self):
        for url in ("", "sqlite", "maildir:/x", "memory", "memory:x", "SQLITE:", "postgresql://x"):
            error = self.assertRaises(ValueError, self.open, url)
            self.assertIn(repr(url), str(error))

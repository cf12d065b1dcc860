"""The embedded store: one folder, SQLite in WAL mode, group commits that are synced.

`SQLiteStore` is the way in.  Inside: ``_schema`` the tables, ``_writer`` the thread and its
batches, ``_placing``, ``_changing`` and ``_tree`` what it writes, ``_reading`` what is read,
``_bodies`` the octets.
"""

from mailproto.backends.sqlite._bodies import LARGE
from mailproto.backends.sqlite._schema import WrongDatabase
from mailproto.backends.sqlite._store import DATABASE, POLL_INTERVAL, SQLiteStore
from mailproto.backends.sqlite._writer import MAX_BATCH

__all__ = ["DATABASE", "LARGE", "MAX_BATCH", "POLL_INTERVAL", "SQLiteStore", "WrongDatabase"]

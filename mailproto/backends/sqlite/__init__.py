"""The embedded store: one folder, SQLite in WAL mode, with synced group commits.

The public class is `mailproto.backends.SQLiteStore`.  From the outside in: ``_store``, ``_directory``,
``_account`` and ``_mailbox`` implement the interfaces; they share ``_database``.  ``_placing``,
``_changing`` and ``_tree`` write, in the thread of ``_writer``; ``_reading`` reads.  ``_bodies`` has the
octets, ``_hints`` the listeners, and ``_schema`` the tables.
"""

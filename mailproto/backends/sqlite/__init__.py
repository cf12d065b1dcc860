"""The embedded store: one folder, SQLite in WAL mode, group commits that are synced.

`mailproto.backends.SQLiteStore` is the way in.  From the outside in: ``_store``, ``_directory``,
``_account`` and ``_mailbox`` are the contracts; ``_database`` is what they share; ``_placing``,
``_changing`` and ``_tree`` write, in the thread of ``_writer``; ``_reading`` reads; ``_bodies`` has
the octets, ``_hints`` the watchers, ``_schema`` the tables.
"""

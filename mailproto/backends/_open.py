"""Stores by their URL."""

from __future__ import annotations

import os

from twisted.internet.interfaces import IReactorFromThreads

from mailproto.backends._memory import MemoryStore
from mailproto.backends.sqlite._store import SQLiteStore
from mailproto.interfaces import IStore

__all__ = ["open_store"]


def open_store(url: str, data_folder: str, reactor: IReactorFromThreads) -> IStore:
    """The store that ``url`` names; it is not started yet.

    :param url: ``sqlite:`` (in the data folder), ``sqlite:PATH`` (a folder of its own, or a
        file whose name ends in ``.sqlite3``), or ``memory:``.
    :raises ValueError: for any other.
    """
    scheme, colon, path = url.partition(":")
    if scheme == "sqlite" and colon:
        return SQLiteStore(path or os.path.join(data_folder, "mail"), reactor=reactor)
    if url == "memory:":
        return MemoryStore()
    raise ValueError(f"unknown store {url!r}: sqlite:, sqlite:PATH or memory:")

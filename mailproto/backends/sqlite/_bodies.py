"""Reads and writes the octets of messages: small ones in the database, large ones in files.

A file is synced under its final name before the row that refers to it is committed.  It is removed after
the commit that removes the last such row.  A crash in between leaves an unused file; `Bodies.sweep` removes
it at the next start.
"""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from mailproto.backends._threading import ThreadKeys, thread_keys
from mailproto.backends.sqlite._failures import unavailable
from mailproto.backends.sqlite._room import Room
from mailproto.content import Content, Octets, chunks
from mailproto.files import make_folder, sync_folder
from mailproto.message import Steps, Summary, finish, relations, scan_steps, summarise_steps

__all__ = ["LARGE", "Bodies", "Body", "DaemonPool", "Digest", "Digesting", "digest"]

LARGE = 1 << 16
"""Octets above which a body is stored in its own file."""

T = TypeVar("T")

_THREADS = 2  # simultaneous copies of large bodies; more would not help, because they share the disk


class Body(NamedTuple):
    """A message's octets, ready for the database.

    :ivar octets: b"" if they are in ``file``.
    :ivar file: a file name in the folder of bodies, or None.
    :ivar digest: the digest if the octets are in a file; otherwise None, and the writer makes it.
    """

    octets: bytes
    file: str | None
    size: int
    digest: Digest | None


class _DaemonThread(Thread):
    """A thread that lets a program end even if it did not stop its store."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(daemon=True, **arguments)


class DaemonPool(ThreadPool):
    """Threads that let a program end."""

    threadFactory = _DaemonThread  # type: ignore[assignment]  # noqa: N815 - Twisted's name


class Bodies:
    """The folder of large bodies."""

    def __init__(self, reactor: IReactorFromThreads, folder: str, room: Room) -> None:
        self._reactor = reactor
        self._folder = folder
        self._room = room
        self._pool = DaemonPool(0, _THREADS, "mailproto-sqlite-bodies")

    def start(self) -> None:
        """Start the threads."""
        self._pool.start()

    def stop(self) -> None:
        """End the threads; no work may be running."""
        self._pool.stop()

    def in_thread(self, work: Callable[[], T]) -> Deferred[T]:
        """Call ``work`` in one of the threads."""
        return deferToThreadPool(self._reactor, self._pool, work)

    def make_folder(self) -> None:
        """Make the folder if it is missing."""
        make_folder(self._folder)

    def small(self, content: Octets, made: Digest | None = None) -> Body:
        """Read ``content`` of up to `LARGE` octets, synchronously.

        :param made: its digest, if that is not to be made.
        :raises Unavailable: the content cannot be read.
        """
        try:
            octets = bytes(content)
        except OSError as error:
            raise unavailable(error) from error
        return Body(octets, None, len(octets), made)

    def large(self, content: Octets, made: Digest | None = None) -> Deferred[Body]:
        """Copy and digest ``content`` in a thread; it is on disk when the result arrives.

        :param made: its digest, if that is not to be made.
        :raises Unavailable: the content cannot be read or written; `StorageFull` if there is no room.
        """
        return self.in_thread(partial(self._write, content, made))

    def content(self, file: str, size: int, start: int = 0) -> Content:
        """``size`` octets in a file, from ``start`` on."""
        return Content.of_file(os.path.join(self._folder, file), size, start=start)

    def path(self, file: str) -> str:
        """The path of a file."""
        return os.path.join(self._folder, file)

    def files(self) -> list[tuple[str, float]]:
        """The existing files, each with the seconds since it was written."""
        now = time.time()
        with os.scandir(self._folder) as entries:
            return [(entry.name, now - entry.stat().st_mtime) for entry in entries]

    def whole(self, file: str) -> Content:
        """The whole content of a file.  :raises OSError:"""
        path = self.path(file)
        return Content.of_file(path, os.path.getsize(path))

    def remove(self, files: Sequence[str]) -> None:
        """Remove unused files; if one cannot be removed, the next sweep tries again."""
        for file in files:
            try:
                os.unlink(os.path.join(self._folder, file))
            except OSError:
                continue

    def sweep(self, connection: sqlite3.Connection) -> None:
        """Remove all unused files; no other process may be writing."""
        named = {row[0] for row in connection.execute("SELECT file FROM bodies WHERE file IS NOT NULL")}
        self.remove([name for name in os.listdir(self._folder) if name not in named])

    def _write(self, content: Octets, made: Digest | None) -> Body:
        self._room.check()
        file = uuid.uuid4().hex
        path = os.path.join(self._folder, file)
        try:
            _write_synced(path, content)
            written = Content.of_file(path, len(content))
            made = made or digest(written)
        except BaseException as error:  # ValueError, if the content was closed
            self.remove([file, file + ".part"])
            if isinstance(error, OSError):
                raise unavailable(error, path) from error
            raise
        return Body(b"", file, len(written), made)


def _write_synced(path: str, content: Octets) -> None:
    partial = path + ".part"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb", buffering=0) as file:
        for piece in chunks(content):
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
        os.fsync(descriptor)
    os.rename(partial, path)
    sync_folder(os.path.dirname(path))


class Digest(NamedTuple):
    """The data that is stored besides a message's octets."""

    summary: Summary
    keys: ThreadKeys


def digest(content: Octets) -> Digest:
    """Compute a digest.  :raises OSError: the content is in a file that cannot be read."""
    return finish(_digest_steps(content))


def _digest_steps(content: Octets) -> Steps[Digest]:
    index = yield from scan_steps(content)
    summary = yield from summarise_steps(content, index)
    return Digest(summary, thread_keys(relations(content, index)))


class Digesting:
    """Computes the digest of a small body, a little at a time.

    That takes 50 microseconds, but a thousand times as long if somebody wanted it to.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._steps = _digest_steps(body.octets)

    def go_on(self, seconds: float = 0.001) -> Body | None:
        """Work for some time; returns the body with its digest if that is there."""
        end = time.monotonic() + seconds
        try:
            while True:
                next(self._steps)
                if time.monotonic() > end:
                    return None
        except StopIteration as done:
            return self._body._replace(digest=done.value)

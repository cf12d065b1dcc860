"""`Mbox`: keeps messages in one file, one after the other."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mailproto._in_thread import in_thread
from mailproto.fetching._lines import unix_lines
from mailproto.fetching._mbox_lock import MboxLock
from mailproto.fetching._targets import Intend, Target
from mailproto.fetching._values import Incoming
from mailproto.files import make_folder, sync_folder
from mailproto.message import Message
from mailproto.typing import ReactorTime

__all__ = ["Mbox"]

_FROM_LINE: Final = re.compile(rb"^(?=>*From )", re.MULTILINE)
_SENDER: Final = re.compile(r"[!-;=?-~]+")


class Mbox(Target):
    """A file in mbox form, which is made if it is missing.

    Other programs may use it meanwhile: it is locked as Debian's policy says (11.6), first with ``fcntl``,
    then with a lock file, ``PATH.lock``; where the folder may not be written, with ``fcntl`` alone.  A line
    of a message that begins with ``From`` gets a ``>`` (mboxrd).

    The plan has the file's length and the octets that will be added, so that what a crash has left
    unfinished is completed; so the messages of a plan are in memory.

    :param path: the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()

    @property
    def name(self) -> str:
        """``mbox:PATH``."""
        return f"mbox:{self.path}"

    async def open(self, reactor: ReactorTime) -> None:
        """Make the file if it is missing."""
        await in_thread(reactor, self._make)

    def _make(self) -> None:
        make_folder(self.path.parent)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_folder(self.path.parent)

    async def keep(self, reactor: ReactorTime, messages: Sequence[Incoming], intend: Intend) -> None:
        """Add them to the file's end."""
        octets = await in_thread(reactor, lambda: b"".join(map(_in_mbox, messages)))
        lock = await in_thread(reactor, MboxLock, self.path)
        try:
            end, gap = await in_thread(reactor, _end_of, lock.descriptor)
            await intend(b"%d\n%b%b" % (end, gap, octets))
            await in_thread(reactor, _write, lock.descriptor, end, gap + octets)
        finally:
            lock.release()

    async def recover(self, reactor: ReactorTime, digests: Sequence[bytes], plan: bytes) -> Sequence[bool]:
        """Complete what is there in part, or add all."""
        await in_thread(reactor, self._recover, plan)
        return [True] * len(digests)

    def _recover(self, plan: bytes) -> None:
        length, _, octets = plan.partition(b"\n")
        end = int(length)
        lock = MboxLock(self.path)
        descriptor = lock.descriptor
        try:
            size = os.fstat(descriptor).st_size
            there = _read(descriptor, end, len(octets)) if size > end else b""
            if there == octets:
                os.fsync(descriptor)
            elif size >= end and octets.startswith(there) and size == end + len(there):
                _write(descriptor, end, octets)
            else:  # another program has added something behind, or has written the file anew
                end, gap = _end_of(descriptor)
                _write(descriptor, end, gap + octets.removeprefix(b"\n"))
        finally:
            lock.release()


def _end_of(descriptor: int) -> tuple[int, bytes]:
    """The file's length, and what must stand between its end and a new message."""
    size = os.fstat(descriptor).st_size
    last = _read(descriptor, max(0, size - 2), 2)
    return size, b"" if not size or last == b"\n\n" else b"\n" if last.endswith(b"\n") else b"\n\n"


def _read(descriptor: int, start: int, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := os.pread(descriptor, min(size, 1 << 20), start)):
        pieces.append(piece)
        start, size = start + len(piece), size - len(piece)
    return b"".join(pieces)


def _write(descriptor: int, start: int, octets: bytes) -> None:
    """Write, and sync.  What cannot be written whole is taken back."""
    view: Any = memoryview(octets)
    at = start
    try:
        while view:
            written = os.pwrite(descriptor, view[: 1 << 20], at)
            view, at = view[written:], at + written
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, start)
        raise


def _in_mbox(message: Incoming) -> bytes:
    """A message with its first line, and the empty line after it."""
    octets = b"".join(unix_lines(message.content))
    found = Message(message.content[: 1 << 16]).fields("Return-Path")
    sender = str(found[0]).strip().strip("<>") if found else ""
    if not _SENDER.fullmatch(sender):
        sender = "MAILER-DAEMON"
    date = time.asctime(time.gmtime(time.time() if message.date is None else message.date))
    end = b"\n" if octets.endswith(b"\n") else b"\n\n"
    return b"From %b %b\n%b%b" % (
        sender.encode("ascii"),
        date.encode("ascii"),
        _FROM_LINE.sub(b">", octets),
        end,
    )

"""`Maildir`: keeps messages in a folder, each in a file of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final

from mailproto._in_thread import in_thread
from mailproto.fetching._lines import unix_lines
from mailproto.fetching._targets import Intend, Target
from mailproto.fetching._values import Incoming
from mailproto.files import make_folder, sync_folder
from mailproto.typing import ReactorTime

__all__ = ["Maildir"]

_FOLDERS: Final = ("tmp", "new", "cur")
_AT_ONCE: Final = 16
"""Files that are synced at a time."""
_LETTERS: Final = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S"}


class Maildir(Target):
    """A Maildir, which is made if it is missing.  Lines end with LF in its files.

    Programs that read mail may use it meanwhile.  The plan has the names of the files, which stay the same
    when a message is read: only what follows ``:`` changes.

    :param path: the folder that has, or shall have, ``tmp``, ``new`` and ``cur``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()

    @property
    def name(self) -> str:
        """``maildir:PATH``."""
        return f"maildir:{self.path}"

    async def open(self, reactor: ReactorTime) -> None:
        """Make the folders that are missing."""
        await in_thread(reactor, self._make)

    def _make(self) -> None:
        for folder in _FOLDERS:
            make_folder(self.path / folder)

    async def keep(self, reactor: ReactorTime, messages: Sequence[Incoming], intend: Intend) -> None:
        """Write each into ``tmp``, sync it, and move it to ``new``, or to ``cur`` if it has flags."""
        names = [self._new_name() for _ in messages]
        await intend(json.dumps(names).encode())
        await in_thread(reactor, self._keep, messages, names)

    def _new_name(self) -> str:
        host = re.sub(r"[^A-Za-z0-9.\-]", "_", socket.gethostname())
        return f"{int(time.time())}.M{time.time_ns() // 1000 % 1_000_000}R{secrets.token_hex(8)}.{host}"

    def _keep(self, messages: Sequence[Incoming], names: Sequence[str]) -> None:
        with contextlib.ExitStack() as stack:
            files = []
            for message, name in zip(messages, names, strict=True):
                file = stack.enter_context(open(self.path / "tmp" / name, "xb", opener=_private))
                for piece in unix_lines(message.content):
                    file.write(piece)
                file.flush()
                if message.date is not None:
                    os.utime(file.fileno(), (message.date, message.date))
                files.append(file)
            # The disk takes some at a time; and after all were written, the first takes others along.
            threads = stack.enter_context(ThreadPoolExecutor(min(_AT_ONCE, len(files))))
            list(threads.map(_sync, files))
        for message, name in zip(messages, names, strict=True):
            letters = "".join(sorted(_LETTERS[flag] for flag in message.flags if flag in _LETTERS))
            place = self.path / "cur" / f"{name}:2,{letters}" if letters else self.path / "new" / name
            os.rename(self.path / "tmp" / name, place)
        for folder in _FOLDERS:
            sync_folder(self.path / folder)

    async def recover(self, reactor: ReactorTime, digests: Sequence[bytes], plan: bytes) -> Sequence[bool]:
        """Look for the names; what is left in ``tmp`` is removed."""
        return await in_thread(reactor, self._recover, json.loads(plan))

    def _recover(self, names: Sequence[str]) -> list[bool]:
        # First new and then cur: a program that reads mail moves files in that direction.
        found = {
            re.split("[:,]", file)[0] for folder in ("new", "cur") for file in os.listdir(self.path / folder)
        }
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (self.path / "tmp" / name).unlink()
        for folder in _FOLDERS:  # a rename may not be on disk yet
            sync_folder(self.path / folder)
        return [name in found for name in names]


def _sync(file: BinaryIO) -> None:
    os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)

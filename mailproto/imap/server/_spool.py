"""The message of APPEND while it arrives: in memory while small, in a file when large."""

from __future__ import annotations

import re

from mailproto.content import CHUNK, Content
from mailproto.errors import MailError
from mailproto.spool import SpoolFile

__all__ = ["IN_MEMORY", "Spool"]

IN_MEMORY = CHUNK
"""Octets from which on a message is kept in a file."""

_BARE_LF = re.compile(rb"(?<!\r)\n")


class NulOctet(MailError):
    """A literal cannot hold NUL (RFC 9051 9, CHAR8)."""

    default_text = "Message contains NUL"


class Spool:
    """Takes octets in pieces and gives `Content`.

    A bare LF becomes CRLF, as everywhere in the store: clients send mail from Unix files.

    A failure is kept until `finish`, since the rest of the literal must be read anyhow.

    :param folder: for the file, which has no name there; None for the system's own.
    """

    __slots__ = ("_error", "_file", "_folder", "_last_cr", "_pieces", "_size")

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._pieces: list[bytes] = []
        self._size = 0
        self._last_cr = False
        self._file: SpoolFile | None = None
        self._error: MailError | None = None

    def write(self, data: bytes) -> None:
        """Take some more octets, at least one."""
        if self._error is not None:
            return
        if b"\0" in data:
            self._fail(NulOctet())
            return
        if data.count(b"\n") != data.count(b"\r\n"):
            ends_line = self._last_cr and data.startswith(b"\n")
            self._last_cr = data.endswith(b"\r")
            data = b"\n" + _BARE_LF.sub(b"\r\n", data[1:]) if ends_line else _BARE_LF.sub(b"\r\n", data)
        else:
            self._last_cr = data.endswith(b"\r")
        self._size += len(data)
        try:
            if self._file is not None:
                self._file.write(data)
                return
            self._pieces.append(data)
            if self._size > IN_MEMORY:
                self._file = SpoolFile(self._folder)
                self._file.write(b"".join(self._pieces))
                self._pieces.clear()
        except MailError as error:
            self._fail(error)

    def finish(self) -> Content:
        """All that was taken.

        :raises MailError: for what went wrong meanwhile.
        """
        if self._error is not None:
            raise self._error
        if self._file is None:
            return b"".join(self._pieces)
        file, self._file = self._file, None
        return file.content()

    def close(self) -> None:
        """Let go of everything."""
        self._pieces.clear()
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _fail(self, error: MailError) -> None:
        self._error = error
        self.close()

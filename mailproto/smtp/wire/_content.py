"""The content behind DATA: found by bulk search, never line by line (RFC 5321 4.5.2).

The end is CRLF.CRLF and nothing else; what looks like it, with a bare CR or LF in it,
is content, and content with a bare CR or LF is refused or normalised as a whole
(the "SMTP smuggling" of 2023, CVE-2023-51764 and others).
"""

from __future__ import annotations

from mailproto.smtp.wire._events import DataChunk, DataEnd, DataFault
from mailproto.smtp.wire._newlines import is_canonical, normalise

__all__ = ["ContentCheck", "ContentScanner"]


class ContentCheck:
    """Finds what may not be in one message's content, unless it is declared binary.

    :param normalise: make CRLF of each bare CR or LF, instead of refusing the message.
    """

    __slots__ = ("_bare", "_normalise", "_nul")

    def __init__(self, *, normalise: bool) -> None:
        self._normalise = normalise
        self._bare = False
        self._nul = False

    @property
    def fault(self) -> DataFault | None:
        """Why the content is not to be taken, as far as it has been seen."""
        if self._bare and not self._normalise:
            return DataFault.BARE_NEWLINE
        return DataFault.NUL if self._nul else None

    def _check(self, octets: bytes) -> bytes:
        """Note faults; what comes after one is dropped, as the whole will be."""
        if not is_canonical(octets):
            self._bare = True
            if self._normalise:
                octets = normalise(octets)
        if b"\0" in octets:
            self._nul = True
        return b"" if self._nul or (self._bare and not self._normalise) else octets


class ContentScanner(ContentCheck):
    """Scans one message's content behind DATA."""

    __slots__ = ("_begun",)

    def __init__(self, *, normalise: bool) -> None:
        super().__init__(normalise=normalise)
        self._begun = False

    def scan(self, buffer: bytes, position: int) -> tuple[DataChunk | DataEnd | None, int]:
        """Look at all that there is in ``buffer`` from ``position`` on.

        :returns: the next event, or None for "more octets"; and how many octets are done
            with.  The rest is to be given again, with what follows it.  After a `DataEnd`
            the scanner is done too.
        """
        data = buffer[position:]
        # The command's own CRLF stands, virtually, before the first line and makes it a line
        # like the others.  Later, a CRLF is held back until what follows it is known.
        virtual = 0
        if not self._begun:
            data = b"\r\n" + data
            virtual = 2
        # To look for one octet is ten times as fast, and encoded content has no dots at all.
        dot = end = data.find(b".")
        if dot >= 0:
            dot = end = data.find(b"\r\n.", max(dot - 2, 0))
            if dot >= 0 and not data.startswith(b"\r\n", dot + 3):
                end = data.find(b"\r\n.\r\n", dot + 3)
        stop = end + 2 if end >= 0 else len(data) - _held_back(data)
        if stop <= virtual and end < 0:
            return None, 0
        self._begun = True
        octets = data[virtual:stop]
        if 0 <= dot < stop - 2:
            octets = data[:stop].replace(b"\r\n.", b"\r\n")[virtual:]
        octets = self._check(octets)
        if end < 0:
            return (DataChunk(octets) if octets else None), stop - virtual
        if self._bare or self._nul:
            return DataEnd(octets, self.fault), stop + 3 - virtual
        return DataEnd(octets), stop + 3 - virtual


def _held_back(data: bytes) -> int:
    """How many octets at the end of ``data`` may be the beginning of CRLF.CRLF."""
    for beginning in (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r"):
        if data.endswith(beginning):
            return len(beginning)
    return 0

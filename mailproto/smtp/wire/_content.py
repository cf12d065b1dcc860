"""The content after DATA, searched in bulk, not line by line (RFC 5321 4.5.2).

Only CRLF.CRLF ends the content.  A similar sequence with a bare CR or LF is content, and content
with a bare CR or LF is refused or normalised as a whole.  This prevents SMTP smuggling
(CVE-2023-51764 and others).
"""

from __future__ import annotations

from mailproto.smtp.wire._events import DataChunk, DataEnd, DataFault
from mailproto.smtp.wire._newlines import is_canonical, normalise

__all__ = ["ContentCheck", "ContentScanner"]


class ContentCheck:
    """Finds faults in the content of a message that is not declared binary.

    :param normalise: replace each bare CR or LF by CRLF, instead of refusing the message.
    :param text_line: the most octets of a line without its CRLF (`SMTPWireLimits`).

    :ivar fault: the fault in the content so far, or None.
    """

    __slots__ = ("_normalise", "_open", "_text_line", "fault")

    def __init__(self, *, normalise: bool, text_line: int) -> None:
        self._normalise = normalise
        self._text_line = text_line
        self._open = 0  # octets of the unfinished line
        self.fault: DataFault | None = None

    def _check(self, octets: bytes) -> bytes:
        """Note faults.  What comes after a fault is dropped, because the message will be refused.

        If there are several faults, the same one is named for all ways to cut the content.

        :param octets: some content, not cut within a CRLF.
        """
        if not is_canonical(octets):
            if self._normalise:
                octets = normalise(octets)
            else:
                self.fault = DataFault.BARE_NEWLINE
        if b"\0" in octets and self.fault is not DataFault.BARE_NEWLINE:
            self.fault = DataFault.NUL
        so_far = self._open + len(octets)
        if so_far > self._text_line:
            self._measure(octets)
        else:
            end = octets.rfind(b"\n")
            self._open = so_far if end < 0 else len(octets) - end - 1
        return octets if self.fault is None else b""

    def _measure(self, octets: bytes) -> None:
        """Look for a line that is too long: search for the last line end within its limit."""
        start = -self._open
        reach = self._text_line + len(b"\r\n")
        while (end := octets.rfind(b"\n", max(start, 0), start + reach)) >= 0:
            start = end + 1
        self._open = len(octets) - start
        if self._open > self._text_line:
            self._open = 0
            self.fault = self.fault or DataFault.LONG_LINE


class ContentScanner(ContentCheck):
    """Scans one message's content after DATA."""

    __slots__ = ("_begun",)

    def __init__(self, *, normalise: bool, text_line: int) -> None:
        super().__init__(normalise=normalise, text_line=text_line)
        self._begun = False

    def scan(self, buffer: bytes, position: int) -> tuple[DataChunk | DataEnd | None, int]:
        """Scan ``buffer`` from ``position`` to its end.

        :returns: the next event, or None if more octets are needed; and how many octets were used.
            The other octets must be given again, with those that follow.  A `DataEnd` is the last
            event.
        """
        data = buffer[position:]
        # The CRLF of the DATA command counts as the end of a line before the first one.  Later, a CRLF
        # is held back until the octets after it are known.
        virtual = 0
        if not self._begun:
            data = b"\r\n" + data
            virtual = 2
        # A search for one octet is ten times as fast, and encoded content has no dots.
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
        return DataEnd(octets, self.fault), stop + 3 - virtual


def _held_back(data: bytes) -> int:
    """How many octets at the end of ``data`` may be the beginning of CRLF.CRLF."""
    for beginning in (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r"):
        if data.endswith(beginning):
            return len(beginning)
    return 0

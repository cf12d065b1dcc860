"""Receiving a message's content, by DATA or by BDAT."""

from __future__ import annotations

from mailproto.errors import MailError, Refused
from mailproto.smtp.server._error_budget import ContentRate
from mailproto.smtp.server._spool import ArrivedMessage, Spool
from mailproto.smtp.wire import ChunkedText, DataFault

__all__ = ["ChunkedReception", "DiscardedChunk", "Reception"]

_FAULTS = {
    DataFault.BARE_NEWLINE: ("5.6.11", "Bare CR or LF in the message"),
    DataFault.NUL: ("5.6.0", "NUL in the message"),
    DataFault.LONG_LINE: ("5.6.0", "Line too long in the message"),
}


class Reception:
    """The content after DATA; the wire has checked it, and the spool keeps it.

    :ivar rate: measures whether the content comes fast enough.
    """

    __slots__ = ("_spool", "rate")

    def __init__(self, spool: Spool, rate: ContentRate) -> None:
        self._spool = spool
        self.rate = rate

    def write(self, octets: bytes, now: float) -> None:
        """Add some octets."""
        self._spool.write(octets)
        self.rate.received(self._spool.size, now)

    @property
    def size(self) -> int:
        """The octets that have come."""
        return self._spool.size

    def end(self, octets: bytes, fault: DataFault | None) -> None:
        """Add the last octets; or refuse the message because of ``fault``."""
        if fault is None:
            self._spool.write(octets)
        else:
            self._spool.fail(_refusal(fault))

    def finish(self) -> ArrivedMessage:
        """Return the whole message.

        :raises MailError: the message is refused.
        """
        return self._spool.finish()

    def discard(self) -> None:
        """Drop the content: it will not be completed."""
        self._spool.discard()

    def release(self) -> None:
        """The delivery has ended: the content counts no more for the limit ``spooled``."""
        self._spool.release()


class ChunkedReception(Reception):
    """The content in chunks after BDAT commands (RFC 3030 2).

    After an error, each further chunk is answered with this error, up to the last chunk.

    :ivar is_refused: whether a chunk was refused.
    :param text: checks line ends and NULs; None for content that was declared binary.
    """

    __slots__ = ("_received", "_text", "is_refused")

    def __init__(self, spool: Spool, rate: ContentRate, text: ChunkedText | None) -> None:
        super().__init__(spool, rate)
        self._text = text
        self._received = 0
        self.is_refused = False

    @property
    def error(self) -> MailError | None:
        """The error in the content so far, or None."""
        return self._spool.error

    def expect(self, octets: int) -> None:
        """Announce a chunk's octets: if they are too many, none is kept."""
        self._spool.expect(octets)

    def write(self, octets: bytes, now: float) -> None:
        """Add some octets; refused octets count for the rate, too."""
        self._received += len(octets)
        self.rate.received(self._received, now)
        if self._text is None:
            self._spool.write(octets)
        else:
            self._keep(self._text, self._text.check(octets))

    def finish(self) -> ArrivedMessage:
        """Return the whole message; the header section of binary content is checked as text.

        :raises MailError: the message is refused.
        """
        if self._text is not None:
            self._keep(self._text, self._text.finish())
            return super().finish()
        message = super().finish()
        header = ChunkedText(normalise=False)
        header.check(message.header)
        if header.fault is not None:
            message.discard()
            raise _refusal(header.fault)
        return message

    def _keep(self, text: ChunkedText, octets: bytes) -> None:
        if text.fault is not None:
            self._spool.fail(_refusal(text.fault))
        elif octets:
            self._spool.write(octets)


class DiscardedChunk:
    """A refused chunk, which must still be read (RFC 3030 2).

    :ivar reply: the reply after the chunk.
    """

    __slots__ = ("_received", "rate", "reply")

    def __init__(self, reply: bytes, rate: ContentRate) -> None:
        self.reply = reply
        self.rate = rate
        self._received = 0

    def write(self, octets: bytes, now: float) -> None:
        """Drop some octets."""
        self._received += len(octets)
        self.rate.received(self._received, now)

    def discard(self) -> None:
        """There is nothing to drop."""


def _refusal(fault: DataFault) -> Refused:
    return Refused(550, *_FAULTS[fault])

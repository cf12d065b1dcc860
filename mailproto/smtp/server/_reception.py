"""One message's content on its way in, by DATA or by BDAT."""

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
    """What came behind DATA: checked by the wire, kept by the spool.

    :ivar rate: whether it comes fast enough.
    """

    __slots__ = ("_spool", "rate")

    def __init__(self, spool: Spool, rate: ContentRate) -> None:
        self._spool = spool
        self.rate = rate

    def write(self, octets: bytes, now: float) -> None:
        """Take some."""
        self._spool.write(octets)
        self.rate.received(self._spool.size, now)

    @property
    def size(self) -> int:
        """Octets that came."""
        return self._spool.size

    def end(self, octets: bytes, fault: DataFault | None) -> None:
        """Take the last of it, and what the wire says of the whole."""
        if fault is None:
            self._spool.write(octets)
        else:
            self._spool.fail(_refusal(fault))

    def finish(self) -> ArrivedMessage:
        """What arrived.

        :raises MailError: it is not taken.
        """
        return self._spool.finish()

    def discard(self) -> None:
        """It will not come whole."""
        self._spool.discard()


class ChunkedReception(Reception):
    """What comes behind BDATs, until the last (RFC 3030 2).

    Once something is wrong with it, each further chunk is answered so, and the last ends it.

    :ivar is_refused: whether a chunk was.
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
        """What is wrong with it, as far as it has come."""
        return self._spool.error

    def expect(self, octets: int) -> None:
        """So many are to come: if they are too many, none is kept."""
        self._spool.expect(octets)

    def write(self, octets: bytes, now: float) -> None:
        """Take some; what counts for the rate is what came, taken or not."""
        self._received += len(octets)
        self.rate.received(self._received, now)
        if self._text is None:
            self._spool.write(octets)
        else:
            self._keep(self._text, self._text.check(octets))

    def finish(self) -> ArrivedMessage:
        """What arrived; of binary content the header section is still text.

        :raises MailError: it is not taken.
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
    """A chunk that has no place here and must yet be read (RFC 3030 2).

    :ivar reply: the answer behind it.
    """

    __slots__ = ("_received", "rate", "reply")

    def __init__(self, reply: bytes, rate: ContentRate) -> None:
        self.reply = reply
        self.rate = rate
        self._received = 0

    def write(self, octets: bytes, now: float) -> None:
        """Forget some."""
        self._received += len(octets)
        self.rate.received(self._received, now)

    def discard(self) -> None:
        """There is nothing to let go of."""


def _refusal(fault: DataFault) -> Refused:
    return Refused(550, *_FAULTS[fault])
